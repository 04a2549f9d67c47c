"""`stemloom doctor`: whether this machine can play, device by device."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import click

from .output import Console, table


@click.command()
@click.pass_obj
def doctor(console: Console) -> None:
    """Check whether this machine can play: its devices, the mixer's speed, the vault and its ledger."""
    from ..engine.errors import DeviceFailed
    from ..engine.play.stream import portaudio

    devices: list[dict[str, Any]] = []
    advice: list[str] = []
    try:
        sounddevice = portaudio()
        default = sounddevice.default.device[1]
        devices = [
            {
                "number": number,
                "name": device["name"],
                "api": sounddevice.query_hostapis(device["hostapi"])["name"],
                "default": number == default,
                "latency_ms": round(device["default_low_output_latency"] * 1e3, 1),
                "takes_48000": _takes(sounddevice, number),
            }
            for number, device in enumerate(sounddevice.query_devices())
            if device["max_output_channels"] >= 2
        ]
        if not devices:
            advice.append("there is no audio output here: `play --device silent` plays to nobody")
    except DeviceFailed as error:
        advice.append(str(error))
    health = _try_mixer()
    if health["p999_ms"] > health["budget_ms"] / 3:
        advice.append("blocks take long on this machine: choose a longer one with `play --block 1024`")
    home: dict[str, Any] = {"folder": str(console.folder), "vault": (console.folder / "vault").is_dir()}
    if not home["vault"]:
        advice.append(f"there is no vault in {console.folder}: `stemloom demo` makes one to try")
    versions = {name: version(name) for name in ("stemloom", "numba", "numpy", "sounddevice")}
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    record = {
        "system": system,
        "versions": versions,
        "devices": devices,
        "mixer": health,
        "home": home,
        "advice": advice,
    }
    rows = [
        [
            str(d["number"]) + ("*" if d["default"] else ""),
            d["name"],
            d["api"],
            f"{d['latency_ms']:g} ms",
            "" if d["takes_48000"] else "does not take 48 000 Hz",
        ]
        for d in devices
    ]
    console.emit(
        record,
        "\n".join(
            [
                ", ".join([system, *(f"{name} {number}" for name, number in versions.items())]),
                "",
                table(["device", "name", "through", "latency", ""], rows) if rows else "no audio devices",
                "",
                f"mixer: 64 voices, a block of {health['block']} frames in {health['p50_ms']:.3f} ms, "
                f"one in a thousand over {health['p999_ms']:.3f} ms, of {health['budget_ms']:.2f} ms",
                f"home: {console.folder}, {'with' if home['vault'] else 'without'} a vault",
                *(f"-> {line}" for line in advice),
            ]
        ),
    )


def _takes(sounddevice: Any, number: int) -> bool:
    try:
        sounddevice.check_output_settings(number, 2, "float32", samplerate=48_000)
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def _try_mixer() -> dict[str, Any]:
    """Time the callback's blocks, with 64 voices."""
    from ..engine.mix.trial import block_times

    times = block_times(block=128, voices=64, blocks=2000)
    return {
        "block": 128,
        "voices": 64,
        "p50_ms": times[len(times) // 2] / 1e6,
        "p999_ms": times[-len(times) // 1000 - 1] / 1e6,
        "budget_ms": 128 / 48,
    }
