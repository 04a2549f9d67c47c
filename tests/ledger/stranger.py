"""A verifier that a stranger wrote, from docs/ledger-format.md alone: nothing of ours is imported.

`verify(folder, vkey)` gives the number of entries, or raises Bad with what is wrong. It checks hashes, tiles,
the checkpoint, the one form of entries, sessions and sums; of signatures within entries, those of holders,
keys, consents and splits.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
SIGNED = {
    "holder": "origin holder name public_key custody time",
    "key": "origin holder public_key custody replaced time",
    "splits": "origin holder stem master publishing time",
    "consent": "origin holder stem uses action until time previous allows",
    "standing": "origin holder uses action until time previous allows",
}


class Bad(Exception):
    """The log is not as it should be."""


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962: split at the largest power of two below the number."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha(b"\x01" + root_of(hashes[:half]) + root_of(hashes[half:]))


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text)
    if base64.b64encode(data).decode() != text:
        raise Bad(f"{text} is not base64 in its one form")
    return data


def holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def number(n: int) -> str:
    text = f"{n % 1000:03d}"
    while n >= 1000:
        n //= 1000
        text = f"x{n % 1000:03d}/{text}"
    return text


def checkpoint(folder: Path, vkey: str) -> tuple[str, int, bytes]:
    name, key_id, coded = vkey.split("+", 2)
    key = unbase64(coded)
    if sha(name.encode() + b"\n" + key)[:4].hex() != key_id or key[:1] != b"\x01":
        raise Bad("the verifier key is none")
    text = (folder / "checkpoint").read_bytes().decode()
    body, _, lines = text.rpartition("\n\n")
    body += "\n"
    if not lines.endswith("\n"):
        raise Bad("the checkpoint is cut short")
    signed = False
    for line in lines[:-1].split("\n"):
        match = re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        if match is None:
            raise Bad("a line below the checkpoint is no signature")
        payload = unbase64(match[2])
        if match[1] == name and payload[:4].hex() == key_id:
            if not holds(key[1:], body.encode(), payload[4:]):
                raise Bad("the checkpoint's signature does not hold")
            signed = True
    if not signed:
        raise Bad("the log's key has not signed the checkpoint")
    origin, size, root = body.split("\n")[:3]
    if origin != name or str(int(size)) != size:
        raise Bad("the checkpoint is not one of this log")
    return origin, int(size), unbase64(root)


def written(value: Any) -> str:
    """JSON in its one form."""
    if isinstance(value, str):
        marks = (ESCAPES.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value)
        return '"' + "".join(marks) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(k)}:{written(v)}" for k, v in value.items()) + "}"
    return "null" if value is None else str(int(value))


def verify(folder: Path, vkey: str) -> int:
    try:
        return _verify(folder, vkey)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise Bad(f"a part of the log is missing or cannot be read: {error!r}") from error


def _verify(folder: Path, vkey: str) -> int:
    origin, size, root = checkpoint(folder, vkey)
    wanted = {"checkpoint"}
    entries: list[bytes] = []
    row: list[bytes] = []
    for first in range(0, size, 256):
        width = min(256, size - first)
        name = f"tile/entries/{number(first // 256)}" + (f".p/{width}" if width < 256 else "")
        wanted.add(name)
        data = (folder / name).read_bytes()
        at = 0
        for _ in range(width):
            length = int.from_bytes(data[at : at + 2])
            entries.append(data[at + 2 : at + 2 + length])
            if len(entries[-1]) != length:
                raise Bad(f"{name} is cut short")
            at += 2 + length
        if at != len(data):
            raise Bad(f"{name} has more than its entries")
    row = [sha(b"\x00" + entry) for entry in entries]
    if root_of(row) != root:
        raise Bad("the entries do not hash to the checkpoint's root")
    level = 0
    while row:
        above = []
        for first in range(0, len(row), 256):
            tile = row[first : first + 256]
            name = f"tile/{level}/{number(first // 256)}" + (f".p/{len(tile)}" if len(tile) < 256 else "")
            wanted.add(name)
            if (folder / name).read_bytes() != b"".join(tile):
                raise Bad(f"{name} is not what lies below it")
            if len(tile) == 256:
                above.append(root_of(tile))
        row, level = above, level + 1
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if there != wanted:
        raise Bad(f"these files are missing or too many: {sorted(there ^ wanted)}")
    rules(origin, entries)
    return size


def rules(origin: str, entries: list[bytes]) -> None:
    keys: dict[str, bytes] = {}
    sessions: dict[str, list[int] | None] = {}
    grants: dict[int, dict[str, Any]] = {}
    for index, data in enumerate(entries):
        entry = json.loads(data)
        if written(entry).encode() != data or list(entry)[:2] != ["kind", "v"]:
            raise Bad(f"entry {index} is not in its one form")
        kind = entry["kind"]
        if kind in SIGNED:
            fields = {**entry, "origin": origin}
            said = written({name: fields[name] for name in SIGNED[kind].split() if name in fields})
            message = f"stemloom {kind} v1\n{said}".encode()
            if kind == "holder":
                keys[entry["holder"]] = unbase64(entry["public_key"])
                proof = entry["proof"]
            else:
                proof = entry["signature"]
            if not holds(keys[entry["holder"]], message, unbase64(proof)):
                raise Bad(f"entry {index}: its signature does not hold")
            if kind == "key":
                keys[entry["holder"]] = unbase64(entry["public_key"])
                if not holds(keys[entry["holder"]], message, unbase64(entry["proof"])):
                    raise Bad(f"entry {index}: the new key's signature does not hold")
        if kind in ("consent", "standing") and entry["action"] == "grant":
            grants[index] = entry
        if kind == "session":
            if entry["state"] == "opened":
                if entry["session"] in sessions:
                    raise Bad(f"entry {index}: a session opens twice")
                sessions[entry["session"]] = [0, 0]
            else:
                if sessions.get(entry["session"]) != [entry["placements"], entry["ms"]]:
                    raise Bad(f"entry {index}: a session closes with other sums than it has")
                sessions[entry["session"]] = None
        if kind == "placement":
            sums = sessions.get(entry["session"])
            if sums is None or entry["seq"] != sums[0]:
                raise Bad(f"entry {index}: a placement is not the next of an open session")
            sums[0], sums[1] = sums[0] + 1, sums[1] + entry["ms"]
            whole, rest = divmod(entry["frames"] * 1000, entry["rate"])
            up = 2 * rest > entry["rate"] or (2 * rest == entry["rate"] and whole % 2)
            if entry["ms"] != whole + bool(up):
                raise Bad(f"entry {index}: ms is not what its frames are")
            grant = grants.get(entry["consent"])
            if grant is None or entry["use"] not in grant["uses"]:
                raise Bad(f"entry {index}: a placement without consent")
