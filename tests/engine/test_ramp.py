"""Ramps: a loop along a tempo that moves, every onset where its anchors put it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.plan import Variant
from stemloom.engine.play.conform import Conformer
from stemloom.engine.play.stretch import BEFORE_FRAMES, onsets, ramp_loop, shift_ramp
from stemloom.vault.sound.declared import Declared

RATE = 48_000
RAMPS = {"slowing": (1.0, 0.5), "pushing": (1.0, 2.0), "slowing from faster": (1.5, 0.67)}


def staircase(step: float, steps: int, fast: tuple[float, float], first: float = 0) -> list[tuple[int, int]]:
    """Anchors of `steps` equal steps of the source, each at its own tempo, from one speed to the other."""
    speeds = fast[0] + (fast[1] - fast[0]) * (np.arange(steps) + 0.5) / steps
    places = np.concatenate([[0.0], np.cumsum(step / speeds)])
    return [(round(first + number * step), round(place)) for number, place in enumerate(places)]


def expected(sound: np.ndarray, anchors: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The onsets within a ramp: where they are in the endless loop, and where they should come to lie."""
    sources, places = np.array(anchors).T
    length = sound.shape[1]
    rounds = range(-1, sources[-1] // length + 1)
    marks = np.array([mark + number * length for number in rounds for mark in onsets(sound)])
    # Those whose lead-in is not cut off by the edges.
    marks = marks[(marks >= sources[0] + BEFORE_FRAMES) & (marks < sources[-1] - 2400)]
    return marks, np.round(np.interp(marks, sources, places)).astype(int)


def errors_ms(sound: np.ndarray, made: np.ndarray, anchors: list[tuple[int, int]]) -> np.ndarray:
    """How far each onset is from its place: where its first 10 ms are most like what is there."""
    found = []
    bright, made_bright = np.diff(sound).mean(axis=0), np.diff(made).mean(axis=0)
    for mark, place in zip(*expected(sound, anchors), strict=True):
        hit = np.take(bright, np.arange(mark - 48, mark + 480), mode="wrap")
        around = np.take(made_bright, np.arange(place - 48 - 960, place + 480 + 960), mode="clip")
        energy = np.convolve(around**2, np.ones(len(hit)), "valid") * (hit**2).sum()
        found.append(abs(int(np.argmax(np.correlate(around, hit, "valid") / np.sqrt(energy + 1e-12))) - 960))
    assert len(found) > 8
    return np.array(found) * 1000 / RATE


def bursts(frames: int, hits: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    sound = np.zeros((2, frames), np.float32)
    for hit in range(hits):
        at = 700 + hit * frames // hits
        sound[:, at : at + 4000] += rng.standard_normal((2, 4000)) * np.exp(-np.arange(4000) / 500) * 0.5
    return sound


def sine(frames: int, frequency: float = 110) -> np.ndarray:
    cycles = round(frequency * frames / RATE)
    tone = 0.5 * np.sin(2 * np.pi * cycles * np.arange(frames) / frames)
    return np.stack([tone, tone]).astype(np.float32)


@pytest.mark.parametrize("fast", RAMPS.values(), ids=RAMPS)
def test_a_hit_is_where_the_anchors_put_it_to_the_frame_and_as_it_was_played(
    fast: tuple[float, float],
) -> None:
    sound = bursts(2 * RATE, 8)
    anchors = staircase(6000, 64, fast, first=sound.shape[1] // 2)
    made = ramp_loop(sound, anchors, anchors[-1][1], RATE, struck=True)
    assert made.shape == (2, anchors[-1][1])
    marks, places = expected(sound, anchors)
    assert len(marks) == 32
    for mark, place in zip(marks, places, strict=True):
        np.testing.assert_array_equal(
            made[:, place - BEFORE_FRAMES : place + 1920],
            np.take(sound, np.arange(mark - BEFORE_FRAMES, mark + 1920), axis=1, mode="wrap"),
        )


def test_a_ramp_that_is_even_is_the_loop_itself() -> None:
    sound = bursts(2 * RATE, 8)
    anchors = staircase(6000, 32, (1.0, 1.0))
    made = ramp_loop(sound, anchors, 192_000, RATE, struck=True)
    np.testing.assert_allclose(made, np.concatenate([sound, sound], axis=1), atol=1e-6)


@pytest.mark.parametrize("fast", RAMPS.values(), ids=RAMPS)
@pytest.mark.parametrize(
    ("name", "beats", "struck"),
    [
        ("render_break_21", 8, True),
        ("loop_tabla", 16, True),
        ("render_gtr_C_136_48", 8, False),
        ("render_bass_Csm_83_37", 8, False),
    ],
)
def test_the_onsets_of_real_loops_follow_a_ramp_within_a_millisecond(
    recordings: Path, name: str, beats: int, struck: bool, fast: tuple[float, float]
) -> None:
    sound = np.array(soundfile.read(recordings / f"{name}.flac")[0].T, np.float32)
    anchors = staircase(sound.shape[1] / beats / 4, 64, fast)
    made = ramp_loop(sound, anchors, anchors[-1][1], RATE, struck=struck)
    assert made.shape == (2, anchors[-1][1])
    assert np.percentile(errors_ms(sound, made, anchors), 95) <= 1
    assert np.abs(np.diff(made)).max() <= 1.1 * np.abs(np.diff(sound)).max()


@pytest.mark.parametrize("fast", RAMPS.values(), ids=RAMPS)
def test_a_tone_goes_along_a_ramp_without_a_dent(fast: tuple[float, float]) -> None:
    anchors = staircase(6000, 64, fast)
    made = ramp_loop(sine(2 * RATE), anchors, anchors[-1][1], RATE, struck=False)
    levels = np.sqrt((made[0, : made.shape[1] // 960 * 960].reshape(-1, 960).astype(float) ** 2).mean(axis=1))
    assert 20 * np.log10(levels.max() / levels.min()) < 2
    assert np.abs(np.diff(made[0].astype(float), n=2)).max() < 2e-4


def test_a_ramp_is_the_same_every_time() -> None:
    sound = bursts(2 * RATE, 8)
    anchors = staircase(6000, 32, (1.0, 0.5))
    for struck in (False, True):
        first, second = (ramp_loop(sound, anchors, anchors[-1][1], RATE, struck=struck) for _ in range(2))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("semitones", [-5, 3])
def test_a_shifted_ramp_has_its_pitch_and_its_onsets(semitones: int) -> None:
    anchors = staircase(6000, 32, (1.0, 0.6))
    frames = anchors[-1][1]
    made = shift_ramp(sine(2 * RATE, 440), anchors, frames, semitones, RATE, struck=False)
    assert made.shape == (2, frames)
    cycles = np.count_nonzero(np.diff(np.signbit(made[0]))) / 2
    assert 1200 * np.log2(cycles * RATE / frames / 440) == pytest.approx(100 * semitones, abs=5)
    hits = shift_ramp(bursts(2 * RATE, 8), anchors, frames, semitones, RATE, struck=True)
    _, places = expected(bursts(2 * RATE, 8), anchors)
    found = np.array(onsets(hits))
    assert np.abs(places[:, None] - found[None]).min(axis=1).max() < RATE / 1000


@pytest.mark.parametrize("anchors", [[], [(0, 0)], [(0, 0), (100, 0)], [(0, 0), (0, 100)], [(5, 0), (3, 9)]])
def test_anchors_that_do_not_rise_are_refused(anchors: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="both their frames rise"):
        ramp_loop(bursts(RATE, 4), anchors, RATE, RATE, struck=True)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        bed = np.random.default_rng(1).standard_normal((2, 2 * RATE)) * 0.01
        soundfile.write(tmp_path / "loop.wav", (bursts(2 * RATE, 8) + bed).T, RATE)
        vault.add([Declared(tmp_path / "loop.wav", "Ada", "beats", bpm=Fraction(120), beats=4)])
        yield vault


@pytest.mark.parametrize("reverse", [False, True])
def test_a_variant_follows_its_ramp_as_its_role_says(vault: Vault, reverse: bool) -> None:
    """A ramp of its own has a file of its own; backwards, it is the loop read backwards that follows."""
    (stem,) = vault.stems()
    anchors = tuple(staircase(6000, 16, (1.0, 0.7)))
    variant = Variant(stem.stem, anchors[-1][1], None, 1.0, reverse=reverse, ramp=anchors)
    other = replace(variant, ramp=((0, 0), (96_000, variant.frames)))
    source = np.array(vault.samples(stem.stem))[:, :: -1 if reverse else 1]
    with Conformer(vault) as conformer:
        for each in (variant, other):
            made = ramp_loop(source, each.ramp, each.frames, RATE, struck=True)
            np.testing.assert_array_equal(conformer.sound(stem, each), made)
    with Conformer(vault) as conformer:
        held = ramp_loop(source, anchors, variant.frames, RATE, struck=False)
        np.testing.assert_array_equal(conformer.sound(replace(stem, role="bass"), variant), held)
