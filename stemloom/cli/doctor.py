"""`stemloom doctor`: whether this machine can play, device by device."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import click

from .output import Console, WrongPlace, picked, table


@click.command()
@click.pass_obj
def doctor(console: Console) -> None:
    """Check whether this machine can play: its devices, the mixer's speed, the vault and its ledger.

    What is compiled once on a machine is compiled, or found, so that no session waits for it.
    """
    from ..engine.errors import DeviceFailed
    from ..engine.play.portaudio import devices as outputs, portaudio, takes

    devices: list[dict[str, Any]] = []
    advice: list[str] = []
    try:
        portaudio()
        devices = [
            {
                **picked(device, "number name api default"),
                "latency_ms": round(device.low_latency * 1e3, 1),
                "takes_48000": takes(device.number, 48_000),
            }
            for device in outputs()
            if device.number is not None
        ]
        if not devices:
            advice.append("there is no audio output here: `play --device silent` plays to nobody")
    except DeviceFailed as error:
        advice.append(str(error))
    kernels = _compile(console, advice)
    health = _try_mixer()
    if health["p999_ms"] > health["budget_ms"] / 3:
        advice.append("blocks take long on this machine: choose a longer one with `play --block 1024`")
    home = _find_home(console, advice)
    versions = {name: version(name) for name in ("stemloom", "numba", "numpy", "sounddevice")}
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    record = {
        "system": system,
        "versions": versions,
        "devices": devices,
        "kernels": kernels,
        "mixer": health,
        "home": home,
        "advice": advice,
    }
    rows = [_row(device) for device in devices]
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
                f"kernels: {kernels['compiled']} compiled, {kernels['loaded']} loaded, "
                + (f"kept in {kernels['folder']}" if kernels["folder"] else "not kept"),
                f"home: {home['folder'] or 'none'}, {'with' if home['vault'] else 'without'} a vault",
                *(f"-> {line}" for line in advice),
            ]
        ),
    )


def _row(device: dict[str, Any]) -> list[str]:
    return [
        str(device["number"]) + ("*" if device["default"] else ""),
        device["name"],
        device["api"],
        f"{device['latency_ms']:g} ms",
        "" if device["takes_48000"] else "does not take 48 000 Hz",
    ]


def _find_home(console: Console, advice: list[str]) -> dict[str, Any]:
    try:
        folder = console.folder
    except WrongPlace as error:
        advice.append(str(error))
        return {"folder": None, "vault": False}
    vault = (folder / "vault").is_dir()
    if not vault:
        advice.append(f"there is no vault in {folder}: `stemloom demo` makes one to try")
    return {"folder": str(folder), "vault": vault}


def _compile(console: Console, advice: list[str]) -> dict[str, Any]:
    """Compile or load all kernels, and say where they are kept."""
    from ..engine import compiled, kernel_places

    if compiled.chain_folder() is None:
        console.note("compiling the mixer for this machine, which takes some 15 seconds")
    from ..engine.compose import scan
    from ..engine.mix import trial

    scan.compile_all()
    trial.compile_all()
    folder = compiled.chain_folder()
    if compiled.tally.lost:
        advice.append(
            f"what is compiled cannot be kept ({compiled.tally.lost}), so that each start takes some 15 s "
            f"longer: name a folder that can be written with {kernel_places.NAMED}"
        )
    return {"folder": str(folder) if folder else None, **asdict(compiled.tally)}


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
