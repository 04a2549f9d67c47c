"""The mixer kernel: voices to buses to a stereo quantum, without the GIL.

All control-rate work happens once a quantum of 64 frames on the absolute grid, so the sound does not
depend on how many frames are asked for at a time. Stems are planar float32; the voice is the outer loop,
so that each stem is read in one sweep and the accumulator stays in cache. Arithmetic is strict float32 in
one fixed order: `tests/engine/twin.py` holds the same sums in NumPy, and the two are equal bit for bit.
"""

from __future__ import annotations

import numpy as np
from numba import carray

from ...script.effects import duck, glide
from ...script.effects.filter import COLUMNS, MOST
from ..clock import QUANTUM
from .effects import (
    FX_BUSES,
    GAIN_LEVEL,
    LEVELS,
    MOVE,
    ONSET,
    SLOTS,
    ducked,
    filters_quantum,
    follow_glides,
    press,
    send_quantum,
)
from .machine import float_pointer, inner, prefetch
from .rack import DONE, PLAYING, SPAN
from .ramps import approach

AUDIBLE = np.float32(0.001)
"""-60 dB: at or below it a frame is not in play."""

_BYTES = 4
"""Of a sample."""
_LINE = 64
"""Bytes of a cache line."""
_STEP = np.float32(1.0 / QUANTUM)
_ONE = np.float32(1.0)
_S0, _S1, _S2, _S3, _S4 = (np.float32(c) for c in (1.5707963, -0.6459641, 0.0796926, -0.0046818, 0.000157))


@inner
def power_curve(x):
    """sin(pi x / 2) for x in 0..1 by its series to the ninth power; no library call a frame."""
    square = x * x
    return min(x * (_S0 + square * (_S1 + square * (_S2 + square * (_S3 + square * _S4)))), _ONE)


@inner
def _envelope(voice, frame, first, last, envelope):
    """Fill `envelope[first:last]` with the voice's fades, from absolute positions.

    A fade lasts an hour at most, so its frames fit 32 bits, which are turned into floats many at a time.
    """
    for i in range(first, last):
        envelope[i] = _ONE
    entered = frame - voice.start + voice.faded + 1
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


@inner
def _fading(voice, frame, first, last):
    entered = frame + first - voice.start + voice.faded + 1
    return entered < voice.fade_in or voice.end - frame - last + 1 < voice.fade_out


@inner
def _empty(block, frames):
    """Silence the first frames of float32 (2, frames or more)."""
    for c in range(2):
        for i in range(frames):
            block[c, i] = np.float32(0)


@inner
def _ramp(voice, bus, ramps):
    """Move a voice's gains by a quantum; `ramps` has them and its bus's as they were, and their steps."""
    ramps.gain, ramps.left, ramps.right, ramps.bus = voice.gain, voice.left, voice.right, bus.gain
    voice.gain = approach(voice.gain, voice.gain_target)
    voice.left = approach(voice.left, voice.left_target)
    voice.right = approach(voice.right, voice.right_target)
    ramps.gain_step = (voice.gain - ramps.gain) * _STEP
    ramps.left_step = (voice.left - ramps.left) * _STEP
    ramps.right_step = (voice.right - ramps.right) * _STEP
    ramps.duck, ramps.duck_step = _ONE, np.float32(0)
    ramps.bus_step = (approach(bus.gain, bus.target, bus.step) - bus.gain) * _STEP


@inner
def _play(voice, first, last, into, plane, steady, ramps, shape_at):
    """Add the voice's frames `first` to `last` of a run to a sum; count those in play.

    `into`: address of the sum's left channel at the run's begin; `plane`: bytes from there to its right one.
    A steady run has neither steps, fades nor ducking, and may be as long as a span; another is one quantum,
    and `shape_at` is the address of its fades.
    """
    gain, left, right, duck, bus_gain = ramps.gain, ramps.left, ramps.right, ramps.duck, ramps.bus
    gain_step, left_step, right_step = ramps.gain_step, ramps.left_step, ramps.right_step
    duck_step, bus_step = ramps.duck_step, ramps.bus_step
    total = voice.frames
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
        to_right = carray(float_pointer(into + plane + _BYTES * i), count)
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


@inner
def _fetch(voice, frames):
    """Have the samples of a voice on their way to the cache while another is mixed."""
    if voice.phase != PLAYING:
        return
    at = voice.address + _BYTES * voice.position
    plane = _BYTES * voice.frames if voice.channels > 1 else 0
    for line in range(0, _BYTES * frames, _LINE):
        prefetch(at + line)
        prefetch(at + plane + line)


@inner
def _mix_voice(frame, frames, voice, bus, envelope, ramps, sums_at):
    """Add a voice without effects to its bus, whose sum of a span lies at `sums_at`."""
    at = 0
    while at < frames and voice.end > frame + at:
        here = frame + at
        first = max(voice.start - here, 0)
        last = min(voice.end - here, frames - at)
        into = sums_at + _BYTES * at
        if (
            voice.gain == voice.gain_target
            and voice.left == voice.left_target
            and voice.right == voice.right_target
            and bus.gain == bus.target
            and not _fading(voice, here, first, last)
        ):
            ramps.gain, ramps.left, ramps.right, ramps.bus = voice.gain, voice.left, voice.right, bus.gain
            _play(voice, first, last, into, _BYTES * SPAN, True, ramps, sums_at)
            return
        _ramp(voice, bus, ramps)
        last = min(last, QUANTUM)
        _envelope(voice, here, first, last, envelope)
        _play(voice, first, last, into, _BYTES * SPAN, False, ramps, envelope.ctypes.data)
        at += QUANTUM


@inner
def _mix_aside(frame, voice, bus, envelope, ramps, effects, total):
    """Mix a quantum of a voice that has effects aside; then add it to `total`, or to what its bus is sent."""
    filters_of, sends_of, ducks_of, moves_of, moving_of, via_of = effects[:6]
    keys, _, _, fx_levels, dry, sent = effects[6:]
    _empty(dry, QUANTUM)
    row, via = voice.effects, via_of[voice.effects]
    if moving_of[row, glide.COUNT] > 0:
        follow_glides(frame, voice, moves_of[row], moving_of[row], filters_of[row], sends_of[row])
    _ramp(voice, bus, ramps)
    sent_step = ramps.bus_step
    if via >= 0:
        # What a group makes so soft that nobody hears it is not in play.
        ramps.bus *= fx_levels[via, GAIN_LEVEL, 0]
        ramps.bus_step *= fx_levels[via, GAIN_LEVEL, 0]
    if ducks_of[row, 0] >= 0:
        ramps.duck = ducks_of[row, duck.GAIN]
        ramps.duck_step = (ducked(ducks_of[row], keys) - ramps.duck) * _STEP
    first = max(voice.start - frame, 0)
    last = min(voice.end - frame, QUANTUM)
    _envelope(voice, frame, first, last, envelope)
    _play(voice, first, last, dry.ctypes.data, _BYTES * QUANTUM, False, ramps, envelope.ctypes.data)
    filters_quantum(frame, filters_of[row], dry)
    send_quantum(sends_of[row], dry, bus.gain, sent_step, sent)
    if via < 0:
        for c in range(2):
            for k in range(QUANTUM):
                total[c, k] += dry[c, k]


@inner
def longest_span(frame, quanta, voices, buses):
    """How many quanta from `frame` on may be mixed as one span: more than one only if nothing moves a bus or
    needs what the quantum before it sounded like."""
    for b in range(buses.shape[0]):
        if buses[b].gain != buses[b].target:
            return 1
    for v in range(voices.shape[0]):
        if voices[v].phase == PLAYING and voices[v].effects >= 0:
            return 1
    return quanta


@inner
def mix_span(frame, quanta, voices, buses, scratch, effects, out):
    """Mix the quanta from `frame` on, as many as `longest_span` allows, into `out`, float32 (2, SPAN).

    No voice may begin after the first of them. `scratch`: an accumulator (buses, 2, SPAN), an envelope (64,)
    and ramps (1,). `effects`: filters, sends, ducking, glides and groups of voices, the keys with their
    onsets, and of the effect buses the levels, scratch (2, 64) and what is sent, as in the rack. Voices that
    end are marked DONE with the frames heard. Gives how many those are, and the buses in use, a bit each: the
    accumulator then has their sums, behind their gains. A voice is heard in frames where script gain x fades
    x ducking x bus gain > 0.001.
    """
    accumulator, envelope, ramps = scratch
    frames = quanta * QUANTUM
    keys, onsets, onset_counts = effects[6:9]
    press(frame, onsets, onset_counts, buses, keys)
    sums_at = accumulator.ctypes.data
    used = 0
    done = 0
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase != PLAYING or voice.start >= frame + QUANTUM:
            continue
        bus = buses[voice.bus]
        if v + 1 < voices.shape[0]:
            _fetch(voices[v + 1], frames)
        if used & (1 << voice.bus) == 0:
            used |= 1 << voice.bus
            _empty(accumulator[voice.bus], frames)
        if voice.effects >= 0:
            _mix_aside(frame, voice, bus, envelope, ramps[0], effects, accumulator[voice.bus])
        else:
            at = sums_at + _BYTES * 2 * SPAN * voice.bus
            _mix_voice(frame, frames, voice, bus, envelope, ramps[0], at)
        if voice.end <= frame + frames:
            voice.phase = DONE
            done += 1
    _empty(out, frames)
    for b in range(buses.shape[0]):
        gain = buses[b].gain
        buses[b].gain = approach(gain, buses[b].target, buses[b].step)
        if used & (1 << b):
            step = (buses[b].gain - gain) * _STEP
            for c in range(2):
                for i in range(frames):
                    accumulator[b, c, i] *= gain + step * np.float32(np.int32(i))
                    out[c, i] += accumulator[b, c, i]
    return done, used


def no_effects():
    """What `mix_span` takes for `effects` where no voice has any."""
    zeros = np.zeros
    return (
        zeros((1, MOST, COLUMNS)),
        zeros((1, 2, FX_BUSES), np.float32),
        zeros((1, duck.COLUMNS), np.float32),
        zeros((1, 1), MOVE),
        zeros((1, glide.ACTIVE + SLOTS), np.int64),
        zeros(1, np.int64),
        zeros(1, np.float32),
        zeros((1, 1), ONSET),
        zeros(1, np.int64),
        zeros((FX_BUSES, LEVELS, 2), np.float32),
        zeros((2, QUANTUM), np.float32),
        zeros((FX_BUSES, 2, QUANTUM), np.float32),
    )
