"""Who may sound and who owns what: the rule stands here, and all other modules ask `Rights`.

`Rights` takes the entries of a log in order and believes them. Its caller first checks that the right party
signed each of them, as `verify/audit.py` and the vault do with the help of `may_state` and `losing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..clock import milliseconds_of, text_at
from ..errors import VerificationFailed
from .entries import Consent, Entry, Removal, Share, Splits, Standing, Stem

GRACE_MS = 500
"""A placement may begin until this long after a withdrawal's time; by then the stem is silent."""

_LAST = 2**53
"""Above every index."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The shares in one stem from a time on, as a stem or splits entry sets them."""

    index: int
    time: str
    master: tuple[Share, ...]
    publishing: tuple[Share, ...]

    @property
    def sides(self) -> tuple[dict[str, int], dict[str, int]]:
        """Master and publishing, each in parts per million by holder."""
        return by_holder(self.master), by_holder(self.publishing)


@dataclass(frozen=True, slots=True)
class Clearance:
    """A use for which a stem is cleared: the grant, its index, and since when it clears this stem."""

    index: int
    grant: Consent | Standing
    since: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The entry that ended the consent to a use, or all consent to a stem."""

    index: int
    time: str


@dataclass(frozen=True, slots=True)
class _Coming:
    """A stem enters the vault, or is taken out of it."""

    index: int
    time: str
    standing: Mapping[str, tuple[int, Standing]] | None
    """By use, the standing consents in force when it entered; None if it was taken out."""


@dataclass(slots=True)
class Rights:
    """What the entries of a log, taken so far, say of owners and consents.

    Questions with a `last` are answered as of that entry; the others, as of the last entry taken.
    """

    ownerships: dict[str, list[Ownership]] = field(default_factory=dict)
    """By stem, in the log's order: the shares that it entered with, then each change."""
    _holders: dict[str, str] = field(default_factory=dict)
    _comings: dict[str, list[_Coming]] = field(default_factory=dict)
    _statements: dict[str, list[tuple[int, Consent]]] = field(default_factory=dict)
    _standing: dict[str, dict[str, tuple[int, Standing]]] = field(default_factory=dict)
    _grants: dict[int, Consent | Standing] = field(default_factory=dict)
    _withdrawals: dict[tuple[str, str], list[tuple[Withdrawal, str]]] = field(default_factory=dict)
    """By stem and use; beside each, the time after which nothing may start under an older grant."""
    _last: dict[tuple[str, str], int] = field(default_factory=dict)
    """By holder and stem, or "" for future stems: the last statement."""

    def take(self, index: int, entry: Entry) -> None:
        """Take the next entry that is valid; kinds that change no rights are ignored."""
        match entry:
            case Stem():
                standing = self.standing(entry.holder, entry.time)
                self._holders.setdefault(entry.stem, entry.holder)
                self._comings.setdefault(entry.stem, []).append(_Coming(index, entry.time, standing))
                self._own(index, entry)
            case Removal():
                self._comings.setdefault(entry.stem, []).append(_Coming(index, entry.time, None))
            case Splits():
                self._own(index, entry)
            case Standing():
                self.note(index, entry)
                stands = self._standing.setdefault(entry.holder, {})
                for use in entry.uses:
                    stands.pop(use, None)
                    if entry.action == "grant":
                        stands[use] = index, entry
                        self._grants[index] = entry
            case Consent():
                self.note(index, entry)
                self._statements.setdefault(entry.stem, []).append((index, entry))
                if entry.action == "grant":
                    self._grants[index] = entry
                    return
                silent_from = text_at(milliseconds_of(entry.since) + GRACE_MS)
                for use in entry.uses:
                    gone = Withdrawal(index, entry.since), silent_from
                    self._withdrawals.setdefault((entry.stem, use), []).append(gone)

    def _own(self, index: int, entry: Stem | Splits) -> None:
        owned = Ownership(index, entry.time, entry.master, entry.publishing)
        self.ownerships.setdefault(entry.stem, []).append(owned)

    # Who may say what.

    def note(self, index: int, entry: Consent | Standing) -> None:
        """Remember a statement as its holder's last one, whether or not it is valid."""
        self._last[entry.holder, entry.stem if isinstance(entry, Consent) else ""] = index

    def last_statement(self, entry: Consent | Standing) -> int | None:
        """The last statement of the same holder on the same stem, or on future stems."""
        return self._last.get((entry.holder, entry.stem if isinstance(entry, Consent) else ""))

    def holder(self, stem: str) -> str | None:
        """The holder of a stem; None if it never entered."""
        return self._holders.get(stem)

    # Who owns.

    def owned(self, stem: str, last: int) -> list[Ownership]:
        """The shares in a stem, in the order in which they took effect; empty if it had not entered.

        The first shares are in force from the beginning, each of the others from its own time on; of two with
        the same time, the one that was written later comes later.
        """
        comings = self._comings.get(stem, ())
        first = next((each.index for each in comings if each.standing is not None), _LAST)
        if first > last:
            return []
        known = [each for each in self.ownerships[stem] if each.index <= last]
        return sorted(known, key=lambda each: (each.index != first, each.time, each.index))

    def owned_before(self, stem: str, end: str, last: int) -> Ownership:
        """The shares in a stem just before the time `end`.

        Raises VerificationFailed for a stem that had not entered the vault.
        """
        owned = self.owned(stem, last)
        if not owned:
            raise _never_entered(stem, f" up to {last}")
        first, *later = owned
        return next((each for each in reversed(later) if each.time < end), first)

    def owned_by(self, stem: str, index: int) -> Ownership:
        """The shares in a stem that the entry `index` set. Raises VerificationFailed if it set none."""
        for each in self.ownerships.get(stem, ()):
            if each.index == index:
                return each
        raise _never_entered(stem, "")

    # Who may sound.

    def standing(self, holder: str, time: str) -> dict[str, tuple[int, Standing]]:
        """By use, the consents for future stems that a holder has in force at a time."""
        found = self._standing.get(holder, {})
        return {use: each for use, each in found.items() if lasts(each[1].until, time)}

    def grant(self, stem: str, use: str, index: int) -> Consent | Standing | None:
        """The entry `index`, if it is a grant that clears a stem for a use.

        That is a grant for the stem, or the standing one that was in force when the stem last entered.
        """
        grant = self._grants.get(index)
        if grant is None or use not in grant.uses:
            return None
        if isinstance(grant, Consent):
            return grant if grant.stem == stem else None
        return grant if self._entered_under(stem, use, index) is not None else None

    def objections(self, stem: str, use: str, consent: int, earliest: str, latest: str) -> Iterator[str]:
        """The reasons why placements that start from `earliest` to `latest` may not sound under a grant.

        `consent`: the index of the grant that they name. A sentence for each reason.
        """
        grant = self.grant(stem, use, consent)
        if grant is None:
            yield (
                f"a placement of {stem} for {use} relies on entry {consent}, "
                "which is not a grant of it for that use"
            )
            return
        if earliest < grant.since or not lasts(grant.until, latest):
            until = f" until {grant.until}" if grant.until else ""
            yield f"a placement of {stem} starts at {latest}, outside its grant from {grant.since}{until}"
        withdrawals = self._withdrawals.get((stem, use))
        if withdrawals is None:
            return
        # A standing consent clears a stem anew when it enters, whatever was withdrawn before.
        entered = self._entered_under(stem, use, consent)
        renewed = consent if entered is None or earliest < entered.time else max(consent, entered.index)
        for gone, silent_from in withdrawals:
            if gone.index > renewed and latest > silent_from:
                yield (
                    f"a placement of {stem} starts at {latest}, more than {GRACE_MS} ms after "
                    f"entry {gone.index} withdrew it at {gone.time}"
                )
                return

    def is_withdrawal(self, stem: str, index: int) -> bool:
        """Whether the entry `index` withdraws a stem."""
        statements = self._statements.get(stem, ())
        return any(at == index and each.action == "withdraw" for at, each in statements)

    def cleared(self, stem: str, last: int = _LAST) -> dict[str, Clearance]:
        """By use, the clearances of a stem; also those that ran out."""
        coming, own = self._since_coming(stem, last)
        if coming is None:
            return {}
        found = {
            use: Clearance(index, grant, max(grant.since, coming.time))
            for use, (index, grant) in (coming.standing or {}).items()
        }
        for index, consent in own:
            for use in consent.uses:
                found.pop(use, None)
                if consent.action == "grant":
                    found[use] = Clearance(index, consent, consent.since)
        return found

    def withdrawn(self, stem: str, last: int = _LAST) -> Withdrawal | None:
        """The entry by which a stem lost its last use; None if it has one, or never had one.

        The removal of a stem is such an entry too; a consent that ran out is no withdrawal.
        """
        coming, own = self._since_coming(stem, last)
        if coming is not None and coming.standing is None:
            return Withdrawal(coming.index, coming.time)
        granted = set() if coming is None or coming.standing is None else set(coming.standing)
        since: Withdrawal | None = None
        for index, consent in own:
            if consent.action == "grant":
                granted |= set(consent.uses)
                since = None
            elif granted:
                granted -= set(consent.uses)
                since = None if granted else Withdrawal(index, consent.since)
        return since

    def _since_coming(self, stem: str, last: int) -> tuple[_Coming | None, list[tuple[int, Consent]]]:
        """The last time that a stem entered or was taken out, and the statements on it since then."""
        coming = next((each for each in reversed(self._comings.get(stem, ())) if each.index <= last), None)
        begun = -1 if coming is None else coming.index
        return coming, [each for each in self._statements.get(stem, ()) if begun < each[0] <= last]

    def _entered_under(self, stem: str, use: str, consent: int) -> _Coming | None:
        """The last entering of a stem, if the standing consent `consent` was in force for the use then."""
        for coming in reversed(self._comings.get(stem, ())):
            if coming.standing is not None:
                under = coming.standing.get(use)
                return coming if under is not None and under[0] == consent else None
        return None


def lasts(until: str | None, time: str) -> bool:
    """Whether a consent that ends at `until` has not ended at a time; without an end it lasts for ever."""
    return until is None or time < until


def may_state(action: str, signer: str, holder: str | None, master: Mapping[str, int]) -> bool:
    """Whether a party may grant or withdraw a stem. Its holder may; who has a master share may withdraw it.

    `master`: its master shares, in parts per million by holder.
    """
    return signer == holder or (action == "withdraw" and bool(master.get(signer)))


def losing(
    before: Sequence[Mapping[str, int]], after: Sequence[Mapping[str, int]], holder: str
) -> tuple[str, ...]:
    """The parties, other than the `holder`, whose share falls on some side: they must approve."""
    falls = {
        party: None
        for was, becomes in zip(before, after, strict=True)
        for party, ppm in was.items()
        if becomes.get(party, 0) < ppm
    }
    return tuple(party for party in falls if party != holder)


def by_holder(shares: Sequence[Share]) -> dict[str, int]:
    """Shares of one side, in parts per million by holder."""
    return {share.holder: share.ppm for share in shares}


def _never_entered(stem: str, by: str) -> VerificationFailed:
    return VerificationFailed(f"stem {stem} was placed, but no entry{by} brings it into the vault")
