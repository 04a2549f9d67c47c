"""Cosignatures (C2SP tlog-cosignature, cosignature/v1): what witnesses sign below a log's checkpoint.

    — <log> <signature>
    — <witness> base64(key id || uint64 big-endian time || Ed25519 signature)
    ...

A cosignature says that at its time the checkpoint's tree was the largest of the log that the witness had
seen, and that it extended all trees that the witness had seen before. This module makes and merges
cosignatures; `note.py` verifies them.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadNote
from .keys import PrivateKey
from .note import (
    COSIGNATURE,
    MOST_SIGNATURES,
    Verifier,
    cosigned_message,
    parse_vkey,
    read_note,
    split_line,
    split_note,
)

_LENGTH = 8 + 64


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature."""

    witness: Verifier
    time: int
    """Unix seconds, by the witness's own clock."""
    line: str
    """Its line in the note."""


def witness_key(name: str, public: bytes) -> Verifier:
    """The key `public` of the witness `name`."""
    return Verifier(name, public, COSIGNATURE)


def parse_witness_vkey(text: str) -> Verifier:
    """The key of a witness's verifier key. Raises BadVkey, also for a log's."""
    return parse_vkey(text, COSIGNATURE)


def cosign(text: str, name: str, key: PrivateKey, time: int) -> str:
    """The line with which the witness `name` signs a checkpoint's `text` at `time` (Unix seconds)."""
    signature = time.to_bytes(8, "big") + key.sign(cosigned_message(time, text))
    coded = base64.b64encode(witness_key(name, key.public).key_id + signature).decode()
    return f"— {name} {coded}"


def cosignatures_of(note: bytes, witnesses: Sequence[Verifier]) -> tuple[Cosignature, ...]:
    """The cosignatures of `witnesses` in the order of the note, perhaps none. Raises BadNote.

    Signatures of others, the log's among them, are ignored. One invalid cosignature of `witnesses` refuses
    the whole note.
    """
    return tuple(
        Cosignature(each.signer, each.time, each.line)
        for each in read_note(note, witnesses).signatures
        if each.time is not None
    )


def add_cosignatures(note: bytes, lines: Sequence[str]) -> bytes:
    """The note with cosignature `lines` below its own. Raises BadNote.

    A key keeps one line, that of the latest time, in the place of its first. No signature is verified.
    """
    text, kept = split_note(note)
    # The place of each key's line.
    places = {split_line(line)[:2]: place for place, line in enumerate(kept)}
    for line in lines:
        name, key_id, signature = split_line(line)
        if len(signature) != _LENGTH:
            raise BadNote(f"the signature of {name} is not a cosignature, and nothing else can be added")
        place = places.setdefault((name, key_id), len(kept))
        if place == len(kept):
            kept.append(line)
        elif _time_of(kept[place]) < _time_of(line):
            kept[place] = line
    if len(kept) > MOST_SIGNATURES:
        raise BadNote(f"the note would have more than {MOST_SIGNATURES} signatures")
    return "\n".join([text, *kept, ""]).encode()


def _time_of(line: str) -> int:
    """The time in a cosignature's line; for any other line a time later than all."""
    signature = split_line(line)[2]
    return int.from_bytes(signature[:8], "big") if len(signature) == _LENGTH else 2**64
