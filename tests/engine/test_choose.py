"""Choosing: who may sound, who is preferred, and that the short way gives what the plain one does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.clock import BarClock
from stemloom.engine.compose import choose as choosing
from stemloom.engine.compose.chance import DrawKey, rendezvous
from stemloom.engine.compose.choose import Around
from stemloom.engine.compose.eligible import Eligible, eligible, sounding_chroma
from stemloom.engine.compose.harmony import CLASH, Chords, TonalPart, agreements, by_bar
from stemloom.engine.compose.tempo_and_key import fit_tempo, fit_tempos, shift_of, within_stretch
from stemloom.engine.plan import Candidate
from stemloom.script.piece import Binary, Clause, DialValue, Key, Number, Pool, Span, Weight
from stemloom.vault.records import Stem

from .pieces import snapshot, stem

CLOCK = BarClock(Fraction(120), (4, 4), 48_000)
D_MINOR, F_MAJOR, C_MAJOR = Key(2, "minor"), Key(5, "major"), Key(0, "major")
KEY = DrawKey(7, "a", None, "bring x")
POOL = Pool("x", (), "any", 0.12, None, False, Span(1, 1, 1, 2))
FRESH = replace(POOL, prefer_fresh=True)


def gather(stems: list[Stem], pool: Pool = POOL, key: Key | None = None) -> Eligible:
    return eligible(pool, snapshot(*stems), np.arange(len(stems)), CLOCK, key, use="stream")


def laid(pool: Pool, among: Eligible, around: Around) -> Around:
    """The tables say by stem what was heard; a pool that prefers fresh hears of it by place."""
    by_stem: dict[str, int] = around.heard or {}  # type: ignore[assignment]
    heard = np.array([by_stem.get(s.stem, 0) for s in among.stems], np.int64)
    return replace(around, heard=heard if pool.prefer_fresh else None)


def choose(pool: Pool, among: Eligible, key: DrawKey, index: int, around: Around) -> Stem | None:
    return choosing.choose(pool, among, key, index, laid(pool, among, around))


def weigh(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> choosing.Weighed:
    return choosing.weigh(pool, among, key, laid(pool, among, around))


def candidates(pool: Pool, among: Eligible, key: DrawKey, around: Around) -> tuple[Candidate, ...]:
    return choosing.candidates(pool, among, key, laid(pool, among, around))


def plainly(pool: Pool, among: Eligible, index: int, around: Around) -> Stem | None:
    """The twin of `choose`: it weighs every stem."""
    weighed = weigh(pool, among, KEY, around)
    if not weighed.left.any():
        return None
    ranks = -np.log(rendezvous(among.keys, KEY.bits("choose", index))) / weighed.weights
    return among.stems[int(np.argmin(np.where(weighed.left, ranks, np.inf)))]


def taken(pool: Pool, among: Eligible, around: Around, draws: int = 2000) -> Counter[str]:
    """How often each title is chosen."""
    found = (choose(pool, among, KEY, i, around) for i in range(draws))
    return Counter(s.title for s in found if s is not None)


def chord(*tones: int) -> tuple[float, ...]:
    """A bar of chroma, with a little of everything, as real ones have."""
    row = np.full(12, 0.01)
    row[[tone % 12 for tone in tones]] += 1
    return tuple((row / row.sum()).tolist())


def major(tonic: int) -> tuple[float, ...]:
    return chord(tonic, tonic + 4, tonic + 7)


def minor(tonic: int) -> tuple[float, ...]:
    return chord(tonic, tonic + 3, tonic + 7)


C, F, G, A = 0, 5, 7, 9
CFGC = (major(C), major(F), major(G), major(C))
GCFF = (major(G), major(C), major(F), major(F))


def part(*bars: tuple[float, ...], bar: int = 0) -> TonalPart:
    return TonalPart("pads", "Under", np.array(bars), bar)


def tonal(number: int, *bars: tuple[float, ...], role: str = "bass", **changes: object) -> Stem:
    return stem(number, role, beats=4 * len(bars), chroma=bars, **changes)


def agreement(bars: tuple[tuple[float, ...], ...], *beside: TonalPart) -> float:
    return float(agreements(np.array([bars]), Chords(beside).values(len(bars)))[0])


# What sounds well together.

TOGETHER = {
    "A minor under C major": (minor(A), True),
    "C major under itself": (major(C), True),
    "its fifth alone": (chord(G), True),
    "F major": (major(F), True),
    "noise": ((1 / 12,) * 12, True),
    "F# major": (major(6), False),
    "C# major": (major(1), False),
    "F# alone": (chord(6), False),
}


@pytest.mark.parametrize(("row", "fits"), TOGETHER.values(), ids=TOGETHER)
def test_beside_c_major(row: tuple[float, ...], fits: bool) -> None:
    assert (agreement((row,), part(major(C))) >= CLASH) == fits


def test_the_same_key_is_not_the_same_chords() -> None:
    under = part(*CFGC)
    assert agreement(CFGC, under) > agreement(GCFF, under) + 0.3


def test_a_part_is_heard_from_where_it_is() -> None:
    """A part in its second bar agrees best with what begins with that chord."""
    from_second = (*CFGC[1:], CFGC[0])
    assert agreement(from_second, part(*CFGC, bar=1)) == pytest.approx(agreement(CFGC, part(*CFGC)))


def test_a_loop_that_joins_is_heard_from_there() -> None:
    later = Chords([part(*CFGC, bar=1)]).values(4, joins_at=1)
    assert agreements(np.array([CFGC]), later)[0] == pytest.approx(agreement(CFGC, part(*CFGC)))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_agreement_is_the_mean_over_a_common_round(bars: int, other: int, bar: int, seed: int) -> None:
    """Against bars that cycle each by its own length, taken one by one."""
    random = np.random.default_rng(seed)
    ours, theirs = (random.dirichlet(np.ones(12), n) for n in (bars, other))
    beside = TonalPart("pads", "Under", theirs, bar % other)
    each = [
        agreements(ours[None, t % bars, None], Chords([part(tuple(theirs[(t + bar) % other]))]).values(1))[0]
        for t in range(bars * other)
    ]
    assert agreements(ours[None], Chords([beside]).values(bars))[0] == pytest.approx(np.mean(each))


BARS = {
    "as many": (CFGC, 4, CFGC),
    "half time": ((major(C), major(F)), 4, (major(C), major(C), major(F), major(F))),
    "double time": ((major(C), major(C), major(F), major(F)), 2, (major(C), major(F))),
    "not whole": ((major(C), major(C)), 1.5, (major(C),)),
}


@pytest.mark.parametrize(("rows", "bars", "wanted"), BARS.values(), ids=BARS)
def test_chroma_by_bars(
    rows: tuple[tuple[float, ...], ...], bars: float, wanted: tuple[tuple[float, ...], ...]
) -> None:
    assert by_bar(np.array(rows), bars) == pytest.approx(np.array(wanted))


def test_a_shifted_stem_agrees_as_it_sounds() -> None:
    low = tonal(1, major(1), key="C# major")
    among = gather(
        [low, tonal(2, major(6), key="F# major")], replace(POOL, key="fits", max_shift_st=1), C_MAJOR
    )
    assert among.stems == (low,)
    assert among.shifts.tolist() == [-1]
    agreed = weigh(POOL, among, KEY, Around(tonal=[part(major(C))])).agreement[0]
    assert agreed == pytest.approx(agreement((major(C),), part(major(C))), abs=1e-5)
    assert sounding_chroma(low, -1)[0] == pytest.approx(major(C))


# What is preferred, and what is left out.


def test_agreeing_stems_come_more_often() -> None:
    among = gather([tonal(1, *CFGC), tonal(2, *GCFF), tonal(3, *[major(6)] * 4)])
    count = taken(POOL, among, Around(tonal=[part(*CFGC)]))
    assert count["bass 1"] > 1.5 * count["bass 2"] > 0
    assert "bass 3" not in count


def test_where_all_clash_one_is_taken() -> None:
    among = gather([tonal(1, major(6)), tonal(2, major(1))])
    assert sum(taken(POOL, among, Around(tonal=[part(major(C))]), 50).values()) == 50


PREFERRED: dict[str, tuple[dict[str, object], Pool, Around, float]] = {
    "nothing": ({}, POOL, Around(), 1),
    "same set": ({"set": "night"}, POOL, Around(sets={"night"}), 4),
    "liked": ({}, POOL, Around(liked={stem(1).stem: 1}), 2),
    "disliked": ({}, POOL, Around(liked={stem(1).stem: -2}), 1 / 4),
    "liked no end": ({}, POOL, Around(liked={stem(1).stem: 99}), 8),
    "an odd length": ({"beats": 12}, POOL, Around(span_bars=4), 1 / 2),
    "an odd length without a span": ({"beats": 12}, POOL, Around(), 1),
    "weight": (
        {"mood": ("warm",)},
        replace(POOL, weights=(Weight(3, Clause("mood", ("Warm",)), None),)),
        Around(),
        3,
    ),
    "weight while it holds": (
        {"energy": 0.9},
        replace(
            POOL,
            weights=(
                Weight(5, Clause("energy", ((0.8, 1.0),)), Binary(">", DialValue("push"), Number(0.5))),
                Weight(2, Clause("energy", ((0.8, 1.0),)), Binary("<", DialValue("push"), Number(0.5))),
            ),
        ),
        Around(dials={"push": 0.7}),
        5,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "pool", "around", "factor"), PREFERRED.values(), ids=PREFERRED)
def test_preferred(changes: dict[str, object], pool: Pool, around: Around, factor: float) -> None:
    """The factor of one among nine others, and that it comes as often as that says."""
    among = gather([stem(1, **changes), *(stem(i) for i in range(2, 11))], pool)
    weights = weigh(pool, among, KEY, around).weights
    assert weights.tolist() == pytest.approx([factor, *[1.0] * 9])
    expected, draws = factor / (factor + 9), 2000
    within = 4 * np.sqrt(draws * expected * (1 - expected))
    assert abs(taken(pool, among, around, draws)["beats 1"] - draws * expected) < within


def test_without_preference_the_greatest_number_wins() -> None:
    among = gather([stem(i) for i in range(1, 40)])
    for index in range(200):
        greatest = int(np.argmax(rendezvous(among.keys, KEY.bits("choose", index))))
        assert choose(POOL, among, KEY, index, Around()) is among.stems[greatest]


EXCLUDED = {
    "nothing": (Around(), POOL, {1, 2, 3}),
    "never twice": (Around(never_twice={stem(1).stem}), POOL, {2, 3}),
    "avoid": (Around(avoid=[stem(2).stem]), POOL, {1, 3}),
    "cap": (Around(capped={stem(3).holder}), POOL, {1, 2}),
    "all capped": (Around(capped={stem(i).holder for i in (1, 2, 3)}), POOL, {1, 2, 3}),
    "the last one, though avoided": (
        Around(never_twice={stem(1).stem, stem(2).stem}, avoid=[stem(3).stem]),
        POOL,
        {3},
    ),
    "least heard": (Around(heard={stem(1).stem: 3, stem(2).stem: 2, stem(3).stem: 2}), FRESH, {2, 3}),
    "unheard": (Around(heard={stem(1).stem: 3, "elsewhere": 5}), FRESH, {2, 3}),
    "heard, without prefer fresh": (Around(heard={stem(1).stem: 3}), POOL, {1, 2, 3}),
    "all too soon": (Around(never_twice={stem(i).stem for i in (1, 2, 3)}), FRESH, set()),
}


@pytest.mark.parametrize(("around", "pool", "left"), EXCLUDED.values(), ids=EXCLUDED)
def test_left_out(around: Around, pool: Pool, left: set[int]) -> None:
    among = gather([stem(i) for i in (1, 2, 3)], pool)
    assert set(taken(pool, among, around, 100)) == {f"beats {i}" for i in left}


def test_the_reasons_are_told() -> None:
    pool = replace(POOL, never_twice_bars=16)
    stems = [tonal(i, major(C)) for i in (1, 2, 3)] + [tonal(4, major(6))]
    around = Around(never_twice={stems[0].stem}, capped={stems[1].holder}, tonal=[part(major(C))])
    told = {c.title: c.excluded for c in candidates(pool, gather(stems, pool), KEY, around)}
    assert told == {
        "bass 3": None,
        "bass 1": "sounded within 16 bars",
        "bass 2": "its holder is above the share cap",
        "bass 4": 'it clashes with pads "Under"',
    }
    assert next(iter(told)) == "bass 3"


# Laws.

ROWS = [major(C), minor(A), major(G), major(6), major(1), (1 / 12,) * 12]


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Stem], Pool, Around]:
    """A pool of up to twelve stems of all kinds, and what it is chosen beside."""
    count = draw(st.integers(1, 12))
    stems = [
        tonal(
            i,
            *draw(st.lists(st.sampled_from(ROWS), min_size=1, max_size=3)),
            role=draw(st.sampled_from(["bass", "pads", "beats"])),
            set=draw(st.sampled_from([None, "one", "two"])),
            energy=draw(st.sampled_from([0.2, 0.8])),
        )
        for i in range(count)
    ]
    some = st.sets(st.sampled_from([s.stem for s in stems]))
    pool = replace(
        POOL,
        prefer_fresh=draw(st.booleans()),
        weights=draw(st.sampled_from([(), (Weight(20, Clause("energy", ((0.5, 1.0),)), None),)])),
    )
    around = Around(
        never_twice=draw(some),
        capped=draw(st.sets(st.sampled_from([s.holder for s in stems]))),
        nearly_capped=draw(st.sets(st.sampled_from([s.holder for s in stems]))),
        avoid=draw(st.sampled_from([[], [stems[0].stem], [s.stem for s in stems[:3]]])),
        heard=dict.fromkeys(draw(some), 48_000),
        liked=dict.fromkeys(draw(some), draw(st.integers(-4, 4))),
        tonal=draw(st.sampled_from([[], [part(major(C))], [part(*CFGC), part(minor(A), bar=0)]])),
        sets=draw(st.sets(st.sampled_from(["one", "two"]))),
        span_bars=draw(st.sampled_from([None, 1, 4])),
    )
    return stems, pool, around


@given(situations(), st.integers(0, 99))
def test_the_short_way_is_the_plain_one(situation: tuple[list[Stem], Pool, Around], index: int) -> None:
    stems, pool, around = situation
    among = gather(stems, pool)
    plain = plainly(pool, among, index, around)
    for large in (0, len(stems)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choosing, "LARGE", large)
            assert choose(pool, among, KEY, index, around) == plain


@pytest.mark.parametrize("index", range(40))
def test_a_dislike_alone_bounds_no_other_weight(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = [stem(number, role="bass") for number in range(2)]
    among, around = gather(stems, POOL), Around(liked={stems[0].stem: -2})
    monkeypatch.setattr(choosing, "LARGE", 0)
    assert choose(POOL, among, KEY, index, around) == plainly(POOL, among, index, around)


@given(situations(), st.integers(0, 99), st.data())
def test_a_withdrawn_loser_changes_nothing(
    situation: tuple[list[Stem], Pool, Around], index: int, data: st.DataObject
) -> None:
    stems, pool, around = situation
    won = choose(pool, gather(stems, pool), KEY, index, around)
    losers = [s for s in stems if s != won]
    if won is not None and losers:
        stems.remove(data.draw(st.sampled_from(losers)))
        assert choose(pool, gather(stems, pool), KEY, index, around) == won


@given(situations(), st.integers(0, 99))
def test_only_never_twice_causes_a_rest(situation: tuple[list[Stem], Pool, Around], index: int) -> None:
    stems, pool, around = situation
    rests = choose(pool, gather(stems, pool), KEY, index, around) is None
    assert rests == ({s.stem for s in stems} <= set(around.never_twice))


MANY_ROWS = [tuple(tuple(row) for row in np.roll(CFGC, n, axis=1).tolist()) for n in range(12)]
MANY = [
    tonal(i, *MANY_ROWS[i % 12], set=f"set {i % 300}", energy=(i % 97) / 97, mood=("warm",) * (i % 50 == 0))
    for i in range(6000)
]
HEAVY = (Weight(100, Clause("mood", ("warm",)), None), Weight(0.01, Clause("energy", ((0.1, 1.0),)), None))
LARGE = {
    "equal": (POOL, Around()),
    "some are out": (POOL, Around(never_twice={s.stem for s in MANY[:50]}, capped={MANY[1].holder})),
    "nearly all are out": (POOL, Around(never_twice={s.stem for s in MANY[5:]})),
    "chords, sets and likes": (
        POOL,
        Around(tonal=[part(*CFGC)], sets={"set 5"}, liked={s.stem: 3 for s in MANY[:9]}, span_bars=4),
    ),
    "heavy weights": (replace(POOL, weights=HEAVY), Around(tonal=[part(*CFGC)], sets={"set 0"})),
    "fresh, and the unheard clash": (
        FRESH,
        Around(tonal=[part(*CFGC)], heard={s.stem: i for i, s in enumerate(MANY) if i % 12 != 6}),
    ),
}


@pytest.mark.parametrize(("pool", "around"), LARGE.values(), ids=LARGE)
def test_the_short_way_in_a_large_pool(pool: Pool, around: Around) -> None:
    among = gather(MANY, pool)
    for index in range(40):
        assert choose(pool, among, KEY, index, around) is plainly(pool, among, index, around)


def test_equal_stems_come_equally_often() -> None:
    count = taken(POOL, gather([stem(i) for i in range(1, 21)]), Around(), 4000)
    squares = sum((count[f"beats {i}"] - 200) ** 2 / 200 for i in range(1, 21))
    assert squares < 43.8  # chi-square of 19 degrees of freedom, 1 in 1000


def test_prefer_fresh_shares_time_evenly() -> None:
    """The Gini index of time placed, over 400 placements of 1 to 16 bars among 20 stems."""
    among, heard = gather([stem(i) for i in range(1, 21)], FRESH), dict[str, int]()
    for index in range(400):
        chosen = choose(FRESH, among, KEY, index, Around(heard=heard))
        assert chosen is not None
        bars = 1 + int(KEY.uniform("bars", index) * 16)
        heard[chosen.stem] = heard.get(chosen.stem, 0) + bars
    times = np.sort([heard.get(s.stem, 0) for s in among.stems])
    gini = (2 * np.arange(1, 21) - 21) @ times / (20 * times.sum())
    assert gini < 0.1


# Tempo, key and clauses.

SHIFTS = {
    "fits": (stem(1, "bass", key="D minor"), 3, D_MINOR, 0),
    "its relative": (stem(1, "bass", key="F major"), 3, D_MINOR, 0),
    "down": (stem(1, "bass", key="E minor"), 3, D_MINOR, -2),
    "up": (stem(1, "bass", key="C minor"), 3, D_MINOR, 2),
    "too far": (stem(1, "bass", key="C minor"), 1, D_MINOR, None),
    "a tritone goes down": (stem(1, "bass", key="G# minor"), 6, D_MINOR, -6),
    "unknown": (stem(1, "bass"), 3, D_MINOR, None),
    "unknown beats": (stem(1), 3, D_MINOR, 0),
    "beats are never shifted": (stem(1, key="E minor"), 3, D_MINOR, None),
    "tops are never shifted": (stem(1, "tops", key="E minor"), 3, D_MINOR, None),
    "a hit of unknown key": (stem(1, "melody", "hit"), 3, D_MINOR, 0),
    "a hit on a tone of the key": (stem(1, "melody", "hit", key="A major"), 3, D_MINOR, 0),
    "a hit between two goes down": (stem(1, "melody", "hit", key="G# major"), 3, D_MINOR, -1),
    "a session without a key": (stem(1, "bass", key="E minor"), 3, None, 0),
}


@pytest.mark.parametrize(("it", "most", "key", "shift"), SHIFTS.values(), ids=SHIFTS)
def test_shift(it: Stem, most: int, key: Key | None, shift: int | None) -> None:
    assert shift_of(it, replace(POOL, key="fits", max_shift_st=most), key) == shift


@given(st.fractions(20, 400), st.fractions(20, 400))
def test_tempos_of_many_are_those_of_each(bpm: Fraction, tempo: Fraction) -> None:
    alone = fit_tempo(stem(1, bpm=bpm, beats=8), tempo)
    assert alone is not None
    readings, stretches = fit_tempos(np.array([float(bpm), np.nan]), tempo)
    assert readings[0] * 8 == alone.beats
    assert stretches[0] == pytest.approx(alone.stretch)
    assert within_stretch(stretches, 10.0).tolist() == [True, False]


@settings(max_examples=20)
@given(st.sets(st.integers(0, 30)))
def test_who_is_eligible_does_not_depend_on_the_others(numbers: set[int]) -> None:
    bpms = [Fraction(n) for n in (60, 100, 110, 120, 134, 150, 240)]
    stems = [
        stem(i, "bass", key=["D minor", "E minor", None][i % 3], bpm=bpms[i % 7], beats=8) for i in numbers
    ]
    pool = replace(POOL, key="fits")
    alone = [s for s in sorted(stems, key=lambda s: s.stem) if gather([s], pool, D_MINOR).stems]
    assert list(gather(stems, pool, D_MINOR).stems) == alone
