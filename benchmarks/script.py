"""Reading scripts: how the check of a text grows with its lines, and the dearest texts that are taken."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.script.check.check import accepted, check
from stemloom.script.words import MOST_BYTES

from .compose import NOW, snapshot
from .harness import Figure

SIZES = (625, 1_250, 2_500, 5_000)
HEAD = 'piece "P" for stream\ntempo 120\nseed 1\n'
SECTION = f"{HEAD}pool b = loops role beats\nsection s 8 bars\n    bring a from b\n"
ROUNDS = 5


def _filled(head: str, line: str) -> str:
    """As many lines as a script may hold."""
    return head + line * ((MOST_BYTES - len(head.encode())) // len(line.encode()))


HOSTILE: Mapping[str, Callable[[], str]] = {
    "brackets": lambda: _filled(f"{HEAD}section s 8 bars\n    rest a when ", "("),
    "minus signs": lambda: _filled(f"{HEAD}section s 8 bars\n    rest a when ", "- "),
    "one sum": lambda: _filled(f"{HEAD}section s 8 bars\n    rest a when 1", " + 1"),
    "digits": lambda: f"{HEAD}section s {'9' * 200_000} bars\n",
    "one name": lambda: f"{HEAD}section {'x' * 200_000} 8 bars\n",
    "a string": lambda: f'piece "{"é" * 100_000}" for stream\n',
    "open quotes": lambda: _filled(HEAD, '"\n'),
    "near words": lambda: _filled(HEAD, "secton s 8 bars\n    brng a from b\n"),
    "unknown names": lambda: _filled(f"{HEAD}section s 8 bars\n", "    bring a from b\n"),
    "unknown dials": lambda: _filled(f"{HEAD}section s 8 bars\n", "    rest a when aa > bb\n"),
    "pools of one name": lambda: _filled(HEAD, "pool a = loops role bass, mood warm\n"),
    "sections without ways": lambda: (
        HEAD + "".join(f"section s{i} 1 bar\nmove s{i} -> s{i} at end\n" for i in range(900))
    ),
    "moves to everywhere": lambda: (
        HEAD
        + "".join(f"section s{i} 1 bar\n" for i in range(900))
        + "".join(f"move any -> s{i} at end when 1 > {i}\n" for i in range(900))
    ),
    "sections in a circle": lambda: (
        SECTION + "".join(f"section s{i} 1 bar as s{(i + 1) % 999}\n    rest a\n" for i in range(999))
    ),
    "sections in a chain": lambda: (
        SECTION + "".join(f"section s{i} {i + 1} bars as s{i + 1}\n    rest a\n" for i in range(999))
    ),
    "one section a thousand times": lambda: (
        SECTION + "    rest a\n" * 127 + "".join(f"section s{i} 9 bars as s\n" for i in range(999))
    ),
    "deeper and deeper": lambda: (
        HEAD + "section s 8 bars\n" + "".join(" " * i + "rest a\n" for i in range(700))
    ),
    "tabs and blanks": lambda: _filled(f"{HEAD}section s 8 bars\n", "\trest a\n        rest a\n"),
    "stray characters": lambda: _filled(HEAD, "“”§\u0430\n"),
    "carriage returns": lambda: _filled(HEAD, "\r"),
}
"""By name, a text that is meant to hold the checker up; each is refused, or taken with doubts."""


def dearest(loops: int, patterns: int, hits: int, terms: int, how: str = "") -> str:
    """As much work in a bar as the limits of a script leave room for: all draw anew in each of them.

    `how`: further modifiers of the patterns.
    """
    sums = " + ".join(["d"] * terms)
    asked = "prefer fresh, never twice in 64 bars, key any, weight 3 for mood warm when d > 0.3"
    pools = "".join(f"pool p{i} = loops energy 0.2..1, {asked}\n" for i in range(loops))
    lines = "".join(
        f"    bring l{i} from p{i} gain d * 3 dB pan d when {sums} > 0.1 lowpass 400 Hz -> 4 kHz over 4 s\n"
        f"    vary l{i} every 1 bar\n"
        for i in range(loops)
    )
    steps = f'"{("5" * hits).ljust(16, ".")}" swing 60% humanise 10 ms chance 90%{how}'
    lines += "".join(f"    play h{i} from hits {steps} gain d * 3 dB pan d\n" for i in range(patterns))
    head = f"{HEAD}share cap 20% per holder\ndial d 0..1 = 0.5 at next bar\n"
    head += "pool hits = hits role fx, prefer fresh\nchords F#m7b5, Bb9/D, none, A each 1 beat\n"
    return f"{head}{pools}section s 8 bars\n{lines}move s -> s at end\n"


DEAREST: dict[str, tuple[int, int, int, int, str]] = {
    "loops": (32, 0, 0, 50, ""),
    "hits": (0, 32, 16, 1, ""),
    "both": (16, 16, 32, 1, ""),
    "new hits": (0, 32, 5, 1, " each hit new loose 3 dB late 9 ms cut length 1/8 note"),
    "notes": (0, 32, 16, 1, " notes chord"),
}
"""By name, numbers of loops, patterns, hits in each, terms of a loop's condition, and further modifiers, at
the limits."""


def figures() -> list[Figure]:
    """The figures of this file."""
    return [_linear(), _hostile(), _worst_bar()]


def _seconds(text: str) -> float:
    least = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        check(text)
        least = min(least, time.perf_counter() - begun)
    return least


def _linear() -> Figure:
    """Least squares of seconds over lines: what a line costs, and how far from straight the times are."""
    times = []
    for size in SIZES:
        sections = "".join(
            f"section s{i} 8 bars\n" + "    bring a from low gain 2 dB when e > 0.3\n" * 9
            for i in range(size // 10)
        )
        moves = "dial e 0..1 = 0.5 at next bar\npool low = loops role bass\n"
        times.append(_seconds(HEAD + moves + sections))
    slope, offset = np.polyfit(SIZES, times, 1)
    off = max(abs(slope * n + offset - t) / t for n, t in zip(SIZES, times, strict=True))
    return Figure(
        name=f"parse and check of {SIZES[-1]:,} lines",
        seconds={str(n): t for n, t in zip(SIZES, times, strict=True)} | {"line": float(slope)},
        ratio=times[-1] / times[0] / (SIZES[-1] / SIZES[0]),
        against="a line of a text of 625",
        note=f"{times[-1] * 1e3:.0f} ms; {slope * 1e6:.0f} us a line, at most {off:.0%} off a straight line",
    )


def _hostile() -> Figure:
    times = {name: _seconds(text()) for name, text in HOSTILE.items()}
    worst = max(times, key=lambda name: times[name])
    return Figure(
        name=f"check of {len(HOSTILE)} hostile texts",
        seconds=times,
        note=f"at most {times[worst] * 1e3:.0f} ms ({worst})",
    )


def _worst_bar() -> Figure:
    stems = snapshot(10_000)
    # A collector's pass over the vault's records is not work that a script asks for.
    gc.freeze()
    most, times = {}, {}
    for name, numbers in DEAREST.items():
        piece = accepted(dearest(*numbers))
        fixed, state = score(piece, stems, use="stream", at=NOW, rate=48_000), first_state(piece, {})
        taken = []
        for _ in range(128):
            begun = time.process_time()
            _, state = next_bar(fixed, state)
            taken.append(time.process_time() - begun)
        times[name], most[name] = float(np.median(taken[4:])), max(taken[4:])
    worst = max(most, key=lambda name: most[name])
    gc.unfreeze()
    return Figure(
        name="a bar of the dearest scripts that are taken, from 10,000 stems",
        seconds=times | {f"{name}, most": value for name, value in most.items()},
        note=f"median {times[worst] * 1e3:.0f} ms, most {most[worst] * 1e3:.0f} ms of work ({worst})",
    )
