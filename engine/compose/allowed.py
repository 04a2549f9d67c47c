"""What grants allow: which stems a pool may stretch, shift or cut up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...script.piece import Line, Pool
from ...script.problems import counted
from ...vault.catalogue.stems import Stems
from ...vault.records import Stem
from .slices import slices_of

ONSET = "onset"
"""What a stem lacks that cannot be cut up."""
LeftOut = tuple[tuple[str, int], ...]
"""What stems lack, `chop`, `stretch` or an onset, and how many are left out for it."""


def allowed(
    pool: Pool,
    stems: Stems,
    use: str,
    cleared: NDArray[np.intp],
    fitting: NDArray[np.bool_],
    changed: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], LeftOut]:
    """Which cleared stems may sound in a pool, and what is left out of those that fit the session.

    `fitting`: those that do; `changed`: those that the session would stretch or shift.
    """
    left_out = []
    may = fitting.copy()

    def leave_out(out: NDArray[np.bool_], lack: str) -> None:
        nonlocal may
        if (may & out).any():
            left_out.append((lack, int((may & out).sum())))
            may = may & ~out

    if pool.slices:
        leave_out(~stems.allowing(use, "chop")[cleared], "chop")
    leave_out(changed & ~stems.allowing(use, "stretch")[cleared], "stretch")
    if pool.slices:
        # Only now: onsets are looked for in nothing that may not be cut up.
        whole, facts = np.zeros(len(cleared), np.bool_), stems.facts
        for here in np.flatnonzero(may).tolist():
            place = int(cleared[here])
            whole[here] = not slices_of(facts.onsets(facts["stem"][place]), facts["frames"][place])
        leave_out(whole, ONSET)
    return may, tuple(left_out)


def unstretched(stems: Stems, use: str, places: NDArray[np.intp]) -> frozenset[str]:
    """The stems at `places` whose grants do not allow to stretch them."""
    ids = stems.facts["stem"]
    return frozenset(ids[place] for place in places[~stems.allowing(use, "stretch")[places]].tolist())


def may_play(stem: Stem, use: str, line: Line) -> bool:
    """Whether a stem's grant allows what a line does to it: half and double time stretch it."""
    return getattr(line, "time", 1) == 1 or "stretch" in stem.clearances[use].allows


def kept_back(left_out: LeftOut) -> str:
    """Why a pool whose stems fit is empty."""
    said = []
    for lack, count in left_out:
        if lack == ONSET:
            said.append(f"{counted(count, 'stem')} {'has' if count == 1 else 'have'} no onset to cut at")
        else:
            one = count == 1
            grants = f"the grant{'' if one else 's'} of {counted(count, 'stem')} do{'es' if one else ''}"
            said.append(f"{grants} not allow {lack}")
    return ", and ".join(said)
