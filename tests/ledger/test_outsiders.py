"""Logs of ours under tools that we did not write: tlog-scales (C2SP tiles, notes) and pymerkle (RFC 9162)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymerkle
import pytest
from cryptography.exceptions import InvalidSignature
from pymerkle.proof import InclusionProof as PymerkleProof, InvalidProof
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import InclusionProof, InclusionProofInvalid

from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.note import decode_base64

from .making import income

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


# Large logs: one that grows, in big appends of small entries.

LARGE = (65_535, 65_536, 65_537, 70_000)


class Grown:
    """A log as it was at each of the large sizes, and what a tree of pymerkle's says of it."""

    def __init__(self, folder: Path) -> None:
        log = Log.open(folder / "home", create=True)
        self.vkey = log.vkey
        self.folders: dict[int, Path] = {}
        self.roots: dict[int, bytes] = {}
        self.receipts: dict[int, dict[int, bytes]] = {}
        self.entries = [encode(income(number)) for number in range(LARGE[-1])]
        self.tree = pymerkle.InmemoryTree(algorithm="sha256")
        done = 0
        for size in LARGE:
            log.append([income(number) for number in range(done, size)])
            for number in range(done, size):
                self.tree.append_entry(self.entries[number])
            done = size
            assert self.tree.get_root() == log.root
            self.folders[size] = folder / str(size)
            self.roots[size] = log.root
            self.receipts[size] = {index: log.prove(index) for index in places(size)}
            shutil.copytree(folder / "home" / "ledger" / "log", self.folders[size])


def places(size: int) -> list[int]:
    """Where the tree divides, and a few more."""
    edges = {0, 1, 255, 256, 32_767, 32_768, 65_279, 65_280, 65_534, 65_535, 65_536, size - 2, size - 1}
    edges.add(size // 256 * 256)
    return sorted(index for index in edges | set(range(7, size, 4999)) if 0 <= index < size)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    return Grown(tmp_path_factory.mktemp("grown"))


def scales_look(log: Path, vkey: str) -> int:
    """Its signature, its root, every entry against its hash, and some entries' places under the root."""
    reader = TilesReader(LocalBackend(log))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(vkey))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in places(checkpoint.size):
        proof = reader.get_inclusion_proof(index, checkpoint.size)
        proof.check(leaf_hash(reader.get_entry(index)), checkpoint.root_hash)
    return int(checkpoint.size)


@pytest.mark.parametrize("size", LARGE)
def test_they_accept_large_logs(grown: Grown, size: int) -> None:
    assert scales_look(grown.folders[size], grown.vkey) == size
    root = grown.roots[size]
    for index, receipt in grown.receipts[size].items():
        leaf, ours = leaf_hash(grown.entries[index]), siblings(receipt)
        InclusionProof(index, size, ours).check(leaf, root)
        theirs = grown.tree.prove_inclusion(index + 1, size)
        theirs.verify(leaf, root, index=index + 1, size=size)
        assert theirs.path[1:] == ours
        wrong = PymerkleProof(
            "sha256", True, size, index + 1, theirs.rule, [theirs.path[0], *ours[:-1], bytes(32)]
        )
        with pytest.raises(InvalidProof):
            wrong.verify(leaf, root)


def changed_files(size: int) -> list[tuple[str, int]]:
    """A byte of each kind of file that such a log has; of bundles and tiles one that a place looks at."""
    last, width = divmod(size, 256)
    partial = f"/{last:03d}.p/{width}" if width else f"/{last - 1:03d}"
    found = [
        ("checkpoint", 30),
        ("checkpoint", 60),
        ("tile/entries/000", 40),
        (f"tile/entries{partial}", 20),
        ("tile/0/000", 3),
        (f"tile/0{partial}", 9),
        ("tile/1/000.p/255" if size < 65_536 else "tile/1/000", 31),
    ]
    return found if size < 65_536 else [*found, ("tile/2/000.p/1", 5)]


@pytest.mark.parametrize("size", LARGE)
def test_they_refuse_large_logs_with_a_changed_byte(grown: Grown, size: int) -> None:
    root = grown.folders[size]
    for name, place in changed_files(size):
        whole = (root / name).read_bytes()
        flipped(root / name, place)
        with pytest.raises((AssertionError, InclusionProofInvalid, InvalidSignature, ValueError)):
            scales_look(root, grown.vkey)
        (root / name).write_bytes(whole)
    assert scales_look(root, grown.vkey) == size
    # And pymerkle, of one changed entry.
    index = size // 3
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    changed = list(grown.entries)
    changed[index] = changed[index].replace(b"sync", b"sunc")
    for entry in changed[:size]:
        tree.append_entry(entry)
    assert tree.get_root() != grown.roots[size]
    with pytest.raises(InvalidProof):
        grown.tree.prove_inclusion(index + 1, size).verify(leaf_hash(changed[index]), grown.roots[size])


# A third one, for Pythons that it runs on.


def aics_look(log: Path, vkey: str) -> int:
    """Everything that aics-tlog can say: signature, each tile and entry under the root, entries' places."""
    aics = pytest.importorskip("aics_tlog", reason="aics-tlog needs Python 3.12")
    note = aics.parse_note((log / "checkpoint").read_text("utf-8"))
    said = aics.verify_checkpoint(note, aics.parse_vkey(vkey))
    assert said.ok, said.error
    reader = aics.FileSystemTileReader(log)
    assert aics.tree_root_from_tiles(reader, said.size) == said.root
    assert aics.verified.audit_tiles(reader, said.size, said.root).size == said.size
    for index in places(said.size):
        proof = aics.inclusion_proof_from_tiles(reader, index, said.size)
        leaf = aics.leaf_hash(aics.read_entry(reader, index, said.size))
        assert aics.verify_inclusion(leaf, index, said.size, proof, said.root)
    return int(said.size)


@pytest.mark.parametrize("size", SIZES)
def test_a_third_one_accepts_our_logs(log: Log, home: Path, story: Any, size: int) -> None:
    log.append(story.whole(size))
    assert aics_look(home / "ledger" / "log", log.vkey) == size


@pytest.mark.parametrize("size", LARGE)
def test_a_third_one_on_large_logs(grown: Grown, size: int) -> None:
    root = grown.folders[size]
    assert aics_look(root, grown.vkey) == size
    for name, place in changed_files(size):
        whole = (root / name).read_bytes()
        flipped(root / name, place)
        with pytest.raises((AssertionError, ValueError, RuntimeError)):
            aics_look(root, grown.vkey)
        (root / name).write_bytes(whole)
