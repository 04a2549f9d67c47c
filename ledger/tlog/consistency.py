"""Checks that the log of today extends a checkpoint that somebody kept (RFC 6962, section 2.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import VerificationFailed
from . import merkle
from .checkpoint import Checkpoint, open_checkpoint
from .hashed import HashedLog
from .note import Verifier
from .reader import TileReader


@dataclass(frozen=True, slots=True)
class Consistency:
    """The tree of `new` extends the tree of `old`; `proof`: the hashes that show it."""

    old: Checkpoint
    new: Checkpoint
    proof: tuple[bytes, ...]


def check_continues(kept: bytes, current: bytes, log: Verifier, tiles: TileReader) -> Consistency:
    """Show that the log of the signed checkpoint `current` extends the signed checkpoint `kept`.

    The log's hashes are read from `tiles`, and none is trusted. Raises BadNote for a checkpoint
    that `log` did not sign, VerificationFailed where the log is older or another one.
    """
    old, new = open_checkpoint(kept, log), open_checkpoint(current, log)
    _refuse_shorter(old, new.size)
    if old.size == new.size:
        proof: list[bytes] = []
    elif old.size:
        proof = tiles.consistency(old.size, new.size, lambda: new.size)
    else:
        proof = []
    if not merkle.check_consistency(proof, old.size, new.size, old.root, new.root):
        raise _rewritten(old, new.size, new.root)
    return Consistency(old, new, tuple(proof))


def refuse_other_history(old: Checkpoint, now: HashedLog) -> None:
    """Raise VerificationFailed for a verified log that does not extend a checkpoint of before."""
    _refuse_shorter(old, now.size)
    if now.root_at(old.size) != old.root:
        raise _rewritten(old, now.size, now.root)


def _refuse_shorter(old: Checkpoint, size: int) -> None:
    if old.size > size:
        raise VerificationFailed(
            f"the log has {size} entries, and the checkpoint that was kept has {old.size}: "
            "the log was cut back, or this is an older copy of it"
        )


def _rewritten(old: Checkpoint, size: int, root: bytes) -> VerificationFailed:
    return VerificationFailed(
        f"the log of {size} entries (root {root.hex()}) does not extend the checkpoint of "
        f"{old.size} (root {old.root.hex()}): it was rewritten, or its tiles are damaged; keep both "
        "checkpoints, and see 'stemloom ledger verify'"
    )
