"""The gestures of a session: each is made at the frame that is decided next, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from msgspec.structs import replace

from ...script.check.check import accepted
from ..arguments import quoted, word
from ..compose.events import Input
from ..compose.score import Score
from ..compose.state import in_range
from ..compose.swap import in_reach
from ..errors import NothingToUndo, SwapRefused, UnknownCue, UnknownPart
from .conductor import Conductor
from .faders import Faders
from .hands import Hands
from .latches import Boundary
from .take import Gesture

MOST_UNDO = 1000
"""How many gestures may be taken back."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of a dial that waits. `turned`: the values to which dials had been turned before it."""

    gesture: Gesture
    boundary: Boundary
    undo: Callable[[], object]
    turned: dict[str, float]


class Gestures(Hands):
    """Makes gestures at once, keeps them for the take, and takes them back."""

    def __init__(self, conductor: Conductor, *, again: bool = False) -> None:
        """`again`: those of a take, of which each is made as it is."""
        self._again = again
        self.made: list[Gesture] = []
        """All gestures so far that something came of, each with its frame."""
        self._conductor = conductor
        self._faders = Faders()
        self._undo: list[Callable[[], object]] = []
        """What takes each gesture back, the last of them last."""
        self._turned: dict[str, float] = {}
        """The value to which each dial was turned last."""
        self._waiting: dict[str, _Turn] = {}
        """The turn of each dial that has not taken effect when it was looked at last."""

    @property
    def undoable(self) -> int:
        """How many gestures can be taken back."""
        return len(self._undo)

    @property
    def _score(self) -> Score:
        return self._conductor.score

    def _give(self, gesture: Gesture) -> None:
        self.perform(self.expect(gesture))

    def perform(self, gesture: Gesture, coming: Score | None = None) -> None:
        """Make a gesture now, whatever its frame. Raises as `expect` does.

        `coming`: of a script that takes over, the score by which it does, where it is known.
        """
        gesture = self.expect(gesture, coming)
        match gesture.kind:
            case "dial":
                self._turn(gesture)
            case "cue":
                self._note(gesture)
                self._give_input(Input("cue", name=gesture.name))
            case "like" | "dislike":
                self._react(gesture)
            case "panic":
                self._note(gesture)
                self._conductor.panic()
            case "undo":
                self._conductor.decide()
                self._waiting.clear()
                self._undo.pop()()
                self._note(gesture)
            case "script":
                self.swap(coming or self._conductor.rescored(accepted(gesture.name or "")))
            case _:
                self._fader(gesture)

    def expect(self, gesture: Gesture, coming: Score | None = None) -> Gesture:
        """The gesture with plain numbers. Raises what `perform` would, before anything sounds."""
        match gesture.kind:
            case "dial":
                return replace(
                    gesture,
                    value=in_range(self._score.piece, cast(str, gesture.name), cast(float, gesture.value)),
                )
            case "cue":
                self._known_cue(gesture.name)
            case "like" | "dislike":
                self._known_part(gesture.name)
            case "undo":
                if not self._undo:
                    raise NothingToUndo("no gesture is left that can be taken back")
            case "script":
                if coming is None:
                    self._conductor.rescored(accepted(gesture.name or ""))
                self.can_swap()
            case "fade" | "mute" | "solo":
                self._faders.known(gesture)
        return gesture

    def swap(self, score: Score) -> None:
        """Have another script take over at the next bar line, by the score that `rescored` gave for it.

        Raises SwapRefused.
        """
        self.can_swap()
        self._conductor.decide()
        before = self._conductor.next_score
        self._conductor.swap(score)
        self._note(Gesture(0, "script", score.piece.text))
        self._can_undo(lambda: self._conductor.swap(self._conductor.rescored(before.piece, before.seed)))

    def can_swap(self) -> None:
        """Raise SwapRefused when nothing can take over any more."""
        if self._conductor.ended_at is not None:
            raise SwapRefused(f'"{self._score.piece.name}" has ended: nothing can take over from it')

    def _react(self, gesture: Gesture) -> None:
        """What a like or dislike means is settled now: by the bar line another stem may play."""
        self._note(gesture)
        part = gesture.name
        sounding = [p for p in self._conductor.playing if (not p.hit if part is None else p.part == part)]
        last = max(sounding, key=lambda p: (p.start_frame, p.id), default=None)
        kind = cast(Literal["like", "dislike"], gesture.kind)
        self._give_input(Input(kind, last.part if last else part, stem=last.stem if last else None))

    def _give_input(self, given: Input) -> None:
        self._conductor.give(given)
        self._can_undo(lambda: self._conductor.take_back(given))

    def _turn(self, gesture: Gesture) -> None:
        """Turn a dial. A turn before it that waited for the same boundary is as if it had never been made."""
        name, value = cast(str, gesture.name), cast(float, gesture.value)
        conductor = self._conductor
        conductor.decide()
        boundary = conductor.boundary_of(name)
        last = None if self._again else self._waiting.get(name)
        if last is not None and (boundary != last.boundary or not conductor.waits(name, last.boundary)):
            last = None
        if last is not None and value == last.gesture.value:
            return
        stands = conductor.state.dials[name]
        if last is None and not self._again and value == stands == self._turned.get(name, stands):
            return
        if last is not None:
            self.made = [each for each in self.made if each is not last.gesture]
            self._undo = [each for each in self._undo if each is not last.undo]
            self._turned = last.turned
        turned = dict(self._turned)
        before = turned.get(name, conductor.state.dials[name])
        self._note(gesture)
        self._turn_to(name, value)
        self._can_undo(lambda: self._turn_back(name, before))
        if boundary is not None:
            self._waiting[name] = _Turn(self.made[-1], boundary, self._undo[-1], turned)

    def _known_cue(self, name: object) -> None:
        cues = self._score.cues
        if word(name, "the name of a cue") not in cues:
            known = ", ".join(f'"{cue}"' for cue in cues) or "none"
            raise UnknownCue(f'"{self._score.piece.name}" waits for no cue {quoted(name)}; its cues: {known}')

    def _known_part(self, part: object) -> None:
        if part is not None and word(part, "the name of a part") not in self._score.parts:
            known = ", ".join(self._score.parts) or "none"
            raise UnknownPart(f'"{self._score.piece.name}" has no part {quoted(part)}; its parts: {known}')

    def _can_undo(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)
        del self._undo[:-MOST_UNDO]

    def _turn_back(self, dial: str, value: float) -> None:
        """Turn a dial to what it was, if the script that plays now has it."""
        if in_reach(self._score.piece, dial, value):
            self._turn_to(dial, value)

    def _turn_to(self, dial: str, value: float) -> None:
        self._turned[dial] = value
        self._conductor.turn(dial, value)

    def _fader(self, gesture: Gesture) -> None:
        before = self._faders.stands(gesture)
        self._note(gesture)
        self._move_faders(gesture)
        self._can_undo(lambda: self._move_faders(replace(gesture, value=before)))

    def _move_faders(self, gesture: Gesture) -> None:
        for role, gain in self._faders.moved(gesture).items():
            self._conductor.set_fader(role, gain, gesture.frames)

    def _note(self, gesture: Gesture) -> None:
        """Decide all that comes before a gesture, and put it into the take."""
        self._conductor.decide()
        self.made.append(replace(gesture, frame=self._conductor.control))
