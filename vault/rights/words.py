"""The word of holders on recordings that come in: signed with keys kept here, or in a request."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import msgspec

from ...ledger.entries.entries import Stem
from ...ledger.entries.recordings import check_stem, signed_by, statement_of, with_word
from ...ledger.tlog.keys import PrivateKey
from ..errors import BadRequest, KeyNotHere
from ..records import Holder
from .requests import Recordings, SigningRequest


class Words:
    """Gives stems their holders' word.

    `key`: gives a holder's private key, or raises `KeyNotHere`; `times`: when a list is signed and expires.
    `signed`: lists that came back. Raises `BadRequest` for one that is not signed rightly, or too late.
    """

    def __init__(
        self,
        origin: str,
        key: Callable[[Holder], PrivateKey],
        times: Callable[[], tuple[str, str]],
        holders: Sequence[Holder],
        signed: SigningRequest | None = None,
    ) -> None:
        self._origin, self._key, self._times = origin, key, times
        self._holders = {each.holder: each for each in holders}
        self._signed = {} if signed is None else self._taken(signed)

    def objection(self, stem: Stem) -> str | None:
        """Why a stem may not come in as it is: its holder keeps their key, and has not signed it."""
        if statement_of(stem) in self._signed:
            return None
        holder = self._holders[stem.holder]
        try:
            self._key(holder)
        except KeyNotHere:
            if self._signed:
                return (
                    f"it is not in the list that {holder.name} signed, as it would come in now: "
                    "ask for another signature with --request"
                )
            return (
                f"{holder.name} keeps their own key, so they sign what comes in: add it with --request FILE, "
                "have that signed ('stemloom vault sign'), and add it again with --signed FILE"
            )
        return None

    def given(self, stems: Sequence[Stem]) -> list[Stem]:
        """The stems with their holders' word, in order; nothing is objected to them."""
        made: dict[str, Stem] = {}
        for holder in dict.fromkeys(stem.holder for stem in stems):
            own = [stem for stem in stems if stem.holder == holder]
            theirs = [stem for stem in own if statement_of(stem) in self._signed]
            for stem in theirs:
                word = self._signed[statement_of(stem)].signed
                made[stem.stem] = msgspec.structs.replace(stem, signed=word)
            rest = [stem for stem in own if stem.stem not in made]
            if rest:
                key = self._key(self._holders[holder])
                made |= {each.stem: each for each in signed_by(rest, key, self._origin, *self._times())}
        return [made[stem.stem] for stem in stems]

    def _taken(self, request: SigningRequest) -> dict[bytes, Stem]:
        """The stems of a request that came back signed, by what is said of them."""
        if request.origin != self._origin:
            raise BadRequest(f"the request is for the ledger {request.origin}, and this is {self._origin}")
        now, _ = self._times()
        found: dict[bytes, Stem] = {}
        for asked in request.asked:
            entry = asked.entry
            if not isinstance(entry, Recordings):
                raise BadRequest("the request holds other statements: see 'stemloom vault submit'")
            if entry.holder not in self._holders:
                raise BadRequest(f"there is no holder {entry.holder} here")
            (one,) = asked.signatures
            if one.signature is None:
                raise BadRequest(f"the signature of {self._holders[entry.holder].name} is missing")
            if now > entry.expires:
                raise BadRequest(f"the list expired at {entry.expires}: ask for another signature")
            public = base64.b64decode(self._holders[entry.holder].public_key)
            for stem in with_word(entry.stems, entry.time, entry.expires, one.signature):
                if stem.holder != entry.holder:
                    raise BadRequest(f"the list of {entry.holder} holds {stem.stem} of {stem.holder}")
                check_stem(stem, self._origin, public)
                found[statement_of(stem)] = stem
        return found
