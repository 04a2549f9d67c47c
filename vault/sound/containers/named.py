"""The kinds of files that are not taken, by their first bytes: each is named, with what is taken instead."""

from __future__ import annotations

import re

from .reading import File

_INSTEAD = "export WAV, AIFF or FLAC"
_SEARCHED = 1 << 22
"""How much of an MP4 file is searched, at either end, for the kind of its sound."""
_CODECS = {
    b"alac": "ALAC",
    b"mp4a": "AAC",
    b"ac-3": "AC-3",
    b"ec-3": "E-AC-3",
    b"fLaC": "FLAC",
    b"Opus": "Opus",
}
_KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind, instead)
    for pattern, kind, instead in (
        (rb"wvpk", "WavPack", _INSTEAD),
        (rb"MAC ", "Monkey's Audio", _INSTEAD),
        (rb"TTA[12]", "TTA", _INSTEAD),
        (rb"OFR ", "OptimFROG", _INSTEAD),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA)", _INSTEAD),
        (rb"MThd|RIFF....RMID", "a MIDI file", "it holds notes and no sound; " + _INSTEAD),
        (rb"CAT ....REX2|REX2", "REX2", "export its slices or the loop as WAV, AIFF or FLAC"),
        (rb"FRM8|DSD ", "DSD", _INSTEAD),
        (rb"\x1a\x45\xdf\xa3", "Matroska or WebM", _INSTEAD),
        (rb"#!AMR", "AMR", _INSTEAD),
        (rb"FORM....8SVX", "8SVX", _INSTEAD),
        (rb"RIFF....AVI ", "AVI", _INSTEAD),
        (rb"MPCK|MP\+", "Musepack", _INSTEAD),
        (rb"\x0b\x77", "AC-3", _INSTEAD),
        (rb"FLhd", "a project of FL Studio", "export its stems as WAV, AIFF or FLAC"),
        (rb"<REAPER_PROJECT", "a project of Reaper", "export its stems as WAV, AIFF or FLAC"),
        (rb"PK\x03\x04", "an archive", "unpack it first"),
        (rb"Rar!|7z\xbc\xaf", "an archive", "unpack it first"),
        (
            rb"\x1f\x8b",
            "a compressed file, as projects of Ableton Live are,",
            "export its stems as WAV, AIFF or FLAC",
        ),
        (rb"%PDF", "a PDF", "it holds no sound"),
        (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", "it holds no sound"),
        (rb"\x1bSpeex", "Speex", _INSTEAD),
    )
)


def not_taken(file: File, end: int) -> str | None:
    """A sentence for a kind that is known and not taken."""
    file.seek(0)
    head = file.read(64)
    if head[4:8] == b"ftyp":
        return f"{_in_mp4(file, end)} in MP4 is not taken: {_INSTEAD}"
    if head[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return f"AAC is not taken: {_INSTEAD}"
    for pattern, kind, instead in _KINDS:
        if pattern.match(head):
            return f"{kind} is not taken: {instead}"
    return None


def _in_mp4(file: File, end: int) -> str:
    """The codec that the sample descriptions of an MP4 file name (ISO 14496-12, 8.5.2)."""
    for start in (0, max(end - _SEARCHED, 0)):
        file.seek(start)
        data = file.read(_SEARCHED)
        at = data.find(b"stsd")
        while at >= 0:
            codec = _CODECS.get(data[at + 16 : at + 20])
            if codec is not None:
                return codec
            at = data.find(b"stsd", at + 4)
    return "sound"
