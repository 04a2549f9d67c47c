"""The demo's sounds: in time, in key, clean at their seams and ends, and the same at every call."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.demo import back_stairs, harbour_night, last_train, slow_weather
from stemloom.demo.grid import Grid, Sound, lay, turning
from stemloom.demo.harmony import (
    DOWN_LINE,
    LANDING,
    PROGRESSION,
    SKYLIGHT,
    UP_LINE,
    WEATHER,
    WET_COAT,
    Progression,
)
from stemloom.demo.recipe import HOLDERS, Recipe
from stemloom.demo.spectrum import CLUB, bell, fast_length, finish, high, low, warped
from stemloom.demo.stems import RECIPES
from stemloom.vault.sound.measure import chroma

LOOPS = [recipe for recipe in RECIPES if recipe.shape == "loop"]
TONAL = [recipe for recipe in LOOPS if recipe.key is not None]
_made: dict[str, Sound] = {}


def sound(recipe: Recipe) -> Sound:
    """The recipe's sound, made once for all tests."""
    if recipe.title not in _made:
        _made[recipe.title] = recipe.sound()
    return _made[recipe.title]


def each(recipes: list[Recipe] | tuple[Recipe, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recipe", recipes, ids=lambda recipe: recipe.title)


def test_there_is_something_of_everything() -> None:
    assert len({recipe.title for recipe in RECIPES}) == len(RECIPES) >= 100
    assert {recipe.role for recipe in LOOPS} >= {"beats", "bass", "harmony", "pads", "tops", "melody"}
    assert {recipe.holder for recipe in RECIPES} == set(HOLDERS)
    assert {recipe.role for recipe in RECIPES if recipe.shape == "hit"} >= {"fx", "beats", "tops"}
    assert {recipe.key for recipe in TONAL} >= {"D minor", "A minor", "F minor", "E minor"}
    assert sum(bool(recipe.uses) and "export" not in recipe.uses for recipe in RECIPES) == 4
    assert sum("sync" in recipe.uses for recipe in RECIPES) == 2
    assert sum(not recipe.uses for recipe in RECIPES) == 1


@pytest.mark.parametrize(
    ("family", "bpm"),
    [
        (harbour_night.RECIPES, 114),
        (back_stairs.RECIPES, 92),
        (last_train.RECIPES, 126),
        (slow_weather.RECIPES, 72),
    ],
)
def test_a_family_shares_a_tempo_and_not_wholly(family: tuple[Recipe, ...], bpm: int) -> None:
    """At it or at its double, within the stretch that a pool allows by default; most need none."""
    loops = [recipe for recipe in family if recipe.shape == "loop"]
    ratios = [min((recipe.bpm / bpm, recipe.bpm / bpm / 2), key=lambda r: abs(r - 1)) for recipe in loops]
    assert all(1 / 1.12 <= ratio <= 1.12 for ratio in ratios)
    assert sum(ratio == 1 for ratio in ratios) >= 0.7 * len(loops)
    assert any(ratio != 1 for ratio in ratios) or bpm == 72


@each(RECIPES)
def test_samples_are_clean(recipe: Recipe) -> None:
    made = sound(recipe)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    assert np.isfinite(made).all()
    assert np.abs(made).max() == pytest.approx(10 ** (-3 / 20), rel=1e-5)
    assert np.abs(made.mean(axis=1)).max() < 1e-4
    assert not np.array_equal(made[0], -made[-1])


@each([RECIPES[place] for place in (1, 7, 9, 13, 18, 22, 24, 27, 41, 47, 55, 61, 71, 80, 95)])
def test_a_second_time_gives_the_same_samples(recipe: Recipe) -> None:
    assert np.array_equal(recipe.sound(), sound(recipe))


@each(LOOPS)
def test_a_loop_has_its_exact_length(recipe: Recipe) -> None:
    assert sound(recipe).shape[1] == round(Fraction(60 * 4 * recipe.bars * 48_000, recipe.bpm))


@each(LOOPS)
def test_a_loop_closes_without_a_click(recipe: Recipe) -> None:
    """The step and the bend from the last frame to the first are among those found within."""
    made = sound(recipe)
    around = np.concatenate((made, made[:, :2]), axis=1)
    steps = np.abs(np.diff(around, axis=1)).max(axis=0)
    bends = np.abs(np.diff(around, 2, axis=1)).max(axis=0)
    assert steps[-2] <= np.quantile(steps[:-2], 0.999)
    assert bends[-2:].max() <= np.quantile(bends[:-2], 0.9995)


@each([recipe for recipe in LOOPS if recipe.role == "beats"])
def test_beats_start_on_the_grid(recipe: Recipe) -> None:
    """Wherever the level doubles over that of the 10 ms before, a swung sixteenth is at most 1 ms away."""
    made = np.abs(sound(recipe)).max(axis=0)
    around = np.concatenate((made[-480:], made))
    before = np.lib.stride_tricks.sliding_window_view(around, 480).max(axis=1)[: len(made)]
    jumps = np.flatnonzero((made > 2 * before) & (made > 0.05))
    onsets = jumps[np.diff(jumps, prepend=-10_000) > 960]
    assert len(onsets) >= 2
    grid = Grid(recipe.bpm, recipe.bars, recipe.swing)
    steps = np.array([grid.frame(grid.swung(step / 4)) for step in range(grid.beats * 4 + 1)])
    late = onsets - steps[np.abs(onsets[:, None] - steps).argmin(axis=1)]
    assert np.abs(late).max() <= 48


@each(TONAL)
def test_each_bar_is_in_its_chord(recipe: Recipe) -> None:
    """The strongest pitch class of a quarter belongs to its chord, and so does most of what sounds in it."""
    for chord, weights in zip(recipe.chords or PROGRESSION, chroma(sound(recipe), 4), strict=True):
        tones = {note % 12 for note in (chord.root, *chord.keys, *chord.pad, *chord.top)}
        assert int(np.argmax(weights)) in tones, chord.name
        assert sum(weights[tone] for tone in tones) > 0.55, chord.name


@pytest.mark.parametrize("chords", [PROGRESSION, LANDING, SKYLIGHT, WET_COAT, UP_LINE, DOWN_LINE, WEATHER])
def test_voices_lead_on(chords: Progression) -> None:
    for chord, following in pairwise((*chords, chords[0])):
        moves = [abs(a - b) for a, b in zip(chord.keys, following.keys, strict=True)]
        assert max(moves) <= (3 if chords is PROGRESSION else 6), (chord.name, following.name)
        assert sum(moves) <= 13, (chord.name, following.name)


@each([recipe for recipe in RECIPES if recipe.shape == "hit"])
def test_a_hit_begins_at_once_and_dies_away(recipe: Recipe) -> None:
    made = np.abs(sound(recipe)).max(axis=0)
    assert made[-1] < 1e-4
    assert made[-240:].max() < 3e-3
    assert made[0] < 0.1
    if recipe.title not in ("Gathering", "Groundswell", "Last Light", "Foghorn", "Steam", "Gust"):
        assert made[:960].max() > 0.05


def test_tops_swing_and_beats_do_not() -> None:
    straight, swung = Grid(120, 1), Grid(120, 1, 0.56)
    assert [beat for beat, _ in straight.steps("xxxx")][:4] == [0, 0.25, 0.5, 0.75]
    assert [beat for beat, _ in swung.steps("xxxx")][:4] == pytest.approx([0, 0.28, 0.5, 0.78])
    keyless = [recipe for recipe in harbour_night.RECIPES if recipe.shape == "loop" and recipe.key is None]
    assert all((recipe.swing > 0.5) == (recipe.role == "tops") for recipe in keyless)


@given(st.integers(-500, 500), st.integers(1, 450), st.integers(1, 200))
@settings(max_examples=50)
def test_what_is_laid_over_the_end_comes_round(frame: int, frames: int, length: int) -> None:
    loop, sound = np.zeros((2, length), np.float32), np.arange(1, frames + 1, dtype=np.float32)
    lay(loop, sound, frame)
    expected = np.bincount((frame + np.arange(frames)) % length, weights=sound, minlength=length)
    assert np.allclose(loop, expected, rtol=1e-5)


def test_a_finished_loop_has_no_beginning() -> None:
    """Turning a loop and finishing it gives the finished loop, turned: room and filters know no seam."""
    noise = np.random.Generator(np.random.PCG64(3)).standard_normal((2, 30_000), dtype=np.float32)
    made = finish(noise, high(100), bell(400, -3), low(6000), room=CLUB, wet=0.4)
    turned = finish(np.roll(noise, 12_345, axis=1), high(100), bell(400, -3), low(6000), room=CLUB, wet=0.4)
    assert np.allclose(turned, np.roll(made, 12_345, axis=1), atol=2e-5)


def test_slow_waves_close() -> None:
    wave = turning(4_801, 3, 0.2)
    assert abs(wave[0] - wave[-1]) < 2 * np.pi * 3 / 4_801 * 1.01


@pytest.mark.parametrize("make", [low, high])
def test_filters_pass_and_stop(make: object) -> None:
    response = np.abs(make(1000)(warped(48_000)))  # type: ignore[operator]
    assert response[1000] == pytest.approx(0.707, abs=0.001)
    near, far = (100, 10_000) if make is low else (10_000, 100)
    assert response[near] == pytest.approx(1, abs=0.01)
    assert response[far] < 0.011


@given(st.integers(1, 2_000_000))
def test_fast_lengths_are_the_next_smooth_ones(frames: int) -> None:
    length = fast_length(frames)
    assert frames <= length < max(frames * 1.15, frames + 3)
    for prime in (2, 3, 5):
        while length % prime == 0:
            length //= prime
    assert length == 1
