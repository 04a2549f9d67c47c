"""Which bus of effects is at which place of the rack: a script that takes over may bring others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...script.effects import filter
from ...script.effects.chain import BUS_EFFECTS, PARAMETERS
from ...vault.records import ENGINE_RATE
from ..effects import PlacedBus
from ..errors import SwapRefused
from .commands import bus_moves, levels, rings
from .effects import FX_BUSES
from .rack import NEVER, Rack

LONGEST_SOUND_FRAMES = 120 * ENGINE_RATE
"""For how long what was placed under one script may go on under the next, and send to its buses."""


class BusPlaces:
    """The buses of effects of one rack, and the places that are free for others."""

    def __init__(self, rack: Rack, longest: int) -> None:
        """`longest`: how many frames an effect may have, such as those between the repeats of a delay."""
        self._rack, self._longest = rack, longest
        self.by_name: dict[str, int] = {}
        """The place of each bus that something may be sent to."""
        self._buses: dict[int, PlacedBus] = {}
        """What is at each place, also where nothing is sent to any more."""
        self._free_at: dict[int, int] = {}
        """Of places to which nothing is sent any more: the frame from which they may be used again."""
        self.tail_frames = 0
        """How long the effects ring after the last sound."""

    def expect(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Raise SwapRefused if there will be no place for these buses."""
        for effect in BUS_EFFECTS:
            longer = [
                bus for bus in buses if effect.on(bus.numbers) and effect.frames(bus.numbers) > self._longest
            ]
            if longer:
                raise SwapRefused(
                    f'the {effect.word} of the bus "{longer[0].name}" is longer than '
                    f"{self._longest / ENGINE_RATE:g} s: the old script plays on"
                )
        fresh = [bus for bus in buses if self._kept(bus, self.by_name) is None]
        if len(fresh) > len(self._free(at)):
            raise SwapRefused(
                f"there are {FX_BUSES} places for buses of effects, and those of the scripts before still "
                "ring: the old script plays on; try again in a while"
            )

    def take(self, buses: Sequence[PlacedBus], at: int) -> None:
        """Have these buses and no others for what is placed from here on, decided at the frame `at`.

        One that is as it was rings on as it is; what others still hold rings out.
        """
        free, before = self._free(at), self.by_name
        self.by_name = {}
        for bus in buses:
            place = self._kept(bus, before)
            if place is None:
                place = free.pop(0)
                self._fill(place, bus)
                self._buses[place] = bus
            self._free_at.pop(place, None)
            self.by_name[bus.name] = place
            self.tail_frames = max(self.tail_frames, bus.tail_frames)
        for place in set(before.values()) - set(self.by_name.values()):
            self._free_at[place] = at + LONGEST_SOUND_FRAMES + int(self._rack.fx[place]["rings"])

    def moved(self, bus: PlacedBus) -> tuple[int, PlacedBus] | None:
        """The place of a bus and the numbers that it moves to, if they are other than they were."""
        place = self.by_name[bus.name]
        before = self._buses[place].numbers
        stay = {name: number for name, number in before.items() if not PARAMETERS[name].moves}
        bus = replace(bus, numbers={**bus.numbers, **stay})
        if bus == self._buses[place]:
            return None
        self._buses[place] = bus
        self.tail_frames = max(self.tail_frames, bus.tail_frames)
        return place, bus

    def _kept(self, bus: PlacedBus, among: Mapping[str, int]) -> int | None:
        """Where the very same bus is already."""
        place = among.get(bus.name)
        return place if place is not None and self._buses[place] == bus else None

    def _free(self, at: int) -> list[int]:
        rung_out = sorted(place for place, frame in self._free_at.items() if frame <= at)
        return [*(place for place in range(FX_BUSES) if place not in self._buses), *rung_out]

    def _fill(self, place: int, bus: PlacedBus) -> None:
        # Nothing is sent here yet, so the mixer does not touch what it finds silent.
        rack = self._rack
        for effect, state in zip(BUS_EFFECTS, rack.fx_states[place], strict=True):
            state["on"], state["at"] = effect.on(bus.numbers), 0
            if state["on"]:
                state["frames"] = effect.frames(bus.numbers)
                first = state["first"]
                rack.fx_memory[place, first : first + effect.memory(int(state["frames"]))] = 0
        rack.fx[place] = 1, NEVER, rings(bus)
        rack.fx_levels[place] = levels(bus)[:, None]
        rack.fx_glides[place] = bus_moves(bus)
        filter.fill(rack.fx_filters[place], bus.filters, 0)
