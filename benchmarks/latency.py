"""The time that blocks take, as `stemloom benchmark` measures it: in the callback's code and in `read()`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from stemloom import Vault
from stemloom.benchmark.blocks import Blocks, callback_blocks, read_blocks
from stemloom.benchmark.record import record
from stemloom.demo import build

from .harness import RESULTS, Figure, machine

READ_SECONDS = 60


def figures() -> list[Figure]:
    """For the README: the smallest and the largest block with each number of voices, and `read`."""
    with tempfile.TemporaryDirectory() as folder:
        with Vault.open(Path(folder) / "home", create=True) as vault:
            build(vault)
        read = read_blocks(Path(folder) / "home", READ_SECONDS, paced=True)
    measured = [*callback_blocks(), read]
    RESULTS.mkdir(exist_ok=True)
    commit = machine()["commit"]
    made = record(measured, str(commit) if commit else None)
    (RESULTS / "latency.pytest-benchmark.json").write_text(json.dumps(made, indent=1) + "\n")
    return [_figure(each) for each in measured if each.frames != 128]


def _figure(blocks: Blocks) -> Figure:
    median, p99, p999 = (blocks.quantile(share) * 1e6 for share in (0.5, 0.99, 0.999))
    share = f"{p999 / 1e6 / blocks.budget:.0%} of the block"
    if "voices" in blocks.params:
        what = f"block of {blocks.frames} frames, {blocks.params['voices']} voices, effects and master"
        note = f"median {median:.0f} us, p99.9 {p999:.0f} us: {share}"
    else:
        what = f"`read({blocks.frames})` of the demo's piece at the pace of the sound, {READ_SECONDS} s"
        note = (
            f"median {median:.0f} us, p99 {p99:.0f} us, p99.9 {p999:.0f} us: {share}; at most "
            f"{blocks.seconds[-1] * 1e3:.1f} ms, {blocks.late} of {len(blocks.seconds)} late"
        )
    return Figure(name=what, seconds={"block": median / 1e6}, note=note)
