"""Whatever byte of a log is another one: it is found, and the file and the entry are named.

A log of 1 000 entries; bits of many entries, or of many hashes, are turned at once where each is told apart
from the others, and one at a time where they are not. One byte in thirty by default, all with `-m long`.
"""

from __future__ import annotations

import base64
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.errors import BadReceipt
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import sign_note
from stemloom.ledger.tlog.tiles import bundle, in_bundle
from stemloom.ledger.verify.verify import Report, verify

from ..marks import slow

SEED = int(os.environ.get("STEMLOOM_SEED", "1"))
TIME = "2026-11-21T06:16:00.250Z"
AT_ONCE = 40


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], Any]) -> SimpleNamespace:
    home = tmp_path_factory.mktemp("thousand") / "home"
    log = Log.open(home, create=True, clock=FixedClock(TIME))
    story = tell(log.origin)
    log.append(story.whole(1000))
    copy = home.parent / "copy"
    shutil.copytree(home / "ledger" / "log", copy)
    return SimpleNamespace(log=log, copy=copy, vkey=log.vkey, story=story, home=home)


def entry_places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of a bundle: each entry's number, and where its bytes begin and end."""
    at = 0
    for number, entry in enumerate(in_bundle(data)[0]):
        yield number, at + 2, at + 2 + len(entry)
        at += 2 + len(entry)


def bits(chance: random.Random) -> int:
    return 1 << chance.randrange(8)


def check(thousand: SimpleNamespace, name: str, places: list[int], chance: random.Random) -> Report:
    path = thousand.copy / name
    data = path.read_bytes()
    changed = bytearray(data)
    for place in places:
        changed[place] ^= bits(chance)
    path.write_bytes(changed)
    try:
        return verify(thousand.copy, vkey=thousand.vkey)
    finally:
        path.write_bytes(data)


def sweep(thousand: SimpleNamespace, one_in: int) -> int:
    """Turn a bit of one byte in so many; how many that were."""
    chance = random.Random(SEED)
    count = 0
    for path in sorted(path for path in thousand.copy.rglob("*") if path.is_file()):
        name = path.relative_to(thousand.copy).as_posix()
        data = path.read_bytes()
        chosen = [place for place in range(len(data)) if chance.randrange(one_in) == 0]
        count += len(chosen)
        if "entries" in name:
            first = int(name.removeprefix("tile/entries/")[:3]) * 256
            entries_of_a_bundle(thousand, name, data, first, set(chosen), chance)
        elif name.startswith("tile/0"):
            hashes_of_a_tile(thousand, name, int(name.removeprefix("tile/0/")[:3]) * 256, chosen, chance)
        else:
            for place in chosen:
                report = check(thousand, name, [place], chance)
                assert name in {each.what for each in report.problems}, (name, place)
                assert all(each.detail for each in report.problems)
    return count


def entries_of_a_bundle(
    thousand: SimpleNamespace, name: str, data: bytes, first: int, chosen: set[int], chance: random.Random
) -> None:
    waiting = {
        number: [place for place in range(start, stop) if place in chosen]
        for number, start, stop in entry_places(data)
    }
    lengths = [place for place in chosen if all(place not in each for each in waiting.values())]
    while any(waiting.values()):
        numbers = [number for number, places in waiting.items() if places]
        numbers = chance.sample(numbers, min(AT_ONCE, len(numbers)))
        report = check(thousand, name, [waiting[number].pop() for number in numbers], chance)
        found = {each.index for each in report.problems if each.what == name}
        assert found == {first + number for number in numbers}
        assert all("is not the entry that was logged" in each.detail for each in report.problems)
    starts = {start - 2 + more: number for number, start, _ in entry_places(data) for more in (0, 1)}
    for place in lengths:
        report = check(thousand, name, [place], chance)
        (problem,) = report.problems
        assert (problem.what, problem.index) == (name, first + starts[place])
        assert "changed or cut short" in problem.detail


def hashes_of_a_tile(
    thousand: SimpleNamespace, name: str, first: int, chosen: list[int], chance: random.Random
) -> None:
    waiting: dict[int, list[int]] = {}
    for place in chosen:
        waiting.setdefault(place // 32, []).append(place)
    while any(waiting.values()):
        numbers = [number for number, places in waiting.items() if places]
        numbers = chance.sample(numbers, min(AT_ONCE, len(numbers)))
        report = check(thousand, name, [waiting[number].pop() for number in numbers], chance)
        assert {(each.what, each.index) for each in report.problems} == {
            (name, first + number) for number in numbers
        }


@pytest.mark.parametrize(("one_in", "least"), [(100, 3_000), slow(30, 10_000)])
def test_some_of_all_bytes(thousand: SimpleNamespace, one_in: int, least: int) -> None:
    assert sweep(thousand, one_in) > least


@pytest.mark.long
def test_every_byte(thousand: SimpleNamespace) -> None:
    assert sweep(thousand, 1) > 300_000


# What else can be done to a log.


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """A bundle with other entries, and right lengths."""
    path.write_bytes(bundle(change(in_bundle(path.read_bytes())[0])))


def swap(a: Path, b: Path) -> None:
    kept = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(kept)


B0, B1, LAST = "tile/entries/000", "tile/entries/001", "tile/entries/003.p/232"
CHANGES: dict[str, tuple[Callable[[Path], object], str, int | None]] = {
    "bundle truncated": (lambda log: cut(log / B1), B1, 511),
    "last bundle truncated": (lambda log: cut(log / LAST), LAST, 999),
    "bundle extended": (lambda log: rewrite(log / B1, lambda e: [*e, e[0]]), B1, None),
    "bundle extended by a byte": (
        lambda log: (log / B1).write_bytes((log / B1).read_bytes() + b"0"),
        B1,
        None,
    ),
    "bundles swapped": (lambda log: swap(log / B0, log / B1), B0, 0),
    "entry duplicated": (lambda log: rewrite(log / B1, lambda e: [*e[:9], e[8], *e[9:]]), B1, None),
    "entry doubled in place": (lambda log: rewrite(log / B1, lambda e: [*e[:9], e[8], *e[10:]]), B1, 256 + 9),
    "entries reordered": (lambda log: rewrite(log / B1, lambda e: [*e[:4], e[5], e[4], *e[6:]]), B1, 260),
    "entry dropped": (lambda log: rewrite(log / B1, lambda e: [*e[:4], *e[5:]]), B1, None),
    "entry of the last bundle dropped": (
        lambda log: rewrite(log / LAST, lambda e: [*e[:4], *e[5:]]),
        LAST,
        None,
    ),
    "tiles swapped": (lambda log: swap(log / "tile/0/000", log / "tile/0/001"), "tile/0/000", None),
    "tile truncated": (lambda log: cut(log / "tile/0/001"), "tile/0/001", None),
}


def add(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_log_is_explained(thousand: SimpleNamespace, tmp_path: Path, case: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(thousand.copy, copy)
    change, name, index = CHANGES[case]
    change(copy)
    report = verify(copy, vkey=thousand.vkey)
    assert name in {each.what for each in report.problems}
    assert all(each.detail for each in report.problems)
    if index is not None:
        assert index in {each.index for each in report.problems}


def resigned(folder: Path, story: Any, entries: list[Any]) -> tuple[Path, str]:
    """A log of just those entries, hashed and signed with the log's own key: only the rules can object."""
    log = Log.open(folder / "home", create=True, clock=FixedClock(TIME))
    mine = type(story)(log.origin)
    log.append([mine.joins(), mine.enters(), mine.states(), *entries[3:]])
    return folder / "home" / "ledger" / "log", log.vkey


@pytest.mark.parametrize(
    ("case", "index", "sentence"),
    [
        ("duplicated", 101, "where 97 follows"),
        ("reordered", 100, "where 96 follows"),
        ("dropped", 100, "where 96 follows"),
    ],
)
def test_an_operator_who_signs_it_anew_is_found_by_the_rules(
    thousand: SimpleNamespace, tmp_path: Path, case: str, index: int, sentence: str
) -> None:
    entries = thousand.story.whole(1000)
    match case:
        case "duplicated":
            entries.insert(100, entries[100])
        case "reordered":
            entries[100], entries[101] = entries[101], entries[100]
        case "dropped":
            del entries[100]
    log, vkey = resigned(tmp_path, thousand.story, entries)
    report = verify(log, vkey=vkey)
    first = report.problems[0]
    assert first.index == index
    assert sentence in first.detail


def test_checkpoints_of_other_times_logs_and_keys(
    thousand: SimpleNamespace, tmp_path: Path, tell: Callable[[str], Any]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(thousand.copy, copy)
    other = Log.open(tmp_path / "other", create=True)
    other.append(tell(other.origin).whole(1000))
    body = (copy / "checkpoint").read_text().rpartition("\n\n")[0] + "\n"
    stranger = PrivateKey.from_seed(b"s" * 32)
    older = Log.open(tmp_path / "older", create=True)
    cases = {
        "of another log": (other.checkpoint(), "no signature of a key that is known"),
        "by a key that is unknown": (
            sign_note(body, "somebody", stranger),
            "no signature of a key that is known",
        ),
        "by another key of the same name": (
            sign_note(body, thousand.log.origin, stranger),
            "no signature of a key that is known",
        ),
        "of another size": (body.replace("1000", "0999").encode(), "cut short"),
        "of nothing": (older.checkpoint(), "no signature of a key that is known"),
        "empty": (b"", "cut short"),
    }
    for case, (note, sentence) in cases.items():
        (copy / "checkpoint").write_bytes(note)
        report = verify(copy, vkey=thousand.vkey)
        assert [each.what for each in report.problems] == ["checkpoint"], case
        assert sentence in report.problems[0].detail, case


def test_a_text_that_decodes_to_the_same_bytes_is_another_text(thousand: SimpleNamespace) -> None:
    """The unused bits of base64: refused, as they would let a checkpoint have two forms."""
    path = thousand.copy / "checkpoint"
    whole = path.read_text("utf-8")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    texts = re.findall(r"[A-Za-z0-9+/]{20,}=+", whole)
    assert len(texts) == 2
    for text in texts:
        stem, marks = text.rstrip("="), text[len(text.rstrip("=")) :]
        twin = stem[:-1] + alphabet[alphabet.index(stem[-1]) ^ 1] + marks
        assert base64.b64decode(twin) == base64.b64decode(text)
        path.write_text(whole.replace(text, twin), "utf-8")
        report = verify(thousand.copy, vkey=thousand.vkey)
        path.write_text(whole, "utf-8")
        assert [each.what for each in report.problems] == ["checkpoint"]
        # The root's own text is signed as well.
        said = "does not fit the text" if text == texts[0] else "not the one base64 form"
        assert said in report.problems[0].detail
    receipt = thousand.log.prove(7).decode()
    for text in re.findall(r"[A-Za-z0-9+/]{20,}=+", receipt):
        stem, marks = text.rstrip("="), text[len(text.rstrip("=")) :]
        twin = stem[:-1] + alphabet[alphabet.index(stem[-1]) ^ 1] + marks
        with pytest.raises(BadReceipt, match=r"base64|does not fit the text"):
            check_receipt(receipt.replace(text, twin).encode(), thousand.vkey)


def test_a_receipt_with_one_altered_hash(thousand: SimpleNamespace) -> None:
    for index in (0, 255, 256, 767, 999):
        receipt = thousand.log.prove(index).decode()
        lines = receipt.split("\n")
        for place in range(3, lines.index("")):
            hash = bytearray(base64.b64decode(lines[place]))
            hash[place % 32] ^= 1
            changed = [*lines[:place], base64.b64encode(hash).decode(), *lines[place + 1 :]]
            with pytest.raises(BadReceipt, match="does not prove"):
                check_receipt("\n".join(changed).encode(), thousand.vkey)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
def test_small_logs_and_those_at_an_edge(log: Log, home: Path, story: Any, tmp_path: Path, size: int) -> None:
    edges(log, home, story, tmp_path, size)


@pytest.mark.long
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_large_logs_at_an_edge(log: Log, home: Path, story: Any, tmp_path: Path, size: int) -> None:
    edges(log, home, story, tmp_path, size)


def edges(log: Log, home: Path, story: Any, tmp_path: Path, size: int) -> None:
    """One byte of each file; each file missing; the checkpoint of a size less."""
    log.append(story.whole(size)[: max(size - 1, 0)])
    before = log.checkpoint()
    log.append(story.whole(size)[max(size - 1, 0) :])
    copy = tmp_path / "copy"
    shutil.copytree(home / "ledger" / "log", copy)
    chance = random.Random(SEED)
    paths = sorted(path for path in copy.rglob("*") if path.is_file())
    for path in paths if len(paths) < 20 else [*paths[:4], *paths[-6:]]:
        name = path.relative_to(copy).as_posix()
        data = path.read_bytes()
        place = chance.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ bits(chance)]) + data[place + 1 :])
        assert name in {each.what for each in verify(copy, vkey=log.vkey).problems}
        if size:
            path.unlink()
            assert name in {each.what for each in verify(copy, vkey=log.vkey).problems}
        path.write_bytes(data)
    assert verify(copy, vkey=log.vkey).ok
    if size:
        (copy / "checkpoint").write_bytes(before)
        assert not verify(copy, vkey=log.vkey).ok
        (home / "ledger" / "log" / "checkpoint").write_bytes(before)
        assert any(each.what == "checkpoint" for each in verify(home).problems)


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/entries/001"])
def test_the_command_says_so_and_exits_5(
    thousand: SimpleNamespace,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stemloom.cli import run

    path = thousand.copy / name
    data = path.read_bytes()
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    words = ["ledger", "verify", "--log", str(thousand.copy), "--vkey", thousand.vkey]
    monkeypatch.setattr("sys.argv", ["stemloom", *words])
    try:
        with pytest.raises(SystemExit) as exit:
            run()
    finally:
        path.write_bytes(data)
    assert exit.value.code == 5
    out = capsys.readouterr().out
    assert name in out or "checkpoint" in out
    assert "NOT verified" in out
