"""The words for what a consent says beside its uses; they are shown before it is signed."""

from __future__ import annotations

from collections.abc import Sequence

from .entries import Consent, Declaration, Standing, Stem


def ending(said: Consent | Standing) -> str:
    """The end of a statement in words: until when it lasts, and what it allows."""
    until = f" until {said.until}" if said.until else ""
    return until if said.action == "withdraw" else f"{until}, {allowing(said.extent)}"


def allowing(extent: Sequence[str]) -> str:
    """What a grant allows, in words."""
    return f"allowing {', '.join(extent)}" if extent else "allowing nothing but to play it as it is"


def declaring(said: Declaration | Stem) -> str:
    """What is declared of a stem, in words: all of it."""
    parts = [f"title '{said.title}'", f"role {said.role}", f"a {said.shape}"]
    if said.bpm_milli is not None:
        parts.append(f"{said.bpm_milli / 1000:g} bpm, {said.beats} beats of {said.meter or '4/4'}")
    if said.lead_frames or said.tail:
        parts.append(f"{said.lead_frames or 0} frames in front cut off, tail {said.tail or 'kept'}")
    parts.append(f"key {said.key or 'none'}")
    parts.append(f"mood {', '.join(said.mood) or 'none'}")
    parts.append(f"ISRC {said.isrc or 'none'}")
    parts.append(f"ISWC {said.iswc or 'none'}")
    return "; ".join(parts)
