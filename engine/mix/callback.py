"""The device's callback, compiled: PortAudio calls it, and it never takes the interpreter's lock.

It allocates nothing, waits for nothing and touches no file. The chain that it calls for every span, by its
address, is the very machine code that `read` and `render` call.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, cfunc, njit, types
from numpy.typing import NDArray

from ..clock import QUANTUM
from . import rack as racks
from .chain import chain
from .machine import (
    Layout,
    call,
    fence,
    inner,
    load_acquire,
    monotonic_ns,
    pointer,
    sleep_ns,
    store_release,
    views,
    zeros,
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

DECK: Layout = {
    # Ring of output quanta, before the transport's gain.
    "tap": (np.float32, (racks.TAP_QUANTA, 2, QUANTUM)),
    # Histogram of the callback's durations.
    "times": (np.int64, (TIMES,)),
    "scratch": (np.int64, (2,)),
    # The gain by which play fades in and out.
    "transport": (np.float64, (1,)),
}
if TYPE_CHECKING:
    Deck = Any
else:
    Deck = namedtuple("Deck", DECK)
"""What a device's callback needs besides, by the names of `DECK`."""
deck_at = views(Deck, DECK)

CHAIN = racks.RACK_ADDRESSES + len(DECK)
REVOKED, IN_CALL = CHAIN + 1, CHAIN + 2
ADDRESSES = CHAIN + 3
"""What a device's callback is given, int64: the addresses of rack, deck and chain, then two flags of its own.

`REVOKED`: it may touch nothing of these any more. `IN_CALL`: it is in the middle of a call.
"""

_int64, _float32 = np.dtype(np.int64), np.dtype(np.float32)


@njit(nogil=True, cache=True)
def serve(at, out, flags):
    """Fill a block for the device, `out` float32 (frames, 2); COMPLETE once the end has been given.

    `at`: what `addresses` gives. The device's block need not be a whole number of quanta: what is left of one
    waits for the next call.
    """
    store_release(at, IN_CALL, 1)
    fence()
    if load_acquire(at, REVOKED) != 0:
        _silence(out, 0)
        store_release(at, IN_CALL, 0)
        return COMPLETE
    rack, deck = racks.rack_at(at, 0), deck_at(at, racks.RACK_ADDRESSES)
    status = rack.status
    begun = monotonic_ns(deck.scratch)
    if flags & UNDERFLOW:
        status[racks.XRUNS] += 1
    result = CONTINUE
    i = 0
    while i < out.shape[0]:
        end = load_acquire(status, racks.END)
        paused = load_acquire(status, racks.PAUSED) != 0
        if status[racks.DELIVERED] >= end or load_acquire(status, racks.CLOSING) != 0:
            result = COMPLETE
            break
        if paused and deck.transport[0] <= 0.0:
            break
        if status[racks.CARRIED] == 0:
            while load_acquire(status, racks.PATIENT) != 0 and _decided(status) <= 0:
                if load_acquire(status, racks.CLOSING) != 0:
                    break
                sleep_ns(deck.scratch, PATIENCE_NS)
            quanta = _wanted(rack, out.shape[0] - i, end)
            if paused or deck.transport[0] < 1.0:
                quanta = 1
            status[racks.MADE] = status[racks.CARRIED] = call(at[CHAIN], at.ctypes.data, 0, quanta)
            _tap(rack, deck)
        first = status[racks.MADE] - status[racks.CARRIED]
        count = min(status[racks.CARRIED], out.shape[0] - i, end - status[racks.DELIVERED])
        _copy(rack.span, first, count, out, i, deck.transport, paused)
        status[racks.CARRIED] -= count
        status[racks.DELIVERED] += count
        i += count
    _silence(out, i)
    taken = monotonic_ns(deck.scratch) - begun
    status[racks.LONGEST_NS] = max(status[racks.LONGEST_NS], taken)
    status[racks.BLOCKS] += 1
    deck.times[step_of(taken)] += 1
    store_release(at, IN_CALL, 0)
    return result


@inner
def _silence(out, first):
    for k in range(first, out.shape[0]):
        out[k, 0] = out[k, 1] = np.float32(0)


@inner
def _decided(status):
    """How many frames are decided that are not mixed yet."""
    return load_acquire(status, racks.COMMITTED) - status[racks.FRAME]


@inner
def _wanted(rack, frames, end):
    """How many quanta may be made for the frames that are still to be given: those that are decided."""
    status = rack.status
    quanta = (min(frames, end - status[racks.DELIVERED]) + QUANTUM - 1) // QUANTUM
    if load_acquire(status, racks.PATIENT) != 0:
        quanta = min(quanta, (_decided(status) + QUANTUM - 1) // QUANTUM)
    return min(max(quanta, 1), racks.SPAN_QUANTA)


@inner
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


@inner
def _tap(rack, deck):
    """Leave a copy of the span for the composing side."""
    status = rack.status
    written = status[racks.TAP_WRITTEN]
    read = load_acquire(status, racks.TAP_READ)
    for first in range(0, status[racks.MADE], QUANTUM):
        if written - read >= racks.TAP_QUANTA:
            status[racks.TAP_LOST] += 1
        else:
            for c in range(2):
                for i in range(QUANTUM):
                    deck.tap[written % racks.TAP_QUANTA, c, i] = rack.span[c, first + i]
            written += 1
    store_release(status, racks.TAP_WRITTEN, written)


@inner
def step_of(nanoseconds):
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
def pace(at, out, rate):
    """Be a device that plays to nobody: take a block whenever its time has come, until the end.

    What has been missed, as after a suspend of the whole machine, is not made up for.
    """
    # Seen as the callback sees them, so that `serve` is compiled once.
    at = carray(pointer(at.ctypes.data), ADDRESSES, _int64)
    out = carray(pointer(out.ctypes.data), (out.shape[0], 2), _float32)
    status, deck = racks.rack_at(at, 0).status, deck_at(at, racks.RACK_ADDRESSES)
    begun = monotonic_ns(deck.scratch)
    given = 0
    while True:
        due = begun + given * 1_000_000_000 // rate
        now = monotonic_ns(deck.scratch)
        if now < due:
            sleep_ns(deck.scratch, due - now)
        elif now - due > 1_000_000_000:
            begun, given = now, 0
            status[racks.XRUNS] += 1
        if serve(at, out, np.int64(0)) == COMPLETE:
            return
        given += out.shape[0]


@cfunc(
    types.int32(types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr),
    cache=True,
)
def callback(_input, output, frames, _times, flags, userdata):
    """PortAudio's callback: `PaStreamCallback`. `userdata`: the addresses that `addresses` gives."""
    at, out = carray(userdata, ADDRESSES, _int64), carray(output, (frames, 2), _float32)
    return serve(at, out, np.int64(flags))


def addresses(rack: racks.Rack, deck: Deck) -> NDArray[np.int64]:
    """Where each array lies and where the chain does, and the flags: all that compiled code is given."""
    lie = racks.rack_addresses(rack)
    return np.array([*lie, *(array.ctypes.data for array in deck), chain.address, 0, 0], np.int64)


def new_deck() -> Deck:
    """A deck whose transport plays."""
    deck = Deck(**zeros(DECK))
    deck.transport[0] = 1
    return deck
