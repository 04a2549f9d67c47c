"""Consent and placements in any order: what the catalogue clears the audit accepts, and nothing else.

The projection, by which an engine decides whether a placement may begin, tells the rule in SQL. At every step
it must say what `Rights` says, by which a stranger's audit checks the ledger afterwards.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from stemloom.ledger.clock import milliseconds_of, text_of
from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.rights import GRACE_MS, Rights, Withdrawal
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.audit import Audit
from stemloom.vault.catalogue.projection import project
from stemloom.vault.catalogue.schema import migrate
from stemloom.vault.rights.statements import EXTENTS

from ..ledger import making

ORIGIN = "stemloom/interleavings"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
USES: Sequence[entries.Use] = ("live", "stream")


class World:
    """A ledger of two holders, its projection, its audit, and a session that has begun."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.audit, self.rights = Audit(ORIGIN), Rights()
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.db)
        self.size, self.ms, self.seq = 0, 0, 0
        self.keys = [PrivateKey.from_seed(bytes([number] * 32)) for number in (1, 2)]
        self.ids = [signing.holder_id(key.public) for key in self.keys]
        for key in self.keys:
            self.write(making.holder(key, ORIGIN, time=self.time()))
        self.write(self.session())
        self.placed = self.refused = self.said = 0

    def time(self, ms: int = 0) -> str:
        return text_of(BEGIN + timedelta(milliseconds=self.ms + ms))

    def write(self, entry: entries.Entry) -> list[str]:
        """Into the projection and past the audit; what the audit has to say."""
        said = list(self.audit.take(self.size, entry))
        project(self.db, self.size, entry)
        self.rights.take(self.size, entry)
        self.size += 1
        self.agree(getattr(entry, "stem", ""))
        return said

    def agree(self, stem: str) -> None:
        """What the projection says of a stem and of consents for stems to come is what `Rights` says."""

        def ask(question: str, *values: str) -> list[tuple[Any, ...]]:
            return self.db.execute(question, values).fetchall()

        assert ask(
            "SELECT use, entry, since, until, allows FROM clearance WHERE stem = ? ORDER BY use", stem
        ) == [
            (use, each.index, each.since, each.grant.until, ",".join(each.grant.extent))
            for use, each in sorted(self.rights.cleared(stem).items())
        ]
        for holder in self.ids:
            assert ask(
                "SELECT use, entry, since, until, allows FROM stands WHERE holder = ? ORDER BY use", holder
            ) == [
                (use, index, grant.since, grant.until, ",".join(grant.extent))
                for use, (index, grant) in sorted(self.rights.standing(holder, "").items())
            ]
        owned = (
            () if ask("SELECT 1 FROM removed WHERE stem = ?", stem) else self.rights.ownerships.get(stem, ())
        )
        sides = owned[-1].sides if owned else ({}, {})
        assert ask("SELECT side, holder, ppm FROM share WHERE stem = ? ORDER BY side, holder", stem) == [
            (side, holder, ppm)
            for side, parts in zip(("master", "publishing"), sides, strict=True)
            for holder, ppm in sorted(parts.items())
        ]

    def session(self) -> entries.Session:
        return making.session("opened", session="x00", time=self.time())

    def stem(self, number: int) -> str:
        """A stem that the first holder brings and both own."""
        parts = making.shares((self.ids[0], 600_000), (self.ids[1], 400_000))
        entry = making.stem(str(number), self.ids[0], time=self.time(), master=parts)
        assert self.write(entry) == []
        self.entered = {entry.stem: entry}
        return entry.stem

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
        action, time = "grant" if grants else "withdraw", self.time(-rng.choice([0, 0, 700]))
        said = {
            "action": action,
            "until": until,
            "time": time,
            "previous": last,
            "allows": self.extent(action),
        }
        signed = making.consent(self.keys[who], ORIGIN, stem, uses, **said)
        assert self.write(msgspec.structs.replace(signed, received=self.time())) == []
        self.said += 1

    def extent(self, action: str) -> Any:
        """What a statement may allow; older grants are silent on it."""
        if action == "withdraw" or self.rng.random() < 0.3:
            return UNSET
        return tuple(sorted(self.rng.sample(EXTENTS, self.rng.randint(0, 3))))

    def stand(self) -> None:
        last = self.db.execute("SELECT max(entry) FROM standing").fetchone()[0]
        action = self.rng.choice(["grant", "withdraw"])
        until = (
            self.time(self.rng.randint(1, 9000)) if action == "grant" and self.rng.random() < 0.5 else None
        )
        said = {"action": action, "until": until, "time": self.time(), "previous": last}
        said["allows"] = self.extent(action)
        signed = making.standing(self.keys[0], ORIGIN, self.rng.sample(USES, 1), **said)
        assert self.write(signed) == []

    def share(self, stem: str) -> None:
        """Both still own it, in other parts."""
        ppm = self.rng.randint(1, 999_999)
        parts = making.shares((self.ids[0], ppm), (self.ids[1], 1_000_000 - ppm))
        publishing = self.rng.choice([parts, making.shares((self.ids[0], 1_000_000))])
        approving = {self.ids[1]: self.keys[1]}
        entry = making.splits(
            self.keys[0], ORIGIN, stem, self.ids[0], parts, publishing, self.time(), approving
        )
        assert self.write(entry) == []

    def leave_and_return(self, stem: str) -> None:
        """It is withdrawn and taken out, and comes back with the shares that it had."""
        entered, owned = self.entered[stem], self.rights.ownerships[stem][-1]
        cleared = self.rights.cleared(stem)
        # What is cleared by standing consents alone may also go as it is.
        own = any(isinstance(each.grant, entries.Consent) for each in cleared.values())
        if own or (cleared and self.rng.random() < 0.5):
            said = {"action": "withdraw", "time": self.time()}
            assert self.write(making.consent(self.keys[0], ORIGIN, stem, sorted(cleared), **said)) == []
        removal = entries.Removal(time=self.time(), stem=stem, file_sha256=entered.file_sha256)
        assert self.write(removal) == []
        assert self.rights.withdrawn(stem) == Withdrawal(self.size - 1, removal.time)
        self.ms += self.rng.choice([0, 1, 600])
        shares = {"master": owned.master, "publishing": owned.publishing}
        assert self.write(msgspec.structs.replace(entered, time=self.time(), **shares)) == []
        assert self.rights.withdrawn(stem) is None

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
        if grants and (late or (found is not None and found[0] in grants)):
            # Somebody who plays all the same, and says that an old grant covers it.
            said = list(self.audit.take(self.size, self.placement(stem, now, max(grants))))
            assert said, (now, gone, grants)
            # The audit has counted it; so do we.
            self.size += 1
            self.seq += 1
            self.refused += 1

    def placement(self, stem: str, start: str, consent: int) -> entries.Placement:
        return making.placement(self.seq, stem, consent, 48, session="x00", start=start)


@pytest.mark.parametrize("count", [1_500, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_interleaving_lets_a_placement_start_after_its_withdrawal(count: int) -> None:
    world = World(count)
    for number in range(count):
        if number % 20 == 0:
            world.stand()
        stem = world.stem(number)
        for _ in range(world.rng.randint(3, 8)):
            world.ms += world.rng.choice([0, 1, 50, 499, 500, 501, 2000])
            moves = 5 * [world.speak, world.begin, world.begin] + [world.share, world.leave_and_return]
            world.rng.choice(moves)(stem)
        # What is over is not looked at again.
        for table in ("statement", "clearance", "share", "stem", "made", "removed"):
            world.db.execute(f"DELETE FROM {table}")
    print(
        f"{count} interleavings: {world.said} statements, {world.placed} placements, {world.refused} caught"
    )
    assert world.placed > count / 4
    assert world.refused > count / 10
