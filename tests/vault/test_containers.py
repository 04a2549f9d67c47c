"""What a file promises and what is in it: containers, codings and damages, each against ffmpeg."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom.vault.errors import Refused
from stemloom.vault.sound.containers.reading import Spliced
from stemloom.vault.sound.decode import decode

RATE = 44_100
FRAMES = 88_200
W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
LOSSY = 2_900
"""What coders that know no delay of theirs add: decoders do not agree on it."""


def made(container: str, coding: str, channels: int = 1, rate: int = RATE, frames: int = FRAMES) -> bytes:
    """A rising tone with a click in each half second, as a file."""
    at = np.arange(frames) / rate
    tone = 0.4 * np.sin(2 * np.pi * (200 + 150 * at) * at) * np.exp(-4 * (at % 0.5))
    file = io.BytesIO()
    soundfile.write(file, np.stack([tone] * channels, 1), rate, coding, format=container)
    return file.getvalue()


WAV = made("WAV", "PCM_16")
DATA = WAV[44:]
FORM = WAV[12:36]
MP3 = made("MP3", "MPEG_LAYER_III")
OGG, OPUS = made("OGG", "VORBIS"), made("OGG", "OPUS", rate=48_000)
FLAC = made("FLAC", "PCM_16")
LONG = made("OGG", "VORBIS", frames=30 * RATE)


def wav(*chunks: bytes, head: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return head + struct.pack("<I", len(body)) + body


def chunk(name: bytes, content: bytes, size: int | None = None, padding: int | None = None) -> bytes:
    padding = len(content) % 2 if padding is None else padding
    return name + struct.pack("<I", len(content) if size is None else size) + content + bytes(padding)


def after_tag(mp3: bytes) -> bytes:
    """Without the frame that has the Info tag."""
    return mp3[mp3.index(mp3[:2], 4) :] if b"Info" in mp3[:200] or b"Xing" in mp3[:200] else mp3


def id3(size: int) -> bytes:
    return (
        b"ID3\x04\0\0"
        + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
        + bytes(size)
    )


def pages(ogg: bytes) -> list[bytes]:
    parts = ogg.split(b"OggS")[1:]
    return [b"OggS" + part for part in parts]


def flac_in_ogg() -> bytes:
    """FLAC put into pages by hand (RFC 9639, 10.1): a page for its header, then one for each 60 kB."""
    blocks, at = [], 4
    while True:
        last, size = FLAC[at] & 0x80, int.from_bytes(FLAC[at + 1 : at + 4], "big")
        blocks.append(bytes([FLAC[at] & 0x7F]) + FLAC[at + 1 : at + 4 + size])
        at += 4 + size
        if last:
            break
    blocks[-1] = bytes([blocks[-1][0] | 0x80]) + blocks[-1][1:]
    packets = [b"\x7fFLAC\x01\0" + struct.pack(">H", len(blocks) - 1) + b"fLaC" + blocks[0], *blocks[1:]]
    # Each frame would be a packet of its own; a decoder of native FLAC needs no such division.
    packets += [FLAC[first : first + 60_000] for first in range(at, len(FLAC), 60_000)]
    out = b""
    for number, packet in enumerate(packets):
        kind = (2 if number == 0 else 0) | (4 if number == len(packets) - 1 else 0)
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        out += struct.pack("<4sBBqIIIB", b"OggS", 0, kind, 0, 7, number, 0, len(lacing)) + lacing + packet
    return out


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


DS64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(DATA), 0, 0))
MP3_22 = made("MP3", "MPEG_LAYER_III", rate=22_050, frames=FRAMES // 2)
AIFF, AU, CAF, W64 = (
    made("AIFF", "PCM_16"),
    made("AU", "PCM_16"),
    made("CAF", "PCM_16"),
    made("W64", "PCM_16"),
)
SSND, CAFF, W64D = AIFF.index(b"SSND"), CAF.index(b"data"), W64.index(W64_DATA)
IMA = made("WAV", "IMA_ADPCM")
FACT = IMA.index(b"fact")

WHOLE: dict[str, bytes] = {
    f"{container} {coding} {channels}": made(container, coding, channels)
    for container, codings in {
        "WAV": "PCM_16 PCM_24 PCM_32 PCM_U8 FLOAT DOUBLE ULAW ALAW",
        "WAVEX": "PCM_24",
        "RF64": "PCM_16",
        "W64": "PCM_16 FLOAT",
        "AIFF": "PCM_16 PCM_24 FLOAT",
        "AU": "PCM_16",
        "CAF": "PCM_16 ALAC_16",
        "FLAC": "PCM_16 PCM_24 PCM_S8",
    }.items()
    for coding in codings.split()
    for channels in (1, 2)
    if channels == 1 or coding in ("PCM_16", "PCM_24")
}
EXACT: dict[str, bytes] = {
    "WAV, data size 0": wav(FORM, chunk(b"data", DATA, 0)),
    "WAV, data size of a pipe": wav(FORM, chunk(b"data", DATA, 0xFFFF_FFFF)),
    "WAV, data size of another pipe": wav(FORM, chunk(b"data", DATA, 0x7FFF_F000)),
    "WAV, an item padded to 4": wav(
        FORM, chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"MyDAW", 6, 3)), chunk(b"data", DATA)
    ),
    "WAV, a list of odd length without its padding": wav(
        FORM, chunk(b"LIST", b"INFOodd", padding=0), chunk(b"data", DATA)
    ),
    "WAV, a list padded to 4": wav(FORM, chunk(b"LIST", b"INFOab", padding=2), chunk(b"data", DATA)),
    "WAV, a list after": wav(FORM, chunk(b"data", DATA), chunk(b"LIST", b"INFO")),
    "WAV, junk of 4096 before": wav(chunk(b"JUNK", bytes(4096)), FORM, chunk(b"data", DATA)),
    "WAV, junk after": WAV + b"\1\2\3" * 40,
    "BW64": wav(DS64, FORM, chunk(b"data", DATA, 0xFFFF_FFFF), head=b"BW64"),
    "RF64": wav(DS64, FORM, chunk(b"data", DATA, 0xFFFF_FFFF), head=b"RF64"),
    "AIFF, no length": patched(patched(AIFF, SSND + 4, ">I", 0), AIFF.index(b"COMM") + 10, ">I", 0),
    "AU, no length": patched(AU, 8, ">I", 0xFFFF_FFFF),
    "AU, length 0": patched(AU, 8, ">I", 0),
    "CAF, no length": patched(CAF, CAFF + 4, ">q", -1),
    "W64, length 0": patched(W64, W64D + 16, "<Q", 0),
    "W64, no length": patched(W64, W64D + 16, "<Q", (1 << 64) - 1),
    "FLAC, no length": FLAC[:21] + bytes([FLAC[21] & 0xF0]) + bytes(4) + FLAC[26:],
    "FLAC, no MD5": FLAC[:26] + bytes(16) + FLAC[42:],
    "FLAC after ID3": id3(300) + FLAC,
    "FLAC in Ogg": flac_in_ogg(),
    "ADPCM, its last block padded": patched(IMA, FACT + 8, "<I", FRAMES),
}  # fmt: skip
NEAR: dict[str, tuple[bytes, int]] = {
    "MP3": (MP3, FRAMES),
    "MP3, no tag": (after_tag(MP3), FRAMES),
    "MP3, no tag and ID3 around": (id3(5000) + after_tag(MP3) + b"TAG" + bytes(125), FRAMES),
    "MP3 after zeros": (bytes(3000) + MP3, FRAMES),
    "MP3 after ID3 and zeros": (id3(777) + bytes(99) + after_tag(MP3), FRAMES),
    "MP3 in WAV": (
        wav(chunk(b"fmt ", struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 16_000, 1, 0, 12, 1, 2, 417, 1, 1393)),
            chunk(b"fact", struct.pack("<I", FRAMES)), chunk(b"data", after_tag(MP3))),
        FRAMES,
    ),
    "MP3 of 22 kHz, no tag": (after_tag(MP3_22), FRAMES // 2),
    "Vorbis": (OGG, FRAMES),
    "Opus": (OPUS, FRAMES),
    "Vorbis, two links": (OGG + OGG, 2 * FRAMES),
    "Opus, three links": (OPUS * 3, 3 * FRAMES),
    "GSM": (made("WAV", "GSM610", rate=8_000, frames=16_000), 16_000),
    "MS ADPCM": (made("WAV", "MS_ADPCM"), FRAMES),
}  # fmt: skip
MP4 = b"\0\0\0\x18ftypM4A " + bytes(16) + b"stsd" + bytes(12)
DAMAGED: dict[str, tuple[bytes, str]] = {
    "WAV, cut": (WAV[:-50_000], "cut short: its header promises 2.00 s and it holds 1.43 s"),
    "WAV, 40 times too long": (patched(WAV, 40, "<I", 40 * len(DATA)), "promises 80.00 s and it holds 2.00"),
    "WAV, no sound": (wav(FORM, chunk(b"data", b""), chunk(b"LIST", b"INFO")), "no sound is in it"),
    "RF64, cut": (made("RF64", "PCM_16")[:-50_000], "cut short"),
    "AIFF, cut": (AIFF[:-50_000], "cut short"),
    "CAF, cut": (CAF[:-50_000], "cut short"),
    "W64, cut": (W64[:-50_000], "cut short"),
    "FLAC, cut": (FLAC[: len(FLAC) // 2], "cut short|decode|damaged"),
    "FLAC, another MD5": (FLAC[:26] + bytes([FLAC[26] ^ 1]) + FLAC[27:], "MD5"),
    "FLAC in Ogg, cut": (flac_in_ogg()[:-500], "cut short"),
    "MP3, cut": (MP3[: len(MP3) // 2], "promises 2.0. s and it holds (0.9|1.0)"),
    "MP3, no tag, cut in a frame": (after_tag(MP3)[:-100], "its last frame is not whole"),
    "Vorbis, cut between pages": (b"".join(pages(OGG)[:-1]), "does not end the stream"),
    "Vorbis, cut in a page": (OGG[:-200], "its last page is not whole"),
    "Vorbis, a page missing": (b"".join(pages(LONG)[:4] + pages(LONG)[5:]), "missing in the middle"),
    "Opus, cut": (b"".join(pages(OPUS)[:-1]), "does not end the stream"),
    "ADPCM, cut": (IMA[: len(IMA) // 2], "cut short"),
    "WavPack": (b"wvpk" + bytes(100), "WavPack is not taken: export WAV, AIFF or FLAC"),
    "REX2": (b"CAT \0\0\0\x10REX2" + bytes(100), "REX2 is not taken: export"),
    "ALAC in MP4": (MP4 + b"alac", "ALAC in MP4 is not taken: export WAV, AIFF or FLAC"),
    "AAC in MP4": (MP4 + b"mp4a", "AAC in MP4 is not taken: export WAV, AIFF or FLAC"),
    "MIDI": (b"MThd\0\0\0\6" + bytes(60), "a MIDI file is not taken: it holds notes and no sound"),
    "zip": (b"PK\3\4" + bytes(60), "an archive is not taken: unpack it first"),
    "nothing": (b"", "no sound is in it"),
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "sound"
        path.write_bytes(data)
        return path

    return write


def by_ffmpeg(path: Path) -> int | None:
    """The frames that ffmpeg decodes; None where it is not here, or reads nothing."""
    if shutil.which("ffmpeg") is None:
        return None
    words = ["-i", str(path), "-map", "0:a", "-ac", "1", "-f", "s16le", "-"]
    done = subprocess.run(["ffmpeg", "-v", "error", *words], capture_output=True, check=False)
    return len(done.stdout) // 2 or None


@pytest.mark.parametrize("name", [*WHOLE, *EXACT])
def test_its_length_is_exact(written: Callable[[bytes], Path], name: str) -> None:
    path = written({**WHOLE, **EXACT}[name])
    assert decode(path).frames == FRAMES
    heard = by_ffmpeg(path)
    # ffmpeg gives ADPCM's padding as well, and reads no length of 0.
    assert heard in (FRAMES, None) or "ADPCM" in name or "length" in name or "size" in name


@pytest.mark.parametrize("name", NEAR)
def test_its_length_is_what_ffmpeg_decodes(written: Callable[[bytes], Path], name: str) -> None:
    data, frames = NEAR[name]
    path = written(data)
    found, heard = decode(path).frames, by_ffmpeg(path)
    assert abs(found - frames) <= LOSSY
    assert heard is None or abs(found - heard) <= LOSSY


@pytest.mark.parametrize("name", DAMAGED)
def test_it_is_refused_with_its_reason(written: Callable[[bytes], Path], name: str) -> None:
    data, reason = DAMAGED[name]
    with pytest.raises(Refused, match=reason):
        decode(written(data))


@pytest.mark.parametrize("name", ["WAV, cut", "WAV, 40 times too long", "AIFF, cut", "CAF, cut", "MP3, cut"])
def test_what_is_there_is_taken_if_its_holder_says_so(written: Callable[[bytes], Path], name: str) -> None:
    sound = decode(written(DAMAGED[name][0]), accept_length=True)
    assert FRAMES // 3 <= sound.frames <= FRAMES


def test_a_mended_file_has_the_sound_of_a_right_one(written: Callable[[bytes], Path]) -> None:
    """The id of a stem follows from its sound, whatever its container was like."""
    right = {kind: decode(written(data)).pcm_sha256 for kind, data in (("FLAC", FLAC), ("WAV", WAV))}
    for name, data in EXACT.items():
        if "ADPCM" not in name:
            assert decode(written(data)).pcm_sha256 == right["FLAC" if "FLAC" in name else "WAV"], name


@pytest.mark.parametrize("bits", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_has_the_samples_that_libsndfile_gives(written: Callable[[bytes], Path], bits: str) -> None:
    path = written(made("FLAC", bits, 2))
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(decode(path).samples.T, expected)


@settings(max_examples=200)
@given(st.data())
def test_spliced_parts_read_as_one(data: st.DataObject) -> None:
    whole = bytes(range(256)) * 4
    parts: list[bytes | tuple[int, int]] = []
    expected = b""
    for _ in range(data.draw(st.integers(0, 5))):
        start, stop = sorted(data.draw(st.tuples(st.integers(0, 1024), st.integers(0, 1024))))
        parts.append((start, stop) if data.draw(st.booleans()) else whole[start:stop])
        expected += whole[start:stop]
    spliced = Spliced(io.BytesIO(whole), parts)
    assert spliced.readall() == expected
    at = data.draw(st.integers(0, len(expected) + 5))
    spliced.seek(at)
    assert spliced.read(100) == expected[at : at + 100]


@settings(max_examples=150)
@given(st.sampled_from([WAV, MP3, OGG, OPUS, FLAC, AIFF, CAF, W64, AU, IMA]), st.data())
def test_whatever_is_changed_it_is_decoded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, draw: st.DataObject
) -> None:
    changed = bytearray(data[: draw.draw(st.integers(1, len(data)))])
    for _ in range(draw.draw(st.integers(0, 8))):
        # Most of what misleads a decoder lies in front.
        at = draw.draw(st.integers(0, len(changed) - 1) | st.integers(0, min(99, len(changed) - 1)))
        changed[at] = draw.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(changed)
    # Whatever else is raised is a fault.
    with suppress(Refused):
        sound = decode(path, accept_length=draw.draw(st.booleans()))
        assert np.isfinite(sound.samples).all()
