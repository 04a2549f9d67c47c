"""A DAW export of a song: stems from bar 1 on, each with a tail of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from stemloom import Vault
from stemloom.vault.sound.declared import Declared

RATE = 48_000
BPM = Fraction(187, 2)
ROLES = ("beats", "bass", "harmony", "melody", "voice", "tops")


def beat_frame(beat: float, bpm: Fraction = BPM) -> int:
    return round(Fraction(60 * RATE) * Fraction(beat) / bpm)


def rang(number: int, role: str, frames: int) -> NDArray[np.float32]:
    """One note or stroke of a stem, as it rings for so many frames."""
    random = np.random.default_rng(number)
    time = np.arange(frames) / RATE
    if role in ("beats", "tops"):
        return (0.4 * random.standard_normal(frames) * np.exp(-time / 0.03)).astype(np.float32)
    hertz = {"bass": 82.4, "harmony": 220.0, "melody": 440.0, "voice": 330.0}[role]
    tone = sum(np.sin(2 * np.pi * hertz * part * time) / part for part in range(1, 7))
    return (0.15 * tone * np.exp(-time / 0.25) * np.minimum(time / 0.002, 1)).astype(np.float32)


def exported(number: int, bars: int, tail_seconds: float) -> tuple[str, NDArray[np.float32]]:
    """A stem's role and sound, (1, frames): it is silent in its first bars, and then has a note each beat."""
    role = ROLES[number % len(ROLES)]
    body = beat_frame(4 * bars)
    frames = body + round(tail_seconds * RATE)
    sound = np.zeros((1, frames), np.float32)
    for beat in range(4 * (number % 3), 4 * bars):
        at = beat_frame(beat)
        last = beat == 4 * bars - 1
        ring = rang(number, role, frames - at if last else min(frames, beat_frame(beat + 1)) - at)
        sound[0, at : at + len(ring)] += ring
    if tail_seconds:
        # Reverb: it is loud enough to the very end.
        time = np.arange(frames - beat_frame(4 * bars - 1))
        sound[0, -len(time) :] += (0.01 * np.sin(2 * np.pi * 220 * time / RATE)).astype(np.float32)
    return role, sound


def song_home(folder: Path, stems: int, bars: int) -> tuple[Path, list[NDArray[np.float32]]]:
    """A home with an export of so many stems, with tails of 0 to 3 s; and the stems' sounds."""
    offers, sounds = [], []
    for number in range(stems):
        role, sound = exported(number, bars, 3 * number / max(stems - 1, 1))
        path = folder / f"{number:02} {role}.wav"
        soundfile.write(path, sound.T, RATE, "FLOAT")
        offers.append(Declared(path, "Ada", role, bpm=BPM, song="Low Water", title=f"stem {number}"))
        sounds.append(sound)
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        report = vault.add(offers)
        assert len(report.added) == stems, report
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return folder / "home", sounds


def script_of(stems: int, tempo: float, sections: str) -> str:
    """A piece that brings all stems."""
    pools = "".join(f'pool p{n} = loops song "Low Water", named "stem {n}"\n' for n in range(stems))
    lines = "".join(f"    bring part{n} from p{n}\n" for n in range(stems))
    return f'piece "Low Water" for stream\ntempo {tempo}\nloudness off\n{pools}' + sections.format(
        lines=lines
    )
