"""Logs of ours under tools that we did not write: tlog-scales (C2SP tiles, notes) and pymerkle (RFC 9162)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymerkle
import pytest
from cryptography.exceptions import InvalidSignature
from pymerkle.proof import InclusionProof as PymerkleProof
from pymerkle.proof import InvalidProof
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import InclusionProof, InclusionProofInvalid

from stemloom.ledger.canonical import encode
from stemloom.ledger.log import Log
from stemloom.ledger.note import decode_base64

SIZES = (0, 1, 2, 3, 255, 256, 257, 1000)


def scales_check(log: Path, vkey: str) -> int:
    """Everything that tlog-scales can say of a log: its signature, its root, each entry's place under it."""
    reader = TilesReader(LocalBackend(log))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(vkey))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in range(checkpoint.size):
        proof = reader.get_inclusion_proof(index, checkpoint.size)
        proof.check(leaf_hash(reader.get_entry(index)), checkpoint.root_hash)
    return int(checkpoint.size)


def siblings(receipt: bytes) -> list[bytes]:
    lines = receipt.split(b"\n\n")[0].decode().split("\n")
    return [decode_base64(line) for line in lines if " " not in line and not line.startswith("c2sp")]


@pytest.mark.parametrize("size", SIZES)
def test_they_accept_our_logs(log: Log, home: Path, story: Any, size: int) -> None:
    entries = story.whole(size)
    # In two steps, so that partial tiles were there and went.
    log.append(entries[: size // 3])
    log.append(entries[size // 3 :])
    assert scales_check(home / "ledger" / "log", log.vkey) == size
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(encode(entry))
    assert tree.get_root() == log.root
    for index in {0, size // 2, size - 1} if size else ():
        ours = siblings(log.prove(index))
        InclusionProof(index, size, ours).check(leaf_hash(encode(entries[index])), log.root)
        theirs = tree.prove_inclusion(index + 1)
        theirs.verify(leaf_hash(encode(entries[index])), log.root, index=index + 1, size=size)
        assert theirs.path[1:] == ours
        if ours:
            wrong = PymerkleProof(
                "sha256", True, size, index + 1, theirs.rule, [theirs.path[0], *ours[:-1], bytes(32)]
            )
            with pytest.raises(InvalidProof):
                wrong.verify(leaf_hash(encode(entries[index])), log.root)


def flipped(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("checkpoint", 30),
        # Not the last character before the padding: two of its bits are unused, and others let them be.
        ("checkpoint", -5),
        ("tile/0/000", 40),
        ("tile/0/001.p/1", 5),
        ("tile/1/000.p/1", 31),
        ("tile/entries/000", 100),
        ("tile/entries/001.p/1", 20),
    ],
)
def test_they_refuse_what_we_refuse(
    log: Log, home: Path, story: Any, name: str, place: int, tell: Callable[[str], Any]
) -> None:
    log.append(story.whole(257))
    root = home / "ledger" / "log"
    vkey = log.vkey
    assert scales_check(root, vkey) == 257
    flipped(root / name, place)
    with pytest.raises(
        (
            AssertionError,
            InclusionProofInvalid,
            InvalidSignature,
            RuntimeError,
            ValueError,
            UnicodeDecodeError,
        )
    ):
        scales_check(root, vkey)
