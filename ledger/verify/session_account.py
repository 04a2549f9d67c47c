"""A session as a verified log has it, to be held against what somebody else kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..entries.canonical import decode
from ..entries.entries import Gap, Placement, Session
from ..errors import VerificationFailed
from ..tlog.hashed import HashedLog
from ..tlog.policy import Policy
from .verify import verify


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the log says otherwise. `entry`: the index of the entry that says it, if one does."""

    entry: int | None
    detail: str
    """A sentence without its beginning: `str` puts the entry before it."""

    def __str__(self) -> str:
        return self.detail if self.entry is None else f"entry {self.entry}: {self.detail}"


@dataclass(frozen=True, slots=True)
class LoggedPlacement:
    """A placement at its index; `data`: its canonical bytes."""

    index: int
    entry: Placement
    data: bytes


@dataclass(frozen=True, slots=True)
class SessionAccount:
    """The entries of one session, each with its index. `placements`: by their numbers."""

    session: str
    opening: tuple[int, Session] | None
    closing: tuple[int, Session] | None
    placements: tuple[LoggedPlacement, ...]
    gaps: tuple[tuple[int, Gap], ...]

    @property
    def last(self) -> int | None:
        """The index of its last entry; None where the log does not have the session."""
        found = [index for index, _ in (each for each in (self.opening, self.closing) if each)]
        found += [each.index for each in self.placements]
        return max(found, default=None)

    def frames_by_stem(self) -> dict[str, int]:
        """By stem, the frames in play."""
        found: dict[str, int] = {}
        for each in self.placements:
            found[each.entry.stem] = found.get(each.entry.stem, 0) + each.entry.frames
        return found

    def lost(self) -> str:
        """What gap entries of the session say, to be put after a difference; empty without one."""
        said = [
            f"entry {index} says that {'records' if gap.placements is None else gap.placements} were lost: "
            f"{gap.reason}"
            for index, gap in self.gaps
        ]
        return f" ({'; '.join(said)})" if said else ""


def verified(
    place: Path | str,
    *,
    vkey: str | None = None,
    policy: Policy | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> HashedLog:
    """The log at a place, verified: what is read from it is what was hashed.

    Arguments as of `verify`. Raises VerificationFailed for a log that does not verify, and as `verify`.
    """
    report = verify(place, vkey=vkey, policy=policy, workers=workers, progress=progress)
    if report.log is None:
        problem, *others = report.problems
        more = f" (and {len(others)} more)" if others else ""
        raise VerificationFailed(
            f"the log does not verify: {problem.detail}{more}; see 'stemloom ledger verify'"
        )
    return report.log


def account_of(session: str, log: HashedLog) -> SessionAccount:
    """All that the log has of a session. Raises VerificationFailed where it gives another answer now."""
    opening: tuple[int, Session] | None = None
    closing: tuple[int, Session] | None = None
    placements: list[LoggedPlacement] = []
    gaps: list[tuple[int, Gap]] = []
    name = session.encode()
    for index, data in log.entries():
        if name not in data:
            continue
        entry = decode(data)
        match entry:
            case Placement() if entry.session == session:
                placements.append(LoggedPlacement(index, entry, data))
            case Session() if entry.session == session and entry.state == "opened":
                opening = index, entry
            case Session() if entry.session == session:
                closing = index, entry
            case Gap() if entry.session == session:
                gaps.append((index, entry))
            case _:
                pass
    placements.sort(key=lambda each: each.entry.seq)
    return SessionAccount(session, opening, closing, tuple(placements), tuple(gaps))
