"""A second settlement engine: docs/royalties.md in fractions, over the JSON of entries, with nothing of ours.

`settle(entries, index)` derives the settlement entry at an index: gross, pool, unallocated, total_ms, and
the amounts of stems and of holders (master, publishing).
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from copy import deepcopy
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


def receivers_bear(entries: list[Entry], last: int) -> bool:
    return any("borne_by" in each or "periods" in each for each in entries[: last + 1])


def plan(entries: list[Entry], index: int, was: dict[str, Any]) -> dict[str, Any]:
    """The pools of a settlement, what it carries over, and where it leaves each settled period."""
    entry = entries[index]
    period, currency, last = entry["period"], entry["currency"], entry["last"]
    own_terms = terms(entries, period, last)
    own = entitled(entries, period, currency, last, own_terms)
    stated = receivers_bear(entries, last)
    made = (changes if stated else changes_before)(entries, entry, stated_now(was) if stated else was)
    periods = made["periods"]
    left = own - was["carried"] + sum(made["restored"].values()) - made["borne"]
    placements = [(each, period) for each in heard(entries, period, -1, last)]
    if left > 0:
        for of, new in periods.items():
            placements += [(each, of) for each in heard(entries, of, new["counted"], last)]
            new["counted"] = last
    own_pool = max(left, 0)
    total_ms = sum(each["ms"] for each, _ in placements)
    nobody_own = 0 if total_ms else own_pool
    for name, back in made["restored"].items():
        lost = min(nobody_own, back)  # it came back to nobody
        made["accounts"][name]["nobody"] += lost
        made["accounts"][name]["back"] += lost
        nobody_own -= lost
    periods[period] = {"terms": own_terms, "counted": last}
    pools = [(own_pool, own_terms, placements, period)]
    pools += [
        (amount, periods[of]["terms"], [(each, of) for each in heard(entries, of, -1, last)], of)
        for of, amount in made["late"].items()
        if amount
    ]
    own_income = came_in(entries, period, currency, last)
    name = (index, period)
    made["accounts"][name] = account(own_terms, own_income, nobody_own)
    if not stated:
        made["accounts"]["before", period] = account(own_terms, own_income, nobody_own)
    for at, each in enumerate(entries[: last + 1]):
        if each["kind"] == "income" and each["currency"] == currency and covers(period, each["period"]):
            amounts = [each["amount"], *(by for _, by in corrections(entries, at, last))]
            made["where"][at] = [[name, sum(amounts), sum(amounts)]]
    return made | {
        "read": last,
        "carried": max(-left, 0),
        "pools": pools,
        "total_ms": total_ms,
        "gross": made["gross"] + sum(own_income.values()),
    }


def stated_now(was: dict[str, Any]) -> dict[str, Any]:
    """Periods whose corrections were settled by the rule of before have one account, the others do not."""
    if was["stated"]:
        return was
    one = was["corrected"]
    kept = {name: each for name, each in was["accounts"].items() if (name[0] == "before") == (name[1] in one)}
    where = {
        income: [[("before", name[1]) if name[1] in one else name, *rest] for name, *rest in places]
        for income, places in was["where"].items()
    }
    return was | {"stated": True, "accounts": kept, "where": where}


def account(held: Entry, income: dict[str, int], nobody: int = 0) -> dict[str, Any]:
    return {
        "terms": held,
        "income": defaultdict(int, income),
        "gave": defaultdict(int),
        "owes": defaultdict(int),
        "nobody": nobody,
        "back": 0,
        "short": 0,
    }


def corrections(entries: list[Entry], income: int, last: int) -> list[tuple[int, int]]:
    return [
        (at, each["amount"])
        for at, each in enumerate(entries[: last + 1])
        if each["kind"] == "correction" and each["corrects"] == income
    ]


def changes_before(entries: list[Entry], entry: Entry, was: dict[str, Any]) -> dict[str, Any]:
    """By the rule of ledgers of before: the next settlement bears it."""
    made = deepcopy(was) | {"late": {}, "restored": {}, "borne": 0, "gross": 0, "charges": []}
    currency, last = entry["currency"], entry["last"]
    for of, settled in made["periods"].items():
        name = ("before", of)
        old = made["accounts"][name]
        then, now = (came_in(entries, of, currency, read) for read in (was["read"], last))
        made["gross"] += sum(max(0, amount - then.get(source, 0)) for source, amount in now.items())
        old["income"] = defaultdict(int, now)
        more = entitled(entries, of, currency, last, settled["terms"]) - entitled(
            entries, of, currency, was["read"], settled["terms"]
        )
        if more >= 0:
            back = min(old["back"], more)
            old["back"] -= back
            made["restored"][name] = back
            made["late"][of] = more - back
            nobody = not sum(each["ms"] for each in heard(entries, of, -1, last))
            old["nobody"] += made["late"][of] if nobody else 0
        else:
            from_nobody = min(old["nobody"], -more)
            old["nobody"] -= from_nobody
            old["back"] += -more - from_nobody
            made["borne"] += -more - from_nobody
        new = [
            (at, each)
            for at, each in enumerate(entries[: last + 1])
            if at > was["read"] and late(entries, each, of, currency)
        ]
        for at, each in new:
            income = each["corrects"] if each["kind"] == "correction" else at
            ((first, most, was_then),) = made["where"].get(income, [[(entries.index(entry), of), 0, 0]])
            now_it_is = was_then + each["amount"]
            made["where"][income] = [[first, max(most, now_it_is), now_it_is]]
        if any(each["kind"] == "correction" for _, each in new):
            made["corrected"] = {*made["corrected"], of}
        elif new:
            made["accounts"][entries.index(entry), of] = account(settled["terms"], {})
            for _, each in new:
                made["accounts"][entries.index(entry), of]["income"][each["source"]] += each["amount"]
            nobody = not sum(each["ms"] for each in heard(entries, of, -1, last))
            made["accounts"][entries.index(entry), of]["nobody"] = made["late"][of] if nobody else 0
    return made


def late(entries: list[Entry], each: Entry, of: str, currency: str) -> bool:
    """Whether an entry is income of a period, or a correction of such income."""
    income = entries[each["corrects"]] if each["kind"] == "correction" else each
    return income["kind"] == "income" and income["currency"] == currency and covers(of, income["period"])


def worth(held: dict[str, Any]) -> int:
    ppm = dict(held["terms"]["pool_ppm"])
    return sum(
        amount - amount * (WHOLE - ppm.get(source, WHOLE)) // WHOLE
        for source, amount in held["income"].items()
    )


def changes(entries: list[Entry], entry: Entry, was: dict[str, Any]) -> dict[str, Any]:
    """Those who were given it bear it."""
    made = deepcopy(was) | {"late": defaultdict(int), "restored": {}, "borne": 0, "gross": 0, "charges": []}
    last, at_index, accounts = entry["last"], entries.index(entry), made["accounts"]
    for at in range(was["read"] + 1, last + 1):
        income = entries[at]["corrects"] if entries[at]["kind"] == "correction" else at
        of = entries[income]
        settled = [each for each in was["periods"] if of["kind"] == "income" and covers(each, of["period"])]
        if of["kind"] == "income" and of["currency"] == entry["currency"] and settled:
            name = (at_index, settled[0])
            accounts.setdefault(name, account(made["periods"][settled[0]]["terms"], {}))
            move(made, was, income, entries[at]["amount"], name, of["source"])
    for name in sorted(accounts, key=lambda name: list(was["periods"]).index(name[1])):
        old = was["accounts"].get(name, account(accounts[name]["terms"], {}))
        now = accounts[name]
        made["gross"] += sum(max(0, now["income"][each] - old["income"][each]) for each in now["income"])
        more = worth(now) - worth(old)
        if name not in was["accounts"]:
            made["late"][name[1]] += more
        elif more < 0:
            from_nobody = min(now["nobody"], -more)
            free = sum(now["gave"].values()) - sum(now["owes"].values())
            owed = min(free, -more - from_nobody)
            now["nobody"] -= from_nobody
            now["short"] += -more - from_nobody - owed
            made["charges"].append((name, owed))
        else:
            for kind in ("owes", "back", "short"):
                there = sum(now["owes"].values()) if kind == "owes" else now[kind]
                part = min(there, more)
                more -= part
                if kind == "owes":
                    made["charges"].append((name, -part))
                else:
                    now[kind] -= part
                if kind == "back":
                    made["restored"][name] = part
            made["late"][name[1]] += more
    for of, amount in made["late"].items():
        accounts.setdefault((at_index, of), account(made["periods"][of]["terms"], {}))
        nobody = not sum(each["ms"] for each in heard(entries, of, -1, last))
        accounts[at_index, of]["nobody"] = amount if nobody else 0
    return made


def move(made: dict[str, Any], was: dict[str, Any], income: int, amount: int, new: Any, source: str) -> None:
    """Take in one entry: a fall out of the newest account first, a rise into the oldest first."""
    places = made["where"].setdefault(income, [])
    if amount < 0:
        for place in reversed(places):
            part = min(place[2], -amount)
            place[2] -= part
            if was["accounts"].get(place[0], {"nobody": 0})["nobody"]:
                place[1] -= part  # it is not filled up
            made["accounts"][place[0]]["income"][source] -= part
            amount += part
        return
    for place in places:
        part = min(place[1] - place[2], amount)
        place[2] += part
        made["accounts"][place[0]]["income"][source] += part
        amount -= part
    if amount:
        made["accounts"][new]["income"][source] += amount
        if places and places[-1][0] == new:
            places[-1] = [new, places[-1][2] + amount, places[-1][2] + amount]
        else:
            places.append([new, amount, amount])


def splits_at(entries: list[Entry], placement: Entry, last: int) -> int:
    """The entry whose shares a placement goes by."""
    known: list[tuple[str, int]] = []
    for at, each in enumerate(entries[: last + 1]):
        if each["kind"] in ("stem", "splits") and each["stem"] == placement["stem"]:
            time = each.get("received", each["time"])
            # Splits that expire take effect after the ones that they follow, whatever their clock said.
            known.append((max([time, *(before for before, _ in known)]) if "expires" in each else time, at))
    return max((each for each in known[1:] if each[0] <= placement["start"]), default=known[0])[1]


def owe(made: dict[str, Any], earned: dict[str, int]) -> dict[str, tuple[int, int]]:
    """By holder, what is set off in this settlement and what is owed after it."""
    debts = defaultdict(int, made["debts"])
    for name, amount in made["charges"]:
        held = made["accounts"][name]
        free = {who: gave - held["owes"][who] for who, gave in held["gave"].items()}
        for who, part in parted(abs(amount), free if amount > 0 else dict(held["owes"])).items():
            part = part if amount > 0 else -part
            held["owes"][who] += part
            debts[who] += part
    off = defaultdict(int, made["off"])
    found = {}
    for who, debt in debts.items():
        whole = min(debt, off[who] + earned.get(who, 0))
        found[who] = (whole - off[who], debt - whole)
        off[who] = whole
    made["debts"], made["off"] = debts, off
    return found


START: dict[str, Any] = {"read": -1, "carried": 0, "periods": {}, "accounts": {}, "where": {}} | {
    "stated": False,
    "corrected": set(),
    "debts": {},
    "off": {},
}


def settle(entries: list[Entry], index: int) -> dict[str, Any]:
    last = entries[index]["last"]
    before = settled_before(entries, index)
    made = plan(entries, index, settle(entries, before[-1])["after"] if before else START)
    names = (index,) if receivers_bear(entries, last) else (index, "before")
    stems: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    holders: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unallocated = 0
    gave: dict[str, dict[str, int]] = {}
    for number, (amount, held, placements, of) in enumerate(made["pools"]):
        gave[of] = defaultdict(int)
        lines: dict[tuple[str, str, int], int] = defaultdict(int)
        for each, heard_in in placements:
            lines[each["stem"], days(heard_in)[0], splits_at(entries, each, last)] += each["ms"]
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
                        gave[of][holder] += money
    debts = owe(made, {holder: sum(each) for holder, each in holders.items()})
    for of, sums in gave.items():
        for holder, money in sums.items():
            for name in names:
                if (name, of) in made["accounts"]:
                    made["accounts"][name, of]["gave"][holder] += money
    return {
        "gross": made["gross"],
        "pool": sum(amount for amount, _, _, _ in made["pools"]),
        "total_ms": made["total_ms"],
        "unallocated": unallocated,
        "stems": {stem: tuple(each) for stem, each in stems.items()},
        "holders": {holder: tuple(each) for holder, each in holders.items()},
        "debts": debts,
        "after": made,
    }
