"""What witnesses' times say of an entry: it was added after each checkpoint that was seen without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .checkpoint import open_checkpoint
from .note import Verifier
from .policy import Policy


@dataclass(frozen=True, slots=True)
class Witnessed:
    """At `time` (Unix seconds, by the witnesses' clocks) the log had `size` entries."""

    time: int
    size: int


def witnessed_size(note: bytes, log: Verifier, policy: Policy) -> Witnessed:
    """When a signed checkpoint was seen, as enough of the policy's witnesses say. Raises BadNote.

    Of k that are required, one at least is honest: so the time is the latest that k of them have reached.
    """
    size = open_checkpoint(note, log).size
    times = sorted((each.time for each in policy.cosignatures(note)), reverse=True)
    return Witnessed(times[policy.required - 1], size)


def latest_before(index: int, seen: Iterable[Witnessed]) -> Witnessed | None:
    """The latest sight of the log without its entry `index`, which was added after it; None if there is none.

    An entry that says that it is older than that, by more than clocks may differ, was dated back.
    """
    return max((each for each in seen if each.size <= index), key=lambda each: each.time, default=None)


def earliest_with(index: int, seen: Iterable[Witnessed]) -> Witnessed | None:
    """The earliest sight of the log with its entry `index`; None if there is none."""
    return min((each for each in seen if each.size > index), key=lambda each: each.time, default=None)
