"""Names of keys, in the form that the ledger and the catalogue keep."""

from __future__ import annotations

import re

from ..errors import BadDeclaration

TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_WRITTEN = re.compile(r"\s*([A-Ga-g])\s*([#♯b♭]?)\s*(major|minor|maj|min|m|M)?\s*")


def canonical_key(text: str) -> str:
    """The canonical name of a key: `A#m`, `Bb minor` and `bb min` all give `A# minor`.

    A tonic without a mode is major. Raises `BadDeclaration` for anything else.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None:
        # Long forms in capitals are common in tags; a lone capital M must stay major.
        written = _WRITTEN.fullmatch(text.lower()) if len(text.strip()) > 3 else None
    if written is None:
        raise BadDeclaration(f"'{text}' is not a key; write it like 'D minor', 'F# major', 'Am' or 'Bb'")
    letter, accidental, mode = written.groups()
    tonic = _NATURAL[letter.upper()] + (accidental in ("#", "♯")) - (accidental in ("b", "♭"))
    return f"{TONICS[tonic % 12]} {'minor' if mode in ('minor', 'min', 'm') else 'major'}"
