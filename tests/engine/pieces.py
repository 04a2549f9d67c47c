"""Stems, snapshots and pieces for composing, without files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import Score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Placement
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


def sounding(fixed: Score, bars: int) -> list[Placement]:
    """What begins in the first bars, each until it ends in the end."""
    state, placed = first_state(fixed.piece, {}), dict[int, Placement]()
    for _ in range(bars):
        bar, state = next_bar(fixed, state)
        placed |= {p.id: p for p in bar.starts}
        for stop in bar.stops:
            placed[stop.id] = replace(placed[stop.id], end_frame=stop.end_frame, fade_out=stop.fade_out)
        if bar.ended:
            break
    return list(placed.values())
