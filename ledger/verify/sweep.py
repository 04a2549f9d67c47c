"""The quick way through a log: several processes hash and read the bundles, and sum up the placements.

It can only confirm that everything is right. If anything is odd, the caller goes through the log entry by
entry (`rehash.py`, `audit.py`) and finds out what it is.

Most entries are placements, and the rules can be applied to many of them at once: a `Run` summarises a row of
placements between two other entries or two bundles.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from ..entries.canonical import PLACEMENT, decode, decode_placement, milliseconds
from ..entries.entries import ms_of
from ..entries.printing import check_printing, plain
from ..entries.spans import Line
from ..errors import BadEntry, LedgerError
from ..tlog import merkle
from ..tlog.source import Source
from ..tlog.tiles import ENTRIES, TILE, File, in_bundle

BUNDLES = 4
"""How many bundles a process takes at a time."""
WORTH_PROCESSES = 64
"""From how many such rows on it is worth starting processes: half a second's work."""


class Group(NamedTuple):
    """Placements of one stem in one session under one consent, at one rate."""

    session: str
    stem: str
    use: str
    tier: str
    consent: int
    spanned: bool
    rate: int


Sounds = dict[Line, tuple[list[int], list[int]]]
"""By line and stem, the frames at which they begin, and those up to which they sound."""


_Alike = tuple[str, Line, str, str, int, bool, int]
"""Session, line, use, tier, consent, whether they have a span, and rate of placements."""
_Row = tuple[list[int], list[int], list[str], list[int]]
"""Of such placements, first and last frames, starts, and ends in ms since 1970."""


class Run(NamedTuple):
    """A row of placements, the first of them at the index `first`.

    `sessions`: for each, its first seq, its number of placements without a gap, and their ms. `groups`: for
    each, the earliest and the latest start, and the latest end in ms since 1970. `spans`: by session, where
    they sound.
    """

    first: int
    sessions: dict[str, tuple[int, int, int]]
    groups: dict[Group, tuple[str, str, int]]
    spans: dict[str, Sounds]


class Part(NamedTuple):
    """A row of whole bundles: the root of each, and the entries, placements as runs.

    If it is `odd`, something in it is not as it should be, and nothing else in it counts.
    """

    first: int
    bundles: int
    roots: list[bytes]
    items: list[tuple[int, bytes] | Run]
    odd: bool


def bundle_part(first: int, entries: list[bytes]) -> tuple[list[tuple[int, bytes] | Run], bool]:
    """The entries from the index `first` on as items of a part, and whether each is right by itself."""
    items: list[tuple[int, bytes] | Run] = []
    if not plain(b"".join(entries)) and any(check_printing(data) for data in entries):
        return items, False
    sessions: dict[str, tuple[int, int, int]] = {}
    rows: dict[_Alike, _Row] = {}
    run_at = first
    for index, data in enumerate(entries, first):
        if not data.startswith(PLACEMENT):
            if sessions:
                items.append(_run(run_at, sessions, rows))
                sessions, rows = {}, {}
            items.append((index, data))
            continue
        if not sessions:
            run_at = index
        try:
            entry = decode_placement(data)
        except BadEntry:
            return items, False
        session, frames, rate, of_ms = entry.session, entry.frames, entry.rate, entry.ms
        sounding = frames if isinstance(entry.span, UnsetType) else entry.span
        if of_ms != ms_of(frames, rate) or frames > sounding:
            return items, False
        seq, count, ms = sessions.get(session) or (entry.seq, 0, 0)
        if entry.seq != seq + count:
            return items, False
        sessions[session] = (seq, count + 1, ms + of_ms)
        line = entry.part, entry.line, entry.stem
        # One look-up for all that is summed up: most of the time goes here.
        alike = session, line, entry.use, entry.tier, entry.consent, entry.span is not UNSET, rate
        row = rows.get(alike)
        if row is None:
            row = rows[alike] = ([], [], [], [])
        begin, start = entry.start_frame, entry.start
        row[0].append(begin)
        row[1].append(begin + sounding)
        row[2].append(start)
        row[3].append(milliseconds(start) + of_ms)
    if sessions:
        items.append(_run(run_at, sessions, rows))
    return items, True


def _run(first: int, sessions: dict[str, tuple[int, int, int]], rows: dict[_Alike, _Row]) -> Run:
    groups: dict[Group, tuple[str, str, int]] = {}
    spans: dict[str, Sounds] = {session: {} for session in sessions}
    for (session, line, use, tier, consent, spanned, rate), (begins, ends, starts, over) in rows.items():
        group = Group(session, line[2], use, tier, consent, spanned, rate)
        known = groups.get(group) or (starts[0], "", 0)
        groups[group] = min(known[0], *starts), max(known[1], *starts), max(known[2], *over)
        sounds = spans[session].setdefault(line, ([], []))
        sounds[0].extend(begins)
        sounds[1].extend(ends)
    return Run(first, sessions, groups, spans)


def _part(source: Source, first: int, count: int) -> Part:
    """Hash some whole bundles, compare them with their tiles, and read their entries."""
    roots: list[bytes] = []
    every: list[bytes] = []
    odd = Part(first, count, [], [], True)
    for number in range(first, first + count):
        try:
            data = source.read(File(ENTRIES, number))
            stored = source.read(File(0, number))
        except (OSError, LedgerError):
            return odd
        entries, whole = in_bundle(data)
        if not whole or len(entries) != TILE:
            return odd
        leaves = merkle.leaf_hashes(entries)
        if b"".join(leaves) != stored:
            return odd
        roots.append(merkle.root_from_leaves(leaves))
        every += entries
    # All bundles at once: what is alike in them is summed up once.
    items, right = bundle_part(first * TILE, every)
    if not right:
        return odd
    try:
        for item in items:
            if not isinstance(item, Run):
                decode(item[1])
    except BadEntry:
        return odd
    return Part(first, count, roots, items, False)


def sweep(source: Source, bundles: int, workers: int) -> Iterator[Part]:
    """The first whole bundles of a log, in order, read by `workers` processes; by this one if it is 1."""
    # Not a list: their number is what a checkpoint claims.
    rows = ((first, min(BUNDLES, bundles - first)) for first in range(0, bundles, BUNDLES))
    if workers < 2 or bundles < BUNDLES * WORTH_PROCESSES:
        for first, count in rows:
            yield _part(source, first, count)
        return
    # Spawned, not forked: whoever embeds this may have threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        ahead: list[Future[Part]] = []
        try:
            for row in rows:
                ahead.append(pool.submit(_part, source, *row))
                if len(ahead) >= 4 * workers:
                    yield ahead.pop(0).result()
            while ahead:
                yield ahead.pop(0).result()
        except BrokenProcessPool:
            # A process was killed, for want of memory perhaps: the slow way will do.
            yield Part(0, 0, [], [], True)
        finally:
            for each in ahead:
                each.cancel()
