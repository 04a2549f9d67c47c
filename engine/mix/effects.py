"""The effects of the language, compiled: each kernel of `script/effects` is given the mixer's tools."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ...script.effects import duck, filter, glide, send
from ...script.effects.chain import BEFORE_FILTERS, BEHIND_FILTERS, BUS_EFFECTS
from ...script.effects.level import GAIN
from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from .machine import inner, record
from .ramps import MOST_STEP, approach

FX_BUSES = 16
MOVE = record("slot start frames curve", doubles="value to")
"""A glide of a placement, or of a level of a bus: `start` is an absolute frame. See
`script/effects/glide.py`."""
SLOTS = glide.SENDS + FX_BUSES + filter.MOST
"""What glides of a placement move: gain, pan, each send, each filter."""
ONSET = record("id frame until bus", "weight")
"""An onset of a part that others duck under, of the placement `id`, that presses them down by `weight`, 0 to
1, from `frame` until a frame. `bus`: the role's, whose gain counts; -1 for what nobody hears."""
BUS_FX = record("used quiet rings")
"""A bus of effects. `quiet`: for how many frames nothing went in; `rings`: after how many it has rung out."""
EFFECT = record("on at frames first count")
"""One effect of a bus: whether the bus has it, its own place in time, the frames that it was given, and where
its memory lies in that of the bus."""


def _spans() -> tuple[tuple[int, int], ...]:
    """From where to where the levels of each bus effect lie among those of a bus."""
    spans, first = [], 0
    for effect in BUS_EFFECTS:
        last = first + len(effect.levels({each.name: 1.0 for each in effect.parameters}, ENGINE_RATE))
        spans.append((first, last))
        first = last
    return tuple(spans)


SPANS = _spans()
LEVELS = SPANS[-1][1]
GAIN_LEVEL = SPANS[BUS_EFFECTS.index(GAIN)][0]
"""The level that is the gain of a bus."""
_LEAPS = np.array(
    [
        effect.leaps is None or effect.leaps[n]
        for effect, (first, last) in zip(BUS_EFFECTS, SPANS, strict=True)
        for n in range(last - first)
    ]
)
_STEP = np.float32(1.0 / QUANTUM)


@inner
def _ramp(levels, which):
    """Move a level by a quantum; what it was, and the step of its ramp a frame."""
    now = levels[which, 0]
    levels[which, 0] = approach(now, levels[which, 1])
    return now, (levels[which, 0] - now) * _STEP


_TOOLS = SimpleNamespace(
    inner=inner,
    approach=approach,
    ramp=_ramp,
    quantum=QUANTUM,
    most_step=MOST_STEP,
    rate=ENGINE_RATE,
    buses=FX_BUSES,
)
"""What a kernel is made with. `approach`, `ramp`: compiled, see there."""

_TOOLS.value_at = _value_at = glide.values(_TOOLS)
_TOOLS.begin = filter.beginning(_TOOLS)
_glides = glide.kernel(_TOOLS)
follow_glides, set_glides = _glides.follow, _glides.set_ends
_ducking = duck.kernel(_TOOLS)
ducked, press, forget_onsets = _ducking.duck, _ducking.press, _ducking.forget
send_quantum = send.kernel(_TOOLS)
filtering = filter.kernel(_TOOLS)
filters_quantum, aim_filters = filtering.filters, filtering.aim
_over = filter.handing_over(_TOOLS)
go_on_filters, add_memories = _over.go_on, _over.add_memories


@inner
def _nothing(states, levels, memory, sent, block):
    pass


def _chained(effects):
    """The effects one after the other, as one compiled function."""
    chained = _nothing
    for effect in effects:
        place = BUS_EFFECTS.index(effect)
        chained = _then(chained, effect.kernel(_TOOLS), place, *SPANS[place])
    return chained


def _then(before, quantum, place, first, last):
    @inner
    def both(states, levels, memory, sent, block):
        before(states, levels, memory, sent, block)
        state = states[place]
        if state.on != 0:
            own = memory[state.first : state.first + state.count]
            quantum(state, levels[first:last], own, sent, block)

    return both


_before_filters, _behind_filters = _chained(BEFORE_FILTERS), _chained(BEHIND_FILTERS)


@inner
def bus_quantum(frame, bus, own, block, out):
    """Bring what was sent to a bus through its effects and add it to `out`; both float32 (2, 64).

    `own`: the bus's rows of `fx_states`, `fx_levels`, `fx_memory`, `fx_filters`, `fx_sent` and `fx_glides`;
    what was sent is left empty for the next quantum. What is added is in `block` then. A bus that has rung
    out costs nothing, and its levels then are at once what they would move to.
    """
    states, levels, memory, filters, sent, glides = own
    for which in range(LEVELS):
        move = glides[which]
        if move.frames > 0:
            end = frame + QUANTUM
            levels[which, 1] = np.float32(
                _value_at(move.value, move.to, move.start, move.frames, move.curve, end)
            )
    silent = True
    for c in range(2):
        for i in range(QUANTUM):
            block[c, i] = sent[c, i]
            silent = silent and sent[c, i] == 0
    bus.quiet = bus.quiet + QUANTUM if silent else 0
    if bus.quiet > bus.rings:
        for which in range(LEVELS):
            if _LEAPS[which]:
                levels[which, 0] = levels[which, 1]
        return
    _before_filters(states, levels, memory, sent, block)
    filters_quantum(frame, filters, block)
    _behind_filters(states, levels, memory, sent, block)
    for c in range(2):
        for i in range(QUANTUM):
            out[c, i] += block[c, i]
            sent[c, i] = np.float32(0)
