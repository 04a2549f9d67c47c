"""The mixer kernel once more, in plain NumPy: the same float32 sums in the same order, a frame at a time."""

from __future__ import annotations

import numpy as np

F = np.float32
STEP = F(1 / 64)
SERIES = tuple(F(c) for c in (1.5707963, -0.6459641, 0.0796926, -0.0046818, 0.000157))


def power_curve(x: np.float32) -> np.float32:
    s = F(x * x)
    value = SERIES[4]
    for c in SERIES[3::-1]:
        value = F(c + F(s * value))
    return min(F(x * value), F(1))


def approach(value: np.float32, target: np.float32) -> np.float32:
    most = F(0.064)
    return (
        F(value + most)
        if target > F(value + most)
        else F(value - most)
        if target < F(value - most)
        else target
    )


def envelope(voice: dict, frame: int) -> np.float32:
    value = F(1)
    entered, left = frame - voice["start"] + voice["faded"] + 1, voice["end"] - frame
    if entered < voice["fade_in"]:
        x = F(F(entered) / F(voice["fade_in"]))
        value = power_curve(x) if voice["fade_in_power"] else x
    if left < voice["fade_out"]:
        x = F(F(left) / F(voice["fade_out"]))
        value = F(value * (power_curve(x) if voice["fade_out_power"] else x))
    return value


def mix(voices: list[dict], buses: dict[int, list[np.float32]], quanta: int) -> np.ndarray:
    """Mix from frame 0. A voice is a dict of the kernel's fields and `sound` (channels, frames)."""
    out = np.zeros((2, quanta * 64), F)
    for q in range(quanta):
        frames = range(q * 64, q * 64 + 64)
        sums = {b: np.zeros((2, 64), F) for b in buses}
        ends = {b: approach(gain, target) for b, (gain, target) in buses.items()}
        for voice in voices:
            if voice["start"] >= frames[-1] + 1 or voice["end"] <= frames[0]:
                continue
            before = [voice[name] for name in ("gain", "left", "right")]
            after = [
                approach(v, voice[f"{n}_target"])
                for v, n in zip(before, ("gain", "left", "right"), strict=True)
            ]
            ramps = [F(F(b - a) * STEP) for a, b in zip(before, after, strict=True)]
            bus_gain = buses[voice["bus"]][0]
            bus_ramp = F(F(ends[voice["bus"]] - bus_gain) * STEP)
            for i, frame in enumerate(frames):
                if not voice["start"] <= frame < voice["end"]:
                    continue
                if voice["position"] >= voice["sound"].shape[1]:
                    if voice["loop_start"] < 0:
                        continue
                    voice["position"] = voice["loop_start"]
                gain, left, right = (F(b + F(r * F(i))) for b, r in zip(before, ramps, strict=True))
                factor = F(envelope(voice, frame) * gain)
                amp = F(factor * voice["level"])
                for side, pan in ((0, left), (1, right)):
                    sample = voice["sound"][min(side, voice["sound"].shape[0] - 1), voice["position"]]
                    sums[voice["bus"]][side, i] += F(F(amp * pan) * sample)
                voice["heard"] += bool(F(factor * F(bus_gain + F(bus_ramp * F(i)))) > F(0.001))
                voice["position"] += 1
            for name, value in zip(("gain", "left", "right"), after, strict=True):
                voice[name] = value
        for b in sorted(buses):
            ramp = F(F(ends[b] - buses[b][0]) * STEP)
            amps = (buses[b][0] + ramp * np.arange(64, dtype=F)).astype(F)
            out[:, q * 64 : q * 64 + 64] += amps * sums[b]
            buses[b][0] = ends[b]
    return out
