"""Verification: every byte under `log/`, every signature, every rule between the entries. Read-only.

checkpoint    signed by the log's key, and not older than what was signed last
files         just those that the size has: none missing, none more
hashes        every entry and every tile of every level, up to the checkpoint's root
entries       canonical; statements signed; consent in force; sessions gapless and their sums right
settlements   derived again from the entries they read
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .audit import Audit
from .canonical import decode
from .checkpoint import Checkpoint, open_checkpoint, origin_of
from .entries import Entry, Settlement
from .errors import BadEntry, BadNote, BadVkey, NoLedger, VerificationFailed
from .keys import PrivateKey
from .note import LARGEST_NOTE, Verifier, parse_vkey
from .pending import Pending
from .places import Places
from .policy import Policy, unwitnessed
from .reader import TileReader
from .rehash import Rehash
from .report import Problem, Report
from .tiles import ENTRIES, TILE, File, files_of, partial_files, width_at
from .view import View, kind_of, read_regular

__all__ = ["Problem", "Report", "verify"]

_LARGEST_PENDING = 1 << 24
"""Bytes: an append that takes in hundreds of thousands of journals."""


@dataclass(frozen=True, slots=True)
class _Still:
    """What was read while no writer was at work: all that a writer may change or remove."""

    checkpoint: bytes | None
    signed: bytes | None
    pending: Pending | None
    view: View
    """The files under `log/`; the partial ones are read."""
    journals: tuple[Problem, ...]
    """What is to be said of those that no living process owns."""


def verify(
    place: Path | str,
    *,
    vkey: str | None = None,
    policy: Policy | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the ledger of a home, or a published copy of its `log/`.

    `vkey`: the verifier key to trust; a home has its own, a copy needs one. `policy`: which witnesses must
    have cosigned the published checkpoint. `progress(done, total)` counts entries. Other processes may go on
    writing. Raises NoLedger, BadKey, BadVkey, OSError; all that is wrong in the log itself is in the report.
    """
    place = Path(place)
    home = Places(place) if (place / "ledger").exists() else None
    log = home.log if home else place
    here = log.is_dir() and bool(home or (log / "checkpoint").exists() or (log / "tile").exists())
    if not here and not (home and home.signed.exists()):
        raise NoLedger(f"there is no ledger in {place}")
    verifier = parse_vkey(vkey) if vkey is not None else _own_key(home, place)
    if not here:
        return _without_log(_opened(_beside(Places(place).signed, LARGEST_NOTE), verifier))
    with _held_still(home):
        still = _look(log, home, verifier)
    problems: list[Problem] = []
    warnings: list[Problem] = list(still.journals)
    if home is not None and still.signed is None and still.checkpoint is not None:
        warnings.append(
            Problem(
                None, "../signed", "the copy of the last signed checkpoint is missing: nothing can be added"
            )
        )
    current = _checkpoint(still, verifier, problems, warnings)
    if current is None:
        return Report(0, "", tuple(problems), tuple(warnings))
    _check_files(still, current.size, problems, warnings)
    rehash = Rehash(current.size, current.root, still.view.read)
    rules = Audit(verifier.name)
    broken: list[Problem] = []
    settlements: list[tuple[int, Settlement]] = []
    for index, data in rehash.entries():
        number = index // TILE
        what = File(ENTRIES, number, width_at(ENTRIES, number, current.size)).path
        try:
            entry = decode(data)
        except BadEntry as error:
            broken.append(Problem(index, what, f"entry {index}: {error}"))
            continue
        broken += [Problem(index, what, f"entry {index}: {each}") for each in rules.take(index, entry)]
        if isinstance(entry, Settlement):
            settlements.append((index, entry))
        if progress is not None and (index % 1024 == 1023 or index + 1 == current.size):
            progress(index + 1, current.size)
    problems += rehash.problems
    # Whatever was there at first and is not now, nobody has hashed.
    problems += [Problem(None, path, detail) for path, detail in still.view.lost.items()]
    if not problems:
        # Where bytes are wrong, what the entries say cannot be blamed on anybody.
        problems += broken
        for index, text in rules.unclosed():
            warnings.append(Problem(index, _bundle_path(index, current.size), f"entry {index}: {text}"))
    if not problems:
        problems += _check_settlements(TileReader(log, still.view.read), current.size, settlements)
    problems += unwitnessed(still.checkpoint, policy)
    return Report(current.size, current.root.hex(), tuple(problems), tuple(warnings))


def _without_log(signed: Checkpoint | None) -> Report:
    """The report where a home has lost its `log/`, and what was signed last says that there was one."""
    knows = f"still knows {signed.size} entries" if signed else "says that there was a log"
    lost = Problem(
        None,
        "checkpoint",
        f"the folder log/ with the checkpoint and all entries is missing, though ledger/signed {knows}: "
        "put the whole folder back from its newest copy",
    )
    return Report(signed.size if signed else 0, signed.root.hex() if signed else "", (lost,), ())


def _own_key(home: Places | None, place: Path) -> Verifier:
    if home is None:
        raise BadVkey(f"to verify a copy of a log, such as {place}, name its verifier key (--vkey)")
    if not home.key.exists():
        raise BadVkey(f"the log's key {home.key} is missing; name the log's verifier key (--vkey)")
    public = PrivateKey.load(home.key).public
    return Verifier(origin_of(public), public)


@contextmanager
def _held_still(home: Places | None) -> Iterator[None]:
    """Keep writers out for as long as it takes to list the files and read those that may go."""
    if home is None or not home.lock.exists():
        yield
        return
    descriptor = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _look(log: Path, home: Places | None, verifier: Verifier) -> _Still:
    view = View(log)
    checkpoint = (
        _beside(log / "checkpoint", LARGEST_NOTE)
        if view.unreadable("checkpoint", LARGEST_NOTE) is None
        else None
    )
    signed = _beside(home.signed, LARGEST_NOTE) if home else None
    noted = _beside(home.pending, _LARGEST_PENDING) if home else None
    reference = _opened(checkpoint, verifier) or _opened(signed, verifier)
    view.keep(partial_files(reference.size if reference is not None else 0))
    return _Still(
        checkpoint=checkpoint,
        signed=signed,
        pending=Pending.decode(noted) if noted is not None else None,
        view=view,
        journals=tuple(_journals(home)) if home else (),
    )


def _beside(path: Path, largest: int) -> bytes | None:
    """The bytes of a small file; None if it is missing. What is no such file is empty: it says nothing."""
    try:
        return read_regular(path, largest)
    except FileNotFoundError:
        return None
    except VerificationFailed:
        return b""


def _opened(data: bytes | None, verifier: Verifier) -> Checkpoint | None:
    if data is None:
        return None
    try:
        return open_checkpoint(data, verifier)
    except BadNote:
        return None


def _journals(home: Places) -> Iterator[Problem]:
    """Journals whose owners died, what could not be read of others, and what is no journal at all."""
    if not home.journals.is_dir() or not os.access(home.journals, os.R_OK | os.X_OK):
        return
    for path in sorted(home.journals.iterdir()):
        name = f"journals/{path.name}"
        kind = kind_of(path.lstat().st_mode)
        if kind is not None:
            yield Problem(None, f"../{name}", f"{name} is {kind}, not a journal; no writer takes it in")
        elif path.suffix == ".damaged":
            yield Problem(None, f"../{name}", f"{name} is a journal of which a part could not be read")
        elif path.suffix == ".journal" and not _owned(path):
            yield Problem(None, f"../{name}", f"{name} waits for the next writer to take it in")


def _owned(journal: Path) -> bool:
    """Whether a living process has the journal."""
    descriptor = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _checkpoint(
    still: _Still, verifier: Verifier, problems: list[Problem], warnings: list[Problem]
) -> Checkpoint | None:
    """The checkpoint to check against: the published one, or where that is wrong the copy of it."""
    published: Checkpoint | None = None
    signed = _opened(still.signed, verifier)
    unreadable = still.view.unreadable("checkpoint", LARGEST_NOTE)
    if unreadable is not None:
        problems.append(Problem(None, "checkpoint", f"the checkpoint {unreadable}"))
    elif still.checkpoint is None:
        if signed is not None and signed.size == 0 and not still.view.sizes:
            warnings.append(
                Problem(None, "checkpoint", "the log is new, and its first checkpoint not published")
            )
        else:
            knows = f", though ledger/signed still knows {signed.size} entries" if signed else ""
            problems.append(Problem(None, "checkpoint", f"the log has no checkpoint{knows}"))
    else:
        try:
            published = open_checkpoint(still.checkpoint, verifier)
        except BadNote as error:
            problems.append(Problem(None, "checkpoint", f"the checkpoint does not hold: {error}"))
    if still.signed is not None and signed is None:
        warnings.append(
            Problem(
                None, "../signed", "the copy of the last signed checkpoint is damaged: nothing can be added"
            )
        )
    if published is None or signed is None:
        return published or signed
    if signed.size > published.size:
        if still.pending and (still.pending.before, still.pending.after) == (published.size, signed.size):
            warnings.append(
                Problem(None, "checkpoint", "an append was interrupted; the next writer will finish it")
            )
        else:
            problems.append(
                Problem(
                    None,
                    "checkpoint",
                    f"the checkpoint has {published.size} entries, though ledger/signed still knows "
                    f"{signed.size} entries: the log is an older copy",
                )
            )
    elif signed.size == published.size and signed.root != published.root:
        problems.append(Problem(None, "checkpoint", "two roots were signed for one size"))
    return published


def _check_files(still: _Still, size: int, problems: list[Problem], warnings: list[Problem]) -> None:
    wanted = {file.path: file for file in files_of(size)}
    passing: set[str] = set()
    if still.pending is not None:
        if size == still.pending.before:
            passing = {file.path for file in files_of(still.pending.after, still.pending.before)}
        elif size == still.pending.after:
            passing = {file.path for file in partial_files(still.pending.before)}
    view = still.view
    for path in sorted(view.sizes.keys() - wanted.keys() - {"checkpoint"}):
        if path in passing:
            warnings.append(Problem(None, path, f"{path} is left of an append that was interrupted"))
        else:
            problems.append(Problem(None, path, f"{path} does not belong to a log of {size} entries"))
    for path in sorted(view.odd.keys() - wanted.keys() - {"checkpoint"}):
        if not any(each.startswith(f"{path}/") for each in passing):
            problems.append(Problem(None, path, f"{path} does not belong to a log: it is not a file of one"))
    for path, file in wanted.items():
        unreadable = view.unreadable(path, file.largest)
        if unreadable is None and path in view.sizes:
            continue
        lost = ""
        if file.level == ENTRIES:
            first = file.number * TILE
            lost = f", and with it the entries {first} to {first + file.width - 1}"
        problems.append(Problem(None, path, f"{path} {unreadable or 'is missing'}{lost}"))


def _bundle_path(index: int, size: int) -> str:
    number = index // TILE
    return File(ENTRIES, number, width_at(ENTRIES, number, size)).path


def _check_settlements(
    tiles: TileReader, size: int, settlements: list[tuple[int, Settlement]]
) -> list[Problem]:
    """Derive each settlement again; only called when every byte before it has been found right."""
    if not settlements:
        return []
    # Most logs that are verified hold no settlement: an auditor of sound alone loads no royalties.
    from .royalties.settle import check_settlement

    def read(stop: int) -> Iterator[tuple[int, Entry]]:
        for index, data in tiles.entries(0, stop, lambda: size):
            yield index, decode(data)

    problems: list[Problem] = []
    for index, entry in settlements:
        wrong = check_settlement(index, entry, read(index))
        if entry.last < index and tiles.root(entry.last + 1, lambda: size).hex() != entry.root:
            wrong.append(f"its root is not the one of the log's first {entry.last + 1} entries")
        what = _bundle_path(index, size)
        problems += [Problem(index, what, f"entry {index}: a settlement: {each}") for each in wrong]
    return problems
