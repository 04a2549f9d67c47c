"""The mixer's memory: all that compiled code reads and writes, allocated once.

The composing side and the mixing side share nothing but this. Two rings join them, each with one producer
and one consumer: commands go in, reports come out. An index is written by one side alone, has a cache line
of its own and is stored with release order after what it tells of.

    command ring    composing side -> mixer: place, stop, gain, fader; taken in order, each at its frame
    report ring     mixer -> composing side: what ended, and which command came too late for its frame

Full rings: the composing side keeps commands that find no room, in order, and tries again. The report ring
holds a report of everything that the mixer and the command ring can hold at once, so it is never full.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...script.effects import duck
from ...script.effects.chain import BUS_EFFECTS
from ...script.effects.filter import COLUMNS, MOST
from ...script.effects.glide import ACTIVE, MOVES
from ..clock import QUANTUM
from ..compiled import kept
from .effects import BUS_FX, EFFECT, FX_BUSES, LEVELS, MOVE, ONSET, SLOTS
from .machine import CACHE_LINES, Layout, fence, inner, load_acquire, record, store_release, views, zeros
from .master import STATE
from .ramps import MOST_STEP

SPAN_QUANTA = 4
SPAN = SPAN_QUANTA * QUANTUM
"""The most frames that are mixed at a time."""
VOICES = 320
"""256 that may sound and 64 for those that fade out as others take their place."""
WAITING = 4096
"""Placements that have not begun yet."""
BUSES = 32
EFFECT_ROWS = 2500
"""Placements with effects that may wait and sound at once."""
KEY_PARTS = 64
"""Parts that others duck under."""
ONSETS = 1024
"""Onsets of each of these that may wait: those of two bars at most. Of more the last are left out."""
COMMANDS = 2048
REPORTS = 16_384
assert REPORTS >= VOICES + WAITING + 2 * COMMANDS

FREE, PLAYING, DONE = 0, 1, 2

VOICE = record(
    "id phase address channels frames loop_start position start end fade_in fade_in_power faded fade_out "
    "fade_out_power bus heard leaving effects part continues",
    "level gain gain_target left left_target right right_target",
)
"""A voice: its placement's sound, where it is in it, its envelope, its gains, and the frames heard so far.

`loop_start` is -1 for a sound that is not repeated. `start` and `end` are absolute frames. `level` is the
role's levelling and is not part of what decides whether a frame is in play. `leaving`: 1 once it fades out
because others need its place. `effects`: the row of its filters, sends and ducking, -1 for none. `part`: of
those that something ducks under, -1 for another. `faded`: how many frames of its fade-in are over where it
begins. `continues`: the id of the voice that it goes on from, -1 for none.
"""

BUS = record("", "gain target step")
"""A bus: its gain, where that goes, and the most that it moves in a quantum."""

PLACE, STOP, GAIN, FADER, MASTER, SET_EFFECTS, SET_BUS, PRESS = 0, 1, 2, 3, 4, 5, 6, 7

COMMAND = record(
    "number kind frame id end fade fade_power bus place rings",
    "gain left right fader fader_step ceiling ride_to",
    ("frequencies", np.float64, (MOST, 2)),
    ("sends", np.float64, FX_BUSES),
    ("ducked", np.float64, 2),
    ("levels", np.float64, LEVELS),
    ("levels_to", np.float64, LEVELS),
    ("glides", np.float64, (MOVES, 2)),
    ("onset", ONSET),
    ("voice", VOICE),
)
"""A command: `number` counts them, `frame` is where it applies, `id` is of the placement that it is about.

`end` to `fade_power`: of a stop; `gain` to `right`: what the gains of a placement, or the master's, move to.
`bus` is a role's; `fader`: the gain that a role's bus moves to; `fader_step`: the most that it moves in a
quantum. `ceiling` is the master's, a gain, and `ride_to` its mean square. `frequencies`: `hz` and `to_hz` of
each filter. `ducked`: the depth of a ducking, and what is left of it after a quantum. `place`: of a bus of
effects; its levels move to `levels`, those that glide go from there to `levels_to`, and it rings `rings`
frames. `glides`: from and to what those of a placement go. `onset`: of the part `place`.
"""

ENDED, LATE = 0, 1

REPORT = record("number kind id start end heard")
"""A placement that ended, by its id, from `start` to `end` with `heard` frames in play, 0 if it never
began; or a command that came late, by its number, taken at the frame `start`. `number` is one more than how
many came before; it is 0 while the rest is written, for whoever reads the ring after the process died."""

LINE = CACHE_LINES // 8
"""int64 numbers to a pair of cache lines."""
# Written by the composing side, a line each.
COMMANDS_WRITTEN, REPORTS_READ, COMMITTED, TAP_READ = (LINE * n for n in range(4))
END, PAUSED, PATIENT, CLOSING, METERED = (COMMITTED + n for n in range(1, 6))
# Written by the mixer.
COMMANDS_READ, REPORTS_WRITTEN, FRAME, TAP_WRITTEN = (LINE * n for n in range(4, 8))
WAITS, NEXT_START, CROWDED, CAME_LATE, COMMAND_HIGH_WATER, REPORT_HIGH_WATER = (
    FRAME + n for n in range(1, 7)
)
CARRIED, BLOCKS, XRUNS, LONGEST_NS, DELIVERED, TAP_LOST, MADE, LEVELS_WRITTEN = (
    FRAME + n for n in range(7, 15)
)
STATUS = LINE * 8
TAP_QUANTA = 4096
"""5.5 s of output at 48 kHz that the composing side may be behind with."""
NEVER = 1 << 62


RAMPS = record("", "gain gain_step left left_step right right_step duck duck_step bus bus_step")
"""The gains of one voice and of its bus as a run begins, each with its step a frame."""

FX_ROW, OUT_ROW = BUSES, BUSES + FX_BUSES
"""After a meter for each role's bus there is one for each bus of effects, then the output's."""
ROWS = OUT_ROW + 1
STEPS = 64
"""How many steps of 100 ms the meters keep."""

LAYOUT: Layout = {
    # int64, by the names above.
    "status": (np.int64, (STATUS,)),
    "waiting": (VOICE, (WAITING,)),
    "voices": (VOICE, (VOICES,)),
    "buses": (BUS, (BUSES,)),
    "commands": (COMMAND, (COMMANDS,)),
    "reports": (REPORT, (REPORTS,)),
    **STATE,
    # What was made last, of which the status MADE and CARRIED say how much there is and how much waits.
    "span": (np.float32, (2, SPAN)),
    # Effects of placements, a row each: filters; sends as they are, and what they move to; ducking; glides,
    # and which of them are at work; the bus that all of it goes through, -1 for none.
    "filters_of": (np.float64, (EFFECT_ROWS, MOST, COLUMNS)),
    "sends_of": (np.float32, (EFFECT_ROWS, 2, FX_BUSES)),
    "ducks_of": (np.float32, (EFFECT_ROWS, duck.COLUMNS)),
    "moves_of": (MOVE, (EFFECT_ROWS, MOVES)),
    "moving_of": (np.int64, (EFFECT_ROWS, ACTIVE + SLOTS)),
    "via_of": (np.int64, (EFFECT_ROWS,)),
    # The parts that others duck under: their onsets and how many those are, and how far they press others
    # down.
    "onsets": (ONSET, (KEY_PARTS, ONSETS)),
    "onset_counts": (np.int64, (KEY_PARTS,)),
    "keys": (np.float32, (KEY_PARTS,)),
    # The buses of effects: what each effect of each keeps; levels as they are, and what they move to; memory
    # for the effects that need some.
    "fx": (BUS_FX, (FX_BUSES,)),
    "fx_states": (EFFECT, (FX_BUSES, len(BUS_EFFECTS))),
    "fx_levels": (np.float32, (FX_BUSES, LEVELS, 2)),
    "fx_memory": (np.float32, (FX_BUSES, None)),
    "fx_filters": (np.float64, (FX_BUSES, MOST, COLUMNS)),
    "fx_sent": (np.float32, (FX_BUSES, 2, QUANTUM)),
    "fx_glides": (MOVE, (FX_BUSES, LEVELS)),
    # The meters, a row each, see `meters`.
    "level_filters": (np.float64, (ROWS, 2, 4)),
    "level_now": (np.float64, (ROWS, 4)),
    "levels": (np.float64, (STEPS, ROWS, 3)),
    # Scratch.
    "accumulator": (np.float32, (BUSES, 2, SPAN)),
    "envelope": (np.float32, (QUANTUM,)),
    "ramps": (RAMPS, (1,)),
    "peaks": (np.float32, (QUANTUM,)),
    "block": (np.float32, (2, QUANTUM)),
    "voice": (np.float32, (2, QUANTUM)),
}
"""Data type and shape of every array of one mixer: allocation, addresses and the compiled view follow it."""

if TYPE_CHECKING:
    Rack = Any
else:
    Rack = namedtuple("Rack", LAYOUT)
"""Every array of one mixer, by the names of `LAYOUT`; the compiled functions take it whole."""
RACK_ADDRESSES = len(LAYOUT) + 1
"""Of the rack's addresses: its arrays in order, then the length that `LAYOUT` leaves open."""
rack_at = views(Rack, LAYOUT)
"""Compiled: the rack whose addresses begin at a place of an int64 array."""


def new_rack(longest: int, given: Mapping[str, NDArray[Any]]) -> Rack:
    """A rack in which nothing sounds. `longest`: the frames of an effect. `given`: arrays that are there."""
    counts = [effect.memory(longest) for effect in BUS_EFFECTS]
    empty = zeros({name: each for name, each in LAYOUT.items() if name not in given}, sum(counts))
    rack = Rack(**empty, **given)
    rack.fx_states["count"] = counts
    rack.fx_states["first"] = np.cumsum([0, *counts[:-1]])
    rack.status[NEXT_START] = rack.status[END] = NEVER
    rack.buses["gain"] = rack.buses["target"] = 1
    rack.buses["step"] = MOST_STEP
    return rack


def rack_addresses(rack: Rack) -> NDArray[np.int64]:
    """Where each array of a rack lies, int64 (RACK_ADDRESSES,). The rack must outlive whoever uses them."""
    return np.array([*(array.ctypes.data for array in rack), rack.fx_memory.shape[1]], np.int64)


class Desk(NamedTuple):
    """Of a rack, what commands and reports are about."""

    status: NDArray[np.int64]
    waiting: NDArray[np.void]
    voices: NDArray[np.void]
    buses: NDArray[np.void]
    commands: NDArray[np.void]
    reports: NDArray[np.void]


@inner
def report(desk, kind, id, start, end, heard):
    """Put a report into its ring, which always has room."""
    written = desk.status[REPORTS_WRITTEN]
    slot = desk.reports[written % REPORTS]
    slot.number = 0
    fence()
    slot.kind = kind
    slot.id = id
    slot.start = start
    slot.end = end
    slot.heard = heard
    fence()
    slot.number = written + 1
    store_release(desk.status, REPORTS_WRITTEN, written + 1)
    waiting = written + 1 - load_acquire(desk.status, REPORTS_READ)
    desk.status[REPORT_HIGH_WATER] = max(desk.status[REPORT_HIGH_WATER], waiting)


@kept(nogil=True)
def push(status, ring, commands):
    """Put as many of `commands` into their ring as it has room for; how many that were."""
    written = status[COMMANDS_WRITTEN]
    room = COMMANDS - (written - load_acquire(status, COMMANDS_READ))
    count = min(room, commands.shape[0])
    for i in range(count):
        ring[(written + i) % COMMANDS] = commands[i]
    store_release(status, COMMANDS_WRITTEN, written + count)
    return count


@kept(nogil=True)
def pull(status, ring, into):
    """Take reports out of their ring into `into`; how many that were."""
    read = status[REPORTS_READ]
    count = min(load_acquire(status, REPORTS_WRITTEN) - read, into.shape[0])
    for i in range(count):
        into[i] = ring[(read + i) % REPORTS]
    store_release(status, REPORTS_READ, read + count)
    return count


@kept(nogil=True)
def seen(status, index):
    """A number of the status that the mixer writes, and all that it wrote before it."""
    return load_acquire(status, index)


@kept(nogil=True)
def tell(status, index, value):
    """Set a number of the status for the mixer, after all that was written before."""
    store_release(status, index, value)
