"""Conforming: exact lengths, onsets on the grid, seams without clicks, and workers that may die."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import hilbert

from stemloom import Vault
from stemloom.engine.clock import BarClock
from stemloom.engine.compose.tempo_and_key import resampled, variant_of
from stemloom.engine.errors import ConformFailed
from stemloom.engine.plan import Variant
from stemloom.engine.play import stretch
from stemloom.engine.play.conform import Conformer
from stemloom.engine.play.stretch import (
    BEFORE_FRAMES,
    Request,
    crossfade_texture,
    onsets,
    resample,
    shift_loop,
    slice_loop,
    stretch_loop,
)
from stemloom.vault.records import Stem
from stemloom.vault.sound.declared import Declared

RATE = 48_000


def drum_loop(frames: int, hits: int, seed: int = 0) -> np.ndarray:
    """Noise bursts on an exact grid of `hits` a loop."""
    rng = np.random.default_rng(seed)
    sound = np.zeros((2, frames), np.float32)
    burst = rng.standard_normal((2, 4000)) * np.exp(-np.arange(4000) / 500) * 0.5
    for hit in range(hits):
        at = round(hit * frames / hits)
        count = min(4000, frames - at)
        sound[:, at : at + count] += burst[:, :count].astype(np.float32)
    return sound


def onset(sound: np.ndarray, near: int) -> float:
    """Where a hit begins, in frames from `near`: where it passes a quarter of its greatest value."""
    around = np.abs(np.take(sound[0], np.arange(near - 1200, near + 2400), mode="wrap"))
    return float(np.argmax(around > 0.25 * around.max()) - 1200)


def kick() -> np.ndarray:
    """A soft one: a falling sine with 2 ms of attack."""
    t = np.arange(9600) / RATE
    sweep = np.cumsum(45 + 110 * np.exp(-t / 0.03)) / RATE
    return 0.8 * np.sin(2 * np.pi * sweep) * np.minimum(t / 0.002, 1) * np.exp(-t / 0.12)


def snare() -> np.ndarray:
    t = np.arange(7000) / RATE
    noise = np.random.default_rng(2).standard_normal(7000)
    return 0.4 * noise * np.exp(-t / 0.05) + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.06)


def pluck() -> np.ndarray:
    t = np.arange(12_000) / RATE
    return 0.3 * np.sign(np.sin(2 * np.pi * 220 * t)) * np.exp(-t / 0.15)


def burst() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(4000) * np.exp(-np.arange(4000) / 500) * 0.5


@pytest.mark.parametrize("factor", [0.93, 0.96, 0.99, 1.01, 1.04, 1.079])
@pytest.mark.parametrize("hit", [kick, snare, pluck, burst])
def test_onsets_stay_on_the_grid_within_a_millisecond(hit: Callable[[], np.ndarray], factor: float) -> None:
    frames, hits = 4 * RATE, 8
    sound = np.zeros((2, frames), np.float32)
    one = hit().astype(np.float32)
    for number in range(hits):
        at = number * frames // hits
        sound[:, at : at + len(one)] += one
    made = stretch_loop(sound, round(frames * factor), RATE)
    assert made.shape == (2, round(frames * factor))
    errors = [
        onset(made, round(number * made.shape[1] / hits)) - onset(sound, number * frames // hits)
        for number in range(hits)
    ]
    assert np.abs(errors).max() < RATE / 1000


@pytest.mark.parametrize("hit", [kick, snare, burst])
@pytest.mark.parametrize("factor", [0.6, 0.93, 1.0, 1.05, 1.079, 1.4, 2.0])
def test_a_sliced_hit_is_the_hit_that_was_played(hit: Callable[[], np.ndarray], factor: float) -> None:
    """From 2 ms before its onset to 40 ms after it, bit for bit, and where it belongs to the frame."""
    frames, hits = 4 * RATE, 8
    sound = np.zeros((2, frames), np.float32)
    # It ends softly: an end that is cut off is an onset as well.
    one = hit().astype(np.float32)
    one *= np.minimum(np.arange(len(one))[::-1] / 2000, 1).astype(np.float32)
    for number in range(hits):
        at = 700 + number * frames // hits
        sound[:, at : at + len(one)] += one
    marks = onsets(sound)
    assert len(marks) == hits
    assert all(abs(mark - 700 - number * frames // hits) < 100 for number, mark in enumerate(marks))
    made = slice_loop(sound, round(frames * factor), RATE)
    assert made.shape == (2, round(frames * factor))
    for mark in marks:
        at = round(mark * made.shape[1] / frames)
        first, last = -BEFORE_FRAMES, 1920
        np.testing.assert_array_equal(
            np.take(made, np.arange(at + first, at + last), axis=1, mode="wrap"),
            np.take(sound, np.arange(mark + first, mark + last), axis=1, mode="wrap"),
        )


@pytest.mark.parametrize("name", ["loop_garzul", "render_break_21", "loop_tabla"])
def test_slicing_a_real_loop_to_its_own_length_changes_nothing_and_to_others_adds_no_clicks(
    recordings: Path, name: str
) -> None:
    sound, rate = soundfile.read(recordings / f"{name}.flac", dtype="float32", always_2d=True)
    loop = np.ascontiguousarray(sound.T)
    frames = loop.shape[1]
    np.testing.assert_allclose(slice_loop(loop, frames, rate), loop, atol=1e-6)
    greatest = np.abs(np.diff(loop)).max()
    for factor in (0.93, 1.07, 1.5):
        made = slice_loop(loop, round(frames * factor), rate)
        np.testing.assert_array_equal(slice_loop(loop, round(frames * factor), rate), made)
        twice = np.concatenate([made, made[:, :10]], axis=1)
        assert np.abs(np.diff(twice)).max() <= 1.05 * greatest
        # As loud, where the hits do not lie much farther apart.
        if factor < 1.1:
            assert np.sqrt((made**2).mean()) == pytest.approx(np.sqrt((loop**2).mean()), rel=0.15)


def test_what_has_no_hits_is_stretched() -> None:
    np.testing.assert_array_equal(
        slice_loop(sine(2 * RATE), 90_001, RATE), stretch_loop(sine(2 * RATE), 90_001, RATE)
    )


@pytest.mark.parametrize("frequency", [110.0, 437.3])
def test_a_stretched_loop_has_no_click_at_its_seam(frequency: float) -> None:
    frames = 2 * RATE
    cycles = round(frequency * frames / RATE)
    tone = np.sin(2 * np.pi * cycles * np.arange(frames) / frames).astype(np.float32) * 0.5
    made = stretch_loop(np.stack([tone, tone]), 100_001, RATE)
    twice = np.concatenate([made, made], axis=1)[0].astype(float)
    bends = np.abs(np.diff(twice, n=2))
    seam = slice(100_001 - 50, 100_001 + 50)
    elsewhere = np.quantile(np.delete(bends, np.r_[seam]), 0.999)
    assert bends[seam].max() < 2 * elsewhere


def test_a_texture_repeats_without_a_seam() -> None:
    rng = np.random.default_rng(4)
    smooth = np.convolve(rng.standard_normal(RATE), np.hanning(200) / 100, "same")
    sound = np.stack([smooth, smooth]).astype(np.float32)
    made = crossfade_texture(sound, 12_000)
    np.testing.assert_array_equal(made[:, :-12_000], sound[:, :-12_000])
    joined = np.concatenate([made[0], made[0, 12_000:]]).astype(float)
    bends = np.abs(np.diff(joined, n=2))
    assert bends[RATE - 20 : RATE + 20].max() < np.quantile(bends, 0.9999)


@pytest.mark.parametrize("frames", [50_000, 100_001, 250_000])
def test_stretching_is_the_same_every_time(frames: int) -> None:
    """Also where the library alone would draw random phases."""
    sound = drum_loop(RATE, 4)
    made = stretch_loop(sound, frames, RATE)
    assert made.shape == (2, frames)
    np.testing.assert_array_equal(stretch_loop(sound, frames, RATE), made)


def pitch_hz(sound: np.ndarray) -> float:
    """Of a sine: what a line through its unwrapped phase says, its edges left out."""
    phase = np.unwrap(np.angle(hilbert(sound[0].astype(float))))[4800:-4800]
    return float(np.polyfit(np.arange(len(phase)) / RATE, phase, 1)[0] / (2 * np.pi))


def sine(frames: int, frequency: float = 440.0) -> np.ndarray:
    """One that comes round whole."""
    cycles = round(frequency * frames / RATE)
    tone = 0.5 * np.sin(2 * np.pi * cycles * np.arange(frames) / frames)
    return np.stack([tone, tone]).astype(np.float32)


@pytest.mark.parametrize("semitones", [-12, -3, -1, 0, 1, 2, 7, 12])
@pytest.mark.parametrize("frames", [2 * RATE, 100_001])
def test_a_shifted_loop_has_its_length_and_its_pitch(frames: int, semitones: int) -> None:
    made = shift_loop(sine(2 * RATE), frames, semitones, RATE)
    assert made.shape == (2, frames)
    cents = 1200 * np.log2(pitch_hz(made) / 440) - 100 * semitones
    assert abs(cents) < 0.1


@pytest.mark.parametrize("semitones", [-3, 2])
def test_a_shifted_loop_has_no_click_at_its_seam(semitones: int) -> None:
    made = shift_loop(sine(2 * RATE, 110), 100_001, semitones, RATE)
    bends = np.abs(np.diff(np.concatenate([made, made], axis=1)[0].astype(float), n=2))
    seam = np.r_[100_001 - 50 : 100_001 + 50]
    assert bends[seam].max() < 2 * np.quantile(np.delete(bends, seam), 0.999)


@pytest.mark.parametrize("semitones", [-3, 2])
def test_a_shifted_loop_keeps_its_onsets(semitones: int) -> None:
    sound, hits = drum_loop(4 * RATE, 8), 8
    made = shift_loop(sound, 4 * RATE, semitones, RATE)
    errors = [onset(made, n * 4 * RATE // hits) - onset(sound, n * 4 * RATE // hits) for n in range(hits)]
    assert np.abs(errors).max() < 2 * RATE / 1000


@pytest.mark.parametrize("semitones", [-5, 0, 5])
def test_a_shifted_hit_is_played_faster_or_slower(semitones: int) -> None:
    frames = resampled(RATE, semitones)
    made = resample(sine(RATE), frames)
    assert made.shape == (2, frames)
    assert 1200 * np.log2(pitch_hz(made) / 440) - 100 * semitones == pytest.approx(0, abs=0.1)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for number in range(3):
            path = tmp_path / f"loop{number}.wav"
            # A bed of noise: a loop that is mostly silence is held for review.
            bed = np.random.default_rng(number).standard_normal((2, 2 * RATE)) * 0.01
            soundfile.write(path, (drum_loop(2 * RATE, 8, number) + bed).T, RATE)
            offers.append(Declared(path, "Ada", "beats", bpm=Fraction(120), beats=4))
        assert len(vault.add(offers).added) == 3
        yield vault


def wanted(vault: Vault, tempo: Fraction) -> list[tuple[Stem, Variant]]:
    clock = BarClock(tempo, (4, 4), RATE)
    return [(stem, variant_of(stem, clock)) for stem in vault.stems()]


def test_variants_are_made_once_and_kept(vault: Vault) -> None:
    made = wanted(vault, Fraction(125))
    counts: list[tuple[int, int]] = []
    with Conformer(vault) as conformer:
        conformer.prepare(made, lambda done, all: counts.append((done, all)))
        first = [conformer.sound(stem, variant).copy() for stem, variant in made]
    assert counts == [(1, 3), (2, 3), (3, 3)]
    assert all(sound.shape == (2, 92_160) for sound in first)
    with Conformer(vault) as conformer:
        conformer.prepare(made, lambda done, all: pytest.fail("made again"))
        for (stem, variant), sound in zip(made, first, strict=True):
            np.testing.assert_array_equal(conformer.sound(stem, variant), sound)


def test_a_loop_at_its_own_tempo_is_the_vaults_file(vault: Vault) -> None:
    with Conformer(vault) as conformer:
        for stem, variant in wanted(vault, Fraction(120)):
            np.testing.assert_array_equal(conformer.sound(stem, variant), vault.samples(stem.stem))


def test_a_variant_that_was_cut_short_is_made_again(vault: Vault) -> None:
    made = wanted(vault, Fraction(125))
    with Conformer(vault) as conformer:
        conformer.prepare(made)
    stem, variant = made[0]
    (path,) = vault.variant_path(stem.stem, "x").parent.glob("92160-*.npy")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with Conformer(vault) as conformer:
        assert conformer.sound(stem, variant).shape == (2, 92_160)
    assert path.read_bytes() == whole


def test_a_variant_that_was_damaged_is_named_with_its_way_out(vault: Vault) -> None:
    """What is no number never reaches the mixer."""
    made = wanted(vault, Fraction(125))
    with Conformer(vault) as conformer:
        conformer.prepare(made)
    stem, variant = made[0]
    (path,) = vault.variant_path(stem.stem, "x").parent.glob("92160-*.npy")
    sound = np.load(path)
    sound[1, 77] = np.inf
    np.save(path, sound)
    with Conformer(vault) as conformer:
        with pytest.raises(
            ConformFailed, match=f'"{stem.title}" is damaged: remove .*{re.escape(path.name)}, and'
        ):
            conformer.sound(stem, variant)
        path.unlink()
        assert np.isfinite(conformer.sound(stem, variant)).all()


def test_only_what_is_struck_and_has_no_pitch_is_sliced(vault: Vault) -> None:
    stem, variant = wanted(vault, Fraction(125))[0]
    source = np.ascontiguousarray(vault.samples(stem.stem))
    with Conformer(vault) as conformer:
        np.testing.assert_array_equal(conformer.sound(stem, variant), slice_loop(source, 92_160, RATE))
    with Conformer(vault) as conformer:
        melody = replace(stem, role="melody")
        np.testing.assert_array_equal(conformer.sound(melody, variant), stretch_loop(source, 92_160, RATE))


def test_a_shifted_variant_is_another_sound_of_the_same_length(vault: Vault) -> None:
    (stem, variant), *_ = wanted(vault, Fraction(120))
    shifted, turned = replace(variant, semitones=2), replace(variant, semitones=2, reverse=True)
    with Conformer(vault) as conformer:
        plain, up, back = (conformer.sound(stem, v) for v in (variant, shifted, turned))
    assert up.shape == plain.shape
    np.testing.assert_array_equal(back, up[:, ::-1])
    source = np.ascontiguousarray(vault.samples(stem.stem))
    np.testing.assert_array_equal(up, shift_loop(source, stem.frames, 2, RATE, slice_loop))


def test_a_hit_of_another_pitch_has_another_length(vault: Vault) -> None:
    stem = vault.stems()[0]
    variant = Variant(stem.stem, resampled(stem.frames, -2), None, 1.0, -2)
    with Conformer(vault) as conformer:
        assert conformer.sound(stem, variant).shape == (2, variant.frames)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("semitones", [0, 3])
def test_a_texture_is_shifted_and_turned_before_its_end_is_faded(
    vault: Vault, semitones: int, reverse: bool
) -> None:
    stem = replace(vault.stems()[0], shape="sustained", bpm=None, beats=None)
    variant = variant_of(stem, BarClock(Fraction(120), (4, 4), RATE), semitones=semitones, reverse=reverse)
    with Conformer(vault) as conformer:
        made = conformer.sound(stem, variant)
    natural = shift_loop(np.ascontiguousarray(vault.samples(stem.stem)), stem.frames, semitones, RATE)
    expected = crossfade_texture(natural[:, ::-1] if reverse else natural, variant.loop_start or 0)
    np.testing.assert_array_equal(made, expected)


def test_a_worker_that_dies_is_replaced(vault: Vault) -> None:
    made = wanted(vault, Fraction(125))
    with Conformer(vault) as conformer:
        conformer.sound(*made[0])
        (worker,) = conformer._workshop._crew._idle
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
        assert conformer.sound(*made[1]).shape == (2, 92_160)


def test_a_stem_that_cannot_be_stretched_is_named(vault: Vault) -> None:
    stem, variant = wanted(vault, Fraction(125))[0]
    np.save(vault.conformed_path(stem.stem), np.full((2, stem.frames), np.nan, np.float32))
    with (
        Conformer(vault) as conformer,
        pytest.raises(ConformFailed, match=f'"{stem.title}" could not be brought to tempo'),
    ):
        conformer.sound(stem, variant)


def worker(tmp_path: Path, answers: int, most_bytes: int | None = None) -> tuple[int, bytes, str]:
    """Has the program make a hit. `answers`: where they go. Gives its exit code, errors and request."""
    np.save(tmp_path / "source.npy", np.zeros((2, 48_000), np.float32))
    source, out = str(tmp_path / "source.npy"), str(tmp_path / "out.npy")
    line = Request(source, out, "hit", 48_000, 0, RATE).line()
    limit = None if most_bytes is None else (most_bytes, most_bytes)
    done = subprocess.run(
        [sys.executable, stretch.__file__],
        input=line.encode() + b"\n",
        stdout=answers,
        stderr=subprocess.PIPE,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    return done.returncode, done.stderr, out


def test_a_worker_whose_player_was_killed_says_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, errors, out = worker(tmp_path, writing)
    os.close(writing)
    assert (code, errors) == (0, b"")
    assert Path(out).exists()


def test_a_worker_says_why_a_file_cannot_be_written(tmp_path: Path) -> None:
    with (tmp_path / "answers").open("wb") as answers:
        code, errors, out = worker(tmp_path, answers.fileno(), most_bytes=100_000)
    assert (code, errors) == (0, b"")
    assert json.loads((tmp_path / "answers").read_text())["errno"] == errno.EFBIG
    assert not Path(out).exists()
