"""Pools of slices: loops that are cut at their onsets and struck, as far as their grants allow it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from stemloom import Vault
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.slices import BEFORE_FRAMES, LEAST_FRAMES, Slice, slices_of, struck
from stemloom.engine.compose.state import first_state
from stemloom.engine.errors import NothingCleared
from stemloom.engine.plan import Placement
from stemloom.engine.play.render import render
from stemloom.engine.play.replay import replay
from stemloom.engine.play.take import load
from stemloom.ledger.entries.entries import Placement as Heard
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import Clearance, Stem
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.onsets import onsets

from .pieces import HEAD, NOW, stem

RATE = 48_000
SINCE = "2026-01-01T00:00:00.000Z"
MARKS = (96, 24_000, 48_000, 60_000)


def granted(number: int, *allows: str, **changes: object) -> Stem:
    """A loop of two bars whose grant allows these things."""
    clearances = {"stream": Clearance(number, SINCE, None, frozenset(allows))}
    return stem(number, "voice", clearances=clearances, **changes)


def vault_of(*stems: Stem, marks: tuple[int, ...] = MARKS) -> Snapshot:
    return Snapshot(stems, [], 1000, NOW, listen=lambda *_: marks)


def scored(text: str, vault: Snapshot) -> Score:
    return score(accepted(HEAD + text), vault, use="stream", at=NOW, rate=RATE)


def placed(fixed: Score, bars: int = 4) -> list[Placement]:
    state, starts = first_state(fixed.piece, {}), list[Placement]()
    for _ in range(bars):
        bar, state = next_bar(fixed, state)
        starts += bar.starts
    return starts


CHOPS = """pool chops = slices role voice
section a 4 bars
    play chop from chops "x...x..." {modifiers}
"""


@given(st.lists(st.integers(0, 99_999), max_size=30), st.integers(2_000, 100_000))
def test_slices_lie_between_onsets_one_after_the_other(marks: list[int], frames: int) -> None:
    marks = [mark for mark in marks if mark < frames]
    slices = slices_of(marks, frames)
    edges = {max(mark - BEFORE_FRAMES, 0) for mark in marks} | {frames}
    for each in slices:
        assert {each.start, each.end} <= edges
        assert each.end - each.start >= LEAST_FRAMES
    for each, following in pairwise(slices):
        assert each.end <= following.start
    # Only what is too short is left out.
    cuts = sorted(edges)
    long = sum(b - a >= LEAST_FRAMES for a, b in pairwise(cuts))
    assert len(slices) == long


def test_a_slice_is_struck_inside_its_recording() -> None:
    (one,) = placed(
        scored(
            CHOPS.format(modifiers="slice 2").replace("x...x...", "x..............."),
            vault_of(granted(1, "chop")),
        ),
        1,
    )
    assert (one.offset_frames, one.end_frame - one.start_frame) == (24_000 - BEFORE_FRAMES, 24_000)
    assert (one.variant.frames, one.variant.stretch, one.variant.loop_start) == (192_000, 1.0, None)
    assert one.hit
    assert one.consent == 1
    assert 96 <= one.fade_in.frames <= 240
    assert 96 <= one.fade_out.frames <= 240


@pytest.mark.parametrize(
    ("number", "start"), [(1, 0), (3, 48_000 - 96), (4, 60_000 - 96), (5, 0), (6, 24_000 - 96)]
)
def test_slice_n_counts_from_1_and_on_from_the_first_again(number: int, start: int) -> None:
    found = placed(scored(CHOPS.format(modifiers=f"slice {number}"), vault_of(granted(1, "chop"))))
    assert {each.offset_frames for each in found} == {start}


def test_a_line_draws_its_slice_and_keeps_it_when_the_section_returns() -> None:
    text = CHOPS.format(modifiers="") + "move a -> a at end\n"
    found = placed(scored(text, vault_of(granted(1, "chop"))), 12)
    assert len(found) == 48
    assert len({each.offset_frames for each in found}) == 1
    drawn = set()
    for seed in range(40):
        fixed = replace(scored(text, vault_of(granted(1, "chop"))), seed=seed)
        drawn.add(placed(fixed, 1)[0].offset_frames)
    assert drawn == {max(mark - BEFORE_FRAMES, 0) for mark in MARKS}


def test_saying_the_slice_changes_no_stem() -> None:
    vault = vault_of(*(granted(n, "chop") for n in range(1, 9)))
    plain, said = (placed(scored(CHOPS.format(modifiers=words), vault)) for words in ("", "slice 2"))
    assert [each.stem for each in plain] == [each.stem for each in said]


def test_each_hit_may_draw_a_slice_of_its_own() -> None:
    text = CHOPS.format(modifiers="each hit new")
    vault = vault_of(granted(1, "chop"), granted(2, "chop"))
    found = placed(scored(text, vault))
    assert len({each.offset_frames for each in found}) == 4
    assert all(one.stem != other.stem for one, other in pairwise(found))
    assert placed(scored(text, vault)) == found


def test_a_sting_draws_a_slice_each_time() -> None:
    text = """pool chops = slices role voice
sting cut from chops at next bar
section a 64 bars
every 1 bars: sting cut
"""
    found = placed(scored(text, vault_of(granted(1, "chop"))), 60)
    assert len(found) >= 59
    assert len({each.offset_frames for each in found}) == 4


def test_slices_ring_as_long_as_their_line_says() -> None:
    for modifiers, frames in (("slice 2 length 1/16 note", 6_000), ("slice 2 ending at bar 3", 24_000)):
        pattern = '"x..............."' if "length" in modifiers else ""
        text = CHOPS.replace('"x...x..."', pattern).format(modifiers=modifiers)
        for each in placed(scored(text, vault_of(granted(1, "chop")))):
            assert (each.offset_frames, each.end_frame - each.start_frame) == (24_000 - BEFORE_FRAMES, frames)
            assert "ending" not in modifiers or each.end_frame == 2 * 2 * RATE


def test_a_slice_that_is_too_far_on_is_told() -> None:
    vault = vault_of(granted(1, "chop"), granted(2, "chop"))
    (said,) = rehearse(accepted(HEAD + CHOPS.format(modifiers="slice 5")), vault, at=NOW)
    assert (said.code, said.message) == (
        "W050",
        "slice 5 is not in 2 of 2 stems of pool chops: the fewest that one has is 4",
    )
    assert rehearse(accepted(HEAD + CHOPS.format(modifiers="slice 4")), vault, at=NOW) == ()


def test_vary_draws_another_slice() -> None:
    text = "pool chops = slices role voice\nsection a 64 bars\n" + (
        '    play chop from chops "x..............."\n    vary chop every 1 bars\n'
    )
    found = placed(scored(text, vault_of(granted(1, "chop"))), 64)
    counts = np.unique([each.offset_frames for each in found], return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() >= 6


def test_backwards_and_shifted_it_is_the_same_piece_of_sound() -> None:
    one, cut = granted(1, "chop"), Slice(24_000, 48_000)
    for semitones, reverse, frames, begins, sounding in (
        (0, False, 192_000, 24_000, 24_000),
        (0, True, 192_000, 192_000 - 48_000, 24_000),
        (12, False, 96_000, 12_000, 12_000),
        (12, True, 96_000, 72_000, 12_000),
    ):
        found = struck(one, semitones, reverse, cut)
        assert (found.variant.frames, found.begins, found.frames) == (frames, begins, sounding)


def test_stems_whose_grants_do_not_allow_it_are_left_out_and_counted() -> None:
    vault = vault_of(granted(1, "chop"), granted(2, "stretch"), granted(3), stem(4, "voice"))
    fixed = scored(CHOPS.format(modifiers=""), vault)
    assert [each.stem for each in fixed.pools["chops"].stems] == [stem(1).stem]
    (said,) = rehearse(fixed.piece, vault, at=NOW)
    assert (said.code, said.message) == (
        "W048",
        "pool chops leaves out 3 of 4 stems: their grants do not allow chop",
    )


@pytest.mark.parametrize(
    ("stems", "marks", "reason"),
    [
        ((granted(1, "stretch"),), MARKS, "the grant of 1 stem does not allow chop"),
        ((granted(1), granted(2)), MARKS, "the grants of 2 stems do not allow chop"),
        (
            (granted(1, "chop"), granted(2)),
            (),
            "the grant of 1 stem does not allow chop, and 1 stem has no onset",
        ),
        ((granted(1, "chop", frames=1000),), (0,), "1 stem has no onset to cut at"),
    ],
)
def test_an_empty_pool_says_why(stems: tuple[Stem, ...], marks: tuple[int, ...], reason: str) -> None:
    vault = vault_of(*stems, marks=marks)
    with pytest.raises(NothingCleared, match=reason):
        scored(CHOPS.format(modifiers=""), vault)
    said = rehearse(accepted(HEAD + CHOPS.format(modifiers="")), vault, at=NOW)
    assert [each.code for each in said if each.code in ("W020", "W048")] == ["W020"]


LOOPS = "pool loops = loops role voice, key any{more}\nsection a 4 bars\n    bring v from loops {modifiers}\n"


def test_without_stretch_a_loop_sounds_at_its_own_tempo_alone() -> None:
    same, half = granted(1), granted(2, bpm=Fraction(60))
    other, free = granted(3, bpm=Fraction(125)), granted(4, "stretch", bpm=Fraction(125))
    vault = vault_of(same, half, other, free)
    fixed = scored(LOOPS.format(more="", modifiers=""), vault)
    assert [each.stem for each in fixed.pools["loops"].stems] == [same.stem, half.stem, free.stem]
    (said,) = rehearse(fixed.piece, vault, at=NOW)
    assert said.message == "pool loops leaves out 1 of 4 stems: its grant does not allow stretch"


def test_without_stretch_neither_a_loop_nor_a_hit_is_shifted() -> None:
    text = "pool loops = loops role bass\npool pings = hits role fx, key fits\nsection a 4 bars\n"
    text += '    bring b from loops\n    play p from pings "x"\n'
    clearances = {"stream": Clearance(9, SINCE, None, frozenset(("chop", "pitch")))}
    fitting = [stem(1, "bass", key="D minor"), stem(3, "fx", "hit", key="D minor")]
    foreign = [stem(2, "bass", key="E minor"), stem(4, "fx", "hit", key="D# minor")]
    vault = vault_of(*(replace(each, clearances=clearances) for each in (*fitting, *foreign)))
    fixed = scored(text, vault)
    assert [[each.stem for each in fixed.pools[name].stems] for name in ("loops", "pings")] == [
        [each.stem] for each in fitting
    ]


@pytest.mark.parametrize("time", ["half time", "double time"])
def test_without_stretch_no_loop_is_brought_to_another_time(time: str) -> None:
    text = LOOPS.format(more="", modifiers=time)
    vault = vault_of(granted(1), granted(2, "stretch"))
    assert {each.stem for each in placed(scored(text, vault))} == {granted(2).stem}
    fixed = scored(text, vault_of(granted(1)))
    bar, _ = next_bar(fixed, first_state(fixed.piece, {}))
    assert bar.starts == ()
    assert bar.rested[0].reason == "pool loops is empty: no grant allows to stretch a stem to its time"


def test_a_grant_that_is_given_anew_changes_who_may_sound() -> None:
    fixed = scored(CHOPS.format(modifiers=""), vault_of(granted(1, "chop"), granted(2, "chop")))
    narrower = {granted(1).stem: {"stream": Clearance(50, SINCE, None)}}
    later = fixed.with_snapshot(fixed.snapshot.with_clearances(narrower, [], 1001, NOW), NOW)
    assert [each.stem for each in later.pools["chops"].stems] == [granted(2).stem]


@pytest.mark.parametrize(
    ("bpm", "stretch", "fits"),
    [(100, "20%", True), (144, "20%", True), (99.9, "20%", False), (144.1, "20%", False), (50, "20%", True),
     (180, "50%", True), (181, "50%", True), (120, "0%", True), (121, "0%", False)],
)  # fmt: skip
def test_max_stretch_bounds_the_ratio_of_tempi_either_way(bpm: float, stretch: str, fits: bool) -> None:
    vault = vault_of(granted(1, "stretch", bpm=Fraction(str(bpm))), granted(2, "stretch"))
    fixed = scored(LOOPS.format(more=f", max stretch {stretch}", modifiers=""), vault)
    assert (granted(1).stem in [each.stem for each in fixed.pools["loops"].stems]) == fits


@pytest.mark.parametrize(
    ("bpms", "message"),
    [
        ((90,), "its one stem does not stretch to 120 bpm within 12%: it needs 33.4%"),
        ((90, 150), "none of 2 stems stretches to 120 bpm within 12%: the nearest needs 25%"),
    ],
)
def test_an_empty_pool_says_how_far_the_nearest_would_be_stretched(
    bpms: tuple[int, ...], message: str
) -> None:
    vault = vault_of(*(granted(n, "stretch", bpm=Fraction(bpm)) for n, bpm in enumerate(bpms)))
    with pytest.raises(NothingCleared, match=message):
        scored(LOOPS.format(more="", modifiers=""), vault)


def test_a_recording_is_chosen_by_its_title() -> None:
    vault = vault_of(granted(1, "stretch", title="Far Lamp"), granted(2, "stretch", title="Far Lamps"))
    for more, found in (
        (', named "far lamp"', [1]),
        (', named "Far Lamp" or "FAR LAMPS"', [1, 2]),
        (', not named "Far Lamp"', [2]),
    ):
        fixed = scored(LOOPS.format(more=more, modifiers=""), vault)
        assert [each.stem for each in fixed.pools["loops"].stems] == [stem(n).stem for n in found]
    fixed = scored(LOOPS.format(more=', weight 1000 for named "far lamps"', modifiers=""), vault)
    assert placed(fixed)[0].stem == stem(2).stem


def clicks(*places: float, seconds: float = 2.0) -> NDArray[np.float32]:
    """Bursts that ring for 80 ms at these seconds, each of a pitch of its own."""
    sound = np.zeros((1, round(seconds * RATE)), np.float32)
    for number, place in enumerate(places):
        first, time = round(place * RATE), np.arange(RATE // 12) / RATE
        burst = 0.5 * np.exp(-time * 40) * np.sin(2 * np.pi * 300 * (number + 1) * time + 1)
        sound[0, first : first + len(burst)] += burst
    return sound


def test_onsets_are_found_where_the_hits_begin() -> None:
    found = onsets(clicks(0.25, 0.5, 1.0, 1.7))
    assert np.abs(np.array(found) - np.array([0.25, 0.5, 1.0, 1.7]) * RATE).max() <= 96


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        offer = Declared(
            tmp_path / "Hum.wav", "Ada", "voice", bpm=Fraction(120), bars=1, shape="loop", accept_silence=True
        )
        assert vault.add_sounds([(offer, clicks(0.0, 0.5, 1.0, 1.5))]).added
        vault.grant(["Hum"], ["stream"], allow=["chop"])
    return tmp_path / "home"


SCRIPT = """piece "Cut" for stream
tempo 120
pool chops = slices role voice
section a 2 bars
    play one from chops "x..............." slice 2
    play two from chops "....x..........." slice 4
move a -> silence at end
"""


def test_slices_are_looked_for_once_and_kept(home: Path) -> None:
    with Vault.open(home) as vault:
        (found,) = vault.snapshot().stems
        marks = vault.snapshot().stems.facts.onsets(found.stem)
        assert np.abs(np.array(marks) - np.array([0, 24_000, 48_000, 72_000])).max() <= 96
        path = vault.variant_path(found.stem, "onsets-1")
        path.write_bytes(path.read_bytes()[:100])
    with Vault.open(home) as vault:
        assert vault.snapshot().stems.facts.onsets(found.stem) == marks
        np.save(path, np.array([7]))
    with Vault.open(home) as vault:
        assert vault.snapshot().stems.facts.onsets(found.stem) == (7,)
        vault.remove(found.stem)
        assert not path.exists()


def test_a_render_plays_the_slices_and_pays_for_their_time(home: Path, tmp_path: Path) -> None:
    with Vault.open(home) as vault:
        made = render(vault, accepted(SCRIPT), tmp_path / "cut.wav", use="stream", seed=1)
        hum = vault.stem("Hum")
        heard = [entry for _, entry in vault.log.entries() if isinstance(entry, Heard)]
        assert [(each.stem, each.section, each.part) for each in heard] == [
            (hum.stem, "a", part) for part in ("one", "two") * 2
        ]
        # Half a second each; the last one lasts to the end of the recording, and begins 2 ms early.
        assert [each.ms for each in heard] == [500, 502] * 2
        sound = soundfile.read(tmp_path / "cut.wav", dtype="float32")[0].T
        # The second slice is a tone of 600 Hz, the fourth one of 1200 Hz; bars are two seconds long.
        for start, hertz in ((0.0, 600), (0.5, 1200), (2.0, 600), (2.5, 1200)):
            part = sound[0, round(start * RATE) : round(start * RATE) + 4000]
            spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 48_000))
            assert abs(int(np.argmax(spectrum)) - hertz) <= 25
        silent: list[NDArray[np.float32]] = []
        _, again = replay(vault, load(made.take), silent.append, logged=False)
        assert again.same
    assert verify(home).ok


def test_a_withdrawal_ends_what_is_struck_of_it(home: Path) -> None:
    with Vault.open(home) as vault:
        before = scored_for(vault)
        vault.withdraw(["Hum"], ["stream"])
        later = before.with_snapshot(vault.snapshot(), vault.snapshot().time)
        assert [len(before.pools["chops"]), len(later.pools["chops"])] == [1, 0]
        assert placed(later) == []


def scored_for(vault: Vault) -> Score:
    found = vault.snapshot()
    return score(accepted(SCRIPT), found, use="stream", at=found.time, rate=RATE)
