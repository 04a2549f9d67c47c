"""How much of each sound can be heard in each 100 ms of it: by that `mix/audible.py` decides."""

from __future__ import annotations

from collections import OrderedDict
from sqlite3 import Error as SqliteError

import numpy as np
from msgspec import UnsetType
from numpy.typing import NDArray

from ...ledger.entries.entries import InPlay
from ...vault.errors import VaultError
from ...vault.records import Stem
from ...vault.sound.energies import energies
from ...vault.sound.loudness import HOP
from ...vault.vault import Vault
from ..compose.reading import Reading
from ..plan import Variant

MOST_KNOWN = 4096
"""How many variants are remembered: some kB each."""


class VariantEnergies:
    """Gives the energies of the variants of one session. `rule`: by which it counts what is in play.

    UNSET for the one without a name, under which every frame above -60 dB is.
    """

    def __init__(self, vault: Vault, rule: InPlay | UnsetType) -> None:
        self._vault, self._rule = vault, rule
        self._known: OrderedDict[Variant, NDArray[np.float32]] = OrderedDict()

    def of(self, stem: Stem, variant: Variant, sound: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The mean square of each 100 ms of a variant within the band that is heard, for `Mixer.place`.

        From what is known of the stem since intake; of one of which nothing can be read, from `sound`.
        """
        if isinstance(self._rule, UnsetType):
            return None
        found = self._known.get(variant)
        if found is None:
            found = self._read(stem, variant)
            if found is None or len(found) * HOP < sound.shape[1]:
                found = _measured(sound)
            self._known[variant] = found
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def _read(self, stem: Stem, variant: Variant) -> NDArray[np.float32] | None:
        try:
            known = self._vault.recordings.energies([stem]).get(stem.stem)
        except (VaultError, SqliteError, OSError):
            # The vault was closed meanwhile, or its catalogue cannot be read.
            return None
        return None if known is None else Reading(variant, stem, known.heard).each_step()


def _measured(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    heard: NDArray[np.float32] = energies(sound)[1].astype(np.float32)
    last = sound.shape[1] - (len(heard) - 1) * HOP
    heard[-1] *= HOP / max(last, 1)
    return heard
