"""The choosing of a stem: who may sound, and who of them does."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..script.piece import Key, Pool
from ..vault.records import Stem
from .chance import DrawKey, rendezvous
from .clock import BarClock
from .fit import fit_tempo, fits_key, within_stretch


@dataclass(frozen=True, slots=True)
class Eligible:
    """A pool's stems that fit the session: parallel to each other, in order of stem id."""

    stems: tuple[Stem, ...]
    keys: NDArray[np.uint64]
    """The stems' own random keys: see `chance.stem_keys`."""
    reason: str
    """Why it is empty, when it is."""


def eligible(
    pool: Pool, cleared: Sequence[Stem], keys: NDArray[np.uint64], clock: BarClock, key: Key | None
) -> Eligible:
    """Those of the pool's cleared stems whose tempo and key fit."""
    stretched = [i for i, stem in enumerate(cleared) if _tempo_fits(pool, stem, clock)]
    fitting = [i for i in stretched if fits_key(cleared[i], pool, key)]
    if not cleared:
        reason = "no stem is cleared"
    elif not stretched:
        tempo = f"{float(clock.tempo_bpm):g} bpm"
        reason = f"none of {len(cleared)} stems stretches to {tempo} within {pool.max_stretch:.0%}"
    elif not fitting:
        unknown = sum(cleared[i].key is None for i in stretched)
        reason = f"none of {len(stretched)} stems fits {key.name if key else 'by key'}"
        reason += f" ({unknown} of unknown key)" if unknown else ""
    else:
        reason = ""
    return Eligible(tuple(cleared[i] for i in fitting), keys[fitting], reason)


def choose(
    pool: Pool,
    among: Eligible,
    key: DrawKey,
    index: int,
    *,
    excluded: Collection[str] = (),
    heard: Mapping[str, int] | None = None,
    avoid: str | None = None,
) -> Stem | None:
    """One of the eligible stems, each with equal weight, or null when every one is excluded.

    `excluded`: stems that may not come again yet. `heard`: frames each stem has been placed for in this
    session; a pool that prefers fresh takes from the least heard only. `avoid`: a stem that is taken only
    when it is the last one.
    """
    left = [i for i, stem in enumerate(among.stems) if stem.stem not in excluded]
    others = [i for i in left if among.stems[i].stem != avoid]
    left = others or left
    if not left:
        return None
    if pool.prefer_fresh and heard is not None:
        least = min(heard.get(among.stems[i].stem, 0) for i in left)
        left = [i for i in left if heard.get(among.stems[i].stem, 0) == least]
    draws = rendezvous(among.keys[left], key.bits("choose", index))
    return among.stems[left[int(np.argmax(draws))]]


def _tempo_fits(pool: Pool, stem: Stem, clock: BarClock) -> bool:
    if pool.hits or stem.shape != "loop":
        return True
    fit = fit_tempo(stem, clock.tempo_bpm)
    return fit is not None and math.isfinite(fit.stretch) and within_stretch(fit.stretch, pool.max_stretch)
