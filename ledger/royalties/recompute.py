"""A statement derived again from a log alone, without the vault and without trust in who made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..division.errors import BadPeriod, NotAHolder, NotAsStated, NotSettled, UnknownCurrency
from ..division.usage import EntriesUsage
from ..entries.canonical import decode
from ..entries.entries import Entry
from ..errors import BadNote, BadVkey, VerificationFailed
from ..tlog.checkpoint import Checkpoint, open_checkpoint
from ..tlog.consistency import refuse_other_history
from ..tlog.hashed import HashedLog
from ..tlog.note import parse_vkey
from ..verify.verify import verify
from .money_lock import CheckpointedLog
from .statement import Statements
from .statement_schema import Named, Names, Statement, to_bytes

_LARGEST = 256 << 20
_MOST_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A statement that holds. `trusted_own`: whether the key was the caller's, or the statement's own."""

    statement: Statement
    vkey: str
    trusted_own: bool
    size: int
    """Entries of the log as it is now."""


def recompute(
    stated: Path,
    place: Path | str,
    *,
    vkey: str | None = None,
    kept: bytes | None = None,
    workers: int = 1,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> Recomputed:
    """Derive the statement in the file `stated` again from the log at `place`, and compare every byte.

    `place`: a copy of the log's folder `log/`, or of what it lies in, or a web address. `vkey`: the log's
    key as the caller knows it; without it the statement's own is believed. `kept`: a checkpoint that the log
    must continue. The statement itself gives what the ledger does not know: names of others than the payee,
    identifiers. `progress` is told the step, how much of it is done, and of how much if known.

    Raises NotAsStated with the differences, VerificationFailed for a log that does not verify or does not
    continue a checkpoint, BadVkey, BadNote, NoLedger, LogUnreachable, OSError.
    """
    data = _read(stated)
    said = _parse(data, stated)
    if vkey is not None and vkey != said.vkey:
        raise NotAsStated(f"{stated} is of another log: it names the key {said.vkey}, and yours is {vkey}")
    try:
        log = parse_vkey(vkey or said.vkey)
    except BadVkey as error:
        if vkey is not None:
            raise
        raise NotAsStated(f"{stated} names no key of a log: {error}") from error
    try:
        under = open_checkpoint(said.checkpoint.encode(), log)
    except BadNote as error:
        raise NotAsStated(f"the checkpoint in {stated} is not one of the key {log.vkey}: {error}") from error
    checking = partial(progress, "checking the log")
    report = verify(place, vkey=log.vkey, workers=workers, progress=checking)
    if not report.ok:
        problem, *others = report.problems
        more = f" (and {len(others)} more)" if others else ""
        raise VerificationFailed(
            f"the log does not verify: {problem.detail}{more}; see 'stemloom ledger verify'"
        )
    hashed = report.log
    assert hashed is not None
    if kept is not None:
        refuse_other_history(open_checkpoint(kept, log), hashed)
    _check_continues(under, hashed, stated)

    def read() -> Iterator[tuple[int, Entry]]:
        # Not from the place again: it may give another answer now.
        for index, entry in hashed.entries(0, under.size):
            yield index, decode(entry)

    progress("deriving the statement", 0, None)
    seal = CheckpointedLog(size=under.size, root=under.root.hex(), checkpoint=said.checkpoint, read=read)
    usage, names, who = EntriesUsage(read), _names(said), said.holder
    try:
        made = Statements(usage, seal, log.name, log.vkey, said.period, names, said.currency, who).of(who)
    except (NotAHolder, NotSettled, BadPeriod, UnknownCurrency) as error:
        raise NotAsStated(f"{stated} is of no settlement that the ledger has: {error}") from error
    line = json.dumps(msgspec.to_builtins(made), ensure_ascii=False).encode()  # what --json prints
    if data not in (to_bytes(made), line, line + b"\n"):
        found = list(_differences(msgspec.to_builtins(said), msgspec.to_builtins(made), ""))
        raise NotAsStated(
            f"{stated}: {'; '.join(found[:_MOST_DIFFERENCES])}"
            if found
            else f"{stated} has the ledger's numbers, but is not the file that was written: it was changed"
        )
    return Recomputed(made, log.vkey, vkey is not None, report.size)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise NotAsStated(f"{path} is not a statement: it has more than {_LARGEST} bytes")
    return data


def _parse(data: bytes, path: Path) -> Statement:
    try:
        said = msgspec.json.decode(data, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAsStated(
            f"{path} is not a statement of 'stemloom royalty statement --out': {error}"
        ) from error
    if said.v != 2:
        raise NotAsStated(f"{path} is a statement of version {said.v}, and this version derives version 2")
    return said


def _check_continues(under: Checkpoint, now: HashedLog, path: Path) -> None:
    if now.size < under.size:
        raise VerificationFailed(
            f"this copy of the log has {now.size} entries, and {path} was made when it had {under.size}: "
            "take a newer copy"
        )
    if now.root_at(under.size) != under.root:
        raise VerificationFailed(
            f"the log's first {under.size} entries are not those that {path} was made of: its history was "
            "rewritten, or this is another log"
        )


def _names(said: Statement) -> Names:
    names = {
        share.holder: Named(share.name, "")
        for stem in said.stems
        for line in stem.lines
        for side in (line.master, line.publishing)
        for share in side.shares
        if share.name is not None
    }
    payee = said.payee
    names.pop(said.holder, None)
    if payee.name is not None and payee.name_salt is not None:
        names[said.holder] = Named(payee.name, payee.name_salt, payee.isni, payee.ipi)
    return names


def _differences(said: Any, made: Any, at: str) -> Iterator[str]:
    """The differences between a statement and the one that the ledger gives, a phrase each."""
    if isinstance(said, dict) and isinstance(made, dict):
        for name in {**said, **made}:
            yield from _differences(said.get(name), made.get(name), f"{at}.{name}" if at else name)
    elif isinstance(said, list | tuple) and isinstance(made, list | tuple):
        if len(said) != len(made):
            yield f"{at} has {len(said)} items, and the ledger gives {len(made)}"
        for number, (one, other) in enumerate(zip(said, made, strict=False)):
            yield from _differences(one, other, f"{at}[{number}]")
    elif said != made:
        yield f"{at} is {said!r}, and the ledger gives {made!r}"
