"""The tape: what reached a session besides gestures, recorded for its take, or played back from one.

Consents that changed, scripts that took over, stems that were not ready, commands that came late. Each is at
a moment: the number of bars composed and gestures given before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...script.piece import Piece
from ...vault.vault import Vault
from ..compose.score import Score
from ..compose.swap import rescored
from ..errors import TakeRefused
from ..mix.mixer import Late
from .take import CameLate, Changed, Swapped, Take, Unready, check_key


class Tape:
    """The tape of one session. `replayed`: the take that it plays back, None to record."""

    def __init__(self, vault: Vault, replayed: Take | None) -> None:
        self.plays_back = replayed is not None
        self.changes: list[Changed] = []
        self.swaps: list[Swapped] = []
        self.unready: list[Unready] = []
        self.late: list[CameLate] = []
        self._changes_ahead: list[Changed] = []
        self._swaps_ahead: list[Swapped] = []
        self._unready_at: dict[int, frozenset[str]] = {}
        if replayed is not None:
            self._whole = vault.snapshot(replayed.declared)
            self._changes_ahead, self._swaps_ahead = list(replayed.changes), list(replayed.swaps)
            self._unready_at = {each.moment: frozenset(each.stems) for each in replayed.unready}
            # They are in the new take as well, so that a replay can be replayed.
            self.unready, self.late = list(replayed.unready), list(replayed.late)

    def next_change(self, after: int) -> int | None:
        """The frame of the next change of candidates, if it lies after that frame."""
        ahead = self._changes_ahead[0].frame if self._changes_ahead else after
        return ahead if ahead > after else None

    def changed(self, frame: int, moment: int, score: Score, candidates: Iterable[str]) -> None:
        """Record that the candidates are others from here on."""
        self.changes.append(Changed(frame, moment, score.snapshot.state_hash, tuple(sorted(candidates))))

    def changes_due(self, frame: int, moment: int) -> Iterator[Changed]:
        """Play back the changes that come at this frame and moment or before."""
        while self._changes_ahead:
            change = self._changes_ahead[0]
            if change.frame > frame or change.moment > moment:
                return
            self.changes.append(self._changes_ahead.pop(0))
            yield change

    def only(self, score: Score, candidates: Iterable[str], at: str) -> Score:
        """The score with no other stems than those that the take had."""
        return score.with_snapshot(self._whole.only(frozenset(candidates)), at)

    def swapped(self, frame: int, moment: int, score: Score, candidates: Iterable[str]) -> None:
        """Record that another script has taken over, by `score`."""
        key = score.key.name if score.key else None
        stems = tuple(sorted(candidates))
        self.swaps.append(Swapped(frame, moment, score.snapshot.state_hash, key, stems, score.gain_db))

    def next_swap(self, old: Score, piece: Piece, at: str) -> Score:
        """The score by which `piece` took over from `old` in the take. Raises TakeRefused."""
        if not self._swaps_ahead:
            raise TakeRefused("the take says that a script was swapped in, but not what it then played")
        then = self._swaps_ahead.pop(0)
        check_key(then.key, piece)
        kept = self._whole.only(frozenset(then.candidates))
        coming = rescored(old, piece, kept, at, key=then.key, must_sound=False)
        return replace(coming, gain_db=then.gain_db)

    def rescored(self, now: Score, piece: Piece, at: str) -> Score:
        """The score by which `piece` could take over from `now`, whatever its candidates will be."""
        return rescored(now, piece, self._whole, at, must_sound=False)

    def not_ready(self, moment: int, stems: Iterable[str]) -> None:
        """Record that these stems could not be waited for."""
        self.unready.append(Unready(moment, tuple(sorted(stems))))

    def unready_at(self, moment: int) -> frozenset[str]:
        """The stems that could not be waited for in the take."""
        return self._unready_at.get(moment, frozenset())

    def came_late(self, reports: Iterable[Late]) -> None:
        """Record the commands that the mixer took later than at their frame."""
        self.late += [CameLate(each.number, each.frame) for each in reports]
