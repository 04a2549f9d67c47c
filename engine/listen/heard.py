"""What was heard of a mix: its powers, those of its parts, and which bars and lines they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...script.piece import Bring, Hold, Piece, Play
from ...vault.records import ENGINE_RATE
from ..plan import Bar, Placement
from .spectra import STEP, Powers


@dataclass(frozen=True, slots=True)
class Sounding:
    """A placement, and the frame at which it ended."""

    placement: Placement
    end_frame: int


@dataclass(frozen=True)
class Heard:
    """A mix that was listened to. All powers are of as many steps of 50 ms.

    `unlimited`: the mix before the limiter. `parts`: each alone, in the order of the script, those that
    sounded. `semitones`: of the mix, (steps, semitones). `reduction_db`: what the limiter takes, but for 1 %
    of the time in which it takes more.
    """

    piece: Piece
    frames: int
    bars: tuple[Bar, ...]
    soundings: tuple[Sounding, ...]
    mix: Powers
    unlimited: Powers
    parts: Mapping[str, Powers]
    semitones: NDArray[np.float32]
    lufs: float
    true_peak_dbtp: float
    gain_db: float
    reduction_db: float

    @property
    def seconds(self) -> float:
        return self.frames / ENGINE_RATE

    @cached_property
    def sections(self) -> tuple[str, ...]:
        """The sections that were heard, in the order in which they came first."""
        return tuple(dict.fromkeys(bar.section for bar in self.bars))

    @cached_property
    def bar_of(self) -> NDArray[np.intp]:
        """The bar of each step, by its place in `bars`; what rings on after the last belongs to it."""
        starts = [bar.start_frame for bar in self.bars]
        middles = np.arange(len(self.mix)) * STEP
        return np.maximum(np.searchsorted(starts, middles, "right") - 1, 0)

    def steps(self, section: str) -> NDArray[np.bool_]:
        """Which steps are of a section."""
        named = np.array([bar.section == section for bar in self.bars])
        return named[self.bar_of]

    def roles(self) -> dict[str, str]:
        """The role of each part: that of which it had most."""
        counts: dict[str, Counter[str]] = {}
        for each in self.soundings:
            p = each.placement
            counts.setdefault(p.part, Counter())[p.role] += each.end_frame - p.start_frame
        return {part: count.most_common(1)[0][0] for part, count in counts.items()}

    def placement(self, section: str, part: str) -> Placement | None:
        """The placement by whose line most of a part's sound in a section was made.

        None if it was silent there, or no more than what rang over from before.
        """
        lines = next(each.lines for each in self.piece.sections if each.name == section)
        here = {line.span.line for line in lines if isinstance(line, Bring | Play)}
        held = any(isinstance(line, Hold) and part in line.parts for line in lines)
        spans = [(bar.start_frame, bar.end_frame) for bar in self.bars if bar.section == section]
        by_line: Counter[int] = Counter()
        found: dict[int, Placement] = {}
        for each in self.soundings:
            p = each.placement
            if p.part == part and (held or p.line in here or part in self.piece.stings):
                shared = sum(max(min(each.end_frame, b) - max(p.start_frame, a), 0) for a, b in spans)
                if shared:
                    by_line[p.line] += shared
                    found.setdefault(p.line, p)
        return found[by_line.most_common(1)[0][0]] if by_line else None

    def text(self, line: int) -> str:
        """A line of the script, counted from 1, without what stands around it."""
        lines = self.piece.text.split("\n")
        return " ".join(lines[line - 1].split("#")[0].split()) if 0 < line <= len(lines) else ""


def together(powers: Sequence[Powers], like: Powers) -> Powers:
    """The powers of several sounds at once, as if they were unlike each other; `like`: of how many steps."""
    total = np.zeros_like(like)
    for each in powers:
        total = total + each
    return total
