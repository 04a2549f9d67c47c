"""The whole chain in one compiled function: what playing and rendering both call."""

from __future__ import annotations

from numba import njit

from .clock import QUANTUM
from .kernel import mix_quantum
from .master import master_quantum


@njit(nogil=True, cache=True)
def advance(
    frame,
    voices,
    buses,
    accumulator,
    envelope,
    control,
    filters,
    history,
    delay,
    reduction,
    meter,
    peaks,
    block,
    out,
):
    """Mix and master `out.shape[1] / 64` quanta from the absolute `frame` on, into `out` (2, frames)."""
    for q in range(out.shape[1] // QUANTUM):
        first = q * QUANTUM
        mix_quantum(frame + first, voices, buses, accumulator, envelope, block)
        master_quantum(frame + first, block, control, filters, history, delay, reduction, meter, peaks)
        out[:, first : first + QUANTUM] = block
