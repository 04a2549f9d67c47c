"""Decodes a file by its content, whatever its name."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import Refused
from .header_length import promised_bytes
from .pcm_identity import pcm_sha256

LEAST_SECONDS = 0.010
MOST_SECONDS = 20 * 60
LEAST_RATE, MOST_RATE = 8_000, 384_000
MOST_CHANNELS = 2
MOST_SAMPLES = 20 * 60 * 96_000 * 2
"""The most samples over all channels: 20 minutes in stereo at 96 kHz, 0.9 GB in memory."""
MOST_BYTES = 4 << 30
"""The largest file. The longest sound that is accepted has 0.9 GB of float samples."""
SILENT_PEAK = 10 ** (-70 / 20)
"""A recording that never rises above this (-70 dBFS) is silence."""
MOST_PEAK = 10 ** (40 / 20)
"""Samples above +40 dBFS are no sound: they are integers read as floats, or damaged."""

_LEAST_SHOWN_SECONDS = 0.01
"""A missing part of a file is reported in seconds if it is at least this long, else in bytes."""

_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded recording. `samples`: float32 `(channels, frames)`, C-contiguous, at `rate` Hz."""

    samples: NDArray[np.float32]
    rate: int
    pcm_sha256: str
    peak: float
    """Greatest absolute sample; 1 is full scale."""

    @property
    def frames(self) -> int:
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])


def copy_file(source: Path, target: Path) -> str:
    """Copy a regular file and give its SHA-256; `target` is new and durable when this returns.

    The vault decodes its own copy, so that a file cannot change while it is taken in.
    Raises `Refused` for a path that is not a regular file, or cannot be read. Links are not followed: one may
    name a file that its maker could not read themselves.
    """
    try:
        # Without O_NONBLOCK a named pipe would hang the whole batch.
        handle = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and source.is_symlink():
            raise Refused("it is a link, and links are not followed: name the file itself") from error
        raise Refused(f"it cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"its name cannot be the name of a file: {error}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused("it is not a regular file")
    size = os.fstat(handle).st_size
    if size > MOST_BYTES:
        os.close(handle)
        raise Refused(f"it has {size / (1 << 30):.1f} GB, more than any sound that is taken")
    with open(handle, "rb") as reader:
        digest, left = hashlib.sha256(), MOST_BYTES
        with open(target, "xb") as writer:
            while chunk := reader.read(_COPY_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise Refused("it grows while it is read")
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
    return digest.hexdigest()


def write_file(content: bytes, target: Path) -> str:
    """Write the bytes of a synthesised sound, as `copy_file` writes those of a file."""
    with open(target, "xb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
    return hashlib.sha256(content).hexdigest()


def decode(path: Path) -> Sound:
    """Decode a file to its end and check that it is a sound the vault can take.

    Raises `Refused`: undecodable, shorter than its header promises, under 10 ms, over 20 minutes, more than
    two channels, a rate outside 8 to 384 kHz, NaN or infinite samples, silence.
    """
    import soundfile

    with open(path, "rb") as stream:
        try:
            with soundfile.SoundFile(stream.fileno(), closefd=False) as file:
                rate, channels, declared_frames = file.samplerate, file.channels, file.frames
                with open(path, "rb") as header:
                    _check_promise(promised_bytes(header), declared_frames, rate)
                _check_form(rate, channels, declared_frames)
                interleaved = np.asarray(file.read(dtype="float32", always_2d=True), np.float32)
        except soundfile.LibsndfileError as error:
            raise Refused(f"it does not decode as audio: {error.error_string.strip().rstrip('.')}") from error
    if len(interleaved) < declared_frames:
        raise Refused(_cut_short(declared_frames / rate, len(interleaved) / rate))
    identity = pcm_sha256(interleaved, rate)
    samples = np.ascontiguousarray(interleaved.T)
    # Twenty minutes are half a gigabyte: no need for two of them while the sound is measured.
    del interleaved
    lowest, highest = samples.min(axis=1), samples.max(axis=1)
    peak = float(max(highest.max(), -lowest.min()))
    if not np.isfinite(peak) or not np.isfinite(lowest).all():
        raise Refused("it holds samples that are not numbers (NaN or infinite)")
    # Half the span, so that a constant offset does not pass for sound.
    if float((highest - lowest).max()) / 2 < SILENT_PEAK:
        raise Refused("it is silent: nothing in it rises above -70 dBFS")
    if peak > MOST_PEAK:
        raise Refused(f"its peak is {20 * np.log10(peak):+.0f} dBFS: its samples are not scaled as audio")
    return Sound(samples=samples, rate=rate, pcm_sha256=identity, peak=peak)


def _check_promise(promised: tuple[int, int] | None, frames: int, rate: int) -> None:
    if promised is None or promised[0] <= promised[1]:
        return
    size, there = promised
    seconds = frames / rate
    # In proportion: every coding with such a header takes the same number of bytes for each second.
    missing = seconds * (size - there) / there if there else 0.0
    if missing < _LEAST_SHOWN_SECONDS:
        raise Refused(
            f"the file is cut short: its header promises {size} bytes of sound and it holds {there}"
        )
    raise Refused(_cut_short(seconds + missing, seconds))


def _cut_short(promised_seconds: float, held_seconds: float) -> str:
    return (
        f"the file is cut short: its header promises {promised_seconds:.2f} s "
        f"and it holds {held_seconds:.2f} s"
    )


def _check_form(rate: int, channels: int, frames: int) -> None:
    if channels > MOST_CHANNELS:
        raise Refused(f"it has {channels} channels; mix it down to mono or stereo")
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise Refused(f"its rate is {rate} Hz; the vault takes {LEAST_RATE} to {MOST_RATE} Hz")
    if frames == 0:
        raise Refused("no sound is in it: it is empty, or cut short")
    if frames < LEAST_SECONDS * rate:
        raise Refused(f"it is too short: {1000 * frames / rate:.1f} ms, and the least is 10 ms")
    if frames > MOST_SECONDS * rate:
        raise Refused(f"it is too long: {frames / rate / 60:.1f} minutes, and the most is 20")
    if frames * channels > MOST_SAMPLES:
        raise Refused(
            f"it has {frames * channels / 1e6:.0f} million samples, and the most are "
            f"{MOST_SAMPLES / 1e6:.0f}: bring it to 96 kHz or less"
        )
