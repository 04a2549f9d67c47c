"""What an operator with the log's key can do: a log of other entries, signed anew, which verifies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import UNSET, structs

from stemloom.ledger.clock import milliseconds_of, text_at
from stemloom.ledger.entries.entries import Consent, Entry, Placement, Session, ms_of
from stemloom.ledger.log.log import Log
from stemloom.ledger.places import Places
from stemloom.ledger.verify.verify import verify

Change = Callable[[list[Any]], list[Any]]
OTHER_KEY = "B" * 43 + "="


def forged(home: Path, folder: Path, change: Change) -> Path:
    """A home in `folder` with a log of other entries under the key of `home`: `verify` has nothing to say."""
    Places(folder).keys.mkdir(parents=True)
    shutil.copy(Places(home).key, Places(folder).key)
    with Log.open(home) as log:
        entries: list[Entry] = [entry for _, entry in log.entries()]
    with Log.open(folder, create=True) as log:
        log.append(retold(change(entries)))
    assert verify(folder).problems == ()
    return folder


def retold(entries: list[Any]) -> list[Any]:
    """The entries with gapless numbers of placements, and the sums of each session in its closing entry."""
    sums: dict[str, tuple[int, int]] = {}
    told = []
    for entry in entries:
        if isinstance(entry, Placement):
            count, ms = sums.get(entry.session, (0, 0))
            sums[entry.session] = count + 1, ms + entry.ms
            entry = structs.replace(entry, seq=count)
        elif isinstance(entry, Session) and entry.state == "closed":
            count, ms = sums.get(entry.session, (0, 0))
            entry = structs.replace(entry, placements=count, ms=ms)
        told.append(entry)
    return told


def placements(entries: list[Any]) -> list[int]:
    return [at for at, entry in enumerate(entries) if isinstance(entry, Placement)]


def one_removed(entries: list[Any]) -> list[Any]:
    gone = placements(entries)[1]
    return entries[:gone] + entries[gone + 1 :]


def last_removed(entries: list[Any]) -> list[Any]:
    gone = placements(entries)[-1]
    return entries[:gone] + entries[gone + 1 :]


def ms_lowered(entries: list[Any]) -> list[Any]:
    at = placements(entries)[1]
    frames = entries[at].frames // 2
    lower = structs.replace(entries[at], frames=frames, ms=ms_of(frames, entries[at].rate))
    return [*entries[:at], lower, *entries[at + 1 :]]


def session_dropped(entries: list[Any]) -> list[Any]:
    gone = next(entry.session for entry in entries if isinstance(entry, Session))
    return [entry for entry in entries if getattr(entry, "session", None) != gone]


def stem_relabelled(entries: list[Any]) -> list[Any]:
    at = placements(entries)[1]
    grants = {entry.stem: index for index, entry in enumerate(entries) if isinstance(entry, Consent)}
    stem = next(stem for stem in grants if stem != entries[at].stem)
    other = structs.replace(entries[at], stem=stem, consent=grants[stem])
    return [*entries[:at], other, *entries[at + 1 :]]


def one_added(entries: list[Any]) -> list[Any]:
    """Another placement of a stem that sounds, a frame later, and a closing that states one sound more."""
    at = placements(entries)[1]
    added = structs.replace(entries[at], start_frame=entries[at].start_frame + 1)
    told = [*entries[:at], entries[at], added, *entries[at + 1 :]]
    return [
        structs.replace(each, voices=each.voices + 1, polyphony=each.polyphony + 1)
        if isinstance(each, Session) and each.state == "closed"
        else each
        for each in told
    ]


def opened_with(**fields: Any) -> Change:
    """The session opens otherwise, and closes as it opens."""

    def change(entries: list[Any]) -> list[Any]:
        return [structs.replace(e, **fields) if isinstance(e, Session) else e for e in entries]

    return change


def opened_earlier(entries: list[Any]) -> list[Any]:
    """The session opens a second before it did."""

    def earlier(entry: Session) -> Session:
        return structs.replace(entry, time=text_at(milliseconds_of(entry.time) - 1000))

    return [earlier(e) if isinstance(e, Session) and e.state == "opened" else e for e in entries]


def closing_left_out(entries: list[Any]) -> list[Any]:
    return [e for e in entries if not (isinstance(e, Session) and e.state == "closed")]


KEY_EXCHANGED, KEY_LEFT_OUT = opened_with(receipt_key=OTHER_KEY), opened_with(receipt_key=UNSET)
