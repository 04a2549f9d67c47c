"""Verification beside writers, and before files that are none: it neither errs nor waits nor reads on."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.errors import VerificationFailed
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.tlog.file_view import FileView, read_regular
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.tiles import ENTRIES, File
from stemloom.ledger.verify.verify import Report, verify

from .making import income


@pytest.fixture
def settled(log: Log, story: Any) -> Log:
    """A log whose last entry is a settlement, over a partial tile and bundle."""
    log.append([*story.whole(8), income(98)])
    settle(log, "2026", "EUR", FixedClock("2027-01-01T00:00:00.000Z"))
    return log


# Beside writers.


@pytest.mark.parametrize("more", [1, 3, 300])
def test_an_append_before_settlements_are_derived(settled: Log, home: Path, more: int) -> None:
    """`progress` is called when the entries are read, and before the settlements are derived again."""
    size, root = settled.size, settled.root.hex()
    appended: list[int] = []

    def progress(done: int, total: int) -> None:
        assert done == total
        appended.extend(settled.append([income(i) for i in range(more)]))

    report = verify(home, progress=progress)
    assert (report.problems, report.size, report.root) == ((), size, root)
    assert appended == list(range(size, size + more))
    report = verify(home)
    assert (report.problems, report.size) == ((), size + more)


def test_a_writer_beside_verification_is_no_problem(settled: Log, home: Path) -> None:
    done = threading.Event()
    written: list[int] = []

    def write() -> None:
        # Bounded, so that it ends if the other side fails.
        for i in range(2000):
            if done.is_set():
                return
            written.extend(settled.append([income(i)] * (1 + i % 4)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [verify(home) for _ in range(40)]
    finally:
        done.set()
        writer.join()
    assert [report.problems for report in reports] == [()] * 40
    assert len({report.size for report in reports}) > 1
    assert verify(home).size == settled.size == written[-1] + 1


def test_a_file_that_goes_while_it_is_verified_is_a_problem(log: Log, home: Path) -> None:
    log.append([income(i) for i in range(1100)])
    bundle = home / "ledger/log/tile/entries/004.p/76"
    full = home / "ledger/log/tile/entries/003"
    whole = full.read_bytes()

    def progress(done: int, total: int) -> None:
        if done == 1024:
            bundle.unlink()
            (home / "ledger/log/tile/1/000.p/4").unlink()

    # What a writer may take away was read at first.
    assert verify(home, progress=progress).problems == ()
    assert {"tile/entries/004.p/76", "tile/1/000.p/4"} <= {each.what for each in verify(home).problems}
    view = FileView(home / "ledger" / "log")
    full.unlink()
    with pytest.raises(FileNotFoundError):
        view.read(File(ENTRIES, 3))
    assert list(view.lost) == ["tile/entries/003"]
    full.write_bytes(whole)
    assert view.read(File(ENTRIES, 3)) == whole


def test_a_full_bundle_that_goes_while_it_is_verified_is_a_problem(log: Log, home: Path) -> None:
    log.append([income(i) for i in range(1300)])

    def progress(done: int, total: int) -> None:
        (home / "ledger/log/tile/entries/004").unlink(missing_ok=True)

    report = verify(home, progress=progress)
    assert [each.what for each in report.problems] == ["tile/entries/004"]
    assert "taken away or replaced while the log was read" in report.problems[0].detail


# Files that are none.


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    # The name of a socket is short: bound in place, by a name relative to its folder.
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def _folder(path: Path) -> None:
    path.mkdir()


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_text("x")


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 20 << 30)


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (_pipe, "is a named pipe"),
    "socket": (_socket, "is a socket"),
    "folder": (_folder, "is a folder"),
    "full folder": (_full_folder, "is a folder"),
    "link to a device": (_endless, "is a link"),
    "sparse": (_sparse, "has 21474836480 bytes, more than the "),
}

NAMES = (
    "checkpoint",
    "tile/0/000",
    "tile/0/002.p/88",
    "tile/1/000.p/2",
    "tile/entries/000",
    "tile/entries/002.p/88",
)


def bounded(call: Callable[[], Report]) -> Report:
    """What `call` gives; fails if it does not end."""
    got: list[Report] = []
    thread = threading.Thread(target=lambda: got.append(call()), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it did not end"
    return got[0]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("large") / "home"
    with Log.open(home, create=True) as log:
        log.append([income(i) for i in range(600)])
    return home


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_named_unread(large: Path, tmp_path: Path, kind: str, name: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(large, home)
    make, sentence = KINDS[kind]
    path = home / "ledger" / "log" / name
    path.unlink()
    make(path)
    report = bounded(lambda: verify(home))
    found = [each.detail for each in report.problems if each.what == name]
    assert len(found) == 1
    assert sentence in found[0]
    assert "it was not read" in found[0]
    assert {each.what for each in report.problems} <= {name, f"{name}/x"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_belong_is_not_read_either(large: Path, tmp_path: Path, kind: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(large, home)
    KINDS[kind][0](home / "ledger" / "log" / "tile" / "more")
    report = bounded(lambda: verify(home))
    assert len(report.problems) == 1
    assert report.problems[0].what.startswith("tile/more")


@pytest.mark.parametrize("name", ["signed", "pending"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_beside_the_log_is_not_waited_for(
    large: Path, tmp_path: Path, kind: str, name: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(large, home)
    path = home / "ledger" / name
    path.unlink(missing_ok=True)
    KINDS[kind][0](path)
    report = bounded(lambda: verify(home))
    assert report.ok
    assert [each.what for each in report.warnings] == (["../signed"] if name == "signed" else [])


@pytest.mark.parametrize("kind", KINDS)
def test_readers_refuse_what_is_no_file(large: Path, tmp_path: Path, kind: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(large, home)
    make, sentence = KINDS[kind]
    for name in ("tile/entries/000", "checkpoint"):
        path = home / "ledger" / "log" / name
        path.unlink()
        make(path)
        with pytest.raises(VerificationFailed, match=sentence):
            read_regular(path, File(ENTRIES, 0).largest)
    with pytest.raises(VerificationFailed, match=sentence):
        next(TileReader(home / "ledger" / "log").entries(0, 1, lambda: 600))
    with pytest.raises(VerificationFailed, match=sentence):
        Log.open(home)


def test_the_largest_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64))
    assert File(0, 0, 2).largest == 64
    assert read_regular(path, 64) == bytes(64)
    with pytest.raises(VerificationFailed, match="more than the 63"):
        read_regular(path, 63)
