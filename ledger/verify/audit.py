"""The rules that a log's entries keep between them: who may say what, and what may sound under which consent.

`Audit` takes the entries in order and says what is wrong with each. Signatures are checked here; hashes are
checked by `rehash.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args

from ..clock import milliseconds_of, text_of
from ..division.money import check_currency
from ..division.periods import Period
from ..entries.entries import (
    Consent,
    Correction,
    Entry,
    Holder,
    Income,
    Key,
    Payout,
    Placement,
    Receipt,
    Removal,
    Session,
    Settlement,
    Share,
    Splits,
    Standing,
    Stem,
    Terms,
    Use,
    ms_of,
)
from ..entries.signing import (
    check_approval,
    check_consent,
    check_holder,
    check_key,
    check_shares,
    check_splits,
    check_standing,
    public_key_of,
)
from ..errors import LedgerError

if TYPE_CHECKING:
    from .sweep import Run

__all__ = ["GRACE_MS", "Audit"]

GRACE_MS = 500
"""A placement may begin until this long after a withdrawal's time; by then the stem is silent."""


@dataclass(slots=True)
class _Stem:
    holder: str
    master: Mapping[str, int]
    publishing: Mapping[str, int]
    standing: Mapping[str, int]
    """By use: the standing consents that were in force when it entered."""
    index: int
    """The entry of its entering, the last time."""
    time: str


@dataclass(slots=True)
class _Session:
    opened: Session
    index: int
    placements: int = 0
    ms: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class _Withdrawal:
    index: int
    time: str
    silent_from: str
    """What starts after this may not."""


@dataclass(slots=True)
class Audit:
    """The state of a log of the name `origin` after the entries taken so far.

    `trusted`: entries below this index were judged before; what they say is taken without their signatures.
    """

    origin: str
    trusted: int = 0
    _trusting: bool = False
    _keys: dict[str, bytes] = field(default_factory=dict)
    _stems: dict[str, _Stem] = field(default_factory=dict)
    _grants: dict[int, Consent | Standing] = field(default_factory=dict)
    _standing: dict[tuple[str, str], int] = field(default_factory=dict)
    _last_standing: dict[str, int] = field(default_factory=dict)
    _last_statement: dict[tuple[str, str], int] = field(default_factory=dict)
    _withdrawals: dict[tuple[str, str], list[_Withdrawal]] = field(default_factory=dict)
    _until: dict[tuple[str, str], int] = field(default_factory=dict)
    """By stem and session: the end of the last placement, in ms since 1970."""
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _money: dict[int, int] = field(default_factory=dict)
    """By index of an income or a payout: its amount, as corrected."""

    def take(self, index: int, entry: Entry) -> Iterator[str]:
        """What is wrong with the next entry, a sentence each. All of it must be consumed."""
        self._trusting = index < self.trusted
        try:
            match entry:
                case Placement():
                    yield from self._placement(index, entry)
                case Consent():
                    yield from self._consent(index, entry)
                case Session():
                    yield from self._session(index, entry)
                case Standing():
                    yield from self._take_standing(index, entry)
                case Holder():
                    yield from self._holder(entry)
                case Key():
                    yield from self._key(entry)
                case Stem():
                    yield from self._stem(index, entry)
                case Receipt():
                    yield from self._receipt(entry)
                case Removal():
                    if entry.stem not in self._stems:
                        yield f"the stem {entry.stem} is removed and was never here"
                case Splits():
                    yield from self._splits(entry)
                case Settlement():
                    if entry.first != 0 or entry.last >= index:
                        yield (
                            f"a settlement says it read entries {entry.first} to {entry.last}, "
                            f"which is not 0 to one before {index}"
                        )
                    if entry.pool > entry.gross or entry.unallocated > entry.pool:
                        yield "a settlement gives out more than came in"
                case Income() | Payout():
                    if isinstance(entry, Payout) and entry.holder not in self._keys:
                        yield f"a payout names {entry.holder}, who has not joined"
                    check_currency(entry.currency)
                    if isinstance(entry, Income):
                        Period.parse(entry.period)
                    self._money[index] = entry.amount
                case Correction():
                    if entry.corrects not in self._money:
                        yield f"a correction names entry {entry.corrects}, no income and no payout before it"
                        return
                    self._money[entry.corrects] += entry.amount
                    if self._money[entry.corrects] < 0:
                        yield f"entry {entry.corrects} is corrected to less than nothing"
                case Terms():
                    sources = [source for source, _ in entry.pool_ppm]
                    if len(set(sources)) != len(sources):
                        yield "terms name a source of income twice"
                    if entry.effective < entry.time:
                        yield f"terms are in effect from {entry.effective}, and were written after that"
        except LedgerError as error:
            yield str(error)

    def take_run(self, run: Run) -> bool:
        """Take a row of placements at once; whether they are all right. If not, this state is of no more use.

        The same questions as `_placement` asks of each; what each is in itself has been looked at.
        """
        for name, (seq, count, ms) in run.sessions.items():
            session = self._sessions.get(name)
            if session is None or session.closed or session.placements != seq:
                return False
            session.placements += count
            session.ms += ms
        for group, (earliest, latest, end) in run.groups.items():
            opened = self._sessions[group.session].opened
            if group.use != opened.use or group.tier != opened.tier:
                return False
            grant = self._grants.get(group.consent)
            if grant is None or group.use not in grant.uses:
                return False
            if not self._covers(grant, group.stem, group.use, group.consent):
                return False
            if earliest < grant.since or (grant.until is not None and latest >= grant.until):
                return False
            stood = self._stood_from(group.stem, group.use, group.consent, earliest)
            for gone in self._withdrawals.get((group.stem, group.use), ()):
                if gone.index > stood and latest > gone.silent_from:
                    return False
            place = group.stem, group.session
            self._until[place] = max(self._until.get(place, 0), end)
        return True

    def unclosed(self) -> Iterator[tuple[int, str]]:
        """Sessions that were opened and not closed, each by the index of its opening."""
        for name, session in self._sessions.items():
            if not session.closed:
                yield session.index, f"the session {name} was opened and not closed"

    def _holder(self, entry: Holder) -> Iterator[str]:
        if entry.holder in self._keys:
            yield f"the holder {entry.holder} joins a second time"
            return
        self._signed(check_holder, entry, self.origin)
        self._keys[entry.holder] = public_key_of(entry)

    def _key(self, entry: Key) -> Iterator[str]:
        known = self._keys.get(entry.holder)
        if known is None:
            yield f"the holder {entry.holder}, whose key is replaced, has not joined"
            return
        self._signed(check_key, entry, known, self.origin)
        self._keys[entry.holder] = public_key_of(entry)

    def _take_standing(self, index: int, entry: Standing) -> Iterator[str]:
        if entry.holder not in self._keys:
            yield f"a standing consent names {entry.holder}, who has not joined"
            return
        self._signed(check_standing, entry, self._keys[entry.holder], self.origin)
        last = self._last_standing.get(entry.holder)
        self._last_standing[entry.holder] = index
        if entry.action == "grant":
            if entry.previous != last:
                yield (
                    f"a standing consent names {_place(entry.previous)} as the last one of {entry.holder}, "
                    f"which is {_place(last)}"
                )
                return
            self._grants[index] = entry
        for use in entry.uses:
            self._standing.pop((entry.holder, use), None)
            if entry.action == "grant":
                self._standing[entry.holder, use] = index

    def _stands(self, holder: str, use: str, time: str) -> int | None:
        """The standing consent of a holder that is in force at a time."""
        index = self._standing.get((holder, use))
        grant = None if index is None else self._grants[index]
        return None if grant is None or (grant.until is not None and time >= grant.until) else index

    def _stem(self, index: int, entry: Stem) -> Iterator[str]:
        if entry.stem != f"s{entry.pcm_sha256[:20]}":
            yield f"the id {entry.stem} does not follow from the sound's hash"
        known = self._stems.get(entry.stem)
        if known is not None and known.holder != entry.holder:
            yield f"the stem {entry.stem} is {known.holder}'s and enters again as {entry.holder}'s"
            return
        if entry.holder not in self._keys:
            yield f"the holder {entry.holder} of the stem {entry.stem} has not joined"
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        master, publishing = _by_holder(entry.master), _by_holder(entry.publishing)
        if known is not None and (known.master, known.publishing) != (master, publishing):
            yield f"the stem {entry.stem} enters again with other shares; only its parties can change them"
        stands = {use: self._stands(entry.holder, use, entry.time) for use in get_args(Use)}
        self._stems[entry.stem] = _Stem(
            entry.holder,
            master,
            publishing,
            {use: grant for use, grant in stands.items() if grant is not None},
            index,
            entry.time,
        )

    def _splits(self, entry: Splits) -> Iterator[str]:
        stem = self._stems.get(entry.stem)
        if stem is None or entry.holder not in self._keys:
            yield f"splits are set for {entry.stem} by {entry.holder}, of which the log does not have both"
            return
        if entry.holder != stem.holder:
            yield f"splits of {entry.stem} are set by {entry.holder}, who is not its holder"
            return
        self._signed(check_splits, entry, self._keys[entry.holder], self.origin)
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        master, publishing = _by_holder(entry.master), _by_holder(entry.publishing)
        for before, after in ((stem.master, master), (stem.publishing, publishing)):
            for party, ppm in before.items():
                if after.get(party, 0) < ppm and party != stem.holder:
                    self._signed(check_approval, entry, party, self._keys[party], self.origin)
        stem.master, stem.publishing = master, publishing

    def _parties(self, stem: str, master: Sequence[Share], publishing: Sequence[Share]) -> Iterator[str]:
        check_shares("master", master)
        check_shares("publishing", publishing)
        for party in dict.fromkeys(share.holder for share in (*master, *publishing)):
            if party not in self._keys:
                yield f"{party}, who has a share in {stem}, has not joined"

    def _consent(self, index: int, entry: Consent) -> Iterator[str]:
        stem = self._stems.get(entry.stem)
        if stem is None or entry.holder not in self._keys:
            yield f"a consent names {entry.stem} and {entry.holder}, of which the log does not have both"
            return
        self._signed(check_consent, entry, self._keys[entry.holder], self.origin)
        last = self._last_statement.get((entry.holder, entry.stem))
        self._last_statement[entry.holder, entry.stem] = index
        if entry.action == "withdraw":
            if entry.holder != stem.holder and not stem.master.get(entry.holder):
                yield f"{entry.stem} is withdrawn by {entry.holder}, who has no master share in it"
                return
            silent = _EPOCH + timedelta(milliseconds=milliseconds_of(entry.since) + GRACE_MS)
            gone = _Withdrawal(index, entry.since, text_of(silent))
            for use in entry.uses:
                self._withdrawals.setdefault((entry.stem, use), []).append(gone)
            return
        if entry.holder != stem.holder:
            yield f"{entry.stem} is granted by {entry.holder}, who is not its holder"
        elif entry.previous != last:
            yield (
                f"a grant for {entry.stem} names {_place(entry.previous)} as its holder's last statement "
                f"on it, which is {_place(last)}"
            )
        else:
            self._grants[index] = entry

    def _receipt(self, entry: Receipt) -> Iterator[str]:
        gone = (each for (stem, _), all in self._withdrawals.items() if stem == entry.stem for each in all)
        if all(each.index != entry.withdrawal for each in gone):
            yield f"a receipt for {entry.stem} names entry {entry.withdrawal}, which is no withdrawal of it"
        for use in entry.sessions:
            until = self._until.get((entry.stem, use.session))
            if until is None or until < milliseconds_of(use.until):
                yield f"a receipt says that {use.session} used {entry.stem} until {use.until}, and it did not"

    def _covers(self, grant: Consent | Standing, stem: str, use: str, consent: int) -> bool:
        """Whether the grant, entry `consent`, is one of the stem, or the standing one of its entering."""
        if isinstance(grant, Consent):
            return grant.stem == stem
        known = self._stems.get(stem)
        return known is not None and known.standing.get(use) == consent

    def _stood_from(self, stem: str, use: str, consent: int, start: str) -> int:
        """The entry after which a withdrawal ends what a placement stands on.

        That is its grant; of a standing one the entering of the stem, for it clears what enters later anew.
        """
        known = self._stems[stem]
        if known.standing.get(use) == consent and start >= known.time:
            return max(consent, known.index)
        return consent

    def _signed(self, check: Callable[..., object], *of: object) -> None:
        """Check a signature, unless it was checked before."""
        if not self._trusting:
            check(*of)

    def _session(self, index: int, entry: Session) -> Iterator[str]:
        session = self._sessions.get(entry.session)
        if entry.state == "opened":
            if session is not None:
                yield f"the session {entry.session} is opened a second time"
                return
            if (entry.take, entry.placements, entry.ms) != (None, None, None):
                yield f"the session {entry.session} opens with sums that only its closing can have"
            self._sessions[entry.session] = _Session(entry, index)
            return
        if session is None or session.closed:
            yield f"the session {entry.session} is closed and is not open"
            return
        session.closed = True
        opened = session.opened
        if (entry.use, entry.tier, entry.user) != (opened.use, opened.tier, opened.user):
            yield f"the session {entry.session} closes as another one than it opened"
        if entry.placements != session.placements or entry.ms != session.ms:
            yield (
                f"the session {entry.session} closes with {entry.placements} placements and {entry.ms} ms; "
                f"the log has {session.placements} and {session.ms} ms"
            )

    def _placement(self, index: int, entry: Placement) -> Iterator[str]:
        session = self._sessions.get(entry.session)
        if session is None or session.closed:
            yield f"a placement names the session {entry.session}, which is not open"
        else:
            if entry.seq != session.placements:
                yield (
                    f"a placement of the session {entry.session} has the number {entry.seq} "
                    f"where {session.placements} follows"
                )
            session.placements = entry.seq + 1
            session.ms += entry.ms
            if entry.use != session.opened.use or entry.tier != session.opened.tier:
                yield f"a placement is for another use or tier than its session {entry.session}"
        if entry.ms != ms_of(entry.frames, entry.rate):
            yield f"a placement of {entry.frames} frames at {entry.rate} Hz is given {entry.ms} ms"
        place, end = (entry.stem, entry.session), milliseconds_of(entry.start) + entry.ms
        self._until[place] = max(self._until.get(place, 0), end)
        grant = self._grants.get(entry.consent)
        if (
            grant is None
            or entry.use not in grant.uses
            or not self._covers(grant, entry.stem, entry.use, entry.consent)
        ):
            yield (
                f"a placement of {entry.stem} for {entry.use} stands on entry {entry.consent}, "
                "which is no grant of it for that use"
            )
            return
        if entry.start < grant.since or (grant.until is not None and entry.start >= grant.until):
            until = f" until {grant.until}" if grant.until else ""
            yield (
                f"a placement of {entry.stem} starts at {entry.start}, "
                f"outside its grant from {grant.since}{until}"
            )
        stood = self._stood_from(entry.stem, entry.use, entry.consent, entry.start)
        for gone in self._withdrawals.get((entry.stem, entry.use), ()):
            if gone.index > stood and entry.start > gone.silent_from:
                yield (
                    f"a placement of {entry.stem} starts at {entry.start}, more than {GRACE_MS} ms after "
                    f"entry {gone.index} withdrew it at {gone.time}"
                )
                return


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _by_holder(shares: Sequence[Share]) -> dict[str, int]:
    return {share.holder: share.ppm for share in shares}


def _place(index: int | None) -> str:
    return "none" if index is None else f"entry {index}"
