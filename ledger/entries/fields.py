"""What the fields of entries may hold, and what each entry begins with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

WHOLE_PPM = 1_000_000
"""A whole, in parts per million: the sum of each split set."""

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Ppm = Annotated[int, Meta(ge=0, le=WHOLE_PPM)]
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z"
Time = Annotated[str, Meta(min_length=24, max_length=24, pattern=_TIME)]
Digest = Annotated[str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hex."""
ID = r"^[a-z][0-9a-f]+\Z"
Id = Annotated[str, Meta(min_length=2, max_length=64, pattern=ID)]
"""`h...` a holder, `s...` a stem, `x...` a session."""
# For placements, of which there are millions: `canonical.decode` checks these patterns once for each text.
OftenId = Annotated[str, Meta(min_length=2, max_length=64, extra_json_schema={"pattern": ID})]
OftenTime = Annotated[str, Meta(min_length=24, max_length=24, extra_json_schema={"pattern": _TIME})]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Meter = Annotated[str, Meta(min_length=3, max_length=5, pattern=r"^([1-9]|[12][0-9]|3[0-2])/(2|4|8|16)\Z")]
"""Beats of a bar, and the note value of a beat, such as `3/4`."""
Use = Literal["stream", "live", "export", "sync"]
Extent = Literal["chop", "pitch", "stretch"]
"""What may be done to the sound: cut up, played at notes; brought to another tempo and key."""
Tier = Literal["free", "subscriber", "developer", "enterprise"]
Currency = Annotated[str, Meta(min_length=3, max_length=3, pattern="^[A-Z]{3}$")]
Recovered = Literal["crash", "power loss"]
"""How a process ended before its session did: heard frames are known to a block, or to a second."""
GapReason = Literal["disk full", "disk failed", "overflow", "damaged journal"]
InPlay = Literal["audible-1"]
"""By which rule it is counted what is in play; docs/ledger-format.md has their texts. Where none is named, a
frame is in play whose dry gain is above -60 dB."""
AUDIBLE: InPlay = "audible-1"
Source = Literal["subscription", "enterprise", "export", "sync"]
PeriodLength = Literal["month", "quarter", "year", "days"]
"""The length of the periods that are settled: of the calendar, or any whole days."""
Bearer = Literal["receivers"]
"""Who bears what corrections of settled income take back: those who were given it."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every entry begins with: its kind, and the version of its form."""

    v: Literal[1] = 1
