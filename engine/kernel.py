"""The mixer kernel: voices to buses to a stereo quantum, without the GIL.

All control-rate work happens once a quantum of 64 frames on the absolute grid, so the sound does not
depend on how many frames are asked for at a time. Stems are planar float32; the voice is the outer loop,
so that each stem is read in one sweep and the accumulator stays in cache. Arithmetic is strict float32 in
one fixed order: `tests/engine/twin.py` holds the same sums in NumPy, and the two are equal bit for bit.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit

from .clock import QUANTUM
from .effects_kernel import FILTER_COLUMNS, KIND, MOST_FILTERS, NONE, filter_quantum
from .machine import float_pointer
from .rack import DONE, PLAYING

AUDIBLE = np.float32(0.001)
"""-60 dB: at or below it a frame is not in play."""
MOST_STEP = np.float32(0.001 * QUANTUM)
"""The most a gain changes in a quantum."""

KEYED = np.float32(0.01)
"""-40 dBFS: above it a part makes others duck."""
RELEASE_STEP = np.float32(0.01)
"""The most that a ducked gain rises in a quantum: from silence in 133 ms."""

_BYTES = 4
"""Of a sample."""
_STEP = np.float32(1.0 / QUANTUM)
_ONE = np.float32(1.0)
_S0, _S1, _S2, _S3, _S4 = (np.float32(c) for c in (1.5707963, -0.6459641, 0.0796926, -0.0046818, 0.000157))


@njit(nogil=True, cache=True)
def power_curve(x):
    """sin(pi x / 2) for x in 0..1 by its series to the ninth power; no library call a frame."""
    square = x * x
    return min(x * (_S0 + square * (_S1 + square * (_S2 + square * (_S3 + square * _S4)))), _ONE)


@njit(nogil=True, cache=True)
def _approach(value, target, step=MOST_STEP):
    """One quantum's step of a gain towards its target."""
    if target > value + step:
        return value + step
    if target < value - step:
        return value - step
    return target


@njit(nogil=True, cache=True)
def _envelope(voice, frame, first, last, envelope):
    """Fill `envelope[first:last]` with the voice's fades, from absolute positions.

    A fade lasts an hour at most, so its frames fit 32 bits, which are turned into floats many at a time.
    """
    for i in range(first, last):
        envelope[i] = _ONE
    entered = frame - voice.start + 1
    length = np.float32(voice.fade_in)
    until = min(last, voice.fade_in - entered)
    if voice.fade_in_power != 0:
        for i in range(first, until):
            envelope[i] = power_curve(np.float32(np.int32(entered + i)) / length)
    else:
        for i in range(first, until):
            envelope[i] = np.float32(np.int32(entered + i)) / length
    left = voice.end - frame
    length = np.float32(voice.fade_out)
    since = max(first, left - voice.fade_out + 1)
    if voice.fade_out_power != 0:
        for i in range(since, last):
            envelope[i] *= power_curve(np.float32(np.int32(left - i)) / length)
    else:
        for i in range(since, last):
            envelope[i] *= np.float32(np.int32(left - i)) / length


@njit(nogil=True, cache=True)
def _fading(voice, frame, first, last):
    return frame + first - voice.start + 1 < voice.fade_in or voice.end - frame - last + 1 < voice.fade_out


@njit(nogil=True, cache=True)
def _duck(duck, keys):
    """The next gain of a ducking: down as fast as a gain may move while the key sounds, up more slowly."""
    wanted = duck[1] if keys[0, int(duck[0])] > KEYED else _ONE
    if wanted < duck[2]:
        return max(wanted, duck[2] - MOST_STEP)
    return min(wanted, duck[2] + RELEASE_STEP)


@njit(nogil=True, cache=True)
def _peak(block):
    greatest = np.float32(0)
    for c in range(block.shape[0]):
        for i in range(block.shape[1]):
            greatest = max(greatest, abs(block[c, i]))
    return greatest


@njit(nogil=True, cache=True)
def _through(frame, filters, block):
    """Bring a quantum through the filters that there are, in place."""
    for n in range(filters.shape[0]):
        if filters[n, KIND] != NONE:
            filter_quantum(filters[n], frame, block)


@njit(nogil=True, cache=True)
def _send(amounts, block, gain, step, sent):
    """Add a quantum to what is sent to each effect bus, by its amount and the gain of the role's bus."""
    for b in range(sent.shape[0]):
        amount = amounts[b]
        if amount > 0:
            for k in range(QUANTUM):
                amp = amount * (gain + step * np.float32(k))
                sent[b, 0, k] += amp * block[0, k]
                sent[b, 1, k] += amp * block[1, k]


@njit(nogil=True, cache=True)
def mix_quantum(frame, voices, buses, accumulator, envelope, effects, out):
    """Mix the quantum that begins at `frame` into `out`, float32 (2, 64).

    `accumulator`: scratch (buses, 2, 64); `envelope`: scratch (64,). `effects`: filters, sends and ducking of
    voices, the keys, scratch (2, 64), and what is sent to the effect buses, as in the rack. Voices that end
    are marked DONE with the frames heard; gives how many that were. A voice's heard frames are those in which
    script gain x fades x ducking x bus gain > 0.001.
    """
    filters_of, sends_of, ducks_of, keys, dry, sent = effects
    accumulator[:] = np.float32(0)
    sums_at, aside_at, shape_at = accumulator.ctypes.data, dry.ctypes.data, envelope.ctypes.data
    for k in range(keys.shape[1]):
        keys[0, k] = keys[1, k]
        keys[1, k] = np.float32(0)
    done = 0
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase != PLAYING or voice.start >= frame + QUANTUM:
            continue
        first = max(voice.start - frame, 0)
        last = min(voice.end - frame, QUANTUM)
        gain, left, right = voice.gain, voice.left, voice.right
        voice.gain = _approach(gain, voice.gain_target)
        voice.left = _approach(left, voice.left_target)
        voice.right = _approach(right, voice.right_target)
        bus = buses[voice.bus]
        bus_gain, bus_end = bus.gain, _approach(bus.gain, bus.target, bus.step)
        steady = (
            voice.gain == gain
            and voice.left == left
            and voice.right == right
            and bus_end == bus_gain
            and not _fading(voice, frame, first, last)
        )
        row = voice.effects
        aside = row >= 0 or voice.part >= 0
        duck, duck_step = _ONE, np.float32(0)
        if aside:
            dry[:] = np.float32(0)
            if row >= 0 and ducks_of[row, 0] >= 0:
                duck = ducks_of[row, 2]
                ducks_of[row, 2] = _duck(ducks_of[row], keys)
                duck_step = (ducks_of[row, 2] - duck) * _STEP
                steady = steady and duck == _ONE and duck_step == 0
        if not steady:
            _envelope(voice, frame, first, last, envelope)
        total = voice.frames
        into = aside_at if aside else sums_at + _BYTES * 2 * QUANTUM * voice.bus
        right_plane = total if voice.channels > 1 else 0
        position = voice.position
        i = first
        while i < last:
            if position >= total:
                if voice.loop_start < 0:
                    break
                position = voice.loop_start
            count = min(last - i, total - position)
            # By address: a view of an array is counted, with an atomic instruction or two, for every voice.
            to_left = carray(float_pointer(into + _BYTES * i), count)
            to_right = carray(float_pointer(into + _BYTES * (QUANTUM + i)), count)
            from_left = carray(float_pointer(voice.address + _BYTES * position), count)
            from_right = carray(float_pointer(voice.address + _BYTES * (right_plane + position)), count)
            if steady:
                amp = gain * voice.level
                amp_left, amp_right = amp * left, amp * right
                for k in range(count):
                    to_left[k] += amp_left * from_left[k]
                for k in range(count):
                    to_right[k] += amp_right * from_right[k]
                if gain * bus_gain > AUDIBLE:
                    voice.heard += count
            else:
                gain_step = (voice.gain - gain) * _STEP
                left_step = (voice.left - left) * _STEP
                right_step = (voice.right - right) * _STEP
                bus_step = (bus_end - bus_gain) * _STEP
                # One sum a loop, so that each is vectorised; 32 bits, as wider numbers are turned one by one.
                shape = carray(float_pointer(shape_at + _BYTES * i), count)
                heard = np.int32(0)
                for k in range(count):
                    at = np.float32(np.int32(i + k))
                    shape[k] *= (gain + gain_step * at) * (duck + duck_step * at)
                    heard += np.int32(shape[k] * (bus_gain + bus_step * at) > AUDIBLE)
                voice.heard += heard
                for k in range(count):
                    at = np.float32(np.int32(i + k))
                    to_left[k] += (shape[k] * voice.level * (left + left_step * at)) * from_left[k]
                for k in range(count):
                    at = np.float32(np.int32(i + k))
                    to_right[k] += (shape[k] * voice.level * (right + right_step * at)) * from_right[k]
            i += count
            position += count
        voice.position = position
        if aside:
            if voice.part >= 0:
                keys[1, voice.part] = max(keys[1, voice.part], _peak(dry) * bus_gain)
            if row >= 0:
                _through(frame, filters_of[row], dry)
                _send(sends_of[row], dry, bus_gain, (bus_end - bus_gain) * _STEP, sent)
            for c in range(2):
                for k in range(QUANTUM):
                    accumulator[voice.bus, c, k] += dry[c, k]
        if voice.end <= frame + QUANTUM:
            voice.phase = DONE
            done += 1
    out[:] = np.float32(0)
    for b in range(buses.shape[0]):
        gain = buses[b].gain
        buses[b].gain = _approach(gain, buses[b].target, buses[b].step)
        step = (buses[b].gain - gain) * _STEP
        for i in range(QUANTUM):
            amp = gain + step * np.float32(np.int32(i))
            out[0, i] += amp * accumulator[b, 0, i]
            out[1, i] += amp * accumulator[b, 1, i]
    return done


def no_effects():
    """What `mix_quantum` takes for `effects` where no voice has any."""
    zeros = np.zeros
    return (
        zeros((1, MOST_FILTERS, FILTER_COLUMNS)),
        zeros((1, 1), np.float32),
        zeros((1, 3), np.float32),
        zeros((2, 1), np.float32),
        zeros((2, QUANTUM), np.float32),
        zeros((1, 2, QUANTUM), np.float32),
    )
