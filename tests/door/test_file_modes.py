"""The rights of every file that a command writes: the umask's, and for private things the owner's alone."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_hostile_texts import filled

PRIVATE = 0o600
UMASKS = (0o022, 0o002, 0o077)
GIVEN = {
    "key.pem": ("vault keygen {folder}/key.pem", True),
    "joins.request": ("vault holder request Ann --public-key {key} --out {folder}/joins.request", True),
    "receipt": ("ledger prove 0 --out {folder}/receipt", False),
    "cosigned": (
        "{witness} --out {folder}/cosigned",
        False,
    ),
    "statement.json": ("royalty statement {holder} {period} --out {folder}/statement.json", True),
    "statement.html": ("royalty statement {holder} {period} --html {folder}/statement.html", False),
    "statement.csv": ("royalty statement {holder} {period} --csv {folder}/statement.csv", False),
    "balances.csv": ("royalty balance --csv {folder}/balances.csv", False),
    "books.beancount": ("royalty beancount --out {folder}/books.beancount", False),
    "fairness.html": ("royalty fairness {period} --html {folder}/fairness.html", False),
    "parquet/manifest.json": ("ledger export --parquet {folder}/parquet", False),
    "parquet/entries-000000000000.parquet": ("ledger export --parquet {folder}/parquet", False),
    "w/witness.key": ("{witness}", True),
    "script.loom": ("format {folder}/script.loom", False),
    "quiet.wav": ("render {folder}/script.loom --seconds 1 --out {folder}/quiet.wav", False),
    "quiet.flac": ("render {folder}/script.loom --seconds 1 --out {folder}/quiet.flac", False),
    "quiet.svg": (
        "render {folder}/script.loom --seconds 1 --out {folder}/quiet.wav --timeline {folder}/quiet.svg",
        False,
    ),
    "quiet.take": (
        "render {folder}/script.loom --seconds 1 --out {folder}/quiet.wav --take {folder}/quiet.take",
        False,
    ),
    "picture.svg": ("mix {folder}/script.loom --seconds 1 --picture {folder}/picture.svg", False),
}
SCRIPT = """piece "Modes" for stream
tempo 114
pool p = loops role beats, set harbour
section a 1 bar
    bring d from p
"""


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture(scope="module")
def made(demo_home: Callable[[], Path]) -> tuple[Path, dict[str, str]]:
    """A home with sounds, and income that was settled."""
    home = demo_home()
    return home, filled(home, "Fine")


@pytest.mark.parametrize("name", GIVEN)
def test_a_file_has_the_umask_s_rights_or_is_private(
    made: tuple[Path, dict[str, str]], umask: int, name: str, tmp_path: Path, command: Any
) -> None:
    home = tmp_path / "home"
    for _ in copied_home(made[0], home):
        words = made[1] | {
            "folder": str(tmp_path),
            "log": str(home / "ledger" / "log"),
            "key": "A" * 43 + "=",
        }
        vkey = command(f"--home {home} ledger key")[1].strip()
        words["witness"] = f"ledger witness {home}/ledger/log --vkey {vkey} --dir {tmp_path}/w --name w"
        (tmp_path / "script.loom").write_text(SCRIPT.replace("    bring", "  bring"), encoding="utf-8")
        if "royalty" in GIVEN[name][0]:
            assert command(f"--home {home} royalty settle {words['period']} --early")[0] == 0
        code, _, err = command(f"--home {home} {GIVEN[name][0].format(**words)}")
        assert code == 0, err
        found = stat.S_IMODE((tmp_path / name).stat().st_mode)
        assert oct(found) == oct(PRIVATE if GIVEN[name][1] else 0o666 & ~umask)


def test_what_a_home_keeps(umask: int, tmp_path: Path) -> None:
    home = tmp_path / "home"
    filled(home, "Fine")
    modes = {path.relative_to(home): stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path, mode in modes.items():
        if path.parts[0] == "ledger" and path.parts[1:2] in (("log",), ("signed",)):
            # What is published has the rights that whoever publishes it chose.
            assert mode in (0o666 & ~umask, 0o777 & ~umask), path
        if path.parts[0] == "keys" or path.suffix in (".db", ".key", ".pem") or "names" in path.parts:
            assert not mode & 0o077, path
    assert {path.parts[0] for path in modes} >= {"keys", "ledger", "vault"}


def copied_home(source: Path, target: Path) -> Iterator[None]:
    """A copy whose sounds are links, for as long as it is needed: many of them would fill a disk."""

    def copy(one: str, other: str) -> None:
        (os.link if Path(one).parent.name in ("audio", "conformed") else shutil.copy2)(one, other)

    shutil.copytree(source, target, copy_function=copy)
    yield
    shutil.rmtree(target)
