"""Runs the examples of docs/language.md and docs/tutorial.md, and writes into the pages what they give.

    python docs/examples.py

The words after a block's fence say what it is. In both pages

    text ...            what the block before it gives: written here, compared by the tests
    text drawn ...      the same, where chance says which stem plays: the titles may differ

That chance is in the stems' ids, and so in the last bits of the demo's sounds, which not all processors
compute alike. In the language page

    loom                a whole script, without a mistake
    loom wrong          a script with mistakes or doubts
    text said           what the checker says of it
    text plan ...       what `stemloom plan` prints of it, with these options
    text heard N, ...   what it plays in N bars with gestures, such as `cue go in 2` or `energy=1 in 3`

and in the tutorial

    loom FILE           what the reader saves as FILE
    sh                  commands, run in the order of the page; `sh exits 3`: the last of them gives 3, not 0
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from stemloom import Vault
from stemloom.cli import main as program
from stemloom.cli.output import table
from stemloom.demo import build
from stemloom.demo.stems import RECIPES
from stemloom.engine.clock import BarClock
from stemloom.engine.compose.compose import next_bar, strike
from stemloom.engine.compose.events import Input
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Bar, Placement
from stemloom.engine.play.latches import Latches
from stemloom.ledger.clock import SystemClock
from stemloom.script.check.check import accepted
from stemloom.script.text.format import format_text
from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import ENGINE_RATE
from stemloom.vault.sound.declared import Declared

DOCS = Path(__file__).resolve().parent
LANGUAGE, TUTORIAL = DOCS / "language.md", DOCS / "tutorial.md"
NAME = "example.loom"
PLANNED_BARS = 16
"""How many bars `stemloom plan` shows when it is not told."""
CHANGING = (
    r"\d+ times real time",
    r"-?\d+\.\d LUFS",
    r"\b[hsx][0-9a-f]{20}\b",
    r" *\d+  \d{4}-\d\d-\d\dT[\d:.]+Z",
)
"""What is another at each run or on each machine."""

Gesture = tuple[int, str]
"""The bar in which it comes, from 1, and what it is: `like`, `cue go`, `energy=0.9`."""
GESTURE_BEAT = Fraction(5, 2)
"""The beat of its bar on which a gesture comes."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `info`: the words after its fence. `heading`: its section's. `line`: of the fence."""

    info: tuple[str, ...]
    text: str
    heading: str
    line: int

    @property
    def kind(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def drawn(self) -> bool:
        return "drawn" in self.info

    @property
    def asked(self) -> tuple[str, ...]:
        """The words after its kind."""
        return tuple(word for word in self.info[1:] if word != "drawn")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in its order."""
    found: list[Block] = []
    heading, info, fence = "", None, 0
    held: list[str] = []
    for number, line in enumerate(page.split("\n"), 1):
        if info is not None and line == "```":
            found.append(Block(info, "".join(f"{each}\n" for each in held), heading, fence))
            info, held = None, []
        elif info is not None:
            held.append(line)
        elif line.startswith("```"):
            info, fence = tuple(line[3:].split()), number
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def rewritten(page: str, outputs: Sequence[str | None]) -> str:
    """The page with what its blocks give, where that is another text than what it shows."""
    lines = page.split("\n")
    for block, output in reversed(list(zip(blocks(page), outputs, strict=True))):
        if output is not None and not alike(block, output):
            lines[block.line : block.line + block.text.count("\n")] = output.rstrip("\n").split("\n")
    return "\n".join(lines)


def alike(block: Block, output: str) -> bool:
    """Whether a block shows `output`, but for what is another each time and, where drawn, for the stems."""
    return _settled(block.text, block.drawn) == _settled(output, block.drawn)


def _settled(text: str, drawn: bool) -> list[str]:
    for changing in CHANGING:
        text = re.sub(changing, "~", text)
    lines = [line.rstrip() for line in text.rstrip("\n").split("\n")]
    if not drawn:
        return lines
    titles = "|".join(re.escape(recipe.title) for recipe in RECIPES)
    names = "|".join((titles, *{re.escape(recipe.holder) for recipe in RECIPES}))
    # A row that begins with a title says for how long that was heard.
    lines = [re.sub(rf"^({titles})  .*", "?", line) for line in lines]
    return sorted(re.sub(r"\s+", " ", re.sub(rf"\b({names})\b", "?", line)) for line in lines)


# The language page


def add_song(home: Path) -> None:
    """Add the two stems of a song of 24 bars to the demo's, which the language page brings."""
    random = np.random.default_rng(1)
    sound = random.standard_normal((1, 24 * 4 * 60 * ENGINE_RATE // 96)).astype(np.float32) / 100
    offers = [
        (Declared(Path(role), "", role, f"Ferry {role}", Fraction(96), song="Night Ferry"), sound / number)
        for number, role in enumerate(("voice", "beats"), 1)
    ]
    with Vault.open(home) as vault:
        holder = vault.add_holder("Ferry Band").holder
        added = vault.add_sounds([(replace(said, holder=holder), made) for said, made in offers]).added
        vault.grant([each.stem.stem for each in added], ["stream"])


def language(page: str, home: Path) -> Iterator[str | None]:
    """What each block of the language page gives, None for a script. `home`: of the demo's vault."""
    with Vault.open(home) as vault:
        snapshot = vault.snapshot()
    script = ""
    for block in blocks(page):
        match block.asked:
            case _ if block.kind == "loom":
                script = block.text
                yield None
            case ("said",):
                yield said(script, home)
            case ("plan", *options):
                yield _stemloom(home, "plan", script, options)[0]
            case ("heard", *words):
                yield heard(script, snapshot, *_count_and_gestures(words))
            case _:
                raise AssertionError(f"line {block.line}: a block of no known kind: {' '.join(block.info)}")


def said(script: str, home: Path) -> str:
    """What `stemloom check` lists of a script, without the count at its end."""
    return _stemloom(home, "check", script)[0].rpartition("\n\n")[0] + "\n"


def _stemloom(home: Path, command: str, script: str, options: Sequence[str] = ()) -> tuple[str, int]:
    """What a command prints of a script, and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        file.write_text(script, encoding="utf-8")
        words = ["--home", str(home), command, str(file), *options]
        done = CliRunner().invoke(program, words, catch_exceptions=False)
    return done.stdout.replace(str(file), NAME), done.exit_code


def heard(script: str, snapshot: Snapshot, count: int, gestures: Sequence[Gesture]) -> str:
    """What a script plays with gestures: each sound with the bars for which it is heard, stops counted."""
    fixed = fixed_score(script, snapshot)
    bars = composed(fixed, count, gestures)
    stops = {stop.id: stop.end_frame for bar in bars for stop in bar.stops}
    bar_frames = fixed.clock.bar_frame(1)
    rows = [
        (
            *_bar_and_beat(fixed.clock, p.start_frame),
            p.section,
            p.part,
            p.title,
            "" if p.hit else f"{round(p.offset_frames / bar_frames, 2) + 1:g}",
            f"{(stops.get(p.id, p.end_frame) - p.start_frame) / bar_frames:.1f}",
        )
        for bar in bars
        for p in bar.starts
    ]
    head = ("bar", "beat", "section", "part", "stem", "from its bar", "bars heard")
    ends = "\nthe piece ends" if bars[-1].ended else ""
    return table(head, rows, right=(0, 1, 5, 6)) + f"{ends}\n"


def _bar_and_beat(clock: BarClock, frame: int) -> tuple[int, str]:
    bar, beat = divmod(round(float(clock.beats(frame)), 3), clock.beats_per_bar)
    return int(bar) + 1, f"{beat + 1:g}"


def _count_and_gestures(words: Sequence[str]) -> tuple[int, list[Gesture]]:
    """`12, cue go in 2, energy=1 in 3`."""
    count, *given = " ".join(words).split(", ")
    gestures = [words.rsplit(" in ", 1) for words in given]
    return int(count), [(int(bar), gesture) for gesture, bar in gestures]


def fixed_score(script: str, snapshot: Snapshot) -> Score:
    piece = accepted(script, snapshot)
    return score(
        piece, snapshot, use=piece.uses[0], at=SystemClock().now(), rate=ENGINE_RATE, must_sound=False
    )


def composed(
    fixed: Score, count: int, gestures: Sequence[Gesture] = (), dials: Mapping[str, float] | None = None
) -> list[Bar]:
    """The first bars of a piece, each with what was chosen in it and why; the last may be its end.

    What a gesture strikes at once is in the bar after that in which it comes.
    """
    latches, state = Latches(), first_state(fixed.piece, dials or {})
    bars: list[Bar] = []
    while len(bars) < count and not state.ended:
        line = fixed.clock.bar_frame(state.bar)
        now = fixed.clock.frame((state.bar - 1) * fixed.clock.beats_per_bar + GESTURE_BEAT - 1)
        given: list[Input] = []
        struck: list[Placement] = []
        for gesture in (words for bar, words in gestures if bar == state.bar):
            kind, _, name = gesture.partition(" ")
            if "=" in gesture:
                dial, value = gesture.split("=")
                latches.turn(fixed.piece.dials[dial], float(value), now, state.grid(fixed.clock), state)
                continue
            cue = Input("cue", name=name)
            reaction = Input("like" if kind == "like" else "dislike", part=name or None)
            at_once, state, left = strike(fixed, state, cue if kind == "cue" else reaction, now)
            struck += at_once.starts
            given.append(left)
        latches.at_line(state, line)
        bar, state = next_bar(fixed, state, tuple(given), why=True)
        bars.append(replace(bar, starts=(*struck, *bar.starts)))
    return bars


def by_chance(script: str, block: Block, snapshot: Snapshot) -> bool:
    """Whether some stem of a plan that is shown was one of several that could have come."""
    fixed = fixed_score(script, snapshot)
    if block.asked[0] == "heard":
        bars = composed(fixed, *_count_and_gestures(block.asked[1:]))
    else:
        options = dict(zip(block.asked[1::2], block.asked[2::2], strict=False))
        name, _, value = options.get("--dial", "").partition("=")
        bars = composed(
            fixed, int(options.get("--bars", PLANNED_BARS)), (), {name: float(value)} if name else {}
        )
    choices = [choice for bar in bars for choice in bar.choices]
    return any(sum(c.excluded is None for c in choice.candidates) > 1 for choice in choices)


def troubles(script: str, home: Path, snapshot: Snapshot) -> list[str]:
    """What is wrong with a right example: mistakes, doubts, another canonical form, or nothing that sounds.

    It is composed while every gesture comes that it could wait for.
    """
    checked, _ = _stemloom(home, "check", script)
    found = [] if checked == f"{NAME}: in order\n" else [checked]
    found += [] if format_text(script) == script else ["not in canonical form"]
    fixed = fixed_score(script, snapshot)
    gestures = [(bar, f"cue {cue}") for cue in fixed.cues for bar in (3, 9)]
    for dial in fixed.piece.dials.values():
        gestures += [(4, f"{dial.name}={dial.hi}"), (8, f"{dial.name}={dial.lo}")]
    bars = composed(fixed, 24, [*gestures, (5, "like"), (6, "dislike")])
    return found if any(bar.starts for bar in bars) else [*found, "nothing sounds"]


# The tutorial


def tutorial(page: str, folder: Path) -> Iterator[str | None]:
    """What each block of the tutorial gives, None for files and commands, in `folder`, which is empty.

    Raises AssertionError where a command's exit code is not what the page says.
    """
    _bring_along(folder)
    exports, output = "", ""
    for block in blocks(page):
        if block.kind == "text":
            yield output
            continue
        if block.kind == "sh":
            done = _run(exports + block.text, folder)
            expected = int(block.info[-1]) if "exits" in block.info else 0
            assert done.returncode == expected, f"line {block.line} exits {done.returncode}:\n{done.stdout}"
            output = done.stdout
            exports += "".join(f"{line}\n" for line in block.text.split("\n") if line.startswith("export "))
        else:
            (folder / block.info[-1]).write_text(block.text, encoding="utf-8")
        yield None


def _bring_along(folder: Path) -> None:
    """The program of this environment, and a recording of the reader's own: four bars of drums."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "stemloom"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stemloom "$@"\n')
    program.chmod(0o755)
    noise = np.random.default_rng(3).standard_normal((16, 2))
    beat = round(60 * ENGINE_RATE / 114)
    strokes = np.exp(-np.arange(beat) / 3000)[None, :, None] * (0.2 + 0.1 * noise[:, None, :])
    tone = np.sin(np.arange(beat) * 2 * np.pi * 180 / ENGINE_RATE)[None, :, None]
    soundfile.write(folder / "mine.wav", (strokes * tone).reshape(-1, 2), ENGINE_RATE, subtype="PCM_24")


def _run(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Commands in a shell; what they print and complain of, in the order in which a terminal shows it."""
    environment = {name: value for name, value in os.environ.items() if name != "STEMLOOM_HOME"}
    environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main() -> None:
    """Rewrite both pages."""
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name) / "home", Path(name) / "newcomer"
        with Vault.open(home, create=True) as vault:
            build(vault)
        add_song(home)
        _rewrite(LANGUAGE, lambda page: language(page, home))
        folder.mkdir()
        _rewrite(TUTORIAL, lambda page: tutorial(page, folder))


def _rewrite(path: Path, outputs: Callable[[str], Iterator[str | None]]) -> None:
    page = path.read_text(encoding="utf-8")
    path.write_text(rewritten(page, list(outputs(page))), encoding="utf-8")


if __name__ == "__main__":
    main()
