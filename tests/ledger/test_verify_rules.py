"""Verification: every rule of the entries that is broken is named, and what is allowed passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.entries.entries import WHOLE_PPM, Share, Splits
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.verify import verify

from . import making
from .making import income

# Rules. Each case is a log whose last entries break one, and a part of the sentence about it.

RULES: dict[str, tuple[Callable[[Any, Callable[[str], Any]], list[Any]], str]] = {
    "a holder twice": (lambda s, t: [*s.whole(4), s.joins()], "a second time"),
    "a holder of another log": (lambda s, t: [t("stemloom/other").joins()], "proof"),
    "a holder of another key": (
        lambda s, t: [msgspec.structs.replace(s.joins(), holder="hab")],
        "does not follow",
    ),
    "another name": (lambda s, t: [msgspec.structs.replace(s.joins(), name="00" * 32)], "proof"),
    "a stem of nobody": (lambda s, t: [s.enters()], "has not joined"),
    "a stem of another sound": (
        lambda s, t: [s.joins(), msgspec.structs.replace(s.enters(), pcm_sha256="00" * 32)],
        "does not follow from the sound",
    ),
    "shares that are no whole": (
        lambda s, t: [s.joins(), msgspec.structs.replace(s.enters(), master=())],
        "master shares sum to 0",
    ),
    "a consent for no stem": (lambda s, t: [s.joins(), s.states()], "does not have both"),
    "a consent of another log": (
        lambda s, t: [s.joins(), s.enters(), t("stemloom/other").states()],
        "made for the log",
    ),
    "a consent with another use": (
        lambda s, t: [s.joins(), s.enters(), msgspec.structs.replace(s.states(), uses=("sync",))],
        "signature",
    ),
    "a consent with a later end": (
        lambda s, t: [
            s.joins(),
            s.enters(),
            msgspec.structs.replace(s.states(), until="2030-01-01T00:00:00.000Z"),
        ],
        "signature",
    ),
    "a consent that allows more than was signed": (
        lambda s, t: [s.joins(), s.enters(), msgspec.structs.replace(s.states(), allows=("chop", "stretch"))],
        "signature",
    ),
    "a consent that allows a thing twice": (
        lambda s, t: [s.joins(), s.enters(), msgspec.structs.replace(s.states(), allows=("chop", "chop"))],
        "repeated or not sorted",
    ),
    "a withdrawal that allows something": (
        lambda s, t: [s.joins(), s.enters(), msgspec.structs.replace(s.states("withdraw"), allows=("chop",))],
        "only a grant can",
    ),
    "uses that are not sorted": (
        lambda s, t: [s.joins(), s.enters(), msgspec.structs.replace(s.states(), uses=("sync", "live"))],
        "sorted",
    ),
    "a stale grant": (lambda s, t: [*s.whole(4), s.states()], "last statement"),
    "a session twice": (lambda s, t: [*s.whole(4), s.session_entry("opened")], "a second time"),
    "a session closed before it opened": (lambda s, t: [s.session_entry("closed", 0, 0)], "is not open"),
    "a session that opens with sums": (lambda s, t: [s.session_entry("opened", 0, 0)], "only its closing"),
    "a placement without a session": (lambda s, t: [*s.whole(3), s.sounds(0)], "is not open"),
    "a placement after the closing": (lambda s, t: [*s.whole(6), s.sounds(1)], "is not open"),
    "a gap": (lambda s, t: [*s.whole(4), s.sounds(1)], "where 0 follows"),
    "a placement twice": (lambda s, t: [*s.whole(4), s.sounds(0), s.sounds(0)], "where 1 follows"),
    "wrong sums": (
        lambda s, t: [*s.whole(4), s.sounds(0), s.session_entry("closed", 1, 999)],
        "the log has 1 and 1000 ms",
    ),
    "a placement too few": (
        lambda s, t: [*s.whole(4), s.sounds(0), s.session_entry("closed", 2, 1000)],
        "closes with 2 placements",
    ),
    "wrong milliseconds": (
        lambda s, t: [*s.whole(4), msgspec.structs.replace(s.sounds(0), ms=1001)],
        "is given 1001 ms",
    ),
    "another use than the session's": (
        lambda s, t: [*s.whole(4), msgspec.structs.replace(s.sounds(0), use="live")],
        "another use",
    ),
    "no grant there": (lambda s, t: [*s.whole(4), s.sounds(0, consent=1)], "not a grant"),
    "a grant to come": (lambda s, t: [*s.whole(4), s.sounds(0, consent=9)], "not a grant"),
    "a use that was not granted": (
        lambda s, t: [
            s.joins(),
            s.enters(),
            s.states(uses=("live",)),
            s.session_entry("opened"),
            s.sounds(0),
        ],
        "not a grant of it for that use",
    ),
    "before the grant": (
        lambda s, t: [*s.whole(4), s.sounds(0, start="2026-11-21T06:16:00.249Z")],
        "outside its grant",
    ),
    "at the grant's end": (
        lambda s, t: [
            s.joins(),
            s.enters(),
            s.states(until="2026-11-21T06:17:00.000Z"),
            s.session_entry("opened"),
            s.sounds(0, start="2026-11-21T06:17:00.000Z"),
        ],
        "outside its grant",
    ),
    "after a withdrawal": (
        lambda s, t: [
            *s.whole(4),
            s.states("withdraw", previous=2, time="2026-11-21T06:16:01.000Z"),
            s.sounds(0, start="2026-11-21T06:16:01.501Z"),
        ],
        "more than 500 ms after",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_named(
    log: Log, home: Path, story: Any, tell: Callable[[str], Any], rule: str
) -> None:
    make, sentence = RULES[rule]
    entries = make(story, tell)
    log.append(entries)
    report = verify(home)
    assert not report.ok
    assert sentence in report.problems[0].detail
    assert report.problems[0].index == len(entries) - 1
    assert report.problems[0].what == f"tile/entries/000.p/{len(entries)}"


RIGHT: dict[str, Callable[[Any], list[Any]]] = {
    "within the grace of a withdrawal": lambda s: [
        *s.whole(4),
        s.states("withdraw", previous=2, time="2026-11-21T06:16:01.000Z"),
        s.sounds(0, start="2026-11-21T06:16:01.500Z"),
        s.session_entry("closed", 1, 1000),
    ],
    "granted again": lambda s: [
        *s.whole(4),
        s.states("withdraw", previous=2, time="2026-11-21T06:16:01.000Z"),
        s.states(previous=4, time="2026-11-21T06:16:05.000Z"),
        s.sounds(0, consent=5, start="2026-11-21T06:16:05.000Z"),
        s.session_entry("closed", 1, 1000),
    ],
    "another use withdrawn": lambda s: [
        *s.whole(4),
        s.states("withdraw", previous=2, time="2026-11-21T06:16:01.000Z", uses=("live",)),
        s.sounds(0, start="2026-11-21T06:18:01.500Z"),
        s.session_entry("closed", 1, 1000),
    ],
    "a withdrawal is never stale": lambda s: [*s.whole(5), s.states("withdraw", previous=None)],
    "before the grant's end": lambda s: [
        s.joins(),
        s.enters(),
        s.states(until="2026-11-21T06:17:00.000Z"),
        s.session_entry("opened"),
        s.sounds(0, start="2026-11-21T06:16:59.999Z"),
        s.session_entry("closed", 1, 1000),
    ],
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_allowed(log: Log, home: Path, story: Any, case: str) -> None:
    log.append(RIGHT[case](story))
    assert verify(home).problems == ()


def test_an_unclosed_session_is_a_warning(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(4)[:4])
    log.append([story.sounds(0)])
    report = verify(home)
    assert report.ok
    assert [(each.index, "not closed" in each.detail) for each in report.warnings] == [(3, True)]


def test_bytes_that_hash_right_and_are_no_entry(log: Log, home: Path) -> None:
    log._sequencer.append([b'{"kind": "income"}', encode(income(1))])
    report = verify(home)
    assert [(each.index, each.what) for each in report.problems] == [(0, "tile/entries/000.p/2")]


def splits(story: Any, key: PrivateKey, shares: tuple[Share, ...], holder: str | None = None) -> Splits:
    whole = making.shares((story.holder, WHOLE_PPM))
    return making.splits(key, story.origin, story.stem, holder or story.holder, shares, whole)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("the holder gives", None),
        ("another signs", "signature"),
        ("another sets", "not its holder"),
        ("a party loses", "falls without their signature"),
        ("a stranger gets", "has not joined"),
        ("a party grants", "not its holder"),
        ("a party withdraws", None),
        ("a stranger withdraws", "no master share"),
    ],
)
def test_who_may_say_what(log: Log, home: Path, story: Any, case: str, sentence: str | None) -> None:
    other = type(story)(log.origin, seed=2)
    other.stem = story.stem
    half = (Share(holder=story.holder, ppm=500_000), Share(holder=other.holder, ppm=500_000))
    entries = [story.joins(), story.enters(), other.joins()]
    match case:
        case "the holder gives":
            entries += [splits(story, story.key, half)]
        case "another signs":
            entries += [splits(story, other.key, half)]
        case "another sets":
            entries += [splits(story, other.key, half, other.holder)]
        case "a party loses":
            whole = (Share(holder=story.holder, ppm=WHOLE_PPM),)
            entries += [splits(story, story.key, half), splits(story, story.key, whole)]
        case "a stranger gets":
            entries = [story.joins(), story.enters(), splits(story, story.key, half)]
        case "a party grants":
            entries += [splits(story, story.key, half), other.states()]
        case "a party withdraws":
            entries += [splits(story, story.key, half), other.states("withdraw")]
        case "a stranger withdraws":
            entries += [other.states("withdraw")]
    log.append(entries)
    report = verify(home)
    if sentence is None:
        assert report.problems == ()
    else:
        assert [(each.index, sentence in each.detail) for each in report.problems] == [
            (len(entries) - 1, True)
        ]


def test_a_share_of_somebody_who_never_joined_falls(log: Log, home: Path, story: Any) -> None:
    stranger = type(story)(log.origin, seed=2)
    half = making.shares((story.holder, 500_000), (stranger.holder, 500_000))
    whole = making.shares((story.holder, WHOLE_PPM))
    entered = msgspec.structs.replace(story.enters(), master=half)
    log.append([story.joins(), entered, splits(story, story.key, whole)])
    found = [(each.index, each.detail.split(", ")[-1]) for each in verify(home).problems]
    assert [index for index, _ in found] == [1, 2]
    assert "falls without their signature" in found[1][1]


def test_a_settlement_is_derived_again(log: Log, home: Path, story: Any) -> None:
    log.append([*story.whole(8), income(99)])
    settled = settle(log, "2026", "EUR", FixedClock("2027-01-01T00:00:00.000Z"))
    assert verify(home).problems == ()
    wrong = msgspec.structs.replace(settled.entry, total_ms=settled.entry.total_ms + 1)
    again = msgspec.structs.replace(settled.entry, root="00" * 32)
    for entry in (wrong, again):
        log.append([entry])
    problems = verify(home).problems
    assert {each.index for each in problems} == {settled.index + 1, settled.index + 2}
    assert any("root" in each.detail for each in problems)
