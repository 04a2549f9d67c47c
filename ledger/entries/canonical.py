"""The one byte form of an entry.

UTF-8 JSON without white space, keys in the order of the record, integers only. For every entry
`decode(encode(entry)) == entry`, and for every `data` that `decode` takes, `encode(decode(data)) == data`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from ..clock import milliseconds_of
from ..errors import BadEntry
from .entries import ID, Entry, Placement, ms_of

_T = TypeVar("_T")

LARGEST_ENTRY = 65_535
"""Bytes: an entry bundle writes the length as a uint16."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_placements = msgspec.json.Decoder(Placement)
_TIMES = ("time", "until", "effective", "received")
PLACEMENT = b'{"kind":"placement",'
"""How a placement begins."""
_OFTEN = 1 << 14
milliseconds = lru_cache(_OFTEN)(milliseconds_of)
"""`clock.milliseconds_of`, for times that occur again and again."""
_is_id = lru_cache(_OFTEN)(re.compile(ID).match)


def encode(entry: Entry) -> bytes:
    """The canonical bytes of `entry`. Raises BadEntry for values that its record does not allow.

    Records do not check themselves when they are made, so the bytes are read back: a log accepts only entries
    that can be read from it again.
    """
    try:
        data = _encoder.encode(entry)
    except (TypeError, UnicodeEncodeError, OverflowError) as error:
        raise BadEntry(f"an entry of the kind {_kind(entry)} cannot be written: {error}") from error
    if decode(data) != entry:
        raise BadEntry(f"an entry of the kind {_kind(entry)} reads back as another one")
    return data


class PlacementForm:
    """The canonical bytes of placements that differ only in the part that was heard, without making records.

    `like`: any of them, without `recovered`. Raises BadEntry for values that its record does not allow.
    """

    __slots__ = ("_form", "_rate")

    def __init__(self, like: Placement) -> None:
        def text(value: str) -> str:
            return _encoder.encode(value).decode().replace("%", "%%")

        self._rate = like.rate
        self._form = (
            f'{{"kind":"placement","v":1,"session":{text(like.session)},"seq":%d,"stem":{text(like.stem)},'
            f'"use":{text(like.use)},"tier":{text(like.tier)},"role":{text(like.role)},'
            f'"part":{text(like.part)},"section":{text(like.section)},"line":{like.line},"start_frame":%d,'
            f'"frames":%d,"rate":{like.rate},"start":"%s","ms":%d,"consent":{like.consent}}}'
        )
        if self.fill(like.seq, like.start_frame, like.frames, like.start) != encode(like):
            raise BadEntry("a placement is not written as its record says")

    def fill(self, seq: int, start_frame: int, frames: int, start: str) -> bytes:
        """The bytes of one of them; `start` is a time from `clock`. Its ms follow from the frames."""
        return (self._form % (seq, start_frame, frames, start, ms_of(frames, self._rate))).encode()


def decode(data: bytes) -> Entry:
    """The entry of canonical bytes. Raises BadEntry for anything that does not re-encode to `data`."""
    if len(data) > LARGEST_ENTRY:
        raise BadEntry(f"an entry has at most {LARGEST_ENTRY} bytes, this one has {len(data)}")
    if data.startswith(PLACEMENT):
        return decode_placement(data)
    entry = _read(_decoder, data)
    for field in _TIMES:
        text = getattr(entry, field, None)
        if isinstance(text, str):
            try:
                milliseconds_of(text)
            except ValueError as error:
                raise BadEntry(f"the entry's {field} is not a time: {error}") from error
    return entry


def decode_placement(data: bytes) -> Placement:
    """The same for bytes that begin with `PLACEMENT` and are not longer than `LARGEST_ENTRY`."""
    entry = _read(_placements, data)
    for name in (entry.session, entry.stem):
        if not _is_id(name):
            raise BadEntry(f"not an entry: {name!r} is not an id")
    try:
        milliseconds(entry.start)
    except ValueError as error:
        raise BadEntry(f"the entry's start is not a time: {error}") from error
    return entry


def _read(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    try:
        entry = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEntry(f"not an entry: {error}") from error
    if _encoder.encode(entry) != data:
        raise BadEntry("the entry is not in canonical form: its record writes other bytes")
    return entry


def dumps(value: msgspec.Struct | Sequence[msgspec.Struct] | Mapping[str, object]) -> bytes:
    """Canonical JSON of a record, a list of records, or fields by name in their given order."""
    return _encoder.encode(value)


def digest(value: msgspec.Struct | Sequence[msgspec.Struct]) -> str:
    """SHA-256 of `dumps(value)`, in lower-case hex."""
    return hashlib.sha256(dumps(value)).hexdigest()


def _kind(entry: Any) -> str:
    config = getattr(entry, "__struct_config__", None)
    return repr(config.tag if config is not None else type(entry).__name__)
