"""The names of the twelve pitch classes."""

from __future__ import annotations

TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""The name that a key with this tonic is kept under, by semitones above C."""

NOTES = {
    letter + accidental: (semitones + step) % 12
    for letter, semitones in zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True)
    for accidental, step in (("", 0), ("#", 1), ("b", -1))
}
"""Semitones above C of every note, under each of its names."""

QUALITIES = {
    "": (0, 4, 7),
    "maj": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "mmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "7sus4": (0, 5, 7, 10),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "9": (0, 4, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "m9": (0, 3, 7, 10, 14),
}
"""The tones of each kind of chord, in semitones above its root, by what follows the root in its name."""
