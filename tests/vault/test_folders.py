"""Folders, zip files and lists: every file is accounted for, and nothing is read out of bounds."""

from __future__ import annotations

import errno
import json
import os
import shlex
import stat
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.ground.visible import visible, visible_text
from stemloom.vault.errors import BadDeclaration, Refused
from stemloom.vault.intake import admission, familiar
from stemloom.vault.intake.listing import of_archive, of_folder
from stemloom.vault.intake.manifest import Defaults, named_in, of_manifest
from stemloom.vault.intake.preparation import Preparation, Prepared
from stemloom.vault.intake.worker_pool import WorkerPool
from stemloom.vault.sound import archive
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.decode import copy_file, digest_of
from stemloom.vault.vault import Vault

from .conftest import Write, tone

Say = Callable[..., tuple[int, str, str]]
ADD = "--holder Ada --role fx"
COMMON = Defaults("Ada", "fx", Declared(Path(), "", ""))


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Say) -> Say:
    monkeypatch.setenv("STEMLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert command("vault holder add Ada")[0] == 0
    return command


def pack(tmp_path: Path, write: Write) -> Path:
    """A folder with a sound, one of the same name that is cut, and what packs have beside sounds."""
    folder = tmp_path / "pack"
    for name in ("A", "B", "__MACOSX", ".trash"):
        (folder / name).mkdir(parents=True)
    write("pack/A/01.wav", tone(1.0))
    whole = write("pack/B/01.wav", tone(1.0, hertz=330)).read_bytes()
    (folder / "B/01.wav").write_bytes(whole[: len(whole) // 2])
    for name in ("A/02.m4a", "A/03.rx2", "B/04.wv", "B/05.mid", "song.als", ".DS_Store", "README", "x.zip"):
        (folder / name).write_bytes(b"?")
    (folder / "__MACOSX/._01.wav").write_bytes(b"?")
    return folder


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for each in sorted(folder.rglob("*")):
            file.write(each, each.relative_to(folder))
    return path


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_every_file_of_a_pack_is_accounted_for(say: Say, write: Write, tmp_path: Path, kind: str) -> None:
    folder = pack(tmp_path, write)
    name = folder.name if kind == "folder" else zipped(folder).name
    code, out, err = say(f"vault add {name} {ADD}")
    assert code == 1, err
    lines = out.splitlines()
    assert any("added" in line and f"{name}/A/01.wav" in line for line in lines)
    assert any("refused" in line and f"{name}/B/01.wav" in line and "cut short" in line for line in lines)
    assert any(
        "passed over" in line and f"{name}/A/02.m4a" in line and "export WAV" in line for line in lines
    )
    assert "1 .m4a (1 passed over)" in out
    assert "(1 added, 1 refused" in out
    code, out, _ = say(f"vault add {name} {ADD} --json")
    answer = json.loads(out)
    told = [row["path"] for key in ("added", "here", "held", "refused", "passed") for row in answer[key]]
    hidden = {".trash", "__MACOSX"} if kind == "folder" else {"__MACOSX/._01.wav"}
    files = {"A/01.wav", "B/01.wav", "A/02.m4a", "A/03.rx2", "B/04.wv", "B/05.mid", "song.als", ".DS_Store",
             "README", "x.zip"}  # fmt: skip
    assert sorted(told) == sorted(f"{name}/{each}" for each in files | hidden)
    assert answer["endings"][".wav"].items() >= {"here": 1, "refused": 1}.items()


def test_a_folder_without_sounds_says_what_it_has(say: Say, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only/02.m4a").touch()
    code, _, err = say(f"vault add only {ADD}")
    assert code == 2
    assert "only/02.m4a: a kind of sound that is not taken: export WAV, AIFF or FLAC" in err


def test_links_in_a_loop_end_and_a_home_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "a.wav").touch()
    (tmp_path / "home/vault").mkdir(parents=True)
    (tmp_path / "home/vault/catalogue.db").touch()
    (tmp_path / "home/vault/b.wav").touch()
    found = of_folder(tmp_path)
    assert found.sounds == (tmp_path / "a.wav",)
    assert {each.path.name for each in found.passed} == {"again", "self", "home"}


def test_folders_lie_as_deep_as_they_may(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    handle = here
    for _ in range(1500):
        os.mkdir("d", dir_fd=handle)
        handle, old = os.open("d", os.O_RDONLY, dir_fd=handle), handle
        os.close(old)
    os.close(os.open("a.wav", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    try:
        (found,) = of_folder(tmp_path).sounds
        assert found.name == "a.wav"
    finally:
        # It is too deep for Python's rmtree, by which pytest clears away what earlier runs left.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    assert [each.path.name for each in of_folder(tmp_path).refused] == ["shut"]


# Zip files.


def made(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, data in members:
            file.writestr(name, data, how)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "data", "reason"),
    [
        ("../out.wav", b"x", "leads out of the zip file"),
        ("/root.wav", b"x", "leads out of the zip file"),
        ("C:\\root.wav", b"x", "leads out of the zip file"),
        ("a\\..\\..\\out.wav", b"x", "leads out of the zip file"),
        ("bomb.wav", bytes(8 << 20), "200 times its bytes"),
        (link("link.wav"), b"/etc/passwd", "it is a link"),
    ],
)
def test_a_member_that_is_not_read_is_refused_and_the_others_are_taken(
    tmp_path: Path, member: Any, data: bytes, reason: str
) -> None:
    path = made(tmp_path / "p.zip", ("good.wav", b"sound"), (member, data))
    found = of_archive(path)
    assert found.sounds == (path / "good.wav",)
    (refused,) = found.refused
    assert reason in refused.reason
    copy_file(path / "good.wav", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"sound"
    with pytest.raises(Refused):
        copy_file(refused.path, tmp_path / "other")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "p.zip"]


def test_an_encrypted_member_is_said(tmp_path: Path) -> None:
    path = made(tmp_path / "p.zip", ("a.wav", b"sound"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in of_archive(path).refused[0].reason


def test_a_packing_that_is_not_read_is_said(tmp_path: Path) -> None:
    path = made(tmp_path / "p.zip", ("a.wav", b"sound"), how=zipfile.ZIP_LZMA)
    assert "packed in a way" in of_archive(path).refused[0].reason


def test_damage_is_refused_wherever_it_is(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole.zip", ("a.wav", os.urandom(300)), ("b/c.wav", b"sound" * 90)).read_bytes()
    path = tmp_path / "p.zip"
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            try:
                for sound in of_archive(path).sounds:
                    digest_of(sound)
            except Refused:
                continue


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = made(tmp_path / "p.zip", ("a.wav", bytes(4 << 20)))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(Refused, match="damaged in its zip file"):
        copy_file(path / "a.wav", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("bound", "value", "reason"),
    [("MOST_MEMBERS", 1, "2 files"), ("MOST_TOTAL_BYTES", 1, "together"), ("MOST_DIRECTORY_BYTES", 9, "MB")],
)
def test_the_bounds_of_a_whole_zip_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, reason: str
) -> None:
    monkeypatch.setattr(archive, bound, value)
    with pytest.raises(Refused, match=reason):
        of_archive(made(tmp_path / "p.zip", ("a.wav", b"sound"), ("b.wav", b"sound")))


def test_members_over_one_another_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "p.zip", ("a.wav", os.urandom(2000)))
    data = path.read_bytes()
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[at:end]
    tail = bytearray(data[end:])
    tail[8:12] = (40).to_bytes(2, "little") * 2
    tail[12:16] = (40 * len(entry)).to_bytes(4, "little")
    entries = b"".join(entry.replace(b"a.wav", f"{n:05}".encode()) for n in range(40))
    path.write_bytes(data[:at] + entries + tail)
    with pytest.raises(Refused, match="over one another"):
        of_archive(path)


def test_names_in_utf8_without_its_flag_and_in_cp437(tmp_path: Path) -> None:
    path = made(tmp_path / "p.zip", ("xxxxx.wav", b"1"), ("yyyy.wav", b"2"))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"xxxxx", "kör1".encode()).replace(b"yyyy", "kör2".encode("cp437")))
    assert [each.name for each in of_archive(path).sounds] == ["kör1.wav", "kör2.wav"]
    for sound in of_archive(path).sounds:
        digest_of(sound)


@pytest.mark.parametrize("data", [b"", b"no zip file", b"PK\5\6", b"PK\5\6" + bytes(18)])
def test_what_is_no_zip_file_is_a_sentence(say: Say, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.zip").write_bytes(data)
    code, _, err = say(f"vault add p.zip {ADD}")
    assert code == 2
    assert "p.zip" in err
    assert "fault in Stemloom" not in err


def test_a_list_declares_what_a_zip_file_holds(say: Say, write: Write, tmp_path: Path) -> None:
    zipped(pack(tmp_path, write))
    (tmp_path / "list.csv").write_text("name;title;licence\nA\\01.wav;Lantern;CC0\n")
    code, out, err = say(f"vault add pack.zip --manifest list.csv {ADD} --json")
    answer = json.loads(out)
    assert (code, [stem["title"] for stem in answer["added"]]) == (0, ["Lantern"]), err
    assert answer["unused_columns"] == ["licence"]
    assert {"path": "pack.zip/B/01.wav", "reason": "list.csv does not name it"} in answer["passed"]


# Lists.


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_meet_however_unicode_writes_them(tmp_path: Path, form: Any) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    (tmp_path / unicodedata.normalize(form, "Böse Ñ.wav")).touch()
    (tmp_path / "list.csv").write_text(f"name\n{unicodedata.normalize(other, 'Böse Ñ.wav')}\n", "utf-8")
    rows, _ = of_manifest(tmp_path / "list.csv", tmp_path, COMMON)
    offers, (rest,) = named_in(rows, of_folder(tmp_path), tmp_path / "list.csv", tmp_path)
    assert [each.path.exists() for each in offers] == [True]
    assert (rest.refused, rest.passed) == ((), ())


@pytest.mark.parametrize(
    ("between", "code"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16"), (";", "utf-16")]
)
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_a_list_as_spreadsheets_write_it(tmp_path: Path, between: str, code: str, first: str) -> None:
    rows = [["Name", "BPM", "Mood"], ["a.wav", "97.5", '"warm, night"'], ["b.wav", "", ""]]
    text = first.format(between) + "".join(between.join(row) + "\r\n" for row in rows)
    (tmp_path / "list.csv").write_bytes(text.encode(code))
    (one, two), unread = of_manifest(tmp_path / "list.csv", tmp_path, COMMON)
    assert (one.path.name, float(one.bpm or 0), one.mood) == ("a.wav", 97.5, ("warm", "night"))
    assert (two.path.name, two.bpm, unread) == ("b.wav", None, ())


def test_the_faults_of_a_list_are_said_together(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "name,bpm,rolle,bpm\na.wav,fast,,\nb.wav,97,,\nb.wav,97,,\n,97,,\nc.wav,97,,5,more\n"
    )
    with pytest.raises(BadDeclaration) as refused:
        of_manifest(tmp_path / "list.csv", tmp_path, Defaults(None, "fx", COMMON.declared))
    lines = str(refused.value).splitlines()
    assert "has 6 faults, and nothing was added" in lines[0]
    for part in ("column 'rolle' is unknown; did you mean 'role'?", "no column 'holder'", "column 'bpm' is "
                 "there 2 times", "line 4: 'b.wav' is named in line 3 already", "line 5: no file is named",
                 "line 6: 5 cells"):  # fmt: skip
        assert any(part in line for line in lines), (part, lines)


def test_at_most_twenty_faults_are_said(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("name,bpm\n" + "".join(f"{n}.wav,fast\n" for n in range(50)))
    with pytest.raises(BadDeclaration) as refused:
        of_manifest(tmp_path / "list.csv", tmp_path, COMMON)
    assert len(str(refused.value).splitlines()) == 22
    assert str(refused.value).endswith("and 30 more")


def test_a_decimal_comma_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("name;bpm\na.wav;93,5\n")
    with pytest.raises(BadDeclaration, match=r"bpm is written with a point: 93\.5, not 93,5"):
        of_manifest(tmp_path / "list.csv", tmp_path, COMMON)


def test_files_that_are_not_there_are_all_said_with_the_nearest_name(
    say: Say, write: Write, tmp_path: Path
) -> None:
    pack(tmp_path, write)
    (tmp_path / "list.csv").write_text("name\nA/01.wav\nA/1.wav\nC/nowhere.flac\n")
    code, out, _ = say(f"vault add pack --manifest list.csv {ADD} --json")
    answer = json.loads(out)
    assert (code, len(answer["added"])) == (1, 1)
    assert [(row["path"], row["reason"]) for row in answer["refused"]] == [
        ("pack/A/1.wav", "there is no such file; did you mean 'A/01.wav'?"),
        ("pack/C/nowhere.flac", "there is no such file"),
    ]


# Names.


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain ö.wav", "plain ö.wav"),
        ("a\nb.wav", "a\\nb.wav"),
        ("\x1b[2Jx.wav", "\\x1b[2Jx.wav"),
        ("\x9b2Jx.wav", "\\x9b2Jx.wav"),
        ("gpj.\u202evaw", "gpj.\\u202evaw"),
        (os.fsdecode(b"k\xf6r.wav"), "k\\xf6r.wav"),
    ],
)
def test_a_name_is_shown_without_steering_the_terminal(name: str, shown: str) -> None:
    assert visible(name) == shown
    assert visible_text(f"{name}\n").isprintable() is (False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow such names")
def test_a_report_shows_strange_names_escaped(say: Say, write: Write, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    sound = write("x.wav", tone(1.0)).read_bytes()
    names = (b"\x1b]0;gone\x07.wav", b"two\nlines.wav", b"k\xf6r.wav", b"\xc2\x9b2J.m4a", b"bad\x1b[2J.wav")
    for number, name in enumerate(names):
        (tmp_path / "odd" / os.fsdecode(name)).write_bytes(sound[: len(sound) - 4 * 48 * number])
    for form in ("", " --json"):
        _, out, err = say(f"vault add odd {ADD}{form}")
        assert not any((c < " " and c != "\n") or "\x7f" <= c <= "\x9f" for c in out + err)
        assert len(out.encode("utf-8", "strict")) > 0
    (tmp_path / "list.csv").write_text("name,bpm\nesc\x1b[2J.wav,\x1b[2J\n")
    for line in ("odd --manifest list.csv", "odd --manifest 'no\x1b[2J.csv'", "'\x1b[2J'"):
        _, out, err = say(f"vault add {line} {ADD}")
        assert "\x1b" not in out + err


def test_a_name_that_begins_with_a_dash_has_a_hint(say: Say, write: Write) -> None:
    write("-kick.wav", tone(1.0))
    code, _, err = say(f"vault add {ADD} -kick.wav")
    assert code == 2
    assert "the name '-kick.wav' begins with a dash, as options do" in err
    assert say(f"vault add {ADD} -- -kick.wav")[0] == 0
    code, _, err = say(f"vault add {ADD} ./-kick.wav --colour red")
    assert code == 2
    assert "No such option" in err


# The same again.


def test_what_is_here_is_known_by_its_bytes_and_not_decoded(
    vault: Vault, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write(f"{hertz}.wav", tone(1.0, hertz=hertz)) for hertz in (220, 330, 440)]
    offers = [Declared(path, "Ada", "fx", mood=("warm",)) for path in files]
    assert len(vault.add(offers).added) == 3

    def not_asked(*_: object) -> None:
        raise AssertionError("a file that is here was decoded")

    monkeypatch.setattr(WorkerPool, "prepare", not_asked)
    told: list[tuple[int, int]] = []
    intake = vault.add(offers, lambda done, of: told.append((done, of)))
    assert [each.path for each in intake.here] == files
    assert told[-1] == (3, 3)
    # Nothing declared contradicts what is in the vault, so this says nothing new.
    assert len(vault.add([Declared(files[0], "Ada", "fx")]).here) == 1


@pytest.mark.parametrize(
    "other",
    [{"holder": "Ben"}, {"role": "pads"}, {"title": "Other"}, {"mood": ("cold",)}, {"key": "D minor"}],
)
def test_what_is_declared_otherwise_is_refused_as_before(
    vault: Vault, write: Write, other: dict[str, Any]
) -> None:
    path = write("a.wav", tone(1.0))
    vault.add([Declared(path, "Ada", "fx", mood=("warm",))])
    given: dict[str, Any] = {"path": path, "holder": "Ada", "role": "fx", "mood": ("warm",)}
    (refused,) = vault.add([Declared(**(given | other))]).refused
    assert "already" in refused.reason


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full", "x")])
def test_a_batch_that_is_stopped_keeps_what_it_has_and_goes_on(
    say: Say, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(4):
        write(f"many/{number}.wav", tone(0.5, hertz=200 + 90 * number))
    monkeypatch.setattr(admission, "_BATCH", 2)
    prepare = WorkerPool.prepare
    asked: list[Preparation] = []

    def stopped(pool: WorkerPool, offer: Preparation) -> Prepared:
        asked.append(offer)
        if len(asked) > 2:
            raise trouble
        return prepare(pool, offer)

    monkeypatch.setattr(WorkerPool, "prepare", stopped)
    code, out, err = say(f"vault add many {ADD}")
    assert (code, out) == (130 if isinstance(trouble, KeyboardInterrupt) else 1, "")
    assert "what was taken in so far is kept" in err
    monkeypatch.setattr(WorkerPool, "prepare", prepare)
    code, out, _ = say(f"vault add many {ADD} --json")
    answer = json.loads(out)
    assert (code, len(answer["here"]), len(answer["added"])) == (0, 2, 2)


def test_an_empty_vault_reads_no_file_twice(
    vault: Vault, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(familiar, "digest_of", lambda path: pytest.fail("read for nothing"))
    assert vault.add([Declared(write("a.wav", tone(1.0)), "Ada", "fx")]).added


def test_shown_lines_can_be_given_again(say: Say, write: Write) -> None:
    write("a b.wav", tone(1.0))
    assert "a b.wav" in say(f"vault add {shlex.quote('a b.wav')} {ADD}")[1]
