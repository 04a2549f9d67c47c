"""Times blocks: the callback's code with 16, 64 and 256 voices, and `Player.read()` as a host calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..demo import PIECE
from ..engine.mix.trial import RATE, block_times
from ..engine.play.player import Player

CALLBACK_FRAMES, VOICES = (64, 128, 256), (16, 64, 256)
BLOCKS, ROUNDS = 3000, 3
READ_FRAMES = 512

Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The seconds that each block of one kind took, ascending. `name`: as base files have it."""

    name: str
    params: Mapping[str, int | str]
    frames: int
    seconds: tuple[float, ...]

    @property
    def budget(self) -> float:
        """How long a block sounds: it must not take longer."""
        return self.frames / RATE

    def quantile(self, share: float) -> float:
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]

    @property
    def late(self) -> int:
        """How many blocks took longer than they sound."""
        return sum(each > self.budget for each in self.seconds)


def callback_blocks(progress: Progress = lambda done, of: None) -> list[Blocks]:
    """Every size of block with every number of voices.

    Rounds go through all in turn, so that what else the machine does meets all alike.
    """
    kinds = [(frames, voices) for frames in CALLBACK_FRAMES for voices in VOICES]
    times: dict[tuple[int, int], list[float]] = {kind: [] for kind in kinds}
    for number in range(ROUNDS):
        for done, (frames, voices) in enumerate(kinds):
            progress(number * len(kinds) + done, ROUNDS * len(kinds))
            taken = block_times(frames, voices, BLOCKS // ROUNDS, effects=True)
            times[frames, voices] += [ns / 1e9 for ns in taken]
    return [
        Blocks(
            f"test_block[{frames}-{voices}]",
            {"block": frames, "voices": voices},
            frames,
            tuple(sorted(times[frames, voices])),
        )
        for frames, voices in kinds
    ]


def read_blocks(home: Path, seconds: float, *, paced: bool, script: Path = PIECE) -> Blocks:
    """Every `read` of so long of a piece, or to its end, the first ones included.

    `home`: a vault, in whose ledger a session is written. `paced`: each block is asked for when the one
    before has sounded, or at once if that is over; else as fast as possible, so that nothing is made ahead.
    """
    taken = []
    with Player(home, script) as player:
        begun = time.perf_counter()
        for number in range(max(1, round(seconds * RATE / READ_FRAMES))):
            if paced:
                time.sleep(max(0.0, begun + number * READ_FRAMES / RATE - time.perf_counter()))
            before = time.perf_counter()
            block = player.read(READ_FRAMES)
            taken.append(time.perf_counter() - before)
            if len(block) < READ_FRAMES:
                break
    pace = "paced" if paced else "fast"
    name = f"test_read[{READ_FRAMES}-{pace}]"
    return Blocks(name, {"block": READ_FRAMES, "pace": pace}, READ_FRAMES, tuple(sorted(taken)))
