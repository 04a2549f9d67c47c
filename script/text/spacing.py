"""How the tokens of a statement are spaced in canonical form."""

from __future__ import annotations

from collections.abc import Sequence

from .tokens import Token

_TIGHT_BEFORE = frozenset((",", ":", ")", "%", ".."))
_TIGHT_AFTER = frozenset(("(", ".."))


def canonical(tokens: Sequence[Token]) -> str:
    """Parsed tokens in one line: one space between them but where none is usual."""
    written: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before is not None and _spaced(before, token):
            written.append(" ")
        written.append(token.text)
        before = token
    return "".join(written)


def _spaced(before: Token, token: Token) -> bool:
    if before.type == "SIGN" or token.type == "TIGHT" or before.type == "TIGHT":
        return False
    return token.text not in _TIGHT_BEFORE and before.text not in _TIGHT_AFTER
