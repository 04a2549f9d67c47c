"""Adds an effect to the language by one file and its name in the chain, and says what comes of it.

Run on its own, as the chain is compiled with the effects that there are when it is imported.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType

import numpy as np

CRUSH = """
import numpy as np

from stemloom.script.effects.effect import BusEffect, Parameter

STEPS = Parameter("crush", "dB", (0, 60), "crush")
MIX = Parameter("mix", "", (0, 1), "crush mix", default=1.0)


def kernel(tools):
    quantum, ramp = tools.quantum, tools.ramp

    @tools.inner
    def crush(state, levels, memory, sent, block):
        step, _ = ramp(levels, 0)
        wet, _ = ramp(levels, 1)
        for c in range(2):
            for i in range(quantum):
                crushed = np.float32(round(block[c, i] / step)) * step
                block[c, i] += wet * (crushed - block[c, i])

    return crush


CRUSH = BusEffect((STEPS, MIX), kernel, lambda n, rate: (10 ** (-n["crush"] / 20), n["crush mix"]))
"""


def made(name: str, source: str) -> None:
    """Have a module of Stemloom be of this text."""
    spec = find_spec(name)
    module = ModuleType(name) if spec is None else module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), vars(module))


place = "stemloom.script.effects"
folder = Path(sys.modules.get(place, __import__(place, fromlist=["chain"])).__path__[0])
made(f"{place}.crush", CRUSH)
chain = (folder / "chain.py").read_text(encoding="utf-8")
chain = chain.replace("from .delay", "from .crush import CRUSH\nfrom .delay")
made(f"{place}.chain", chain.replace("REVERB, DELAY)", "REVERB, CRUSH, DELAY)"))

from stemloom.engine.effects import PlacedBus, bus_numbers  # noqa: E402
from stemloom.engine.mix import effects  # noqa: E402
from stemloom.engine.mix.bus_places import BusPlaces  # noqa: E402
from stemloom.engine.mix.machine import outer  # noqa: E402
from stemloom.engine.mix.master import Master  # noqa: E402
from stemloom.engine.mix.rack import new_rack  # noqa: E402
from stemloom.script.check.check import check  # noqa: E402
from stemloom.script.text.format import format_text  # noqa: E402

SCRIPT = """piece "Made up" for stream
tempo 120
dial bits 0..1 = 0.2 now
pool low = loops role bass
bus room = crush bits * 40 dB mix 50%, gain 0 dB
section a 4 bars
    bring low from low to room 30%
"""

checked = check(SCRIPT)
assert checked.piece is not None, checked.problems
print(sorted(checked.piece.buses["room"].numbers))
print(format_text("bus   room=crush 20dB   mix 50%").strip())
wrong = check(SCRIPT.replace("bits * 40 dB mix 50%", "99 dB, crush 3 s"))
print(*(f"{each.code} {each.message}" for each in wrong.problems), sep="\n")

rack = new_rack(64, Master(0, -1).state._asdict())
BusPlaces(rack, 64).take([PlacedBus("room", bus_numbers({"crush": 20.0}))], 0)
rack.fx_sent[0] = np.linspace(-0.5, 0.5, 64, dtype=np.float32)
out = np.zeros((2, 64), np.float32)
names = "fx_states", "fx_levels", "fx_memory", "fx_filters", "fx_sent", "fx_glides"
own = tuple(getattr(rack, name)[0] for name in names)
outer(effects.bus_quantum)(0, rack.fx[0], own, rack.voice, out)
print(sorted({round(float(each), 3) for each in out.ravel()}))
