"""`stemloom plan`: the first bars of a piece, composed and not mixed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..script.problems import counted
from .options import PATH, composing, dial_value
from .output import Console, picked, table

if TYPE_CHECKING:
    from ..engine.plan import Bar, Candidate, Choice, Placement
    from ..script.effects.glide import PlacedGlide

SHOWN = 8
"""The most candidates of a choice in the text; the JSON has all."""


@click.command()
@click.argument("script", type=PATH)
@click.option(
    "--bars", type=click.IntRange(1, 10_000), default=16, show_default=True, help="The number of bars."
)
@composing
@click.option("--why", is_flag=True, help="Show for each choice its candidates, and the stems left out.")
@click.pass_obj
def plan(
    console: Console,
    script: Path,
    bars: int,
    seed: int | None,
    use: str | None,
    dials: tuple[str, ...],
    why: bool,
) -> None:
    """Show what SCRIPT would play in its first bars, with the present stems and consents."""
    from ..engine.compose.listing import plan as plan_bars
    from ..ledger.clock import SystemClock
    from ..script.check.check import accepted
    from ..script.text.load import load

    text = load(script)
    values = dict(map(dial_value, dials))
    with console.vault() as vault:
        snapshot = vault.snapshot()
    piece = accepted(text, snapshot, file=str(script))
    made = plan_bars(piece, snapshot, bars, at=SystemClock().now(), use=use, seed=seed, dials=values, why=why)
    rows = [
        (
            p.bar + 1,
            f"{float(p.beat) + 1:.4g}",
            f"{float(p.bars):.3g}",
            p.section,
            p.part,
            p.title,
            f"{p.gain_db:.3g}",
            p.line,
            ", ".join(_manner(p)),
        )
        for p in made.placements
    ]
    head = ("bar", "beat", "bars", "section", "part", "stem", "gain", "line", "how")
    columns = len(head) if any(row[-1] for row in rows) else len(head) - 1
    key = f" in {made.key}" if made.key else ""
    ends = f"; the piece ends after bar {len(made.bars)}" if made.ended else "; the piece goes on"
    record: dict[str, object] = {
        "bars": len(made.bars),
        "tempo": made.tempo_bpm,
        "key": made.key,
        "ended": made.ended,
        "placements": [_record(p) for p in made.placements],
        "rests": made.rested,
        "turns": [
            {"bar": bar.bar + 1, "tempo": float(bar.tempo_bpm), "meter": _meter(bar), "key": bar.key}
            for bar in made.turns
        ],
    }
    if why:
        record["choices"] = [_choice_record(choice) for choice in made.choices]
    console.emit(
        record,
        "\n".join(
            [
                f"{counted(len(made.bars), 'bar')} at {made.tempo_bpm:g} bpm{key}{ends}",
                *(_turn(bar) for bar in made.turns),
                "",
                table(head[:columns], [row[:columns] for row in rows], right=(0, 1, 2, 6, 7)),
                *dict.fromkeys(f"line {r.line}: {r.part} rests: {r.reason}" for r in made.rested),
                *(line for choice in made.choices for line in _reasons(choice)),
            ]
        ),
    )


def _meter(bar: Bar) -> str:
    return "/".join(map(str, bar.meter))


def _turn(bar: Bar) -> str:
    """The tempo, metre and key with which a bar begins."""
    key = f" in {bar.key}" if bar.key else ""
    return f"from bar {bar.bar + 1}: {float(bar.tempo_bpm):.4g} bpm, {_meter(bar)}{key}"


def _record(p: Placement) -> dict[str, object]:
    """A placement as `--json` lists it; bars and beats from 1."""
    return {
        "bar": p.bar + 1,
        "beat": float(p.beat) + 1,
        "bars": float(p.bars),
        **picked(p, "stem title role part section line"),
        "gain_db": round(p.gain_db, 3),
        "pan": round(p.pan, 3),
        "stretch": round(p.variant.stretch, 6),
        "semitones": p.variant.semitones,
        "reverse": p.variant.reverse,
        "sends": {send.bus: round(send.amount, 4) for send in p.effects.sends},
        "via": p.effects.via,
        "duck": p.effects.duck
        and {
            "db": round(p.effects.duck.depth_db, 3),
            "under": list(p.effects.duck.under),
            "back_ms": round(1000 * p.effects.duck.back_seconds),
        },
        "filters": [
            {"kind": f.kind, "hz": round(f.hz, 2), "to_hz": round(f.to_hz, 2)} | picked(f, "frames curve")
            for f in p.effects.filters
            if not f.waits
        ],
        "glides": [
            {"what": _named(p, g), "value": round(g.value, 4), "to": round(g.to, 4)}
            | picked(g, "start frames curve")
            for g in p.effects.glides
        ],
    }


def _named(p: Placement, glide: PlacedGlide) -> str:
    """What a glide moves, in the words of the script."""
    word, _, which = glide.what.partition(" ")
    return p.effects.filters[int(which)].kind if word == "filter" else glide.what


def _manner(p: Placement) -> list[str]:
    """The manner in which a placement sounds, besides its gain: pan, shift, direction and effects."""
    said = [f"pan {p.pan:.2g}"] if p.pan else []
    said += [f"{p.variant.semitones:+d} st"] if p.variant.semitones else []
    said += ["reverse"] if p.variant.reverse else []
    said += [f"to {send.bus} {send.amount:.0%}" for send in p.effects.sends]
    said += [f"via {p.effects.via}"] if p.effects.via else []
    if p.effects.duck is not None:
        said.append(f"duck {p.effects.duck.depth_db:.3g} dB under {' and '.join(p.effects.duck.under)}")
    said += [_glide(p, each) for each in p.effects.glides]
    for f in p.effects.filters:
        if f.waits:
            continue
        said.append(f"{f.kind} {_hertz(f.hz)}" + (f" -> {_hertz(f.to_hz)}" if f.to_hz != f.hz else ""))
    return said


def _glide(p: Placement, glide: PlacedGlide) -> str:
    """A glide in words."""
    what = _named(p, glide)

    def shown(value: float) -> str:
        if what == "gain":
            return f"{value:.3g} dB"
        if what == "pan":
            return f"{value:.2g}"
        return f"{value:.0%}" if what.startswith("to ") else _hertz(value)

    return f"{what} " + " -> ".join(dict.fromkeys(map(shown, (glide.value, glide.to))))


def _hertz(hz: float) -> str:
    return f"{hz:.3g} Hz" if hz < 1000 else f"{hz / 1000:.3g} kHz"


def _choice_record(choice: Choice) -> dict[str, object]:
    return {
        "bar": choice.bar + 1,
        **picked(choice, "line part pool stem again"),
        "candidates": [
            {
                **picked(c, "stem title"),
                "weight": round(c.weight, 6),
                "agreement": None if c.agreement is None else round(c.agreement, 4),
                "excluded": c.excluded,
                "factors": {name: round(factor, 6) for name, factor in c.factors},
            }
            for c in choice.candidates
        ],
    }


def _reasons(choice: Choice) -> list[str]:
    """One choice in words: the chance of each candidate, and the stems left out with the reason."""
    able = [c for c in choice.candidates if c.excluded is None]
    whole = sum(c.weight for c in able)
    taken = next((f'takes "{c.title}"' for c in choice.candidates if c.stem == choice.stem), "rests")
    at = f"bar {choice.bar + 1}, line {choice.line}: {choice.part} {taken}"
    if choice.again:
        return ["", f"{at} again, as when its section came before"]
    of = f"1 of {len(able)}" if able else "none left"
    said = ["", f"{at}, {of} in pool {choice.pool}"]
    rows = [(f"  {c.weight / whole:.1%}", f"{c.weight:.3g}", c.title, _factors(c)) for c in able[:SHOWN]]
    if rows:
        columns = 4 if any(row[-1] for row in rows) else 3
        head = ("  chance", "weight", "stem", "for")[:columns]
        said += table(head, [row[:columns] for row in rows], right=(0, 1)).split("\n")
    if len(able) > SHOWN:
        said.append(f"  and {len(able) - SHOWN} more")
    left = Counter(c.excluded for c in choice.candidates if c.excluded is not None)
    for reason, count in left.items():
        titles = [f'"{c.title}"' for c in choice.candidates if c.excluded == reason][:3]
        more = f" and {count - len(titles)} more" if count > len(titles) else ""
        said.append(f"  left out, {reason}: {', '.join(titles)}{more}")
    return said


def _factors(candidate: Candidate) -> str:
    """The factors of a candidate's weight."""
    agrees = "" if candidate.agreement is None else f" ({candidate.agreement:+.2f})"
    told = [f"{name}{agrees if name == 'chords' else ''} x{by:.2g}" for name, by in candidate.factors]
    return ", ".join(told)
