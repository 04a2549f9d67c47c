"""The journals of a home against the gaps of its log: what a journal still has is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..entries.canonical import decode
from ..entries.entries import Placement
from ..errors import BadEntry, VerificationFailed
from ..log.journal_format import read_journal
from ..places import Places
from ..tlog.file_view import read_regular
from .audit import Audit

_LARGEST = 4 << 30
"""Bytes of a journal."""


def still_in_journals(home: Places, rules: Audit) -> Iterator[tuple[int, str]]:
    """The gaps of sessions that are closed of which a journal has more placements than the log.

    Each with its index. What a journal has of a session that is open waits for the next writer.
    """
    told = {
        gap.session: gap.index for gap in rules.lost() if gap.session is not None and gap.until is not None
    }
    if not told or not home.journals.is_dir():
        return
    for path in sorted(home.journals.iterdir()):
        if path.suffix not in (".journal", ".damaged"):
            continue
        # A writer may have taken it in meanwhile.
        with suppress(OSError, VerificationFailed):
            more: dict[str, int] = {}
            for data in read_journal(read_regular(path, _LARGEST)).entries:
                with suppress(BadEntry):
                    entry = decode(data)
                    if isinstance(entry, Placement) and entry.seq >= rules.sessions.placements(entry.session):
                        more[entry.session] = more.get(entry.session, 0) + 1
            for session, count in more.items():
                if session in told:
                    yield (
                        told[session],
                        f"a gap says that records of the session {session} are lost, and {count} of its "
                        f"placements that the log does not have are still in journals/{path.name}",
                    )
