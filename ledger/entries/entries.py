"""The kinds of ledger entry: one frozen record for each kind; its field order is the canonical key order.

Every entry is `{"kind": ..., "v": 1, ...}`. All numbers are integers of at most 2^53 - 1, all times are
RFC 3339 UTC with milliseconds, all shares are parts per million, all money is micro-units of a currency.
`canonical.py` turns an entry into its one byte form and back.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

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
_OftenId = Annotated[str, Meta(min_length=2, max_length=64, extra_json_schema={"pattern": ID})]
_OftenTime = Annotated[str, Meta(min_length=24, max_length=24, extra_json_schema={"pattern": _TIME})]
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
Source = Literal["subscription", "enterprise", "export", "sync"]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    v: Literal[1] = 1


class Holder(_Entry, frozen=True, kw_only=True, tag="holder"):
    """A rights-holder joins. `proof` is the key's own signature (see "Signed statements")."""

    time: Time
    holder: Id
    name: Digest
    """Salted commitment to the name; the text is in the vault's catalogue."""
    public_key: Annotated[str, Meta(min_length=44, max_length=44)]
    """Ed25519, 32 bytes, base64."""
    custody: Literal["self", "operator"]
    proof: Annotated[str, Meta(min_length=88, max_length=88)]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party's part of a stem's master or publishing side."""

    holder: Id
    ppm: Ppm


class Stem(_Entry, frozen=True, kw_only=True, tag="stem"):
    """A recording enters the vault, with its declared properties and its owners."""

    time: Time
    stem: Id
    holder: Id
    pcm_sha256: Digest
    """Of the decoded samples; `vault/sound/pcm_identity.py` defines the exact bytes."""
    file_sha256: Digest
    """Of the holder's original file."""
    title: Word
    role: Word
    shape: Literal["loop", "sustained", "hit", "song"]
    bpm_milli: Positive | None
    """Thousandths of a beat per minute."""
    beats: Positive | None
    key: Word | None
    """`C major` or `A# minor`, if it is known."""
    mood: tuple[Word, ...]
    energy_milli: Annotated[int, Meta(ge=0, le=1000)]
    set: Word | None
    isrc: Word | None
    """Of the recording."""
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]
    iswc: Word | UnsetType = UNSET
    """Of the musical work; left out if none was declared."""
    meter: Meter | UnsetType = UNSET
    """Left out for 4/4."""
    lead_frames: Positive | UnsetType = UNSET
    """Frames of silence that were cut off in front, at the original's rate; left out if none were."""
    tail: Literal["cut", "wrap"] | UnsetType = UNSET
    """What became of what follows the last bar of a loop: it was cut off with a fade, or mixed onto the
    loop's beginning. Left out for a loop that is fitted as a whole."""
    song: Word | UnsetType = UNSET
    """The song of which it is a whole stem, from its bar 1; left out for all else."""


class Declaration(_Entry, frozen=True, kw_only=True, tag="declaration"):
    """What holds of a stem from here on, as a whole: its holder corrects what was declared before.

    Placements from before it keep what they say. `set`, `song` and the energy stay those of the stem's entry.
    """

    time: Time
    stem: Id
    holder: Id
    title: Word
    role: Word
    shape: Literal["loop", "sustained", "hit", "song"]
    bpm_milli: Positive | None
    beats: Positive | None
    key: Word | None
    mood: tuple[Word, ...]
    """Sorted, without repeats."""
    isrc: Word | None
    previous: Count
    """Index of the entry that declared it before: the stem's own, or its last declaration."""
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    iswc: Word | UnsetType = UNSET
    """As in a stem, and so are the next three."""
    meter: Meter | UnsetType = UNSET
    lead_frames: Positive | UnsetType = UNSET
    tail: Literal["cut", "wrap"] | UnsetType = UNSET


class Removal(_Entry, frozen=True, kw_only=True, tag="removal"):
    """A recording leaves the vault: its original file and everything made from it are deleted."""

    time: Time
    stem: Id
    file_sha256: Digest
    """Of the original file, which is deleted."""


class Key(_Entry, frozen=True, kw_only=True, tag="key"):
    """A holder's key is replaced. Both the old key and the new one sign it."""

    time: Time
    holder: Id
    """The id does not change: it follows from the first key."""
    public_key: Annotated[str, Meta(min_length=44, max_length=44)]
    """The new one: Ed25519, 32 bytes, base64."""
    custody: Literal["self", "operator"]
    replaced: Annotated[str, Meta(min_length=44, max_length=44)]
    """The key that it replaces."""
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    proof: Annotated[str, Meta(min_length=88, max_length=88)]
    """The new key's own signature."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party agrees that their share falls, by signing the same message as the holder."""

    holder: Id
    signature: Annotated[str, Meta(min_length=88, max_length=88)]


class Splits(_Entry, frozen=True, kw_only=True, tag="splits"):
    """Who owns a stem from `time` on. The stem's holder signs it."""

    time: Time
    stem: Id
    holder: Id
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    approvals: tuple[Approval, ...] | UnsetType = UNSET
    """By the parties whose share falls, sorted by id; left out if there are none."""


class Consent(_Entry, frozen=True, kw_only=True, tag="consent"):
    """A signed grant or withdrawal of consent for one stem."""

    time: Time
    origin: Word
    holder: Id
    stem: Id
    uses: tuple[Use, ...]
    """Sorted, without repeats, at least one."""
    action: Literal["grant", "withdraw"]
    until: Time | None
    previous: Count | None
    """Index of the holder's last consent entry on this stem, if there is one."""
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    received: Time | UnsetType = UNSET
    """When the log took it in, if it was signed elsewhere: it is in force from then on. Not signed itself."""
    allows: tuple[Extent, ...] | UnsetType = UNSET
    """Of a grant: what it allows, sorted, without repeats. One that leaves it out allows "stretch"."""

    @property
    def since(self) -> str:
        """When it comes into force."""
        return self.time if isinstance(self.received, UnsetType) else self.received

    @property
    def extent(self) -> tuple[Extent, ...]:
        """What it allows to be done to the sound."""
        return extent_of(self.action, self.allows)


def extent_of(action: str, allows: tuple[Extent, ...] | UnsetType) -> tuple[Extent, ...]:
    """What a statement allows. Grants from before it was asked allow what was done then: to stretch."""
    if isinstance(allows, UnsetType):
        return ("stretch",) if action == "grant" else ()
    return allows


class LastUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a session last had a stem in play."""

    session: Id
    until: Time
    """The end of its last placement: start plus milliseconds."""


class Receipt(_Entry, frozen=True, kw_only=True, tag="receipt"):
    """A withdrawal has taken full effect. This names each session's last millisecond with the stem."""

    time: Time
    withdrawal: Count
    """Index of the withdrawal."""
    stem: Id
    sessions: tuple[LastUse, ...]
    """The sessions that used the stem under a grant that the withdrawal ended, sorted by id."""
    open: tuple[Id, ...]
    """Sessions that had begun before the withdrawal and were not closed: their last use may be missing."""


class Standing(_Entry, frozen=True, kw_only=True, tag="standing"):
    """A holder's signed consent for future stems, or its end.

    A stem that enters while it is in force is cleared by it until the stem's own consent says otherwise.
    """

    time: Time
    origin: Word
    holder: Id
    uses: tuple[Use, ...]
    """Sorted, without repeats, at least one."""
    action: Literal["grant", "withdraw"]
    until: Time | None
    previous: Count | None
    """Index of the holder's last standing entry, if there is one."""
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    received: Time | UnsetType = UNSET
    """As in a consent."""
    allows: tuple[Extent, ...] | UnsetType = UNSET
    """As in a consent."""

    @property
    def since(self) -> str:
        """When it comes into force."""
        return self.time if isinstance(self.received, UnsetType) else self.received

    @property
    def extent(self) -> tuple[Extent, ...]:
        """What it allows to be done to the sound."""
        return extent_of(self.action, self.allows)


class Session(_Entry, frozen=True, kw_only=True, tag="session"):
    """A run of a player or render opens or closes. `take`, `placements` and `ms` are set at closing."""

    time: Time
    session: Id
    state: Literal["opened", "closed"]
    use: Use
    tier: Tier
    user: Digest
    """Salted commitment to the user's name."""
    script: Digest
    seed: Count
    vault: Digest
    """Hash of the candidates from which the session composes: `Snapshot.state_hash`."""
    engine: Word
    """Version of the engine."""
    licence: Word | None
    take: Digest | None
    placements: Count | None
    ms: Count | None
    recovered: Recovered | UnsetType = UNSET
    """Set if the process died and another one closed its session; else left out."""


class Placement(_Entry, frozen=True, kw_only=True, tag="placement"):
    """One contiguous sounding of one stem by one script line, as it was heard."""

    session: _OftenId
    seq: Count
    """Gapless per session from 0, in order of end frame, then voice."""
    stem: _OftenId
    use: Use
    tier: Tier
    role: Word
    part: Word
    section: Word
    line: Positive
    start_frame: Count
    """On the session's frame counter."""
    frames: Count
    """Frames in play: the voice active and its dry gain above -60 dB."""
    rate: Positive
    start: _OftenTime
    """Wall clock at which it was mixed; period, consent and expiry follow it."""
    ms: Count
    """`frames` in milliseconds, rounded half to even."""
    consent: Count
    """Index of the grant in force."""
    recovered: Recovered | UnsetType = UNSET
    """Set if the process died while it sounded; else left out."""


class Gap(_Entry, frozen=True, kw_only=True, tag="gap"):
    """Records of placements are lost: how many, and why."""

    time: Time
    session: Id | None
    """If it is known."""
    placements: Count | None
    """How many are lost, if that is known."""
    reason: GapReason


class Terms(_Entry, frozen=True, kw_only=True, tag="terms"):
    """The rules of division, in force for periods that start at or after `effective`."""

    time: Time
    effective: Time
    pool_ppm: tuple[tuple[Source, Ppm], ...]
    """The share of each income source that goes to the holders."""
    master_ppm: Ppm
    """The master side's share of a stem's amount; the rest is publishing."""
    threshold: Count
    """Least payout, in micro-units."""


class Income(_Entry, frozen=True, kw_only=True, tag="income"):
    """Money that came in for a period."""

    time: Time
    source: Source
    currency: Currency
    amount: Positive
    period: Word
    """`2026-11`, `2026-Q4`, `2026` or `2026-11-01..2026-11-30`."""
    reference: Word


class SettledStem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stem: Id
    ms: Count
    amount: Count


class SettledHolder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    holder: Id
    master: Count
    publishing: Count


class Settlement(_Entry, frozen=True, kw_only=True, tag="settlement"):
    """A period's income divided by milliseconds in play. Every sum is exact."""

    time: Time
    period: Word
    currency: Currency
    first: Count
    """Entries `first` to `last` of the log were read."""
    last: Count
    root: Digest
    """Merkle root of the log of `last` + 1 entries."""
    gross: Count
    """Income of the period, and late income of earlier ones."""
    pool: Count
    """What holders are given: the gross, less the operator's part by the terms and less corrections."""
    total_ms: Count
    unallocated: Count
    """The part of the pool that no placement earned: income for a period without placements."""
    stems: Digest
    """SHA-256 of the canonical JSON of the list of `SettledStem`, one for each stem heard, by id."""
    holders: Digest
    """SHA-256 of the canonical JSON of the list of `SettledHolder`, one for each of their owners, by id."""


class Payout(_Entry, frozen=True, kw_only=True, tag="payout"):
    """Money that was paid to a holder."""

    time: Time
    holder: Id
    currency: Currency
    amount: Positive
    reference: Word


class Correction(_Entry, frozen=True, kw_only=True, tag="correction"):
    """An income or a payout was entered wrongly: `amount` is added to it."""

    time: Time
    corrects: Count
    """Index of the entry."""
    amount: Annotated[int, Meta(ge=-(2**53 - 1), le=2**53 - 1)]
    reason: Word


Entry = (
    Holder
    | Key
    | Stem
    | Declaration
    | Removal
    | Splits
    | Consent
    | Receipt
    | Standing
    | Session
    | Placement
    | Gap
    | Terms
    | Income
    | Settlement
    | Payout
    | Correction
)


def ms_of(frames: int, rate: int) -> int:
    """Milliseconds of `frames` at `rate` Hz, rounded half to even, in exact integers."""
    whole, rest = divmod(frames * 1000, rate)
    if 2 * rest > rate or (2 * rest == rate and whole % 2 == 1):
        whole += 1
    return whole
