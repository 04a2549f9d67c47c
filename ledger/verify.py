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
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .audit import Audit
from .canonical import decode
from .checkpoint import Checkpoint, open_checkpoint, origin_of
from .entries import Entry, Settlement
from .errors import BadEntry, BadNote, BadVkey, NoLedger
from .keys import PrivateKey
from .note import Verifier, parse_vkey
from .pending import Pending
from .places import Places
from .reader import TileReader
from .rehash import Rehash
from .report import Problem, Report
from .tiles import ENTRIES, TILE, File, files_of, partial_files, width_at

__all__ = ["Problem", "Report", "verify"]


@dataclass(frozen=True, slots=True)
class _Still:
    """What was read while no writer was at work: all that a writer may change or remove."""

    checkpoint: bytes | None
    signed: bytes | None
    pending: Pending | None
    files: frozenset[str]
    odd: tuple[str, ...]
    """Folders that hold nothing, and what is neither file nor folder."""
    partial: dict[File, bytes]
    journals: tuple[str, ...]


def verify(
    place: Path | str, *, vkey: str | None = None, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Check the ledger of a home, or a published copy of its `log/`.

    `vkey`: the verifier key to trust; a home has its own, a copy needs one. `progress(done, total)` counts
    entries. Other processes may go on writing. Raises NoLedger, BadKey, BadVkey, OSError; all that is wrong
    in the log itself is in the report.
    """
    place = Path(place)
    home = Places(place) if (place / "ledger").exists() else None
    log = home.log if home else place
    here = log.is_dir() and bool(home or (log / "checkpoint").exists() or (log / "tile").exists())
    if not here and not (home and home.signed.exists()):
        raise NoLedger(f"there is no ledger in {place}")
    verifier = parse_vkey(vkey) if vkey is not None else _own_key(home, place)
    if not here:
        return _without_log(_opened(_bytes(Places(place).signed), verifier))
    with _held_still(home):
        still = _look(log, home, verifier)
    problems: list[Problem] = []
    warnings: list[Problem] = [
        Problem(None, f"../journals/{name}", f"journals/{name} waits for the next writer to take it in")
        if name.endswith(".journal")
        else Problem(
            None, f"../journals/{name}", f"journals/{name} is a journal of which a part could not be read"
        )
        for name in still.journals
    ]
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
    rehash = Rehash(log, current.size, current.root, still.partial)
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
    if not problems:
        # Where bytes are wrong, what the entries say cannot be blamed on anybody.
        problems += broken
        for index, text in rules.unclosed():
            warnings.append(Problem(index, _bundle_path(index, current.size), f"entry {index}: {text}"))
    if not problems:
        problems += _check_settlements(log, current.size, settlements)
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
    files, odd = _walk(log)
    checkpoint = _bytes(log / "checkpoint")
    signed = _bytes(home.signed) if home else None
    noted = _bytes(home.pending) if home else None
    reference = _opened(checkpoint, verifier) or _opened(signed, verifier)
    size = reference.size if reference is not None else 0
    partial = {file: data for file in partial_files(size) if (data := _bytes(log / file.path)) is not None}
    journals = sorted(_orphans(home)) if home else []
    return _Still(
        checkpoint=checkpoint,
        signed=signed,
        pending=Pending.decode(noted) if noted is not None else None,
        files=frozenset(files),
        odd=tuple(odd),
        partial=partial,
        journals=tuple(journals),
    )


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _opened(data: bytes | None, verifier: Verifier) -> Checkpoint | None:
    if data is None:
        return None
    try:
        return open_checkpoint(data, verifier)
    except BadNote:
        return None


def _walk(log: Path) -> tuple[list[str], list[str]]:
    """Files under `log`, relative; and empty folders and things that are neither."""
    files: list[str] = []
    odd: list[str] = []
    waiting = [log]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as listing:
            found = list(listing)
        if not found and folder != log:
            odd.append(folder.relative_to(log).as_posix())
        for each in found:
            mode = each.stat(follow_symlinks=False).st_mode
            path = Path(each.path)
            if stat.S_ISDIR(mode):
                waiting.append(path)
            elif stat.S_ISREG(mode):
                files.append(path.relative_to(log).as_posix())
            else:
                odd.append(path.relative_to(log).as_posix())
    return files, odd


def _orphans(home: Places) -> Iterator[str]:
    """Journals whose owners died, and those of which a part was kept because it could not be read."""
    if not home.journals.is_dir() or not os.access(home.journals, os.R_OK | os.X_OK):
        return
    for path in home.journals.iterdir():
        if path.suffix == ".damaged":
            yield path.name
        elif path.suffix == ".journal":
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                yield path.name
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def _checkpoint(
    still: _Still, verifier: Verifier, problems: list[Problem], warnings: list[Problem]
) -> Checkpoint | None:
    """The checkpoint to check against: the published one, or where that is wrong the copy of it."""
    published: Checkpoint | None = None
    signed = _opened(still.signed, verifier)
    if still.checkpoint is None:
        if signed is not None and signed.size == 0 and not still.files:
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
    for path in sorted(still.files - wanted.keys() - {"checkpoint"}):
        if path in passing:
            warnings.append(Problem(None, path, f"{path} is left of an append that was interrupted"))
        else:
            problems.append(Problem(None, path, f"{path} does not belong to a log of {size} entries"))
    for path in sorted(still.odd):
        if not any(each.startswith(f"{path}/") for each in passing):
            problems.append(Problem(None, path, f"{path} does not belong to a log: it is not a file of one"))
    for path, file in wanted.items():
        if path not in still.files:
            lost = ""
            if file.level == ENTRIES:
                first = file.number * TILE
                lost = f", and with it the entries {first} to {first + file.width - 1}"
            problems.append(Problem(None, path, f"{path} is missing{lost}"))


def _bundle_path(index: int, size: int) -> str:
    number = index // TILE
    return File(ENTRIES, number, width_at(ENTRIES, number, size)).path


def _check_settlements(log: Path, size: int, settlements: list[tuple[int, Settlement]]) -> list[Problem]:
    """Derive each settlement again; only called when every byte before it has been found right."""
    if not settlements:
        return []
    # Most logs that are verified hold no settlement: an auditor of sound alone loads no royalties.
    from .royalties.settle import check_settlement

    tiles = TileReader(log)

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
