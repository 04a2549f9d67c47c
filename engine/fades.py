"""How placements begin and end: every gain moves by at most 0.001 a frame."""

from __future__ import annotations

from dataclasses import replace

from ..ground.roles import UNPITCHED_ROLES
from .plan import Fade, Placement, Stop

LINEAR_FADE_FRAMES = 1000
"""20.8 ms at 48 kHz: a straight fade that changes gain by 0.001 a frame."""
POWER_FADE_FRAMES = 1572
"""32.7 ms: the shortest sine fade that never changes gain by more than 0.001 a frame."""
CUT_FADE_FRAMES = 240
"""5 ms: how a hit gives way to the next of its voice, which covers so short a fade."""
OVERLAP_FRAMES = 2880
"""60 ms: how long an outgoing tonal part rings into the next bar."""


def entering(role: str, offset_frames: int, starts_clean: bool) -> Fade:
    """The fade of a loop that enters: none at its own first frame, if that is rhythm or quiet."""
    if offset_frames == 0 and (role in UNPITCHED_ROLES or starts_clean):
        return Fade()
    if role in UNPITCHED_ROLES:
        return Fade(LINEAR_FADE_FRAMES)
    return Fade(POWER_FADE_FRAMES, equal_power=True)


def leaving(role: str) -> Fade:
    """How a loop leaves: rhythm just before the bar, so that nothing flams; all else rings over it."""
    if role in UNPITCHED_ROLES:
        return Fade(LINEAR_FADE_FRAMES)
    return Fade(OVERLAP_FRAMES, equal_power=True, rings_over=True)


def overhang(fade: Fade) -> int:
    """How far a placement's end lies behind the musical one."""
    return fade.frames if fade.rings_over else 0


def natural_end(placement: Placement) -> int:
    """The musical end of a placement: without its tail, and the part of its fade that rings over."""
    return placement.end_frame - placement.tail_frames - overhang(placement.fade_out)


def played_out(placement: Placement) -> Placement:
    """A placement up to the end of its song, with the tail that its stem has after that."""
    tail = placement.variant.frames - placement.offset_frames - placement.end_frame + placement.start_frame
    return replace(placement, end_frame=placement.end_frame + tail, tail_frames=tail)


def stop_at(placement: Placement, frame: int) -> Stop:
    """Stop a loop at the musical frame given, as its role leaves."""
    fade = leaving(placement.role)
    return Stop(placement.id, frame + overhang(fade), fade)


def sooner(frame: int, end: int, end_before: int, fade_before: int, power: int) -> tuple[int, int]:
    """The end and length of a fade-out, under way at `frame`, that is now to be over by `end`.

    It keeps its shape and goes on from the gain that it has reached, only steeper: it never leaps back to a
    gain that it has left. It stays at or below 0.001 a frame, so it may end later than it is told to.

    `end_before`, `fade_before`: as it was, in frames. `power`: not 0 for an equal-power fade.
    """
    left = end_before - frame + 1
    length = -(-(end - frame) * fade_before // left)
    length = max(length, POWER_FADE_FRAMES if power else LINEAR_FADE_FRAMES)
    return frame + max(length * left // fade_before, 1), length


def offset_at(placement: Placement, frame: int) -> int:
    """Where in its variant a placement is at an absolute frame, repeats counted."""
    played = placement.offset_frames + frame - placement.start_frame
    loop_start = placement.variant.loop_start or 0
    if played >= placement.variant.frames:
        played = loop_start + (played - placement.variant.frames) % (placement.variant.frames - loop_start)
    return played
