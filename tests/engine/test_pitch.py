"""Notes and chords at work: what hits are shifted by, which can be, and which loops go with the chords."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stemloom.engine.clock import BarClock
from stemloom.engine.compose import choose as choosing
from stemloom.engine.compose.chance import DrawKey
from stemloom.engine.compose.choose import Around, choose
from stemloom.engine.compose.chords import chord_names, chroma_of
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.eligible import eligible
from stemloom.engine.compose.harmony import CHORDS_STEEPNESS, MOST_BARS, TonalPart, agreement
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.compose.swap import carried
from stemloom.engine.plan import Bar, Placement
from stemloom.engine.play.stretch import resample
from stemloom.ground.pitch import QUALITIES, TONICS
from stemloom.script.check.check import accepted
from stemloom.script.piece import Pool, Span
from stemloom.script.pitch import Chord, Progression
from stemloom.vault.records import Clearance, Stem

from .conftest import Compose
from .pieces import HEAD, NOW, snapshot, stem
from .test_choose import CLOCK, chord as chroma, major, minor

KEY = HEAD.replace("D minor or F major", "D minor")
REPITCHED = {"stream": Clearance(1, "2026-01-01T00:00:00.000Z", None, frozenset(("stretch", "pitch")))}
LOW = stem(1, "bass", "hit", key="E minor", clearances=REPITCHED)
DEAF = [stem(n, "bass", "hit", clearances=REPITCHED) for n in (2, 3)]
"""Hits without a known root."""
KEPT = stem(4, "bass", "hit", key="E minor")
"""A hit that its holder does not let anybody repitch."""
POOL = "pool low = hits role bass\n"
SPAN = Span(1, 1, 1, 2)


def hits(bars: list[Bar]) -> list[Placement]:
    return sorted((p for bar in bars for p in bar.starts if p.hit), key=lambda p: p.start_frame)


def shifts(bars: list[Bar]) -> list[int]:
    return [p.variant.semitones for p in hits(bars)]


def said(text: str, stems: list[Stem]) -> list[str]:
    return [f"{p.code} {p.message}" for p in rehearse(accepted(KEY + text), snapshot(*stems), at=NOW)]


# Notes.


def test_a_note_a_hit_going_round(compose: Compose) -> None:
    text = KEY + POOL + 'section a 2 bars\n    play low from low "x.x. x..." notes "1 5 8"\n'
    # From E down to D, up to A, up to D.
    assert shifts(compose(text, [LOW], 2)) == [-2, 5, 10] * 4
    assert [p.start_frame for p in hits(compose(text, [LOW], 1))] == [
        0,
        12_000,
        24_000,
        48_000,
        60_000,
        72_000,
    ]


def test_a_dot_leaves_its_hit_out(compose: Compose) -> None:
    text = KEY + POOL + 'section a 1 bar\n    play low from low "x..." notes "1 . 5 ."\n'
    found = hits(compose(text, [LOW], 1))
    assert [(p.start_frame, p.variant.semitones) for p in found] == [(0, -2), (48_000, 5)]


def test_a_hit_keeps_its_note_whether_others_are_struck_or_not(compose: Compose) -> None:
    text = KEY + POOL + 'section a 8 bars\n    play low from low "{}" {} notes "1 2 3 4 5 6 7"\n'
    whole = {p.start_frame: p.variant.semitones for p in hits(compose(text.format("xx.x", ""), [LOW], 8))}
    for pattern, more in (("xx.x", "chance 40%"), ("x5.3", ""), ("xx.x", "at bar 3"), ("xx.x", "one in 2")):
        some = {
            p.start_frame: p.variant.semitones for p in hits(compose(text.format(pattern, more), [LOW], 8))
        }
        assert 0 < len(some) < len(whole)
        assert some.items() <= whole.items()


def test_chords_change_nothing_of_hits_without_notes(compose: Compose) -> None:
    text = KEY + POOL.replace("bass", "bass, key fits") + '{}section a 1 bar\n    play low from low "x..."\n'
    plain = compose(text.format("\n"), [LOW, *DEAF], 4)
    assert compose(text.format("chords D, A\n"), [LOW, *DEAF], 4) == plain


def test_notes_follow_the_chords(compose: Compose) -> None:
    text = (
        KEY + POOL + "chords D, none, F/A each 2 beats\nsection a 3 bars\n    play low from low {} notes {}\n"
    )
    # D is 2 below E, A 5 above it; F/A goes A, C, F.
    assert shifts(compose(text.format('"x..."', "root"), [LOW], 3)) == [-2, -2, 5, 5] * 2
    assert shifts(compose(text.format('"x.x."', "chord"), [LOW], 3)) == [-2, 2, 5, -2, 5, 8, 13, 5] * 2
    begun = [p.start_frame / 96_000 for p in hits(compose(text.format('"x..."', "root"), [LOW], 3))]
    assert begun == [0, 0.25, 1, 1.25, 1.5, 1.75, 2.5, 2.75], "nothing while there is no chord"


def test_a_section_has_its_own_chords_from_its_start(compose: Compose) -> None:
    lines = '    play low from low "x...|...." notes root\n'.replace("|", "")
    text = f"{KEY}{POOL}chords D, E\nsection a 3 bars\n{lines}section b 1 bar\n    chords A\n{lines}"
    text += (
        f'section c 2 bars\n{lines}section d 1 bar\n    chords none\n    play low from low "x" notes "1"\n'
    )
    found = compose(text, [LOW], 7)
    assert [{p.variant.semitones for p in bar.starts} for bar in found] == [
        {-2},
        {0},
        {-2},
        {5},
        {-2},
        {0},
        {-2},
    ]


def test_key_up_moves_the_chords_that_a_section_does_not_name(compose: Compose) -> None:
    """A chorus that is lifted is lifted whole."""
    lines = '    play low from low "x...|...." notes root\n'.replace("|", "")
    text = f"{KEY}{POOL}chords D, E\nsection a 2 bars\n{lines}section b 2 bars key up 2 st\n{lines}"
    text += f"section c 1 bar key up 2 st\n    chords A\n{lines}section d 1 bar as c key up 3 st\n"
    text += "section e 1 bar as c\nsection f 2 bars as a key down 1 st\nsection g 1 bar key G minor as a\n"
    found = compose(text, [LOW], 10)
    semitones = [p.variant.semitones for bar in found for p in bar.starts[:1]]
    assert semitones == [-2, 0, 0, 2, 5, -6, 5, -3, -1, -2]
    assert Chord("Bb/D", 2, (3, 8)).moved(3) == Chord("C#/F", 5, (3, 8))


@settings(max_examples=200)
@given(
    root=st.integers(0, 11),
    tonic=st.integers(0, 11),
    mode=st.sampled_from(["major", "minor"]),
    written=st.sampled_from(["1", "b2", "3", "#4", "5,", "b7", "8", "10", "1'", "6,", "#7,", "b5'"]),
)
def test_the_note_is_the_one_that_is_written(root: int, tonic: int, mode: str, written: str) -> None:
    text = f"{HEAD}{POOL}".replace("key D minor or F major", f"key {TONICS[tonic]} {mode}")
    piece = accepted(f'{text}section a 1 bar\n    play low from low "x" notes "{written}"\n')
    one = replace(LOW, key=f"{TONICS[root]} minor", frames=48_000, sounding_frames=48_000)
    fixed = score(piece, snapshot(one), use="stream", at=NOW, rate=48_000)
    bar, _ = next_bar(fixed, first_state(piece, {}))
    (line,) = piece.sections[0].lines
    degree = line.notes.degrees[0]  # type: ignore[union-attr]
    assert degree is not None
    for placement in bar.starts:
        shift = placement.variant.semitones
        assert abs(shift) <= 24
        assert (root + shift - tonic - degree.above(mode)) % 12 == 0  # type: ignore[arg-type]
        assert abs(shift - degree.above(mode)) <= 6  # type: ignore[arg-type]
        assert placement.variant.frames == round(48_000 * 2 ** (-shift / 12))
        assert placement.end_frame - placement.start_frame <= placement.variant.frames


@pytest.mark.parametrize("semitones", [-24, -7, 1, 12, 24])
def test_what_is_shifted_sounds_at_its_note(semitones: int) -> None:
    """Of a tone of 440 Hz, by where its spectrum is highest, to within 3 cents."""
    wave = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000).astype(np.float32)[None]
    made = resample(wave, round(48_000 * 2 ** (-semitones / 12)))[0]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made)), 1 << 22))
    heard = float(np.argmax(spectrum)) * 48_000 / (1 << 22)
    assert abs(1200 * np.log2(heard / 440) - 100 * semitones) < 3


# Who can be played at notes.


def test_a_stem_that_cannot_be_played_at_notes_is_left_out_and_counted(compose: Compose) -> None:
    text = POOL + 'section a 4 bars\n    play low from low "x..." notes "1"\n'
    for seed in range(20):
        found = hits(compose(KEY.replace("seed 7", f"seed {seed}") + text, [*DEAF, KEPT, LOW], 1))
        assert {p.stem for p in found} == {LOW.stem}
    unknown = "W046 2 of {} hits of pool low cannot be played at notes: no root is known"
    kept = "W047 1 of {} hits of pool low cannot be played at notes: the grant does not allow `pitch`"
    assert said(text, [*DEAF, LOW]) == [unknown.format(3)]
    assert said(text, [*DEAF, KEPT, LOW]) == [unknown.format(4), kept.format(4)]
    assert said(text, [LOW]) == []
    assert said(text.replace(' notes "1"', ""), [*DEAF, LOW]) == []


def test_a_pool_of_which_no_root_is_known_rests() -> None:
    text = POOL + 'section a 4 bars\n    play low from low "x..." notes "1"\n'
    rests = (
        "W021 low rests in bar 1 of section a: pool low is empty: no stem has a known root and a grant that "
    )
    for stems in (DEAF, [KEPT]):
        assert any(each.startswith(rests) for each in said(text, stems))


@pytest.mark.parametrize("wrong", [DEAF[0], KEPT], ids=["no root", "no grant"])
def test_a_line_that_gets_notes_while_it_plays_lets_go_of_what_cannot_play_them(wrong: Stem) -> None:
    text = KEY + POOL + 'section a 8 bars\n    play low from low "x..."'
    seeds = (f"seed {seed}" for seed in range(50))
    for seed in seeds:
        old = score(
            accepted(text.replace("seed 7", seed) + "\n"),
            snapshot(LOW, wrong),
            use="stream",
            at=NOW,
            rate=48_000,
        )
        bar, state = next_bar(old, first_state(old.piece, {}))
        if bar.starts[0].stem == wrong.stem:
            break
    piece = accepted(text.replace("seed 7", seed) + ' notes "1"\n')
    new = score(piece, snapshot(LOW, wrong), use="stream", at=NOW, rate=48_000)
    bar, _ = next_bar(new, carried(state, old, new)[0])
    assert {p.stem for p in bar.starts} == {LOW.stem}


def test_each_hit_is_a_new_recording_at_the_note_of_its_step(compose: Compose) -> None:
    more = [
        replace(LOW, stem=f"s{n:020x}", key=f"{tonic} minor") for n, tonic in enumerate(("C", "F", "A"), 5)
    ]
    text = POOL + 'section a 4 bars\n    play low from low "x..." notes "1 . 5" each hit new\n'
    found = hits(compose(KEY + text, [*DEAF, KEPT, LOW, *more], 4))
    roots = {s.stem: TONICS.index((s.key or "").split(" ")[0]) for s in (LOW, *more)}
    heard = [(p.start_frame // 24_000 % 3, (roots[p.stem] + p.variant.semitones) % 12) for p in found]
    assert heard == [(0, 2), (2, 9)] * 5 + [(0, 2)]
    assert len({p.stem for p in found}) == 4


# Chords, and the loops that go with them.

TONAL = [
    stem(n, "pads", key="D minor", chroma=(row, row))
    for n, row in enumerate((minor(2), major(5), major(1), major(8), minor(7), chroma(0, 1, 6)), 11)
]
PADS = "pool haze = loops role pads\n"


def taken(text: str, stems: list[Stem], draws: int = 150) -> Counter[str]:
    """How often each stem is what the first bar brings."""
    found: Counter[str] = Counter()
    for seed in range(draws):
        piece = accepted(KEY.replace("seed 7", f"seed {seed}") + text)
        bar, _ = next_bar(
            score(piece, snapshot(*stems), use="stream", at=NOW, rate=48_000), first_state(piece, {})
        )
        found.update(p.title for p in bar.starts)
    return found


def test_loops_are_weighed_by_the_chords() -> None:
    text = PADS + "section a 4 bars\n{}    bring haze from haze\n"
    free, led = taken(text.format(""), TONAL), taken(text.format("    chords Dm each 2 bars\n"), TONAL)
    assert min(free[s.title] for s in TONAL) > 10
    assert led["pads 11"] + led["pads 12"] > 120
    assert led["pads 14"] == 0, "G# major clashes with D minor"
    assert taken(text.format("    chords none\n"), TONAL) == free


def test_the_bar_of_the_chords_counts() -> None:
    """Two loops have the same chords in another order: the one that goes with them is taken."""
    one = stem(1, "pads", key="D minor", chroma=(major(0), major(6)))
    other = stem(2, "pads", key="D minor", chroma=(major(6), major(0)))
    text = PADS + "section a 4 bars\n    chords C, F#\n    bring haze from haze{}\n"
    assert taken(text.format(""), [one, other], 40)["pads 1"] > 38
    late = KEY + text.format(" at bar 2")
    for seed in range(40):
        piece = accepted(late.replace("seed 7", f"seed {seed}"))
        fixed = score(piece, snapshot(one, other), use="stream", at=NOW, rate=48_000)
        _, state = next_bar(fixed, first_state(piece, {}))
        bar, _ = next_bar(fixed, state)
        assert [p.title for p in bar.starts] == ["pads 2"]


def test_chords_that_no_stem_has_are_told() -> None:
    text = PADS + "section a 4 bars\n    chords {}\n    bring haze from haze at bar 2\n"
    told = (
        'W045 haze "pads 14" clashes with the chords in bar 2 of section a, as does every stem of pool haze'
    )
    assert said(text.format("D"), [TONAL[3]]) == [told]
    assert said(text.format("Ab"), [TONAL[3]]) == []
    assert said(text.format("none"), [TONAL[3]]) == []
    assert said(text.format("D"), [TONAL[3], TONAL[0]]) == [], "one of them goes with it"


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([None, *range(24)]), min_size=1, max_size=9),
    st.integers(1, 7),
    st.sampled_from(["bars", "beats"]),
    st.sampled_from([3, 4, 7]),
)
def test_the_chroma_of_chords_is_their_share_of_each_bar(
    roots: list[int | None], each: int, unit: str, beats: int
) -> None:
    """By counting twelfths of a beat."""
    named = [
        None if n is None else Chord(str(n), n % 12, QUALITIES["m" if n > 11 else "maj7"][1:]) for n in roots
    ]
    chords = Progression(tuple(named), Fraction(each), unit)  # type: ignore[arg-type]
    clock = BarClock(Fraction(120), (beats, 4), 48_000)
    found = chroma_of(chords, clock)
    lasts = each * (beats if unit == "bars" else 1)
    assert len(found) <= MOST_BARS
    assert len(found) == MOST_BARS or (len(found) * beats) % (lasts * len(roots)) == 0
    for bar, row in enumerate(found):
        wanted = np.zeros(12)
        for beat in range(bar * beats, (bar + 1) * beats):
            chord = named[beat // lasts % len(named)]
            for tone in chord.tones if chord is not None else ():
                wanted[(chord.bass + tone) % 12] += 1 / len(chord.tones) / beats
        np.testing.assert_allclose(row, wanted, atol=1e-12)


def test_the_compiled_choice_is_the_plain_one_with_chords(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [chroma(k, k + 4, k + 7) for k in range(12)]
    stems = [
        stem(n, "pads", beats=4 * (1 + n % 4), chroma=tuple(rows[(n + k) % 12] for k in range(1 + n % 4)))
        for n in range(300)
    ]
    pool = Pool("x", (), "any", 0.12, None, False, SPAN)
    among = eligible(pool, snapshot(*stems), np.arange(300), CLOCK, None, use="stream")
    chords = chroma_of(Progression((Chord("D", 2, (4, 7)), None, Chord("Am", 9, (3, 7)))), CLOCK)
    silent = np.arange(300) % 7 == 0
    beside = TonalPart("the chords", "D, none, Am", chords, 1)
    around = Around(tonal=[beside], steepness=CHORDS_STEEPNESS, unplayable=silent)
    key = DrawKey(7, "a", None, "bring x")
    plain = [choose(pool, among, key, i, around) for i in range(100)]
    monkeypatch.setattr(choosing, "LARGE", 0)
    assert [choose(pool, among, key, i, around) for i in range(100)] == plain
    assert len({s.stem for s in plain if s}) > 20
    assert not any(silent[among.find(s.stem)] for s in plain if s)


# What else asks about harmony.


def test_the_names_of_a_loops_chords() -> None:
    assert chord_names([chroma(t, t + 4, t + 7) for t in range(12)]) == list(TONICS)
    assert chord_names([chroma(t, t + 3, t + 7) for t in range(12)]) == [f"{t}m" for t in TONICS]
    assert chord_names([(1 / 12,) * 12, (0.0,) * 12]) == ["none", "none"]
    assert chord_names(stem(1, chroma=(chroma(2, 6, 9, 0),)).chroma) == ["D"]


def test_how_two_stems_agree() -> None:
    bars = np.array([major(0), minor(9)])
    assert agreement(bars, bars) > 0.8 > agreement(bars, bars[::-1]) > agreement(bars, bars[:, ::-1]) > -1
    assert agreement(np.array([major(0)]), np.array([major(6)])) < -0.4
    assert agreement(bars[:1], bars) == pytest.approx(agreement(bars, bars[:1]))
