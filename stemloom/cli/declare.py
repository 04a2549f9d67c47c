"""`stemloom vault declare`: corrections of what is declared of a stem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .arguments import A_STEM, words_of
from .options import PATH
from .output import Console
from .signing import write_request
from .stems import declared_record


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option("--title")
@click.option(
    "--role", metavar="R", help="beats, bass, harmony, pads, tops, melody, voice, fx, or another word."
)
@click.option("--bpm", metavar="N", help="Tempo; kept to a thousandth.")
@click.option("--bars", type=int, help="Length in bars of the meter.")
@click.option("--beats", type=int, help="Length in beats.")
@click.option("--meter", metavar="M", help="Such as 3/4 or 7/8.")
@click.option("--key", metavar="K", help="Such as 'D minor'; '' for none.")
@click.option("--shape", "--kind", metavar="S", help="loop, sustained or hit.")
@click.option(
    "--mood", multiple=True, metavar="M", help="All moods, instead of those of before; '' for none."
)
@click.option("--isrc", help="ISRC of the recording; '' for none.")
@click.option("--iswc", help="ISWC of the work; '' for none.")
@click.option("--trim", is_flag=True, help="Cut silence in front of the loop, and make its end whole bars.")
@click.option(
    "--tail", metavar="T", help="What follows the loop's last bar: wrap (onto its beginning) or cut."
)
@click.option("--new-role", is_flag=True, help="The role is intended, though it is similar to a known one.")
@click.option("--accept-tempo", is_flag=True, help="The tempo is right, though another is detected.")
@click.option("--request", type=PATH, help="Write a request to this file, to be signed elsewhere.")
@click.pass_obj
def declare(
    console: Console,
    /,
    stem: str,
    bpm: str | None,
    mood: tuple[str, ...],
    request: Path | None,
    **given: Any,
) -> None:
    """Correct what is declared of STEM, from now on; what is not named stays. Its holder signs it.

    A new tempo, length, meter or shape is checked against the sound as in 'vault add', and the copy that is
    played is made anew. Sessions that are open go on as they began. Placements in the ledger keep what they
    say. 'vault show STEM' lists what was declared before.
    """
    from ..ledger.entries.wording import declaring
    from ..vault.intake.corrections import Correction
    from ..vault.intake.manifest import number

    correction = Correction(
        bpm=None if bpm is None else number("--bpm", bpm), mood=words_of(mood) if mood else None, **given
    )
    if correction == Correction(new_role=correction.new_role, accept_tempo=correction.accept_tempo):
        raise click.UsageError("say what is declared, such as --bpm 90 or --title NAME; see --help")
    with console.vault() as opened:
        found = opened.stem(stem)
        if request is not None:
            write_request(console, opened.request_declaration(found.stem, correction), request)
            return
        opened.declare(found.stem, correction)
        index, entry = opened.declarations(found.stem)[-1]
    console.emit(
        {"stem": found.stem, "index": index, **declared_record(entry)},
        f"{found.stem} is declared anew in entry {index}: {declaring(entry)}",
    )
