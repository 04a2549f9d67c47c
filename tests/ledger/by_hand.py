"""Notes, cosignatures and proofs made by hand, with SHA-256, base64 and Ed25519 alone; and logs to cosign."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.entries import Income
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.cosignature import parse_witness_vkey
from stemloom.ledger.tlog.note import Verifier, parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.witness import Cosigned, Witness, prover

TIME = 1_795_241_760  # 2026-11-21T06:16:00Z
CLOCK = FixedClock("2026-11-21T06:16:00.250Z")
LOG = "example.com/log"
ORIGIN_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)]


def key_id(name: str, type: int, key: Ed25519PrivateKey) -> bytes:
    public = key.public_key().public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + bytes([type]) + public).digest()[:4]


def vkey(name: str, type: int, key: Ed25519PrivateKey) -> str:
    coded = base64.b64encode(bytes([type]) + key.public_key().public_bytes_raw()).decode()
    return f"{name}+{key_id(name, type, key).hex()}+{coded}"


def body(size: int, root: bytes, origin: str = LOG) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed(text: str, name: str = LOG, key: Ed25519PrivateKey = ORIGIN_KEY) -> str:
    return f"{text}\n— {name} {base64.b64encode(key_id(name, 1, key) + key.sign(text.encode())).decode()}\n"


def cosigned(text: str, number: int, time: int = TIME) -> str:
    """The line of witness `number` over the note text."""
    key, name = KEYS[number], f"w{number}.example.com"
    signature = key.sign(f"cosignature/v1\ntime {time}\n".encode() + text.encode())
    payload = key_id(name, 4, key) + time.to_bytes(8, "big") + signature
    return f"— {name} {base64.b64encode(payload).decode()}\n"


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def proof_of(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*proof_of(old, leaves[:k], whole), root_of(leaves[k:])]
    return [*proof_of(old - k, leaves[k:], False), root_of(leaves[:k])]


WITNESSES = [parse_witness_vkey(vkey(f"w{n}.example.com", 4, key)) for n, key in enumerate(KEYS)]
VERIFIER = parse_vkey(vkey(LOG, 1, ORIGIN_KEY))
BODY = body(3, b"r" * 32)
LEAVES = [b"leaf %d" % n for n in range(70)]
FORKED = [b"fork", *LEAVES[1:]]


def ask(witness: Witness, leaves: Sequence[bytes], proved: Sequence[bytes] | None = None) -> Cosigned:
    """Have the log of `leaves` cosigned; `proved`: the leaves that the proof is made of, if not these."""
    note = signed(body(len(leaves), root_of(leaves))).encode()
    return witness.cosign(
        note, VERIFIER, lambda old, new: proof_of(old, (leaves if proved is None else proved)[:new])
    )


def income(number: int) -> Income:
    return Income(
        time="2026-11-21T06:16:00.250Z",
        source="sync",
        currency="EUR",
        amount=number + 1,
        period="2026",
        reference=f"no {number}",
    )


def witnessed(witness: Witness, home: Path, log: Log) -> Cosigned:
    folder = home / "ledger" / "log"
    verifier = parse_vkey(log.vkey)

    def checkpoint() -> bytes:
        return (folder / "checkpoint").read_bytes()

    return witness.cosign(checkpoint(), verifier, prover(TileReader(folder), checkpoint, verifier))


def theirs(witness: Witness) -> Verifier:
    return parse_witness_vkey(witness.vkey)
