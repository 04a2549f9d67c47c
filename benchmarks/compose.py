"""Composing from large vaults: bars of a piece of sixteen roles, and the check with its dry run."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.ground.roles import ROLES, UNPITCHED_ROLES
from stemloom.script.check.check import accepted, check
from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import Clearance, Holder, Stem
from stemloom.vault.rights.statements import EXTENTS

from .harness import Figure, side_by_side

NOW = "2026-06-01T00:00:00.000Z"
LARGE, USUAL = 100_000, 10_000
BARS = 1_000
AGAIN = 5
PARTS = 16


def snapshot(count: int) -> Snapshot:
    """A vault of loops and hits in every role: several tempi, keys, lengths, moods, sets and chords."""
    rng = np.random.default_rng(7)
    keys = [f"{tonic} {mode}" for tonic in "CDEFGAB" for mode in ("major", "minor")]
    chroma = rng.dirichlet(np.full(12, 0.3), (64, 8))
    rows = [[tuple(bar) for bar in bars] for bars in chroma.tolist()]
    stems = []
    for i in range(count):
        hit = i % 10 == 0
        beats, bpm = 4 * 2 ** int(i % 4), Fraction(100 + i % 40)
        role = ROLES[i % 7 if not hit else 7]
        stems.append(
            Stem(
                stem=f"s{i:020x}",
                pcm_sha256=f"{i:064x}",
                title=f"{role} {i}",
                holder=f"h{i % 500:020x}",
                role=role,
                shape="hit" if hit else "loop",
                frames=24_000 if hit else round(60 * beats / bpm * 48_000),
                channels=2,
                bpm=None if hit else bpm,
                beats=None if hit else beats,
                key=None if role in UNPITCHED_ROLES else keys[i % len(keys)],
                mood=(("warm", "night", "driving", "bright")[i % 4],),
                energy=(i % 101) / 100,
                set=f"set {i // 20}" if i % 3 else None,
                lufs=-18.0,
                true_peak_dbtp=-3.0,
                sounding_frames=24_000,
                chroma=tuple(rows[i % 64][: beats // 4]),
                clearances={"stream": Clearance(i, NOW, None, frozenset(EXTENTS))},
            )
        )
    holders = [Holder(f"h{i:020x}", f"Holder {i}", "", "", "self") for i in range(500)]
    return Snapshot(stems, holders, count, NOW)


def piece(parts: int, sections: int = 2) -> str:
    """A script with so many parts: fresh, never twice, by chords and sets, under a share cap."""
    roles = [ROLES[i % 7] for i in range(parts - 2)]
    lines = ['piece "Sixteen" for stream', "tempo 112..124", "key D minor or F major or A minor", "seed 1"]
    lines += ["share cap 30% per holder", "dial energy 0..1 = 0.5 at next bar"]
    for i, role in enumerate(roles):
        lines.append(f"pool p{i} = loops role {role}, prefer fresh, never twice in 16 bars")
        lines.append("    , weight 3 for mood warm when energy > 0.3")
    lines.append("pool sparks = hits role fx")
    for section in range(sections):
        lines.append(f"section s{section} 8..16 bars")
        for i in range(parts - 2):
            lines.append(f"    bring l{i} from p{i} gain energy * 3 dB when energy > 0.1")
            lines.append(f"    vary l{i} every {(2, 4, 8)[i % 3]} bars")
        lines.append('    play tick from sparks "x.x. x.xx x.5. xxX." swing 56% chance 90%')
        lines.append("    play tock from sparks euclid 5 in 16")
        lines.append(f"move s{section} -> s{(section + 1) % sections} at end")
    return "\n".join(lines) + "\n"


def figures() -> list[Figure]:
    """The figures of this file."""
    return [_bars(), _checked()]


def _bars() -> Figure:
    stems = snapshot(LARGE)
    compiled = accepted(piece(PARTS))
    begun = time.perf_counter()
    fixed = score(compiled, stems, use="stream", at=NOW, rate=48_000)
    opened = time.perf_counter() - begun
    state = first_state(compiled, {})
    times = []
    for _ in range(BARS):
        again, before = [], state
        for _ in range(AGAIN):
            begun = time.perf_counter()
            _, state = next_bar(fixed, before)
            again.append(time.perf_counter() - begun)
        times.append(again)
    # Each bar's first time is what a session would see here; its least is what the bar itself takes.
    median, late, worst = np.quantile(np.array(times)[10:, 0], [0.5, 0.99, 1.0])
    least = np.quantile(np.array(times)[10:].min(axis=1), 0.99)
    return Figure(
        name=f"composing a bar of {PARTS} parts from {LARGE:,} stems",
        seconds={
            "median": float(median),
            "p99": float(late),
            "p99 of the least": float(least),
            "most": float(worst),
            "score": opened,
        },
        note=f"p99 {late * 1e3:.1f} ms ({least * 1e3:.1f} ms as the least of {AGAIN}),"
        f" median {median * 1e3:.1f} ms; the score before it in {opened:.1f} s",
    )


def _checked() -> Figure:
    stems = snapshot(USUAL)
    text = piece(PARTS, sections=8)
    lines = text.count("\n")

    def parse() -> None:
        assert check(text).ok

    def whole() -> None:
        checked = check(text, stems)
        assert checked.piece is not None
        rehearse(checked.piece, stems, at=NOW)

    seconds = side_by_side({"parse": parse, "whole": whole}, rounds=5)
    return Figure(
        name=f"check and dry run of a script of {lines} lines against {USUAL:,} stems",
        seconds=seconds,
        note=f"{seconds['whole'] * 1e3:.0f} ms, of which {seconds['parse'] * 1e3:.0f} for the text",
    )
