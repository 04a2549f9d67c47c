"""What cannot have been heard is refused: each case is a log that its operator signed with its own key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.errors import NotAsStated
from stemloom.ledger.division.gaps import lost_in
from stemloom.ledger.entries.canonical import encode
from stemloom.ledger.entries.entries import Gap, Income, Session, Terms
from stemloom.ledger.errors import BadEntry
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.fairness import fairness
from stemloom.ledger.royalties.recompute import recompute
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.royalties.statement import statement
from stemloom.ledger.royalties.statement_page import statement_page
from stemloom.ledger.royalties.statement_schema import to_bytes
from stemloom.ledger.tlog.policy import Policy
from stemloom.ledger.tlog.witness import Witness
from stemloom.ledger.verify import verify as verifying
from stemloom.ledger.verify.verify import Report, verify

from . import making
from .by_hand import theirs, witnessed
from .making import TIME
from .royalties.settled_home import Home

NEXT = "2026-11-21T06:26:00.251Z"
"""More than the clock's error after `TIME`."""
NEXT_DAYS = "2026-11-23T06:16:00.250Z"


def opened(**changes: Any) -> Any:
    return making.session("opened", **{"rate": 48_000, "voices": 8, **changes})


def closed(placements: int, **changes: Any) -> Any:
    """A closing over placements of a second each, one after another."""
    stated = {"rate": 48_000, "voices": 1, "polyphony": 1, "frames": 48_000 * placements, "take": "4" * 64}
    return making.session("closed", placements, 1000 * placements, **{**stated, **changes})


def income(time: str) -> Income:
    return making.income(1, time=time)


def heard(s: Any, *changes: dict[str, Any]) -> list[Any]:
    """Placements of a second one after another, with some fields of each changed."""
    return [replace(s.sounds(seq), **each) for seq, each in enumerate(changes)]


def attack(log: Log, entries: list[Any]) -> None:
    """Write entries as an operator can who has the key and code of their own."""
    log._sequencer.append([encode(entry) for entry in entries])


IMPOSSIBLE: dict[str, tuple[Callable[[Any], list[Any]], str]] = {
    "before its opening": (lambda s: [opened(time=NEXT), *heard(s, {})], "before its opening"),
    "after its closing": (
        lambda s: [opened(), *heard(s, {"start": NEXT}), closed(1)],
        "after its closing",
    ),
    "beyond the session's sound": (
        lambda s: [opened(), *heard(s, {"start_frame": 48_001}), closed(1, frames=96_000 - 1, voices=2)],
        "its sound has 95999",
    ),
    "longer than the session's sound": (
        lambda s: [opened(), *heard(s, {}), closed(1, frames=47_999)],
        "its sound has 47999",
    ),
    "a line of more voices than it had": (
        lambda s: [opened(), *heard(s, {}, {"start_frame": 1}), closed(2, voices=2)],
        "2 times at once, and states 1",
    ),
    "more sounds than it had": (
        lambda s: [opened(), *heard(s, {}, {"start_frame": 1, "line": 4}), closed(2)],
        "2 sounds at once, and states 1",
    ),
    "more voices at closing than there can be": (
        lambda s: [opened(voices=1), *heard(s, {}, {"start_frame": 1}), closed(2, voices=2, polyphony=2)],
        "it opened with 1",
    ),
    "more sounds than there can be, never closed": (
        lambda s: [opened(voices=1), *heard(s, {}, {"start_frame": 1})],
        "2 sounds at once, and states 1",
    ),
    "a placement once more": (
        lambda s: [opened(), *heard(s, {}, {"start_frame": 0}), closed(2, voices=2, polyphony=2)],
        "twice from frame 0 on",
    ),
    "a placement once more, in a session that states nothing": (
        lambda s: [
            making.session("opened"),
            *heard(s, {}, {"start_frame": 0}),
            making.session("closed", 2, 2000),
        ],
        "twice from frame 0 on",
    ),
    "another rate than the session's": (
        lambda s: [opened(), *heard(s, {"rate": 24_000, "frames": 24_000})],
        "at 48000 Hz",
    ),
    "another rate than the placement before": (
        lambda s: [making.session("opened"), *heard(s, {}, {"rate": 24_000, "frames": 24_000})],
        "at 48000 Hz",
    ),
    "milliseconds of another rate": (
        lambda s: [opened(), *heard(s, {"ms": 2000})],
        "is given 2000 ms",
    ),
    "a closing that leaves out the frames": (
        lambda s: [opened(), *heard(s, {}), making.session("closed", 1, 1000, rate=48_000, voices=1)],
        "without the frames of its sound",
    ),
    "a closing that leaves out everything": (
        lambda s: [opened(), *heard(s, {}), making.session("closed", 1, 1000)],
        "closes as another one",
    ),
    "an opening with sums": (lambda s: [opened(frames=1)], "only its closing"),
    "terms with the clock set back": (
        lambda s: [
            income(NEXT),
            Terms(time=TIME, effective=TIME, pool_ppm=(), master_ppm=500_000, threshold=0),
        ],
        "the times run backwards",
    ),
    "a consent that says nothing of when it was received": (
        lambda s: [income(NEXT), s.states(previous=2)],
        "what was signed elsewhere says when it was received",
    ),
    "a session of two days ago": (
        lambda s: [income(NEXT_DAYS), opened(), *heard(s, {}), closed(1)],
        "more than 24 hours after",
    ),
    "placements of two days ago in a session that stayed open": (
        lambda s: [opened(), income(NEXT_DAYS), *heard(s, {}), closed(1, time=NEXT_DAYS)],
        "more than 24 hours after",
    ),
    "the same, never closed": (
        lambda s: [opened(), income(NEXT_DAYS), *heard(s, {})],
        "more than 24 hours after",
    ),
    "recovered after more than a year": (
        lambda s: [
            income("2028-11-21T06:16:00.250Z"),
            opened(),
            *heard(s, {}),
            closed(1, recovered="crash"),
        ],
        "hours after",
    ),
    "a control character in a title": (
        lambda s: [replace(s.enters(), title="\x1b[2JNothing owed")],
        "its title has the character U+001B",
    ),
    "a line end in a reference": (
        lambda s: [replace(income(TIME), reference="paid\r\n")],
        "its reference has the character U+000D",
    ),
    "a part that turns a line": (
        lambda s: [opened(), *heard(s, {"part": "kit\u202e"})],
        "its part has the character U+202E",
    ),
    "a mood that deletes": (
        lambda s: [replace(s.enters(), mood=("warm", "\x7f"))],
        "its mood has the character U+007F",
    ),
}


def both_ways(home: Path, **options: Any) -> Report:
    """A verification whose quick way, if it confirms the log, is right to do so."""
    report = verify(home, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifying, "_quick", lambda *_: None)
        assert verify(home, **options).problems == report.problems
    return report


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_have_been_is_refused(log: Log, home: Path, story: Any, case: str) -> None:
    make, sentence = IMPOSSIBLE[case]
    log.append([story.joins(), story.enters(), story.states()])
    attack(log, make(story))
    report = verify(home)
    assert not report.ok
    assert any(sentence in each.detail and each.index is not None for each in report.problems), report


POSSIBLE: dict[str, Callable[[Any], list[Any]]] = {
    "one after another": lambda s: [opened(), *heard(s, {}, {}, {}), closed(3)],
    "a crossfade": lambda s: [
        opened(),
        *heard(s, {}, {"start_frame": 47_000}),
        closed(2, voices=2, polyphony=2),
    ],
    "two lines at once": lambda s: [
        opened(),
        *heard(s, {}, {"start_frame": 0, "line": 4}),
        closed(2, voices=2, frames=48_000),
    ],
    "of before, which states nothing": lambda s: s.whole(8)[3:],
    "recovered after a crash": lambda s: [
        opened(),
        *heard(s, {}, {}),
        making.session("closed", 2, 2000, rate=48_000, voices=8, recovered="crash"),
    ],
    "recovered weeks later": lambda s: [
        income("2026-12-21T06:16:00.250Z"),
        opened(),
        *heard(s, {}),
        making.session(
            "closed",
            1,
            1000,
            rate=48_000,
            voices=8,
            recovered="power loss",
            time="2026-12-21T06:16:00.250Z",
        ),
    ],
    "a render of hours, sealed when it was whole": lambda s: [
        income("2026-11-21T12:16:00.250Z"),
        opened(),
        *heard(s, {}),
        closed(1, time="2026-11-21T12:16:00.250Z"),
    ],
    "clocks that disagree": lambda s: [
        income("2026-11-21T06:25:59.000Z"),
        income(TIME),
        opened(),
        *heard(s, {"start": "2026-11-21T06:25:59.000Z"}),
        closed(1),
    ],
    "a consent that was signed elsewhere": lambda s: [
        income(NEXT),
        making.consent(s.key, s.origin, s.stem, previous=2, received=NEXT),
    ],
    "quotes, letters and backslashes": lambda s: [
        replace(making.income(1), reference='Käse \\ "rosé" \\u001b 日本 🎹'),
    ],
}


@pytest.mark.parametrize("case", POSSIBLE)
def test_what_can_have_been_is_not(log: Log, home: Path, story: Any, case: str) -> None:
    log.append([story.joins(), story.enters(), story.states()])
    log.append(POSSIBLE[case](story))
    assert both_ways(home).problems == ()


def test_a_log_does_not_take_what_cannot_be_printed(log: Log, home: Path) -> None:
    with pytest.raises(BadEntry, match=r"its reference has the character U\+0007, which cannot be printed"):
        log.append([making.income(1, reference="\a")])
    with log.journal() as journal, pytest.raises(BadEntry, match=r"U\+0007"):
        journal.write([making.income(1, reference="\a")])
    assert log.size == 0


def test_what_entries_of_before_do_not_state_is_said(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(8))
    log.append([opened(session="x11"), closed(0, session="x11")])
    report = verify(home)
    assert report.problems == ()
    assert [(each.index, "1 of 2 sessions" in each.detail) for each in report.weaker] == [(3, True)]


# What a witness saw.


def test_a_witness_bounds_how_far_back_a_session_may_lie(
    log: Log, home: Path, story: Any, witness: Witness
) -> None:
    """Its fabricated session says it was heard long before the checkpoint that did not have it."""
    log.append([story.joins(), story.enters(), story.states()])
    late = Witness.open(home.parent / "later", name="later.example.com", clock=FixedClock(NEXT_DAYS))
    cosigned = witnessed(late, home, log)
    kept = log.cosigned([cosigned.note], [theirs(late)])
    policy = Policy((theirs(late),), 1)
    attack(log, [opened(), *heard(story, {}), closed(1)])
    assert verify(home).ok
    log.cosigned([witnessed(late, home, log).note], [theirs(late)])
    assert verify(home, policy=policy).ok
    problems = both_ways(home, policy=policy, since=kept).problems
    assert [(each.index, "hours after" in each.detail) for each in problems] == [(5, True)]


def test_what_a_witness_saw_was_not_written_later(log: Log, home: Path, story: Any, witness: Witness) -> None:
    log.append([story.joins(), story.enters(), story.states()])
    attack(log, [opened(), *heard(story, {"start": NEXT}), closed(1, time=NEXT)])
    log.cosigned([witnessed(witness, home, log).note], [theirs(witness)])
    assert verify(home).ok
    problems = both_ways(home, policy=Policy((theirs(witness),), 1)).problems
    assert [each.index for each in problems] == [4, 5]
    assert all("a witness saw it before" in each.detail for each in problems)


# Gaps.


def test_a_gap_says_whose_time_may_be_missing(log: Log, home: Path, story: Any, call: Any) -> None:
    log.append([story.joins(), story.enters(), story.states()])
    gap = Gap(time=TIME, session=making.SESSION, placements=3, reason="disk full")
    log.append([opened(), *heard(story, {}), gap, closed(1), replace(gap, session=None, placements=None)])
    first, second = verify(home).gaps
    assert (first.index, first.placements, first.stems, first.holders) == (
        5,
        3,
        (story.stem,),
        (story.holder,),
    )
    assert (first.since, first.until, second.session, second.stems) == (TIME, TIME, None, ())
    code, out, err = call("verify")
    assert (code, "3 placements are lost (disk full)" in out + err, story.stem in out + err) == (
        0,
        True,
        True,
    )
    shown = json.loads(call("verify", "--json")[1])["gaps"]
    assert [(each["index"], each["placements"], each["stems"]) for each in shown] == [
        (5, 3, [story.stem]),
        (7, None, []),
    ]


def test_a_gap_over_what_a_journal_still_has_is_refused(log: Log, home: Path, story: Any) -> None:
    """While the process lives, another call says that its records are lost."""
    log.append([story.joins(), story.enters(), story.states()])
    gap = Gap(time=TIME, session=making.SESSION, placements=None, reason="damaged journal")
    with log.journal() as journal:
        journal.write([opened(), *heard(story, {})])
        with pytest.raises(BadEntry, match="still has 1 placement"):
            log.append([gap])
        journal.write([closed(1)])
    assert verify(home).ok


def test_verify_finds_what_a_gap_hides_in_a_journal(log: Log, home: Path, story: Any) -> None:
    """The operator closes the session without its last placements, and calls the journal damaged."""
    log.append([story.joins(), story.enters(), story.states()])
    journal = log.journal()
    journal.write([opened(), *heard(story, {}, {}, {})])
    kept = journal.path.read_bytes()
    journal._closed = True
    journal.path.unlink()
    gap = Gap(time=TIME, session=making.SESSION, placements=None, reason="damaged journal")
    ended = making.session("closed", 1, 1000, rate=48_000, voices=8, recovered="crash")
    attack(log, [opened(), *heard(story, {}), gap, ended])
    assert verify(home).ok
    journal.path.with_suffix(".damaged").write_bytes(kept)
    (problem,) = verify(home).problems
    assert (problem.index, "2 of its placements" in problem.detail) == (5, True)


def test_statements_and_fairness_show_gaps(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.income()
    lost = Gap(time="2025-03-06T20:00:00.000Z", session=making.SESSION, placements=2, reason="disk full")
    unknown = replace(lost, session=None, placements=None)
    home.log.append([lost, unknown, replace(unknown, time="2025-05-06T20:00:00.000Z")])
    settled = settle(home.log, "2025-03", clock=FixedClock("2025-05-07T00:00:00.000Z"))
    bass, pad = home.stems["Bass"], home.stems["Pad"]
    made = statement(home.log, home.ada, "2025-03", home.names)
    assert not isinstance(made.gaps, UnsetType)
    assert [(each.index, each.stems) for each in made.gaps] == [(14, (bass,)), (15, ())]
    assert "2 placements are lost (disk full)" in statement_page(made)
    other = statement(home.log, home.ben, "2025-03", home.names)
    assert not isinstance(other.gaps, UnsetType)
    assert other.gaps[0].stems == tuple(sorted((bass, pad)))
    told = fairness(home.usage.books, settled.division, lost_in(home.usage, settled.division.period, 16))
    assert [(each.index, each.holders) for each in told.gaps] == [
        (14, tuple(sorted((home.ada, home.ben)))),
        (15, ()),
    ]
    for said in (made, replace(made, gaps=UNSET)):
        path = tmp_path / "statement.json"
        path.write_bytes(to_bytes(said))
        recompute(path, home.path)
    path.write_bytes(to_bytes(replace(made, gaps=made.gaps[:1])))
    with pytest.raises(NotAsStated, match="gaps has 1 items, and the ledger gives 2"):
        recompute(path, home.path)


def test_a_session_that_comes_late_is_marked_as_recovered(log: Log, home: Path, story: Any) -> None:
    """It was closed, and its process died before it was in the log; the next writer comes two days later."""
    log.append([story.joins(), story.enters(), story.states()])
    journal = log.journal()
    journal.write([opened(), *heard(story, {}), closed(1)])
    journal._file.close()
    later = Log.open(home, clock=FixedClock(NEXT_DAYS))
    later.append([income(NEXT_DAYS)])
    assert [each.recovered for _, each in later.entries(5, 6) if isinstance(each, Session)] == ["crash"]
    assert later.size == 7
    assert verify(home).problems == ()
