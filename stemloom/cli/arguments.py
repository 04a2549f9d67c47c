"""Shared by arguments of commands: completion from the vault, and lists of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from .output import Console

if TYPE_CHECKING:
    from ..vault.vault import Vault


def _completes(names: Callable[[Vault], list[str]]) -> Callable[..., list[str]]:
    """Shell completion with names from the vault; empty without a vault."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from ..ledger.errors import LedgerError
        from ..vault.errors import VaultError

        console = Console(home=ctx.find_root().params.get("home"), json=False, quiet=True, verbose=False)
        try:
            with console.vault() as opened:
                known = names(opened)
        except (VaultError, LedgerError, OSError):
            return []
        return [name for name in known if name.casefold().startswith(incomplete.casefold())]

    return complete


A_STEM = _completes(lambda opened: [name for stem in opened.stems() for name in (stem.title, stem.stem)])
A_HOLDER = _completes(lambda opened: [holder.name for holder in opened.holders()])


def words_of(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that may repeat, or be separated by commas."""
    return tuple(word.strip() for text in given for word in text.split(",") if word.strip())
