"""`stemloom vault add` and `identify`: files that are added, or compared with those in the vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ground.visible import visible
from .arguments import A_HOLDER, FilesCommand, words_of
from .intake_report import by_ending, counted_endings, shown_passed
from .options import FILE, PATH
from .output import Console, picked, table
from .people import names_in
from .stems import bars_of, bpm_of, heard_record, length_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..vault.intake.fingerprint_index import FingerprintMatch
    from ..vault.intake.intake import Intake
    from ..vault.intake.listing import Listing
    from ..vault.intake.manifest import Defaults
    from ..vault.sound.declared import Declared
    from ..vault.vault import Vault


@click.command(cls=FilesCommand)
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("--holder", metavar="H", shell_complete=A_HOLDER, help="The holder of the rights: id or name.")
@click.option(
    "--role", metavar="R", help="beats, bass, harmony, pads, tops, melody, voice, fx, or another word."
)
@click.option(
    "--manifest",
    type=FILE,
    help="CSV file with a header that declares each file; its columns are named above.",
)
@click.option("--bpm", metavar="N", help="Tempo; kept to a thousandth.")
@click.option("--bars", type=int, help="Length in bars of the meter.")
@click.option("--beats", type=int, help="Length in beats.")
@click.option("--key", metavar="K", help="Such as 'D minor', 'F# major', 'Am' or 'Bb'.")
@click.option("--shape", "--kind", metavar="S", help="loop, sustained or hit.")
@click.option("--mood", multiple=True, metavar="M", help="May repeat, or be separated by commas.")
@click.option("--energy", type=float, help="0 to 1; measured by default.")
@click.option("--set", metavar="NAME", help="A name for stems made together.")
@click.option("--title", help="For a single file; by default the file's name.")
@click.option("--isrc", help="ISRC of the recording; for a single file.")
@click.option("--iswc", help="ISWC of the work; for a single file.")
@click.option("--new-role", is_flag=True, help="The role is intended, though it is similar to a known one.")
@click.option("--dry-run", "trial", is_flag=True, help="Only report which files would be added.")
@click.option("--accept-tempo", is_flag=True, help="The tempo is right, though another is detected.")
@click.option(
    "--accept-likeness", is_flag=True, help="It was reviewed, and is not the other holder's recording."
)
@click.option(
    "--accept-silence", is_flag=True, help="For a single file: add a loop though it is mostly silent."
)
@click.option("--accept-length", is_flag=True, help="Take what is there, though the file promises more.")
@click.option("--meter", metavar="M", help="Such as 3/4 or 7/8; 4/4 by default.")
@click.option("--trim", is_flag=True, help="Cut silence in front of loops, and make their ends whole bars.")
@click.option("--tail", metavar="T", help="What follows a loop's last bar: wrap (onto its beginning) or cut.")
@click.option("--song", metavar="NAME", help="The files are the whole stems of one song, from its bar 1.")
@click.pass_obj
def add(
    console: Console,
    /,
    paths: tuple[Path, ...],
    holder: str | None,
    role: str | None,
    manifest: Path | None,
    bpm: str | None,
    mood: tuple[str, ...],
    trial: bool,
    **declared: Any,
) -> int:
    """Add recordings: files, folders or zip files of them, under one holder.

    A loop's length must match its tempo and beats to 5 ms, or it is held: --trim cuts silence in front off,
    --tail says what becomes of what rings beyond its last bar. A stem starts without any consent.
    Exits 1 if a file is refused or missing, or none is added; the other files are added anyway.

    If neither tempo nor shape is declared they are detected, and the report says so.

    A loop that is silent for more than two bars, or for half of it, is held, which means kept out, as silence
    must not earn: trim it, add it as a hit, or give --accept-silence. A loop whose rhythm clearly has another
    tempo than the declared one is held as well: declare the other tempo, or give --accept-tempo.

    The stems of a song, as a DAW exports them, are taken with --song NAME and its exact --bpm. All of them
    have the song's bars, and keep what they have after the last one as their tail.

    To continue an interrupted batch give it again: files that are here already are skipped.

    Every file of a folder or zip file is accounted for: those that are no sounds, or of a kind that is not
    taken, are passed over, and the report says why.

    A manifest is a CSV file (cells parted by commas, semicolons or tabs), or a JSON list of objects (.json).
    Files that it does not name are passed over.

    Columns of a manifest: name (or file, path) within FILE; and, where they are needed, holder,
    role, title, bpm, bars, beats, key, kind (or shape), mood (words separated by ;), energy, set, isrc, iswc,
    meter, tail, trim and accept-silence (yes or no).
    For an empty cell the option holds.
    """
    from ..vault.intake.listing import with_listings
    from ..vault.intake.manifest import Defaults, number
    from ..vault.sound import declared as terms

    tempo = None if bpm is None else number("--bpm", bpm)
    common = Defaults(
        holder, role, terms.Declared(Path(), "", "", bpm=tempo, mood=words_of(mood), **declared)
    )
    offers, found, unread = _offered(console, paths, manifest, common)
    if len(offers) > 1 and any(declared[each] for each in ("title", "isrc", "iswc")) and manifest is None:
        raise click.UsageError("--title, --isrc and --iswc are for a single file")
    if len(offers) > 1 and declared["accept_silence"]:
        raise click.UsageError(
            "--accept-silence is for a single file that somebody has listened to; "
            "for several use a manifest with a column 'accept-silence'"
        )
    if manifest is None and offers:
        # The options hold for all files: report a mistake in them once, not for each file.
        terms.canonical_terms(offers[0])
    with console.vault() as opened:
        intake = with_listings(_add_showing(console, opened, offers, trial=trial), found)
    _report(console, intake, unread)
    return 1 if intake.refused or not (intake.added or intake.here or intake.would) else 0


def _offered(
    console: Console, paths: tuple[Path, ...], manifest: Path | None, common: Defaults
) -> tuple[list[Declared], list[Listing], tuple[str, ...]]:
    """The files with their declarations, what lies beside them, and the columns that are not used."""
    from ..vault.intake.listing import is_listed, listings
    from ..vault.intake.manifest import declared_of, named_in, of_manifest

    if manifest is not None and not (len(paths) == 1 and is_listed(paths[0])):
        raise click.UsageError("--manifest goes with one folder or zip file, in which its files are")
    found = listings(paths, may_be_empty=manifest is not None)
    if manifest is None:
        return declared_of([path for each in found for path in each.sounds], common), found, ()
    rows, unread = of_manifest(manifest, paths[0], common)
    if unread:
        console.note(f"not used: {', '.join(map(visible, unread))}")
    return *named_in(rows, found[0], manifest, paths[0]), unread


@click.command()
@click.argument("file", type=PATH)
@click.pass_obj
def identify(console: Console, file: Path) -> None:
    """Name the stems that a recording contains, best first, with the part that they cover."""
    with console.vault() as opened, console.progress() as progress:
        found = opened.identify(file, _learning(progress))
        names = names_in(opened)
        stems = {each.stem: opened.stem(each.stem) for each in found}
    rows = [
        (f"{each.score:.2f}", each.stem, stems[each.stem].title, names[stems[each.stem].holder],
         f"{each.at:.1f}..{each.until:.1f} s", _how(each))
        for each in found
    ]  # fmt: skip
    console.emit(
        {
            "matches": [
                {"stem": each.stem, "title": stems[each.stem].title, "holder": stems[each.stem].holder,
                 "score": each.score, "same": each.same, "at": each.at, "until": each.until,
                 "offset": each.offset, "played": each.played or None}
                for each in found
            ]
        },
        table(("score", "stem", "title", "holder", "where", ""), rows, right=(0,))
        if rows
        else "nothing of the vault is in it",
    )  # fmt: skip


def _how(match: FingerprintMatch) -> str:
    if not match.same:
        return "shares something"
    return f"the same, played {match.played}" if match.played else "the same"


def _add_showing(console: Console, opened: Vault, offers: list[Declared], *, trial: bool) -> Intake:
    with console.progress(counted=True) as progress:
        task = progress.add_task("taking in", total=len(offers))

        def tell(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        try:
            return opened.add(offers, tell, _learning(progress), trial=trial)
        except (KeyboardInterrupt, OSError) as error:
            if not trial:
                error.add_note("what was taken in so far is kept: give the same command again to go on")
            raise


def _learning(display: Progress) -> Callable[[int, int], None]:
    """Shows the progress of fingerprinting stems whose fingerprints are missing, if there are any."""
    task: list[TaskID] = []

    def show(done: int, of: int) -> None:
        if not task:
            task.append(display.add_task("learning the vault's sounds", total=of))
        display.update(task[0], completed=done, total=of)

    return show


def _report(console: Console, intake: Intake, unread: tuple[str, ...]) -> None:
    from ..ground.roles import ROLES

    record = {
        "added": [
            {
                **picked(a.stem, "stem title"),
                "path": a.path,
                "role": a.stem.role,
                "kind": a.stem.shape,
                "seconds": a.stem.seconds,
                "bpm": bpm_of(a.stem.bpm),
                "bars": bars_of(a.stem),
                "key": a.stem.key,
                "key_confidence": None if a.heard.key is None else a.heard.key.confidence,
                "heard": heard_record(a.heard),
                "lufs": round(a.stem.lufs, 2),
                "true_peak_dbtp": round(a.stem.true_peak_dbtp, 2),
                "energy": a.stem.energy,
                "notes": a.notes,
            }
            for a in intake.added
        ],
        "held": intake.held,
        "refused": intake.refused,
        "here": intake.here,
        "would": [
            {
                "path": w.path,
                "kind": w.shape,
                "bpm": bpm_of(w.bpm),
                "beats": w.beats,
                "heard": heard_record(w.heard),
                "notes": w.notes,
            }
            for w in intake.would
        ],
        "passed": intake.passed,
        "endings": by_ending(intake),
        "unused_columns": unread,
    }
    rows: list[tuple[object, ...]] = [
        ("added", visible(a.path), a.stem.stem, f"{a.stem.role}, {a.stem.shape}, {length_text(a.stem)}, "
         f"{a.stem.lufs:.1f} LUFS" + "".join(f"; {note}" for note in a.notes))
        for a in intake.added
    ]  # fmt: skip
    rows += [("here already", visible(h.path), h.stem, "") for h in intake.here]
    rows += [
        ("would be added", visible(w.path), "", w.shape
         + (f", {w.beats} beats at {float(w.bpm):g} bpm" if w.bpm is not None else "")
         + "".join(f"; {note}" for note in w.notes))
        for w in intake.would
    ]  # fmt: skip
    rows += [("held", visible(h.path), h.stem or "", visible(h.reason)) for h in intake.held]
    rows += [("refused", visible(r.path), "", visible(r.reason)) for r in intake.refused]
    rows += shown_passed(intake.passed)
    summary = f"{len(intake.added)} added, {len(intake.held)} held, {len(intake.refused)} refused"
    summary += f", {len(intake.here)} here already" if intake.here else ""
    summary += f", {len(intake.passed)} passed over" if intake.passed else ""
    summary += f"; a trial: {len(intake.would)} would be added, nothing was" if intake.would else ""
    console.emit(record, table(("", "file", "stem", ""), rows) + f"\n{counted_endings(intake)}\n{summary}")
    if intake.refused and (intake.added or intake.here):
        console.note("mend what was refused and give the same command again: what is here is skipped")
    unknown = sorted({a.stem.role for a in intake.added} - set(ROLES))
    if unknown:
        console.note(
            f"roles that the engine does not balance: {', '.join(unknown)} (it knows {', '.join(ROLES)})"
        )
    if any(not a.stem.clearances for a in intake.added):
        console.note("new stems are cleared for nothing: 'stemloom vault consent grant STEM --use stream'")
