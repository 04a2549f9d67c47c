"""What a section that returns keeps, what it draws anew, and what one that is `as` another has from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.clock import BarClock
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.form import Visit
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.spells import round_of, spell_at, spells
from stemloom.engine.compose.state import State, first_state
from stemloom.engine.compose.swap import carried, rescored
from stemloom.engine.plan import Bar
from stemloom.script.check.check import accepted, check
from stemloom.script.piece import LineWindow, Rest, Section, Span

from .pieces import NOW, snapshot, stem

STEMS = [
    *(stem(i) for i in range(1, 9)),
    *(stem(i, "tops") for i in range(11, 19)),
    *(stem(i, "fx", "hit") for i in range(21, 27)),
]
HEAD = """piece "Returns" for stream
tempo 120
seed {}
pool beats = loops role beats{}
pool tops = loops role tops
pool sparks = hits role fx
"""
FORM = """section verse 4 bars
    bring ride from tops
section chorus 8 bars{}
    bring beats from beats
    bring ride from tops
    play tick from sparks "x...x..."
    vary beats every 2 bars
{}move verse -> chorus
move chorus -> verse
"""
SEEDS = range(12)


def begun(script: str) -> tuple[Score, State]:
    fixed = score(accepted(script), snapshot(*STEMS), use="stream", at=NOW, rate=48_000)
    return fixed, first_state(fixed.piece, {})


def bars(
    script: str, count: int, inputs: dict[int, Callable[[State], object]] | None = None
) -> Iterator[Bar]:
    fixed, state = begun(script)
    for number in range(count):
        if inputs and number in inputs:
            inputs[number](state)
        bar, state = next_bar(fixed, state)
        yield bar


Took = list[tuple[int, str]]


def visits(of: str, made: Iterator[Bar]) -> list[dict[str, Took]]:
    """Of each visit of a section: what each part starts, by bar of the section."""
    found: list[dict[str, Took]] = []
    for bar in made:
        if bar.section == of:
            if bar.section_bar == 0:
                found.append({})
            for each in bar.starts:
                found[-1].setdefault(each.part, []).append((bar.section_bar, each.stem))
    return found


def form(head: str = "", lines: str = "", pool: str = "", seed: int = 3) -> str:
    return HEAD.format(seed, pool) + FORM.format(head, lines)


def test_a_fresh_section_draws_anew_on_each_visit_and_first_as_if_it_were_not() -> None:
    for seed in SEEDS:
        kept = visits("chorus", bars(form(seed=seed), 36))
        fresh = visits("chorus", bars(form(" fresh", seed=seed), 36))
        assert kept[0] == kept[1] == kept[2] == fresh[0]
        for before, after in pairwise(fresh):
            for part in ("beats", "ride", "tick"):
                assert before[part][0] != after[part][0], (seed, part)


def test_fresh_draws_are_spread_over_the_pool() -> None:
    took = [visit["ride"][0][1] for visit in visits("chorus", bars(form(" fresh"), 12 * 160))]
    counts = [took.count(each.stem) for each in STEMS if each.role == "tops"]
    assert sum(counts) == 160
    assert min(counts) >= 8


def test_a_part_that_is_varied_by_visit_is_another_each_time_and_no_other_part_is() -> None:
    for seed in SEEDS:
        kept = visits("chorus", bars(form(seed=seed), 36))
        varied = visits("chorus", bars(form(lines="    vary ride every visit\n", seed=seed), 36))
        for n, visit in enumerate(varied):
            assert {p: visit[p] for p in ("beats", "tick")} == {p: kept[n][p] for p in ("beats", "tick")}
        assert varied[0] == kept[0]
        assert all(a["ride"] != b["ride"] for a, b in pairwise(varied))


def test_the_only_stem_of_a_pool_returns_even_where_it_is_fresh() -> None:
    script = form(" fresh").replace("role tops", "role tops, energy 0.9..1")
    stems = [*(each for each in STEMS if each.role != "tops"), stem(11, "tops", energy=1.0)]
    fixed = score(accepted(script), snapshot(*stems), use="stream", at=NOW, rate=48_000)
    state, took = first_state(fixed.piece, {}), set[str]()
    for _ in range(36):
        bar, state = next_bar(fixed, state)
        took |= {each.stem for each in bar.starts if each.part == "ride"}
    assert took == {stem(11).stem}


def test_a_swap_in_a_fresh_section_lasts_for_its_visit() -> None:
    def swap(state: State) -> None:
        state.swaps.add("ride")

    plain = visits("chorus", bars(form(" fresh"), 24))
    swapped = visits("chorus", bars(form(" fresh"), 24, {6: swap}))
    assert [bar for bar, _ in swapped[0]["ride"]] == [0, 2]
    assert swapped[0]["ride"][0] == plain[0]["ride"][0]
    assert swapped[1]["ride"][0][1] != swapped[0]["ride"][1][1]


SHARED = """section a 8 bars
    bring ride from tops at bar 1 for 2 bars
    bring ride from tops at bar 3 for 2 bars gain -3 dB
    bring ride from beats at bar 5
    play tick from sparks "X..............."
    play tick from sparks "........x......." gain -6 dB
    play tock from sparks "....x..........."
move a -> a
"""


def test_lines_of_one_part_and_one_pool_share_their_choice() -> None:
    differ = False
    for seed in SEEDS:
        for visit in visits("a", bars(HEAD.format(seed, "") + SHARED, 16)):
            assert len({stem for _, stem in visit["tick"]}) == 1
            (_, first), *more = visit["ride"]
            assert [took for _, took in more if int(took[1:], 16) > 10] in ([], [first])
            differ = differ or visit["tock"][0][1] != visit["tick"][0][1]
    assert differ


def test_one_swap_changes_all_lines_that_share_a_choice() -> None:
    def swap(state: State) -> None:
        state.swaps.add("tick")

    for seed in SEEDS:
        (visit,) = visits("a", bars(HEAD.format(seed, "") + SHARED, 8, {3: swap}))
        by_bar = [{took for bar, took in visit["tick"] if bar == n} for n in range(8)]
        assert all(len(took) == 1 for took in by_bar)
        assert by_bar[2] != by_bar[3] == by_bar[7]


def test_a_line_before_its_like_shares_what_that_one_kept() -> None:
    """What was swapped stays swapped, though another line keeps the choice now."""
    script = HEAD.format(3, "") + SHARED
    fixed, state = begun(script)
    state.swaps.add("tick")
    for _ in range(2):
        bar, state = next_bar(fixed, state)
    ticks = {each.stem for each in bar.starts if each.part == "tick"}
    line = '    play tick from sparks "X..............."\n'
    for edited in (
        script.replace(line, ""),
        script.replace(line, line + line.replace("X", ".").replace("....", "x...", 1)),
    ):
        coming = rescored(fixed, accepted(edited), fixed.snapshot, NOW)
        now, _ = carried(state, fixed, coming)
        bar, _ = next_bar(coming, now)
        assert {each.stem for each in bar.starts if each.part == "tick"} == ticks


AS = """section verse 4 bars
    bring ride from tops
section chorus 8 bars
    bring beats from beats
    bring ride from tops at bar 3 for 4 bars
    play tick from sparks "x..............x"
    vary beats every 4 bars
    rest tick at bar 8
section last {} bars as chorus{}
{}move verse -> chorus
move chorus -> last
move last -> verse
"""


def lasts(bars_long: int, lines: str = "", head: str = "", seed: int = 3) -> str:
    return HEAD.format(seed, "") + AS.format(bars_long, head, lines)


def test_a_section_as_another_has_its_lines_and_choices() -> None:
    for seed in SEEDS:
        (chorus,) = visits("chorus", bars(lasts(8, seed=seed), 20))
        (last,) = visits("last", bars(lasts(8, seed=seed), 20))
        assert last == chorus


def test_a_longer_one_repeats_it_and_goes_on_as_one_sound() -> None:
    for seed in SEEDS:
        script = lasts(20, seed=seed)
        (chorus,) = visits("chorus", bars(script, 32))
        (last,) = visits("last", bars(script, 32))
        for part in ("beats", "ride", "tick"):
            rounds = [(n + bar, took) for n in (0, 8, 16) for bar, took in chorus[part] if n + bar < 20]
            assert last[part] == rounds, part
    # A loop that does not change at the seam is one sound.
    made = list(bars(lasts(20).replace("    vary beats every 4 bars\n", ""), 32))
    (again,) = (each for bar in made for each in bar.starts if (bar.section_bar, each.part) == (8, "beats"))
    assert again.continues is not None
    assert again.start_frame in {stop.end_frame for bar in made for stop in bar.stops}


def test_a_shorter_one_has_its_beginning() -> None:
    (chorus,) = visits("chorus", bars(lasts(4), 16))
    (last,) = visits("last", bars(lasts(4), 16))
    assert last == {part: [each for each in took if each[0] < 4] for part, took in chorus.items()}


def test_its_own_lines_replace_those_of_their_part() -> None:
    own = '    bring ride from beats\n    rest beats at bar 2\n    play zap from sparks "X..............."\n'
    (chorus,) = visits("chorus", bars(lasts(8), 20))
    (last,) = visits("last", bars(lasts(8, own), 20))
    assert last["tick"] == chorus["tick"]
    assert last["beats"] == [chorus["beats"][0]]
    assert len(last["ride"]) == 1
    assert last["ride"][0][0] == 0
    assert len(last["zap"]) == 8


def test_its_own_line_of_the_same_part_and_pool_has_the_others_stem() -> None:
    """A chorus that comes back louder is the same chorus."""
    own = "    bring ride from tops gain 2 dB\n    bring beats from beats gain 2 dB\n"

    def swap(state: State) -> None:
        state.swaps.add("ride")

    for seed in SEEDS:
        for edits in ({}, {4 + 3: swap}):
            made = list(bars(lasts(8, own, seed=seed), 20, edits))
            (chorus,), (last,) = (visits(of, iter(made)) for of in ("chorus", "last"))
            assert last["beats"] == chorus["beats"][:1]
            assert last["ride"] == [(0, chorus["ride"][-1][1])]


def test_a_swap_and_a_dislike_in_one_hold_in_the_other() -> None:
    def swap(state: State) -> None:
        state.swaps.add("ride")

    made = list(bars(lasts(8), 44, {4 + 3: swap}))
    chorus, later = visits("chorus", iter(made))
    last, latest = visits("last", iter(made))
    assert [bar for bar, _ in chorus["ride"]] == [2, 3]
    assert chorus["ride"][0][1] != chorus["ride"][1][1]
    for each in (last, later, latest):
        assert each["ride"] == [(2, chorus["ride"][1][1])]


def test_a_section_as_a_fresh_one_draws_for_itself() -> None:
    script = lasts(8, head=" fresh")
    differ = 0
    for seed in SEEDS:
        made = list(bars(script.replace("seed 3", f"seed {seed}"), 40))
        (chorus, again), (last, latest) = (visits(of, iter(made)) for of in ("chorus", "last"))
        assert chorus == again
        assert last["ride"] != latest["ride"]
        differ += last != chorus
    assert differ == len(SEEDS)


def test_tempo_metre_and_key_are_those_of_the_other_but_for_its_own() -> None:
    head = "tempo 96 meter 3/4 key E minor"
    script = lasts(8, "    rest beats at bar 2 beat 3 for 1 beat\n").replace("seed", "key D minor\nseed")
    script = script.replace("section chorus 8 bars", f"section chorus 8 bars {head}")
    chorus, last = (section for section in accepted(script).sections if section.name != "verse")
    assert (
        (last.tempo_bpm, last.meter, last.key)
        == (chorus.tempo_bpm, chorus.meter, chorus.key)
        == (
            96,
            (3, 4),
            accepted(script.replace("D minor", "E minor")).keys[0],
        )
    )
    lifted = accepted(script.replace("as chorus", "as chorus key up 2 st tempo 100")).sections[2]
    assert (lifted.tempo_bpm, lifted.meter, lifted.key, lifted.key_up_st) == (100, (3, 4), None, 2)
    # Its own lines count its beats.
    assert [p.code for p in check(script.replace("bar 2 beat 3", "bar 2 beat 4")).problems] == ["E034"]
    made = [bar for bar in bars(script, 20) if bar.section == "last"]
    assert made[0].end_frame - made[0].start_frame == 3 * 48_000 * 60 // 96


def test_a_change_of_tempo_is_taken_over_where_the_length_is_the_same() -> None:
    for length, count in ((8, 1), (16, 0)):
        script = lasts(length).replace("    rest tick at bar 8\n", "    slow to 60 over 2 bars at bar 7\n")
        assert len(accepted(script).sections[1].ramps) == 1
        assert len(accepted(script).sections[2].ramps) == count


def test_visits_of_each_are_its_own() -> None:
    """A line by chance is drawn by the visits of the section that it plays in."""
    script = lasts(8).replace("bring ride from tops at bar 3 for 4 bars", "bring ride from tops chance 50%")
    made = list(bars(script.replace("move last -> verse", "move last -> last"), 4 + 8 + 8 * 40))
    (chorus,), last = (visits(of, iter(made)) for of in ("chorus", "last"))
    sounded = ["ride" in visit for visit in last]
    assert sounded[0] == ("ride" in chorus)
    assert 10 < sum(sounded) < 30


def test_a_fill_of_the_other_section_waits_here_as_well() -> None:
    script = lasts(8).replace("move chorus -> last\n", "move chorus -> last through tick\n")
    (last,) = visits("last", bars(script, 20))
    assert "tick" not in last


def test_an_own_line_that_is_added_while_it_plays_takes_over() -> None:
    script = lasts(16)
    fixed, state = begun(script)
    for _ in range(15):
        _, state = next_bar(fixed, state)
    assert (state.visit is not None and state.visit.section.name) == "last"
    coming = rescored(
        fixed, accepted(lasts(16, "    bring beats from beats gain -9 dB\n")), fixed.snapshot, NOW
    )
    now, stops = carried(state, fixed, coming)
    assert not stops
    assert now.parts["beats"].placement == state.parts["beats"].placement
    assert now.parts["beats"].bring.section == "last"


@pytest.mark.parametrize(("count", "path"), [(1, "abc"), (2, "ababc"), (3, "abababc")])
def test_a_move_after_so_many_visits(count: int, path: str) -> None:
    noun = "visit" if count == 1 else "visits"
    sections = "".join(f"section {name} 1 bar\n    bring beats from beats\n" for name in "abc")
    moves = f"move a -> b\nmove b -> c after {count} {noun}\nmove b -> a\nmove c -> silence\n"
    made = bars(HEAD.format(3, "") + sections + moves, len(path))
    assert "".join(bar.section for bar in made) == path


def test_a_thousand_visits_are_counted_and_a_cue_comes_first() -> None:
    sections = "".join(f"section {name} 1 bar\n    bring beats from beats\n" for name in "abc")
    moves = 'move a -> a\nmove a -> b after 1000 visits\nmove a -> c on cue "out"\nmove b -> b\nmove c -> c\n'
    script = HEAD.format(3, "") + sections + moves
    assert [bar.section for bar in bars(script, 1001)] == ["a"] * 1000 + ["b"]

    def cue(state: State) -> None:
        state.cues.add("out")

    assert [bar.section for bar in bars(script, 1001, {1000: cue})][-1] == "c"


def test_several_parts_of_one_line_are_drawn_together() -> None:
    lines = "    rest beats and ride chance 50%\n"
    made = bars(form(lines=lines).replace("move chorus -> verse", "move chorus -> chorus"), 4 + 8 * 40)
    rested = [[part for part in ("beats", "ride") if part not in visit] for visit in visits("chorus", made)]
    assert 10 < rested.count([]) < 30
    assert rested.count([]) + rested.count(["beats", "ride"]) == 40


def test_a_solo_of_several_leaves_them_all() -> None:
    lines = "    solo beats and tick at bar 3 for 2 beats every 4 bars\n"
    (visit,) = visits("chorus", bars(form(lines=lines), 12))
    assert [bar for bar, _ in visit["ride"]] == [0, 2, 6]
    (plain,) = visits("chorus", bars(form(), 12))
    assert {part: visit[part] for part in ("beats", "tick")} == {p: plain[p] for p in ("beats", "tick")}


windows = st.builds(
    LineWindow,
    at_bar=st.integers(1, 6),
    at_beat=st.sampled_from([Fraction(1), Fraction(2), Fraction(7, 2)]),
    for_beats=st.sampled_from([None, Fraction(1, 2), Fraction(3), Fraction(4), Fraction(13, 2)]),
    every_bars=st.sampled_from([None, 2, 3, 5]),
).filter(lambda window: window.every_bars is None or window.for_beats is not None)


@settings(max_examples=200)
@given(windows, st.integers(1, 24), st.sampled_from([(), (6,), (12, 5)]), st.integers(3, 4))
def test_spells_are_those_that_counting_finds(
    window: LineWindow, length: int, rounds: tuple[int, ...], beats: int
) -> None:
    place, clock = Span(1, 1, 1, 1), BarClock(Fraction(120), (beats, 4), 48_000)
    line = Rest("a", window, "", place, section="other")
    visit = Visit(Section("here", (length,), (line,), place, taken={"other": rounds}), 0, length, 0)
    counted = set()
    if window.for_beats is None or window.every_bars is None or window.for_beats < window.every_bars * beats:
        edges = [0]
        for bar in range(1, length + 1):
            inner = bar
            again = bar == length
            for each in rounds:
                inner %= each
                again = again or inner == 0
            if again:
                edges.append(bar)
        for begin, end in pairwise(edges):
            start = (begin + window.at_bar - 1) * beats + window.at_beat - 1
            while start < end * beats:
                stop = end * beats if window.for_beats is None else min(end * beats, start + window.for_beats)
                counted.add((start, stop))
                if window.every_bars is None:
                    break
                start += window.every_bars * beats
        found = {spell for bar in range(length) for spell in spells(visit, line, bar, clock)}
        assert found == counted
        for start, stop in counted:
            for bar in range(int(start // beats), -(-stop.numerator // (stop.denominator * beats))):
                here = max(start - bar * beats, Fraction(0))
                assert spell_at(visit, line, bar, here, clock) == (start, stop)
        for bar in range(length):
            begin, end = round_of(visit, line, bar)
            assert begin <= bar < end
