"""Names are the operator's alone, and can be destroyed: nothing in the home says them any more."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, strategies as st

from stemloom import Player, Vault
from stemloom.ledger.entries.entries import Session
from stemloom.ledger.entries.salts import Salts
from stemloom.ledger.entries.signing import commitment
from stemloom.ledger.errors import LedgerError
from stemloom.ledger.log.log import Log
from stemloom.ledger.verify.verify import verify
from stemloom.vault.intake.rebuild import rebuild
from stemloom.vault.sound.declared import Declared

SCRIPT = """piece "Short" for stream
tempo 120
pool beats = loops role beats
section a 1 bars
    bring beats from beats
move a -> silence at end
"""
NAMES = ("Zebulon Quux", "Ärger & Söhne")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("erasure") / "home"
    with Vault.open(home, create=True) as vault:
        for name in ("Ada Quimby", "Ben Oxley"):
            vault.add_holder(name)
        beat = np.exp(-(np.arange(4 * 48_000) % 24_000) / 2000)
        sound = np.random.default_rng(1).standard_normal((2, len(beat))) * beat * 0.2
        soundfile.write(home.parent / "beat.wav", sound.T, 48_000, subtype="FLOAT")
        offer = Declared(home.parent / "beat.wav", "Ada Quimby", "beats", bpm=Fraction(120), bars=2)
        assert vault.add([offer]).added
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    for user in (*NAMES, NAMES[0], ""):
        with Player.from_text(home, SCRIPT, user=user, seed=1) as player:
            player.read(4096)
    return home


@pytest.fixture
def home(played: Path, tmp_path: Path) -> Path:
    import shutil

    copy = tmp_path / "home"
    shutil.copytree(played, copy)
    return copy


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    from stemloom.cli import run

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["stemloom", "--home", str(home), *words])
        with pytest.raises(SystemExit) as exit:
            run()
        out, err = capsys.readouterr()
        return int(exit.value.code or 0), out, err

    return call


def says(home: Path, text: str) -> list[str]:
    """The files of a home that have the text in them."""
    return [
        path.relative_to(home).as_posix()
        for path in sorted(home.rglob("*"))
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_only_the_private_store_says_who_listened(home: Path) -> None:
    for name in NAMES:
        assert says(home, name) == ["private/salts.db"]
    assert stat.S_IMODE((home / "private").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "private" / "salts.db").stat().st_mode) == 0o600
    sessions = {
        entry.session: entry.user for _, entry in Log.open(home).entries() if isinstance(entry, Session)
    }
    salts = Salts(home)
    assert salts.users() == {NAMES[0]: 2, NAMES[1]: 1}
    for name in NAMES:
        for each in salts.of_user(name):
            assert sessions[each.session] == commitment(name, each.salt)
    # Two sessions of one user have nothing in common in the log.
    assert len(set(sessions.values())) == len(sessions) == 4


def test_a_user_is_shown_and_forgotten(call: Call, home: Path) -> None:
    code, out, _ = call("user", "list", "--json")
    assert (code, json.loads(out)["users"][0]) == (0, {"user": NAMES[0], "sessions": 2})
    code, out, _ = call("user", "sessions", NAMES[0], "--json")
    mine = json.loads(out)["sessions"]
    assert [each["tier"] for each in mine] == ["developer", "developer"]
    code, out, _ = call("user", "disclose", mine[0]["session"])
    assert code == 0
    assert NAMES[0] in out
    code, _, err = call("user", "erase", NAMES[0])
    assert code == 2
    assert "--yes" in err
    assert says(home, NAMES[0])
    assert call("user", "erase", NAMES[0], "--yes")[0] == 0
    assert says(home, NAMES[0]) == []
    assert says(home, mine[0]["salt"]) == []
    for words in (("sessions", NAMES[0]), ("disclose", mine[0]["session"]), ("erase", NAMES[0], "--yes")):
        assert call("user", *words)[0] == 4
    assert says(home, NAMES[1]) == ["private/salts.db"]
    report = verify(home)
    assert (report.problems, report.warnings) == ((), ())


def test_one_session_is_forgotten(call: Call, home: Path) -> None:
    first, second = Salts(home).of_user(NAMES[0])
    assert call("user", "erase", "--session", first.session, "--yes")[0] == 0
    assert Salts(home).of_user(NAMES[0]) == [second]
    assert call("user", "erase")[0] == 2


def test_a_commitment_that_is_not_to_the_name_is_refused(call: Call, home: Path) -> None:
    (each,) = Salts(home).of_user(NAMES[1])
    with sqlite3.connect(home / "private" / "salts.db") as database:
        database.execute("UPDATE salted SET user = 'somebody else' WHERE session = ?", (each.session,))
    database.close()
    code, _, err = call("user", "disclose", each.session)
    assert code == 5
    assert "is not to 'somebody else'" in err


def test_a_lost_store_breaks_nothing(call: Call, home: Path) -> None:
    (home / "private" / "salts.db").unlink()
    assert json.loads(call("user", "list", "--json")[1]) == {"users": []}
    with Player.from_text(home, SCRIPT, user="again") as player:
        player.read(64)
    assert Salts(home).users() == {"again": 1}
    assert verify(home).ok


def test_a_store_that_is_none_is_said(call: Call, home: Path) -> None:
    (home / "private" / "salts.db").write_bytes(b"no database" * 100)
    code, _, err = call("user", "list")
    assert code == 1
    assert "cannot be read or written" in err
    with pytest.raises(LedgerError, match="salts of users"):
        Player.from_text(home, SCRIPT, user="again")
    with Log.open(home, create=True):
        assert verify(home).ok


def test_a_holders_name_is_destroyed(call: Call, home: Path) -> None:
    with Vault.open(home) as vault:
        found = vault.holders()[0]
    assert says(home, found.name)
    code, _, err = call("vault", "holder", "erase", found.name)
    assert code == 2
    assert "--yes" in err
    assert call("vault", "holder", "erase", found.name, "--yes")[0] == 0
    assert says(home, found.name_salt) == []
    with Vault.open(home) as vault:
        assert vault.holder(found.holder).name == found.holder
        assert len(vault.holders()) >= 2
    assert call("vault", "list")[0] == 0
    assert call("vault", "holder", "list")[0] == 0
    assert verify(home).ok
    # It does not come back when the catalogue is made again.
    (home / "vault" / "catalogue.db").unlink()
    rebuild(home)
    assert says(home, found.name_salt) == []
    with Vault.open(home) as vault:
        assert vault.holder(found.holder).name == found.holder


KEEPER = """
import sys
from pathlib import Path
from stemloom.ledger.entries.salts import Salts
salts = Salts(Path(sys.argv[1]))
for number in range(1000):
    salts.new(f"x{sys.argv[2]}{number:04d}", "user")
    print(number, flush=True)
"""


def test_two_processes_and_a_kill(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    words = [sys.executable, "-c", KEEPER, str(tmp_path / "home")]
    keepers = [subprocess.Popen([*words, str(n)], stdout=subprocess.PIPE, text=True) for n in range(2)]
    kept: dict[int, int] = {}
    for n, keeper in enumerate(keepers):
        assert keeper.stdout is not None
        for _ in range(15):
            kept[n] = int(keeper.stdout.readline())
    for keeper in keepers:
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.communicate()
    found = {each.session for each in Salts(tmp_path / "home").of_user("user")}
    assert {f"x{n}{number:04d}" for n, last in kept.items() for number in range(last + 1)} <= found


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_salts_hide_and_bind(one: str, other: str) -> None:
    salt = "00" * 16
    assert (commitment(one, salt) == commitment(other, salt)) == (one == other)
    assert commitment(one, salt) != commitment(one, "01" * 16)


def test_salts_are_random(tmp_path: Path) -> None:
    salts = {Salts(tmp_path).new(f"x{n}", "") for n in range(100)}
    assert len(salts) == 100
    assert all(len(bytes.fromhex(each)) == 16 for each in salts)
    assert not (tmp_path / "private").exists()
