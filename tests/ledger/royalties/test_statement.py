"""Statements: every number is in them and adds up, and the page is one safe file."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from stemloom.ledger.division.errors import NotAHolder, NotSettled, SeveralCurrencies
from stemloom.ledger.division.periods import Period
from stemloom.ledger.errors import VerificationFailed
from stemloom.ledger.royalties.balance import heard_since
from stemloom.ledger.royalties.chart import HEIGHT, MOST_BARS, WIDTH, chart_bars
from stemloom.ledger.royalties.display_text import duration_text, period_text
from stemloom.ledger.royalties.statement import Statements
from stemloom.ledger.royalties.statement_page import statement_page
from stemloom.ledger.royalties.statement_schema import Named, Statement, UseTotal

from .outline import Outline

NASTY = '<script>alert(1)</script> & "Söns" {{ 7*7 }}'


def concert(story: Any, ada: str = "Ada Vale") -> Any:
    """October and November for two holders; a stem without use, a withdrawal, a grant that ran out."""
    told = story()
    told.holder(ada, "Ben")
    told.stem("Bass", ada, {ada: 600_000, "Ben": 400_000}, {"Ben": 1_000_000})
    told.stem("Pad", "Ben")
    told.stem("Hush", ada)
    told.consent("Bass", ada, ("live", "stream"))
    told.consent("Bass", ada, ("export",), until="2026-11-15T00:00:00.000Z")
    told.consent("Bass", ada, ("live",), action="withdraw", time="2026-11-12T00:00:00.000Z")
    told.place("Bass", 1_000, "2026-10-05T10:00:00.000Z")
    told.income(40, period="2026-10")
    told.settle("2026-10")
    told.place("Bass", 20_000, "2026-11-03T10:00:00.000Z", session="x01", section="verse")
    told.place("Bass", 10_000, "2026-11-03T11:00:00.000Z", session="x01", section="hook", tier="free")
    told.place("Bass", 5_000, "2026-11-20T09:00:00.250Z", session="x02", use="live", role="tops")
    told.place("Pad", 65_000, "2026-11-20T09:00:00.000Z", session="x02", role="pads")
    told.income(1_000_003)
    told.settle("2026-11")
    told.place("Bass", 9_999, "2026-11-29T10:00:00.000Z", session="x03")
    return told


def state(told: Any, who: str, period: str = "2026-11", currency: str | None = None) -> Statement:
    origin, vkey = "example.org/log", "example.org/log+abcd+key"
    only = told.h(who)
    made = Statements(told.usage, told.seal, origin, vkey, period, told.names, currency, only).of(only)
    # It is the same when others are asked for with it.
    every = Statements(told.usage, told.seal, origin, vkey, period, told.names, currency)
    assert every.of(only) == made
    return made


def test_holds_what_was_heard_and_how(story: Any) -> None:
    told = concert(story)
    made = state(told, "Ada Vale")
    bass, hush = made.stems
    assert (bass.title, bass.ms, bass.placements, bass.sessions) == ("Bass", 35_000, 3, 2)
    assert [(each.name, each.ms, each.placements) for each in bass.by_use] == [
        ("stream", 30_000, 2),
        ("live", 5_000, 1),
    ]
    assert [(each.name, each.ms) for each in bass.by_tier] == [("subscriber", 25_000), ("free", 10_000)]
    assert [(each.name, each.ms) for each in bass.by_section] == [("verse", 25_000), ("hook", 10_000)]
    assert [(each.name, each.ms) for each in bass.by_role] == [("bass", 30_000), ("tops", 5_000)]
    assert [(each.name, each.ms) for each in bass.by_day] == [("2026-11-03", 30_000), ("2026-11-20", 5_000)]
    assert bass.first_use is not None
    assert bass.last_use is not None
    assert (bass.first_use.time, bass.last_use.time) == (
        "2026-11-03T10:00:00.000Z",
        "2026-11-20T09:00:00.250Z",
    )
    assert told.entries[bass.last_use.index].start == bass.last_use.time
    assert [(each.use, each.index) for each in bass.consents] == [("stream", 5)]
    assert (hush.title, hush.ms, hush.accrued, hush.first_use, hush.consents) == ("Hush", 0, 0, None, ())


def test_the_numbers_add_up(story: Any) -> None:
    told = concert(story)
    ada, ben = state(told, "Ada Vale"), state(told, "Ben")
    for made in (ada, ben):
        assert made.opening + made.amount == made.closing
        assert made.amount == made.accrued == made.master + made.publishing
        assert made.accrued == sum(stem.accrued for stem in made.stems)
        assert made.gross == made.deducted + made.pool == 1_000_003
        for stem in made.stems:
            assert stem.amount == sum(line.amount for line in stem.lines)
            for line in stem.lines:
                assert line.amount == line.master.amount + line.publishing.amount
                for side in (line.master, line.publishing):
                    assert side.amount == sum(share.amount for share in side.shares)
                    assert sum(share.ppm for share in side.shares) == 1_000_000
            for used in (stem.by_use, stem.by_tier, stem.by_section, stem.by_role, stem.by_day):
                assert sum(each.ms for each in used) == stem.ms
                assert sum(each.placements for each in used) == stem.placements
    assert ada.amount + ben.amount == ada.pool
    assert (ada.opening, ben.opening) == (12, 28)
    assert ada.total_ms == 100_000
    assert (ada.terms.index, ada.terms.master_ppm, ada.terms.pool_ppm) == (
        None,
        500_000,
        {"subscription": 1_000_000},
    )


def test_names_and_their_salts(story: Any) -> None:
    told = concert(story)
    made = state(told, "Ada Vale")
    assert (made.payee.name, made.payee.name_salt) == told.names[told.h("Ada Vale")][:2]
    assert made.payee.name_commitment == told.entries[0].name
    assert [
        share.name for share in made.stems[0].lines[0].master.shares if share.holder == told.h("Ben")
    ] == ["Ben"]
    told.names = {}
    bare = state(told, "Ada Vale")
    assert (bare.payee.name, bare.payee.name_salt, bare.amount) == (None, None, made.amount)
    assert told.h("Ada Vale") in statement_page(bare)


def test_a_name_that_the_ledger_did_not_commit_to_is_refused(story: Any) -> None:
    told = concert(story)
    told.names[told.h("Ada Vale")] = Named("Eve", "0" * 32)
    with pytest.raises(VerificationFailed, match="not the one that the ledger holds a commitment to"):
        state(told, "Ada Vale")


def test_refusals(story: Any) -> None:
    told = concert(story)
    with pytest.raises(NotAHolder, match="the ledger has no holder"):
        state(told, "Nobody")
    for period in ("2026-12", "2026-Q4", "2026-11-01..2026-11-29"):
        with pytest.raises(NotSettled, match="was never settled; settle it with"):
            state(told, "Ben", period)
    with pytest.raises(NotSettled, match="was never settled in USD"):
        state(told, "Ben", currency="USD")
    told.income(5, currency="USD")
    told.settle(currency="USD")
    with pytest.raises(SeveralCurrencies, match="was settled in EUR, USD; choose one with --currency"):
        state(told, "Ben")
    dollars = state(told, "Ben", currency="USD")
    assert (dollars.opening, dollars.pool) == (0, 5)


def test_a_settlement_that_does_not_follow_gives_no_statement(story: Any) -> None:
    told = concert(story)
    at = next(index for index, entry in enumerate(told.entries) if getattr(entry, "ms", None) == 20_000)
    told.entries[at] = msgspec.structs.replace(told.entries[at], ms=20_001)
    with pytest.raises(VerificationFailed, match="does not follow from the ledger"):
        state(told, "Ben")


def test_what_came_after_the_settlement_is_told(story: Any) -> None:
    told = concert(story)
    made = state(told, "Ben")
    assert (made.since.ms, made.since.total_ms) == (9_999, 9_999)
    told.place("Hush", 40, "2026-11-30T10:00:00.000Z", session="x03")
    told.place("Hush", 7, "2026-12-01T10:00:00.000Z", session="x03")
    later = state(told, "Ben")
    assert (later.since.ms, later.since.total_ms) == (9_999, 10_039)
    assert (later.ms, later.amount, later.closing) == (made.ms, made.amount, made.closing)
    assert "10.039 s heard since, which the next settlement counts; 9.999 s of it is your stems’" in (
        Outline(statement_page(later)).text.replace("\u00a0", " ")
    )
    before = state(told, "Ben", "2026-10")
    assert (before.since.ms, before.since.total_ms) == (0, 0)
    assert "heard since" not in statement_page(before)
    assert [(each.period, each.ms) for each in heard_since(told.usage, len(told.entries))] == [
        ("2026-10", 0),
        ("2026-11", 10_039),
    ]
    assert heard_since(story().usage, 0) == ()


def test_income_is_listed_with_its_references(story: Any) -> None:
    told = story()
    told.holder("Ada")
    told.stem("Bass", "Ada")
    told.place("Bass", 10)
    for amount, reference in ((30, "a sample"), (12, NASTY)):
        at = told.income(amount)
        told.entries[at] = msgspec.structs.replace(told.entries[at], reference=reference)
    told.settle()
    made = state(told, "Ada")
    (line,) = made.income
    assert [(each.amount, each.reference) for each in line.entries] == [(30, "a sample"), (12, NASTY)]
    assert sum(each.amount for each in line.entries) == line.gross
    assert [told.entries[each.index].reference for each in line.entries] == ["a sample", NASTY]
    text = statement_page(made)
    assert "<script" not in text
    shown = Outline(text).text
    assert "“a sample”" in shown
    assert f"“{NASTY}”" in shown


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def test_json_goes_there_and_back(story: Any) -> None:
    made = state(concert(story), "Ben")
    data = msgspec.json.encode(made)
    assert msgspec.json.decode(data, type=Statement) == made
    assert isinstance(msgspec.json.decode(data)["accrued"], int)
    assert not [each for each in leaves(msgspec.json.decode(data)) if isinstance(each, float)]


def test_the_page_is_one_well_formed_file_that_loads_and_runs_nothing(story: Any) -> None:
    outline = Outline(statement_page(state(concert(story), "Ada Vale")))
    assert outline.open == []
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(outline.tags)
    names = {name for name, _ in outline.attributes}
    assert not {"src", "href", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "svg" in outline.tags
    for shown in ("Ada Vale", "November 2026", "35.000 s", "Bass", "Not heard in this period", "Hush"):
        assert shown in outline.text.replace("\u00a0", " ")


def test_a_page_says_if_its_period_was_settled_before_the_end(story: Any) -> None:
    told = concert(story)
    made = state(told, "Ben")
    early = msgspec.structs.replace(
        made, settlement=msgspec.structs.replace(made.settlement, time="2026-11-21T00:00:00.000Z")
    )
    assert "before its end" not in statement_page(made)
    assert "settled on 21 November 2026, before its end" in statement_page(early)


def test_text_of_strangers_is_escaped(story: Any) -> None:
    told = concert(story, ada=NASTY)
    told.entries[2] = msgspec.structs.replace(told.entries[2], title=NASTY, role="<b>")
    text = statement_page(state(told, NASTY))
    assert "<script" not in text
    assert "<b>" not in text
    outline = Outline(text)
    assert outline.text.count(NASTY) >= 4
    assert "49" not in re.sub(re.escape(NASTY), "", outline.text)[:40]


def test_every_amount_of_the_statement_is_on_the_page_to_the_micro_unit(story: Any) -> None:
    made = state(concert(story), "Ben")
    shown = re.sub(r"\s+", " ", Outline(statement_page(made)).text.replace("\u00a0", ""))
    for amount in (
        made.amount,
        made.opening,
        made.closing,
        made.pool,
        *(stem.accrued for stem in made.stems),
    ):
        assert f"{amount // 1_000_000}.{amount % 1_000_000:06d}".rstrip("0") in shown


def test_a_page_without_any_use(story: Any) -> None:
    told = story()
    told.holder("Ada")
    told.stem("Hush", "Ada")
    told.income(1)
    told.settle()
    text = Outline(statement_page(state(told, "Ada"))).text
    assert "Nothing was heard in this period" in text
    assert "earned by nobody" in text


@pytest.mark.parametrize(
    ("period", "count"),
    [("2026-11", 30), ("2026-12", 31), ("2026-Q4", 31), ("2026", 31), ("2026-11-03..2026-11-03", 1)],
)
def test_a_chart_has_a_bar_a_day_or_a_run_of_days(period: str, count: int) -> None:
    of = Period.parse(period)
    used = (
        UseTotal(name=of.first_day.isoformat(), ms=10, placements=1),
        UseTotal(name=of.last_day.isoformat(), ms=1_000_000, placements=1),
    )
    drawn = chart_bars(used, of)
    assert len(drawn) == count <= MOST_BARS
    assert sum(bar.ms for bar in drawn) == 1_000_010
    assert (drawn[0].first, drawn[-1].last) == (of.first_day.isoformat(), of.last_day.isoformat())
    assert drawn[-1].height == HEIGHT
    assert drawn[0].height >= 2
    assert all(
        bar.x >= 0 and bar.x + bar.width <= WIDTH and bar.y + bar.height <= HEIGHT + 0.01 for bar in drawn
    )


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0.000 s"), (250, "0.250 s"), (192_480, "3 min 12.480 s"), (3_723_450, "1 h 02 min 03.450 s")],
)
def test_durations(ms: int, text: str) -> None:
    assert duration_text(ms).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ("2026-11", "November 2026"),
        ("2026-Q4", "October to December 2026"),
        ("2026", "2026"),
        ("2026-11-03..2026-11-09", "3 November 2026 to 9 November 2026"),
    ],
)
def test_periods_in_words(period: str, text: str) -> None:
    assert period_text(period) == text
