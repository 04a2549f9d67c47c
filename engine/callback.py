"""The device's callback, compiled: PortAudio calls it, and it never takes the interpreter's lock.

It allocates nothing, waits for nothing and touches no file. `userdata` is one array of addresses, so no
address is compiled in. What it calls for every quantum is what `read` and `render` call.
"""

from __future__ import annotations

import numpy as np
from numba import carray, cfunc, njit, types

from .chain import make_quantum
from .clock import QUANTUM
from .effects_kernel import BUS_FX, FILTER_COLUMNS, FX_BUSES, LINES, LONGEST_LINE, MOST_FILTERS
from .machine import flush_to_zero, load_acquire, monotonic_ns, pointer, restore, sleep_ns, store_release
from .master import CONTROL, METER_BLOCKS, STATE_SHAPES
from .rack import (
    BLOCKS,
    BUS,
    BUSES,
    CARRIED,
    CLOSING,
    COMMAND,
    COMMANDS,
    COMMITTED,
    DELIVERED,
    EFFECT_ROWS,
    END,
    FRAME,
    KEY_PARTS,
    LONGEST_NS,
    PATIENT,
    PAUSED,
    REPORT,
    REPORTS,
    STATUS,
    TAP_LOST,
    TAP_QUANTA,
    TAP_READ,
    TAP_WRITTEN,
    VOICE,
    VOICES,
    WAITING,
    XRUNS,
    Deck,
    Rack,
)

UNDERFLOW = 0x4
"""PortAudio: output data was asked for too late, so there was a gap."""
CONTINUE, COMPLETE = 0, 1
TRANSPORT_STEP = 1 / 1024
"""The transport's fade for each frame: 21 ms in all."""
STEPS_PER_OCTAVE = 16
TIMES = 40 * STEPS_PER_OCTAVE
"""The histogram of durations: sixteen steps to the octave of nanoseconds."""
PATIENCE_NS = 20_000
FILTERS, HISTORY, DELAY, REDUCTION = STATE_SHAPES

_int64, _float32, _float64 = np.dtype(np.int64), np.dtype(np.float32), np.dtype(np.float64)


@njit(nogil=True, cache=True)
def serve(rack, deck, out, flags):
    """Fill a block for the device, `out` float32 (frames, 2); COMPLETE once the end has been given.

    The device's block need not be a whole number of quanta: what is left of one waits for the next call.
    """
    word = flush_to_zero()
    status = rack.status
    begun = monotonic_ns(deck.scratch)
    if flags & UNDERFLOW:
        status[XRUNS] += 1
    result = CONTINUE
    i = 0
    while i < out.shape[0]:
        end = load_acquire(status, END)
        paused = load_acquire(status, PAUSED) != 0
        if status[DELIVERED] >= end or load_acquire(status, CLOSING) != 0:
            result = COMPLETE
            break
        if paused and deck.transport[0] <= 0.0:
            break
        if status[CARRIED] == 0:
            while load_acquire(status, PATIENT) != 0 and load_acquire(status, COMMITTED) <= status[FRAME]:
                if load_acquire(status, CLOSING) != 0:
                    break
                sleep_ns(deck.scratch, PATIENCE_NS)
            make_quantum(rack)
            status[CARRIED] = QUANTUM
            _tap(rack, deck)
        first = QUANTUM - status[CARRIED]
        count = min(status[CARRIED], out.shape[0] - i, end - status[DELIVERED])
        _copy(rack.block, first, count, out, i, deck.transport, paused)
        status[CARRIED] -= count
        status[DELIVERED] += count
        i += count
    out[i:] = np.float32(0)
    restore(word)
    taken = monotonic_ns(deck.scratch) - begun
    status[LONGEST_NS] = max(status[LONGEST_NS], taken)
    status[BLOCKS] += 1
    deck.times[_step_of(taken)] += 1
    return result


@njit(nogil=True, cache=True)
def _copy(block, first, count, out, at, transport, paused):
    gain = transport[0]
    if gain == 1.0 and not paused:
        for k in range(count):
            out[at + k, 0] = block[0, first + k]
            out[at + k, 1] = block[1, first + k]
        return
    step = -TRANSPORT_STEP if paused else TRANSPORT_STEP
    for k in range(count):
        gain = min(max(gain + step, 0.0), 1.0)
        out[at + k, 0] = np.float32(block[0, first + k] * gain)
        out[at + k, 1] = np.float32(block[1, first + k] * gain)
    transport[0] = gain


@njit(nogil=True, cache=True)
def _tap(rack, deck):
    """Leave a copy of the quantum for the composing side."""
    status = rack.status
    written = status[TAP_WRITTEN]
    if written - load_acquire(status, TAP_READ) >= TAP_QUANTA:
        status[TAP_LOST] += 1
        return
    deck.tap[written % TAP_QUANTA] = rack.block
    store_release(status, TAP_WRITTEN, written + 1)


@njit(nogil=True, cache=True)
def _step_of(nanoseconds):
    """The histogram's step of a duration: its octave, and four bits more."""
    octave = 0
    rest = max(nanoseconds, 1)
    while rest >= 2 * STEPS_PER_OCTAVE:
        rest >>= 1
        octave += 1
    return min(octave * STEPS_PER_OCTAVE + rest, TIMES - 1)


def duration_of(step: int) -> int:
    """The longest duration, in ns, that counts to a step of the histogram."""
    if step < 2 * STEPS_PER_OCTAVE:
        return step
    octave, rest = divmod(step - STEPS_PER_OCTAVE, STEPS_PER_OCTAVE)
    return ((rest + STEPS_PER_OCTAVE + 1) << octave) - 1


@njit(nogil=True, cache=True)
def pace(rack, deck, out, rate):
    """Be a device that plays to nobody: take a block whenever its time has come, until the end.

    What has been missed, as after a suspend of the whole machine, is not made up for.
    """
    status = rack.status
    begun = monotonic_ns(deck.scratch)
    given = 0
    while True:
        due = begun + given * 1_000_000_000 // rate
        now = monotonic_ns(deck.scratch)
        if now < due:
            sleep_ns(deck.scratch, due - now)
        elif now - due > 1_000_000_000:
            begun, given = now, 0
            status[XRUNS] += 1
        if serve(rack, deck, out, 0) == COMPLETE:
            return
        given += out.shape[0]


@cfunc(
    types.int32(types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr),
    cache=True,
)
def callback(_input, output, frames, _times, flags, userdata):
    """PortAudio's callback: `PaStreamCallback`. `userdata`: the addresses that `addresses` gives."""
    at = carray(userdata, 32, _int64)
    rack = Rack(
        carray(pointer(at[0]), STATUS, _int64),
        carray(pointer(at[1]), WAITING, VOICE),
        carray(pointer(at[2]), VOICES, VOICE),
        carray(pointer(at[3]), BUSES, BUS),
        carray(pointer(at[4]), COMMANDS, COMMAND),
        carray(pointer(at[5]), REPORTS, REPORT),
        carray(pointer(at[6]), (BUSES, 2, QUANTUM), _float32),
        carray(pointer(at[7]), QUANTUM, _float32),
        carray(pointer(at[8]), 1, CONTROL),
        carray(pointer(at[9]), FILTERS, _float64),
        carray(pointer(at[10]), HISTORY, _float32),
        carray(pointer(at[11]), DELAY, _float32),
        carray(pointer(at[12]), REDUCTION, _float64),
        carray(pointer(at[13]), METER_BLOCKS, _float64),
        carray(pointer(at[14]), QUANTUM, _float32),
        carray(pointer(at[15]), (2, QUANTUM), _float32),
        carray(pointer(at[16]), (EFFECT_ROWS, MOST_FILTERS, FILTER_COLUMNS), _float64),
        carray(pointer(at[17]), (EFFECT_ROWS, FX_BUSES), _float32),
        carray(pointer(at[18]), (EFFECT_ROWS, 3), _float32),
        carray(pointer(at[19]), (2, KEY_PARTS), _float32),
        carray(pointer(at[20]), (2, QUANTUM), _float32),
        carray(pointer(at[21]), FX_BUSES, BUS_FX),
        carray(pointer(at[22]), (FX_BUSES, MOST_FILTERS, FILTER_COLUMNS), _float64),
        carray(pointer(at[23]), (FX_BUSES, 2, QUANTUM), _float32),
        carray(pointer(at[24]), (FX_BUSES, LINES, LONGEST_LINE), _float32),
        carray(pointer(at[25]), (FX_BUSES, 3, LINES), _float32),
        carray(pointer(at[26]), (FX_BUSES, 2, at[31]), _float32),
    )
    deck = Deck(
        carray(pointer(at[27]), (TAP_QUANTA, 2, QUANTUM), _float32),
        carray(pointer(at[28]), TIMES, _int64),
        carray(pointer(at[29]), 2, _int64),
        carray(pointer(at[30]), 1, _float64),
    )
    return serve(rack, deck, carray(output, (frames, 2), _float32), flags)


def addresses(rack: Rack, deck: Deck) -> np.ndarray:
    """Where each array lies, in the order in which `callback` reads them, and the longest delay in frames."""
    lie = [array.ctypes.data for array in (*rack, *deck)]
    return np.array([*lie, rack.fx_delays.shape[2]], np.int64)


def new_deck() -> Deck:
    return Deck(
        np.zeros((TAP_QUANTA, 2, QUANTUM), np.float32),
        np.zeros(TIMES, np.int64),
        np.zeros(2, np.int64),
        np.ones(1),
    )
