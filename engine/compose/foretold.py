"""The loudness of a piece, foretold: the piece is composed as it plays, and what its stems bring is summed.

    compose at most 256 bars -> placements -> energy of each 100 ms (stem's x gains) -> gates of BS.1770-4

Sums of powers, as stems are unlike each other; the same stem twice at the same place adds as amplitudes.
What a bus of effects gives back counts as steady sound would. Filters, ducking and the limiter are not in it,
and fades are as coarse as the blocks. Nothing is mixed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...script.effects.chain import BUS_EFFECTS
from ...vault.records import ENGINE_RATE, Stem
from ...vault.sound.energies import Energies
from ...vault.sound.loudness import HOP, gated_power
from ..effects import PlacedBus, glided
from ..plan import Fade, Placement, Variant
from .compose import next_bar
from .gains import buses_of
from .score import Score
from .state import first_state

MOST_BARS = 256
"""How many bars a dry run composes in all."""
MOST_WORK, LOOP_WORK = 8192, 32
"""How much is composed at most: a hit is one, the choice of a loop so many times as much."""
RAMP_STEP = 480
MOST_GAIN_DB = 20.0
"""The most that the master raises or lowers a mix."""
HARD_LIMITING_DB = 3.0
Ask = Callable[[Sequence[Stem]], Mapping[str, Energies]]
"""Gives how loud stems are in each 100 ms, by id, as far as that is known."""
Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a session places if nobody touches it. `frames`: as far as that was looked at."""

    placements: tuple[Placement, ...]
    frames: int
    whole: bool
    """Whether the piece ends there."""
    buses: Mapping[str, float]
    """Of each bus of effects, how much of a steady sound's power it gives back."""


def foresee(score: Score, dials: Mapping[str, float]) -> Foreseen:
    """Compose a piece from its begin, to its end or for 256 bars, or for as much work as that may be."""
    state = first_state(score.piece, dials)
    placed: dict[int, Placement] = {}
    buses = {bus.name: _returned(bus) for bus in buses_of(score, state.dials)}
    frames = work = 0
    for _ in range(MOST_BARS):
        bar, state = next_bar(score, state)
        for stop in bar.stops:
            if (known := placed.get(stop.id)) is not None and stop.end_frame < known.end_frame:
                placed[stop.id] = replace(known, end_frame=stop.end_frame, fade_out=stop.fade_out)
        if bar.ended:
            return Foreseen(tuple(placed.values()), frames, True, buses)
        frames = bar.end_frame
        placed.update((placement.id, placement) for placement in bar.starts)
        work += sum(1 if placement.hit else LOOP_WORK for placement in bar.starts)
        if work > MOST_WORK:
            break
    return Foreseen(tuple(placed.values()), frames, False, buses)


def foretold_lufs(foreseen: Foreseen, stems: Mapping[str, Stem], ask: Ask) -> float:
    """The integrated loudness of what is foreseen, before the master; -inf for silence. `stems`: by id."""
    squares = mean_squares(foreseen, stems, ask)
    if len(squares) < 4:
        return -math.inf
    power = gated_power(np.convolve(squares, np.ones(4) / 4, "valid"))
    return -math.inf if power is None else -0.691 + 10 * math.log10(power)


def foretold_reduction_db(
    foreseen: Foreseen, stems: Mapping[str, Stem], ask: Ask, over_ceiling_db: float
) -> float:
    """What the limiter will take, but for 1 % of the time in which it takes more; right to some 1.5 dB.

    A stem's peaks are taken to follow its energies, and peaks of several to meet as powers do.
    `over_ceiling_db`: the master's gain less its ceiling.
    """

    def peaks(asked: Sequence[Stem]) -> Mapping[str, Energies]:
        found, of = ask(asked), {stem.stem: stem for stem in asked}
        crests = {
            stem: 10 ** (of[stem].true_peak_dbtp / 10) / float(each.plain.max())
            for stem, each in found.items()
            if each.plain.any()
        }
        return {stem: replace(found[stem], plain=found[stem].plain * crest) for stem, crest in crests.items()}

    squares = mean_squares(foreseen, stems, peaks)
    if not squares.any():
        return 0.0
    peak_db = 10 * math.log10(max(float(np.quantile(squares, 0.99)), 1e-30))
    return max(peak_db + over_ceiling_db, 0.0)


def unlimited_lufs(lufs: float, reduction_db: float) -> float | None:
    """The loudest that a mix could be, to half a LU, if the limiter works hard; None if it does not.

    Hard is more than 3 dB in over 1 % of the piece.
    """
    over = reduction_db - HARD_LIMITING_DB
    return math.floor(2 * (lufs - over)) / 2 if over > 0 else None


def mean_squares(foreseen: Foreseen, stems: Mapping[str, Stem], ask: Ask) -> Signal:
    """The K-weighted mean square of each 100 ms of the mix, both channels summed."""
    last = foreseen.frames
    if foreseen.whole:
        last = max((placement.end_frame for placement in foreseen.placements), default=0)
    total = np.zeros(-(-last // HOP) + 1)
    used = {placement.stem for placement in foreseen.placements}
    levels = ask([stems[stem] for stem in sorted(used) if stem in stems])
    loops: defaultdict[tuple[Variant, int], list[Placement]] = defaultdict(list)
    hits: defaultdict[tuple[Variant, int, int], list[Placement]] = defaultdict(list)
    for placement in foreseen.placements:
        if placement.stem not in levels or placement.start_frame >= last:
            continue
        if placement.hit:
            length = placement.end_frame - placement.start_frame
            hits[placement.variant, placement.offset_frames, length].append(placement)
        else:
            loops[placement.variant, placement.start_frame - placement.offset_frames].append(placement)
    readings: dict[Variant, _Reading] = {}
    for variant in {*(key[0] for key in loops), *(key[0] for key in hits)}:
        readings[variant] = _Reading(variant, stems[variant.stem], levels[variant.stem])
    for (variant, begin), these in loops.items():
        _add_loop(total, readings[variant], begin, these, foreseen.buses)
    for (variant, offset, length), these in hits.items():
        _add_hits(total, readings[variant], offset, length, these, foreseen.buses)
    return total[: last // HOP] / HOP


class _Reading:
    """How much energy a variant has brought up to each of its frames, from its stem's energies."""

    def __init__(self, variant: Variant, stem: Stem, levels: Energies) -> None:
        self._variant = variant
        self._rate = stem.frames / variant.frames if stem.frames else 1.0
        steps = np.concatenate(([0.0], np.cumsum(levels.plain))) * HOP
        self._at = np.minimum(np.arange(len(steps)) * HOP, stem.frames) / self._rate
        self._sum = steps / self._rate
        if variant.reverse:
            self._at = self._at[-1] - self._at[::-1]
            self._sum = self._sum[-1] - self._sum[::-1]
        if variant.ramp:
            self._follow_ramp(stem, levels)

    def _follow_ramp(self, stem: Stem, levels: Energies) -> None:
        """Read the loop as it lies along a ramp of tempo, in steps of 10 ms."""
        steps = np.arange(0, self._variant.frames + RAMP_STEP, RAMP_STEP)
        within, lies = np.array(self._variant.ramp, np.float64).T
        read = np.interp(steps[:-1] + RAMP_STEP / 2, lies, within) % stem.frames
        if self._variant.reverse:
            read = stem.frames - 1 - read
        brought = levels.plain[np.minimum(read // HOP, len(levels.plain) - 1).astype(np.intp)]
        self._at, self._sum = (
            steps.astype(np.float64),
            np.concatenate(([0.0], np.cumsum(brought * RAMP_STEP))),
        )

    def until(self, frames: Signal) -> Signal:
        """The energy up to these frames, its repeats counted."""
        variant = self._variant
        if variant.loop_start is None:
            whole: Signal = np.interp(frames, self._at, self._sum)
            return whole
        length = variant.frames - variant.loop_start
        rounds = np.maximum((frames - variant.loop_start) // length, 0)
        ends = np.interp((variant.loop_start, variant.frames), self._at, self._sum)
        last_round: Signal = np.interp(frames - rounds * length, self._at, self._sum)
        repeated: Signal = rounds * (ends[1] - ends[0]) + last_round
        return repeated


def _add_loop(
    total: Signal,
    reading: _Reading,
    begin: int,
    placements: Sequence[Placement],
    buses: Mapping[str, float],
) -> None:
    """Add what sounds of a variant that begins at the frame `begin`: where it sounds twice, twice as high."""
    start = min(placement.start_frame for placement in placements)
    end = min(max(placement.end_frame for placement in placements), len(total) * HOP)
    first, last = start // HOP, -(-end // HOP)
    edges = np.clip(np.arange(first, last + 1) * HOP, start, end)
    brought = np.diff(reading.until((edges - begin).astype(np.float64)))
    frames = np.maximum(np.diff(edges), 1)
    gains = np.zeros(last - first)
    for placement in placements:
        own = np.clip(edges, placement.start_frame, placement.end_frame)
        middle = (own[1:] + own[:-1]) / 2
        level = _gain(placement, buses) * _faded(placement, middle) * _moved(placement, middle)
        gains += np.diff(own) / frames * level
    total[first:last] += brought * gains**2


def _add_hits(
    total: Signal,
    reading: _Reading,
    offset: int,
    length: int,
    placements: Sequence[Placement],
    buses: Mapping[str, float],
) -> None:
    """Add all that is struck of a variant from one offset and for one length."""
    gains: defaultdict[int, float] = defaultdict(float)
    for placement in placements:
        gains[placement.start_frame] += _gain(placement, buses)
    starts, powers = np.array(list(gains)), np.array(list(gains.values())) ** 2
    steps = np.minimum(np.arange(-(-length // HOP) + 1) * HOP, length) + offset
    block, share = starts // HOP, starts % HOP / HOP
    for step, brought in enumerate(np.diff(reading.until(steps.astype(np.float64)))):
        for at, part in ((block + step, 1 - share), (block + step + 1, share)):
            total += np.bincount(np.minimum(at, len(total) - 1), powers * part * brought, len(total))


def _gain(placement: Placement, buses: Mapping[str, float]) -> float:
    """The gain of a placement, with what comes back of what it sends."""
    effects = placement.effects
    power = 1.0 if effects.via is None else buses.get(effects.via, 1.0)
    power += sum(send.amount**2 * buses.get(send.bus, 0.0) for send in effects.sends)
    return float(10 ** ((placement.gain_db + placement.level_db) / 20) * math.sqrt(power))


def _moved(placement: Placement, frames: Signal) -> Signal | float:
    """How a placement's gain has moved at these frames."""
    glides, begun = placement.effects.glides, placement.gain_db
    if not any(glide.what == "gain" for glide in glides):
        return 1.0
    moved = [glided(glides, "gain", int(frame), begun) - begun for frame in frames]
    return 10 ** (np.array(moved) / 20)


def _returned(bus: PlacedBus) -> float:
    power = 1.0
    for effect in BUS_EFFECTS:
        if effect.always or effect.on(bus.numbers):
            power = effect.power(bus.numbers, ENGINE_RATE, power)
    return power


def _faded(placement: Placement, frames: Signal) -> Signal:
    """The gain of a placement's fades at these frames."""
    entered = frames - placement.start_frame + placement.fade_in.done
    return _curve(placement.fade_in, entered) * _curve(placement.fade_out, placement.end_frame - frames)


def _curve(fade: Fade, frames: Signal) -> Signal:
    if fade.frames == 0:
        return np.ones(len(frames))
    along = np.clip(frames / fade.frames, 0, 1)
    return np.sin(np.pi / 2 * along) if fade.equal_power else along


def gain_for(target_lufs: float | None, foretold: float) -> float:
    """The master's gain in dB for a mix of this loudness; 0 for silence, and where no target is set."""
    if target_lufs is None or not math.isfinite(foretold):
        return 0.0
    return min(max(target_lufs - foretold, -MOST_GAIN_DB), MOST_GAIN_DB)
