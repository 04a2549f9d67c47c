"""What all tests share: properties are not timed, and the demo is made once in a run of the tests."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stemloom import Vault
from stemloom.cli import run
from stemloom.demo import build
from stemloom.ledger.tlog import disk
from stemloom.ledger.tlog.keys import PrivateKey

settings.register_profile("stemloom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stemloom")

KEYS = 1
"""The demo's vault has the same keys in each run, and so the same stem ids; another number gives others."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background ignores it, and so would the processes that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Nobody waits for the disk, which took half of the time of the ledger's tests.

    Only a loss of power tells the difference, and the simulated disk has those. Who asks for a sync and what
    follows when it fails is tested as before; the processes that tests start do sync.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(os, "fdatasync", lambda descriptor: None, raising=False)
        patch.setattr(disk, "_sync_file_system", lambda descriptor: True)
        yield


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings, or a skip."""
    named = os.environ.get("STEMLOOM_TEST_AUDIO")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "audio"
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings in {folder}")
    return folder


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one process of this run makes and all of them read."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def copied(source: Path, target: Path) -> Path:
    """A copy that may be written to. Its sounds, which are never changed in place, are hard links."""

    def copy(one: str, other: str) -> None:
        (os.link if Path(one).parent.name in ("audio", "conformed") else shutil.copy2)(one, other)

    return shutil.copytree(source, target, copy_function=copy)


@pytest.fixture(scope="session")
def demo_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the home of the demo, as `build` leaves it, and in steps.json what it told meanwhile."""

    def make(folder: Path) -> None:
        seeds = (number.to_bytes(32, "big") for number in count(KEYS))
        told: list[tuple[int, int]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PrivateKey, "generate", lambda: PrivateKey.from_seed(next(seeds)))
            with Vault.open(folder / "home", create=True) as vault:
                build(vault, lambda done, of: told.append((done, of)))
        (folder / "steps.json").write_text(json.dumps(told))

    return made_once(tmp_path_factory, "demo-home", make)


@pytest.fixture(scope="session")
def demo_home(demo_steps: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """demo_home(): another home with the demo's stems and no session, for whoever asks alone."""
    return lambda: copied(demo_steps / "home", tmp_path_factory.mktemp("demo") / "home")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """demo_folder(): another folder in which `stemloom demo --json` ran; record.json is what it said."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "stemloom", "demo", "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "record.json").write_text(done.stdout)

    made = made_once(tmp_path_factory, "demo-folder", make)
    return lambda: copied(made, tmp_path_factory.mktemp("demo") / "folder")


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str, str]]:
    """Runs `stemloom ...` in this process and gives its exit code, output and errors."""

    def said(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["stemloom", *shlex.split(line)])
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return said
