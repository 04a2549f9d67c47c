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

from ..entries.canonical import PLACEMENT, decode, decode_placement, milliseconds
from ..entries.entries import ms_of
from ..errors import BadEntry, LedgerError
from ..tlog import merkle
from ..tlog.source import Source
from ..tlog.tiles import ENTRIES, TILE, File, in_bundle

BUNDLES = 4
"""How many bundles a process takes at a time."""
WORTH_PROCESSES = 64
"""From how many such rows on it is worth starting processes: half a second's work."""


class Group(NamedTuple):
    """Placements of one stem in one session under one consent."""

    session: str
    stem: str
    use: str
    tier: str
    consent: int


class Run(NamedTuple):
    """A row of placements, the first of them at the index `first`.

    `sessions`: for each, its first seq, its number of placements without a gap, and their ms. `groups`: for
    each, the earliest and the latest start, and the latest end in ms since 1970.
    """

    first: int
    sessions: dict[str, tuple[int, int, int]]
    groups: dict[Group, tuple[str, str, int]]


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
    sessions: dict[str, tuple[int, int, int]] = {}
    groups: dict[Group, tuple[str, str, int]] = {}
    run_at = first
    for index, data in enumerate(entries, first):
        if not data.startswith(PLACEMENT):
            if sessions:
                items.append(Run(run_at, sessions, groups))
                sessions, groups = {}, {}
            items.append((index, data))
            continue
        if not sessions:
            run_at = index
        try:
            entry = decode_placement(data)
        except BadEntry:
            return items, False
        if entry.ms != ms_of(entry.frames, entry.rate):
            return items, False
        end = milliseconds(entry.start) + entry.ms
        session, start = entry.session, entry.start
        seq, count, ms = sessions.get(session) or (entry.seq, 0, 0)
        if entry.seq != seq + count:
            return items, False
        sessions[session] = (seq, count + 1, ms + entry.ms)
        group = Group(session, entry.stem, entry.use, entry.tier, entry.consent)
        known = groups.get(group)
        if known is None:
            groups[group] = (start, start, end)
        else:
            groups[group] = (min(known[0], start), max(known[1], start), max(known[2], end))
    if sessions:
        items.append(Run(run_at, sessions, groups))
    return items, True


def _part(source: Source, first: int, count: int) -> Part:
    """Hash some whole bundles, compare them with their tiles, and read their entries."""
    roots: list[bytes] = []
    items: list[tuple[int, bytes] | Run] = []
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
        found, right = bundle_part(number * TILE, entries)
        if not right:
            return odd
        items += found
    try:
        for item in items:
            if not isinstance(item, Run):
                decode(item[1])
    except BadEntry:
        return odd
    return Part(first, count, roots, items, False)


def sweep(source: Source, bundles: int, workers: int) -> Iterator[Part]:
    """The first whole bundles of a log, in order, read by `workers` processes; by this one if it is 1."""
    rows = [(first, min(BUNDLES, bundles - first)) for first in range(0, bundles, BUNDLES)]
    if workers < 2 or len(rows) < WORTH_PROCESSES:
        for first, count in rows:
            yield _part(source, first, count)
        return
    # Spawned, not forked: whoever embeds this may have threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        ahead: list[Future[Part]] = []
        waiting = iter(rows)
        try:
            for row in waiting:
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
