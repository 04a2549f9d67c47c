"""Lists files to add, from folders or from a manifest with a declaration for each."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ...ground.typo import SURE, nearest
from ...ground.visible import visible
from ..errors import BadDeclaration
from ..sound.declared import Declared
from .intake import PassedOver, Refusal
from .listing import Listing, listings
from .manifest_rows import Fault, rows_of_csv, rows_of_json

_NAME = ("name", "file", "path")
COLUMNS = (
    *_NAME, "holder", "role", "title", "bpm", "bars", "beats", "key", "kind", "shape", "mood", "energy",
    "set", "isrc", "iswc", "meter", "tail", "trim", "accept-silence",
)  # fmt: skip
"""The known columns of a manifest."""

MOST_MANIFEST_BYTES = 8 << 20
"""Enough for a hundred thousand rows."""
MOST_FAULTS_SHOWN = 20
_MOST_COMPARED = 100
"""Of so many missing files the nearest name is looked for, which takes as long as there are files."""

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
    """Each file, and the audio files in each folder or zip file: by name, deeper ones too, no hidden ones."""
    return declared_of([path for listing in listings(paths) for path in listing.sounds], common)


def declared_of(files: Sequence[Path], common: Defaults) -> list[Declared]:
    """The same declaration for each file."""
    return [_complete(common, file, {}) for file in files]


def of_manifest(manifest: Path, folder: Path, common: Defaults) -> tuple[list[Declared], tuple[str, ...]]:
    """A declaration for each row of a CSV file with a header, or of a JSON list of objects (`.json`); and the
    columns that are not read.

    Columns, of which only the first is needed: `name` (or `file`, `path`; within `folder`), `holder`,
    `role`, `title`, `bpm`, `bars`, `beats`, `key`, `kind` (or `shape`), `mood` (words parted by `;` or `,`),
    `energy`, `set`, `isrc`, `iswc`, `meter`, `tail`, `trim` and `accept-silence` (`yes` or `no`). An empty
    cell declares nothing. Raises `BadDeclaration`, which names the line, or the column that looks like a slip
    of a known one; also for a path that is not a regular file, or for more than `MOST_MANIFEST_BYTES`. Raises
    `OSError` when the file cannot be read.
    """
    data = _read(manifest)
    is_json = manifest.suffix.lower() == ".json"
    read = rows_of_json(manifest, data) if is_json else rows_of_csv(manifest, data, COLUMNS)
    if (read.rows or not is_json) and not any(name in read.columns for name in _NAME):
        raise BadDeclaration(f"{visible(manifest)} has no column 'name' for the files")
    if not read.rows:
        raise BadDeclaration(f"{visible(manifest)} names no files")
    unread, wrong = _checked_columns(read.columns, common)
    # A column that is missing is a fault once, and not in each row.
    common = (
        replace(common, holder=common.holder or "holder", role=common.role or "role") if wrong else common
    )
    offers: list[Declared] = []
    places: dict[str, str] = {}
    faults = [*wrong, *read.faults]
    for where, cells in read.rows:
        try:
            offer = _of_row(folder, cells, common)
            same = _composed(offer.path)
            if places.setdefault(same, where) != where:
                raise BadDeclaration(f"'{visible(offer.path.name)}' is named in {places[same]} already")
            offers.append(offer)
        except BadDeclaration as error:
            faults.append((where, str(error)))
    if faults:
        raise BadDeclaration(_said_together(manifest, faults))
    return offers, unread


def named_in(
    rows: Sequence[Declared], listing: Listing, manifest: Path, folder: Path
) -> tuple[list[Declared], list[Listing]]:
    """The declarations of files that are there, and what the folder has otherwise.

    Names that differ only in how Unicode writes them are the same. A file that is not there is refused, with
    the name that is most like it.
    """
    there = {_composed(path): path for path in listing.sounds}
    others = {
        _composed(path): path
        for path in (*(each.path for each in listing.passed), *(each.path for each in listing.refused))
    }
    offers: list[Declared] = []
    missing: list[Refusal] = []
    names = [os.path.relpath(path, folder) for path in listing.sounds]
    for row in rows:
        path = there.pop(_composed(row.path), None) or others.get(_composed(row.path))
        if path is None and not os.path.lexists(row.path):
            name = os.path.relpath(row.path, folder)
            meant = nearest(name, names) if len(missing) < _MOST_COMPARED else None
            hint = f"; did you mean '{visible(meant)}'?" if meant else ""
            missing.append(Refusal(row.path, f"there is no such file{hint}"))
        else:
            offers.append(replace(row, path=path or row.path))
    named = {each.path for each in offers}
    unnamed = [PassedOver(path, f"{visible(manifest.name)} does not name it") for path in there.values()]
    beside = [
        each
        for each in listing.passed
        if each.path not in named and os.path.abspath(each.path) != os.path.abspath(manifest)
    ]
    refused = [each for each in listing.refused if each.path not in named]
    return offers, [Listing((), (*unnamed, *beside), (*missing, *refused))]


def _composed(path: Path) -> str:
    return unicodedata.normalize("NFC", os.path.normpath(path))


def _of_row(folder: Path, cells: Mapping[str, str], common: Defaults) -> Declared:
    name = next((cells[each] for each in _NAME if cells.get(each)), "")
    if not name:
        raise BadDeclaration("no file is named")
    return _complete(common, _within(folder, name), cells)


def _said_together(manifest: Path, faults: Sequence[Fault]) -> str:
    lines = [f"{where}: {fault}" if where else fault for where, fault in faults[:MOST_FAULTS_SHOWN]]
    if len(faults) == 1:
        return f"{visible(manifest)}{', ' if faults[0][0] else ': '}{lines[0]}"
    more = [f"and {len(faults) - MOST_FAULTS_SHOWN} more"] if len(faults) > MOST_FAULTS_SHOWN else []
    return "\n  ".join(
        (f"{visible(manifest)} has {len(faults)} faults, and nothing was added:", *lines, *more)
    )


def _within(folder: Path, name: str) -> Path:
    """The file of that name in the folder. Raises `BadDeclaration` for a name that leads out of it."""
    path = folder / name
    if "\\" in name and not os.path.lexists(path):
        # From a table that was made on Windows.
        path = folder / name.replace("\\", "/")
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise BadDeclaration(
            f"'{visible(name)}' is not within {visible(folder)}, in which the manifest's files are"
        )
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


def _checked_columns(columns: Sequence[str], common: Defaults) -> tuple[tuple[str, ...], list[Fault]]:
    """The unknown columns; and as faults slips among them, and holder or role if they are given nowhere."""
    unread = tuple(column for column in columns if column and column not in COLUMNS)
    faults = []
    for column in unread:
        meant = nearest(column, COLUMNS, least=SURE)
        if meant is not None:
            faults.append(("", f"column '{visible(column)}' is unknown; did you mean '{meant}'?"))
    for needed, given in (("holder", common.holder), ("role", common.role)):
        if needed not in columns and not given:
            faults.append(
                ("", f"it has no column '{needed}': add one, or say --{needed} for all of its files")
            )
    return unread, faults


def number(what: str, text: str) -> Fraction:
    """An exact number, as `120`, `97.5` or `400/3`. Raises `BadDeclaration`."""
    text = text.strip()
    try:
        if _NUMBER.fullmatch(text):
            return Fraction(text)
    except ZeroDivisionError:
        pass  # Worded with the rest.
    if re.fullmatch(r"[+-]?[0-9]{1,12},[0-9]{1,20}", text):
        raise BadDeclaration(f"{what} is written with a point: {text.replace(',', '.')}, not {text}")
    shown = visible(text if len(text) <= 40 else text[:40] + "...")
    raise BadDeclaration(f"{what} is a number, not '{shown}'")


def _complete(common: Defaults, path: Path, cells: Mapping[str, str]) -> Declared:
    holder = cells.get("holder") or common.holder
    role = cells.get("role") or common.role
    if not holder:
        raise BadDeclaration(f"{visible(path.name)} has no holder: add --holder")
    if not role:
        raise BadDeclaration(
            f"{visible(path.name)} has no role: add --role (beats, bass, harmony, pads, tops, melody ...)"
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
        meter=cells.get("meter") or given.meter,
        tail=cells.get("tail") or given.tail,
        trim=_yes("trim", cells.get("trim"), given.trim),
        accept_silence=_yes("accept-silence", cells.get("accept-silence"), given.accept_silence),
    )


def _yes(what: str, text: str | None, otherwise: bool) -> bool:
    match (text or "").lower():
        case "":
            return otherwise
        case "yes" | "true" | "1":
            return True
        case "no" | "false" | "0":
            return False
    raise BadDeclaration(f"{what} is yes or no, not '{text}'")


def _whole(what: str, text: str | None) -> int | None:
    if not text:
        return None
    value = number(what, text)
    if value.denominator != 1:
        raise BadDeclaration(f"{what} is a whole number, not '{visible(text)}'")
    return int(value)
