"""Ten hours of composing: who is heard how long, and the share cap in every ten minutes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.placed import Placed
from stemloom.engine.compose.score import score
from stemloom.engine.compose.share_cap import CAP_SECONDS
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Placement
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem

from ..marks import slow
from .pieces import HEAD, NOW, snapshot, stem

BAR_SECONDS = 2
HOURS = 10
ROLES = ("beats", "bass", "pads", "tops")
FORM = "".join(f"    bring {role} from {role}\n" for role in ROLES)
FORM = f"""section a 8..16 bars
{FORM}    vary beats every 4 bars
    vary bass every 2 bars
section b 4..12 bars
{FORM}    rest beats
move a -> b weight 2 at end
move a -> a at end
move b -> a at end
"""


def pools(modifier: str) -> str:
    return "".join(f"pool {role} = loops role {role}, key any{modifier}\n" for role in ROLES)


def library(holders: int, *, heavy: int = 0) -> list[Stem]:
    """Twelve stems of each role, of 1 to 8 bars and several sets; `heavy` of them by the first holder."""
    made = []
    for number, role in enumerate(ROLES):
        for i in range(12):
            holder = 0 if i < heavy else 1 + i % (holders - 1)
            made.append(
                stem(
                    number * 100 + i,
                    role,
                    beats=4 * 2 ** (i % 4),
                    holder=f"h{holder:020x}",
                    set=[None, "one", "two"][i % 3],
                )
            )
    return made


def heard(text: str, stems: list[Stem]) -> tuple[list[tuple[Placement, int]], int]:
    """Every placement of ten hours with the frame at which it ended, and how often a line rested."""
    fixed = score(accepted(HEAD + text), snapshot(*stems), use="stream", at=NOW, rate=48_000)
    state = first_state(fixed.piece, {})
    placed: dict[int, Placement] = {}
    ends: dict[int, int] = {}
    rests = 0
    for _ in range(HOURS * 3600 // BAR_SECONDS):
        bar, state = next_bar(fixed, state)
        rests += len(bar.rested)
        for p in bar.starts:
            placed[p.id], ends[p.id] = p, p.end_frame
        for stop in bar.stops:
            ends[stop.id] = min(ends[stop.id], stop.end_frame)
    return [(placed[id], ends[id]) for id in placed], rests


def gini(times: NDArray[np.float64]) -> float:
    times, count = np.sort(times), len(times)
    return float((2 * np.arange(1, count + 1) - count - 1) @ times / (count * times.sum()))


def shares(placed: list[tuple[Placement, int]]) -> NDArray[np.float64]:
    """Each holder's share of the time heard in every ten minutes, by bar: (holders, windows)."""
    holders = sorted({p.holder for p, _ in placed})
    frames = BAR_SECONDS * 48_000
    by_bar = np.zeros((len(holders), HOURS * 3600 // BAR_SECONDS + 64))
    for p, end in placed:
        edges = np.arange(p.start_frame // frames, -(-end // frames) + 1) * frames
        inside = np.diff(np.clip(edges, p.start_frame, end))
        by_bar[holders.index(p.holder), edges[:-1] // frames] += inside
    window = CAP_SECONDS // BAR_SECONDS
    sums = np.cumsum(by_bar[:, : HOURS * 3600 // BAR_SECONDS], axis=1)
    lately = sums[:, window:] - sums[:, :-window]
    return lately / lately.sum(axis=0)


def test_prefer_fresh_shares_ten_hours_evenly() -> None:
    stems = library(6)
    placed, _ = heard(pools(", prefer fresh") + FORM, stems)
    times = Counter[str]()
    for p, end in placed:
        times[p.stem] += end - p.start_frame
    for role in ROLES:
        each = np.array([times[s.stem] for s in stems if s.role == role], float)
        assert gini(each) < 0.1, role


def test_one_part_that_is_varied_keeps_to_the_cap() -> None:
    """Its loops are placed to the end of a long section, and stopped where they are varied."""
    text = "share cap 30% per holder\npool bass = loops role bass, key any\nsection a 64 bars\n"
    text += "    bring bass from bass\n    vary bass every 4 bars\n"
    placed, _ = heard(text, library(6))
    assert shares(placed).max() <= 0.3


@pytest.mark.parametrize("fresh", [slow(""), ", prefer fresh"])
def test_no_ten_minutes_are_above_the_share_cap(fresh: str) -> None:
    """One holder has half of the stems; without the cap his share is far above it."""
    stems = library(7, heavy=6)
    capped, rests = heard("share cap 30% per holder\n" + pools(fresh) + FORM, stems)
    assert shares(capped).max() <= 0.3
    assert rests == 0
    if not fresh:
        free, _ = heard(pools(fresh) + FORM, stems)
        assert np.median(shares(free).max(axis=0)) > 0.4


@pytest.mark.slow
def test_the_cap_never_causes_a_rest() -> None:
    """Pads are one holder's alone: he plays on, above the cap, and the others' shares are still theirs."""
    stems = [s for s in library(7, heavy=6) if s.role != "pads" or int(s.holder[1:], 16) == 0]
    placed, rests = heard("share cap 10% per holder\n" + pools("") + FORM, stems)
    assert rests == 0
    assert {p.holder for p, _ in placed if p.role == "pads"} == {f"h{0:020x}"}
    assert {p.holder for p, _ in placed if p.role == "bass"} >= {f"h{n:020x}" for n in range(1, 7)}


def test_what_is_stopped_is_not_counted() -> None:
    """The sums are those of what was placed, bar by bar, and of the last ten minutes only."""
    text = HEAD + pools(", prefer fresh") + FORM
    fixed = score(accepted(text), snapshot(*library(6)), use="stream", at=NOW, rate=48_000)
    state = first_state(fixed.piece, {})
    ends: dict[int, tuple[Placement, int]] = {}
    for _ in range(900):
        bar, state = next_bar(fixed, state)
        ends |= {p.id: (p, p.end_frame) for p in bar.starts}
        ends |= {s.id: (ends[s.id][0], s.end_frame) for s in bar.stops}
    totals, lately = Counter[str](), Counter[str]()
    first = fixed.clock.bar_frame(state.bar - 1 - CAP_SECONDS // BAR_SECONDS)
    for p, end in ends.values():
        # What may be varied is counted up to there.
        end = min(end, state.placed.counted.get(p.id, end))
        totals[p.stem] += end - p.start_frame
        lately[p.holder] += max(0, end - max(first, p.start_frame))
    for name, among in fixed.pools.items():
        frames = state.placed.heard(name, among)
        assert frames.tolist() == [totals[s.stem] for s in among.stems]
    assert state.placed.holders.lately == lately
    assert state.placed.holders.whole == lately.total()


def test_a_copy_is_its_own() -> None:
    text = HEAD + pools(", prefer fresh") + FORM
    fixed = score(accepted(text), snapshot(*library(6)), use="stream", at=NOW, rate=48_000)
    bar, _ = next_bar(fixed, first_state(fixed.piece, {}))
    placed = Placed()
    placed.add(bar.starts[0], fixed)
    copy = placed.copy()
    copy.add(bar.starts[1], fixed)
    copy.forget_before(fixed.clock.bar_frame(10_000), fixed.clock)
    heard = {
        name: placed.heard(name, among)[among.find(bar.starts[0].stem)]
        for name, among in fixed.pools.items()
        if name in fixed.fresh_pools(bar.starts[0].stem)
    }
    assert heard == {"beats": bar.starts[0].end_frame}
    assert sum(placed.holders.lately.values()) == bar.starts[0].end_frame
    assert copy.holders.whole == sum(copy.holders.lately.values()) == 0


def test_time_heard_outlives_a_change_of_the_vault() -> None:
    stems, text = library(6), HEAD + pools(", prefer fresh") + FORM
    fixed = score(accepted(text), snapshot(*stems), use="stream", at=NOW, rate=48_000)
    state = first_state(fixed.piece, {})
    for _ in range(40):
        _, state = next_bar(fixed, state)
    bass = fixed.pools["bass"]
    before = dict(zip((s.stem for s in bass.stems), state.placed.heard("bass", bass), strict=True))
    after = fixed.with_snapshot(snapshot(*stems[:13], *stems[16:]), NOW).pools["bass"]
    assert len(after) < len(bass)
    assert state.placed.heard("bass", after).tolist() == [before[s.stem] for s in after.stems]
