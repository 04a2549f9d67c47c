"""The mixer: owns the voices, buses and master, and advances them by whole quanta in compiled code."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .chain import advance
from .clock import QUANTUM
from .fades import LINEAR_FADE_FRAMES
from .kernel import BUS, BUSES, DONE, FREE, PLAYING, VOICE, VOICES
from .master import Master, integrated_lufs
from .plan import MOST_SOUNDING, Fade, Placement


@dataclass(frozen=True, slots=True)
class Heard:
    """A placement that ended: how many of its frames were in play, and its last frame (exclusive)."""

    id: int
    frames: int
    end_frame: int


class Mixer:
    """Voices, buses and master of one session. Not safe to share between threads.

    `frame` is the absolute frame that is mixed next; what `advance` returns lies `LATENCY_FRAMES` earlier.
    """

    def __init__(self, loudness_lufs: float, ceiling_dbtp: float) -> None:
        self.frame = 0
        self.master = Master(loudness_lufs, ceiling_dbtp)
        self._voices = np.zeros(VOICES, VOICE)
        self._buses = np.ones(BUSES, BUS)
        self._accumulator = np.zeros((BUSES, 2, QUANTUM), np.float32)
        self._envelope = np.zeros(QUANTUM, np.float32)
        self._peaks = np.zeros(QUANTUM, np.float32)
        self._block = np.zeros((2, QUANTUM), np.float32)
        self._sounds: dict[int, NDArray[np.float32]] = {}
        """The samples of each voice that is in use: the kernel holds only their address."""
        self._slots: dict[int, int] = {}
        self._roles: dict[str, int] = {}
        self._leaving: set[int] = set()
        """Ids of what had to go and still fades."""
        self.crowded = 0
        """How many sounds had to go because 256 sounded already."""
        self._meter_read = 0
        self._mean_squares: list[float] = []

    def place(self, placement: Placement, sound: NDArray[np.float32]) -> bool:
        """Give a placement a voice; `sound` is float32 (1 or 2, frames), C-contiguous.

        Where 256 sound already the oldest hit goes, by a short fade, and `crowded` counts it. False when all
        the voices that are kept for such fades are taken as well: the placement will not sound.
        """
        assert sound.dtype == np.float32
        assert sound.ndim == 2
        assert sound.flags.c_contiguous
        if len(self._slots) - len(self._leaving) >= MOST_SOUNDING:
            self._make_room()
        free = np.flatnonzero(self._voices["phase"] == FREE)
        if not len(free):
            return False
        slot = int(free[0])
        voice = self._voices[slot]
        left, right = pan_gains(placement.pan, sound.shape[0])
        voice["id"] = placement.id
        voice["address"] = sound.ctypes.data
        voice["channels"], voice["frames"] = sound.shape
        voice["loop_start"] = -1 if placement.variant.loop_start is None else placement.variant.loop_start
        voice["position"] = placement.offset_frames
        voice["start"], voice["end"] = placement.start_frame, placement.end_frame
        voice["fade_in"], voice["fade_in_power"] = placement.fade_in.frames, placement.fade_in.equal_power
        voice["fade_out"], voice["fade_out_power"] = placement.fade_out.frames, placement.fade_out.equal_power
        voice["bus"] = self._bus(placement.role)
        voice["heard"] = 0
        voice["level"] = 10 ** (placement.level_db / 20)
        voice["gain"] = voice["gain_target"] = 10 ** (placement.gain_db / 20)
        voice["left"] = voice["left_target"] = left
        voice["right"] = voice["right_target"] = right
        voice["phase"] = PLAYING
        self._sounds[slot] = sound
        self._slots[placement.id] = slot
        return True

    def stop(self, id: int, end_frame: int, fade: Fade) -> None:
        """End a sounding or scheduled placement at `end_frame`, its fade included.

        A fade that should have begun already begins now, and the end moves with it, so that no gain jumps.
        """
        slot = self._slots.get(id)
        if slot is None:
            return
        voice = self._voices[slot]
        end = max(end_frame, self.frame + fade.frames)
        if end < voice["end"]:
            voice["end"] = end
            voice["fade_out"], voice["fade_out_power"] = fade.frames, fade.equal_power

    def set_gain(self, id: int, gain_db: float, pan: float) -> None:
        """Move a sounding placement's script gain and pan, by a ramp that begins with the next quantum."""
        slot = self._slots.get(id)
        if slot is None:
            return
        voice = self._voices[slot]
        voice["gain_target"] = 10 ** (gain_db / 20)
        voice["left_target"], voice["right_target"] = pan_gains(pan, int(voice["channels"]))

    def advance(self, quanta: int) -> NDArray[np.float32]:
        """The next `quanta` x 64 frames, float32 (2, frames)."""
        out = np.empty((2, quanta * QUANTUM), np.float32)
        master = self.master
        advance(
            self.frame,
            self._voices,
            self._buses,
            self._accumulator,
            self._envelope,
            master.control,
            master.filters,
            master.history,
            master.delay,
            master.reduction,
            master.meter,
            self._peaks,
            self._block,
            out,
        )
        self.frame += out.shape[1]
        self._read_meter()
        return out

    def finished(self) -> list[Heard]:
        """What ended since the last call, in order of end frame, then voice; the voices are freed."""
        slots = np.flatnonzero(self._voices["phase"] == DONE)
        ended = sorted(slots, key=lambda slot: (int(self._voices[slot]["end"]), int(slot)))
        return [self._release(int(slot)) for slot in ended]

    def close(self) -> list[Heard]:
        """Let go of every voice, as heard so far: those that ended, those cut, not those that never began."""
        begun = [
            int(slot)
            for slot in np.flatnonzero(self._voices["phase"] != FREE)
            if self._voices[int(slot)]["start"] < self.frame
        ]
        for slot in begun:
            self._voices[slot]["end"] = min(int(self._voices[slot]["end"]), self.frame)
        begun.sort(key=lambda slot: (int(self._voices[slot]["end"]), slot))
        result = [self._release(slot) for slot in begun]
        for slot in list(self._sounds):
            self._release(slot)
        return result

    @property
    def sounding(self) -> int:
        """How many placements sound or are scheduled."""
        return len(self._slots)

    @property
    def lufs(self) -> float:
        """Integrated loudness of all output so far."""
        return integrated_lufs(np.asarray(self._mean_squares))

    def _release(self, slot: int) -> Heard:
        voice = self._voices[slot]
        heard = Heard(int(voice["id"]), int(voice["heard"]), int(voice["end"]))
        voice["phase"] = FREE
        del self._sounds[slot]
        del self._slots[heard.id]
        self._leaving.discard(heard.id)
        return heard

    def _make_room(self) -> None:
        """Fade out the oldest sound that is not repeated, or the oldest of all, that is not leaving yet."""
        oldest = min(
            (slot for id, slot in self._slots.items() if id not in self._leaving),
            key=lambda slot: (int(self._voices[slot]["loop_start"]) >= 0, int(self._voices[slot]["start"])),
        )
        id = int(self._voices[oldest]["id"])
        self._leaving.add(id)
        self.crowded += 1
        self.stop(id, self.frame, Fade(LINEAR_FADE_FRAMES))

    def _bus(self, role: str) -> int:
        """The role's bus; roles beyond the last bus share it."""
        return self._roles.setdefault(role, min(len(self._roles), BUSES - 1))

    def _read_meter(self) -> None:
        written = int(self.master.control[0]["meter_blocks"])
        ring = self.master.meter
        self._mean_squares += [float(ring[i % len(ring)]) for i in range(self._meter_read, written)]
        self._meter_read = written


def pan_gains(pan: float, channels: int) -> tuple[float, float]:
    """Left and right gain of a pan of -1 to 1 by equal power.

    A stereo sound in the middle is left as it is (0 dB); a mono one plays at -3 dB on each side, so that
    both have the loudness that was measured of them.
    """
    angle = (pan + 1) * math.pi / 4
    scale = 1.0 if channels == 1 else math.sqrt(2)
    return scale * math.cos(angle), scale * math.sin(angle)
