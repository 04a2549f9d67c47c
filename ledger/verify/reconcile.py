"""Reconciliation: what to do when a home's log is not the one last signed, as after a restored backup.

Nothing here signs anything. A log that has lost signed entries can only go on if they are found again in a
newer copy of it. To sign on without them would make a second history of the same log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadNote, RefusesToSign, VerificationFailed
from ..log.log import Log
from ..log.pending import Pending
from ..places import Places
from ..tlog.checkpoint import Checkpoint, open_checkpoint, origin_of
from ..tlog.consistency import check_continues
from ..tlog.disk import Disk, RealDisk
from ..tlog.keys import PrivateKey
from ..tlog.note import LARGEST_NOTE, Verifier
from ..tlog.reader import TileReader
from ..tlog.source import Source
from ..tlog.tiles import File, files_of
from .verify import verify


@dataclass(frozen=True, slots=True)
class Plan:
    """The findings and the steps to take, a sentence each. Without steps the home is sound."""

    found: tuple[str, ...]
    steps: tuple[str, ...]
    done: bool


def reconcile(
    home: Path,
    *,
    copy: Source | None = None,
    copy_place: str = "",
    kept: Sequence[bytes] = (),
    do: bool = False,
    disk: Disk | None = None,
) -> Plan:
    """Look at the log of `home`, and with `do` repair it if that is possible.

    `copy`: a published copy of the same log, at `copy_place`. `kept`: checkpoints of it that somebody kept.
    Without `do` nothing is changed. Raises NoLedger, BadKey, BadNote, LogUnreachable; VerificationFailed,
    which says why the log cannot go on; OSError, after which it may be called again.
    """
    disk = disk or RealDisk()
    places = Places(home)
    if not disk.exists(places.key):
        Log.open(home, disk=disk)  # Says what is missing.
    log = _key(places, disk)
    with disk.lock(places.lock):
        state = _State(
            places,
            log,
            disk,
            _opened(places.checkpoint, log, disk),
            _opened(places.signed, log, disk),
            {each: open_checkpoint(each, log) for each in kept},
        )
        plan = None if copy is None else _from_copy(state, copy, copy_place, do)
        steps = _without_copy(state) if plan is None else ()
        if do and steps:
            target, source = (
                (places.checkpoint, places.signed)
                if state.published is None
                else (places.signed, places.checkpoint)
            )
            _replace(places, target, disk.read(source), disk)
    if do:
        # What an interrupted append left is finished by the next writer: this one.
        Log.open(home, create=True, disk=disk)
    return plan or Plan(state.found, steps, do)


@dataclass(frozen=True, slots=True)
class _State:
    """The checkpoints of a log that a home has, and those that others kept."""

    places: Places
    log: Verifier
    disk: Disk
    published: Checkpoint | None
    signed: Checkpoint | None
    kept: Mapping[bytes, Checkpoint]

    @property
    def found(self) -> tuple[str, ...]:
        return (
            f"log/checkpoint: {_said(self.published)}",
            f"ledger/signed, what was signed last: {_said(self.signed)}",
            *(f"a checkpoint that was kept: {_said(each)}" for each in self.kept.values()),
        )

    @property
    def newest(self) -> Checkpoint | None:
        known = [each for each in (self.published, self.signed, *self.kept.values()) if each is not None]
        return max(known, key=lambda each: each.size, default=None)


def _without_copy(state: _State) -> tuple[str, ...]:
    """The steps if the home itself has everything. Raises VerificationFailed if it has not."""
    places, disk, newest = state.places, state.disk, state.newest
    if newest is None:
        raise VerificationFailed(
            f"{places.ledger} has neither a checkpoint nor a copy of one: put back a whole copy of the "
            "ledger, or name a published one with --log"
        )
    tiles = TileReader(places.log, lambda file: disk.read(places.log / file.path, file.largest))
    if newest not in (state.published, state.signed) or not _has(tiles, newest):
        raise VerificationFailed(
            f"the log has {_said(state.published)}, and {newest.size} entries were signed: some are lost. "
            "To sign on without them would make two histories of one log. Find a newer copy of log/ and name "
            "it with --log; if there is none, this log has ended: begin a new home"
        )
    current = disk.read(places.checkpoint if newest == state.published else places.signed)
    for note in (*state.kept, *(disk.read(each) for each in (places.signed,) if disk.exists(each))):
        check_continues(note, current, state.log, tiles)
    if state.published is None:
        return ("publish the checkpoint that was signed last, of which all files are here",)
    if state.signed is None:
        if not state.kept:
            raise VerificationFailed(
                f"{places.signed}, the copy of the last signed checkpoint, is missing, so nobody can tell "
                "whether this log/ is the newest: name a checkpoint that was kept elsewhere (--trust)"
            )
        return (
            f"take log/checkpoint ({_said(state.published)}) for the last that was signed, and sign on from "
            "it; if entries were signed after it, that makes two histories of one log",
        )
    return ()


def _from_copy(state: _State, copy: Source, copy_place: str, do: bool) -> Plan:
    """Take over the entries that a copy has and the home has not."""
    places, log, disk = state.places, state.log, state.disk
    note = copy.checkpoint()
    theirs = open_checkpoint(note, log)
    report = verify(copy_place, vkey=log.vkey)
    if not report.ok:
        raise VerificationFailed(f"the copy {copy_place} does not verify: {report.problems[0]}")
    tiles = TileReader(Path(copy_place), copy.read)
    mine = [disk.read(path) for path in (places.checkpoint, places.signed) if disk.exists(path)]
    for each in (*mine, *state.kept):
        check_continues(each, note, log, tiles)
    have = state.published
    steps: tuple[str, ...] = ()
    if have is None or have.size < theirs.size:
        first = 0 if have is None else have.size
        steps = (f"take over the entries {first} to {theirs.size - 1} from the copy, and sign on from there",)
    if do and steps:
        # In the order of an append, so that the next writer clears up: after a crash here the log refuses
        # to sign, as before, until this is done again.
        pending = Pending(0 if have is None else have.size, theirs.size, None, ())
        _replace(places, places.pending, pending.encode(), disk)
        for file in files_of(theirs.size):
            _take_over(places, file, copy.read(file), disk)
        _replace(places, places.signed, note, disk)
        _replace(places, places.checkpoint, note, disk)
    return Plan((*state.found, f"the copy {copy_place}: {_said(theirs)}"), steps, do)


def _take_over(places: Places, file: File, data: bytes, disk: Disk) -> None:
    path = places.log / file.path
    if disk.exists(path) and disk.read(path) == data:
        return
    made = path.parent
    missing: list[Path] = []
    while not disk.exists(made):
        missing.append(made)
        made = made.parent
    for folder in reversed(missing):
        disk.make_folder(folder, 0o755)
        disk.sync(folder.parent)
    new = places.ledger / "taken.new"
    disk.write(new, data)
    disk.sync(new)
    disk.replace(new, path)
    disk.sync(path.parent)


def _replace(places: Places, path: Path, data: bytes, disk: Disk) -> None:
    new = places.ledger / f"{path.name}.new"
    disk.remove(new)
    disk.write(new, data)
    disk.sync(new)
    disk.replace(new, path)
    disk.sync(path.parent)


def _key(places: Places, disk: Disk) -> Verifier:
    public = PrivateKey.load(places.key, disk).public
    return Verifier(origin_of(public), public)


def _opened(path: Path, log: Verifier, disk: Disk) -> Checkpoint | None:
    try:
        return open_checkpoint(disk.read(path, LARGEST_NOTE), log)
    except FileNotFoundError:
        return None
    except BadNote as error:
        raise BadNote(f"{path} is damaged or of another log: {error}; put it back, or remove it") from error


def _has(tiles: TileReader, checkpoint: Checkpoint) -> bool:
    try:
        return tiles.root(checkpoint.size, lambda: checkpoint.size) == checkpoint.root
    except (VerificationFailed, RefusesToSign):
        return False


def _said(checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return "nothing"
    return f"{checkpoint.size} entries, root {checkpoint.root.hex()[:16]}..."
