"""The files within a zip file, each with a path such as `pack.zip/A/01.wav`; none is unpacked to that name.

Format: PKWARE APPNOTE 6.3.9. A member is read through `zipfile`, within the bounds that stand here.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipExtFile, ZipFile, ZipInfo

from ..errors import Refused

ENDING = ".zip"
MOST_MEMBERS = 100_000
MOST_DIRECTORY_BYTES = 64 << 20
MOST_TOTAL_BYTES = 64 << 30
"""What all the files of one zip file may hold together."""
MOST_RATIO = 200
"""How much larger than its packed bytes a file may be; recordings with long silences reach some twenty."""
_RATIO_COUNTS_FROM = 1 << 20
_END = struct.Struct("<4s4H2LH")
_END_BYTES = _END.size + 0xFFFF
_LOCAL = struct.Struct("<4s22xHH")
_UTF8 = 0x800
_ENCRYPTED = 0x41


@dataclass(frozen=True, slots=True)
class Directory:
    """`members`: by their paths within, with `/`. `refused`: those that are not read, and why."""

    members: Mapping[str, ZipInfo]
    refused: Mapping[str, str]


def is_archive(path: Path) -> bool:
    """Whether a path is a file that ends in `.zip`; links are not followed."""
    try:
        return path.suffix.lower() == ENDING and stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def parts_of_member(path: Path) -> tuple[Path, str] | None:
    """The zip file, and the path within it, of a path that leads into one."""
    for above in path.parents:
        if is_archive(above):
            return above, path.relative_to(above).as_posix()
    return None


def directory_of(archive: Path) -> Directory:
    """What a zip file holds. Raises `Refused` with the reason if it is not read at all."""
    try:
        is_now = archive.stat()
    except OSError as error:
        raise Refused(f"it cannot be read: {error.strerror}") from error
    return _directory(archive, is_now.st_ino, is_now.st_size, is_now.st_mtime_ns)


def open_member(archive: IO[bytes], info: ZipInfo) -> ZipExtFile:
    """The unpacked bytes of a member, at most as many as its directory says. Raises `Refused`."""
    if not 0 <= info.header_offset < os.fstat(archive.fileno()).st_size:
        raise Refused("it is damaged in its zip file")
    archive.seek(info.header_offset)
    head = archive.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
        raise Refused("it is damaged in its zip file")
    _, name_bytes, extra_bytes = _LOCAL.unpack(head)
    archive.seek(name_bytes + extra_bytes, os.SEEK_CUR)
    return ZipExtFile(archive, "r", info)


def chunks_of_member(archive: IO[bytes], info: ZipInfo, size: int) -> Iterator[bytes]:
    """The unpacked bytes in pieces of `size`. Raises `Refused` if they are damaged."""
    try:
        with open_member(archive, info) as member:
            while chunk := member.read(size):
                yield chunk
    except (BadZipFile, EOFError, zlib.error) as error:
        raise Refused("it is damaged in its zip file") from error


@lru_cache(maxsize=2)
def _directory(archive: Path, inode: int, size: int, changed_ns: int) -> Directory:
    """The parameters after the first tell a file that was changed from the one that was read before."""
    try:
        with open(archive, "rb") as file:
            _check_directory_size(file, size)
            with ZipFile(file) as opened:
                infos = [info for info in opened.infolist() if not info.is_dir()]
    except (BadZipFile, EOFError, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        raise Refused("it is damaged, or is no zip file") from error
    except OSError as error:
        raise Refused(f"it cannot be read: {error.strerror or error}") from error
    if len(infos) > MOST_MEMBERS:
        raise Refused(f"it holds {len(infos)} files, and {MOST_MEMBERS} are the most: unpack it")
    if sum(info.compress_size for info in infos) > size:
        raise Refused("its files lie over one another, as in no zip file that is honest")
    if sum(info.file_size for info in infos) > MOST_TOTAL_BYTES:
        raise Refused(f"its files have more than {MOST_TOTAL_BYTES >> 30} GB together: unpack it")
    members: dict[str, ZipInfo] = {}
    refused: dict[str, str] = {}
    for info in infos:
        name = _name(info)
        reason = "there are two files of this name in it" if name in members else _reason(name, info)
        if reason is None:
            members[name] = info
        else:
            members.pop(name, None)
            refused[name] = reason
    return Directory(members, refused)


def _check_directory_size(file: IO[bytes], size: int) -> None:
    """Refuse a directory that would fill the memory: `zipfile` reads the whole of it."""
    file.seek(max(size - _END_BYTES, 0))
    tail = file.read(_END_BYTES)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise BadZipFile
    directory_bytes = _END.unpack_from(tail, at)[5]
    if directory_bytes == 0xFFFFFFFF:
        # Zip64: its own record is before a locator of 20 bytes (4.3.14 and 4.3.15).
        wide = tail.rfind(b"PK\6\6", 0, at)
        if wide < 0 or wide + 56 > len(tail):
            raise BadZipFile
        (directory_bytes,) = struct.unpack_from("<Q", tail, wide + 40)
    if directory_bytes > MOST_DIRECTORY_BYTES:
        raise Refused(f"its directory has {directory_bytes >> 20} MB, more than any pack needs: unpack it")
    file.seek(0)


def _name(info: ZipInfo) -> str:
    """The name with `/` between its parts. Many programs write UTF-8 without saying so."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        # Else it is in cp437, as the format says.
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _reason(name: str, info: ZipInfo) -> str | None:
    parts = name.split("/")
    if not name or "\0" in name or name.startswith("/") or ":" in parts[0] or {"..", ".", ""} & set(parts):
        return "its name leads out of the zip file, or is none"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, and links are not followed"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted: unpack it with its password"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "it is packed in a way that is not read: unpack it"
    if info.file_size > max(_RATIO_COUNTS_FROM, MOST_RATIO * info.compress_size):
        return f"it unpacks to more than {MOST_RATIO} times its bytes, as no recording does"
    return None
