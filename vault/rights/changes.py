"""How the vault is changed: by one writer at a time, in the ledger first and then in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ...ledger.entries import entries
from ...ledger.errors import LedgerError
from ...ledger.log.log import Log
from ..catalogue.catalogue import Catalogue
from ..catalogue.earlier_rows import Past
from ..catalogue.past import past_at
from ..catalogue.store import Store
from ..errors import CatalogueTrouble
from ..told import tell


class FormerOwners(NamedTuple):
    """The holder and the shares of a stem before its removal."""

    holder: str
    master: tuple[entries.Share, ...]
    publishing: tuple[entries.Share, ...]


class Changes:
    """Makes changes that happen as a whole or not at all, even if the process is killed."""

    def __init__(self, home: Path, log: Log, store: Store, catalogue: Catalogue) -> None:
        self._home = home
        self._keys = home / "keys"
        self._log = log
        self._store = store
        self._catalogue = catalogue

    def refresh(self) -> None:
        """Project the entries that this or another process has added to the ledger since."""
        size, applied = self._log.size, self._catalogue.applied()
        if size < applied:
            raise CatalogueTrouble(
                f"the catalogue at {self._store.catalogue} knows {applied} entries of the ledger, "
                f"which has {size}: one of them is of an older time; put both back from the same backup"
            )
        if size > applied:
            self._catalogue.apply(self._log.entries(applied, size), size)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Exclude other writers, bring the catalogue up to date, and clear what a killed writer left.

        Sessions of this process that play from the home follow the change when this ends.
        """
        self._catalogue.check_kept()
        try:
            with self._store.lock():
                self.clear_abandoned()
                try:
                    yield
                except (OSError, LedgerError):
                    # Files that never entered should not fill the disk; the next writer removes any left.
                    with suppress(OSError, LedgerError):
                        self.clear_abandoned()
                    raise
        finally:
            # Without the lock: other writers need not wait for those sessions.
            tell(self._home)

    def sequence(self, new: Sequence[entries.Entry]) -> list[int]:
        """Append entries to the ledger and project them; gives their indices. Call it `alone`."""
        indices = self._log.append(new)
        # A crash here leaves entries that the next `refresh` projects.
        self.refresh()
        return indices

    def as_entered(self) -> Past:
        """The stems that were declared anew since they came, as they came."""
        return past_at(self._catalogue, 0, self._log.entry)

    def before(self, stems: Iterable[str]) -> dict[str, FormerOwners]:
        """The former owners of those `stems` that were removed, who own them again on their return."""
        gone = self._catalogue.removed().keys() & set(stems)
        found: dict[str, FormerOwners] = {}
        if gone:
            for _, entry in self._log.entries():
                if isinstance(entry, entries.Stem | entries.Splits) and entry.stem in gone:
                    found[entry.stem] = FormerOwners(entry.holder, entry.master, entry.publishing)
        return found

    def clear_abandoned(self) -> None:
        """Remove rows and files that never reached the ledger. Call it `alone`."""
        # A writer killed at its last step has signed entries that nobody sees before the next append. Without
        # this empty append their files would be cleared, and the entries would still follow.
        self._log.append([])
        self.refresh()
        self._store.clear_abandoned()
        holders, stems, grids = self._catalogue.abandoned()
        for stem, digest in stems:
            self._store.forget(digest, stem)
        for stem, grid in grids:
            self._store.forget_conformed(stem, grid)
        for holder in holders:
            self.key_path(holder).unlink(missing_ok=True)
            self._store.forget_name(holder)
        for begun in self._keys.glob(".h*.key.*"):
            begun.unlink()
        if holders or stems or grids:
            self._catalogue.forget_abandoned(holders, [stem for stem, _ in stems], grids)

    def key_path(self, name: str) -> Path:
        """Where a holder's private key is kept."""
        return self._keys / f"{name}.key"
