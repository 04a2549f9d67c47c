"""The gestures that a host has asked for: looked at when they come, made by the session when it decides next.

Whoever makes a gesture waits for nothing: not for a bar that is composed, not for another thread's `read`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..compose.score import Score
from ..errors import NothingToUndo
from .gestures import Gestures
from .take import Gesture


class Asked:
    """The gestures of one session that are still to be made, in the order in which they came."""

    def __init__(self, gestures: Gestures) -> None:
        self._gestures = gestures
        self._waiting: deque[tuple[Gesture, Score | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, gesture: Gesture, coming: Score | None = None) -> None:
        """Take a gesture. Raises what `Gestures.perform` would, as far as it can be known now.

        `coming`: of a script that takes over, its score.
        """
        if gesture.kind == "undo":
            self._can_undo()
        else:
            gesture = self._gestures.expect(gesture, coming)
        self._waiting.append((gesture, coming))

    def make(self, refused: Callable[[Exception], object]) -> None:
        """Make all of them, on the session's own thread.

        `refused` gets the error of one that something before it has made impossible.
        """
        while self._waiting:
            gesture, coming = self._waiting.popleft()
            try:
                self._gestures.perform(gesture, coming)
            except Exception as error:  # noqa: BLE001 - one that cannot be made must not stop the music
                refused(error)

    def _can_undo(self) -> None:
        left = self._gestures.undoable
        for gesture, _ in tuple(self._waiting):
            left += -1 if gesture.kind == "undo" else 1
        if left <= 0:
            raise NothingToUndo("no gesture is left that can be taken back")
