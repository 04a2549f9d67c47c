"""A stem that is withdrawn: what it has earned is frozen, whatever happens for two years after."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from stemloom.ledger.entries.entries import Removal
from stemloom.ledger.royalties.balance import balances
from stemloom.ledger.royalties.statement import Statements

PEOPLE = ("ada", "ben", "cleo")
TITLES = ("Pad", "Bass", "Tick", "Bell", "Choir", "Sub")
MONTHS = tuple(f"{year}-{month:02d}" for year in (2026, 2027) for month in range(1, 13))


@pytest.mark.parametrize("late", [False, True], ids=["in time", "with late income"])
@pytest.mark.parametrize("seed", range(6))
def test_over_24_periods_what_is_frozen_does_not_move(story: Any, seed: int, late: bool) -> None:
    """Nor do corrections that take back; income that came late for what was heard before only adds."""
    chance = Random(seed)
    told = story()
    told.holder(*PEOPLE, time="2025-12-01T00:00:00.000Z")
    cleared: dict[str, set[str]] = {}
    for title in TITLES:
        one, other = chance.sample(PEOPLE, 2)
        ppm = chance.randrange(1_000_001)
        told.stem(
            title, one, {one: ppm, other: 1_000_000 - ppm}, {one: 1_000_000}, time="2025-12-01T00:00:00.000Z"
        )
        told.consent(title, one, ("live", "stream"), time="2025-12-02T00:00:00.000Z")
        cleared[title] = {"live", "stream"}
    owner = {title: told.usage.books.stems[told.s(title)][1].holder for title in TITLES}
    frozen: dict[tuple[str, str], int] = {}
    stayed = added = 0
    for at, month in enumerate(MONTHS):
        for title in TITLES:
            if cleared[title]:
                for _ in range(chance.randrange(3)):
                    use = chance.choice(sorted(cleared[title]))
                    told.place(title, chance.randrange(1, 10**6), f"{month}-02T10:00:00.000Z", use=use)
        for title in chance.sample(TITLES, 2):
            who = next(name for name in PEOPLE if told.h(name) == owner[title])
            if cleared[title] and chance.random() < 0.5:
                uses = sorted(chance.choice([cleared[title], {chance.choice(sorted(cleared[title]))}]))
                told.consent(title, who, uses, "withdraw", time=f"{month}-20T00:00:00.000Z")
                cleared[title] -= set(uses)
            elif not cleared[title] and chance.random() < 0.3:
                told.consent(title, who, ("stream",), time=f"{month}-21T00:00:00.000Z")
                cleared[title] = {"stream"}
        of = told.income(chance.randrange(10**8, 10**9), month)
        if at and late:
            told.income(chance.randrange(1, 10**8), chance.choice(MONTHS[:at]))
        told.settle(month)
        told.correct(of, -chance.randrange(10**8))
        made = Statements(told.usage, told.seal, "log", "key", month, told.names)
        now: dict[tuple[str, str], int] = {}
        adjusted: dict[tuple[str, str], int] = {}
        for name in PEOPLE:
            each = made.of(told.h(name))
            for stem in each.stems:
                if stem.frozen is not None:
                    now[name, stem.stem] = stem.frozen.amount
                    adjusted[name, stem.stem] = stem.adjusted
            assert each.frozen == sum(amount for (who, _), amount in now.items() if who == name)
            assert 0 <= each.frozen <= each.closing
        titles = {told.s(title): title for title in TITLES}
        assert {titles[stem] for _, stem in now} == {title for title in TITLES if not cleared[title]}
        for key, amount in frozen.items():
            if key in now:
                # It was withdrawn at the end of the month before, so nothing of it was heard in this one.
                assert now[key] == amount + adjusted[key]
                assert adjusted[key] >= 0
                stayed += not adjusted[key]
                added += adjusted[key] > 0
        frozen = now
    assert stayed > 20
    assert (added > 5) == late
    found = {each.holder: each for each in balances(told.usage, len(told.entries), "2027-12-31")}
    for name in PEOPLE:
        assert found[told.h(name)].frozen == sum(amount for (who, _), amount in frozen.items() if who == name)


def solo(story: Any) -> Any:
    told = story()
    told.holder("ada")
    told.stem("Solo", "ada")
    return told


def test_what_is_a_withdrawal_and_what_is_none(story: Any) -> None:
    told = solo(story)
    solo_id = told.s("Solo")

    def now() -> Any:
        return told.usage.books.rights.withdrawn(solo_id, len(told.entries) - 1)

    assert now() is None
    told.consent("Solo", "ada", ("live", "stream"))
    told.consent("Solo", "ada", ("export",), until="2026-10-03T00:00:00.000Z")
    told.consent("Solo", "ada", ("live", "stream"), "withdraw", time="2026-11-01T00:00:00.000Z")
    assert now() is None  # the grant for export ran out, and nobody withdrew it
    index = told.consent("Solo", "ada", ("export",), "withdraw", time="2026-11-02T00:00:00.000Z")
    assert (now().index, now().time) == (index, "2026-11-02T00:00:00.000Z")
    told.consent("Solo", "ada", ("stream",))
    assert now() is None


def test_a_stem_that_was_taken_out_is_withdrawn(story: Any) -> None:
    told = solo(story)
    told.consent("Solo", "ada")
    index = told.add(Removal(time="2026-11-03T00:00:00.000Z", stem=told.s("Solo"), file_sha256="a" * 64))
    assert told.usage.books.rights.withdrawn(told.s("Solo"), index).index == index
    assert told.usage.books.rights.withdrawn(told.s("Solo"), index - 1) is None
    again = told.stem("Solo", "ada", time="2026-11-04T00:00:00.000Z")
    assert told.usage.books.rights.withdrawn(told.s("Solo"), again) is None
    assert told.usage.books.rights.withdrawn(told.s("Solo"), again - 1) is not None


def test_a_party_who_gave_the_share_away_still_has_what_is_frozen(story: Any) -> None:
    told = solo(story)
    told.holder("ben")
    told.consent("Solo", "ada")
    half = {"ada": 500_000, "ben": 500_000}
    told.splits("Solo", "ada", half, half, "2026-10-02T00:00:00.000Z")
    told.place("Solo", 10, "2026-10-03T00:00:00.000Z")
    told.income(100, "2026-10")
    told.settle("2026-10")
    told.splits("Solo", "ben", {"ada": 1_000_000}, {"ada": 1_000_000}, "2026-11-02T00:00:00.000Z")
    told.consent("Solo", "ada", action="withdraw", time="2026-11-04T00:00:00.000Z")
    told.income(100, "2026-11")
    told.settle("2026-11")
    made = Statements(told.usage, told.seal, "log", "key", "2026-11", told.names)
    found = {each.holder: each for each in balances(told.usage, len(told.entries), "2026-12-31")}
    for name in ("ada", "ben"):
        each = made.of(told.h(name))
        assert each.frozen == found[told.h(name)].frozen == 50
        assert [stem.frozen.amount for stem in each.stems if stem.frozen is not None] == [50]


def test_a_holder_whose_stems_are_all_withdrawn_has_a_statement(story: Any) -> None:
    told = solo(story)
    told.consent("Solo", "ada")
    told.place("Solo", 10, "2026-11-03T00:00:00.000Z")
    told.income(77)
    told.consent("Solo", "ada", action="withdraw", time="2026-11-04T00:00:00.000Z")
    told.settle()
    told.income(1000, "2026-12")
    told.settle("2026-12")
    made = Statements(told.usage, told.seal, "log", "key", "2026-12", told.names).of(told.h("ada"))
    assert (made.opening, made.amount, made.closing, made.frozen) == (77, 0, 77, 77)
