"""Rendering a piece of twelve layers, its stems conformed already: whole calls and the mixing in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from stemloom import Vault, render
from stemloom.demo import build
from stemloom.script.check.check import accepted

from .harness import Figure, side_by_side

SECONDS = 60
LAYERS = (*["beats"] * 2, "tops", *["bass"] * 2, *["harmony"] * 2, *["pads"] * 3, *["melody"] * 2)
SCRIPT = "\n".join(
    [
        'piece "Twelve" for stream',
        "tempo 116",
        "seed 1",
        *(f"pool p{number} = loops role {role}, key any" for number, role in enumerate(LAYERS)),
        "section all 32 bars",
        *(f"    bring l{number} from p{number} gain -6 dB" for number in range(len(LAYERS))),
        "    vary l0 every 4 bars",
        "",
    ]
)


def figures() -> list[Figure]:
    """Render a minute several times from the demo's vault."""
    with tempfile.TemporaryDirectory() as folder, Vault.open(Path(folder) / "home", create=True) as vault:
        build(vault)
        piece = accepted(SCRIPT, vault.snapshot())
        mixing: list[float] = []

        def whole() -> None:
            rendered = render(vault, piece, Path(folder) / "out.wav", seconds=SECONDS)
            assert len({s.placement.part for s in rendered.sounded}) == len(LAYERS)
            mixing.append(SECONDS / rendered.realtime_factor)

        seconds = side_by_side({"render": whole}, rounds=5)
    mix = median(mixing[1:])
    return [
        Figure(
            name=f"render of {len(LAYERS)} layers, {SECONDS} s, stems conformed",
            seconds={"render": seconds["render"], "mixing": mix},
            note=f"{SECONDS / mix:.0f} times real time; "
            f"{SECONDS / seconds['render']:.0f} with composing ahead, the file and the ledger",
        )
    ]
