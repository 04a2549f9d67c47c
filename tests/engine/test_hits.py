"""The hits of `play` lines: their grid, time, level, recordings, and what ends them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.state import first_state
from stemloom.engine.fades import CUT_FADE_FRAMES
from stemloom.engine.plan import Placement
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem

from .pieces import HEAD, NOW, snapshot, sounding, stem

BAR, BEAT, STEP = 96_000, 24_000, 6_000
HITS = [stem(i, "fx", "hit") for i in range(1, 8)]
NOTES = [stem(i, "bass", "hit", frames=200_000, sounding_frames=190_560) for i in range(11, 14)]
RISERS = [stem(21, "fx", "hit", frames=150_000, sounding_frames=140_003, mood=("rise",))]
POOLS = """pool spark = hits role fx, not mood rise
pool bass = hits role bass, key any
pool risers = hits role fx, mood rise
"""


def scored(text: str, stems: list[Stem] | None = None, head: str = HEAD) -> Score:
    found = [*HITS, *NOTES, *RISERS] if stems is None else stems
    return score(accepted(head + POOLS + text), snapshot(*found), use="stream", at=NOW, rate=48_000)


def heard(text: str, bars: int = 8, stems: list[Stem] | None = None, head: str = HEAD) -> list[Placement]:
    """The hits of the first bars, each as long as it sounds in the end, in the order of their starts."""
    found = sounding(scored(text, stems, head), bars)
    return sorted(found, key=lambda p: (p.start_frame, p.id))


def line(words: str, bars: int = 1) -> str:
    return f"section a {bars} bars\n    {words}\nmove a -> a at end\n"


@pytest.mark.parametrize(
    ("meter", "words", "expected"),
    [
        ("4/4", '"x.x.x.x.x.x." steps 12', [Fraction(2 * i, 3) for i in range(6)]),
        ("4/4", '"xxxx............................" steps 32', [Fraction(i, 8) for i in range(4)]),
        ("4/4", "euclid 3 in 3 steps 3", [Fraction(4 * i, 3) for i in range(3)]),
        ("7/8", '"xxxx" steps 4', [Fraction(7 * i, 4) for i in range(4)]),
        ("3/4", '"x" steps 1', [Fraction(0)]),
        ("4/4", '"x....x" steps 5', [Fraction(0), Fraction(4)]),
    ],
)
def test_steps_divide_the_bar(meter: str, words: str, expected: list[Fraction]) -> None:
    hits = heard(line(f"play x from spark {words}", 4), 1, head=f"{HEAD}meter {meter}\n")
    beats = [p.beat for p in hits]
    assert beats == [beat for beat in expected if beat < int(meter[0])]


def test_steps_and_ends_follow_the_grid_of_their_section() -> None:
    """A bar of 3/4 at 60 bpm, a second a beat, that slows to 30 over its second bar."""
    text = """section a 2 bars
section b 3 bars tempo 60 meter 3/4
    play x from spark "x" steps 4 length 1/8 note
    play low from bass ending at bar 2
    slow to 30 over 1 bars at bar 2
move a -> b
move b -> silence
"""
    hits = heard(text, 6)
    first, x = 2 * BAR, [p for p in hits if p.part == "x"]
    assert [p.start_frame - first for p in x[:5]] == [0, 36_000, 72_000, 108_000, 144_000]
    assert {p.end_frame - p.start_frame for p in x[:4]} == {24_000}
    slowed = [p.start_frame - first for p in x if p.bar == 3]
    assert slowed == sorted(slowed)
    assert slowed[3] - slowed[2] > 40_000
    (low,) = (p for p in hits if p.part == "low")
    assert low.end_frame == first + 144_000


def test_a_pattern_of_another_grid_goes_on_over_bar_lines() -> None:
    hits = heard(line('play x from spark "x....." steps 4', 8), 3)
    assert [p.bar * 4 + p.beat for p in hits] == [0, 6]


def test_a_ghost_an_accent_and_a_plain_hit() -> None:
    assert [p.gain_db for p in heard(line('play x from spark "Xxo."'), 1)[:3]] == [0, -4, -12]


WANDERING = {
    "humanise 8 ms": (-384, 384),
    "late 8 ms": (0, 384),
    "humanise 50 ms late 50 ms": (-2400, 4800),
}


@pytest.mark.parametrize("words", WANDERING)
def test_hits_wander_around_the_grid_and_never_before_their_section(words: str) -> None:
    least, most = WANDERING[words]
    hits = heard(line(f'play x from spark "x..." {words}', 64), 64)
    off = np.array([p.start_frame - p.bar * BAR - round(p.beat * BEAT) for p in hits])
    assert hits[0].start_frame >= 0
    assert len(hits) == 256
    assert least <= off.min() <= least + (most - least) / 5
    assert most - (most - least) / 5 <= off.max() <= most
    again = heard(line(f'play x from spark "x..." {words}', 2), 4)
    assert all(p.start_frame >= p.bar // 2 * 2 * BAR for p in again)


def uniform(values: np.ndarray, lo: float, hi: float) -> None:
    """Kolmogorov and Smirnov's distance from the uniform distribution, at a level of 0.1 %."""
    found = np.sort((values - lo) / (hi - lo))
    steps = np.arange(len(found) + 1) / len(found)
    distance = max(np.abs(found - steps[1:]).max(), np.abs(found - steps[:-1]).max())
    assert distance < 1.95 / np.sqrt(len(found)), distance


def test_ten_thousand_hits_are_distributed_as_said() -> None:
    words = 'play x from spark "xxxxxxxxxxxxxxxx" loose 3 dB humanise 8 ms each hit new pan random -0.5..0.5'
    hits = heard(line(words, 640), 640)
    assert len(hits) >= 10_000
    assert all(a.stem != b.stem for a, b in pairwise(sorted(hits, key=lambda p: (p.bar, p.beat))))
    rest = [p for p in hits if p.bar or p.beat]
    uniform(np.array([p.gain_db + 4 for p in rest]), -3, 3)
    uniform(np.array([p.start_frame - p.bar * BAR - round(p.beat * BEAT) for p in rest]), -384.5, 384.5)
    uniform(np.array([p.pan for p in rest]), -0.5, 0.5)
    counts = Counter(p.stem for p in hits)
    assert set(counts) == {each.stem for each in HITS}
    assert max(counts.values()) - min(counts.values()) <= 1
    levels, pans = (np.array([getattr(p, n) for p in rest], float) for n in ("gain_db", "pan"))
    assert abs(np.corrcoef(levels, pans)[0, 1]) < 0.04


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_no_recording_comes_again_before_all_have_had_their_turn(count: int) -> None:
    hits = heard(line('play x from spark "xxx.xxx.xxxx" each hit new', 4), 40, HITS[:count])
    stems = [p.stem for p in hits]
    if count > 1:
        assert all(a != b for a, b in pairwise(stems))
    visit = [p.stem for p in hits if p.bar < 4]
    for first in range(0, len(visit) - count + 1, count):
        assert len(set(visit[first : first + count])) == count


def test_a_section_that_returns_plays_the_same_recordings() -> None:
    text = 'section a 2 bars\n    play x from spark "x.xx" each hit new\nsection b 1 bar\nmove b -> a\n'
    hits = heard(text, 6)
    first, again = ([p.stem for p in hits if p.bar // 3 == visit] for visit in (0, 1))
    assert first == again or sum(a != b for a, b in zip(first, again, strict=True)) < 8


def test_a_stem_that_is_withdrawn_changes_little_more_than_what_it_had_won() -> None:
    many = [stem(i, "fx", "hit") for i in range(1, 65)]
    text = line('play x from spark "xxxxxxxxxxxxxxxx" each hit new', 8)
    for gone in (3, 30, 60):
        before, after = (
            [p.stem for p in heard(text, 4, stems)]
            for stems in (many, [s for s in many if s is not many[gone]])
        )
        assert sum(a != b for a, b in zip(before[:63], after[:63], strict=True)) <= 12
        first = before.index(many[gone].stem)
        assert before[:first] == after[:first]


def test_never_twice_counts_only_where_it_is_asked_for() -> None:
    text = line('play x from once "x.x.x.x.x.x.x.x." each hit new', 4)
    asked = "pool once = hits role fx, not mood rise, never twice in 2 bars\n" + text
    assert len(heard(text.replace("once", "spark"), 2)) == 16
    assert len(heard(asked, 2)) == len(HITS)


def test_a_bass_line_ends_each_note_where_the_next_begins() -> None:
    hits = heard(line('play low from bass "x."', 2), 6)
    assert [p.end_frame - p.start_frame for p in hits[:-1]] == [2 * STEP] * (len(hits) - 1)
    assert all(p.fade_out.frames == CUT_FADE_FRAMES for p in hits[:-1])
    assert {p.bars for p in hits if p.beat < 3} == {Fraction(1, 8)}
    ringing = heard(line('play low from spark "x."', 2), 6)
    assert all(p.end_frame - p.start_frame == HITS[0].sounding_frames for p in ringing)
    cut = heard(line('play low from spark "x." cut', 2), 6)
    assert all(p.end_frame - p.start_frame == 2 * STEP for p in cut[:-1])


def test_closed_and_open_hats_choke_each_other() -> None:
    lines = 'play shut from spark "x.x...x." choke hats\n    play open from spark "...x...." choke hats\n'
    for text in (lines, lines.replace("choke hats", "choke open", 1).replace(" choke hats", "")):
        hits = heard(f"section a 2 bars\n    {text}", 2)
        assert [p.part for p in hits[:4]] == ["shut", "shut", "open", "shut"]
        assert all(a.end_frame == min(b.start_frame, a.start_frame + 24_000) for a, b in pairwise(hits))


def test_of_two_that_begin_at_once_the_later_line_is_heard() -> None:
    lines = 'play shut from spark "x..." choke hats\n    play open from spark "x..." choke hats\n'
    assert {p.part for p in heard(f"section a 2 bars\n    {lines}", 2)} == {"open"}


WORDS = st.lists(
    st.sampled_from(["humanise 50 ms", "late 50 ms", "swing 75%", "length 90 ms", "chance 70%", "choke all"]),
    max_size=3,
    unique=True,
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.text("x.X5o", min_size=1, max_size=9), WORDS), min_size=1, max_size=3),
    st.integers(0, 99),
    st.sampled_from([100, 190, 390]),
)
def test_no_two_hits_of_a_voice_sound_at_once(
    lines: list[tuple[str, list[str]]], seed: int, bpm: int
) -> None:
    """Wherever swing, chance and wandering put them, across bar lines and sections."""
    body = "".join(f'    play low from bass "{steps}" {" ".join(words)}\n' for steps, words in lines)
    body += '    play other from spark "x.x.x" choke all\n    play third from spark ".x" choke all\n'
    head = HEAD.replace("seed 7", f"seed {seed}").replace("tempo 120", f"tempo {bpm}")
    hits = heard(f"section a 1 bar\n{body}section b 2 bars\n{body}move b -> a\n", 8, head=head)
    voices: dict[object, list[Placement]] = {}
    shared = any("choke all" in words for _, words in lines)
    for p in hits:
        voice: object = (p.part, (p.line - 8) % (len(lines) + 3)) if p.part == "low" else "all"
        voices.setdefault("all" if shared else voice, []).append(p)
    for mine in voices.values():
        assert all(a.end_frame <= b.start_frame for a, b in pairwise(mine))
        assert all(p.end_frame > p.start_frame for p in mine)


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        ("length 1/8 note", 12_000),
        ("length 3/16 note", 18_000),
        ("length 2 beats", 48_000),
        ("length 120 ms", 5_760),
        ("length 1 bars", 96_000),
        ("length 9 bars", 190_560),
    ],
)
def test_a_hit_has_a_length(words: str, frames: int) -> None:
    (hit,) = heard(line(f'play low from bass "X..............................." {words}', 2), 2)
    assert hit.end_frame - hit.start_frame == frames
    assert hit.fade_out.frames == 1000


def test_a_note_is_as_long_in_every_meter() -> None:
    hits = heard(line('play x from bass "x" steps 1 length 1/8 note', 2), 2, head=f"{HEAD}meter 6/8\n")
    assert hits[0].end_frame - hits[0].start_frame == 24_000


@pytest.mark.parametrize(
    ("words", "bars", "end"),
    [
        ("ending at bar 9", 8, 8 * BAR),
        ("ending at bar 3 beat 2.5", 8, 2 * BAR + 36_000),
        ("ending at bar 9", 12, 8 * BAR),
        ("ending at bar 2", 8, BAR),
        ("ending at bar 9 reverse", 8, 8 * BAR),
    ],
)
def test_a_hit_ends_to_the_sample(words: str, bars: int, end: int) -> None:
    (hit,) = heard(line(f"play rise from risers {words}", bars), bars)
    assert hit.end_frame == end
    played = 150_000 if "reverse" in words else 140_003
    assert hit.start_frame == max(end - played, 0)
    assert hit.offset_frames == played - (end - hit.start_frame)
    assert bool(hit.fade_in.frames) == bool(hit.offset_frames)
    assert hit.bar == hit.start_frame // BAR


@pytest.mark.parametrize(
    ("peak", "words", "at"),
    [
        (100_800, "", 100_800),
        (60_000, "", 140_003),
        (2_400, "reverse", 150_000),
        (60_000, "reverse", 92_400),
        (120_000, "reverse", 150_000),
    ],
)
def test_what_grows_peaks_where_it_is_to_end(peak: int, words: str, at: int) -> None:
    riser = [replace(RISERS[0], peak_frame=peak)]
    (hit,) = heard(line(f"play rise from risers ending at bar 5 {words}", 8), 8, [*HITS, *NOTES, *riser])
    assert hit.start_frame == 4 * BAR - at
    assert hit.end_frame == hit.start_frame + (150_000 if words else 140_003)


def test_a_hit_ends_where_its_section_does_as_it_is_drawn() -> None:
    text = "section a 4..16 bars\n    play rise from risers ending at bar 9\nsection b 4 bars\nmove b -> a\n"
    fixed = scored(text)
    state, ends, lengths = first_state(fixed.piece, {}), [], []
    for _ in range(600):
        bar, state = next_bar(fixed, state)
        assert state.visit is not None
        first = state.visit.first_bar * BAR
        if bar.section == "a" and not bar.section_bar:
            lengths.append(state.visit.bars)
        ends += [(p.end_frame - first, state.visit.bars) for p in bar.starts]
    assert {end for end, _ in ends} == {8 * BAR}
    assert len(ends) == sum(length >= 8 for length in lengths)
    assert {length for _, length in ends} == {8, 12, 16}


def test_what_ends_somewhere_may_rest_and_depends_on_chance() -> None:
    assert not heard("section a 8 bars\n    play rise from risers ending at bar 9\n    rest rise\n", 8)
    visits = heard(line("play rise from risers ending at bar 3 chance 50%", 2), 80)
    assert 10 < len(visits) < 30


def test_an_edit_of_one_line_moves_no_hit_of_another() -> None:
    first = 'play x from spark "x.x5" loose 3 dB humanise 8 ms each hit new'
    second = 'play low from bass "x.5." late 9 ms gain random -6..0 dB'
    plain = heard(f"section a 4 bars\n    {first}\n    {second}\n", 8)
    for words in ("", "loose 9 dB", "humanise 2 ms", "late 2 ms", "each hit new", "cut", "length 1/16 note"):
        edited = heard(f'section a 4 bars\n    {first}\n    play low from bass "xx.x" {words}\n', 8)
        mine, before = ([replace(p, id=0) for p in hits if p.part == "x"] for hits in (edited, plain))
        assert mine == before
