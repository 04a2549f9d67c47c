"""The master's gain: one number a script in a session, decided before the script plays."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from ...vault.vault import Vault
from ..compose.foretold import foresee, foretold_lufs, gain_for
from ..compose.score import Score
from ..compose.swap import in_reach
from ..mix.mixer import Mixer
from .latches import Latches

MOST_KNOWN = 256
"""How many pieces' loudness is kept in memory."""
_known: OrderedDict[str, float] = OrderedDict()
_turn = threading.Lock()


def foretold_gain_db(vault: Vault, score: Score, dials: Mapping[str, float]) -> float:
    """The gain that brings a piece to its loudness, as far as its stems foretell it. May take a while.

    `dials`: those that do not begin at their defaults. What is asked for again is known.
    """
    if score.piece.loudness_lufs is None:
        return 0.0
    key = _key(vault, score, dials)
    with _turn:
        lufs = _known.get(key)
    if lufs is None:
        lufs = foretold_lufs(foresee(score, dials), score.stems, vault.recordings.energies)
    with _turn:
        _known[key] = lufs
        _known.move_to_end(key)
        while len(_known) > MOST_KNOWN:
            _known.popitem(last=False)
    return gain_for(score.piece.loudness_lufs, lufs)


def _key(vault: Vault, score: Score, dials: Mapping[str, float]) -> str:
    """A hash of all that the placements of a piece that nobody touches depend on."""
    said = hashlib.sha256()
    clock, key = score.clock, score.key.name if score.key else ""
    chosen = (score.seed, score.use, str(clock.tempo_bpm), key, sorted(dials.items()))
    said.update(f"{vault.home}\0{score.piece.sha256}\0{chosen!r}".encode())
    said.update(" ".join(sorted(score.stems)).encode())
    for name, among in score.pools.items():
        said.update(f"\0{name}\0{' '.join(stem.stem for stem in among.stems)}".encode())
    return said.hexdigest()


class MasterGain:
    """Has the master follow the scripts: the gain of one that took over comes in with the next section."""

    def __init__(self, vault: Vault, mixer: Mixer, score: Score, dials: Mapping[str, float]) -> None:
        """`dials`: those with which the session began."""
        self._vault, self._mixer, self._dials = vault, mixer, dict(dials)
        self._gain_db = score.gain_db
        self._levels = score.piece.ceiling_dbtp, score.piece.ride_lufs
        self._from: int | None = None

    def decided(self, coming: Score) -> Score:
        """The score of a script that may take over, with the gain that it brings. Changes nothing here."""
        reachable = {n: value for n, value in self._dials.items() if in_reach(coming.piece, n, value)}
        return replace(coming, gain_db=foretold_gain_db(self._vault, coming, reachable))

    def take_over(self, score: Score, at: int) -> None:
        """Another script plays from the bar line on that is composed at the frame `at`."""
        levels = score.piece.ceiling_dbtp, score.piece.ride_lufs
        if levels != self._levels:
            self._levels = levels
            self._mixer.set_master(self._gain_db, *self._levels, at)

    def begin_section(self, score: Score, frame: int, latches: Latches) -> None:
        """A section begins at `frame`."""
        if score.gain_db != self._gain_db:
            self._gain_db, self._from = score.gain_db, frame
            latches.follow(frame)

    def follow(self, at: int) -> None:
        """Move the master at the frame `at`, if the gain is due."""
        if self._from is not None and self._from <= at:
            self._mixer.set_master(self._gain_db, *self._levels, at)
            self._from = None
