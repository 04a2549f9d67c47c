"""A log's Parquet, hashed row by row against a signed checkpoint while it is added up.

Each row is turned back into the bytes of its entry and hashed. Only if all of them have the root that the log
signed do the sums count: what is hashed is what is added up, in one pass, whoever wrote the files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..clock import text_at
from ..division.periods import Period
from ..entries.canonical import PLACEMENT
from ..entries.entries import Placement
from ..errors import BadNote, LedgerError, VerificationFailed
from ..tlog import merkle
from ..tlog.checkpoint import Checkpoint, open_checkpoint
from ..tlog.note import Verifier
from ..tlog.tiles import TILE
from .sql_usage import Database, sql_text

_NAME = re.compile(r"entries-[0-9]{12}\.parquet")
_FIELDS = (
    *("session", "seq", "stem", "use", "tier", "role", "part", "section", "line"),
    *("start_frame", "frames", "rate", "time_ms", "ms", "consent", "recovered", "span"),
)
"""The columns of `rows.sql` that are a placement's; `time_ms` is its start."""


class ExportedFile(msgspec.Struct, frozen=True):
    """A file as the manifest of an export has it."""

    name: str
    first: int
    last: int
    rows: int
    sha256: str
    root: str


class ExportManifest(msgspec.Struct, frozen=True):
    """`manifest.json` of an export."""

    version: int
    origin: str
    vkey: str
    size: int
    root: str
    checkpoint: str
    files: tuple[ExportedFile, ...]


@dataclass(frozen=True, slots=True)
class HeardInLog:
    """The milliseconds in play in a period, by all entries under a checkpoint.

    `sessions`: those that have any.
    """

    ms: int
    sessions: frozenset[str]


def checked_files(folder: Path, log: Verifier, checkpoint: Checkpoint) -> tuple[ExportedFile, ...]:
    """The files of an export in `folder`, if it is of this checkpoint and no file was changed since.

    Raises VerificationFailed with the name of a changed file, LedgerError, OSError.
    """
    path = folder / "manifest.json"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=ExportManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path} is not of an export: {error}; see 'stemloom ledger export'") from error
    if manifest.vkey != log.vkey:
        raise VerificationFailed(
            f"{folder} is an export of the log {manifest.vkey}, and the fleet names {log.vkey}"
        )
    try:
        own = open_checkpoint(manifest.checkpoint.encode(), log)
    except BadNote as error:
        raise VerificationFailed(f"the checkpoint in {path} is not one of {log.vkey}: {error}") from error
    if (own.size, own.root) != (checkpoint.size, checkpoint.root):
        raise VerificationFailed(
            f"{folder} is an export of the log {log.name} at {own.size} entries, root {own.root.hex()}, and "
            f"the checkpoint of the fleet is of {checkpoint.size} entries, root {checkpoint.root.hex()}; "
            "export the log again, or take the checkpoint of that export"
        )
    for file in manifest.files:
        if not _NAME.fullmatch(file.name):
            raise VerificationFailed(f"{path} names a file {file.name!r}, which is none of an export")
        with (folder / file.name).open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
                raise VerificationFailed(
                    f"{folder / file.name} was changed: its SHA-256 is not the one in {path}; export the log "
                    "again with 'stemloom ledger export'"
                )
    return manifest.files


def heard(
    database: Database,
    files: Sequence[ExportedFile],
    folder: Path,
    checkpoint: Checkpoint,
    period: Period,
    progress: Callable[[int, int], None] | None = None,
) -> HeardInLog:
    """The milliseconds of the rows that start in `period`, if all rows are the entries of the checkpoint.

    Raises VerificationFailed, naming the first file that is not of the log; LedgerError.
    """
    ms, sessions, bundles, leaves, size = 0, set[str](), list[bytes](), list[bytes](), 0
    for size, (data, placement) in enumerate(_entries(database, folder), 1):
        leaves.append(merkle.leaf_hash(data))
        if len(leaves) == TILE:
            bundles.append(merkle.root_from_leaves(leaves))
            leaves.clear()
        if placement is not None and placement.start in period:
            ms += placement.ms
            if placement.ms:
                sessions.add(placement.session)
        if progress is not None and size % 4096 == 0:
            progress(size, checkpoint.size)
    if leaves:
        bundles.append(merkle.root_from_leaves(leaves))
    if size != checkpoint.size or merkle.root_from_leaves(bundles) != checkpoint.root:
        raise VerificationFailed(_which(files, folder, bundles, size, checkpoint))
    return HeardInLog(ms, frozenset(sessions))


def _entries(database: Database, folder: Path) -> Iterator[tuple[bytes, Placement | None]]:
    for at, (index, kind, text, *fields) in enumerate(database.run(sql_text("rows"), {})):
        if index != at:
            raise VerificationFailed(
                f"the files in {folder} are not of a log: entry {at} is missing or there twice; export the "
                "log again with 'stemloom ledger export'"
            )
        try:
            if kind == "placement":
                placement = _placement(fields)
                if type(placement.ms) is not int:
                    raise TypeError(f"its ms are {placement.ms!r}")
                yield msgspec.json.encode(placement), placement
                continue
            data = text.encode()
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise VerificationFailed(f"entry {at} in {folder} cannot be read: {error}") from error
        if data.startswith(PLACEMENT):
            raise VerificationFailed(
                f"entry {at} in {folder} is a placement that is said to be a {kind}: it would not be counted"
            )
        yield data, None


def _placement(fields: Sequence[Any]) -> Placement:
    said = dict(zip(_FIELDS, fields, strict=True))
    said["start"] = text_at(said.pop("time_ms"))
    return Placement(**{name: value for name, value in said.items() if value is not None})


def _which(
    files: Sequence[ExportedFile], folder: Path, bundles: Sequence[bytes], size: int, signed: Checkpoint
) -> str:
    """Says what is not of the log: by the roots that the manifest has, or the rows as a whole."""
    for file in files:
        whole = file.last + 1
        edge = bundles[: whole // TILE] if whole < size else bundles
        if whole > size or merkle.root_from_leaves(edge).hex() != file.root:
            return (
                f"{folder / file.name} does not hold the entries {file.first} to {file.last} of the log: its "
                "rows were changed, and the SHA-256 in the manifest with them"
            )
    return (
        f"the {size} rows in {folder} are not the {signed.size} entries that the log has signed: rows were "
        "changed or added, and the manifest with them"
    )
