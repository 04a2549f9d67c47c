"""All that a file says of itself, the surest first; whatever is broken in its tags, nothing is raised."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .chunks import tags_of_chunks
from .names import tags_of_name
from .tag import Reader, Tags

_FIELDS = {
    "bpm": "tempo", "tempo": "tempo", "initial_key": "key", "initialkey": "key", "key": "key", "ikey": "key",
    "isrc": "isrc",
}  # fmt: skip


class _TooMuch(Exception):
    """There is more in the tags of a file than anybody wrote by hand."""


class _Bounded(io.FileIO):
    """A file of which only so much can be read, in so many steps: no tag holds up its worker for long."""

    _steps, _bytes = 50_000, 1 << 25

    def read(self, size: int | None = -1) -> bytes:
        self._steps -= 1
        most = self._bytes + 1
        found = super().read(most if size is None or size < 0 else min(size, most))
        self._bytes -= len(found)
        if self._steps < 0 or self._bytes < 0:
            raise _TooMuch
        return found


def tags_of(path: Path, name: str) -> tuple[Tags, ...]:
    """`name`: the file's own, without folders; `path` is that of our copy."""
    found: list[Tags] = []
    try:
        found += tags_of_chunks(path)
    except (OSError, struct.error, ValueError, OverflowError):
        found.append(Tags("chunks", odd=("one that is broken",)))
    found += _of_tag_formats(path)
    return (*found, *tags_of_name(name))


def _of_tag_formats(path: Path) -> Iterator[Tags]:
    """ID3, Vorbis comments, LIST INFO and the like."""
    import tinytag

    try:
        # By its content: our copy has no ending.
        with _Bounded(path) as file:
            read = tinytag.TinyTag.get(file_obj=file, duration=False)
        fields: dict[str, Any] = {"title": read.title, **read.other}
    except Exception as error:  # noqa: BLE001 - a broken tag of a whatever kind is passed over, and told
        if isinstance(error, tinytag.UnsupportedFormatError):
            return
        most = isinstance(error.__cause__, _TooMuch)
        yield Tags("tags", odd=("more than is read" if most else "one that is broken",))
        return
    reader = Reader("tags")
    for name, values in fields.items():
        take = "title" if name == "title" else _FIELDS.get(name.lower())
        for value in values if isinstance(values, list) else [values]:
            if take is not None and value is not None:
                getattr(reader, take)(value)
    yield from reader.tags()
