"""What a file's name says: `Kick_120bpm_Am.wav`, `120_Am_Pad.wav`, `DnB 174 F#min.wav`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ....ground.pitch import NOTES, TONICS
from .tag import Reader, Tags, key_of_text

_BPM = re.compile(r"(?<![0-9.])([0-9]{2,3}(?:[.,][0-9]{1,3})?)[ _-]?bpm(?![a-z])", re.IGNORECASE)
_BPM_BEFORE = re.compile(r"(?<![a-z])bpm[ _-]?([0-9]{2,3}(?:[.,][0-9]{1,3})?)(?![0-9])", re.IGNORECASE)
_PARTS = re.compile(r"[ _\-()\[\]]+")
_KEY = re.compile(r"[A-G][#b♯♭]?(m|min|maj|minor|major)|[a-g][#b♯♭]?(min|maj)")
_NOTE = re.compile(r"[A-G][#b♯♭]?")
_PLAIN_TEMPO = re.compile(r"(?:[6-9][0-9]|1[0-9]{2})(?:\.[0-9]{1,2})?")


def tags_of_name(name: str) -> Iterator[Tags]:
    """A number is a tempo beside the letters bpm, or where it is the only one, and a key is in the name."""
    stem = name.rpartition(".")[0] or name
    parts = [part for part in _PARTS.split(stem) if part]
    reader = Reader("name")
    keys = [
        part
        for before, part in pairwise(("", *parts))
        # "I Am Here" is in no key.
        if _KEY.fullmatch(part) and (before, part) != ("I", "Am")
    ]
    keys += [
        f"{first} {second}"
        for first, second in pairwise(parts)
        if _NOTE.fullmatch(first) and second.lower() in ("min", "maj", "minor", "major")
    ]
    keys = [key for key in keys if key_of_text(key)]
    notes = [part for part in parts if len(part) > 1 and _NOTE.fullmatch(part)]
    if len(set(map(key_of_text, keys))) == 1:
        reader.key(keys[0])
    elif not keys and len(set(notes)) == 1:
        # Without a mode: packs write it of minor and of major alike.
        reader.root(TONICS[NOTES[_plain(notes[0])]])
    tempi = _BPM.findall(stem) or _BPM_BEFORE.findall(stem)
    numbers = [part for part in parts if re.fullmatch(r"[0-9]+(\.[0-9]+)?", part)]
    if len(set(tempi)) == 1:
        reader.tempo(tempi[0])
    elif not tempi and (keys or notes) and len(numbers) == 1 and _PLAIN_TEMPO.fullmatch(numbers[0]):
        reader.tempo(numbers[0])
    yield from reader.tags()


def _plain(note: str) -> str:
    return note.replace("♯", "#").replace("♭", "b")
