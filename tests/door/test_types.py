"""The exported names suffice to type a host: two type checkers find nothing in the examples."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

HOST = '''
"""A host that names the type of all that it is given."""

from __future__ import annotations

from stemloom import (
    Bar, DialOutline, Happened, HeardPlacement, Health, LedgerState, Level, Levels, Now, PartOutline, Piece,
    Placement, Player, SectionOutline, Subscription, Take, Tier, Use,
)


class Host:
    use: Use = "stream"
    tier: Tier = "enterprise"

    def __init__(self, player: Player) -> None:
        self.player = player
        self.subscriptions: list[Subscription] = [
            player.on("bar", self.bar),
            player.on("ended", self.ended),
            player.on("script", self.script),
            player.on("xrun", lambda count: self.count(count + 1)),
            player.on("withdrawn", lambda stems: print(", ".join(stems))),
        ]

    def bar(self, bar: Bar) -> None:
        placements: tuple[Placement, ...] = bar.starts
        print(bar.section, placements)

    def ended(self, heard: HeardPlacement) -> None:
        self.count(heard.ms)

    def script(self, piece: Piece) -> None:
        print(piece.name)

    def count(self, number: int) -> None:
        print(number)

    async def follow(self) -> None:
        async for happened in self.player.events("started"):
            one: Happened[Placement] = happened
            print(one.event, one.what.title)

    def look(self) -> None:
        now: tuple[Now, ...] = self.player.now()
        levels: Levels | None = self.player.levels()
        output: Level | None = None if levels is None else levels.output
        ledger: LedgerState = self.player.ledger
        health: Health | None = self.player.health
        take: Take | None = self.player.take
        print(now, output, ledger, health, take)

    def draw(self, dials: tuple[DialOutline, ...], parts: tuple[PartOutline, ...]) -> None:
        print(dials, parts)

    def form(self, sections: tuple[SectionOutline, ...]) -> None:
        print(sections)
'''
WRONG = {
    "a use": 'Player("home", "a.loom", use="radio")',
    "a tier": 'Player("home", "a.loom", tier="gold")',
    "an event": 'player.on("bars", print)',
    "what comes with an event": 'player.on("xrun", lambda bar: bar.section)',
    "the rate": "player.rate = 44_100",
}


def found(tool: str, files: list[Path], folder: Path) -> str:
    """What a type checker says of some files."""
    if tool == "mypy":
        words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache")]
        words += ["--config-file", str(ROOT / "pyproject.toml"), *map(str, files)]
    else:
        words = ["pyright", "--pythonpath", sys.executable, *map(str, files)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["mypy", "pyright"])
def test_hosts_have_types(tool: str, tmp_path: Path) -> None:
    """The examples and a host pass; each wrong line of another host is found."""
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} here")
    host = tmp_path / "host.py"
    host.write_text(HOST)
    assert len(EXAMPLES) >= 6
    assert found(tool, [*EXAMPLES, host], tmp_path) == ""
    wrong = tmp_path / "wrong.py"
    lines = ["from stemloom import Player", 'player = Player("home", "a.loom")', *WRONG.values()]
    wrong.write_text("\n".join(lines) + "\n")
    said = found(tool, [wrong], tmp_path)
    assert [each for number, each in enumerate(WRONG, 3) if f"wrong.py:{number}:" not in said] == []
