"""A kept receipt of a session against the log: what the listener was told, and what was logged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ..entries.entries import ms_of
from ..log.inclusion_receipt import VerifiedReceipt
from ..log.session_receipt import Mark, VerifiedSession
from ..tlog.hashed import HashedLog
from ..tlog.merkle import leaf_hash
from .session_account import Difference, SessionAccount, account_of


def beside_log(kept: VerifiedSession, log: HashedLog) -> tuple[Difference, ...]:
    """What a verified log says otherwise than a session's receipt; none if they agree.

    Whatever the log's key signs: a session that was dropped, placements that were removed, relabelled or
    shortened, a key that was exchanged, a history that was rewritten.
    """
    account = account_of(kept.head.session, log)
    found = [] if kept.opening is None else list(entry_in_log(kept.opening, log))
    return (*found, *_session(kept, account))


def entry_in_log(proved: VerifiedReceipt, log: HashedLog) -> Iterator[Difference]:
    """Whether a log begins with the one under whose checkpoint an entry was proved."""
    if proved.size > log.size:
        yield Difference(
            None,
            f"the log has {log.size} entries, and the receipt is of its checkpoint of {proved.size}: it was "
            "cut back, or this is an older copy of it",
        )
    elif log.root_at(proved.size) != proved.root:
        yield Difference(
            None,
            f"the first {proved.size} entries of the log are not those of the checkpoint that the receipt "
            "carries: its key has signed two histories",
        )


def _session(kept: VerifiedSession, account: SessionAccount) -> Iterator[Difference]:
    head = kept.head
    if account.opening is None:
        yield Difference(None, f"the log has no session {head.session}{account.lost()}")
        return
    index, opening = account.opening
    if opening.receipt_key != head.key:
        yield Difference(
            index,
            f"the session {head.session} opens with another key for its receipts than the one that signed "
            "this one",
        )
    yield from _ended(kept.marks, account, head.rate)
    yield from _in_play(kept, account)
    yield from _closing(kept, account)


def _ended(marks: Sequence[Mark], account: SessionAccount, rate: int) -> Iterator[Difference]:
    """Whether the placements that had ended at each mark are those of the log; the first mark that fails."""
    digest, before = hashlib.sha256(), 0
    for mark in marks:
        for each in account.placements[before : mark.placements]:
            digest.update(leaf_hash(each.data))
        at = f"by {mark.frame / rate:.1f} s"
        if mark.placements > len(account.placements):
            running = "" if account.closing else "; the session is not closed in this log"
            yield Difference(
                None,
                f"{mark.placements} placements had ended {at}, and the log has {len(account.placements)} of "
                f"{account.session}{account.lost()}{running}",
            )
            return
        if digest.hexdigest() != mark.ended:
            new = account.placements[before : mark.placements]
            which = (
                f"placements {before} to {mark.placements - 1} of {account.session} (entries {new[0].index} "
                f"to {new[-1].index})"
                if new
                else f"the placements of {account.session}"
            )
            yield Difference(
                new[0].index if new else None, f"{which} are not those that had ended {at} by the receipt"
            )
            return
        before = mark.placements


def _in_play(kept: VerifiedSession, account: SessionAccount) -> Iterator[Difference]:
    """Whether the log gives each stem the time that the receipt counts."""
    logged, head = account.frames_by_stem(), kept.head
    frame = kept.marks[-1].frame if kept.marks else 0
    ended = kept.marks[-1].placements if kept.marks else 0
    most: dict[str, int] = {}
    for each in account.placements:
        entry = each.entry
        whole = head.state == "closed" or entry.seq < ended
        frames = entry.frames if whole else min(entry.frames, max(frame - entry.start_frame, 0))
        most[entry.stem] = most.get(entry.stem, 0) + frames
    for stem, frames in sorted(kept.in_play().items()):
        has = most.get(stem, 0)
        if frames > has:
            yield Difference(
                None,
                f"the receipt counts {_ms(frames, head.rate)} of {stem} in play by {kept.seconds:.1f} s, and "
                f"the log has {_ms(has, head.rate)}{account.lost()}",
            )
        elif head.state == "closed" and frames < has:
            yield Difference(
                None,
                f"the receipt counts {_ms(frames, head.rate)} of {stem} in the whole session, and the log "
                f"has {_ms(has, head.rate)}",
            )
    if head.state == "closed":
        for stem in sorted(logged.keys() - kept.in_play().keys()):
            yield Difference(
                None, f"the receipt counts nothing of {stem}, and the log has {_ms(logged[stem], head.rate)}"
            )


def _closing(kept: VerifiedSession, account: SessionAccount) -> Iterator[Difference]:
    """Whether the closing entry is the one that the last receipt was made of."""
    head = kept.head
    if head.state != "closed":
        return
    if account.closing is None:
        yield Difference(None, f"the session {head.session} was closed, and the log has no entry of that")
        return
    index, closing = account.closing
    for name, unit in (("placements", "placements"), ("ms", "ms in play")):
        said, logged = getattr(head, name), getattr(closing, name)
        if said != logged:
            yield Difference(index, f"the session closes with {logged} {unit}, and by the receipt {said}")
    if closing.take != head.take:
        yield Difference(
            index, f"the session closes with the take {closing.take}, and by the receipt {head.take}"
        )


def _ms(frames: int, rate: int) -> str:
    return f"{ms_of(frames, rate)} ms"
