"""The device's callback, compiled: PortAudio calls it, and it never takes the interpreter's lock.

It allocates nothing, waits for nothing and touches no file. The chain that it calls for every span, by its
address, is the very machine code that `read` and `render` call.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, types
from numpy.typing import NDArray

from ..clock import QUANTUM
from ..compiled import kept, kept_callback
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
"""The transport's fastest fade for each frame: 21 ms in all."""
STEPS_PER_OCTAVE = 16
TIMES = 40 * STEPS_PER_OCTAVE
"""The histogram of durations: sixteen steps to the octave of nanoseconds."""
PATIENCE_NS = 20_000
SECOND_NS = 1_000_000_000
FASTER = 50
"""A device whose clock is a fiftieth faster than ours still has one."""
PUNCTUAL = 8
"""A block that is asked for an eighth of its length too early at most is asked for in time."""
CATCH_UP_NS = 100_000_000
"""By how much a device that is held to our clock may have come late, and catch up."""
LONGEST_SLEEP_NS = 1_000_000
"""How long the callback sleeps before it looks again whether it is to stop."""

DECK: Layout = {
    # Ring of output quanta, before the transport's gain.
    "tap": (np.float32, (racks.TAP_QUANTA, 2, QUANTUM)),
    # Histogram of the callback's durations.
    "times": (np.int64, (TIMES,)),
    "scratch": (np.int64, (2,)),
    # The gain by which play fades in and out, and how much it moves with each frame.
    "transport": (np.float64, (2,)),
    # The listener's volume: the gain now, the one that it moves to, and how much with each frame.
    "volume": (np.float64, (3,)),
}
if TYPE_CHECKING:
    Deck = Any
else:
    Deck = namedtuple("Deck", DECK)
"""What a device's callback needs besides, by the names of `DECK`."""
deck_at = views(Deck, DECK)

CHAIN = racks.RACK_ADDRESSES + len(DECK)
HAND, IN_CALL, GIVEN, RATE, ALLOWED_NS, DUE_NS, LEAST_DUE_NS, CLOCKLESS, PUNCTUAL_NS = (
    CHAIN + n for n in range(1, 10)
)
ADDRESSES = CHAIN + 10
"""What a device's callback is given, int64: the addresses of rack, deck and chain, then words of its own.

`HAND`: whether it plays, below. `IN_CALL`: it is in the middle of a call. `GIVEN`: how many frames it has
given, silence among them. Then its clock, see `waits_until`: `RATE`, 0 for a device that is not watched;
`ALLOWED_NS`, how far it may be ahead of our clock; `DUE_NS`, when all that it was given will have been heard;
`LEAST_DUE_NS`, the same if its clock is as much faster than ours as it may be; `CLOCKLESS`, whether it is
held to our clock; `PUNCTUAL_NS`, for how long it has needed no holding.
"""
PLAYS, REVOKED, AWAITS = 0, 1, 2
"""A device's hand on rack and deck: it plays; it may touch nothing of them any more; not yet."""

_int64, _float32 = np.dtype(np.int64), np.dtype(np.float32)


@kept(nogil=True)
def serve(at, out, flags):
    """Fill a block for the device, `out` float32 (frames, 2); COMPLETE once the end has been given.

    `at`: what `addresses` gives. The device's block need not be a whole number of quanta: what is left of one
    waits for the next call.
    """
    store_release(at, IN_CALL, 1)
    fence()
    hand = load_acquire(at, HAND)
    if hand != PLAYS:
        _silence(out, 0)
        at[GIVEN] += 0 if hand == REVOKED else out.shape[0]
        store_release(at, IN_CALL, 0)
        return COMPLETE if hand == REVOKED else CONTINUE
    rack, deck = racks.rack_at(at, 0), deck_at(at, racks.RACK_ADDRESSES)
    status = rack.status
    _keep_time(at, status, out.shape[0], deck.scratch)
    begun = monotonic_ns(deck.scratch)
    if flags & UNDERFLOW:
        status[racks.XRUNS] += 1
    result = CONTINUE
    i = 0
    while i < out.shape[0]:
        end = load_acquire(status, racks.END)
        paused = load_acquire(status, racks.PAUSED) != 0
        over = status[racks.DELIVERED] >= end or load_acquire(status, racks.CLOSING) != 0
        if over or load_acquire(at, HAND) != PLAYS:
            result = COMPLETE
            break
        if paused and deck.transport[0] <= 0.0:
            break
        if status[racks.CARRIED] == 0:
            if not _await_decision(at, status, deck.scratch):
                result = COMPLETE
                break
            quanta = _wanted(rack, out.shape[0] - i, end)
            if paused or deck.transport[0] < 1.0:
                quanta = 1
            status[racks.MADE] = status[racks.CARRIED] = call(at[CHAIN], at.ctypes.data, 0, quanta)
            _tap(rack, deck)
        first = status[racks.MADE] - status[racks.CARRIED]
        count = min(status[racks.CARRIED], out.shape[0] - i, end - status[racks.DELIVERED])
        _copy(rack.span, first, count, out, i, deck, paused)
        status[racks.CARRIED] -= count
        status[racks.DELIVERED] += count
        i += count
    _silence(out, i)
    at[GIVEN] += out.shape[0] if result == CONTINUE else i
    taken = monotonic_ns(deck.scratch) - begun
    status[racks.LONGEST_NS] = max(status[racks.LONGEST_NS], taken)
    status[racks.BLOCKS] += 1
    deck.times[step_of(taken)] += 1
    store_release(at, IN_CALL, 0)
    return result


@inner
def _keep_time(at, status, frames, scratch):
    """Have a device without a clock wait until it may be given so many frames, or is to stop.

    One that waits for decisions is not watched.
    """
    if at[RATE] == 0 or load_acquire(status, racks.PATIENT) != 0:
        return
    now = monotonic_ns(scratch)
    due = waits_until(at, now, frames)
    while now < due and load_acquire(status, racks.CLOSING) == 0 and load_acquire(at, HAND) == PLAYS:
        sleep_ns(scratch, min(due - now, LONGEST_SLEEP_NS))
        now = monotonic_ns(scratch)


@inner
def waits_until(at, now, frames):
    """When, in ns, a device that asks for so many frames at `now` may be given them; at once if not later.

    A device fills its buffers before it begins, or begins anew after a gap; what it takes beyond `ALLOWED_NS`
    ahead of our clock goes into no buffer. From then on frames are given once those before them could have
    been heard. Time in which it takes nothing is not made up for, so neither a suspend nor a row of gaps
    gives it credit. One that comes in time by itself for a second has a clock again, as an audio server that
    ran freely for a while.
    """
    length = frames * SECOND_NS // at[RATE]
    least = max(at[LEAST_DUE_NS], now)
    at[LEAST_DUE_NS] = least + length - length // FASTER
    if load_acquire(at, CLOCKLESS) == 0:
        # Of a clock that is a little fast it grows for as long as that plays.
        due = min(max(at[DUE_NS], now), now + 4 * at[ALLOWED_NS])
        at[DUE_NS] = due + length
        if least - now <= at[ALLOWED_NS]:
            return now
        at[PUNCTUAL_NS] = 0
        store_release(at, CLOCKLESS, 1)
        return due
    due = max(at[DUE_NS], now - CATCH_UP_NS)
    at[DUE_NS] = due + length
    at[PUNCTUAL_NS] = at[PUNCTUAL_NS] + length if due - now <= length // PUNCTUAL else 0
    if at[PUNCTUAL_NS] > SECOND_NS:
        store_release(at, CLOCKLESS, 0)
    return due


@inner
def _await_decision(at, status, scratch):
    """Whether the next quantum may be mixed; a patient device waits until it is decided."""
    while load_acquire(status, racks.PATIENT) != 0 and _decided(status) <= 0:
        if load_acquire(status, racks.CLOSING) != 0 or load_acquire(at, HAND) != PLAYS:
            return False
        sleep_ns(scratch, PATIENCE_NS)
    return True


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
def _copy(block, first, count, out, at, deck, paused):
    gain, volume, target = deck.transport[0], deck.volume[0], deck.volume[1]
    if gain == 1.0 and not paused and volume == target == 1.0:
        for k in range(count):
            out[at + k, 0] = block[0, first + k]
            out[at + k, 1] = block[1, first + k]
        return
    step = -deck.transport[1] if paused else TRANSPORT_STEP
    for k in range(count):
        gain = min(max(gain + step, 0.0), 1.0)
        volume += min(max(target - volume, -deck.volume[2]), deck.volume[2])
        out[at + k, 0] = np.float32(block[0, first + k] * (gain * volume))
        out[at + k, 1] = np.float32(block[1, first + k] * (gain * volume))
    deck.transport[0], deck.volume[0] = gain, volume


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


@kept(nogil=True)
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
        due = begun + given * SECOND_NS // rate
        now = monotonic_ns(deck.scratch)
        if now < due:
            sleep_ns(deck.scratch, due - now)
        elif now - due > SECOND_NS:
            begun, given = now, 0
            status[racks.XRUNS] += 1
        if serve(at, out, np.int64(0)) == COMPLETE:
            return
        given += out.shape[0]


@kept_callback(
    types.int32(types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr)
)
def callback(_input, output, frames, _times, flags, userdata):
    """PortAudio's callback: `PaStreamCallback`. `userdata`: the addresses that `addresses` gives."""
    at, out = carray(userdata, ADDRESSES, _int64), carray(output, (frames, 2), _float32)
    return serve(at, out, np.int64(flags))


def addresses(rack: racks.Rack, deck: Deck, *, rate: int = 0, hand: int = PLAYS) -> NDArray[np.int64]:
    """All that compiled code is given: where each array and the chain lie, and the device's own words.

    `rate`: of a device whose clock is watched.
    """
    at = np.zeros(ADDRESSES, np.int64)
    lie = racks.rack_addresses(rack)
    at[: CHAIN + 1] = [*lie, *(array.ctypes.data for array in deck), chain.address]
    at[HAND], at[RATE] = hand, rate
    return at


def new_deck() -> Deck:
    """A deck whose transport plays at full volume."""
    deck = Deck(**zeros(DECK))
    deck.transport[:] = 1, TRANSPORT_STEP
    deck.volume[:] = 1, 1, TRANSPORT_STEP
    return deck
