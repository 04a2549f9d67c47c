from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from stemloom.cli.adding import add
from stemloom.ground.roles import ROLES
from stemloom.ledger.entries import canonical, entries
from stemloom.ledger.entries.entries import WHOLE_PPM
from stemloom.ledger.entries.rights import losing
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.intake.manifest import (
    COLUMNS,
    MOST_MANIFEST_BYTES,
    Defaults,
    number,
    of_manifest,
    of_paths,
)
from stemloom.vault.rights.shares import checked_shares, parse_share, parse_shares, percent
from stemloom.vault.sound.declared import MOST_BPM, MOST_MOODS, Declared, canonical_terms

PLAIN = Declared(Path("night drive.wav"), "Ada", "beats")


def test_the_canonical_form_of_a_declaration() -> None:
    terms = canonical_terms(
        replace(
            PLAIN, role=" Beats ", bpm=Fraction("97.12345"), bars=2, key="bbm", shape="Loop",
            mood=("Warm", "night", "warm "), energy=0.1234, set=" first  light ", isrc="gb-a1b-24-00001",
        )
    )  # fmt: skip
    assert terms.title == "night drive"
    assert terms.role == "beats"
    assert (terms.bpm, terms.beats) == (Fraction(97_123, 1000), 8)
    assert (terms.key, terms.shape) == ("A# minor", "loop")
    assert terms.mood == ("night", "warm")
    assert (terms.energy_milli, terms.set, terms.isrc) == (123, "first light", "GBA1B2400001")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bpm": Fraction(19)}, "19 bpm is outside"),
        ({"bpm": Fraction(401)}, "401 bpm is outside"),
        ({"bars": 2, "beats": 9}, "2 bars are 8 beats, and 9"),
        ({"beats": 0}, "1 to 4096 beats"),
        ({"beats": -4}, "1 to 4096 beats"),
        ({"key": "H"}, "not a key"),
        ({"shape": "looop"}, "not a shape"),
        ({"shape": "hit", "bpm": Fraction(120)}, "a hit sound has no tempo"),
        ({"shape": "texture", "bars": 4}, "a sustained sound has no tempo"),
        ({"energy": 1.01}, "energy is from 0 to 1"),
        ({"energy": float("nan")}, "energy is from 0 to 1"),
        ({"role": "  "}, "the role is empty"),
        ({"title": "x" * 201}, "201 characters"),
        ({"title": "bell\x07"}, "do not print"),
        ({"isrc": "GB-A1B-24-0001"}, "not an ISRC"),
        ({"isrc": "GB-A1B-24-0000\u0661"}, "not an ISRC"),
        ({"mood": tuple(map(str, range(MOST_MOODS + 1)))}, "17 moods are declared; 16 are the most"),
        # In lower case these letters are two each.
        ({"mood": ("\u0130" * 200,)}, "the mood has 400 characters; 200 are the most"),
        ({"role": "\u0130" * 101}, "the role has 202 characters; 200 are the most"),
    ],
)
def test_what_cannot_be_meant_is_said(change: dict, reason: str) -> None:
    with pytest.raises(BadDeclaration, match=reason):
        canonical_terms(replace(PLAIN, **change))


def test_a_file_name_that_is_no_text_still_gives_a_title() -> None:
    name = b"tr\xffck\x01.wav".decode("utf-8", "surrogateescape")
    assert canonical_terms(replace(PLAIN, path=Path(name))).title == "tr?ck"


WIDE = st.text(st.sampled_from('"\\\u00e9\u0130\U0001f3b5 a'), max_size=220) | st.sampled_from(
    [letter * count for letter in '"\\\U0001f3b5' for count in (199, 200, 201)]
)
"""Words of the letters that JSON or UTF-8 writes longest, about as long as a word may be."""


@given(
    title=WIDE,
    role=WIDE,
    set_name=WIDE,
    moods=st.lists(WIDE, max_size=4)
    | st.sets(st.integers(0, 99), max_size=MOST_MOODS + 1).map(
        lambda ends: ["\U0001f3b5" * 198 + f"{end:02d}" for end in sorted(ends)]
    ),
)
def test_every_declaration_that_is_accepted_fits_an_entry(
    title: str, role: str, set_name: str, moods: list[str]
) -> None:
    declared = Declared(
        Path("a.wav"), "Ada", role, title=title, set=set_name, mood=tuple(moods), bpm=Fraction(MOST_BPM),
        bars=1024, key="A# minor", energy=1.0, isrc="GBA1B2400001", new_role=True,
    )  # fmt: skip
    try:
        terms = canonical_terms(declared)
    except BadDeclaration:
        return
    assert terms.bpm is not None
    whole = (entries.Share(holder="h" + 20 * "f", ppm=WHOLE_PPM),)
    entry = entries.Stem(
        time="2026-11-21T08:00:00.000Z", stem="s" + 20 * "f", holder="h" + 20 * "f", pcm_sha256=64 * "f",
        file_sha256=64 * "f", title=terms.title, role=terms.role, shape="sustained",
        bpm_milli=int(terms.bpm * 1000), beats=terms.beats, key=terms.key, mood=terms.mood,
        energy_milli=1000, set=terms.set, isrc=terms.isrc, master=whole, publishing=whole,
    )  # fmt: skip
    # Raises for a word that is too long for the record, as for an entry that is too long for the log.
    assert len(canonical.encode(entry)) < canonical.LARGEST_ENTRY


COMMON = Defaults("Ada", "beats", PLAIN)


def test_a_manifest_declares_row_by_row(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "\ufeffName,BPM,beats,key,Kind,licence,role,mood\n"
        "a.wav,97.5,8,A#m,loop,CC0,bass,warm; night\n"
        "b.wav,,,,one-shot,CC0,,\n",
        encoding="utf-8",
    )
    (first, second), unread = of_manifest(
        table, tmp_path, Defaults("Ada", "fx", replace(PLAIN, bars=4, set="one"))
    )
    assert unread == ("licence",)
    assert first.path == tmp_path / "a.wav"
    assert (first.bpm, first.bars, first.beats) == (Fraction("97.5"), None, 8)
    assert (first.role, first.mood, first.set) == ("bass", ("warm", "night"), "one")
    assert (second.role, second.shape, second.bars) == ("fx", "one-shot", 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bpm\n97\n", "no column 'name'"),
        ("", "no column 'name'"),
        ("name\n", "names no files"),
        ("name,bpm\na.wav,97\nb.wav,fast\n", "line 3: bpm is a number, not 'fast'"),
        ("name,beats\na.wav,4.5\n", "line 2: beats is a whole number"),
        ("name,bpm\na.wav,1e999999999\n", "line 2: bpm is a number, not '1e999999999'"),
        (f"name,bpm\na.wav,{'9' * 5000}\n", f"line 2: bpm is a number, not '{'9' * 40}\\.\\.\\.'"),
        ("name,bpm\n,97\n", "line 2: no file is named"),
        ("name,rolle\na.wav,fx\n", "column 'rolle' is unknown; did you mean 'role'\\?"),
        ("name,bmp\na.wav,97\n", "column 'bmp' is unknown; did you mean 'bpm'\\?"),
    ],
)
def test_a_wrong_manifest_names_its_line(tmp_path: Path, text: str, reason: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(BadDeclaration, match=reason):
        of_manifest(table, tmp_path, COMMON)


@pytest.mark.parametrize(
    ("text", "common", "needed"),
    [
        ("name,holder\na.wav,Ada\n", Defaults(None, None, PLAIN), "role"),
        ("name,role\na.wav,fx\n", Defaults(None, None, PLAIN), "holder"),
    ],
)
def test_what_neither_a_column_nor_an_option_says_is_asked_for(
    tmp_path: Path, text: str, common: Defaults, needed: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(BadDeclaration, match=f"has no column '{needed}': add one, or say --{needed} for all"):
        of_manifest(table, tmp_path, common)


def test_a_cell_without_a_column_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("name,\na.wav,x\n")
    (offer,), unread = of_manifest(tmp_path / "table.csv", tmp_path, COMMON)
    assert (offer.path, unread) == (tmp_path / "a.wav", ())


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
def test_a_manifest_is_a_regular_file_of_some_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(BadDeclaration, match=f"{path} is not a regular file") as refused:
            of_manifest(path, tmp_path, COMMON)
        assert refused.value.exit_code == 2
    full = b"name\na.wav\n".ljust(MOST_MANIFEST_BYTES, b"\n")
    (tmp_path / "table.csv").write_bytes(full)
    assert len(of_manifest(tmp_path / "table.csv", tmp_path, COMMON)[0]) == 1
    (tmp_path / "table.csv").write_bytes(full + b"\n")
    with pytest.raises(BadDeclaration, match="is larger than 8 MB, the most for a manifest"):
        of_manifest(tmp_path / "table.csv", tmp_path, COMMON)


@pytest.mark.parametrize(
    ("text", "value"),
    [("120", 120), (" 97.5 ", Fraction("97.5")), ("400/3", Fraction(400, 3)), (".5", Fraction(1, 2)),
     ("5e-05", Fraction("0.00005")), ("-4", -4), ("1.2E2", 120)],
)  # fmt: skip
def test_reads_a_number_exactly(text: str, value: Fraction) -> None:
    assert number("bpm", text) == value


@pytest.mark.parametrize("text", ["", "fast", "1/0", "nan", "inf", "1e100", "1_0", "4 4", "0x10"])
def test_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(BadDeclaration, match=f"bpm is a number, not '{text}'"):
        number("bpm", text)


def test_every_column_of_a_manifest_is_named_by_the_help() -> None:
    help_text = " ".join((add.help or "").split())
    for column in COLUMNS:
        assert re.search(rf"\b{column}\b", help_text.partition("Columns of a manifest")[2])


@pytest.mark.parametrize(
    ("role", "meant"),
    [("beets", "beats"), ("pad", "pads"), ("Bsas", "bass"), ("brass", "bass"), ("sfx", "fx")],
)
def test_a_slip_of_a_role_is_refused_unless_it_is_meant(role: str, meant: str) -> None:
    with pytest.raises(BadDeclaration, match=f'did you mean "{meant}"\\? If .* add --new-role'):
        canonical_terms(replace(PLAIN, role=role))
    assert canonical_terms(replace(PLAIN, role=role, new_role=True)).role == role.lower()


@pytest.mark.parametrize(
    "role", [*ROLES, "choir", "vocals", "drums", "strings", "percussion", "lead", "keys"]
)
def test_known_and_other_roles_pass(role: str) -> None:
    assert canonical_terms(replace(PLAIN, role=role)).role == role


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("name\nk\u00f6r.wav\n".encode("latin-1"))
    with pytest.raises(BadDeclaration, match="not a CSV file in UTF-8"):
        of_manifest(tmp_path / "table.csv", tmp_path, COMMON)


def test_a_folder_gives_its_audio_files(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "notes.txt", ".hidden.wav", "deep/c.mp3", ".trash/d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = of_paths([tmp_path], COMMON)
    assert [d.path.relative_to(tmp_path).as_posix() for d in found] == ["a.flac", "b.WAV", "deep/c.mp3"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadDeclaration, match="no audio files"):
        of_paths([tmp_path / "empty"], COMMON)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("alice=60%", ("alice", 600_000)), ("alice=60", ("alice", 600_000)),
        ("a b = 33.3334 %", ("a b", 333_334)),
        ("x=y=0.0001%", ("x=y", 1)), ("alice=100%", ("alice", WHOLE_PPM)),
    ],
)  # fmt: skip
def test_reads_shares_exactly(text: str, share: tuple[str, int]) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("texts", "shares"),
    [
        (["ann=50%,anna=50%"], [("ann", 500_000), ("anna", 500_000)]),
        (["ann=50%, anna=25%", "bo=25%,"], [("ann", 500_000), ("anna", 250_000), ("bo", 250_000)]),
        (["Lin, Ada=60%,Lin, Bo=40%"], [("Lin, Ada", 600_000), ("Lin, Bo", 400_000)]),
        ([], []),
    ],
)
def test_reads_shares_parted_by_commas(texts: list[str], shares: list[tuple[str, int]]) -> None:
    assert parse_shares(texts) == shares


@pytest.mark.parametrize("text", ["ann=33,5%", "ann=50%,anna", "ann=,anna=50%"])
def test_refuses_a_list_of_which_a_part_is_no_share(text: str) -> None:
    with pytest.raises(BadDeclaration, match="is not a share"):
        parse_shares([text])


@pytest.mark.parametrize("text", ["alice", "=60%", "alice=", "alice=x%", "alice=0%", "alice=-1%",
                                  "alice=100.1%",
                                  "alice=33.33333%", "alice=1/0"])  # fmt: skip
def test_refuses_what_is_no_share(text: str) -> None:
    with pytest.raises(BadDeclaration, match=r"share|finer"):
        parse_share(text)


@given(st.integers(1, WHOLE_PPM))
def test_a_share_survives_being_written(ppm: int) -> None:
    assert parse_share(f"ada={percent(ppm)}") == ("ada", ppm)


@given(st.lists(st.integers(1, WHOLE_PPM), min_size=1, max_size=6))
def test_shares_are_a_whole_or_refused(parts: list[int]) -> None:
    shares = {f"h{place}": ppm for place, ppm in enumerate(parts)}
    if sum(parts) == WHOLE_PPM:
        assert sum(share.ppm for share in checked_shares("master", shares)) == WHOLE_PPM
    else:
        with pytest.raises(BadDeclaration, match="not to 100 %"):
            checked_shares("master", shares)


def test_finds_whose_share_falls() -> None:
    before = [{"a": 600_000, "b": 400_000}, {"c": 1_000_000}]
    after = [{"a": 500_000, "b": 500_000}, {"d": 1_000_000}]
    assert losing(before, after, "b") == ("a", "c")
    assert losing(before, after, "c") == ("a",)
