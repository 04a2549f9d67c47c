"""Shared by arguments of commands: completion from the vault, and lists of words."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..ground.visible import visible
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


ALLOW = click.option(
    "--allow",
    metavar="WORD,...",
    multiple=True,
    help="What may be done to the sound: stretch (to tempo and key), chop (slices), pitch (notes), or "
    "nothing; stretch if it is left out.",
)


def allowed_of(given: Sequence[str]) -> tuple[str, ...] | None:
    """The words of `--allow`; None if it was not said."""
    words = words_of(given)
    if "nothing" in words:
        if len(words) > 1:
            raise click.UsageError("--allow nothing stands alone")
        return ()
    return words or None


def words_of(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that may repeat, or be separated by commas."""
    return tuple(word.strip() for text in given for word in text.split(",") if word.strip())


class FilesCommand(click.Command):
    """A command with files: of a file whose name begins with a dash it says how to name it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            named = words[: words.index("--")] if "--" in words else words
            for word in named:
                if word.startswith("-") and len(word) > 1 and os.path.lexists(word):
                    raise click.UsageError(
                        f"the name '{visible(word)}' begins with a dash, as options do: write "
                        f"'./{visible(word)}', or put '--' in front of the files",
                        ctx,
                    ) from None
            raise
