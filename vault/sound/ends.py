"""Cuts the ends of a loop that is more than its bars: silence in front, and what rings beyond its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .decode import Sound
from .engine_format import fit

Tail = Literal["cut", "wrap"]
QUIET = 10 ** (-35 / 20)
"""Against the peak: what is below this before the first onset belongs to no note."""
FADE_FRAMES = 240
"""5 ms."""
_BACK_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut off a recording: the ledger keeps it, so that anybody can make the loop again.

    `lead_frames`: in front, at the recording's own rate. `tail`: what became of what follows the last bar: it
    was `cut` off with a fade of 5 ms, or, `wrap`, mixed onto the loop's beginning.
    """

    lead_frames: int
    tail: Tail


def lead_frames(sound: Sound, first_onset: float) -> int:
    """The frames of silence, or nearly so, before the first onset, up to a zero crossing; 0 if there is none.

    `first_onset`: in seconds.
    """
    upto = min(round(first_onset * sound.rate), sound.frames)
    back = max(round(_BACK_SECONDS * sound.rate), 1)
    before = np.abs(sound.samples[:, : max(upto - back, 0)])
    if not before.size or float(before.max()) >= QUIET * sound.peak:
        return 0
    mono = sound.samples[:, upto - back : upto + 1].sum(axis=0)
    changes = np.flatnonzero(np.signbit(mono[1:]) != np.signbit(mono[:-1]))
    zeros = np.flatnonzero(mono == 0)
    last = max(changes[-1] + 1 if changes.size else 0, zeros[-1] if zeros.size else 0)
    return int(upto - back + last)


def cut_to(sound: Sound, cut: Cut, frames: int) -> NDArray[np.float32]:
    """The loop of exactly `frames` at the engine's rate, as float32 `(channels, frames)`.

    Its onsets stay where they were played. One that ends too soon is filled up with silence.
    """
    kept = Sound(np.ascontiguousarray(sound.samples[:, cut.lead_frames :]), sound.rate, "", sound.peak)
    samples = fit(kept, None)
    body = np.zeros((samples.shape[0], frames), np.float32)
    here = min(frames, samples.shape[1])
    body[:, :here] = samples[:, :here]
    rest = samples[:, here:]
    if cut.tail == "wrap":
        for first in range(0, rest.shape[1], frames):
            part = rest[:, first : first + frames]
            body[:, : part.shape[1]] += part
        if rest.shape[1]:
            return body
    fade = min(FADE_FRAMES, here)
    body[:, here - fade : here] *= np.cos(np.linspace(0, np.pi / 2, fade)).astype(np.float32)
    return body


def conformed(sound: Sound, frames: int | None, cut: Cut | None) -> NDArray[np.float32]:
    """The sound as the engine plays it, from its original. `frames`: of a loop."""
    return fit(sound, frames) if cut is None or frames is None else cut_to(sound, cut, frames)


def cut_of(lead: int, tail: str | None) -> Cut | None:
    """The cut as the ledger has it."""
    return None if tail is None else Cut(lead, "wrap" if tail == "wrap" else "cut")
