"""Writes docs/errors.md: every code of the checker with an example. `python docs/errors.py`.

The texts come from the checker itself: from the first of the wrong scripts in `tests/scripts` that shows a
code, or from the ones made here, so that the page cannot say what the checker does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stemloom.engine.compose.rehearsal import rehearse
from stemloom.script.catalogue import MemoryCatalogue
from stemloom.script.check.check import accepted, check
from stemloom.script.problems import CODES, Problem, ScriptRejected, render
from stemloom.script.text.load import text_of
from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import STRETCH_ALONE, Clearance, Stem
from stemloom.vault.sound.energies import Energies

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
HEAD = """# What the checker says

Every mistake has a code that never changes its meaning. `E` is an error: the script is refused whole, and
the music that plays goes on. `W` is a warning: the script plays. Each is shown here as `stemloom check`
shows it: file, line and column, the mistake, the source line with the place marked, and after `=` a way out
if there is one.
"""
NOW = "2026-06-01T00:00:00.000Z"
POOLS = """piece "P" for stream, export
pool low = loops role bass
pool ann = loops holder Anm
pool keel = loops named Keal
share cap 30% per holder
section s 8 bars
"""
REHEARSED = """piece "P" for stream
tempo 120
pool beats = loops role beats, never twice in 16 bars
pool beat = loops role beats
pool fast = loops role tops
pool ticks = hits role fx
pool low = loops role bass, key any
section walk 8 bars
    bring beats from beats
    vary beats every 4 bars
section run 4 bars
    bring tops from fast
    bring beats from beats
    rest beats
section sprint 8 bars
    bring beats from beat
    vary beats every 4 bars
section slide 4 bars
    bring low from low
    slow to 100 over 2 bars
section stroll 4 bars tempo 85
    bring low from low
section storm 1 bar
"""
CHOPPED = """piece "P" for stream
tempo 120
pool chops = slices role voice
section walk 8 bars
    play chop from chops "x...x..." slice 3
"""
MARCH = """piece "P" for stream
tempo 120
pool beats = loops role beats
section walk 4 bars
    bring beats from beats
"""
PITCH = """piece "P" for stream
tempo 120
key D minor
chords G#
pool pads = loops role pads
pool bells = hits role fx
section walk 4 bars
    bring pads from pads
    play bell from bells "x..." notes root
"""
SONGS = """piece "P" for stream
pool sung = loops song "Low Water", role voice
pool kit = loops song "High Watre", role beats
section verse 8 bars starting at bar 80 of song
    bring voice from sung
    bring kit from kit
"""
LOUD = """piece "P" for stream
tempo 120
loudness -9 LUFS
pool drums = loops role beats
section walk 4 bars
    bring drums from drums
"""
STORM = "".join(f'    play tick{n} from ticks "xxxxxxxxxxxxxxxx"\n' for n in range(30))
STEMS = MemoryCatalogue(
    [{"shape": "loop", "role": "bass", "title": "Keel", "holder": "Ann", "uses": ["stream"]}]
)

SUNG = MemoryCatalogue(
    [
        {"shape": "song", "role": role, "song": song, "beats": 280, "uses": ["stream"]}
        for role, song in (("voice", "Low Water"), ("beats", "High Water"))
    ]
)


def stem(number: int, role: str, bpm: int | None, allows: frozenset[str] = STRETCH_ALONE) -> Stem:
    """One for the dry run: a loop of two bars, or without a tempo a hit that rings for two seconds."""
    return Stem(
        stem=f"s{number:020x}",
        pcm_sha256=f"{number:064x}",
        title=f"{role} {number}",
        holder=f"h{0:020x}",
        role=role,
        shape="loop" if bpm else "hit",
        frames=8 * 60 * 48_000 // bpm if bpm else 96_000,
        channels=2,
        bpm=Fraction(bpm) if bpm else None,
        beats=8 if bpm else None,
        key=None,
        mood=(),
        energy=0.5,
        set=None,
        lufs=-18.0,
        true_peak_dbtp=-3.0,
        sounding_frames=96_000,
        chroma=(),
        clearances={"stream": Clearance(0, NOW, None, allows)},
    )


def examples() -> Iterator[tuple[Problem, str, str]]:
    """Problems, each with its text and the name of its file."""
    for path in sorted((ROOT / "tests" / "scripts").glob("*.loom")):
        text = path.read_bytes().decode()
        for problem in check(text, file=path.name).problems:
            yield problem, text, path.name
    made = {
        "long.loom": check("x" * 300_000),
        "words.loom": check("- " * 100_001),
        "sections.loom": check(
            'piece "P" for stream\n' + "".join(f"section s{n} 1 bar\n" for n in range(1001))
        ),
        "use.loom": check('piece "P" for stream\nsection s 1 bar\n', use="sync"),
    }
    for name, checked in made.items():
        for problem in checked.problems:
            yield problem, "", name
    for problem in check(POOLS, STEMS).problems:
        yield problem, POOLS, "pools.loom"
    for problem in check(SONGS, SUNG).problems:
        yield problem, SONGS, "songs.loom"
    text = REHEARSED + STORM
    stems = [stem(1, "beats", 120), stem(2, "tops", 150), stem(3, "fx", None)]
    stems += [stem(4, "bass", 108), stem(5, "bass", 132)]
    for problem in rehearse(accepted(text), Snapshot(stems, [], 0, NOW), at=NOW):
        yield problem, text, "rehearsed.loom"
    stems = [stem(n, "voice", 120, frozenset(allows)) for n, allows in enumerate((("chop",), ("chop",), ()))]
    snapshot = Snapshot(stems, [], 0, NOW, listen=lambda *_: (0, 48_000))
    for problem in rehearse(accepted(CHOPPED), snapshot, at=NOW):
        yield problem, CHOPPED, "chopped.loom"
    d_minor = tuple((tone in (2, 5, 9)) / 3 for tone in range(12))
    pads = replace(stem(1, "pads", 120), key="D minor", chroma=(d_minor,))
    bell = replace(stem(2, "fx", None), key="D minor")
    for problem in rehearse(accepted(PITCH), Snapshot([pads, bell, stem(3, "fx", None)], [], 0, NOW), at=NOW):
        yield problem, PITCH, "pitch.loom"
    waltz = replace(stem(1, "beats", 120), meter=(3, 4))
    for problem in rehearse(accepted(MARCH), Snapshot([waltz], [], 0, NOW), at=NOW):
        yield problem, MARCH, "march.loom"
    steady = Energies(*np.full((2, 40), 0.02))
    loud = Snapshot([stem(1, "beats", 120)], [], 0, NOW)
    for problem in rehearse(accepted(LOUD), loud, at=NOW, ask=lambda _: {f"s{1:020x}": steady}):
        yield problem, LOUD, "loud.loom"
    try:
        text_of("piece “Été”".encode("utf-16"), 24, "saved.loom")
    except ScriptRejected as refused:
        yield refused.problems[0], "", "saved.loom"


def page() -> str:
    """The whole page. Raises AssertionError for a code that nothing shows."""
    shown: dict[str, str] = {}
    for problem, text, name in examples():
        shown.setdefault(problem.code, render([problem], text, name))
    missing = sorted(set(CODES) - set(shown))
    assert not missing, f"no example shows {', '.join(missing)}"
    parts = [HEAD]
    for code, meaning in sorted(CODES.items()):
        parts.append(f"\n## {code}\n\n{meaning[0].upper()}{meaning[1:]}.\n\n```text\n{shown[code]}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
