"""What of a voice can be heard, compiled: decided every 100 ms of the session, from energies that are known.

This is the rule that sessions and takes name `audible-1`; other numbers here would be another rule.

    energy of the stem's 100 ms, in the band that is heard     known since intake: `vault/sound/energies.py`
    x gains of the voice in the step, at their greatest        script, level, fades, ducking, fader, bus
    no more than what its own filters leave                    measured
    against the mix: the same of all voices, summed as powers  the greatest of the last four steps

Frames above -60 dB are pending until a step is audible; then the last two seconds of them at most are in
play, and the frames of the next two seconds are as they come. Nothing depends on how the mix is cut into
spans: a step ends at a frame divisible by its length, and what a voice gathers within it are maxima, and sums
of whole quanta.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from ...vault.records import ENGINE_RATE
from ...vault.sound.loudness import HOP
from ..clock import QUANTUM
from .machine import float_pointer, inner

STEP_FRAMES = HOP
HOLD_FRAMES = 2 * ENGINE_RATE
FLOOR = 10 ** (-45 / 10)
"""Relative to the mix."""
LEAST = 10 ** ((-70 + 0.691) / 10)
"""-70 LUFS, before the master."""
STEPS_BACK, ENDED = 4, 4
"""How many steps of the mix are remembered; behind them, what has ended within this step has brought."""
BAND, _EACH = 2, 4
"""The memory of `band_energy`; of so many samples it takes one."""
_LOW = math.tan(math.pi * 80.0 / (ENGINE_RATE / _EACH))
_B0 = 1 / (1 + math.sqrt(2) * _LOW + _LOW * _LOW)
_A1, _A2 = 2 * (_LOW * _LOW - 1) * _B0, (1 - math.sqrt(2) * _LOW + _LOW * _LOW) * _B0
"""A high-pass of 12 dB an octave at 80 Hz, at a quarter of the rate."""
_OTHER = np.float32(0.618)
"""Of the right channel, so that what differs from the left by its sign alone does not go missing."""
_THREE = np.float32(3)
_BOTH = 2 / (1 + 0.618**2)
"""What makes the two channels of it the sum of their powers."""
EVER = 1 << 62
"""The hold of a voice whose every frame above -60 dB is in play."""


@inner
def count_frames(voice, frames, gain):
    """Count frames above -60 dB, in which its gain was so great: in play while it holds, pending else."""
    held = min(frames, voice.hold)
    voice.heard += held
    voice.hold -= held
    voice.pending += frames - held
    voice.peak = max(voice.peak, gain)


@inner
def begin_step(voice):
    """Begin to gather anew from where the voice is in its sound."""
    voice.peak = np.float32(0)
    voice.passed = 0.0
    voice.measured = 0
    voice.step = min(voice.position, voice.frames - 1) // STEP_FRAMES


@inner
def _power(voice):
    """The mean square of a voice while it sounded in this step."""
    if voice.energies == 0 or voice.peak == 0:
        return 0.0
    energies = carray(float_pointer(voice.energies), voice.frames // STEP_FRAMES + 1)
    last = max(voice.position - 1, 0) // STEP_FRAMES
    gain = float(voice.peak) * float(voice.level)
    power = gain * gain * float(max(energies[voice.step], energies[last]))
    if voice.measured > 0:
        power = min(power, _BOTH * voice.passed / voice.measured)
    return power


@inner
def _brought(voice, end):
    """What it brings to the mean square of the mix in the step that reaches to `end`, or is cut there."""
    begun = (end - 1) // STEP_FRAMES * STEP_FRAMES
    return voice.power * (end - max(voice.start, begun)) / STEP_FRAMES


@inner
def _floor(mix):
    loudest = 0.0
    for step in range(STEPS_BACK):
        loudest = max(loudest, mix[step])
    return max(FLOOR * loudest, LEAST)


@inner
def end_voice(voice, mix):
    """Decide on a voice that has ended, against the steps that are whole."""
    voice.power = _power(voice)
    mix[ENDED] += _brought(voice, voice.end)
    if voice.power > _floor(mix):
        voice.heard += voice.pending
    voice.pending = 0


@inner
def end_step(voices, playing, frame, mix):
    """Decide on what sounds, of the phase `playing`, at the end of a step."""
    total = mix[ENDED]
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase == playing and voice.start < frame:
            voice.power = _power(voice)
            total += _brought(voice, frame)
    mix[frame // STEP_FRAMES % STEPS_BACK] = total
    mix[ENDED] = 0.0
    floor = _floor(mix)
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase == playing and voice.start < frame:
            if voice.power > floor:
                # In this order, so that whoever reads it meanwhile finds too little rather than too much.
                pending = voice.pending
                voice.pending = 0
                voice.heard += pending
                voice.hold = max(voice.hold, HOLD_FRAMES)
            voice.pending = min(voice.pending, HOLD_FRAMES)
            begin_step(voice)


@inner
def measure_passed(voice, block, memory):
    """Take what a voice's filters leave of a quantum, float32 (2, 64), about the band that is heard.

    Both channels in one, every fourth sample behind a kernel of four. `memory`: float64 (BAND,).
    """
    a1, a2 = memory[0], memory[1]
    total = 0.0
    for i in range(0, QUANTUM, _EACH):
        left = block[0, i] + block[0, i + 3] + _THREE * (block[0, i + 1] + block[0, i + 2])
        right = block[1, i] + block[1, i + 3] + _THREE * (block[1, i + 1] + block[1, i + 2])
        x = 0.125 * float(left + _OTHER * right)
        y = _B0 * x + a1
        a1 = a2 - 2 * _B0 * x - _A1 * y
        a2 = _B0 * x - _A2 * y
        total += y * y
    memory[0], memory[1] = a1, a2
    voice.passed += total
    voice.measured += QUANTUM // _EACH
