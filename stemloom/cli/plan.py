"""`stemloom plan`: the next bars of a piece, composed and not mixed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Door, table
from .render import dial_value

if TYPE_CHECKING:
    from ..engine.plan import Placement


@click.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.option("--bars", type=click.IntRange(1, 10_000), default=16, show_default=True, help="How many bars.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Instead of the script's seed.")
@click.option(
    "--use", type=click.Choice(["stream", "live", "export", "sync"]), help="Default: the script's first."
)
@click.option("--dial", "dials", multiple=True, metavar="NAME=VALUE", help="Where a dial stands. May repeat.")
@click.pass_obj
def plan(
    door: Door, script: Path, bars: int, seed: int | None, use: str | None, dials: tuple[str, ...]
) -> None:
    """Show what SCRIPT would play in its first bars, with the stems and consents of now."""
    from ..engine.listing import plan as plan_bars
    from ..ledger.clock import SystemClock
    from ..script.check import accepted
    from ..script.load import load

    text = load(script)
    values = dict(map(dial_value, dials))
    with door.vault() as vault:
        snapshot = vault.snapshot()
    piece = accepted(text, snapshot, file=str(script))
    made = plan_bars(piece, snapshot, bars, at=SystemClock().now(), use=use, seed=seed, dials=values)
    rows = [
        (
            p.bar + 1,
            f"{float(p.beat) + 1:g}",
            f"{float(p.bars):.3g}",
            p.section,
            p.part,
            p.title,
            f"{p.gain_db:g}",
            p.line,
        )
        for p in made.placements
    ]
    key = f" in {made.key}" if made.key else ""
    ends = f"; the piece ends after bar {len(made.bars)}" if made.ended else ""
    door.emit(
        {
            "bars": len(made.bars),
            "tempo": made.tempo_bpm,
            "key": made.key,
            "ended": made.ended,
            "placements": [_record(p) for p in made.placements],
            "rests": [
                {"part": r.part, "pool": r.pool, "line": r.line, "reason": r.reason} for r in made.rested
            ],
        },
        "\n".join(
            [
                f"{len(made.bars)} bars at {made.tempo_bpm:g} bpm{key}{ends}",
                "",
                table(
                    ("bar", "beat", "bars", "section", "part", "stem", "gain", "line"),
                    rows,
                    right=(0, 1, 2, 6, 7),
                ),
                *dict.fromkeys(f"line {r.line}: {r.part} rests: {r.reason}" for r in made.rested),
            ]
        ),
    )


def _record(p: Placement) -> dict[str, object]:
    """A placement as `--json` lists it; bars and beats from 1."""
    return {
        "bar": p.bar + 1,
        "beat": float(p.beat) + 1,
        "bars": float(p.bars),
        "stem": p.stem,
        "title": p.title,
        "role": p.role,
        "part": p.part,
        "section": p.section,
        "line": p.line,
        "gain_db": round(p.gain_db, 3),
    }
