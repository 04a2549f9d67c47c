"""`stemloom vault`: stems, holders and splits; consent is beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ledger.clock import text_of
from ..script.problems import counted
from .arguments import A_HOLDER, A_STEM, words_of
from .consent import consent, said_of
from .output import Console, table, write_whole
from .signing import register, write_request

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..vault.catalogue.catalogue import Filter
    from ..vault.intake.intake import Intake
    from ..vault.records import Stem
    from ..vault.sound.declared import Declared
    from ..vault.sound.detection import Detected
    from ..vault.vault import Vault

_BEATS_IN_A_BAR = 4


@click.group()
def vault() -> None:
    """Stems, holders, consent and splits."""


# Stems.


@vault.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--holder", metavar="H", shell_complete=A_HOLDER, help="Who holds the rights: id or name.")
@click.option("--role", metavar="R", help="beats, bass, harmony, pads, tops, melody, voice, fx, or a word.")
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a header, of what is declared of each file; its columns are named above.",
)
@click.option("--bpm", metavar="N", help="Tempo; kept to a thousandth.")
@click.option("--bars", type=int, help="Length in bars of four beats.")
@click.option("--beats", type=int, help="Length in beats.")
@click.option("--key", metavar="K", help="As 'D minor', 'F# major', 'Am' or 'Bb'.")
@click.option("--shape", "--kind", metavar="S", help="loop, sustained or hit.")
@click.option("--mood", multiple=True, metavar="M", help="May be given again, or parted by commas.")
@click.option("--energy", type=float, help="0 to 1; measured when left out.")
@click.option("--set", "set_name", metavar="NAME", help="A name for stems made together.")
@click.option("--title", help="For a single file; else the file's name.")
@click.option("--isrc", help="Of the recording; for a single file.")
@click.option("--iswc", help="Of the work; for a single file.")
@click.option("--new-role", is_flag=True, help="The role is meant, though it is nearly one of those known.")
@click.option("--dry-run", "trial", is_flag=True, help="Only look: what would be taken in, and what not.")
@click.option("--accept-tempo", is_flag=True, help="The tempo is meant, though another is heard.")
@click.option("--accept-likeness", is_flag=True, help="It was looked at, and is not the other's recording.")
@click.option("--accept-silence", is_flag=True, help="Take in a loop that is mostly silent, at your word.")
@click.pass_obj
def add(
    console: Console,
    paths: tuple[Path, ...],
    holder: str | None,
    role: str | None,
    manifest: Path | None,
    bpm: str | None,
    bars: int | None,
    beats: int | None,
    key: str | None,
    shape: str | None,
    mood: tuple[str, ...],
    energy: float | None,
    set_name: str | None,
    title: str | None,
    isrc: str | None,
    iswc: str | None,
    new_role: bool,
    trial: bool,
    accept_tempo: bool,
    accept_likeness: bool,
    accept_silence: bool,
) -> int:
    """Take recordings in: files, or folders of them, under one holder.

    A loop's length must match its tempo and beats within 0.5 %. A stem starts without any consent.
    Exits 1 when a file is refused or missing, or none is added; the others are in all the same.

    Where neither tempo nor shape is declared they are heard, and the report says so.

    A loop that is more than half silent is held, which means kept out, as silence must not earn: trim it,
    add it as a hit, or give --accept-silence. One whose rhythm is clearly that of another tempo than the one
    declared is held as well: declare the other, or give --accept-tempo.

    A batch that was broken off is taken up by giving it again: what is here already is passed over.

    A manifest is a CSV file, or a JSON list of objects (.json).

    Columns of a manifest: name (or file, path) within the folder FILE; and, where they are needed, holder,
    role, title, bpm, bars, beats, key, kind (or shape), mood (words parted by ;), energy, set, isrc, iswc. An
    empty cell takes what the option says.
    """
    from ..vault.intake.manifest import Defaults, number, of_manifest, of_paths
    from ..vault.sound import declared as terms

    common = Defaults(
        holder=holder,
        role=role,
        declared=terms.Declared(
            path=Path(),
            holder="",
            role="",
            title=title,
            bpm=None if bpm is None else number("--bpm", bpm),
            bars=bars,
            beats=beats,
            key=key,
            shape=shape,
            mood=words_of(mood),
            energy=energy,
            set=set_name,
            isrc=isrc,
            iswc=iswc,
            new_role=new_role,
            accept_tempo=accept_tempo,
            accept_likeness=accept_likeness,
            accept_silence=accept_silence,
        ),
    )
    if manifest is None:
        offers = of_paths(paths, common)
    elif len(paths) == 1 and paths[0].is_dir():
        offers, unread = of_manifest(manifest, paths[0], common)
        if unread:
            console.note(f"columns that are not read: {', '.join(unread)}")
    else:
        raise click.UsageError("--manifest goes with one folder, in which its files are")
    if len(offers) > 1 and (title or isrc or iswc) and manifest is None:
        raise click.UsageError("--title, --isrc and --iswc are for a single file")
    if manifest is None:
        # What was said on the command line holds for all: a mistake in it is one, not one a file.
        terms.canonical_terms(offers[0])
    with console.vault() as opened:
        intake = _add_showing(console, opened, offers, trial=trial)
    _report(console, intake, offers)
    return 1 if intake.refused or not (intake.added or intake.here or intake.would) else 0


@vault.command("list")
@click.pass_obj
def list_(console: Console) -> None:
    """All stems."""
    _show_stems(console, None)


@vault.command()
@click.argument("text", required=False)
@click.option("--role", multiple=True, metavar="R")
@click.option("--shape", "--kind", multiple=True, metavar="S")
@click.option("--mood", multiple=True, metavar="M")
@click.option("--key", multiple=True, metavar="K")
@click.option("--holder", multiple=True, metavar="H", shell_complete=A_HOLDER)
@click.option("--set", "set_name", multiple=True, metavar="NAME")
@click.option("--energy", metavar="LO..HI")
@click.option("--bpm", metavar="LO..HI")
@click.option("--use", metavar="U", help="Cleared for this use now.")
@click.pass_obj
def search(
    console: Console,
    text: str | None,
    role: tuple[str, ...],
    shape: tuple[str, ...],
    mood: tuple[str, ...],
    key: tuple[str, ...],
    holder: tuple[str, ...],
    set_name: tuple[str, ...],
    energy: str | None,
    bpm: str | None,
    use: str | None,
) -> None:
    """Stems by what pools ask for; TEXT is part of a title. Options given again are alternatives."""
    from ..vault.catalogue.catalogue import Filter
    from ..vault.records import USES
    from ..vault.sound.declared import canonical_shape
    from ..vault.sound.tonality import canonical_key

    if use is not None and use not in USES:
        raise click.UsageError(f"'{use}' is not a use; there are {', '.join(USES)}")
    energies = None if energy is None else _range("--energy", energy)
    _show_stems(
        console,
        Filter(
            roles=tuple(word.lower() for word in words_of(role)),
            shapes=tuple(canonical_shape(word) for word in words_of(shape)),
            moods=tuple(word.lower() for word in words_of(mood)),
            keys=tuple(canonical_key(word) for word in key),
            holders=holder,
            sets=set_name,
            energy=None if energies is None else (float(energies[0]), float(energies[1])),
            bpm=None if bpm is None else _range("--bpm", bpm),
            use=use,
            text=text,
        ),
    )


@vault.command()
@click.argument("stem", shell_complete=A_STEM)
@click.pass_obj
def show(console: Console, stem: str) -> None:
    """One stem: what it is, whose it is, and what it is cleared for."""
    from ..vault.rights.shares import percent

    with console.vault() as opened:
        found = opened.stem(stem)
        names = _names(opened)
        shares = opened.shares(found.stem)
        statements = opened.consents(found.stem)
        original = opened.original(found.stem)
        heard = opened.heard(found.stem)
    record = _row(found, names) | {
        "heard": _heard(heard),
        "pcm_sha256": found.pcm_sha256,
        "file_sha256": original.name,
        "frames": found.frames,
        "channels": found.channels,
        "beats": found.beats,
        "sounding_frames": found.sounding_frames,
        "clearances": {
            use: {"index": c.index, "since": c.since, "until": c.until} for use, c in found.clearances.items()
        },
        "splits": {
            side: [{"holder": h, "name": names[h], "ppm": ppm} for h, ppm in parts.items()]
            for side, parts in shares.items()
        },
        "consents": [said_of(statement) for statement in statements],
    }
    lines = [
        f"{found.title}  ({found.stem})",
        f"  holder     {names[found.holder]}",
        f"  sound      {found.role}, {found.shape}, {_length(found)}, {_channels(found)}",
        f"  key        {_key(found, heard)}",
        f"  mood       {', '.join(found.mood) or '-'}; energy {found.energy:.2f}"
        + (f"; set {found.set}" if found.set else ""),
        f"  level      {found.lufs:.1f} LUFS, true peak {found.true_peak_dbtp:.1f} dBTP",
        *(
            f"  {side:<10} " + ", ".join(f"{names[h]} {percent(ppm)}" for h, ppm in parts.items())
            for side, parts in shares.items()
        ),
        f"  cleared    {_cleared(found) or 'for nothing'}",
        *(
            f"    #{s.entry}  {s.time}  {s.action} {', '.join(s.uses)}"
            + (f" until {s.until}" if s.until else "")
            for s in statements
        ),
        f"  original   {original}",
    ]
    console.emit(record, "\n".join(lines))


@vault.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option("--master", multiple=True, metavar="HOLDER=PERCENT")
@click.option("--publishing", multiple=True, metavar="HOLDER=PERCENT")
@click.option("--approve", multiple=True, metavar="HOLDER", help="Agrees to a lower share; key kept here.")
@click.option("--request", type=click.Path(path_type=Path), help="A file to be signed elsewhere.")
@click.pass_obj
def split(
    console: Console,
    stem: str,
    master: tuple[str, ...],
    publishing: tuple[str, ...],
    approve: tuple[str, ...],
    request: Path | None,
) -> None:
    """Who owns a stem from now on; each side given sums to 100 %. Without options: who owns it.

    A side is given as 'Ann=60%,Ben=40%', or an option a holder. Whose share falls must sign as well.
    """
    from ..vault.rights.shares import parse_shares, percent

    sides: dict[str, dict[str, int] | None] = {}
    for side, given in (("master", master), ("publishing", publishing)):
        parts = parse_shares(given)
        if len({name.casefold() for name, _ in parts}) != len(parts):
            raise click.UsageError(f"a holder is named twice among the {side} shares")
        sides[side] = dict(parts) or None
    with console.vault() as opened:
        found = opened.stem(stem)
        if request is not None:
            write_request(
                console, opened.request_splits(found.stem, sides["master"], sides["publishing"]), request
            )
            return
        if master or publishing:
            shares = opened.split(found.stem, sides["master"], sides["publishing"], approve)
        else:
            shares = opened.shares(found.stem)
        names = _names(opened)
    rows = [(side, names[h], percent(ppm)) for side, parts in shares.items() for h, ppm in parts.items()]
    console.emit(
        {"stem": found.stem}
        | {
            side: [{"holder": h, "name": names[h], "ppm": ppm} for h, ppm in parts.items()]
            for side, parts in shares.items()
        },
        f"{found.title} ({found.stem})\n" + table(("side", "holder", "share"), rows, right=(2,)),
    )


@vault.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.pass_obj
def original(console: Console, stem: str, out: Path) -> None:
    """Give back the holder's original file, byte for byte."""

    if out.exists():
        raise click.UsageError(f"{out} is there already")
    with console.vault() as opened:
        path = opened.original(stem)
        write_whole(out, path.read_bytes())
    console.emit({"out": str(out), "sha256": path.name}, f"{out}, SHA-256 {path.name}")


@vault.command()
@click.argument("stem", shell_complete=A_STEM)
@click.pass_obj
def remove(console: Console, stem: str) -> None:
    """Take a recording out: withdraw every use, and delete its original and all that was made of it.

    What it did, and what it has earned, stays in the ledger.
    """
    with console.vault() as opened:
        found, gone = opened.remove(stem)
    console.emit(
        {"stem": found, "deleted": [str(path) for path in gone], "left": []},
        "\n".join([*(f"deleted {path}" for path in gone), f"nothing that sounds is left of {found}"]),
    )


@vault.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def identify(console: Console, file: Path) -> None:
    """Which stems a recording contains, best first, with how much of it they cover and where."""
    with console.vault() as opened, console.progress() as progress:
        found = opened.identify(file, _learning(progress))
        names = _names(opened)
        stems = {each.stem: opened.stem(each.stem) for each in found}
    rows = [
        (f"{each.score:.2f}", each.stem, stems[each.stem].title, names[stems[each.stem].holder],
         f"{each.at:.1f}..{each.until:.1f} s", "the same" if each.same else "shares something")
        for each in found
    ]  # fmt: skip
    console.emit(
        {
            "matches": [
                {"stem": each.stem, "title": stems[each.stem].title, "holder": stems[each.stem].holder,
                 "score": each.score, "same": each.same, "at": each.at, "until": each.until,
                 "offset": each.offset}
                for each in found
            ]
        },
        table(("score", "stem", "title", "holder", "where", ""), rows, right=(0,))
        if rows
        else "nothing of the vault is in it",
    )  # fmt: skip


@vault.command()
@click.pass_obj
def rebuild(console: Console) -> int:
    """Make the catalogue again, of the ledger, the original recordings and the names kept beside them."""
    from ..vault.vault import Vault

    with console.progress() as progress:
        task = progress.add_task("measuring", total=None)
        count, lost = Vault.rebuild(
            console.folder, lambda done, of: progress.update(task, completed=done, total=of)
        )
    missing = [f"missing or changed: {path}" for path in lost]
    console.emit(
        {"stems": count, "missing": [str(path) for path in lost]},
        "\n".join([f"the catalogue is made again, with {counted(count, 'stem')}", *missing]),
    )
    return 1 if lost else 0


# Holders.


@vault.group()
def holder() -> None:
    """Rights-holders and their keys."""


@holder.command("add")
@click.argument("name")
@click.option("--isni", help="ISNI of the person or band, such as 0000 0001 2103 2683.")
@click.option("--ipi", help="IPI name or base number, such as 00052210040.")
@click.pass_obj
def holder_add(console: Console, name: str, isni: str | None, ipi: str | None) -> None:
    """Register a rights-holder. Their key is made here and kept in HOME/keys."""
    from ..vault.sound import identifiers

    # Before anything is entered.
    for check, text in ((identifiers.isni, isni), (identifiers.ipi, ipi)):
        if text:
            check(text)
    with console.vault(create=True) as opened:
        made = opened.add_holder(name)
        if isni or ipi:
            opened.keep_identifiers(made.holder, isni=isni, ipi=ipi)
    console.emit(
        {"holder": made.holder, "name": made.name, "public_key": made.public_key},
        f"{made.name} is {made.holder}; the key is kept in {console.folder / 'keys'}",
    )


@holder.command("list")
@click.pass_obj
def holder_list(console: Console) -> None:
    """All rights-holders."""
    with console.vault() as opened:
        holders = opened.holders()
        counts: dict[str, int] = {}
        for stem in opened.stems():
            counts[stem.holder] = counts.get(stem.holder, 0) + 1
        known = {each.holder: opened.identifiers(each.holder) for each in holders}
    rows = [(h.holder, h.name, counts.get(h.holder, 0), h.custody) for h in holders]
    console.emit(
        {
            "holders": [
                {
                    "holder": h.holder,
                    "name": h.name,
                    "public_key": h.public_key,
                    "custody": h.custody,
                    "stems": counts.get(h.holder, 0),
                    "isni": known[h.holder].isni,
                    "ipi": known[h.holder].ipi,
                }
                for h in holders
            ]
        },
        table(("holder", "name", "stems", "key kept by"), rows, right=(2,)) if rows else "no holders yet",
    )


@holder.command("identify")
@click.argument("who", metavar="HOLDER", shell_complete=A_HOLDER)
@click.option("--isni", help="ISNI of the person or band; '' for none.")
@click.option("--ipi", help="IPI name or base number; '' for none.")
@click.pass_obj
def holder_identify(console: Console, who: str, isni: str | None, ipi: str | None) -> None:
    """Set the identifiers of a rights-holder, for statements. They are kept here, and never in the ledger."""
    if isni is None and ipi is None:
        raise click.UsageError("say --isni or --ipi")
    with console.vault() as opened:
        found = opened.holder(who)
        made = opened.keep_identifiers(found.holder, isni=isni, ipi=ipi)
    console.emit(
        {"holder": found.holder, "isni": made.isni, "ipi": made.ipi},
        f"{found.name}: ISNI {made.isni or 'none'}, IPI {made.ipi or 'none'}",
    )


@holder.command("erase")
@click.argument("who", metavar="HOLDER", shell_complete=A_HOLDER)
@click.option("--yes", is_flag=True, help="Do it: it cannot be taken back.")
@click.pass_obj
def holder_erase(console: Console, who: str, yes: bool) -> None:
    """Destroy a rights-holder's name. Their stems, consents and balance stay, under their id."""
    with console.vault() as opened:
        found = opened.holder(who)
        if not yes:
            raise click.UsageError(
                f"the name of {found.holder} ({found.name}) and its salt would be destroyed, here and for "
                "good: say --yes to do it"
            )
        made = opened.erase_name(found.holder)
    console.emit(
        {"holder": made.holder, "name": made.name},
        f"the name is gone: the ledger, which never had it, verifies as before, and {made.holder} is shown "
        "by that id; backups and statements that were given out still have the name",
    )


# How stems are shown.


def _add_showing(console: Console, opened: Vault, offers: list[Declared], *, trial: bool) -> Intake:
    with console.progress() as progress:
        task = progress.add_task("taking in", total=len(offers))
        return opened.add(
            offers,
            lambda done, of: progress.update(task, completed=done, total=of),
            _learning(progress),
            trial=trial,
        )


def _learning(display: Progress) -> Callable[[int, int], None]:
    """Shows how many of the stems that are not known by their sound yet are, once there are any."""
    task: list[TaskID] = []

    def show(done: int, of: int) -> None:
        if not task:
            task.append(display.add_task("learning the vault's sounds", total=of))
        display.update(task[0], completed=done, total=of)

    return show


def _report(console: Console, intake: Intake, offers: list[Declared]) -> None:
    from ..vault.records import ROLES

    record = {
        "added": [
            {
                "stem": a.stem.stem,
                "title": a.stem.title,
                "path": str(a.path),
                "role": a.stem.role,
                "kind": a.stem.shape,
                "seconds": a.stem.seconds,
                "bpm": _bpm(a.stem.bpm),
                "bars": _bars(a.stem),
                "key": a.stem.key,
                "key_confidence": None if a.heard.key is None else a.heard.key.confidence,
                "heard": _heard(a.heard),
                "lufs": round(a.stem.lufs, 2),
                "true_peak_dbtp": round(a.stem.true_peak_dbtp, 2),
                "energy": a.stem.energy,
                "notes": list(a.notes),
            }
            for a in intake.added
        ],
        "held": [{"path": str(h.path), "reason": h.reason, "stem": h.stem} for h in intake.held],
        "refused": [{"path": str(r.path), "reason": r.reason} for r in intake.refused],
        "here": [{"path": str(h.path), "stem": h.stem} for h in intake.here],
        "would": [
            {
                "path": str(w.path),
                "kind": w.shape,
                "bpm": _bpm(w.bpm),
                "beats": w.beats,
                "heard": _heard(w.heard),
                "notes": list(w.notes),
            }
            for w in intake.would
        ],
    }
    rows: list[tuple[object, ...]] = [
        ("added", a.path.name, a.stem.stem, f"{a.stem.role}, {a.stem.shape}, {_length(a.stem)}, "
         f"{a.stem.lufs:.1f} LUFS" + "".join(f"; {note}" for note in a.notes))
        for a in intake.added
    ]  # fmt: skip
    rows += [("here already", h.path.name, h.stem, "") for h in intake.here]
    rows += [
        ("would be added", w.path.name, "", w.shape
         + (f", {w.beats} beats at {float(w.bpm):g} bpm" if w.bpm is not None else "")
         + "".join(f"; {note}" for note in w.notes))
        for w in intake.would
    ]  # fmt: skip
    rows += [("held", h.path.name, h.stem or "", h.reason) for h in intake.held]
    rows += [("refused", r.path.name, "", r.reason) for r in intake.refused]
    summary = f"{len(intake.added)} added, {len(intake.held)} held, {len(intake.refused)} refused"
    summary += f", {len(intake.here)} here already" if intake.here else ""
    summary += f"; a trial: {len(intake.would)} would be added, nothing was" if intake.would else ""
    console.emit(record, table(("", "file", "stem", ""), rows) + f"\n{summary}")
    unknown = sorted({a.stem.role for a in intake.added} - set(ROLES))
    if unknown:
        console.note(
            f"roles that the engine does not balance: {', '.join(unknown)} (it knows {', '.join(ROLES)})"
        )
    if any(not a.stem.clearances for a in intake.added):
        console.note("new stems are cleared for nothing: 'stemloom vault consent grant STEM --use stream'")


def _heard(heard: Detected) -> dict[str, Any]:
    return {
        "kind": heard.kind,
        "bpm": None if heard.tempo is None else round(heard.tempo.bpm, 3),
        "beats": None if heard.tempo is None else heard.tempo.beats,
        "tempo_confidence": None if heard.tempo is None else heard.tempo.confidence,
        "key": None if heard.key is None else heard.key.key,
        "key_confidence": None if heard.key is None else heard.key.confidence,
    }


def _key(stem: Stem, heard: Detected) -> str:
    said = stem.key or "not declared"
    if heard.key is None or heard.key.key == stem.key:
        return said
    return f"{said}; it sounds like {heard.key.key} (confidence {heard.key.confidence:.2f})"


def _show_stems(console: Console, chosen: Filter | None) -> None:
    with console.vault() as opened:
        stems = opened.stems(chosen)
        names = _names(opened)
    rows = [
        (s.stem, s.title, s.role, s.shape, _length(s), s.key or "", ", ".join(s.mood), f"{s.energy:.2f}",
         names[s.holder], _cleared(s))
        for s in stems
    ]  # fmt: skip
    head = ("stem", "title", "role", "shape", "length", "key", "mood", "energy", "holder", "cleared for")
    console.emit(
        {"stems": [_row(s, names) for s in stems]},
        table(head, rows) + f"\n{len(rows)} stem{'s' * (len(rows) != 1)}" if rows else "no stems",
    )


def _row(stem: Stem, names: dict[str, str]) -> dict[str, Any]:
    return {
        "stem": stem.stem,
        "title": stem.title,
        "role": stem.role,
        "kind": stem.shape,
        "holder": stem.holder,
        "holder_name": names[stem.holder],
        "seconds": stem.seconds,
        "bpm": _bpm(stem.bpm),
        "bars": _bars(stem),
        "key": stem.key,
        "mood": list(stem.mood),
        "energy": stem.energy,
        "set": stem.set,
        "lufs": round(stem.lufs, 2),
        "true_peak_dbtp": round(stem.true_peak_dbtp, 2),
        "uses": sorted(stem.clearances),
    }


def _names(opened: Vault) -> dict[str, str]:
    return {h.holder: h.name for h in opened.holders()}


def _bpm(bpm: Fraction | None) -> float | None:
    return None if bpm is None else float(bpm)


def _bars(stem: Stem) -> float | int | None:
    if stem.beats is None:
        return None
    whole, rest = divmod(stem.beats, _BEATS_IN_A_BAR)
    return whole if rest == 0 else stem.beats / _BEATS_IN_A_BAR


def _length(stem: Stem) -> str:
    if stem.bpm is None:
        return f"{stem.seconds:.2f} s"
    return f"{_bars(stem):g} bar{'s' * (_bars(stem) != 1)} at {float(stem.bpm):g} bpm"


def _channels(stem: Stem) -> str:
    return "mono" if stem.channels == 1 else "stereo"


def _cleared(stem: Stem) -> str:
    now = text_of(datetime.now(UTC))
    return ", ".join(use for use in sorted(stem.clearances) if stem.cleared(use, now))


def _range(option: str, text: str) -> tuple[Fraction, Fraction]:
    from ..vault.intake.manifest import number

    low, dots, high = text.partition("..")
    ends = number(option, low), number(option, high if dots else low)
    if ends[0] > ends[1]:
        raise click.UsageError(f"{option} {text} is empty: write the lower end first")
    return ends


vault.add_command(consent)
register(vault, holder, consent)
