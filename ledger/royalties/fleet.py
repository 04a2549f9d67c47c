"""Income divided over the logs of many players, by the milliseconds that each has heard.

The manifest of a fleet is JSON; paths are relative to it:

    {
      "version": 1,
      "logs": [{"parquet": "exports/player-1", "vkey": "...", "checkpoint": "player-1.checkpoint"}]
    }

`parquet`: the folder of an export. `vkey`: the log's key, as whoever divides knows it. `checkpoint`: a file
with a signed checkpoint, the one that the export is of.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from ..division.divide import largest_remainder
from ..division.errors import NothingHeard
from ..division.money import check_currency
from ..division.periods import Period
from ..errors import BadNote, BadVkey, LedgerError, VerificationFailed
from ..tlog.checkpoint import Checkpoint, open_checkpoint
from ..tlog.given_file import read_given
from ..tlog.note import LARGEST_NOTE, Verifier, parse_vkey
from .hashed_rows import HeardInLog, checked_files, heard
from .sql_usage import Database

FleetEngine = Literal["duckdb", "spark"]


_LARGEST_MANIFEST = 64 << 20
"""Bytes of the manifest of a fleet."""


class FleetLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One log, as the manifest of the fleet names it."""

    parquet: str
    vkey: str
    checkpoint: str


class FleetManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The logs of a fleet."""

    version: Literal[1]
    logs: tuple[FleetLog, ...]


@dataclass(frozen=True, slots=True)
class FleetPart:
    """What a log has of the income: `amount` micro-units for its `ms`, by its first `size` entries."""

    origin: str
    vkey: str
    size: int
    root: str
    ms: int
    amount: int


@dataclass(frozen=True, slots=True)
class _Opened:
    folder: Path
    log: Verifier
    checkpoint: Checkpoint


def divide_over_fleet(
    manifest: Path,
    period: Period,
    amount: int,
    currency: str,
    engine: FleetEngine = "duckdb",
    progress: Callable[[str, int, int], None] = lambda log, done, total: None,
) -> tuple[FleetPart, ...]:
    """Divide `amount` micro-units over the logs of a fleet, in the order of their keys.

    Proven of each log: its key has signed the checkpoint, and the rows that are added up are all the entries
    under it, byte by byte. Not proven: that these entries keep the rules of a ledger, for which there is
    'stemloom ledger verify', and that the log has no later ones. `progress` is told the log, the entries
    done, and their number.

    Raises VerificationFailed with the file that was changed; also for a log that is there twice. Raises
    NothingHeard, UnknownCurrency, LedgerError, OSError.
    """
    check_currency(currency)
    opened = _opened(manifest)
    _refuse_twice(opened)
    found: list[HeardInLog] = []
    owners: dict[str, _Opened] = {}
    for each in opened:
        files = checked_files(each.folder, each.log, each.checkpoint)
        with _database(engine, [each.folder / file.name for file in files]) as database:
            made = heard(
                database,
                files,
                each.folder,
                each.checkpoint,
                period,
                partial(progress, each.log.name),
            )
        for session in sorted(made.sessions):
            if (other := owners.setdefault(session, each)) is not each:
                raise VerificationFailed(
                    f"the session {session} is in {other.folder} and in {each.folder}: one of these logs is "
                    "a copy of the other under another key, and would count twice"
                )
        found.append(made)
    if not any(each.ms for each in found):
        raise NothingHeard(f"nothing was heard in {period.text} in any log of {manifest}")
    names = [each.log.vkey for each in opened]
    parts = largest_remainder(amount, [each.ms for each in found], names)
    return tuple(
        FleetPart(of.log.name, of.log.vkey, of.checkpoint.size, of.checkpoint.root.hex(), each.ms, part)
        for of, each, part in sorted(
            zip(opened, found, parts, strict=True), key=lambda each: each[0].log.vkey
        )
    )


def _opened(manifest: Path) -> list[_Opened]:
    try:
        said = msgspec.json.decode(read_given(manifest, _LARGEST_MANIFEST), type=FleetManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LedgerError(
            f"{manifest} is not the manifest of a fleet: {error}; docs/scaling.md has an example"
        ) from error
    if not said.logs:
        raise LedgerError(f"{manifest} names no log; docs/scaling.md has an example")
    opened = []
    for number, each in enumerate(said.logs, 1):
        try:
            log = parse_vkey(each.vkey)
        except BadVkey as error:
            raise LedgerError(f"{manifest}: log {number} names no key of a log: {error}") from error
        path = manifest.parent / each.checkpoint
        with path.open("rb") as file:
            note = file.read(LARGEST_NOTE + 1)
        try:
            checkpoint = open_checkpoint(note, log)
        except BadNote as error:
            raise VerificationFailed(f"{path} is not a checkpoint of the log {log.vkey}: {error}") from error
        opened.append(_Opened(manifest.parent / each.parquet, log, checkpoint))
    return opened


def _refuse_twice(opened: list[_Opened]) -> None:
    seen: dict[bytes, _Opened] = {}
    for each in opened:
        other = seen.setdefault(each.log.public, each)
        if other is not each:
            raise VerificationFailed(
                f"the log {each.log.name} is there twice, in {other.folder} with {other.checkpoint.size} "
                f"entries and in {each.folder} with {each.checkpoint.size}: it would count twice; leave one "
                "out"
            )


def _database(engine: FleetEngine, files: list[Path]) -> AbstractContextManager[Database]:
    if engine == "spark":
        from .on_spark import Spark

        return Spark(files)
    from .on_duckdb import Duck

    return Duck(files)
