"""`stemloom mix`: what a piece's mix is like, and what may be wrong in it."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..script.problems import counted
from .options import PATH, SECONDS, composing, dial_value
from .output import Console, checked_output, picked, table, write_whole

if TYPE_CHECKING:
    from ..engine.listen.figures import PartFigures, SectionFigures
    from ..engine.listen.findings import Finding
    from ..engine.listen.heard import Heard

STEPS = {"conform": "bringing stems to tempo", "measure": "measuring its loudness", "mix": "listening"}
MOST_TOLD = 10


@click.command()
@click.argument("script", type=PATH)
@click.option("--seconds", type=SECONDS, help="Length; by default to the end of the piece.")
@click.option("--bars", type=int, help="Length in bars, instead of seconds.")
@composing
@click.option("--picture", type=PATH, help="Draw spectrogram, loudness and alike bars to this .svg file.")
@click.pass_obj
def mix(
    console: Console,
    script: Path,
    seconds: float | None,
    bars: int | None,
    seed: int | None,
    use: str | None,
    dials: tuple[str, ...],
    picture: Path | None,
) -> None:
    """Listen to SCRIPT as it would be rendered, and tell what may be wrong, by line.

    Each part is mixed apart and measured: loudness, what lies below 120 Hz and from 2 to 5 kHz, the sides,
    what is lost in mono, and how much of a part others hide. Nothing is logged.
    """
    from ..engine.listen.figures import part_figures, section_figures
    from ..engine.listen.findings import findings, scenes_of
    from ..engine.listen.listen import listen
    from ..engine.listen.picture import picture as drawn
    from ..script.check.check import accepted
    from ..script.text.load import load

    if seconds is not None and bars is not None:
        raise click.UsageError("say the length in --seconds or in --bars, not in both")
    checked_output(picture, ".svg")
    text = load(script)
    options: Any = {"use": use, "seed": seed, "dials": dict(map(dial_value, dials))}
    with console.vault() as vault, console.steps(STEPS) as progress:
        piece = accepted(text, vault.snapshot(), file=str(script))
        heard = listen(vault, piece, seconds=seconds, bars=bars, progress=progress, **options)
    sections = [section_figures(heard, section) for section in heard.sections]
    parts = [part for section in heard.sections for part in part_figures(heard, section)]
    found = findings(heard, scenes_of(heard, sections, parts))
    if picture is not None:
        write_whole(picture, drawn(heard, piece.name, _summary(heard), found).encode())
    console.emit(_record(heard, sections, parts, found), _told(heard, sections, parts, found))


def _record(
    heard: Heard,
    sections: list[SectionFigures],
    parts: list[PartFigures],
    found: tuple[Finding, ...],
) -> dict[str, Any]:
    """The record of `mix --json`: levels in dB to a hundredth, None for silence."""
    figures = "lufs low_db presence_db side_db mono_loss_db"
    return {
        "piece": heard.piece.name,
        "seconds": round(heard.seconds, 6),
        **_rounded(heard, "lufs true_peak_dbtp gain_db reduction_db"),
        "sections": [
            picked(each, "section visits bars seconds") | _rounded(each, f"{figures} limiter_db")
            for each in sections
        ],
        "parts": [
            picked(each, "section part role line")
            | _rounded(each, figures)
            | {
                "hidden": round(each.hidden.share, 3),
                "hidden_by": each.hidden.by,
                "hidden_hz": [round(each.hidden.low_hz), round(each.hidden.high_hz)],
            }
            for each in parts
        ],
        "findings": [
            picked(each, "kind section also part measured line text change")
            | {"weight": round(each.weight, 2)}
            for each in found
        ],
    }


def _rounded(record: object, names: str) -> dict[str, float | None]:
    return {
        name: round(value, 2) if isfinite(value) else None for name, value in picked(record, names).items()
    }


def _told(
    heard: Heard,
    sections: list[SectionFigures],
    parts: list[PartFigures],
    found: tuple[Finding, ...],
) -> str:
    rows = [
        (s.section, str(s.bars), *map(_db, (s.lufs, s.low_db, s.presence_db, s.side_db, s.mono_loss_db)),
         _db(s.limiter_db))
        for s in sections
    ]  # fmt: skip
    part_rows = [
        (p.section, p.part, p.role, str(p.line), *map(_db, (p.lufs, p.low_db, p.presence_db, p.side_db)),
         _db(p.mono_loss_db), f"{p.hidden.share:.0%}", p.hidden.by if p.hidden.share >= 0.2 else "")
        for p in parts
    ]  # fmt: skip
    head = ("LUFS", "< 120 Hz", "2-5 kHz", "sides", "mono loss")
    lines = [
        f"{heard.piece.name}: {_summary(heard)}",
        "",
        table(("section", "bars", *head, "limiter"), rows, right=tuple(range(1, 8))),
        "",
        table(
            ("section", "part", "role", "line", *head, "hidden", "by"),
            part_rows,
            right=tuple(range(3, 10)),
        ),
        "",
    ]
    if not found:
        return "\n".join([*lines, "nothing is wrong that was looked for"])
    for number, each in enumerate(found[:MOST_TOLD], 1):
        where = ", ".join((each.section, *each.also))
        lines += [
            f"{number}. {where}: {each.measured}",
            f"   line {each.line}: {each.text}",
            f"   {each.change}",
        ]
    more = len(found) - MOST_TOLD
    return "\n".join([*lines, *([f"and {counted(more, 'more finding')}"] if more > 0 else [])])


def _summary(heard: Heard) -> str:
    seconds = round(heard.seconds)
    return (
        f"{seconds // 60}:{seconds % 60:02d}, {_db(heard.lufs)} LUFS, "
        f"true peak {_db(heard.true_peak_dbtp)} dBTP; "
        f"the limiter takes {heard.reduction_db:.1f} dB at most but for 1% of the time"
    )


def _db(level: float) -> str:
    return f"{level:.1f}" if isfinite(level) else "-" if level < 0 else "all"
