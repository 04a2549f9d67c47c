"""A take beside the ledger: whether the session that a log has is the one that the take tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import zip_longest

from ...ledger.verify.session_account import Difference, LoggedPlacement, SessionAccount
from .earlier import KeptTake
from .take import Take, TakePlacement

_OPENED = ("use", "tier", "seed", "engine")
"""Fields of a take that its session's opening entry has under the same name."""


def beside_ledger(kept: KeptTake, account: SessionAccount) -> tuple[Difference, ...]:
    """What the log says otherwise than a take of the session; none if they agree."""
    if account.opening is None:
        return (Difference(None, f"the log has no session {kept.take.session}{account.lost()}"),)
    return (*_opening(kept, account), *_placements(kept, account), *_closing(kept, account))


def _opening(kept: KeptTake, account: SessionAccount) -> Iterator[Difference]:
    assert account.opening is not None
    (index, opening), take = account.opening, kept.take
    for name in _OPENED:
        said, logged = getattr(take, name), getattr(opening, name)
        if said != logged:
            yield Difference(index, f"the session opens with the {name} {logged}, and the take has {said}")
    if hashlib.sha256(take.script.encode()).hexdigest() != opening.script:
        yield Difference(
            index, f"the session opens with a script of the hash {opening.script}, and the take has another"
        )
    if isinstance(take, Take):
        if take.vault != opening.vault:
            yield Difference(
                index, f"the session opens with the vault {opening.vault}, and the take has {take.vault}"
            )
        if take.time is not None and take.time != opening.time:
            yield Difference(index, f"the session opens at {opening.time}, and by the take at {take.time}")


def _placements(kept: KeptTake, account: SessionAccount) -> Iterator[Difference]:
    for number, (said, logged) in enumerate(
        zip_longest(sorted(kept.take.placements, key=lambda each: each.seq), account.placements)
    ):
        if logged is None:
            yield Difference(
                None,
                f"placement {said.seq} of the take, {said.ms} ms of {said.stem}, is not in the log"
                f"{account.lost()}",
            )
        elif said is None:
            yield Difference(
                logged.index,
                f"placement {number}, {logged.entry.ms} ms of {logged.entry.stem}, is not in the take",
            )
        elif apart := "; ".join(_fields(said, logged)):
            yield Difference(logged.index, f"placement {logged.entry.seq}: {apart}")


def _fields(said: TakePlacement, logged: LoggedPlacement) -> Iterator[str]:
    """The fields of a placement in which take and log differ."""
    for name in TakePlacement.__struct_fields__:
        ours, theirs = getattr(said, name), getattr(logged.entry, name)
        if ours != theirs:
            yield f"{name} is {theirs} in the log and {ours} in the take"


def _closing(kept: KeptTake, account: SessionAccount) -> Iterator[Difference]:
    if account.closing is None:
        yield Difference(None, f"the log has no entry that closes the session {account.session}")
        return
    (index, closing), placements = account.closing, kept.take.placements
    if closing.take is None:
        died = f", as its process ended by a {closing.recovered}" if closing.recovered else ""
        yield Difference(index, f"the session closes without a take{died}: the log proves no take of it")
    elif closing.take != kept.sha256:
        yield Difference(
            index,
            f"the session closes with a take of the hash {closing.take}, and this file has {kept.sha256}",
        )
    ms = sum(each.ms for each in placements)
    if (closing.placements, closing.ms) != (len(placements), ms):
        yield Difference(
            index,
            f"the session closes with {closing.placements} placements and {closing.ms} ms, and the take has "
            f"{len(placements)} and {ms} ms",
        )
