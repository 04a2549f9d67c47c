"""A recording is known in disguise, and none is taken for another: a table by kind of disguise."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soxr
from scipy.signal import butter, sosfilt

from stemloom.engine.play.stretch import stretch_loop
from stemloom.vault.intake.fingerprint_index import FingerprintIndex
from stemloom.vault.intake.likeness import likeness
from stemloom.vault.sound.decode import decode
from stemloom.vault.sound.engine_format import fit
from stemloom.vault.sound.fingerprint import SHORT_SECONDS, fingerprint_of, landmarks

from ..marks import long

RATE = 48_000
Sounds = dict[str, np.ndarray]
LOOPS = 20
FAST = ("the sides alone", "high-pass 300 Hz", "+3.0 % faster and higher", "+1.0 % higher")


def mixed(matrix: list[list[float]]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sound: (np.array(matrix) @ sound).astype(np.float32)


def width(share: float) -> Callable[[np.ndarray], np.ndarray]:
    return mixed([[0.5 + share / 2, 0.5 - share / 2], [0.5 - share / 2, 0.5 + share / 2]])


def level(db: float) -> Callable[[np.ndarray], np.ndarray]:
    return mixed([[1, 0], [0, 10 ** (-db / 20)]])


def faster(by: float) -> Callable[[np.ndarray], np.ndarray]:
    """As a tape that runs faster."""
    return lambda sound: np.ascontiguousarray(
        soxr.resample(sound.T, RATE, round(RATE / by), quality="HQ").T.astype(np.float32)
    )


def stretched(by: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sound: stretch_loop(sound, round(sound.shape[1] / by), RATE)


def higher(by: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sound: faster(by)(stretch_loop(sound, round(sound.shape[1] * by), RATE))


def high_passed(hertz: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sound: sosfilt(butter(2, hertz, "high", fs=RATE, output="sos"), sound).astype(np.float32)


PHASE = {
    "right turned over": mixed([[1, 0], [0, -1]]),
    "left turned over": mixed([[-1, 0], [0, 1]]),
    "both turned over": mixed([[-1, 0], [0, -1]]),
    "swapped": mixed([[0, 1], [1, 0]]),
    "swapped, one turned over": mixed([[0, 1], [-1, 0]]),
    "left alone": mixed([[1, 0], [1, 0]]),
    "right as mono": mixed([[0, 1]]),
    "mono": mixed([[0.5, 0.5]]),
    "left 12 dB down, turned over": mixed([[-0.25, 0], [0, 1]]),
    "0.5 dB between the channels": level(0.5),
    "2 dB between the channels, turned over": mixed([[1, 0], [0, -(10 ** (-2 / 20))]]),
}
"""Disguises of which at least 98 % are known."""
OTHERS = {
    "half as wide": width(0.5),
    "twice as wide": width(2),
    "the sides alone": mixed([[0.5, -0.5], [-0.5, 0.5]]),
    "20 dB softer": lambda sound: sound * np.float32(0.1),
    "high-pass 100 Hz": high_passed(100),
    "high-pass 300 Hz": high_passed(300),
    "a second of silence in front": lambda sound: np.pad(sound, ((0, 0), (RATE, 0))),
    **{f"{100 * (by - 1):+.1f} % faster and higher": faster(by) for by in (0.97, 0.98, 0.995, 1.01, 1.03)},
    **{f"{100 * (by - 1):+.1f} % faster": stretched(by) for by in (0.97, 1.02)},
    **{f"{100 * (by - 1):+.1f} % higher": higher(by) for by in (0.97, 1.01)},
}


def synthesised(number: int) -> np.ndarray:
    """A loop of its own: notes and noises at places of their own in width, (2, frames)."""
    draw = np.random.default_rng(number)
    beat = RATE * 60 / draw.uniform(84, 160)
    sound = np.zeros((2, round(8 * beat)))
    for step in range(32):
        if draw.random() < 0.45:
            continue
        begin, length = round(step * beat / 4), round(draw.uniform(0.08, 0.6) * RATE)
        at = np.arange(min(length, sound.shape[1] - begin)) / RATE
        note = 55 * 2 ** (draw.integers(0, 48) / 12)
        tone = sum(np.sin(2 * np.pi * note * k * at + draw.uniform(0, 6)) / k for k in range(1, 6))
        voice = tone if draw.random() < 0.7 else draw.standard_normal(len(at))
        angle = draw.uniform(0, np.pi / 2)
        both = np.outer([np.cos(angle), np.sin(angle)], voice * np.exp(-at * draw.uniform(3, 20)))
        sound[:, begin : begin + len(at)] += 0.2 * both
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return {f"s{number}": synthesised(number) for number in range(LOOPS)}


@pytest.fixture(scope="module")
def index(sounds: Sounds, tmp_path_factory: pytest.TempPathFactory) -> FingerprintIndex:
    return indexed(sounds, tmp_path_factory.mktemp("disguises"))


def indexed(sounds: Sounds, folder: Path) -> FingerprintIndex:
    index = FingerprintIndex(folder / "landmarks.db")
    for stem, sound in sounds.items():
        index.add(stem, fingerprint_of(sound))
    return index


def held_as(index: FingerprintIndex, sound: np.ndarray) -> list[str]:
    """The stems that a sound is held to be."""
    found = likeness(index, fingerprint_of(sound), lambda ways: tuple(landmarks(sound, way) for way in ways))
    return [each.stem for each in found if each.same]


def recall(index: FingerprintIndex, sounds: Sounds, disguise: Callable[[np.ndarray], np.ndarray]) -> float:
    known = [name in held_as(index, disguise(sound)) for name, sound in sounds.items()]
    return sum(known) / len(known)


@pytest.mark.parametrize("kind", PHASE)
def test_turned_over_swapped_or_alone_it_is_known(index: FingerprintIndex, sounds: Sounds, kind: str) -> None:
    assert recall(index, sounds, PHASE[kind]) >= 0.98


@pytest.mark.parametrize("kind", [*FAST, *map(long, sorted(OTHERS.keys() - set(FAST)))])
def test_in_other_disguises_it_is_mostly_known(index: FingerprintIndex, sounds: Sounds, kind: str) -> None:
    assert recall(index, sounds, OTHERS[kind]) >= 0.9


@pytest.mark.parametrize("count", [20, *map(long, [100])])
def test_no_other_loop_is_taken_for_one_of_them(index: FingerprintIndex, count: int) -> None:
    assert [held_as(index, synthesised(1_000 + number)) for number in range(count)] == [[]] * count


@pytest.mark.parametrize("turned", ["left", "right"])
def test_a_hit_that_is_turned_over_is_known(tmp_path: Path, turned: str) -> None:
    hits = {
        f"s{n}": synthesised(n)[:, : RATE // 2] * np.exp(-np.arange(RATE // 2) / 6_000) for n in range(12)
    }
    hits = {name: sound.astype(np.float32) for name, sound in hits.items() if np.abs(sound).max() > 0.01}
    assert len(hits) > 8
    index = indexed(hits, tmp_path)
    disguise = PHASE[f"{turned} turned over"]
    assert all(name in held_as(index, disguise(sound)) for name, sound in hits.items())


@pytest.mark.long
def test_the_table_of_real_recordings(recordings: Path, tmp_path: Path) -> None:
    """`pytest -s -m long tests/vault/test_disguises.py` prints it."""
    whole = {path.name: fit(decode(path), None) for path in sorted(recordings.glob("*.flac"))}
    index = indexed(whole, tmp_path)
    stereo = {
        name: sound
        for name, sound in whole.items()
        if sound.shape[0] == 2
        and sound.shape[1] >= SHORT_SECONDS * RATE
        and np.abs(sound[0] - sound[1]).max() > 1e-3
    }
    for kind, disguise in {**PHASE, **OTHERS}.items():
        share = recall(index, stereo, disguise)
        print(f"{kind}: {round(share * len(stereo))} of {len(stereo)}")
        assert share >= (0.98 if kind in PHASE else 0.6)
    wrong = {name: set(held_as(index, sound)) - {name} for name, sound in whole.items()}
    print("taken for another:", {name: found for name, found in wrong.items() if found})


def test_an_index_of_before_is_learnt_anew(tmp_path: Path, sounds: Sounds) -> None:
    path = tmp_path / "landmarks.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE known (number INTEGER PRIMARY KEY, stem TEXT NOT NULL UNIQUE,"
            " steps INTEGER NOT NULL, attack BLOB)"
        )
        db.execute("CREATE TABLE landmark (hash INTEGER, number INTEGER, time INTEGER)")
        db.execute("INSERT INTO known VALUES (1, 's0', 9, NULL)")
    index = FingerprintIndex(path)
    assert index.forget_others({"s0"}) == ["s0"]
    index.add("s0", fingerprint_of(sounds["s0"]))
    assert held_as(index, sounds["s0"]) == ["s0"]
    index.close()
    assert FingerprintIndex(path).forget_others({"s0"}) == []
