"""A mix with each of its parts apart: one session, whose every part is mixed by a mixer of its own as well.

    the session's commands -> the mix
                           -> the mix without a limiter
                           -> each part alone, with what its buses give back

Nobody hears it, and nothing is logged. The effects of a bus that are not linear, `drive` and `compress`, are
for a part alone what they would be without the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...script.piece import Bring, Play
from ..clock import QUANTUM
from ..compose.score import Score
from ..effects import PlacedBus, PlacedEffects
from ..mix.limiter import LATENCY_FRAMES
from ..mix.mixer import Mixer
from ..plan import Fade, Onset, Placement
from ..play.session import Session

CHUNK_FRAMES = 1 << 15
STEP_QUANTA = 32
"""How much is mixed of a part before it is given more commands."""
NO_CEILING = 1e6
Block = NDArray[np.float32]


class MixerOfParts(Mixer):
    """The mixer of a mix, which passes on what it is told to `unlimited` and to the `parts`."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.unlimited: Mixer
        self.parts: dict[str, Mixer] = {}

    def _all(self) -> tuple[Mixer, ...]:
        return self.unlimited, *self.parts.values()

    def place(self, placement: Placement, sound: Block, at: int) -> None:
        super().place(placement, sound, at)
        self.unlimited.place(placement, sound, at)
        self.parts[placement.part].place(placement, sound, at)

    def stop(self, id: int, end_frame: int, fade: Fade, at: int) -> None:
        super().stop(id, end_frame, fade, at)
        for mixer in self._all():
            mixer.stop(id, end_frame, fade, at)

    def set_gain(self, id: int, gain_db: float, pan: float, at: int) -> None:
        super().set_gain(id, gain_db, pan, at)
        for mixer in self._all():
            mixer.set_gain(id, gain_db, pan, at)

    def set_effects(self, id: int, effects: PlacedEffects, at: int) -> None:
        super().set_effects(id, effects, at)
        for mixer in self._all():
            mixer.set_effects(id, effects, at)

    def set_buses(self, buses: Sequence[PlacedBus], at: int) -> None:
        super().set_buses(buses, at)
        for mixer in self._all():
            mixer.set_buses(buses, at)

    def press(self, onset: Onset, at: int) -> None:
        super().press(onset, at)
        for mixer in self._all():
            mixer.press(onset, at)


class Overheard(Session):
    """A session that nobody hears, whose parts can be listened to one by one."""

    def _new_mixer(self, first: Score, kind: type[Mixer] = MixerOfParts) -> Mixer:
        desk = super()._new_mixer(first, kind)
        assert isinstance(desk, MixerOfParts)
        lines = [line for section in first.piece.sections for line in section.lines]
        parts = [line.part for line in lines if isinstance(line, Bring | Play)]
        for part in dict.fromkeys((*parts, *first.piece.stings)):
            desk.parts[part] = super()._new_mixer(first, Mixer)
        desk.unlimited = super()._new_mixer(first, Mixer)
        for mixer in (desk.unlimited, *desk.parts.values()):
            mixer.master.control["ceiling"] = NO_CEILING
            mixer.master.control["ride_to"] = 0.0
        self.desk = desk
        return desk

    def heard(self) -> Iterator[tuple[Block, Block, dict[str, Block]]]:
        """All of it in blocks, float32 (2, frames): the mix, the mix without a limiter, and each part."""
        others = (self.desk.unlimited, *self.desk.parts.values())
        kept = [np.zeros((2, 0), np.float32) for _ in others]
        while not self.ended:
            mix = self.read(CHUNK_FRAMES)
            for place, mixer in enumerate(others):
                made = _mixed(mixer, self.mixer.frame)
                kept[place] = np.concatenate((kept[place], *made), axis=1)
            blocks = [each[:, : mix.shape[1]] for each in kept]
            kept = [each[:, mix.shape[1] :] for each in kept]
            yield mix, blocks[0], dict(zip(self.desk.parts, blocks[1:], strict=True))


def _mixed(mixer: Mixer, until: int) -> Iterator[Block]:
    """What a mixer has to mix up to a frame, without the master's latency."""
    while mixer.frame < until:
        begin = mixer.frame
        block = mixer.advance(min((until - begin) // QUANTUM, STEP_QUANTA))
        yield block[:, max(LATENCY_FRAMES - begin, 0) :]
    mixer.reports()
