"""`stemloom render`: a piece to a file, with its ledger entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..script.problems import counted
from .options import PATH, SECONDS, dial_value, session
from .output import Console, checked_output, picked, table

if TYPE_CHECKING:
    from ..engine.play.render import Rendered
    from ..engine.play.take import Gesture


class _Gesture(click.ParamType):  # type: ignore[type-arg]
    """The words of a gesture, which `gesture` parses."""

    name = "GESTURE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if str(value).startswith("-"):
            self.fail(f"a time and a gesture are needed, and {value} is none", param, ctx)
        return str(value)


LONGEST = 24 * 3600
STEPS = {
    "conform": "bringing stems to tempo",
    "measure": "measuring its loudness",
    "mix": "mixing",
    "write": "writing the file",
}


@click.command()
@click.argument("script", type=PATH)
@click.option(
    "--out", type=PATH, required=True, help="The audio file: .wav, .flac, .aiff, .ogg, .opus or .mp3."
)
@click.option("--seconds", type=SECONDS, help="Length; by default to the end of the piece.")
@click.option("--bars", type=int, help="Length in bars, instead of seconds.")
@session
@click.option(
    "--at",
    "moments",
    multiple=True,
    nargs=2,
    type=(SECONDS, _Gesture()),
    metavar="TIME GESTURE",
    help="A listener's gesture then: 'cue NAME', 'like PART', 'dislike PART', or NAME=VALUE for a dial. "
    "May repeat.",
)
@click.option("--rate", type=int, metavar="HZ", help="44100, 48000 (the default) or 96000.")
@click.option("--bits", metavar="N", help="16 (with dither), 24 (the default) or 32f.")
@click.option("--loop", is_flag=True, help="Whole bars, whose end leads into their beginning.")
@click.option("--title", help="Written on the file; by default the piece's name.")
@click.option("--artist", help="Written on the file.")
@click.option("--take", type=PATH, help="Copy the take to this file as well.")
@click.option("--timeline", type=PATH, help="Draw the timeline to this .svg file.")
@click.pass_obj
def render(
    console: Console,
    script: Path,
    out: Path,
    seconds: float | None,
    bars: int | None,
    seed: int | None,
    use: str | None,
    tier: str,
    user: str,
    dials: tuple[str, ...],
    moments: tuple[tuple[float, str], ...],
    rate: int | None,
    bits: str | None,
    loop: bool,
    title: str | None,
    artist: str | None,
    take: Path | None,
    timeline: Path | None,
) -> None:
    """Render SCRIPT to a file, faster than real time, and log what is heard."""
    from ..script.check.check import accepted
    from ..script.text.load import load

    if seconds is not None and bars is not None:
        raise click.UsageError("say the length in --seconds or in --bars, not in both")
    checked_output(take)
    checked_output(timeline, ".svg")
    if loop and seconds is not None:
        raise click.UsageError("a loop is whole bars: give its length with --bars")
    if take is not None and take.resolve() == out.resolve():
        raise click.UsageError(f"--out and --take are one file, {out}: name two")
    text = load(script)
    values = dict(map(dial_value, dials))
    gestures = [gesture(seconds, words) for seconds, words in moments]
    with console.vault() as vault:
        piece = accepted(text, vault.snapshot(), file=str(script))
        heard = {"use": use, "tier": tier, "user": user, "seed": seed, "dials": values}
        written = {"rate": rate, "bits": bits, "loop": loop, "title": title, "artist": artist}
        rendered = render_shown(
            console, vault, piece, out, **heard, **written, seconds=seconds, bars=bars, gestures=gestures
        )
        names = {holder.holder: holder.name for holder in vault.holders()}
    if take is not None:
        take.write_bytes(rendered.take.read_bytes())
    if timeline is not None:
        write_timeline(rendered, piece.name, names, timeline)
    late = [words for time, words in moments if time >= rendered.seconds]
    if late:
        console.note(f"the music was over before {', '.join(map(repr, late))}")
    if not rendered.ended and seconds is None and bars is None:
        console.note(f"the piece had not ended after {rendered.seconds / 60:.0f} minutes and was faded out")
    console.emit(record(rendered), told(rendered, names))


FARTHEST_OFF_LU = 0.3
"""How far a render to the end may be from the loudness that its script asks for, and nothing is said."""
LEAST_LOWERED_DB = 0.05
"""From where on it is told that a file is softer than the mix."""
SHORTENED = ("seconds", "bars", "gain_db")
"""Options with which a render has no loudness of its own."""


def render_shown(console: Console, vault: Any, piece: Any, out: Path, **options: Any) -> Rendered:
    """Render with a progress display, and report the lines that rested."""
    from ..engine.play.render import render as to_file

    with console.steps(STEPS) as progress:
        rendered = to_file(vault, piece, out, progress=progress, **options)
    for text in dict.fromkeys(
        f"line {rest.line}: {rest.part} rests: {rest.reason}" for rest in rendered.rested
    ):
        console.note(text)
    if rendered.crowded:
        console.note(
            f"{rendered.crowded} sounds had to go or never came: more than 256 would have sounded at once"
        )
    if rendered.file.lowered_db >= LEAST_LOWERED_DB:
        console.note(
            f"the file is {rendered.file.lowered_db:.1f} dB softer than the mix, so that its peaks keep to "
            "the ceiling"
        )
    if (loudest := rendered.unlimited_lufs) is not None:
        console.note(
            f"the limiter takes more than 3 dB in over 1% of it: `loudness {loudest:g} LUFS` is the loudest "
            "that needs no such thing"
        )
        asked, whole = piece.loudness_lufs, all(options.get(name) is None for name in SHORTENED)
        if whole and asked is not None and rendered.lufs < asked - FARTHEST_OFF_LU:
            console.note(
                f"it came out at {rendered.lufs:.1f} LUFS and not at {asked:g}: the limiter holds it down"
            )
    return rendered


def record(rendered: Rendered) -> dict[str, Any]:
    """The record of `render --json`."""
    return {
        **picked(rendered, "audio frames rate"),
        "seconds": round(rendered.seconds, 6),
        **picked(rendered, "pcm_sha256 take session"),
        "placements": len(rendered.sounded),
        "tempo": rendered.tempo_bpm,
        "key": rendered.key,
        "lufs": level(rendered.lufs),
        "true_peak_dbtp": level(rendered.true_peak_dbtp),
        "gain_db": round(rendered.gain_db, 2),
        "reduction_db": round(rendered.reduction_db, 1),
        "unlimited_lufs": rendered.unlimited_lufs,
        "realtime_factor": round(rendered.realtime_factor, 1),
        "stems": rendered.stems,
        "file": {
            **picked(rendered.file, "rate bits frames"),
            "lowered_db": round(rendered.file.lowered_db, 2),
        },
    }


def told(rendered: Rendered, names: dict[str, str]) -> str:
    """The text of `render`."""
    rows = [(s.title, names.get(s.holder, s.holder), f"{s.ms / 1000:.3f}") for s in rendered.stems]
    loudness = level(rendered.lufs)
    return "\n".join(
        [
            f"{rendered.audio}: {rendered.seconds:.1f} s at {rendered.tempo_bpm:g} bpm"
            f"{f' in {rendered.key}' if rendered.key else ''}, "
            f"{'silent' if loudness is None else f'{loudness:.1f} LUFS'}, "
            f"{rendered.realtime_factor:.0f} times real time",
            "",
            table(("stem", "holder", "seconds in play"), rows, right=(2,)),
            "",
            f"session {rendered.session}, {counted(len(rendered.sounded), 'placement')} in the ledger",
        ]
    )


def level(decibels: float) -> float | None:
    """A level to a hundredth; `None` for silence, for which JSON has no number."""
    from math import isfinite

    return round(decibels, 2) if isfinite(decibels) else None


def write_timeline(rendered: Rendered, title: str, names: dict[str, str], path: Path) -> None:
    """Draw the timeline of a render."""
    from ..engine.play.timeline import timeline

    caption = (
        f"{rendered.tempo_bpm:g} bpm{f', {rendered.key}' if rendered.key else ''}, {rendered.seconds:.1f} s"
    )
    path.write_text(
        timeline(title, caption, rendered.bars, rendered.sounded, rendered.frames, rendered.rate, names),
        encoding="utf-8",
    )


def gesture(seconds: float, words: str) -> Gesture:
    """The gesture of `--at`: `cue last call`, `like tune`, `dislike` or `energy=0.8`."""
    from ..engine.play.take import Gesture
    from ..vault.records import ENGINE_RATE

    if not 0 <= seconds <= LONGEST:
        raise click.BadParameter(f"a gesture comes between 0 and {LONGEST} seconds", param_hint="--at")
    frame = round(seconds * ENGINE_RATE)
    kind, _, name = words.strip().partition(" ")
    name = name.strip().strip('"')
    if kind == "cue" and name:
        return Gesture(frame, "cue", name)
    if kind in ("like", "dislike"):
        return Gesture(frame, "like" if kind == "like" else "dislike", name or None)
    if "=" in words:
        return Gesture(frame, "dial", *dial_value(words, "--at"))
    raise click.BadParameter(
        f"{words!r} is not a gesture, such as 'cue lift', 'like tune', 'dislike' or energy=0.8",
        param_hint="--at",
    )
