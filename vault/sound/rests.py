"""Tells silence that is part of a rhythm from silence that would earn for nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records import ENGINE_RATE
from .measure import SILENCE

MOST_BARS = 2
_TICK = ENGINE_RATE // 100
_HIT_TICKS = 15
_SLACK_BARS = 0.02
_DECAY = 0.25


@dataclass(frozen=True, slots=True)
class Rest:
    """The longest silence, below -60 dBFS, of a loop that goes round. `at`, `seconds`: where and how long."""

    at: float
    seconds: float
    bars: float
    idle: bool
    """Whether it is more than a rhythm's rest."""

    def __str__(self) -> str:
        return f"from {self.at:.2f} s on it is silent (below -60 dBFS) for {self.bars:.1f} bars"


def rest_of(samples: NDArray[np.float32], bars: float) -> Rest | None:
    """The longest rest of a loop `(channels, frames)` of so many bars; `None` for one without.

    Idle is a rest of more than two bars; of a bar and half the loop; or of half the loop after a sound that
    is cut off, for a hit dies away by itself.
    """
    channels, frames = samples.shape
    ticks = frames // _TICK
    if not ticks:
        return None
    rows = np.abs(samples[:, : ticks * _TICK]).reshape(channels, ticks, _TICK).max(axis=(0, 2))
    loud = np.flatnonzero(rows >= SILENCE)
    if not loud.size:
        return Rest(0.0, frames / ENGINE_RATE, bars, True)
    gaps = np.diff(np.append(loud, loud[0] + ticks)) - 1
    longest = int(np.argmax(gaps))
    silent, end = int(gaps[longest]), int(loud[longest])
    if not silent:
        return None
    share = silent / ticks
    length = share * bars
    idle = (
        length > MOST_BARS + _SLACK_BARS
        or (share >= 0.5 and length >= 1)
        or (share >= 0.5 and _is_cut_off(np.roll(rows, -(end + 1))))
    )
    return Rest((end + 1) % ticks / 100, silent / 100, length, idle)


def _is_cut_off(rows: NDArray[np.float32]) -> bool:
    """Whether the sound at the end of the peaks of each 10 ms stops, rather than dies away."""
    quiet = np.flatnonzero(rows < SILENCE)
    sound = rows[quiet[-1] + 1 :] if quiet.size else rows
    if len(sound) <= _HIT_TICKS:
        return False
    quarter = len(sound) // 4
    return float(sound[-quarter:].mean()) > _DECAY * float(sound.max())
