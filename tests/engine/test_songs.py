"""Songs: their stems in step, from the bar that the piece has reached, up to the end of their tails."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from stemloom.engine.compose.score import score
from stemloom.engine.errors import NothingCleared
from stemloom.engine.fades import natural_end
from stemloom.engine.plan import Bar, Placement, Stop
from stemloom.script.check.check import accepted
from stemloom.vault.records import REST_FRAMES, Stem

from .conftest import Compose
from .pieces import NOW, snapshot, stem

BPM = Fraction(187, 2)
BODY = round(Fraction(240 * 48_000 * 70) / BPM)
HEAD = """piece "Low Water" for stream
tempo {tempo}
pool voice = loops song "Low Water", role voice
pool drums = loops song "Low Water", role beats
"""


def of_song(number: int, role: str = "beats", tail: int = 0, bars: int = 70, **changes: object) -> Stem:
    body = round(Fraction(240 * 48_000 * bars) / BPM)
    made = stem(number, role, "sustained", **changes)
    frames = body + tail + REST_FRAMES
    return replace(
        made, shape="song", song="Low Water", bpm=BPM, beats=4 * bars, frames=frames, sounding_frames=frames
    )


STEMS = [of_song(1, "voice", tail=40_000), of_song(2, "beats"), stem(3, "beats"), stem(4, "voice")]


def starts(bars: list[Bar]) -> list[Placement]:
    return [placement for bar in bars for placement in bar.starts]


def stops(bars: list[Bar]) -> dict[int, Stop]:
    return {stop.id: stop for bar in bars for stop in bar.stops}


def begun(placement: Placement) -> int:
    """The frame at which the song would have begun."""
    return placement.start_frame - placement.offset_frames


def test_a_song_goes_on_through_sections_without_a_seam_and_its_tail_rings_out(compose: Compose) -> None:
    text = HEAD.format(tempo=93.5) + (
        "section a 16 bars\n    bring sing from voice\n    bring kit from drums at bar 5\n"
        "section b 64 bars\n    bring sing from voice\n    bring kit from drums\n"
        "move b -> silence at end\n"
    )
    bars = compose(text, STEMS, bars=90)
    placed = starts(bars)
    assert {each.stem for each in placed} == {STEMS[0].stem, STEMS[1].stem}
    assert all(abs(begun(each)) <= 1 for each in placed)
    by_id = {each.id: each for each in placed}
    for each in placed:
        if each.continues is not None:
            before = by_id[each.continues]
            assert each.offset_frames == before.offset_frames + each.start_frame - before.start_frame
    assert sum(each.continues is None for each in placed) == 2, "each part begins once"
    last = {each.part: each for each in placed}
    for part, of in (("sing", STEMS[0]), ("kit", STEMS[1])):
        end = last[part]
        assert natural_end(end) == BODY
        assert end.id not in stops(bars)
        assert end.end_frame - begun(end) == of.frames
        assert not end.fade_out.frames
    rested = {rest.part: (bar.bar, rest.reason) for bar in reversed(bars) for rest in bar.rested}
    assert rested == {"sing": (70, "the song is over"), "kit": (70, "the song is over")}


@pytest.mark.parametrize("tempo", [90, 93.5, 97])
def test_a_section_starts_where_it_says_and_so_when_it_returns(compose: Compose, tempo: float) -> None:
    text = HEAD.format(tempo=tempo) + (
        "section verse 8 bars starting at bar 33 of song\n    bring sing from voice at bar 3\n"
        "section after 4 bars\n    bring kit from drums\n    bring sing from voice\n"
        "move after -> verse at end\n"
    )
    bars = compose(text, STEMS, bars=24)
    exact = Fraction(240 * 48_000) / Fraction(str(tempo))
    for first in (0, 12):
        sing = next(each for each in starts(bars) if each.bar == first + 2)
        assert begun(sing) == pytest.approx(float((first - 32) * exact), abs=1)
        kit = next(each for each in starts(bars) if each.bar == first + 8 and each.part == "kit")
        assert begun(kit) == pytest.approx(float((first - 32) * exact), abs=1)
        assert (kit.variant.stretch == 1) == (tempo == 93.5)


def test_a_start_past_the_end_rests_and_plays_nothing(compose: Compose) -> None:
    text = (
        HEAD.format(tempo=93.5) + "section a 4 bars starting at bar 71 of song\n    bring sing from voice\n"
    )
    bars = compose(text, STEMS, bars=4)
    assert not starts(bars)
    assert all(bar.rested[0].reason == "the song is over" for bar in bars)


def test_other_pools_hold_no_stems_of_a_song(compose: Compose) -> None:
    text = "pool beats = loops role beats\nsection a 16 bars\n    bring kit from beats\n"
    with pytest.raises(NothingCleared):
        compose(text, STEMS[:2])


def test_a_hold_keeps_a_song_to_its_end(compose: Compose) -> None:
    text = HEAD.format(tempo=93.5) + (
        "section a 8 bars starting at bar 61 of song\n    bring sing from voice\n"
        "section b 8 bars\n    hold sing\nmove b -> silence at end\n"
    )
    bars = compose(text, STEMS, bars=20)
    last = starts(bars)[-1]
    assert (last.section, natural_end(last)) == ("b", begun(last) + BODY)
    # The silence at its end takes up the frame by which it is off the grid.
    assert last.end_frame - begun(last) == pytest.approx(STEMS[0].frames, abs=1)
    assert last.id not in stops(bars)


def test_a_ramp_takes_a_song_along(compose: Compose) -> None:
    text = HEAD.format(tempo=93.5) + (
        "section a 12 bars\n    bring kit from drums\n    slow to 88 over 2 bars at bar 5\n"
    )
    placed = starts(compose(text, STEMS, bars=12))
    steady, along, after = placed[:3]
    bar = Fraction(240 * 48_000) / BPM
    assert along.variant.ramp[0] == (round(4 * bar), 0)
    assert along.variant.ramp[-1][0] >= round(6 * bar) - 1
    stretched = float(BPM / 88)
    assert after.variant.stretch == pytest.approx(stretched)
    assert after.offset_frames == pytest.approx(float(6 * bar) * stretched, abs=1)
    assert (steady.bars, along.bars) == (4, 2)


def test_the_exact_tempo_of_a_song_wins_in_a_range(compose: Compose) -> None:
    odd = [replace(each, bpm=Fraction(9347, 100)) if each.song else each for each in STEMS]
    fixed = score(
        accepted(HEAD.format(tempo="90..97") + "section a 4 bars\n    bring kit from drums\n"),
        snapshot(*odd),
        use="stream",
        at=NOW,
        rate=48_000,
    )
    assert fixed.clock.tempo_bpm == Fraction(9347, 100)


def test_a_song_is_never_read_in_half_time(compose: Compose) -> None:
    with pytest.raises(NothingCleared):
        compose(HEAD.format(tempo=187) + "section a 4 bars\n    bring kit from drums\n", STEMS)


def test_a_song_of_sixty_four_bars_ends_with_its_placement(compose: Compose) -> None:
    text = HEAD.format(tempo=93.5) + "section a 70 bars\n    bring kit from drums\n"
    bars = compose(text, [of_song(5, "beats", tail=9_000, bars=64)], bars=70)
    (only,) = starts(bars)
    assert only.end_frame - only.start_frame == only.variant.frames
    assert not stops(bars)
