"""Start to first sound of a prepared piece, in a process of its own: warm beside `import numba`, and cold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from stemloom import Player, Vault
from stemloom.demo import build

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

        def cold() -> None:
            with tempfile.TemporaryDirectory() as empty:
                compiling = {**os.environ, "NUMBA_CACHE_DIR": empty}
                command = [sys.executable, "-c", FIRST_SOUND, str(home), str(SCRIPT)]
                subprocess.run(command, check=True, env=compiling)

        seconds = side_by_side({"first sound": start, "import numba": numba}, rounds=5)
        uncompiled = side_by_side({"first sound": cold}, rounds=1)
    ratio = seconds["first sound"] / seconds["import numba"]
    return [
        Figure(
            name="warm start to first sound, a process of its own",
            seconds=seconds,
            note=f"{seconds['first sound']:.2f} s, {ratio:.1f} times `import numba`",
        ),
        Figure(
            name="cold start to first sound, nothing compiled yet",
            seconds=uncompiled,
            note=f"{uncompiled['first sound']:.1f} s",
        ),
    ]
