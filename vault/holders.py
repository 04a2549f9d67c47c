"""The vault's front for holders: their names, keys and identifiers."""

from __future__ import annotations

from base64 import b64encode

from ..ledger.tlog.keys import PrivateKey
from .catalogue.catalogue import Catalogue
from .catalogue.find_by_name import find_holder
from .catalogue.store import Store
from .errors import BadDeclaration
from .records import Holder, Identifiers
from .rights.asking import Asking
from .rights.changes import Changes
from .rights.requests import SigningRequest
from .rights.statements import Statements
from .sound import standard_codes
from .sound.declared import holder_name


class Holders:
    """The part of an open vault that is about holders; `Vault` sets its fields."""

    _asking: Asking
    _catalogue: Catalogue
    _changes: Changes
    _statements: Statements
    _store: Store

    def add_holder(self, name: str) -> Holder:
        """Register a holder, with a new key in HOME/keys. Raises `BadDeclaration` for a taken name."""
        key = PrivateKey.generate()
        with self._changes.alone():
            public = b64encode(key.public).decode()
            request = self._asking.holder(holder_name(name), public, "operator")
            holder = request.asked[0].entry.holder
            self._statements.keep_name(request, holder)
            key.save(self._changes.key_path(holder))
            self._changes.sequence(self._asking.checked(request.signed(key), received=False))
        return self.holder(holder)

    def request_holder(self, name: str, public_key: str) -> SigningRequest:
        """A request to join with a key that the holder keeps themselves, base64."""
        with self._changes.alone():
            return self._asking.holder(holder_name(name), public_key, "self")

    def erase_name(self, holder: str) -> Holder:
        """Destroy a holder's name and the salt of its commitment: from then on they are shown by their id.

        Their keys, stems, consents and balance stay. Statements that were given out still prove the name to
        those who have one. Raises `UnknownHolder`.
        """
        found = self.holder(holder)
        with self._changes.alone():
            self._store.erase_name(found.holder)
            self._catalogue.erase_name(found.holder)
        return self.holder(found.holder)

    def keep_identifiers(
        self, holder: str, *, isni: str | None = None, ipi: str | None = None
    ) -> Identifiers:
        """Set the identifiers of a holder, which are kept beside the name; an empty text removes one.

        An identifier that is left out stays. Raises `UnknownHolder`; `BadDeclaration` for a number that is
        not valid, or if the holder's name was erased.
        """
        found = self.holder(holder)
        if not found.name_salt:
            raise BadDeclaration(f"the name of {found.holder} was erased, so nothing is kept of them")
        known = self.identifiers(found.holder)
        made = Identifiers(
            known.isni if isni is None else standard_codes.isni(isni) if isni else None,
            known.ipi if ipi is None else standard_codes.ipi(ipi) if ipi else None,
        )
        with self._changes.alone():
            self._store.keep_identifiers(found.holder, found.name, found.name_salt, made.isni, made.ipi)
        return made

    def identifiers(self, holder: str) -> Identifiers:
        """The identifiers of a holder (full id), as far as they are known."""
        return Identifiers(*self._store.identifiers(holder))

    def replace_key(self, holder: str) -> Holder:
        """Give a holder whose key is kept here a new one. Raises `UnknownHolder`, `KeyNotHere`."""
        found = self.holder(holder)
        old, new = self._statements.key(found), PrivateKey.generate()
        with self._changes.alone():
            public = b64encode(new.public).decode()
            request = self._asking.key(found, public, "operator").signed(old).signed(new)
            # Kept before it is in force; whichever file has the key in force is the one that is used.
            new.save(self._changes.key_path(f"{found.holder}.{new.public.hex()[:8]}"))
            self._changes.sequence(self._asking.checked(request, received=False))
        return self.holder(found.holder)

    def request_key(self, holder: str, public_key: str) -> SigningRequest:
        """A request to replace a holder's key by one that they keep themselves."""
        with self._changes.alone():
            return self._statements.signed_here(self._asking.key(self.holder(holder), public_key, "self"))

    def holders(self) -> tuple[Holder, ...]:
        """All holders, by name."""
        return self._catalogue.holders()

    def holder(self, text: str) -> Holder:
        """The holder of that id, start of an id or name. Raises `UnknownHolder`."""
        return find_holder(self.holders(), text)
