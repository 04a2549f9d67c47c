"""Words of other tools, and words that are kept for later: how the language says what is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..problems import short

SONG = 'the whole stems of a song are a pool: pool voice = loops song "Low Water", role voice'
STARTING = (
    "a section says in its first line where in a song it starts: "
    "section verse 16 bars starting at bar 33 of song"
)

_OF_A_LINE = {
    **dict.fromkeys(
        ("sidechain", "sidechained", "pump"),
        "to make room under another part: duck 9 dB under {next}",
    ),
    **dict.fromkeys(
        ("transpose", "transposed", "pitch", "shift"),
        "a recording follows the key: `key E minor` in the head says which, and `max shift 2 st` in its pool "
        "how far it may be shifted",
    ),
    **dict.fromkeys(
        ("reverb", "delay", "echo"),
        "an effect stands in a bus, and a line sends to that: bus room = reverb 2 s, then here: to room 30%",
    ),
    **dict.fromkeys(("volume", "level", "louder", "quieter"), "loudness is said so: gain -3 dB"),
    **dict.fromkeys(
        ("fade", "fadein", "fadeout"), "a fade is said so: over 2 bars, at its end: out over 2 bars"
    ),
    **dict.fromkeys(
        ("glide", "sweep", "automate", "crescendo", "ramp"),
        "what moves is said so: gain -12 dB -> 0 dB over 4 bars",
    ),
}
"""Words that stand where a modifier should, with the advice; `next` is the word after them."""

_FIRST_OF_A_LINE = {
    **dict.fromkeys(
        ("ritardando", "ritard", "rit", "rallentando", "ritenuto"), "to slow down: slow to 70 over 4 bars"
    ),
    **dict.fromkeys(("accelerando", "accel", "accelerate", "speed"), "to speed up: push to 132 over 8 bars"),
    **dict.fromkeys(
        ("modulate", "transpose"), "a section has a key in its first line: section chorus 8 bars key up 2 st"
    ),
    **dict.fromkeys(("mute", "stop", "silence"), "to take a part out: rest drums at bar 4 for 1 bar"),
}
"""Words that begin a line as if they were its kind."""

_OF_A_SECTION = {
    "tempo": "tempo 96",
    "meter": "meter 7/8",
    "key": "key E minor, or key up 2 st",
}

_STEPS = re.compile(r"[xXoO.0-9]+")


def in_a_line(words: Sequence[str], index: int) -> str | None:
    """The advice for a word in a line, or `None` if there is none."""
    if words[index] in (",", ";") and words[max(index - 3, 0) : index - 1] == ["at", "bar"]:
        return (
            "what moves at a time of its own stands behind a colon: at bar 5: gain -12 dB -> 0 dB over 4 bars"
        )
    said, after = _OF_A_LINE.get(words[index]), (*words, "")[index + 1]
    return said and said.format(next=short(after) if after.isidentifier() else "kick")


def first_of_a_line(word: str) -> str | None:
    """The advice for a word that begins a line and should not, or `None` if there is none."""
    return _FIRST_OF_A_LINE.get(word)


def of_a_section(word: str) -> str | None:
    """The advice for what stands in a section and belongs to its first line, or `None`."""
    said = _OF_A_SECTION.get(word)
    return said and f"a section has its own in its first line: section bridge 8 bars {said}"


def in_a_move(words: Sequence[str], index: int) -> str | None:
    """The advice for a count of visits in a move that is said otherwise, or `None`."""
    counted = words[index - 1] == "after" or words[index][0].isdecimal() or words[index] in ("times", "time")
    return "such as: move chorus -> farewell after 2 visits" if counted else None


def in_a_section(words: Sequence[str], index: int) -> str | None:
    """The advice for a word in the first line of a section, or `None` if there is none."""
    if words[index - 1] == "as" or index < _FIRST_OWN:
        return None
    return (
        "such as: section bridge 8 bars tempo 96 key E minor, or: section last 8 bars as chorus key up 2 st"
    )


_FIRST_OWN = 3
"""The place, in the words of a section, from which on it says what it has for itself."""


def in_a_pool(words: Sequence[str], index: int) -> str | None:
    """The advice for what stands in a pool, or `None` if there is none."""
    word, before, following = words[index], words[index - 1], words[index + 1 : index + 4]
    if word == "and" and following:
        clause = next((each for each in reversed(words[:index]) if each in _WITH_VALUES), None)
        if clause is not None:
            one, two = short(before), short(following[0])
            both = f"; for a stem that has both: mood {one}, mood {two}" if clause == "mood" else ""
            return f"values are joined by `or`: {clause} {one} or {two}{both}"
    if word == "bpm" or (word[0].isdecimal() and "bpm" in following):
        numbers = [each for each in (word, *following) if each == ".." or each[0].isdecimal()]
        return f"a stem's own tempo is said so: tempo {''.join(numbers) or '92..96'} bpm"
    return None


_WITH_VALUES = ("role", "mood", "holder", "set")


def unclosed(text: str, *, pattern: bool) -> tuple[str, str]:
    """What to say of a quoted text, or pattern, without its end: `text` is all from its quote on."""
    words = text[1:].split()
    count = next((n for n, word in enumerate(words) if not _STEPS.fullmatch(word)), len(words))
    if not (pattern and count):
        return "this quote is not closed on its line", 'end the name with a straight quote: "'
    steps = " ".join(words[:count])
    shown = steps if len(steps) <= 40 else "x... x..."
    return "this pattern is not closed on its line", f'end it with a straight quote: "{shown}"'
