"""Lists files to add, from folders or from a manifest with a declaration for each."""

from __future__ import annotations

import csv
import io
import re
import stat
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import msgspec

from ...ground.typo import SURE, nearest
from ..errors import BadDeclaration
from ..sound.declared import Declared

_Row = tuple[str, dict[str, str]]
"""Its place in the manifest, and its cells by column."""
_Cell = str | int | float | list[str] | None

SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64",
    ".wav",
))  # fmt: skip
"""The names that folders are searched for. A file that is given itself is decoded, whatever its name."""

_NAME = ("name", "file", "path")
COLUMNS = (
    *_NAME, "holder", "role", "title", "bpm", "bars", "beats", "key", "kind", "shape", "mood", "energy",
    "set", "isrc", "iswc",
)  # fmt: skip
"""The known columns of a manifest."""

MOST_MANIFEST_BYTES = 8 << 20
"""Enough for a hundred thousand rows."""

# Limits digits and powers of ten: an exact number could fill the memory.
_NUMBER = re.compile(
    r"[+-]?([0-9]{1,12}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,2})?|[0-9]{1,12}/[0-9]{1,12}"
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """The declaration of every file for which the manifest has none."""

    holder: str | None
    role: str | None
    declared: Declared
    """The rest; its path, holder and role are not read."""


def of_paths(paths: Sequence[Path], common: Defaults) -> list[Declared]:
    """Each file, and the audio files in each folder (by name, deeper ones too, hidden ones not)."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        if not found:
            raise BadDeclaration(f"there are no audio files in {path}")
        files += found
    return [_complete(common, file, {}) for file in files]


def of_manifest(manifest: Path, folder: Path, common: Defaults) -> tuple[list[Declared], tuple[str, ...]]:
    """A declaration for each row of a CSV file with a header, or of a JSON list of objects (`.json`); and the
    columns that are not read.

    Columns, of which only the first is needed: `name` (or `file`, `path`; within `folder`), `holder`,
    `role`, `title`, `bpm`, `bars`, `beats`, `key`, `kind` (or `shape`), `mood` (words parted by `;` or `,`),
    `energy`, `set`, `isrc`, `iswc`. An empty cell declares nothing. Raises `BadDeclaration`, which names the
    line, or the column that looks like a slip of a known one; also for a path that is not a regular file, or
    for more than `MOST_MANIFEST_BYTES`. Raises `OSError` when the file cannot be read.
    """
    data = _read(manifest)
    rows = (
        _rows_of_json(manifest, data) if manifest.suffix.lower() == ".json" else _rows_of_csv(manifest, data)
    )
    if not rows:
        raise BadDeclaration(f"{manifest} names no files")
    columns = dict.fromkeys(column for _, cells in rows for column in cells)
    _check_name(manifest, columns)
    unread = _checked_columns(manifest, columns, common)
    offers = []
    for where, cells in rows:
        name = next((cells[each] for each in _NAME if cells.get(each)), "")
        if not name:
            raise BadDeclaration(f"{manifest}, {where}: no file is named")
        try:
            offers.append(_complete(common, _within(folder, name), cells))
        except BadDeclaration as error:
            raise BadDeclaration(f"{manifest}, {where}: {error}") from error
    return offers, unread


def _check_name(manifest: Path, columns: Container[str]) -> None:
    if not any(name in columns for name in _NAME):
        raise BadDeclaration(f"{manifest} has no column 'name' for the files")


def _rows_of_csv(manifest: Path, data: bytes) -> list[_Row]:
    try:
        with io.StringIO(data.decode("utf-8-sig"), newline="") as file:
            reader = csv.DictReader(file, restkey="")
            columns = {(column or "").strip().lower(): column for column in reader.fieldnames or ()}
            _check_name(manifest, columns)
            return [
                (
                    f"line {reader.line_num}",
                    {
                        key: (row[column] or "").strip()
                        for key, column in columns.items()
                        if key and column is not None
                    },
                )
                for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDeclaration(f"{manifest} is not a CSV file in UTF-8: {error}") from error


def _rows_of_json(manifest: Path, data: bytes) -> list[_Row]:
    """Rows of a JSON list of objects; a list of words is one cell, and `null` an empty one."""
    try:
        found = msgspec.json.decode(data, type=list[dict[str, _Cell]])
    except msgspec.MsgspecError as error:
        raise BadDeclaration(f"{manifest} is not a JSON list of objects: {error}") from error
    return [
        (f"item {nth}", {key.strip().lower(): _text(value) for key, value in row.items()})
        for nth, row in enumerate(found, start=1)
    ]


def _text(value: _Cell) -> str:
    if isinstance(value, list):
        return ";".join(value)
    return "" if value is None else str(value).strip()


def _within(folder: Path, name: str) -> Path:
    """The file of that name in the folder. Raises `BadDeclaration` for a name that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadDeclaration(f"'{name}' is not within {folder}, in which the manifest's files are")
    return path


def _read(manifest: Path) -> bytes:
    # Checked before it is opened: opening a named pipe would wait.
    if not stat.S_ISREG(manifest.stat().st_mode):
        raise BadDeclaration(f"{manifest} is not a regular file, and a manifest is one")
    with open(manifest, "rb") as file:
        # Not by its size: files in /proc have none.
        data = file.read(MOST_MANIFEST_BYTES + 1)
    if len(data) > MOST_MANIFEST_BYTES:
        raise BadDeclaration(
            f"{manifest} is larger than {MOST_MANIFEST_BYTES >> 20} MB, the most for a manifest: "
            "part it into several"
        )
    return data


def _checked_columns(manifest: Path, columns: Mapping[str, object], common: Defaults) -> tuple[str, ...]:
    """The unknown columns. Raises `BadDeclaration` for slips, and if holder or role are given nowhere."""
    unread = tuple(column for column in columns if column and column not in COLUMNS)
    for column in unread:
        meant = nearest(column, COLUMNS, least=SURE)
        if meant is not None:
            raise BadDeclaration(f"{manifest}: column '{column}' is unknown; did you mean '{meant}'?")
    for needed, given in (("holder", common.holder), ("role", common.role)):
        if needed not in columns and not given:
            raise BadDeclaration(
                f"{manifest} has no column '{needed}': add one, or say --{needed} for all of its files"
            )
    return unread


def number(what: str, text: str) -> Fraction:
    """An exact number, as `120`, `97.5` or `400/3`. Raises `BadDeclaration`."""
    text = text.strip()
    try:
        if _NUMBER.fullmatch(text):
            return Fraction(text)
    except ZeroDivisionError:
        pass  # Worded with the rest.
    shown = text if len(text) <= 40 else text[:40] + "..."
    raise BadDeclaration(f"{what} is a number, not '{shown}'")


def _complete(common: Defaults, path: Path, cells: Mapping[str, str]) -> Declared:
    holder = cells.get("holder") or common.holder
    role = cells.get("role") or common.role
    if not holder:
        raise BadDeclaration(f"{path.name} has no holder: add --holder")
    if not role:
        raise BadDeclaration(
            f"{path.name} has no role: add --role (beats, bass, harmony, pads, tops, melody ...)"
        )
    given = common.declared
    bpm, energy = cells.get("bpm"), cells.get("energy")
    moods = cells.get("mood", "").replace(";", ",").split(",")
    # A row's own length, in beats or bars, replaces the default in either.
    own_length = bool(cells.get("bars") or cells.get("beats"))
    return replace(
        given,
        path=path,
        holder=holder,
        role=role,
        title=cells.get("title") or given.title,
        bpm=number("bpm", bpm) if bpm else given.bpm,
        bars=_whole("bars", cells.get("bars")) if own_length else given.bars,
        beats=_whole("beats", cells.get("beats")) if own_length else given.beats,
        key=cells.get("key") or given.key,
        shape=cells.get("kind") or cells.get("shape") or given.shape,
        mood=tuple(mood.strip() for mood in moods if mood.strip()) or given.mood,
        energy=float(number("energy", energy)) if energy else given.energy,
        set=cells.get("set") or given.set,
        isrc=cells.get("isrc") or given.isrc,
        iswc=cells.get("iswc") or given.iswc,
    )


def _whole(what: str, text: str | None) -> int | None:
    if not text:
        return None
    value = number(what, text)
    if value.denominator != 1:
        raise BadDeclaration(f"{what} is a whole number, not '{text}'")
    return int(value)
