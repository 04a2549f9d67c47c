"""Hands on the music: the gestures that a host can make while a piece plays, each with its words."""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import faders
from .take import Gesture


class Hands(ABC):
    """Takes gestures: a session makes each at once, and a player has its session make them."""

    @abstractmethod
    def _give(self, gesture: Gesture) -> None:
        """Take a gesture. Raises as the methods below say, before anything comes of it."""

    def set(self, dial: str, value: float) -> None:
        """Turn a dial of the script: heard at once, or at the boundary that the dial names.

        Raises UnknownDial if there is none of that name or the value is out of its range.
        """
        self._give(Gesture(0, "dial", dial, value))

    def like(self, part: str | None = None) -> None:
        """The listener likes what `part` plays, or else the loop that started last: it comes more often.

        What else happens is for the script's `on like` to say. Raises UnknownPart.
        """
        self._give(Gesture(0, "like", part))

    def dislike(self, part: str | None = None) -> None:
        """The contrary of `like`: it comes less often, and `on dislike` happens. Raises UnknownPart."""
        self._give(Gesture(0, "dislike", part))

    def cue(self, name: str) -> None:
        """Give a cue that a move or an event of the script waits for. Raises UnknownCue."""
        self._give(Gesture(0, "cue", name))

    def fade(self, role: str, gain: float, seconds: float = 0.0) -> None:
        """Move the listener's fader of a role, 0 to 1, apart from the script's gains. Raises UnknownRole."""
        self._give(faders.fade(role, gain, seconds))

    def mute(self, role: str, on: bool = True) -> None:
        """Take a role out of what is heard, or back in. What is muted is not in play, and earns nothing.

        Raises UnknownRole.
        """
        self._give(faders.muted(role, on))

    def solo(self, role: str, on: bool = True) -> None:
        """Have a role heard alone, or beside others that are solo too. Raises UnknownRole."""
        self._give(faders.alone(role, on))

    def panic(self) -> None:
        """Silence at once; the music comes back with the next bar."""
        self._give(Gesture(0, "panic", None))

    def undo(self) -> None:
        """Take the last gesture back that was not taken back yet, as far as nothing came of it.

        A dial, a fader or a script goes back to what it was; a like, a dislike or a cue counts no more. What
        has been heard stays heard. Raises NothingToUndo, and what a swap of the script raises.
        """
        self._give(Gesture(0, "undo", None))
