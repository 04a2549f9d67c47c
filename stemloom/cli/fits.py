"""`stemloom vault fits`: what goes with a recording."""

from __future__ import annotations

import click

from ..script.problems import counted
from .arguments import A_STEM, words_of
from .output import Console, picked, table

MOST_TOLD = 40


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option("--role", multiple=True, metavar="R", help="Those of this role alone. May repeat.")
@click.pass_obj
def fits(console: Console, stem: str, role: tuple[str, ...]) -> None:
    """List what goes with STEM: by key, chords and tempo, the best first.

    Told of are those that a pool would take beside it that says nothing of it: within 12% of its tempo and
    three semitones of its key. With --json there are all, and on a terminal the first forty.
    """
    from ..engine.compose.fits import fits as fitting

    with console.vault() as opened:
        own = opened.stem(stem)
        wanted = words_of(role)
        others = [each for each in opened.stems() if not wanted or each.role in wanted]
    found = fitting(own, others)
    rows = [
        (
            f.stem.title,
            f.stem.role,
            f.stem.key or "",
            f"{f.shift_st:+d} st" if f.shift_st else "",
            "" if f.stretch is None else f"{100 * (f.stretch - 1):+.1f}%",
            "" if f.agreement is None else f"{f.agreement:+.2f}",
            f"{f.chords_in_common} of {f.bars}" if f.bars else "",
        )
        for f in found[:MOST_TOLD]
    ]
    head = ("title", "role", "key", "shift", "stretch", "agreement", "chords in common")
    told = [f"{own.title}: {own.role}{f', {own.key}' if own.key else ''}", ""]
    told.append(table(head, rows, right=(3, 4, 5, 6)) if rows else "nothing goes with it")
    others_left = len([each for each in others if each.stem != own.stem]) - len(found)
    if len(found) > MOST_TOLD:
        told.append(f"and {counted(len(found) - MOST_TOLD, 'more stem')}")
    if others_left:
        told.append(
            f"{counted(others_left, 'stem')} beyond 12% of tempo or three semitones, or of no known key"
        )
    record = {
        "stem": own.stem,
        "title": own.title,
        "fits": [
            picked(f.stem, "stem title role key")
            | picked(f, "shift_st stretch agreement chords_in_common bars")
            | {"weight": round(f.weight, 4)}
            for f in found
        ],
        "left_out": others_left,
    }
    console.emit(record, "\n".join(told))
