"""A real log of two holders, three stems, their consents, and a session of March 2025."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.usage import EntriesUsage
from stemloom.ledger.entries.canonical import digest
from stemloom.ledger.entries.entries import Entry, Session, Share, Stem
from stemloom.ledger.log.log import Log
from stemloom.ledger.royalties.record import record_income
from stemloom.ledger.royalties.statement_schema import Named
from stemloom.ledger.tlog.keys import PrivateKey

from .. import making

TITLES = ("Bass", "Pad", "Bell")
NOW = FixedClock("2025-03-20T12:00:00.000Z")
LAST_MOMENT = "2025-03-31T23:59:59.999Z"
SALT = "ab" * 16


def stem_entry(title: str, holder: str, shares: dict[str, int]) -> Stem:
    pcm = digest([Share(holder=holder, ppm=TITLES.index(title))])
    whole = tuple(Share(holder=each, ppm=ppm) for each, ppm in sorted(shares.items()))
    return making.stem(
        title,
        holder,
        time="2025-01-01T10:00:00.000Z",
        stem="s" + pcm[:20],
        pcm_sha256=pcm,
        file_sha256=pcm,
        master=whole,
        publishing=whole,
    )


def session_entries(
    stems: dict[str, str], grants: dict[str, int], heard: list[tuple[str, int]]
) -> list[Entry]:
    """A session of March 2025 that places stems one after another for so many milliseconds."""

    def state(name: Any, time: str, count: int | None, ms: int | None) -> Session:
        take = None if count is None else "4" * 64
        return making.session(name, count, ms, time=time, tier="subscriber", take=take)

    made: list[Entry] = [state("opened", "2025-03-05T20:00:00.000Z", None, None)]
    frame = 0
    for seq, (title, ms) in enumerate(heard):
        where: dict[str, Any] = {"start": "2025-03-05T20:00:00.000Z", "start_frame": frame, "line": 12}
        what: dict[str, Any] = {"tier": "subscriber", "role": "bass", "part": "low"}
        made.append(making.placement(seq, stems[title], grants[title], ms * 48, **where, **what))
        frame += ms * 48
    made.append(state("closed", "2025-03-05T20:30:00.000Z", len(heard), sum(ms for _, ms in heard)))
    return made


class Home:
    """A home with a log of two holders, three stems, their consents, and a session; no income yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = Log.open(path, create=True, clock=NOW)
        keys = {name: PrivateKey.generate() for name in ("Ada", "Ben")}
        people = [
            making.holder(key, self.log.origin, name, SALT, "2025-01-01T09:00:00.000Z")
            for name, key in keys.items()
        ]
        self.ada, self.ben = (each.holder for each in people)
        self.names = {self.ada: Named("Ada", SALT), self.ben: Named("Ben", SALT)}
        owners = {
            "Bass": {self.ada: 600_000, self.ben: 400_000},
            "Pad": {self.ben: 1_000_000},
            "Bell": {self.ada: 1_000_000},
        }
        brought = {"Bass": self.ada, "Pad": self.ben, "Bell": self.ada}
        recordings = [stem_entry(title, brought[title], owners[title]) for title in TITLES]
        self.stems = {each.title: each.stem for each in recordings}
        self.log.append([*people, *recordings])
        signers = {self.ada: keys["Ada"], self.ben: keys["Ben"]}
        granted = self.log.append(
            [
                making.consent(
                    signers[each.holder], self.log.origin, each.stem, time="2025-01-02T10:00:00.000Z"
                )
                for each in recordings
            ]
        )
        grants = dict(zip(TITLES, granted, strict=True))
        heard = [("Bass", 20_000), ("Pad", 65_000), ("Bass", 15_001)]
        self.log.append(session_entries(self.stems, grants, heard))

    @property
    def usage(self) -> EntriesUsage:
        return EntriesUsage(self.log.entries)

    def income(self, amount: int = 1_000_000_000, period: str = "2025-03", currency: str = "EUR") -> int:
        return record_income(self.log, amount, currency, "subscription", period, "inv-1").index


def flip(home: Home) -> None:
    """Change a bit of the placement of 65 s where it lies on the disk."""
    bundle = next((home.path / "ledger" / "log" / "tile" / "entries").rglob("*.p/*"))
    data = bytearray(bundle.read_bytes())
    at = data.index(b'"ms":65000') + 5
    data[at] ^= 1
    bundle.write_bytes(bytes(data))
