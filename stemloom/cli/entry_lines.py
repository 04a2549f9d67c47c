"""Entries of the ledger in a line each, and how many there are, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..script.problems import counted

if TYPE_CHECKING:
    from ..ledger.entries.entries import Entry


def entries_in_words(size: int) -> str:
    """The number of entries, in words."""
    return "1 entry" if size == 1 else f"{size} entries"


def time_of(entry: Entry) -> str:
    """The time of an entry; of a placement its start."""
    from ..ledger.entries.entries import Placement

    return entry.start if isinstance(entry, Placement) else entry.time


def summary(entry: Entry) -> str:
    """What an entry says, in a line."""
    from ..ledger.entries import entries
    from ..ledger.entries.wording import ending

    match entry:
        case entries.Placement():
            return (
                f"{entry.stem} {entry.ms} ms for {entry.use}, "
                f"{entry.section}/{entry.part} line {entry.line}, {entry.session} no. {entry.seq}"
            )
        case entries.Session():
            count = entry.placements
            sums = "" if count is None else f", {counted(count, 'placement')}, {entry.ms} ms"
            return f"{entry.session} {entry.state} for {entry.use}, {entry.tier}{sums}"
        case entries.Gap():
            lost = "records" if entry.placements is None else counted(entry.placements, "placement")
            return f"{lost} of {entry.session or 'a session'} lost: {entry.reason}"
        case entries.Consent() | entries.Standing():
            of = entry.stem if isinstance(entry, entries.Consent) else "stems to come"
            return f"{entry.holder} {entry.action}s {of} for {', '.join(entry.uses)}{ending(entry)}"
        case entries.Receipt():
            left = f", {counted(len(entry.open), 'session')} not closed" if entry.open else ""
            used = counted(len(entry.sessions), "session")
            return f"{entry.stem} is withdrawn by entry {entry.withdrawal}; {used} had used it{left}"
        case entries.Likeness():
            return f"{entry.stem} is {entry.like}'s sound by {entry.score_milli / 10:.0f} %"
        case entries.Distinct():
            return f"entry {entry.likeness} ends, as {entry.asked} asked: {entry.reason}"
        case entries.Removal():
            return f"{entry.stem} leaves the vault; its recording is deleted"
        case entries.Key():
            return f"{entry.holder} has another key, kept by {entry.custody}"
        case entries.Stem():
            return f"{entry.stem} {entry.title!r}, {entry.role}, of {entry.holder}"
        case entries.Declaration():
            return f"{entry.stem} is declared {entry.title!r}, {entry.role}, {entry.shape}, by {entry.holder}"
        case entries.Splits():
            return f"{entry.stem}, {len(entry.master)} master and {len(entry.publishing)} publishing shares"
        case entries.Holder():
            return f"{entry.holder} joins, key kept by {entry.custody}"
        case entries.Income():
            of = f"from {entry.source} for {entry.period}, {entry.reference}"
            return f"{entry.amount} micro-{entry.currency} {of}"
        case entries.Terms():
            return f"from {entry.effective}, master {entry.master_ppm} ppm"
        case entries.Payout():
            return f"{entry.amount} micro-{entry.currency} to {entry.holder}, {entry.reference}"
        case entries.Correction():
            return f"entry {entry.corrects} is {entry.amount:+} micro-units: {entry.reason}"
        case entries.Settlement():
            return f"{entry.period}: {entry.pool} micro-{entry.currency} over {entry.total_ms} ms"
