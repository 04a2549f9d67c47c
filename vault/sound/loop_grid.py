"""Judges whether a loop is as long as its beats, in milliseconds, and what is to be cut where it is not.

A loop that is longer than its bars is rarely at another tempo: it has silence in front, or rings beyond its
last bar. Its onsets tell which; where they cannot, its holder is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from ..errors import Refused
from .declared import LEAST_BPM, MOST_BPM, Terms, beats_in_bar
from .decode import SILENT_PEAK, Sound
from .ends import Cut, lead_frames
from .engine_format import Grid
from .tatum import Onsets

EXACT_SECONDS = Fraction(5, 1000)
"""A loop that is off by no more is conformed: nobody hears that."""
_SURE_SECONDS = 0.008
"""How far off the length of a loop may lie from that of its onsets' pulse before it is another tempo."""
_SILENT_BEATS = Fraction(1, 8)
"""So much silence at its end is cut off, or added, without a question: every onset stays."""
_EARLY_SECONDS = 0.03
"""An onset that comes so little before a bar line belongs to the bar after it."""
_ENDS_QUIETLY = 10 ** (-20 / 20)


class OffTheGrid(Refused):
    """The length of a loop is not that of its beats; its holder can say why."""


@dataclass(frozen=True, slots=True)
class LoopGrid:
    """The grid of a loop, what is cut off it, and what its holder should know."""

    grid: Grid
    cut: Cut | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Surplus:
    """What a file has besides its beats: silence in front, and what follows, negative if that is missing."""

    lead_frames: int
    lead: Fraction
    rest: Fraction

    def __str__(self) -> str:
        parts = [f"{_ms(self.lead)} of silence in front"] if self.lead else []
        if self.rest > EXACT_SECONDS:
            parts.append(f"{_ms(self.rest)} after its last bar")
        elif self.rest < -EXACT_SECONDS:
            parts.append(f"its last {_ms(-self.rest)} missing")
        return " and ".join(parts)

    def ways(self) -> str:
        ways = ["--trim cuts the silence off"] if self.lead else []
        if self.rest > EXACT_SECONDS:
            ways.append(
                "--tail wrap mixes what follows onto its beginning, "
                "and --tail cut cuts it off with a short fade"
            )
        elif self.rest < -EXACT_SECONDS:
            ways.append("--trim fills its end up with silence")
        return "; ".join(ways)


def loop_grid(terms: Terms, sound: Sound, onsets: Onsets) -> LoopGrid:
    """The tempo and beats of a loop of which one of the two, or both, are declared.

    A tempo without beats takes whole bars. Raises `OffTheGrid` where more than 5 ms are unaccounted for.
    """
    if terms.bpm is None:
        assert terms.beats is not None, "nothing is declared of its time"
        grid = _of_beats(terms.beats, terms, sound, onsets)
        told = f"its {terms.beats} beats alone give its tempo, {float(grid[0]):g} bpm: its onsets do not tell"
        return LoopGrid(grid, None, () if onsets.pulse else (told,))
    bpm, seconds, bar = terms.bpm, _seconds(sound), beats_in_bar(terms.meter)
    beats = terms.beats or bar * max(round(seconds * bpm / 60 / bar), 1)
    off = seconds - 60 * beats / bpm
    if abs(off) <= EXACT_SECONDS:
        return LoopGrid((bpm, beats))
    if terms.beats is None:
        beats = bar * _bars_reached(seconds, 60 * bar / bpm, onsets)
    off = seconds - 60 * beats / bpm
    lead = _lead(sound, onsets, off, 15 / bpm)
    surplus = _Surplus(lead[0], lead[1], off - lead[1])
    heard = _other_tempo(bpm, beats, seconds, onsets)
    if heard is not None:
        raise OffTheGrid(
            f"{_length(beats, bar)} at {float(bpm):g} bpm would be {_s(seconds - off)} and the file has "
            f"{_s(seconds)}, and its onsets are those of {heard:g} bpm: say --bpm {heard:g}"
        )
    return _fitted(terms, (bpm, beats), surplus, sound)


def detected_grid(grid: Grid, sound: Sound, onsets: Onsets, terms: Terms) -> Grid:
    """A grid that was detected from the whole length. Raises `OffTheGrid` where the onsets deny it."""
    return _of_beats(grid[1], terms, sound, onsets)


def _fitted(terms: Terms, grid: Grid, surplus: _Surplus, sound: Sound) -> LoopGrid:
    bpm, beats = grid
    if (
        not surplus.lead
        and abs(surplus.rest) <= _SILENT_BEATS * 60 / bpm
        and _ends_silent(sound, surplus.rest)
    ):
        what = "is cut off" if surplus.rest > 0 else "is added"
        return LoopGrid(grid, None, (f"{_ms(abs(surplus.rest))} of silence {what} at its end",))
    wrapped = terms.tail == "wrap"
    if (terms.trim or not surplus.lead) and (
        terms.trim or abs(surplus.rest) <= EXACT_SECONDS or (surplus.rest > 0 and terms.tail is not None)
    ):
        done = "is mixed onto its beginning" if wrapped else "is cut off"
        told = [f"{_ms(surplus.lead)} of silence in front is cut off"] if surplus.lead else []
        if surplus.rest > EXACT_SECONDS:
            told.append(f"{_ms(surplus.rest)} after its last bar {done}")
        elif surplus.rest < -EXACT_SECONDS:
            told.append(f"{_ms(-surplus.rest)} of silence is added at its end")
        return LoopGrid(grid, Cut(surplus.lead_frames, "wrap" if wrapped else "cut"), tuple(told))
    seconds, bar = _seconds(sound), beats_in_bar(terms.meter)
    counted = seconds * bpm / 60
    ways, whole = surplus.ways(), round(counted)
    if terms.beats is None and whole != beats and abs(seconds - 60 * whole / bpm) <= EXACT_SECONDS:
        ways = f"if it is {whole} beats, say --beats {whole}; else {ways}"
    raise OffTheGrid(
        f"{_length(beats, bar)} at {float(bpm):g} bpm would be {_s(60 * beats / bpm)} and the file has "
        f"{_s(seconds)} ({float(counted):.2f} beats): it has {surplus}; {ways}"
    )


def _of_beats(beats: int, terms: Terms, sound: Sound, onsets: Onsets) -> Grid:
    """The tempo that follows from the number of beats, if the onsets do not deny it."""
    seconds = _seconds(sound)
    bpm = Fraction(round(60_000 * beats / seconds), 1000)
    if not LEAST_BPM <= bpm <= MOST_BPM:
        raise Refused(f"{beats} beats in {_s(seconds)} would be {float(bpm):g} bpm; check the beats")
    heard = _faster_tempo(beats, sound, onsets)
    if heard is None:
        return bpm, beats
    off = seconds - Fraction(60 * beats / heard).limit_denominator(1_000_000)
    lead = _lead(sound, onsets, off, Fraction(15 / heard))
    surplus = _Surplus(*lead, off - lead[1])
    length = _length(beats, beats_in_bar(terms.meter))
    if surplus.rest < -EXACT_SECONDS:
        held = float(seconds) * heard / 60
        count = f" --beats {round(held)}" if abs(held - round(held)) < 0.02 else ""
        raise OffTheGrid(
            f"if its {_s(seconds)} were {length}, it would be at {float(bpm):.4g} bpm, but its onsets are "
            f"those of {heard:g} bpm, of which it holds {held:.2f} beats; say --bpm {heard:g}{count}"
        )
    has = f", with {surplus}" if str(surplus) else ""
    ways = f", and: {surplus.ways()}" if surplus.ways() else ""
    raise OffTheGrid(
        f"if its {_s(seconds)} were {length}, it would be at {float(bpm):.4g} bpm, but its onsets are those "
        f"of {heard:g} bpm{has}; say --bpm {heard:g}{ways}"
    )


def _faster_tempo(beats: int, sound: Sound, onsets: Onsets) -> float | None:
    """The tempo of the onsets, if so many beats of it are clearly shorter or longer than the sound.

    Only an even pulse tells. Where the beat that follows from the length is one of its pulse, the sound must
    not end with a long quiet, which is how a loop with a tail ends.
    """
    seconds, pulse, times = float(_seconds(sound)), onsets.pulse, onsets.seconds
    if pulse is None:
        return None
    beat = pulse.beat(seconds / beats)
    fits = abs(beats * beat - seconds) <= _SURE_SECONDS
    if fits and not _rings_on(sound, times):
        return None
    # The music may reach the end of its last bar, and must not go past it.
    needed = float(times[-1] - times[0]) - _EARLY_SECONDS
    whole = [each for each in pulse.beats() if needed < beats * each <= seconds + _SURE_SECONDS]
    usual = [each for each in whole if LEAST_BPM <= 60 / each <= MOST_BPM]
    if not usual:
        return None if fits else _rounded(60 / beat)
    # The nearest to the end of the last pulse: a loop rarely ends with a long rest.
    chosen = min(usual)
    return None if abs(beats * chosen - seconds) <= _SURE_SECONDS else _rounded(60 / chosen)


def _rings_on(sound: Sound, times: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Whether the sound dies away after its last onset for twice as long as between any two others."""
    longest = float(np.diff(times).max())
    last = sound.frames / sound.rate - float(times[-1])
    if last + float(times[0]) <= 2 * longest + _EARLY_SECONDS:
        return False
    end = sound.samples[:, -max(round(last / 4 * sound.rate), 1) :]
    return float(np.abs(end).max()) < _ENDS_QUIETLY * sound.peak


def _other_tempo(bpm: Fraction, beats: int, seconds: Fraction, onsets: Onsets) -> float | None:
    """The tempo that the length stands for, if the onsets clearly lie on it and not on the declared one."""
    pulse = onsets.pulse
    if pulse is None:
        return None
    length = beats * pulse.beat(float(seconds) / beats)
    declared = float(60 * beats / bpm)
    if abs(length - float(seconds)) > _SURE_SECONDS or abs(length - declared) <= _SURE_SECONDS:
        return None
    if abs(pulse.beat(float(60 / bpm)) * beats - declared) <= _SURE_SECONDS:
        return None
    return _rounded(60 * beats / length)


def _rounded(bpm: float) -> float:
    whole = round(bpm)
    return float(whole) if abs(bpm - whole) <= 0.001 * bpm else round(bpm, 2)


def _lead(sound: Sound, onsets: Onsets, off: Fraction, step: Fraction) -> tuple[int, Fraction]:
    """Frames and seconds of silence in front, as far as they explain that the file is `off` seconds too long.

    A loop begins with its first onset, or with a rest of whole sixteenths, of `step` seconds, before it.
    """
    if not len(onsets.seconds) or off <= EXACT_SECONDS:
        return 0, Fraction(0)
    first = float(onsets.seconds[0])
    frames = lead_frames(sound, first)
    lead = Fraction(frames, sound.rate)
    if lead <= EXACT_SECONDS or abs(off - lead) <= EXACT_SECONDS:
        return (frames, lead) if lead > EXACT_SECONDS else (0, Fraction(0))

    def late(start: Fraction) -> float:
        """How far the first onset lies after a sixteenth, of those from `start` on."""
        steps = (first - float(start)) / float(step)
        return abs(steps - round(steps)) * float(step)

    if lead < off and not (onsets.pulse is not None and late(Fraction(0)) <= EXACT_SECONDS):
        return frames, lead
    if lead < off or late(Fraction(0)) <= EXACT_SECONDS < late(off):
        return 0, Fraction(0)
    if late(off) > EXACT_SECONDS:
        off = lead % step
    return (round(off * sound.rate), off) if EXACT_SECONDS < off < lead else (0, Fraction(0))


def _bars_reached(seconds: Fraction, bar: Fraction, onsets: Onsets) -> int:
    """The number of bars that the onsets reach; of a sound without any, the whole bars that it lasts."""
    whole, nearest = max(floor((seconds + EXACT_SECONDS) / bar), 1), max(round(seconds / bar), 1)
    times = onsets.seconds
    if len(times) < 2:
        return nearest if abs(nearest * bar - seconds) < bar / 8 else whole
    reached = int((float(times[-1] - times[0]) + _EARLY_SECONDS) / float(bar)) + 1
    return reached if reached * bar - seconds < bar / 8 else whole


def _ends_silent(sound: Sound, surplus: Fraction) -> bool:
    end = sound.samples[:, -max(round(abs(surplus) * sound.rate), 1) :]
    return float(np.abs(end).max()) < SILENT_PEAK


def _seconds(sound: Sound) -> Fraction:
    return Fraction(sound.frames, sound.rate)


def _length(beats: int, bar: int) -> str:
    bars, rest = divmod(beats, bar)
    return f"{beats} beats" if rest else f"{bars} bar{'s' * (bars != 1)}"


def _ms(seconds: Fraction) -> str:
    return f"{float(1000 * seconds):.0f} ms"


def _s(seconds: Fraction) -> str:
    return f"{float(seconds):.3f} s"
