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
