"""Memory under a name, which outlives the process that made it: a file in /dev/shm where the system has that.

    the memory              as many bytes as were asked for
    path                    the name
    device || length        uint64 and uint32 big-endian: of the folder that the name is in; of the path
    magic                   8 bytes

Only the journals beside the name lead to the memory. So where they were deleted with their folder it would
stay for ever; whoever makes some more removes it, and so does its own process at its end.
"""

from __future__ import annotations

import atexit
import mmap
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .file_view import read_regular

_SHARED = Path("/dev/shm")
"""Linux keeps files here in memory alone."""
_LARGEST = 1 << 26
_FOOT = struct.Struct(">QI8s")
_MAGIC = b"stemlmem"
_NAME = re.compile(r"stemloom-(\d+)-.+\.page")


def make(path: Path, size: int) -> memoryview:
    """New memory of zeros for a name that begins with this process's id, in a folder that is there."""
    remove_orphans()
    # In a file beside the journal, a page that was written back would fault in the audio callback.
    place, named = _place(path), os.fsencode(path.absolute())
    foot = named + _FOOT.pack(os.stat(path.parent).st_dev, len(named), _MAGIC)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Written now: if memory ran out at a later first write, the process would be killed.
        with open(descriptor, "wb", buffering=0, closefd=False) as file:
            data = memoryview(bytes(size) + foot)
            while data:
                data = data[file.write(data) :]
        return memoryview(mmap.mmap(descriptor, size))
    except BaseException:
        with suppress(FileNotFoundError):
            place.unlink()
        raise
    finally:
        os.close(descriptor)


def find(path: Path) -> bytes | None:
    """The bytes in the memory of that name, and what follows them; None if this user has none."""
    place = _place(path)
    try:
        # Anybody may make a name there, so memory of another user is ignored.
        if os.lstat(place).st_uid != os.geteuid():
            return None
        return read_regular(place, _LARGEST)
    except FileNotFoundError:
        return None


def remove(path: Path) -> None:
    """Remove the memory of that name, if there is any. Processes that have it mapped keep it."""
    with suppress(FileNotFoundError):
        _place(path).unlink()


@atexit.register
def remove_orphans() -> None:
    """Remove this user's memory that nobody can find any more, of dead processes and of this one."""
    for place, name in _orphans():
        if _is_gone(name):
            with suppress(OSError):
                place.unlink()


def _orphans() -> Iterator[tuple[Path, tuple[Path, int]]]:
    """Memory whose process is dead, or this one; the name and the device of each."""
    try:
        found = list(os.scandir(_SHARED))
    except OSError:
        return
    for entry in found:
        match = _NAME.fullmatch(entry.name)
        if match is None or (int(match[1]) != os.getpid() and _lives(int(match[1]))):
            continue
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                name = _name_in(Path(entry.path))
                if name is not None:
                    yield Path(entry.path), name


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _name_in(place: Path) -> tuple[Path, int] | None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        end = os.fstat(descriptor).st_size - _FOOT.size
        if end < 0:
            return None
        device, length, magic = _FOOT.unpack(os.pread(descriptor, _FOOT.size, end))
        if magic != _MAGIC or length > end:
            return None
        return Path(os.fsdecode(os.pread(descriptor, length, end - length))), device
    finally:
        os.close(descriptor)


def _is_gone(name: tuple[Path, int]) -> bool:
    """Whether no journal is left that leads to a name, and not only its disk is away."""
    path, device = name
    folder = path.parent
    try:
        if any(each.name.startswith(path.stem) and each.suffix == ".journal" for each in folder.iterdir()):
            return False
    except (FileNotFoundError, NotADirectoryError):
        while not folder.exists():
            folder = folder.parent
    except OSError:
        return False
    # Where a disk is not mounted, its folder is another one's.
    return os.stat(folder).st_dev == device


def _place(path: Path) -> Path:
    """The place of the memory of a name: in /dev/shm where the system has it, else the file itself."""
    return _SHARED / f"stemloom-{path.name}" if os.access(_SHARED, os.W_OK | os.X_OK) else path
