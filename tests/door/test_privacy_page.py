"""The commands of docs/privacy.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stemloom import Player, Vault
from stemloom.demo import PIECE
from stemloom.ledger.entries.salts import Salts

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text("utf-8")


def test_the_commands_run(demo_home: Callable[[], Path]) -> None:
    home = demo_home()
    with Vault.open(home) as vault:
        name = vault.holders()[0].name
    sessions = []
    for _ in range(2):
        with Player(home, PIECE, user="ada@example") as player:
            sessions.append(player.session)
    text = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)).replace("Ada Quimby", name)
    lines = text.splitlines()
    assert len(lines) == 6
    # The user's other session is forgotten by name, so the one by its id first.
    lines[3], lines[4] = lines[4], lines[3]
    text = "\n".join(lines).replace("x0123456789abcdef0123", sessions[0])
    script = text.replace("stemloom ", f"{sys.executable} -m stemloom --home {home} ")
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sessions[0] in done.stdout
    assert Salts(home).users() == {}
