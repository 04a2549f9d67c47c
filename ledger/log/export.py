"""The log as Parquet, for analysis: one table in files of 2^20 entries, and a manifest of what they hold.

    entries-000000000000.parquet    entries 0 to 1 048 575
    entries-000001048576.parquet    ...
    manifest.json                   origin, verifier key, checkpoint; of each file its entries, its SHA-256
                                    and the root of the log up to its last entry

Columns: `index`, `kind`, `time_ms` (ms since 1970, UTC: of a placement its start), the fields of a placement
by their names (NULL where an entry has no such field), and `json`, the canonical text of every entry that is
no placement. The exported entries are hashed: the files are put in place only if they, with those exported
before, have the root of the checkpoint.

A later export keeps whole files whose bytes and whose root are still right; it writes the rest anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ..entries.canonical import PLACEMENT, decode
from ..entries.entries import Entry
from ..errors import BadEntry, LedgerError, VerificationFailed
from ..tlog import merkle
from ..tlog.checkpoint import Checkpoint, open_checkpoint
from ..tlog.disk import RealDisk, replace_durably
from ..tlog.note import Verifier
from ..tlog.reader import TileReader
from ..tlog.tiles import TILE

ROWS = 1 << 20
"""Entries in a whole file."""
_TEMPORARY = ".export-"
_COLUMNS = {
    "index": "BIGINT",
    "kind": "VARCHAR",
    "start": "TIMESTAMP",
    "session": "VARCHAR",
    "seq": "BIGINT",
    "stem": "VARCHAR",
    "use": "VARCHAR",
    "tier": "VARCHAR",
    "role": "VARCHAR",
    "part": "VARCHAR",
    "section": "VARCHAR",
    "line": "BIGINT",
    "start_frame": "BIGINT",
    "frames": "BIGINT",
    "rate": "BIGINT",
    "ms": "BIGINT",
    "consent": "BIGINT",
    "recovered": "VARCHAR",
    "json": "VARCHAR",
}
_SELECT = ", ".join(f'"{name}"' if name != "start" else "epoch_ms(start) AS time_ms" for name in _COLUMNS)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file: entries `first` to `last`, and the root (hex) of the log up to `last`."""

    name: str
    first: int
    last: int
    rows: int
    sha256: str
    root: str


@dataclass(frozen=True, slots=True)
class Exported:
    """An export. `written` and `kept`: names of files."""

    folder: Path
    origin: str
    size: int
    root: str
    files: tuple[ExportedFile, ...]
    written: tuple[str, ...]
    kept: tuple[str, ...]

    def is_still_there(self) -> bool:
        """Whether nobody has exported another checkpoint there since."""
        return _files_of(self.folder) == [asdict(file) for file in self.files]


def export_parquet(
    tiles: TileReader,
    checkpoint: bytes,
    log: Verifier,
    folder: Path,
    *,
    rows: int = ROWS,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Export the log of a signed `checkpoint` into `folder`, which is made if it is not there.

    `rows`: of a whole file, a multiple of 256. Raises BadNote, VerificationFailed where the entries do not
    hash to the checkpoint's root, LedgerError for a folder that holds another log's export, OSError; the
    previous export is then still whole.
    """
    assert rows % TILE == 0
    current = open_checkpoint(checkpoint, log)
    folder.mkdir(parents=True, exist_ok=True)
    disk = RealDisk()
    with disk.lock(folder / ".lock"), ExitStack() as stack:
        for left in folder.glob(f"{_TEMPORARY}*"):
            left.unlink(missing_ok=True)
        kept = _kept(folder, log.name, tiles, current.size, rows)
        tree = _Tree(tiles, current.size, kept[-1].last + 1 if kept else 0)
        made: list[tuple[Path, ExportedFile]] = []
        for first in range(tree.first, current.size, rows):
            last = min(first + rows, current.size) - 1
            name = f"entries-{first:012d}.parquet"
            path = folder / f"{_TEMPORARY}{secrets.token_hex(8)}.parquet"
            stack.callback(path.unlink, missing_ok=True)
            entries = _counted(tree.entries(first, last + 1), current.size, progress)
            _write(path, entries, folder)
            sha256 = _sha256(path)
            made.append((path, ExportedFile(name, first, last, last - first + 1, sha256, "")))
        if tree.root(current.size) != current.root:
            raise VerificationFailed(
                f"the entries do not hash to the checkpoint's root {current.root.hex()}: nothing was "
                "exported; see 'stemloom ledger verify'"
            )
        for path, file in made:
            path.replace(folder / file.name)
            disk.sync(folder / file.name)
        files = [*kept, *(replace(file, root=tree.root(file.last + 1).hex()) for _, file in made)]
        new = folder / f"{_TEMPORARY}{secrets.token_hex(8)}.json"
        stack.callback(new.unlink, missing_ok=True)
        replace_durably(disk, folder / "manifest.json", _manifest(log, current, checkpoint, files), new)
        for path in folder.glob("entries-*.parquet"):
            if path.name not in {file.name for file in files}:
                path.unlink()
    return Exported(
        folder,
        log.name,
        current.size,
        current.root.hex(),
        tuple(files),
        tuple(file.name for _, file in made),
        tuple(file.name for file in kept),
    )


def _manifest(log: Verifier, current: Checkpoint, checkpoint: bytes, files: list[ExportedFile]) -> bytes:
    manifest = {
        "version": 1,
        "origin": log.name,
        "vkey": log.vkey,
        "size": current.size,
        "root": current.root.hex(),
        "checkpoint": checkpoint.decode(),
        "files": [asdict(file) for file in files],
    }
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"


def _kept(folder: Path, origin: str, tiles: TileReader, size: int, rows: int) -> list[ExportedFile]:
    """The whole files of the previous export that are still right."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        files = [ExportedFile(**each) for each in manifest["files"]]
        of = manifest["origin"]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        path = folder / "manifest.json"
        raise LedgerError(f"{path} is not of an export: remove it, or export elsewhere") from error
    if of != origin:
        raise LedgerError(f"{folder} holds an export of the log {of}, not of {origin}: export elsewhere")
    kept: list[ExportedFile] = []
    for file in files:
        whole = file.first == len(kept) * rows and file.rows == rows and file.last < size
        if not whole or tiles.root(file.last + 1, lambda: size).hex() != file.root:
            break
        with suppress(FileNotFoundError):
            if _sha256(folder / file.name) == file.sha256:
                kept.append(file)
                continue
        break
    return kept


class _Tree:
    """Hashes of a log of `size` entries: stored ones before the entry `first`, then those of its entries."""

    def __init__(self, tiles: TileReader, size: int, first: int) -> None:
        self.first = first
        self._tiles, self._size = tiles, size
        self._bundles: list[bytes] = []
        self._open: list[bytes] = []

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """The entries to export, in order from `first` on; remembers their hashes."""
        for index, data in self._tiles.entries(start, stop, lambda: self._size):
            self._open.append(merkle.leaf_hash(data))
            if len(self._open) == TILE:
                self._bundles.append(merkle.root_from_leaves(self._open))
                self._open = []
            yield index, data

    def root(self, size: int) -> bytes:
        """The root at a size that falls between two bundles, or is the whole size."""
        if size == 0:
            return merkle.EMPTY_ROOT
        stored = self._tiles.hashes(lambda: self._size)

        def read(level: int, place: int) -> bytes:
            if (place + 1) << level <= self.first:
                return stored(level, place)
            if level > 8:
                return merkle.node_hash(read(level - 1, 2 * place), read(level - 1, 2 * place + 1))
            if level == 8:
                return self._bundles[place - self.first // TILE]
            count = 1 << level
            at = place * count % TILE
            return merkle.root_from_leaves(self._open[at : at + count])

        return merkle.root_of_range(read, 0, size)


def _files_of(folder: Path) -> list[dict[str, Any]]:
    """The files in the manifest."""
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    return found


def _counted(
    entries: Iterator[tuple[int, bytes]], size: int, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, bytes]]:
    for index, data in entries:
        if progress is not None and (index % 4096 == 4095 or index + 1 == size):
            progress(index + 1, size)
        yield index, data


def _write(path: Path, entries: Iterator[tuple[int, bytes]], folder: Path) -> None:
    """A Parquet file of entries: they are JSON already, so DuckDB reads them as lines of it."""
    import duckdb

    lines = path.with_suffix(".ndjson")
    try:
        with lines.open("wb") as file:
            for index, data in entries:
                file.write(b'{"index":%d,' % index + _line(index, data) + b"\n")
        with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as database:
            columns = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
            database.execute(
                f"COPY (SELECT {_SELECT} FROM read_json(?, format='newline_delimited', "
                f"columns={{{columns}}}, maximum_object_size=1048576) ORDER BY index) "
                f"TO '{_quoted(path)}' (FORMAT parquet, COMPRESSION zstd)",
                [str(lines)],
            )
    except duckdb.InvalidInputException as error:
        raise VerificationFailed(
            f"an entry of the log is damaged, and not JSON: {error}; see 'stemloom ledger verify'"
        ) from error
    except duckdb.Error as error:
        if "space" in str(error).lower():
            raise OSError(28, "No space left on device", os.fspath(folder)) from error
        raise LedgerError(f"{folder} cannot be exported to: {error}") from error
    finally:
        lines.unlink(missing_ok=True)


def _line(index: int, data: bytes) -> bytes:
    """The rest of an entry's line, after its index."""
    if data.startswith(PLACEMENT):
        return data[1:]
    try:
        entry = decode(data)
    except BadEntry as error:
        raise VerificationFailed(
            f"entry {index} cannot be read: {error}; see 'stemloom ledger verify'"
        ) from error
    return msgspec.json.encode(_row(entry, data))[1:]


def _row(entry: Entry, data: bytes) -> dict[str, Any]:
    """The columns of an entry that is no placement."""
    row: dict[str, Any] = {"kind": str(entry.__struct_config__.tag), "start": getattr(entry, "time", None)}
    for name in ("session", "stem", "use", "tier", "recovered"):
        value = getattr(entry, name, None)
        if isinstance(value, str):
            row[name] = value
    row["json"] = data.decode()
    return row


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
