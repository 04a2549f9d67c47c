"""The receipt of a withdrawal: when each session last used the stem, from the ledger alone."""

from __future__ import annotations

from collections.abc import Iterable

from ...ledger.clock import milliseconds_of, text_at
from ...ledger.entries.entries import Consent, Entry, LastUse, Placement, Receipt, Session
from ..errors import BadDeclaration


def receipt_of(
    entries: Iterable[tuple[int, Entry]], waiting: Iterable[Entry], withdrawal: int, time: str
) -> Receipt:
    """The receipt of the withdrawal with that index. Raises `BadDeclaration` if the entry is no withdrawal.

    `waiting`: acknowledged entries of running processes that are not in the ledger yet.
    """
    said: dict[int, Consent] = {}
    until: dict[str, int] = {}
    begun: dict[str, str] = {}
    ended: set[str] = set()
    placed: list[Placement] = []
    for index, entry in entries:
        match entry:
            case Consent():
                said[index] = entry
            case Session(state="opened"):
                begun[entry.session] = entry.time
            case Session():
                ended.add(entry.session)
            case Placement():
                placed.append(entry)
    begun |= {each.session: each.time for each in waiting if isinstance(each, Session)}
    gone = said.get(withdrawal)
    if gone is None or gone.action != "withdraw":
        raise BadDeclaration(f"entry {withdrawal} is not a withdrawal; see 'stemloom vault consent list'")
    for each in placed:
        if each.stem == gone.stem and each.use in gone.uses and each.consent < withdrawal:
            end = milliseconds_of(each.start) + each.ms
            until[each.session] = max(until.get(each.session, 0), end)
    return Receipt(
        time=time,
        withdrawal=withdrawal,
        stem=gone.stem,
        sessions=tuple(
            LastUse(session=session, until=text_at(end)) for session, end in sorted(until.items())
        ),
        open=tuple(sorted(name for name, at in begun.items() if at <= gone.since and name not in ended)),
    )
