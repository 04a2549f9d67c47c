"""The listener's faders: one a role, apart from all that the script says."""

from __future__ import annotations

from ...ground.roles import ROLES
from ...vault.records import ENGINE_RATE
from ..arguments import number, quoted, shown, switch, word
from ..errors import UnknownRole
from .take import Gesture

MOST_FADE_SECONDS = 3600
"""The longest time in which a fader moves."""


def fade(role: str, gain: float, seconds: float) -> Gesture:
    """The gesture that moves a fader. Raises UnknownRole for a role, gain or time that there is not."""
    to, time = number(gain, "a fader's gain"), number(seconds, "a fader's time")
    if not 0 <= time <= MOST_FADE_SECONDS:
        raise UnknownRole(f"a fader moves within 0 to {MOST_FADE_SECONDS} seconds; {time:g} is outside")
    return _known(Gesture(0, "fade", word(role, "the name of a role"), to, round(time * ENGINE_RATE)))


def muted(role: str, on: bool) -> Gesture:
    """The gesture that mutes a role, or lets it be heard. Raises UnknownRole."""
    return _known(
        Gesture(0, "mute", word(role, "the name of a role"), float(switch(on, "whether a role is muted")))
    )


def alone(role: str, on: bool) -> Gesture:
    """The gesture that has a role heard alone, or not. Raises UnknownRole."""
    return _known(
        Gesture(0, "solo", word(role, "the name of a role"), float(switch(on, "whether a role is solo")))
    )


def _known(gesture: Gesture) -> Gesture:
    """The gesture itself, also one of a take. Raises UnknownRole where no fader can follow it."""
    role, value = gesture.name or "", gesture.value
    if role not in ROLES:
        raise UnknownRole(f"there is no role {quoted(role)}; the roles are {', '.join(ROLES)}")
    if value is None or not 0 <= value <= 1 or not 0 <= gesture.frames <= MOST_FADE_SECONDS * ENGINE_RATE:
        raise UnknownRole(f"a fader goes from 0 to 1; {shown(value)} is outside")
    if gesture.kind != "fade" and value not in (0, 1):
        raise UnknownRole(f"a role is muted or solo, or it is not; {value:g} is neither")
    return gesture


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
        """The role and value of a gesture, which may be of any take. Raises UnknownRole."""
        _known(gesture)
        assert gesture.name is not None
        assert gesture.value is not None
        return gesture.name, gesture.value

    def _heard(self) -> dict[str, float]:
        """The gain of every role."""
        return {
            role: 0.0 if role in self._muted or (self._solo and role not in self._solo) else gain
            for role, gain in self._gains.items()
        }
