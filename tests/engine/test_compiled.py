"""Compiled code is kept under what it was made of: nothing stale or another processor's is ever run."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stemloom.engine
from stemloom.engine import compiled, kernel_places
from stemloom.engine.compiled import SOURCES, kept, stamp

EXAMPLES = Path(__file__).parents[2] / "examples"
ENGINE = Path(stemloom.engine.__path__[0])

FUNCTION = """
import json, sys
sys.path.insert(0, {here!r})
from stemloom.engine.compiled import kept, tally

@kept(nogil=True)
def twice(x):
    return x + x

print(json.dumps([twice(3), twice(1.5), tally.loaded, tally.compiled]))
"""


def test_the_list_of_sources_is_whole() -> None:
    holds = re.compile(r"^@(inner|kept|kept_callback|intrinsic)\b", re.MULTILINE)
    imports = re.compile(r"^from (\.+)(\w+) import", re.MULTILINE)
    files = [*ENGINE.glob("*.py"), *(ENGINE / "mix").glob("*.py"), *(ENGINE / "play").glob("*.py")]
    texts = {path.relative_to(ENGINE).with_suffix("").as_posix(): path.read_text() for path in files}
    found = {name for name, text in texts.items() if holds.search(text)}
    # What they import is a number or a function that is compiled in.
    for name in tuple(found):
        for dots, each in imports.findall(texts[name]):
            beside = Path(name).parents[len(dots) - 1] / each
            found.add(beside.as_posix())
    assert found - {"compiled"} == set(SOURCES)


@pytest.mark.parametrize("changed", ["mix/kernel.py", "effects/reverb.py", "effects/new.py"])
def test_the_chain_is_stamped_with_all_its_sources_and_others_with_their_own(
    tmp_path: Path, changed: str
) -> None:
    room, effects = tmp_path, tmp_path / "effects"
    for path in (*(room / f"{name}.py" for name in SOURCES), room / "compose" / "scan.py"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.name)
    effects.mkdir()
    (effects / "reverb.py").write_text("wet")

    def stamps() -> tuple[str, str]:
        stamp.cache_clear()
        chain, scan = room / "mix" / "chain.py", room / "compose" / "scan.py"
        return stamp(chain, room, effects), stamp(scan, room, effects)

    before = stamps()
    times = os.stat(tmp_path / "mix" / "kernel.py")
    (tmp_path / changed).write_text("another text, as old as the one before")
    os.utime(tmp_path / changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = stamps()
    assert before[0] != after[0]
    assert before[1] == after[1]
    (room / "compose" / "scan.py").write_text("changed")
    assert stamps()[1] != after[1]


def run(source: Path, text: str = FUNCTION, **environ: str) -> list[float]:
    """[twice(3), twice(1.5), how many were loaded, how many compiled], in a process of its own."""
    source.write_text(text.format(here=str(ENGINE.parents[1])))
    environ = {**os.environ, "STEMLOOM_KERNELS": str(source.parent / "kernels"), **environ}
    done = subprocess.run([sys.executable, source], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    found: list[float] = json.loads(done.stdout)
    return found


def test_each_processor_and_signature_has_a_file_of_its_own(tmp_path: Path) -> None:
    source = tmp_path / "doubling.py"
    assert run(source) == [6, 3.0, 0, 2]
    assert run(source) == [6, 3.0, 2, 0]
    # Another processor, which shares the folder: its code is beside, and no number decides which is which.
    assert run(source, NUMBA_CPU_NAME="generic") == [6, 3.0, 0, 2]
    assert run(source, NUMBA_CPU_NAME="generic") == run(source) == [6, 3.0, 2, 0]
    files = list((tmp_path / "kernels").rglob("*.kernel"))
    assert len(files) == 4
    # Another state of the source: what is of the old one goes.
    assert run(source, FUNCTION.replace("x + x", "2 * x")) == [6, 3.0, 0, 2]
    left = list((tmp_path / "kernels").rglob("*.kernel"))
    assert len(left) == 2
    assert not set(left) & set(files)
    # Half of a file: compiled again, and whole again.
    left[0].write_bytes(left[0].read_bytes()[:-1])
    assert run(source, FUNCTION.replace("x + x", "2 * x")) == [6, 3.0, 1, 1]
    assert run(source, FUNCTION.replace("x + x", "2 * x")) == [6, 3.0, 2, 0]


def test_two_processes_compile_at_once(tmp_path: Path) -> None:
    source = tmp_path / "doubling.py"
    source.write_text(FUNCTION.format(here=str(ENGINE.parents[1])))
    environ = {**os.environ, "STEMLOOM_KERNELS": str(tmp_path / "kernels")}
    both = [
        subprocess.Popen([sys.executable, source], stdout=subprocess.PIPE, env=environ | processor)
        for processor in ({"NUMBA_CPU_NAME": "generic"}, {})
    ]
    assert [json.loads(each.communicate()[0])[:2] for each in both] == [[6, 3.0]] * 2
    assert run(source) == run(source, NUMBA_CPU_NAME="generic") == [6, 3.0, 2, 0]


def test_what_cannot_be_kept_works_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path.parent))

    monkeypatch.setattr(kernel_places, "_write_whole", full)
    monkeypatch.setattr(compiled, "tally", compiled.Tally())

    @kept(nogil=True)
    def less(x):  # type: ignore[no-untyped-def]
        return x - 1

    with caplog.at_level(logging.WARNING, "stemloom"):
        assert (less(3), less(1.5)) == (2, 0.5)
    assert compiled.tally.compiled == 2
    [said] = caplog.messages
    assert "No space left on device" in said
    assert "STEMLOOM_KERNELS" in said


def test_a_closure_is_refused() -> None:
    step = 2
    with pytest.raises(AssertionError):

        @kept(nogil=True)
        def further(x):  # type: ignore[no-untyped-def]
            return x + step


SESSION = """
import sys
from stemloom import Player
from stemloom.engine.compiled import tally
from stemloom.engine.compose import choose, scan
from stemloom.engine.mix import trial

scan.compile_all()
trial.compile_all()
before = tally.loaded + tally.compiled
choose.LARGE = 0
with Player(*sys.argv[1:]) as player:
    player.open_device("silent")
    player.wait(0.1)
    player.peak()
print(before, tally.loaded + tally.compiled)
"""


def test_the_doctor_compiles_all_that_a_session_needs(demo_home: Callable[[], Path]) -> None:
    words = [sys.executable, "-c", SESSION, demo_home(), EXAMPLES / "harbour_night.loom"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before == after >= 9
