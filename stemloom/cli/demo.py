"""`stemloom demo`: the whole way from synthesised stems to a paid holder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PATH, FiniteRange
from .output import Console, WrongPlace, checked_output
from .render import level, render_shown, told, write_timeline

if TYPE_CHECKING:
    from ..engine.play.render import Rendered
    from ..ledger.tlog.report import Report
    from ..vault.vault import Vault

FOLDER = Path("stemloom-demo")
MARKER = ".stemloom-demo"
"""A file in the demo's home: locked during the demo; afterwards it holds the size of the ledger."""
OURS = ("vault", "ledger", "keys", "private", "takes", MARKER, ".gitignore")
STATEMENTS = ("statement.html", "statement.json")
INCOME = 1_000_000_000
"""The sample income: a thousand euros, in micro-units."""


class NotADemo(Exception):
    """The folder for the demo's home holds something that the demo did not make."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class SampleStatement:
    """The statement, in the sample settlement, of the holder who was heard most."""

    statement: Path
    page: Path
    name: str
    accrued: int
    period: str


@click.command()
@click.option("--out", type=PATH, help="The audio file. [default: stemloom-demo/NAME.wav]")
@click.option("--seconds", type=FiniteRange(1, 600), help="Length; without one, to the piece's own end.")
@click.pass_obj
def demo(console: Console, out: Path | None, seconds: float | None) -> None:
    """Build a demo vault, render a piece from it, verify the ledger, pay the holders.

    Everything goes to the folder stemloom-demo, or with --home to that home: a folder that is new or
    empty, or that of an earlier demo, which is replaced. The settlement of the current month is a sample.
    """
    from ..demo import PIECE, PIECES, build
    from ..engine.play.shape import CONTAINERS
    from ..ledger.verify.verify import verify
    from ..script.check.check import accepted
    from ..script.text.load import load
    from ..vault.vault import Vault

    home = console.home or FOLDER / "home"
    beside = home if console.home else FOLDER
    name = _name(PIECE)
    out = out or beside / f"{name}.wav"
    if out.parent != beside:
        checked_output(out)
    if out.suffix.lower() not in CONTAINERS:
        raise WrongPlace(f"{str(out)!r} must end in {' or '.join(CONTAINERS)}")
    ours = [each.name for each in PIECES if _unchanged(home / each.name, each)]
    made = (f"{name}.wav", f"{name}.svg", *STATEMENTS, *ours)
    with _fresh(home, made), Vault.open(home, create=True) as vault:
        with console.progress() as display:
            task = display.add_task("making stems", total=None)
            build(vault, lambda done, all: display.update(task, completed=done, total=all))
        piece = accepted(load(PIECE), vault.snapshot(), file=PIECE.name)
        rendered = render_shown(
            console, vault, piece, out, use="stream", tier="subscriber", user="demo", seconds=seconds
        )
        names = {holder.holder: holder.name for holder in vault.holders()}
        timeline = beside / f"{name}.svg"
        write_timeline(rendered, piece.name, names, timeline)
        paid = _pay(vault, rendered, beside)
        vkey = vault.log.vkey
        scripts = _leave_scripts(console, PIECES, beside)
        (home / MARKER).write_text(f"{vault.log.size}\n")
    report = verify(home, vkey=vkey)
    console.emit(
        {
            "audio": str(out),
            "seconds": round(rendered.seconds, 6),
            "home": str(home),
            "timeline": str(timeline),
            "statement": str(paid.page),
            "statement_json": str(paid.statement),
            "script": str(scripts[0]),
            "scripts": [str(script) for script in scripts],
            "ledger": {"size": report.size, "root": report.root, "verified": report.ok},
            "stems": rendered.stems,
            "pcm_sha256": rendered.pcm_sha256,
            "lufs": level(rendered.lufs),
            "true_peak_dbtp": level(rendered.true_peak_dbtp),
            "realtime_factor": round(rendered.realtime_factor, 1),
        },
        _told(rendered, names, report, paid, home, timeline, scripts),
    )


@contextmanager
def _fresh(home: Path, written: Sequence[str]) -> Iterator[None]:
    """Empty the demo's home except for its marker, which stays locked; an earlier demo is deleted.

    `written`: names of the files that the demo writes. If there are other files, or something was added to
    the earlier demo's vault, NotADemo is raised and nothing changes.
    """
    from ..ledger.tlog.locks import locked

    if home.exists() and not home.is_dir():
        raise NotADemo(f"{str(home)!r} is a file; name a new or empty folder with --home")
    marker = home / MARKER
    if home.is_dir() and any(home.iterdir()) and not marker.exists():
        raise NotADemo(
            f"{str(home)!r} holds something that the demo did not make; "
            "name a new or empty folder with --home"
        )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(locked(marker, 0o600, wait=False))
        except BlockingIOError as error:
            raise NotADemo(f"another demo is at work in {str(home)!r}") from error
        _refuse_others(home, written)
        for name in (*OURS, *written):
            if name != MARKER and (home / name).is_dir():
                shutil.rmtree(home / name)
            elif name != MARKER:
                (home / name).unlink(missing_ok=True)
        # From here on to its end, a demo that is killed may be deleted as a whole.
        os.ftruncate(lock, 0)
        yield


def _refuse_others(home: Path, written: Sequence[str]) -> None:
    """Raise NotADemo if the home holds files, holders, stems, consents or money that no demo made."""
    from ..ledger.entries.entries import Placement, Session
    from ..ledger.log.log import Log

    strange = sorted(path.name for path in home.iterdir() if path.name not in (*OURS, *written))
    size = (home / MARKER).read_text().strip()
    if size and not strange and (home / "ledger").is_dir():
        with Log.open(home) as log:
            later = [
                entry for _, entry in log.entries(int(size)) if not isinstance(entry, Placement | Session)
            ]
        strange = sorted({f"a {type(entry).__name__.lower()}" for entry in later})
    if strange:
        raise NotADemo(
            f"{str(home)!r} was added to since the demo made it ({', '.join(strange[:3])}), "
            "and is left as it is; name another folder with --home, or move this one away"
        )


def _unchanged(script: Path, piece: Path) -> bool:
    """Whether a script that the demo left is unchanged."""
    return script.is_file() and script.read_bytes() == piece.read_bytes()


def _leave_scripts(console: Console, pieces: Sequence[Path], folder: Path) -> list[Path]:
    """Copy the demo's scripts to a place where they can be edited; existing files stay as they are."""
    left = []
    for piece in pieces:
        script = folder / piece.name
        if not script.exists():
            script.write_bytes(piece.read_bytes())
        elif not _unchanged(script, piece):
            console.note(f"{script} differs from the demo's own, and stays as it is")
        left.append(script)
    return left


def _pay(vault: Vault, rendered: Rendered, folder: Path) -> SampleStatement:
    """Settle a sample income for this month, and write the statement of who was heard most."""
    from ..ledger.royalties.record import record_income
    from ..ledger.royalties.settle import settle
    from ..ledger.royalties.statement import statement
    from ..ledger.royalties.statement_page import statement_page
    from ..ledger.royalties.statement_schema import Named, to_bytes

    period = vault.log.clock.now()[:7]
    record_income(vault.log, INCOME, "EUR", "subscription", period, "sample income of the demo")
    settle(vault.log, period, "EUR", early=True)
    holders = {each.holder: Named(each.name, each.name_salt) for each in vault.holders() if each.name_salt}
    heard = dict.fromkeys(holders, 0)
    for stem in rendered.stems:
        heard[stem.holder] += stem.ms
    most = max(heard, key=lambda holder: (heard[holder], holder))
    made = statement(vault.log, most, period, holders)
    html, record = (folder / name for name in STATEMENTS)
    record.write_bytes(to_bytes(made))
    html.write_text(statement_page(made), encoding="utf-8")
    return SampleStatement(record, html, holders[most].name, made.accrued, period)


def _told(
    rendered: Rendered,
    names: dict[str, str],
    report: Report,
    paid: SampleStatement,
    home: Path,
    timeline: Path,
    scripts: Sequence[Path],
) -> str:
    from ..ledger.division.money import money_text

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
            f"  stemloom --home {home} plan {scripts[0]} --bars 8",
            f"  stemloom --home {home} render {scripts[0]} --out louder.wav --seconds 40 --dial energy=0.9",
            f"  stemloom --home {home} ledger verify",
            "",
            "And three more pieces:",
            *(
                f"  stemloom --home {home} render {script} --out {_name(script)}.wav"
                for script in scripts[1:]
            ),
        ]
    )


def _name(script: Path) -> str:
    """The name of a script's audio file."""
    return script.stem.replace("_", "-")
