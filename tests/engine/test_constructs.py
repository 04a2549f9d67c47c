"""Every construct of the language as a script and the plan that it gives."""

from __future__ import annotations

from fractions import Fraction

import pytest

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.events import Input
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.state import first_state
from stemloom.engine.effects import PlacedDuck, PlacedFilter, PlacedSend
from stemloom.engine.plan import Bar, Placement
from stemloom.script.check.check import accepted
from stemloom.script.check.pattern import euclid

from .pieces import HEAD, NOW, snapshot, stem

BAR = 96_000
STEP = 6_000
BEATS = [stem(i) for i in range(1, 5)]
BASS = [stem(i, "bass", key="D minor") for i in range(11, 15)]
PADS = [stem(i, "pads", "sustained", key="F major") for i in range(21, 24)]
HITS = [stem(i, "fx", "hit") for i in range(31, 34)]
ALL = [*BEATS, *BASS, *PADS, *HITS]
POOLS = """pool beats = loops role beats
pool low = loops role bass
pool haze = loops role pads
pool spark = hits role fx
"""


def scored(text: str, head: str = "") -> Score:
    return score(accepted(HEAD + head + POOLS + text), snapshot(*ALL), use="stream", at=NOW, rate=48_000)


def composed(text: str, bars: int = 16, inputs: dict[int, Input] | None = None) -> list[Bar]:
    fixed = scored(text)
    state = first_state(fixed.piece, {})
    made: list[Bar] = []
    for number in range(bars):
        given = (inputs or {}).get(number)
        bar, state = next_bar(fixed, state, () if given is None else (given,))
        made.append(bar)
        if bar.ended:
            break
    return made


def starts(bars: list[Bar], part: str | None = None) -> list[Placement]:
    return [p for bar in bars for p in bar.starts if part in (None, p.part)]


def sections(bars: list[Bar]) -> list[str]:
    return [bar.section for bar in bars]


def loops(bars: list[Bar]) -> list[tuple[str, int, int]]:
    """Part, first bar, and the offset into the loop in bars."""
    return [(p.part, p.bar, p.offset_frames // BAR) for p in starts(bars) if not p.hit]


LINES = {
    "drop takes a part out, and it comes back at its bar 1": (
        ["bring beats from beats", "drop beats at bar 2 for 2 bars"],
        [("beats", 0, 0), ("beats", 3, 0)],
    ),
    "rest lets a part go on unheard": (
        ["bring beats from beats", "rest beats at bar 2 for 2 bars"],
        [("beats", 0, 0), ("beats", 3, 1)],
    ),
    "solo silences the others": (
        ["bring beats from beats", "bring low from low", "solo low at bar 2 for 2 bars"],
        [("beats", 0, 0), ("low", 0, 0), ("beats", 3, 1)],
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str) -> None:
    lines, expected = LINES[name]
    text = "section a 4 bars\n" + "".join(f"    {line}\n" for line in lines) + "move a -> silence\n"
    assert loops(composed(text)) == expected


def test_two_solos_at_once_sound_together() -> None:
    bars = composed(
        "section a 4 bars\n    bring beats from beats\n    bring low from low\n    bring haze from haze\n"
        "    solo low at bar 2\n    solo haze at bar 2\nmove a -> silence\n"
    )
    (gone,) = bars[1].stops
    assert gone.id == starts(bars, "beats")[0].id


def test_hold_goes_on_into_the_next_section_without_a_seam() -> None:
    bars = composed(
        "section a 3 bars\n    bring low from low\nsection b 4 bars\n    hold low for 2 bars\n"
        "    bring low from low\nmove b -> silence\n"
    )
    first, held, again = starts(bars, "low")
    assert bars[3].stops[0].id == first.id
    assert bars[3].stops[0].end_frame == held.start_frame == 3 * BAR
    assert held.stem == first.stem
    assert held.offset_frames == BAR
    assert held.fade_in.frames == 0
    assert bars[5].stops[0].id == held.id
    assert again.bar == 5


def test_hold_of_nothing_rests_and_says_so() -> None:
    bars = composed("section a 2 bars\n    bring low from low at bar 2\n    hold low\nmove a -> silence\n")
    assert "nothing of it came" in bars[0].rested[0].reason


def test_a_bring_sounds_where_there_is_nothing_to_hold() -> None:
    bars = composed("section a 2 bars\n    hold low\n    bring low from low\nmove a -> silence\n")
    assert not bars[0].rested
    assert [placement.bar for placement in starts(bars, "low")] == [0]


PUBLISHED = """
x. x.. x... x.x x.x.. x.xx x.x.x x.x.x.. x..x..x. x.x.x.x x.x.x.x.. x..x..x..x. x.xxxx x.xx.xx x.xx.xx.
x.x.x.x.x x.x.x.x.x.. x..x.x..x.x. x..x..x..x..x... x.xxxxxx x.xx.x.xx.x. x..x.x.x..x.x.x. x.xx.x.x.xx.x.x.
x..x.x.x.x.x..x.x.x.x.x. x.xx.x.x.x.x.xx.x.x.x.x. x..x..x..x..
"""
"""As Toussaint prints them."""


def drawn(hits: int, steps: int, rotate: int = 0) -> str:
    return "".join("x" if hit else "." for hit in euclid(hits, steps, rotate))


@pytest.mark.parametrize("rhythm", PUBLISHED.split())
def test_euclid_gives_the_published_rhythms(rhythm: str) -> None:
    assert drawn(rhythm.count("x"), len(rhythm)) == rhythm


def test_euclid_is_even_begins_with_a_hit_and_turns() -> None:
    for steps in range(1, 33):
        for hits in range(steps + 1):
            found = drawn(hits, steps)
            assert len(found) == steps
            assert found.count("x") == hits
            assert found[0] == ("x" if hits else ".")
            gaps = _gaps(found)
            assert max(gaps, default=0) - min(gaps, default=0) <= 1
            assert drawn(hits, steps, 1) == found[-1] + found[:-1]


def _gaps(pattern: str) -> list[int]:
    places = [i for i, step in enumerate(pattern) if step == "x"]
    return [(b - a - 1) % len(pattern) for a, b in zip(places, places[1:] + places[:1], strict=True)]


def test_no_hits_in_a_pattern_are_a_rest() -> None:
    bars = composed("section a 1 bar\n    play x from spark euclid 0 in 16\nmove a -> silence\n")
    assert starts(bars) == []
    assert bars[0].rested == ()


def test_euclid_plays_its_hits() -> None:
    bars = composed("section a 1 bar\n    play x from spark euclid 4 in 16 rotate 2\nmove a -> silence\n")
    assert [p.start_frame for p in starts(bars)] == [(2 + 4 * i) * STEP for i in range(4)]


def test_swing_moves_the_second_sixteenth_of_each_eighth() -> None:
    bars = composed('section a 1 bar\n    play x from spark "xxxx" swing 62.5%\nmove a -> silence\n')
    assert [p.start_frame for p in starts(bars)][:4] == [0, STEP + STEP // 4, 2 * STEP, 3 * STEP + STEP // 4]


ODD_BARS = {
    "seven sixteenths": ("7/16", "X......", "swing 67%", 7),
    "a pattern that does not fill the bar": ("7/16", "X.X", "swing 67%", 7),
    "three sixteenths": ("3/16", "xxx", "swing 75%", 3),
    "five eighths": ("5/8", "x", "swing 60%", 10),
    "euclid": ("7/16", None, "euclid 7 in 7 swing 67%", 7),
    "from a bar and a beat on": ("7/16", "x", "at bar 2 beat 2 swing 67%", 7),
}


@pytest.mark.parametrize(("meter", "pattern", "rest", "steps"), ODD_BARS.values(), ids=ODD_BARS)
def test_swing_counts_from_each_bar_line(meter: str, pattern: str | None, rest: str, steps: int) -> None:
    hits = "" if pattern is None else f'"{pattern}" '
    text = f"section a 4 bars\n    play x from spark {hits}{rest}\nmove a -> silence\n"
    fixed = scored(text, f"meter {meter}\n")
    share = Fraction(rest.split("swing ")[1].rstrip("%")) / 100
    state, seen = first_state(fixed.piece, {}), 0
    for _ in range(4):
        bar, state = next_bar(fixed, state)
        straight = [bar.start_frame + fixed.clock.frame(i * fixed.clock.beats_per_step) for i in range(steps)]
        swung = [
            fixed.clock.frame(
                bar.bar * fixed.clock.beats_per_bar + (i + share * 2 - 1) * fixed.clock.beats_per_step
            )
            for i in range(steps)
        ]
        allowed = {s if i % 2 == 0 else w for i, (s, w) in enumerate(zip(straight, swung, strict=True))}
        found = {p.start_frame for p in bar.starts}
        assert found <= allowed
        seen += len(found)
    assert seen > 3


def test_late_is_late_by_at_most_what_it_says() -> None:
    bars = composed('section a 4 bars\n    play x from spark "xxxx" late 10 ms\nmove a -> silence\n')
    late = [p.start_frame - round(p.start_frame / STEP) * STEP for p in starts(bars)]
    assert all(0 <= frames < 480 for frames in late)
    assert len(set(late)) > 10


@pytest.mark.parametrize(("word", "frames"), [("half time", 4 * BAR), ("double time", BAR)])
def test_half_and_double_time(word: str, frames: int) -> None:
    (loop,) = starts(composed(f"section a 8 bars\n    bring beats from beats {word}\nmove a -> silence\n"))
    assert loop.variant.frames == frames


def test_reverse() -> None:
    (loop,) = starts(composed("section a 8 bars\n    bring beats from beats reverse\nmove a -> silence\n"))
    assert loop.variant.reverse


def test_effects_are_in_the_plan() -> None:
    bars = composed(
        "dial space 0..1 = 0.25 now\nbus room = reverb 2 s\n"
        "section a 4 bars\n    bring beats from beats\n"
        "    bring low from low to room space * 2 duck 6 dB under beats lowpass 400 Hz -> 12 kHz over 2 bars\n"  # noqa: E501
        "move a -> silence\n"
    )
    (low,) = starts(bars, "low")
    assert low.effects.sends == (PlacedSend("room", 0.5),)
    assert low.effects.duck == PlacedDuck(6.0, ("beats",))
    assert low.effects.filters == (PlacedFilter("lowpass", 400.0, 12_000.0, 2 * BAR, "exponential"),)


AB = "section a 8 bars\n    bring beats from beats\nsection b 2 bars\n    bring low from low\n"


def test_a_cue_moves_at_the_next_bar_and_never_by_itself() -> None:
    text = AB + 'move a -> b on cue "go" at next bar\nmove a -> a at end\nmove b -> silence\n'
    assert sections(composed(text, 10)) == ["a"] * 10
    assert sections(composed(text, inputs={3: Input("cue", name="go")}))[:4] == ["a", "a", "a", "b"]


def test_a_cue_waits_for_the_grid_of_its_move() -> None:
    text = AB + 'move a -> b on cue "go" at next 4 bars\nmove b -> silence\n'
    assert sections(composed(text, inputs={1: Input("cue", name="go")}))[:6] == ["a"] * 4 + ["b"] * 2


def test_a_cue_beats_a_condition_and_a_named_origin_beats_any() -> None:
    base = AB + "section c 2 bars\n    bring low from low\ndial e 0..1 = 1 at next bar\n"
    cued = base + 'move a -> c at next bar when e > 0.5\nmove a -> b on cue "go"\n'
    assert sections(composed(cued, 2, {1: Input("cue", name="go")})) == ["a", "b"]
    named = base + 'move any -> c on cue "go"\nmove a -> b at next bar when e > 0.5\n'
    assert sections(composed(named, 2, {1: Input("cue", name="go")})) == ["a", "b"]


def test_a_move_over_lets_the_old_section_ring_into_the_new() -> None:
    bars = composed(AB + "move a -> b at end over 2 beats\nmove b -> silence\n")
    first, ringing = starts(bars, "beats")
    assert bars[8].stops[0].end_frame == ringing.start_frame == 8 * BAR
    assert ringing.stem == first.stem
    assert ringing.end_frame == 8 * BAR + BAR // 2
    assert ringing.fade_out.frames == BAR // 2


def test_a_fill_plays_in_the_last_bar_before_its_move_alone() -> None:
    text = (
        'section a 4 bars\n    bring beats from beats\n    play fill from spark "xxxx"\n'
        "section b 2 bars\n    bring low from low\nmove a -> b at end through fill\nmove b -> silence\n"
    )
    assert {p.bar for p in starts(composed(text), "fill")} == {3}


def test_a_fill_delays_a_move_on_a_cue_by_its_bar() -> None:
    text = (
        'section a 8 bars\n    bring beats from beats\n    play fill from spark "x..."\n'
        "section b 2 bars\n    bring low from low\n"
        'move a -> b on cue "go" through fill\nmove b -> silence\n'
    )
    bars = composed(text, inputs={3: Input("cue", name="go")})
    assert {p.bar for p in starts(bars, "fill")} == {3}
    assert sections(bars)[:5] == ["a"] * 4 + ["b"]


EVENTS = "sting lift from spark at next beat\n"


def test_a_cue_fires_a_sting() -> None:
    bars = composed(AB + EVENTS + 'on cue "lift": sting lift\n', 8, {3: Input("cue", name="lift")})
    assert [(p.bar, p.part, p.hit) for p in starts(bars, "lift")] == [(3, "lift", True)]


def test_a_sting_waits_for_its_grid() -> None:
    text = AB + 'sting lift from spark at next 4 bars\non cue "lift": sting lift\n'
    assert [p.bar for p in starts(composed(text, 8, {1: Input("cue", name="lift")}), "lift")] == [4]


def test_every_and_after() -> None:
    text = AB + EVENTS + "every 3 bars: sting lift\n"
    assert [p.bar for p in starts(composed(text, 8), "lift")] == [3, 6]
    # Two bars at 120 bpm are four seconds.
    assert [p.bar for p in starts(composed(AB + EVENTS + "after 5 s: sting lift\n", 8), "lift")] == [3]


def test_a_condition_triggers_when_it_begins_to_hold() -> None:
    text = (
        AB + EVENTS + "dial e 0..1 = 0 at next bar\non e > 0.5: sting lift\n"
        'on cue "up": set e to 1\non cue "down": set e to 0\n'
    )
    up, down = Input("cue", name="up"), Input("cue", name="down")
    bars = composed(text, 8, {1: up, 3: down, 5: up})
    assert [p.bar for p in starts(bars, "lift")] == [2, 6]


def test_dislike_swaps_that_role_in_phase() -> None:
    text = "section a 8 bars\n    bring beats from beats\non dislike: swap that role at next bar\n"
    first, other = starts(composed(text, 8, {3: Input("dislike", "beats")}))
    assert other.bar == 3
    assert other.offset_frames == BAR
    assert other.stem != first.stem


def test_like_holds_that_role_through_vary_and_sections() -> None:
    text = (
        "section a 4 bars\n    bring beats from beats\n    vary beats every 1 bars\n"
        "on like: hold that role for 6 bars\n"
    )
    bars = composed(text, 12, {1: Input("like")})
    placements = starts(bars)
    kept = [p.stem for p in placements if 1 <= p.bar < 7]
    assert set(kept) <= {p.stem for p in placements if p.bar <= 1}
    assert len({p.stem for p in placements if 2 <= p.bar < 7}) <= 1
    assert any(p.bar >= 7 for p in placements)


def test_an_event_moves() -> None:
    text = AB + "move b -> silence\non dislike: move to b at next 2 bars\n"
    assert sections(composed(text, inputs={3: Input("dislike")}))[:5] == ["a"] * 4 + ["b"]
    silent = AB + "on dislike: move to silence\n"
    assert composed(silent, inputs={2: Input("dislike")})[-1].bar == 2


WITHDRAWN = {"rest": [], "swap, else rest": [3], "stop": []}


@pytest.mark.parametrize("answer", WITHDRAWN)
def test_if_withdrawn(answer: str) -> None:
    fixed = scored(f"if withdrawn: {answer}\nsection a 8 bars\n    bring beats from beats\n")
    state = first_state(fixed.piece, {})
    first = None
    later: list[int] = []
    ended = False
    for number in range(8):
        if number == 3:
            assert first is not None
            gone = first.stem
            fixed = fixed.with_snapshot(snapshot(*(s for s in ALL if s.stem != gone)), NOW)
            del state.parts["beats"]
            state.withdrawn.add("beats")
        bar, state = next_bar(fixed, state)
        first = first or (bar.starts[0] if bar.starts else None)
        later += [p.bar for p in bar.starts if number > 0]
        ended = ended or bar.ended
    assert later == WITHDRAWN[answer]
    assert ended == (answer == "stop")


def test_share_of_sixteenths_in_another_metre() -> None:
    fixed = score(
        accepted(HEAD + "meter 6/8\n" + POOLS + 'section a 1 bar\n    play x from spark "x"\n'),
        snapshot(*ALL),
        use="stream",
        at=NOW,
        rate=48_000,
    )
    bar, _ = next_bar(fixed, first_state(fixed.piece, {}))
    assert [p.beat for p in bar.starts] == [Fraction(i, 2) for i in range(12)]


def test_a_fill_plays_in_a_section_of_one_bar() -> None:
    text = (
        'section a 1 bar\n    bring beats from beats\n    play fill from spark "x..............."\n'
        "section b 1 bar\n    bring low from low\nmove a -> b at end through fill\nmove b -> silence at end\n"
    )
    assert [(p.part, p.bar) for p in starts(composed(text))] == [("beats", 0), ("fill", 0), ("low", 1)]


def test_a_brought_fill_has_its_condition() -> None:
    text = (
        "section a 2 bars\n    bring fill from beats when 1 > 2\n    bring low from low\n"
        "move a -> silence at end through fill\n"
    )
    assert {p.part for p in starts(composed(text))} == {"low"}


def test_a_cue_that_came_too_late_for_a_section_holds_for_the_next() -> None:
    text = (
        "section a 6 bars\n    bring beats from beats\nsection b 8 bars\n    bring low from low\n"
        'move a -> b at end\nmove any -> silence on cue "out" at next 4 bars\n'
    )
    bars = composed(text, 20, {5: Input("cue", name="out")})
    assert sections(bars) == ["a"] * 6 + ["b"] * 4 + [""]


def test_a_hold_that_begins_later_says_that_it_has_nothing() -> None:
    text = "section a 2 bars\n    bring beats from beats\nsection b 4 bars\n    hold beats at bar 3\n"
    rested = [(bar.bar, r.part, r.reason) for bar in composed(text, 6) for r in bar.rested]
    assert rested == [(4, "beats", "it did not sound until here")]
