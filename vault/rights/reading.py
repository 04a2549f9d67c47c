"""What a request asks one to sign, in words that follow from the bytes to be signed, and from nothing else.

A request comes from whoever wants the signature. So its own words are never shown: a title is the one in the
statement; a name is shown if its owner's own signature commits to it, else the id; the shares of before are
those of the entry whose digest the statement holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET

from ...ledger.entries import entries, signing
from ...ledger.entries.canonical import digest
from ...ledger.entries.rights import by_holder
from ...ledger.entries.signing import Signable
from ...ledger.entries.wording import allowing, declaring
from ...ledger.errors import LedgerError
from ..errors import BadRequest
from .requests import Party, Recordings, SigningRequest
from .shares import percent


def sentences(request: SigningRequest) -> tuple[str, ...]:
    """What each statement of a request says. Raises `BadRequest` for one that does not say all it has to."""
    who = _names(request.parties, request.origin)
    before = {digest(each): each for each in request.shares}
    return tuple(_sentence(each.entry, request, who, before) for each in request.asked)


def _names(parties: Iterable[Party], origin: str) -> Mapping[str, str]:
    """The names that their owners' own signatures prove, by id."""
    found = {}
    for party in parties:
        try:
            signing.check(party.entry, origin)
            proved = signing.commitment(party.name, party.salt) == party.entry.name
        except (LedgerError, ValueError):
            continue
        if proved:
            found[party.entry.holder] = f"{party.name} ({party.entry.holder})"
    return found


def _sentence(
    entry: Signable | Recordings,
    request: SigningRequest,
    who: Mapping[str, str],
    before: Mapping[str, entries.Stem | entries.Splits],
) -> str:
    by = who.get(entry.holder, entry.holder)
    match entry:
        case Recordings():
            return _recordings(entry, by, who)
        case entries.Holder():
            name = request.name or ""
            try:
                proved = signing.commitment(name, request.name_salt or "") == entry.name
            except ValueError:
                proved = False
            if not proved:
                raise BadRequest("the name in the request is not the one that is signed")
            key = f"the key {entry.public_key}, kept by {entry.custody}"
            said = f"{name} joins as {entry.holder} with {key}"
        case entries.Key():
            new = f"the key {entry.public_key}, kept by {entry.custody}"
            said = f"{new}, takes the place of {entry.replaced} of {by}"
        case entries.Consent():
            said = f"{by} {entry.action}s {_titled(entry)} for {', '.join(entry.uses)}{_ends(entry)}"
        case entries.Standing():
            said = f"{by} {entry.action}s all stems to come for {', '.join(entry.uses)}{_ends(entry)}"
        case entries.Splits():
            said = _splits(entry, who, before)
        case entries.Declaration():
            said = f"{by} declares {entry.stem} anew: {declaring(entry)}"
    if entry.expires is UNSET:
        raise BadRequest("the statement has no expiry: ask for a new one")
    return f"{said}; made at {entry.time}, to be handed in by {entry.expires}"


def _titled(entry: entries.Consent | entries.Splits) -> str:
    if entry.title is UNSET:
        raise BadRequest(f"the statement on {entry.stem} does not name its title: ask for a new one")
    return f"'{entry.title}' ({entry.stem})"


def _ends(said: entries.Consent | entries.Standing) -> str:
    if said.action == "withdraw":
        return ""
    return f" {f'until {said.until}' if said.until else 'without an end'}, {allowing(said.extent)}"


def _splits(
    entry: entries.Splits, who: Mapping[str, str], before: Mapping[str, entries.Stem | entries.Splits]
) -> str:
    was = before.get(entry.previous or "")
    if was is None or was.stem != entry.stem:
        raise BadRequest(f"the request lacks the shares of {entry.stem} from before: ask for a new one")
    master = _shares(entry.master, was.master, who)
    publishing = _shares(entry.publishing, was.publishing, who)
    return f"{_titled(entry)} belongs from now on to: master {master}; publishing {publishing}"


def _shares(after: Sequence[entries.Share], before: Sequence[entries.Share], who: Mapping[str, str]) -> str:
    now, was = by_holder(after), by_holder(before)
    parts = []
    for party in dict.fromkeys((*now, *was)):
        change = "" if now.get(party) == was.get(party) else f" (before {percent(was.get(party, 0))})"
        parts.append(f"{who.get(party, party)} {percent(now.get(party, 0))}{change}")
    return ", ".join(parts)


def _recordings(entry: Recordings, by: str, who: Mapping[str, str]) -> str:
    lines = []
    for stem in entry.stems:
        if stem.holder != entry.holder:
            raise BadRequest(f"the list of {entry.holder} holds {stem.stem} of {stem.holder}")
        owners = f"master {_shares(stem.master, stem.master, who)}"
        owners += f"; publishing {_shares(stem.publishing, stem.publishing, who)}"
        lines.append(f"\n    {stem.stem}: {declaring(stem)}; sound {stem.pcm_sha256}; {owners}")
    count = "1 recording" if len(lines) == 1 else f"{len(lines)} recordings"
    return f"{by} brings {count}; made at {entry.time}, to be handed in by {entry.expires}:{''.join(lines)}"
