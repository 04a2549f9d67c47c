"""Fills a vault with the demo: holders, stems, consents and splits, through the vault's public interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..vault.errors import VaultError
from ..vault.rights.statements import EXTENTS
from .recipe import HOLDERS, Recipe
from .stems import RECIPES

if TYPE_CHECKING:
    from ..vault.intake.intake import Intake
    from ..vault.vault import Vault

Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""

BATCH = 18
"""Stems that are held in memory at a time, some 45 MB."""
PLAYERS = 2
"""Threads that synthesise. NumPy lets go of the interpreter while it works; a third finds little to do."""
_BALLAST = 30 << 20
"""Just under the greatest block (32 MiB) that glibc learns from."""


def build(vault: Vault, progress: Progress | None = None) -> None:
    """Synthesise the demo's stems and take them into `vault`, with their holders, consents and splits.

    Raises `VaultError` when the vault does not take one of them, as it does a second time.
    """
    steps = 2 * len(RECIPES)

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, steps)

    for name in HOLDERS:
        vault.add_holder(name)
    # glibc learns from a large block that is given back to keep memory for the next: without this the
    # kernel hands out and clears fresh pages for each transform, a third of the whole time.
    np.empty(_BALLAST, np.uint8)
    stems: dict[str, str] = {}
    with ThreadPoolExecutor(PLAYERS) as players:
        for first in range(0, len(RECIPES), BATCH):
            batch = RECIPES[first : first + BATCH]
            sounds = []
            for done, sound in enumerate(players.map(Recipe.sound, batch)):
                tell(2 * first + done)
                sounds.append((batch[done].declared(), sound))
            before = 2 * first + len(batch)
            intake = vault.add_sounds(sounds, progress=partial(_count_on, tell, before))
            stems |= _taken(intake)
    _consent(vault, stems)
    tell(steps)


def _count_on(tell: Callable[[int], None], before: int, done: int, of: int) -> None:
    """Steps of one batch, counted on from those before it."""
    tell(before + done)


def _taken(intake: Intake) -> dict[str, str]:
    """Stem ids by title. Raises `VaultError` for what the vault has not taken."""
    for held in intake.held:
        raise VaultError(f"the vault holds the demo's {held.path.stem} for review: {held.reason}")
    for refused in intake.refused:
        raise VaultError(f"the vault refuses the demo's {refused.path.stem}: {refused.reason}")
    return {added.stem.title: added.stem.stem for added in intake.added}


def _consent(vault: Vault, stems: dict[str, str]) -> None:
    """Grant each stem's uses and all that may be allowed, and set the splits."""
    for uses in dict.fromkeys(recipe.uses for recipe in RECIPES if recipe.uses):
        vault.grant([stems[recipe.title] for recipe in RECIPES if recipe.uses == uses], uses, allow=EXTENTS)
    for recipe in RECIPES:
        if recipe.master or recipe.publishing:
            vault.split(
                stems[recipe.title],
                {name: percent * 10_000 for name, percent in recipe.master.items()} or None,
                {name: percent * 10_000 for name, percent in recipe.publishing.items()} or None,
            )
