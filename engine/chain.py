"""The whole chain in one compiled function: what a device's callback, `read` and `render` all call.

A quantum of 64 frames is made in this order: take the commands that are due, give voices to what begins, mix,
master, report what ended. Everything that changes the sound happens here, at frames divisible by 64, so the
sound depends on the commands and their frames and on nothing that the host does.
"""

from __future__ import annotations

from numba import njit

from .clock import QUANTUM
from .effects_kernel import bus_quantum
from .fades import LINEAR_FADE_FRAMES
from .kernel import mix_quantum
from .machine import flush_to_zero, load_acquire, restore, store_release
from .master import master_quantum
from .plan import MOST_SOUNDING
from .rack import (
    CAME_LATE,
    COMMAND_HIGH_WATER,
    COMMANDS,
    COMMANDS_READ,
    COMMANDS_WRITTEN,
    CROWDED,
    DONE,
    ENDED,
    FADER,
    FRAME,
    FREE,
    GAIN,
    LATE,
    NEVER,
    NEXT_START,
    PLACE,
    PLAYING,
    STOP,
    WAITING,
    WAITS,
    report,
)


@njit(nogil=True, cache=True)
def advance(rack, out):
    """Make `out.shape[1] / 64` quanta from the mixer's frame on, into `out`, float32 (2, frames)."""
    word = flush_to_zero()
    for first in range(0, out.shape[1], QUANTUM):
        make_quantum(rack)
        out[:, first : first + QUANTUM] = rack.block
    restore(word)


@njit(nogil=True, cache=True)
def make_quantum(rack):
    """Make the next quantum in `rack.block`; what comes out is older by the master's latency."""
    frame = rack.status[FRAME]
    _take_commands(rack, frame)
    if rack.status[NEXT_START] < frame + QUANTUM:
        _begin(rack, frame)
    effects = (rack.filters_of, rack.sends_of, rack.ducks_of, rack.keys, rack.voice, rack.fx_sent)
    done = mix_quantum(frame, rack.voices, rack.buses, rack.accumulator, rack.envelope, effects, rack.block)
    for b in range(rack.fx.shape[0]):
        if rack.fx[b].used != 0:
            bus_quantum(
                frame,
                rack.fx[b],
                rack.fx_filters[b],
                rack.fx_lines[b],
                rack.fx_lows[b],
                rack.fx_delays[b],
                rack.fx_sent[b],
                rack.voice,
                rack.block,
            )
    for _ in range(done):
        _report_ended(rack)
    master_quantum(
        frame,
        rack.block,
        rack.control,
        rack.filters,
        rack.history,
        rack.delay,
        rack.reduction,
        rack.meter,
        rack.peaks,
    )
    store_release(rack.status, FRAME, frame + QUANTUM)


@njit(nogil=True, cache=True)
def _take_commands(rack, frame):
    """Carry out every command whose frame has come, in order; one that came late is reported."""
    status = rack.status
    read = status[COMMANDS_READ]
    written = load_acquire(status, COMMANDS_WRITTEN)
    if read == written:
        return
    status[COMMAND_HIGH_WATER] = max(status[COMMAND_HIGH_WATER], written - read)
    while read < written:
        command = rack.commands[read % COMMANDS]
        if command.frame > frame:
            break
        late = command.frame < frame
        if command.kind == PLACE:
            if status[WAITS] == WAITING:
                break
            late = command.voice.start < frame
            _wait(rack, command.voice, frame)
        elif command.kind == STOP:
            # In time is whatever comes before the fade.
            late = late and command.end - command.fade < frame
            _stop(rack, command, frame)
        elif command.kind == GAIN:
            for v in range(rack.voices.shape[0]):
                _set_gain(rack.voices[v], command)
            for w in range(status[WAITS]):
                _set_gain(rack.waiting[w], command)
        elif command.kind == FADER:
            bus = rack.buses[command.id]
            bus.target = command.gain
            bus.step = command.step
        if late:
            status[CAME_LATE] += 1
            report(rack, LATE, command.number, frame, 0, 0)
        read += 1
    store_release(status, COMMANDS_READ, read)


@njit(nogil=True, cache=True)
def _wait(rack, voice, frame):
    """Let a placement wait for its start. One that came late begins now, inside its sound, by a fade."""
    if voice.start < frame:
        missed = frame - voice.start
        voice.position += missed
        if voice.position >= voice.frames and voice.loop_start >= 0:
            length = voice.frames - voice.loop_start
            voice.position = voice.loop_start + (voice.position - voice.frames) % length
        if voice.end <= frame or voice.position >= voice.frames:
            report(rack, ENDED, voice.id, voice.start, voice.end, 0)
            return
        voice.start = frame
        voice.fade_in = LINEAR_FADE_FRAMES
        voice.fade_in_power = 0
    status = rack.status
    rack.waiting[status[WAITS]] = voice
    status[WAITS] += 1
    status[NEXT_START] = min(status[NEXT_START], voice.start)


@njit(nogil=True, cache=True)
def _stop(rack, command, frame):
    """End a placement early. One that has not begun is taken back if it would fade before its start."""
    for w in range(rack.status[WAITS]):
        waiting = rack.waiting[w]
        if waiting.id == command.id:
            if command.end - command.fade <= waiting.start:
                report(rack, ENDED, waiting.id, waiting.start, waiting.start, 0)
                _forget(rack, w)
            elif command.end < waiting.end:
                waiting.end = command.end
                waiting.fade_out = command.fade
                waiting.fade_out_power = command.fade_power
            return
    for v in range(rack.voices.shape[0]):
        voice = rack.voices[v]
        if voice.phase == PLAYING and voice.id == command.id:
            _leave(voice, frame, command.end, command.fade, command.fade_power)
            return


@njit(nogil=True, cache=True)
def _leave(voice, frame, end, fade, power):
    """Fade a voice out by `end`. A fade that should have begun begins now, and the end moves with it."""
    end = max(end, frame + fade)
    if end < voice.end:
        voice.end = end
        voice.fade_out = fade
        voice.fade_out_power = power


@njit(nogil=True, cache=True)
def _set_gain(voice, command):
    if voice.phase == PLAYING and voice.id == command.id:
        voice.gain_target = command.gain
        voice.left_target = command.left
        voice.right_target = command.right


@njit(nogil=True, cache=True)
def _forget(rack, w):
    """Take one out of those that wait; the order among them means nothing."""
    status = rack.status
    status[WAITS] -= 1
    if w != status[WAITS]:
        rack.waiting[w] = rack.waiting[status[WAITS]]
    rack.waiting[status[WAITS]].phase = FREE
    status[NEXT_START] = NEVER
    for each in range(status[WAITS]):
        status[NEXT_START] = min(status[NEXT_START], rack.waiting[each].start)


@njit(nogil=True, cache=True)
def _begin(rack, frame):
    """Give a voice to everything that begins in this quantum, in order of start, then id."""
    status = rack.status
    while status[NEXT_START] < frame + QUANTUM:
        first = 0
        for w in range(1, status[WAITS]):
            a, b = rack.waiting[w], rack.waiting[first]
            if a.start < b.start or (a.start == b.start and a.id < b.id):
                first = w
        slot = _free_voice(rack, frame)
        if slot >= 0:
            rack.voices[slot] = rack.waiting[first]
        else:
            waiting = rack.waiting[first]
            report(rack, ENDED, waiting.id, waiting.start, waiting.start, 0)
        _forget(rack, first)


@njit(nogil=True, cache=True)
def _free_voice(rack, frame):
    """A free voice, or -1. Where 256 sound already the oldest hit goes, or else the oldest of all."""
    free, sounding, oldest = -1, 0, -1
    voices = rack.voices
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase != PLAYING:
            if free < 0:
                free = v
        elif voice.leaving == 0:
            sounding += 1
            if oldest < 0:
                oldest = v
                continue
            repeats, kept = voice.loop_start >= 0, voices[oldest].loop_start >= 0
            if repeats < kept or (repeats == kept and voice.start < voices[oldest].start):
                oldest = v
    if sounding >= MOST_SOUNDING:
        voices[oldest].leaving = 1
        _leave(voices[oldest], frame, frame, LINEAR_FADE_FRAMES, 0)
        rack.status[CROWDED] += 1
    if free < 0:
        rack.status[CROWDED] += 1
    return free


@njit(nogil=True, cache=True)
def _report_ended(rack):
    """Report and free the voice that ended first, of equal ends the first."""
    first = -1
    for v in range(rack.voices.shape[0]):
        voice = rack.voices[v]
        if voice.phase == DONE and (first < 0 or voice.end < rack.voices[first].end):
            first = v
    voice = rack.voices[first]
    report(rack, ENDED, voice.id, voice.start, voice.end, voice.heard)
    voice.phase = FREE
