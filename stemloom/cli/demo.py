"""`stemloom demo`: the whole road once, from synthesised stems to a paid holder."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Door
from .render import level, render_shown, stems_heard, told, write_timeline

if TYPE_CHECKING:
    from ..engine.render import Rendered
    from ..vault.vault import Vault

FOLDER = Path("stemloom-demo")
MARKER = ".stemloom-demo"
"""In a home that the demo made, and may therefore replace."""
INCOME = 1_000_000_000
"""A thousand euros, in micro-units: what the sample subscription brings in."""


class NotADemo(Exception):
    """The folder where the demo's home would go holds something else."""

    exit_code = 2


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="The audio file. [default: stemloom-demo/NAME.wav]"
)
@click.option("--seconds", type=click.FloatRange(1, 600), help="Length; without one, to the piece's own end.")
@click.pass_obj
def demo(door: Door, out: Path | None, seconds: float | None) -> None:
    """Build a demo vault, render a piece from it, verify the ledger, pay the holders.

    Everything goes to the folder stemloom-demo (with --home, to that home), and nothing else is touched.
    """
    from ..script.check import accepted
    from ..script.load import load
    from ..vault.demo import PIECE, build
    from ..vault.vault import Vault

    home = door.home or FOLDER / "home"
    out = out or (home if door.home else FOLDER) / f"{PIECE.stem.replace('_', '-')}.wav"
    _fresh(home)
    out.parent.mkdir(parents=True, exist_ok=True)
    with Vault.open(home, create=True) as vault:
        (home / MARKER).touch()
        with door.progress() as display:
            task = display.add_task("making stems", total=None)
            build(vault, lambda done, all: display.update(task, completed=done, total=all))
        piece = accepted(load(PIECE), vault.snapshot(), file=PIECE.name)
        rendered = render_shown(
            door, vault, piece, out, use="stream", tier="subscriber", user="demo", seconds=seconds
        )
        names = {holder.holder: holder.name for holder in vault.holders()}
        timeline = out.with_suffix(".svg")
        write_timeline(rendered, piece.name, names, timeline)
        statement, accrued = _paid(vault, rendered, out)
    record = _checked(home)
    door.emit(
        {
            "audio": str(out),
            "seconds": round(rendered.seconds, 6),
            "home": str(home),
            "timeline": str(timeline),
            "statement": str(statement),
            "ledger": record,
            "stems": stems_heard(rendered),
            "pcm_sha256": rendered.pcm_sha256,
            "lufs": level(rendered.lufs),
            "true_peak_dbtp": level(rendered.true_peak_dbtp),
            "realtime_factor": round(rendered.realtime_factor, 1),
            "script": str(PIECE),
        },
        _told(rendered, names, record, home, out, timeline, statement, accrued),
    )


def _fresh(home: Path) -> None:
    """Clear away an earlier demo's home; refuse a folder that holds anything else."""
    if not home.exists():
        return
    if home.is_dir() and (home / MARKER).exists():
        shutil.rmtree(home)
        return
    if home.is_dir():
        with suppress(StopIteration):
            next(home.iterdir())
            raise NotADemo(
                f"{str(home)!r} holds something that the demo did not make; "
                "name a new or empty folder with --home"
            )
        return
    raise NotADemo(f"{str(home)!r} is a file; name a new or empty folder with --home")
