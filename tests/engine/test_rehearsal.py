"""The dry run: what would be missed on stage is said before it sounds, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from stemloom.engine.compose import rehearsal
from stemloom.engine.compose.rehearsal import MOST_BARS, rehearse
from stemloom.script.check.check import accepted
from stemloom.script.problems import render
from stemloom.vault.records import Clearance, Stem

from .pieces import HEAD, NOW, snapshot, stem

BEATS = [stem(1), stem(2)]
HIT = stem(3, "fx", "hit")


def said(text: str, stems: list[Stem]) -> str:
    text = text if text.startswith("piece") else HEAD + text
    return render(rehearse(accepted(text), snapshot(*stems), at=NOW), text, "t.loom")


IN_ORDER = {
    "plain": "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n",
    "an empty pool is the checker's": "pool b = loops role tops\npool c = loops role beats\n"
    "section s 4 bars\n    bring b from b\n    bring c from c\n",
    "silence that is meant": "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n"
    "section breath 1 bar\nmove s -> breath at end\n",
    "silence until a dial is turned": "pool b = loops role beats\ndial energy 0..1 = 0 at next bar\n"
    "section s 4 bars\n    bring b from b when energy > 0.5\n",
    "a part that is held": "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n"
    "section t 4 bars\n    hold b\n",
    "what is varied": "pool b = loops role beats\nsection s 8 bars\n    bring b from b\n"
    "    vary b every 4 bars\n",
    "what may be varied": "pool b = loops role beats\nsection s 8 bars\n    bring b from b for 3 bars\n"
    "    vary b every 4 bars chance 50%\n",
    "a line behind the bars that are looked at": "pool b = loops role beats\nsection s 300 bars\n"
    "    bring b from b at bar 280\n",
    "a line behind the length that is drawn": "pool b = loops role beats\nsection s 4..64 bars\n"
    "    bring b from b at bar 64\n",
    "silence until a rest's dial is turned": "pool b = loops role beats\ndial energy 0..1 = 0 at next bar\n"
    "section s 4 bars\n    bring b from b\n    rest b when energy < 0.5\n",
    "a fill alone": "pool b = loops role beats\nsection s 4 bars\n    bring b from b\nsection t 4 bars\n"
    "section u 4 bars\n    bring b from b\n    bring f from b\nmove u -> s through f at end\n",
    "no hits, as it says": "pool x = hits role fx\npool b = loops role beats\nsection s 4 bars\n"
    '    play x from x euclid 0 in 8\n    play y from x "...."\n',
    "left at once": "pool b = loops role beats\ndial energy 0..1 = 1 at next bar\nsection s 8 bars\n"
    "    bring b from b\nsection t 8 bars\n    bring b from b\nmove s -> t at next bar when energy > 0.5\n",
}


@pytest.mark.parametrize("text", IN_ORDER.values(), ids=IN_ORDER)
def test_nothing_is_said_of(text: str) -> None:
    assert said(text, [*BEATS, HIT]) == ""


FOUND = {
    "W020 tempo": (
        "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n",
        [stem(1, bpm=Fraction(150), beats=8)],
        """\
t.loom:5:1: warning W020: pool b is empty: its one stem does not stretch to 120 bpm within 12%: it needs 25%
  5 | pool b = loops role beats
    | ^^^^^^^^^^^^^^^^^^^^^^^^^
    = widen `tempo` or `key`, or give the pool `max stretch`, `max shift` or `key any`""",
    ),
    "W022": (
        "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n    rest b\n",
        BEATS,
        """\
t.loom:6:1: warning W022: nothing sounds in section s
  6 | section s 4 bars
    | ^^^^^^^^^^^^^^^^
    = its lines rest all through it""",
    ),
    "W022 so far": (
        "pool b = loops role beats\nsection s 300 bars\n    bring b from b\n    rest b for 299 bars\n",
        BEATS,
        """\
t.loom:6:1: warning W022: nothing sounds in the first 256 bars of section s
  6 | section s 300 bars
    | ^^^^^^^^^^^^^^^^^^
    = its lines rest all through it""",
    ),
    "W024 so far": (
        "pool b = loops role beats\nsection s 300 bars\n    bring b from b\n    vary b every 4 bars\n",
        BEATS[:1],
        """\
t.loom:8:5: warning W024: this changes nothing in the first 256 bars of section s: """
        """no other stem of the pool may sound here
  8 |     vary b every 4 bars
    |     ^^^^^^^^^^^^^^^^^^^
    = `stemloom plan --why` says what leaves the others out, such as a clash with what sounds""",
    ),
    "W020 key": (
        "pool l = loops role bass\npool b = loops role beats\nsection s 4 bars\n    bring l from l\n"
        "    bring b from b\n",
        [*BEATS, stem(3, "bass", key="G# minor"), stem(4, "bass")],
        """\
t.loom:5:1: warning W020: pool l is empty: none of 2 stems fits D minor (1 of unknown key)
  5 | pool l = loops role bass
    | ^^^^^^^^^^^^^^^^^^^^^^^^
    = widen `tempo` or `key`, or give the pool `max stretch`, `max shift` or `key any`""",
    ),
    "W021 never twice": (
        "pool b = loops role beats, never twice in 9 bars\nsection s 4 bars\n    bring b from b\n"
        "section t 8 bars\n    bring b from b\n    vary b every 2 bars\n",
        BEATS,
        """\
t.loom:9:5: warning W021: b rests in bar 3 of section t: pool b is empty: every stem has sounded within 9 bars
  9 |     bring b from b
    |     ^^^^^^^^^^^^^^
    = let its pool take in more, or repeat sooner""",
    ),
    "W021 hold": (
        "pool b = loops role beats\nsection s 4 bars\nsection t 8 bars\n    bring c from b at bar 2\n"
        "    hold b\nsection u 4 bars\n    bring b from b\n",
        BEATS,
        """\
t.loom:9:5: warning W021: b rests in bar 1 of section t: nothing of it came from the section before
  9 |     hold b
    |     ^^^^^^
    = bring it there first""",
    ),
    "W023": (
        "pool x = hits role fx\nsection s 1 bar\n"
        + "".join(f'    play p{i} from x "xxxxxxxxxxxxxxxx"\n' for i in range(30)),
        [stem(1, "fx", "hit", frames=96_000, sounding_frames=96_000)],
        """\
t.loom:6:1: warning W023: 480 sounds at once in bar 1 of section s; 256 can sound
  6 | section s 1 bar
    | ^^^^^^^^^^^^^^^
    = the oldest hits give way: play fewer, or shorter ones""",
    ),
    "W024": (
        "pool b = loops role beats\nsection s 8 bars\n    bring b from b\n    vary b every 4 bars\n",
        BEATS[:1],
        """\
t.loom:8:5: warning W024: this changes nothing in section s: no other stem of the pool may sound here
  8 |     vary b every 4 bars
    |     ^^^^^^^^^^^^^^^^^^^
    = `stemloom plan --why` says what leaves the others out, such as a clash with what sounds""",
    ),
}


@pytest.mark.parametrize(("text", "stems", "expected"), FOUND.values(), ids=FOUND)
def test_the_dry_run_finds(text: str, stems: list[Stem], expected: str) -> None:
    assert said(text, stems) == expected


def test_a_doubt_names_the_uses_that_it_is_for() -> None:
    text = """piece "P" for stream, export
tempo 120
pool b = loops role beats
section s 4 bars
    bring b from b
"""
    at = "2026-01-01T00:00:00.000Z"
    for_stream = stem(1, clearances={"stream": Clearance(1, at, None), "export": Clearance(2, at, None)})
    fast = stem(2, bpm=Fraction(170), clearances={"stream": Clearance(3, at, None)})
    slow = stem(3, bpm=Fraction(85), clearances={"export": Clearance(4, at, None)})
    right = replace(slow, bpm=Fraction(120), frames=192_000)
    for other, uses in ((slow, "stream, export"), (right, "stream")):
        (tempo,) = rehearse(accepted(text), snapshot(fast, other), at=NOW)
        assert tempo.message.endswith(
            f"its one stem does not stretch to 120 bpm within 12%: it needs 41.2% (for {uses})"
        )
    assert rehearse(accepted(text), snapshot(for_stream), at=NOW) == ()
    assert rehearse(accepted(text), snapshot(fast), at=NOW, uses=("stream",))[0].message.endswith(
        "12%: it needs 41.2%"
    )


def test_at_most_so_many_bars_are_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[str] = []
    real = rehearsal.next_bar

    def counting(fixed: object, state: object) -> object:
        bar, state = real(fixed, state)  # type: ignore[arg-type]
        composed.append(bar.section)
        return bar, state

    monkeypatch.setattr(rehearsal, "next_bar", counting)
    sections = "".join(f"section s{n} 1000 bars\n    bring b from b\n" for n in range(40))
    text = "pool b = loops role beats\n" + sections
    assert said(text, BEATS) == ""
    assert len(composed) == MOST_BARS // 40 * 40
    assert len(set(composed)) == 40
