"""Composing: what sounds when, who is chosen, and what an edit leaves alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.errors import NothingCleared, UseRefused
from stemloom.engine.fades import natural_end, offset_at
from stemloom.engine.plan import Bar, Placement
from stemloom.script.check.check import accepted
from stemloom.vault.records import Clearance

from .pieces import HEAD, NOW, snapshot, stem

BEATS = [stem(i) for i in range(1, 9)]
BASS = [stem(i, "bass", key="D minor") for i in range(11, 15)]
PADS = [stem(i, "pads", "sustained", key="F major") for i in range(21, 24)]
HITS = [stem(i, "fx", "hit") for i in range(31, 34)]
ALL = [*BEATS, *BASS, *PADS, *HITS]
POOLS = """pool beats = loops role beats
pool low = loops role bass
pool haze = loops role pads
pool spark = hits role fx
"""
DIAL = "dial energy 0..1 = 0 at next bar\n"


def section(name: str, bars: int, *lines: str) -> str:
    return "\n".join([f"section {name} {bars} bars", *(f"    {line}" for line in lines)]) + "\n"


ONE_BEAT = "bring beats from beats"
ONE_LOW = "bring low from low"


def starts(bars: list[Bar]) -> list[Placement]:
    return [p for bar in bars for p in bar.starts]


def shown(bars: list[Bar]) -> list[tuple[int, str, float, float]]:
    """Bar and part of every loop, how many bars it is planned for and at which beat it starts."""
    return [(p.bar, p.part, float(p.bars), float(p.beat)) for p in starts(bars) if not p.hit]


SCRIPTS = {
    "a loop lasts its section": (
        "section a 4 bars\n    bring beats from beats\n",
        [(0, "beats", 4, 0)],
    ),
    "at and for": (
        "section a 8 bars\n    bring beats from beats at bar 3 for 2 bars\n",
        [(2, "beats", 2, 0)],
    ),
    "at a beat": (
        "section a 4 bars\n    bring beats from beats at bar 2 beat 3\n",
        [(1, "beats", 2.5, 2)],
    ),
    "a rest cuts and gives back": (
        "section a 6 bars\n    bring beats from beats\n    rest beats at bar 3 for 1 bars\n",
        [(0, "beats", 6, 0), (3, "beats", 3, 0)],
    ),
    "two sections": (
        section("a", 2, ONE_BEAT) + section("b", 2, ONE_LOW) + "move a -> b at end\n",
        [(0, "beats", 2, 0), (2, "low", 2, 0)],
    ),
    "vary redraws": (
        "section a 8 bars\n    bring beats from beats\n    vary beats every 4 bars\n",
        [(0, "beats", 8, 0), (4, "beats", 4, 0)],
    ),
    "a later line of the same part takes over": (
        "section a 4 bars\n    bring x from beats\n    bring x from low at bar 3\n",
        [(0, "x", 4, 0), (2, "x", 2, 0)],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_give_their_plan(name: str, compose) -> None:
    body, expected = SCRIPTS[name]
    last = "b" if "section b" in body else "a"
    bars = compose(f"{POOLS}{body}move {last} -> silence at end\n", ALL)
    assert shown(bars) == expected
    assert bars[-1].ended


def test_a_rest_stops_just_before_its_bar(compose) -> None:
    bars = compose(
        f"{POOLS}section a 4 bars\n    bring beats from beats\n    rest beats at bar 3\nmove a -> silence\n",
        ALL,
    )
    (stop,) = bars[2].stops
    assert stop.end_frame == bars[2].start_frame
    assert stop.fade_out.frames == 1000


def test_tonal_parts_ring_over_the_bar(compose) -> None:
    bars = compose(f"{POOLS}section a 4 bars\n    bring low from low\nmove a -> silence\n", ALL)
    assert starts(bars)[0].end_frame == bars[-1].start_frame + 2880


def test_hits_fall_on_their_sixteenths(compose) -> None:
    bars = compose(
        f'{POOLS}section a 2 bars\n    play hat from spark "x... ..X. .... x..."\nmove a -> silence\n', ALL
    )
    hits = [p for p in starts(bars) if p.hit]
    assert [(p.bar, p.beat) for p in hits] == [
        (bar, Fraction(step, 4)) for bar in (0, 1) for step in (0, 6, 12)
    ]
    assert [p.gain_db for p in hits] == [-4, 0, -4] * 2
    assert all(p.start_frame == p.bar * 96_000 + int(p.beat * 24_000) for p in hits)


def test_when_is_asked_at_each_bar_line_and_joins_in_phase(compose) -> None:
    text = f"{POOLS}{DIAL}{section('a', 8, ONE_BEAT + ' when energy > 0.5')}move a -> silence\n"
    bars = compose(text, ALL, turns={3: {"energy": 1.0}, 6: {"energy": 0.0}})
    (loop,) = starts(bars)
    assert loop.bar == 3
    assert loop.offset_frames == 96_000  # the second of the loop's two bars
    assert [stop.id for stop in bars[6].stops] == [loop.id]


def test_next_bar_moves_cut_a_section_short(compose) -> None:
    sections = section("a", 16, ONE_BEAT) + section("b", 2, ONE_LOW)
    moves = "move a -> b at next bar when energy > 0.5\nmove b -> silence at end\n"
    text = f"{POOLS}{DIAL}{sections}{moves}"
    bars = compose(text, ALL, turns={5: {"energy": 1.0}})
    assert [bar.section for bar in bars[:8]] == ["a"] * 5 + ["b"] * 2 + [""]
    assert bars[5].stops[0].end_frame == bars[5].start_frame


def test_a_named_origin_beats_any_and_a_condition_beats_none(compose) -> None:
    base = POOLS + "".join(section(name, 1, ONE_BEAT) for name in "abc")
    named = compose(f"{base}move any -> c at end\nmove a -> b at end\n", ALL, bars=2)
    assert named[1].section == "b"
    conditional = compose(
        f"{base}dial e 0..1 = 1 at next bar\nmove a -> b at end\nmove a -> c at end when e > 0.5\n",
        ALL,
        bars=2,
    )
    assert conditional[1].section == "c"


def test_without_a_move_the_text_goes_on_and_the_last_section_repeats(compose) -> None:
    bars = compose(
        f"{POOLS}section a 1 bars\n    bring beats from beats\nsection b 2 bars\n    bring low from low\n",
        ALL,
        bars=6,
    )
    assert [bar.section for bar in bars] == ["a", "b", "b", "b", "b", "b"]


def test_long_placements_go_on_without_a_seam(compose) -> None:
    bars = compose(
        f"{POOLS}section a 150 bars\n    bring beats from beats\nmove a -> silence\n", ALL, bars=200
    )
    first, second, third = starts(bars)
    assert [p.bars for p in (first, second, third)] == [64, 64, 22]
    assert {p.stem for p in (first, second, third)} == {first.stem}
    assert second.start_frame == first.end_frame
    assert second.fade_in.frames == 0
    assert second.offset_frames == (64 * 96_000) % first.variant.frames


LINES = [
    "    bring beats from beats\n",
    "    bring low from low\n",
    "    bring haze from haze\n",
    '    play hat from spark "x.5.x.7."\n',
    "    bring other from beats chance 60%\n",
]


@settings(max_examples=40)
@given(
    kept=st.lists(st.sampled_from(LINES), min_size=1, max_size=4, unique=True),
    edited=st.sampled_from(LINES),
    seed=st.integers(0, 999),
)
def test_editing_one_line_leaves_all_other_choices(kept: list[str], edited: str, seed: int) -> None:
    if edited in kept:
        kept = [line for line in kept if line != edited] or [LINES[1] if edited == LINES[0] else LINES[0]]
    changed = edited.replace("\n", " gain -2 dB\n")

    def others(line: str) -> list[tuple]:
        text = (
            HEAD.replace("seed 7", f"seed {seed}")
            + POOLS
            + "section a 8 bars\n"
            + "".join([kept[0], line, *kept[1:]])
        )
        if LINES[0] in kept:
            text += "    vary beats every 2 bars\n"
        piece = accepted(text)
        edited_line = next(i for i, each in enumerate(text.splitlines(True), 1) if each == line)
        fixed, state = score(piece, snapshot(*ALL), use="stream", at=NOW, rate=48_000), first_state(piece, {})
        found = []
        for _ in range(16):
            bar, state = next_bar(fixed, state)
            found += [(p.part, p.stem, p.start_frame) for p in bar.starts if p.line != edited_line]
        return sorted(found)

    assert others(edited) == others(changed)


def test_a_withdrawn_stem_changes_only_the_choices_it_had_won(compose) -> None:
    # Each section draws for itself: where one returns, it takes what it took.
    body = "".join(section(f"s{number}", 2, ONE_BEAT) for number in range(100))
    before = starts(compose(POOLS + body, ALL, bars=200))
    gone = before[0].stem
    after = starts(compose(POOLS + body, [s for s in ALL if s.stem != gone], bars=200))
    assert len(before) == len(after) == 100
    assert all((a.stem == b.stem) == (b.stem != gone) for a, b in zip(after, before, strict=True))


def test_choice_is_fair(compose) -> None:
    text = f"{POOLS}section a 4000 bars\n    bring beats from beats\n    vary beats every 1 bar\n"
    counts = Counter(p.stem for p in starts(compose(text, ALL, bars=4000)))
    assert len(counts) == 8
    # Eight equal chances in 4 000 draws: five standard deviations are 105.
    assert all(abs(count - 500) < 105 for count in counts.values())


def test_prefer_fresh_takes_the_least_heard(compose) -> None:
    pool = "pool beats = loops role beats, prefer fresh\n"
    bars = compose(f"{pool}section a 1 bars\n    bring beats from beats\n", ALL, bars=80)
    assert set(Counter(p.stem for p in starts(bars)).values()) == {10}


def test_never_twice_keeps_its_distance_and_then_rests(compose) -> None:
    pool = "pool low = loops role bass, never twice in 6 bars\n"
    bars = compose(f"{pool}section a 1 bars\n    bring low from low\n", ALL, bars=60)
    last: dict[str, int] = {}
    for p in starts(bars):
        assert p.bar - last.get(p.stem, -6) >= 6
        last[p.stem] = p.bar
    assert any(bar.rested and "within 6 bars" in bar.rested[0].reason for bar in bars)


def test_only_cleared_stems_sound(compose) -> None:
    other_use = replace(BEATS[0], clearances={"export": Clearance(1, "2026-01-01T00:00:00.000Z", None)})
    expired = replace(BEATS[1], clearances={"stream": Clearance(2, "2026-01-01T00:00:00.000Z", NOW)})
    bars = compose(
        f"{POOLS}section a 1 bars\n    bring beats from beats\n", [other_use, expired, BEATS[2]], bars=50
    )
    assert {p.stem for p in starts(bars)} == {BEATS[2].stem}
    assert all(p.consent == 3 for p in starts(bars))


def test_tempo_and_key_decide_who_fits(compose) -> None:
    stems = [
        stem(1, bpm=Fraction(60), beats=4),  # half time: as it is
        stem(2, bpm=Fraction(134), beats=8),  # 11.7 %
        stem(3, bpm=Fraction(136), beats=8),  # 13.3 %: too far
        stem(4, bpm=Fraction(240), beats=16),  # double time: as it is
        stem(5, "bass", key="D minor"),
        stem(6, "bass", key="F major"),
        stem(7, "bass", key="G minor"),
        stem(8, "bass"),
    ]
    bars = compose(
        f"{POOLS}section a 200 bars\n    bring beats from beats\n    bring low from low\n"
        "    vary beats every 1 bar\n    vary low every 1 bar\n",
        stems,
        bars=200,
    )
    assert {p.title for p in starts(bars)} == {"beats 1", "beats 2", "beats 4", "bass 5", "bass 6"}
    assert {p.variant.frames for p in starts(bars) if p.title == "beats 1"} == {192_000}


def test_the_tempo_needs_the_least_stretching() -> None:
    piece = accepted(
        HEAD.replace("tempo 120", "tempo 110..130") + POOLS + "section a 1 bars\n    bring beats from beats\n"
    )
    stems = [stem(1, bpm=Fraction(113)), stem(2, bpm=Fraction(113)), stem(3, bpm=Fraction(126))]
    fixed = score(piece, snapshot(*stems), use="stream", at=NOW, rate=48_000)
    assert fixed.clock.tempo_bpm == 113


def test_composing_leaves_the_state_it_was_given() -> None:
    piece = accepted(HEAD + POOLS + "section a 2 bars\n    bring beats from beats\n")
    fixed, state = score(piece, snapshot(*ALL), use="stream", at=NOW, rate=48_000), first_state(piece, {})
    assert next_bar(fixed, state)[0] == next_bar(fixed, state)[0]
    assert state == first_state(piece, {})


def test_a_use_that_the_script_is_not_for_is_refused() -> None:
    piece = accepted(HEAD + POOLS + "section a 1 bars\n    bring beats from beats\n")
    with pytest.raises(UseRefused, match=r'"Test" is for stream, not for sync'):
        score(piece, snapshot(*ALL), use="sync", at=NOW, rate=48_000)


def test_when_every_pool_is_empty_it_says_why() -> None:
    piece = accepted(HEAD + "pool beats = loops role beats\nsection a 1 bars\n    bring beats from beats\n")
    with pytest.raises(NothingCleared, match=r"beats: its one stem does not stretch to 120 bpm within 12%"):
        score(piece, snapshot(stem(1, bpm=Fraction(150))), use="stream", at=NOW, rate=48_000)


def test_a_loop_that_goes_on_for_hours_stays_on_the_grid() -> None:
    """It is a whole number of frames long, and drifts by 0.45 of one in two bars: 14 in 64."""
    text = HEAD.replace("120", "119") + POOLS + section("a", 10_000, ONE_BEAT)
    fixed = score(accepted(text), snapshot(*ALL), use="stream", at=NOW, rate=48_000)
    state, made = first_state(fixed.piece, {}), list[Placement]()
    for _ in range(64 * 20 + 1):
        bar, state = next_bar(fixed, state)
        made += bar.starts
    assert len(made) == 21
    for one, other in pairwise(made):
        assert other.variant == one.variant
        assert other.start_frame == natural_end(one)
        assert (other.offset_frames - other.drift_frames) % one.variant.frames == 0
        assert abs(other.drift_frames) <= 48
        assert (other.continues == one.id) == (other.offset_frames == offset_at(one, other.start_frame))
    drifts = [abs(p.drift_frames) for p in made]
    assert max(drifts) > 30
    assert drifts.count(0) == 6
