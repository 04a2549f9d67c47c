"""The prose of a statement: how a reader who trusts the log alone has its numbers again."""

from __future__ import annotations

from ..division.division import Division
from ..entries.entries import Settlement

ROUNDING = (
    "Every division is in exact integers, by the largest remainder: each share is first rounded down, and "
    "the micro-units left over go one by one to the shares with the largest remainders; equal remainders go "
    "by id, smallest first. A pool is divided over stems by their milliseconds, a stem's amount over what "
    "was heard of it under the same shares, that into master and publishing by the terms (an equal remainder "
    "goes to master), each side over its shares."
)
"""The rule in words, for statements."""


def recompute_steps(entry: Settlement, index: int, division: Division) -> tuple[str, ...]:
    """The steps that lead from the log to the numbers of a statement of the settlement at `index`."""
    funds = division.funds
    start, end, late = division.period.start, division.period.end, division.late_ms
    too_late = f", and over those of periods settled before that no settlement has counted ({late} ms)"
    own = funds.divided_income[0].amount
    share = sum(line.for_holders for line in funds.income if line.late_of is None)
    others = "".join(
        f" {each.amount} micro-units came late for {each.period.text} and are divided in the same way by all "
        "that was heard in that period."
        for each in funds.divided_income[1:]
    )
    for_others = (
        f", and with {own - share:+} for what other settled periods were given and are not worth any more, "
        f"or are worth again, it is {own} micro-units"
    )
    return (
        "With the JSON file of this statement and a copy of the ledger's folder log/, or the address where "
        "it is published: 'stemloom royalty recompute STATEMENT.json --log LOG --vkey KEY' hashes every "
        f"entry again, derives the settlement at entry {index} and every number of this statement anew, and "
        "fails on a difference of one micro-unit. KEY is your own copy of the ledger's key; --kept "
        "CHECKPOINT shows that the log goes on from a checkpoint that you kept.",
        f"By hand: in entries {entry.first} to {entry.last}, add up the ms of each stem over the placements "
        f"that start at {start} or later and before {end}{too_late if late else ''}. Together they are "
        f"{entry.total_ms} ms.",
        f"Add up the income in {entry.currency} for periods within {entry.period}, with its corrections. Of "
        "each source the terms' share goes to the pool; what is kept back is rounded down. That is "
        f"{share} micro-units{for_others if own != share else ''}.",
        "Divide the pool over the stems by their ms; a stem's amount over its lines by their ms, a line "
        "being what was heard in one period under the same shares; each line's amount into master and "
        f"publishing by the terms, and each side over its shares, by the rounding rule.{others}",
    )
