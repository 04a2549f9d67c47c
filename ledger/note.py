"""Signed notes (C2SP signed-note): a text and, below a blank line, signatures over it.

    text, which ends with a newline
    <empty line>
    U+2014 <key name> <base64(key id || signature)>
    ...

    key id = SHA-256(name || 0x0A || type || public key)[:4]        type 0x01 = Ed25519
    vkey   = <name>+<key id, 8 hex digits>+<base64(type || public key)>

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

from . import keys
from .errors import BadNote, BadVkey

__all__ = [
    "LARGEST_NOTE",
    "Note",
    "Verifier",
    "decode_base64",
    "open_note",
    "parse_vkey",
    "sign_note",
    "vkey_of",
]

_ED25519 = b"\x01"
_MOST_SIGNATURES = 100
LARGEST_NOTE = 1_000_000
"""Bytes. What is larger is no note that anybody signs."""
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under the name it signs with."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell a signature's key; not a proof of anything."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        key = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class Note:
    """A note of which at least one known key's signature holds; `signers` are those keys."""

    text: str
    signers: tuple[Verifier, ...]
    unknown: int
    """How many signatures of unknown keys the note carries besides."""


def vkey_of(name: str, public: bytes) -> str:
    """The verifier key of `public` under `name`."""
    return Verifier(name, public).vkey


def parse_vkey(text: str) -> Verifier:
    """The key of a verifier key's text. Raises BadVkey."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise BadVkey(f"{text!r} is not a verifier key: it has the form NAME+KEYID+KEY")
    name, key_id, coded = parts
    if not _is_name(name):
        raise BadVkey(f"{text!r} is not a verifier key: its name is empty or has a space in it")
    try:
        key = decode_base64(coded)
    except ValueError as error:
        raise BadVkey(f"{text!r} is not a verifier key: {error}") from error
    if len(key) != 33 or key[:1] != _ED25519:
        raise BadVkey(f"{text!r} is not an Ed25519 verifier key")
    verifier = Verifier(name, key[1:])
    if key_id != verifier.key_id.hex():
        raise BadVkey(
            f"{text!r} is not a verifier key: its key id is {verifier.key_id.hex()} by the key itself; "
            "was a part of it mistyped?"
        )
    return verifier


def sign_note(text: str, name: str, key: keys.PrivateKey) -> bytes:
    """The note of `text` with one signature. ValueError for a text or a name that no note can have."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise ValueError("the text of a note ends with a newline and has no other control character")
    if not _is_name(name):
        raise ValueError(f"{name!r} cannot name a key: it is empty, or has a space or a plus in it")
    signature = Verifier(name, key.public).key_id + key.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n".encode()


def open_note(data: bytes, known: Sequence[Verifier]) -> Note:
    """The note in `data`, if a key of `known` signed it. Raises BadNote.

    Signatures of unknown keys are passed over. One failing signature of a known key refuses the whole note.
    """
    if len(data) > LARGEST_NOTE:
        raise BadNote("the note is too large to be one")
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
    text, lines = whole[: end + 1], whole[end + 2 : -1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise BadNote(f"the note has more than {_MOST_SIGNATURES} signatures")
    signers: list[Verifier] = []
    unknown = 0
    for line in lines:
        name, key_id, signature = _signature(line)
        signer = next((each for each in known if each.name == name and each.key_id == key_id), None)
        if signer is None:
            unknown += 1
        elif not keys.verify(signer.public, text.encode(), signature):
            raise BadNote(f"the signature of {name} does not fit the text above it")
        elif signer in signers:
            raise BadNote(f"the note carries two signatures of {name}")
        else:
            signers.append(signer)
    if not signers:
        raise BadNote("the note has no signature of a key that is known here")
    return Note(text, tuple(signers), unknown)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_name(parts[1]):
        raise BadNote("a signature line of the note is not of the form '— NAME BASE64'")
    try:
        signature = decode_base64(parts[2])
    except ValueError as error:
        raise BadNote(f"the signature of {parts[1]} cannot be read: {error}") from error
    if len(signature) < 5:
        raise BadNote(f"the signature of {parts[1]} is too short to be one")
    return parts[1], signature[:4], signature[4:]


def decode_base64(text: str) -> bytes:
    """The bytes of standard base64. ValueError if encoding them does not give `text` again."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError(f"{text!r} is not the one base64 form of its bytes")
    return data


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(c.isspace() for c in text)
