"""A mixer without a session, for measuring: so many voices, and how long each block takes."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...script.effects.duck import PlacedDuck
from ...script.effects.filter import PlacedFilter
from ...script.effects.send import PlacedSend
from ..effects import PlacedBus, PlacedEffects
from ..plan import Fade, Placement, Variant
from .callback import addresses, new_deck, pace, serve
from .limiter import ATTACK_FRAMES
from .mixer import Mixer
from .rack import CLOSING, END, TAP_READ, TAP_WRITTEN, tell

LOOP_FRAMES, RATE = 24_000, 48_000
ENDLESS = 1 << 50
SOFTER = PlacedFilter("lowpass", 8e3, 8e3, 0, "linear")
ROOM = PlacedBus(
    "room",
    {"reverb": 2.0, "reverb mix": 0.4, "delay": 24_000, "feedback": 0.4, "delay mix": 0.3}
    | {"mix": 0.9, "gain": -2.0},
    (SOFTER,),
)
WET = PlacedEffects(
    (PlacedSend("room", 0.3),),
    PlacedDuck(6.0, ("beats",)),
    (PlacedFilter("lowpass", 500.0, 8000.0, 480_000, "exponential"),),
)


def mixer_with(voices: int, *, effects: bool = False) -> Mixer:
    """A mixer in which so many stereo loops of half a second sound, evenly over the roles.

    `effects`: a reverb and a delay that every fourth goes to, which also has a filter that glides, and makes
    room for the first.
    """
    rng = np.random.default_rng(1)
    mixer = Mixer(0.0, -1.0, (ROOM,) if effects else (), ("beats",) if effects else ())
    roles = ("beats", "bass", "harmony", "pads", "tops", "melody", "voice", "fx")
    for number in range(voices):
        sound = (rng.standard_normal((2, LOOP_FRAMES)) * 0.1).astype(np.float32)
        placement = endless(number, roles[number % len(roles)], -20.0)
        if effects and number % 4 == 1:
            placement = replace(placement, effects=WET)
        mixer.place(placement, sound, at=0)
    mixer.flush()
    return mixer


def block_times(block: int, voices: int, blocks: int, *, effects: bool = False) -> list[int]:
    """How long each of so many blocks took in the callback's code, in ns, shortest first."""
    mixer, deck = mixer_with(voices, effects=effects), new_deck()
    assert mixer.rack.status[END] > ENDLESS
    at, out = addresses(mixer.rack, deck), np.zeros((block, 2), np.float32)
    times = []
    for number in range(blocks + 2 * ATTACK_FRAMES // block + 16):
        begun = time.perf_counter_ns()
        serve(at, out, 0)
        taken = time.perf_counter_ns() - begun
        mixer.rack.status[TAP_READ] = mixer.rack.status[TAP_WRITTEN]
        if number >= 16:
            times.append(taken)
    return sorted(times[:blocks])


def compile_all() -> None:
    """Have the whole mixer compiled or loaded: play a silent device to its end."""
    mixer, deck = mixer_with(1), new_deck()
    tell(mixer.rack.status, CLOSING, 1)
    pace(addresses(mixer.rack, deck), np.zeros((128, 2), np.float32), RATE)
    mixer.reports()
    assert mixer.frame >= 0


def endless(number: int, role: str, gain_db: float = 0.0) -> Placement:
    """A loop that sounds from the first frame on and does not end, as a part named like its role."""
    return Placement(
        id=number,
        stem=f"s{number}",
        title="",
        holder="",
        role=role,
        part=role,
        section="",
        line=1,
        column=1,
        bar=0,
        beat=Fraction(0),
        bars=Fraction(1),
        start_frame=0,
        end_frame=ENDLESS,
        variant=Variant(f"s{number}", LOOP_FRAMES, 0, 1.0),
        offset_frames=0,
        gain_db=gain_db,
        level_db=0.0,
        pan=0.0,
        fade_in=Fade(),
        fade_out=Fade(),
        consent=0,
        hit=False,
    )
