"""What the vault tells the other rooms: frozen, printable records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

ENGINE_RATE = 48_000
"""Frames per second of every conformed stem and of the engine."""

ROLES = ("beats", "bass", "harmony", "pads", "tops", "melody", "voice", "fx")
"""The roles the engine knows how to balance. The set is open: others are allowed, with a warning."""

SHAPES = ("loop", "sustained", "hit")
USES = ("stream", "live", "export", "sync")
TIERS = ("free", "subscriber", "developer", "enterprise")


@dataclass(frozen=True, slots=True)
class Holder:
    """A rights-holder as the catalogue knows them; `name` and identifiers are not in the log."""

    holder: str
    name: str
    name_salt: str
    public_key: str
    custody: str
    """`self` or `operator`: who keeps the private key."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """A grant in force for one use of one stem."""

    index: int
    """Ledger index of the grant."""
    since: str
    until: str | None
    """RFC 3339 UTC with milliseconds; null for no end."""


@dataclass(frozen=True, slots=True)
class Stem:
    """One recording, declared and measured, at the engine's rate.

    `frames`: of the conformed audio. `bpm`: after conforming to whole beats, so that
    `frames == 60 * beats / bpm * ENGINE_RATE` to within half a frame; null for sustained sounds and hits.
    `key`: canonical (`D minor`), or null. `energy`: 0 to 1. `lufs`: integrated, BS.1770-4 (momentary maximum
    for sounds shorter than 0.4 s). `chroma`: one row of twelve weights, C first, per bar (per whole sound
    where there are no bars), each row summing to 1. `sounding_frames`: where a hit has fallen below
    -70 dBFS for good; equals `frames` for the other shapes.
    """

    stem: str
    pcm_sha256: str
    title: str
    holder: str
    role: str
    shape: str
    frames: int
    channels: int
    bpm: Fraction | None
    beats: int | None
    key: str | None
    mood: tuple[str, ...]
    energy: float
    set: str | None
    lufs: float
    true_peak_dbtp: float
    sounding_frames: int
    chroma: tuple[tuple[float, ...], ...]
    clearances: Mapping[str, Clearance] = field(default_factory=dict)
    """By use; a use that is not here is not cleared."""

    @property
    def seconds(self) -> float:
        return self.frames / ENGINE_RATE

    def cleared(self, use: str, at: str) -> Clearance | None:
        """The grant in force for `use` at the RFC 3339 time `at`, if there is one."""
        clearance = self.clearances.get(use)
        if clearance is None or (clearance.until is not None and at >= clearance.until):
            return None
        return clearance
