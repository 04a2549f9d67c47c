"""What is heard of a sound where nothing is declared, and what is caught where something wrong is."""

from __future__ import annotations

import csv
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom.vault.errors import Refused
from stemloom.vault.sound.declared import Declared, canonical_terms
from stemloom.vault.sound.decode import Sound, decode
from stemloom.vault.sound.detection import Detector, Interpretation, OtherTempo, interpret
from stemloom.vault.sound.engine_format import fit
from stemloom.vault.sound.keyfinding import key_of
from stemloom.vault.sound.kind import kind_of
from stemloom.vault.sound.rhythm import Rhythm
from stemloom.vault.sound.tonality import canonical_key

RATE = 48_000
KINDS = {"loop": "loop", "one-shot": "hit", "texture": "sustained"}


@pytest.fixture(scope="module")
def rows(recordings: Path) -> list[tuple[dict[str, str], Sound]]:
    """Each recording with its line of the manifest."""
    with open(recordings / "MANIFEST.csv", newline="") as file:
        return [(row, decode(recordings / row["name"])) for row in csv.DictReader(file)]


def clicks(bpm: float, beats: int, accents: int = 4) -> Sound:
    """A loop of clicks on the beats, each first of a bar louder."""
    rng = np.random.default_rng(beats)
    frames = round(60 * beats / bpm * RATE)
    samples = rng.normal(0, 1e-4, frames).astype(np.float32)
    for beat in range(beats):
        at = round(60 * beat / bpm * RATE)
        click = rng.normal(0, 0.6 if beat % accents == 0 else 0.3, 2000) * np.exp(-np.arange(2000) / 300)
        samples[at : at + 2000] += click[: frames - at].astype(np.float32)
    return Sound(samples[None, :], RATE, "0" * 64, 1.0)


def declared(**terms: object) -> Declared:
    return Declared(Path("a.wav"), "ada", "beats", **terms)  # type: ignore[arg-type]


def found(sound: Sound, **terms: object) -> Interpretation:
    return interpret(canonical_terms(declared(**terms)), Detector(sound))


def test_the_tempo_of_loops_whose_tempo_is_not_declared(rows: list[tuple[dict[str, str], Sound]]) -> None:
    exact = octave = loops = 0
    for row, sound in rows:
        if not row["bpm"]:
            continue
        loops += 1
        tempo = Rhythm(sound.samples, sound.rate).tempo()
        assert tempo is not None
        ratio = tempo.bpm / float(row["bpm"])
        exact += abs(ratio - 1) < 0.02
        octave += any(abs(ratio * power - 1) < 0.02 for power in (0.25, 0.5, 1, 2, 4))
    print(f"tempo of {loops} loops: {exact} exact, {octave} allowing octaves")
    assert loops >= 25
    assert octave >= 0.9 * loops
    assert exact >= 0.7 * loops


def test_the_key_of_tonal_loops(rows: list[tuple[dict[str, str], Sound]]) -> None:
    exact = loops = 0
    for row, sound in rows:
        if row["key"] and row["kind"] == "loop":
            loops += 1
            key = key_of(fit(sound, None))
            exact += key is not None and key.key == canonical_key(row["key"])
    print(f"key of {loops} loops: {exact} exact")
    assert loops >= 10
    assert exact >= 0.65 * loops


def test_the_kind_of_recordings(rows: list[tuple[dict[str, str], Sound]]) -> None:
    right = [kind_of(sound.samples, sound.rate) == KINDS[row["kind"]] for row, sound in rows]
    print(f"kind of {len(right)} recordings: {sum(right)} right")
    assert len(right) >= 50
    assert sum(right) >= 0.95 * len(right)


def test_wrong_tempi_are_caught_and_no_right_one_is(rows: list[tuple[dict[str, str], Sound]]) -> None:
    """Fifty declarations off by 2 % or more, octaves aside; half of them with the right bars besides."""
    rng = random.Random(50)
    loops = [(row, sound) for row, sound in rows if row["bpm"]]
    for row, sound in loops:
        bpm, beats = Fraction(row["bpm"]), int(row["beats"])
        for terms in ({"bpm": bpm}, {"bpm": bpm, "beats": beats}, {"beats": beats}):
            assert found(sound, **terms).shape == "loop", row["name"]
    for number in range(50):
        row, sound = rng.choice(loops)
        right = Fraction(row["bpm"])
        while True:
            wrong = Fraction(round(right * Fraction(rng.uniform(0.55, 1.9)) * 10), 10)
            if all(abs(wrong * power / right - 1) >= 0.02 for power in (Fraction(1, 2), 1, 2)):
                break
        terms = {"bpm": wrong} if number % 2 else {"bpm": wrong, "beats": int(row["beats"])}
        with pytest.raises((Refused, OtherTempo)):
            found(sound, **terms)


@pytest.mark.parametrize("factor", [Fraction(3, 4), Fraction(5, 4), Fraction(3, 2), Fraction(7, 4)])
def test_a_wrong_tempo_with_bars_that_fit_it_is_heard_where_there_is_a_rhythm(
    rows: list[tuple[dict[str, str], Sound]], factor: Fraction
) -> None:
    """Length and bars agree, so that the rhythm alone can tell; pads and noises have none."""
    caught = loops = 0
    for row, sound in rows:
        if row["bpm"] and row["name"].startswith(("render_", "loop_")) and "pad" not in row["name"]:
            beats = int(row["beats"]) * factor
            if beats.denominator != 1:
                continue
            loops += 1
            try:
                found(sound, bpm=Fraction(row["bpm"]) * factor, beats=int(beats))
            except OtherTempo:
                caught += 1
    assert loops >= 20
    assert caught >= 0.9 * loops


@pytest.mark.parametrize(("bpm", "beats"), [(120, 16), (96, 8), (140, 32), (174, 16)])
def test_a_tempo_that_is_heard_makes_a_loop(bpm: int, beats: int) -> None:
    result = found(clicks(bpm, beats))
    assert result.shape == "loop"
    assert result.grid is not None
    assert result.grid[0] / bpm in (Fraction(1, 2), 1, 2)
    assert "detected, not declared" in result.notes[0]


def test_what_declares_nothing_and_sounds_like_nothing_stays_as_it_was() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)
    assert found(Sound(noise[None, :], RATE, "0" * 64, 1.0)) == Interpretation("sustained", None)
    assert found(Sound(noise[None, :RATE], RATE, "0" * 64, 1.0)).shape == "hit"
    assert found(Sound(noise[None, :RATE], RATE, "0" * 64, 1.0), shape="texture").shape == "sustained"
    with pytest.raises(Refused, match="no tempo can be detected"):
        found(Sound(noise[None, :], RATE, "0" * 64, 1.0), shape="loop")


def test_a_declaration_may_be_meant_against_what_is_heard() -> None:
    sound = clicks(120, 16)
    wrong = declared(bpm=Fraction(150), beats=20)
    with pytest.raises(OtherTempo, match="--accept-tempo"):
        interpret(canonical_terms(wrong), Detector(sound))
    assert interpret(canonical_terms(wrong), Detector(sound), accept_tempo=True).grid == (150, 20)


def test_beats_and_hits_have_no_key() -> None:
    samples = (0.3 * np.sin(2 * np.pi * 220 * np.arange(3 * RATE) / RATE)).astype(np.float32)[None, :]
    sound = Sound(samples, RATE, "0" * 64, 1.0)
    assert Detector(sound).hear("loop", "beats", samples).key is None
    assert Detector(sound).hear("hit", "pads", samples).key is None
    assert Detector(sound).hear("sustained", "pads", samples[:, :RATE]).key is None
    key = Detector(sound).hear("sustained", "pads", samples).key
    assert key is not None
    assert key.key.startswith("A ")


def test_silence_and_noise_do_not_break_the_ears() -> None:
    for samples in (np.zeros((2, 2 * RATE), np.float32), np.zeros((1, 3), np.float32)):
        assert Rhythm(samples, RATE).tempo() is None or Rhythm(samples, RATE).agrees(77.0)
        assert key_of(samples) is None
        assert kind_of(samples, RATE) in ("hit", "sustained")


def test_a_recording_in_another_format_is_heard_alike(
    rows: list[tuple[dict[str, str], Sound]], tmp_path: Path
) -> None:
    row, sound = next((row, sound) for row, sound in rows if row["name"] == "loop_garzul.flac")
    path = tmp_path / "other.wav"
    soundfile.write(path, fit(sound, None).T * 0.2, RATE, subtype="PCM_16")
    again = Rhythm(decode(path).samples, RATE).tempo()
    assert again is not None
    assert again.beats == int(row["beats"])
