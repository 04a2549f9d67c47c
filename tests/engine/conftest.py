"""Composing without files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Bar
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem

from .pieces import HEAD, NOW, snapshot

Compose = Callable[..., list[Bar]]


@pytest.fixture
def compose() -> Compose:
    """compose(text, stems, bars=64, dials={}, turns={bar: {dial: value}}): the bars to the piece's end."""

    def run(
        text: str,
        stems: list[Stem],
        bars: int = 64,
        dials: dict[str, float] | None = None,
        turns: dict[int, dict[str, float]] | None = None,
    ) -> list[Bar]:
        piece = accepted(text if text.startswith("piece") else HEAD + text)
        fixed = score(piece, snapshot(*stems), use="stream", at=NOW, rate=48_000)
        state = first_state(piece, dials or {})
        made: list[Bar] = []
        while len(made) < bars and not state.ended:
            state.dials.update((turns or {}).get(state.bar, {}))
            bar, state = next_bar(fixed, state)
            made.append(bar)
        return made

    return run
