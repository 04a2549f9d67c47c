"""Requests for signatures: files of statements that go to a holder, are signed there, and come back.

A request holds the entry as it would stand in the ledger, without signatures, and for each signature the
exact bytes that are signed, so that any tool for Ed25519 can make it. Everything is checked
again when it is entered: only the signatures are believed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Literal

import msgspec

from ...ledger.entries import signing
from ...ledger.entries.signing import Signable, Slot, message_of
from ...ledger.tlog.keys import PrivateKey, verify
from ..errors import BadRequest

MOST_BYTES = 256 << 20


class ToSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature that is needed. `public_key`: of the signer; `message`: the signed bytes; both base64."""

    slot: Slot
    holder: str
    public_key: str
    message: str
    signature: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry, and the signatures that it needs. `says`: the entry in words, for the signer."""

    says: str
    entry: Signable
    signatures: tuple[ToSign, ...]


class SigningRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of statements to be signed. `name`, `name_salt`: of a holder who joins."""

    stemloom: Literal["request v1"] = "request v1"
    origin: str
    asked: tuple[Asked, ...]
    name: str | None = None
    name_salt: str | None = None

    def encoded(self) -> bytes:
        """The bytes of the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @property
    def missing(self) -> tuple[ToSign, ...]:
        """The signatures that are still needed."""
        return tuple(each for asked in self.asked for each in asked.signatures if each.signature is None)

    def signed(self, key: PrivateKey) -> SigningRequest:
        """The request with every signature that this key can give. Raises `BadRequest` if there is none."""
        public = base64.b64encode(key.public).decode()
        if all(each.public_key != public for asked in self.asked for each in asked.signatures):
            raise BadRequest("this key is none of those that the request asks for")

        def sign(asked: Asked, each: ToSign) -> ToSign:
            if each.public_key != public:
                return each
            # The message is made from the entry: the one in the file may be forged.
            signature = signing.signature_of(key, asked.entry, self.origin)
            return msgspec.structs.replace(each, signature=signature)

        return self._with(sign)

    def with_signature(self, signature: str) -> SigningRequest:
        """The request with a signature, base64, by another tool. Raises `BadRequest` if it fits nowhere."""
        try:
            data = base64.b64decode(signature.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("a signature is 64 bytes in base64") from error
        found = 0

        def take(asked: Asked, each: ToSign) -> ToSign:
            nonlocal found
            message = message_of(asked.entry, self.origin)
            if each.signature is None and verify(base64.b64decode(each.public_key), message, data):
                found += 1
                return msgspec.structs.replace(each, signature=signature.strip())
            return each

        request = self._with(take)
        if not found:
            raise BadRequest("the signature fits none of the statements and keys of the request")
        return request

    def _with(self, change: object) -> SigningRequest:
        assert callable(change)
        asked = tuple(
            msgspec.structs.replace(each, signatures=tuple(change(each, one) for one in each.signatures))
            for each in self.asked
        )
        return msgspec.structs.replace(self, asked=asked)


def asked(entry: Signable, says: str, origin: str, signers: Sequence[tuple[Slot, str, str]]) -> Asked:
    """A statement to be signed by `signers`: slot, holder's id, public key in base64."""
    message = base64.b64encode(message_of(entry, origin)).decode()
    return Asked(
        says=says,
        entry=entry,
        signatures=tuple(
            ToSign(slot=slot, holder=holder, public_key=public, message=message)
            for slot, holder, public in signers
        ),
    )


def read_request(data: bytes) -> SigningRequest:
    """The request in a file. Raises `BadRequest`."""
    if len(data) > MOST_BYTES:
        raise BadRequest(f"a request has at most {MOST_BYTES >> 20} MB")
    try:
        return msgspec.json.decode(data, type=SigningRequest)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"this is not a request for signatures: {error}") from error


def filled(each: Asked) -> Signable:
    """The entry with its signatures. Raises `BadRequest` while one is missing."""
    entry = signing.unsigned(each.entry)
    for one in each.signatures:
        if one.signature is None:
            raise BadRequest(f"the signature of {one.holder} is missing: {each.says}")
        entry = signing.with_signature(entry, one.slot, one.holder, one.signature)
    return entry
