"""Memory under a name: it outlives its process, and not its home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stemloom.ledger.log.log import Log
from stemloom.ledger.places import page_file
from stemloom.ledger.tlog import shared_memory
from stemloom.ledger.tlog.shared_memory import find, make, remove, remove_orphans

DEAD = 4_194_304
"""No process has this number: it is the most that Linux gives, and they count from 0."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the files are in /dev/shm")


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(shared_memory, "_SHARED", folder)
    return folder


def made(home: Path, process: int, size: int = 64) -> Path:
    """The name of memory of that process, with a journal beside it."""
    home.mkdir(exist_ok=True)
    name = f"{process}-aa"
    (home / f"{name}-00000001.journal").touch()
    make(page_file(home, name), size)[:3] = b"new"
    return page_file(home, name)


def test_memory_is_found_by_its_name(tmp_path: Path) -> None:
    name = made(tmp_path / "home", os.getpid())
    found = find(name)
    assert found is not None
    assert found[:64] == b"new" + bytes(61)
    remove(name)
    remove(name)
    assert find(name) is None


def test_memory_stays_while_a_journal_leads_to_it(tmp_path: Path) -> None:
    names = [made(tmp_path / f"home{n}", process) for n, process in enumerate((DEAD, os.getpid()))]
    remove_orphans()
    assert all(find(name) for name in names)


@pytest.mark.parametrize("whose", ["of the dead", "its own"])
@pytest.mark.parametrize("how", ["home", "folder above", "journals"])
def test_memory_goes_with_its_home(tmp_path: Path, whose: str, how: str, shared: Path) -> None:
    (tmp_path / "above").mkdir()
    home = tmp_path / "above" / "home"
    made(home, DEAD if whose == "of the dead" else os.getpid())
    match how:
        case "home":
            shutil.rmtree(home)
        case "folder above":
            shutil.rmtree(home.parent)
        case _:
            shutil.rmtree(home)
            home.mkdir()
    made(tmp_path / "another", DEAD - 1)
    assert [each.name for each in shared.iterdir()] == [f"stemloom-{DEAD - 1}-aa.page"]


def test_memory_of_a_living_process_stays(tmp_path: Path, shared: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        made(tmp_path / "home", other.pid)
        shutil.rmtree(tmp_path / "home")
        remove_orphans()
        assert len(list(shared.iterdir())) == 1
        other.communicate(b"\n")
    remove_orphans()
    assert list(shared.iterdir()) == []


def test_memory_stays_while_its_disk_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "home", DEAD)
    shutil.rmtree(tmp_path / "home")
    device = os.stat(tmp_path).st_dev
    real = shared_memory._name_in
    monkeypatch.setattr(
        shared_memory, "_name_in", lambda place: (found := real(place)) and (found[0], device + 1)
    )
    remove_orphans()
    assert find(page_file(tmp_path / "home", f"{DEAD}-aa"))


@pytest.mark.parametrize("data", [b"", b"x" * 20, b"x" * 12 + b"stemlmem", bytes(4096)])
def test_what_is_no_memory_of_ours_is_left_alone(shared: Path, data: bytes) -> None:
    place = shared / f"stemloom-{DEAD}-aa.page"
    place.write_bytes(data)
    remove_orphans()
    assert place.read_bytes() == data


def test_a_process_whose_home_is_deleted_leaves_nothing(tmp_path: Path, shared: Path) -> None:
    program = """
import shutil, sys
from pathlib import Path
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog import shared_memory
shared_memory._SHARED = Path(sys.argv[2])
journal = Log.open(sys.argv[1], create=True).journal(4096)
assert any(shared_memory._SHARED.iterdir())
shutil.rmtree(sys.argv[1])
"""
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-c", program, home, shared], check=True)
    assert list(shared.iterdir()) == []
    with Log.open(home, create=True).journal(4096):
        assert len(list(shared.iterdir())) == 1
    assert list(shared.iterdir()) == []
