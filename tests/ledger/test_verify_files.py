"""Verification: whatever is changed under log/ is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom.ledger.errors import BadVkey, NoLedger
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.verify import Report, verify

from .making import income


def files_under(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def named(report: Report, name: str) -> bool:
    return not report.ok and any(problem.what == name for problem in report.problems)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 255, 256, 257, 513])
def test_a_true_log_verifies(log: Log, home: Path, story: Any, size: int) -> None:
    log.append(story.whole(size))
    report = verify(home)
    assert report.problems == ()
    assert (report.ok, report.size, report.root) == (True, size, log.root.hex())
    assert verify(home / "ledger" / "log", vkey=log.vkey) == report


def test_progress_counts_entries(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(1500))
    seen: list[tuple[int, int]] = []
    assert verify(home, progress=lambda done, total: seen.append((done, total))).ok
    assert seen == [(1024, 1500), (1280, 1500), (1500, 1500)]


def test_every_changed_byte_of_a_small_log_is_found(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(4))
    root = home / "ledger" / "log"
    for path in files_under(root):
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
            report = verify(home)
            assert named(report, name), (name, place, report)
            if name.startswith("tile/"):
                assert {problem.what for problem in report.problems} == {name}
                assert all(problem.index is not None for problem in report.problems)
        path.write_bytes(data)
    assert verify(home).ok


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A log with full and partial tiles on two levels, and what its files hold."""
    home = tmp_path_factory.mktemp("large") / "home"
    with Log.open(home, create=True) as log:
        log.append([income(i) for i in range(600)])
    root = home / "ledger" / "log"
    return SimpleNamespace(
        home=home, root=root, files={path: path.read_bytes() for path in files_under(root)}
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_of_a_large_log_is_found(large: SimpleNamespace, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(large.files)))
    whole = large.files[path]
    place = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    name = path.relative_to(large.root).as_posix()
    try:
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        report = verify(large.home)
    finally:
        path.write_bytes(whole)
    assert {problem.what for problem in report.problems} == {name}
    if name.startswith(("tile/0", "tile/entries")):
        assert all(problem.index is not None for problem in report.problems)
    if name.startswith("tile/entries"):
        # The first entry named is the one whose bytes, or whose length before them, were changed.
        first = min(problem.index for problem in report.problems if problem.index is not None)
        assert first == int(name.split("/")[2][:3]) * 256 + entry_at(whole, place)


def entry_at(bundle: bytes, place: int) -> int:
    at = count = 0
    while True:
        at += 2 + int.from_bytes(bundle[at : at + 2])
        if place < at:
            return count
        count += 1


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file more": (lambda root: (root / "more").write_text("x"), "more"),
    "a hidden file": (lambda root: (root / "tile" / ".DS_Store").write_text("x"), "tile/.DS_Store"),
    "an empty folder": (lambda root: (root / "tile" / "7").mkdir(), "tile/7"),
    "a stale partial tile": (
        lambda root: (root / "tile/0/002.p/80").write_bytes(
            (root / "tile/0/002.p/88").read_bytes()[: 80 * 32]
        ),
        "tile/0/002.p/80",
    ),
    "a tile beyond": (lambda root: (root / "tile/0/003").write_bytes(bytes(8192)), "tile/0/003"),
    "a renamed bundle": (
        lambda root: (root / "tile/entries/000").rename(root / "tile/entries/009"),
        "tile/entries/009",
    ),
    "a renamed tile": (
        lambda root: (root / "tile/1/000.p/2").rename(root / "tile/1/000.p/3"),
        "tile/1/000.p/2",
    ),
    "no bundle": (lambda root: (root / "tile/entries/001").unlink(), "tile/entries/001"),
    "no partial bundle": (lambda root: (root / "tile/entries/002.p/88").unlink(), "tile/entries/002.p/88"),
    "no tile": (lambda root: (root / "tile/0/001").unlink(), "tile/0/001"),
    "no partial tile": (lambda root: (root / "tile/0/002.p/88").unlink(), "tile/0/002.p/88"),
    "no upper tile": (lambda root: (root / "tile/1/000.p/2").unlink(), "tile/1/000.p/2"),
    "no checkpoint": (lambda root: (root / "checkpoint").unlink(), "checkpoint"),
    "an empty checkpoint": (lambda root: (root / "checkpoint").write_bytes(b""), "checkpoint"),
    "a longer checkpoint": (
        lambda root: (root / "checkpoint").write_bytes((root / "checkpoint").read_bytes() + b"\n"),
        "checkpoint",
    ),
    "an empty bundle": (lambda root: (root / "tile/entries/001").write_bytes(b""), "tile/entries/001"),
    "a short bundle": (
        lambda root: (root / "tile/entries/001").write_bytes((root / "tile/entries/001").read_bytes()[:-1]),
        "tile/entries/001",
    ),
    "a longer bundle": (
        lambda root: (root / "tile/entries/001").write_bytes((root / "tile/entries/001").read_bytes() + b"x"),
        "tile/entries/001",
    ),
    "a short partial bundle": (
        lambda root: (root / "tile/entries/002.p/88").write_bytes(
            (root / "tile/entries/002.p/88").read_bytes()[:-150]
        ),
        "tile/entries/002.p/88",
    ),
    "a short tile": (lambda root: (root / "tile/0/000").write_bytes(bytes(8191)), "tile/0/000"),
    "a longer tile": (
        lambda root: (root / "tile/1/000.p/2").write_bytes(
            (root / "tile/1/000.p/2").read_bytes() + bytes(32)
        ),
        "tile/1/000.p/2",
    ),
    "swapped tiles": (
        lambda root: (root / "tile/0/000").write_bytes((root / "tile/0/001").read_bytes()),
        "tile/0/000",
    ),
    "swapped bundles": (
        lambda root: (root / "tile/entries/000").write_bytes((root / "tile/entries/001").read_bytes()),
        "tile/entries/000",
    ),
    "a link": (
        lambda root: (root / "tile/0/000").symlink_to((root / "tile/0/000").rename(root.parent / "t")),
        "tile/0/000",
    ),
    "a folder for a file": (
        lambda root: ((root / "tile/0/000").unlink(), (root / "tile/0/000").mkdir()),
        "tile/0/000",
    ),
    "nothing left": (lambda root: (shutil.rmtree(root), root.mkdir()), "checkpoint"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_named(large: SimpleNamespace, tmp_path: Path, change: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(large.home, home)
    make, name = CHANGES[change]
    make(home / "ledger" / "log")
    report = verify(home)
    assert named(report, name), report


def test_bundle_and_tile_changed_together_are_found_above(large: SimpleNamespace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(large.home, home)
    bundle, tile = home / "ledger/log/tile/entries/001", home / "ledger/log/tile/0/001"
    data = bytearray(bundle.read_bytes())
    data[30] ^= 1
    bundle.write_bytes(data)
    entry = bytes(data[2 : 2 + int.from_bytes(data[:2])])
    tile.write_bytes(merkle.leaf_hash(entry) + tile.read_bytes()[32:])
    report = verify(home)
    assert {problem.what for problem in report.problems} == {"tile/entries/001", "tile/0/001"}


def test_a_log_rebuilt_to_the_top_is_not_what_the_checkpoint_signed(
    large: SimpleNamespace, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shutil.copytree(large.home, ours)
    with Log.open(theirs, create=True) as log:
        log.append([income(i + 1) for i in range(600)])
    shutil.rmtree(ours / "ledger/log/tile")
    shutil.copytree(theirs / "ledger/log/tile", ours / "ledger/log/tile")
    report = verify(ours)
    assert [problem.what for problem in report.problems] == ["checkpoint"]


def test_an_older_copy_is_found(log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(5))
    shutil.copytree(home / "ledger" / "log", tmp_path / "old")
    log.append([income(1)])
    shutil.rmtree(home / "ledger" / "log")
    shutil.copytree(tmp_path / "old", home / "ledger" / "log")
    assert named(verify(home), "checkpoint")


def test_two_roots_for_one_size_are_found(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(5))
    key = PrivateKey.load(home / "keys" / "log.key")
    (home / "ledger" / "signed").write_bytes(sign_checkpoint(Checkpoint(log.origin, 5, bytes(32)), key))
    report = verify(home)
    assert any("two roots" in problem.detail for problem in report.problems)


def test_a_checkpoint_of_another_key_is_refused(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(5))
    other = PrivateKey.generate()
    note = sign_checkpoint(Checkpoint(log.origin, 5, log.root), other)
    (home / "ledger" / "log" / "checkpoint").write_bytes(note)
    assert named(verify(home), "checkpoint")


def test_a_copy_needs_a_key(log: Log, home: Path, tmp_path: Path) -> None:
    with pytest.raises(BadVkey, match="--vkey"):
        verify(home / "ledger" / "log")
    with pytest.raises(NoLedger):
        verify(tmp_path / "nowhere")
    with pytest.raises(NoLedger):
        verify(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_lost_copy_of_the_signed_checkpoint_is_a_warning(
    log: Log, home: Path, story: Any, damage: str
) -> None:
    log.append(story.whole(5))
    copy = home / "ledger" / "signed"
    if damage == "missing":
        copy.unlink()
    else:
        copy.write_text("x")
    report = verify(home)
    assert report.ok
    assert [(each.what, damage in each.detail) for each in report.warnings] == [("../signed", True)]
