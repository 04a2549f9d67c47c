"""A ledger told as a story: entries in order, without keys or files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.division.division import Division, divide_period
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.usage import EntriesUsage
from stemloom.ledger.entries.entries import (
    Consent,
    Correction,
    Entry,
    Holder,
    Payout,
    Settlement,
    Share,
    Source,
    Splits,
    Terms,
    Tier,
    Use,
)
from stemloom.ledger.entries.signing import commitment
from stemloom.ledger.royalties.money_lock import CheckpointedLog
from stemloom.ledger.royalties.settle import settlement_entry
from stemloom.ledger.royalties.statement_schema import Named

from .. import making
from .settled_home import Home

Shares = dict[str, int]


def _id(letter: str, name: str) -> str:
    return letter + hashlib.sha256(name.encode()).hexdigest()[:20]


def _shares(shares: Shares) -> tuple[Share, ...]:
    return tuple(Share(holder=_id("h", name), ppm=ppm) for name, ppm in shares.items())


class Story:
    """Entries by the names of their people and stems; each method appends one and gives its index."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.names: dict[str, Named] = {}
        self._seq: dict[str, int] = {}

    h = staticmethod(lambda name: _id("h", name))
    s = staticmethod(lambda name: _id("s", name))

    def add(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def read(self) -> Iterator[tuple[int, Entry]]:
        return iter(list(enumerate(self.entries)))

    @property
    def seal(self) -> CheckpointedLog:
        root = hashlib.sha256(str(len(self.entries)).encode()).hexdigest()
        return CheckpointedLog(size=len(self.entries), root=root, checkpoint="a checkpoint\n", read=self.read)

    @property
    def usage(self) -> EntriesUsage:
        return EntriesUsage(self.read)

    def holder(self, *names: str, time: str = "2026-10-01T09:00:00.000Z") -> int:
        for name in names:
            salt = hashlib.sha256(f"salt {name}".encode()).hexdigest()
            self.names[self.h(name)] = Named(name, salt)
            self.add(
                Holder(
                    time=time,
                    holder=self.h(name),
                    name=commitment(name, salt),
                    public_key="A" * 43 + "=",
                    custody="operator",
                    proof=making.NOT_SIGNED,
                )
            )
        return len(self.entries) - 1

    def stem(
        self,
        title: str,
        holder: str,
        master: Shares | None = None,
        publishing: Shares | None = None,
        role: str = "bass",
        time: str = "2026-10-01T10:00:00.000Z",
    ) -> int:
        return self.add(
            making.stem(
                title,
                self.h(holder),
                time=time,
                role=role,
                key="D minor",
                mood=("calm",),
                energy_milli=400,
                master=_shares({holder: 1_000_000} if master is None else master),
                publishing=_shares({holder: 1_000_000} if publishing is None else publishing),
            )
        )

    def splits(self, title: str, holder: str, master: Shares, publishing: Shares, time: str) -> int:
        return self.add(
            Splits(
                time=time,
                stem=self.s(title),
                holder=self.h(holder),
                master=_shares(master),
                publishing=_shares(publishing),
                signature=making.NOT_SIGNED,
            )
        )

    def consent(
        self,
        title: str,
        holder: str,
        uses: Sequence[Use] = ("stream",),
        action: Any = "grant",
        until: str | None = None,
        time: str = "2026-10-02T10:00:00.000Z",
    ) -> int:
        whose = {"origin": "example.org/log", "holder": self.h(holder), "stem": self.s(title)}
        said = {"action": action, "until": until, "time": time}
        return self.add(Consent(**making.statement(uses, **whose, **said)))

    def place(
        self,
        title: str,
        ms: int,
        start: str = "2026-11-10T20:00:00.000Z",
        session: str = "x00",
        use: Use = "stream",
        tier: Tier = "subscriber",
        section: str = "verse",
        role: str = "bass",
    ) -> int:
        seq = self._seq[session] = self._seq.get(session, -1) + 1
        return self.add(
            making.placement(
                seq,
                self.s(title),
                0,
                ms * 48,
                session=session,
                use=use,
                tier=tier,
                role=role,
                part="low",
                section=section,
                line=12,
                start=start,
            )
        )

    def income(
        self, amount: int, period: str = "2026-11", currency: str = "EUR", source: Source = "subscription"
    ) -> int:
        return self.add(
            making.income(
                amount - 1,
                time="2026-11-20T12:00:00.000Z",
                source=source,
                currency=currency,
                period=period,
                reference="inv-1",
            )
        )

    def terms(
        self,
        effective: str = "2026-11-01T00:00:00.000Z",
        pool: dict[Source, int] | None = None,
        master_ppm: int = 500_000,
        threshold: int = 0,
    ) -> int:
        return self.add(
            Terms(
                time="2026-10-15T12:00:00.000Z",
                effective=effective,
                pool_ppm=tuple((pool or {}).items()),
                master_ppm=master_ppm,
                threshold=threshold,
            )
        )

    def pay(self, name: str, amount: int, currency: str = "EUR") -> int:
        return self.add(
            Payout(
                time="2026-12-05T12:00:00.000Z",
                holder=self.h(name),
                currency=currency,
                amount=amount,
                reference="transfer",
            )
        )

    def correct(self, index: int, by: int) -> int:
        return self.add(
            Correction(time="2026-12-06T12:00:00.000Z", corrects=index, amount=by, reason="a typing error")
        )

    def divide(self, period: str = "2026-11", currency: str = "EUR") -> Division:
        usage, of, last = self.usage, Period.parse(period), len(self.entries) - 1
        return divide_period(usage, of, currency, last)

    def settle(
        self, period: str = "2026-11", currency: str = "EUR", time: str = "2026-12-01T08:00:00.000Z"
    ) -> tuple[int, Settlement, Division]:
        division = self.divide(period, currency)
        entry = settlement_entry(division, self.seal.root, time)
        return self.add(entry), entry, division


@pytest.fixture(scope="session")
def story() -> type[Story]:
    return Story


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")
