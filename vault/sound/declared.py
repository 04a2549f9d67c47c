"""The declaration of a recording, and the checks of it that need no audio."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from ...ground.roles import ROLES
from ...ground.typo import SURE, nearest
from ..errors import BadDeclaration
from . import standard_codes
from .tonality import canonical_key

LEAST_BPM, MOST_BPM = 20, 400
MOST_BEATS = 4096
Shape = Literal["loop", "sustained", "hit", "song"]
Meter = tuple[int, int]
"""Beats of a bar, and the note value of a beat."""
COMMON_METER: Meter = (4, 4)
_SHAPE_WORDS: dict[str, Shape] = {
    "one-shot": "hit",
    "oneshot": "hit",
    "one shot": "hit",
    "texture": "sustained",
    "loop": "loop",
    "sustained": "sustained",
    "hit": "hit",
    "song": "song",
}
_MOST_LETTERS = 200
MOST_MOODS = 16
"""The most moods of one recording. An entry of the ledger has room for some eighty of the longest."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A file to add, with its declaration.

    `holder`: id, start of an id, or name. `role`: any word; `ROLES` are those the engine balances.
    `bpm`: kept to a thousandth. `bars`: of four beats, or those of its `meter`, such as `7/8`. `shape`:
    `loop`, `sustained` or `hit`; by default a tempo makes it a loop, and without one it is detected
    (`detection.py`).
    `mood`: at most 16 words. `energy`: 0 to 1, measured when left out. `title`: the file's name without its
    ending when left out.
    `new_role`: the role is intended, though it looks like a slip of a known one. `accept_silence`: accept a
    loop that is more than half silent. `accept_tempo`: the tempo is right, though the rhythm sounds like
    another. `accept_likeness`: somebody has compared it with another holder's recording that it sounds like,
    and it is a different one. `trim`: cut silence in front, and make the end whole bars. `tail`: `cut` or
    `wrap` what follows the last bar, see `ends.py`. `song`: the name of the song of which it is a whole stem,
    from its bar 1.
    """

    path: Path
    holder: str
    role: str
    title: str | None = None
    bpm: Fraction | None = None
    bars: int | None = None
    beats: int | None = None
    key: str | None = None
    shape: str | None = None
    mood: tuple[str, ...] = ()
    energy: float | None = None
    set: str | None = None
    isrc: str | None = None
    iswc: str | None = None
    new_role: bool = False
    accept_silence: bool = False
    accept_tempo: bool = False
    accept_likeness: bool = False
    meter: str | None = None
    trim: bool = False
    tail: str | None = None
    accept_length: bool = False
    """What is there is taken, though the file promises more."""
    song: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """A declaration in the form that the ledger keeps."""

    title: str
    role: str
    shape: Shape | None
    bpm: Fraction | None
    beats: int | None
    key: str | None
    mood: tuple[str, ...]
    energy_milli: int | None
    set: str | None
    isrc: str | None
    iswc: str | None
    meter: Meter | None = None
    trim: bool = False
    tail: Literal["cut", "wrap"] | None = None
    song: str | None = None
    titled: bool = False
    """Its title is declared, and is not the file's name."""


def canonical_terms(declared: Declared) -> Terms:
    """The checked, canonical form of a declaration. Raises `BadDeclaration`."""
    bpm = None if declared.bpm is None else checked_bpm(declared.bpm)
    meter = None if declared.meter is None else checked_meter(declared.meter)
    beats = checked_beats(declared.bars, declared.beats, meter)
    shape = None if declared.shape is None else canonical_shape(declared.shape)
    song = _checked_song(declared, shape)
    if shape in ("hit", "sustained") and (bpm is not None or beats is not None):
        raise BadDeclaration(f"a {shape} sound has no tempo and no bars; leave them out, or declare a loop")
    if shape in ("hit", "sustained") and (meter is not None or declared.trim or declared.tail is not None):
        raise BadDeclaration(f"a {shape} sound has no bars: leave out --meter, --trim and --tail")
    if declared.energy is not None and not 0 <= declared.energy <= 1:
        raise BadDeclaration(f"energy is from 0 to 1, not {declared.energy:g}")
    return Terms(
        title=word("title", declared.title if declared.title is not None else _title_of(declared.path)),
        role=_checked_role(declared.role, declared.new_role),
        shape=shape,
        bpm=bpm,
        beats=beats,
        key=None if declared.key is None else canonical_key(declared.key),
        mood=_checked_moods(declared.mood),
        energy_milli=None if declared.energy is None else round(declared.energy * 1000),
        set=None if declared.set is None else word("set", declared.set),
        isrc=None if declared.isrc is None else standard_codes.isrc(declared.isrc),
        iswc=None if declared.iswc is None else standard_codes.iswc(declared.iswc),
        meter=meter,
        trim=declared.trim,
        tail=None if declared.tail is None else checked_tail(declared.tail),
        song=song,
        titled=declared.title is not None,
    )


def _checked_song(declared: Declared, shape: Shape | None) -> str | None:
    """The name of the song, for a declaration that is right for a stem of one."""
    if declared.song is None:
        if shape == "song":
            raise BadDeclaration("a stem of a song has the song's name: add --song NAME")
        return None
    if shape not in (None, "song"):
        raise BadDeclaration(f"a stem of a song is not a {shape}; leave its shape out, or leave out --song")
    return word("song", declared.song)


def canonical_shape(text: str) -> Shape:
    """`loop`, `sustained`, `hit` or `song`; also for words of sample libraries, `one-shot` and `texture`."""
    shape = _SHAPE_WORDS.get(text.strip().lower())
    if shape is None:
        raise BadDeclaration(f"'{text}' is not a shape; there are loop, sustained and hit")
    return shape


def checked_bpm(bpm: Fraction) -> Fraction:
    """The tempo rounded to a thousandth, as the ledger keeps it."""
    if not LEAST_BPM <= bpm <= MOST_BPM:
        raise BadDeclaration(f"{float(bpm):g} bpm is outside {LEAST_BPM} to {MOST_BPM}")
    return Fraction(round(bpm * 1000), 1000)


def checked_meter(text: str) -> Meter:
    """The meter of a text such as `3/4` or `7/8`."""
    found = re.fullmatch(r"\s*([0-9]{1,2})\s*/\s*([0-9]{1,2})\s*", text, re.ASCII)
    beats, note = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= beats <= 32 or note not in (2, 4, 8, 16):
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise BadDeclaration(
            f"'{shown}' is not a meter: it is 1 to 32 beats of a note value of 2, 4, 8 or 16, "
            "such as 3/4 or 7/8"
        )
    return beats, note


def beats_in_bar(meter: Meter | None) -> int:
    return (meter or COMMON_METER)[0]


def checked_tail(text: str) -> Literal["cut", "wrap"]:
    """What becomes of what a loop has after its last bar."""
    match text.strip().lower():
        case "cut":
            return "cut"
        case "wrap":
            return "wrap"
        case "keep":
            raise BadDeclaration(
                "the tail of a loop is not kept apart: say --tail wrap to mix it onto the loop's beginning, "
                "or --tail cut"
            )
        case other:
            raise BadDeclaration(f"'{other[:40]}' is nothing that is done to a tail; there are wrap and cut")


def checked_beats(bars: int | None, beats: int | None, meter: Meter | None = None) -> int | None:
    """The number of beats, from declared bars (of four beats, or of those of the meter) or beats."""
    if bars is not None:
        in_bars = bars * beats_in_bar(meter)
        if beats is not None and beats != in_bars:
            raise BadDeclaration(f"{bars} bars are {in_bars} beats, and {beats} were declared; say only one")
        beats = in_bars
    if beats is not None and not 1 <= beats <= MOST_BEATS:
        raise BadDeclaration(f"a loop has 1 to {MOST_BEATS} beats, not {beats}")
    return beats


def word(what: str, text: str) -> str:
    """A text for the ledger: with single spaces, 1 to 200 characters, all of them printable.

    In Unicode's form NFC (UAX 15), so that texts that look the same are equal.
    """
    clean = unicodedata.normalize("NFC", " ".join(text.split()))
    if not clean:
        raise BadDeclaration(f"the {what} is empty")
    if len(clean) > _MOST_LETTERS:
        raise BadDeclaration(f"the {what} has {len(clean)} characters; {_MOST_LETTERS} are the most")
    if not clean.isprintable():
        raise BadDeclaration(f"the {what} holds characters that do not print")
    return clean


def holder_name(text: str) -> str:
    """A holder's name, which must not look like an id, for holders are found by either."""
    name = word("name", text)
    if re.fullmatch(r"[hsx][0-9a-f]{3,}", name.casefold()):
        raise BadDeclaration(f"'{name}' is like an id of the ledger, and no name")
    return name


def _lower_word(what: str, text: str) -> str:
    # Checked again: a letter may be two in lower case.
    return word(what, word(what, text).lower())


def _checked_moods(declared: tuple[str, ...]) -> tuple[str, ...]:
    moods = {_lower_word("mood", mood) for mood in declared}
    if len(moods) > MOST_MOODS:
        raise BadDeclaration(f"{len(moods)} moods are declared; {MOST_MOODS} are the most")
    return tuple(sorted(moods))


def _checked_role(text: str, new: bool) -> str:
    role = _lower_word("role", text)
    meant = None if new else nearest(role, ROLES, least=SURE)
    if meant is not None:
        raise BadDeclaration(
            f"'{role}' is not a role that the engine balances; did you mean \"{meant}\"? "
            f"If '{role}' is meant, add --new-role"
        )
    return role


def _title_of(path: Path) -> str:
    # A name that is not valid UTF-8 comes with surrogates, which no JSON can carry.
    stem = path.stem.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in stem)[:_MOST_LETTERS]
