"""Measurements as a file in pytest-benchmark's JSON form, and compared with those of before.

`pytest-benchmark compare` and the tools made for it read the file too. Times are in seconds.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from .blocks import Blocks
from .machine import machine

QUANTILES = {"p99": 0.99, "p999": 0.999}


class WrongBase(Exception):
    """A file to compare with that holds no measurements of these blocks."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of one kind of block: `ratio` is new over old, `slower` whether that is too much."""

    name: str
    figure: str
    ratio: float
    slower: bool


def record(measured: Sequence[Blocks], commit: str | None = None) -> dict[str, Any]:
    """All measurements, with the machine and with `commit`, or the version without one."""
    where = machine()
    return {
        "machine_info": {
            "node": "",
            "machine": where["system"],
            "python_version": where["python"],
            "cpu": {"brand_raw": where["processor"], "count": where["cores"]},
        },
        "commit_info": {"id": commit or __version__, "dirty": False},
        "benchmarks": [_entry(blocks) for blocks in measured],
        "datetime": datetime.now(UTC).isoformat(),
        "version": "5.1.0",
    }


def _entry(blocks: Blocks) -> dict[str, Any]:
    times, (q1, median, q3) = blocks.seconds, statistics.quantiles(blocks.seconds, n=4)
    mean, deviation = statistics.fmean(times), statistics.stdev(times)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    outside = sum(1 for each in times if not low <= each <= high)
    far = sum(1 for each in times if abs(each - mean) > deviation)
    quantiles = {name: blocks.quantile(share) for name, share in QUANTILES.items()}
    return {
        "group": "block render time",
        "name": blocks.name,
        "fullname": f"benchmarks/latency.py::{blocks.name}",
        "params": dict(blocks.params),
        "param": "-".join(str(each) for each in blocks.params.values()),
        "extra_info": quantiles
        | {"budget": blocks.budget, "p999_of_budget": quantiles["p999"] / blocks.budget, "late": blocks.late},
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": len(times),
            "max_time": 0,
            "warmup": False,
        },
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


Figures = dict[str, dict[str, float]]
"""By the full name of a kind of block, its median and, where it is known, its p99."""


def figures(made: object, said: str) -> Figures:
    """What is compared, from what a file held. Raises WrongBase, which names the file as `said`."""
    entries = made.get("benchmarks") if isinstance(made, dict) else None
    if not isinstance(entries, list) or not entries:
        raise WrongBase(f"{said} holds no measurements: `stemloom benchmark --out FILE` writes such a file")
    found = {}
    for number, entry in enumerate(entries, 1):
        try:
            name = str(entry["fullname"])
            found[name] = {"median": _duration(entry["stats"]["median"])}
            p99 = entry.get("extra_info", {}).get("p99")
            if p99 is not None:
                found[name]["p99"] = _duration(p99)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WrongBase(f"{said}: benchmark {number} has no median that can be compared") from error
    return found


def _duration(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(value)
    return float(value)


def read_base(path: Path) -> Figures:
    """The figures of a file. Raises WrongBase for a file that cannot be read or has another form."""
    said = repr(str(path))
    try:
        text = path.read_text(encoding="utf-8")
        return figures(json.loads(text), said)
    except OSError as error:
        raise WrongBase(f"{said} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise WrongBase(f"{said} is not JSON, as `stemloom benchmark --out FILE` writes it") from error


def compared(new: Figures, base: Figures, most: Mapping[str, float]) -> list[Compared]:
    """What both have, in order. `most`: by figure, the ratio that is not yet too slow."""
    return [
        Compared(name.rpartition("::")[2], figure, ratio, ratio > most[figure])
        for name, ours in new.items()
        for figure, seconds in ours.items()
        if figure in base.get(name, {})
        for ratio in [seconds / base[name][figure]]
    ]
