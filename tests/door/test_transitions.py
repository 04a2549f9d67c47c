"""No gain jumps, in any transition that a piece and its listener make."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stemloom import Vault
from stemloom.engine.clock import QUANTUM
from stemloom.engine.fades import CUT_FADE_FRAMES
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.mix.rack import PLAYING
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

from ..marks import slow

ROOT = Path(__file__).resolve().parents[2]
MOST = 0.001 * QUANTUM + 1e-5
"""The most that a gain moves in a quantum."""
RATE = 48_000


@pytest.fixture(scope="module")
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


def envelope(voice: np.void, frame: int) -> float:
    """The fades of a voice at a frame, by the formula of the language's reference."""

    def shape(x: float, power: int) -> float:
        x = min(max(x, 0.0), 1.0)
        return float(np.sin(np.pi / 2 * x)) if power else x

    entered = 1.0
    if voice["fade_in"]:
        since = frame - voice["start"] + voice["faded"] + 1
        entered = shape(since / voice["fade_in"], voice["fade_in_power"])
    left = 1.0
    if voice["fade_out"]:
        left = shape((voice["end"] - frame) / voice["fade_out"], voice["fade_out_power"])
    return entered * left


def is_cut(voice: np.void) -> bool:
    """Whether it is a hit that another ends, or that ends at a place: in 5 ms."""
    return bool(voice["loop_start"] < 0 and voice["fade_out"] == CUT_FADE_FRAMES)


class Watch:
    """Lets a mixer go by single quanta and notes every gain that moved too far."""

    def __init__(self, mixer: Mixer) -> None:
        self.jumps: list[str] = []
        self.seen, self.moved, self.entered, self.left = 0, 0, 0, 0
        self._mixer = mixer
        self._mix_into = mixer.mix_into
        self._voices: dict[int, np.void] = {}
        self._gone: dict[int, np.void] = {}
        self._gains = self._all_gains()
        mixer.mix_into = self.mix_into  # type: ignore[method-assign]

    def mix_into(self, out: np.ndarray) -> None:
        for first in range(0, out.shape[1], QUANTUM):
            frame, block = self._mixer.frame, np.empty((2, QUANTUM), np.float32)
            self._mix_into(block)
            out[:, first : first + QUANTUM] = block
            self._look(frame)

    def _all_gains(self) -> np.ndarray:
        """Of the buses; a bus of effects that is silent takes its levels at once, and counts for nothing."""
        rack = self._mixer.rack
        rings = rack.fx["quiet"] <= rack.fx["rings"]
        levels = np.where(rings[:, None], rack.fx_levels[:, :, 0], np.nan)
        return np.concatenate([rack.buses["gain"], levels.ravel()])

    def _look(self, frame: int) -> None:
        rack = self._mixer.rack
        gains = self._all_gains()
        self._note(frame, "a bus", np.nanmax(np.abs(gains - self._gains)))
        self._gains = gains
        voices = {int(v["id"]): v.copy() for v in rack.voices[rack.voices["phase"] == PLAYING]}
        for id, voice in voices.items():
            before = self._voices.get(id)
            if before is None:
                self._entered(voice)
                continue
            self.seen += 1
            for name in ("gain", "left", "right"):
                self._note(frame, f"{name} of {id}", abs(float(voice[name]) - float(before[name])))
            # The new fades against the old ones, both where this quantum begins.
            most = QUANTUM / CUT_FADE_FRAMES if is_cut(voice) else MOST
            now = envelope(voice, frame)
            self._note(frame, f"the fade of {id}", abs(now - envelope(before, frame)), most)
            end = min(frame + QUANTUM - 1, int(voice["end"]) - 1)
            self._note(frame, f"the fade of {id}", abs(envelope(voice, end) - now), most)
        self._gone = {id: voice for id, voice in self._voices.items() if id not in voices}
        for before in self._gone.values():
            self._left(before)
        self._voices = voices

    def _entered(self, voice: np.void) -> None:
        """From silence, but for a sound that begins at its own first frame or goes on where another was."""
        self.entered += 1
        goes_on = any(
            voice["address"] == other["address"] and voice["start"] == other["end"]
            for other in (*self._voices.values(), *self._gone.values())
        )
        begun = voice["position"] <= QUANTUM
        if voice["fade_in"] < 1000 and not goes_on and not begun:
            self.jumps.append(f"{voice['id']} enters inside its sound at once")

    def _left(self, voice: np.void) -> None:
        """To silence, but for a sound that is over."""
        self.left += 1
        over = voice["loop_start"] < 0 and voice["position"] + QUANTUM >= voice["frames"]
        handed_over = voice["fade_out"] == 0 and voice["loop_start"] >= 0
        if not handed_over and not over and voice["fade_out"] < 1000 and not is_cut(voice):
            self.jumps.append(f"{voice['id']} is cut off")

    def _note(self, frame: int, what: str, step: float, most: float = MOST) -> None:
        self.moved += step > 0
        if step > most:
            self.jumps.append(f"{what} moves by {step:.4f} at {frame}")


@pytest.mark.parametrize("name", ["harbour_night", *map(slow, ["last_train", "slow_weather", "back_stairs"])])
def test_no_gain_jumps_in_any_transition(home: Path, name: str) -> None:
    rng = random.Random(name)
    text = (ROOT / "examples" / f"{name}.loom").read_text()
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text, vault.snapshot()), logged=False, history=False)
        watch = Watch(session.mixer)
        dials = list(session.score.piece.dials.values())
        roles = ["beats", "pads", "bass", "harmony", "tops"]
        acts = [
            session.gestures.like,
            session.gestures.dislike,
            session.gestures.panic,
            lambda: session.gestures.mute(rng.choice(roles), rng.random() < 0.5),
            lambda: session.gestures.solo(rng.choice(roles), rng.random() < 0.3),
            lambda: session.gestures.fade(rng.choice(roles), rng.random(), rng.random()),
            lambda: session.gestures.swap(
                session.conductor.rescored(accepted(text.replace("gain -2 dB", "gain 1 dB")))
            ),
            session.gestures.undo,
            *(
                lambda dial=dial: session.gestures.set(dial.name, rng.uniform(dial.lo, dial.hi))
                for dial in dials
            ),
            *(lambda cue=cue: session.gestures.cue(cue) for cue in session.score.cues),
        ]
        while session.frame < 90 * RATE and not session.ended:
            session.read(rng.choice([333, 4096, 48_000]))
            if rng.random() < 0.4:
                act = rng.choice(acts)
                if session.conductor.ended_at is None and (
                    act != session.gestures.undo or session.gestures._undo
                ):
                    act()
        session.abandon()
    assert watch.jumps == []
    assert watch.seen > 10_000
    assert watch.moved > 1000
    assert min(watch.entered, watch.left) > 10
