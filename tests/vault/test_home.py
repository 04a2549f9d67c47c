"""Which folders a home is made in, and what it starts with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.disk import OpenFile, RealDisk
from stemloom.vault.catalogue.store import Store
from stemloom.vault.errors import CatalogueTrouble, NotAHome
from stemloom.vault.home import check_home
from stemloom.vault.vault import Vault


def make(*names: str) -> Callable[[Path], None]:
    """Makes the files, and the folders whose names end in a stroke, in a folder."""

    def made(folder: Path) -> None:
        for name in names:
            path = folder / name
            if name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("theirs")

    return made


@pytest.mark.parametrize(
    "fill",
    [
        make("README.md"),
        make("vault/vault.py", "ledger/log/log.py", "README.md"),
        make("vault/vault.py", "ledger/log/log.py"),
        make("vault/", "music/"),
        make("keys/id_ed25519"),
        make("vault"),
        make(".git/HEAD", "song.wav"),
    ],
)
def test_no_home_is_made_among_other_things(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    fill(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NotAHome, match="name a new or empty folder with --home") as refused:
        Vault.open(tmp_path, create=True)
    assert refused.value.exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "fill",
    [make(), make(".stemloom-demo"), make(".git/HEAD", ".DS_Store"), make("vault/", "keys/", "ledger/")],
)
def test_a_home_is_made_in_a_folder_of_nothing_else(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    fill(tmp_path)
    with Vault.open(tmp_path, create=True) as vault:
        assert vault.add_holder("Ada")


def test_other_things_may_lie_in_a_home_that_is_whole(tmp_path: Path) -> None:
    Vault.open(tmp_path, create=True).close()
    make("piece.wav", "vault/notes.txt")(tmp_path)
    with Vault.open(tmp_path, create=True) as vault:
        vault.add_holder("Ada")
    # What is wrong with a home is not that it is none.
    shutil.rmtree(tmp_path / "vault")
    with pytest.raises(CatalogueTrouble, match="is missing"):
        Vault.open(tmp_path, create=True)


class Killed(BaseException):
    """Passes through everything, as a kill would."""


class DyingDisk(RealDisk):
    """The disk of a process that dies before the step of that number."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def write(self, path: Path, data: bytes) -> None:
        self._step()
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self._step()
        super().sync(path)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def make_folder(self, path: Path, mode: int) -> bool:
        self._step()
        return super().make_folder(path, mode)

    def create_owned(self, path: Path) -> OpenFile:
        self._step()
        return super().create_owned(path)


def test_a_home_that_is_half_made_opens_after_each_step_of_its_making(tmp_path: Path) -> None:
    for steps in range(100):
        home = tmp_path / str(steps)
        store = Store(home)
        store.create()
        disk = DyingDisk(steps)
        with suppress(Killed):
            Log.open(home, create=True, disk=disk).close()
        check_home(home)
        with Vault.open(home, create=True) as vault:
            assert vault.add_holder("Ada")
        if disk.left > 0:
            break
    assert 10 < steps < 99


@pytest.mark.parametrize(
    "left", [[], ["audio"], ["audio", "conformed"], ["audio", "conformed", "incoming", "lock"]]
)
@pytest.mark.parametrize("ignore", [None, "", "*\n"])
def test_a_store_that_is_half_made_is_made_whole(tmp_path: Path, left: list[str], ignore: str | None) -> None:
    (tmp_path / "vault").mkdir()
    for name in left:
        (tmp_path / "vault" / name).touch() if name == "lock" else (tmp_path / "vault" / name).mkdir()
    if ignore is not None:
        (tmp_path / ".gitignore").write_text(ignore)
    with Vault.open(tmp_path, create=True) as vault:
        assert vault.add_holder("Ada")
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=30,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    ).stdout  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
@pytest.mark.parametrize("theirs", [None, "*.pyc\n"])
def test_no_key_of_a_home_enters_a_repository(tmp_path: Path, theirs: str | None) -> None:
    git(tmp_path, "init", "-q")
    if theirs is not None:
        (tmp_path / ".gitignore").write_text(theirs)
    for home in (tmp_path, tmp_path / "sub"):
        with Vault.open(home, create=True) as vault:
            vault.add_holder("Ada")
    git(tmp_path, "add", "-A")
    staged = git(tmp_path, "ls-files").split()
    assert not [name for name in staged if "keys" in name or name.startswith("sub")]
    assert theirs is None or (tmp_path / ".gitignore").read_text() == theirs
