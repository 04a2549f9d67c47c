"""Tags, the chunks of samplers and names are read and shown; what is declared beats them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom import Vault
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.tags.names import tags_of_name
from stemloom.vault.sound.tags.read import tags_of
from stemloom.vault.sound.tags.tag import key_of_text

from .test_containers import chunk, id3, wav

RATE = 22_050


def clicks(bpm: float, beats: int, *, tone: float = 0.0) -> np.ndarray:
    """A click on each beat, over a tone."""
    frames = round(beats * 60 / bpm * RATE)
    at = np.arange(frames) / RATE
    since = at % (60 / bpm)
    noise = np.random.default_rng(1).standard_normal(frames)
    return 0.4 * noise * np.exp(-since * 60) + tone * np.sin(2 * np.pi * 220 * at)


def fmt() -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))


def pcm(sound: np.ndarray) -> bytes:
    return (sound * 30_000).clip(-32_000, 32_000).astype("<i2").tobytes()


def acid(tempo: float, beats: int, meter: tuple[int, int] = (4, 4), flags: int = 2, root: int = 57) -> bytes:
    return chunk(b"acid", struct.pack("<IHHfIHHf", flags, root, 0x8000, 0, beats, meter[1], meter[0], tempo))


def frame(name: bytes, text: bytes) -> bytes:
    return name + struct.pack(">IH", len(text) + 1, 0) + b"\3" + text


def id3_of(*frames: bytes) -> bytes:
    body = b"".join(frames)
    return id3(0)[:6] + bytes([0, 0, len(body) >> 7, len(body) & 127]) + body


def flac(sound: np.ndarray, **tags: str) -> bytes:
    """With a block of Vorbis comments (RFC 9639, 8.6) in place of the encoder's own."""
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, "PCM_16", format="FLAC")
    data, at, kept = file.getvalue(), 42, b""
    while True:
        last, kind, size = data[at] & 0x80, data[at] & 0x7F, int.from_bytes(data[at + 1 : at + 4], "big")
        kept += b"" if kind == 4 else bytes([kind]) + data[at + 1 : at + 4 + size]
        at += 4 + size
        if last:
            break
    texts = [f"{name}={value}".encode() for name, value in tags.items()]
    block = struct.pack("<I", 1) + b"x" + struct.pack("<I", len(texts))
    block += b"".join(struct.pack("<I", len(text)) + text for text in texts)
    head = bytes([data[4] & 0x7F]) + data[5:42]
    return b"fLaC" + head + kept + b"\x84" + len(block).to_bytes(3, "big") + block + data[at:]


@pytest.fixture
def vault(tmp_path: Path) -> Any:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        yield vault


@pytest.fixture
def added(vault: Vault, tmp_path: Path) -> Callable[..., Any]:
    """Take a file in, and give its stem and notes."""

    def add(data: bytes, name: str = "sound.wav", **declared: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(data)
        intake = vault.add([Declared(path, "Ada", declared.pop("role", "pads"), **declared)])
        assert not intake.refused, intake.refused
        assert not intake.held, intake.held
        (taken,) = intake.added
        return taken.stem, "; ".join(taken.notes)

    return add


def test_the_waltz_of_an_acid_chunk(added: Callable[..., Any]) -> None:
    tags = id3_of(frame(b"TKEY", b"Am"), frame(b"TSRC", b"GBA1B2400001"))
    file = wav(fmt(), chunk(b"data", pcm(clicks(120, 12))), acid(120, 12, (3, 4)), chunk(b"id3 ", tags))
    stem, notes = added(file)
    assert (stem.bpm, stem.beats, stem.meter, stem.key) == (120, 12, (3, 4), "A minor")
    assert "taken from what the file says of itself" in notes
    assert "120 bpm, 12 beats, 3/4 (acid chunk)" in notes
    assert "the ISRC GBA1B2400001" in notes


def test_a_rounding_is_the_tags(added: Callable[..., Any]) -> None:
    """174 bpm fit the length to a frame; what is heard is 173.999."""
    file = flac(clicks(174, 8), BPM="174", INITIALKEY="Fm", ISRC="GBA1B2400002", TITLE="Break One")
    stem, notes = added(file, "x.flac")
    assert (stem.bpm, stem.beats, stem.key, stem.title) == (174, 8, "F minor", "Break One")
    assert "GBA1B2400002" in notes


def test_what_is_declared_beats_them_and_contradictions_are_said(added: Callable[..., Any]) -> None:
    file = flac(clicks(120, 8), BPM="97", INITIALKEY="Fm", ISRC="GBA1B2400002", TITLE="Break One")
    declared = {"bpm": Fraction(120), "key": "D minor", "title": "Mine", "isrc": "GBA1B2400003"}
    stem, notes = added(file, "x.flac", **declared)
    assert (stem.bpm, stem.key, stem.title) == (120, "D minor", "Mine")
    for said in (
        "97 bpm, and 120 are declared",
        "F minor, and D minor is declared",
        "GBA1B2400002, and GBA1B",
    ):
        assert said in notes, said


def test_a_tempo_that_the_sound_has_not_is_passed_over(added: Callable[..., Any]) -> None:
    stem, notes = added(flac(clicks(120, 8), BPM="97"), "x.flac")
    assert stem.bpm in (120, None)
    assert "97 bpm, which its sound has not" in notes


def test_a_tag_beats_a_name(added: Callable[..., Any]) -> None:
    stem, _ = added(flac(clicks(120, 8), INITIALKEY="Fm"), "Pad_120bpm_Gm.flac")
    assert (stem.bpm, stem.beats, stem.key) == (120, 8, "F minor")


def test_a_one_shot_has_no_tempo(added: Callable[..., Any]) -> None:
    stem, notes = added(wav(fmt(), chunk(b"data", pcm(clicks(120, 8))), acid(120, 8, flags=1)))
    assert (stem.shape, stem.bpm) == ("hit", None)
    assert "that it is a hit (acid chunk)" in notes


NAMES = {
    "Kick_120bpm_Am.wav": (120, "A minor"),
    "120_Am_Pad.wav": (120, "A minor"),
    "DnB 174 F#min.wav": (174, "F# minor"),
    "Loop-95.5bpm.wav": (95.5, None),
    "loop 95,5 BPM.wav": (95.5, None),
    "BPM128 lead.wav": (128, None),
    "bpm_90_keys_Bbmaj.aif": (90, "A# major"),
    "Strings (C minor) 140 bpm.flac": (140, "C minor"),
    "140BPM_C#m_Bass_02.wav": (140, "C# minor"),
    "Rhodes_Ebm_87.wav": (87, "D# minor"),
    "808 Kick 03.wav": (None, None),
    "Kick 120.wav": (None, None),
    "909_snare.wav": (None, None),
    "Take 2 - A.wav": (None, None),
    "Bass A 2024.wav": (None, None),
    "drum_loop_100_90bpm.wav": (90, None),
    "90bpm to 120bpm.wav": (None, None),
    "Am or Em 120bpm.wav": (120, None),
    "12bpmx.wav": (None, None),
    "999bpm.wav": (None, None),
    "Emotional Piece.wav": (None, None),
    "Em_pad.wav": (None, "E minor"),
    "Gb.wav": (None, None),
    "Pluck_F#_140.wav": (140, None),
    "Pluck_F#maj_140.wav": (140, "F# major"),
    "loop 100 c#min.wav": (100, "C# minor"),
    "E♭m 88.wav": (88, "D# minor"),
    "I Am Here.wav": (None, None),
    "Am Here.wav": (None, "A minor"),
    "Pad_Am7.wav": (None, None),
    "Tom_A.wav": (None, None),
    "Texture (90 BPM) (Dm).wav": (90, "D minor"),
    "174bpm.wav": (174, None),
    "Break 174.5 bpm Em.aiff": (174.5, "E minor"),
    "2024-11-30 Jam.wav": (None, None),
    "Am_303_120.wav": (None, "A minor"),
    "C minor and D minor.wav": (None, None),
    "bpm.wav": (None, None),
    "120bpm_120bpm.wav": (120, None),
    "track 01 120 Am 44.wav": (None, "A minor"),
    "": (None, None),
    "....wav": (None, None),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_name_says(name: str) -> None:
    found = next(tags_of_name(name), None)
    bpm, key = NAMES[name]
    assert (found and found.bpm, found and found.key) == (bpm, key)


KEYS = {
    "Am": "A minor", "8A": "A minor", "8B": "C major", "1A": "G# minor", "12B": "E major", "1m": "A minor",
    "1d": "C major", "Bbmaj": "A# major", "F♯ minor": "F# minor", "??": None, "": None, "13A": None,
    "0A": None, "H": None, "x" * 1000: None,
}  # fmt: skip


@pytest.mark.parametrize("text", KEYS)
def test_how_keys_are_written(text: str) -> None:
    assert key_of_text(text) == KEYS[text]


def test_other_chunks(tmp_path: Path) -> None:
    ixml = chunk(b"iXML", b"<BWFXML><TEMPO>93.5</TEMPO><KEY>Gm</KEY></BWFXML>")
    path = tmp_path / "x"
    found: dict[str, Any] = {}
    for name, extra in {
        "ixml": ixml,
        "smpl": chunk(b"smpl", struct.pack("<9I", 0, 0, 0, 62, 0, 0, 0, 0, 0)),
        "inst": chunk(b"inst", bytes([64, 0, 0, 0, 127, 1, 127])),
        "bext": chunk(b"bext", b"loop, bpm=128, ISRC: GBA1B2400009".ljust(602, b"\0")),
    }.items():
        path.write_bytes(wav(fmt(), chunk(b"data", pcm(clicks(120, 2))), extra))
        found[name] = tags_of(path, "")[0]
    assert (found["ixml"].bpm, found["ixml"].key) == (Fraction("93.5"), "G minor")
    assert (found["smpl"].root, found["inst"].root) == ("D", "E")
    assert (found["bext"].bpm, found["bext"].isrc) == (128, "GBA1B2400009")


HOSTILE = {
    "tempo 0": acid(0, 8),
    "tempo NaN": acid(float("nan"), 8),
    "tempo infinite": acid(float("inf"), 8),
    "beats beyond": acid(120, 4_000_000_000),
    "a meter of 0": acid(120, 8, (0, 0)),
    "cut": acid(120, 8)[:20],
    "a size that lies": b"acid" + struct.pack("<I", 0xFFFF_FFF0) + bytes(8),
    "wrong UTF-16": chunk(b"id3 ", id3_of(b"TBPM\0\0\0\5\0\0\1\xff\xfe\xd8")),
    "a key that is none": chunk(b"id3 ", id3_of(frame(b"TKEY", b"??"))),
    "a tempo of words": chunk(b"id3 ", id3_of(frame(b"TBPM", b"fast"))),
    "an ISRC of words": chunk(b"id3 ", id3_of(frame(b"TSRC", b"mine\x1b[2J"))),
    "a huge title": chunk(b"iXML", b"<TITLE>" + b"x" * 190 + b"</TITLE>"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_tag_refuses_no_file(added: Callable[..., Any], name: str) -> None:
    stem, notes = added(wav(fmt(), chunk(b"data", pcm(clicks(120, 8))), HOSTILE[name]), shape="sustained")
    assert stem.shape == "sustained"
    assert notes.isprintable()


@settings(max_examples=150)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"acid", b"smpl", b"inst", b"bext", b"iXML", b"id3 ", b"LIST", b"basc"]),
)
def test_whatever_is_in_a_chunk_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "tagged"
    head = b"ID3\3\0\0\0\0\1\0" if name == b"id3 " else b""
    path.write_bytes(wav(fmt(), chunk(b"data", bytes(64)), chunk(name, head + content)))
    for each in tags_of(path, ""):
        assert all(text.isprintable() for text in each.odd)
