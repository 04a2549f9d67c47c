"""SuperCollider's synthesis server as a peer: the same loops, mixed by `scsynth -N` (no real time).

Only what the mix needs is written here: a synth definition of one looping player (SynthDef file format 2),
and a score of OSC bundles (OSC 1.0) in binary form.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

RATE = 48_000
SCALAR, AUDIO = 0, 2


def installed() -> bool:
    return shutil.which("scsynth") is not None


def prepare(
    folder: Path, sounds: list[NDArray[np.float32]], gains: NDArray[np.float32], seconds: float
) -> None:
    """Write the sounds, float32 (2, frames), and a score that loops all of them for so long."""
    messages = [_message("/d_recv", _definition())]
    for number, sound in enumerate(sounds):
        path = folder / f"{number}.wav"
        sf.write(path, sound.T, RATE, subtype="FLOAT")
        messages.append(_message("/b_allocRead", number, str(path)))
    for number, gain in enumerate(gains):
        messages.append(
            _message("/s_new", "loop", 1000 + number, 0, 0, "buffer", float(number), "gain", float(gain))
        )
    bundles = [_bundle(0.0, [message]) for message in messages]
    bundles.append(_bundle(seconds, [_message("/c_set", 0, 0)]))
    (folder / "score.osc").write_bytes(b"".join(struct.pack(">i", len(each)) + each for each in bundles))


def render(folder: Path) -> NDArray[np.float32]:
    """Render what was prepared, in a process of its own; float32 (2, frames)."""
    out = folder / "out.wav"
    command = ["scsynth", "-N", "score.osc", "_", str(out), str(RATE), "WAV", "float"]
    command += ["-o", "2", "-i", "0", "-b", "1024", "-D", "0", "-m", "65536"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return np.asarray(sf.read(out, dtype="float32", always_2d=True)[0].T, np.float32)


def _definition() -> bytes:
    """`Out.ar(0, PlayBuf.ar(2, buffer, 1, 1, 0, 1) * gain)`."""
    constants = [0.0, 1.0]
    zero, one, buffer, gain = (-1, 0), (-1, 1), (0, 0), (0, 1)
    units = [
        ("Control", 1, 0, [], [1, 1]),
        ("PlayBuf", AUDIO, 0, [buffer, one, one, zero, one, zero], [AUDIO, AUDIO]),
        ("BinaryOpUGen", AUDIO, 2, [(1, 0), gain], [AUDIO]),
        ("BinaryOpUGen", AUDIO, 2, [(1, 1), gain], [AUDIO]),
        ("Out", AUDIO, 0, [zero, (2, 0), (3, 0)], []),
    ]
    data = b"SCgf" + struct.pack(">ih", 2, 1) + _name("loop")
    data += struct.pack(f">i{len(constants)}f", len(constants), *constants)
    data += struct.pack(">i2f", 2, 0.0, 0.0) + struct.pack(">i", 2)
    data += _name("buffer") + struct.pack(">i", 0) + _name("gain") + struct.pack(">i", 1)
    data += struct.pack(">i", len(units))
    for name, rate, special, inputs, outputs in units:
        data += _name(name) + struct.pack(">biih", rate, len(inputs), len(outputs), special)
        data += b"".join(struct.pack(">ii", *each) for each in inputs)
        data += bytes(outputs)
    return data + struct.pack(">h", 0)


def _name(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _message(address: str, *arguments: str | int | float | bytes) -> bytes:
    tags, data = ",", b""
    for each in arguments:
        match each:
            case str():
                tags, data = tags + "s", data + _padded(each.encode() + b"\0")
            case bytes():
                tags, data = tags + "b", data + struct.pack(">i", len(each)) + _padded(each)
            case int():
                tags, data = tags + "i", data + struct.pack(">i", each)
            case float():
                tags, data = tags + "f", data + struct.pack(">f", each)
    return _padded(address.encode() + b"\0") + _padded(tags.encode() + b"\0") + data


def _bundle(seconds: float, messages: list[bytes]) -> bytes:
    data = b"#bundle\0" + struct.pack(">Q", int(seconds * 2**32))
    return data + b"".join(struct.pack(">i", len(each)) + each for each in messages)
