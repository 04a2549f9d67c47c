"""Plays a script on the default device with gestures at random moments; run by test_live.py."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path

from stemloom import Vault
from stemloom.engine.mix.callback import RATE
from stemloom.engine.play.live import Live
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted


def main(home: str, script: str, seed: int, patient: bool, seconds: float | None = None) -> None:
    rng = random.Random(seed)
    with Vault.open(Path(home)) as vault:
        session = Session(vault, accepted(Path(script).read_text()), seconds=seconds)
        session.prepare(4)
        lock = threading.RLock()
        live = Live(session, lock, patient=patient, block=rng.choice([0, 64, 100, 441, 1024]))
        if not patient:
            # Nothing holds it to real time, so it is far ahead of every decision.
            live._device._addresses[RATE] = 0
        live.start()
        dials = session.score.piece.dials.values()
        until = time.monotonic() + 60
        while not live.wait(rng.uniform(0, 0.03)) and time.monotonic() < until:
            with lock:
                if rng.random() < 0.5 and dials:
                    dial = rng.choice(list(dials))
                    session.gestures.set(dial.name, rng.uniform(dial.lo, dial.hi))
                else:
                    (session.gestures.like if rng.random() < 0.5 else session.gestures.dislike)()
        live.stop()
        assert live.failed is None, live.failed
        take = session.close()
        print(
            json.dumps(
                {
                    "take": str(session.take_path),
                    "late": len(take.late),
                    "lost": live.health.lost,
                    "xruns": live.health.xruns,
                }
            )
        )


if __name__ == "__main__":
    main(
        sys.argv[1],
        sys.argv[2],
        int(sys.argv[3]),
        sys.argv[4] == "patient",
        float(sys.argv[5]) if sys.argv[5:] else None,
    )
