"""A vault of 100 000 stems: opened, searched, and changed under a session; and intake, per core."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from stemloom import Vault
from stemloom.engine.play.session import Session
from stemloom.ground.processes import cores
from stemloom.ledger.entries import entries
from stemloom.script.check.check import accepted
from stemloom.vault import told
from stemloom.vault.catalogue.catalogue import MeasuredRow
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.detection import Detected
from stemloom.vault.sound.measure import Measured

from .harness import Figure
from .made_entries import stem_entry

STEMS, AT_ONCE = 100_000, 5_000
LOOPS, LOOP_SECONDS, RATE = 1_000, 8, 44_100
QUERIES, CHANGES = 1_000, 9
SCRIPT = """piece "Search" for stream
tempo 120
pool one = loops role beats, mood night, energy 0.2..0.8, tempo 100..140, key D minor
pool all = loops energy 0..1, key any
section a 1 bars
    bring x from all
    bring y from one
move a -> a at end
"""


def figures() -> list[Figure]:
    """All of it, in folders that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large"
        fill(large)
        return [*of_large(large), of_intake(Path(folder))]


def fill(home: Path) -> None:
    """A vault of `STEMS` stems whose sounds nobody has: rows and entries alone."""
    rng = np.random.default_rng(1)
    with Vault.open(home, create=True) as vault:
        holder = vault.add_holder("Ada").holder
        vault.stand("Ada", ["stream", "export"])
        for first in range(0, STEMS, AT_ONCE):
            made = [_stem(number, holder, rng) for number in range(first, first + AT_ONCE)]
            vault._catalogue.keep_measured([row for _, row in made])
            vault.log.append([entry for entry, _ in made])
            vault.refresh()


def of_large(home: Path) -> Iterator[Figure]:
    """Opening, a pool of five clauses, and a withdrawal until a session no longer chooses the stem."""
    opened = []
    for _ in range(5):
        begun = time.perf_counter()
        with Vault.open(home) as vault:
            vault.snapshot()
        opened.append(time.perf_counter() - begun)
    seconds = float(np.median(opened))
    yield Figure(f"a vault of {STEMS:,} stems opened", {"open": seconds}, f"{1000 * seconds:.0f} ms")
    with Vault.open(home) as vault, Vault.open(home) as other:
        snapshot = vault.snapshot()
        piece = accepted(SCRIPT, snapshot)
        asked = []
        for _ in range(QUERIES):
            begun = time.perf_counter()
            snapshot.match(piece.pools["one"].clauses, "stream")
            asked.append(time.perf_counter() - begun)
        middle, most = float(np.median(asked)), float(np.percentile(asked[1:], 99))
        yield Figure(
            "a pool of five clauses over them",
            {"p50": middle, "p99": most},
            f"p50 {1000 * middle:.2f} ms, p99 {1000 * most:.2f} ms",
        )
        session = Session(vault, piece)
        taken: list[float] = []
        logged: list[float] = []
        # The thread that withdraws also has the session follow: from here on, before `withdraw` returns.
        told.listeners.insert(0, lambda _: logged.append(time.perf_counter()))
        for stem in sorted(session.conductor.candidates())[:CHANGES]:
            other.withdraw([stem], ["stream"])
            session.conductor.see_changes()
            taken.append(time.perf_counter() - logged[-1])
            assert stem not in session.conductor.candidates()
        del told.listeners[0]
        session.conductor.close()
        most = max(taken)
        yield Figure(
            "a withdrawal among them, seen by a session",
            {"median": float(np.median(taken)), "most": most},
            f"{1000 * float(np.median(taken)):.0f} ms, at most {1000 * most:.0f} ms",
        )


def of_intake(folder: Path) -> Figure:
    """Loops that are all different: copied, decoded, measured, compared with each other, and signed."""
    rng = np.random.default_rng(2)
    offers = []
    for number in range(LOOPS):
        path = folder / f"{number}.wav"
        soundfile.write(path, _loop(rng), RATE, subtype="PCM_16")
        offers.append(Declared(path, "Ada", "beats", bars=4, accept_tempo=True))
    with Vault.open(folder / "taken", create=True) as vault:
        vault.add_holder("Ada")
        begun = time.perf_counter()
        taken = vault.add(offers)
        seconds = time.perf_counter() - begun
    assert len(taken.added) == LOOPS, taken.refused[:1] or taken.held[:1]
    times = LOOPS * LOOP_SECONDS / seconds / min(cores(), 4)
    return Figure(
        f"intake of {LOOPS:,} loops of {LOOP_SECONDS} s",
        {"intake": seconds},
        f"{times:.0f} times real time per core",
    )


def _stem(number: int, holder: str, rng: np.random.Generator) -> tuple[entries.Stem, MeasuredRow]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    bpm = Fraction(int(rng.integers(70, 180)))
    entry = stem_entry(
        "2026-11-01T00:00:00.000Z",
        "s" + digest[:20],
        digest,
        holder,
        [holder],
        title=f"Stem {number}",
        role=("beats", "bass", "harmony", "pads", "tops", "melody", "fx")[number % 7],
        bpm_milli=int(1000 * bpm),
        key=("C major", "A minor", "D minor", "F# minor", None)[number % 5],
        mood=("warm",) if number % 2 else ("dry", "night"),
        energy_milli=int(rng.integers(0, 1000)),
    )
    chroma = rng.random((4, 12)).astype(np.float32)
    frames = round(16 * 60 * 48_000 / bpm)
    levels = rng.random((2, -(-frames // 4800))).astype(np.float32)
    chroma /= chroma.sum(1, keepdims=True)
    measured = Measured(-14.0, -1.0, 0.5, frames, chroma, 0.0, 0, 0.0, levels, 0.0)
    return entry, MeasuredRow(entry.stem, digest, frames, 2, measured, Detected())


def _loop(rng: np.random.Generator) -> np.ndarray:
    """Thirty-two hits and tones of its own in eight seconds, stereo."""
    step = LOOP_SECONDS * RATE // 32
    time = np.arange(step) / RATE
    parts = []
    for _ in range(32):
        tone = np.sin(2 * np.pi * rng.uniform(80, 3000) * time) + 0.5 * rng.standard_normal(step)
        parts.append(rng.uniform(0.1, 0.5) * tone * np.exp(-time * rng.uniform(5, 40)))
    return np.repeat(0.5 * np.concatenate(parts)[:, None], 2, axis=1).astype(np.float32)
