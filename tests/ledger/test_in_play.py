"""The rule of what is in play, as sessions, placements and terms name it, and as it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stemloom.ledger.entries.canonical import PlacementForm, decode, encode
from stemloom.ledger.entries.entries import AUDIBLE, Terms
from stemloom.ledger.log.log import Log
from stemloom.ledger.verify.verify import verify

from . import making
from .making import TIME


def terms(effective: str, **changes: Any) -> Terms:
    return Terms(
        time=TIME,
        effective=effective,
        pool_ppm=(),
        master_ppm=500_000,
        threshold=0,
        in_play=AUDIBLE,
        **changes,
    )


def told(log: Log, home: Path, entries: list[Any]) -> list[str]:
    log.append(entries)
    return [each.detail for each in verify(home).problems]


def session(story: Any, rule: bool, *, span: int | None = None) -> list[Any]:
    """A session of one placement, with or without the rule."""
    named = {"in_play": AUDIBLE} if rule else {}
    spans = {} if span is None else {"span": span}
    return [
        making.session("opened", **named),
        msgspec.structs.replace(story.sounds(0), **spans),
        making.session("closed", 1, 1000, **named),
    ]


def test_a_session_that_names_the_rule_verifies(log: Log, home: Path, story: Any) -> None:
    assert told(log, home, [*story.whole(3), *session(story, True, span=60_000)]) == []


def test_a_ledger_without_the_rule_verifies(log: Log, home: Path, story: Any) -> None:
    assert told(log, home, [*story.whole(3), *session(story, False)]) == []


@pytest.mark.parametrize(("rule", "span"), [(True, None), (False, 60_000)])
def test_a_span_follows_the_rule_of_the_session(
    log: Log, home: Path, story: Any, rule: bool, span: int | None
) -> None:
    (problem,) = told(log, home, [*story.whole(3), *session(story, rule, span=span)])
    assert "against the rule of its session" in problem


def test_more_frames_in_play_than_it_lasts_are_refused(log: Log, home: Path, story: Any) -> None:
    (problem,) = told(log, home, [*story.whole(3), *session(story, True, span=47_999)])
    assert "of 47999 from its begin to its end" in problem


def test_terms_have_sessions_count_by_the_rule_from_their_day_on(log: Log, home: Path, story: Any) -> None:
    (problem,) = told(log, home, [*story.whole(3), terms(TIME), *session(story, False)])
    assert f"ask for {AUDIBLE}" in problem


@pytest.mark.parametrize("rule", [True, False])
def test_before_their_day_terms_leave_it_open(log: Log, home: Path, story: Any, rule: bool) -> None:
    span = 48_000 if rule else None
    entries = [*story.whole(3), terms("2027-01-01T00:00:00.000Z"), *session(story, rule, span=span)]
    assert told(log, home, entries) == []


def test_a_form_writes_the_span_as_the_record_does() -> None:
    like = making.placement(0, "s" + "ab" * 10, 2, span=1)
    filled = PlacementForm(like).fill(3, 640, 4800, TIME, 9600)
    wanted = msgspec.structs.replace(like, seq=3, start_frame=640, frames=4800, ms=100, span=9600)
    assert filled == encode(wanted)
    assert decode(filled) == wanted
