"""The mixer, as the composing side sees it: commands go in, each with its frame; reports come out."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ledger.log.session_page import TABLES_AT, HeardFrames, Layout, write_header
from ...vault.records import ENGINE_RATE
from ..clock import QUANTUM
from ..effects import NO_EFFECTS, PlacedBus, PlacedEffects, PlacedFilter
from ..errors import SwapRefused
from ..plan import Fade, Placement
from .addresses import rack_addresses
from .chain import chain
from .effects_kernel import (
    AIM_HZ,
    AIM_TO_HZ,
    AIMS,
    BANDPASS,
    BUS_FX,
    CURVE,
    EXPONENTIAL,
    FILTER_COLUMNS,
    FROM,
    FX_BUSES,
    GAINS,
    GLIDE,
    HIGHPASS,
    HZ,
    KIND,
    LEVELS,
    LINE_FRAMES,
    LINEAR,
    LINES,
    LONGEST_LINE,
    LOWPASS,
    MOST_FILTERS,
    SMOOTH,
    TO_HZ,
)
from .master import Master, ceiling_gain, integrated_lufs
from .meters import FX_ROW, OUT_ROW, ROWS, SHORT_TERM_STEPS, STEPS, Level, level_of
from .rack import (
    BUS,
    BUS_EFFECTS,
    BUSES,
    CAME_LATE,
    COMMAND,
    COMMANDS,
    COMMITTED,
    CROWDED,
    DUCK_AT,
    EFFECT_ROWS,
    EFFECTS,
    END,
    ENDED,
    FADER,
    FILTERS_AT,
    FRAME,
    FREE,
    GAIN,
    KEY_PARTS,
    LEVELS_AT,
    LEVELS_WRITTEN,
    LINES_AT,
    MASTER,
    METERED,
    NEVER,
    NEXT_START,
    PLACE,
    PLAYING,
    REPORT,
    RINGS_AT,
    SENDS_AT,
    SPAN,
    STATUS,
    STOP,
    VOICE,
    VOICES,
    WAITING,
    WAITS,
    Rack,
    aligned_zeros,
    pull,
    push,
    seen,
    tell,
)
from .rack import REPORTS as RING_REPORTS
from .ramps import MOST_STEP


def _offset(record: np.dtype[Any], name: str) -> int:
    fields = record.fields
    assert fields is not None
    return int(fields[name][1])


_TABLES = {
    "status": TABLES_AT,
    "voices": TABLES_AT + 8 * STATUS,
    "reports": TABLES_AT + 8 * STATUS + VOICES * VOICE.itemsize,
}
"""Where the arrays of a rack that tell what was heard lie in a page, in bytes."""
PAGE_SIZE = _TABLES["reports"] + RING_REPORTS * REPORT.itemsize
PAGE_LAYOUT = Layout(
    rate=ENGINE_RATE,
    frame_at=_TABLES["status"] + 8 * FRAME,
    voices_at=_TABLES["voices"],
    voices=VOICES,
    voice_size=VOICE.itemsize,
    voice_id=_offset(VOICE, "id"),
    voice_phase=_offset(VOICE, "phase"),
    voice_start=_offset(VOICE, "start"),
    voice_end=_offset(VOICE, "end"),
    voice_heard=_offset(VOICE, "heard"),
    free=FREE,
    reports_at=_TABLES["reports"],
    reports=RING_REPORTS,
    report_size=REPORT.itemsize,
    report_number=_offset(REPORT, "number"),
    report_kind=_offset(REPORT, "kind"),
    report_id=_offset(REPORT, "id"),
    report_start=_offset(REPORT, "start"),
    report_end=_offset(REPORT, "end"),
    report_heard=_offset(REPORT, "heard"),
    ended=ENDED,
)
assert TABLES_AT % 128 == 0
KINDS = {"lowpass": LOWPASS, "highpass": HIGHPASS, "bandpass": BANDPASS}
LONGEST_SOUND_FRAMES = 120 * ENGINE_RATE
"""For how long what was placed under one script may go on under the next, and send to its buses."""
CURVES = {"linear": LINEAR, "smooth": SMOOTH, "exponential": EXPONENTIAL}


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
        loudness_lufs: float,
        ceiling_dbtp: float,
        buses: Sequence[PlacedBus] = (),
        keys: Sequence[str] = (),
        longest_delay: int = 0,
    ) -> None:
        """`buses`: of effects. `keys`: the parts that others duck under; of more than 64 the rest do not.

        `longest_delay`: in frames, of buses that may be taken in later.
        """
        self.master = Master(loudness_lufs, ceiling_dbtp)
        status = aligned_zeros(STATUS)
        status[NEXT_START] = status[END] = NEVER
        faders = np.ones(BUSES, BUS)
        faders["step"] = MOST_STEP
        master = self.master
        self.rack = Rack(
            status=status,
            waiting=np.zeros(WAITING, VOICE),
            voices=np.zeros(VOICES, VOICE),
            buses=faders,
            commands=np.zeros(COMMANDS, COMMAND),
            reports=np.zeros(RING_REPORTS, REPORT),
            accumulator=np.zeros((BUSES, 2, SPAN), np.float32),
            envelope=np.zeros(QUANTUM, np.float32),
            control=master.control,
            filters=master.filters,
            history=master.history,
            delay=master.delay,
            reduction=master.reduction,
            meter=master.meter,
            peaks=np.zeros(QUANTUM, np.float32),
            span=np.zeros((2, SPAN), np.float32),
            block=np.zeros((2, QUANTUM), np.float32),
            filters_of=np.zeros((EFFECT_ROWS, MOST_FILTERS, FILTER_COLUMNS)),
            sends_of=np.zeros((EFFECT_ROWS, 2, FX_BUSES), np.float32),
            ducks_of=np.zeros((EFFECT_ROWS, 3), np.float32),
            keys=np.zeros((2, KEY_PARTS), np.float32),
            voice=np.zeros((2, QUANTUM), np.float32),
            fx=np.zeros(FX_BUSES, BUS_FX),
            fx_filters=np.zeros((FX_BUSES, MOST_FILTERS, FILTER_COLUMNS)),
            fx_levels=np.zeros((FX_BUSES, 2, LEVELS), np.float32),
            fx_sent=np.zeros((FX_BUSES, 2, QUANTUM), np.float32),
            fx_lines=np.zeros((FX_BUSES, LINES, LONGEST_LINE), np.float32),
            fx_lows=np.zeros((FX_BUSES, 4, LINES), np.float32),
            fx_delays=np.zeros(
                (FX_BUSES, 2, max([QUANTUM, longest_delay, *(bus.delay_frames for bus in buses)])), np.float32
            ),
            level_filters=np.zeros((ROWS, 2, 4)),
            level_now=np.zeros((ROWS, 4)),
            levels=np.zeros((STEPS, ROWS, 3)),
        )
        self._addresses = rack_addresses(self.rack)
        self.tail_frames = 0
        """How long the effects ring after the last sound."""
        self._fx: dict[str, int] = {}
        """The place of each bus of effects that something may be sent to."""
        self._places: dict[int, PlacedBus] = {}
        """What is at each place, also where nothing is sent to any more."""
        self._free_at: dict[int, int] = {}
        """Of places to which nothing is sent any more: the frame from which they may be used again."""
        self.take_buses(buses, 0)
        self._keys: dict[str, int] = {}
        self.take_keys(keys)
        self._free_rows = list(range(EFFECT_ROWS))[::-1]
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
        self._reports = np.zeros(512, REPORT)
        self._meter_read = 0
        self._mean_squares = array("d")

    def share(self, page: memoryview, boot: str) -> None:
        """Work in a page of `PAGE_SIZE` zeros from here on, before anything is mixed.

        Whoever finds the page when this process has died reads in it what was heard. `boot`: this run of the
        machine, as the disk tells it.
        """
        rack = self.rack
        moved: dict[str, NDArray[Any]] = {}
        for name, at in _TABLES.items():
            old = getattr(rack, name)
            new = np.frombuffer(page, old.dtype, old.size, at)
            new[:] = old
            moved[name] = new
        self.rack = rack._replace(**moved)
        self._addresses = rack_addresses(self.rack)
        write_header(page, PAGE_LAYOUT, boot)

    @property
    def frame(self) -> int:
        return int(seen(self.rack.status, FRAME))

    @property
    def crowded(self) -> int:
        """How many sounds had to go, or never came, because 256 sounded already."""
        return int(self.rack.status[CROWDED])

    @property
    def came_late(self) -> int:
        """How many commands were taken later than at their frame."""
        return int(self.rack.status[CAME_LATE])

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
        command = self._command(PLACE, at, placement.id)
        left, right = pan_gains(placement.pan, sound.shape[0])
        gain = 10 ** (placement.gain_db / 20)
        loop_start = placement.variant.loop_start
        command["voice"] = (
            placement.id,
            PLAYING,
            sound.ctypes.data,
            sound.shape[0],
            sound.shape[1],
            -1 if loop_start is None else loop_start,
            placement.offset_frames,
            placement.start_frame,
            placement.end_frame,
            placement.fade_in.frames,
            placement.fade_in.equal_power,
            placement.fade_out.frames,
            placement.fade_out.equal_power,
            self.bus(placement.role),
            0,
            0,
            self._row(placement),
            self._keys.get(placement.part, -1),
            10 ** (placement.level_db / 20),
            gain,
            gain,
            left,
            left,
            right,
            right,
        )
        self._sounds[placement.id] = sound
        self._send(command)

    def stop(self, id: int, end_frame: int, fade: Fade, at: int) -> None:
        """End a placement at `end_frame`, its fade included; one that has not begun by then never does.

        A fade that should have begun already begins now, and the end moves with it, so that no gain jumps.
        """
        command = self._command(STOP, at, id)
        command["end"], command["fade"], command["fade_power"] = end_frame, fade.frames, fade.equal_power
        self._send(command)

    def set_gain(self, id: int, gain_db: float, pan: float, at: int) -> None:
        """Move a placement's script gain and pan, by a ramp that begins at the frame `at`."""
        sound = self._sounds.get(id)
        command = self._command(GAIN, at, id)
        command["gain"] = 10 ** (gain_db / 20)
        command["left"], command["right"] = pan_gains(pan, 2 if sound is None else sound.shape[0])
        self._send(command)

    def set_effects(self, id: int, effects: PlacedEffects, at: int) -> None:
        """Move a placement's filters, sends and ducking to other numbers from the frame `at` on."""
        if self._effects.get(id, effects) == effects:
            return
        self._effects[id] = effects
        command = self._command(EFFECTS, at, id)
        numbers = command["numbers"]
        numbers[FILTERS_AT : FILTERS_AT + 2 * MOST_FILTERS] = _frequencies(effects.filters)
        numbers[SENDS_AT : SENDS_AT + FX_BUSES] = self._sends(effects)
        numbers[DUCK_AT] = _ducked(effects)
        self._send(command)

    def set_buses(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Move the numbers of the buses of effects from the frame `at` on; a delay's length stays."""
        for bus in buses:
            place = self._fx[bus.name]
            bus = replace(bus, delay_frames=self._places[place].delay_frames)
            if bus == self._places[place]:
                continue
            self._places[place] = bus
            self.tail_frames = max(self.tail_frames, bus.tail_frames)
            command = self._command(BUS_EFFECTS, at, place)
            numbers = command["numbers"]
            numbers[FILTERS_AT : FILTERS_AT + 2 * MOST_FILTERS] = _frequencies(bus.filters)
            numbers[LEVELS_AT : LEVELS_AT + LEVELS] = _levels(bus)
            numbers[LINES_AT : LINES_AT + LINES] = _line_gains(bus)
            numbers[RINGS_AT] = _rings(bus)
            self._send(command)

    def set_fader(self, role: str, gain: float, frames: int, at: int) -> None:
        """Move the listener's fader of a role to a gain of 0 to 1, over `frames` from the frame `at` on."""
        command = self._command(FADER, at, self.bus(role))
        command["gain"] = gain
        command["step"] = min(float(MOST_STEP), QUANTUM / max(frames, 1))
        self._send(command)

    def set_master(self, loudness_lufs: float, ceiling_dbtp: float, at: int) -> None:
        """Have another loudness and ceiling from the frame `at` on."""
        command = self._command(MASTER, at, 0)
        command["gain"], command["left"] = loudness_lufs, ceiling_gain(ceiling_dbtp)
        self._send(command)

    def expect_buses(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Raise SwapRefused if there will be no place for these buses of effects."""
        longest = self.rack.fx_delays.shape[2]
        if too_long := [bus.name for bus in buses if bus.delay_frames > longest]:
            raise SwapRefused(
                f'the delay of the bus "{too_long[0]}" is longer than {longest / ENGINE_RATE:g} s: '
                "the old script plays on"
            )
        fresh = [bus for bus in buses if self._kept_place(bus) is None]
        if len(fresh) > len(self._free_places(at)):
            raise SwapRefused(
                f"there are {FX_BUSES} places for buses of effects, and those of the scripts before still "
                "ring: the old script plays on; try again in a while"
            )

    def take_buses(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Have these buses of effects and no others for what is placed from here on, decided at `at`.

        One that is as it was rings on as it is; what others still hold rings out.
        """
        free, before = self._free_places(at), self._fx
        self._fx = {}
        for bus in buses:
            place = self._kept_place(bus, before)
            if place is None:
                place = free.pop(0)
                self._set_bus(place, bus)
                self._places[place] = bus
            self._free_at.pop(place, None)
            self._fx[bus.name] = place
            self.tail_frames = max(self.tail_frames, bus.tail_frames)
        for place in set(before.values()) - set(self._fx.values()):
            rings = int(self.rack.fx[place]["rings"])
            self._free_at[place] = at + LONGEST_SOUND_FRAMES + rings

    def take_keys(self, keys: Sequence[str]) -> None:
        """Have others duck under these parts; of more than 64 in all the rest do not."""
        for part in keys:
            if part not in self._keys and len(self._keys) < KEY_PARTS:
                self._keys[part] = len(self._keys)

    def _kept_place(self, bus: PlacedBus, among: Mapping[str, int] | None = None) -> int | None:
        """Where the very same bus is already."""
        place = (self._fx if among is None else among).get(bus.name)
        return place if place is not None and self._places[place] == bus else None

    def _free_places(self, at: int) -> list[int]:
        rung_out = sorted(place for place, frame in self._free_at.items() if frame <= at)
        return [*(place for place in range(FX_BUSES) if place not in self._places), *rung_out]

    def advance(self, quanta: int) -> NDArray[np.float32]:
        """The next `quanta` x 64 frames, float32 (2, frames)."""
        self.flush()
        out = np.empty((2, quanta * QUANTUM), np.float32)
        chain.ctypes(self._addresses.ctypes.data, out.ctypes.data, quanta)
        self._read_meter()
        return out

    def flush(self) -> None:
        """Give the mixer the commands that its ring had no room for."""
        while self._backlog:
            count = min(len(self._backlog), COMMANDS)
            batch = np.array([self._backlog[i] for i in range(count)], COMMAND)
            pushed = push(self.rack.status, self.rack.commands, batch)
            for _ in range(pushed):
                self._backlog.popleft()
            if pushed < count:
                return

    def commit(self, frame: int) -> None:
        """Say that every command for earlier frames has been given, if all of them found room."""
        self.flush()
        if not self._backlog:
            tell(self.rack.status, COMMITTED, frame)

    def reports(self) -> list[HeardFrames | Late]:
        """What ended and what came late since the last call, in the mixer's order."""
        found: list[HeardFrames | Late] = []
        while count := pull(self.rack.status, self.rack.reports, self._reports):
            for _, kind, id, start, end, heard in self._reports[:count].tolist():
                if kind == ENDED:
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
        found = voices[["id", "start", "end", "heard"]][voices["phase"] == PLAYING].tolist()
        return [
            HeardFrames(id=id, start_frame=start, end_frame=min(end, frame), frames=heard)
            for id, start, end, heard in found
        ]

    def close(self) -> list[HeardFrames]:
        """Let go of every voice, as heard so far: those that ended, and those that are cut. Nothing mixes.

        A shared page stays as it is: until the account holds what is cut, nothing else tells of it.
        """
        self.rack = self.rack._replace(voices=self.rack.voices.copy())
        self._addresses = rack_addresses(self.rack)
        ended = [each for each in self.reports() if isinstance(each, HeardFrames)]
        frame, cut = self.frame, []
        for voice in self.rack.voices[self.rack.voices["phase"] == PLAYING]:
            end = min(int(voice["end"]), frame)
            id, start, frames = int(voice["id"]), int(voice["start"]), int(voice["heard"])
            cut.append(HeardFrames(id=id, start_frame=start, end_frame=end, frames=frames))
        never = sorted(set(self._sounds) - {each.id for each in cut})
        self.rack.voices["phase"] = FREE
        self.rack.status[WAITS], self.rack.status[NEXT_START] = 0, NEVER
        self._sounds.clear()
        cut.sort(key=lambda each: each.end_frame)
        unheard = [HeardFrames(id=id, start_frame=frame, end_frame=frame, frames=0) for id in never]
        return [*ended, *cut, *unheard]

    def levels(self) -> tuple[dict[str, Level], dict[str, Level], Level] | None:
        """How loud each role's bus, each bus of effects and the output are, the last as it is given out.

        They are measured from the first call on; null until there are 100 ms of them. May be called from any
        thread, and disturbs nothing.
        """
        status = self.rack.status
        if not status[METERED]:
            tell(status, METERED, 1)
        written = int(seen(status, LEVELS_WRITTEN))
        if not written:
            return None
        # Behind the step that may be written now, there are more than are read.
        steps = self.rack.levels[np.arange(max(written - SHORT_TERM_STEPS, 0), written) % STEPS]
        roles = {role: level_of(steps[:, bus]) for role, bus in list(self._roles.items())}
        effects = {name: level_of(steps[:, FX_ROW + place]) for name, place in list(self._fx.items())}
        return roles, effects, level_of(steps[:, OUT_ROW])

    @property
    def lufs(self) -> float:
        """Integrated loudness of all output so far."""
        self._read_meter()
        return integrated_lufs(np.asarray(self._mean_squares))

    def bus(self, role: str) -> int:
        """The role's bus; roles beyond the last bus share it."""
        return self._roles.setdefault(role, min(len(self._roles), BUSES - 1))

    def _row(self, placement: Placement) -> int:
        """A row for the effects of a placement, filled; -1 if it has none."""
        effects = placement.effects
        if effects is NO_EFFECTS or not self._free_rows:
            return -1
        row = self._rows[placement.id] = self._free_rows.pop()
        self._effects[placement.id] = effects
        rack = self.rack
        _fill(rack.filters_of[row], effects.filters, placement.start_frame)
        rack.sends_of[row] = self._sends(effects)
        key = -1 if effects.duck is None else self._keys.get(effects.duck.under, -1)
        rack.ducks_of[row] = key, _ducked(effects), 1.0
        return row

    def _sends(self, effects: PlacedEffects) -> NDArray[np.float64]:
        """How much is sent to each place of a bus, (FX_BUSES,)."""
        amounts = np.zeros(FX_BUSES)
        for send in effects.sends:
            amounts[self._fx[send.bus]] = send.amount
        return amounts

    def _set_bus(self, number: int, bus: PlacedBus) -> None:
        # Nothing is sent here yet, so the mixer does not touch what it finds silent.
        fx = self.rack.fx[number]
        fx["reverb_at"] = fx["delay_at"] = 0
        self.rack.fx_lines[number] = self.rack.fx_lows[number] = 0
        self.rack.fx_delays[number, :, : bus.delay_frames] = 0
        fx["used"], fx["quiet"], fx["rings"] = 1, NEVER, _rings(bus)
        fx["reverb"], fx["delay"] = bus.reverb_seconds > 0, bus.delay_frames
        self.rack.fx_levels[number] = _levels(bus)
        self.rack.fx_lows[number, GAINS] = self.rack.fx_lows[number, AIMS] = _line_gains(bus)
        _fill(self.rack.fx_filters[number], bus.filters, 0)

    def _command(self, kind: int, at: int, id: int) -> Any:
        command = np.zeros(1, COMMAND)[0]
        number = self._numbered
        self._numbered += 1
        command["number"], command["kind"], command["id"] = number, kind, id
        command["frame"] = self.late.get(number, at)
        return command

    def _send(self, command: Any) -> None:
        self._backlog.append(command)

    def _read_meter(self) -> None:
        written = int(self.master.control[0]["meter_blocks"])
        ring = self.master.meter
        self._mean_squares.extend(float(ring[i % len(ring)]) for i in range(self._meter_read, written))
        self._meter_read = written


def _fill(rows: NDArray[np.float64], filters: Sequence[PlacedFilter], start: int) -> None:
    """Write filters into their rows, (4, columns), with empty memories."""
    rows[:] = 0
    for row, filter in zip(rows, filters, strict=False):
        row[KIND], row[HZ], row[TO_HZ] = KINDS[filter.kind], filter.hz, filter.to_hz
        row[GLIDE], row[CURVE], row[FROM] = filter.frames, CURVES[filter.curve], start
        row[AIM_HZ], row[AIM_TO_HZ] = filter.hz, filter.to_hz


def _frequencies(filters: Sequence[PlacedFilter]) -> NDArray[np.float64]:
    """From where to where each filter goes, as a command has them, (2 * MOST_FILTERS,)."""
    numbers = np.zeros((MOST_FILTERS, 2))
    for row, filter in zip(numbers, filters, strict=False):
        row[:] = filter.hz, filter.to_hz
    return numbers.ravel()


def _ducked(effects: PlacedEffects) -> float:
    """The gain that is left of what is ducked."""
    return 1.0 if effects.duck is None else 10 ** (-effects.duck.depth_db / 20)


def _levels(bus: PlacedBus) -> tuple[float, ...]:
    """In the order of REVERB_MIX to BUS_GAIN."""
    return bus.reverb_mix, bus.feedback, bus.delay_mix, bus.mix, 10 ** (bus.gain_db / 20)


def _line_gains(bus: PlacedBus) -> NDArray[np.float64]:
    """What is left of a reverb's lines after a round, (LINES,); nothing without a reverb."""
    if not bus.reverb_seconds:
        return np.zeros(LINES)
    return np.asarray(10 ** (-3 * LINE_FRAMES / (ENGINE_RATE * bus.reverb_seconds)))


def _rings(bus: PlacedBus) -> int:
    """To -60 dB, and as long again: nothing is left of it then that could come back."""
    return 2 * bus.tail_frames + ENGINE_RATE


def pan_gains(pan: float, channels: int) -> tuple[float, float]:
    """Left and right gain of a pan of -1 to 1 by equal power.

    A stereo sound in the middle is left as it is (0 dB); a mono one plays at -3 dB on each side, so that
    both have the loudness that was measured of them.
    """
    angle = (pan + 1) * math.pi / 4
    scale = 1.0 if channels == 1 else math.sqrt(2)
    return scale * math.cos(angle), scale * math.sin(angle)
