"""Takes of earlier versions of the engine: read, shown, and compared with what the ledger holds of them.

Another engine made their sound, so this one does not play them again. What their versions have in common is
enough to say whether the ledger has the same placements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import msgspec

from ...ledger.entries.entries import Entry, Placement, Session
from ..errors import TakeRefused
from .take import VERSION, Take, TakePlacement, decoded, read_bytes


class EarlierTake(msgspec.Struct, frozen=True):
    """What takes of versions 1 to 4 have in common; the fields are those of `Take`."""

    version: int
    engine: str
    session: str
    script: str
    use: str
    tier: str
    seed: int
    rate: int
    placements: tuple[TakePlacement, ...]
    frames: int
    pcm_sha256: str | None

    @property
    def engine_that_replays(self) -> str:
        """The engine that plays it again, in words."""
        return f"the engine {self.engine} whose takes are of version {self.version}"


@dataclass(frozen=True, slots=True)
class Compared:
    """A take beside the ledger. `known`: whether the ledger has its session at all.

    `same_file`: whether the session's closing entry names this very file, None where it has none.
    `differences`: the numbers of placements that are not alike, or in one of both alone.
    """

    known: bool
    same_file: bool | None
    differences: tuple[int, ...]

    @property
    def same(self) -> bool:
        return self.known and self.same_file is not False and not self.differences


def read_take(path: Path) -> Take | EarlierTake:
    """A take of any version from its file. Raises TakeRefused."""
    data = read_bytes(path)
    version = decoded(data, path)
    if isinstance(version, Take):
        return version
    if not 1 <= version < VERSION:
        raise TakeRefused(f"{str(path)!r} is a take of version {version}; this engine's are of {VERSION}")
    try:
        return msgspec.json.decode(data, type=EarlierTake)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TakeRefused(f"{str(path)!r} is not a take: {error}") from error


def compared(path: Path, take: EarlierTake, entries: Iterable[tuple[int, Entry]]) -> Compared:
    """Compare a take with the ledger's entries: its own file, and placement by placement."""
    file_sha256 = hashlib.sha256(read_bytes(path)).hexdigest()
    known, same_file, logged = False, None, []
    for _, entry in entries:
        if isinstance(entry, Session) and entry.session == take.session:
            known = True
            if entry.take is not None:
                same_file = entry.take == file_sha256
        elif isinstance(entry, Placement) and entry.session == take.session:
            logged.append(entry)
    logged.sort(key=lambda entry: entry.seq)
    of_ledger = (TakePlacement(*(getattr(e, f) for f in TakePlacement.__struct_fields__)) for e in logged)
    of_take = sorted(take.placements, key=lambda placement: placement.seq)
    pairs = enumerate(zip_longest(of_take, of_ledger))
    return Compared(known, same_file, tuple(number for number, (one, other) in pairs if one != other))
