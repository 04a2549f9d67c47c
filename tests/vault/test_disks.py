"""A home on a disk that is full, and on one that may only be read."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stemloom.ledger.log.log import Log
from stemloom.vault.catalogue.sqlite_trouble import worded
from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault

from .conftest import Write, tone

Mount = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A disk of 16 MB, and what remounts it with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, timeout=30)

    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root on Linux mounts a disk")
    done = mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def remount(options: str) -> None:
        done = mount("-o", f"remount,{options}")
        assert done.returncode == 0, done.stderr

    try:
        yield folder, remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def made(home: Path, sound: Path) -> str:
    """A home with two holders and a stem that is cleared for one use; gives the stem."""
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ben")
        (added,) = vault.add([Declared(sound, "Ada", "beats")]).added
        vault.grant([added.stem.stem], ["live"])
        return added.stem.stem


def changes(vault: Vault, stem: str, sound: Path) -> list[Callable[[], object]]:
    return [
        lambda: vault.add_holder("Cleo"),
        lambda: vault.add([Declared(sound, "Ada", "beats")]),
        lambda: vault.grant([stem], ["stream"]),
        lambda: vault.withdraw([stem], ["live"]),
        lambda: vault.split(stem, {"Ada": 500_000, "Ben": 500_000}),
    ]


def test_a_disk_that_is_mounted_read_only_is_read(disk: tuple[Path, Mount], write: Write) -> None:
    folder, remount = disk
    stem = made(folder / "home", write("a.wav", tone(1.0)))
    with Vault.open(folder / "home") as vault:
        state = vault.snapshot().state_hash
    remount("ro")
    with Vault.open(folder / "home") as vault:
        assert vault.snapshot().state_hash == state
        assert [holder.name for holder in vault.holders()] == ["Ada", "Ben"]
        assert vault.samples(stem).shape == (1, 48_000)
        for change in changes(vault, stem, write("b.wav", tone(1.0, hertz=330))):
            with pytest.raises(OSError, match="no permission to write") as refused:
                change()
            assert refused.value.errno == errno.EACCES
        assert vault.snapshot().state_hash == state


def test_what_a_killed_writer_left_is_read_too(disk: tuple[Path, Mount], write: Write) -> None:
    """The last commits are in the write-ahead log, and the last entries in the ledger only."""
    folder, remount = disk
    home = folder / "home"
    stem = made(home, write("a.wav", tone(1.0)))
    with closing(sqlite3.connect(home / "vault" / "catalogue.db", isolation_level=None)) as db:
        db.execute("UPDATE named SET name = 'Benny' WHERE name = 'Ben'")
        with Vault.open(home) as vault:
            applied = vault.log.size
            vault.grant([stem], ["stream"])
            db.execute("DELETE FROM clearance WHERE use = 'stream'")
            db.execute("DELETE FROM statement WHERE entry = ?", (applied,))
            db.execute("UPDATE ledger SET applied = ?", (applied,))
        left = {path.name: path.read_bytes() for path in (home / "vault").glob("catalogue.db*")}
    assert left["catalogue.db-wal"]
    for name, data in left.items():
        (home / "vault" / name).write_bytes(data)
    remount("ro")
    with Vault.open(home) as vault:
        assert [holder.name for holder in vault.holders()] == ["Ada", "Benny"]
        assert set(vault.stem(stem).clearances) == {"live", "stream"}
        assert vault.snapshot().size == vault.log.size


@pytest.mark.parametrize("which", ["vault", "vault/catalogue.db"])
def test_what_gives_no_leave_to_write_is_read(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    home = tmp_path / "home"
    sound = write("a.wav", tone(1.0))
    stem = made(home, sound)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    # Root may write everywhere, so it is the question that is answered otherwise.
    allowed = os.access
    monkeypatch.setattr(
        "stemloom.vault.catalogue.catalogue.os.access",
        lambda path, mode: Path(path) != home / which and allowed(path, mode),
    )
    with Vault.open(home) as vault:
        assert vault.stem(stem).title == "a"
        for change in changes(vault, stem, sound):
            with pytest.raises(PermissionError, match="no permission to write"):
                change()
    after = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert after == before


def test_a_read_only_home_follows_the_ledger(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    stem = made(home, write("a.wav", tone(1.0)))
    with Vault.open(home) as writer, monkeypatch.context() as patch:
        patch.setattr("stemloom.vault.catalogue.catalogue.os.access", lambda path, mode: False)
        with Vault.open(home) as reader:
            writer.withdraw([stem], ["live"])
            assert reader.snapshot().stems[0].clearances == {}
            assert reader.snapshot().size == writer.snapshot().size == Log.open(home).size


def add_much(home: Path, stem: str) -> None:
    with Vault.open(home) as vault:
        for number in range(40):
            vault.grant([stem], ["stream"], until=f"2999-01-01T00:00:00.{number:03d}Z")
            vault.add_holder(f"Holder {number}")


def test_a_full_disk_is_said_to_be_full(disk: tuple[Path, Mount], write: Write) -> None:
    folder, _ = disk
    stem = made(folder / "home", write("a.wav", tone(1.0)))
    filler = folder / "filler"
    filled = shutil.disk_usage(folder).free
    with open(filler, "wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, filled)
    # With no room for the index of a write-ahead log, then with some and none for the log.
    for free in (0, 40_960):
        os.truncate(filler, filler.stat().st_size - free)
        with pytest.raises(OSError) as full:
            add_much(folder / "home", stem)
        assert full.value.errno == errno.ENOSPC, full.value
    filler.unlink()
    with Vault.open(folder / "home") as vault:
        assert vault.add_holder("Cleo")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "free", "number"),
    [
        (sqlite3.SQLITE_IOERR, 0, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_WRITE, 4096, errno.ENOSPC),
        (sqlite3.SQLITE_CANTOPEN, 0, errno.ENOSPC),
        (sqlite3.SQLITE_FULL, 1 << 30, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR, 1 << 30, errno.EIO),
        (sqlite3.SQLITE_CANTOPEN, 1 << 30, errno.EACCES),
    ],
)
def test_trouble_with_the_disk_goes_by_its_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, free: int, number: int
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr("stemloom.vault.catalogue.sqlite_trouble.shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError) as worded_error, worded(tmp_path / "catalogue.db"):
        raise sqlite_error(code)
    assert worded_error.value.errno == number
    assert worded_error.value.filename == str(tmp_path / "catalogue.db")
