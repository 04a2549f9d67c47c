"""The gestures of a session: each is made at the frame that is decided next, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from ...script.check.check import accepted
from ...vault.records import ENGINE_RATE
from ..compose.events import Input
from ..compose.score import Score
from ..compose.state import as_number, in_range
from ..compose.swap import in_reach
from ..errors import NothingToUndo, SwapRefused, UnknownCue, UnknownPart, UnknownRole
from .conductor import Conductor
from .faders import MOST_FADE_SECONDS, Faders
from .take import Gesture

MOST_UNDO = 1000
"""How many gestures may be taken back."""


class Gestures:
    """Makes gestures, keeps them for the take, and takes them back."""

    def __init__(self, conductor: Conductor) -> None:
        self.made: list[Gesture] = []
        """All gestures so far, each with its frame."""
        self._conductor = conductor
        self._faders = Faders()
        self._undo: list[Callable[[], object]] = []
        """What takes each gesture back, the last of them last."""
        self._turned: dict[str, float] = {}
        """The value to which each dial was turned last."""

    @property
    def _score(self) -> Score:
        return self._conductor.score

    def set(self, dial: str, value: float) -> None:
        """Turn a dial of the script: heard at once, or at the boundary that the dial names.

        Raises UnknownDial if there is none of that name or the value is out of its range.
        """
        value = in_range(self._score.piece, dial, value)
        self._note(Gesture(0, "dial", dial, value))
        before = self._turned.get(dial, self._conductor.state.dials[dial])
        self._turn(dial, value)
        self._can_undo(lambda: self._turn_back(dial, before))

    def like(self, part: str | None = None) -> None:
        """The listener likes what `part` plays, or else the loop that started last: it comes more often.

        What else happens is for the script's `on like` to say. Raises UnknownPart.
        """
        self._react("like", part)

    def dislike(self, part: str | None = None) -> None:
        """The contrary of `like`: it comes less often, and `on dislike` happens. Raises UnknownPart."""
        self._react("dislike", part)

    def cue(self, name: str) -> None:
        """Give a cue that a move or an event of the script waits for. Raises UnknownCue."""
        self._known_cue(name)
        self._note(Gesture(0, "cue", name))
        given = Input("cue", name=name)
        self._conductor.give(given)
        self._can_undo(lambda: self._conductor.take_back(given))

    def _react(self, kind: Literal["like", "dislike"], part: str | None) -> None:
        """What the gesture means is settled now: by the bar line another stem may play."""
        self._known_part(part)
        self._note(Gesture(0, kind, part))
        sounding = [p for p in self._conductor.playing if (not p.hit if part is None else p.part == part)]
        last = max(sounding, key=lambda p: (p.start_frame, p.id), default=None)
        given = Input(kind, last.part if last else part, stem=last.stem if last else None)
        self._conductor.give(given)
        self._can_undo(lambda: self._conductor.take_back(given))

    def fade(self, role: str, gain: float, seconds: float = 0.0) -> None:
        """Move the listener's fader of a role, 0 to 1, apart from the script's gains. Raises UnknownRole."""
        to, time = as_number(gain), as_number(seconds)
        if to is None or time is None:
            raise UnknownRole(f"a fader goes by numbers: {gain!r} or {seconds!r} is none")
        if not 0 <= time <= MOST_FADE_SECONDS:
            raise UnknownRole(f"a fader moves within 0 to {MOST_FADE_SECONDS} seconds; {time:g} is outside")
        self._fader(Gesture(0, "fade", role, to, round(time * ENGINE_RATE)))

    def mute(self, role: str, on: bool = True) -> None:
        """Take a role out of what is heard, or back in. What is muted is not in play, and earns nothing."""
        self._fader(Gesture(0, "mute", role, float(on)))

    def solo(self, role: str, on: bool = True) -> None:
        """Have a role heard alone, or beside others that are solo too. Raises UnknownRole."""
        self._fader(Gesture(0, "solo", role, float(on)))

    def panic(self) -> None:
        """Silence at once; the music comes back with the next bar."""
        self._note(Gesture(0, "panic", None))
        self._conductor.panic()

    def swap(self, score: Score) -> None:
        """Have another script take over at the next bar line, by the score that `rescored` gave for it.

        Raises SwapRefused.
        """
        if self._conductor.ended_at is not None:
            raise SwapRefused(f'"{self._score.piece.name}" has ended: nothing can take over from it')
        self._conductor.decide()
        before = self._conductor.next_score
        self._conductor.swap(score)
        self.made.append(Gesture(self._conductor.control, "script", score.piece.text))
        self._can_undo(lambda: self._conductor.swap(self._conductor.rescored(before.piece)))

    def undo(self) -> None:
        """Take the last gesture back that was not taken back yet, as far as nothing came of it.

        A dial, a fader or a script goes back to what it was; a like, a dislike or a cue counts no more. What
        has been heard stays heard. Raises NothingToUndo, and what `swap` raises.
        """
        if not self._undo:
            raise NothingToUndo("no gesture is left that can be taken back")
        self._conductor.decide()
        self._undo.pop()()
        self.made.append(Gesture(self._conductor.control, "undo", None))

    def perform(self, gesture: Gesture) -> None:
        """Make a gesture now, whatever its frame. Raises as `set`, `cue` and `like` do."""
        if gesture.kind == "dial":
            assert gesture.value is not None
            self.set(gesture.name or "", gesture.value)
        elif gesture.kind == "cue":
            self.cue(gesture.name or "")
        elif gesture.kind == "panic":
            self.panic()
        elif gesture.kind == "undo":
            self.undo()
        elif gesture.kind == "script":
            self.swap(self._conductor.rescored(accepted(gesture.name or "")))
        elif gesture.kind in ("like", "dislike"):
            self._react(gesture.kind, gesture.name)
        else:
            self._fader(gesture)

    def expect(self, gesture: Gesture) -> None:
        """Raise what `perform` would, before anything sounds."""
        if gesture.kind == "dial":
            assert gesture.value is not None
            in_range(self._score.piece, gesture.name or "", gesture.value)
        elif gesture.kind == "cue":
            self._known_cue(gesture.name or "")
        elif gesture.kind in ("like", "dislike"):
            self._known_part(gesture.name)
        elif gesture.kind == "script":
            self._conductor.rescored(accepted(gesture.name or ""))
        elif gesture.kind not in ("panic", "undo"):
            self._faders.known(gesture)

    def _known_cue(self, name: str) -> None:
        cues = self._score.cues
        if name not in cues:
            known = ", ".join(f'"{cue}"' for cue in cues) or "none"
            raise UnknownCue(f'"{self._score.piece.name}" waits for no cue "{name}"; its cues: {known}')

    def _known_part(self, part: str | None) -> None:
        if part is not None and part not in self._score.parts:
            known = ", ".join(self._score.parts) or "none"
            raise UnknownPart(f'"{self._score.piece.name}" has no part "{part}"; its parts: {known}')

    def _can_undo(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)
        del self._undo[:-MOST_UNDO]

    def _turn_back(self, dial: str, value: float) -> None:
        """Turn a dial to what it was, if the script that plays now has it."""
        if in_reach(self._score.piece, dial, value):
            self._turn(dial, value)

    def _turn(self, dial: str, value: float) -> None:
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
