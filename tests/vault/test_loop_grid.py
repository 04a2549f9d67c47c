"""A loop that is more than its bars, or less: it is never stretched to them in silence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from stemloom.vault.errors import BadDeclaration, Refused
from stemloom.vault.sound.declared import Declared, canonical_terms
from stemloom.vault.sound.decode import Sound
from stemloom.vault.sound.detection import Detector, Interpretation, interpret
from stemloom.vault.sound.ends import Cut, cut_to
from stemloom.vault.sound.engine_format import loop_frames
from stemloom.vault.sound.loop_grid import OffTheGrid, loop_grid
from stemloom.vault.sound.tatum import Onsets
from stemloom.vault.vault import Vault

from .conftest import Write, add_one
from .drums import PATTERNS, RATE, drums

HOUSE = PATTERNS["house"]


def sound_of(samples: NDArray[np.float32], rate: int = RATE) -> Sound:
    return Sound(np.ascontiguousarray(samples.T), rate, "0" * 64, float(np.abs(samples).max()))


def found(samples: NDArray[np.float32], **declared: Any) -> Interpretation:
    offer = Declared(Path("a.wav"), "ada", "beats", **declared)
    return interpret(canonical_terms(offer), Detector(sound_of(samples)))


def level(frames: int, rate: int) -> Sound:
    """A sound without any onset but its first."""
    wave = 0.25 * np.sin(2 * np.pi * 220 * np.arange(frames) / rate)
    return sound_of(wave.astype(np.float32)[:, None], rate)


@pytest.mark.parametrize(
    ("frames", "rate", "declared", "bpm", "beats"),
    [
        (96_000, 48_000, {"bpm": 120, "beats": 4}, 120, 4),
        (96_000, 48_000, {"bpm": 120, "bars": 1}, 120, 4),
        (96_000, 48_000, {"bpm": 120}, 120, 4),
        (96_240, 48_000, {"bpm": 120}, 120, 4),
        (95_760, 48_000, {"bpm": 120}, 120, 4),
        (72_000, 48_000, {"beats": 3}, 120, 3),
        (72_000, 48_000, {"bpm": 120, "meter": "3/4"}, 120, 3),
        (84_000, 48_000, {"bars": 1, "meter": "7/8"}, 240, 7),
        (201_600, 44_100, {"beats": 8}, 105, 8),
        (201_600, 44_100, {"bars": 2}, 105, 8),
        (470_723, 44_100, {"bpm": Fraction(899, 10), "beats": 16}, Fraction(899, 10), 16),
        (100_000, 48_000, {"beats": 4}, Fraction(115_200, 1000), 4),
        (100_001, 48_000, {"beats": 4}, Fraction(115_199, 1000), 4),
    ],
)
def test_the_grid_of_a_loop(frames, rate, declared, bpm, beats) -> None:
    given_bpm = declared.get("bpm")
    offer = Declared(Path("a.wav"), "a", "pads", **declared | {"bpm": given_bpm and Fraction(given_bpm)})
    sound = level(frames, rate)
    assert loop_grid(canonical_terms(offer), sound, Onsets(sound)).grid == (Fraction(bpm), beats)


@pytest.mark.parametrize(
    ("seconds", "declared", "reason"),
    [
        (
            2.006,
            {"bpm": Fraction(120), "beats": 4},
            r"1 bar at 120 bpm would be 2\.000 s and the file has 2\.006 s .* it has 6 ms after",
        ),
        (1.990, {"bpm": Fraction(120), "beats": 4}, r"its last 10 ms missing; --trim fills"),
        (1.5, {"bpm": Fraction(120)}, r"\(3\.00 beats\).* if it is 3 beats, say --beats 3"),
        (2.292, {"bpm": Fraction(120)}, r"292 ms after its last bar; --tail wrap"),
        (2.0, {"beats": 100}, "would be 3000 bpm; check the beats"),
        # A hundred bars and more: per cent would let any tempo pass.
        (200.7, {"bpm": Fraction(120)}, r"100 bars at 120 bpm .* 700 ms after its last bar"),
        (300.9, {"bpm": Fraction(120), "bars": 150}, r"900 ms after its last bar"),
    ],
)
def test_a_length_that_does_not_fit_is_asked_about(seconds: float, declared, reason: str) -> None:
    sound = level(round(8_000 * seconds), 8_000)
    terms = canonical_terms(Declared(Path("a.wav"), "a", "pads", **declared))
    with pytest.raises(Refused, match=reason):
        loop_grid(terms, sound, Onsets(sound))


@pytest.mark.parametrize("tail", [0.01, 0.07, 0.8, 2.0])
@pytest.mark.parametrize("bars", [1, 4])
def test_a_tail_is_named_in_milliseconds_and_cut_when_asked(tail: float, bars: int) -> None:
    sound = drums(HOUSE, 120, bars, tail=tail)
    for declared in ({"bpm": Fraction(120)}, {"bpm": Fraction(120), "bars": bars}):
        if tail == 2.0 and "bars" not in declared:
            continue  # A whole bar more.
        with pytest.raises(OffTheGrid, match=f"has {1000 * tail:.0f} ms after its last bar; --tail wrap"):
            found(sound, **declared)
        for way in ("cut", "wrap"):
            taken = found(sound, **declared, tail=way)
            assert (taken.grid, taken.cut) == ((120, 4 * bars), Cut(0, way))
            assert f"{1000 * tail:.0f} ms after its last bar" in taken.notes[0]


@pytest.mark.parametrize("lead", [0.012, 0.05, 0.4, 1.1])
def test_silence_in_front_is_cut_at_the_first_onset(lead: float) -> None:
    sound = drums(HOUSE, 120, 4, lead=lead)
    with pytest.raises(OffTheGrid, match=f"has {1000 * lead:.0f} ms of silence in front; --trim"):
        found(sound, bpm=Fraction(120))
    with pytest.raises(OffTheGrid, match="--trim"):
        found(sound, bpm=Fraction(120), tail="cut")
    taken = found(sound, bpm=Fraction(120), trim=True)
    assert taken.grid == (120, 16)
    assert taken.cut is not None
    loop = cut_to(sound_of(sound), taken.cut, loop_frames(*taken.grid))
    np.testing.assert_allclose(onsets_of(loop), onsets_of(resampled(drums(HOUSE, 120, 4))), atol=0.003)


def resampled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return cut_to(sound_of(samples), Cut(0, "cut"), len(samples) * 48_000 // RATE)


def onsets_of(loop: NDArray[np.float32]) -> NDArray[np.float64]:
    return Onsets(sound_of(loop.T, 48_000)).seconds


def test_claps_on_the_second_beat_begin_with_a_rest() -> None:
    sound = drums(PATTERNS["claps"], 120, 4, lead=0.06)
    taken = found(sound, bpm=Fraction(120), trim=True)
    assert taken.cut is not None
    assert taken.cut.lead_frames == pytest.approx(0.06 * RATE, abs=2)


def test_a_file_that_ends_too_soon_is_filled_when_asked() -> None:
    sound = drums(PATTERNS["four on the floor"], 120, 4) + np.float32(0.01)
    short = sound[: -round(0.06 * RATE)]
    with pytest.raises(OffTheGrid, match="its last 60 ms missing"):
        found(short, bpm=Fraction(120))
    assert found(short, bpm=Fraction(120), trim=True).cut == Cut(0, "cut")


@pytest.mark.parametrize("off", [-0.03, 0.03])
def test_a_little_silence_at_the_end_is_no_question(off: float) -> None:
    sound = drums(PATTERNS["four on the floor"], 120, 2)
    count = round(off * RATE)
    sound = sound[:count] if off < 0 else np.pad(sound, ((0, count), (0, 0)))
    taken = found(sound, bpm=Fraction(120))
    assert (taken.grid, taken.cut) == ((120, 8), None)
    assert "30 ms of silence is" in taken.notes[0]


def test_a_tempo_that_was_rounded_is_told_from_a_tail() -> None:
    sound = drums(HOUSE, 119.6, 8)
    with pytest.raises(OffTheGrid, match=r"its onsets are those of 119\.6 bpm: say --bpm 119\.6"):
        found(sound, bpm=Fraction(120))


@pytest.mark.parametrize(
    ("bpm", "bars", "tail"), [(120, 4, 2.0), (93, 2, 1.3), (140, 8, 0.4), (120, 4, 8 / 3)]
)
def test_bars_alone_do_not_stretch_a_rhythm_over_its_tail(bpm: int, bars: int, tail: float) -> None:
    sound = drums(HOUSE, bpm, bars, tail=tail)
    with pytest.raises(OffTheGrid, match=f"onsets are those of {bpm} bpm, with {1000 * tail:.0f} ms after"):
        found(sound, bars=bars)


def test_bars_alone_of_too_few_onsets_are_not_taken_in_silence() -> None:
    sound = drums(PATTERNS["one"], 116, 2, tail=0.086)
    assert "its onsets do not tell" in found(sound, bars=2).notes[0]


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(set(PATTERNS) - {"waltz"})),
    bpm=st.integers(60, 180),
    bars=st.integers(1, 16),
    lead=st.sampled_from([0.0, 0.02, 0.3, 1.0, 3.0]) | st.floats(0, 3),
    tail=st.sampled_from([0.0, 0.02, 0.3, 1.0, 3.0]) | st.floats(0, 3),
    declared=st.sampled_from(["bpm", "bars", "both"]),
)
def test_no_other_tempo_is_ever_entered_in_silence(name, bpm, bars, lead, tail, declared) -> None:
    sound = drums(PATTERNS[name], bpm, bars, lead=lead, tail=tail)
    terms = {"bpm": {"bpm": Fraction(bpm)}, "bars": {"bars": bars}}
    try:
        taken = found(sound, **(terms["bpm"] | terms["bars"] if declared == "both" else terms[declared]))
    except Refused:
        return
    assert taken.cut is None
    assert taken.grid is not None
    late = abs(float(taken.grid[0]) / bpm - 1) * len(sound) / RATE
    assert late < 0.0085 or any("do not tell" in note for note in taken.notes)


def test_what_is_cut_leaves_no_click_and_what_is_wrapped_is_all_there() -> None:
    rate, frames = 48_000, 96_000
    wave = (0.5 * np.cos(2 * np.pi * 100 * np.arange(frames + 4_800) / rate)).astype(np.float32)
    sound = sound_of(wave[:, None], rate)
    cut = cut_to(sound, Cut(0, "cut"), frames)
    np.testing.assert_array_equal(cut[0, : frames - 240], wave[: frames - 240])
    assert abs(cut[0, -1]) < 1e-3
    wrapped = cut_to(sound, Cut(0, "wrap"), frames)
    np.testing.assert_allclose(wrapped[0, :4_800], wave[:4_800] + wave[frames:], atol=1e-6)
    np.testing.assert_array_equal(wrapped[0, 4_800:], wave[4_800:frames])
    # Several times round, and the length holds.
    assert cut_to(sound, Cut(0, "wrap"), 1_000).shape == (1, 1_000)
    assert cut_to(sound, Cut(90_000, "cut"), frames).shape == (1, frames)


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"tail": "keep"}, "not kept apart: say --tail wrap"),
        ({"tail": "fold"}, "'fold' is nothing that is done to a tail; there are wrap and cut"),
        ({"meter": "waltz"}, "'waltz' is not a meter"),
        ({"meter": "3/5"}, "not a meter"),
        ({"meter": "0/4"}, "not a meter"),
        ({"meter": "33/4"}, "not a meter"),
        ({"meter": "9" * 5_000}, "not a meter"),
        ({"shape": "hit", "trim": True}, "a hit sound has no bars"),
        ({"shape": "sustained", "meter": "3/4"}, "a sustained sound has no bars"),
        ({"bars": 2, "beats": 8, "meter": "3/4"}, "2 bars are 6 beats, and 8 were declared"),
    ],
)
def test_what_cannot_be_declared(declared: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadDeclaration, match=reason):
        canonical_terms(Declared(Path("a.wav"), "ada", "beats", **declared))


def test_a_waltz_has_bars_of_three(vault: Vault, write: Write) -> None:
    path = write("Waltz.wav", drums(PATTERNS["waltz"], 120, 4), RATE)
    stem = add_one(vault, path, bpm=Fraction(120), meter="3/4")
    assert (stem.beats, stem.meter, len(stem.chroma)) == (12, (3, 4), 4)
    assert vault.stem(stem.stem).meter == (3, 4)


def test_what_was_cut_is_cut_again_from_the_original(vault: Vault, write: Write) -> None:
    path = write("Long.wav", drums(HOUSE, 120, 2, lead=0.05, tail=0.3), RATE)
    stem = add_one(vault, path, bpm=Fraction(120), trim=True, tail="wrap")
    assert stem.frames == 192_000
    before = np.array(vault.samples(stem.stem))
    (cached,) = (vault.home / "vault" / "conformed").glob("*.npy")
    cached.unlink()
    np.testing.assert_array_equal(vault.samples(stem.stem), before)
    vault.close()
    for path in (vault.home / "vault").glob("catalogue.db*"):
        path.unlink()
    assert Vault.rebuild(vault.home) == (1, ())
    with Vault.open(vault.home) as again:
        assert again.stem(stem.stem) == stem
        np.testing.assert_array_equal(again.samples(stem.stem), before)
