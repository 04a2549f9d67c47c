"""Takes of earlier versions are read, shown, and compared with the ledger; another engine replays them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stemloom import Vault
from stemloom.cli import main
from stemloom.engine.errors import TakeRefused
from stemloom.engine.play import take as takes
from stemloom.engine.play.earlier import EarlierTake, compared, read_take
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

from .small_home import TEXT, small_home

ONLY_LATER: dict[int, tuple[str, ...]] = {
    1: ("gain_db", "swaps", "unready", "late", "mixed"),
    2: ("gain_db", "swaps"),
    3: ("gain_db",),
    4: ("gain_db",),
}
"""By version, what takes of it did not have yet."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A home with a session in it, and its take."""
    home = small_home(tmp_path_factory.mktemp("earlier"))
    with Vault.open(home) as vault:
        session = Session(vault, accepted(TEXT))
        session.read(12 * 48_000)
        session.close()
        yield home, json.loads(session.take_path.read_bytes())


def earlier(take: dict[str, Any], version: int, path: Path, **changes: object) -> Path:
    """The take as an engine of that version would have left it."""
    kept = {name: value for name, value in take.items() if name not in ONLY_LATER[version]}
    path.write_text(json.dumps(kept | {"version": version, "engine": f"0.0.{version}"} | changes))
    return path


def say(home: Path, *words: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--home", str(home), *map(str, words)])
    return result.exit_code, result.output


@pytest.mark.parametrize("version", ONLY_LATER)
def test_a_take_of_every_version_is_read_and_not_replayed(
    played: tuple[Path, dict[str, Any]], tmp_path: Path, version: int
) -> None:
    home, take = played
    path = earlier(take, version, tmp_path / "take.json")
    found = read_take(path)
    assert isinstance(found, EarlierTake)
    assert (found.version, found.session) == (version, take["session"])
    assert len(found.placements) == len(take["placements"]) > 0
    with pytest.raises(TakeRefused, match=f"of version {version}; this engine replays version 5"):
        takes.load(path)
    result = CliRunner().invoke(
        main, ["--home", str(home), "replay", "--out", str(tmp_path / "out.wav"), str(path)]
    )
    assert isinstance(result.exception, TakeRefused)
    assert f"played again by the engine 0.0.{version} whose takes are of version {version}" in str(
        result.exception
    )
    assert not (tmp_path / "out.wav").exists()


def test_todays_take_is_read_as_it_is(played: tuple[Path, dict[str, Any]]) -> None:
    home, take = played
    path = home / "takes" / f"{take['session']}.json"
    assert read_take(path) == takes.load(path)


def without_last(take: dict[str, Any]) -> list[Any]:
    return list(take["placements"][:-1])


def other_ms(take: dict[str, Any]) -> list[Any]:
    first, *rest = take["placements"]
    return [first | {"ms": first["ms"] + 1}, *rest]


DIFFERENT: dict[str, Callable[[dict[str, Any]], list[Any]]] = {"one less": without_last, "longer": other_ms}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_the_ledger_does_not_have_is_told(
    played: tuple[Path, dict[str, Any]], tmp_path: Path, name: str
) -> None:
    home, take = played
    path = earlier(take, 4, tmp_path / "take.json", placements=DIFFERENT[name](take))
    code, said = say(home, "replay", "--check", path)
    assert code == 5
    assert "1 placement that differ from the ledger's" in said


def test_the_placements_are_compared_and_the_engine_is_named(
    played: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, take = played
    path = earlier(take, 3, tmp_path / "take.json")
    with Vault.open(home) as vault:
        found = read_take(path)
        assert isinstance(found, EarlierTake)
        beside = compared(path, found, vault.log.entries(0))
    # The session's closing entry names the file of today, which this one is not.
    assert (beside.known, beside.same_file, beside.differences) == (True, False, ())
    code, said = say(home, "replay", "--check", path)
    assert code == 5
    assert "in ANOTHER FILE" in said
    assert "the engine 0.0.3 whose takes are of version 3 replays it" in said


def test_one_of_another_home_is_told(played: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, take = played
    path = earlier(take, 2, tmp_path / "take.json", session="x" + "0" * 20)
    code, said = say(home, "replay", "--check", path)
    assert code == 5
    assert "does not have its session" in said


def test_why_takes_one(played: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, take = played
    code, said = say(home, "why", earlier(take, 4, tmp_path / "take.json"), "--at", "3")
    assert code == 0, said
    assert "drums" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is not a take"),
        ("[]", "is not a take"),
        ('{"version": 4}', "is not a take"),
        ('{"version": 0}', "of version 0; this engine's are of 5"),
        ('{"version": 6}', "of version 6; this engine's are of 5"),
        ('{"version": "4"}', "is not a take"),
    ],
)
def test_what_is_no_take_of_any_version_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "take.json"
    path.write_text(text)
    with pytest.raises(TakeRefused, match=said):
        read_take(path)
