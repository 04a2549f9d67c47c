"""The house: which room may import which, that the door stays light, and that nothing grows too long."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import stemloom

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "ground": set(),
    "script": {"ground"},
    "ledger": set(),
    "vault": {"ground", "ledger"},
    "engine": {"ground", "script", "vault", "ledger"},
}
FLOORS = {
    "script": (("",), ("effects",), ("text",), ("check",)),
    "ledger": (("",), ("tlog",), ("entries",), ("log",), ("division",), ("verify",), ("royalties",)),
    "vault": (("",), ("sound",), ("catalogue",), ("rights",), ("intake",), ("holders",), ("vault",)),
    "engine": (("",), ("compose", "mix"), ("play",), ("listen",)),
}
"""The floors of each room from its ground up; what stands side by side does not import each other.

`vault/vault.py`, with `holders.py`, is the room's front: it lies at the top of the folder, above all floors.
"""


def modules() -> dict[str, Path]:
    """All of Stemloom's modules and packages, by their dotted names below `stemloom`."""
    places = [(ROOT / "stemloom", ""), *((ROOT / room, room) for room in FLOORS)]
    found = {}
    for folder, room in places:
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            if not room and parts[0] in FLOORS:
                continue  # a link
            name = ".".join(part for part in (room, *parts) if part not in ("", "__init__"))
            found[name] = path
    return found


MODULES = modules()
FILE_LINES, FUNCTION_LINES = 500, 70


def imported(name: str, source: str, *, package: bool = False) -> set[str]:
    """The modules that the module `name` imports anywhere in its text, by their names below `stemloom`."""
    here = name.split(".") if package or not name else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = here[: len(here) - node.level + 1]
            target = ".".join((*above, *filter(None, (node.module or "").split("."))))
            inside = {f"{target}.{each.name}".lstrip(".") for each in node.names}
            found |= {each if each in MODULES else target for each in inside}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not any(each.split(".")[0] == "stemloom" for each in names), (
                f"{name}: absolute import inside the package"
            )
    return found


IMPORTS = {
    name: imported(name, path.read_text(encoding="utf-8"), package=path.name == "__init__.py")
    for name, path in MODULES.items()
}


def floor_of(name: str) -> tuple[str, int, str]:
    """The room of a module, the number of its floor, and the floor's name."""
    room, _, rest = name.partition(".")
    floor = rest.partition(".")[0]
    floors = FLOORS[room]
    for number, beside in enumerate(floors):
        if floor and floor in beside:
            return room, number, floor
    return room, 0, ""


def strays(name: str, imports: set[str]) -> set[str]:
    """Those of `imports` that the module `name` may not import: of other rooms, or of floors above."""
    room = name.partition(".")[0]
    if room not in MAY_IMPORT:
        return set()
    found = set()
    for each in imports - {""}:  # the package itself: `from .. import __version__`
        other = each.partition(".")[0]
        if other != room:
            if other not in MAY_IMPORT[room]:
                found.add(each)
            continue
        if room not in FLOORS:
            continue
        _, from_floor, from_name = floor_of(name)
        _, to_floor, to_name = floor_of(each)
        if to_floor > from_floor or (to_floor == from_floor and to_name != from_name):
            found.add(each)
    return found


@pytest.mark.parametrize("name", sorted(MODULES))
def test_arrows_go_down_between_rooms_and_between_floors(name: str) -> None:
    assert strays(name, IMPORTS[name]) == set()


@pytest.mark.parametrize(
    ("name", "line", "seen"),
    [
        ("script.check.check", "from ...vault.records import Stem", {"vault.records"}),
        ("script.piece", "from .check.check import check", {"script.check.check"}),
        ("vault.vault", "from .intake.admission import Admission", set()),
        ("vault.records", "from .vault import Vault", {"vault.vault"}),
        ("engine.compose.form", "from ..mix.rack import Rack", {"engine.mix.rack"}),
        ("engine.play.session", "from ..mix.rack import Rack", set()),
        ("ledger.log.log", "from ..division import books", {"ledger.division.books"}),
        ("ledger.log.log", "from ...ground.processes import Crew", {"ground.processes"}),
        ("ledger.division.books", "from ..log.log import Log", set()),
        ("engine.plan", "from .. import __version__", set()),
    ],
)
def test_the_import_test_sees_what_goes_up(name: str, line: str, seen: set[str]) -> None:
    assert strays(name, imported(name, line)) == seen


def test_an_absolute_import_inside_a_room_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="absolute import"):
        imported("script.check.check", "import stemloom.vault")


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = TopologicalSorter({name: imports - {name, ""} for name, imports in IMPORTS.items()})
    order.prepare()  # raises CycleError, with the circle


def test_a_circle_is_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_each_floor_says_in_a_sentence_what_it_is() -> None:
    for room, floors in FLOORS.items():
        for floor in (name for beside in floors for name in beside if name not in ("holders", "vault")):
            path = ROOT / room / floor / "__init__.py"
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert said is not None, path
            assert said.endswith("."), path
            assert "\n" not in said, path


def test_the_package_list_is_that_of_the_folders() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    folders = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert sorted(listed) == sorted(f"stemloom.{name}".rstrip(".") for name in folders)
    placed = project["tool"]["setuptools"]["package-dir"]
    assert placed == {"stemloom": "stemloom"} | {f"stemloom.{room}": room for room in FLOORS}


@pytest.mark.parametrize("room", sorted(FLOORS))
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


def test_words_that_are_told_in_two_places_are_the_same() -> None:
    """The ledger imports nothing, and the tables of the engine have a row for each role."""
    from typing import get_args

    from stemloom.engine.compose.levels import ROLE_LUFS
    from stemloom.engine.play.timeline import COLOURS
    from stemloom.ground.roles import ROLES
    from stemloom.ground.uses import TIERS, USES
    from stemloom.ledger.entries import entries

    assert set(ROLE_LUFS) == set(COLOURS) == set(ROLES)
    assert get_args(entries.Use) == USES
    assert get_args(entries.Tier) == TIERS


def too_long(name: str, source: str) -> list[str]:
    """The file `name` and its functions, where they have too many lines; decorators do not count."""
    found = [(name, len(source.splitlines()), FILE_LINES)] + [
        (f"{name}: {node.name}", (node.end_lineno or 0) - node.lineno + 1, FUNCTION_LINES)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [f"{what} has {lines} lines, {most} at most" for what, lines, most in found if lines > most]


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no clone of git")
def test_no_file_and_no_function_is_too_long() -> None:
    # All that the clone has, and new files, whoever owns the folder.
    options = ["-z", "--cached", "--others", "--exclude-standard", "*.py"]
    words = ["git", "-c", "safe.directory=*", "ls-files", *options]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [path for name in listed.split("\0") if name and (path := ROOT / name).exists()]
    assert set(MODULES.values()) <= set(paths)
    named = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert [each for name, source in named.items() for each in too_long(name, source)] == []


def test_what_is_too_long_is_named() -> None:
    body = "    pass\n" * 69
    assert too_long("a.py", f"def f():\n{body}" + "\n" * 430) == []
    assert too_long("a.py", f"class C:\n  async def f():\n{body}    pass\n" + "\n" * 430) == [
        "a.py has 502 lines, 500 at most",
        "a.py: f has 71 lines, 70 at most",
    ]
