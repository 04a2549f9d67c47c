"""The tempo, metre and key of a section, where they are not the head's."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...script.piece import Key, Section
from ..clock import BarClock, Ramp


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a section is played at; None where that is the head's.

    `reaches`: the tempi to which it slows down or pushes on.
    """

    tempo_bpm: Fraction | None = None
    meter: tuple[int, int] | None = None
    key: Key | None = None
    reaches: tuple[Fraction, ...] = ()

    def clock(self, head: BarClock) -> BarClock:
        """The clock of the section; `head`: that of the piece's head."""
        counted = head.counted or head.meter[1]
        tempo_bpm, meter = self.tempo_bpm or head.tempo_bpm, self.meter or head.meter
        return (
            head
            if (tempo_bpm, meter) == (head.tempo_bpm, head.meter)
            else BarClock(tempo_bpm, meter, head.rate, counted)
        )


PLAIN = Tuning()
"""As the head says."""


def tuning_of(section: Section, key: Key | None) -> Tuning:
    """How a section is tuned. `key`: the head's."""
    own = section.key
    if section.key_up_st and key is not None:
        own = Key((key.tonic + section.key_up_st) % 12, key.mode)
    reaches = tuple(dict.fromkeys(ramp.tempo_bpm for ramp in section.ramps))
    return Tuning(section.tempo_bpm, section.meter, own, reaches)


def ramps_of(section: Section, clock: BarClock, first: Fraction) -> tuple[Ramp, ...]:
    """The ramps of a section that begins at the beat `first`, by its `clock`."""
    ramps = []
    for each in section.ramps:
        begin, end = (at * clock.meter_beat for at in each.beats(clock.meter[0]))
        ramps.append(Ramp(first + begin, end - begin, each.tempo_bpm))
    return tuple(ramps)
