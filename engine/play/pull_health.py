"""How `read` does for a host that pulls: how long it takes, and how often longer than its sound lasts."""

from __future__ import annotations

import numpy as np

from ...vault.records import ENGINE_RATE

_SPAN = 16
"""Steps to the octave of nanoseconds in the histogram."""
_STEPS = 40 * _SPAN


class PullHealth:
    """Counters of a host's reads. One thread at a time counts; any may look."""

    def __init__(self) -> None:
        self.times = np.zeros(_STEPS, np.int64)
        self.reads = self.late = self.longest_ns = 0

    def read(self, frames: int, nanoseconds: int) -> None:
        """Count a read that took so long."""
        octave = max(nanoseconds.bit_length() - 5, 0)
        self.times[min(octave * _SPAN + (nanoseconds >> octave), _STEPS - 1)] += 1
        self.reads += 1
        self.longest_ns = max(self.longest_ns, nanoseconds)
        self.late += nanoseconds * ENGINE_RATE > frames * 1_000_000_000
