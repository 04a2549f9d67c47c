"""Entries for tests: plain values in every field, and `**changes` sets those that a test is about."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.entries import WHOLE_PPM, Share, ms_of
from stemloom.ledger.tlog.keys import PrivateKey

TIME = "2026-11-21T06:16:00.250Z"
SESSION = "x" + "0" * 20
NOT_SIGNED = "A" * 86 + "=="


def shares(*parts: tuple[str, int]) -> tuple[Share, ...]:
    return tuple(Share(holder=holder, ppm=ppm) for holder, ppm in parts)


def signed(entry: Any, origin: str, key: PrivateKey, slot: signing.Slot = "signature", by: str = "") -> Any:
    """The entry with the signature of a key, in the way that the vault signs."""
    signature = signing.signature_of(key, entry, origin)
    return signing.with_signature(entry, slot, by or entry.holder, signature)


def holder(
    key: PrivateKey, origin: str, name: str = "Ann", salt: str = "00" * 16, time: str = TIME
) -> entries.Holder:
    entry = entries.Holder(
        time=time,
        holder=signing.holder_id(key.public),
        name=signing.commitment(name, salt),
        public_key=base64.b64encode(key.public).decode(),
        custody="operator",
        proof=signing.UNSIGNED,
    )
    return signed(entry, origin, key, "proof")


def stem(sound: str, owner: str, **changes: Any) -> entries.Stem:
    """A recording whose samples have the hash of the text `sound`, which is its title as well."""
    pcm = hashlib.sha256(sound.encode()).hexdigest()
    fields: dict[str, Any] = {
        "time": TIME,
        "stem": "s" + pcm[:20],
        "holder": owner,
        "pcm_sha256": pcm,
        "file_sha256": pcm,
        "title": sound,
        "role": "bass",
        "shape": "loop",
        "bpm_milli": 92_000,
        "beats": 16,
        "key": None,
        "mood": (),
        "energy_milli": 500,
        "set": None,
        "isrc": None,
        "master": shares((owner, WHOLE_PPM)),
        "publishing": shares((owner, WHOLE_PPM)),
    }
    return entries.Stem(**fields | changes)


def statement(uses: Sequence[str], **changes: Any) -> dict[str, Any]:
    fields = {"time": TIME, "action": "grant", "until": None, "previous": None, "signature": NOT_SIGNED}
    return {**fields, "uses": tuple(sorted(uses)), **changes}


def consent(
    key: PrivateKey, origin: str, stem: str, uses: Sequence[str] = ("stream",), **changes: Any
) -> entries.Consent:
    """A grant of the key's holder, or what `changes` make of it."""
    fields = {"holder": signing.holder_id(key.public), "stem": stem, "origin": origin}
    return signed(entries.Consent(**statement(uses, **fields | changes)), origin, key)


def standing(
    key: PrivateKey, origin: str, uses: Sequence[str] = ("stream",), **changes: Any
) -> entries.Standing:
    """The same for stems to come."""
    fields = {"holder": signing.holder_id(key.public), "origin": origin}
    return signed(entries.Standing(**statement(uses, **fields | changes)), origin, key)


def splits(
    key: PrivateKey,
    origin: str,
    stem: str,
    owner: str,
    master: tuple[Share, ...],
    publishing: tuple[Share, ...],
    time: str = TIME,
    approving: Mapping[str, PrivateKey] | None = None,
) -> entries.Splits:
    """`approving`: the keys of those whose share falls, by holder's id."""
    fields = {"master": master, "publishing": publishing, "signature": NOT_SIGNED}
    entry = signed(entries.Splits(time=time, stem=stem, holder=owner, **fields), origin, key)  # type: ignore[arg-type]
    for party, theirs in (approving or {}).items():
        entry = signed(entry, origin, theirs, "approval", party)
    return entry


def session(state: str, placements: int | None = None, ms: int | None = None, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "time": TIME,
        "session": SESSION,
        "use": "stream",
        "tier": "free",
        "user": "cd" * 32,
        "script": "ef" * 32,
        "seed": 7,
        "vault": "01" * 32,
        "engine": "0.1.0",
        "licence": None,
        "take": None,
    }
    return entries.Session(state=state, placements=placements, ms=ms, **fields | changes)  # type: ignore[arg-type]


def placement(seq: int, stem: str, consent: int, frames: int = 48_000, **changes: Any) -> entries.Placement:
    fields: dict[str, Any] = {
        "session": SESSION,
        "use": "stream",
        "tier": "free",
        "role": "beats",
        "part": "kit",
        "section": "verse",
        "line": 3,
        "start_frame": 0,
        "rate": 48_000,
        "start": TIME,
        "ms": ms_of(frames, changes.get("rate", 48_000)),
    }
    return entries.Placement(seq=seq, stem=stem, consent=consent, frames=frames, **fields | changes)


def income(number: int, **changes: Any) -> entries.Income:
    """Of `number` + 1 micro-units: an income of nothing is no entry."""
    fields: dict[str, Any] = {"time": TIME, "source": "sync", "currency": "EUR", "period": "2026"}
    fields |= {"reference": f"no {number}"}
    return entries.Income(amount=number + 1, **fields | changes)
