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
    first = next(
        (
            at
            for at, each in enumerate(entries[: last + 1])
            if each["kind"] == "placement" and each["ms"] and inside(each["start"], period)
        ),
        last,
    )
    found = [
        (each["effective"], at, each)
        for at, each in enumerate(entries[: first + 1])
        if each["kind"] == "terms" and each["effective"] <= f"{days(period)[0]}T00:00:00.000Z"
    ]
    return max(found, key=lambda each: each[:2])[2] if found else {"pool_ppm": [], "master_ppm": WHOLE // 2}


def settled_before(entries: list[Entry], index: int) -> list[int]:
    return [
        at
        for at, each in enumerate(entries[:index])
        if each["kind"] == "settlement" and each["currency"] == entries[index]["currency"]
    ]


def came_in(entries: list[Entry], period: str, currency: str, last: int) -> dict[str, int]:
    """All income of a period up to an entry, as corrected, by source."""
    sums: dict[str, int] = defaultdict(int)
    for each in entries[: last + 1]:
        of = entries[each["corrects"]] if each["kind"] == "correction" else each
        if of["kind"] == "income" and of["currency"] == currency and covers(period, of["period"]):
            sums[of["source"]] += each["amount"]
    return sums


def entitled(entries: list[Entry], period: str, currency: str, last: int, held: Entry) -> int:
    """What of it holders share, by some terms; what is kept back of each source is rounded down."""
    ppm = dict(held["pool_ppm"])
    return sum(
        amount - amount * (WHOLE - ppm.get(source, WHOLE)) // WHOLE
        for source, amount in came_in(entries, period, currency, last).items()
    )


def heard(entries: list[Entry], period: str, above: int, last: int) -> list[Entry]:
    return [
        each
        for at, each in enumerate(entries[: last + 1])
        if at > above and each["kind"] == "placement" and inside(each["start"], period)
    ]


def plan(entries: list[Entry], index: int) -> dict[str, Any]:
    """The pools of a settlement, what it carries over, and where it leaves each settled period."""
    entry = entries[index]
    period, currency, last = entry["period"], entry["currency"], entry["last"]
    before = settled_before(entries, index)
    was = plan(entries, before[-1]) if before else {"read": -1, "carried": 0, "periods": {}}
    own_terms = terms(entries, period, last)
    own = entitled(entries, period, currency, last, own_terms)
    late: dict[str, int] = {}
    restored: dict[str, int] = {}
    left = own - was["carried"]
    periods: dict[str, dict[str, Any]] = {}
    for of, old in was["periods"].items():
        new = periods[of] = dict(old)
        more = entitled(entries, of, currency, last, old["terms"]) - entitled(
            entries, of, currency, was["read"], old["terms"]
        )
        if more >= 0:
            back = min(old["back"], more)
            new["back"] -= back
            left += back
            restored[of] = back
            late[of] = more - back
            nobody = not sum(each["ms"] for each in heard(entries, of, -1, last))
            new["nobody"] += late[of] if nobody else 0
        else:
            from_nobody = min(old["nobody"], -more)
            new["nobody"] -= from_nobody
            new["back"] += -more - from_nobody
            left -= -more - from_nobody
    placements = [(each, period) for each in heard(entries, period, -1, last)]
    if left > 0:
        for of, new in periods.items():
            placements += [(each, of) for each in heard(entries, of, new["counted"], last)]
            new["counted"] = last
    own_pool = max(left, 0)
    total_ms = sum(each["ms"] for each, _ in placements)
    nobody_own = 0 if total_ms else own_pool
    for of, back in restored.items():
        lost = min(nobody_own, back)  # it came back to nobody
        periods[of]["nobody"] += lost
        periods[of]["back"] += lost
        nobody_own -= lost
    periods[period] = {"terms": own_terms, "back": 0, "nobody": nobody_own, "counted": last}
    pools = [(own_pool, own_terms, placements)]
    pools += [
        (amount, periods[of]["terms"], [(each, of) for each in heard(entries, of, -1, last)])
        for of, amount in late.items()
        if amount
    ]
    return {
        "read": last,
        "carried": max(-left, 0),
        "periods": periods,
        "pools": pools,
        "total_ms": total_ms,
    }


def gross_of(entries: list[Entry], index: int) -> int:
    """What came in: of the settlement's period, and of settled ones since the settlement before."""
    entry = entries[index]
    before = settled_before(entries, index)
    read = entries[before[-1]]["last"] if before else -1
    own = came_in(entries, entry["period"], entry["currency"], entry["last"])
    gross = sum(own.values())
    for at in before:
        of = entries[at]["period"]
        then = came_in(entries, of, entry["currency"], read)
        for source, amount in came_in(entries, of, entry["currency"], entry["last"]).items():
            gross += max(0, amount - then.get(source, 0))
    return gross


def splits_at(entries: list[Entry], placement: Entry, last: int) -> int:
    """The entry whose shares a placement goes by."""
    known = [
        (each["time"], at)
        for at, each in enumerate(entries[: last + 1])
        if each["kind"] in ("stem", "splits") and each["stem"] == placement["stem"]
    ]
    return max((each for each in known[1:] if each[0] <= placement["start"]), default=known[0])[1]


def settle(entries: list[Entry], index: int) -> dict[str, Any]:
    last = entries[index]["last"]
    made = plan(entries, index)
    stems: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    holders: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unallocated = 0
    for number, (amount, held, placements) in enumerate(made["pools"]):
        lines: dict[tuple[str, str, int], int] = defaultdict(int)
        for each, of in placements:
            lines[each["stem"], days(of)[0], splits_at(entries, each, last)] += each["ms"]
        time: dict[str, int] = defaultdict(int)
        for (stem, _, _), ms in lines.items():
            time[stem] += ms
        given = parted(amount, time)
        unallocated += amount - sum(given.values())
        for stem, ms in time.items():
            stems[stem][0] += 0 if number else ms
            stems[stem][1] += given[stem]
            keys = {key[1:]: ms for key, ms in lines.items() if key[0] == stem}
            for key, part in parted(given[stem], keys).items():
                sides = parted(part, {"master": held["master_ppm"], "publishing": WHOLE - held["master_ppm"]})
                for side, name in enumerate(("master", "publishing")):
                    shares = {each["holder"]: each["ppm"] for each in entries[key[1]][name]}
                    owner = next(
                        one["holder"] for one in entries if one["kind"] == "stem" and one["stem"] == stem
                    )
                    for holder, money in parted(sides[name], shares or {owner: WHOLE}).items():
                        holders[holder][side] += money
    return {
        "gross": gross_of(entries, index),
        "pool": sum(amount for amount, _, _ in made["pools"]),
        "total_ms": made["total_ms"],
        "unallocated": unallocated,
        "stems": {stem: tuple(each) for stem, each in stems.items()},
        "holders": {holder: tuple(each) for holder, each in holders.items()},
    }
