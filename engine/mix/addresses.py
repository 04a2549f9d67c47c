"""The rack by addresses: how compiled code that the interpreter does not call is given the mixer's memory.

One array of addresses stands for everything, so no address is compiled in and what is compiled can be kept.
"""

from __future__ import annotations

import numpy as np
from numba import carray
from numpy.typing import NDArray

from ..clock import QUANTUM
from .effects_kernel import BUS_FX, FILTER_COLUMNS, FX_BUSES, LEVELS, LINES, LONGEST_LINE, MOST_FILTERS
from .machine import inner, pointer
from .master import CONTROL, METER_BLOCKS, STATE_SHAPES
from .meters import ROWS, STEPS
from .rack import (
    BUS,
    BUSES,
    COMMAND,
    COMMANDS,
    EFFECT_ROWS,
    KEY_PARTS,
    REPORT,
    REPORTS,
    SPAN,
    STATUS,
    VOICE,
    VOICES,
    WAITING,
    Rack,
)

COUNT = len(Rack._fields) + 1
"""Of the rack's addresses: its arrays in order, then the frames of the longest delay."""
FILTERS, HISTORY, DELAY, REDUCTION = STATE_SHAPES

_int64, _float32, _float64 = np.dtype(np.int64), np.dtype(np.float32), np.dtype(np.float64)


def rack_addresses(rack: Rack) -> NDArray[np.int64]:
    """Where each array of a rack lies, int64 (COUNT,). The rack must outlive whoever uses them."""
    return np.array([*(array.ctypes.data for array in rack), rack.fx_delays.shape[2]], np.int64)


@inner
def rack_at(at):
    """The rack whose addresses those are."""
    return Rack(
        carray(pointer(at[0]), STATUS, _int64),
        carray(pointer(at[1]), WAITING, VOICE),
        carray(pointer(at[2]), VOICES, VOICE),
        carray(pointer(at[3]), BUSES, BUS),
        carray(pointer(at[4]), COMMANDS, COMMAND),
        carray(pointer(at[5]), REPORTS, REPORT),
        carray(pointer(at[6]), (BUSES, 2, SPAN), _float32),
        carray(pointer(at[7]), QUANTUM, _float32),
        carray(pointer(at[8]), 1, CONTROL),
        carray(pointer(at[9]), FILTERS, _float64),
        carray(pointer(at[10]), HISTORY, _float32),
        carray(pointer(at[11]), DELAY, _float32),
        carray(pointer(at[12]), REDUCTION, _float64),
        carray(pointer(at[13]), METER_BLOCKS, _float64),
        carray(pointer(at[14]), QUANTUM, _float32),
        carray(pointer(at[15]), (2, SPAN), _float32),
        carray(pointer(at[16]), (2, QUANTUM), _float32),
        carray(pointer(at[17]), (EFFECT_ROWS, MOST_FILTERS, FILTER_COLUMNS), _float64),
        carray(pointer(at[18]), (EFFECT_ROWS, 2, FX_BUSES), _float32),
        carray(pointer(at[19]), (EFFECT_ROWS, 3), _float32),
        carray(pointer(at[20]), (2, KEY_PARTS), _float32),
        carray(pointer(at[21]), (2, QUANTUM), _float32),
        carray(pointer(at[22]), FX_BUSES, BUS_FX),
        carray(pointer(at[23]), (FX_BUSES, MOST_FILTERS, FILTER_COLUMNS), _float64),
        carray(pointer(at[24]), (FX_BUSES, 2, LEVELS), _float32),
        carray(pointer(at[25]), (FX_BUSES, 2, QUANTUM), _float32),
        carray(pointer(at[26]), (FX_BUSES, LINES, LONGEST_LINE), _float32),
        carray(pointer(at[27]), (FX_BUSES, 4, LINES), _float32),
        carray(pointer(at[28]), (FX_BUSES, 2, at[32]), _float32),
        carray(pointer(at[29]), (ROWS, 2, 4), _float64),
        carray(pointer(at[30]), (ROWS, 4), _float64),
        carray(pointer(at[31]), (STEPS, ROWS, 3), _float64),
    )


assert COUNT == 33
