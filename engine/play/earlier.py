"""Takes of earlier versions of the engine: read, shown, and compared with what the ledger holds of them.

Another engine made their sound, so this one does not play them again. What their versions have in common is
enough to say whether the ledger has the same session (`beside_ledger.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

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
class KeptTake:
    """A take from its file. `sha256`: of the bytes that it was read from."""

    take: Take | EarlierTake
    sha256: str


def read_take(path: Path) -> Take | EarlierTake:
    """A take of any version from its file. Raises TakeRefused."""
    return kept_take(path).take


def kept_take(path: Path) -> KeptTake:
    """A take of any version, and the hash of its file, which is read once. Raises TakeRefused."""
    data = read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    version = decoded(data, path)
    if isinstance(version, Take):
        return KeptTake(version, sha256)
    if not 1 <= version < VERSION:
        raise TakeRefused(f"{str(path)!r} is a take of version {version}; this engine's are of {VERSION}")
    try:
        return KeptTake(msgspec.json.decode(data, type=EarlierTake), sha256)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TakeRefused(f"{str(path)!r} is not a take: {error}") from error
