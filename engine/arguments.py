"""What hosts may hand in: words, numbers, switches, each of its own type or refused in a sentence.

The rule for every method that a host calls: a value of the wrong type raises TypeError here, and a value of
the right type that will not do raises the error that the method names. Numbers and switches of NumPy are
taken; True is no number, and "0.5" is none either.
"""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from .errors import EngineError

MOST_SHOWN = 60
"""How many characters of a value stand in a message."""
MOST_PATH, MOST_NAME = 4095, 255
"""How long a path and each name in it may be."""


def shown(value: object) -> str:
    """A value as messages show it: short, and in letters that every console prints."""
    try:
        text = " ".join(ascii(value).split())
    except Exception:  # noqa: BLE001 - the host's own `__repr__`, or a number of too many digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 4]} ..."


def quoted(name: object) -> str:
    """A name as messages show it, in double quotes, in the letters that it has where those can be printed."""
    if not isinstance(name, str):
        return shown(name)
    text = name[:MOST_SHOWN]
    text = text if text.isprintable() else ascii(text)[1:-1]
    return f'"{text}"' if len(name) <= MOST_SHOWN else f'"{text} ..."'


def word(value: object, what: str) -> str:
    """`value`, a text. `what`: it as the subject of a sentence, such as "the name of a part"."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a text; {shown(value)} is none")
    return str(value)


def place(value: object, what: str) -> Path:
    """`value`, the path of a file or folder, `~` resolved. Raises EngineError for what can be none."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(text, str):
        raise TypeError(f"{what} is a path; {shown(value)} is none")
    try:
        parts = os.fsencode(text).split(os.fsencode(os.sep))
        if "\0" not in text and len(text) <= MOST_PATH and max(map(len, parts)) <= MOST_NAME:
            return Path(text).expanduser()
    except (UnicodeEncodeError, RuntimeError):  # not in the letters of file names; no such user
        pass
    raise EngineError(f"{what} is a path; {shown(text)} is none on this system")


def number(value: object, what: str) -> float:
    """`value`, a number; an infinity where it is too great for a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what} is a number; {shown(value)} is none")
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def whole(value: object, what: str) -> int:
    """`value`, a whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{what} is a whole number; {shown(value)} is none")
    return int(value)


def seed_number(value: object) -> int:
    """`value`, a seed that an entry of the ledger can hold. Raises EngineError for one out of range."""
    seed = whole(value, "a seed")
    if not 0 <= seed < 2**53:
        raise EngineError(f"a seed is a whole number from 0 to 2**53 - 1; {shown(seed)} is none")
    return seed


def switch(value: object, what: str) -> bool:
    """`value`, True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{what} is True or False; {shown(value)} is neither")
    return bool(value)
