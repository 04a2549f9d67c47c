"""The stage: its books hold what waits and what sounds, and nothing of what has ended."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from stemloom.engine.clock import QUANTUM
from stemloom.engine.fades import LINEAR_FADE_FRAMES, POWER_FADE_FRAMES
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.mix.rack import PLAYING
from stemloom.engine.mix.trial import endless
from stemloom.engine.plan import Fade, Placement
from stemloom.engine.play.stage import WINDOW_FRAMES, Stage
from stemloom.ledger.log.session_page import HeardFrames

from . import twin

SOUND = np.full((2, 64), 0.1, np.float32)


def placement(id: int, start: int, frames: int) -> Placement:
    whole = endless(id, f"s{id}")
    return replace(whole, stem=f"s{id}", start_frame=start, end_frame=start + frames)


def test_what_has_ended_is_forgotten_though_nobody_asks() -> None:
    """An hour of short placements, begun one by one as a session does, with no status line that looks."""
    mixer = Mixer(0, -1)
    stage = Stage(mixer)
    most = 0
    for window in range(3_000):
        frame = window * WINDOW_FRAMES
        stage.queue(placement(window, frame, 3 * WINDOW_FRAMES), SOUND, frame)
        assert [each.id for each in stage.begin_due(frame)] == [window]
        mixer.advance(WINDOW_FRAMES // QUANTUM)
        mixer.reports()
        most = max(most, stage.size)
    assert most <= 4


def test_what_waits_or_sounds_is_known_until_it_ends() -> None:
    mixer = Mixer(0, -1)
    stage = Stage(mixer)
    stage.queue(placement(1, 0, 10 * WINDOW_FRAMES), SOUND, 0)
    stage.queue(placement(2, 5 * WINDOW_FRAMES, WINDOW_FRAMES), SOUND, 0)
    stage.begin_due(0)
    assert stage.stems(0) == {"s1", "s2"}
    stage.begin_due(5 * WINDOW_FRAMES)
    assert [each.id for each in stage.playing(5 * WINDOW_FRAMES)] == [1, 2]
    assert stage.stems(6 * WINDOW_FRAMES) == {"s1"}
    assert stage.stems(10 * WINDOW_FRAMES) == set()


def fade(rng: random.Random) -> Fade:
    power = rng.random() < 0.5
    return Fade(rng.randint(POWER_FADE_FRAMES if power else LINEAR_FADE_FRAMES, 12_000), power)


@pytest.mark.parametrize("seed", range(100))
def test_the_books_and_the_mixer_agree_on_every_end_and_no_fade_jumps(seed: int) -> None:
    """Stops of stops, in the middle of fades, before the start and after the end."""
    rng = random.Random(seed)
    mixer = Mixer(0, -1)
    stage = Stage(mixer)
    begin, frames = 2 * WINDOW_FRAMES, rng.randint(1_000, 30_000)
    placed = replace(placement(1, begin, frames), fade_in=fade(rng), fade_out=fade(rng))
    stage.queue(placed, SOUND, 0)
    due = sorted(rng.randint(0, begin + frames) // QUANTUM for _ in range(rng.randint(1, 4)))
    before, ended = np.float32(0), {}
    expected = begin + frames
    while not mixer.idle or mixer.frame == 0:
        frame = mixer.frame
        if frame % WINDOW_FRAMES == 0:
            stage.begin_due(frame)
        while due and due[0] * QUANTUM == frame:
            del due[0]
            stage.stop(1, frame + rng.randint(0, 8_000), fade(rng), frame)
            known = stage._waiting.get(1) or stage._begun.get(1)
            if known is not None:
                expected = known.end_frame
            elif frame <= begin:
                expected = begin
        mixer.advance(1)
        voice = mixer.rack.voices[0]
        if voice["phase"] == PLAYING:
            fields = {name: voice[name] for name in voice.dtype.names}
            shape = [twin.envelope(fields, f) for f in range(max(frame, begin), frame + QUANTUM)]
            if frame > begin:
                assert np.abs(np.diff([before, *shape])).max() <= 0.001 + 2e-6
            before = shape[-1]
        ended |= {each.id: each.end_frame for each in mixer.reports() if isinstance(each, HeardFrames)}
    assert ended == {1: expected}
