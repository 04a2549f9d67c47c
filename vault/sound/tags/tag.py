"""One statement of a file about itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ...errors import BadDeclaration
from ..declared import LEAST_BPM, MOST_BEATS, MOST_BPM, Meter, checked_meter
from ..standard_codes import isrc as checked_isrc
from ..tonality import canonical_key

_MOST_LETTERS = 120
_WHEEL = ["A♭", "E♭", "B♭", "F", "C", "G", "D", "A", "E", "B", "F#", "D♭"]
"""The minor keys of the Camelot wheel from 1A on; 1B is the major key three semitones above."""
_WHEEL_MAJOR = ["B", "F#", "D♭", "A♭", "E♭", "B♭", "F", "C", "G", "D", "A", "E"]


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tags of one kind say, None for what they do not. `source`: which they are, as `acid chunk`."""

    source: str
    bpm: Fraction | None = None
    beats: int | None = None
    meter: Meter | None = None
    key: str | None = None
    root: str | None = None
    """A pitch without a mode, such as a sampler's root note."""
    one_shot: bool = False
    loop: tuple[int, int] | None = None
    """The first and the last frame of a sampler's loop."""
    title: str | None = None
    isrc: str | None = None
    odd: tuple[str, ...] = ()
    """What is in them and makes no sense, as phrases."""


class Reader:
    """Takes texts and numbers of tags as they come, and keeps those that make sense."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[str, object] = {}
        self._odd: list[str] = []

    def tempo(self, value: object) -> None:
        bpm = _number(value[:40].lower().removesuffix("bpm") if isinstance(value, str) else value)
        if bpm is not None and LEAST_BPM <= bpm <= MOST_BPM:
            self._found.setdefault("bpm", Fraction(round(bpm * 1000), 1000))
        elif bpm != 0:
            self._odd.append(f"a tempo of {_shown(value)}")

    def beats(self, value: object) -> None:
        beats = _number(value)
        if beats is not None and beats.denominator == 1 and 1 <= beats <= MOST_BEATS:
            self._found.setdefault("beats", int(beats))
        elif beats != 0:
            self._odd.append(f"{_shown(value)} beats")

    def meter(self, beats: int, note: int) -> None:
        try:
            self._found.setdefault("meter", checked_meter(f"{beats}/{note}"))
        except BadDeclaration:
            if beats or note:
                self._odd.append(f"a meter of {beats}/{note}")

    def key(self, value: object) -> None:
        key = key_of_text(str(value))
        if key is not None:
            self._found.setdefault("key", key)
        elif str(value).strip().lower() not in ("", "o", "none", "unknown"):
            self._odd.append(f"a key '{_shown(value)}'")

    def root(self, name: str) -> None:
        self._found.setdefault("root", name)

    def loop(self, first: int, last: int) -> None:
        if first < last:
            self._found.setdefault("loop", (first, last))
        else:
            self._odd.append(f"a loop from frame {first} to {last}")

    def one_shot(self) -> None:
        self._found["one_shot"] = True

    def title(self, value: object) -> None:
        text = " ".join("".join(c if c.isprintable() else " " for c in str(value)[:1000]).split())
        if 0 < len(text) <= _MOST_LETTERS:
            self._found.setdefault("title", text)
        elif text:
            self._odd.append(f"a title of {len(str(value))} characters")

    def isrc(self, value: object) -> None:
        try:
            self._found.setdefault("isrc", checked_isrc(str(value)[:40]))
        except BadDeclaration:
            self._odd.append(f"an ISRC '{_shown(value)}'")

    def tags(self) -> Iterator[Tags]:
        """What was found, if anything was."""
        if self._found or self._odd:
            yield Tags(self._source, odd=tuple(dict.fromkeys(self._odd)), **self._found)  # type: ignore[arg-type]


def key_of_text(text: str) -> str | None:
    """A key as tags write it: `Am`, `F# minor`, `8A` of the Camelot wheel, `1m` of Open Key; or None."""
    text = text.strip()
    if len(text) > 20:
        return None
    number, mode = text[:-1], text[-1:].upper()
    if number.isascii() and number.isdecimal() and 1 <= int(number) <= 12 and mode in "ABDM":
        place = int(number) - 1 if mode in "AB" else (int(number) + 6) % 12
        text = _WHEEL[place] + "m" if mode in "AM" else _WHEEL_MAJOR[place]
    try:
        return canonical_key(text)
    except BadDeclaration:
        return None


def _number(value: object) -> Fraction | None:
    """An exact number of a tag; None for anything else."""
    if isinstance(value, float):
        # A chunk has 32 bits for it: 123.45 must not become 123.449997.
        return Fraction(f"{value:.7g}") if math.isfinite(value) else None
    text = str(value).strip()[:24].replace(",", ".")
    try:
        return Fraction(text) if text and all(each in "0123456789." for each in text) else None
    except ValueError:
        return None


def _shown(value: object) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(value)[:40])
    return text + ("..." if len(str(value)) > 40 else "")
