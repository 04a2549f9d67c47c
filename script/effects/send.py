"""`to`: how much of a sound goes to a bus of effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .effect import Parameter

AMOUNT = Parameter("to {}", "", (0, 1), "to {}", idle="sends nothing there")
"""`{}` is the bus."""


@dataclass(frozen=True, slots=True)
class PlacedSend:
    """`amount`: 0 to 1."""

    bus: str
    amount: float


def kernel(tools: Any) -> Any:
    import numpy as np

    quantum, approach = tools.quantum, tools.approach
    one_step = np.float32(1.0 / quantum)

    @tools.inner
    def send(amounts, block, gain, step, sent):
        """Add a quantum to what is sent to each bus, by its amount and the gain of the role's bus.

        `amounts` (2, buses): as they are, and what they move to.
        """
        for b in range(sent.shape[0]):
            amount, aim = amounts[0, b], amounts[1, b]
            if amount > 0 or aim > 0:
                amounts[0, b] = approach(amount, aim)
                amount_step = (amounts[0, b] - amount) * one_step
                for k in range(quantum):
                    at = np.float32(k)
                    amp = (amount + amount_step * at) * (gain + step * at)
                    sent[b, 0, k] += amp * block[0, k]
                    sent[b, 1, k] += amp * block[1, k]

    return send
