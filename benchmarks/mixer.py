"""The mixer kernel against planar NumPy, and scsynth where it is installed, on the same mix in one run.

From the cache with steady gains and with gains that all ramp; from memory beside the read bandwidth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemloom.engine.mix.kernel import mix_span, no_effects
from stemloom.engine.mix.machine import outer
from stemloom.engine.mix.rack import BUS, PLAYING, RAMPS, SPAN, SPAN_QUANTA, VOICE

from . import scsynth
from .harness import Figure, side_by_side

VOICES, BUSES, RATE = 256, 8, 48_000
FRAMES = 1500 * 64
"""Two seconds."""
IN_CACHE, IN_MEMORY = 2048, FRAMES
"""Frames of each stem: 4 MB of stems in all, or 200."""
WHOLE_SECONDS = 20
"""Of the mix that scsynth's whole process is measured with."""

Run = Callable[[], NDArray[np.float32]]


def figures() -> list[Figure]:
    """Measure every mix; check first that all contenders give the same sound."""
    mix = outer(mix_span)
    rng = np.random.default_rng(1)
    gains = rng.uniform(0.2, 1, VOICES).astype(np.float32)
    small, large = _stems(rng, IN_CACHE), _stems(rng, IN_MEMORY)
    result = []
    for name, ramping in (("steady gains", False), ("every gain ramping", True)):
        kernel, planar = _kernel(mix, small, gains, ramping), _numpy(small, gains, ramping)
        np.testing.assert_allclose(kernel(), planar(), atol=1e-3)
        seconds = side_by_side({"kernel": kernel, "planar numpy": planar})
        result.append(_figure(f"{name}, from cache", seconds, "planar numpy", "planar NumPy"))
    seconds = side_by_side(
        {
            "kernel": _kernel(mix, large, gains, False),
            "planar numpy": _numpy(large, gains, False),
            "read": lambda: [stem.max() for stem in large],
        }
    )
    share = seconds["read"] / seconds["kernel"]
    bandwidth = sum(stem.nbytes for stem in large) / seconds["read"] / 1e9
    note = f"; {share:.2f} of the read bandwidth, {bandwidth:.0f} GB/s"
    result.append(_figure("steady gains, from memory", seconds, "planar numpy", "planar NumPy", note))
    if scsynth.installed():
        result.append(_beside_scsynth(mix, small, gains))
    return result


def _beside_scsynth(mix: Any, stems: list[NDArray[np.float32]], gains: NDArray[np.float32]) -> Figure:
    """scsynth's time is its whole process's, less that of one that renders next to nothing."""
    with tempfile.TemporaryDirectory() as long, tempfile.TemporaryDirectory() as short:
        scsynth.prepare(Path(long), stems, gains, WHOLE_SECONDS)
        scsynth.prepare(Path(short), stems, gains, 0.1)
        kernel = _kernel(mix, stems, gains, False, WHOLE_SECONDS * RATE)
        peer, ours = scsynth.render(Path(long)), kernel()
        np.testing.assert_allclose(peer[:, : ours.shape[1]], ours, atol=1e-3)
        seconds = side_by_side(
            {
                "kernel": kernel,
                "scsynth": lambda: scsynth.render(Path(long)),
                "scsynth's start": lambda: scsynth.render(Path(short)),
            },
            rounds=3,
        )
    seconds["scsynth"] -= seconds["scsynth's start"]
    return _figure("steady gains, from cache", seconds, "scsynth", "scsynth -N", length=WHOLE_SECONDS)


def _figure(
    name: str,
    seconds: dict[str, float],
    peer: str,
    against: str,
    note: str = "",
    length: float = FRAMES / RATE,
) -> Figure:
    return Figure(
        name=f"mixer kernel, {VOICES} stereo voices, {name}",
        seconds=seconds,
        ratio=seconds[peer] / seconds["kernel"],
        against=against,
        note=f"{length / seconds['kernel']:.0f} times real time on one core{note}",
    )


def _stems(rng: np.random.Generator, frames: int) -> list[NDArray[np.float32]]:
    return [(rng.standard_normal((2, frames)) * 0.02).astype(np.float32) for _ in range(VOICES)]


def _kernel(
    mix: Any,
    stems: list[NDArray[np.float32]],
    gains: NDArray[np.float32],
    ramping: bool,
    frames: int = FRAMES,
) -> Run:
    def run() -> NDArray[np.float32]:
        table = np.zeros(len(stems), VOICE)
        for number, (voice, stem, gain) in enumerate(zip(table, stems, gains, strict=True)):
            voice["phase"], voice["address"], voice["bus"] = PLAYING, stem.ctypes.data, number % BUSES
            voice["effects"] = voice["part"] = -1
            voice["channels"], voice["frames"] = stem.shape
            voice["end"] = 1 << 40
            voice["level"] = voice["left"] = voice["left_target"] = voice["right"] = voice["right_target"] = 1
            voice["gain"] = voice["gain_target"] = gain
            if ramping:
                # A fade over the whole mix: the gain moves in every frame.
                voice["fade_in"] = frames
        buses = np.ones(BUSES, BUS)
        sums, envelope = np.zeros((BUSES, 2, SPAN), np.float32), np.zeros(64, np.float32)
        ramps = np.zeros(1, RAMPS)
        effects = no_effects()  # type: ignore[no-untyped-call]
        out, block = np.empty((2, frames), np.float32), np.empty((2, SPAN), np.float32)
        for first in range(0, frames, SPAN):
            mix(first, SPAN_QUANTA, table, buses, (sums, envelope, ramps), effects, block)
            out[:, first : first + SPAN] = block
        return out

    return run


def _numpy(stems: list[NDArray[np.float32]], gains: NDArray[np.float32], ramping: bool) -> Run:
    def run() -> NDArray[np.float32]:
        out = np.zeros((2, FRAMES), np.float32)
        positions = [0] * len(stems)
        for first in range(0, FRAMES, SPAN):
            ramp = (np.arange(first + 1, first + SPAN + 1, dtype=np.float32) / np.float32(FRAMES))[None]
            for v, stem in enumerate(stems):
                done = 0
                while done < SPAN:
                    step = min(SPAN - done, stem.shape[1] - positions[v])
                    gain = gains[v] * ramp[:, done : done + step] if ramping else gains[v]
                    at = first + done
                    out[:, at : at + step] += gain * stem[:, positions[v] : positions[v] + step]
                    positions[v] = (positions[v] + step) % stem.shape[1]
                    done += step
        return out

    return run
