"""Effects beside their twins, beside SciPy's filters, and in a session."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import butter, lfilter

from stemloom import Vault
from stemloom.engine.effects import (
    PlacedBus,
    PlacedDuck,
    PlacedEffects,
    PlacedFilter,
    PlacedSend,
    bus_numbers,
)
from stemloom.engine.mix import effects
from stemloom.engine.mix.machine import outer
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted, check
from stemloom.script.effects.chain import BUS_EFFECTS, PARAMETERS
from stemloom.script.effects.delay import DELAY
from stemloom.script.effects.duck import DEPTH_DB
from stemloom.script.effects.filter import COLUMNS, HZ, NOW, TO_HZ, fill

from . import fx_twin
from .test_mixer import SOUND, placement
from .test_session import RATE, home as home, read_all

bus_quantum, filter_quantum = outer(effects.bus_quantum), outer(effects.filtering.through)
frequency = outer(effects.filtering.frequency)
DRY = PlacedBus("b", bus_numbers({}))


def wet(**numbers: float) -> PlacedBus:
    """A bus with the effects of which there are numbers, by their names with `_` for a blank."""
    given = {name.replace("_", " "): number for name, number in numbers.items()}
    return PlacedBus("b", bus_numbers(given))


def noise(frames: int, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((2, frames)) * 0.1).astype(np.float32)


def own_of(rack: Any) -> tuple[np.ndarray, ...]:
    """What the first bus of a rack keeps."""
    names = "fx_states", "fx_levels", "fx_memory", "fx_filters", "fx_sent", "fx_glides"
    return tuple(getattr(rack, name)[0] for name in names)


def through_bus(bus: PlacedBus, sound: np.ndarray) -> np.ndarray:
    rack = Mixer(0, -1, [bus]).rack
    out = np.zeros_like(sound)
    for first in range(0, sound.shape[1], 64):
        rack.fx_sent[0] = sound[:, first : first + 64]
        block = np.zeros((2, 64), np.float32)
        bus_quantum(first, rack.fx[0], own_of(rack), rack.voice, block)
        out[:, first : first + 64] = block
    return out


@pytest.mark.parametrize(("kind", "name"), [("lowpass", "low"), ("highpass", "high")])
@pytest.mark.parametrize("hz", [40.0, 800.0, 12_000.0])
def test_a_filter_is_the_butterworth_filter_of_its_order(kind: str, name: str, hz: float) -> None:
    sound = noise(6400)
    rows = np.zeros((4, COLUMNS))
    fill(rows, [PlacedFilter(kind, hz, hz, 0, "linear")], 0)
    out = sound.copy()
    for first in range(0, 6400, 64):
        block = np.ascontiguousarray(out[:, first : first + 64])
        filter_quantum(rows[0], first, block)
        out[:, first : first + 64] = block
    expected = lfilter(*butter(2, hz, name, fs=RATE), sound.astype(float))
    np.testing.assert_allclose(out, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("curve", "halfway"), [("linear", 4100.0), ("smooth", 4100.0), ("exponential", np.sqrt(200 * 8000))]
)
def test_a_glide_goes_by_its_curve_from_its_sounds_start(curve: str, halfway: float) -> None:
    rows = np.zeros((4, COLUMNS))
    fill(rows, [PlacedFilter("lowpass", 200.0, 8000.0, 1000, curve)], 5000)
    asked = [frequency(rows[0], frame) for frame in (0, 5000, 5500, 6000, 9000)]
    np.testing.assert_allclose(asked, [200, 200, halfway, 8000, 8000])


def test_reverb_equals_its_twin_and_rings_as_long_as_it_says() -> None:
    sound = noise(64 * 100)
    bus = wet(reverb=1.5, reverb_mix=0.4)
    np.testing.assert_allclose(through_bus(bus, sound), fx_twin.reverb(sound, 1.5, 0.4), atol=1e-7)
    impulse = np.zeros((2, 2 * RATE), np.float32)
    impulse[:, 0] = 1
    rung = through_bus(wet(reverb=1.5, reverb_mix=1.0), impulse)
    low = lfilter(*butter(2, 300, fs=RATE), rung.astype(float))
    energy = np.cumsum((low**2).sum(axis=0)[::-1])[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-30)
    # From -5 to -35 dB, doubled: ISO 3382-1, T30.
    t60 = 2 * (np.argmax(level < -35) - np.argmax(level < -5)) / RATE
    assert t60 == pytest.approx(1.5, rel=0.1)


def test_delay_equals_its_twin() -> None:
    sound = noise(64 * 60)
    bus = wet(delay=1000, feedback=0.5, delay_mix=0.3)
    np.testing.assert_array_equal(through_bus(bus, sound), fx_twin.delay(sound, 1000, 0.5, 0.3))


def test_a_send_is_after_the_faders() -> None:
    sent = PlacedEffects(sends=(PlacedSend("b", 0.5),))
    mixer = Mixer(0, -1, [DRY])
    mixer.place(replace(placement(1, 0, 1 << 30), effects=sent), STEADY, at=0)
    once = abs(mixer.advance(40)[0, -1])
    assert once == pytest.approx(0.15, rel=0.05)
    mixer.set_fader("beats", 0.0, 0, at=mixer.frame)
    assert np.abs(mixer.advance(60)[:, -64:]).max() < 1e-5


STEADY = np.tile(np.float32([0.1, -0.1]), (2, 32))
"""The highest tone that there is: the master's high-pass leaves it alone."""


def moved(mixer: Mixer, quanta: int) -> np.ndarray:
    """How high the quanta are that go into the limiter, one by one, float32 (2, frames)."""
    sent = []
    for _ in range(quanta):
        mixer.advance(1)
        sent.append(mixer.rack.delay[:, -64:].copy())
    return np.abs(np.concatenate(sent, axis=1))


def test_a_send_that_is_turned_moves_by_a_ramp() -> None:
    mixer = Mixer(0, -1, [DRY])
    mixer.place(replace(placement(1, 0, 1 << 30), effects=PlacedEffects((PlacedSend("b", 0.0),))), STEADY, 0)
    mixer.advance(40)
    mixer.set_effects(1, PlacedEffects((PlacedSend("b", 1.0),)), mixer.frame)
    sound = moved(mixer, 40)
    assert sound[0, -1] == pytest.approx(2 * sound[0, 0], rel=0.02)
    assert np.abs(np.diff(sound)).max() <= 0.1 * 0.00105
    assert np.argmax(sound[0] > 0.1005) < 64, "in the very next quantum"


def test_a_filter_that_is_turned_gets_there_and_never_leaps() -> None:
    rows = np.zeros((4, COLUMNS))
    fill(rows, [PlacedFilter("lowpass", 200.0, 200.0, 0, "linear")], 0)
    rows[0, [HZ, TO_HZ]] = 6400.0
    went = []
    for quantum in range(41):
        filter_quantum(rows[0], 64 * quantum, np.zeros((2, 64), np.float32))
        went.append(rows[0, NOW])
    np.testing.assert_allclose(went[:8], 200.0 * 2 ** (np.arange(1, 9) / 8))
    assert went[-1] == 6400.0


def test_what_waits_begins_with_what_was_turned() -> None:
    effects = PlacedEffects(
        (PlacedSend("b", 0.2),),
        PlacedDuck(6.0, ("kick",)),
        (PlacedFilter("lowpass", 200.0, 300.0, 100, "linear"),),
    )
    turned = PlacedEffects(
        (PlacedSend("b", 0.7),),
        PlacedDuck(12.0, ("kick",)),
        (PlacedFilter("lowpass", 2000.0, 3000.0, 100, "linear"),),
    )
    mixer = Mixer(0, -1, [DRY], ["kick"])
    mixer.place(replace(placement(1, 6400, 1 << 30), effects=effects), SOUND, 0)
    mixer.advance(1)
    mixer.set_effects(1, turned, 64)
    mixer.advance(1)
    row, rack = mixer._rows[1], mixer.rack
    assert list(rack.filters_of[row, 0, [HZ, TO_HZ]]) == [2000.0, 3000.0]
    assert list(rack.sends_of[row, :, 0]) == [np.float32(0.7)] * 2
    assert rack.ducks_of[row, DEPTH_DB] == 12


def test_a_bus_that_is_turned_moves_by_ramps_and_rings_as_long_as_it_must() -> None:
    before = wet(reverb=0.5, reverb_mix=0.0, delay=640, delay_mix=0.0)
    after = wet(reverb=4.0, reverb_mix=0.0, delay=64, feedback=0.5, delay_mix=0.0, mix=0.5, gain=-12.0)
    mixer = Mixer(0, -1, [before])
    sent = PlacedEffects((PlacedSend("b", 1.0),))
    mixer.place(replace(placement(1, 0, 1 << 30), effects=sent), STEADY, 0)
    mixer.advance(200)
    mixer.set_buses([after], mixer.frame)
    sound = moved(mixer, 2000)
    assert np.abs(np.diff(sound)).max() <= 0.1 * 0.0021
    levels = mixer.rack.fx_levels[0]
    np.testing.assert_array_equal(levels[:, 0], levels[:, 1])
    assert mixer.rack.fx_states[0, BUS_EFFECTS.index(DELAY)]["frames"] == 640, "a delay keeps its time"
    assert mixer.rack.fx[0]["rings"] >= 8 * RATE
    assert mixer.effect_buses.tail_frames >= 4 * RATE


LIVE = """piece "Turned" for stream
tempo 120
seed 3
dial tone 0..1 = 0 now
pool beats = loops role beats
pool pads = loops role pads
bus room = reverb 1 s mix tone, gain tone * 6 dB
section a 8 bars
    bring beats from beats lowpass 200 Hz + tone * 8 kHz to room tone
    bring pads from pads duck tone * 12 dB under beats
move a -> silence at end
"""


def test_effects_follow_a_dial_in_the_next_quantum_and_the_take_does_it_again(home: Path) -> None:
    def bright(sound: np.ndarray) -> float:
        return float((lfilter(*butter(2, 2000, "high", fs=RATE), sound.astype(float)) ** 2).mean())

    with Vault.open(home) as vault:
        session = Session(vault, accepted(LIVE))
        dark = session.read(2 * RATE)
        session.gestures.set("tone", 1.0)
        turned = session.read(2 * RATE)
        session.gestures.set("tone", 0.25)
        rest = session.read(20 * RATE)
        take = session.close()
        again: list[np.ndarray] = []
        session, replayed = replay(vault, take, again.append, logged=False)
        session.abandon()
    assert replayed.same
    np.testing.assert_array_equal(np.concatenate(again, axis=1), np.concatenate([dark, turned, rest], axis=1))
    assert bright(turned) > 2 * bright(dark)


SCRIPT = """piece "Wet" for stream
tempo 120
seed 3
pool beats = loops role beats
pool pads = loops role pads
pool ticks = hits role tops
bus room = reverb 2 s mix 60%, delay 0.75 beats feedback 40% mix 30%, highpass 200 Hz, gain -3 dB
section a 2 bars
    bring beats from beats to room 10%
    bring pads from pads lowpass 300 Hz -> 6 kHz over 2 bars duck 9 dB under tick
    play tick from ticks "x... x... X... x.5." to room 40% bandpass 2 kHz
move a -> silence at end
"""


def test_a_wet_piece_sounds_alike_however_it_is_read_and_rings_out(home: Path) -> None:
    sounds = []
    with Vault.open(home) as vault:
        for sizes in ([1 << 20], [1, 777, 4096], [64]):
            session = Session(vault, accepted(SCRIPT))
            sounds.append(read_all(session, sizes))
            session.close()
        dry = Session(vault, accepted(SCRIPT.replace(" to room 10%", "").replace(" to room 40%", "")))
        plain = read_all(dry, [4096])
        dry.close()
    for other in sounds[1:]:
        np.testing.assert_array_equal(sounds[0], other)
    wet = sounds[0]
    assert np.isfinite(wet).all()
    assert wet.shape[1] > 4 * RATE + 2 * RATE
    assert np.abs(wet[:, 4 * RATE : 4 * RATE + 9600]).max() > 0.003
    assert np.abs(wet[:, -480:]).max() < 0.001
    assert np.abs(wet[:, : plain.shape[1]] - plain[:, : wet.shape[1]]).max() > 0.003
    assert verify(home).ok


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_a_bus_is_parsed_checked_documented_and_heard(name: str) -> None:
    effect = next(each for each in BUS_EFFECTS if name in {of.name for of in each.parameters})
    parameter = PARAMETERS[name]
    least, greatest = parameter.bounds

    def clause(number: float) -> str:
        first = effect.parameters[0]
        said = f"{parameter.word} {number:g} {parameter.unit}"
        return said if parameter is first else f"{first.word} {first.bounds[1]:g} {first.unit} {said}"

    def problems(number: float) -> list[str]:
        text = SCRIPT.replace("reverb 2 s mix 60%, delay 0.75 beats feedback 40% mix 30%", clause(number))
        text = text.replace(", gain -3 dB", "") if parameter.word == "gain" else text
        checked = check(text)
        assert checked.piece is None or name in checked.piece.buses["room"].numbers
        return [each.code for each in checked.problems]

    assert problems(least) == problems(greatest) == []
    assert problems(greatest + 1) == problems(least - 1) == ["E028"]
    page = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
    buses = page.split("\n### bus, to\n")[1].split("\n### ")[0]
    assert parameter.word in buses
    assert f"{greatest:g}" in buses or f"{100 * greatest:g}%" in buses or parameter.word in ("mix", "gain")
    others = {each.name: each.default or each.bounds[1] / 2 for each in effect.parameters}
    if "delay" in others:
        others |= {"delay": 640, "delay mix": 0.5}
    # Of a bus that is half wet already, so that its own mix is heard too.
    others |= {"reverb": 1.0, "reverb mix": 0.5} if effect.word != "reverb" else {"reverb mix": 0.5}
    low, high = (others | {name: number} for number in ((64, 640) if name == "delay" else parameter.bounds))
    sounds = [through_bus(PlacedBus("b", bus_numbers(each)), noise(64 * 60)) for each in (low, high)]
    assert np.abs(sounds[0] - sounds[1]).max() > 1e-4


def test_a_new_effect_is_one_file_and_its_name_in_the_chain() -> None:
    run = subprocess.run(
        [sys.executable, Path(__file__).with_name("made_up_effect.py")], capture_output=True, text=True
    )
    assert run.stdout.splitlines() == [
        "['crush', 'crush mix', 'gain']",
        "bus room = crush 20 dB mix 50%",
        "E028 `crush` is out of bounds here: 0 to 60 dB",
        "E038 `crush` appears twice in this bus",
        "[-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]",
    ], run.stderr
