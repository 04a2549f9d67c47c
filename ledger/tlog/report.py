"""The results of a verification."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cosignature import Cosignature
from .hashed import HashedLog


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: its file, the index of its entry if it is in one, and a sentence."""

    index: int | None
    what: str
    """The file, relative to the log's folder: `tile/entries/000.p/12`, `checkpoint`."""
    detail: str
    """A sentence."""

    def __str__(self) -> str:
        """The sentence, with the file before it where it does not name that itself."""
        named = self.what.removeprefix("../")
        return self.detail if named in self.detail else f"{named}: {self.detail}"


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

    @property
    def ok(self) -> bool:
        return not self.problems
