"""Several processes on one home, and processes that die."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stemloom.ledger.entries import entries
from stemloom.ledger.errors import LedgerError
from stemloom.ledger.verify.verify import verify
from stemloom.vault.catalogue.store import Store
from stemloom.vault.intake import worker_process
from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault

from .conftest import Write, tone

KILLS = int(os.environ.get("STEMLOOM_TEST_KILLS", "15"))

ADDER = """
import sys
from pathlib import Path
from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault
import soundfile

home, mark, *files = sys.argv[1:]
with Vault.open(Path(home)) as vault:
    print("ready", flush=True)
    sys.stdin.readline()
    holder = vault.add_holder("Holder " + mark)
    intake = vault.add([Declared(Path(file), holder.holder, "pads") for file in files])
    stems = [added.stem.stem for added in intake.added]
    vault.grant(stems, ["stream"])
    for stem in stems[:2]:
        vault.split(stem, publishing={holder.holder: 600_000, "Ada": 400_000})
    vault.withdraw(stems[:1], ["stream"])
    print(len(intake.added), len(intake.refused), flush=True)
"""


def start(home: Path, mark: object, files: Sequence[Path]) -> subprocess.Popen[str]:
    """A process that is ready to add the files, and waits for `go`."""
    child = subprocess.Popen(
        [sys.executable, "-c", ADDER, str(home), str(mark), *map(str, files)],
        # The workers have its standard error as well: its end is the end of them all.
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
    return tmp_path / "home"


def check_whole(home: Path) -> int:
    """That everything in the vault is there whole, and nothing else; gives the number of stems."""
    with Vault.open(home) as vault:
        vault.add_holder(f"Check {vault.log.size}")  # Each change clears first what a killed one left.
        logged = [entry for _, entry in vault.log.entries()]
        stems = {entry.stem: entry for entry in logged if isinstance(entry, entries.Stem)}
        assert {stem.stem for stem in vault.stems()} == stems.keys()
        for stem in vault.stems():
            original = vault.original(stem.stem)
            assert hashlib.sha256(original.read_bytes()).hexdigest() == stems[stem.stem].file_sha256
            assert vault.samples(stem.stem).shape == (stem.channels, stem.frames)
        holders = {entry.holder for entry in logged if isinstance(entry, entries.Holder)}
        assert {holder.holder for holder in vault.holders()} == holders
    folder = home / "vault"
    originals = {path.name for path in (folder / "audio").iterdir()}
    assert originals == {name for e in stems.values() for name in (e.file_sha256, f"{e.file_sha256}.name")}
    assert {path.name.split(".")[0] for path in (folder / "conformed").iterdir()} == stems.keys()
    assert not list((folder / "incoming").iterdir())
    assert {path.stem for path in (home / "keys").glob("h*.key")} == holders
    with sqlite3.connect(folder / "catalogue.db") as db:
        assert {row[0] for row in db.execute("SELECT stem FROM measured")} == stems.keys()
        assert {row[0] for row in db.execute("SELECT holder FROM named")} == holders
    db.close()
    report = verify(home)
    assert report.ok, report.problems
    return len(stems)


def sounds(write: Write, count: int, seed: int) -> list[Path]:
    """Files of sounds that are all different."""
    generator = np.random.default_rng(seed)
    return [
        write(
            f"{seed}-{number}.wav",
            tone(1.3, hertz=generator.uniform(100, 2000))
            + generator.uniform(-0.1, 0.1, (62_400, 1)).astype(np.float32),
        )
        for number in range(count)
    ]


def test_two_processes_add_at_once(home: Path, write: Write) -> None:
    both = sounds(write, 2, seed=0)
    children = [start(home, mark, sounds(write, 6, seed=mark) + both) for mark in (1, 2)]
    for child in children:
        go(child)
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(int(added) for added, _ in said) == 14
    assert sum(int(refused) for _, refused in said) == 2
    assert check_whole(home) == 14


def test_a_folder_that_goes_while_it_is_looked_at_is_nobodys_trouble(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process ends its intake between the look at the folder and the opening."""
    store = Store(home)
    gone = home / "vault" / "incoming" / "0123456789abcdef"
    here = Path.iterdir

    def looked_at(folder: Path) -> list[Path]:
        return [*here(folder), gone]

    monkeypatch.setattr(Path, "iterdir", looked_at)
    store.clear_abandoned()


def test_two_processes_make_one_vault(tmp_path: Path) -> None:
    making = (
        "import sys; from stemloom.vault.vault import Vault\n"
        "with Vault.open(sys.argv[1], create=True) as v: v.add_holder(sys.argv[2])"
    )
    home = tmp_path / "new"
    children = [
        subprocess.Popen([sys.executable, "-c", making, str(home), name], stderr=subprocess.PIPE, text=True)
        for name in ("Ada", "Ben")
    ]
    said = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    with Vault.open(home) as vault:
        assert [holder.name for holder in vault.holders()] == ["Ada", "Ben"]


def test_killed_at_any_instant_nothing_is_half_added(home: Path, write: Write) -> None:
    child = start(home, "whole", sounds(write, 4, seed=100))
    began = time.monotonic()
    go(child)
    child.communicate(timeout=60)
    whole_seconds = time.monotonic() - began
    assert check_whole(home) == 4
    instants = random.Random(7)
    killed = 0
    for kill in range(20 * KILLS):
        child = start(home, kill, sounds(write, 4, seed=kill))
        go(child)
        try:
            child.wait(timeout=instants.uniform(0, whole_seconds))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            killed += 1
        child.communicate(timeout=60)
        check_whole(home)
        if killed == KILLS:
            break
    assert killed == KILLS


class BrokenLog:
    """A vault's ledger that fails with each new entry: before it takes it in, or after it is `signed`."""

    def __init__(self, vault: Vault, error: BaseException, *, signed: bool = False) -> None:
        self._log = vault.log
        self._error = error
        self._signed = signed
        self._checkpoint = vault.home / "ledger" / "log" / "checkpoint"

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def append(self, new: Sequence[entries.Entry]) -> list[int]:
        if not new:
            return self._log.append(new)
        if self._signed:
            # As a kill between the two steps leaves it: signed and kept, but not published.
            published = self._checkpoint.read_bytes()
            self._log.append(new)
            self._checkpoint.write_bytes(published)
        raise self._error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), LedgerError("the log is sealed")])
def test_when_the_ledger_cannot_take_it_the_vault_keeps_nothing(
    home: Path, write: Write, error: Exception
) -> None:
    (file,) = sounds(write, 1, seed=1)
    with Vault.open(home) as vault:
        real = vault.log
        vault._changes._log = BrokenLog(vault, error)  # type: ignore[assignment]
        with pytest.raises(type(error)):
            vault.add([Declared(file, "Ada", "pads")])
        with pytest.raises(type(error)):
            vault.add_holder("Ben")
        assert vault.stems() == ()
        assert not list((home / "vault" / "audio").iterdir())
        assert len(list((home / "keys").glob("h*.key"))) == 1
        vault._changes._log = real
        assert vault.add([Declared(file, "Ada", "pads")]).added
    assert check_whole(home) == 1


class Killed(BaseException):
    """Passes through everything, as a kill would."""


@pytest.mark.parametrize("change", ["holder", "stem", "grant", "split"])
def test_killed_after_the_ledger_signed_the_change_is_there_whole(
    home: Path, write: Write, change: str
) -> None:
    first, second = sounds(write, 2, seed=1)
    with Vault.open(home) as vault:
        vault.add([Declared(first, "Ada", "pads", title="first")])
        vault.grant(["first"], ["live"])
        vault._changes._log = BrokenLog(vault, Killed(), signed=True)  # type: ignore[assignment]
        changes = {
            "holder": lambda: vault.add_holder("Ben"),
            "stem": lambda: vault.add([Declared(second, "Ada", "pads", title="second")]),
            "grant": lambda: vault.grant(["first"], ["stream"]),
            "split": lambda: vault.split("first", master={"Ada": 1_000_000}),
        }
        with pytest.raises(Killed):
            changes[change]()
    # The very next change must see it: a grant names the statement before it, a sound is taken once.
    with Vault.open(home) as vault:
        if change == "stem":
            intake = vault.add([Declared(second, "Ada", "pads")])
            assert len(intake.here) + len(intake.refused) == 1
        vault.grant(["first"], ["sync"])
        if change == "holder":
            assert vault.holder("Ben").name == "Ben"
        assert set(vault.stem("first").clearances) == {"live", "sync"} | (
            {"stream"} if change == "grant" else set()
        )
    assert check_whole(home) == (2 if change == "stem" else 1)


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(home: Path, write: Write) -> None:
    """A limit on the size of files stands for a full disk: the last and largest write fails."""
    small, large = (
        write("small.wav", tone(0.3)),
        write("large.flac", tone(20.0), format="FLAC", subtype="PCM_16"),
    )
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "from stemloom.cli import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "--home", home, "vault", "add", small, large,
         "--holder", "Ada", "--role", "fx"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("stemloom: ")
    assert "File too large" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert check_whole(home) == 0


def test_a_recording_over_which_the_decoder_crashes_is_refused(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, also = (write(f"{name}.wav", tone(1.0, hertz=hertz)) for name, hertz in
                       (("good", 300), ("bad", 400), ("also", 500)))  # fmt: skip
    crash = (
        "import os, sys; sys.path.append(sys.argv[1]); from {0} import serve; import {0} as worker\n"
        "was = worker.prepare\n"
        "def prepare(offer, store):\n"
        "    if offer.terms.title == 'bad': os.kill(os.getpid(), 11)\n"
        "    return was(offer, store)\n"
        "worker.prepare = prepare; serve()"
    )
    monkeypatch.setattr("stemloom.vault.intake.worker_pool._PROGRAM", crash)
    with Vault.open(home) as vault:
        intake = vault.add([Declared(file, "Ada", "pads") for file in (good, bad, also)])
    assert [added.path for added in intake.added] == [good, also]
    assert [refusal.path for refusal in intake.refused] == [bad]
    assert "the decoder ended with SIGSEGV over it, twice" in intake.refused[0].reason


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"no JSON",
        b'{"prepared":null}',
        b'{"prepared":{"pcm_sha256":"../../../../../../../../../../../../../tmp/x"}}',
        b'{"fingerprint":[]}',
    ],
)
def test_a_decoder_that_was_taken_over_gets_nowhere(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    said = f"import sys\nfor line in sys.stdin: print({answer.decode()!r}, flush=True)"
    monkeypatch.setattr(
        "stemloom.vault.intake.worker_pool._PROGRAM", said.replace("{", "{{").replace("}", "}}")
    )
    with Vault.open(home) as vault:
        (refusal,) = vault.add([Declared(write("a.wav", tone(1.0)), "Ada", "pads")]).refused
    assert refusal.reason == "it cannot be decoded: the decoder gave an answer of no known form"
    assert check_whole(home) == 0


def test_no_worker_outlives_its_vault(home: Path, write: Write) -> None:
    """Neither after an intake, nor after one that was killed."""
    files = [write(f"{n}.wav", tone(3.0, hertz=200 + n)) for n in range(20)]
    child = start(home, "killed", files)
    go(child)
    limit = time.monotonic() + 120
    while not (workers := workers_of(child.pid)):
        assert time.monotonic() < limit
        os.sched_yield()
    child.kill()
    child.communicate()
    # Not `Path.exists`: it raises for a process that ends while it looks.
    while any(os.path.exists(f"/proc/{pid}/stat") for pid in workers):
        assert time.monotonic() < limit
        os.sched_yield()
    with Vault.open(home) as vault:
        vault.add([Declared(files[0], "Ada", "pads")])
        assert workers_of(os.getpid()) == []
        assert list((home / "vault" / "incoming").iterdir()) == []


def workers_of(parent: int) -> list[int]:
    """Processes that run the vault's worker for a parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, of = (path / "cmdline").read_bytes(), (path / "stat").read_text().rpartition(")")[2]
        except OSError:
            continue
        if worker_process.__name__.encode() in command and int(of.split()[1]) == parent:
            found.append(int(path.name))
    return found
