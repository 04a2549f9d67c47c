"""The harmony that all tonal stems of the demo share: four bars in D minor, which is F major's too.

Notes are MIDI numbers, 60 for the C of 261.6 Hz. From chord to chord each voice of the keys keeps its note
or moves by at most a minor third.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chord:
    """`root`: of the bass. `keys`: four voices in the middle, rootless. `pad`: open, two octaves wide.
    `top`: two notes above them, for stabs and arpeggios.
    """

    name: str
    root: int
    keys: tuple[int, int, int, int]
    pad: tuple[int, ...]
    top: tuple[int, int]


PROGRESSION = (
    Chord("Dm9", 38, (53, 57, 60, 64), (50, 57, 60, 65, 69, 76), (69, 74)),
    Chord("Bbmaj9", 34, (53, 57, 60, 62), (46, 58, 60, 65, 69, 74), (69, 72)),
    Chord("Fmaj9", 41, (52, 55, 57, 60), (53, 57, 60, 64, 67, 72), (67, 72)),
    Chord("C6/9", 36, (52, 55, 57, 62), (48, 55, 62, 64, 69, 74), (67, 74)),
)
KEY, RELATIVE = "D minor", "F major"


def hertz(note: float) -> float:
    """The frequency of a MIDI note, from the A of 440 Hz."""
    return float(440 * 2 ** ((note - 69) / 12))
