"""A take, its sound and the ledger are held against each other: whatever was changed in one is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import structs

from stemloom import Log, Vault
from stemloom.cli import main
from stemloom.engine.errors import TakeRefused
from stemloom.engine.play import take as takes
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.take import Take
from stemloom.script.check.check import accepted

from ..conftest import copied
from . import forging
from .small_home import RATE, TEXT, small_home


@dataclass(frozen=True)
class Played:
    """A home with a session of 40 s, its take, and the log's key."""

    home: Path
    path: Path
    take: Take
    vkey: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    home = small_home(tmp_path_factory.mktemp("takes"))
    with Vault.open(home) as vault:
        session = Session(vault, accepted(TEXT))
        session.read(40 * RATE)
        take = session.close()
        yield Played(home, session.take_path, take, vault.log.vkey)


def say(home: Path, *words: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--home", str(home), *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return getattr(result.exception, "exit_code", 70), str(result.exception)
    return result.exit_code, result.output


def said(home: Path, *words: object) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["--json", "--home", str(home), *map(str, words)])
    found: dict[str, Any] = json.loads(result.output)
    return found


def check_take(home: Path, *words: object) -> tuple[int, str]:
    return say(home, "ledger", "check-take", *words)


def test_what_agrees_is_confirmed(played: Played) -> None:
    code, text = check_take(played.home, played.path)
    assert code == 0, text
    assert f"session {played.take.session}, {len(played.take.placements)} placements, as the log" in text
    assert "the same sound" in text
    found = said(played.home, "ledger", "check-take", played.path)
    assert found["ok"]
    assert found["sound"]["same_sound"] is True
    code, text = say(played.home, "replay", "--check", played.path)
    assert code == 0, text
    assert "placements, as the ledger has them" in text


# The log was changed.

LOGS: dict[str, tuple[forging.Change, str]] = {
    "a placement removed": (forging.one_removed, "is not in the log"),
    "the last placement removed": (forging.last_removed, "is not in the log"),
    "ms lowered": (forging.ms_lowered, "ms is 4000 in the log and 8000 in the take"),
    "session dropped": (forging.session_dropped, "the log has no session x"),
    "a stem relabelled": (forging.stem_relabelled, "stem is s"),
    "a placement added": (forging.one_added, "is not in the take"),
    "closing left out": (forging.closing_left_out, "no entry that closes the session"),
    "no take": (forging.opened_with(take=None), "the session closes without a take"),
    "another seed": (forging.opened_with(seed=4), "opens with the seed 4, and the take has 3"),
    "another engine": (forging.opened_with(engine="9"), "opens with the engine 9"),
    "another script": (forging.opened_with(script="0" * 64), "a script of the hash 000"),
    "another vault": (forging.opened_with(vault="0" * 64), "opens with the vault 000"),
    "another time": (forging.opened_earlier, "opens at 20"),
}


def as_opened(change: forging.Change) -> forging.Change:
    """Only the closing entry has a take, and only the opening no sums."""

    def changed(entries: list[Any]) -> list[Any]:
        return [
            structs.replace(each, take=None) if getattr(each, "state", "") == "opened" else each
            for each in change(entries)
        ]

    return changed


@pytest.mark.parametrize("name", LOGS)
def test_a_log_that_says_something_else_is_told(played: Played, tmp_path: Path, name: str) -> None:
    change, words = LOGS[name]
    false = forging.forged(played.home, tmp_path / "false", as_opened(change))
    code, text = check_take(
        played.home, played.path, "--log", false / "ledger" / "log", "--vkey", played.vkey, "--no-sound"
    )
    assert code == 5, text
    assert words in text
    assert "NOT as logged" in text
    found = said(played.home, *("ledger", "check-take", played.path, "--log", false, "--vkey", played.vkey))
    assert not found["ok"]
    # Where an entry says otherwise, it is named.
    assert any(each["entry"] is not None for each in found["differences"]) or "no " in text


@pytest.mark.parametrize("name", ["a placement removed", "ms lowered", "a stem relabelled"])
def test_replay_tells_of_a_ledger_that_says_something_else(played: Played, tmp_path: Path, name: str) -> None:
    """The home itself was rewritten, with its catalogue."""
    home = copied(played.home, tmp_path / "home")
    false = forging.forged(home, tmp_path / "false", LOGS[name][0])
    (home / "ledger").rename(tmp_path / "gone")
    (false / "ledger").rename(home / "ledger")
    Vault.rebuild(home)
    code, text = say(home, "replay", "--check", home / "takes" / played.path.name)
    assert code == 5, text
    assert "the ledger says something else:" in text
    assert LOGS[name][1] in text


# The take was changed.


def with_seq(take: Take, **fields: Any) -> Take:
    """Its second placement with other fields."""
    first, second, *rest = take.placements
    return structs.replace(take, placements=(first, structs.replace(second, **fields), *rest))


TAKES: dict[str, tuple[Callable[[Take], Take], str]] = {
    "ms": (lambda take: with_seq(take, ms=1), "ms is 8000 in the log and 1 in the take"),
    "stem": (lambda take: with_seq(take, stem="s0"), "and s0 in the take"),
    "line": (lambda take: with_seq(take, line=1), "and 1 in the take"),
    "section": (lambda take: with_seq(take, section="b"), "section is a in the log and b in the take"),
    "start_frame": (lambda take: with_seq(take, start_frame=0), "start_frame is"),
    "one less": (
        lambda take: structs.replace(take, placements=take.placements[:-1]),
        "is not in the take",
    ),
    "seed": (lambda take: structs.replace(take, seed=9), "opens with the seed 3, and the take has 9"),
    "use": (lambda take: structs.replace(take, use="live"), "opens with the use stream"),
    "tier": (lambda take: structs.replace(take, tier="free"), "opens with the tier developer"),
    "script": (lambda take: structs.replace(take, script=take.script + "\n"), "the take has another"),
    "pcm_sha256": (lambda take: structs.replace(take, pcm_sha256="0" * 64), "a take of the hash"),
    "session": (lambda take: structs.replace(take, session="x" + "0" * 20), "no session x000"),
}


@pytest.mark.parametrize("name", TAKES)
def test_a_take_that_was_edited_is_told(played: Played, tmp_path: Path, name: str) -> None:
    change, words = TAKES[name]
    path = tmp_path / "take.json"
    path.write_bytes(change(played.take).encoded())
    code, text = check_take(played.home, path, "--no-sound")
    assert code == 5, text
    assert words in text


def test_a_take_whose_file_was_only_written_anew_is_told(played: Played, tmp_path: Path) -> None:
    path = tmp_path / "take.json"
    path.write_bytes(msgspec.json.encode(played.take))
    code, text = check_take(played.home, path, "--no-sound")
    assert code == 5
    assert "the session closes with a take of the hash" in text


# Take and log agree on something false: the sound does not.


def agreed(played: Played, tmp_path: Path, take: Take, change: forging.Change) -> tuple[int, str]:
    """An operator changes the take and the log alike, and signs the log anew."""
    path = tmp_path / "take.json"
    path.write_bytes(take.encoded())

    def changed(entries: list[Any]) -> list[Any]:
        return [
            structs.replace(each, take=takes.digest(take)) if getattr(each, "state", "") == "closed" else each
            for each in change(entries)
        ]

    false = forging.forged(played.home, tmp_path / "false", changed)
    return check_take(played.home, path, "--log", false, "--vkey", played.vkey)


def test_a_false_hash_of_the_sound_is_heard(played: Played, tmp_path: Path) -> None:
    take = structs.replace(played.take, pcm_sha256="0" * 64)
    code, text = agreed(played, tmp_path, take, lambda entries: entries)
    assert code == 5, text
    assert "ANOTHER SOUND than its hash says" in text


def test_a_stem_that_take_and_log_have_relabelled_is_heard(played: Played, tmp_path: Path) -> None:
    with Log.open(played.home) as log:
        entries = [entry for _, entry in log.entries()]
    other = forging.stem_relabelled(entries)
    stem = other[forging.placements(other)[1]].stem
    code, text = agreed(played, tmp_path, with_seq(played.take, stem=stem), forging.stem_relabelled)
    assert code == 5, text
    assert "1 placement came out otherwise when it was mixed again" in text


# What became of the stems since.


def test_a_stem_that_was_withdrawn_plays_as_it_did_then(played: Played, tmp_path: Path) -> None:
    home = copied(played.home, tmp_path / "home")
    path = home / "takes" / played.path.name
    with Vault.open(home) as vault:
        vault.withdraw([stem.stem for stem in vault.stems()], ["stream"])
        with pytest.raises(TakeRefused, match="has no consent"):
            replay(vault, played.take, lambda block: None)
    size = Log.open(home).size
    code, text = check_take(home, path)
    assert code == 0, text
    assert "the same sound" in text
    code, text = say(home, "replay", "--check", path)
    assert code == 0, text
    # Nothing of it is heard, and nothing is written.
    assert Log.open(home).size == size
    assert not list((home / "ledger" / "journals").iterdir())
    assert [each.name for each in (home / "takes").glob("*.json")] == [played.path.name]


def test_what_was_cleared_then_is_never_logged(played: Played) -> None:
    with Vault.open(played.home) as vault, pytest.raises(ValueError, match="not logged"):
        replay(vault, played.take, lambda block: None, then=vault.snapshot())


def test_a_deleted_recording_is_named_and_the_rest_is_compared(played: Played, tmp_path: Path) -> None:
    home = copied(played.home, tmp_path / "home")
    path = home / "takes" / played.path.name
    gone = played.take.placements[0].stem
    with Vault.open(home) as vault:
        vault.remove(gone)
    code, text = check_take(home, path)
    assert code == 0, text
    assert "as the log of" in text
    assert f"its sound is not compared: the recordings of {gone} are not in the vault any more" in text
    edited = tmp_path / "edited.json"
    edited.write_bytes(with_seq(played.take, ms=1).encoded())
    code, text = check_take(home, edited)
    assert code == 5, text
    assert "ms is 8000 in the log and 1 in the take" in text


def test_without_a_vault_the_log_alone_is_compared(played: Played, tmp_path: Path) -> None:
    code, text = check_take(tmp_path / "none", played.path, "--log", played.home, "--vkey", played.vkey)
    assert code == 0, text
    assert "its sound is not compared: there is no vault here" in text


def test_a_take_of_another_engine_names_it(played: Played, tmp_path: Path) -> None:
    """What it plays may sound otherwise here: that is said, and is no difference."""
    other = structs.replace(played.take, engine="0.0.9+000000000000", pcm_sha256="0" * 64)
    change = forging.opened_with(engine=other.engine)
    code, text = agreed(played, tmp_path, other, as_opened(change))
    assert code == 0, text
    assert "the take was made by the engine 0.0.9+000000000000, and this is" in text
    assert "that one replays it" in text


def test_replay_says_that_a_session_is_not_in_the_ledger(played: Played, tmp_path: Path) -> None:
    path = tmp_path / "take.json"
    path.write_bytes(structs.replace(played.take, session="x" + "0" * 20).encoded())
    code, text = say(played.home, "replay", "--check", path)
    assert code == 0, text
    assert "does not have its session x000" in text
