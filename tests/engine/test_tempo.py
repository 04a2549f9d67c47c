"""Sections with a tempo, a metre and a key of their own, and ramps: against the grid counted by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom import Player, Vault
from stemloom.engine.clock import Ramp
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.listing import plan
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import MOST_TUNED, Score, score
from stemloom.engine.compose.state import State, first_state
from stemloom.engine.compose.swap import carried, rescored
from stemloom.engine.fades import natural_end
from stemloom.engine.plan import Bar, Placement
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem
from stemloom.vault.sound.declared import Declared

from .pieces import NOW, snapshot, stem
from .test_clock import ByHand

RATE = 48_000
HEAD = 'piece "T" for stream\ntempo 120\nkey D minor\nseed 3\n'
POOLS = """pool beats = loops role beats, max stretch 100%
pool low = loops role bass, max stretch 100%
pool haze = loops role pads
pool sparks = hits role fx
"""
STEMS = [
    stem(1, title="Brush"),
    stem(2, title="Long", beats=12),
    stem(3, title="Slow", bpm=Fraction(67)),
    stem(11, "bass", title="Keel", key="D minor"),
    stem(12, "bass", title="Tide", key="D minor", bpm=Fraction(100), beats=16),
    stem(21, "pads", "sustained", title="Fog", key="D minor"),
    stem(31, "fx", "hit", title="Zap"),
]


def begun(text: str, stems: list[Stem] = STEMS) -> tuple[Score, State]:
    whole = text if text.startswith("piece") else HEAD + POOLS + text
    fixed = score(accepted(whole), snapshot(*stems), use="stream", at=NOW, rate=RATE, must_sound=False)
    return fixed, first_state(fixed.piece, {})


def played(text: str, bars: int = 64, stems: list[Stem] = STEMS) -> list[Bar]:
    fixed, state = begun(text, stems)
    made: list[Bar] = []
    while len(made) < bars and not state.ended:
        bar, state = next_bar(fixed, state)
        made.append(bar)
    return made


def loops(bars: list[Bar], part: str) -> list[Placement]:
    return [p for bar in bars for p in bar.starts if p.part == part]


# The grid

METERS = st.sampled_from([(4, 4), (3, 4), (7, 8), (5, 16)])
TEMPI = st.integers(60, 180)


@st.composite
def forms(
    draw: st.DrawFn,
) -> list[tuple[int, int | None, tuple[int, int] | None, list[tuple[int, int, int]]]]:
    """Sections: bars, tempo, metre, and ramps of (bar, bars, tempo)."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        bars, tempo = draw(st.integers(1, 4)), draw(st.none() | TEMPI)
        ramps, free, now = [], 1, tempo or 120
        while free <= bars and draw(st.booleans()):
            first = draw(st.integers(free, bars))
            lasts = draw(st.integers(1, bars - first + 1))
            target = draw(TEMPI.filter(lambda each: each != now))  # noqa: B023  drawn at once
            ramps.append((first, lasts, target))
            free, now = first + lasts, target
        made.append((bars, tempo, draw(st.none() | METERS), ramps))
    return made


@settings(max_examples=12, deadline=None)
@given(forms())
def test_every_start_lies_on_the_grid_that_is_counted_by_hand(form: list) -> None:  # type: ignore[type-arg]
    text, hand = "", ByHand()
    for number, (bars, tempo, meter, ramps) in enumerate(form):
        own = f" tempo {tempo}" if tempo else ""
        own += f" meter {meter[0]}/{meter[1]}" if meter else ""
        text += f"section s{number} {bars} bars{own}\n    bring drums from beats\n"
        text += '    bring low from low\n    play zap from sparks "x"\n'
        length, now = Fraction(4 * (meter or (4, 4))[0], (meter or (4, 4))[1]), tempo or 120
        moves = []
        for bar, lasts, target in ramps:
            word = "slow" if target < now else "push"
            text += f"    {word} to {target} over {lasts} bars at bar {bar}\n"
            moves.append(Ramp(hand.beat + (bar - 1) * length, lasts * length, Fraction(target)))
            now = target
        hand.section(bars, Fraction(tempo or 120), length, moves)
    bars = played(text + f"move s{len(form) - 1} -> silence at end\n")
    frames = [bar.start_frame for bar in bars]
    exact = [*(frame for _, frame in hand.lines), hand.frame]
    assert all(abs(frame - by_hand) <= Fraction(1, 2) for frame, by_hand in zip(frames, exact, strict=True))
    assert all(before.end_frame == after.start_frame for before, after in pairwise(bars))
    steps = [frame for _, frame in hand.steps]
    hits = [p.start_frame for p in loops(bars, "zap")]
    assert len(hits) == len(steps)
    assert all(abs(hit - step) <= Fraction(1, 2) for hit, step in zip(hits, steps, strict=True))
    where = {round(frame): place for place, frame in enumerate(steps)} | {round(hand.frame): len(steps)}
    for part in ("drums", "low"):
        for p in loops(bars, part):
            # What begins off a sixteenth is a loop of an odd length; all here are of whole ones.
            assert any(p.start_frame + off in where for off in (-1, 0, 1))
            for _, out in p.variant.ramp:
                if p.start_frame + out < natural_end(p):
                    assert any(p.start_frame + out + off in where for off in (-1, 0, 1))


SLOWING = """section a 12 bars
    bring drums from beats
    bring low from low at bar 2 beat 3
    bring haze from haze
    slow to 60 over 4 bars at bar 5
"""


def test_a_loop_follows_a_ramp_from_sixteenth_to_sixteenth_and_goes_on_after_it() -> None:
    bars = played(SLOWING, 12)
    drums = loops(bars, "drums")
    along = next(p for p in drums if p.variant.ramp)
    assert along.bar == 4
    assert along.offset_frames == 0
    anchors = along.variant.ramp
    source = next(s for s in STEMS if s.stem == along.stem)
    beats = (
        source.beats * {1: 1, 2: 2, 0: Fraction(1, 2)}[round(float(120 * along.variant.stretch / source.bpm))]
    )
    phase = Fraction(16) % beats
    for number, (of, _) in enumerate(anchors[:65]):
        assert of == round((phase + Fraction(number, 4)) * source.frames / beats)
    assert anchors[64][1] == bars[8].start_frame - bars[4].start_frame
    after = drums[drums.index(along) + 1]
    assert after.variant.loop_start == 0
    # It enters at its first frame, where the loop begins anew.
    assert after.offset_frames == 0
    assert after.start_frame == along.end_frame
    assert after.variant.frames == round(60 * RATE * beats / 60)
    assert [p.stem for p in drums] == [along.stem] * len(drums)
    # A sustained sound knows no tempo.
    assert len(loops(bars, "haze")) == 1


def test_a_loop_along_a_ramp_loses_no_time() -> None:
    for part in ("drums", "low"):
        sounding = loops(played(SLOWING, 12), part)
        for before, after in pairwise(sounding):
            assert before.end_frame - (2880 if part == "low" else 0) == after.start_frame


def test_a_tempo_ends_with_its_section() -> None:
    text = """section a 2 bars tempo 90
    bring drums from beats
    slow to 70 over 1 bars
section b 2 bars
    bring drums from beats
move b -> a
"""
    bars = played(text, 12)
    assert [bar.tempo_bpm for bar in bars[2:4]] == [120, 120]
    assert [bar.tempo_bpm for bar in bars[4:6]] == [Fraction(90 * 32 - 20, 32), 70]
    lengths = [bar.end_frame - bar.start_frame for bar in bars]
    assert all(abs(a - b) <= 1 for a, b in zip(lengths[:4], lengths[4:8], strict=True))
    assert lengths[2] == 2 * RATE


def test_a_section_that_is_left_early_takes_its_ramp_with_it() -> None:
    fixed, state = begun("""section a 8 bars
    bring drums from beats
    slow to 60 over 8 bars
section b 2 bars
    bring drums from beats
move a -> b at next 4 bars
""")
    bars = []
    for _ in range(6):
        bar, state = next_bar(fixed, state)
        bars.append(bar)
    assert [bar.section for bar in bars] == ["a"] * 4 + ["b"] * 2
    assert bars[5].end_frame - bars[4].start_frame == 4 * RATE
    assert state.known_grid is not None
    assert state.known_grid.ramps[-1].end == 16


def test_what_is_held_goes_on_at_the_new_tempo_from_the_same_place() -> None:
    text = """section a 3 bars
    bring low from low
section b 3 bars tempo 90
    hold low
section c 2 bars meter 7/8
    hold low
"""
    first, second, third = loops(played(text, 8), "low")
    assert first.stem == second.stem == third.stem
    stem_of = next(s for s in STEMS if s.stem == first.stem)
    beats = stem_of.beats
    for p, tempo, passed in ((second, 90, 12), (third, 120, 24)):
        assert p.variant.frames == round(60 * RATE * beats / tempo)
        assert p.offset_frames == round(60 * RATE * Fraction(passed % beats) / tempo) % p.variant.frames
    assert second.fade_in.equal_power


def test_a_key_is_lifted_from_the_heads_so_that_a_loop_of_sections_does_not_climb() -> None:
    text = """section a 2 bars
    bring low from low
section b 2 bars key up 2 st
    bring low from low
move b -> a
"""
    bars = played(text, 12)
    assert [bar.key for bar in bars[::2]] == ["D minor", "E minor"] * 3
    assert [p.variant.semitones for p in loops(bars, "low")] == [0, 2] * 3


# Who may sound

CLOSE = "pool near = loops role beats\n"


def doubts(text: str) -> list[str]:
    piece = accepted(HEAD + POOLS + CLOSE + text)
    return [f"{p.code} {p.message}" for p in rehearse(piece, snapshot(*STEMS), at=NOW)]


def test_what_cannot_follow_is_left_out_and_named() -> None:
    text = (
        "section a 4 bars\n    bring drums from near\nsection b 4 bars tempo 134\n    bring drums from near\n"
    )
    assert doubts(text) == []
    text = "section a 4 bars\n    bring drums from near\n    slow to 110 over 2 bars\n"
    assert doubts(text) == [
        "W037 1 of 3 stems of pool near cannot follow to section a (120 to 110 bpm, D minor): Slow"
    ]
    drums = loops(played(CLOSE + text, 40), "drums")
    assert "Slow" not in {p.title for p in drums}


def test_a_pool_that_is_left_with_nothing_rests_and_is_doubted() -> None:
    text = "section a 4 bars\n    bring drums from near\n    slow to 60 over 2 bars\n"
    assert doubts(text)[0] == (
        "W038 pool near is empty in section a: none of 3 stems stretches to 60 bpm within 12%: "
        "the nearest needs 100%"
    )
    bars = played(CLOSE + text, 4)
    assert not loops(bars, "drums")
    assert {rest.reason for bar in bars for rest in bar.rested} == {
        "pool near is empty: none of 3 stems stretches to 60 bpm within 12%: the nearest needs 100%"
    }


def test_what_is_held_and_cannot_follow_rests_and_is_told_once() -> None:
    text = "section a 4 bars\n    bring drums from near\nsection b 4 bars tempo 90\n    hold drums\n"
    bars = played(CLOSE + text, 8)
    assert len(loops(bars, "drums")) == 1
    assert [rest.reason for bar in bars for rest in bar.rested] == [
        "what it held cannot follow to the tempo or the key of this section"
    ]
    piece = accepted(HEAD + POOLS + CLOSE + text)
    (said,) = (p for p in rehearse(piece, snapshot(*STEMS), at=NOW) if p.code == "W021")
    assert said.hint == "give the pool from which it was brought `max stretch` or `max shift`"


def test_a_pool_may_be_for_another_tempo_alone() -> None:
    text = """section a 4 bars
    bring haze from haze
section b 4 bars tempo 170
    bring fast from fast
"""
    piece = accepted(HEAD + POOLS + "pool fast = loops role tops\n" + text)
    stems = [*STEMS, stem(41, "tops", bpm=Fraction(170))]
    assert rehearse(piece, snapshot(*stems), at=NOW) == ()
    assert [p.part for bar in played(piece.text, 8, stems) for p in bar.starts] == ["haze", "fast"]


def test_a_thousand_tempi_keep_few_pools() -> None:
    sections = "".join(
        f"section s{number} 1 bars tempo {100 + number / 10:.1f}\n    bring drums from beats\n"
        for number in range(40)
    )
    fixed, state = begun(sections)
    for _ in range(40):
        _, state = next_bar(fixed, state)
    assert len(vars(fixed)["_tuned"]) == MOST_TUNED


def test_a_line_more_changes_no_choice_but_of_what_cannot_follow() -> None:
    text = """section a 8 bars
    bring drums from beats
    bring low from low
    vary drums every 2 bars
section b 4 bars
    bring drums from beats
move b -> a
"""
    plain = [(p.part, p.bar, p.stem) for bar in played(text, 40) for p in bar.starts]
    turned = text.replace("    vary", "    slow to 100 over 2 bars at bar 3\n    vary")
    turned = turned.replace("b 4 bars", "b 4 bars tempo 130")
    moved = {(p.part, p.bar): p.stem for bar in played(turned, 40) for p in bar.starts}
    assert all(moved.get((part, bar), stem) == stem for part, bar, stem in plain)


# Another script, the plan, the length


def test_a_script_that_takes_over_leaves_the_tempo_to_the_sections_end() -> None:
    text = "section a 4 bars tempo 90\n    bring drums from beats\n"
    text += "section b 2 bars\n    bring drums from beats\n"
    fixed, state = begun(text)
    for _ in range(2):
        _, state = next_bar(fixed, state)
    coming = rescored(fixed, accepted(HEAD + POOLS + text.replace("90", "100")), fixed.snapshot, NOW)
    state, stops = carried(state, fixed, coming)
    assert not stops
    lengths = []
    for _ in range(4):
        bar, state = next_bar(coming, state)
        lengths.append(bar.end_frame - bar.start_frame)
    assert lengths == [4 * 32_000, 4 * 32_000, 2 * RATE, 2 * RATE]


def test_a_plan_says_where_tempo_metre_and_key_turn() -> None:
    text = "section a 2 bars\n    bring low from low\n"
    text += "section b 2 bars tempo 96 meter 7/8 key E minor\n    bring low from low at bar 1 beat 3\n"
    made = plan(accepted(HEAD + POOLS + text), snapshot(*STEMS), 4, at=NOW)
    assert [(bar.bar, bar.tempo_bpm, bar.meter, bar.key) for bar in made.turns] == [
        (2, 96, (7, 8), "E minor")
    ]
    assert [(p.bar, p.beat, float(p.bars)) for p in made.placements] == [(0, 0, 2), (2, 2, 12 / 7)]


# What is heard


def burst(seed: int) -> np.ndarray:
    """A drum: 40 ms of noise that dies away."""
    noise = np.random.default_rng(seed).standard_normal((2, RATE // 25))
    return (noise * 0.3 * np.exp(-np.arange(RATE // 25) / 300)).astype(np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of two bars with a drum on each eighth, a longer one, and a drum."""
    home = tmp_path_factory.mktemp("tempo") / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for bars in (2, 3):
            loop = np.zeros((2, bars * 4 * 24_000), np.float32)
            for eighth in range(bars * 8):
                drum = burst(10 * bars + eighth)
                loop[:, eighth * 12_000 : eighth * 12_000 + drum.shape[1]] += drum
            path = home.parent / f"loop{bars}.wav"
            soundfile.write(path, loop.T, RATE, subtype="FLOAT")
            offers.append(Declared(path, "Ada", "beats", bpm=Fraction(120), bars=bars, accept_silence=True))
        path = home.parent / "hit.wav"
        soundfile.write(path, np.pad(burst(1), ((0, 0), (0, 4800))).T, RATE, subtype="FLOAT")
        offers.append(Declared(path, "Ada", "fx", shape="hit"))
        assert len(vault.add(offers).added) == 3
        vault.grant([each.stem for each in vault.stems()], ["stream"])
    return home


HEARD = """piece "Slowing" for stream
tempo 120
seed {seed}
pool beats = loops role beats, max stretch 100%
pool sparks = hits role fx
section a 10 bars
    bring drums from beats
    play zap from sparks ".X"
    {ramp}
move a -> silence at end
"""
RAMPS = ["slow to 60 over 4 bars at bar 3", "push to 180 over 3 bars at bar 4"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ramp", RAMPS)
def test_every_onset_along_a_ramp_is_within_2_ms_and_a_take_replays(home: Path, ramp: str, seed: int) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(HEARD.format(ramp=ramp, seed=seed)), use="stream")
        session.prepare()
        sound = np.abs(session.read(10**8)).max(axis=0)
        take = session.close()
        again, replayed = replay(vault, take, lambda _: None)
        again.seal()
        assert replayed.same
        assert replayed.take.pcm_sha256 == take.pcm_sha256
    words = ramp.split()
    hand = ByHand()
    first = Fraction(4 * (int(words[8]) - 1))
    hand.section(
        10, Fraction(120), Fraction(4), [Ramp(first, Fraction(4 * int(words[4])), Fraction(words[2]))]
    )
    for beat, exact in hand.steps:
        frame = round(exact)
        before, around = (
            sound[max(frame - 1440, 0) : max(frame - 96, 0)],
            sound[max(frame - 96, 0) : frame + 480],
        )
        peak = around.max()
        onset = int(np.argmax(around > 0.2 * peak)) + max(frame - 96, 0) - frame
        assert peak > 0.02, f"nothing is struck on beat {float(beat)}"
        assert abs(onset) <= 96, f"beat {float(beat)}: {onset} frames"
        # Nothing is struck shortly before it either.
        assert before.size == 0 or before.max() < 0.5 * peak


def test_a_player_reads_tempo_and_place_where_it_is(home: Path, tmp_path: Path) -> None:
    text = HEARD.format(ramp="slow to 60 over 4 bars at bar 3", seed=1)
    text = text.replace("section a 10 bars", "section a 10 bars meter 7/8")
    text += "dial push 0..1 = 0 at next beat\n"
    text = text.replace("bring drums from beats", "bring drums from beats when push > 0")
    path = tmp_path / "slowing.loom"
    path.write_text(text, encoding="utf-8")
    with Player(home, path, use="stream") as player:
        player.read(84_000 + 6_001)
        assert player.tempo == 120
        assert player.position.bar == 2
        assert player.position.beat == pytest.approx(1.5, abs=0.01)
        player.read(84_000)
        assert 118 < player.tempo < 120
        player.read(10 * RATE)
        assert player.tempo == 60


def test_a_session_of_so_many_bars_ends_with_them(home: Path) -> None:
    with Vault.open(home) as vault:
        text = HEARD.format(ramp="slow to 60 over 2 bars at bar 1", seed=1)
        session = Session(vault, accepted(text), use="stream", bars=3)
        session.prepare()
        frames, bars = session.planned_frames, session.bars
        session.read(10**8)
        assert bars[2].end_frame == frames
        session.close()
