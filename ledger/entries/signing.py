"""What holders sign, as bytes, and the commitments that keep their names out of the log.

A signed message is a first line that names its kind, then canonical JSON: the log's origin and the fields
that `FORMS` lists. As it names the origin, a statement made for one log says nothing in another.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from ..errors import BadStatement
from ..tlog import keys
from ..tlog.keys import PrivateKey
from ..tlog.note import decode_base64
from .canonical import dumps, encode
from .entries import WHOLE_PPM, Approval, Consent, Declaration, Holder, Key, Share, Splits, Standing

Signable = Holder | Key | Consent | Standing | Splits | Declaration
Slot = Literal["signature", "proof", "approval"]
"""For a signature by the holder's key in force, by the new key in the entry, by a party whose share falls."""
UNSIGNED = base64.b64encode(bytes(64)).decode()
"""The value of a slot that is not signed yet."""

_Kind = TypeVar("_Kind", bound=Signable)


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of statement is signed."""

    first_line: str
    fields: tuple[str, ...]
    """What is signed after the origin, in this order; a field that the entry leaves out is not."""
    slots: Mapping[Slot, str]
    """The signatures that each statement of the kind has, and the error when one fails; `0` is the entry."""


FORMS: Mapping[type, Form] = {
    Holder: Form(
        "stemloom holder v1",
        ("holder", "name", "public_key", "custody", "time"),
        {"proof": "the proof that {0.holder} has the private key fails"},
    ),
    Key: Form(
        "stemloom key v1",
        ("holder", "public_key", "custody", "replaced", "time"),
        {
            "signature": "the signature of {0.holder}'s old key under the new one fails",
            "proof": "the proof that {0.holder} has the new private key fails",
        },
    ),
    Consent: Form(
        "stemloom consent v1",
        ("holder", "stem", "uses", "action", "until", "time", "previous", "allows"),
        {"signature": "the signature of {0.holder} under a consent for {0.stem} fails"},
    ),
    Standing: Form(
        "stemloom standing v1",
        ("holder", "uses", "action", "until", "time", "previous", "allows"),
        {"signature": "the signature of {0.holder} under a standing consent of {0.holder} fails"},
    ),
    Splits: Form(
        "stemloom splits v1",
        ("holder", "stem", "master", "publishing", "time"),
        {"signature": "the signature of {0.holder} under the splits of {0.stem} fails"},
    ),
    Declaration: Form(
        "stemloom declaration v1",
        (
            "holder",
            "stem",
            "title",
            "role",
            "shape",
            "bpm_milli",
            "beats",
            "key",
            "mood",
            "isrc",
            "iswc",
            "meter",
            "lead_frames",
            "tail",
            "time",
            "previous",
        ),
        {"signature": "the signature of {0.holder} under a declaration of {0.stem} fails"},
    ),
}
"""By kind, what is signed. The log's origin comes before the fields of each."""


def holder_id(public: bytes) -> str:
    """The id of the holder with that public key."""
    return "h" + hashlib.sha256(public).hexdigest()[:20]


def new_salt() -> str:
    """128 random bits in hex: enough that a name cannot be guessed from its commitment."""
    return secrets.token_hex(16)


def commitment(text: str, salt: str) -> str:
    """SHA-256 hex that commits to `text` and reveals nothing of it to those who do not have `salt`.

    Over `stemloom commitment v1`, the salt and the text, each followed by a newline; the salt is hex.
    """
    bytes.fromhex(salt)
    return hashlib.sha256(f"stemloom commitment v1\n{salt}\n{text}\n".encode()).hexdigest()


def message_of(entry: Signable, origin: str) -> bytes:
    """The bytes that are signed for an entry of the log `origin`, whatever signatures it has."""
    form = FORMS[type(entry)]
    # A consent has its own origin, which `check` compares.
    signed = {"origin": getattr(entry, "origin", origin)}
    said = {field: getattr(entry, field) for field in form.fields}
    signed |= {field: value for field, value in said.items() if value is not msgspec.UNSET}
    return f"{form.first_line}\n".encode() + dumps(signed)


def signature_of(key: PrivateKey, entry: Signable, origin: str) -> str:
    """The signature of `key` over the entry's message, base64."""
    return base64.b64encode(key.sign(message_of(entry, origin))).decode()


def unsigned(entry: _Kind) -> _Kind:
    """The entry as it is before anybody signs it or takes it in."""
    changes: dict[str, object] = dict.fromkeys(FORMS[type(entry)].slots, UNSIGNED)
    changes |= {name: msgspec.UNSET for name in ("approvals", "received") if hasattr(entry, name)}
    return msgspec.structs.replace(entry, **changes)


def with_signature(entry: _Kind, slot: Slot, holder: str, signature: str) -> _Kind:
    """The entry with a signature of `holder` in a slot; unchanged if its kind does not have that slot."""
    if slot == "approval" and isinstance(entry, Splits):
        others = [each for each in _approvals(entry) if each.holder != holder]
        every = sorted(
            [*others, Approval(holder=holder, signature=signature)], key=lambda approval: approval.holder
        )
        return msgspec.structs.replace(entry, approvals=tuple(every))
    if slot not in FORMS[type(entry)].slots:
        return entry
    return msgspec.structs.replace(entry, **{slot: signature})


def public_key_of(entry: Holder | Key) -> bytes:
    """The public key in a holder's entry, or the new one in a key's, 32 bytes. Raises BadStatement."""
    try:
        public = decode_base64(entry.public_key)
    except ValueError as error:
        raise BadStatement(f"the public key of {entry.holder} cannot be read: {error}") from error
    if len(public) != 32:
        raise BadStatement(f"the public key of {entry.holder} is not an Ed25519 key")
    return public


def check(entry: Signable, origin: str, public: bytes = b"") -> None:
    """Raise BadStatement unless an entry is well formed, of this log, and signed; approvals are not checked.

    `public`: the holder's key in force; a holder who joins has none.
    """
    new = b""
    match entry:
        case Holder():
            new = public_key_of(entry)
            if holder_id(new) != entry.holder:
                raise BadStatement(f"the id {entry.holder} does not follow from the holder's public key")
        case Key():
            new = public_key_of(entry)
            if entry.replaced != base64.b64encode(public).decode():
                raise BadStatement(f"a key of {entry.holder} replaces another key than the one in force")
            if entry.replaced == entry.public_key:
                raise BadStatement(f"a key of {entry.holder} replaces itself")
        case Splits():
            check_shares("master", entry.master)
            check_shares("publishing", entry.publishing)
        case Declaration():
            _check_declaration(entry)
        case Consent():
            _check_consent(entry, f"a consent for {entry.stem}", origin)
        case Standing():
            _check_consent(entry, f"a standing consent of {entry.holder}", origin)
    message = message_of(entry, origin)
    for slot, fails in FORMS[type(entry)].slots.items():
        if not _signed(new if slot == "proof" else public, message, getattr(entry, slot)):
            raise BadStatement(fails.format(entry))
    encode(entry)


def _check_declaration(entry: Declaration) -> None:
    timed = entry.shape in ("loop", "song")
    if timed != (entry.bpm_milli is not None) or timed != (entry.beats is not None):
        has = "without a tempo and beats" if timed else "with a tempo or beats"
        raise BadStatement(f"{entry.stem} is declared a {entry.shape} {has}")
    if list(entry.mood) != sorted(set(entry.mood)):
        raise BadStatement(f"the moods declared of {entry.stem} are repeated or not sorted")


def _check_consent(entry: Consent | Standing, name: str, origin: str) -> None:
    if not entry.uses or list(entry.uses) != sorted(set(entry.uses)):
        raise BadStatement(f"the uses of {name} are empty, repeated or not sorted")
    if not isinstance(entry.allows, msgspec.UnsetType):
        if list(entry.allows) != sorted(set(entry.allows)):
            raise BadStatement(f"what {name} allows is repeated or not sorted")
        if entry.action == "withdraw":
            raise BadStatement(f"the withdrawal of {name} allows something, which only a grant can")
    if entry.origin != origin:
        raise BadStatement(f"{name} was made for the log {entry.origin}, not {origin}")
    if entry.until is not None and entry.action == "withdraw":
        raise BadStatement(f"the withdrawal of {name} has an end, which only a grant can have")
    if entry.until is not None and entry.until <= entry.time:
        raise BadStatement(f"{name} ends at {entry.until}, before it begins")
    if entry.since < entry.time:
        raise BadStatement(f"{name} was received at {entry.since}, before it was signed")


def check_shares(side: str, shares: Sequence[Share]) -> None:
    """Raise BadStatement unless `shares` name each party once and make a whole."""
    names = [share.holder for share in shares]
    if len(set(names)) != len(names):
        raise BadStatement(f"the {side} shares name a holder twice")
    total = sum(share.ppm for share in shares)
    if total != WHOLE_PPM:
        raise BadStatement(f"the {side} shares sum to {total} parts per million, not {WHOLE_PPM}")


def check_approval(entry: Splits, party: str, public: bytes, origin: str) -> None:
    """Raise BadStatement unless `party` signed the splits, with the key of `public`."""
    signature = next((each.signature for each in _approvals(entry) if each.holder == party), None)
    if signature is None or not _signed(public, message_of(entry, origin), signature):
        raise BadStatement(f"the share of {party} in {entry.stem} falls without their signature")


def _approvals(entry: Splits) -> tuple[Approval, ...]:
    return () if isinstance(entry.approvals, msgspec.UnsetType) else entry.approvals


def _signed(public: bytes, message: bytes, signature: str) -> bool:
    try:
        data = decode_base64(signature)
    except ValueError:
        return False
    return keys.verify(public, message, data)
