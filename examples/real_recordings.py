"""From a folder of recordings and its manifest to two minutes of music, a ledger and a paid holder.

    python examples/real_recordings.py FOLDER [--home HOME] [--out FILE] [--seconds N]

FOLDER holds audio files and MANIFEST.csv with the columns name, bpm, beats, key, kind and author. Each
author becomes a holder of their own, and consents to streaming and export.
"""

from __future__ import annotations

import argparse
import csv
from fractions import Fraction
from pathlib import Path

from stemloom import Vault, render
from stemloom.ledger.royalties.record import record_income
from stemloom.ledger.royalties.settle import settle
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.script.text.load import load
from stemloom.vault.sound.declared import Declared

SCRIPT = Path(__file__).with_name("real_recordings.loom")
ROLES = {
    "bass": "bass",
    "keys": "harmony",
    "gtr": "harmony",
    "pad": "pads",
    "ambi": "pads",
    "lead": "melody",
    "elec_tick": "tops",
    "cymbal_hard": "fx",
    "cymbal": "tops",
    "cowbell": "tops",
    "snap": "tops",
    "mehackit_robot": "fx",
    "glitch": "fx",
}
"""What a file is, by a piece of its name; all else is beats."""


def declared(folder: Path, row: dict[str, str]) -> Declared:
    """One row of the manifest as a declaration."""
    name = row["name"]
    role = next((role for piece, role in ROLES.items() if piece in name), "beats")
    loop = row["kind"] == "loop" and bool(row["bpm"])
    return Declared(
        path=folder / name,
        holder=row["author"],
        role=role,
        bpm=Fraction(row["bpm"]) if loop else None,
        beats=int(float(row["beats"])) if loop else None,
        key=row["key"] or None,
        shape="hit" if row["kind"] == "one-shot" else None if loop else "sustained",
        mood=("dark",) if "drone" in name or "haunted" in name else (),
    )


def main() -> None:
    """Run the whole road and say what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, default=Path("found-sounds"))
    parser.add_argument("--out", type=Path, default=Path("found-sounds.flac"))
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()

    manifest = arguments.folder / "MANIFEST.csv"
    if not manifest.is_file():
        parser.error(f"there is no {manifest}")
    if arguments.home.exists():
        parser.error(f"{arguments.home} is there already: name a new folder with --home")
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with Vault.open(arguments.home, create=True) as vault:
        for author in sorted({row["author"] for row in rows}):
            vault.add_holder(author)
        intake = vault.add([declared(arguments.folder, row) for row in rows])
        print(f"{len(intake.added)} stems added, {len(intake.held)} held, {len(intake.refused)} refused")
        reasons = [(each.path, each.reason) for each in intake.held]
        reasons += [(each.path, each.reason) for each in intake.refused]
        for path, reason in reasons:
            print(f"  {path.name}: {reason}")
        vault.grant([stem.stem for stem in vault.stems()], ["stream", "export"])

        piece = accepted(load(SCRIPT), vault.snapshot(), file=SCRIPT.name)
        rendered = render(vault, piece, arguments.out, tier="developer", seconds=arguments.seconds)
        print(
            f"{rendered.audio}: {rendered.seconds:.1f} s at {rendered.tempo_bpm:g} bpm, "
            f"{rendered.lufs:.1f} LUFS, {rendered.true_peak_dbtp:.1f} dBTP, "
            f"{rendered.realtime_factor:.0f} times real time"
        )
        for heard in rendered.stems:
            print(f"  {heard.ms / 1000:8.3f} s  {heard.title}")

        report = verify(arguments.home)
        print(f"ledger: {report.size} entries, {'verified' if report.ok else 'WRONG'}")
        period = rendered.sounded[-1].start[:7]
        record_income(vault.log, 100_000_000, "EUR", "subscription", period, "example")
        settled = settle(vault.log, period, "EUR", early=True)
        names = {holder.holder: holder.name for holder in vault.holders()}
        for holder in settled.record()["holders"]:
            print(f"  {holder['amount'] / 1_000_000:8.2f} EUR  {names[holder['holder']]}")


if __name__ == "__main__":
    main()
