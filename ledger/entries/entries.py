"""The kinds of ledger entry: one frozen record for each kind; its field order is the canonical key order.

Every entry is `{"kind": ..., "v": 1, ...}`. All numbers are integers of at most 2^53 - 1, all times are
RFC 3339 UTC with milliseconds, all shares are parts per million, all money is micro-units of a currency.
`canonical.py` turns an entry into its one byte form and back.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .fields import (
    AUDIBLE as AUDIBLE,
    ID as ID,
    WHOLE_PPM as WHOLE_PPM,
    Bearer as Bearer,
    Count as Count,
    Currency as Currency,
    Digest as Digest,
    Extent as Extent,
    GapReason as GapReason,
    Id as Id,
    InPlay as InPlay,
    Meter as Meter,
    OftenId as OftenId,
    OftenTime as OftenTime,
    PeriodLength as PeriodLength,
    Positive as Positive,
    Ppm as Ppm,
    Record,
    Recovered as Recovered,
    Source as Source,
    Tier as Tier,
    Time as Time,
    Use as Use,
    Word as Word,
)
from .money_entries import (
    Correction as Correction,
    Income as Income,
    Payout as Payout,
    SettledHolder as SettledHolder,
    SettledStem as SettledStem,
    Settlement as Settlement,
    Terms as Terms,
)


class Holder(Record, frozen=True, kw_only=True, tag="holder"):
    """A rights-holder joins. `proof` is the key's own signature (see "Signed statements")."""

    time: Time
    holder: Id
    name: Digest
    """Salted commitment to the name; the text is in the vault's catalogue."""
    public_key: Annotated[str, Meta(min_length=44, max_length=44)]
    """Ed25519, 32 bytes, base64."""
    custody: Literal["self", "operator"]
    proof: Annotated[str, Meta(min_length=88, max_length=88)]
    expires: Time | UnsetType = UNSET
    """As in splits."""
    received: Time | UnsetType = UNSET
    """As in splits."""


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party's part of a stem's master or publishing side."""

    holder: Id
    ppm: Ppm


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A holder's signature over the root of a list of recordings, and the place of one in it."""

    time: Time
    expires: Time
    """Until when the recordings may come into the log."""
    count: Positive
    """How many there are in the list."""
    index: Count
    """The place of this one, from 0."""
    root: Digest
    path: tuple[Digest, ...]
    """The hashes from its leaf to the root (RFC 6962, section 2.1.1)."""
    signature: Annotated[str, Meta(min_length=88, max_length=88)]


class Stem(Record, frozen=True, kw_only=True, tag="stem"):
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
    signed: Signed | UnsetType = UNSET
    """Its holder's word on all of this; left out in entries of before, which are the log's word alone."""


class Declaration(Record, frozen=True, kw_only=True, tag="declaration"):
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
    expires: Time | UnsetType = UNSET
    """As in splits."""
    received: Time | UnsetType = UNSET
    """As in splits."""


class Removal(Record, frozen=True, kw_only=True, tag="removal"):
    """A recording leaves the vault: its original file and everything made from it are deleted."""

    time: Time
    stem: Id
    file_sha256: Digest
    """Of the original file, which is deleted."""


class Key(Record, frozen=True, kw_only=True, tag="key"):
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
    expires: Time | UnsetType = UNSET
    """As in splits."""
    received: Time | UnsetType = UNSET
    """As in splits."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party agrees that their share falls, by signing the same message as the holder."""

    holder: Id
    signature: Annotated[str, Meta(min_length=88, max_length=88)]


class Splits(Record, frozen=True, kw_only=True, tag="splits"):
    """Who owns a stem from `time` on, or from `received` on. The stem's holder signs it."""

    time: Time
    stem: Id
    holder: Id
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]
    signature: Annotated[str, Meta(min_length=88, max_length=88)]
    approvals: tuple[Approval, ...] | UnsetType = UNSET
    """By the parties whose share falls, sorted by id; left out if there are none."""
    title: Word | UnsetType = UNSET
    """The stem's, as it was declared last: whoever signs reads it. This and what follows is left out in
    statements of before."""
    previous: Digest | UnsetType = UNSET
    """SHA-256 of the entry that set the shares before, the stem's own or splits, in its one form."""
    expires: Time | UnsetType = UNSET
    """Until when the statement may come into the log."""
    received: Time | UnsetType = UNSET
    """When the log took it in, if it was signed elsewhere: it holds from then on. Not signed itself."""


class Consent(Record, frozen=True, kw_only=True, tag="consent"):
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
    title: Word | UnsetType = UNSET
    """As in splits."""
    expires: Time | UnsetType = UNSET
    """As in splits."""

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


class Likeness(Record, frozen=True, kw_only=True, tag="likeness"):
    """Two stems are one sound, as the fingerprint has it. From the next period on they are of one group."""

    time: Time
    stem: Id
    """The one that was compared: it came later."""
    like: Id
    """The one that it is like."""
    score_milli: Annotated[int, Meta(ge=0, le=1000)]
    """The part of the sound that is the other's, at one and the same place; of short ones their likeness."""
    fingerprint: Positive
    """The version of the fingerprint that compared them."""
    played: Word | UnsetType = UNSET
    """How it is played, where it is not as the other is."""


class Distinct(Record, frozen=True, kw_only=True, tag="distinct"):
    """Two stems are no one sound after all: a likeness ends, from the next period on."""

    time: Time
    likeness: Count
    """Index of the entry that ends."""
    asked: Id
    """The holder who contested it."""
    reason: Word
    """What the operator, who writes this, heard."""


class LastUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a session last had a stem in play."""

    session: Id
    until: Time
    """The end of its last placement: start plus milliseconds."""


class Receipt(Record, frozen=True, kw_only=True, tag="receipt"):
    """A withdrawal has taken full effect. This names each session's last millisecond with the stem."""

    time: Time
    withdrawal: Count
    """Index of the withdrawal."""
    stem: Id
    sessions: tuple[LastUse, ...]
    """The sessions that used the stem under a grant that the withdrawal ended, sorted by id."""
    open: tuple[Id, ...]
    """Sessions that had begun before the withdrawal and were not closed: their last use may be missing."""


class Standing(Record, frozen=True, kw_only=True, tag="standing"):
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
    expires: Time | UnsetType = UNSET
    """As in splits."""

    @property
    def since(self) -> str:
        """When it comes into force."""
        return self.time if isinstance(self.received, UnsetType) else self.received

    @property
    def extent(self) -> tuple[Extent, ...]:
        """What it allows to be done to the sound."""
        return extent_of(self.action, self.allows)


class Session(Record, frozen=True, kw_only=True, tag="session"):
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
    receipt_key: Annotated[str, Meta(min_length=44, max_length=44)] | UnsetType = UNSET
    """The key that signs the session's receipts: Ed25519, 32 bytes, base64. Left out by sessions that sign
    none."""
    in_play: InPlay | UnsetType = UNSET
    """The rule by which its placements count what is in play; left out for the one without a name."""
    rate: Positive | UnsetType = UNSET
    """Frames a second. Left out, with all that follows, by versions that did not say it yet."""
    voices: Positive | UnsetType = UNSET
    """How many sounds there can be at once; at closing, how many there were at most."""
    polyphony: Count | UnsetType = UNSET
    """At closing: how many sounds there were at most at once of one stem by one script line. Left out, with
    `frames`, if the process died."""
    frames: Count | UnsetType = UNSET
    """At closing: how long its sound is."""


class Placement(Record, frozen=True, kw_only=True, tag="placement"):
    """One contiguous sounding of one stem by one script line, as it was heard."""

    session: OftenId
    seq: Count
    """Gapless per session from 0, in order of end frame, then voice."""
    stem: OftenId
    use: Use
    tier: Tier
    role: Word
    part: Word
    section: Word
    line: Positive
    start_frame: Count
    """On the session's frame counter."""
    frames: Count
    """Frames in play, by the rule that the session names."""
    rate: Positive
    start: OftenTime
    """Wall clock at which it was mixed; period, consent and expiry follow it."""
    ms: Count
    """`frames` in milliseconds, rounded half to even."""
    consent: Count
    """Index of the grant in force."""
    recovered: Recovered | UnsetType = UNSET
    """Set if the process died while it sounded; else left out."""
    span: Positive | UnsetType = UNSET
    """Frames from its begin to its end, of which `frames` were in play; left out where the session names no
    rule."""

    @property
    def sounding(self) -> int:
        """For how many frames it sounded, at the least."""
        return self.frames if isinstance(self.span, UnsetType) else self.span


class Gap(Record, frozen=True, kw_only=True, tag="gap"):
    """Records of placements are lost: how many, and why."""

    time: Time
    session: Id | None
    """If it is known."""
    placements: Count | None
    """How many are lost, if that is known."""
    reason: GapReason


Entry = (
    Holder
    | Key
    | Stem
    | Declaration
    | Removal
    | Splits
    | Consent
    | Likeness
    | Distinct
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
