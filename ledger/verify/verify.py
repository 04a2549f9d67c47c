"""Verification: every byte under `log/`, every signature, every rule between the entries. Read-only.

checkpoint    signed by the log's key, and not older than what was signed last
files         just those that the size has: none missing, none more
hashes        every entry and every tile of every level, up to the checkpoint's root
entries       canonical; statements signed; consent in force; sessions gapless and their sums right
settlements   derived again from the entries they read
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..entries.canonical import decode
from ..entries.entries import Entry, Settlement
from ..errors import BadEntry, BadNote, BadVkey, NoLedger
from ..places import Places
from ..tlog import merkle
from ..tlog.checkpoint import Checkpoint, open_checkpoint, origin_of
from ..tlog.file_view import FileView
from ..tlog.hashed import HashedLog, bundles_of
from ..tlog.keys import PrivateKey
from ..tlog.note import LARGEST_NOTE, Verifier, parse_vkey
from ..tlog.policy import Policy, witnessed
from ..tlog.reader import TileReader
from ..tlog.report import Problem, Report
from ..tlog.right_edge import RightEdge
from ..tlog.source import WebSource, log_folder
from ..tlog.tiles import ENTRIES, TILE, File, files_of, in_bundle, partial_files, width_at
from .audit import Audit
from .quiesced import Quiesced, read_quiesced, read_quiesced_web, readable_checkpoint, small_file
from .rehash import Rehash
from .sweep import Run, bundle_part, sweep


def verify(
    place: Path | str,
    *,
    vkey: str | None = None,
    policy: Policy | None = None,
    since: bytes | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the ledger of a home, or a published copy of its `log/` in a folder or at a web address.

    `vkey`: the verifier key to trust; a home has its own, a copy needs one. `policy`: which witnesses must
    have cosigned the published checkpoint. `since`: a checkpoint up to which the log was verified before: the
    log must continue it, and what it covers is hashed, but not judged again. `workers`: how many processes
    share the work. `progress(done, total)` counts entries. Other processes may go on writing.

    Raises NoLedger, BadKey, BadVkey, BadNote for `since`, LogUnreachable, OSError; all that is wrong in the
    log itself is in the report.
    """
    still, verifier, home = _whole(place, vkey)
    if isinstance(still, Report):
        return still
    trusted = None if since is None else open_checkpoint(since, verifier)
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
    judged = 0 if trusted is None else min(trusted.size, current.size)
    read: _Read | None = None
    if not problems:
        read = _quick(still, current, Audit(verifier.name, judged), workers, progress)
    if read is None:
        read = _slow(still, current, Audit(verifier.name, judged), progress)
    problems += read.hashes
    # Files that were there when listed and are gone now were not hashed.
    problems += [Problem(None, path, detail) for path, detail in still.view.lost.items()]
    log: HashedLog | None = None
    if not problems:
        tiles = TileReader(Path(str(still.source)), still.view.read)
        log = HashedLog(
            current.size,
            current.root,
            read.bundles,
            lambda start, stop: tiles.entries(start, stop, lambda: current.size),
        )
        # If bytes are wrong, nobody can be blamed for the contents of entries.
        problems += [each for each in read.entries if each.index is None or each.index >= judged]
        problems += _continues(log, trusted)
        for index, text in read.rules.unclosed():
            warnings.append(Problem(index, _bundle_path(index, current.size), f"entry {index}: {text}"))
    if log is not None and not problems:
        problems += _check_settlements(log, read.settlements)
    found, witnesses = witnessed(still.checkpoint, policy)
    problems += found
    return Report(
        current.size,
        current.root.hex(),
        tuple(problems),
        tuple(warnings),
        witnesses,
        None if problems else log,
    )


def _whole(place: Path | str, vkey: str | None) -> tuple[Quiesced | Report, Verifier, Places | None]:
    """The state of the log at a place, the key to trust, and the home if it is one."""
    if str(place).startswith(("http://", "https://")):
        if vkey is None:
            raise BadVkey(f"to verify a copy of a log, such as {place}, name its verifier key (--vkey)")
        verifier = parse_vkey(vkey)
        still = read_quiesced_web(WebSource(str(place)), verifier)
        if still.checkpoint is None:
            raise NoLedger(f"there is no ledger at {place}: the server has no checkpoint there")
        return still, verifier, None
    place = Path(place)
    home = Places(place) if (place / "ledger").exists() else None
    log = home.log if home else log_folder(place)
    here = log.is_dir() and bool(home or (log / "checkpoint").exists() or (log / "tile").exists())
    if not here and not (home and home.signed.exists()):
        raise NoLedger(f"there is no ledger in {place}")
    verifier = parse_vkey(vkey) if vkey is not None else _own_key(home, place)
    if not here:
        return (
            _without_log(readable_checkpoint(small_file(Places(place).signed, LARGEST_NOTE), verifier)),
            verifier,
            home,
        )
    return read_quiesced(log, home, verifier), verifier, home


@dataclass(frozen=True, slots=True)
class _Read:
    """The result of reading a whole log: the problems of its hashes, and those of its entries."""

    rules: Audit
    hashes: list[Problem]
    entries: list[Problem]
    settlements: list[tuple[int, Settlement]]
    bundles: list[bytes]
    """The hash of each row of 256 entries, that of the last, shorter one included."""


def _quick(
    still: Quiesced,
    current: Checkpoint,
    rules: Audit,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> _Read | None:
    """Read a log in which everything is right; None if anything is odd, which `_slow` then finds."""
    bundles, rest = divmod(current.size, TILE)
    settlements: list[tuple[int, Settlement]] = []
    hashes: list[bytes] = []
    for part in sweep(still.source, bundles, workers):
        if part.odd or not _take(part.items, rules, settlements):
            return None
        hashes += part.roots
        if progress is not None:
            progress((part.first + part.bundles) * TILE, current.size)
    try:
        open_entries, whole = in_bundle(still.view.read(File(ENTRIES, bundles, rest)) if rest else b"")
        leaves = merkle.leaf_hashes(open_entries)
        if not whole or len(leaves) != rest:
            return None
        if rest and b"".join(leaves) != still.view.read(File(0, bundles, rest)):
            return None
        items, right = bundle_part(bundles * TILE, open_entries)
        if not right or not _take(items, rules, settlements):
            return None
        rows, roots = [tuple(leaves)], [*hashes, *bundles_of(leaves)]
        # Each level's tiles follow from the one below, and must be what is stored.
        level = 1
        while hashes:
            above: list[bytes] = []
            for first in range(0, len(hashes), TILE):
                row = hashes[first : first + TILE]
                if b"".join(row) != still.view.read(File(level, first // TILE, len(row))):
                    return None
                if len(row) == TILE:
                    above.append(merkle.root_from_leaves(row))
            rows.append(tuple(hashes[len(hashes) // TILE * TILE :]))
            hashes, level = above, level + 1
    except (FileNotFoundError, BadEntry):
        return None
    if RightEdge(current.size, tuple(rows)).root != current.root:
        return None
    if progress is not None:
        progress(current.size, current.size)
    return _Read(rules, [], [], settlements, roots)


def _take(
    items: Sequence[tuple[int, bytes] | Run], rules: Audit, settlements: list[tuple[int, Settlement]]
) -> bool:
    """Give the items of a part to the audit; whether all are right."""
    for item in items:
        if isinstance(item, Run):
            if not rules.take_run(item):
                return False
            continue
        index, data = item
        try:
            entry = decode(data)
        except BadEntry:
            return False
        if any(rules.take(index, entry)):
            return False
        if isinstance(entry, Settlement):
            settlements.append((index, entry))
    return True


def _slow(
    still: Quiesced, current: Checkpoint, rules: Audit, progress: Callable[[int, int], None] | None
) -> _Read:
    """Read a log entry by entry, and report every problem."""
    rehash = Rehash(current.size, current.root, still.view.read)
    broken: list[Problem] = []
    settlements: list[tuple[int, Settlement]] = []
    for index, data in rehash.entries():
        what = _bundle_path(index, current.size)
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
    return _Read(rules, rehash.problems, broken, settlements, rehash.bundles)


def _continues(log: HashedLog, trusted: Checkpoint | None) -> list[Problem]:
    """Whether the log, whose own hashes are right, continues the trusted checkpoint."""
    if trusted is None:
        return []
    if trusted.size > log.size:
        detail = f"the log has {log.size} entries, fewer than the {trusted.size} of the trusted checkpoint"
        return [Problem(None, "checkpoint", detail)]
    if log.root_at(trusted.size) != trusted.root:
        lost = f"its first {trusted.size} entries have another root"
        detail = f"the log does not continue the trusted checkpoint: {lost}"
        return [Problem(None, "checkpoint", detail)]
    return []


def _without_log(signed: Checkpoint | None) -> Report:
    """The report for a home that has lost its `log/`, though its copy of the checkpoint shows one."""
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


def _checkpoint(
    still: Quiesced, verifier: Verifier, problems: list[Problem], warnings: list[Problem]
) -> Checkpoint | None:
    """The checkpoint to check against: the published one, or the copy if that is wrong."""
    published: Checkpoint | None = None
    signed = readable_checkpoint(still.signed, verifier)
    unreadable = (
        still.view.unreadable("checkpoint", LARGEST_NOTE) if isinstance(still.view, FileView) else None
    )
    if unreadable is not None:
        problems.append(Problem(None, "checkpoint", f"the checkpoint {unreadable}"))
    elif still.checkpoint is None:
        if (
            signed is not None
            and signed.size == 0
            and isinstance(still.view, FileView)
            and not still.view.sizes
        ):
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


def _check_files(still: Quiesced, size: int, problems: list[Problem], warnings: list[Problem]) -> None:
    wanted = {file.path: file for file in files_of(size)}
    passing: set[str] = set()
    if still.pending is not None:
        if size == still.pending.before:
            passing = {file.path for file in files_of(still.pending.after, still.pending.before)}
        elif size == still.pending.after:
            passing = {file.path for file in partial_files(still.pending.before)}
    view = still.view
    if not isinstance(view, FileView):
        return
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


def _check_settlements(log: HashedLog, settlements: list[tuple[int, Settlement]]) -> list[Problem]:
    """Derive each settlement again; only called when every byte is right."""
    if not settlements:
        return []
    # Most logs that are verified hold no settlement: an auditor of sound alone loads no royalties.
    from ..division.settlements import check_settlements

    def read() -> Iterator[tuple[int, Entry]]:
        for index, data in log.entries(0, settlements[-1][0]):
            yield index, decode(data)

    problems: list[Problem] = []
    found = check_settlements(settlements, read)
    for index, entry in settlements:
        wrong = found.get(index, [])
        if entry.last < index and log.root_at(entry.last + 1).hex() != entry.root:
            wrong.append(f"its root is not the one of the log's first {entry.last + 1} entries")
        what = _bundle_path(index, log.size)
        problems += [Problem(index, what, f"entry {index}: a settlement: {each}") for each in wrong]
    return problems
