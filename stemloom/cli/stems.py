"""`stemloom vault` for stems: list, search, show, original, remove, rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ground.visible import visible
from ..ledger.clock import text_of
from ..script.problems import counted
from .arguments import A_HOLDER, A_STEM, words_of
from .options import PATH
from .output import Console, clearance_record, picked, table, write_whole
from .people import names_in, shares_record

if TYPE_CHECKING:
    from ..ledger.entries import entries
    from ..vault.catalogue.snapshot import Clause
    from ..vault.records import Stem
    from ..vault.sound.detection import Detected


@click.command("list")
@click.pass_obj
def list_(console: Console) -> None:
    """List all stems."""
    _show_stems(console)


@click.command()
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
    """Search for stems as pools do; TEXT is part of a title. Repeated options are alternatives."""
    from ..ground.uses import USES
    from ..vault.catalogue.snapshot import Condition
    from ..vault.sound.declared import canonical_shape
    from ..vault.sound.tonality import canonical_key

    if use is not None and use not in USES:
        raise click.UsageError(f"'{use}' is not a use; there are {', '.join(USES)}")
    wanted = {
        "role": words_of(role),
        "shape": tuple(map(canonical_shape, words_of(shape))),
        "mood": words_of(mood),
        "key": tuple(map(canonical_key, key)),
        "holder": holder,
        "set": set_name,
        "energy": () if energy is None else (_range("--energy", energy),),
        "tempo": () if bpm is None else (_range("--bpm", bpm),),
    }
    _show_stems(
        console, [Condition(column, values) for column, values in wanted.items() if values], use, text
    )


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.pass_obj
def show(console: Console, stem: str) -> None:
    """Show one stem: its sound, its owners, and its consents."""
    from ..ledger.entries.wording import allowing, declaring
    from ..vault.rights.shares import percent

    with console.vault() as opened:
        found = opened.stem(stem)
        names = names_in(opened)
        shares = opened.shares(found.stem)
        statements = opened.consents(found.stem)
        original = opened.original(found.stem)
        name = opened.original_name(found.stem)
        heard = opened.heard(found.stem)
        said = opened.declarations(found.stem)
    record = _row(found, names) | {
        "heard": heard_record(heard),
        "pcm_sha256": found.pcm_sha256,
        "file_sha256": original.name,
        "original_name": None if name is None else visible(name),
        "declarations": [{"index": index, **declared_record(entry)} for index, entry in said],
        **picked(found, "frames channels beats sounding_frames"),
        "clearances": {use: clearance_record(each) for use, each in found.clearances.items()},
        "splits": shares_record(shares, names),
        "consents": statements,
    }
    lines = [
        f"{found.title}  ({found.stem})",
        f"  holder     {names[found.holder]}",
        f"  sound      {found.role}, {found.shape}, {length_text(found)}, {_channels(found)}",
        f"  key        {_key_text(found, heard)}",
        f"  mood       {', '.join(found.mood) or '-'}; energy {found.energy:.2f}"
        + (f"; set {found.set}" if found.set else ""),
        f"  level      {found.lufs:.1f} LUFS, true peak {found.true_peak_dbtp:.1f} dBTP",
        *(
            f"  {side:<10} " + ", ".join(f"{names[h]} {percent(ppm)}" for h, ppm in parts.items())
            for side, parts in shares.items()
        ),
        f"  cleared    {_cleared(found) or 'for nothing'}",
        *(
            f"    #{s.index}  {s.time}  {s.action} {', '.join(s.uses)}"
            + (f" until {s.until}" if s.until else "")
            + (f", {allowing(s.allows)}" if s.action == "grant" else "")
            for s in statements
        ),
        f"  original   {original}" + (f", which was '{visible(name)}'" if name else ""),
        *(
            f"    #{index}  {entry.time}  declared: {declaring(entry)}"
            for index, entry in said
            if len(said) > 1
        ),
    ]
    console.emit(record, "\n".join(lines))


def declared_record(entry: entries.Stem | entries.Declaration) -> dict[str, Any]:
    names = "time title role shape bpm_milli beats key mood isrc"
    return {**picked(entry, names), "iswc": entry.iswc or None, "meter": entry.meter or "4/4"}


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.option(
    "--out", type=PATH, help="The file or folder to write to; here, under its own name, by default."
)
@click.pass_obj
def original(console: Console, stem: str, out: Path | None) -> None:
    """Give back the holder's original file, byte for byte, under the name that it had."""
    with console.vault() as opened:
        path = opened.original(stem)
        if out is None or out.is_dir():
            out = (out or Path()) / (opened.original_name(stem) or f"{opened.stem(stem).stem}.wav")
        if out.exists():
            raise click.UsageError(f"{visible(out)} is there already: name another with --out")
        write_whole(out, path.read_bytes())
    console.emit({"out": str(out), "sha256": path.name}, f"{out}, SHA-256 {path.name}")


@click.command()
@click.argument("stem", shell_complete=A_STEM)
@click.pass_obj
def remove(console: Console, stem: str) -> None:
    """Remove a recording: withdraw every use, and delete its original and all files made from it.

    Its placements and its earnings stay in the ledger.
    """
    with console.vault() as opened:
        found, gone = opened.remove(stem)
    console.emit(
        {"stem": found, "deleted": gone, "left": []},
        "\n".join([*(f"deleted {path}" for path in gone), f"nothing that sounds is left of {found}"]),
    )


@click.command()
@click.pass_obj
def rebuild(console: Console) -> int:
    """Make the catalogue again, from the ledger, the original recordings and the names beside them."""
    from ..vault.vault import Vault

    with console.telling("measuring") as tell:
        count, lost = Vault.rebuild(console.folder, tell)
    missing = [f"missing or changed: {path}" for path in lost]
    console.emit(
        {"stems": count, "missing": lost},
        "\n".join([f"the catalogue is made again, with {counted(count, 'stem')}", *missing]),
    )
    return 1 if lost else 0


def heard_record(heard: Detected) -> dict[str, Any]:
    return {
        "kind": heard.kind,
        "bpm": None if heard.tempo is None else round(heard.tempo.bpm, 3),
        "beats": None if heard.tempo is None else heard.tempo.beats,
        "tempo_confidence": None if heard.tempo is None else heard.tempo.confidence,
        "key": None if heard.key is None else heard.key.key,
        "key_confidence": None if heard.key is None else heard.key.confidence,
    }


def _key_text(stem: Stem, heard: Detected) -> str:
    said = stem.key or "not declared"
    if heard.key is None or heard.key.key == stem.key:
        return said
    return f"{said}; it sounds like {heard.key.key} (confidence {heard.key.confidence:.2f})"


def _show_stems(
    console: Console, clauses: Sequence[Clause] = (), use: str | None = None, title: str | None = None
) -> None:
    with console.vault() as opened:
        stems = opened.stems(clauses, use, title)
        names = names_in(opened)
    rows = [
        (s.stem, s.title, s.role, s.shape, length_text(s), s.key or "", ", ".join(s.mood), f"{s.energy:.2f}",
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
        **picked(stem, "stem title role"),
        "kind": stem.shape,
        "holder": stem.holder,
        "holder_name": names[stem.holder],
        "seconds": stem.seconds,
        "bpm": bpm_of(stem.bpm),
        "bars": bars_of(stem),
        "meter": "{}/{}".format(*stem.meter),
        **picked(stem, "key mood energy set song"),
        "lufs": round(stem.lufs, 2),
        "true_peak_dbtp": round(stem.true_peak_dbtp, 2),
        "uses": sorted(stem.clearances),
    }


def bpm_of(bpm: Fraction | None) -> float | None:
    return None if bpm is None else float(bpm)


def bars_of(stem: Stem) -> float | int | None:
    if stem.beats is None:
        return None
    whole, rest = divmod(stem.beats, stem.meter[0])
    return whole if rest == 0 else stem.beats / stem.meter[0]


def length_text(stem: Stem) -> str:
    if stem.bpm is None:
        return f"{stem.seconds:.2f} s"
    meter = "" if stem.meter == (4, 4) else " of {}/{}".format(*stem.meter)
    text = f"{bars_of(stem):g} bar{'s' * (bars_of(stem) != 1)}{meter} at {float(stem.bpm):g} bpm"
    if stem.song is None:
        return text
    from ..vault.records import ENGINE_RATE

    tail = stem.tail_frames / ENGINE_RATE
    return f"{text} of '{stem.song}'" + (f", tail {tail:.2f} s" if tail else "")


def _channels(stem: Stem) -> str:
    return "mono" if stem.channels == 1 else "stereo"


def _cleared(stem: Stem) -> str:
    now = text_of(datetime.now(UTC))
    return ", ".join(use for use in sorted(stem.clearances) if stem.cleared(use, now))


def _range(option: str, text: str) -> tuple[float, float]:
    """`0.2..0.6` or `0.4` as a range, to the thousandths that the ledger keeps."""
    from ..vault.intake.manifest import number

    low, dots, high = text.partition("..")
    ends = number(option, low), number(option, high if dots else low)
    if ends[0] > ends[1]:
        raise click.UsageError(f"{option} {text} is empty: write the lower end first")
    return round(1000 * ends[0]) / 1000, round(1000 * ends[1]) / 1000
