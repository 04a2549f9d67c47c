"""Loops of other meters than 4/4: those of the section's meter are preferred."""

from __future__ import annotations

from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import score
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem

from .pieces import NOW, snapshot, stem

TEXT = """piece "P" for stream
tempo 120
meter {}
pool drums = loops role beats
section a 4 bars
    bring drums from drums
"""


def waltz(number: int) -> Stem:
    return stem(number, beats=12, meter=(3, 4))


def among(meter: str, *stems: Stem) -> list[int]:
    fixed = score(accepted(TEXT.format(meter)), snapshot(*stems), use="stream", at=NOW, rate=48_000)
    return [int(each.stem[1:], 16) for each in fixed.pools["drums"].stems]


def test_loops_of_the_sections_meter_come_first() -> None:
    stems = (stem(1), waltz(2), stem(3), waltz(4))
    assert among("4/4", *stems) == [1, 3]
    assert among("3/4", *stems) == [2, 4]
    # None has it: any is better than silence, as it was before loops had meters.
    assert among("7/8", *stems) == [1, 2, 3, 4]
    assert among("3/4", stem(1), stem(3)) == [1, 3]


def test_a_loop_of_its_meter_that_is_not_in_time_keeps_no_other_out() -> None:
    assert among("3/4", stem(1), stem(2, bpm=160, beats=12, meter=(3, 4))) == [1]


def test_the_dry_run_says_that_no_loop_has_the_meter() -> None:
    def said(meter: str, *stems: Stem) -> list[tuple[str, str]]:
        found = rehearse(accepted(TEXT.format(meter)), snapshot(*stems), at=NOW)
        return [(each.code, each.message) for each in found]

    message = "none of 2 loops of pool drums is in {}, the meter of section a: there are some in 3/4"
    assert said("4/4", waltz(1), waltz(2)) == [("W057", message.format("4/4"))]
    assert said("7/8", waltz(1), stem(2)) == [("W057", message.format("7/8"))]
    assert said("3/4", waltz(1), stem(2)) == []
    # Of loops for which no meter was declared nothing is known.
    assert said("3/4", stem(1), stem(2)) == []


def test_a_section_in_another_meter_draws_from_its_own_loops() -> None:
    text = TEXT.format("4/4") + "section b 4 bars tempo 120 meter 3/4\n    bring drums from drums\n"
    assert rehearse(accepted(text), snapshot(stem(1), waltz(2)), at=NOW) == ()
