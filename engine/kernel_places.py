"""Where compiled code is kept: in which folders, in which order, and whose files are run.

1. The folder that the environment variable STEMLOOM_KERNELS names.
2. `__pycache__` beside the source.
3. The user's cache folder, if there is a home folder and it is not another user's.
4. A folder in that for temporary files which nobody else can enter.

All are looked through in this order, and what is compiled is written to the first that takes it. So the user
of a container runs what was compiled when its image was built, and cannot change it. With numba's own
NUMBA_CACHE_DIR its folder is the only place.

A file is code, so it is run only if this user or root owns it and nobody else can write to it. Beside the
source that is not asked: who can write there could change the source as well.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..ground.user_folders import cache_folder, expanded

NAMED, ONLY = "STEMLOOM_KERNELS", "NUMBA_CACHE_DIR"
ROOT_USER = 0
USUAL = "/tmp", "/var/tmp"
LEFT_BEHIND_SECONDS = 3600
"""The age at which a file that is only being written is one whose writer was killed."""
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled function by what it was made of.

    `source`: its file. `name`: the function and Python's version. `stamp`: all sources that it is compiled
    from. `key`: the types of its arguments, the processor, and the compiler's version.
    """

    source: Path
    name: str
    stamp: str
    key: str

    @property
    def kind(self) -> str:
        return f"{self.name}.{self.stamp}"

    @property
    def file(self) -> str:
        return f"{self.kind}.{self.key}.kernel"


def places(source: Path, refused: list[str] | None = None) -> Iterator[Path]:
    """The folders for what is compiled of the file `source`, existing or not; found out one by one.

    `refused`: is told in a few words why a place is left out.
    """
    refused = [] if refused is None else refused
    folder = source.parent.resolve()
    # Each installation has its own, so that none removes what another has compiled.
    below = f"{folder.name}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    if only := os.environ.get(ONLY):
        yield Path(only) / below
        return
    if named := os.environ.get(NAMED):
        if (first := expanded(named)) is not None:
            yield first.absolute() / below
        else:
            refused.append(f"{named}: there is no home folder")
    yield _beside(source)
    if (cache := _users_cache(refused)) is not None:
        yield cache / below
    if (private := _private(refused)) is not None:
        yield private / below


def _beside(source: Path) -> Path:
    return source.parent / "__pycache__"


def _users_cache(refused: list[str]) -> Path | None:
    cache = cache_folder()
    if cache is None:
        refused.append("there is no home folder")
        return None
    existing = cache = cache / "kernels"
    while not os.path.lexists(existing):
        existing = existing.parent
    if existing.stat().st_uid not in (os.geteuid(), ROOT_USER):
        # As with `sudo`, which may leave HOME as it was.
        refused.append(f"{existing} belongs to another user")
        return None
    return cache


def _private(refused: list[str]) -> Path | None:
    """The folder for temporary files that only this user can enter, made if need be."""
    try:
        temporary = tempfile.gettempdir()
        if temporary == os.getcwd() and temporary not in (*USUAL, os.environ.get("TMPDIR")):
            # Python's last resort, which is no place to leave anything in.
            refused.append("there is no folder for temporary files")
            return None
        private = Path(temporary) / f"stemloom-{os.geteuid()}"
        with suppress(FileExistsError):
            private.mkdir(mode=0o700)
        found = private.lstat()
    except OSError as error:
        refused.append(_worded(error))
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        refused.append(f"{private} is not a folder that only this user can enter")
        return None
    return private


def read(kernel: Kernel) -> bytes | None:
    """What is kept as `kernel`, from the first place that has it whole; None without one."""
    for folder in places(kernel.source):
        with suppress(OSError), open(folder / kernel.file, "rb") as file:
            if folder != _beside(kernel.source) and not _is_ours(os.fstat(file.fileno())):
                continue
            digest, content = file.read(_DIGEST_BYTES), file.read()
            # A loss of power may leave a file of the right length without its content.
            if hashlib.sha256(content).digest() == digest:
                return content
    return None


def write(kernel: Kernel, content: bytes) -> str | None:
    """Keep `content` in the first place that takes it, without a sync; else give why none does.

    What this place has of older states of the sources is removed.
    """
    refused: list[str] = []
    for folder in places(kernel.source, refused):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_whole(folder / kernel.file, hashlib.sha256(content).digest() + content)
            if folder != _beside(kernel.source) and not _is_ours((folder / kernel.file).stat()):
                # Such as on a share that shows all files as one user's.
                (folder / kernel.file).unlink()
                raise PermissionError(errno.EPERM, "files there are not this user's alone", str(folder))
        except OSError as error:
            refused.append(_worded(error))
            continue
        _remove_stale(folder, kernel)
        return None
    return "; ".join(dict.fromkeys(refused))


def holder(kernel: Kernel) -> Path | None:
    """The first place with a file of the function and its sources, for whatever processor."""
    found = (folder for folder in places(kernel.source) if any(folder.glob(f"{kernel.kind}.*.kernel")))
    return next(found, None)


def _is_ours(found: os.stat_result) -> bool:
    others = stat.S_IWGRP | stat.S_IWOTH
    owned = found.st_uid in (os.geteuid(), ROOT_USER)
    return stat.S_ISREG(found.st_mode) and owned and not found.st_mode & others


def _write_whole(path: Path, content: bytes) -> None:
    descriptor, beside = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError):
            error.filename = os.fspath(path.parent)
        raise


def _remove_stale(folder: Path, kernel: Kernel) -> None:
    for path in folder.glob(f"{glob.escape(kernel.name)}.*"):
        # Another process may be at the same.
        with suppress(OSError):
            if path.suffix == ".new":
                stale = path.stat().st_mtime < time.time() - LEFT_BEHIND_SECONDS
            else:
                stale = path.suffix == ".kernel" and not path.name.startswith(f"{kernel.kind}.")
            if stale:
                path.unlink()


def _worded(error: OSError) -> str:
    return f"{error.filename or 'a folder for temporary files'}: {error.strerror or error}"
