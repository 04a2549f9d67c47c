"""What a sound contains of the vault: copies are known, and unrelated sounds are not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from scipy.signal import butter, sosfilt

from stemloom import Vault
from stemloom.cli import main
from stemloom.engine.play.stretch import stretch_loop
from stemloom.vault.intake.fingerprint_index import FingerprintIndex, FingerprintMatch
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.decode import decode
from stemloom.vault.sound.engine_format import fit
from stemloom.vault.sound.fingerprint import SHORT_SECONDS, fingerprint_of

from ..marks import long, slow

RATE = 48_000
Sounds = dict[str, np.ndarray]
Copy = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def sounds(recordings: Path) -> Sounds:
    return {path.name: fit(decode(path), None) for path in sorted(recordings.glob("*.flac"))}


@pytest.fixture(scope="module")
def index(sounds: Sounds, tmp_path_factory: pytest.TempPathFactory) -> FingerprintIndex:
    index = FingerprintIndex(tmp_path_factory.mktemp("likeness") / "landmarks.db")
    for stem in index.forget_others(sounds.keys()):
        index.add(stem, fingerprint_of(sounds[stem]))
    return index


def coded(folder: Path, sound: np.ndarray, *options: str) -> np.ndarray:
    """Through ffmpeg's coder and back."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")
    plain, made, back = folder / "plain.wav", folder / f"made.{options[0]}", folder / "back.wav"
    soundfile.write(plain, sound.T, RATE, subtype="PCM_24")
    for words in ((plain, *options[1:], made), (made, "-ar", str(RATE), back)):
        subprocess.run([program, "-loglevel", "error", "-y", "-i", *words], check=True)
    return fit(decode(back), None)


COPIES: dict[str, Copy] = {
    "trimmed": lambda sound: sound[:, RATE // 20 :],
    "low-passed": lambda sound: sosfilt(butter(4, 3000, fs=RATE, output="sos"), sound).astype(np.float32),
    "mono": lambda sound: sound.mean(axis=0, keepdims=True),
    "softer": lambda sound: sound * np.float32(0.5),
}


def best(index: FingerprintIndex, sound: np.ndarray) -> FingerprintMatch | None:
    found = index.identify(fingerprint_of(sound))
    return found[0] if found else None


def is_short(sound: np.ndarray) -> bool:
    return sound.shape[1] < SHORT_SECONDS * RATE


@pytest.mark.parametrize(("factor", "least_same"), [long(1.02, 20), slow(0.95, 2)])
def test_stretched_copies_are_named_though_not_all_are_held(
    index: FingerprintIndex, sounds: Sounds, factor: float, least_same: int
) -> None:
    long = {name: sound for name, sound in sounds.items() if not is_short(sound)}
    right = same = 0
    for name, sound in long.items():
        frames = round(sound.shape[1] * factor)
        found = best(index, stretch_loop(np.ascontiguousarray(sound), frames, RATE).astype(np.float32))
        if found is not None and found.stem == name:
            right += 1
            same += found.same
    print(f"stretched by {factor}: {right} of {len(long)} named first, {same} held")
    assert right >= 35
    assert same >= least_same


@pytest.mark.parametrize(
    "options", [slow(("mp3", "-b:a", "128k")), ("ogg", "-b:a", "96k")], ids=["mp3", "ogg"]
)
def test_coded_copies_are_known(
    index: FingerprintIndex, sounds: Sounds, tmp_path: Path, options: tuple[str, ...]
) -> None:
    right = same = 0
    for name, sound in sounds.items():
        found = best(index, coded(tmp_path, sound, *options))
        right += found is not None and found.stem == name
        same += found is not None and found.same
    print(f"{options[0]}: {right} of {len(sounds)} known, {same} of them as the same")
    assert len(sounds) >= 50
    assert right >= len(sounds) * 58 / 60
    assert same >= 0.9 * len(sounds)


@pytest.mark.parametrize("how", COPIES)
def test_other_copies_are_known(index: FingerprintIndex, sounds: Sounds, how: str) -> None:
    """A hit whose first 50 ms are cut off has lost what it is known by."""
    kept = {name: sound for name, sound in sounds.items() if how != "trimmed" or not is_short(sound)}
    right = sum(
        (found := best(index, COPIES[how](sound))) is not None and found.stem == name
        for name, sound in kept.items()
    )
    print(f"{how}: {right} of {len(kept)} known")
    assert right >= len(kept) * 58 / 60


def test_unrelated_recordings_are_not_the_same(index: FingerprintIndex, sounds: Sounds) -> None:
    """Many loops are played with the same one-shots, or in one key. The one-shots themselves are in them."""
    wrong = []
    for name, sound in sounds.items():
        others = [each for each in index.identify(fingerprint_of(sound)) if each.stem != name]
        played_with_it = name.startswith(("drum_", "elec_", "sn_", "perc_", "glitch_"))
        wrong += [
            (name, each.stem, each.score)
            for each in others
            if each.same and not (played_with_it and each.stem.startswith("render_"))
        ]
    assert len(wrong) <= len(sounds) / 60, wrong


def test_a_stem_within_a_longer_recording_is_found_where_it_is(
    index: FingerprintIndex, sounds: Sounds
) -> None:
    loop = sounds["loop_tabla.flac"][:, : 5 * RATE]
    around = np.concatenate([sounds["ambi_drone.flac"], loop, sounds["ambi_glass_hum.flac"]], axis=1)
    found = {each.stem: each for each in index.identify(fingerprint_of(around))}
    begins = sounds["ambi_drone.flac"].shape[1] / RATE
    tabla = found["loop_tabla.flac"]
    assert begins - 0.1 <= tabla.at <= begins + 0.3
    assert begins + 4 <= tabla.until <= begins + 5.2


def test_noise_and_silence_are_nobodys(index: FingerprintIndex) -> None:
    for sound in (np.zeros((1, RATE), np.float32), np.random.default_rng(1).normal(0, 0.1, (2, 4 * RATE))):
        assert not [each for each in index.identify(fingerprint_of(sound.astype(np.float32))) if each.same]


def test_the_index_follows_and_forgets(sounds: Sounds, tmp_path: Path) -> None:
    names = sorted(sounds)[:4]
    index = FingerprintIndex(tmp_path / "landmarks.db")
    assert index.forget_others(set(names)) == names
    for name in names:
        index.add(name, fingerprint_of(sounds[name]))
    assert index.forget_others(set(names[1:])) == []
    assert best(index, sounds[names[0]]) is None or best(index, sounds[names[0]]).stem != names[0]
    found = best(index, sounds[names[1]])
    assert found is not None
    assert (found.stem, found.same) == (names[1], True)
    assert (tmp_path / "landmarks.db").stat().st_mode & 0o077 == 0


def test_another_holders_sound_is_held_until_somebody_has_looked(
    recordings: Path, sounds: Sounds, tmp_path: Path
) -> None:
    copy = tmp_path / "mine.wav"
    soundfile.write(copy, (sounds["loop_garzul.flac"][:, 3000:] * 0.7).T, RATE, subtype="PCM_16")
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ben")
        (first,) = vault.add([Declared(recordings / "loop_garzul.flac", "Ada", "beats", bars=4)]).added
        offer = Declared(copy, "Ben", "beats", shape="sustained")
        (held,) = vault.add([offer]).held
        assert held.stem == first.stem.stem
        assert "of Ada" in held.reason
        # Her own she may bring again, as she likes.
        assert vault.add([Declared(copy, "Ada", "beats", shape="sustained", title="Again")]).added
        (found, *_) = vault.identify(copy)
        assert found.same
        vault.remove("Again")
        (refused,) = vault.add(
            [Declared(copy, "Ben", "beats", shape="sustained", accept_likeness=True)]
        ).refused
        assert "of Ada: it can come back as theirs alone" in refused.reason
        soundfile.write(copy, (sounds["loop_garzul.flac"][:, 4000:] * 0.7).T, RATE, subtype="PCM_16")
        assert vault.add([Declared(copy, "Ben", "beats", shape="sustained", accept_likeness=True)]).added
    done = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "vault", "identify", str(copy)])
    assert done.exit_code == 0, done.output
    assert "loop_garzul" in done.output
    assert "the same" in done.output


def test_two_of_one_batch_are_held_as_well(recordings: Path, tmp_path: Path, sounds: Sounds) -> None:
    copy = tmp_path / "mine.wav"
    soundfile.write(copy, (sounds["render_break_45.flac"] * 0.6).T, RATE, subtype="PCM_16")
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ben")
        intake = vault.add(
            [
                Declared(recordings / "render_break_45.flac", "Ada", "beats", beats=8),
                Declared(copy, "Ben", "beats", beats=8),
            ]
        )
        assert len(intake.added) == len(intake.held) == 1


def test_a_lost_index_is_made_again(recordings: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        vault.add([Declared(recordings / "loop_tabla.flac", "Ada", "beats", beats=16)])
    for path in (home / "vault").glob("landmarks.db*"):
        path.unlink()
    with Vault.open(home) as vault:
        assert vault.identify(recordings / "loop_tabla.flac")[0].same
