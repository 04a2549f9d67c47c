"""Warm start to first sound of a prepared piece, in a process of its own, beside `import numba`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from stemloom import Player, Vault
from stemloom.vault.demo import build

from .harness import ROOT, Figure, side_by_side

SCRIPT = ROOT / "examples" / "harbour_night.loom"
FIRST_SOUND = """
import sys, threading
from stemloom import Player
with Player(sys.argv[1], sys.argv[2]) as player:
    begun = threading.Event()
    player.on("started", lambda _: begun.set())
    player.open_device("silent")
    assert begun.wait(60)
    while not player.health.blocks:
        player.wait(0.001)
    import os
    os._exit(0)
"""


def figures() -> list[Figure]:
    """Vault, check, dry run, ledger, device and first block, everything compiled and conformed already."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with Vault.open(home, create=True) as vault:
            build(vault)
        with Player(home, SCRIPT) as player:
            player.open_device("silent")
            player.wait(1)

        def start() -> None:
            subprocess.run([sys.executable, "-c", FIRST_SOUND, str(home), str(SCRIPT)], check=True)

        def numba() -> None:
            subprocess.run([sys.executable, "-c", "import numba"], check=True)

        seconds = side_by_side({"first sound": start, "import numba": numba}, rounds=5)
    ratio = seconds["first sound"] / seconds["import numba"]
    return [
        Figure(
            name="warm start to first sound, a process of its own",
            seconds=seconds,
            ratio=None,
            against=None,
            note=f"{seconds['first sound']:.2f} s, {ratio:.1f} times `import numba`",
        )
    ]
