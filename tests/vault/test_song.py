"""The stems of a song: whole bars at its exact tempo, tails kept apart, silence that belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from stemloom.vault.errors import BadDeclaration
from stemloom.vault.records import ENGINE_RATE, REST_FRAMES, Stem
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.decode import Sound
from stemloom.vault.sound.song import bars_of_song, extent_of
from stemloom.vault.vault import Vault

BPM = Fraction(187, 2)
BARS = 6


def frames_of(bars: float, rate: int = ENGINE_RATE) -> int:
    return round(Fraction(240 * rate) / BPM * Fraction(bars))


def clicks(seed: int, bars: int = BARS, tail: float = 0.0, rate: int = ENGINE_RATE) -> NDArray[np.float32]:
    """A click on each beat, silence between, and what rings after the last bar."""
    random = np.random.default_rng(seed)
    sound = np.zeros((1, frames_of(bars, rate) + round(tail * rate)), np.float32)
    ring = (0.5 * random.standard_normal(1200) * np.exp(-np.arange(1200) / 200)).astype(np.float32)
    for beat in range(4 * bars):
        at = frames_of(beat / 4, rate)
        sound[0, at : at + 1200] += ring[: sound.shape[1] - at]
    if tail:
        last = np.arange(sound.shape[1] - frames_of(bars - 0.25, rate))
        sound[0, -len(last) :] += (0.1 * np.sin(last / 20) * np.exp(-2 * last / len(last))).astype(np.float32)
    return sound


def offer(name: str, **more: object) -> Declared:
    declared = Declared(Path(name), "Ada", "beats", bpm=BPM, song="Low Water")
    return replace(declared, **more)  # type: ignore[arg-type]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault.open(tmp_path / "home", create=True)
    made.add_holder("Ada")
    return made


def added(vault: Vault, *sounds: tuple[Declared, NDArray[np.float32]]) -> dict[str, Stem]:
    report = vault.add_sounds(list(sounds))
    assert not report.refused, report
    assert not report.held, report
    return {each.path.stem: each.stem for each in report.added}


def test_all_stems_have_the_bars_of_the_song_and_keep_their_tails(vault: Vault) -> None:
    short = clicks(3)[:, : frames_of(4)]
    stems = added(
        vault,
        (offer("dry.wav"), clicks(1)),
        (offer("wet.wav"), wet := clicks(2, tail=0.8)),
        (offer("short.wav"), short),
    )
    for stem in stems.values():
        assert (stem.shape, stem.song, stem.set) == ("song", "Low Water", "Low Water")
        assert (stem.bpm, stem.beats, stem.body_frames) == (BPM, 4 * BARS, frames_of(BARS))
    assert stems["dry"].tail_frames == 0
    assert stems["wet"].tail_frames == pytest.approx(0.8 * ENGINE_RATE, abs=ENGINE_RATE / 10)
    kept = vault.samples(stems["wet"].stem)
    length = wet.shape[1]
    assert np.array_equal(kept[:, :length], wet[:, : kept.shape[1]][:, :length])
    assert not kept[:, -REST_FRAMES:].any()
    padded = vault.samples(stems["short"].stem)
    assert np.array_equal(padded[:, : frames_of(4)], short)
    assert not padded[:, frames_of(4) :].any()


def test_the_last_hit_tells_the_bars_where_no_file_is_whole(vault: Vault) -> None:
    stems = added(
        vault, *((offer(f"{tail}.wav"), clicks(seed, tail=tail)) for seed, tail in enumerate((0.9, 2.1, 3.0)))
    )
    assert {stem.beats for stem in stems.values()} == {4 * BARS}


def grain(seconds: float) -> NDArray[np.float32]:
    """Reverb: noise that dies away."""
    frames = round(seconds * ENGINE_RATE)
    noise = np.random.default_rng(9).standard_normal((1, frames)) * np.exp(-3 * np.arange(frames) / frames)
    return (0.02 * noise).astype(np.float32)


def pad(seconds: float) -> NDArray[np.float32]:
    return 0.1 * np.sin(np.arange(round(seconds * ENGINE_RATE)) / 30, dtype=np.float32)[None]


@pytest.mark.parametrize(
    ("sounds", "bars"),
    [
        ([np.concatenate([clicks(n), np.zeros((1, 60_000), np.float32)], axis=1) for n in (1, 2)], BARS),
        ([np.concatenate([clicks(1), grain(0.8)], axis=1)], BARS),
        ([clicks(1)[:, :-20_000], clicks(2)[:, :-30_000]], BARS),
        ([clicks(1, bars=3), np.concatenate([clicks(2), grain(2.0)], axis=1)], BARS),
        ([clicks(1, bars=2), np.concatenate([clicks(2, bars=12), grain(2.0)], axis=1)], 12),
        ([pad(28.0)], 10),
    ],
    ids=["one length", "reverb alone", "cut in the last bar", "a short intro", "an intro", "a pad"],
)
def test_the_bars_of_a_song(sounds: list[NDArray[np.float32]], bars: int) -> None:
    extents = [extent_of(Sound(sound, ENGINE_RATE, "", 1.0)) for sound in sounds]
    assert bars_of_song(extents, BPM, 4) == bars


def test_silence_in_a_song_belongs(vault: Vault) -> None:
    late = clicks(1)
    late[:, : frames_of(5)] = 0
    stems = added(vault, (offer("late.wav"), late), (offer("all.wav"), clicks(2)))
    assert np.array_equal(vault.samples(stems["late"].stem)[:, : late.shape[1]], late)


def test_a_stem_that_comes_later_takes_the_song_as_it_is(vault: Vault) -> None:
    added(vault, (offer("one.wav"), clicks(1)))
    stems = added(vault, (offer("two.wav", bpm=None), clicks(2, bars=4)))
    assert (stems["two"].bpm, stems["two"].beats) == (BPM, 4 * BARS)
    with pytest.raises(BadDeclaration, match=r"'Low Water' is in the vault with 24 beats at 93\.5 bpm"):
        vault.add_sounds([(offer("three.wav", bpm=Fraction(94)), clicks(3))])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bpm": None}, "'Low Water': a song has its exact tempo: add --bpm"),
        ({"song": " "}, "the song is empty"),
        ({"song": "x" * 201}, "201 characters"),
        ({"bpm": Fraction(7)}, "7 bpm is outside"),
    ],
)
def test_a_song_that_is_declared_wrongly_is_refused_whole(
    vault: Vault, wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(BadDeclaration, match=said):
        vault.add_sounds([(offer("one.wav", **wrong), clicks(1))])
    assert not len(vault.stems())


def test_a_stem_of_a_song_is_no_loop(vault: Vault) -> None:
    report = vault.add_sounds([(offer("one.wav", shape="loop"), clicks(1))])
    assert "a stem of a song is not a loop" in report.refused[0].reason
    report = vault.add_sounds([(offer("one.wav", song=None, shape="song"), clicks(1))])
    assert "add --song NAME" in report.refused[0].reason


def test_a_lost_cache_and_a_lost_catalogue_give_the_same_stems(vault: Vault, tmp_path: Path) -> None:
    stems = added(vault, (offer("wet.wav"), clicks(2, tail=0.8)), (offer("dry.wav"), clicks(1)))
    before = {stem.stem: np.array(vault.samples(stem.stem)) for stem in stems.values()}
    known = list(vault.stems())
    for path in (tmp_path / "home" / "vault" / "conformed").rglob("*.npy"):
        path.unlink()
    for stem, samples in before.items():
        assert np.array_equal(vault.samples(stem), samples)
    vault.close()
    Vault.rebuild(tmp_path / "home")
    with Vault.open(tmp_path / "home") as again:
        assert list(again.stems()) == known


def test_a_folder_is_added_as_a_song(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "export"
    folder.mkdir()
    for seed, tail in enumerate((0.0, 0.8)):
        soundfile.write(folder / f"{seed}.wav", clicks(seed, tail=tail).T, ENGINE_RATE, "FLOAT")
    assert command("vault holder add Ada")[0] == 0
    add = "vault add export --holder Ada --role beats --song 'Low Water'"
    code, _, error = command(add)
    assert (code, error.strip()) == (
        2,
        "stemloom: 'Low Water': a song has its exact tempo: add --bpm, such as --bpm 93.5",
    )
    code, out, _ = command(f"{add} --bpm 93.5")
    assert code == 0
    assert "beats, song, 6 bars at 93.5 bpm of 'Low Water'," in out
    assert "beats, song, 6 bars at 93.5 bpm of 'Low Water', tail 0.80 s" in out
    assert command(f"{add} --bpm 93.5")[1].count("here already") == 4, "two rows, and their counts"
    assert command("--json vault search --kind song")[1].count('"song": "Low Water"') == 2


def test_files_at_another_rate_keep_their_beats(vault: Vault, tmp_path: Path) -> None:
    paths = []
    for seed, tail in enumerate((0.0, 0.8)):
        paths.append(tmp_path / f"{seed}.wav")
        soundfile.write(paths[-1], clicks(seed, tail=tail, rate=44_100).T, 44_100, "FLOAT")
    report = vault.add([offer(str(path)) for path in paths])
    assert len(report.added) == 2, report
    for each in report.added:
        assert each.stem.body_frames == frames_of(BARS)
        sound = vault.samples(each.stem.stem)[0]
        for beat in range(4 * BARS):
            at = frames_of(beat / 4)
            assert np.abs(sound[max(at - 480, 0) : max(at - 48, 0)]).max(initial=0) < 0.05
            assert np.abs(sound[at : at + 96]).max() > 0.1
