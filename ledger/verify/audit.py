"""The rules between the entries of a log: signatures, sessions, sums, and all that `entries/rights.py` says.

`Audit` takes the entries in order and says what is wrong with each. `rehash.py` checks the hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..clock import milliseconds_of
from ..division.money import check_currency
from ..division.periods import Period
from ..entries import entries
from ..entries.rights import Rights, by_holder, losing, may_state
from ..entries.signing import check, check_approval, check_shares, public_key_of
from ..errors import LedgerError

if TYPE_CHECKING:
    from .sweep import Run


@dataclass(slots=True)
class _Session:
    opened: entries.Session
    index: int
    placements: int = 0
    ms: int = 0
    closed: bool = False


@dataclass(slots=True)
class Audit:
    """The state of the log `origin` after the entries taken so far.

    `trusted`: entries below this index were judged before, and their signatures are not checked again.
    """

    origin: str
    trusted: int = 0
    _trusting: bool = False
    _keys: dict[str, bytes] = field(default_factory=dict)
    _rights: Rights = field(default_factory=Rights)
    _until: dict[tuple[str, str], int] = field(default_factory=dict)
    """By stem and session: the end of the last placement, in ms since 1970."""
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _declared: dict[str, int] = field(default_factory=dict)
    """By stem in the vault: the entry that says what is declared of it."""
    _money: dict[int, int] = field(default_factory=dict)
    """By index, the amount of an income or a payout, with its corrections."""

    def take(self, index: int, entry: entries.Entry) -> Iterator[str]:
        """What is wrong with the next entry, a sentence for each fault. The caller must consume them all."""
        self._trusting = index < self.trusted
        try:
            match entry:
                case entries.Placement():
                    yield from self._placement(index, entry)
                case entries.Consent():
                    yield from self._consent(index, entry)
                case entries.Session():
                    yield from self._session(index, entry)
                case entries.Standing():
                    yield from self._standing(index, entry)
                case entries.Holder():
                    yield from self._holder(entry)
                case entries.Key():
                    yield from self._key(entry)
                case entries.Stem():
                    yield from self._stem(index, entry)
                case entries.Receipt():
                    yield from self._receipt(entry)
                case entries.Removal():
                    if self._rights.holder(entry.stem) is None:
                        yield f"the stem {entry.stem} is removed, but it never entered"
                        return
                    self._declared.pop(entry.stem, None)
                    self._rights.take(index, entry)
                case entries.Splits():
                    yield from self._splits(index, entry)
                case entries.Declaration():
                    yield from self._declaration(index, entry)
                case entries.Settlement():
                    if entry.first != 0 or entry.last >= index:
                        yield (
                            f"a settlement says it read entries {entry.first} to {entry.last}, "
                            f"which is not 0 to one before {index}"
                        )
                    if entry.pool > entry.gross or entry.unallocated > entry.pool:
                        yield "a settlement gives out more than came in"
                case entries.Income() | entries.Payout():
                    if isinstance(entry, entries.Payout) and entry.holder not in self._keys:
                        yield f"a payout names {entry.holder}, who has not joined"
                    check_currency(entry.currency)
                    if isinstance(entry, entries.Income):
                        Period.parse(entry.period)
                    self._money[index] = entry.amount
                case entries.Correction():
                    if entry.corrects not in self._money:
                        yield f"a correction names entry {entry.corrects}, no income and no payout before it"
                        return
                    self._money[entry.corrects] += entry.amount
                    if self._money[entry.corrects] < 0:
                        yield f"entry {entry.corrects} is corrected to less than nothing"
                case entries.Terms():
                    sources = [source for source, _ in entry.pool_ppm]
                    if len(set(sources)) != len(sources):
                        yield "terms name a source of income twice"
                    if entry.effective < entry.time:
                        yield f"terms are in effect from {entry.effective}, and were written after that"
        except LedgerError as error:
            yield str(error)

    def take_run(self, run: Run) -> bool:
        """Take a row of placements at once, and say whether all are right. If not, this state is unusable.

        It applies the rules of `_placement`, but for those on a placement by itself, which `sweep.py` checks.
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
            if any(self._rights.objections(group.stem, group.use, group.consent, earliest, latest)):
                return False
            place = group.stem, group.session
            self._until[place] = max(self._until.get(place, 0), end)
        return True

    def unclosed(self) -> Iterator[tuple[int, str]]:
        """Sessions that were opened and not closed, each with the index of its opening."""
        for name, session in self._sessions.items():
            if not session.closed:
                yield session.index, f"the session {name} was opened and not closed"

    def _holder(self, entry: entries.Holder) -> Iterator[str]:
        if entry.holder in self._keys:
            yield f"the holder {entry.holder} joins a second time"
            return
        self._signed(check, entry, self.origin)
        self._keys[entry.holder] = public_key_of(entry)

    def _key(self, entry: entries.Key) -> Iterator[str]:
        known = self._keys.get(entry.holder)
        if known is None:
            yield f"a key of the holder {entry.holder} is replaced, who has not joined"
            return
        self._signed(check, entry, self.origin, known)
        self._keys[entry.holder] = public_key_of(entry)

    def _standing(self, index: int, entry: entries.Standing) -> Iterator[str]:
        if entry.holder not in self._keys:
            yield f"a standing consent names {entry.holder}, who has not joined"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        last = self._rights.last_statement(entry)
        self._rights.note(index, entry)
        if entry.action == "grant" and entry.previous != last:
            yield (
                f"a standing consent names {_place(entry.previous)} as the last one of {entry.holder}, "
                f"which is {_place(last)}"
            )
            return
        self._rights.take(index, entry)

    def _stem(self, index: int, entry: entries.Stem) -> Iterator[str]:
        if entry.stem != f"s{entry.pcm_sha256[:20]}":
            yield f"the id {entry.stem} does not follow from the sound's hash"
        known = self._rights.holder(entry.stem)
        if known not in (None, entry.holder):
            yield f"the stem {entry.stem} is {known}'s and enters again as {entry.holder}'s"
            return
        if entry.holder not in self._keys:
            yield f"the holder {entry.holder} of the stem {entry.stem} has not joined"
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        if known and self._sides(entry.stem) != (by_holder(entry.master), by_holder(entry.publishing)):
            yield f"the stem {entry.stem} enters again with other shares; only its parties can change them"
        self._declared[entry.stem] = index
        self._rights.take(index, entry)

    def _declaration(self, index: int, entry: entries.Declaration) -> Iterator[str]:
        if entry.stem not in self._declared or entry.holder not in self._keys:
            yield f"a declaration names {entry.stem} and {entry.holder}, and the log does not have both"
            return
        if entry.holder != self._rights.holder(entry.stem):
            yield f"{entry.stem} is declared by {entry.holder}, who is not its holder"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        last = self._declared[entry.stem]
        if entry.previous != last:
            yield (
                f"a declaration of {entry.stem} corrects {_place(entry.previous)}, and what holds of it is "
                f"said in {_place(last)}"
            )
            return
        self._declared[entry.stem] = index

    def _splits(self, index: int, entry: entries.Splits) -> Iterator[str]:
        holder = self._rights.holder(entry.stem)
        if holder is None or entry.holder not in self._keys:
            yield f"splits are set for {entry.stem} by {entry.holder}, and the log does not have both"
            return
        if entry.holder != holder:
            yield f"splits of {entry.stem} are set by {entry.holder}, who is not its holder"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        after = by_holder(entry.master), by_holder(entry.publishing)
        for party in losing(self._sides(entry.stem), after, holder):
            self._signed(check_approval, entry, party, self._keys.get(party, b""), self.origin)
        self._rights.take(index, entry)

    def _sides(self, stem: str) -> tuple[dict[str, int], dict[str, int]]:
        return self._rights.ownerships[stem][-1].sides

    def _parties(
        self, stem: str, master: Sequence[entries.Share], publishing: Sequence[entries.Share]
    ) -> Iterator[str]:
        check_shares("master", master)
        check_shares("publishing", publishing)
        for party in dict.fromkeys(share.holder for share in (*master, *publishing)):
            if party not in self._keys:
                yield f"{party}, who has a share in {stem}, has not joined"

    def _consent(self, index: int, entry: entries.Consent) -> Iterator[str]:
        holder = self._rights.holder(entry.stem)
        if holder is None or entry.holder not in self._keys:
            yield f"a consent names {entry.stem} and {entry.holder}, and the log does not have both"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        last = self._rights.last_statement(entry)
        self._rights.note(index, entry)
        if not may_state(entry.action, entry.holder, holder, self._sides(entry.stem)[0]):
            if entry.action == "withdraw":
                yield f"{entry.stem} is withdrawn by {entry.holder}, who has no master share in it"
            else:
                yield f"{entry.stem} is granted by {entry.holder}, who is not its holder"
        elif entry.action == "grant" and entry.previous != last:
            yield (
                f"a grant for {entry.stem} names {_place(entry.previous)} as its holder's last statement "
                f"on it, which is {_place(last)}"
            )
        else:
            self._rights.take(index, entry)

    def _receipt(self, entry: entries.Receipt) -> Iterator[str]:
        if not self._rights.is_withdrawal(entry.stem, entry.withdrawal):
            yield f"a receipt for {entry.stem} names entry {entry.withdrawal}, not a withdrawal of it"
        for use in entry.sessions:
            until = self._until.get((entry.stem, use.session))
            if until is None or until < milliseconds_of(use.until):
                yield f"a receipt says that {use.session} used {entry.stem} until {use.until}, and it did not"

    def _signed(self, check: Callable[..., object], *of: object) -> None:
        """Check a signature, unless the entry is trusted."""
        if not self._trusting:
            check(*of)

    def _session(self, index: int, entry: entries.Session) -> Iterator[str]:
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
            yield f"the session {entry.session} is closed, but it is not open"
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

    def _placement(self, index: int, entry: entries.Placement) -> Iterator[str]:
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
        if entry.ms != entries.ms_of(entry.frames, entry.rate):
            yield f"a placement of {entry.frames} frames at {entry.rate} Hz is given {entry.ms} ms"
        place, end = (entry.stem, entry.session), milliseconds_of(entry.start) + entry.ms
        self._until[place] = max(self._until.get(place, 0), end)
        start = entry.start
        yield from self._rights.objections(entry.stem, entry.use, entry.consent, start, start)


def _place(index: int | None) -> str:
    return "none" if index is None else f"entry {index}"
