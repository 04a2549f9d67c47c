"""The records that the vault gives to other rooms: frozen and printable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..ledger.entries.rights import lasts

STRETCH_ALONE = frozenset(("stretch",))
"""What a grant allows that does not say so itself."""
ENGINE_RATE = 48_000
"""Frames per second of every conformed stem and of the engine."""
AS_ENTERED = ""
"""The grid with which a stem entered the vault: see `Stem.grid`."""
REST_FRAMES = 64
"""Silence at the end of every stem of a song, which repeats once its tail is over."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A rights-holder in the catalogue; the `name` is not in the log."""

    holder: str
    name: str
    name_salt: str
    """The salt of the commitment in the ledger; empty once the name was erased and replaced by the id."""
    public_key: str
    custody: str
    """The keeper of the private key: `self` or `operator`."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Identifiers of a holder in the field; they are not in the ledger."""

    isni: str | None
    ipi: str | None


@dataclass(frozen=True, slots=True)
class Clearance:
    """A grant in force for one use of one stem."""

    index: int
    """Ledger index of the grant."""
    since: str
    until: str | None
    """RFC 3339 UTC with milliseconds; `None` for no end."""
    allows: frozenset[str] = STRETCH_ALONE
    """What may be done to the sound: `stretch`, `chop`, `pitch`; see `ledger/entries/entries.py`."""


class Chroma(Sequence[tuple[float, ...]]):
    """Rows of twelve weights in the catalogue's form: float32, little-endian.

    A hundred thousand stems have some five million of these numbers, and few are ever looked at.
    """

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def data(self) -> bytes:
        return self._data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        rows = np.frombuffer(self._data, "<f4").reshape(-1, 12)
        return rows.astype(dtype) if dtype is not None else rows.copy()

    def __len__(self) -> int:
        return len(self._data) // 48

    @overload
    def __getitem__(self, index: int) -> tuple[float, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[float, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[float, ...] | tuple[tuple[float, ...], ...]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[tuple[float, ...]]:
        return map(tuple, np.frombuffer(self._data, "<f4").reshape(-1, 12).tolist())

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Chroma) else other)

    def __hash__(self) -> int:
        return hash(self._data)


def chroma_bytes(chroma: Sequence[Sequence[float]]) -> bytes:
    """Rows of twelve weights as float32, little-endian."""
    return chroma.data if isinstance(chroma, Chroma) else np.asarray(chroma, "<f4").tobytes()


@dataclass(frozen=True, slots=True)
class Stem:
    """One recording, declared and measured, at the engine's rate.

    `frames`: of the conformed audio. `bpm`: after conforming to whole beats, so that
    `frames == 60 * beats / bpm * ENGINE_RATE` to within half a frame; `None` for sustained sounds and hits.
    `key`: canonical (`D minor`), or `None`. `energy`: 0 to 1. `lufs`: integrated, BS.1770-4 (momentary
    maximum for sounds shorter than 0.4 s). `chroma`: one row of twelve weights, C first, per bar (per whole
    sound if there are no bars), each row summing to 1. `sounding_frames`: the frame from which a hit stays
    below -70 dBFS; equals `frames` for the other shapes.
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
    chroma: Sequence[tuple[float, ...]]
    clearances: Mapping[str, Clearance] = field(default_factory=dict)
    """By use; a use that is missing is not cleared."""
    peak_frame: int | None = None
    """Where its loudest 50 ms end; None where it was added before that was measured."""
    meter: tuple[int, int] = (4, 4)
    """Beats of a bar, and the note value of a beat."""
    song: str | None = None
    """The name of the song of which it is a whole stem: its shape is `song`."""
    grid: str = AS_ENTERED
    """The name of its conformed copy, if another shape, tempo, meter or ends were declared since it came."""

    @property
    def body_frames(self) -> int:
        """The frames of its beats: those that a song's stem has after them are its tail."""
        if self.song is None or self.bpm is None or self.beats is None:
            return self.frames
        return round(Fraction(60 * self.beats * ENGINE_RATE) / self.bpm)

    @property
    def tail_frames(self) -> int:
        """What a song's stem has after its last bar, the silence at its end left out."""
        return 0 if self.song is None else max(self.frames - self.body_frames - REST_FRAMES, 0)

    @property
    def seconds(self) -> float:
        return self.frames / ENGINE_RATE

    def cleared(self, use: str, at: str) -> Clearance | None:
        """The grant in force for `use` at the RFC 3339 time `at`, if there is one."""
        clearance = self.clearances.get(use)
        return clearance if clearance is not None and lasts(clearance.until, at) else None
