"""What every benchmark shares: timing side by side, the machine, the JSON, the README's table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from stemloom.benchmark.machine import machine as this_machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, Python's and C's: unlike seconds, the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@dataclass(frozen=True)
class Figure:
    """One measured line. `seconds`: median of each contender; `ratio`: the peer's over ours."""

    name: str
    seconds: Mapping[str, float]
    ratio: float | None = field(default=None, kw_only=True)
    against: str | None = field(default=None, kw_only=True)
    note: str


def side_by_side(contenders: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each. Rounds alternate, so that what else the machine does meets all alike."""
    for run in contenders.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begun)
    return {name: median(each) for name, each in times.items()}


def machine() -> dict[str, object]:
    """Where the figures come from, with the commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {**this_machine(), "commit": commit or None}


def write(benchmark: str, figures: list[Figure]) -> Path:
    """Write a benchmark's figures to `benchmarks/results/NAME.json` and give its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{benchmark}.json"
    record = {"benchmark": benchmark, "machine": machine(), "figures": [asdict(f) for f in figures]}
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def write_readme() -> None:
    """Put all figures that there are into the README's table."""
    paths = sorted(path for path in RESULTS.glob("*.json") if "." not in path.stem)
    records = [json.loads(path.read_text()) for path in paths]
    lines = ["| what | figure | beside |", "|---|---|---|"]
    for record in records:
        for figure in record["figures"]:
            ratio = f"{figure['ratio']:.1f} times {figure['against']}" if figure["ratio"] else ""
            lines.append(f"| {figure['name']} | {figure['note']} | {ratio} |")
    if records:
        where = records[-1]["machine"]
        lines += [
            "",
            f"Measured {where['date']} at {where['commit']}: {where['processor']}, {where['cores']} cores.",
        ]
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    README.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")
