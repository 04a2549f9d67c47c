"""A second settlement engine: docs/royalties.md in fractions, over the JSON of entries, with nothing of ours.

`settle(entries, index)` derives the settlement entry at an index: gross, pool, unallocated, total_ms, and
the amounts of stems and of holders (master, publishing).
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from fractions import Fraction
from typing import Any

WHOLE = 1_000_000
Entry = dict[str, Any]


def days(period: str) -> tuple[str, str]:
    """First and last day."""
    if ".." in period:
        first, last = period.split("..")
        return first, last
    year, _, rest = period.partition("-")
    if not rest:
        return f"{year}-01-01", f"{year}-12-31"
    months = (int(rest), int(rest)) if rest.isdigit() else (3 * int(rest[1]) - 2, 3 * int(rest[1]))
    last_day = calendar.monthrange(int(year), months[1])[1]
    return f"{year}-{months[0]:02d}-01", f"{year}-{months[1]:02d}-{last_day:02d}"


def covers(outer: str, inner: str) -> bool:
    (a, b), (c, d) = days(outer), days(inner)
    return a <= c and d <= b


def inside(time: str, period: str) -> bool:
    first, last = days(period)
    return first <= time[:10] <= last


def parted(amount: int, weights: dict[Any, int]) -> dict[Any, int]:
    """By the largest remainder; of equal ones the smaller key."""
    whole = sum(weights.values())
    if not whole:
        return dict.fromkeys(weights, 0)
    exact = {key: Fraction(amount * weight, whole) for key, weight in weights.items()}
    parts = {key: value.numerator // value.denominator for key, value in exact.items()}
    left = amount - sum(parts.values())
    for key in sorted(exact, key=lambda key: (parts[key] - exact[key], key))[:left]:
        parts[key] += 1
    return parts


def terms(entries: list[Entry], period: str, last: int) -> Entry:
    """Those that hold for a period, as entries up to `last` have them."""
    found = [
        (each["effective"], at, each)
        for at, each in enumerate(entries[: last + 1])
        if each["kind"] == "terms" and each["effective"] <= f"{days(period)[0]}T00:00:00.000Z"
    ]
    return max(found, key=lambda each: each[:2])[2] if found else {"pool_ppm": [], "master_ppm": WHOLE // 2}


def moneys(entries: list[Entry], period: str, currency: str, last: int) -> dict[str, dict[str, int]]:
    """Gross by the period it is of, then source: the settlement's own, and what came late."""
    before = settled_before(entries, currency, last)
    counted = max((entries[at]["last"] for at in before), default=-1)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for at, each in enumerate(entries[: last + 1]):
        of = entries[each["corrects"]] if each["kind"] == "correction" else each
        if of["kind"] != "income" or of["currency"] != currency:
            continue
        if covers(period, of["period"]):
            sums[period][of["source"]] += each["amount"]
        for settled in (entries[index]["period"] for index in before):
            if covers(settled, of["period"]) and at > counted:
                sums[settled][of["source"]] += each["amount"]
    return sums


def settled_before(entries: list[Entry], currency: str, last: int) -> list[int]:
    return [
        at
        for at, each in enumerate(entries[: last + 1])
        if each["kind"] == "settlement" and each["currency"] == currency
    ]


def shared(entries: list[Entry], period: str, last: int, sources: dict[str, int]) -> int:
    """What of income holders share; what is kept back is rounded down, of what is taken back as well."""
    ppm = dict(terms(entries, period, last)["pool_ppm"])
    whole = 0
    for source, gross in sources.items():
        kept = abs(gross) * (WHOLE - ppm.get(source, WHOLE)) // WHOLE
        whole += gross - kept if gross >= 0 else gross + kept
    return whole


def pools(entries: list[Entry], index: int) -> tuple[dict[str, int], int]:
    """The amount of each pool by its period, and what is carried to the next settlement."""
    entry = entries[index]
    period, currency, last = entry["period"], entry["currency"], entry["last"]
    before = settled_before(entries, currency, last)
    carried = pools(entries, before[-1])[1] if before else 0
    own, late = 0, {}
    lasts = {entries[at]["period"]: entries[at]["last"] for at in before}
    for of, sources in moneys(entries, period, currency, last).items():
        amount = shared(entries, of, lasts.get(of, last), sources)
        if of == period:
            own += amount
        elif amount > 0:
            late[of] = amount
        else:
            own += amount
    left = own - carried
    return {period: max(left, 0), **late}, max(-left, 0)


def settle(entries: list[Entry], index: int) -> dict[str, Any]:
    entry = entries[index]
    period, currency, last = entry["period"], entry["currency"], entry["last"]
    before = settled_before(entries, currency, last)
    counted = max((entries[at]["last"] for at in before), default=-1)
    amounts, _ = pools(entries, index)
    stems: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    holders: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unallocated = 0
    for of, amount in amounts.items():
        lines: dict[tuple[str, str, int], int] = defaultdict(int)
        for at, each in enumerate(entries[: last + 1]):
            if each["kind"] != "placement":
                continue
            windows = [of] if inside(each["start"], of) else []
            if of == period and at > counted:
                windows += [
                    entries[one]["period"] for one in before if inside(each["start"], entries[one]["period"])
                ]
            for window in windows:
                known = [
                    (number, one)
                    for number, one in enumerate(entries[: last + 1])
                    if one["kind"] in ("stem", "splits") and one["stem"] == each["stem"]
                ]
                held = max(
                    ((one["time"], number) for number, one in known[1:] if one["time"] <= each["start"]),
                    default=("", known[0][0]),
                )
                lines[each["stem"], days(window)[0], held[1]] += each["ms"]
        heard: dict[str, int] = defaultdict(int)
        for (stem, _, _), ms in lines.items():
            heard[stem] += ms
        given = parted(amount, heard)
        unallocated += amount - sum(given.values())
        held_at = next((entries[at]["last"] for at in before if entries[at]["period"] == of), last)
        master_ppm = terms(entries, of, held_at)["master_ppm"]
        for stem, ms in heard.items():
            stems[stem][0] += ms if of == period else 0
            stems[stem][1] += given[stem]
            keys = {key[1:]: ms for key, ms in lines.items() if key[0] == stem}
            for key, part in parted(given[stem], keys).items():
                sides = parted(part, {"master": master_ppm, "publishing": WHOLE - master_ppm})
                for number, side in enumerate(("master", "publishing")):
                    shares = {each["holder"]: each["ppm"] for each in entries[key[1]][side]}
                    owner = next(
                        one["holder"] for one in entries if one["kind"] == "stem" and one["stem"] == stem
                    )
                    for holder, money in parted(sides[side], shares or {owner: WHOLE}).items():
                        holders[holder][number] += money
    gross = sum(
        value
        for sources in moneys(entries, period, currency, last).values()
        for value in sources.values()
        if value > 0
    )
    return {
        "gross": gross,
        "pool": sum(amounts.values()),
        "total_ms": sum(ms for ms, _ in stems.values()),
        "unallocated": unallocated,
        "stems": {stem: tuple(each) for stem, each in stems.items()},
        "holders": {holder: tuple(each) for holder, each in holders.items()},
    }
