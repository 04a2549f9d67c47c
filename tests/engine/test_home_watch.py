"""The watch over a home: it notices what others do, whatever fails, and nobody else pays for it."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stemloom import Player, Vault
from stemloom.engine.compose.score import Score
from stemloom.engine.play import home_watch
from stemloom.engine.play.following import Change, Following
from stemloom.engine.play.session import Session
from stemloom.ledger.log.log import Log
from stemloom.script.check.check import accepted

from .watched import (
    BEATS,
    RATE,
    WAIT,
    filled as filled,
    home as home,
    made as made,
    session_of,
    titles,
    vault as vault,
)


def test_a_session_that_seals_has_no_other_look_at_its_candidates(
    home: Path, vault: Vault, made: list[Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = session_of(vault), [Session(vault, accepted(BEATS)) for _ in range(3)]
    before, size = mine.score, vault.log.size
    read: list[str] = []
    monkeypatch.setattr(Vault, "refresh", lambda self: read.append("catalogue"))
    monkeypatch.setattr(Vault, "snapshot", lambda self: read.append("stems"))
    for other in others:
        other.read(RATE)
        mine.read(RATE)
        other.close()
        home_watch.look(home)
    assert vault.log.size > size
    mine.read(4 * RATE)
    assert mine.score is before
    assert made == []
    assert read == []
    mine.close()


def told_of(session: Session, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a score was made ready for the session."""
    event, follow, following = threading.Event(), Following.follow, session.conductor._following
    assert following is not None

    def followed(self: Following, change: Change) -> None:
        follow(self, change)
        if self is following and self.ready is not None:
            event.set()

    monkeypatch.setattr(Following, "follow", followed)
    return event


ELSEWHERE = {
    "withdrawn": ("vault.withdraw(['one'], ['stream'])", {"two"}),
    "a stem of a standing consent": (
        "vault.stand('Ada', ['stream']); vault.add_sounds(sounds(2, ('beats', 'new')))",
        {"one", "two", "new"},
    ),
}


@pytest.mark.parametrize("change", ELSEWHERE)
def test_another_process_is_noticed_by_itself(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    program, right = ELSEWHERE[change]
    session = session_of(vault)
    told = told_of(session, monkeypatch)
    setup = "import sys; from stemloom import Vault; from tests.engine.watched import sounds"
    command = [sys.executable, "-c", f"{setup}\nwith Vault.open(sys.argv[1]) as vault: {program}", str(home)]
    subprocess.run(command, check=True)
    assert told.wait(WAIT)
    assert titles(session) == right
    session.close()


def test_placements_bring_the_catalogue_up_to_date_now_and_then(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the next command would have to take in a day of them. The stems are not read for it."""
    mine, other = session_of(vault), Session(vault, accepted(BEATS))

    def behind() -> int:
        with closing(sqlite3.connect(home / "vault" / "catalogue.db")) as catalogue:
            return vault.log.size - int(catalogue.execute("SELECT applied FROM ledger").fetchone()[0])

    monkeypatch.setattr(Vault, "snapshot", lambda self: pytest.fail("the stems are read"))
    other.read(2 * RATE)
    other.close()
    home_watch.look(home)
    assert behind() >= 3
    monkeypatch.setattr(home_watch, "MOST_BEHIND", 3)
    home_watch.look(home)
    assert behind() == 0
    mine.close()


def test_a_withdrawal_does_not_wait_for_a_locked_catalogue(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else is in the catalogue, and the stock changed as well: that comes later."""
    session = session_of(vault)
    told = told_of(session, monkeypatch)
    catalogue = home / "vault" / "catalogue.db"
    with closing(sqlite3.connect(catalogue, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=vault.withdraw, args=[["one"], ["stream"]])
        thread.start()
        assert told.wait(WAIT)
        assert titles(session) == {"two"}
        assert thread.is_alive()
        another.execute("ROLLBACK")
    thread.join()
    assert session.score.snapshot.state_hash == vault.snapshot().state_hash
    session.close()


def test_what_cannot_be_read_is_asked_for_again(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_watch, "LOOK_SECONDS", 3600)
    session = session_of(vault)

    def failing(self: Log, start: int = 0, stop: int | None = None) -> None:
        raise OSError(5, "Input/output error", str(home))

    with monkeypatch.context() as patch:
        # The change itself is made beside it: it reads the entries, too.
        patch.setattr(type(home_watch._watches[os.path.realpath(home), 0]), "_take_in", lambda self: None)
        vault.withdraw(["one"], ["stream"])
    with monkeypatch.context() as patch:
        patch.setattr(Log, "entries", failing)
        home_watch.look(home)
        assert titles(session) == {"one", "two"}
    home_watch.look(home)
    assert titles(session) == {"two"}
    session.close()


def test_a_home_that_goes_away_ends_no_watch(home: Path, vault: Vault) -> None:
    session = session_of(vault)
    home.rename(home.with_name("aside"))
    home_watch.look(home)
    assert titles(session) == {"one", "two"}
    home.with_name("aside").rename(home)
    vault.withdraw(["one"], ["stream"])
    assert titles(session) == {"two"}
    session.close()


def test_the_watch_ends_with_its_last_session(home: Path, vault: Vault) -> None:
    others = threading.enumerate()

    def watching() -> list[threading.Thread]:
        news = (each for each in threading.enumerate() if each not in others)
        return [each for each in news if each.name == "stemloom-watch"]

    first, second = session_of(vault), session_of(vault)
    (thread,) = watching()
    first.close()
    assert thread.is_alive()
    second.close()
    assert watching() == []
    dropped = session_of(vault)
    (thread,) = watching()
    del dropped
    gc.collect()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert os.path.realpath(home) not in home_watch._watches


FORKED = """
import os, sys
from stemloom import Vault
from stemloom.engine.play import home_watch
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
home, text = sys.argv[1:]
def titles(session):
    session.conductor.see_changes()
    return {stem.title for stem in session.score.stems.values()}
vault = Vault.open(home)
session = Session(vault, accepted(text), logged=False)
# A child must not wait for what a thread of its parent held.
home_watch._registry.acquire()
child = os.fork()
if not child:
    assert home_watch._watches == {}
    with Vault.open(home) as own:
        mine = Session(own, accepted(text), logged=False)
        own.withdraw(["one"], ["stream"])
        assert titles(mine) == {"two"}, titles(mine)
        mine.close()
    os._exit(0)
home_watch._registry.release()
assert os.waitpid(child, 0)[1] == 0
home_watch.look(vault.home)
assert titles(session) == {"two"}
"""


def test_a_forked_child_has_a_watch_of_its_own(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(home), BEATS],
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


_heard: list[tuple[int, str]] | None = None


def _audit(event: str, given: tuple[object, ...]) -> None:
    if _heard is not None and event in ("open", "sqlite3.connect", "os.listdir", "os.scandir"):
        _heard.append((threading.get_ident(), str(given[0])))


@pytest.fixture
def opened() -> Iterator[list[tuple[int, str]]]:
    """Threads, with the files that they opened. The hook, which Python keeps for ever, is put in once."""
    global _heard
    if _heard is None:
        sys.addaudithook(_audit)
    _heard = []
    yield _heard
    _heard = None


def test_read_looks_at_no_file_of_the_log_or_the_catalogue(
    home: Path, vault: Vault, opened: list[tuple[int, str]]
) -> None:
    with Player.from_text(home, BEATS, use="stream") as player:
        player.read(RATE)
        opened.clear()
        for second in range(60):
            player.read(RATE)
            if second == 20:
                other = threading.Thread(target=vault.withdraw, args=[["one"], ["stream"]])
                other.start()
                other.join()
        mine = [Path(path) for thread, path in opened if thread == threading.get_ident()]
        assert player.take is None
    # Journals and sounds have other tests.
    assert [path for path in mine if not {"journals", "conformed"} & set(path.parts)] == []
