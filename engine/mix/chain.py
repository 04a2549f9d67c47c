"""The whole chain in one compiled function: what a device's callback, `read` and `render` all call.

A quantum of 64 frames is made in this order: take the commands that are due, give voices to what begins, mix,
master, report what ended. Everything that changes the sound happens here, at frames divisible by 64, so the
sound depends on the commands and their frames and on nothing that the host does.
"""

from __future__ import annotations

import numpy as np
from numba import carray, types

from ...script.effects import duck
from ..clock import QUANTUM
from ..compiled import kept_callback
from ..fades import LINEAR_FADE_FRAMES, sooner
from ..plan import MOST_SOUNDING
from . import rack as racks
from .effects import (
    FX_BUSES,
    LEVELS,
    add_memories,
    aim_filters,
    bus_quantum,
    forget_onsets,
    go_on_filters,
    set_glides,
)
from .kernel import longest_span, mix_span
from .machine import fence, flush_to_zero, inlined, inner, load_acquire, pointer, set_mode, store_release
from .master import aim_at, master_quantum
from .meters import end_step, meter_buses, meter_quantum

_sooner = inner(sooner)
_int64, _float32 = np.dtype(np.int64), np.dtype(np.float32)


@inlined
def make_span(rack, quanta):
    """Make the next `quanta` at most in `rack.span`; what comes out is older by the master's latency.

    Gives how many frames that are: a whole number of quanta, one at least. The sound does not depend on how
    it is cut into spans.
    """
    frame = rack.status[racks.FRAME]
    desk = racks.Desk(rack.status, rack.waiting, rack.voices, rack.buses, rack.commands, rack.reports)
    _take_commands(rack, desk, frame)
    if rack.status[racks.NEXT_START] < frame + QUANTUM:
        _begin(rack, desk, frame)
    if quanta > 1:
        quanta = longest_span(frame, _undisturbed(desk, frame, quanta), rack.voices, rack.buses)
    of_voices = rack.filters_of, rack.sends_of, rack.ducks_of, rack.moves_of, rack.moving_of, rack.via_of
    keys = rack.keys, rack.onsets, rack.onset_counts
    effects = (*of_voices, *keys, rack.fx_levels, rack.voice, rack.fx_sent)
    metered = load_acquire(rack.status, racks.METERED) != 0
    scratch = rack.accumulator, rack.envelope, rack.ramps
    done, used = mix_span(frame, quanta, rack.voices, rack.buses, scratch, effects, rack.span)
    for q in range(quanta):
        at = q * QUANTUM
        if metered:
            meter_buses(rack, used, at)
        for c in range(2):
            for i in range(QUANTUM):
                rack.block[c, i] = rack.span[c, at + i]
        _finish(rack, frame + at, metered)
        for c in range(2):
            for i in range(QUANTUM):
                rack.span[c, at + i] = rack.block[c, i]
    for _ in range(done):
        _report_ended(rack, desk)
    store_release(rack.status, racks.FRAME, frame + quanta * QUANTUM)
    return quanta * QUANTUM


@inner
def _undisturbed(desk, frame, quanta):
    """How many quanta, of so many, there are before the one in which a command is due or a voice begins."""
    status = desk.status
    quanta = min(quanta, max((status[racks.NEXT_START] - frame) // QUANTUM, 1))
    read = status[racks.COMMANDS_READ]
    if read < load_acquire(status, racks.COMMANDS_WRITTEN):
        due = desk.commands[read % racks.COMMANDS].frame - frame
        quanta = min(quanta, max((due + QUANTUM - 1) // QUANTUM, 1))
    return quanta


@inlined
def _finish(rack, frame, metered):
    """Bring the quantum in `rack.block` through the effect buses and the master; take their levels, if so."""
    for b in range(rack.fx.shape[0]):
        if rack.fx[b].used != 0:
            own = (
                rack.fx_states[b],
                rack.fx_levels[b],
                rack.fx_memory[b],
                rack.fx_filters[b],
                rack.fx_sent[b],
                rack.fx_glides[b],
            )
            bus_quantum(frame, rack.fx[b], own, rack.voice, rack.block)
            if metered and rack.fx[b].quiet <= rack.fx[b].rings:
                row = racks.FX_ROW + b
                meter_quantum(rack.level_filters[row], rack.level_now[row], rack.voice)
    limiter = rack.delay, rack.reduction, rack.reduced
    kept = rack.control, rack.high_pass, rack.filters, rack.history, *limiter, rack.meter
    master_quantum(frame, rack.block, kept, rack.peaks)
    if metered:
        meter_quantum(rack.level_filters[racks.OUT_ROW], rack.level_now[racks.OUT_ROW], rack.block)
        end_step(rack)


@inner
def _take_commands(rack, desk, frame):
    """Carry out every command whose frame has come, in order; one that came late is reported."""
    status = desk.status
    read = status[racks.COMMANDS_READ]
    written = load_acquire(status, racks.COMMANDS_WRITTEN)
    if read == written:
        return
    status[racks.COMMAND_HIGH_WATER] = max(status[racks.COMMAND_HIGH_WATER], written - read)
    while read < written:
        command = desk.commands[read % racks.COMMANDS]
        if command.frame > frame:
            break
        late = command.frame < frame
        if command.kind == racks.PLACE:
            if status[racks.WAITS] == racks.WAITING:
                break
            late = command.voice.start < frame
            _wait(desk, command.voice, frame)
        elif command.kind == racks.STOP:
            # In time is whatever comes before the fade.
            late = late and command.end - command.fade < frame
            _stop(rack, desk, command, frame)
        elif command.kind == racks.GAIN:
            for v in range(desk.voices.shape[0]):
                _set_gain(desk.voices[v], command)
            for w in range(status[racks.WAITS]):
                _set_gain(desk.waiting[w], command)
        elif command.kind == racks.FADER:
            bus = desk.buses[command.bus]
            bus.target = command.fader
            bus.step = command.fader_step
        elif command.kind == racks.MASTER:
            aim_at(rack.control[0], command.gain, command.ceiling, command.ride_to)
        elif command.kind == racks.SET_EFFECTS:
            for v in range(desk.voices.shape[0]):
                voice = desk.voices[v]
                if voice.phase == racks.PLAYING and voice.id == command.id and voice.effects >= 0:
                    _set_effects(rack, voice.effects, command, False)
            for w in range(status[racks.WAITS]):
                if desk.waiting[w].id == command.id and desk.waiting[w].effects >= 0:
                    _set_effects(rack, desk.waiting[w].effects, command, True)
        elif command.kind == racks.SET_BUS:
            _set_bus_effects(rack, command)
        elif command.kind == racks.PRESS:
            count = rack.onset_counts[command.place]
            if count < racks.ONSETS:
                rack.onsets[command.place, count] = command.onset
                rack.onset_counts[command.place] = count + 1
        if late:
            status[racks.CAME_LATE] += 1
            racks.report(desk, racks.LATE, command.number, frame, 0, 0)
        read += 1
    store_release(status, racks.COMMANDS_READ, read)


@inner
def _fade_in(voice):
    """Have a voice that begins inside its sound fade in."""
    voice.fade_in = LINEAR_FADE_FRAMES
    voice.fade_in_power = 0
    voice.faded = 0
    voice.continues = -1


@inner
def _wait(desk, voice, frame):
    """Let a placement wait for its start. One that came late begins now, inside its sound, by a fade."""
    if voice.start < frame:
        missed = frame - voice.start
        voice.position += missed
        if voice.position >= voice.frames and voice.loop_start >= 0:
            length = voice.frames - voice.loop_start
            voice.position = voice.loop_start + (voice.position - voice.frames) % length
        if voice.end <= frame or voice.position >= voice.frames:
            racks.report(desk, racks.ENDED, voice.id, voice.start, voice.end, 0)
            return
        voice.start = frame
        _fade_in(voice)
    status = desk.status
    desk.waiting[status[racks.WAITS]] = voice
    status[racks.WAITS] += 1
    status[racks.NEXT_START] = min(status[racks.NEXT_START], voice.start)


@inner
def _stop(rack, desk, command, frame):
    """End a placement early. One that has not begun is taken back if it would fade before its start."""
    for w in range(desk.status[racks.WAITS]):
        waiting = desk.waiting[w]
        if waiting.id == command.id:
            _silence(rack, waiting, command)
            if command.end - command.fade <= waiting.start:
                racks.report(desk, racks.ENDED, waiting.id, waiting.start, waiting.start, 0)
                _forget(desk, w)
            elif command.end <= waiting.end:
                waiting.end = command.end
                waiting.fade_out = command.fade
                waiting.fade_out_power = command.fade_power
            return
    for v in range(desk.voices.shape[0]):
        voice = desk.voices[v]
        if voice.phase == racks.PLAYING and voice.id == command.id:
            _silence(rack, voice, command)
            if voice.fade_out == 0 and voice.loop_start >= 0 and command.fade > 0:
                # Another was to go on from it, and is stopped as well: so it fades by itself.
                voice.end = max(voice.end, max(command.end, frame + command.fade))
            _leave(voice, frame, command.end, command.fade, command.fade_power)
            return


@inner
def _silence(rack, voice, command):
    """Have nobody duck under what a placement would have sounded after its end."""
    if voice.part >= 0:
        forget_onsets(rack.onsets, rack.onset_counts, voice.part, voice.id, command.end - command.fade)


@inner
def _leave(voice, frame, end, fade, power):
    """Fade a voice out by `end`. A fade that should have begun begins now, and the end moves with it.

    `Stage.stop` keeps the same in its books.
    """
    end = max(end, frame + fade)
    if voice.end - frame < voice.fade_out:
        power = voice.fade_out_power
        end, fade = _sooner(frame, end, voice.end, voice.fade_out, power)
        if end == voice.end:
            return
    if end <= voice.end:
        voice.end = end
        voice.fade_out = fade
        voice.fade_out_power = power


@inner
def _set_gain(voice, command):
    if voice.phase == racks.PLAYING and voice.id == command.id:
        voice.gain_target = command.gain
        voice.left_target = command.left
        voice.right_target = command.right


@inner
def _set_effects(rack, row, command, at_once):
    """Have the effects of one placement move to other numbers, or be there if it has not begun."""
    aim_filters(rack.filters_of[row], command.frequencies, at_once)
    for b in range(FX_BUSES):
        rack.sends_of[row, 1, b] = np.float32(command.sends[b])
        if at_once:
            rack.sends_of[row, 0, b] = rack.sends_of[row, 1, b]
    rack.ducks_of[row, duck.DEPTH_DB] = np.float32(command.ducked[0])
    rack.ducks_of[row, duck.DECAY] = np.float32(command.ducked[1])
    set_glides(rack.moves_of[row], rack.moving_of[row], command.glides, rack.filters_of[row])


@inner
def _set_bus_effects(rack, command):
    """Have the effects of one bus move to other numbers."""
    b = command.place
    aim_filters(rack.fx_filters[b], command.frequencies, False)
    for which in range(LEVELS):
        move = rack.fx_glides[b, which]
        move.value, move.to = command.levels[which], command.levels_to[which]
        if move.frames == 0:
            rack.fx_levels[b, which, 1] = np.float32(command.levels[which])
    rack.fx[b].rings = max(rack.fx[b].rings, command.rings)


@inner
def _forget(desk, w):
    """Take one out of those that wait; the order among them means nothing."""
    status = desk.status
    status[racks.WAITS] -= 1
    if w != status[racks.WAITS]:
        desk.waiting[w] = desk.waiting[status[racks.WAITS]]
    desk.waiting[status[racks.WAITS]].phase = racks.FREE
    status[racks.NEXT_START] = racks.NEVER
    for each in range(status[racks.WAITS]):
        status[racks.NEXT_START] = min(status[racks.NEXT_START], desk.waiting[each].start)


@inner
def _begin(rack, desk, frame):
    """Give a voice to everything that begins in this quantum, in order of start, then id."""
    status = desk.status
    while status[racks.NEXT_START] < frame + QUANTUM:
        first = 0
        for w in range(1, status[racks.WAITS]):
            a, b = desk.waiting[w], desk.waiting[first]
            if a.start < b.start or (a.start == b.start and a.id < b.id):
                first = w
        before = _before(desk, desk.waiting[first])
        if before >= 0:
            desk.voices[before].leaving = 1
        slot = _free_voice(desk, frame)
        if slot >= 0:
            if before >= 0:
                _hand_over(rack, desk.voices[before], desk.waiting[first], False)
            elif desk.waiting[first].continues >= 0:
                _fade_in(desk.waiting[first])
            # A process that dies in the middle of it leaves a voice that nobody has.
            desk.waiting[first].phase = racks.FREE
            desk.voices[slot] = desk.waiting[first]
            fence()
            desk.voices[slot].phase = racks.PLAYING
        else:
            waiting = desk.waiting[first]
            racks.report(desk, racks.ENDED, waiting.id, waiting.start, waiting.start, 0)
        _forget(desk, first)


@inner
def _before(desk, voice):
    """The voice that sounds and from which this one goes on, -1 if there is none."""
    if voice.continues >= 0:
        for v in range(desk.voices.shape[0]):
            if desk.voices[v].phase == racks.PLAYING and desk.voices[v].id == voice.continues:
                return v
    return -1


@inner
def _hand_over(rack, old, new, whole):
    """Have a voice go on with the gains and the effects of the one before it.

    `whole`: whether that has ended. Else both sound in this quantum, one after the other, and each through
    filters of its own; as these are linear, the memories of the old one are added when it has ended.
    """
    new.gain, new.left, new.right = old.gain, old.left, old.right
    if old.effects < 0 or new.effects < 0:
        return
    go_on_filters(rack.filters_of[old.effects], rack.filters_of[new.effects])
    for column in (duck.REACHED, duck.GAIN):
        rack.ducks_of[new.effects, column] = rack.ducks_of[old.effects, column]
    for b in range(FX_BUSES):
        rack.sends_of[new.effects, 0, b] = rack.sends_of[old.effects, 0, b]
    if whole:
        add_memories(rack.filters_of[old.effects], rack.filters_of[new.effects])


@inner
def _end_handing_over(rack, desk, voice):
    """Hand on what a voice that has ended leaves to the one that goes on from it, if there is one."""
    for w in range(desk.status[racks.WAITS]):
        if desk.waiting[w].continues == voice.id:
            _hand_over(rack, voice, desk.waiting[w], True)
            desk.waiting[w].continues = -1
    for v in range(desk.voices.shape[0]):
        new = desk.voices[v]
        if new.phase == racks.PLAYING and new.continues == voice.id:
            new.continues = -1
            if voice.effects >= 0 and new.effects >= 0:
                add_memories(rack.filters_of[voice.effects], rack.filters_of[new.effects])


@inner
def _free_voice(desk, frame):
    """A free voice, or -1. Where 256 sound already the oldest hit goes, or else the oldest of all."""
    free, sounding, oldest = -1, 0, -1
    voices = desk.voices
    for v in range(voices.shape[0]):
        voice = voices[v]
        if voice.phase != racks.PLAYING:
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
        desk.status[racks.CROWDED] += 1
    if free < 0:
        desk.status[racks.CROWDED] += 1
    return free


@inner
def _report_ended(rack, desk):
    """Report and free the voice that ended first, of equal ends the first."""
    first = -1
    for v in range(desk.voices.shape[0]):
        voice = desk.voices[v]
        if voice.phase == racks.DONE and (first < 0 or voice.end < desk.voices[first].end):
            first = v
    voice = desk.voices[first]
    if voice.fade_out == 0 and voice.loop_start >= 0:
        _end_handing_over(rack, desk, voice)
    racks.report(desk, racks.ENDED, voice.id, voice.start, voice.end, voice.heard)
    voice.phase = racks.FREE


@kept_callback(types.int64(types.int64, types.int64, types.int64))
def chain(addresses, into, quanta):
    """Make quanta from the mixer's frame on; gives how many frames were made.

    `addresses`: the address of the rack's addresses. `into`: the address of float32 (2, frames) for that many
    quanta; or 0, then one span is made, of so many quanta at most, and left in the rack.
    """
    word = flush_to_zero()
    rack = racks.rack_at(carray(pointer(addresses), racks.RACK_ADDRESSES, _int64), 0)
    if into == 0:
        made = make_span(rack, quanta)
    else:
        frames = quanta * QUANTUM
        out = carray(pointer(into), (2, frames), _float32)
        made = 0
        while made < frames:
            count = make_span(rack, min((frames - made) // QUANTUM, racks.SPAN_QUANTA))
            for c in range(2):
                for i in range(count):
                    out[c, made + i] = rack.span[c, i]
            made += count
    set_mode(word)
    return made
