"""The words for what a consent says beside its uses; they are shown before it is signed."""

from __future__ import annotations

from collections.abc import Sequence

from .entries import Consent, Standing


def ending(said: Consent | Standing) -> str:
    """The end of a statement in words: until when it lasts, and what it allows."""
    until = f" until {said.until}" if said.until else ""
    return until if said.action == "withdraw" else f"{until}, {allowing(said.extent)}"


def allowing(extent: Sequence[str]) -> str:
    """What a grant allows, in words."""
    return f"allowing {', '.join(extent)}" if extent else "allowing nothing but to play it as it is"
