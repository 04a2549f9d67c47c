"""Drive a dial from a game: the music follows the energy of what happens.

    python examples/embed_game.py HOME SCRIPT

The game here is a loop of ticks that get more and less eventful. The music plays on the silent device, which
keeps the time of a real one; leave `--device` out of a game to use the system's own.
"""

from __future__ import annotations

import argparse
import math
import threading

from stemloom import Player

TICKS_PER_SECOND = 20


def main() -> None:
    """Play while the game runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", help="such as examples/harbour_night.loom; it needs a dial `energy`")
    parser.add_argument("--device", default="silent")
    parser.add_argument("--seconds", type=float, default=6.0)
    arguments = parser.parse_args()
    tick = threading.Event()
    with Player(arguments.home, arguments.script, tier="developer") as player:
        player.on("section", lambda bar: print(f"{bar.section} begins"))
        player.open_device(arguments.device)
        for number in range(int(arguments.seconds * TICKS_PER_SECOND)):
            energy = 0.5 - 0.5 * math.cos(2 * math.pi * number / (4 * TICKS_PER_SECOND))
            player.set("energy", round(energy, 2))
            tick.wait(1 / TICKS_PER_SECOND)
        player.stop()
        health = player.health
    assert player.take is not None
    assert health is not None
    print(f"{len(player.take.gestures)} turns of the dial, {len(player.take.placements)} placements heard")
    print(
        f"{health.xruns} gaps; a block took {health.p50 * 1e3:.2f} ms, at most {health.longest * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main()
