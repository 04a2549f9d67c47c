"""The onsets of a loop as it is conformed, and how loud they are: others may duck under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...script.effects import duck
from ...vault.sound.onsets import onsets
from .sounds import Sound

WEIGHED_FRAMES = 1440
"""30 ms."""


@dataclass(frozen=True, slots=True)
class LoopOnsets:
    """The onsets of a loop: where in its sound they are, and how loud beside the loudest, in dB."""

    frames: NDArray[np.int64]
    levels_db: NDArray[np.float64]


def struck(sound: Sound) -> LoopOnsets:
    """The onsets of a loop that make others duck; none for a sound that is not struck."""
    found = np.array(onsets(sound), np.int64)
    power = (sound.astype(np.float64) ** 2).sum(axis=0)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([power, power[:WEIGHED_FRAMES]]))])
    weighed = sums[found + WEIGHED_FRAMES] - sums[found] if len(found) else np.zeros(0)
    levels = 10 * np.log10(weighed / max(float(weighed.max(initial=0)), 1e-12) + 1e-12)
    loud = levels > duck.NONE_DB
    return LoopOnsets(found[loud], levels[loud])
