"""Makes statements to be signed, and checks signed ones before they enter the ledger.

The same rules hold for a statement that is signed here and for one that comes back from its holder. They are
those of `ledger/entries/rights.py` and `signing.py`, asked before an entry is written.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ...ledger.clock import Clock, milliseconds_of
from ...ledger.entries import entries, signing
from ...ledger.entries.rights import by_holder, losing, may_state
from ...ledger.entries.signing import UNSIGNED, Signable, Slot
from ...ledger.entries.wording import declaring, ending
from ..catalogue.catalogue import Catalogue
from ..catalogue.past import declarations
from ..errors import BadDeclaration, BadRequest
from ..records import Holder, Stem
from .requests import Asked, SigningRequest, asked, filled
from .shares import checked_shares, percent

Action = Literal["grant", "withdraw"]
MOST_AHEAD_MS = 5 * 60_000
"""The most by which the clock of a request's maker may be ahead of ours."""


class Asking:
    """Makes statements to be signed, and checks those that were. `origin`: the log's."""

    def __init__(self, origin: str, catalogue: Catalogue, clock: Clock) -> None:
        self._origin, self._catalogue, self._clock = origin, catalogue, clock

    def holder(self, name: str, public_key: str, custody: Literal["self", "operator"]) -> SigningRequest:
        """A holder joins, with their public key in base64."""
        public = _public(public_key)
        salt = signing.new_salt()
        entry = entries.Holder(
            time=self._clock.now(),
            holder=signing.holder_id(public),
            name=signing.commitment(name, salt),
            public_key=public_key,
            custody=custody,
            proof=UNSIGNED,
        )
        self._checked_new(entry.holder, name)
        each = asked(
            entry, f"{name} joins with this key", self._origin, [("proof", entry.holder, public_key)]
        )
        return SigningRequest(origin=self._origin, asked=(each,), name=name, name_salt=salt)

    def key(self, holder: Holder, public_key: str, custody: Literal["self", "operator"]) -> SigningRequest:
        """Another key replaces that of a holder."""
        _public(public_key)
        entry = entries.Key(
            time=self._clock.now(),
            holder=holder.holder,
            public_key=public_key,
            custody=custody,
            replaced=holder.public_key,
            signature=UNSIGNED,
            proof=UNSIGNED,
        )
        signers: list[tuple[Slot, str, str]] = [
            ("signature", holder.holder, holder.public_key),
            ("proof", holder.holder, public_key),
        ]
        says = f"this key takes the place of {holder.name}'s, and is kept by {custody}"
        return SigningRequest(origin=self._origin, asked=(asked(entry, says, self._origin, signers),))

    def consent(
        self,
        stems: Sequence[Stem],
        by: Holder | None,
        uses: Sequence[entries.Use],
        action: Action,
        until: str | None,
        allows: Sequence[entries.Extent] = (),
    ) -> SigningRequest:
        """Stems are granted or withdrawn, by their holders, or by a party with a master share."""
        holders = {each.holder: each for each in self._catalogue.holders()}
        time = self._clock.now()
        made = []
        for stem in stems:
            signer = holders[stem.holder] if by is None else by
            self._may_say(stem.stem, stem.title, stem.holder, signer.holder, action)
            entry = entries.Consent(
                time=time,
                origin=self._origin,
                holder=signer.holder,
                stem=stem.stem,
                uses=tuple(sorted(set(uses))),
                action=action,
                until=until,
                previous=self._catalogue.last_statement(stem.stem, signer.holder),
                signature=UNSIGNED,
                allows=_allows(action, allows),
            )
            says = f"{signer.name} {action}s '{stem.title}' for {', '.join(entry.uses)}{ending(entry)}"
            made.append(self._asked(entry, says, signer))
        return SigningRequest(origin=self._origin, asked=tuple(made))

    def standing(
        self,
        holder: Holder,
        uses: Sequence[entries.Use],
        action: Action,
        until: str | None,
        allows: Sequence[entries.Extent] = (),
    ) -> SigningRequest:
        """A holder grants or withdraws the standing consent, for stems to come."""
        entry = entries.Standing(
            time=self._clock.now(),
            origin=self._origin,
            holder=holder.holder,
            uses=tuple(sorted(set(uses))),
            action=action,
            until=until,
            previous=self._catalogue.last_standing(holder.holder),
            signature=UNSIGNED,
            allows=_allows(action, allows),
        )
        says = f"{holder.name} {action}s stems to come for {', '.join(entry.uses)}{ending(entry)}"
        return SigningRequest(origin=self._origin, asked=(self._asked(entry, says, holder),))

    def splits(self, stem: Stem, after: Mapping[str, Mapping[str, int]]) -> SigningRequest:
        """New owners of a stem, by side, in parts per million; all whose share falls sign, too."""
        holders = {each.holder: each for each in self._catalogue.holders()}
        sides = {side: checked_shares(side, after[side]) for side in ("master", "publishing")}
        before = self._catalogue.shares(stem.stem)
        approving = losing(list(before.values()), [after[side] for side in before], stem.holder)
        entry = entries.Splits(
            time=self._clock.now(),
            stem=stem.stem,
            holder=stem.holder,
            master=sides["master"],
            publishing=sides["publishing"],
            signature=UNSIGNED,
        )
        signers: list[tuple[Slot, str, str]] = [
            ("signature", stem.holder, holders[stem.holder].public_key),
            *(("approval", party, holders[party].public_key) for party in sorted(approving)),
        ]
        shares = "; ".join(
            f"{side} " + ", ".join(f"{holders[share.holder].name} {percent(share.ppm)}" for share in parts)
            for side, parts in sides.items()
        )
        says = f"'{stem.title}' belongs to: {shares}"
        return SigningRequest(origin=self._origin, asked=(asked(entry, says, self._origin, signers),))

    def declaration(self, stem: Stem, entry: entries.Declaration) -> SigningRequest:
        """A stem's holder declares it anew; `entry` is not signed yet."""
        holders = {each.holder: each for each in self._catalogue.holders()}
        says = f"{holders[stem.holder].name} declares '{stem.title}' anew: {declaring(entry)}"
        return SigningRequest(origin=self._origin, asked=(self._asked(entry, says, holders[stem.holder]),))

    def checked(self, request: SigningRequest, *, received: bool) -> list[Signable]:
        """The entries as they may be written. Raises `BadRequest`, `BadDeclaration`, `BadStatement`.

        `received`: they come from elsewhere, and hold from now on, not from the time of signing.
        """
        if request.origin != self._origin:
            raise BadRequest(f"the request is for the ledger {request.origin}, and this is {self._origin}")
        if not request.asked:
            raise BadRequest("the request asks for nothing")
        keys = {each.holder: base64.b64decode(each.public_key) for each in self._catalogue.holders()}
        made = [self._checked(filled(each), request, keys, received) for each in request.asked]
        if len({(type(entry), getattr(entry, "stem", None)) for entry in made}) != len(made):
            raise BadRequest("the request makes two statements on one stem")
        return made

    def _checked(
        self, entry: Signable, request: SigningRequest, keys: Mapping[str, bytes], received: bool
    ) -> Signable:
        now = self._clock.now()
        if milliseconds_of(entry.time) > milliseconds_of(now) + MOST_AHEAD_MS:
            raise BadRequest(f"the statement's time {entry.time} is in the future: check the clocks")
        if received and isinstance(entry, entries.Consent | entries.Standing):
            entry = msgspec.structs.replace(entry, received=max(now, entry.time))
        match entry:
            case entries.Holder():
                signing.check(entry, self._origin)
                name, salt = request.name, request.name_salt
                if name is None or salt is None or signing.commitment(name, salt) != entry.name:
                    raise BadRequest("the name in the request is not the one that is signed")
                self._checked_new(entry.holder, name)
            case entries.Key():
                signing.check(entry, self._origin, _key_of(keys, entry.holder))
            case entries.Consent():
                self._checked_consent(entry, keys, now)
            case entries.Standing():
                signing.check(entry, self._origin, _key_of(keys, entry.holder))
                last = self._catalogue.last_standing(entry.holder)
                self._checked_order(entry, last, now)
            case entries.Splits():
                self._checked_splits(entry, keys)
            case entries.Declaration():
                self._checked_declaration(entry, keys)
        return entry

    def _checked_declaration(self, entry: entries.Declaration, keys: Mapping[str, bytes]) -> None:
        found = self._catalogue.title_and_holder(entry.stem)
        if found is None or found[1] != entry.holder:
            raise BadRequest(f"{entry.stem} is not {entry.holder}'s to declare")
        signing.check(entry, self._origin, _key_of(keys, entry.holder))
        if entry.previous != declarations(self._catalogue, entry.stem)[-1]:
            raise BadRequest(
                f"the declaration of '{found[0]}' is stale: it was declared anew since; ask for a new one"
            )

    def _checked_consent(self, entry: entries.Consent, keys: Mapping[str, bytes], now: str) -> None:
        found = self._catalogue.title_and_holder(entry.stem)
        if found is None:
            raise BadRequest(f"there is no stem {entry.stem} here")
        signing.check(entry, self._origin, _key_of(keys, entry.holder))
        self._may_say(entry.stem, found[0], found[1], entry.holder, entry.action)
        self._checked_order(entry, self._catalogue.last_statement(entry.stem, entry.holder), now)

    def _checked_order(self, entry: entries.Consent | entries.Standing, last: int | None, now: str) -> None:
        if self._catalogue.has_signature(entry.signature):
            raise BadRequest("this very statement is in the ledger already; a new one needs a new signature")
        if entry.action == "grant":
            if entry.previous != last:
                raise BadRequest(
                    "the statement is stale: its holder has said something else since; ask for a new one"
                )
            if entry.until is not None and entry.until <= now:
                raise BadRequest(f"the consent ended at {entry.until}, before it came in")

    def _checked_splits(self, entry: entries.Splits, keys: Mapping[str, bytes]) -> None:
        found = self._catalogue.title_and_holder(entry.stem)
        if found is None or found[1] != entry.holder:
            raise BadRequest(f"the splits of {entry.stem} are not {entry.holder}'s to set")
        signing.check(entry, self._origin, _key_of(keys, entry.holder))
        after = {"master": by_holder(entry.master), "publishing": by_holder(entry.publishing)}
        before = self._catalogue.shares(entry.stem)
        for party in after["master"].keys() | after["publishing"].keys():
            _key_of(keys, party)
        for party in sorted(losing(list(before.values()), [after[side] for side in before], entry.holder)):
            signing.check_approval(entry, party, _key_of(keys, party), self._origin)

    def _may_say(self, stem: str, title: str, owner: str, signer: str, action: str) -> None:
        if may_state(action, signer, owner, self._catalogue.shares(stem)["master"]):
            return
        if action == "grant":
            raise BadDeclaration(f"only its holder may grant '{title}'")
        raise BadDeclaration(
            f"'{title}' may be withdrawn by its holder and by those who have a master share in it"
        )

    def _checked_new(self, holder: str, name: str) -> None:
        for each in self._catalogue.holders():
            if each.name.casefold() == name.casefold() or each.holder == holder:
                raise BadDeclaration(f"there is a holder '{each.name}' already: {each.holder}")

    def _asked(self, entry: Signable, says: str, signer: Holder) -> Asked:
        return asked(entry, says, self._origin, [("signature", signer.holder, signer.public_key)])


def _public(text: str) -> bytes:
    try:
        public = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadDeclaration("a public key is 32 bytes in base64") from error
    if len(public) != 32:
        raise BadDeclaration("a public key is 32 bytes in base64")
    return public


def _key_of(keys: Mapping[str, bytes], holder: str) -> bytes:
    if holder not in keys:
        raise BadRequest(f"there is no holder {holder} here")
    return keys[holder]


def _allows(action: Action, allows: Sequence[entries.Extent]) -> tuple[entries.Extent, ...] | UnsetType:
    """What a new statement says of what it allows: a grant says it always, even if it is nothing."""
    return tuple(sorted(set(allows))) if action == "grant" else UNSET
