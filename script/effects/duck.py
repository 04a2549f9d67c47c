"""`duck`: a sound makes room for a part while that is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .effect import Parameter

DEPTH = Parameter("duck", "dB", (0, 60), "duck", idle="makes nothing softer")
KEYED = 0.01
"""-40 dBFS: above it a part makes others duck."""
RELEASE_STEP = 0.01
"""The most that a ducked gain rises in a quantum: from silence in 133 ms."""


@dataclass(frozen=True, slots=True)
class PlacedDuck:
    """How much softer, in dB, while the part `under` sounds."""

    depth_db: float
    under: str


def gain(duck: PlacedDuck | None) -> float:
    """The gain that is left of a sound while it is ducked."""
    return 1.0 if duck is None else 10 ** (-duck.depth_db / 20)


def kernel(tools: Any) -> Any:
    import numpy as np

    most_step, one = tools.most_step, np.float32(1.0)
    keyed, release = np.float32(KEYED), np.float32(RELEASE_STEP)

    @tools.inner
    def duck(duck, keys):
        """The next gain of a ducking: down as fast as a gain may move while the key sounds, up more slowly.

        `duck`: the part that it ducks under, the gain while that sounds, the gain now.
        """
        wanted = duck[1] if keys[0, int(duck[0])] > keyed else one
        if wanted < duck[2]:
            return max(wanted, duck[2] - most_step)
        return min(wanted, duck[2] + release)

    return duck
