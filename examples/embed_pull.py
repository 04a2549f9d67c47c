"""Pull a piece into a host's own loop, block by block, and turn a dial on the way.

python examples/embed_pull.py HOME SCRIPT
"""

from __future__ import annotations

import argparse

import numpy as np

from stemloom import Player

BLOCK_FRAMES = 512


def main() -> None:
    """Play ten seconds; a game or an app would hand each block to its mixer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", help="such as examples/harbour_night.loom")
    arguments = parser.parse_args()
    loudest = 0.0
    with Player(arguments.home, arguments.script, tier="developer") as player:
        for number in range(10 * player.rate // BLOCK_FRAMES):
            block = player.read(BLOCK_FRAMES)
            if not len(block):
                break
            loudest = max(loudest, float(np.abs(block).max()))
            if number % 94 == 0:
                print(
                    f"{player.seconds:5.1f} s", ", ".join(f"{now.part}: {now.title}" for now in player.now())
                )
            if number == 469:
                player.set("energy", 0.9)
    take = player.take
    assert take is not None
    print(f"session {player.session}: {len(take.placements)} placements heard, peak {loudest:.2f}")


if __name__ == "__main__":
    main()
