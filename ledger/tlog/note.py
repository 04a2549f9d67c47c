"""Signed notes (C2SP signed-note): a text and, below a blank line, signatures over it.

    text, which ends with a newline
    <empty line>
    U+2014 <key name> <base64(key id || signature)>
    ...

    key id = SHA-256(name || 0x0A || type || public key)[:4]
    vkey   = <name>+<key id, 8 hex digits>+<base64(type || public key)>

    type 0x01   Ed25519: the signature is over the text
    type 0x04   cosignature/v1 (C2SP tlog-cosignature), by a witness: the signature is
                uint64 big-endian time || Ed25519 over "cosignature/v1\\ntime <unix seconds>\\n" || text

Parsing is strict: only LF ends a line, base64 must re-encode to itself, control characters are refused.
`open_note(sign_note(text, signer), [verifier])` gives `text` back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadNote, BadVkey
from . import keys

ED25519 = 0x01
"""The type of a log's key."""
COSIGNATURE = 0x04
"""The type of a witness's key."""
MOST_SIGNATURES = 100
"""In a note."""
LARGEST_NOTE = 1_000_000
"""Bytes. Nobody signs a larger note."""
_LATEST = 2**63 - 1
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_OWNERS = {ED25519: "a log", COSIGNATURE: "a witness"}


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name under which it signs."""

    name: str
    public: bytes
    type: int = ED25519

    @property
    def key_id(self) -> bytes:
        """Four bytes that identify a signature's key; they prove nothing."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._typed).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._typed).decode()}"

    @property
    def _typed(self) -> bytes:
        return bytes([self.type]) + self.public


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature of a known key."""

    signer: Verifier
    time: int | None
    """Unix seconds, by a witness's own clock; None for a log's signature."""
    line: str
    """The line in the note."""


@dataclass(frozen=True, slots=True)
class Note:
    """A note and its signatures of known keys, all of them verified."""

    text: str
    signatures: tuple[Signature, ...]
    unknown: int
    """The number of signatures of unknown keys in the note."""


def parse_vkey(text: str, type: int = ED25519) -> Verifier:
    """The key of a verifier key's text, which must be of `type`. Raises BadVkey."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise BadVkey(f"{text!r} is not a verifier key: it has the form NAME+KEYID+KEY")
    name, key_id, coded = parts
    if not may_be_name(name):
        raise BadVkey(f"{text!r} is not a verifier key: its name is empty or has a space in it")
    try:
        key = decode_base64(coded)
    except ValueError as error:
        raise BadVkey(f"{text!r} is not a verifier key: {error}") from error
    if len(key) != 33 or key[0] not in _OWNERS:
        raise BadVkey(f"{text!r} is not an Ed25519 verifier key")
    if key[0] != type:
        raise BadVkey(
            f"{text!r} is the verifier key of {_OWNERS[key[0]]}, and that of {_OWNERS[type]} is needed here"
        )
    verifier = Verifier(name, key[1:], type)
    if key_id != verifier.key_id.hex():
        raise BadVkey(
            f"{text!r} is not a verifier key: its key id is {verifier.key_id.hex()} by the key itself; "
            "was a part of it mistyped?"
        )
    return verifier


def sign_note(text: str, name: str, key: keys.PrivateKey) -> bytes:
    """The note of `text` with one signature. ValueError for an invalid text or name."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise ValueError("the text of a note ends with a newline and has no other control character")
    if not may_be_name(name):
        raise ValueError(f"{name!r} cannot name a key: it is empty, or has a space or a plus in it")
    signature = Verifier(name, key.public).key_id + key.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n".encode()


def open_note(data: bytes, known: Sequence[Verifier]) -> Note:
    """The note in `data`, if a key of `known` signed it. Raises BadNote.

    Signatures of unknown keys are ignored. One invalid signature of a known key refuses the whole note.
    """
    note = read_note(data, known)
    if not note.signatures:
        raise BadNote("the note has no signature of a key that is known here")
    return note


def read_note(data: bytes, known: Sequence[Verifier]) -> Note:
    """As `open_note`, but the note may lack a signature of `known`."""
    text, lines = split_note(data)
    signatures: list[Signature] = []
    unknown = 0
    for line in lines:
        name, key_id, signature = split_line(line)
        signer = next((each for each in known if each.name == name and each.key_id == key_id), None)
        if signer is None:
            unknown += 1
            continue
        time = _time_of(signer, text, signature)
        if any(signer == each.signer for each in signatures):
            raise BadNote(f"the note carries two signatures of {name}")
        signatures.append(Signature(signer, time, line))
    return Note(text, tuple(signatures), unknown)


def split_note(data: bytes) -> tuple[str, list[str]]:
    """The text of a note and its signature lines, unverified. Raises BadNote."""
    if len(data) > LARGEST_NOTE:
        raise BadNote("the note is too large")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadNote(f"the note is not UTF-8 at byte {error.start}") from error
    control = _CONTROL.search(whole)
    if control:
        raise BadNote(f"the note has a control character at character {control.start()}")
    end = whole.rfind("\n\n")
    if end < 0 or not whole.endswith("\n") or end + 2 == len(whole):
        raise BadNote("the note is cut short: it has no signature below a blank line")
    lines = whole[end + 2 : -1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote(f"the note has more than {MOST_SIGNATURES} signatures")
    return whole[: end + 1], lines


def split_line(line: str) -> tuple[str, bytes, bytes]:
    """The name, the key id and the signature of a signature line. Raises BadNote."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not may_be_name(parts[1]):
        raise BadNote("a signature line of the note is not of the form '— NAME BASE64'")
    try:
        signature = decode_base64(parts[2])
    except ValueError as error:
        raise BadNote(f"the signature of {parts[1]} cannot be read: {error}") from error
    if len(signature) < 5:
        raise BadNote(f"the signature of {parts[1]} is too short")
    return parts[1], signature[:4], signature[4:]


def cosigned_message(time: int, text: str) -> bytes:
    """The message that a witness signs for a note's `text` at `time` (Unix seconds)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _time_of(signer: Verifier, text: str, signature: bytes) -> int | None:
    """A witness's time of signing, None for another key. Raises BadNote for an invalid signature."""
    time: int | None = None
    message = text.encode()
    if signer.type == COSIGNATURE:
        if len(signature) != 8 + 64:
            raise BadNote(f"the cosignature of {signer.name} is not a time and an Ed25519 signature")
        time = int.from_bytes(signature[:8], "big")
        if time > _LATEST:
            raise BadNote(f"the cosignature of {signer.name} has an invalid time")
        message, signature = cosigned_message(time, text), signature[8:]
    if not keys.verify(signer.public, message, signature):
        raise BadNote(f"the signature of {signer.name} does not fit the text above it")
    return time


def decode_base64(text: str) -> bytes:
    """The bytes of standard base64. ValueError if encoding them does not give `text` again."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError(f"{text!r} is not the one base64 form of its bytes")
    return data


def may_be_name(text: str) -> bool:
    """Whether a key can have that name."""
    return bool(text) and "+" not in text and not any(c.isspace() for c in text) and not _CONTROL.search(text)
