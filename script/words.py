"""The language's reserved words, the first words of its statements, its units and its limits."""

from __future__ import annotations

from fractions import Fraction

RESERVED = frozenset(
    ("and", "or", "not", "random", "from", "at", "to", "over", "out", "under", "for", "when", "on", "in",
     "if", "else", "that", "any", "silence", "through", "now", "song")
)  # fmt: skip
"""Words that cannot be names. All others are free as names."""

LINE_WORDS = ("bring", "play", "trigger", "rest", "vary", "hold", "solo", "drop", "slow", "push", "chords")
"""The first words of a section's lines."""

FORMS = {
    "piece": 'piece "Harbour, Night" for stream, export',
    "tempo": "tempo 112..116",
    "meter": "meter 4/4",
    "key": "key D minor or F major",
    "seed": "seed 7",
    "loudness": "loudness -14 LUFS",
    "ceiling": "ceiling -1 dBTP",
    "author": 'author "A. Name"',
    "version": 'version "1.2"',
    "credit": 'credit "A. Name"',
    "pool": "pool low = loops role bass, key fits",
    "dial": "dial energy 0..1 = 0.5 at next bar",
    "bus": "bus room = reverb 2.4 s mix 30%",
    "section": "section walk 16..32 bars",
    "move": "move walk -> farewell at end",
    "sting": "sting lift from spark at next beat",
    "on": 'on cue "lift": sting lift',
    "after": "after 2 minutes: move to walk",
    "every": "every 16 bars: swap that role",
    "if": "if withdrawn: swap, else rest",
    "share": "share cap 30% per holder",
    "chords": "chords F#m, Bb7, F/A each 2 bars",
    "bring": "bring low from bass at bar 5 over 4 bars",
    "play": 'play hats from spark "x.x. x.xx"',
    "trigger": 'trigger kick "x...x..."',
    "rest": "rest beats at bar 5 for 4 bars",
    "vary": "vary pads every 8 bars",
    "hold": "hold pads",
    "solo": "solo pads for 4 bars",
    "drop": "drop beats for 4 bars",
    "slow": "slow to 70 over 4 bars at bar 5",
    "push": "push to 132 over 8 bars",
}
"""A correct example of each statement, by its first word."""

STATEMENT_WORDS = tuple(word for word in FORMS if word not in LINE_WORDS or word == "chords")
"""The first words of statements outside sections; chords stand there and in sections."""

UNITS: dict[str, tuple[str, Fraction]] = {
    "bar": ("bars", Fraction(1)),
    "bars": ("bars", Fraction(1)),
    "beat": ("beats", Fraction(1)),
    "beats": ("beats", Fraction(1)),
    "s": ("s", Fraction(1)),
    "ms": ("s", Fraction(1, 1000)),
    "minute": ("s", Fraction(60)),
    "minutes": ("s", Fraction(60)),
    "dB": ("dB", Fraction(1)),
    "dBTP": ("dBTP", Fraction(1)),
    "Hz": ("Hz", Fraction(1)),
    "kHz": ("Hz", Fraction(1000)),
    "%": ("", Fraction(1, 100)),
    "st": ("st", Fraction(1)),
    "cents": ("st", Fraction(1, 100)),
    "LUFS": ("LUFS", Fraction(1)),
    "bpm": ("bpm", Fraction(1)),
}
"""For each unit the base unit of its kind (empty for a plain fraction) and its size in that."""

ROLES_BY_OTHER_NAMES = {
    "drums": "beats", "drum": "beats", "percussion": "tops", "hats": "tops", "chords": "harmony",
    "keys": "harmony", "piano": "harmony", "lead": "melody", "vocals": "voice", "vocal": "voice",
}  # fmt: skip
"""Other common names of roles."""

MOST_BYTES = 256 * 1024
MOST_STATEMENT_TOKENS = 500
MOST_TOKENS = 100_000
MOST_NESTING = 16
MOST_SECTIONS = 1_000
MOST_TAKEN_OVER = 10_000
MOST_BARS = 10_000
MOST_LINES = 128
MOST_RAMP_BARS = 32
MOST_BEGINNINGS = 32
MOST_HITS = 512
MOST_WANDER_SECONDS = Fraction(1, 20)
MOST_STEPS = 4_000
MOST_SLICES = 999
MOST_EVENTS = 64
MOST_MOVES = 4_000
MOST_MOVES_FROM = 64
MOST_BUSES = 16
MOST_WEIGHTS = 8
MOST_WEIGHT_STEPS = 64
MOST_LETTERS = 60
MOST_QUOTED = 1_000
MOST_PROBLEMS = 100
