"""Names of keys, in the form that the ledger and the catalogue keep."""

from __future__ import annotations

import re

from ...ground.pitch import NOTES, TONICS
from ..errors import BadDeclaration

_ACCIDENTALS = {"♯": "#", "♭": "b"}
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
    tonic = NOTES[letter.upper() + _ACCIDENTALS.get(accidental, accidental)]
    return f"{TONICS[tonic]} {'minor' if mode in ('minor', 'min', 'm') else 'major'}"
