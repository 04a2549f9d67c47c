"""docs/embedding.md holds: its blocks run in one process, and print what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import stemloom
from stemloom import Event, Player

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_blocks_run_and_print_what_they_say(demo_home: Callable[[], Path], tmp_path: Path) -> None:
    (tmp_path / "stemloom-demo").mkdir()
    shutil.move(demo_home(), tmp_path / "stemloom-demo" / "home")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    code = "\n".join(BLOCKS)
    words = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    printed = done.stdout.splitlines()
    for shown in re.findall(r"# -> (.+)$", code, re.MULTILINE):
        assert shown in printed, f"{shown!r} is not in\n{done.stdout}"
        del printed[: printed.index(shown) + 1]
    assert "# -> " in code


def test_it_leaves_no_event_and_no_option_out() -> None:
    named = set(re.findall(r"`\"?(\w+)\"?`", PAGE))
    assert set(get_args(Event)) <= named
    assert set(stemloom.Options.__annotations__) <= named


def test_what_it_names_is_there() -> None:
    for name in re.findall(r"`player\.(\w+)", PAGE) + re.findall(r"\bplayer\.(\w+)", "".join(BLOCKS)):
        assert hasattr(Player, name), name
    for name in re.findall(r"`(\w+Error|Unknown\w+|\w+(?:Refused|Rejected|Cleared|Failed))`", PAGE):
        assert name in stemloom.__all__ or name in ("TypeError", "ValueError"), name
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
