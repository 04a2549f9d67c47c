"""Nothing stays compiled that is older than a source that it was compiled from."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import stemloom.engine
from stemloom.engine.mix.compiled import SOURCES, forget_stale

ENGINE = Path(stemloom.engine.__path__[0])


def test_the_list_of_sources_is_whole() -> None:
    holds = re.compile(r"^@(inner|cfunc|intrinsic)\b", re.MULTILINE)
    imports = re.compile(r"^from (\.+)(\w+) import", re.MULTILINE)
    files = [*ENGINE.glob("*.py"), *(ENGINE / "mix").glob("*.py"), *(ENGINE / "play").glob("*.py")]
    texts = {path.relative_to(ENGINE).with_suffix("").as_posix(): path.read_text() for path in files}
    found = {name for name, text in texts.items() if holds.search(text)}
    # What they import is a number or a function that is compiled in.
    for name in tuple(found):
        for dots, each in imports.findall(texts[name]):
            beside = Path(name).parents[len(dots) - 1] / each
            found.add(beside.as_posix())
    assert found - {"mix/compiled"} == set(SOURCES)


@pytest.mark.parametrize("newer", ["mix/kernel.py", "effects/reverb.py"])
def test_what_is_older_than_one_source_is_removed_and_nothing_else(tmp_path: Path, newer: str) -> None:
    kept, ground = tmp_path / "mix" / "__pycache__", tmp_path / "__pycache__"
    kept.mkdir(parents=True)
    ground.mkdir()
    effects = tmp_path / "effects"
    effects.mkdir()
    for path in (*(tmp_path / f"{name}.py" for name in SOURCES), effects / "reverb.py"):
        path.touch()
        os.utime(path, (1000, 1000))
    indexes = [kept / "chain.chain-1.py311.nbi", ground / "clock.push-2.py311.nbi"]
    other = kept / "scan.scan-1.py311.nbi"
    for index in (*indexes, other):
        index.touch()
        os.utime(index, (2000, 2000))
    assert forget_stale(tmp_path, effects) == 0
    os.utime(tmp_path / newer, (3000, 3000))
    assert forget_stale(tmp_path, effects) == 2
    assert [path.exists() for path in (*indexes, other)] == [False, False, True]
    assert forget_stale(tmp_path / "nowhere", effects) == 0
