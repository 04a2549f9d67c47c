"""The house: which room may import which, and that the door stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stemloom

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "script": set(),
    "ledger": set(),
    "vault": {"ledger"},
    "engine": {"script", "vault", "ledger"},
}
FILES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


def rooms_imported(file: str, source: str) -> set[str]:
    """The rooms that a file imports, from its relative imports; an absolute one of ours is a fault."""
    package = Path(file).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            target = (*above, *(node.module or "").split("."))
            if target[0] not in ("", package[0]):
                found.add(target[0])
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not any(n.split(".")[0] == "stemloom" for n in names), (
                f"{file}: absolute import inside a room"
            )
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    # `from .. import __version__` names the package itself, not a room.
    file = str(path.relative_to(ROOT))
    assert rooms_imported(file, path.read_text(encoding="utf-8")) <= MAY_IMPORT[room]


@pytest.mark.parametrize(
    ("file", "line", "seen"),
    [
        ("script/check.py", "from ..vault.records import Stem", {"vault"}),
        ("vault/demo/build.py", "from ...engine import render", {"engine"}),
        ("vault/demo/build.py", "from ..records import Stem", set()),
        ("ledger/log.py", "from .entries import Entry", set()),
        ("engine/plan.py", "from .. import __version__", set()),
    ],
)
def test_the_import_test_sees_what_is_imported(file: str, line: str, seen: set[str]) -> None:
    assert rooms_imported(file, line) == seen


def test_an_absolute_import_inside_a_room_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="absolute import"):
        rooms_imported("script/check.py", "import stemloom.vault")


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_each_room_is_linked_under_the_door(room: str) -> None:
    link = ROOT / "stemloom" / room
    assert link.is_symlink()
    assert link.readlink() == Path("..") / room


@pytest.mark.parametrize(
    "run", ["import stemloom", "from stemloom.cli import main; main(['--help'], standalone_mode=False)"]
)
def test_the_door_is_light(run: str) -> None:
    heavy = ("numba", "sounddevice", "scipy", "numpy", "soundfile", "rich", "lark", "duckdb", "jinja2")
    heavy += ("pygments",)
    code = f"{run}\nimport sys; print('LOADED', [m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("LOADED []")


def test_every_public_name_loads() -> None:
    for name in stemloom.__all__:
        assert getattr(stemloom, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stemloom.nothing


def test_rooms_that_may_not_import_each_other_say_the_same_words() -> None:
    from typing import get_args

    from stemloom.engine.levels import ROLE_LUFS
    from stemloom.engine.timeline import COLOURS
    from stemloom.ledger import entries
    from stemloom.script import words
    from stemloom.vault import records

    assert words.ROLES == records.ROLES
    assert set(ROLE_LUFS) == set(COLOURS) == set(records.ROLES)
    assert words.USES == records.USES == get_args(entries.Use)
    assert get_args(entries.Tier) == records.TIERS
