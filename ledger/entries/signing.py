"""What holders sign, as bytes, and the commitments that keep their names out of the log.

A signed message is a first line that names its kind, then canonical JSON. It names the log's origin, so that
a statement made for one log says nothing in another. `check_*(make_*(...))` holds.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ..errors import BadStatement
from ..tlog import keys
from ..tlog.keys import PrivateKey
from ..tlog.note import decode_base64
from .canonical import dumps, encode
from .entries import WHOLE_PPM, Approval, Consent, Holder, Key, Share, Splits, Standing, Use

__all__ = [
    "check_approval",
    "check_consent",
    "check_holder",
    "check_key",
    "check_shares",
    "check_splits",
    "check_standing",
    "commitment",
    "consent_message",
    "holder_id",
    "holder_message",
    "key_message",
    "make_consent",
    "make_holder",
    "make_key",
    "make_splits",
    "make_standing",
    "message_of",
    "new_salt",
    "public_key_of",
    "splits_message",
    "standing_message",
]

_UNSIGNED = base64.b64encode(bytes(64)).decode()


class _HolderStatement(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    holder: str
    name: str
    public_key: str
    custody: str
    time: str


class _ConsentStatement(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    holder: str
    stem: str
    uses: tuple[str, ...]
    action: str
    until: str | None
    time: str
    previous: int | None


class _KeyStatement(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    holder: str
    public_key: str
    custody: str
    replaced: str
    time: str


class _StandingStatement(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    holder: str
    uses: tuple[str, ...]
    action: str
    until: str | None
    time: str
    previous: int | None


class _SplitsStatement(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    holder: str
    stem: str
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]
    time: str


def holder_id(public: bytes) -> str:
    """The id of the holder with that public key."""
    return "h" + hashlib.sha256(public).hexdigest()[:20]


def new_salt() -> str:
    """128 random bits in hex: enough that a name cannot be guessed from its commitment."""
    return secrets.token_hex(16)


def commitment(text: str, salt: str) -> str:
    """SHA-256 hex that binds to `text` and tells nothing of it to those who do not have `salt`.

    Over `stemloom commitment v1`, the salt and the text, each followed by a newline; the salt is hex.
    """
    bytes.fromhex(salt)
    return hashlib.sha256(f"stemloom commitment v1\n{salt}\n{text}\n".encode()).hexdigest()


def holder_message(*, origin: str, holder: str, name: str, public_key: str, custody: str, time: str) -> bytes:
    """What a holder signs to join; `name` is a commitment, `public_key` base64."""
    return b"stemloom holder v1\n" + dumps(
        _HolderStatement(
            origin=origin, holder=holder, name=name, public_key=public_key, custody=custody, time=time
        )
    )


def consent_message(
    *,
    origin: str,
    holder: str,
    stem: str,
    uses: Sequence[str],
    action: str,
    until: str | None,
    time: str,
    previous: int | None,
) -> bytes:
    """What a holder signs to grant or withdraw; `uses` sorted, `previous` their last one on the stem."""
    return b"stemloom consent v1\n" + dumps(
        _ConsentStatement(
            origin=origin,
            holder=holder,
            stem=stem,
            uses=tuple(uses),
            action=action,
            until=until,
            time=time,
            previous=previous,
        )
    )


def key_message(
    *, origin: str, holder: str, public_key: str, custody: str, replaced: str, time: str
) -> bytes:
    """What a holder signs, with the old key and the new, to have the new one in its place; keys base64."""
    return b"stemloom key v1\n" + dumps(
        _KeyStatement(
            origin=origin, holder=holder, public_key=public_key, custody=custody, replaced=replaced, time=time
        )
    )


def standing_message(
    *,
    origin: str,
    holder: str,
    uses: Sequence[str],
    action: str,
    until: str | None,
    time: str,
    previous: int | None,
) -> bytes:
    """What a holder signs for stems to come; `uses` sorted, `previous` their last such statement."""
    return b"stemloom standing v1\n" + dumps(
        _StandingStatement(
            origin=origin,
            holder=holder,
            uses=tuple(uses),
            action=action,
            until=until,
            time=time,
            previous=previous,
        )
    )


def splits_message(
    *,
    origin: str,
    holder: str,
    stem: str,
    master: Sequence[Share],
    publishing: Sequence[Share],
    time: str,
) -> bytes:
    """What a stem's holder signs to say who owns it."""
    return b"stemloom splits v1\n" + dumps(
        _SplitsStatement(
            origin=origin,
            holder=holder,
            stem=stem,
            master=tuple(master),
            publishing=tuple(publishing),
            time=time,
        )
    )


def make_holder(
    key: PrivateKey, *, origin: str, name: str, custody: Literal["self", "operator"], time: str
) -> Holder:
    """The entry by which the owner of `key` joins; `name` is a commitment."""
    public_key = base64.b64encode(key.public).decode()
    unsigned = Holder(
        time=time,
        holder=holder_id(key.public),
        name=name,
        public_key=public_key,
        custody=custody,
        proof=_UNSIGNED,
    )
    entry = msgspec.structs.replace(unsigned, proof=_sign(key, _holder_bytes(unsigned, origin)))
    check_holder(entry, origin)
    return entry


def make_consent(
    key: PrivateKey,
    *,
    origin: str,
    holder: str,
    stem: str,
    uses: Sequence[Use],
    action: Literal["grant", "withdraw"],
    until: str | None,
    time: str,
    previous: int | None,
) -> Consent:
    """A signed grant or withdrawal; `uses` in any order."""
    unsigned = Consent(
        time=time,
        origin=origin,
        holder=holder,
        stem=stem,
        uses=tuple(sorted(set(uses))),
        action=action,
        until=until,
        previous=previous,
        signature=_UNSIGNED,
    )
    entry = msgspec.structs.replace(unsigned, signature=_sign(key, _consent_bytes(unsigned)))
    check_consent(entry, key.public, origin)
    return entry


def make_key(
    old: PrivateKey,
    new: PrivateKey,
    *,
    origin: str,
    holder: str,
    custody: Literal["self", "operator"],
    time: str,
) -> Key:
    """The entry by which the key `new` takes the place of `old`."""
    unsigned = Key(
        time=time,
        holder=holder,
        public_key=base64.b64encode(new.public).decode(),
        custody=custody,
        replaced=base64.b64encode(old.public).decode(),
        signature=_UNSIGNED,
        proof=_UNSIGNED,
    )
    message = message_of(unsigned, origin)
    entry = msgspec.structs.replace(unsigned, signature=_sign(old, message), proof=_sign(new, message))
    check_key(entry, old.public, origin)
    return entry


def make_standing(
    key: PrivateKey,
    *,
    origin: str,
    holder: str,
    uses: Sequence[Use],
    action: Literal["grant", "withdraw"],
    until: str | None,
    time: str,
    previous: int | None,
) -> Standing:
    """A signed consent for stems to come, or its end; `uses` in any order."""
    unsigned = Standing(
        time=time,
        origin=origin,
        holder=holder,
        uses=tuple(sorted(set(uses))),
        action=action,
        until=until,
        previous=previous,
        signature=_UNSIGNED,
    )
    entry = msgspec.structs.replace(unsigned, signature=_sign(key, message_of(unsigned, origin)))
    check_standing(entry, key.public, origin)
    return entry


def make_splits(
    key: PrivateKey,
    *,
    origin: str,
    stem: str,
    holder: str,
    master: Sequence[Share],
    publishing: Sequence[Share],
    time: str,
    approving: Mapping[str, PrivateKey] | None = None,
) -> Splits:
    """The signed division of a stem between its owners, from `time` on.

    `approving`: the keys of those whose share falls, by holder's id.
    """
    unsigned = Splits(
        time=time,
        stem=stem,
        holder=holder,
        master=tuple(master),
        publishing=tuple(publishing),
        signature=_UNSIGNED,
    )
    message = _splits_bytes(unsigned, origin)
    approvals = (
        tuple(
            Approval(holder=party, signature=_sign(approving[party], message))
            for party in sorted(approving or ())
        )
        if approving
        else msgspec.UNSET
    )
    entry = msgspec.structs.replace(unsigned, signature=_sign(key, message), approvals=approvals)
    check_splits(entry, key.public, origin)
    return entry


def message_of(entry: Holder | Key | Consent | Standing | Splits, origin: str) -> bytes:
    """The bytes that are signed for an entry, whatever signatures it has."""
    match entry:
        case Holder():
            return _holder_bytes(entry, origin)
        case Consent():
            return _consent_bytes(entry)
        case Splits():
            return _splits_bytes(entry, origin)
        case Key():
            return key_message(
                origin=origin,
                holder=entry.holder,
                public_key=entry.public_key,
                custody=entry.custody,
                replaced=entry.replaced,
                time=entry.time,
            )
        case Standing():
            return standing_message(
                origin=entry.origin,
                holder=entry.holder,
                uses=entry.uses,
                action=entry.action,
                until=entry.until,
                time=entry.time,
                previous=entry.previous,
            )


def public_key_of(entry: Holder | Key) -> bytes:
    """The public key in a holder's entry, or the new one in a key's, 32 bytes. Raises BadStatement."""
    try:
        public = decode_base64(entry.public_key)
    except ValueError as error:
        raise BadStatement(f"the public key of {entry.holder} cannot be read: {error}") from error
    if len(public) != 32:
        raise BadStatement(f"the public key of {entry.holder} is not an Ed25519 key")
    return public


def check_holder(entry: Holder, origin: str) -> None:
    """Raise BadStatement unless the id follows from the key and the key signed the registration."""
    public = public_key_of(entry)
    if holder_id(public) != entry.holder:
        raise BadStatement(f"the id {entry.holder} does not follow from the holder's public key")
    if not _signed(public, _holder_bytes(entry, origin), entry.proof):
        raise BadStatement(f"the proof that {entry.holder} has the private key fails")
    encode(entry)


def check_key(entry: Key, public: bytes, origin: str) -> None:
    """Raise BadStatement unless the key of `public` and the new one both signed the replacement."""
    new = public_key_of(entry)
    if entry.replaced != base64.b64encode(public).decode():
        raise BadStatement(f"a key of {entry.holder} takes the place of another than the one in force")
    if entry.replaced == entry.public_key:
        raise BadStatement(f"a key of {entry.holder} takes its own place")
    message = message_of(entry, origin)
    if not _signed(public, message, entry.signature):
        raise BadStatement(f"the signature of {entry.holder}'s old key under the new one fails")
    if not _signed(new, message, entry.proof):
        raise BadStatement(f"the proof that {entry.holder} has the new private key fails")
    encode(entry)


def check_consent(entry: Consent, public: bytes, origin: str) -> None:
    """Raise BadStatement unless `entry` is well formed, of this log, and signed with the key of `public`."""
    _check_words(entry, f"a consent for {entry.stem}", public, origin)


def check_standing(entry: Standing, public: bytes, origin: str) -> None:
    """The same for a consent for stems to come."""
    _check_words(entry, f"a standing consent of {entry.holder}", public, origin)


def _check_words(entry: Consent | Standing, what: str, public: bytes, origin: str) -> None:
    if not entry.uses or list(entry.uses) != sorted(set(entry.uses)):
        raise BadStatement(f"the uses of {what} are empty, repeated or not sorted")
    if entry.origin != origin:
        raise BadStatement(f"{what} was made for the log {entry.origin}, not {origin}")
    if entry.until is not None and entry.action == "withdraw":
        raise BadStatement(f"the withdrawal of {what} has an end, which only a grant can have")
    if entry.until is not None and entry.until <= entry.time:
        raise BadStatement(f"{what} ends at {entry.until}, before it begins")
    if entry.since < entry.time:
        raise BadStatement(f"{what} was received at {entry.since}, before it was signed")
    if not _signed(public, message_of(entry, origin), entry.signature):
        raise BadStatement(f"the signature of {entry.holder} under {what} fails")
    encode(entry)


def check_shares(side: str, shares: Sequence[Share]) -> None:
    """Raise BadStatement unless `shares` name each party once and make a whole."""
    names = [share.holder for share in shares]
    if len(set(names)) != len(names):
        raise BadStatement(f"the {side} shares name a holder twice")
    total = sum(share.ppm for share in shares)
    if total != WHOLE_PPM:
        raise BadStatement(f"the {side} shares make {total} parts per million, not {WHOLE_PPM}")


def check_splits(entry: Splits, public: bytes, origin: str) -> None:
    """Raise BadStatement unless both sides make a whole and the key of `public` signed them."""
    check_shares("master", entry.master)
    check_shares("publishing", entry.publishing)
    if not _signed(public, _splits_bytes(entry, origin), entry.signature):
        raise BadStatement(f"the signature of {entry.holder} under the splits of {entry.stem} fails")
    encode(entry)


def check_approval(entry: Splits, party: str, public: bytes, origin: str) -> None:
    """Raise BadStatement unless `party` signed the splits, with the key of `public`."""
    approvals = () if isinstance(entry.approvals, msgspec.UnsetType) else entry.approvals
    signature = next((each.signature for each in approvals if each.holder == party), None)
    if signature is None or not _signed(public, _splits_bytes(entry, origin), signature):
        raise BadStatement(f"the share of {party} in {entry.stem} falls without their signature")


def _holder_bytes(entry: Holder, origin: str) -> bytes:
    return holder_message(
        origin=origin,
        holder=entry.holder,
        name=entry.name,
        public_key=entry.public_key,
        custody=entry.custody,
        time=entry.time,
    )


def _consent_bytes(entry: Consent) -> bytes:
    return consent_message(
        origin=entry.origin,
        holder=entry.holder,
        stem=entry.stem,
        uses=entry.uses,
        action=entry.action,
        until=entry.until,
        time=entry.time,
        previous=entry.previous,
    )


def _splits_bytes(entry: Splits, origin: str) -> bytes:
    return splits_message(
        origin=origin,
        holder=entry.holder,
        stem=entry.stem,
        master=entry.master,
        publishing=entry.publishing,
        time=entry.time,
    )


def _sign(key: PrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message)).decode()


def _signed(public: bytes, message: bytes, signature: str) -> bool:
    try:
        data = decode_base64(signature)
    except ValueError:
        return False
    return keys.verify(public, message, data)
