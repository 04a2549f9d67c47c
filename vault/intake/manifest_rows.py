"""The rows of a manifest's text: CSV as spreadsheets write it, or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...ground.visible import visible
from ..errors import BadDeclaration

Row = tuple[str, dict[str, str]]
"""Its place in the manifest, and its cells by column."""
Fault = tuple[str, str]
"""A place in the manifest, empty for the whole of it, and the reason."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a manifest says, row by row; and what is wrong with its form."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...] = ()


_Cell = str | int | float | list[str] | None


def rows_of_csv(manifest: Path, data: bytes, known: Container[str]) -> Rows:
    """The rows of a text with a header, in UTF-8 or marked UTF-16; cells are parted by `,`, `;` or tabs.

    `known`: the columns by which the sign between the cells is found. Raises `BadDeclaration`.
    """
    text = _text_of(manifest, data)
    between = None
    first, _, rest = text.partition("\n")
    if first.strip().lower() in ("sep=,", "sep=;", "sep=\t", "sep="):
        # Written by Excel, for Excel.
        between, text = first.strip("\r\n ")[4:5] or "\t", rest
    between = between or _sign_between(text.partition("\n")[0], known)
    rows: list[Row] = []
    faults: list[Fault] = []
    skipped = 1 if text is rest else 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)
        header = [cell.strip().lower() for cell in next(reader, [])]
        for column in dict.fromkeys(header):
            if column and header.count(column) > 1:
                faults.append(("", f"column '{visible(column)}' is there {header.count(column)} times"))
        for cells in reader:
            if not cells:
                continue
            where = f"line {reader.line_num + skipped}"
            if any(cell.strip() for cell in cells[len(header) :]):
                faults.append((where, f"{len(cells)} cells, and the header has {len(header)}: "
                               f"put a cell with '{visible(between)}' in it between quotes"))  # fmt: skip
            padded = cells + [""] * (len(header) - len(cells))
            rows.append(
                (
                    where,
                    {column: cell.strip() for column, cell in zip(header, padded, strict=False) if column},
                )
            )
    except csv.Error as error:
        raise BadDeclaration(f"{visible(manifest)} is not a CSV file in UTF-8: {error}") from error
    columns = tuple(dict.fromkeys(column for column in header if column))
    return Rows(columns, tuple(rows), tuple(faults))


def rows_of_json(manifest: Path, data: bytes) -> Rows:
    """Rows of a JSON list of objects; a list of words is one cell, and `null` an empty one."""
    try:
        found = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[dict[str, _Cell]])
    except msgspec.MsgspecError as error:
        raise BadDeclaration(f"{visible(manifest)} is not a JSON list of objects: {error}") from error
    rows = tuple(
        (f"item {nth}", {key.strip().lower(): _text(value) for key, value in row.items()})
        for nth, row in enumerate(found, start=1)
    )
    return Rows(tuple(dict.fromkeys(column for _, cells in rows for column in cells)), rows)


def _text_of(manifest: Path, data: bytes) -> str:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDeclaration(
            f"{visible(manifest)} is not a CSV file in UTF-8: {error}; save it as 'CSV UTF-8'"
        ) from error


def _sign_between(header: str, known: Container[str]) -> str:
    """The sign that parts the header into most known columns; a comma if none does."""

    def found(sign: str) -> int:
        return sum(cell.strip(' "\r').lower() in known for cell in header.split(sign))

    return max((",", ";", "\t"), key=found)


def _text(value: _Cell) -> str:
    if isinstance(value, list):
        return ";".join(value)
    return "" if value is None else str(value).strip()
