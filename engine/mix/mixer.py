"""The mixer, as the composing side sees it: commands go in, each with its frame; reports come out."""

from __future__ import annotations

import ctypes
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ledger.log.session_page import HeardFrames
from ...script.effects import duck, filter
from ...script.effects.chain import BUS_EFFECTS
from ...script.effects.glide import COUNT, MOVES, NEXT
from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from ..effects import NO_EFFECTS, PlacedBus, PlacedEffects
from ..plan import Fade, Onset, Placement
from . import rack as racks
from .bus_places import BusPlaces
from .chain import chain
from .commands import bus_moves, command, moves_of, pan_gains, rings, voice
from .effects import FX_BUSES, ONSET
from .limiter import ceiling_gain
from .master import Master, integrated_lufs, power_of
from .meters import SHORT_TERM_STEPS, Level, level_of
from .page_layout import moved_into
from .ramps import MOST_STEP

HELD_FRAMES = 2048
"""Up to so many frames are mixed without giving the interpreter's lock away.

They take some tenths of a millisecond; to get the lock back from a busy thread takes up to 5 ms.
"""
_held = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(chain.address)


@dataclass(frozen=True, slots=True)
class Late:
    """A command, by its number, that was taken at a later frame than its own."""

    number: int
    frame: int


class Mixer:
    """Voices, buses and master of one session. One thread composes for it; another may be mixing.

    `frame` is the absolute frame that is mixed next; what `advance` returns lies `LATENCY_FRAMES` earlier.
    """

    def __init__(
        self,
        gain_db: float,
        ceiling_dbtp: float,
        buses: Sequence[PlacedBus] = (),
        keys: Sequence[str] = (),
        longest_delay: int = 0,
        ride_lufs: float | None = None,
    ) -> None:
        """`gain_db`: the master's. `buses`: of effects. `keys`: the parts that others duck under; of more
        than 64 the rest do not.

        `longest_delay`: in frames, of buses that may be taken in later. `ride_lufs`: the loudness to which
        the master's gain is ridden, if it is.
        """
        self.master = Master(gain_db, ceiling_dbtp, power_of(ride_lufs))
        had = [(effect, bus) for effect in BUS_EFFECTS for bus in buses if effect.on(bus.numbers)]
        longest = max([QUANTUM, longest_delay, *(effect.frames(bus.numbers) for effect, bus in had)])
        self.rack = racks.new_rack(longest, self.master.state._asdict())
        self._addresses = racks.rack_addresses(self.rack)
        self.effect_buses = BusPlaces(self.rack, longest)
        self.effect_buses.take(buses, 0)
        self._keys: dict[str, int] = {}
        self.take_keys(keys)
        self._free_rows = list(range(racks.EFFECT_ROWS))[::-1]
        self._rows: dict[int, int] = {}
        """The row of effects of each placement that has some."""
        self._effects: dict[int, PlacedEffects] = {}
        """What the effects of each of these were last."""
        self.late: dict[int, int] = {}
        """Of a take that is replayed: the commands to be taken later than their frame, by number."""
        self._numbered = 0
        self._backlog: deque[Any] = deque()
        """Commands that the ring has no room for yet."""
        self._sounds: dict[int, NDArray[np.float32]] = {}
        """The samples of each placement that the mixer has: the kernel holds only their address."""
        self._roles: dict[str, int] = {}
        self._reports = np.zeros(512, racks.REPORT)
        self._meter_read = 0
        self._mean_squares = array("d")

    def warm(self) -> None:
        """Have the compiled code loaded that is called later.

        It is loaded when it is called first, which takes a while, and must not be broken off by an interrupt.
        """
        racks.seen(self.rack.status, racks.FRAME)
        racks.push(self.rack.status, self.rack.commands, np.zeros(0, racks.COMMAND))
        racks.pull(self.rack.status, self.rack.reports, self._reports[:0])

    def share(self, page: memoryview, boot: str) -> None:
        """Work in a page of `PAGE_SIZE` zeros from here on, before anything is mixed.

        Whoever finds the page when this process has died reads in it what was heard. `boot`: this run of the
        machine, as the disk tells it.
        """
        self.rack = moved_into(page, self.rack, boot)
        self._addresses = racks.rack_addresses(self.rack)

    @property
    def frame(self) -> int:
        return int(racks.seen(self.rack.status, racks.FRAME))

    @property
    def crowded(self) -> int:
        """How many sounds had to go, or never came, because 256 sounded already."""
        return int(self.rack.status[racks.CROWDED])

    @property
    def came_late(self) -> int:
        """How many commands were taken later than at their frame."""
        return int(self.rack.status[racks.CAME_LATE])

    @property
    def idle(self) -> bool:
        """Whether every placement has been reported as ended."""
        return not self._sounds

    def place(self, placement: Placement, sound: NDArray[np.float32], at: int) -> None:
        """Hand over a placement; `sound` is float32 (1 or 2, frames), C-contiguous and in memory.

        It is reported when it has ended. Where 256 sound already as it begins, the oldest hit goes by a short
        fade, and `crowded` counts it; so it does a placement that not even then finds a voice.
        """
        assert sound.dtype == np.float32
        assert sound.ndim == 2
        assert sound.flags.c_contiguous
        row, part = self._row(placement), self._keys.get(placement.part, -1)
        self._sounds[placement.id] = sound
        begins = voice(placement, sound, bus=self.bus(placement.role), effects=row, part=part)
        self._send(command(racks.PLACE, voice=begins), at)

    def stop(self, id: int, end_frame: int, fade: Fade, at: int) -> None:
        """End a placement at `end_frame`, its fade included; one that has not begun by then never does.

        A fade that should have begun already begins now, and the end moves with it, so that no gain jumps.
        """
        fields = {"end": end_frame, "fade": fade.frames, "fade_power": fade.equal_power}
        self._send(command(racks.STOP, id=id, **fields), at)

    def set_gain(self, id: int, gain_db: float, pan: float, at: int) -> None:
        """Move a placement's script gain and pan, by a ramp that begins at the frame `at`."""
        sound = self._sounds.get(id)
        left, right = pan_gains(pan, 2 if sound is None else sound.shape[0])
        self._send(command(racks.GAIN, id=id, gain=10 ** (gain_db / 20), left=left, right=right), at)

    def set_effects(self, id: int, effects: PlacedEffects, at: int) -> None:
        """Move a placement's filters, sends and ducking to other numbers from the frame `at` on."""
        if self._effects.get(id, effects) == effects:
            return
        self._effects[id] = effects
        moves = moves_of(effects, self.effect_buses.by_name)
        ends = np.zeros((MOVES, 2))
        ends[: len(moves), 0], ends[: len(moves), 1] = moves["value"], moves["to"]
        numbers = {
            "frequencies": filter.frequencies(effects.filters),
            "ducked": duck.numbers(effects.duck, QUANTUM, ENGINE_RATE),
            "glides": ends,
        }
        self._send(command(racks.SET_EFFECTS, id=id, sends=self._sends(effects), **numbers), at)

    def set_buses(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Move the numbers of the buses of effects from the frame `at` on; the time of a delay stays."""
        for place, bus in (each for each in map(self.effect_buses.moved, buses) if each is not None):
            moves = bus_moves(bus)
            numbers = {"levels": moves["value"], "levels_to": moves["to"], "rings": rings(bus)}
            frequencies = filter.frequencies(bus.filters)
            self._send(command(racks.SET_BUS, place=place, frequencies=frequencies, **numbers), at)

    def set_fader(self, role: str, gain: float, frames: int, at: int) -> None:
        """Move the listener's fader of a role to a gain of 0 to 1, over `frames` from the frame `at` on."""
        step = min(float(MOST_STEP), QUANTUM / max(frames, 1))
        self._send(command(racks.FADER, bus=self.bus(role), fader=gain, fader_step=step), at)

    def set_master(self, gain_db: float, ceiling_dbtp: float, ride_lufs: float | None, at: int) -> None:
        """Move the master's gain by a ramp, and have another ceiling, from the frame `at` on."""
        ceiling, ride_to = ceiling_gain(ceiling_dbtp), power_of(ride_lufs)
        levels = {"gain": 10 ** (gain_db / 20), "ceiling": ceiling, "ride_to": ride_to}
        self._send(command(racks.MASTER, **levels), at)

    def take_keys(self, keys: Sequence[str]) -> None:
        """Have others duck under these parts; of more than 64 in all the rest do not."""
        for part in keys:
            if part not in self._keys and len(self._keys) < racks.KEY_PARTS:
                self._keys[part] = len(self._keys)
                # So that the mixing side is the first to touch none of it.
                self.rack.onsets[self._keys[part]] = np.zeros((), ONSET)

    def press(self, onset: Onset, at: int) -> None:
        """Say when a part that others duck under is struck: `at` a frame before that."""
        place = self._keys.get(onset.part)
        if place is not None:
            bus = -1 if onset.role is None else self.bus(onset.role)
            told = onset.id, onset.frame, onset.until, bus, onset.weight
            self._send(command(racks.PRESS, place=place, onset=told), at)

    @property
    def keys(self) -> frozenset[str]:
        """The parts that others duck under."""
        return frozenset(self._keys)

    def advance(self, quanta: int) -> NDArray[np.float32]:
        """The next `quanta` x 64 frames, float32 (2, frames)."""
        self.flush()
        out = np.empty((2, quanta * QUANTUM), np.float32)
        self.mix_into(out)
        self._read_meter()
        return out

    def mix_into(self, out: NDArray[np.float32]) -> None:
        """Fill `out`, float32 (2, frames) of whole quanta, C-contiguous, with the next frames.

        It is one call of compiled code: an interrupt comes before it or after it, never between.
        """
        mix = _held if out.shape[1] <= HELD_FRAMES else chain.ctypes
        mix(self._addresses.ctypes.data, out.ctypes.data, out.shape[1] // QUANTUM)

    def flush(self) -> bool:
        """Give the mixer the commands that its ring had no room for; whether all found room."""
        while self._backlog:
            count = min(len(self._backlog), racks.COMMANDS)
            batch = np.array([self._backlog[i] for i in range(count)], racks.COMMAND)
            pushed = racks.push(self.rack.status, self.rack.commands, batch)
            for _ in range(pushed):
                self._backlog.popleft()
            if pushed < count:
                return False
        return True

    def commit(self, frame: int) -> None:
        """Say that every command for earlier frames has been given, if all of them found room."""
        if self.flush():
            racks.tell(self.rack.status, racks.COMMITTED, frame)

    @property
    def has_reports(self) -> bool:
        """Whether there is something for `reports` to give."""
        status = self.rack.status
        return bool(status[racks.REPORTS_WRITTEN] != status[racks.REPORTS_READ])

    def reports(self) -> list[HeardFrames | Late]:
        """What ended and what came late since the last call, in the mixer's order."""
        self._read_meter()
        found: list[HeardFrames | Late] = []
        while count := racks.pull(self.rack.status, self.rack.reports, self._reports):
            for _, kind, id, start, end, heard in self._reports[:count].tolist():
                if kind == racks.ENDED:
                    found.append(HeardFrames(id=id, start_frame=start, end_frame=end, frames=heard))
                    del self._sounds[id]
                    if id in self._rows:
                        self._free_rows.append(self._rows.pop(id))
                        del self._effects[id]
                else:
                    found.append(Late(id, start))
        return found

    def sounding(self) -> list[HeardFrames]:
        """What sounds, as heard so far; the mixer may go on meanwhile."""
        voices = self.rack.voices
        frame = self.frame
        found = voices[["id", "start", "end", "heard"]][voices["phase"] == racks.PLAYING].tolist()
        return [
            HeardFrames(id=id, start_frame=start, end_frame=min(end, frame), frames=heard)
            for id, start, end, heard in found
        ]

    def close(self, given: int | None = None) -> list[HeardFrames]:
        """Let go of every voice, as heard so far: those that ended, and those that are cut. Nothing mixes.

        `given`: the frame up to which the output was given out; what is cut is not heard beyond it.

        A shared page stays as it is: until the account holds what is cut, nothing else tells of it.
        """
        self.rack = self.rack._replace(voices=self.rack.voices.copy())
        self._addresses = racks.rack_addresses(self.rack)
        ended = [each for each in self.reports() if isinstance(each, HeardFrames)]
        frame = self.frame
        cut = [each if given is None else _up_to(each, given) for each in self.sounding()]
        never = sorted(set(self._sounds) - {each.id for each in cut})
        self.rack.voices["phase"] = racks.FREE
        self.rack.status[racks.WAITS], self.rack.status[racks.NEXT_START] = 0, racks.NEVER
        self._sounds.clear()
        cut.sort(key=lambda each: each.end_frame)
        unheard = [HeardFrames(id=id, start_frame=frame, end_frame=frame, frames=0) for id in never]
        return [*ended, *cut, *unheard]

    def let_go(self) -> None:
        """Keep nothing of the shared page: what has to outlast the session is in the account."""
        own = {name: getattr(self.rack, name).copy() for name in ("status", "reports")}
        self.rack = self.rack._replace(**own)
        self._addresses = racks.rack_addresses(self.rack)

    def levels(self) -> tuple[dict[str, Level], dict[str, Level], Level] | None:
        """How loud each role's bus, each bus of effects and the output are, the last as it is given out.

        They are measured from the first call on; None until there are 100 ms of them. May be called from any
        thread, and disturbs nothing.
        """
        status = self.rack.status
        if not status[racks.METERED]:
            racks.tell(status, racks.METERED, 1)
        written = int(racks.seen(status, racks.LEVELS_WRITTEN))
        if not written:
            return None
        # Behind the step that may be written now, there are more than are read.
        steps = self.rack.levels[np.arange(max(written - SHORT_TERM_STEPS, 0), written) % racks.STEPS]
        roles = {role: level_of(steps[:, bus]) for role, bus in list(self._roles.items())}
        effects = {
            name: level_of(steps[:, racks.FX_ROW + place])
            for name, place in list(self.effect_buses.by_name.items())
        }
        return roles, effects, level_of(steps[:, racks.OUT_ROW])

    @property
    def lufs(self) -> float:
        """Integrated loudness of all output so far."""
        self._read_meter()
        return integrated_lufs(np.asarray(self._mean_squares))

    def bus(self, role: str) -> int:
        """The role's bus; roles beyond the last bus share it."""
        return self._roles.setdefault(role, min(len(self._roles), racks.BUSES - 1))

    def _row(self, placement: Placement) -> int:
        """A row for the effects of a placement, filled; -1 if it has none."""
        effects = placement.effects
        if effects is NO_EFFECTS or not self._free_rows:
            return -1
        row = self._rows[placement.id] = self._free_rows.pop()
        self._effects[placement.id] = effects
        rack = self.rack
        filter.fill(rack.filters_of[row], effects.filters, placement.start_frame)
        rack.sends_of[row] = self._sends(effects)
        under = () if effects.duck is None else effects.duck.under
        keys = [self._keys[part] for part in under if part in self._keys]
        depth, decay = duck.numbers(effects.duck, QUANTUM, ENGINE_RATE)
        rack.ducks_of[row] = *keys, *[-1] * (duck.UNDER - len(keys)), depth, decay, 0.0, 1.0
        moves = moves_of(effects, self.effect_buses.by_name)
        rack.moves_of[row, : len(moves)] = moves
        rack.moving_of[row] = -1
        rack.moving_of[row, [COUNT, NEXT]] = len(moves), 0
        if placement.continues is None:
            for glide in effects.glides:
                if glide.what.startswith("filter") and glide.start <= placement.start_frame:
                    rack.filters_of[row, int(glide.what.split()[1]), filter.WET] = 1
        rack.via_of[row] = -1 if effects.via is None else self.effect_buses.by_name[effects.via]
        return row

    def _sends(self, effects: PlacedEffects) -> NDArray[np.float64]:
        """How much is sent to each place of a bus, (FX_BUSES,)."""
        amounts = np.zeros(FX_BUSES)
        for send in effects.sends:
            amounts[self.effect_buses.by_name[send.bus]] = send.amount
        if effects.via is not None:
            amounts[self.effect_buses.by_name[effects.via]] = 1
        return amounts

    def _send(self, command: Any, at: int) -> None:
        command["number"], command["frame"] = self._numbered, self.late.get(self._numbered, at)
        self._numbered += 1
        self._backlog.append(command)

    def _read_meter(self) -> None:
        written = int(self.master.control["meter_blocks"])
        ring = self.rack.meter
        self._mean_squares.extend(float(ring[i % len(ring)]) for i in range(self._meter_read, written))
        self._meter_read = written


def _up_to(heard: HeardFrames, frame: int) -> HeardFrames:
    """What was heard of a placement up to a frame: it was in play in all that comes after."""
    end = min(heard.end_frame, max(frame, heard.start_frame))
    frames = max(heard.frames - (heard.end_frame - end), 0)
    return HeardFrames(id=heard.id, start_frame=heard.start_frame, end_frame=end, frames=frames)
