"""The harmonies of the demo, four chords each, in the keys and tempos of its four scripts.

Notes are MIDI numbers, 60 for the C of 261.6 Hz. From chord to chord each voice of the keys keeps its note
or moves by little. Where one key has several progressions, chords that fall into the same bar lie a semitone,
a whole tone or a tritone apart, so that one may be told from another by its pitch classes alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chord:
    """`root`: of the bass. `keys`: four voices in the middle. `pad`: open, two octaves wide. `top`: two notes
    above them, for stabs and arpeggios. `fifth`: semitones from the bass to what it plays beside it.
    """

    name: str
    root: int
    keys: tuple[int, int, int, int]
    pad: tuple[int, ...]
    top: tuple[int, int]
    fifth: int = 7

    def leans(self, note: int) -> bool:
        """Whether a note is the root or the fifth, in any octave."""
        return (note - self.root) % 12 in (0, self.fifth)

    def touch(self, note: int) -> float:
        """How hard a hand strikes a note that wants the chord plain: root and fifth before the colours."""
        return {0: 1.0, 3: 0.6, 4: 0.6, self.fifth: 0.75}.get((note - self.root) % 12, 0.4)


Progression = tuple[Chord, Chord, Chord, Chord]

PROGRESSION: Progression = (
    Chord("Dm9", 38, (53, 57, 62, 64), (50, 57, 60, 65, 69, 76), (69, 74)),
    Chord("Bbmaj9", 34, (53, 58, 62, 65), (46, 58, 60, 65, 69, 74), (69, 72)),
    Chord("Fmaj9", 41, (53, 57, 60, 67), (53, 57, 60, 64, 67, 72), (67, 72)),
    Chord("C6/9", 36, (52, 55, 60, 67), (48, 55, 62, 64, 69, 74), (67, 74)),
)
KEY, RELATIVE = "D minor", "F major"

# A minor, for `back_stairs`.
LANDING: Progression = (
    Chord("Am", 33, (52, 57, 60, 64), (45, 52, 60, 64, 69, 76), (69, 76)),
    Chord("B", 35, (54, 59, 63, 66), (47, 54, 59, 63, 66, 75), (71, 78)),
    Chord("B7", 35, (54, 57, 59, 63), (47, 54, 59, 63, 66, 71), (71, 75)),
    Chord("E7", 40, (52, 56, 59, 62), (40, 52, 59, 64, 68, 76), (71, 76)),
)
SKYLIGHT: Progression = (
    Chord("Bb", 34, (53, 58, 62, 65), (46, 53, 58, 62, 65, 74), (70, 77)),
    Chord("Bb6", 34, (53, 58, 62, 67), (46, 53, 58, 65, 67, 74), (70, 74)),
    Chord("Am7", 33, (52, 57, 60, 67), (45, 52, 57, 64, 67, 72), (69, 76)),
    Chord("Dm", 38, (50, 57, 62, 65), (50, 57, 62, 65, 69, 72), (69, 74)),
)
WET_COAT: Progression = (
    Chord("E7/G#", 32, (56, 59, 62, 64), (44, 52, 59, 64, 68, 71), (71, 76), 8),
    Chord("Am7", 33, (55, 57, 60, 64), (45, 52, 57, 64, 69, 72), (69, 76)),
    Chord("Bbmaj7", 34, (53, 57, 58, 62), (46, 53, 58, 62, 65, 70), (70, 77)),
    Chord("Bb6", 34, (53, 55, 58, 62), (46, 53, 58, 62, 67, 70), (70, 74)),
)
DUST = "A minor"

# F minor, for `last_train`.
UP_LINE: Progression = (
    Chord("Fm7", 29, (53, 56, 60, 63), (41, 53, 60, 65, 68, 72), (72, 77)),
    Chord("Cm7", 36, (55, 58, 60, 63), (48, 55, 60, 63, 67, 72), (72, 79)),
    Chord("Dbmaj7", 37, (53, 56, 60, 61), (49, 56, 61, 65, 68, 72), (68, 77)),
    Chord("Eb", 39, (55, 58, 63, 65), (51, 58, 63, 67, 70, 75), (70, 79)),
)
DOWN_LINE: Progression = (
    Chord("Gbmaj7", 30, (53, 54, 58, 61), (42, 54, 61, 66, 70, 73), (73, 78)),
    Chord("Gb6", 30, (51, 54, 58, 61), (42, 54, 61, 66, 70, 75), (73, 75)),
    Chord("C7", 36, (52, 55, 58, 60), (48, 55, 60, 64, 67, 72), (72, 79)),
    Chord("Fm7", 29, (53, 56, 60, 63), (41, 53, 60, 65, 68, 72), (72, 77)),
)
RAILS = "F minor"

# E minor, for `slow_weather`: a chord for six beats, two bars of three.
WEATHER: Progression = (
    Chord("Em9", 40, (55, 59, 62, 66), (40, 52, 59, 66, 67, 74), (71, 76)),
    Chord("Cmaj9", 36, (55, 59, 62, 64), (48, 55, 64, 67, 71, 74), (72, 79)),
    Chord("G", 43, (55, 59, 62, 67), (43, 55, 62, 67, 71, 74), (74, 79)),
    Chord("Am9", 45, (55, 59, 60, 64), (45, 57, 64, 67, 71, 72), (72, 76)),
)
HILLS, VALLEYS = "E minor", "G major"


def hertz(note: float) -> float:
    """The frequency of a MIDI note, from the A of 440 Hz."""
    return float(440 * 2 ** ((note - 69) / 12))
