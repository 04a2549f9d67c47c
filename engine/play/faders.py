"""The listener's faders: one a role, apart from all that the script says."""

from __future__ import annotations

from ...ground.roles import ROLES
from ...vault.records import ENGINE_RATE
from ..errors import UnknownRole
from .take import Gesture

MOST_FADE_SECONDS = 3600
"""The longest time in which a fader moves."""


class Faders:
    """Where each role's fader, mute and solo stand, and the gains that follow from them."""

    def __init__(self) -> None:
        self._gains: dict[str, float] = dict.fromkeys(ROLES, 1.0)
        self._muted: set[str] = set()
        self._solo: set[str] = set()

    def moved(self, gesture: Gesture) -> dict[str, float]:
        """Take a gesture `fade`, `mute` or `solo`; gives the roles whose gain it changes, and the new gains.

        Raises as `known` does.
        """
        role, value = self.known(gesture)
        before = self._heard()
        if gesture.kind == "fade":
            self._gains[role] = value
        else:
            these = self._muted if gesture.kind == "mute" else self._solo
            these.discard(role)
            if value:
                these.add(role)
        return {role: gain for role, gain in self._heard().items() if gain != before[role]}

    def stands(self, gesture: Gesture) -> float:
        """The present value of what a gesture would move. Raises as `known` does."""
        role, _ = self.known(gesture)
        if gesture.kind == "fade":
            return self._gains[role]
        return float(role in (self._muted if gesture.kind == "mute" else self._solo))

    def known(self, gesture: Gesture) -> tuple[str, float]:
        """The role and value of a gesture. Raises UnknownRole, also for a gain outside 0 to 1."""
        role, value = gesture.name or "", gesture.value
        if role not in self._gains:
            raise UnknownRole(f'there is no role "{role}"; the roles are {", ".join(ROLES)}')
        if value is None or not 0 <= value <= 1 or not 0 <= gesture.frames <= MOST_FADE_SECONDS * ENGINE_RATE:
            raise UnknownRole(f"a fader goes from 0 to 1; {value} is outside")
        return role, value

    def _heard(self) -> dict[str, float]:
        """The gain of every role."""
        return {
            role: 0.0 if role in self._muted or (self._solo and role not in self._solo) else gain
            for role, gain in self._gains.items()
        }
