"""A service without a screen or a sound card: it plays, keeps its log, and ends cleanly when it is told to.

    python examples/embed_service.py HOME SCRIPT --seconds 5

A supervisor sends SIGTERM; what was heard until then is sealed. One line of JSON a second says how it goes.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading

from stemloom import Player


def main() -> None:
    """Play until told to stop, or for so many seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", help="such as examples/harbour_night.loom")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    arguments = parser.parse_args()
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    signal.signal(signal.SIGINT, lambda *_: told.set())
    with Player(arguments.home, arguments.script, tier="enterprise", user="lobby") as player:
        player.on("device", lambda error: print(json.dumps({"device": str(error)}), flush=True))
        player.open_device("silent")
        while not told.wait(1.0) and player.seconds < arguments.seconds and not player.ended:
            health = player.health
            assert health is not None
            sounding = [now.title for now in player.now()]
            print(
                json.dumps({"seconds": player.seconds, "sounds": sounding, "gaps": health.xruns}), flush=True
            )
        player.stop()
    assert player.take is not None
    print(json.dumps({"session": player.session, "placements": len(player.take.placements)}), flush=True)


if __name__ == "__main__":
    main()
