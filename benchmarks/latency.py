"""Block render time: the callback's code at 64, 128 and 256 frames and 16, 64 and 256 voices, with effects.

    python -m benchmarks render-latency --out new.json
    python -m benchmarks render-latency --out new.json --compare base.json --fail-over 1.25

The file has pytest-benchmark's JSON form, so `pytest-benchmark compare` and the tools made for it read it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stemloom.engine.mix.trial import block_times

from .harness import RESULTS, Figure, machine

BLOCKS_FRAMES, VOICES, RATE = (64, 128, 256), (16, 64, 256), 48_000
BLOCKS, ROUNDS = 3000, 3


def measure() -> dict[str, list[float]]:
    """Seconds of every block, by name. Rounds go through all in turn, so that noise meets all alike."""
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for block in BLOCKS_FRAMES:
            for voices in VOICES:
                taken = block_times(block, voices, BLOCKS // ROUNDS, effects=True)
                times.setdefault(name(block, voices), []).extend(ns / 1e9 for ns in taken)
    return {each: sorted(taken) for each, taken in times.items()}


def name(block: int, voices: int) -> str:
    return f"test_block[{block}-{voices}]"


def record(times: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """All in pytest-benchmark's form. Times in seconds."""
    where = machine()
    return {
        "machine_info": {
            "node": "",
            "machine": where["system"],
            "python_version": where["python"],
            "cpu": {"brand_raw": where["processor"], "count": where["cores"]},
        },
        "commit_info": {"id": where["commit"], "dirty": False},
        "benchmarks": [
            _benchmark(block, voices, times[name(block, voices)])
            for block in BLOCKS_FRAMES
            for voices in VOICES
        ],
        "datetime": datetime.now(UTC).isoformat(),
        "version": "5.1.0",
    }


def _benchmark(block: int, voices: int, times: Sequence[float]) -> dict[str, Any]:
    """One entry; `times` ascending."""
    q1, median, q3 = statistics.quantiles(times, n=4)
    budget, mean, deviation = block / RATE, statistics.fmean(times), statistics.stdev(times)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    outside = sum(1 for each in times if not low <= each <= high)
    far = sum(1 for each in times if abs(each - mean) > deviation)
    return {
        "group": "block render time",
        "name": name(block, voices),
        "fullname": f"benchmarks/latency.py::{name(block, voices)}",
        "params": {"block": block, "voices": voices},
        "param": f"{block}-{voices}",
        "extra_info": {
            "p99": _quantile(times, 0.99),
            "p999": _quantile(times, 0.999),
            "budget": budget,
            "p999_of_budget": _quantile(times, 0.999) / budget,
        },
        "options": {"disable_gc": False, "timer": "perf_counter_ns", "min_rounds": BLOCKS, "warmup": True},
        "stats": {
            "min": times[0],
            "max": times[-1],
            "mean": mean,
            "stddev": deviation,
            "rounds": len(times),
            "median": median,
            "iqr": q3 - q1,
            "q1": q1,
            "q3": q3,
            "iqr_outliers": outside,
            "stddev_outliers": far,
            "outliers": f"{far};{outside}",
            "ld15iqr": next(each for each in times if each >= low),
            "hd15iqr": next(each for each in reversed(times) if each <= high),
            "ops": 1 / mean,
            "total": sum(times),
            "iterations": 1,
        },
    }


def _quantile(times: Sequence[float], share: float) -> float:
    return times[min(int(share * len(times)), len(times) - 1)]


def compared(new: Mapping[str, Any], base: Mapping[str, Any], ratio: float) -> list[tuple[str, float, bool]]:
    """Of each benchmark that both have: its name, new median over old, and whether that is too much."""
    before = {each["fullname"]: each["stats"]["median"] for each in base["benchmarks"]}
    return [
        (each["name"], found := each["stats"]["median"] / before[each["fullname"]], found > ratio)
        for each in new["benchmarks"]
        if each["fullname"] in before
    ]


def figures() -> list[Figure]:
    """For the README: the smallest block with each number of voices."""
    made = record(measure())
    (RESULTS / "latency.pytest-benchmark.json").write_text(json.dumps(made, indent=1) + "\n")
    rows = []
    for each in made["benchmarks"]:
        if each["params"]["block"] in (64, 256):
            stats, extra, params = each["stats"], each["extra_info"], each["params"]
            rows.append(
                Figure(
                    name=f"block of {params['block']} frames, {params['voices']} voices, effects and master",
                    seconds={"block": stats["median"]},
                    note=f"median {stats['median'] * 1e6:.0f} us, p99.9 {extra['p999'] * 1e6:.0f} us: "
                    f"{extra['p999_of_budget']:.0%} of the block",
                )
            )
    return rows


def main(arguments: Sequence[str]) -> int:
    """`render-latency`: measure, write, compare; 1 when something became slower than allowed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks render-latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help="write the measurements here")
    parser.add_argument("--compare", type=Path, metavar="BASE", help="measurements of before")
    parser.add_argument(
        "--fail-over", type=float, default=1.25, metavar="RATIO", help="of medians, new over old; 1.25"
    )
    given = parser.parse_args(arguments)
    base = None
    if given.compare is not None:
        try:
            base = json.loads(given.compare.read_text())
            assert isinstance(base["benchmarks"], list)
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            parser.error(f"{given.compare} holds no measurements: {error!r}")
    made = record(measure())
    for each in made["benchmarks"]:
        stats, extra = each["stats"], each["extra_info"]
        print(
            f"{each['params']['block']:4} frames {each['params']['voices']:4} voices: "
            f"median {stats['median'] * 1e6:7.1f} us, p99 {extra['p99'] * 1e6:7.1f} us, "
            f"p99.9 {extra['p999'] * 1e6:7.1f} us ({extra['p999_of_budget']:.1%} of the block)"
        )
    if given.out is not None:
        given.out.write_text(json.dumps(made, indent=1) + "\n")
    if base is None:
        return 0
    rows = compared(made, base, given.fail_over)
    if not rows:
        parser.error(f"{given.compare} has none of these benchmarks")
    for which, ratio, slower in rows:
        print(f"{which}: {ratio:.2f} times {given.compare}{'  TOO SLOW' if slower else ''}")
    return int(any(slower for *_, slower in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
