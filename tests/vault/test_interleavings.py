"""Consent and placements in any order: what the catalogue clears the audit accepts, and nothing else.

Two programs that know nothing of each other: the projection, by which an engine decides whether a placement
may begin, and the audit, by which a stranger checks the ledger afterwards.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from stemloom.ledger.clock import milliseconds_of, text_of
from stemloom.ledger.entries import entries, signing
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.audit import GRACE_MS, Audit
from stemloom.vault.catalogue.projection import project
from stemloom.vault.catalogue.schema import migrate

ORIGIN = "stemloom/interleavings"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
USES: Sequence[entries.Use] = ("live", "stream")


class World:
    """A ledger of two holders, its projection, its audit, and a session that has begun."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.audit = Audit(ORIGIN)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.db)
        self.size, self.ms, self.seq = 0, 0, 0
        self.keys = [PrivateKey.from_seed(bytes([number] * 32)) for number in (1, 2)]
        self.ids = [signing.holder_id(key.public) for key in self.keys]
        for key in self.keys:
            self.write(
                signing.make_holder(key, origin=ORIGIN, name="0" * 64, custody="operator", time=self.time())
            )
        self.write(self.session())
        self.placed = self.refused = self.said = 0

    def time(self, ms: int = 0) -> str:
        return text_of(BEGIN + timedelta(milliseconds=self.ms + ms))

    def write(self, entry: entries.Entry) -> list[str]:
        """Into the projection and past the audit; what the audit has to say."""
        said = list(self.audit.take(self.size, entry))
        project(self.db, self.size, entry)
        self.size += 1
        return said

    def session(self) -> entries.Session:
        return entries.Session(
            time=self.time(), session="x00", state="opened", use="stream", tier="free", user="0" * 64,
            script="0" * 64, seed=0, vault="0" * 64, engine="test", licence=None, take=None, placements=None,
            ms=None,
        )  # fmt: skip

    def stem(self, number: int) -> str:
        """A stem that the first holder brings and both own."""
        digest = f"{number:064x}"[::-1]
        stem = "s" + digest[:20]
        parts = (
            entries.Share(holder=self.ids[0], ppm=600_000),
            entries.Share(holder=self.ids[1], ppm=400_000),
        )
        entry = entries.Stem(
            time=self.time(), stem=stem, holder=self.ids[0], pcm_sha256=digest, file_sha256=digest, title="a",
            role="fx", shape="hit", bpm_milli=None, beats=None, key=None, mood=(), energy_milli=0, set=None,
            isrc=None, master=tuple(sorted(parts, key=lambda share: share.holder)), publishing=parts[:1],
        )  # fmt: skip
        whole = (entries.Share(holder=self.ids[0], ppm=1_000_000),)
        assert self.write(msgspec.structs.replace(entry, publishing=whole)) == []
        return stem

    def speak(self, stem: str) -> None:
        """A grant of the holder, or a withdrawal of either."""
        rng = self.rng
        grants = rng.random() < 0.6
        who = 0 if grants else rng.randrange(2)
        uses = rng.sample(USES, rng.randint(1, 2))
        until = self.time(rng.randint(1, 3000)) if grants and rng.random() < 0.3 else None
        last = self.db.execute(
            "SELECT max(entry) FROM statement WHERE stem = ? AND holder = ?", (stem, self.ids[who])
        ).fetchone()[0]
        signed = signing.make_consent(
            self.keys[who], origin=ORIGIN, holder=self.ids[who], stem=stem, uses=uses,
            action="grant" if grants else "withdraw", until=until, time=self.time(-rng.choice([0, 0, 700])),
            previous=last,
        )  # fmt: skip
        assert self.write(msgspec.structs.replace(signed, received=self.time())) == []
        self.said += 1

    def stand(self) -> None:
        last = self.db.execute("SELECT max(entry) FROM standing").fetchone()[0]
        action = self.rng.choice(["grant", "withdraw"])
        signed = signing.make_standing(
            self.keys[0], origin=ORIGIN, holder=self.ids[0], uses=self.rng.sample(USES, 1), action=action,
            until=None, time=self.time(), previous=last,
        )  # fmt: skip
        assert self.write(signed) == []

    def begin(self, stem: str) -> None:
        """An engine looks, and begins if the stem is cleared; the entry comes later."""
        now = self.time()
        found = self.db.execute(
            "SELECT entry, until FROM clearance WHERE stem = ? AND use = 'stream'", (stem,)
        ).fetchone()
        cleared = found is not None and (found[1] is None or now < found[1])
        if cleared:
            start, consent = now, found[0]
            if self.rng.random() < 0.3:
                # What another process says before the entry is written changes nothing of it.
                self.ms += self.rng.randint(0, 400)
                self.speak(stem)
            assert self.write(self.placement(stem, start, consent)) == []
            self.seq += 1
            self.placed += 1
            return
        grants = [
            entry
            for entry, uses in self.db.execute(
                "SELECT entry, uses FROM statement WHERE stem = ? AND action = 'grant'", (stem,)
            )
            if "stream" in uses
        ]
        gone = self.db.execute(
            "SELECT max(time) FROM statement WHERE stem = ? AND action = 'withdraw' AND uses LIKE '%stream%'",
            (stem,),
        ).fetchone()[0]
        late = gone is not None and milliseconds_of(now) > milliseconds_of(gone) + GRACE_MS
        if grants and (late or (found is not None and found[1] is not None)):
            # Somebody who plays all the same, and says that an old grant covers it.
            said = list(self.audit.take(self.size, self.placement(stem, now, max(grants))))
            assert said, (now, gone, grants)
            # The audit has counted it; so do we.
            self.size += 1
            self.seq += 1
            self.refused += 1

    def placement(self, stem: str, start: str, consent: int) -> entries.Placement:
        return entries.Placement(
            session="x00", seq=self.seq, stem=stem, use="stream", tier="free", role="fx", part="a",
            section="a", line=1, start_frame=0, frames=48, rate=48_000, start=start, ms=1, consent=consent,
        )  # fmt: skip


@pytest.mark.parametrize("count", [1_500, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_interleaving_lets_a_placement_start_after_its_withdrawal(count: int) -> None:
    world = World(count)
    for number in range(count):
        if number % 20 == 0:
            world.stand()
        stem = world.stem(number)
        for _ in range(world.rng.randint(2, 7)):
            world.ms += world.rng.choice([0, 1, 50, 499, 500, 501, 2000])
            world.rng.choice([world.speak, world.begin, world.begin])(stem)
        # What is over is not looked at again.
        for table in ("statement", "clearance", "share", "stem", "made"):
            world.db.execute(f"DELETE FROM {table}")
    print(
        f"{count} interleavings: {world.said} statements, {world.placed} placements, {world.refused} caught"
    )
    assert world.placed > count / 4
    assert world.refused > count / 10
