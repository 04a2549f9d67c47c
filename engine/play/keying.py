"""When the parts that others duck under are struck: hits as they are placed, loops by the onsets of their
sound.

A sound without onsets, such as a pad, holds others down for as long as it sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import log10, pi, sin

from ...script.effects import duck
from ...vault.records import Stem
from ..compose.gains import remixed
from ..compose.hit_writer import PLAIN_DB
from ..compose.score import Score
from ..compose.state import State
from ..effects import glided
from ..mix.mixer import Mixer
from ..plan import Bar, Onset, Placement
from .conform import Conformer
from .stage import Stage
from .struck import LoopOnsets


class Keying:
    """Tells a mixer of the onsets ahead of their time, from what is on the stage."""

    def __init__(self, mixer: Mixer, stage: Stage, conformer: Conformer, score: Score) -> None:
        self._mixer, self._stage, self._conformer = mixer, stage, conformer
        self.take_over(score)

    def take_over(self, score: Score) -> None:
        """Listen to the parts that others duck under in a score as well."""
        self._mixer.take_keys(score.ducked_under)
        if score.ducked_under:
            self._conformer.listens = True

    def hits(self, starts: Iterable[Placement], at: int) -> None:
        """Tell of the hits among placements that have been queued."""
        self._tell((of_hit(p) for p in starts if p.hit and p.part in self._mixer.keys), at)

    def bar(self, bar: Bar, score: Score, state: State, guests: Mapping[str, Stem], at: int) -> None:
        """Tell of the triggers and the loops of a bar that has been queued. `guests`: stems besides the
        score's."""
        keys = self._mixer.keys
        if not keys:
            return
        self._tell(bar.onsets, at)
        now = {each.id: each for each in remixed(state)}
        for loop in self._stage.loops(bar.start_frame, bar.end_frame):
            stem = score.stems.get(loop.stem) or guests.get(loop.stem)
            if loop.part in keys and stem is not None:
                mix = now.get(loop.id, loop)
                loop = replace(loop, gain_db=mix.gain_db, effects=mix.effects)
                struck = self._conformer.struck(stem, loop.variant)
                self._tell(of_loop(loop, struck, bar.start_frame, bar.end_frame), at)

    def _tell(self, onsets: Iterable[Onset], at: int) -> None:
        for onset in onsets:
            if onset.weight > 0:
                self._mixer.press(onset, at)


def of_hit(hit: Placement) -> Onset:
    """The onset of a hit, beside a plain step at its full gain."""
    weight = duck.weight(min(hit.gain_db - PLAIN_DB, 0.0))
    return Onset(hit.part, hit.start_frame, hit.start_frame, weight, hit.id, hit.role)


def of_loop(loop: Placement, sound: LoopOnsets | None, first: int, last: int) -> Iterator[Onset]:
    """The onsets of a loop from the frame `first` on and before `last`; `sound`: None for one without any."""
    first, last = max(first, loop.start_frame), min(last, loop.end_frame)
    if first >= last:
        return
    if sound is None or not len(sound.frames):
        weight = duck.weight(_level_db(loop, last - 1))
        yield Onset(loop.part, first, last - 1, weight, loop.id, loop.role)
        return
    length, begun = loop.variant.frames, first - loop.start_frame + loop.offset_frames
    rounds = range(begun // length, (last - loop.start_frame + loop.offset_frames) // length + 1)
    for round_ in rounds:
        begins = loop.start_frame - loop.offset_frames + round_ * length
        for place, level in zip(sound.frames.tolist(), sound.levels_db.tolist(), strict=True):
            frame = begins + place
            if first <= frame < last:
                weight = duck.weight(level + _level_db(loop, frame))
                yield Onset(loop.part, frame, frame, weight, loop.id, loop.role)


def _level_db(loop: Placement, frame: int) -> float:
    """How much softer than at its full gain a loop is at a frame."""
    fade = loop.fade_in
    entered = frame - loop.start_frame + fade.done + 1
    level = min(glided(loop.effects.glides, "gain", frame, loop.gain_db), 0.0)
    if entered >= fade.frames:
        return level
    x = max(entered, 0) / fade.frames
    reached = sin(pi / 2 * x) if fade.equal_power else x
    return level + 20 * log10(max(reached, 1e-6))
