"""Stems, snapshots and pieces for composing, without files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import Clearance, Stem

NOW = "2026-06-01T00:00:00.000Z"
HEAD = 'piece "Test" for stream\ntempo 120\nkey D minor or F major\nseed 7\n'


def stem(number: int, role: str = "beats", shape: str = "loop", **changes: object) -> Stem:
    """Two bars at 120 bpm, cleared for stream; `changes` are fields; bpm and beats set the length."""
    bpm, beats = changes.pop("bpm", Fraction(120)), changes.pop("beats", 8)
    loop = shape == "loop"
    frames = round(60 * beats / bpm * 48_000) if loop else 24_000  # type: ignore[operator]
    made = Stem(
        stem=f"s{number:020x}",
        pcm_sha256=f"{number:064x}",
        title=f"{role} {number}",
        holder=f"h{number % 3:020x}",
        role=role,
        shape=shape,
        frames=frames,
        channels=2,
        bpm=Fraction(bpm) if loop else None,  # type: ignore[arg-type]
        beats=beats if loop else None,  # type: ignore[arg-type]
        key=None,
        mood=(),
        energy=0.5,
        set=None,
        lufs=-18.0,
        true_peak_dbtp=-3.0,
        sounding_frames=frames,
        chroma=((1 / 12,) * 12,),
        clearances={"stream": Clearance(number, "2026-01-01T00:00:00.000Z", None)},
    )
    return replace(made, **changes)


def snapshot(*stems: Stem) -> Snapshot:
    return Snapshot(stems, [], 1000, NOW)
