"""A day of twelve layers: memory stays flat, nothing comes late, and the ledger of it verifies."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from benchmarks.render import LAYERS
from stemloom import Vault
from stemloom.demo import build
from stemloom.engine.play.session import Session
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

HOURS = float(os.environ.get("SOAK_HOURS", "24"))
RATE = 48_000
MOST_GROWTH_MB_PER_HOUR = 5
SCRIPT = "\n".join(
    [
        'piece "A day" for stream',
        "tempo 116",
        "seed 1",
        *(f"pool p{number} = loops role {role}, key any, prefer fresh" for number, role in enumerate(LAYERS)),
        "dial energy 0..1 = 0.5 now",
        "bus room = reverb 2 s mix 0.3",
        "section one 16 bars",
        *(f"    bring l{number} from p{number} gain -6 dB" for number in range(1, len(LAYERS))),
        "    bring l0 from p0 gain -6 dB to room 20%",
        *(f"    vary l{number} every 4 bars" for number in range(0, len(LAYERS), 2)),
        "section two 8 bars",
        *(f"    bring l{number} from p{number} gain -6 dB" for number in range(len(LAYERS))),
        "move one -> two at end",
        "move two -> one at end",
        "",
    ]
)


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident size from /proc")
def test_a_day_of_twelve_layers(tmp_path: Path) -> None:
    """`SOAK_HOURS=1 pytest -m long -s tests/door/test_soak.py` for a shorter one; a day takes half an
    hour."""
    rng = random.Random(1)
    with Vault.open(tmp_path / "home", create=True) as vault:
        build(vault)
        session = Session(vault, accepted(SCRIPT, vault.snapshot()), history=False)
        session.prepare()
        first = None
        for minute in range(int(HOURS * 60)):
            for _ in range(60):
                session.read(RATE)
            session.gestures.set("energy", rng.random())
            if minute % 30 == 0:
                late = session.mixer.came_late
                print(f"{minute / 60:5.1f} h: {resident_mb():.1f} MB, {late} late", flush=True)
            if first is None and minute >= min(30, HOURS * 6):
                first = resident_mb()
        assert first is not None
        grown = resident_mb() - first
        print(f"grown by {grown:.1f} MB in {HOURS} h")
        assert session.mixer.came_late == 0
        assert session.crowded == 0
        session.close()
    assert grown <= MOST_GROWTH_MB_PER_HOUR * max(HOURS, 1) / 10
    report = verify(tmp_path / "home")
    assert report.ok
    print(report)
