"""The rules between the entries of a log: signatures, sessions, sums, and all that `entries/rights.py` says.

`Audit` takes the entries in order and says what is wrong with each. `rehash.py` checks the hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET

from ..clock import milliseconds_of
from ..division.money import check_currency
from ..division.periods import Period
from ..entries import entries
from ..entries.freshness import Freshness
from ..entries.gaps import LostTime, lost_time
from ..entries.recordings import check_stem
from ..entries.rights import Rights, by_holder, losing, may_state
from ..entries.signing import check, check_approval, check_shares, public_key_of
from ..errors import LedgerError
from .alike import Alike
from .moments import Moments
from .sessions import Sessions

if TYPE_CHECKING:
    from .sweep import Run


@dataclass(slots=True)
class Audit:
    """The state of the log `origin` after the entries taken so far.

    `trusted`: entries below this index were judged before, and their signatures are not checked again.
    `moments`: the time that the log tells, with what witnesses saw of it.
    """

    origin: str
    trusted: int = 0
    moments: Moments = field(default_factory=Moments)
    sessions: Sessions = field(init=False)
    _gaps: list[tuple[int, entries.Gap]] = field(default_factory=list)
    _trusting: bool = False
    _keys: dict[str, bytes] = field(default_factory=dict)
    _rights: Rights = field(default_factory=Rights)
    _until: dict[tuple[str, str], int] = field(default_factory=dict)
    """By stem and session: the end of the last placement, in ms since 1970."""
    _declared: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By stem in the vault: the entry that says what is declared of it, and the title."""
    _fresh: Freshness = field(init=False)
    _terms: list[entries.Terms] = field(default_factory=list)
    _alike: Alike = field(default_factory=Alike)
    _money: dict[int, int] = field(default_factory=dict)
    """By index, the amount of an income or a payout, with its corrections."""

    def __post_init__(self) -> None:
        self._fresh = Freshness(self.origin)
        self.sessions = Sessions(self.moments)

    def take(self, index: int, entry: entries.Entry) -> Iterator[str]:
        """What is wrong with the next entry, a sentence for each fault. The caller must consume them all."""
        yield from self._by_kind(index, entry)
        yield from self.moments.take(index, entry)

    def _by_kind(self, index: int, entry: entries.Entry) -> Iterator[str]:
        self._trusting = index < self.trusted
        stale = [] if isinstance(entry, entries.Placement) else list(self._fresh.take(index, entry))
        try:
            match entry:
                case entries.Placement():
                    yield from self._placement(index, entry)
                case entries.Consent():
                    yield from self._consent(index, entry)
                case entries.Session():
                    yield from self.sessions.take(index, entry)
                    yield from self._counting(entry)
                case entries.Gap():
                    self._gaps.append((index, entry))
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
                case entries.Likeness() | entries.Distinct():
                    yield from self._alike.take(index, entry, self._rights, self._keys)
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
                    self._terms.append(entry)
                    sources = [source for source, _ in entry.pool_ppm]
                    if len(set(sources)) != len(sources):
                        yield "terms name a source of income twice"
                    if entry.effective < entry.time:
                        yield f"terms are in effect from {entry.effective}, and were written after that"
        except LedgerError as error:
            yield str(error)
        yield from stale

    def take_run(self, run: Run) -> bool:
        """Take a row of placements at once, and say whether all are right. If not, this state is unusable.

        It applies the rules of `_placement`, but for those on a placement by itself, which `sweep.py` checks.
        """
        if not self.sessions.take_run(run):
            return False
        for group, (earliest, latest, end) in run.groups.items():
            if any(self._rights.objections(group.stem, group.use, group.consent, earliest, latest)):
                return False
            place = group.stem, group.session
            self._until[place] = max(self._until.get(place, 0), end)
        return True

    def lost(self) -> Iterator[LostTime]:
        """What the gaps of the log cover."""
        for index, gap in self._gaps:
            since, until = self.sessions.open_times(gap.session)
            stems = (stem for stem, session in self._until if session == gap.session)
            yield lost_time(index, gap, since, until, stems, self._rights, 2**53 - 1)

    def weaker(self) -> tuple[str, ...]:
        """What rests on the log's word alone, though a holder could have signed it: sentences."""
        return self._fresh.weaker()

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
        elif entry.signed is not UNSET:
            self._signed(self._check_word, entry, self._keys[entry.holder])
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        if known and self._sides(entry.stem) != (by_holder(entry.master), by_holder(entry.publishing)):
            yield f"the stem {entry.stem} enters again with other shares; only its parties can change them"
        self._declared[entry.stem] = index, entry.title
        self._rights.take(index, entry)

    def _check_word(self, entry: entries.Stem, public: bytes) -> None:
        check_stem(entry, self.origin, public)

    def _declaration(self, index: int, entry: entries.Declaration) -> Iterator[str]:
        if entry.stem not in self._declared or entry.holder not in self._keys:
            yield f"a declaration names {entry.stem} and {entry.holder}, and the log does not have both"
            return
        if entry.holder != self._rights.holder(entry.stem):
            yield f"{entry.stem} is declared by {entry.holder}, who is not its holder"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        last, _ = self._declared[entry.stem]
        if entry.previous != last:
            yield (
                f"a declaration of {entry.stem} corrects {_place(entry.previous)}, and what holds of it is "
                f"said in {_place(last)}"
            )
            return
        self._declared[entry.stem] = index, entry.title

    def _splits(self, index: int, entry: entries.Splits) -> Iterator[str]:
        holder = self._rights.holder(entry.stem)
        if holder is None or entry.holder not in self._keys:
            yield f"splits are set for {entry.stem} by {entry.holder}, and the log does not have both"
            return
        if entry.holder != holder:
            yield f"splits of {entry.stem} are set by {entry.holder}, who is not its holder"
            return
        self._signed(check, entry, self.origin, self._keys[entry.holder])
        yield from self._titled(entry)
        yield from self._parties(entry.stem, entry.master, entry.publishing)
        after = by_holder(entry.master), by_holder(entry.publishing)
        for party in losing(self._sides(entry.stem), after, holder):
            self._signed(check_approval, entry, party, self._keys.get(party, b""), self.origin)
        self._rights.take(index, entry)

    def _titled(self, entry: entries.Splits | entries.Consent) -> Iterator[str]:
        """Whoever signed a statement that names another title than the stem's had read the wrong one."""
        declared = self._declared.get(entry.stem)
        if entry.title is not UNSET and declared is not None and entry.title != declared[1]:
            yield f"a statement on {entry.stem} names it '{entry.title}', and it is declared '{declared[1]}'"

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
        if entry.action == "grant":
            yield from self._titled(entry)
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

    def _counting(self, opened: entries.Session) -> Iterator[str]:
        """What is wrong with the rule by which a session counts what is in play."""
        held = [terms for terms in self._terms if terms.effective <= opened.time]
        if opened.state == "opened" and held:
            asked = max(enumerate(held), key=lambda each: (each[1].effective, each[0]))[1].in_play
            if asked not in (UNSET, opened.in_play):
                named = "names no rule" if opened.in_play is UNSET else f"names {opened.in_play}"
                yield (
                    f"the session {opened.session} {named} of what is in play, where the terms that hold "
                    f"as it opens ask for {asked}"
                )

    def _placement(self, index: int, entry: entries.Placement) -> Iterator[str]:
        yield from self.sessions.take_placement(index, entry)
        if entry.span is not UNSET and entry.frames > entry.span:
            yield f"a placement has {entry.frames} frames in play, of {entry.span} from its begin to its end"
        if entry.ms != entries.ms_of(entry.frames, entry.rate):
            yield f"a placement of {entry.frames} frames at {entry.rate} Hz is given {entry.ms} ms"
        place, end = (entry.stem, entry.session), milliseconds_of(entry.start) + entry.ms
        self._until[place] = max(self._until.get(place, 0), end)
        start = entry.start
        yield from self._rights.objections(entry.stem, entry.use, entry.consent, start, start)


def _place(index: int | None) -> str:
    return "none" if index is None else f"entry {index}"
