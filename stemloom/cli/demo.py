"""`stemloom demo`: the whole road once, from synthesised stems to a paid holder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Door
from .render import level, render_shown, stems_heard, told, write_timeline

if TYPE_CHECKING:
    from ..engine.render import Rendered
    from ..ledger.verify import Report
    from ..vault.vault import Vault

FOLDER = Path("stemloom-demo")
MARKER = ".stemloom-demo"
"""In a home that the demo made, and may therefore replace."""
INCOME = 1_000_000_000
"""A thousand euros, in micro-units: what the sample subscription brings in."""


class NotADemo(Exception):
    """The folder where the demo's home would go holds something else."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Paid:
    """What the sample settlement gave: the statement of the holder who was heard most."""

    statement: Path
    page: Path
    name: str
    accrued: int
    period: str


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="The audio file. [default: stemloom-demo/NAME.wav]"
)
@click.option("--seconds", type=click.FloatRange(1, 600), help="Length; without one, to the piece's own end.")
@click.pass_obj
def demo(door: Door, out: Path | None, seconds: float | None) -> None:
    """Build a demo vault, render a piece from it, verify the ledger, pay the holders.

    Everything goes to the folder stemloom-demo, or with --home to that home: a folder that is new, empty, or
    an earlier demo's, which is made afresh. The current month's settlement is a sample.
    """
    from ..ledger.verify import verify
    from ..script.check import accepted
    from ..script.load import load
    from ..vault.demo import PIECE, build
    from ..vault.vault import Vault

    home = door.home or FOLDER / "home"
    out = out or (home if door.home else FOLDER) / f"{PIECE.stem.replace('_', '-')}.wav"
    _make_fresh(home)
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
        paid = _pay(vault, rendered, out)
        vkey = vault.log.vkey
    report = verify(home, vkey=vkey)
    door.emit(
        {
            "audio": str(out),
            "seconds": round(rendered.seconds, 6),
            "home": str(home),
            "timeline": str(timeline),
            "statement": str(paid.page),
            "statement_json": str(paid.statement),
            "script": str(PIECE),
            "ledger": {"size": report.size, "root": report.root, "verified": report.ok},
            "stems": stems_heard(rendered),
            "pcm_sha256": rendered.pcm_sha256,
            "lufs": level(rendered.lufs),
            "true_peak_dbtp": level(rendered.true_peak_dbtp),
            "realtime_factor": round(rendered.realtime_factor, 1),
        },
        _told(rendered, names, report, paid, home, timeline),
    )


def _make_fresh(home: Path) -> None:
    """Clear away an earlier demo's home; refuse a folder that holds anything else."""
    if not home.exists():
        return
    if not home.is_dir():
        raise NotADemo(f"{str(home)!r} is a file; name a new or empty folder with --home")
    if (home / MARKER).exists():
        shutil.rmtree(home)
    elif any(home.iterdir()):
        raise NotADemo(
            f"{str(home)!r} holds something that the demo did not make; "
            "name a new or empty folder with --home"
        )


def _pay(vault: Vault, rendered: Rendered, out: Path) -> Paid:
    """Settle a sample income for this month, and write the statement of who was heard most."""
    import msgspec

    from ..ledger.royalties.page import page
    from ..ledger.royalties.record import record_income
    from ..ledger.royalties.settle import settle
    from ..ledger.royalties.statement import statement

    period = vault.log.clock.now()[:7]
    record_income(vault.log, INCOME, "EUR", "subscription", period, "sample income of the demo")
    settle(vault.log, period, "EUR")
    holders = {holder.holder: (holder.name, holder.name_salt) for holder in vault.holders()}
    heard = dict.fromkeys(holders, 0)
    for stem in rendered.stems:
        heard[stem.holder] += stem.ms
    most = max(heard, key=lambda holder: (heard[holder], holder))
    made = statement(vault.log, most, period, holders)
    record, html = out.with_suffix(".statement.json"), out.with_suffix(".statement.html")
    record.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    html.write_text(page(made), encoding="utf-8")
    return Paid(record, html, holders[most][0], made.accrued, period)


def _told(
    rendered: Rendered, names: dict[str, str], report: Report, paid: Paid, home: Path, timeline: Path
) -> str:
    from ..ledger.royalties.money import money_text

    ledger = f"{report.size} entries, " + ("verified" if report.ok else "does NOT verify")
    return "\n".join(
        [
            told(rendered, names),
            "",
            f"ledger     {ledger}, root {report.root[:16]}...",
            f"payment    of a sample {money_text(INCOME, 'EUR')} for {paid.period}, "
            f"{paid.name} earned {money_text(paid.accrued, 'EUR')}",
            "",
            f"listen     {rendered.audio}",
            f"timeline   {timeline}",
            f"statement  {paid.page}",
            f"home       {home}",
            "",
            "Try next:",
            f"  stemloom --home {home} plan {_script()} --bars 8",
            f"  stemloom --home {home} render {_script()} --out louder.wav --seconds 40 --dial energy=0.9",
            f"  stemloom --home {home} ledger verify",
        ]
    )


def _script() -> str:
    """The demo's piece as a path that can be pasted."""
    from ..vault.demo import PIECE

    example = Path("examples") / PIECE.name
    return str(example if example.exists() else PIECE)
