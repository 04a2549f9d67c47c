"""Texts in drawings."""

from __future__ import annotations

from html import escape

from ..ground.visible import visible


def drawn_text(words: str) -> str:
    """A text as SVG holds it: XML allows no control characters, and markup in it is none."""
    return escape(visible(words))
