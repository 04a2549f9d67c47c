"""Files that once went wrong, each with its right answer: tried if they lie beside the clone."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from stemloom import Vault
from stemloom.vault.sound.declared import Declared

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "cases" / "files"
BPM_120: dict[str, Any] = {"bpm": Fraction(120)}
SUSTAINED: dict[str, Any] = {"shape": "sustained"}
CASES: dict[str, tuple[dict[str, Any], str, str, float | None]] = {
    # Declaration, what becomes of it, what is said, seconds.
    "02_left_minus_right.flac": ({}, "added", "", 2.0),
    "04_vbr_piped_no_tag.mp3": (SUSTAINED, "added", "", 8.046),
    "05_cbr_no_tag.mp3": (SUSTAINED, "added", "", 2.038),
    "07a_stem_70bars_no_tail.opus": ({"bpm": Fraction("93.5"), "song": "S"}, "added", "", None),
    "07b_stem_70bars_tail_0.8s.opus": ({"bpm": Fraction("93.5")}, "held", "800 ms after its last bar", None),
    "08_8bars_tail_70ms.wav": (BPM_120, "held", "70 ms after its last bar", None),
    "09_8bars_lead_50ms.wav": (BPM_120, "held", "50 ms of silence in front", None),
    "10_4bars_tail_2s.wav": ({"bars": 4}, "held", "120 bpm", None),
    "11_flac_unknown_length.flac": ({}, "added", "", 2.0),
    "12_half_downloaded.ogg": ({}, "refused", "cut short", None),
    "13_chained.ogg": ({}, "added", "", 8.0),
    "14_zeros_before_mp3.mp3": ({}, "added", "", 2.0),
    "15_list_padded_to_4.wav": ({}, "added", "", 2.0),
    "17_data_size_0.wav": ({}, "added", "0 bytes of sound, and 176400 follow", 2.0),
    "18_bw64.wav": ({}, "added", "", 2.0),
    "19_gsm610.wav": ({}, "added", "", 2.0),
    "20_flac_in_ogg.oga": ({}, "added", "", 2.0),
    "21_flac_wrong_md5.flac": (BPM_120, "refused", "MD5", None),
    "22_alac.m4a": ({}, "refused", "ALAC in MP4 is not taken: export WAV, AIFF or FLAC", None),
    "23_Waltz_120bpm_Am_acid_3-4.wav": ({}, "added", "120 bpm, 12 beats, 3/4", 6.0),
    "24_tagged_bpm_key_isrc.flac": ({}, "added", "174 bpm.*GBA1B2400002", 8 * 60 / 174),
    "25_four_on_the_floor_124.wav": ({"bpm": Fraction(124), "bars": 1}, "added", "", 4 * 60 / 124),
    "26_float_plus_4dBFS.wav": (BPM_120, "added", "^((?!clipped).)*$", 2.0),
    "29_header_40_times_too_long.wav": ({}, "refused", "--accept-length", None),
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there is no folder {FOLDER}")
@pytest.mark.parametrize("name", CASES)
def test_it_ends_as_it_should(tmp_path: Path, name: str) -> None:
    options, outcome, said, seconds = CASES[name]
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada Quist")
        intake = vault.add([Declared(FOLDER / name, "Ada Quist", "beats", **options)])
    told = {
        "added": [("; ".join(each.notes), each.stem) for each in intake.added],
        "held": [(each.reason, None) for each in intake.held],
        "refused": [(each.reason, None) for each in intake.refused],
    }
    assert [kind for kind, found in told.items() if found] == [outcome], told
    ((notes, stem),) = told[outcome]
    assert re.search(said, notes), notes
    if stem is not None and seconds is not None:
        assert stem.seconds == pytest.approx(seconds, abs=0.001)
    if name.startswith("07a"):
        assert stem is not None
        assert (stem.beats, stem.bpm) == (280, Fraction("93.5"))
