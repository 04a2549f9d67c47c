"""Makes a lost catalogue again from the ledger, the original recordings and the names beside them."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

from ...ledger.log.log import Log
from ..catalogue.catalogue import Catalogue, MeasuredRow
from ..catalogue.store import Store, sync_folder
from ..errors import CatalogueTrouble, NoVault, Refused
from .intake import Progress
from .preparation import KeptRecording, Remeasured
from .worker_pool import WorkerPool


def rebuild(home: Path, progress: Progress | None = None) -> tuple[int, tuple[Path, ...]]:
    """See `Vault.rebuild`."""
    store = Store(home)
    if not (home / "ledger" / "log").exists():
        raise NoVault(f"there is no ledger in {home}, of which a catalogue could be made")
    store.create()
    with store.lock(), Log.open(home) as log:
        # A rebuild that was killed starts again.
        new = store.catalogue.with_name("catalogue.db.new")
        for old in store.folder.glob("catalogue.db.new*"):
            old.unlink()
        with closing(Catalogue.open(new, create=True)) as catalogue:
            catalogue.follow(log.origin)
            for holder, (name, salt) in _names_of(store).items():
                catalogue.name_holder(holder, name, salt)
            size = log.size
            catalogue.apply(log.entries(0, size), size)
            count, lost = _measure_all(store, catalogue, progress)
        for end in ("", "-wal", "-shm"):
            path = store.catalogue.with_name(f"catalogue.db{end}")
            if path.exists():
                os.replace(path, store.catalogue.with_name(f"catalogue.db.old{end}"))
        os.replace(new, store.catalogue)
        sync_folder(store.folder)
    return count, lost


def _names_of(store: Store) -> dict[str, tuple[str, str]]:
    """Names and salts by holder: from the files beside the catalogue, and from an old catalogue."""
    names = {}
    with suppress(CatalogueTrouble, OSError), closing(Catalogue.open(store.catalogue)) as old:
        names = {each.holder: (each.name, each.name_salt) for each in old.holders()}
    return names | store.names()


def _measure_all(
    store: Store, catalogue: Catalogue, progress: Progress | None
) -> tuple[int, tuple[Path, ...]]:
    """Measure every original again; gives their number, and those that are missing or changed."""
    lost = []
    stems = catalogue.all_stems()
    with closing(WorkerPool(store.folder.parent)) as workers:

        def again(each: tuple[str, str, str]) -> Remeasured | None:
            stem, digest, grid = each
            target = store.conformed(stem, grid)
            kept = KeptRecording(store.original(digest), target, *catalogue.terms_of(stem))
            try:
                return workers.measure_again(kept)
            except (Refused, FileNotFoundError):
                return None

        found = zip(stems, workers.each(again, stems), strict=True)
        for done, ((stem, digest, grid), new) in enumerate(found, start=1):
            if new is None:
                lost.append(store.original(digest))
            else:
                row = MeasuredRow(stem, digest, new.frames, new.channels, new.measured, new.heard, grid)
                catalogue.keep_measured([row])
            if progress is not None:
                progress(done, len(stems))
    return len(stems), tuple(lost)
