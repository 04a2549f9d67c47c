"""How a loop follows another that ends where it begins: as one sound, as the same recording, or as another.

one sound       it goes on where the other ends, without a fade: the same samples, as if nothing had ended
the same        as nearly in phase that the two add up in amplitude: they are crossfaded by straight lines
another         they add up in power: they are crossfaded by sines, or as their roles leave and enter
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..effects import NO_EFFECTS, PlacedEffects
from ..fades import LINEAR_FADE_FRAMES, OVERLAP_FRAMES, POWER_FADE_FRAMES, offset_at
from ..plan import Fade, Placement

MOST_DRIFT_FRAMES = 48
"""1 ms: how far a sound that goes on may be off the grid, for its loop is a whole number of frames."""
NEAR_FRAMES = 480
"""10 ms: as far apart, the low tones of a recording still add up in amplitude."""

Seam = Literal["one sound", "the same", "another"]


def seam(old: Placement, new: Placement) -> Seam:
    """How `new` follows `old`, which sounds until it begins."""
    if old.variant != new.variant or faded_out(old, new.start_frame):
        return "another"
    apart = abs(drift(old, new))
    if apart <= MOST_DRIFT_FRAMES and _alike(old.effects, new.effects):
        return "one sound"
    return "the same" if apart <= NEAR_FRAMES else "another"


def drift(old: Placement, new: Placement) -> int:
    """How far the sound of `old` is ahead of that of `new` where this begins, in frames."""
    apart = offset_at(old, new.start_frame) - new.offset_frames
    if new.variant.loop_start != 0:
        return apart
    half = new.variant.frames // 2
    return (apart + half) % new.variant.frames - half


def going_on(old: Placement, new: Placement) -> Placement:
    """`new` as the sound of `old` that goes on, from the very sample at which that ends."""
    return replace(
        new,
        offset_frames=offset_at(old, new.start_frame),
        fade_in=rest_of(old.fade_in, new.start_frame - old.start_frame),
        continues=old.id,
        drift_frames=drift(old, new),
    )


def faded_out(old: Placement, frame: int) -> bool:
    """Whether a long fade takes a placement out by `frame`, or is on the way."""
    fade = old.fade_out
    return not fade.rings_over and fade.frames > LINEAR_FADE_FRAMES and old.end_frame - fade.frames < frame


def crossed(fade_in: Fade) -> Fade:
    """The fade-in of a loop while another rings over its beginning: as long as that rings, if it has one."""
    default = Fade(POWER_FADE_FRAMES, equal_power=True)
    return Fade(OVERLAP_FRAMES, equal_power=True) if fade_in == default else fade_in


def rest_of(fade_in: Fade, frames: int) -> Fade:
    """What is left of a fade-in that began so many frames ago."""
    done = fade_in.done + frames
    return replace(fade_in, done=done) if done < fade_in.frames else Fade()


def _alike(old: PlacedEffects, new: PlacedEffects) -> bool:
    """Whether one chain of effects may go on in the state of the other: as many filters, none that glides."""
    some = [each is not NO_EFFECTS for each in (old, new)]
    kinds = [[each.kind for each in effects.filters] for effects in (old, new)]
    return (
        some[0] == some[1]
        and kinds[0] == kinds[1]
        and old.via == new.via
        and not any(each.frames for each in new.filters)
        and not any(each.what.startswith("filter") for each in new.glides)
    )
