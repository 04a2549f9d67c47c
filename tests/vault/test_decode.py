from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom.vault.errors import Refused
from stemloom.vault.sound.decode import copy_file, decode
from stemloom.vault.sound.header_length import promised_bytes
from stemloom.vault.sound.pcm_identity import pcm_sha256
from stemloom.vault.sound.wave import wave_bytes

from .conftest import Write, tone


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_decodes_by_content_whatever_the_name_says(write: Write, format: str, subtype: str) -> None:
    sound = tone(0.5, rate=44_100, channels=2)
    decoded = decode(write("lies.raw", sound, 44_100, format=format, subtype=subtype))
    assert (decoded.rate, decoded.channels) == (44_100, 2)
    assert decoded.samples.flags.c_contiguous
    assert decoded.samples.dtype == np.float32
    if subtype not in ("VORBIS", "MPEG_LAYER_III"):
        np.testing.assert_allclose(decoded.samples.T, sound, atol=1 / 100)


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000, 192_000, 384_000])
def test_takes_rates_from_8_to_384_khz(write: Write, rate: int) -> None:
    assert decode(write("tone", tone(0.1, rate=rate), rate)).frames == rate // 10


def test_the_same_sound_in_two_lossless_files_is_one_sound(write: Write) -> None:
    sound = np.round(tone(0.2) * 32768).astype(np.int16)
    scaled = sound.astype("<f4") / np.float32(32768)
    digests = {
        decode(write("a", sound, format="WAV", subtype="PCM_16")).pcm_sha256,
        decode(write("b", sound, format="FLAC", subtype="PCM_24")).pcm_sha256,
        decode(write("c", sound, format="AIFF", subtype="PCM_32")).pcm_sha256,
    }
    assert digests == {hashlib.sha256(b"48000 1\n" + scaled.tobytes()).hexdigest()}


def test_identity_depends_on_rate_and_channels() -> None:
    mono = tone(0.1)
    assert (
        len({pcm_sha256(mono, 48_000), pcm_sha256(mono, 44_100), pcm_sha256(mono.reshape(-1, 2), 48_000)})
        == 3
    )


def with_sample(value: float) -> np.ndarray:
    sound = tone(0.1)
    sound[7] = value
    return sound


@pytest.mark.parametrize(
    ("sound", "rate", "reason"),
    [
        (with_sample(np.nan), 48_000, "not numbers"),
        (with_sample(np.inf), 48_000, "not numbers"),
        (with_sample(-np.inf), 48_000, "not numbers"),
        (with_sample(3e30), 48_000, "not scaled as audio"),
        (tone(0.1, level=0.0), 48_000, "it is silent"),
        (tone(0.1, level=0.0) + np.float32(0.5), 48_000, "it is silent"),
        (tone(0.1, level=10 ** (-71 / 20)), 48_000, "it is silent"),
        (tone(0.0099), 48_000, "too short: 9.9 ms"),
        (tone(0.1, channels=3), 48_000, "has 3 channels; mix it down"),
        (tone(0.1), 7_999, "rate is 7999 Hz"),
        (tone(0.1), 384_001, "rate is 384001 Hz"),
    ],
)
def test_refuses_with_the_reason(write: Write, sound: np.ndarray, rate: int, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        decode(write("bad", sound, rate))


def test_refuses_more_than_twenty_minutes_without_decoding_them(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_U8", format="WAV") as file:
        file.write(np.full(20 * 60 * 8_000 + 1, 0.5, dtype=np.float32))
    with pytest.raises(Refused, match=r"too long: 20\.0 minutes"):
        decode(path)


@pytest.mark.parametrize("content", [b"RIFF", b"\0" * 4096, b"name,bpm\nx,1\n", os.urandom(4096)])
def test_refuses_what_is_no_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fine.wav"
    path.write_bytes(content)
    with pytest.raises(Refused, match="does not decode"):
        decode(path)


CUT = "the file is cut short: its header promises"


@pytest.mark.parametrize(
    ("format", "subtype", "reason"),
    [
        ("WAV", "PCM_16", CUT), ("WAV", "FLOAT", CUT), ("WAV", "IMA_ADPCM", CUT), ("WAVEX", "PCM_24", CUT),
        ("RF64", "PCM_16", CUT), ("W64", "PCM_16", CUT), ("AIFF", "PCM_16", CUT), ("AIFF", "FLOAT", CUT),
        ("AU", "PCM_16", CUT), ("MP3", "MPEG_LAYER_III", CUT), ("CAF", "PCM_16", CUT),
        ("FLAC", "PCM_16", "does not decode"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(
    write: Write, format: str, subtype: str, reason: str, part: float
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (48_000, 1)).astype(np.float32)
    path = write("whole", noise, format=format, subtype=subtype)
    assert decode(path).frames >= 48_000
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(Refused, match=reason):
        decode(path)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "RF64", "W64", "AU"])
def test_the_promise_of_a_header_is_the_sound_in_it(write: Write, format: str) -> None:
    with open(write("whole", tone(1.0), format=format, subtype="PCM_16"), "rb") as file:
        assert promised_bytes(file) == (96_000, 96_000)


def test_a_file_of_which_only_the_header_is_left_is_said_to_be_cut(write: Write) -> None:
    path = write("whole", tone(1.0), format="OGG", subtype="VORBIS")
    path.write_bytes(path.read_bytes()[:4200])
    with pytest.raises(Refused, match="cut short: its last page is not whole"):
        decode(path)


def test_what_is_missing_is_said_in_seconds_or_bytes(write: Write) -> None:
    path = write("whole", tone(2.0), subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[:-96_000])
    with pytest.raises(Refused, match=r"promises 2\.00 s and it holds 1\.00 s"):
        decode(path)
    path.write_bytes(content[:-1])
    with pytest.raises(Refused, match="promises 192000 bytes of sound and it holds 191999"):
        decode(path)


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
def test_a_length_that_a_pipe_could_not_fill_in_promises_nothing(tmp_path: Path, size: int) -> None:
    samples = np.ascontiguousarray(tone(0.5).T)
    content = bytearray(wave_bytes(samples, 48_000))
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", size)
    (tmp_path / "piped").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / "piped").samples, samples)


@given(
    head=st.sampled_from([b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"riff"]),
    chunks=st.lists(
        st.tuples(st.sampled_from([b"data", b"ds64", b"SSND", b"LIST"]), st.binary(max_size=24)), max_size=4
    ),
    cut=st.integers(0, 40),
)
def test_no_header_is_too_broken_to_be_read(head: bytes, chunks: list[tuple[bytes, bytes]], cut: int) -> None:
    content = head + b"\0\0\0\0AIFF" + b"".join(name + rest for name, rest in chunks)
    found = promised_bytes(io.BytesIO(content[: len(content) - cut]))
    assert found is None or min(found) >= 0


def test_only_regular_files_are_copied(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source, reason in (
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "missing", "No such file"),
        (Path("a\0b"), "null byte"),
    ):
        with pytest.raises(Refused, match=reason):
            copy_file(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@settings(max_examples=30)
@given(
    frames=st.integers(1, 300),
    channels=st.sampled_from([1, 2]),
    rate=st.sampled_from([8_000, 44_100, 48_000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_sound_written_as_wave_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, frames: int, channels: int, rate: int, seed: int
) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, (channels, frames + rate // 50)).astype(np.float32)
    path = tmp_path_factory.mktemp("wave") / "sound"
    path.write_bytes(wave_bytes(samples, rate))
    decoded = decode(path)
    assert decoded.rate == rate
    np.testing.assert_array_equal(decoded.samples, samples)
