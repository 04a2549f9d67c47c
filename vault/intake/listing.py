"""What a folder or a zip file holds: the sounds that are offered, and every other file with a reason."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...ground.visible import visible
from ..errors import BadDeclaration, Refused
from ..sound.archive import ENDING, directory_of, is_archive
from .intake import Intake, PassedOver, Refusal

SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64",
    ".wav",
))  # fmt: skip
"""The names that folders are searched for. A file that is given itself is decoded, whatever its name."""

HIDDEN = "it is hidden"

_INSTEAD = "export WAV, AIFF or FLAC"
_REASONS = {
    f"a kind of sound that is not taken: {_INSTEAD}":
        ".3gp .aac .ac3 .alac .amr .ape .dff .dsf .m4a .m4b .m4r .mka .mp2 .mp4 .mpc .ofr .ra .sd2 "
        ".spx .tta .voc .weba .wma .wv",
    f"slices of a loop: {_INSTEAD}": ".rex .rx2 .rcy",
    "notes and no sound": ".mid .midi .kar .syx .musicxml",
    "a project and no sound: export its stems": ".als .alp .asd .aup .aup3 .band .bwproject .cpr .logicx "
        ".flp .npr .ptf .ptx .reason .rns .rpp .ses .sesx .song .xrns .xpj",
    "an instrument and no recording": ".adg .adv .exs .fxp .nki .nkm .nkx .ncw .sf2 .sf3 .sfz .sxt",
    "an archive: unpack it": ".7z .gz .rar .tar .tgz .xz",
    "a zip file: name it to add what is in it": ENDING,
    "a picture": ".bmp .gif .heic .jpeg .jpg .png .svg .webp",
    "a film": ".avi .mkv .mov .webm",
    "a text": ".csv .doc .docx .htm .html .json .log .md .nfo .pdf .rtf .txt .url .xls .xlsx .xml",
}  # fmt: skip
_BY_ENDING = {ending: reason for reason, endings in _REASONS.items() for ending in endings.split()}


@dataclass(frozen=True, slots=True)
class Listing:
    """In the order of their paths; each file is in one of the three."""

    sounds: tuple[Path, ...]
    passed: tuple[PassedOver, ...]
    refused: tuple[Refusal, ...]
    """What cannot be read, and may have held sounds."""


def listings(paths: Sequence[Path], *, may_be_empty: bool = False) -> list[Listing]:
    """What each path offers: a folder or zip file what is in it, any other file itself.

    Raises `BadDeclaration` for a zip file that is not read, and for one or a folder without any sound, unless
    it `may_be_empty`.
    """
    return [_listing(path, may_be_empty) for path in paths]


def is_listed(path: Path) -> bool:
    """Whether it is a folder or a zip file."""
    return path.is_dir() or is_archive(path)


def with_listings(intake: Intake, listings: Sequence[Listing]) -> Intake:
    """The report with what the listings tell of the files that were not offered."""
    return Intake.of([
        intake,
        *(Intake(refused=each.refused, passed=each.passed) for each in listings),
    ])  # fmt: skip


def _listing(path: Path, may_be_empty: bool) -> Listing:
    if path.is_dir():
        found = of_folder(path)
    elif is_archive(path):
        try:
            found = of_archive(path)
        except Refused as error:
            raise BadDeclaration(f"{visible(path)}: {error}") from error
    else:
        return Listing((path,), (), ())
    if not found.sounds and not found.refused and not may_be_empty:
        beside = "; ".join(f"{visible(each.path)}: {each.reason}" for each in found.passed[:3])
        more = f" (passed over: {len(found.passed)}, such as {beside})" if beside else ""
        raise BadDeclaration(f"there are no audio files in {visible(path)}{more}")
    return found


def of_folder(folder: Path) -> Listing:
    """All files of a folder, and of those in it; a folder that is not entered is one entry."""
    sounds: list[Path] = []
    passed: list[PassedOver] = []
    refused: list[Refusal] = []
    for path, is_folder, trouble in _walk(folder):
        if trouble is not None:
            refused.append(Refusal(path, trouble))
            continue
        reason = _not_offered(path.name, is_folder=is_folder)
        if reason is None:
            sounds.append(path)
        else:
            passed.append(PassedOver(path, reason))
    return Listing(tuple(sounds), tuple(passed), tuple(refused))


def of_archive(archive: Path) -> Listing:
    """All files of a zip file, as `pack.zip/A/01.wav`. Raises `Refused` for one that is not read at all."""
    held = directory_of(archive)
    sounds: list[Path] = []
    passed: list[PassedOver] = []
    refused: list[Refusal] = []
    for name in sorted({*held.members, *held.refused}, key=lambda name: name.split("/")):
        path = archive / name.lstrip("/")
        *above, last = name.split("/")
        reason = next((HIDDEN for part in above if _hidden(part)), None) or _not_offered(
            last, is_folder=False
        )
        if reason is not None:
            passed.append(PassedOver(path, reason))
        elif name in held.refused:
            refused.append(Refusal(path, held.refused[name]))
        else:
            sounds.append(path)
    return Listing(tuple(sounds), tuple(passed), tuple(refused))


def _walk(folder: Path) -> Iterator[tuple[Path, bool, str | None]]:
    """The path of each file; of a folder only if it is not entered (True), or cannot be (its trouble)."""
    # A list instead of calls: folders may lie deeper in one another than calls can.
    left: list[tuple[Path, bool]] = [(folder, True)]
    while left:
        path, enter = left.pop()
        if not enter:
            yield path, path.is_dir(), None
            continue
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield path, True, f"the folder cannot be listed: {error.strerror}"
            continue
        left += [
            (path / entry.name, entry.is_dir(follow_symlinks=False) and not _kept_out(path / entry.name))
            for entry in entries
        ]


def _not_offered(name: str, *, is_folder: bool) -> str | None:
    if _hidden(name):
        return HIDDEN
    if is_folder:
        return "a link to a folder, or a home of Stemloom: name the folder itself"
    ending = os.path.splitext(name)[1].lower()
    return None if ending in SUFFIXES else _BY_ENDING.get(ending, "no kind of sound that is known")


def _kept_out(folder: Path) -> bool:
    return _hidden(folder.name) or (folder / "vault" / "catalogue.db").exists()


def _hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"
