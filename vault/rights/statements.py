"""How statements enter the ledger: signed with a key kept here, or checked when a holder returns them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import get_args

from ...ground.uses import USES
from ...ledger.clock import Clock
from ...ledger.entries import entries
from ...ledger.tlog.keys import PrivateKey
from ..catalogue.catalogue import Catalogue
from ..catalogue.find_by_name import find_holder
from ..catalogue.store import Store
from ..errors import BadDeclaration, BadRequest, KeyNotHere
from ..records import Holder, Stem
from .asking import Asking
from .changes import Changes
from .requests import SigningRequest

EXTENTS: tuple[entries.Extent, ...] = get_args(entries.Extent)
"""What a grant may allow, sorted."""
Allow = Sequence[str] | None
"""What a holder says that a grant allows; None if nothing is said of it."""


class Statements:
    """Makes, signs and enters the statements of holders. `asking`: makes them; `changes`: enters them.

    Call its methods while `changes` are `alone`.
    """

    def __init__(
        self, home: Path, asking: Asking, changes: Changes, store: Store, catalogue: Catalogue, clock: Clock
    ) -> None:
        self._keys = home / "keys"
        self._clock = clock
        self._asking = asking
        self._changes = changes
        self._store = store
        self._catalogue = catalogue

    def enter(self, request: SigningRequest, *, received: bool) -> tuple[int, ...]:
        """Check a signed request and write its entries; their indices. See `Asking.checked`."""
        made = self._asking.checked(request, received=received)
        for entry in made:
            if isinstance(entry, entries.Holder):
                self.keep_name(request, entry.holder)
        return tuple(self._changes.sequence(made))

    def sign_and_enter(self, request: SigningRequest) -> tuple[int, ...]:
        """Sign a request with keys that are kept here, and enter it. Raises `KeyNotHere`."""
        for holder in sorted({each.holder for each in request.missing}):
            request = request.signed(self.key(self._holder(holder)))
        return self.enter(request, received=False)

    def signed_here(self, request: SigningRequest) -> SigningRequest:
        """The request with the signatures that keys kept here can give."""
        for holder in sorted({each.holder for each in request.missing}):
            with suppress(KeyNotHere, BadRequest):
                request = request.signed(self.key(self._holder(holder)))
        return request

    def keep_name(self, request: SigningRequest, holder: str) -> None:
        """Keep the name of a holder who joins."""
        assert request.name is not None
        assert request.name_salt is not None
        self._store.keep_name(holder, request.name, request.name_salt)
        self._catalogue.name_holder(holder, request.name, request.name_salt)

    def checked_terms(
        self, uses: Sequence[str], until: str | None, action: str, allow: Allow
    ) -> tuple[tuple[entries.Use, ...], tuple[entries.Extent, ...]]:
        """The uses and what is allowed, in the order of entries. Raises `BadDeclaration`."""
        unknown = [use for use in uses if use not in USES]
        if unknown:
            raise BadDeclaration(f"'{unknown[0]}' is not a use; there are {', '.join(USES)}")
        if not uses:
            raise BadDeclaration(f"say at least one use of {', '.join(USES)}")
        if until is not None and until <= self._clock.now():
            raise BadDeclaration(f"a consent until {until} would be over before it began")
        known: tuple[entries.Use, ...] = ("export", "live", "stream", "sync")
        return tuple(use for use in known if use in uses), _checked_extent(action, allow)

    def splits(
        self, stem: Stem, master: Mapping[str, int] | None, publishing: Mapping[str, int] | None
    ) -> SigningRequest:
        """New splits of a stem, by holders' ids or names; a side that is `None` stays as it is."""
        holders = self._catalogue.holders()
        sides: dict[str, Mapping[str, int]] = {**self._catalogue.shares(stem.stem)}
        for side, given in (("master", master), ("publishing", publishing)):
            if given is not None:
                by_id = {find_holder(holders, name).holder: ppm for name, ppm in given.items()}
                if len(by_id) != len(given):
                    raise BadDeclaration(f"a holder is named twice among the {side} shares")
                sides[side] = by_id
        return self._asking.splits(stem, sides)

    def check_approved(self, request: SigningRequest, approving: Set[str]) -> None:
        """Raise `BadDeclaration` if a holder who is not among `approving` must sign."""
        losing = {each.holder for each in request.missing} - approving
        if losing:
            names = ", ".join(sorted(self._holder(holder).name for holder in losing))
            raise BadDeclaration(
                f"the share of {names} would fall, which needs their own signature: say --approve for "
                "each whose key is kept here, or have it signed elsewhere with --request"
            )

    def key(self, holder: Holder) -> PrivateKey:
        """The key of a holder that is in force; older keys lie beside it. Raises `KeyNotHere`."""
        for path in sorted(self._keys.glob(f"{holder.holder}*.key")):
            key = PrivateKey.load(path)
            if base64.b64encode(key.public).decode() == holder.public_key:
                return key
        raise KeyNotHere(
            f"the key of {holder.name} is not kept here; have it signed elsewhere: "
            "'stemloom vault consent request', then 'submit'"
        )

    def _holder(self, holder: str) -> Holder:
        return find_holder(self._catalogue.holders(), holder)


def _checked_extent(action: str, allow: Allow) -> tuple[entries.Extent, ...]:
    """What a statement allows; of a grant that says nothing of it, to stretch. Raises `BadDeclaration`."""
    if action == "withdraw":
        if allow is not None:
            raise BadDeclaration("a withdrawal allows nothing: say what is allowed when you grant")
        return ()
    wanted = ("stretch",) if allow is None else allow
    unknown = [word for word in wanted if word not in EXTENTS]
    if unknown:
        raise BadDeclaration(f"'{unknown[0]}' cannot be allowed; there are {', '.join(EXTENTS)}")
    return tuple(word for word in EXTENTS if word in wanted)
