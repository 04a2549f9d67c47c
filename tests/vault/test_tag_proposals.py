"""What of tags is taken beside a declaration, what is said of the rest, and what a hostile tag may cost."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom import Vault
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.tags.names import tags_of_name
from stemloom.vault.sound.tags.read import tags_of

from .test_containers import chunk, wav
from .test_tags import RATE, acid, added, clicks, flac, fmt, frame, id3_of, pcm, vault

__all__ = ["added", "vault"]

WALTZ = wav(fmt(), chunk(b"data", pcm(clicks(120, 9))), acid(120, 9, (3, 4)))
"""Nine beats: with bars of four its length would be none of whole bars."""


def test_a_declared_tempo_has_the_beats_and_the_meter_of_the_tags(added: Callable[..., Any]) -> None:
    stem, notes = added(WALTZ, bpm=Fraction(120))
    assert (stem.bpm, stem.beats, stem.meter) == (120, 9, (3, 4))
    assert "9 beats, 3/4 (acid chunk)" in notes


def test_declared_beats_have_the_tempo_of_the_tags(added: Callable[..., Any]) -> None:
    stem, notes = added(flac(clicks(174, 8), BPM="174"), "x.flac", bars=2)
    assert (stem.bpm, stem.beats) == (174, 8)
    assert "174 bpm (tags)" in notes


def test_a_whole_declaration_has_the_meter_of_the_tags(added: Callable[..., Any]) -> None:
    stem, _ = added(WALTZ, bpm=Fraction(120), beats=9)
    assert (stem.beats, stem.meter) == (9, (3, 4))


def test_a_declared_meter_beats_that_of_the_tags(added: Callable[..., Any]) -> None:
    stem, notes = added(WALTZ, bpm=Fraction(120), beats=9, meter="9/8")
    assert stem.meter == (9, 8)
    assert "its acid chunk gives 3/4, and 9/8 is declared" in notes


@pytest.mark.parametrize("tagged", ["half", "other beats"])
def test_a_tag_that_the_declaration_denies_changes_nothing(added: Callable[..., Any], tagged: str) -> None:
    tag = acid(60, 4) if tagged == "half" else acid(120, 12)
    stem, notes = added(wav(fmt(), chunk(b"data", pcm(clicks(120, 8))), tag), bpm=Fraction(120))
    assert (stem.bpm, stem.beats) == (120, 8)
    assert "which does not fit what is declared: passed over" in notes


def test_tags_that_contradict_each_other_are_said(added: Callable[..., Any]) -> None:
    stem, notes = added(flac(clicks(120, 8), BPM="120", KEY="Fm"), "Loop_97bpm_Gm.flac")
    assert (stem.bpm, stem.key) == (120, "F minor")
    assert "its name gives 97 bpm, and 120 are taken" in notes
    assert "its name gives the key G minor, and F minor is taken" in notes


def test_who_declares_a_title_is_not_told_that_another_was_taken(added: Callable[..., Any]) -> None:
    stem, notes = added(flac(clicks(120, 8), TITLE="Break One"), "x.flac", title="Mine", bpm=Fraction(120))
    assert stem.title == "Mine"
    assert "Break One" not in notes


def test_what_is_held_says_what_its_tags_say(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(flac(clicks(174, 16), BPM="174"))
    (held,) = vault.add([Declared(path, "Ada", "beats", bpm=Fraction(172))]).held
    assert "its tags give 174 bpm, and 172 are declared" in held.reason


def test_a_hit_with_a_tempo_in_its_name_is_told_of_it(added: Callable[..., Any]) -> None:
    stem, notes = added(wav(fmt(), chunk(b"data", pcm(clicks(120, 1)))), "Kick_120bpm.wav")
    assert stem.shape == "hit"
    assert "its name gives 120 bpm, and it sounds like a hit: if it is a loop, say --bpm 120" in notes


def test_a_one_shot_flag_beats_a_name(added: Callable[..., Any]) -> None:
    file = wav(fmt(), chunk(b"data", pcm(clicks(120, 8, tone=0.3))), acid(0, 0, flags=1))
    stem, _ = added(file, "Riser_120bpm.wav")
    assert (stem.shape, stem.bpm) == ("hit", None)


def test_loop_points_of_a_sampler_are_shown(added: Callable[..., Any]) -> None:
    points = struct.pack("<9I6I", *(0, 0, 0, 57, 0, 0, 0, 1, 0), *(0, 0, 500, 9_000, 0, 0))
    file = wav(fmt(), chunk(b"data", pcm(clicks(120, 8))), chunk(b"smpl", points))
    _, notes = added(file, shape="sustained")
    assert "its smpl chunk gives a loop from frame 500 to 9000; the whole file is taken" in notes
    assert "the root A, and no mode" in notes


LOOP = {"beat count": "12", "key signature": "F#", "key type": "minor", "time signature": "3/4", "genre": "x"}


def texts(values: dict[str, str]) -> bytes:
    pairs = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in values.items())
    return struct.pack(">I", len(values)) + pairs


def caf(name: bytes, content: bytes, seconds: float = 6) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, clicks(120, round(seconds * 2)), RATE, "PCM_16", format="CAF")
    data = file.getvalue()
    return data[:8] + data[8:52] + name + struct.pack(">q", len(content)) + content + data[52:]


def test_apple_loops_in_caf(added: Callable[..., Any]) -> None:
    loop = bytes.fromhex("29819273b5bf4aefb78d62d1ef90bb2c") + texts(LOOP)
    stem, notes = added(caf(b"uuid", loop), "x.caf")
    assert (stem.bpm, stem.beats, stem.meter, stem.key) == (120, 12, (3, 4), "F# minor")
    assert "12 beats, 3/4 (Apple Loops chunk)" in notes


def test_the_info_chunk_of_caf(added: Callable[..., Any]) -> None:
    stem, _ = added(caf(b"info", texts({"tempo": "120", "key signature": "Dm", "title": "One"})), "x.caf")
    assert (stem.bpm, stem.key, stem.title) == (120, "D minor", "One")


def test_apple_loops_in_aiff(added: Callable[..., Any]) -> None:
    file = io.BytesIO()
    soundfile.write(file, clicks(120, 12), RATE, "PCM_16", format="AIFF")
    basc = struct.pack(">IIHHHHH", 1, 12, 50, 2, 3, 4, 0) + bytes(66)
    data = file.getvalue() + b"basc" + struct.pack(">I", len(basc)) + basc
    data = data[:4] + struct.pack(">I", len(data) - 8) + data[8:]
    stem, _ = added(data, "x.aif")
    assert (stem.bpm, stem.beats, stem.meter, stem.key) == (120, 12, (3, 4), "D major")


@pytest.mark.parametrize(
    "values",
    [{"beat count": "-4"}, {"beat count": "x" * 9_999}, {"time signature": "99999/0"}, {"key type": "both"},
     {"key signature": "\0"}, {"tempo": "nan"}],
)  # fmt: skip
def test_hostile_texts_in_caf(added: Callable[..., Any], values: dict[str, str]) -> None:
    stem, notes = added(caf(b"info", texts(values)), "x.caf", shape="sustained")
    assert stem.shape == "sustained"
    assert notes.isprintable()


def test_a_tempo_with_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(flac(clicks(120, 2), BPM="120 BPM"))
    assert tags_of(path, "")[0].bpm == 120


def test_a_note_without_a_mode_is_a_root() -> None:
    (found,) = tags_of_name("Pluck_F#_140.wav")
    assert (found.root, found.key) == ("F#", None)


MANY = {
    "chunks": wav(fmt(), chunk(b"data", bytes(64)), *[chunk(b"id3 ", b"")] * 60_000),
    "one of 40 MB": wav(fmt(), chunk(b"data", bytes(64)), chunk(b"LIST", b"INFO" + bytes(40 << 20))),
}


@pytest.mark.parametrize("name", MANY)
def test_a_flood_of_tags_is_read_to_a_bound(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(MANY[name])
    assert [each.odd for each in tags_of(path, "")] == [("more than is read",)]


def test_a_size_that_lies_costs_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tag = b"id3 " + struct.pack("<I", 0xFFFF_FFF0) + id3_of(frame(b"TBPM", b"120"))
    path.write_bytes(wav(fmt(), chunk(b"data", bytes(64)), tag))
    assert tags_of(path, "")[0].bpm == 120


SEEDS = {
    "flac": flac(clicks(120, 1), BPM="120", KEY="Am", TITLE="x" * 99),
    "id3": id3_of(frame(b"TBPM", b"120"), frame(b"TKEY", b"Am"), frame(b"TXXX", b"a\0b")) + bytes(64),
    "caf": caf(b"info", texts(LOOP), 0.5),
    "mp4": b"".join((
        struct.pack(">I", 16) + b"ftypM4A \0\0\0\0", struct.pack(">I", 68) + b"moov",
        struct.pack(">I", 60) + b"udta", struct.pack(">I", 52) + b"meta" + bytes(4),
        struct.pack(">I", 40) + b"ilst", struct.pack(">I", 32) + b"tmpo",
        struct.pack(">I", 24) + b"data" + struct.pack(">II", 21, 0) + struct.pack(">II", 0, 120),
    )),
    "aiff": b"FORM" + struct.pack(">I", 52) + b"AIFF" + b"NAME" + struct.pack(">I", 4) + b"abcd"
    + b"basc" + struct.pack(">I", 20) + struct.pack(">IIHHHHH", 1, 8, 57, 1, 4, 4, 0) + bytes(2),
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_damaged_tags_of_every_format_raise_nothing(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    damaged = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(damaged), 400) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
        damaged += bytes(1)
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    for each in tags_of(path, ""):
        assert all(text.isprintable() for text in each.odd)
