"""`stemloom benchmark`: how long blocks take, in a device's callback and in `read()`; a gate for CI."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PATH, FiniteRange
from .output import Console, WrongPlace, checked_output, table

if TYPE_CHECKING:
    from ..benchmark.blocks import Blocks
    from ..benchmark.record import Compared


RATIO = FiniteRange(min=0, min_open=True)
"""How many times as long."""


@click.command()
@click.option("--out", type=PATH, help="Write the measurements to this JSON file, as pytest-benchmark does.")
@click.option("--compare", "base", type=PATH, metavar="BASE", help="A file of --out of before.")
@click.option(
    "--fail-over",
    type=RATIO,
    metavar="RATIO",
    default=1.25,
    show_default=True,
    help="New over old, of medians: more fails.",
)
@click.option(
    "--fail-over-p99",
    type=RATIO,
    metavar="RATIO",
    default=2.0,
    show_default=True,
    help="New over old, of p99: more fails.",
)
@click.option(
    "--seconds",
    type=FiniteRange(0.1, 600),
    default=20.0,
    show_default=True,
    help="How much of the demo's piece is read.",
)
@click.option("--fast", is_flag=True, help="Read as fast as possible, instead of at the pace of the sound.")
@click.pass_context
def benchmark(
    ctx: click.Context,
    out: Path | None,
    base: Path | None,
    fail_over: float,
    fail_over_p99: float,
    seconds: float,
    fast: bool,
) -> None:
    """Measure how long blocks take, and compare with a run of before.

    The code of a device's callback makes blocks of 64, 128 and 256 frames of 16, 64 and 256 voices with
    effects. A player of the demo's piece is read by 512 frames, from a vault that is made for it and deleted.
    Exits with 1 when a median or a p99 is too many times as long as in BASE.
    """
    console: Console = ctx.obj
    _check_output(out)
    # Before it is measured, which takes a minute.
    from ..benchmark.record import WrongBase, compared, figures, read_base, record

    before = read_base(base) if base is not None else {}
    measured = _measured(console, seconds, paced=not fast)
    made = record(measured)
    if out is not None:
        try:
            out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise WrongPlace(f"{str(out)!r} cannot be written: {error.strerror or error}") from error
    most = {"median": fail_over, "p99": fail_over_p99}
    rows = compared(figures(made, "this run"), before, most)
    if base is not None and not rows:
        raise WrongBase(f"{str(base)!r} has none of these benchmarks")
    console.emit(
        {"benchmarks": [_fields(blocks) for blocks in measured], "compared": rows},
        "\n\n".join(filter(None, (_told(measured), _told_beside(rows, str(base))))),
    )
    if any(row.slower for row in rows):
        ctx.exit(1)


def _check_output(out: Path | None) -> None:
    checked_output(out)
    if out is not None and not os.access(out if out.exists() else out.parent, os.W_OK):
        raise WrongPlace(f"no permission to write {str(out)!r}")


def _measured(console: Console, seconds: float, *, paced: bool) -> list[Blocks]:
    from ..benchmark.blocks import callback_blocks, read_blocks

    with console.telling("measuring the callback") as step:
        measured = callback_blocks(step)
    with tempfile.TemporaryDirectory(prefix="stemloom-benchmark-") as folder:
        home = Path(folder) / "home"
        _make_demo(console, home)
        console.note(f"reading {seconds:g} s" + (" at the pace of the sound" if paced else ""))
        measured.append(read_blocks(home, seconds, paced=paced))
    return measured


def _make_demo(console: Console, home: Path) -> None:
    from ..demo import build
    from ..vault.vault import Vault

    with Vault.open(home, create=True) as vault, console.telling("making stems") as step:
        build(vault, step)


def _fields(blocks: Blocks) -> dict[str, object]:
    return {
        "name": blocks.name,
        **blocks.params,
        "p50_ms": blocks.quantile(0.5) * 1e3,
        "p99_ms": blocks.quantile(0.99) * 1e3,
        "p999_ms": blocks.quantile(0.999) * 1e3,
        "max_ms": blocks.seconds[-1] * 1e3,
        "budget_ms": blocks.budget * 1e3,
        "blocks": len(blocks.seconds),
        "late": blocks.late,
    }


def _told(measured: list[Blocks]) -> str:
    rows = [
        [
            f"{blocks.frames} frames",
            f"{blocks.params['voices']} voices"
            if "voices" in blocks.params
            else f"read, {blocks.params['pace']}",
            *(f"{blocks.quantile(share) * 1e6:.0f}" for share in (0.5, 0.99, 0.999)),
            f"{blocks.seconds[-1] * 1e6:.0f}",
            f"{blocks.quantile(0.999) / blocks.budget:.1%}",
            f"{blocks.late} of {len(blocks.seconds)}",
        ]
        for blocks in measured
    ]
    head = ["block", "of", "p50, us", "p99", "p99.9", "most", "p99.9 of its time", "late"]
    return table(head, rows, right=range(2, 8))


def _told_beside(rows: list[Compared], base: str) -> str:
    return "\n".join(
        f"{row.name}: {row.figure} {row.ratio:.2f} times {base}{'  TOO SLOW' if row.slower else ''}"
        for row in rows
    )
