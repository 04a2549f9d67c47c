"""The mixer kernel against planar NumPy on the same mix: steady gains, and gains that all ramp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemloom.engine.kernel import mix_span, no_effects
from stemloom.engine.machine import outer
from stemloom.engine.rack import BUS, PLAYING, SPAN, SPAN_QUANTA, VOICE

from .harness import Figure, side_by_side

VOICES, LOOP_FRAMES, QUANTA, RATE = 64, 24_000, 1500, 48_000
"""Two seconds of 64 stereo loops of half a second."""


def figures() -> list[Figure]:
    """Measure both mixes; check first that both contenders give the same sound."""
    rng = np.random.default_rng(1)
    mix = outer(mix_span)
    sounds = [(rng.standard_normal((2, LOOP_FRAMES)) * 0.05).astype(np.float32) for _ in range(VOICES)]
    result = []
    for name, ramping in (("steady gains", False), ("every gain ramping", True)):
        gains = rng.uniform(0.2, 1, VOICES).astype(np.float32)
        kernel, planar = _kernel(mix, sounds, gains, ramping), _numpy(sounds, gains, ramping)
        np.testing.assert_allclose(kernel(), planar(), atol=2e-4)
        seconds = side_by_side({"kernel": kernel, "planar numpy": planar})
        realtime = QUANTA * 64 / RATE / seconds["kernel"]
        result.append(
            Figure(
                name=f"mixer kernel, {VOICES} stereo voices, {name}",
                seconds=seconds,
                ratio=seconds["planar numpy"] / seconds["kernel"],
                against="planar NumPy",
                note=f"{realtime:.0f} times real time on one core",
            )
        )
    return result


def _kernel(mix: Any, sounds: list[NDArray[np.float32]], gains: NDArray[np.float32], ramping: bool):  # type: ignore[no-untyped-def]
    def run() -> NDArray[np.float32]:
        table = np.zeros(len(sounds), VOICE)
        for voice, sound, gain in zip(table, sounds, gains, strict=True):
            voice["phase"], voice["address"] = PLAYING, sound.ctypes.data
            voice["effects"] = voice["part"] = -1
            voice["channels"], voice["frames"] = sound.shape
            voice["end"] = 1 << 40
            voice["level"] = voice["left"] = voice["left_target"] = voice["right"] = voice["right_target"] = 1
            voice["gain"] = voice["gain_target"] = gain
            if ramping:
                # A fade over the whole mix: the gain moves in every frame.
                voice["fade_in"] = QUANTA * 64
        buses = np.ones(8, BUS)
        accumulator, envelope = np.zeros((8, 2, SPAN), np.float32), np.zeros(64, np.float32)
        effects = no_effects()  # type: ignore[no-untyped-call]
        out, block = np.empty((2, QUANTA * 64), np.float32), np.empty((2, SPAN), np.float32)
        for first in range(0, QUANTA * 64, SPAN):
            mix(first, SPAN_QUANTA, table, buses, accumulator, envelope, effects, block)
            out[:, first : first + SPAN] = block
        return out

    return run


def _numpy(sounds: list[NDArray[np.float32]], gains: NDArray[np.float32], ramping: bool):  # type: ignore[no-untyped-def]
    block = 256

    def run() -> NDArray[np.float32]:
        out = np.zeros((2, QUANTA * 64), np.float32)
        positions = [0] * len(sounds)
        for first in range(0, QUANTA * 64, block):
            count = min(block, QUANTA * 64 - first)
            ramp = (np.arange(first + 1, first + count + 1, dtype=np.float32) / np.float32(QUANTA * 64))[None]
            for v, sound in enumerate(sounds):
                done = 0
                while done < count:
                    step = min(count - done, LOOP_FRAMES - positions[v])
                    gain = gains[v] * ramp[:, done : done + step] if ramping else gains[v]
                    at = first + done
                    out[:, at : at + step] += gain * sound[:, positions[v] : positions[v] + step]
                    positions[v] = (positions[v] + step) % LOOP_FRAMES
                    done += step
        return out

    return run
