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

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..clock import QUANTUM
from .machine import fence, inner, load_acquire, store_release

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
COMMANDS = 2048
REPORTS = 16_384
assert REPORTS >= VOICES + WAITING + 2 * COMMANDS

FREE, PLAYING, DONE = 0, 1, 2

VOICE = np.dtype(
    [
        ("id", np.int64),
        ("phase", np.int64),
        ("address", np.int64),
        ("channels", np.int64),
        ("frames", np.int64),
        ("loop_start", np.int64),
        ("position", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("fade_in", np.int64),
        ("fade_in_power", np.int64),
        ("fade_out", np.int64),
        ("fade_out_power", np.int64),
        ("bus", np.int64),
        ("heard", np.int64),
        ("leaving", np.int64),
        ("effects", np.int64),
        ("part", np.int64),
        ("level", np.float32),
        ("gain", np.float32),
        ("gain_target", np.float32),
        ("left", np.float32),
        ("left_target", np.float32),
        ("right", np.float32),
        ("right_target", np.float32),
    ],
    align=True,
)
"""A voice: its placement's sound, where it is in it, its envelope, its gains, and the frames heard so far.

`loop_start` is -1 for a sound that is not repeated. `start` and `end` are absolute frames. `level` is the
role's levelling and is not part of what decides whether a frame is in play. `leaving`: 1 once it fades out
because others need its place. `effects`: the row of its filters, sends and ducking, -1 for none. `part`: of
those that something ducks under, -1 for another.
"""

BUS = np.dtype([("gain", np.float32), ("target", np.float32), ("step", np.float32)], align=True)
"""A bus: its gain, where that goes, and the most that it moves in a quantum."""

PLACE, STOP, GAIN, FADER, MASTER, EFFECTS, BUS_EFFECTS = 0, 1, 2, 3, 4, 5, 6
FILTERS_AT, SENDS_AT, DUCK_AT = 0, 8, 24
"""Where the numbers of a placement's effects lie in its command: hz and to_hz of each filter, the sends, the
ducked gain."""
LEVELS_AT, LINES_AT, RINGS_AT = 8, 16, 24
"""And those of a bus, after its filters: its levels, the gains of its reverb's lines, how long it rings."""
NUMBERS = 25

COMMAND = np.dtype(
    [
        ("number", np.int64),
        ("kind", np.int64),
        ("frame", np.int64),
        ("id", np.int64),
        ("end", np.int64),
        ("fade", np.int64),
        ("fade_power", np.int64),
        ("gain", np.float32),
        ("left", np.float32),
        ("right", np.float32),
        ("step", np.float32),
        ("numbers", np.float64, NUMBERS),
        ("voice", VOICE),
    ],
    align=True,
)
"""A command: `number` counts them, `frame` is where it applies, `id` is of a placement, or of a bus.

For the master, `gain` is its loudness in LUFS and `left` its ceiling, as a gain. `numbers`: of effects."""

ENDED, LATE = 0, 1

REPORT = np.dtype(
    [
        ("number", np.int64),
        ("kind", np.int64),
        ("id", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("heard", np.int64),
    ],
    align=True,
)
"""A placement that ended, by its id, from `start` to `end` with `heard` frames in play, 0 if it never
began; or a command that came late, by its number, taken at the frame `start`. `number` is one more than how
many came before; it is 0 while the rest is written, for whoever reads the ring after the process died."""

LINE = 16
"""int64 numbers to two cache lines: processors fetch them in pairs."""
# Written by the composing side, a line each.
COMMANDS_WRITTEN, REPORTS_READ, COMMITTED, TAP_READ = (LINE * n for n in range(4))
END, PAUSED, PATIENT, CLOSING, METERED = (COMMITTED + n for n in range(1, 6))
# Written by the mixer.
COMMANDS_READ, REPORTS_WRITTEN, FRAME, TAP_WRITTEN = (LINE * n for n in range(4, 8))
(
    WAITS,
    NEXT_START,
    CROWDED,
    CAME_LATE,
    COMMAND_HIGH_WATER,
    REPORT_HIGH_WATER,
    CARRIED,
    BLOCKS,
    XRUNS,
    LONGEST_NS,
    DELIVERED,
    TAP_LOST,
    MADE,
    LEVELS_WRITTEN,
) = (FRAME + n for n in range(1, 15))
STATUS = LINE * 8
TAP_QUANTA = 4096
"""5.5 s of output at 48 kHz that the composing side may be behind with."""
NEVER = 1 << 62


class Rack(NamedTuple):
    """Every array of one mixer; the compiled functions take it whole.

    `status`: int64, by the names above. `accumulator` float32 (buses, 2, SPAN), `envelope` and `peaks`
    float32 (64,) and `block` and `voice` float32 (2, 64) are scratch. `span` float32 (2, SPAN): what was made
    last, of which the status MADE and CARRIED say how many frames there are and how many wait to be taken.
    `control` to `meter` are the master's, see there. Rows of effects of voices: `filters_of` (rows, 4,
    columns of a filter), `sends_of` (rows, 2, effect buses) as they are and what they move to, `ducks_of`
    (rows, 3): the part that it ducks under, the gain then, the gain now. `keys` (2, parts): how loud such a
    part was in the quantum before, and is in this one. `fx` and what follows: the effect buses, see
    `effects_kernel`. `level_filters` and what follows: the meters of the buses, see `meters`.
    """

    status: NDArray[np.int64]
    waiting: NDArray[np.void]
    voices: NDArray[np.void]
    buses: NDArray[np.void]
    commands: NDArray[np.void]
    reports: NDArray[np.void]
    accumulator: NDArray[np.float32]
    envelope: NDArray[np.float32]
    control: NDArray[np.void]
    filters: NDArray[np.float64]
    history: NDArray[np.float32]
    delay: NDArray[np.float32]
    reduction: NDArray[np.float64]
    meter: NDArray[np.float64]
    peaks: NDArray[np.float32]
    span: NDArray[np.float32]
    block: NDArray[np.float32]
    filters_of: NDArray[np.float64]
    sends_of: NDArray[np.float32]
    ducks_of: NDArray[np.float32]
    keys: NDArray[np.float32]
    voice: NDArray[np.float32]
    fx: NDArray[np.void]
    fx_filters: NDArray[np.float64]
    fx_levels: NDArray[np.float32]
    fx_sent: NDArray[np.float32]
    fx_lines: NDArray[np.float32]
    fx_lows: NDArray[np.float32]
    fx_delays: NDArray[np.float32]
    level_filters: NDArray[np.float64]
    level_now: NDArray[np.float64]
    levels: NDArray[np.float64]


class Desk(NamedTuple):
    """Of a rack, what commands and reports are about."""

    status: NDArray[np.int64]
    waiting: NDArray[np.void]
    voices: NDArray[np.void]
    buses: NDArray[np.void]
    commands: NDArray[np.void]
    reports: NDArray[np.void]


class Deck(NamedTuple):
    """What a device's callback needs besides.

    `tap`: ring of output quanta, float32 (quanta, 2, 64), before the transport's gain. `times`: histogram of
    the callback's durations, int64. `scratch`: int64 (2,). `transport`: the gain by which play fades in and
    out, float64 (1,).
    """

    tap: NDArray[np.float32]
    times: NDArray[np.int64]
    scratch: NDArray[np.int64]
    transport: NDArray[np.float64]


def aligned_zeros(count: int) -> NDArray[np.int64]:
    """int64 zeros whose first lies at the start of a pair of cache lines."""
    line = LINE * 8
    raw = np.zeros(count + LINE, np.int64)
    skip = -raw.ctypes.data % line // 8
    return raw[skip : skip + count]


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


@njit(nogil=True, cache=True)
def push(status, ring, commands):
    """Put as many of `commands` into their ring as it has room for; how many that were."""
    written = status[COMMANDS_WRITTEN]
    room = COMMANDS - (written - load_acquire(status, COMMANDS_READ))
    count = min(room, commands.shape[0])
    for i in range(count):
        ring[(written + i) % COMMANDS] = commands[i]
    store_release(status, COMMANDS_WRITTEN, written + count)
    return count


@njit(nogil=True, cache=True)
def pull(status, ring, into):
    """Take reports out of their ring into `into`; how many that were."""
    read = status[REPORTS_READ]
    count = min(load_acquire(status, REPORTS_WRITTEN) - read, into.shape[0])
    for i in range(count):
        into[i] = ring[(read + i) % REPORTS]
    store_release(status, REPORTS_READ, read + count)
    return count


@njit(nogil=True, cache=True)
def seen(status, index):
    """A number of the status that the mixer writes, and all that it wrote before it."""
    return load_acquire(status, index)


@njit(nogil=True, cache=True)
def tell(status, index, value):
    """Set a number of the status for the mixer, after all that was written before."""
    store_release(status, index, value)
