"""A log as its operator can rewrite it: one field of one entry changed, the rest made to fit, signed again.

`Original` is a real log with what others kept of it. `rewritten` puts a changed one into a folder, with tiles
and a checkpoint by the log's own key; `mutated` draws a change.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from stemloom.ledger.clock import FixedClock, milliseconds_of, text_at
from stemloom.ledger.division.division import divide_period
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.usage import EntriesUsage
from stemloom.ledger.entries import entries as kinds
from stemloom.ledger.entries.canonical import decode, encode
from stemloom.ledger.entries.entries import (
    Entry,
    Gap,
    Placement,
    Session,
    Settlement,
    Share,
    ms_of,
)
from stemloom.ledger.entries.spans import Spans
from stemloom.ledger.errors import LedgerError
from stemloom.ledger.places import Places
from stemloom.ledger.royalties.payouts import record_payouts
from stemloom.ledger.royalties.record import record_correction, record_terms
from stemloom.ledger.royalties.settle import settle, settlement_entry
from stemloom.ledger.royalties.statement import statement
from stemloom.ledger.royalties.statement_schema import to_bytes
from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.right_edge import RightEdge
from stemloom.ledger.tlog.tiles import ENTRIES, TILE, File, bundle
from stemloom.ledger.tlog.witness import Witness

from . import making
from .royalties.settled_home import Home

_HINTS = {kind: get_type_hints(kind) for kind in (*get_args(Entry), Share)}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of one field. `repaired`: whether the operator made sums and settlements fit again."""

    index: int
    kind: str
    field: str
    entries: list[bytes]
    repaired: bool


class Original:
    """Two holders, three stems, two settled months and one that is open; with all that others keep."""

    def __init__(self, folder: Path, witness: Witness) -> None:
        self.folder = folder
        made = Home(folder / "home", _terms)
        self.home, log = made, made.log
        bass, pad = made.stems["Bass"], made.stems["Pad"]
        grants = {e.stem: i for i, e in log.entries() if isinstance(e, kinds.Consent)}
        _at(made, "2025-04-03T12:00:00.000Z")
        made.income(900_000_000)
        settle(log, "2025-03")
        record_payouts(log, "EUR", "run 1", holder=made.ada, amount=100_000_000)
        april = "2025-04-30T23:58:00.000Z"
        log.append(_heard("xa1", april, [(bass, grants[bass], 12_000), (pad, grants[pad], 9_000)] * 3))
        log.append([Gap(time="2025-04-30T23:59:00.000Z", session="xa1", placements=1, reason="overflow")])
        _at(made, "2025-05-02T12:00:00.000Z")
        made.income(400_000_000, "2025-04")
        record_correction(log, _first(log, kinds.Income), 850_000_000, "a refund")
        settle(log, "2025-04")
        may = "2025-05-05T20:00:00.000Z"
        log.append(_heard("xa2", may, [(bass, grants[bass], 5_000), (pad, grants[pad], 7_000)] * 2))
        _at(made, "2025-05-06T12:00:00.000Z")
        made.income(77_000_000, "2025-05")
        self.entries = [data for _, data in log.stored(0, log.size)]
        self.vkey = log.vkey
        self.key = PrivateKey.load(Places(made.path).key)
        self.checkpoint = log.checkpoint()
        self.statements: list[Path] = []
        for who in (made.ada, made.ben):
            for period in ("2025-03", "2025-04"):
                path = folder / f"{who}-{period}.json"
                path.write_bytes(to_bytes(statement(log, who, period, made.names)))
                self.statements.append(path)
        self.receipts = {index: log.prove(index) for index in range(log.size)}
        self.heard = heard_of(self.entries)
        self.paid = money(self.entries)
        self.witness = witness


def heard_of(log: Sequence[bytes]) -> list[tuple[object, ...]]:
    """The placements of a log as takes have them."""
    return [
        (p.session, p.seq, p.stem, p.role, p.part, p.section, p.line, p.start_frame, p.frames, p.ms)
        for p in map(decode, log)
        if isinstance(p, Placement)
    ]


def money(log: Sequence[bytes]) -> dict[str, object]:
    """All that holders are given and were paid by a log, and what the open month would give them."""

    def read() -> Iterator[tuple[int, Entry]]:
        return enumerate(map(decode, log))

    usage = EntriesUsage(read)
    books, found = usage.books, dict[str, object]()
    for index, period, entry in books.settlements:
        division = divide_period(EntriesUsage(read), period, entry.currency, entry.last)
        found[f"{period.text} {entry.currency} {index}"] = division.settled_holders
    try:
        division = divide_period(usage, Period.parse("2025-05"), "EUR", len(log) - 1)
        found["open"] = division.settled_holders, division.funds.taken_back
    except LedgerError as error:
        found["open"] = str(error)
    found["paid"] = [
        (each.holder, each.currency, each.amount)
        for each in map(decode, log)
        if isinstance(each, kinds.Payout)
    ]
    found["corrected"] = [
        (each.corrects, each.amount) for each in map(decode, log) if isinstance(each, kinds.Correction)
    ]
    found["threshold"] = [
        (each.effective, each.threshold) for each in map(decode, log) if isinstance(each, kinds.Terms)
    ]
    return found


def rewritten(log: Sequence[bytes], key: PrivateKey, origin: str, folder: Path) -> Path:
    """A published copy of these entries, signed with a key."""
    shutil.rmtree(folder, ignore_errors=True)
    edge, files = RightEdge(0, ()).grow(merkle.leaf_hashes(log))
    for at in range(0, len(log), TILE):
        rows = log[at : at + TILE]
        files[File(ENTRIES, at // TILE, len(rows))] = bundle(rows)
    for file, data in files.items():
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    note = sign_checkpoint(Checkpoint(origin, edge.size, edge.root), key)
    (folder / "checkpoint").write_bytes(note)
    return folder


def mutated(original: Original, random: Random, row: tuple[str, str] | None = None) -> Mutation | None:
    """A random change of one field of one entry to another plausible value; None if it says the same.

    `row`: a kind and a field of it, if no other one is to be changed.
    """
    log = original.entries
    tags = [str(decode(data).__struct_config__.tag) for data in log]
    index = random.choice([at for at, tag in enumerate(tags) if row is None or tag == row[0]])
    entry, tag = decode(log[index]), tags[index]
    names = [name for name in entry.__struct_fields__ if name != "v"]
    field = random.choice(names) if row is None else row[1]
    alike = [decode(data) for data, other in zip(log, tags, strict=True) if other == tag or field == "holder"]
    alike = [each for each in alike if hasattr(each, field)]
    value = _other(entry, field, alike, random)
    changed = replace(entry, **{field: value})
    repaired = random.random() < 0.5
    try:
        after = list(log)
        after[index] = encode(changed)
        if repaired:
            after = _repaired(after)
    except LedgerError:
        return None
    return None if after == log else Mutation(index, tag, field, after, repaired)


def _other(entry: Any, field: str, alike: Sequence[Any], random: Random) -> object:
    """Another value of a field: one that another entry of the kind has, or one near it."""
    value, hint = getattr(entry, field), _HINTS[type(entry)][field]
    if field == "currency":
        return "USD"
    seen = [each for each in (getattr(other, field) for other in alike) if each != value]
    choices: list[object] = seen[:6]
    literals = _literals(hint)
    if literals:
        choices += [each for each in literals if each != value]
    elif isinstance(value, int):
        choices += [value + 1, max(value - 1, 0), value * 2, value // 2, random.randrange(2 * abs(value) + 9)]
    elif isinstance(value, str) and _is_time(value):
        step = random.choice([1, 1000, 60_000, 300_000, 3_600_000, 86_400_000, 31 * 86_400_000])
        choices += [text_at(milliseconds_of(value) + sign * step) for sign in (1, -1)]
    elif isinstance(value, str):
        at = random.randrange(len(value))
        choices += [value[:at] + random.choice("0123456789abcdef") + value[at + 1 :]]
    elif isinstance(value, tuple):
        choices += [_shifted(value, random), value[:-1]]
    elif value is None or value is UNSET:
        choices += [1, 48_000, "crash", "2025-03-01T00:00:00.000Z", "x", "0" * 64]
    if UNSET in get_args(hint) or msgspec.UnsetType in get_args(hint):
        choices.append(UNSET)
    return random.choice(choices or [value])


def _literals(hint: object) -> list[object]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [each for arg in get_args(hint) if get_origin(arg) is Literal for each in get_args(arg)]


def _is_time(value: str) -> bool:
    try:
        milliseconds_of(value)
    except ValueError:
        return False
    return True


def _shifted(value: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    """Shares of which one grows at the other's cost, or is another's; else the same in another order."""
    if value and isinstance(value[0], Share):
        part = min(value[0].ppm, random.randrange(1, 400_000))
        if len(value) > 1:
            return (replace(value[0], ppm=value[0].ppm - part), replace(value[1], ppm=value[1].ppm + part))
        return value
    if value and isinstance(value[0], tuple):
        (source, ppm), *others = value
        return ((source, max(ppm - random.randrange(1, 400_000), 0)), *others)
    return tuple(reversed(value))


def _repaired(log: list[bytes]) -> list[bytes]:
    """The log with sums, statements of sessions and settlements made to fit what it holds now."""
    sums: dict[str, tuple[int, int, Spans]] = {}
    made: list[bytes] = []
    for data in log:
        entry = decode(data)
        if isinstance(entry, Placement):
            entry = replace(entry, ms=ms_of(entry.frames, entry.rate))
            count, ms, spans = sums.get(entry.session) or (0, 0, Spans())
            line = entry.part, entry.line, entry.stem
            spans.add(line, entry.start_frame, entry.start_frame + entry.frames)
            sums[entry.session] = count + 1, ms + entry.ms, spans
        elif isinstance(entry, Session) and entry.state == "closed" and entry.session in sums:
            count, ms, spans = sums[entry.session]
            entry = replace(entry, placements=count, ms=ms)
            if entry.frames is not UNSET:
                stated = {"voices": spans.voices(), "polyphony": max(spans.most_of_lines().values())}
                entry = replace(entry, **stated, frames=max(entry.frames, spans.end))
        elif isinstance(entry, Settlement):
            entry = _settled_again(entry, made)
        made.append(encode(entry))
    return made


def _settled_again(entry: Settlement, before: list[bytes]) -> Settlement:
    def read() -> Iterator[tuple[int, Entry]]:
        return enumerate(map(decode, before))

    division = divide_period(EntriesUsage(read), Period.parse(entry.period), entry.currency, entry.last)
    root = merkle.root_from_leaves(merkle.leaf_hashes(before[: entry.last + 1]))
    return settlement_entry(division, root.hex(), entry.time)


def _terms(log: Any) -> None:
    before = FixedClock("2025-01-05T12:00:00.000Z")
    record_terms(log, "2025-02-01T00:00:00.000Z", pool_ppm={"subscription": 700_000}, clock=before)


def _at(made: Home, time: str) -> None:
    made.log._clock = FixedClock(time)


def _first(log: Any, kind: type) -> int:
    return next(index for index, entry in log.entries() if isinstance(entry, kind))


def _heard(session: str, start: str, heard: Sequence[tuple[str, int, int]]) -> list[Entry]:
    """A session that states what it can have heard, of stems one after another for so many ms."""
    states: dict[str, Any] = {"session": session, "tier": "subscriber", "rate": 48_000}
    made: list[Entry] = [making.session("opened", time=start, voices=320, **states)]
    frame = 0
    for seq, (stem, grant, ms) in enumerate(heard):
        of = {"session": session, "tier": "subscriber", "start": start, "start_frame": frame, "line": 12}
        made.append(making.placement(seq, stem, grant, ms * 48, **of))
        frame += ms * 48
    closing = {"take": "5" * 64, "voices": 1, "polyphony": 1, "frames": frame}
    closing |= {"time": text_at(milliseconds_of(start) + 60_000)}
    total = sum(ms for _, _, ms in heard)
    made.append(making.session("closed", len(heard), total, **states, **closing))
    return made
