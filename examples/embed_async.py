"""Stream to listeners from an asyncio program, one player each, and tell each what it hears.

    python examples/embed_async.py HOME SCRIPT --seconds 3

`Listener.send` stands for a WebSocket or a queue. All of it has types: mypy and pyright find nothing here.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stemloom import EngineError, Player, Tier, Use

BLOCK_FRAMES = 4800


@dataclass
class Listener:
    """Somebody who listens. `sections`: those that began while they did."""

    name: str
    tier: Tier
    sections: list[str] = field(default_factory=list)
    frames: int = 0

    async def send(self, block: NDArray[np.float32]) -> None:
        """Send a block; here it is counted, and the other listeners have their turn."""
        self.frames += len(block)
        await asyncio.sleep(0)


async def follow(player: Player, listener: Listener) -> None:
    """Keep what the listener's client would show; ends when the player closes."""
    async for _, bar in player.events("section"):
        listener.sections.append(bar.section)


async def serve(home: str, script: str, use: Use, listener: Listener, seconds: float) -> str:
    """Play to one listener, and give the session's id in the ledger."""
    async with await Player.aopen(home, script, use=use, tier=listener.tier, user=listener.name) as player:
        following = asyncio.create_task(follow(player, listener))
        while player.seconds < seconds:
            block = await player.aread(BLOCK_FRAMES)
            if not len(block):
                break
            await listener.send(block)
    await following
    return player.session


async def main() -> None:
    """Play to three listeners at once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", help="such as examples/harbour_night.loom")
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    listeners = [Listener("Ada", "free"), Listener("Ben", "subscriber"), Listener("Cyd", "subscriber")]
    home, script, seconds = arguments.home, arguments.script, arguments.seconds
    try:
        sessions = await asyncio.gather(*(serve(home, script, "stream", each, seconds) for each in listeners))
    except EngineError as error:
        raise SystemExit(str(error)) from error
    for listener, session in zip(listeners, sessions, strict=True):
        print(f"{listener.name} heard {listener.frames} frames in {session}: {', '.join(listener.sections)}")


if __name__ == "__main__":
    asyncio.run(main())
