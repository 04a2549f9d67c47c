"""Merkle tree hashes and proofs (RFC 6962, section 2.1; RFC 9162, section 2.1), as pure functions.

            root(0, 6)
           /          \\
     (2, 0)            root(4, 6) = (1, 2)        (level, place): the complete subtree over the leaves
     /     \\            /     \\                   place * 2^level up to (place + 1) * 2^level
  (1, 0) (1, 1)     (0, 4) (0, 5)

Proofs read complete subtrees only, through a function `read(level, place) -> hash` of whoever keeps the
hashes. `check_inclusion(inclusion_proof(...))` and `check_consistency(consistency_proof(...))` hold for every
tree, and for no tree with one hash changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

ReadHash = Callable[[int, int], bytes]
"""The hash of the complete subtree at (level, place)."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The leaf hashes of many entries. Spelled out: writing and verifying a log spend their time here."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_from_leaves(hashes: Sequence[bytes]) -> bytes:
    """The root over `hashes` as neighbours of one level; an odd last one is promoted."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        # Spelled out, because verification spends its time here.
        above = [sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def peaks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees, left to right, of the range [start, stop) of a tree's own division.

    `start` is a multiple of the largest power of two below `stop - start`, as all such ranges are.
    """
    while start < stop:
        level = (stop - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def root_of_range(read: ReadHash, start: int, stop: int) -> bytes:
    """The hash over the leaves [start, stop), not empty: complete subtrees folded from the right."""
    hashes = [read(level, place) for level, place in peaks(start, stop)]
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`: where a tree of `size` >= 2 leaves divides."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(read: ReadHash, index: int, size: int) -> list[bytes]:
    """The siblings from the leaf `index` up to the root of the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(root_of_range(read, middle, stop))
            stop = middle
        else:
            proof.append(root_of_range(read, start, middle))
            start = middle
    proof.reverse()
    return proof


def check_inclusion(proof: Sequence[bytes], index: int, size: int, leaf: bytes, root: bytes) -> bool:
    """Whether `proof` shows that the tree of `size` leaves and `root` has `leaf` at `index`."""
    if not 0 <= index < size:
        return False
    turns: list[bool] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        left = index < middle
        turns.append(left)
        start, stop = (start, middle) if left else (middle, stop)
    if len(turns) != len(proof):
        return False
    node = leaf
    for left, sibling in zip(reversed(turns), proof, strict=True):
        node = node_hash(node, sibling) if left else node_hash(sibling, node)
    return node == root


def consistency_proof(read: ReadHash, old: int, new: int) -> list[bytes]:
    """The hashes that show that the tree of `new` leaves extends the tree of `old`; 0 < old <= new."""
    if not 0 < old <= new:
        raise ValueError(f"there is no consistency proof from {old} to {new} leaves")
    proof: list[bytes] = []
    start, stop = 0, new
    whole = True
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            proof.append(root_of_range(read, middle, stop))
            stop = middle
        else:
            proof.append(root_of_range(read, start, middle))
            start = middle
            whole = False
    if not whole:
        proof.append(root_of_range(read, start, stop))
    proof.reverse()
    return proof


def check_consistency(proof: Sequence[bytes], old: int, new: int, old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree of `new` leaves extends the tree of `old`.

    Every tree extends the empty one: `old` 0 needs an empty proof and the empty root.
    """
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    turns: list[bool] = []
    start, stop = 0, new
    while old != stop:
        middle = start + _split(stop - start)
        left = old <= middle
        turns.append(left)
        start, stop = (start, middle) if left else (middle, stop)
    hashes = list(proof)
    if all(turns):
        seed = old_root
    elif hashes:
        seed = hashes.pop(0)
    else:
        return False
    if len(hashes) != len(turns):
        return False
    old_node = new_node = seed
    for left, sibling in zip(reversed(turns), hashes, strict=True):
        if left:
            new_node = node_hash(new_node, sibling)
        else:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
    return old_node == old_root and new_node == new_root
