"""The one rule of freshness: a signed statement holds if it is new, in time, and follows what holds now.

The vault asks it before a statement is written, and whoever audits the log asks it again:

- a message that was signed counts once in a log;
- it comes in by the time at which it expires, and not before it was signed;
- what it corrects or replaces is what holds then. For splits that is the digest of the entry that set the
  shares last; for a declaration the index of the one before, and for a grant its holder's last statement, as
  `audit.py` and the vault's asking have it. A withdrawal needs neither: it counts whatever was said since.

Statements of before have no expiry. Once one with an expiry is in a log, none without may follow: what was
signed in the old form, and lay somewhere since, says nothing any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import UNSET, UnsetType

from .canonical import digest
from .entries import Entry, Splits, Stem
from .recordings import message_of_stem
from .signing import Signable, message_of, since


def stale(entry: Signable, counted: int | None, shares: str | None) -> Iterator[str]:
    """Why a statement does not hold, though it is signed rightly: a sentence for each reason.

    `counted`: the entry in which the same message is in the log already. `shares`: the digest of the entry
    that set the shares of its stem last. One without an expiry is asked only whether it was counted.
    """
    name = name_of(entry)
    if counted is not None:
        yield f"{name} is in the log already, as entry {counted}: a signed statement counts once"
    if entry.expires is UNSET:
        return
    begins = since(entry)
    if begins > entry.expires:
        yield f"{name} came in at {begins}, and expired at {entry.expires}"
    if begins < entry.time:
        yield f"{name} was received at {begins}, before it was signed"
    if isinstance(entry, Splits) and entry.previous != shares:
        yield f"{name} is stale: it does not follow the shares that hold; others were set since it was made"


def message_digest(entry: Signable, origin: str) -> bytes:
    """SHA-256 of what is signed: two signatures of one message are one statement."""
    return hashlib.sha256(message_of(entry, origin)).digest()


@dataclass(slots=True)
class Freshness:
    """The statements of the log `origin` so far."""

    origin: str
    _counted: dict[bytes, int] = field(default_factory=dict)
    """By the digest of the message: the entry."""
    _shares: dict[str, str] = field(default_factory=dict)
    """By stem: the digest of the entry that set its shares last."""
    _expiring: int | None = None
    """The first statement that expires."""
    _signing: dict[str, int] = field(default_factory=dict)
    """By holder: their first stem that they signed."""
    unsigned: int = 0
    """Stems that came in without their holder's word."""
    unexpiring: int = 0
    """Statements without an expiry."""

    def take(self, index: int, entry: Entry) -> Iterator[str]:
        """Take the next entry, whether or not it is valid; the reasons why it is not. Consume them all."""
        if isinstance(entry, Signable):
            said = message_digest(entry, self.origin)
            yield from stale(entry, self._counted.get(said), self._shares.get(getattr(entry, "stem", "")))
            self._counted.setdefault(said, index)
            if entry.expires is not UNSET and self._expiring is None:
                self._expiring = index
            self.unexpiring += entry.expires is UNSET
            if entry.expires is UNSET and self._expiring is not None:
                yield f"{name_of(entry)} has no expiry, as statements have since entry {self._expiring}"
        if isinstance(entry, Stem):
            yield from self._recording(index, entry)
        if isinstance(entry, Stem | Splits):
            self._shares[entry.stem] = digest(entry)

    def weaker(self) -> tuple[str, ...]:
        """What the log says alone, as statements of before do: sentences."""
        found = []
        if self.unsigned:
            stems = "1 stem" if self.unsigned == 1 else f"{self.unsigned} stems"
            found.append(
                f"{stems} came in without their holders' word on titles, identifiers and first shares"
            )
        if self.unexpiring:
            said = "1 statement" if self.unexpiring == 1 else f"{self.unexpiring} statements"
            found.append(f"{said} without an expiry: they could have been signed long before they came in")
        return tuple(found)

    def _recording(self, index: int, entry: Stem) -> Iterator[str]:
        """Why a stem's word does not hold: it counts once, too, also after the stem has left."""
        word = entry.signed
        if isinstance(word, UnsetType):
            self.unsigned += 1
            since = self._signing.get(entry.holder)
            if since is not None:
                yield f"{entry.stem} comes in without its holder's word, as they give it since entry {since}"
            return
        self._signing.setdefault(entry.holder, index)
        said = hashlib.sha256(message_of_stem(entry, self.origin) + word.index.to_bytes(8)).digest()
        before = self._counted.setdefault(said, index)
        if before != index:
            yield f"the word on {entry.stem} is in the log already, as entry {before}: it counts once"
        if entry.time > word.expires:
            yield f"{entry.stem} came in at {entry.time}, and its holder's word expired at {word.expires}"


def name_of(entry: Signable) -> str:
    """A statement as faults name it."""
    kind = str(entry.__struct_config__.tag)
    stem = getattr(entry, "stem", None)
    return f"the {kind} of {stem or entry.holder}"
