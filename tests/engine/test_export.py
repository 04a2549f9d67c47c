"""Output files in every shape: what they hold, their length, the words on them, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stemloom import Vault, render
from stemloom.cli import main
from stemloom.engine.errors import OutputFailed, OutputRefused
from stemloom.engine.made_by import digest, engine, told_apart
from stemloom.engine.play import take as takes
from stemloom.engine.play.labels import Labels
from stemloom.engine.play.master_file import lowered, resampled, rounded, true_peak
from stemloom.engine.play.pcm24 import to_int24
from stemloom.engine.play.render import replay_to
from stemloom.engine.play.shape import CONTAINERS, shape_of
from stemloom.engine.play.wav import head
from stemloom.engine.play.working_file import WorkingFile
from stemloom.ledger.tlog.locks import close_locked, open_locked
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.loudness import true_peak_dbtp

from .test_session import SCRIPT, home as sounds, loop as noise

__all__ = ["sounds"]

RATE = 48_000
LABELS = Labels("Tïtle", "Ada", "Piece", "x" + "0" * 20, "2026-11-30T12:34:56.000Z", ("GBAYE0601498",))


@pytest.fixture(scope="module")
def home(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the sessions' tests, with two more recordings: one has an ISRC, and one hums."""
    folder = tmp_path_factory.mktemp("export")
    soundfile.write(folder / "chime.wav", noise(9, 0.4).T, RATE, subtype="FLOAT")
    at = np.arange(3 * RATE) / RATE
    hum = 0.2 * np.sin(2 * np.pi * 220 * at) + 0.05 * np.sin(2 * np.pi * 331.7 * at)
    soundfile.write(folder / "hum.wav", hum, RATE, subtype="FLOAT")
    with Vault.open(sounds) as vault:
        chime = Declared(folder / "chime.wav", "Ada", "melody", shape="hit", isrc="GBAYE0601498")
        hum = Declared(folder / "hum.wav", "Ada", "voice", shape="sustained")
        assert len(vault.add([chime, hum]).added) == 2
        vault.grant([stem.stem for stem in vault.stems() if stem.role in ("melody", "voice")], ["stream"])
    return sounds


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


PIECE = accepted(
    SCRIPT.replace("pool pads", "pool chimes = hits role melody\npool pads").replace(
        "section b 2 bars", '    play chime from chimes "x..."\nsection b 2 bars'
    )
)


# Length.


@pytest.mark.parametrize(
    ("frames", "kind"),
    [(1000, b"RIFF"), (715_827_000, b"RIFF"), (715_828_000, b"RF64"), (4_147_200_000, b"RF64")],
)
@pytest.mark.parametrize("loop", [False, True])
def test_a_wav_of_any_length_has_a_right_head(tmp_path: Path, frames: int, kind: bytes, loop: bool) -> None:
    out = tmp_path / "long.wav"
    begin = head(shape_of(out, loop=loop), frames, LABELS)
    assert begin[:4] == kind
    with out.open("wb") as file:
        file.write(begin)
        file.truncate(len(begin) + 6 * frames)  # a hole, which takes no room on the disk
    found = soundfile.info(str(out))
    assert (found.frames, found.samplerate, found.subtype) == (frames, RATE, "PCM_24")
    riff = struct.unpack("<Q" if kind == b"RF64" else "<I", begin[20:28] if kind == b"RF64" else begin[4:8])
    assert riff[0] == out.stat().st_size - 8
    if shutil.which("ffprobe"):
        words = ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0"]
        said = subprocess.run([*words, str(out)], capture_output=True, text=True, check=True).stdout
        assert int(said.strip()) == frames


@pytest.mark.parametrize(
    ("ending", "holds"), [("aiff", False), ("wav", True), ("flac", True), ("opus", True)]
)
def test_what_cannot_hold_a_length_is_refused(tmp_path: Path, ending: str, holds: bool) -> None:
    out = tmp_path / f"long.{ending}"
    shape_of(out).check_room(out, 700_000_000)
    if holds:
        shape_of(out).check_room(out, 24 * 3600 * RATE)
        return
    with pytest.raises(OutputRefused, match=r"would hold 4\.3 GB, and AIFF holds at most 4\.3: name a \.wav"):
        shape_of(out).check_room(out, 716_000_000)


def test_it_is_refused_before_anything_is_mixed(vault: Vault, tmp_path: Path) -> None:
    piece = accepted(SCRIPT.replace("move b -> silence at end", "move b -> a at end"))
    size = vault.log.size
    with pytest.raises(OutputRefused, match=r"name a \.wav or a \.flac"):
        render(vault, piece, tmp_path / "long.aif", seconds=15_000)
    assert list(tmp_path.iterdir()) == []
    assert vault.log.size == size + 2  # a session that was opened, and closed without a placement


@pytest.mark.long
def test_more_than_four_gigabytes_are_rendered(vault: Vault, tmp_path: Path) -> None:
    piece = accepted(SCRIPT.replace("move b -> silence at end", "move b -> a at end"))
    out = tmp_path / "long.wav"
    rendered = render(vault, piece, out, seconds=15_000)
    assert out.stat().st_size > 1 << 32
    with soundfile.SoundFile(out) as file:
        assert (file.format, file.frames) == ("RF64", 15_000 * RATE)
        found = hashlib.sha256()
        for block in file.blocks(1 << 18, dtype="int32", always_2d=True):
            found.update((block >> 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    assert found.hexdigest() == rendered.pcm_sha256


# Shapes.

EXACT = [
    (ending, bits, rate)
    for ending in ("wav", "flac", "aiff")
    for bits in ("16", "24", "32f")
    for rate in (44_100, 48_000, 96_000)
    if (ending, bits) != ("flac", "32f") and (rate == 44_100 or ending != "aiff")
]
LOSSY = [("ogg", None, 44_100), ("opus", None, 48_000), ("mp3", None, 44_100), ("mp3", None, 48_000)]


@pytest.mark.parametrize(("ending", "bits", "rate"), [*EXACT, *LOSSY])
def test_every_shape_has_its_length_its_words_and_its_ceiling(
    vault: Vault, tmp_path: Path, ending: str, bits: str | None, rate: int
) -> None:
    out = tmp_path / f"out.{ending}"
    words: dict[str, Any] = {"rate": rate, "bits": bits, "title": "Tïtle", "artist": "Ада"}
    rendered = render(vault, PIECE, out, seconds=2.5, **words)
    frames = round(2.5 * rate)
    assert (rendered.file.rate, rendered.file.bits, rendered.file.frames) == (rate, bits, frames)
    assert rendered.seconds == 2.5
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    with soundfile.SoundFile(out) as file:
        assert (file.samplerate, file.frames) == (rate, frames)
        assert file.subtype == {"16": "PCM_16", "24": "PCM_24", "32f": "FLOAT"}.get(bits or "", file.subtype)
        if ending != "mp3":  # of whose tags libsndfile reads but Latin-1
            assert (file.title, file.artist) == ("Tïtle", "Ада")
            assert "GBAYE0601498" in file.comment
            assert rendered.session in file.comment
            assert '"Test"' in file.comment
        sound = file.read(dtype="float32", always_2d=True)
    assert np.abs(sound).max() > 0.05
    if bits is not None:
        assert true_peak_dbtp(np.ascontiguousarray(sound.T)) <= PIECE.ceiling_dbtp


@pytest.mark.parametrize("ending", sorted(ending[1:] for ending in CONTAINERS))
def test_another_program_reads_the_words(vault: Vault, tmp_path: Path, ending: str) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed")
    out = tmp_path / f"out.{ending}"
    rendered = render(vault, PIECE, out, seconds=1, title="Tïtle", artist="Ада")
    words = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json"]
    said = json.loads(subprocess.run([*words, str(out)], capture_output=True, check=True).stdout)
    found = {**said["format"].get("tags", {}), **(said["streams"] or [{}])[0].get("tags", {})}
    tags = {name.lower(): text for name, text in found.items()}
    assert tags["title"] == "Tïtle"
    assert tags.get("artist", tags.get("author")) == "Ада"
    assert rendered.session in tags["comment"]
    assert "GBAYE0601498" in tags["comment"]
    opened = takes.load(rendered.take).time
    assert opened is not None
    assert opened[:10] in tags.get("date", tags["comment"])
    if ending == "wav":
        assert tags["originator_reference"] == rendered.session


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff"])
def test_the_words_leave_the_samples_as_they_are(vault: Vault, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    rendered = render(vault, PIECE, out, seconds=1, title="x" * 200)
    ints, _ = soundfile.read(out, dtype="int32")
    pcm = (ints >> 8).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    assert hashlib.sha256(pcm).hexdigest() == rendered.pcm_sha256


def test_a_take_gives_the_same_file_each_time(vault: Vault, tmp_path: Path) -> None:
    """Words and all, as they are the take's own, and not those of the session that replays it."""
    first = tmp_path / "first.wav"
    rendered = render(vault, PIECE, first, seconds=1)
    take = takes.load(rendered.take)
    for name in ("again.wav", "oncemore.wav"):
        assert replay_to(vault, take, tmp_path / name).same
        assert (tmp_path / name).read_bytes() == first.read_bytes()


def test_dither_is_triangular_and_repeatable() -> None:
    shape = shape_of(Path("out.wav"), bits="16")
    sound = np.full((100_000, 2), 0.3 / (1 << 15), np.float32)

    def written(blocks: int, seed: int) -> np.ndarray:
        return np.concatenate([*rounded(iter(np.array_split(sound, blocks)), 1.0, shape, seed)])

    found = written(7, 1)
    assert np.array_equal(found, written(1, 1))
    assert not np.array_equal(found, written(1, 2))
    # What is finer than a step is kept on the mean, and the noise does not depend on it.
    assert found.mean() == pytest.approx(0.3, abs=0.01)
    assert found.var() == pytest.approx(1 / 4, abs=0.01)
    assert set(np.unique(found)) <= {-1, 0, 1, 2}


def test_24_bits_are_what_the_hash_is_of() -> None:
    sound = np.random.default_rng(1).uniform(-1.2, 1.2, (1000, 2)).astype(np.float32)
    (found,) = rounded(iter([sound]), 1.0, shape_of(Path("out.wav")), 0)
    assert np.array_equal(found, to_int24(sound.T))


@pytest.mark.parametrize("rate", [44_100, 96_000])
@pytest.mark.parametrize("frames", [1, 479, 480, 131_072, 300_001])
def test_resampling_keeps_the_length_and_the_tone(rate: int, frames: int) -> None:
    shape = shape_of(Path("out.wav"), rate)
    at = np.arange(frames) / RATE
    sound = np.repeat(np.sin(2 * np.pi * 1000 * at)[:, None], 2, axis=1).astype(np.float32) * 0.5
    found = np.concatenate([*resampled(sound, shape)])
    assert len(found) == shape.frames(frames) == round(frames * rate / RATE)
    if frames > 100_000:
        right = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(found)) / rate)
        np.testing.assert_allclose(found[2000:-2000, 0], right[2000:-2000], atol=2e-6)


def test_a_peak_between_the_samples_of_another_rate_is_brought_down() -> None:
    """Clicks at every third of the band: their peaks at 44.1 kHz are none at 48 kHz."""
    sound = np.zeros((RATE, 2), np.float32)
    sound[100::4801] = 0.89
    sound[3000::4803] = -0.89
    sound[:, 1] = np.roll(sound[:, 0], 1) + sound[:, 0]
    shape = shape_of(Path("out.wav"), 44_100, "16")
    gain = lowered(sound, shape, -1.0)
    assert 0 < gain < 1
    (found,) = [np.concatenate([*rounded(resampled(sound, shape), gain, shape, 3)])]
    assert -1.2 < true_peak_dbtp(np.ascontiguousarray(found.T / np.float32(1 << 15))) <= -1.0


def test_the_peak_is_that_of_the_whole_however_it_is_cut() -> None:
    sound = np.random.default_rng(4).standard_normal((20_000, 2)).astype(np.float32) * 0.1
    right = 10 ** (true_peak_dbtp(np.ascontiguousarray(sound.T)) / 20)
    for pieces in (1, 3, 200):
        assert true_peak(iter(np.array_split(sound, pieces)), RATE) == pytest.approx(right, rel=1e-3)


# What is refused.

MISTAKES = [
    (["out.wav", "--rate", "22050"], "WAV is written at 44100, 48000 or 96000 Hz, not at 22050"),
    (["out.wav", "--rate", "-1"], "not at -1"),
    (["out.opus", "--rate", "44100"], "Opus is written at 48000 Hz, not at 44100"),
    (["out.mp3", "--rate", "96000"], "MP3 is written at 44100 or 48000 Hz"),
    (["out.wav", "--bits", "32"], 'WAV is written with 16, 24 or 32f bits, not with "32"'),
    (["out.flac", "--bits", "32f"], "FLAC is written with 16 or 24 bits"),
    (["out.ogg", "--bits", "16"], "Ogg Vorbis has no width in bits: leave --bits out"),
    (["out.wma"], "must end in .aif, .aiff, .flac, .mp3, .ogg, .opus or .wav"),
    (["-"], "a render does not go to '-'"),
    (["/dev/stdout"], "a render does not go to '/dev/stdout'"),
    (["no/out.wav"], "there is no folder"),
    (["out.wav", "--title", ""], "the title of a file has 1 to 200 characters"),
    (["out.wav", "--title", "x" * 201], "the title of a file has 1 to 200 characters"),
    (["out.wav", "--artist", "a\nb"], "the artist of a file has 1 to 200 characters"),
    (["out.wav", "--artist", "\udcff"], "the artist of a file has 1 to 200 characters"),
    (["out.wav", "--take", "./out.wav"], "--out and --take are one file"),
    (["out.wav", "--loop", "--seconds", "3"], "a loop is whole bars"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[" ".join(m[0])[:40] for m in MISTAKES])
def test_each_mistake_has_its_sentence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test.loom").write_text(SCRIPT)
    result = CliRunner().invoke(main, ["--home", str(home), "render", "test.loom", "--out", *words])
    assert result.exit_code == 2 or getattr(result.exception, "exit_code", 0) == 2
    assert said in f"{result.output} {result.exception}"
    assert [path.name for path in tmp_path.iterdir()] == ["test.loom"]


def test_a_disk_without_room_for_it_is_said_at_the_start(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        OutputFailed, match=r"it takes 0\.01 GB on its disk while it is made, and 0\.00 GB are"
    ):
        render(vault, PIECE, tmp_path / "out.wav", seconds=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["wav", "aiff"])
def test_a_disk_that_is_full_when_the_mix_is_whole(home: Path, tmp_path: Path, ending: str) -> None:
    """In a process whose files may grow to 3.5 MB: the mix is one of 3 MB, the file one of 6."""
    code = f"""
import resource, signal
from pathlib import Path
from stemloom import Vault, render, check
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
told = []
with Vault.open({str(home)!r}) as vault:
    render(vault, check({SCRIPT!r}).piece, Path({str(tmp_path / "warm.wav")!r}), seconds=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_500_000, 3_500_000))
    try:
        render(vault, check({SCRIPT!r}).piece, Path({str(tmp_path / ("out." + ending))!r}), rate=96_000,
               bits="32f", seconds=7.5, progress=lambda step, done, all: told.append(step))
    except Exception as error:
        print(told[-1], type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("write OutputFailed "), done.stdout + done.stderr
    assert "could not be written" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["warm.wav"]
    assert verify(home).ok


# The working file.


@pytest.mark.slow
def test_what_a_killed_render_left_is_cleared_by_the_next(home: Path, vault: Vault, tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from stemloom import Vault, render, check
def kill(step, done, all):
    if step == "write":
        os.kill(os.getpid(), signal.SIGKILL)
with Vault.open({str(home)!r}) as vault:
    render(vault, check({SCRIPT!r}).piece, Path({str(tmp_path / "out.wav")!r}), seconds=2, progress=kill)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part")
    render(vault, PIECE, tmp_path / "other.flac", seconds=1)
    assert [path.name for path in tmp_path.iterdir()] == ["other.flac"]
    assert verify(home).ok


def test_the_working_file_of_another_render_stays(tmp_path: Path) -> None:
    other = tmp_path / ".stemloom-1-00000000.part"
    lock = open_locked(other, os.O_RDWR | os.O_CREAT, 0o644)
    with WorkingFile(tmp_path / "out.wav"):
        assert other.exists()
    close_locked(lock)
    with WorkingFile(tmp_path / "out.wav"):
        assert not other.exists()


def test_two_renders_into_one_file_leave_one_of_them_whole(home: Path, tmp_path: Path) -> None:
    out, hashes = tmp_path / "out.wav", []

    def one(seconds: float) -> None:
        with Vault.open(home) as vault:
            hashes.append(render(vault, PIECE, out, seconds=seconds).file.frames)

    threads = [threading.Thread(target=one, args=(seconds,)) for seconds in (1.0, 1.5, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 3
    assert soundfile.info(str(out)).frames in hashes
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


# The engine that made it.


def test_an_engine_is_told_from_another_of_its_version(tmp_path: Path) -> None:
    source = tmp_path / "engine" / "mix.py"
    source.parent.mkdir()
    source.write_text("GAIN = 1\n")
    first = digest((source.parent,))
    assert first == digest((source.parent,))
    source.write_text("GAIN = 2\n")
    assert digest((source.parent,)) != first
    source.rename(source.with_name("other.py"))
    assert len({first, digest((source.parent,))}) == 2
    assert engine().startswith("0.1.0+")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("0.1.0", "names its engine 0.1.0 without a digest"),
        ("0.1.0+000000000000", "the take was made by the engine 0.1.0+000000000000, and this is"),
        (engine(), None),
    ],
)
def test_a_check_names_the_engine_of_the_take(
    home: Path, vault: Vault, tmp_path: Path, made: str, said: str | None
) -> None:
    rendered = render(vault, PIECE, tmp_path / "out.wav", seconds=1)
    path = tmp_path / "take.json"
    path.write_text(json.dumps(json.loads(rendered.take.read_text()) | {"engine": made}))
    result = CliRunner().invoke(main, ["--home", str(home), "replay", "--check", str(path)])
    assert result.exit_code == 0
    assert "the same sound" in result.output
    assert (said or "engine") in result.output if said else "engine" not in result.output
    assert (told_apart(made, engine()) is None) == (said is None)
