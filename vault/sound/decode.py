"""Decodes a file by its content, whatever its name."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import Refused
from .archive import chunks_of_member, directory_of, parts_of_member
from .containers.flac import examine_flac
from .containers.mpeg import examine_mp3
from .containers.named import not_taken
from .containers.ogg import examine_ogg
from .containers.reading import Reading, Spliced
from .containers.riff import examine_wav
from .containers.streamed import examine_streamed
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
_BLOCK = 1 << 18
UNCOUNTED = 1 << 40
"""So many frames are what a decoder says that does not know how many there are."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded recording. `samples`: float32 `(channels, frames)`, C-contiguous, at `rate` Hz."""

    samples: NDArray[np.float32]
    rate: int
    pcm_sha256: str
    peak: float
    """Greatest absolute sample; 1 is full scale."""
    notes: tuple[str, ...] = ()
    """What is odd about its file."""

    @property
    def frames(self) -> int:
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])


def copy_file(source: Path, target: Path) -> str:
    """Copy a file and give its SHA-256; `target` is new and durable when this returns.

    The vault decodes its own copy, so that a file cannot change while it is taken in. Raises as `chunks_of`.
    """
    digest = hashlib.sha256()
    with closing(chunks_of(source)) as chunks:
        # Asked for before the copy is made: of a file that cannot be read there is none.
        chunk = next(chunks, b"")
        with open(target, "xb") as writer:
            while chunk:
                digest.update(chunk)
                writer.write(chunk)
                chunk = next(chunks, b"")
            writer.flush()
            os.fsync(writer.fileno())
    return digest.hexdigest()


def digest_of(source: Path) -> str:
    """The SHA-256 that `copy_file` would give. Raises as `chunks_of`."""
    digest = hashlib.sha256()
    for chunk in chunks_of(source):
        digest.update(chunk)
    return digest.hexdigest()


def chunks_of(source: Path) -> Generator[bytes, None, None]:
    """The bytes of a regular file, or of one within a zip file (`pack.zip/A/01.wav`).

    Raises `Refused` for a path that is not a regular file, or cannot be read. Links are not followed: one may
    name a file that its maker could not read themselves.
    """
    member = parts_of_member(source)
    if member is None:
        with _opened(source) as reader:
            if os.fstat(reader.fileno()).st_size > MOST_BYTES:
                raise _too_large(os.fstat(reader.fileno()).st_size)
            left = MOST_BYTES
            while chunk := reader.read(_COPY_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise Refused("it grows while it is read")
                yield chunk
        return
    archive, name = member
    held = directory_of(archive)
    if name not in held.members:
        raise Refused(held.refused.get(name, f"there is no such file in {archive.name}"))
    info = held.members[name]
    if info.file_size > MOST_BYTES:
        raise _too_large(info.file_size)
    with _opened(archive) as packed:
        yield from chunks_of_member(packed, info, _COPY_BYTES)


def _opened(source: Path) -> IO[bytes]:
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
    return open(handle, "rb")


def _too_large(size: int) -> Refused:
    return Refused(f"it has {size / (1 << 30):.1f} GB, more than any sound that is taken")


def write_file(content: bytes, target: Path) -> str:
    """Write the bytes of a synthesised sound, as `copy_file` writes those of a file."""
    with open(target, "xb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
    return hashlib.sha256(content).hexdigest()


def decode(path: Path, *, accept_length: bool = False) -> Sound:
    """Decode a file to its end and check that it is a sound the vault can take.

    `accept_length`: what is there is taken, also where the header promises more. Raises `Refused`:
    undecodable, a kind that is not taken, shorter than its container promises, other than its MD5, under
    10 ms, over 20 minutes, more than two channels, a rate outside 8 to 384 kHz, NaN or infinite samples,
    silence.
    """
    with open(path, "rb") as file:
        reading = examined(file, accept_length=accept_length)
        parts: list[NDArray[np.float32]] = []
        rate = 0
        for stream in reading.streams or (file,):
            part, rate = _decoded(path, file, stream, reading, accept_length=accept_length, rate=rate)
            parts.append(part)
    if len({part.shape[1] for part in parts}) > 1:
        raise Refused("the streams that follow each other in it have different numbers of channels")
    interleaved = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if reading.frames is not None:
        if len(interleaved) < reading.frames and not accept_length:
            raise Refused(_cut_short(reading.frames / rate, len(interleaved) / rate))
        # What an encoder added to fill its last block is no sound.
        interleaved = interleaved[: reading.frames]
    _check_form(rate, interleaved.shape[1], len(interleaved))
    identity = pcm_sha256(interleaved, rate)
    samples = np.ascontiguousarray(interleaved.T)
    # Twenty minutes are half a gigabyte: no need for two of them while the sound is measured.
    del interleaved, parts
    lowest, highest = samples.min(axis=1), samples.max(axis=1)
    peak = float(max(highest.max(), -lowest.min()))
    if not np.isfinite(peak) or not np.isfinite(lowest).all():
        raise Refused("it holds samples that are not numbers (NaN or infinite)")
    # Half the span, so that a constant offset does not pass for sound.
    if float((highest - lowest).max()) / 2 < SILENT_PEAK:
        raise Refused("it is silent: nothing in it rises above -70 dBFS")
    if peak > MOST_PEAK:
        raise Refused(f"its peak is {20 * np.log10(peak):+.0f} dBFS: its samples are not scaled as audio")
    return Sound(samples=samples, rate=rate, pcm_sha256=identity, peak=peak, notes=reading.notes)


def _decoded(
    path: Path,
    file: BinaryIO,
    stream: BinaryIO | Spliced,
    reading: Reading,
    *,
    accept_length: bool,
    rate: int,
) -> tuple[NDArray[np.float32], int]:
    """One stream, float32 (frames, channels), and its rate. `rate`: of the stream before it, or 0."""
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """Read to its end, whatever its header says of it: to seek would ask for a length."""

        def seekable(self) -> bool:
            return False

    whole = not isinstance(stream, Spliced)
    if whole:
        os.lseek(file.fileno(), 0, os.SEEK_SET)
    else:
        stream.seek(0)
    try:
        source: Any = file.fileno() if whole else stream
        with Forward(source, closefd=False) as sound:
            if rate not in (0, sound.samplerate):
                raise Refused(
                    f"the streams that follow each other in it have {rate} and {sound.samplerate} Hz"
                )
            # A number that nobody could have counted says that the length was not known.
            known = sound.frames < UNCOUNTED
            if known and not accept_length and whole:
                # Opened anew: the decoder reads on from where this one stands.
                with open(path, "rb") as header:
                    _check_promise(promised_bytes(header), sound.frames, sound.samplerate)
            _check_form(sound.samplerate, sound.channels, sound.frames if known else None)
            interleaved = _all_of(sound, reading)
            if known and len(interleaved) < sound.frames and not accept_length:
                raise Refused(
                    _cut_short(sound.frames / sound.samplerate, len(interleaved) / sound.samplerate)
                )
            return interleaved, int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        with open(path, "rb") as header:
            _check_promise(promised_bytes(header), 0, 1)
        raise Refused(f"it does not decode as audio: {error.error_string.strip().rstrip('.')}") from error


def _all_of(sound: Any, reading: Reading) -> NDArray[np.float32]:
    """All frames, float32 (frames, channels), which are those that the container's MD5 was taken of."""
    most = min(MOST_SECONDS * sound.samplerate, MOST_SAMPLES // sound.channels)
    expected = min(max(sound.frames, 0), most) if sound.frames < UNCOUNTED else _BLOCK
    found = np.empty((expected + 1, sound.channels), np.float32)
    digest, done = hashlib.md5(usedforsecurity=False), 0
    while True:
        if reading.md5 is not None:
            whole = sound.read(_BLOCK, dtype="int32", always_2d=True)
            digest.update(_packed(whole, reading.bits))
            block = whole.astype(np.float32) * np.float32(2**-31)
        else:
            block = sound.read(_BLOCK, dtype="float32", always_2d=True)
        end = done + len(block)
        if end > most:
            _check_form(sound.samplerate, sound.channels, end)
        if end > len(found):
            larger = np.empty((max(2 * len(found), end), sound.channels), np.float32)
            larger[:done] = found[:done]
            found = larger
        found[done:end], done = block, end
        # A short block is not yet the end: decoders give less at their own boundaries.
        if not len(block):
            break
    if reading.md5 is not None and digest.digest() != reading.md5:
        raise Refused("it is damaged: its sound is not the one that its MD5 was taken of; export it anew")
    return found[:done]


def _packed(samples: NDArray[np.int32], bits: int) -> bytes:
    """Samples of so many bits, which lie at the top of 32, in as few whole bytes as they need."""
    width = -(-bits // 8)
    rows = np.ascontiguousarray((samples >> (32 - bits)).astype("<i4")).view(np.uint8).reshape(-1, 4)
    return rows[:, :width].tobytes()


def examined(file: BinaryIO, *, accept_length: bool = False) -> Reading:
    """How a file is to be read. Raises `Refused` for kinds that are not taken, and for damage."""
    end = file.seek(0, 2)
    if not end:
        raise Refused("no sound is in it: it is empty")
    for examine in (examine_wav, examine_flac, examine_ogg, examine_streamed):
        found = examine(file, end, accept_length)
        if found is not None:
            return found
    refused = not_taken(file, end)
    if refused is not None:
        raise Refused(refused)
    return examine_mp3(file, end, accept_length) or Reading()


def _check_promise(promised: tuple[int, int] | None, frames: int, rate: int) -> None:
    if promised is None or promised[0] <= promised[1]:
        return
    size, there = promised
    seconds = frames / rate
    # In proportion: every coding with such a header takes the same number of bytes for each second.
    missing = seconds * (size - there) / there if there else 0.0
    if missing < _LEAST_SHOWN_SECONDS:
        raise Refused(
            f"the file is cut short: its header promises {size} bytes of sound and it holds {there}{_ANYWAY}"
        )
    raise Refused(_cut_short(seconds + missing, seconds))


_ANYWAY = "; what is there is taken with --accept-length"


def _cut_short(promised_seconds: float, held_seconds: float) -> str:
    return (
        f"the file is cut short: its header promises {promised_seconds:.2f} s "
        f"and it holds {held_seconds:.2f} s{_ANYWAY}"
    )


def _check_form(rate: int, channels: int, frames: int | None) -> None:
    """Raise `Refused` for a form that is not taken. `frames`: None before they are known."""
    if channels > MOST_CHANNELS:
        raise Refused(f"it has {channels} channels; mix it down to mono or stereo")
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise Refused(f"its rate is {rate} Hz; the vault takes {LEAST_RATE} to {MOST_RATE} Hz")
    if frames is None:
        return
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
