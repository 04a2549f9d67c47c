"""The figures of a mix: of each of its sections, and of each part in each section."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...vault.records import ENGINE_RATE
from .heard import Heard
from .masking import Hidden, Masking
from .spectra import (
    LOW,
    PRESENCE,
    STEP,
    Powers,
    decibels,
    loudness,
    mono_loss_db,
    share_db,
    side_db,
    weighted_powers,
)

SILENT_LUFS = -60.0


@dataclass(frozen=True, slots=True)
class SectionFigures:
    """All visits of a section, as heard. -inf for silence.

    `low_db` and `presence_db`: how far what lies below 120 Hz, and from 2 to 5 kHz, is under the whole.
    `side_db`: the sides beside the middle. `mono_loss_db`: how much softer it is in mono. `limiter_db`: what
    the limiter takes of its loudness.
    """

    section: str
    visits: int
    bars: int
    seconds: float
    lufs: float
    low_db: float
    presence_db: float
    side_db: float
    mono_loss_db: float
    limiter_db: float


@dataclass(frozen=True, slots=True)
class PartFigures:
    """A part in all visits of a section, as it is before the limiter.

    `line`: of the script, from 1, that makes most of it. `hit`: whether that strikes it. `hidden`: how much
    of it others hide.
    """

    section: str
    part: str
    role: str
    line: int
    lufs: float
    low_db: float
    presence_db: float
    side_db: float
    mono_loss_db: float
    hidden: Hidden
    hit: bool


def section_figures(heard: Heard, section: str) -> SectionFigures:
    steps = heard.steps(section)
    mix = heard.mix[steps]
    bars = [bar for bar in heard.bars if bar.section == section]
    before = float(weighted_powers(heard.unlimited[steps]).sum())
    after = float(weighted_powers(mix).sum())
    return SectionFigures(
        section,
        sum(bar.section_bar == 0 for bar in bars),
        len(bars),
        float(steps.sum()) * STEP / ENGINE_RATE,
        loudness(mix),
        share_db(mix, LOW),
        share_db(mix, PRESENCE),
        side_db(mix),
        mono_loss_db(mix),
        max(decibels(before / after), 0.0) if after > 0 else 0.0,
    )


def part_figures(heard: Heard, section: str) -> list[PartFigures]:
    """Those of the parts that are not silent in a section, the loudest first."""
    steps = heard.steps(section)
    parts = {part: powers[steps] for part, powers in heard.parts.items()}
    placed = {part: heard.placement(section, part) for part in parts}
    masking = Masking(parts, {part for part, placement in placed.items() if placement and placement.hit})
    roles, found = heard.roles(), []
    for part, powers in parts.items():
        lufs, placement = loudness(powers), placed[part]
        if placement is not None and lufs >= SILENT_LUFS:
            found.append(
                PartFigures(
                    section,
                    part,
                    roles[part],
                    placement.line,
                    lufs,
                    share_db(powers, LOW),
                    share_db(powers, PRESENCE),
                    side_db(powers),
                    mono_loss_db(powers),
                    masking.hidden(part),
                    placement.hit,
                )
            )
    return sorted(found, key=lambda each: -each.lufs)


def low_power(powers: Powers) -> float:
    """The power below 120 Hz, summed over all steps."""
    return float(powers[..., LOW].sum(dtype=np.float64))


def side_power(powers: Powers, width: float) -> tuple[float, float]:
    """The power of the middle, and of the sides at a width."""
    middle, side = powers.sum(axis=(0, 2), dtype=np.float64)
    return float(middle), float(side) * width**2


def loss_at_width(powers: Powers, width: float) -> float:
    """How much softer it would be in mono, in dB, if its sides were of this width."""
    middle, side = side_power(powers, width)
    return -decibels(middle / (middle + side)) if middle > 0 else math.inf
