"""The result of a verification."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..entries.gaps import LostTime
from ..tlog.cosignature import Cosignature
from ..tlog.hashed import HashedLog
from ..tlog.report import Problem


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `verify`. `size` and `root` are those of the checkpoint that was checked against."""

    size: int
    root: str
    """Lower-case hex."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    """Facts worth knowing that are no fault of the log: an unclosed session, an unfinished append."""
    witnesses: tuple[Cosignature, ...] = ()
    """The checkpoint's cosignatures of the witnesses that the caller trusts."""
    log: HashedLog | None = field(default=None, repr=False, compare=False)
    """What was verified, to be read; None where there are problems."""
    gaps: tuple[LostTime, ...] = ()
    """What of the time in play may be missing, as the log itself says."""
    weaker: tuple[str, ...] = ()
    """What rests on the log's word alone, or cannot be checked, as entries of before do not state it."""

    @property
    def ok(self) -> bool:
        return not self.problems
