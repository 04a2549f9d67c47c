"""Merkle functions: the vectors of RFC 6962's authors, and every proof of every small tree."""

from __future__ import annotations

import pytest

from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.right_edge import RightEdge
from stemloom.ledger.tlog.tiles import TILE, files_of

INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LARGEST = 100
LEAVES = [merkle.leaf_hash(b"%d" % i) for i in range(LARGEST)]


def read(level: int, place: int) -> bytes:
    return merkle.root_from_leaves(LEAVES[place << level : (place + 1) << level])


def naive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return merkle.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def altered(hashes: list[bytes], place: int) -> list[bytes]:
    flipped = bytes([hashes[place][0] ^ 1]) + hashes[place][1:]
    return [*hashes[:place], flipped, *hashes[place + 1 :]]


@pytest.mark.parametrize("size", ROOTS)
def test_published_roots(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in INPUTS[:size]]
    assert merkle.root_from_leaves(leaves).hex() == ROOTS[size]


def test_roots_follow_the_definition() -> None:
    for size in range(LARGEST + 1):
        root = naive_root(LEAVES[:size])
        assert merkle.root_from_leaves(LEAVES[:size]) == root
        if size:
            assert merkle.root_of_range(read, 0, size) == root


def test_every_inclusion_proof() -> None:
    for size in range(1, LARGEST + 1):
        root = merkle.root_from_leaves(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(read, index, size)
            leaf = LEAVES[index]
            assert merkle.check_inclusion(proof, index, size, leaf, root)
            assert not merkle.check_inclusion(proof, index, size, altered([leaf], 0)[0], root)
            assert not merkle.check_inclusion(proof, index, size, leaf, altered([root], 0)[0])
            assert not merkle.check_inclusion([*proof, root], index, size, leaf, root)
            for place in range(len(proof)):
                assert not merkle.check_inclusion(altered(proof, place), index, size, leaf, root)
                assert not merkle.check_inclusion(proof[:place], index, size, leaf, root)


def test_an_inclusion_proof_is_for_one_place() -> None:
    root = merkle.root_from_leaves(LEAVES)
    proof = merkle.inclusion_proof(read, 5, LARGEST)
    for index in (-1, 4, 6, LARGEST, LARGEST + 5):
        assert not merkle.check_inclusion(proof, index, LARGEST, LEAVES[5], root)
    with pytest.raises(ValueError, match="no leaf 100"):
        merkle.inclusion_proof(read, LARGEST, LARGEST)


def test_every_consistency_proof() -> None:
    roots = [merkle.root_from_leaves(LEAVES[:size]) for size in range(LARGEST + 1)]
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(read, old, new)
            assert merkle.check_consistency(proof, old, new, roots[old], roots[new])
            assert not merkle.check_consistency(proof, old, new, altered([roots[old]], 0)[0], roots[new])
            assert not merkle.check_consistency(proof, old, new, roots[old], altered([roots[new]], 0)[0])
            assert not merkle.check_consistency([*proof, roots[1]], old, new, roots[old], roots[new])
            for place in range(len(proof)):
                assert not merkle.check_consistency(altered(proof, place), old, new, roots[old], roots[new])
                assert not merkle.check_consistency(proof[:place], old, new, roots[old], roots[new])


def test_consistency_from_nothing() -> None:
    root = merkle.root_from_leaves(LEAVES)
    assert merkle.check_consistency([], 0, LARGEST, merkle.EMPTY_ROOT, root)
    assert not merkle.check_consistency([], 0, LARGEST, root, root)
    assert not merkle.check_consistency([], 5, 4, root, root)
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.consistency_proof(read, 0, 4)


@pytest.mark.parametrize(
    "steps", [(1, 1, 1), (255, 1, 1), (256, 1), (257, 511, 3), (100, 65_400, 36, 1, 300)]
)
def test_an_edge_grows_like_the_tree(steps: tuple[int, ...]) -> None:
    leaves: list[bytes] = []
    edge, held = RightEdge(0, ()), {}
    for step in steps:
        new = [merkle.leaf_hash(b"%d" % i) for i in range(len(leaves), len(leaves) + step)]
        before = edge.size
        leaves += new
        edge, files = edge.grow(new)
        assert edge.size == len(leaves)
        assert edge.root == merkle.root_from_leaves(leaves)
        assert set(files) == {file for file in files_of(edge.size, before) if file.level >= 0}
        held |= files
    # Whatever way it grew, each level holds the hashes of the level below.
    for file, data in held.items():
        span = 1 << (8 * file.level)
        first = file.number * TILE
        rows = [leaves[i * span : (i + 1) * span] for i in range(first, first + file.width)]
        if file.belongs_to(edge.size):
            assert data == b"".join(merkle.root_from_leaves(row) for row in rows)
