"""The stage: its books hold what waits and what sounds, and nothing of what has ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stemloom.engine.clock import QUANTUM
from stemloom.engine.mixer import Mixer
from stemloom.engine.plan import Placement
from stemloom.engine.stage import WINDOW_FRAMES, Stage
from stemloom.engine.trial import endless

SOUND = np.full((2, 64), 0.1, np.float32)


def placement(id: int, start: int, frames: int) -> Placement:
    whole = endless(id, f"s{id}")
    return replace(whole, stem=f"s{id}", start_frame=start, end_frame=start + frames)


def test_what_has_ended_is_forgotten_though_nobody_asks() -> None:
    """An hour of short placements, begun one by one as a session does, with no status line that looks."""
    mixer = Mixer(-14, -1)
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
    mixer = Mixer(-14, -1)
    stage = Stage(mixer)
    stage.queue(placement(1, 0, 10 * WINDOW_FRAMES), SOUND, 0)
    stage.queue(placement(2, 5 * WINDOW_FRAMES, WINDOW_FRAMES), SOUND, 0)
    stage.begin_due(0)
    assert stage.stems(0) == {"s1", "s2"}
    stage.begin_due(5 * WINDOW_FRAMES)
    assert [each.id for each in stage.playing(5 * WINDOW_FRAMES)] == [1, 2]
    assert stage.stems(6 * WINDOW_FRAMES) == {"s1"}
    assert stage.stems(10 * WINDOW_FRAMES) == set()
