"""What chords and notes mean: their tones and degrees, and the limits of both."""

from __future__ import annotations

from fractions import Fraction

import pytest

from stemloom.ground.pitch import QUALITIES, TONICS
from stemloom.script.check.check import accepted, check
from stemloom.script.piece import Play
from stemloom.script.pitch import FARTHEST_ST, Chord, Degree, Progression
from stemloom.script.text.tokens import scan

HEAD = 'piece "P" for stream\nkey D minor\n'
LINES = 'pool h = hits\nsection s 4 bars\n    play p from h "x" notes '


def chord(name: str) -> Chord | None:
    found = accepted(f"{HEAD}chords {name}\nsection s 1 bar\n").chords
    assert found is not None
    return found.chords[0]


def degrees(text: str, mode: str = "minor") -> list[int | None]:
    line = accepted(HEAD.replace("minor", mode) + LINES + f'"{text}"\n').sections[0].lines[0]
    assert isinstance(line, Play)
    assert line.notes is not None
    return [None if each is None else each.above(mode) for each in line.notes.degrees]  # type: ignore[arg-type]


def codes(text: str) -> list[str]:
    return [p.code for p in check(text).problems]


@pytest.mark.parametrize(
    ("name", "bass", "tones"),
    [
        ("C", 0, (0, 4, 7)),
        ("F#m7b5", 6, (0, 3, 6, 10)),
        ("Bbmaj7", 10, (0, 4, 7, 11)),
        ("B", 11, (0, 4, 7)),
        ("Bb", 10, (0, 4, 7)),
        ("Bb5", 10, (0, 7)),
        ("Ebadd9", 3, (0, 4, 7, 14)),
        ("F/A", 9, (0, 3, 8)),
        ("C/D", 2, (0, 2, 5, 10)),
        ("A9/C#", 1, (0, 3, 6, 8, 10)),
    ],
)
def test_the_tones_of_a_chord(name: str, bass: int, tones: tuple[int, ...]) -> None:
    found = chord(name)
    assert found is not None
    assert (found.name, found.bass, found.tones) == (name, bass, tones)


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_quality_is_read_after_every_note(quality: str) -> None:
    for note in (*TONICS, "Db", "Gb"):
        found = chord(note + quality)
        assert found is not None
        assert found.tones == QUALITIES[quality]


def test_none_is_no_chord() -> None:
    assert chord("none") is None


def test_a_name_with_a_sharp_is_one_word() -> None:
    (line,) = scan("chords F#m7b5, A#, C#/G# # D#m").lines
    assert [t.text for t in line.tokens] == ["chords", "F#m7b5", ",", "A#", ",", "C#", "/", "G#"]
    assert line.comment == "# D#m"


@pytest.mark.parametrize(
    ("each", "lasts", "unit"),
    [("", 1, "bars"), (" each 2 bars", 2, "bars"), (" each 1 bar", 1, "bars"), (" each 3 beats", 3, "beats")],
)
def test_how_long_a_chord_lasts(each: str, lasts: int, unit: str) -> None:
    piece = accepted(f"{HEAD}section s 8 bars\n    chords D, none{each}\n")
    assert piece.chords is None
    found = piece.sections[0].chords
    assert found == Progression((Chord("D", 2, (4, 7)), None), Fraction(lasts), unit)  # type: ignore[arg-type]
    assert found.name == "D, none"


def test_degrees_in_a_minor_and_a_major_key() -> None:
    assert degrees("1 2 3 4 5 6 7 8") == [0, 2, 3, 5, 7, 8, 10, 12]
    assert degrees("1 2 3 4 5 6 7 8", "major") == [0, 2, 4, 5, 7, 9, 11, 12]
    for mode in ("minor", "major"):
        # What is flat is a minor interval in either.
        assert degrees("b2 b3 b5 b6 b7 b9", mode) == [1, 3, 6, 8, 10, 13]
    assert degrees("#4 #6 #7") == [6, 9, 11]
    assert degrees("1, 5, 1' . 10") == [-12, -5, 12, None, 15]


def test_how_far_a_degree_reaches() -> None:
    assert degrees("b5'", "major") == [FARTHEST_ST]
    assert codes(HEAD + LINES + '"5\'"\n') == ["E085"]
    assert codes(HEAD + LINES + '"1,,"\n') == ["E085"]
    assert codes(HEAD + LINES + '"14"\n') == ["E085"]
    assert codes(HEAD + LINES + f'"1{"," * 900}"\n') == ["E085"], "one sentence"
    assert Degree(4, -1, 1).above("minor") == FARTHEST_ST


@pytest.mark.parametrize("wrong", ["0", "15", "bb3", "I", "5'x", "♭3", "1,5", "-1", "x..."])
def test_what_is_no_degree(wrong: str) -> None:
    assert codes(HEAD + LINES + f'"1 {wrong}"\n') == ["E084"]


def test_too_many_chords_are_one_mistake() -> None:
    (problem,) = check(f"{HEAD}chords {', '.join(['F#m7'] * 10_000)}\nsection s 1 bar\n").problems
    assert (problem.code, problem.message) == ("E008", "this statement has more than 500 words and signs")
    assert codes(f"{HEAD}chords {', '.join(['F#m7'] * 249)}\nsection s 1 bar\n") == []
    assert codes(f"{HEAD}chords D each 10001 bars\nsection s 1 bar\n") == ["E028"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('key H minor\nNOTES "1"\n', ["E035"]),
        ('key\nNOTES "1"\n', ["E012"]),
        ("chords H\nNOTES root\n", ["E088"]),
        ("chords\nNOTES chord\n", ["E012"]),
        ("NOTES chord\n    chords D..\n", ["E011"]),
        ("choords D\nNOTES chord\n", ["E013"]),
        ("NOTES chord\n    chords D\n", []),
    ],
)
def test_a_broken_statement_is_one_mistake(text: str, said: list[str]) -> None:
    text = 'piece "P" for stream\n' + text.replace("NOTES ", LINES)
    assert codes(text) == said


def test_a_section_as_another_has_its_chords() -> None:
    text = f'{HEAD}pool h = hits\nsection s 4 bars\n    chords D, A\n    play p from h "x" notes chord\n'
    text += 'section t 4 bars as s\n    play q from h "x" notes root\nsection u 4 bars as s\n    chords G\n'
    found = {section.name: section.chords.name for section in accepted(text).sections if section.chords}
    assert found == {"s": "D, A", "t": "D, A", "u": "G"}


def test_a_section_with_a_key_of_its_own_has_degrees() -> None:
    text = (
        'piece "P" for stream\npool h = hits\nsection s 4 bars key A minor\n    play p from h "x" notes "1"\n'
    )
    assert codes(text) == []
    assert codes(text.replace(" key A minor", "")) == ["E087"]
