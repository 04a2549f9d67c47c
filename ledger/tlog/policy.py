"""The witnesses whose cosignatures a reader of checkpoints requires: k of n."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadNote, BadVkey
from .cosignature import Cosignature, cosignatures_of
from .note import COSIGNATURE, Verifier
from .report import Problem


@dataclass(frozen=True, slots=True)
class Policy:
    """A checkpoint needs cosignatures of at least `required` of `witnesses`.

    BadVkey if two of them share a key or a name, or one is not a witness; ValueError if `required` is not
    from 1 to their number.
    """

    witnesses: tuple[Verifier, ...]
    required: int

    def __post_init__(self) -> None:
        for place, each in enumerate(self.witnesses):
            if each.type != COSIGNATURE:
                raise BadVkey(f"{each.vkey!r} is the verifier key of a log, and not of a witness")
            for other in self.witnesses[:place]:
                # The name is not signed, so one key under two names would count as two witnesses.
                if each.public == other.public or each.name == other.name:
                    raise BadVkey(
                        f"{each.vkey!r} and {other.vkey!r} are one witness: each counts once, name it once"
                    )
        if not 1 <= self.required <= len(self.witnesses):
            raise ValueError(f"{self.required} of {len(self.witnesses)} witnesses cannot be required")

    def check(self, note: bytes) -> tuple[str, ...]:
        """The names of the witnesses that cosigned `note`. Raises BadNote if they are too few.

        One invalid cosignature of `witnesses` refuses the note, however many others are valid. The log's own
        signature is not checked.
        """
        return tuple(each.witness.name for each in self.cosignatures(note))

    def cosignatures(self, note: bytes) -> tuple[Cosignature, ...]:
        """As `check`, with the time of each cosignature. The caller decides how old one may be."""
        found = cosignatures_of(note, self.witnesses)
        if len(found) < self.required:
            names = ", ".join(each.witness.name for each in found) or "none of those named"
            raise BadNote(
                f"the checkpoint is cosigned by {len(found)} of {len(self.witnesses)} witnesses ({names}), "
                f"and {self.required} are required; ask for one with more cosignatures"
            )
        return found


def witnessed(
    checkpoint: bytes | None, policy: Policy | None
) -> tuple[list[Problem], tuple[Cosignature, ...]]:
    """The problems of a checkpoint under `policy`, and its cosignatures; nothing without either of them."""
    if checkpoint is None or policy is None:
        return [], ()
    try:
        return [], policy.cosignatures(checkpoint)
    except BadNote as error:
        return [Problem(None, "checkpoint", str(error))], ()
