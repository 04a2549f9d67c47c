"""`stemloom check` and `stemloom format`: script files checked, and written in canonical form."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from ..ground.uses import USES
from .output import Console, in_colour, problem_record, said, shaded, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..script.piece import Piece
    from ..script.problems import Problem
    from ..vault.catalogue.snapshot import Snapshot
    from ..vault.vault import Vault


@click.command()
@click.argument("file")
@click.option("--use", type=click.Choice(USES), help="Check for this use alone.")
@click.option(
    "--editor",
    is_flag=True,
    help="For editors: one line for each mistake, FILE:LINE:COLUMN: CODE: MESSAGE. Codes of errors begin "
    "with E, those of warnings with W.",
)
@click.pass_context
def check(ctx: click.Context, file: str, use: str | None, editor: bool) -> None:
    """List all mistakes in the script FILE (- for standard input); exits 3 if it is refused.

    With a vault in the home it also lists the pools that no stem fills, and a dry run through every section
    finds the lines that would rest. On a terminal the list has colours, unless NO_COLOR is set.
    """
    from ..script.check.check import check as check_text
    from ..script.problems import ScriptRejected, printable, render, summary
    from ..script.text.load import load

    console: Console = ctx.obj
    name = "standard input" if file == "-" else printable(file)
    try:
        text = load(file)
    except ScriptRejected as refused:
        problems, text, unlisted, ok = refused.problems, refused.text, 0, False
    else:
        with _vault(console) as vault:
            snapshot = None if vault is None else vault.snapshot()
            checked = check_text(text, snapshot, use=use, file=name)
            problems, unlisted, ok = checked.problems, checked.unlisted, checked.ok
            if checked.piece is not None and vault is not None and snapshot is not None:
                problems = _with_dry_run(checked.piece, problems, vault, snapshot, use)
    record = {"ok": ok, "problems": [problem_record(problem) for problem in problems]}
    count = f"{name}: {'in order' if ok and not problems else summary(problems)}"
    if unlisted:
        count += f", and {unlisted:,} more"
    if editor:
        told = "\n".join(_editor_line(problem, name) for problem in problems)
        if unlisted:
            console.note(f"stemloom: {count}")
    elif in_colour(sys.stdout):
        colour = "red" if not ok else "yellow" if problems else "green"
        told = _apart(shown(problems, text, name), click.style(count, fg=colour))
    else:
        told = _apart(render(problems, text, name), count)
    console.emit(record, told)
    if not ok:
        ctx.exit(3)


def _with_dry_run(
    piece: Piece, problems: Sequence[Problem], vault: Vault, snapshot: Snapshot, use: str | None
) -> tuple[Problem, ...]:
    """The problems together with those that a dry run of the piece finds, in the order of their places."""
    from ..engine.compose.rehearsal import rehearse
    from ..ledger.clock import SystemClock

    uses, ask = None if use is None else (use,), vault.recordings.energies
    found = rehearse(piece, snapshot, at=SystemClock().now(), uses=uses, ask=ask)
    return tuple(sorted((*problems, *found), key=lambda p: (p.span.line, p.span.column, p.code)))


@contextmanager
def _vault(console: Console) -> Iterator[Vault | None]:
    """The home's vault; without one, a note that the pools were not checked."""
    from ..vault.errors import NoVault

    with ExitStack() as stack:
        vault = None
        if console.folder.exists():
            with suppress(NoVault):
                vault = stack.enter_context(console.vault())
        if vault is None:
            without = "checked without a vault: whether its pools hold stems is not known"
            console.note(f"stemloom: {without}")
        yield vault


def _apart(listed: str, count: str) -> str:
    return "\n\n".join(filter(None, (listed, count)))


def _editor_line(problem: Problem, name: str) -> str:
    place, _, message = said(problem)
    return f"{name}{place}: {problem.code}: {message}"


@click.command("format")
@click.argument("file")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if FILE would change.")
@click.pass_context
def format_(ctx: click.Context, file: str, only_check: bool) -> None:
    """Write the script FILE in canonical form, in place; comments stay.

    With - it reads standard input and writes standard output, in colours on a terminal. It leaves a script
    with syntax errors as it is, and exits 3.
    """
    from ..script.problems import printable
    from ..script.text.format import format_text
    from ..script.text.load import load, save

    console: Console = ctx.obj
    name = "standard input" if file == "-" else printable(file)
    text = load(file)
    formatted = format_text(text, name)
    changed = formatted != text
    if only_check:
        console.emit(
            {"file": name, "changed": changed},
            f"{name}: {'would change' if changed else 'is in canonical form'}",
        )
        ctx.exit(1 if changed else 0)
    if file == "-":
        if console.json:
            console.emit({"file": name, "changed": changed, "text": formatted})
        else:
            click.echo(shaded(formatted) if in_colour(sys.stdout) else formatted.encode(), nl=False)
        return
    if changed:
        save(file, formatted)
    console.emit({"file": name, "changed": changed}, f"{name}: {'written' if changed else 'unchanged'}")
