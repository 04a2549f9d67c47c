"""What goes with a recording: key, chords and tempo, the best first."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from stemloom.engine.compose.fits import fits
from stemloom.vault.records import Stem

from .pieces import stem

MINOR, MAJOR = (0, 3, 7), (0, 4, 7)


def chord(root: int, tones: tuple[int, ...]) -> tuple[float, ...]:
    """A bar of a triad's chroma."""
    sounding = {(root + tone) % 12 for tone in tones}
    return tuple(1 / 3 if pitch in sounding else 0.0 for pitch in range(12))


DM, F, GM, A = chord(2, MINOR), chord(5, MAJOR), chord(7, MINOR), chord(9, MAJOR)
KEYS = stem(1, "harmony", key="D minor", chroma=(DM, F))


def named(found: object) -> list[str]:
    return [fit.stem.title for fit in found]  # type: ignore[attr-defined]


def test_the_same_chords_come_before_others_and_a_shift_costs() -> None:
    same = stem(2, "pads", key="D minor", chroma=(DM, F), title="same")
    other = stem(3, "pads", key="D minor", chroma=(A, GM), title="other")
    above = stem(4, "pads", key="E minor", chroma=(chord(4, MINOR), chord(7, MAJOR)), title="above")
    far = stem(5, "pads", key="G# minor", chroma=(chord(8, MINOR), chord(11, MAJOR)), title="far")
    found = fits(KEYS, [far, other, above, same, KEYS])
    assert named(found) == ["same", "above", "other"], "a tritone is too far, and itself is no company"
    assert [(fit.shift_st, fit.chords_in_common, fit.bars) for fit in found] == [
        (0, 2, 2),
        (-2, 2, 2),
        (0, 0, 2),
    ]
    assert found[0].agreement == pytest.approx(found[1].agreement)
    assert found[1].weight == pytest.approx(found[0].weight * 0.7**2)


@pytest.mark.parametrize(
    ("bpm", "stretch"),
    [(120, 1.0), (108, 0.9), (130, 130 / 120), (60, 1.0), (240, 1.0), (100, None), (140, None)],
)
def test_tempo_is_read_in_half_and_double_time_too(bpm: int, stretch: float | None) -> None:
    found = fits(stem(1), [stem(2, bpm=Fraction(bpm))])
    assert [fit.stretch for fit in found] == ([] if stretch is None else [pytest.approx(stretch)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KEYS, stem(2, "beats")),
        (stem(1, "beats"), stem(2, "pads", key="C minor", chroma=(GM,))),
        (KEYS, stem(2, "fx", "hit")),
        (stem(1, "pads", "sustained", key="D minor"), stem(2, "tops")),
    ],
)
def test_what_has_no_key_goes_by_tempo_alone(one: Stem, other: Stem) -> None:
    (fit,) = fits(one, [other])
    assert (fit.shift_st, fit.agreement, fit.bars, fit.weight) == (0, None, 0, 1.0)
    assert (fit.stretch is None) == (one.bpm is None or other.bpm is None)


def test_an_unknown_key_does_not_go_with_a_known_one() -> None:
    assert fits(KEYS, [stem(2, "pads", chroma=(DM,))]) == ()


ROOTS = st.integers(0, 11)


@given(
    st.lists(st.tuples(ROOTS, st.sampled_from((MINOR, MAJOR))), min_size=1, max_size=4), st.integers(-3, 3)
)
def test_what_is_moved_within_three_semitones_has_all_its_chords_in_common(
    chords: list[tuple[int, tuple[int, ...]]], shift: int
) -> None:
    beats = 4 * len(chords)
    own = stem(1, "harmony", key="D minor", beats=beats, chroma=tuple(chord(*each) for each in chords))
    key = ("B", "C", "C#", "D", "D#", "E", "F")[shift + 3] + " minor"
    moved = tuple(chord(root + shift, tones) for root, tones in chords)
    (fit,) = fits(own, [stem(2, "pads", key=key, beats=beats, chroma=moved)])
    assert (fit.shift_st, fit.chords_in_common, fit.bars) == (-shift, len(chords), len(chords))
    assert fit.agreement is not None
    assert math.isfinite(fit.agreement)
