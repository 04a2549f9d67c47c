"""The shape of an output file: which container by its ending, which rate and width, and the words on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...vault.records import ENGINE_RATE
from ..arguments import quoted, word
from ..errors import OutputRefused

Bits = Literal["16", "24", "32f"]
RATES = (44_100, 48_000, 96_000)
MOST_WORDS = 200
"""How many characters a title or an artist has at most."""


@dataclass(frozen=True, slots=True)
class Container:
    """What a kind of file holds. `bits`: nothing for a lossy one. `level`: libsndfile's compression level.

    `most_bytes`: of samples, None where there is no limit that a day of music reaches.
    """

    name: str
    format: str
    bits: tuple[Bits, ...] = ()
    rates: tuple[int, ...] = RATES
    subtype: str = ""
    level: float | None = None
    most_bytes: int | None = None
    exact: bool = True
    """Whether it gives back as many frames as it was given, without a gap."""


_AIFF = Container("AIFF", "AIFF", ("24", "16", "32f"), most_bytes=(1 << 32) - (1 << 20))
CONTAINERS = {
    ".wav": Container("WAV", "WAV", ("24", "16", "32f")),
    ".flac": Container("FLAC", "FLAC", ("24", "16")),
    ".aiff": _AIFF,
    ".aif": _AIFF,
    ".ogg": Container("Ogg Vorbis", "OGG", subtype="VORBIS", level=0.2),
    ".opus": Container("Opus", "OGG", rates=(48_000,), subtype="OPUS"),
    ".mp3": Container("MP3", "MP3", rates=(44_100, 48_000), subtype="MPEG_LAYER_III", level=0.0, exact=False),
}
"""By the ending of the name, in small letters."""
_SUBTYPES = {"16": "PCM_16", "24": "PCM_24", "32f": "FLOAT"}
_BYTES = {"16": 2, "24": 3, "32f": 4}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written. `bits` is None for a lossy container. `loop`: its end leads into its beginning.

    `title`: instead of the piece's name.
    """

    container: Container
    rate: int
    bits: Bits | None
    loop: bool = False
    title: str | None = None
    artist: str | None = None

    @property
    def subtype(self) -> str:
        """libsndfile's name of how samples are stored."""
        return self.container.subtype if self.bits is None else _SUBTYPES[self.bits]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a stereo frame, before a lossless container packs them."""
        return 2 * (4 if self.bits is None else _BYTES[self.bits])

    @property
    def as_mixed(self) -> bool:
        """Whether the file holds the samples of the mix, rounded to 24 bits or not at all."""
        return self.rate == ENGINE_RATE and self.bits in ("24", "32f") and not self.loop

    def frames(self, mixed: int) -> int:
        """The file's length, of so many frames of the mix; rounded to the nearest."""
        return (2 * mixed * self.rate + ENGINE_RATE) // (2 * ENGINE_RATE)

    def check_room(self, out: Path, mixed: int) -> None:
        """Raise OutputRefused where the container cannot hold so many frames of the mix."""
        most, bytes = self.container.most_bytes, self.frames(mixed) * self.frame_bytes
        if most is not None and bytes > most:
            raise OutputRefused(
                f"{str(out)!r} would hold {bytes / 1e9:.1f} GB, and {self.container.name} holds at most "
                f"{most / 1e9:.1f}: name a .wav or a .flac, which have no such limit"
            )


def shape_of(
    out: Path,
    rate: int | None = None,
    bits: str | None = None,
    loop: bool = False,
    title: str | None = None,
    artist: str | None = None,
) -> Shape:
    """The shape of the file `out`, 24-bit at 48 kHz where nothing else is said. Raises OutputRefused."""
    container = _container(out)
    *others, last = sorted(container.rates)
    if rate is not None and rate not in container.rates:
        known = f"{', '.join(map(str, others))} or {last}" if others else str(last)
        raise OutputRefused(f"{container.name} is written at {known} Hz, not at {rate}")
    if bits is not None and bits not in container.bits:
        if not container.bits:
            raise OutputRefused(
                f"{container.name} has no width in bits: leave --bits out, or name a .wav or .flac"
            )
        raise OutputRefused(
            f"{container.name} is written with {_either(sorted(container.bits))} bits, not with "
            f"{quoted(bits)}"
        )
    if loop and not container.exact:
        raise OutputRefused(
            f"{container.name} adds silence at its ends, so it holds no seamless loop: name a .wav or .flac"
        )
    default = container.bits[0] if container.bits else None
    return Shape(
        container=container,
        rate=ENGINE_RATE if rate is None else rate,
        bits=default if bits is None else bits,
        loop=loop,
        title=_words(title, "title"),
        artist=_words(artist, "artist"),
    )


def _container(out: Path) -> Container:
    container = CONTAINERS.get(out.suffix.lower())
    if container is None:
        if str(out) == "-" or out.parent == Path("/dev"):
            raise OutputRefused(
                f"a render does not go to {str(out)!r}, as it appears whole or not at all: name a file"
            )
        raise OutputRefused(f"cannot write {str(out)!r}: the name must end in {_either(sorted(CONTAINERS))}")
    if out.is_dir():
        raise OutputRefused(f"{str(out)!r} is a folder: name a file in it")
    if not out.parent.is_dir():
        raise OutputRefused(f"there is no folder {str(out.parent)!r} to write {out.name} to")
    if out.exists() and not out.is_file():
        raise OutputRefused(f"{str(out)!r} is not a file that could be replaced: name another")
    return container


def _either(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _words(text: str | None, what: str) -> str | None:
    """A title or artist as it may stand in a file. Raises OutputRefused."""
    if text is None:
        return None
    found = word(text, f"the {what}").strip()
    if not found or len(found) > MOST_WORDS or not found.isprintable():
        raise OutputRefused(
            f"the {what} of a file has 1 to {MOST_WORDS} characters, all of them printable; {quoted(text)} "
            "is none"
        )
    return found
