"""The list of the demo's stems: who made each, what is declared of it, and the function that plays it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..declared import Declared
from . import beats, hits, keys, low, melodies, pads
from .grid import Grid, Sound
from .harmony import KEY

HOLDERS = ("Marit Solheim", "Okonjo & Reyes", "Tidewater Sound", "Lio Varga")
_MARIT, _OKONJO, _TIDEWATER, _LIO = HOLDERS

Player = Callable[[Grid, np.random.Generator], Sound]
EVERY_USE = ("stream", "live", "export")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one stem is made and declared.

    A loop has `bars` at `bpm`; a sustained sound or hit takes from them only its own length. `uses`: what
    its holder consents to. `master`, `publishing`: percent by holder; empty for the holder alone.
    """

    title: str
    holder: str
    role: str
    play: Player
    bpm: int = 114
    bars: int = 4
    swing: float = 0.5
    mood: tuple[str, ...] = ()
    energy: float = 0.5
    set: str | None = None
    key: str | None = None
    shape: str = "loop"
    uses: tuple[str, ...] = EVERY_USE
    master: tuple[tuple[str, int], ...] = ()
    publishing: tuple[tuple[str, int], ...] = ()

    def sound(self) -> Sound:
        """Its samples, `(channels, frames)`: the same at every call."""
        noise = np.random.Generator(np.random.PCG64(zlib.crc32(self.title.encode())))
        return self.play(Grid(self.bpm, self.bars, self.swing), noise)

    def declared(self) -> Declared:
        """What its holder says of it."""
        loop = self.shape == "loop"
        return Declared(
            path=Path(f"{self.title}.wav"),
            holder=self.holder,
            role=self.role,
            title=self.title,
            bpm=Fraction(self.bpm) if loop else None,
            bars=self.bars if loop else None,
            key=self.key,
            shape=self.shape,
            mood=self.mood,
            energy=self.energy,
            set=self.set,
        )


def recipes() -> Iterator[Recipe]:
    """All stems, by role."""
    yield from _drums()
    yield from _basses()
    yield from _chords()
    yield from _melodies()
    yield from _hits()


def _drums() -> Iterator[Recipe]:
    yield Recipe(
        "Quay Steps",
        _OKONJO,
        "beats",
        beats.quay_steps,
        bars=2,
        mood=("warm", "night"),
        energy=0.45,
        set="harbour",
    )
    yield Recipe("Tidal Shuffle", _OKONJO, "beats", beats.tidal_shuffle, mood=("warm",), energy=0.55, set="harbour",
                 master=((_OKONJO, 60), (_LIO, 40)), publishing=((_OKONJO, 50), (_LIO, 50)))  # fmt: skip
    yield Recipe(
        "Engine Room",
        _TIDEWATER,
        "beats",
        beats.engine_room,
        116,
        2,
        mood=("driving",),
        energy=0.75,
        set="breakwater",
    )
    yield Recipe("Lamplight", _LIO, "beats", beats.lamplight, 112, 2, mood=("night",), energy=0.25)
    yield Recipe(
        "Cobble Run",
        _OKONJO,
        "beats",
        beats.cobble_run,
        mood=("driving", "bright"),
        energy=0.8,
        set="breakwater",
    )
    yield Recipe(
        "Sand and Keys", _MARIT, "tops", beats.sand_and_keys, 114, 2, 0.56, ("warm",), 0.4, "harbour"
    )
    yield Recipe(
        "Rope Rhythm", _OKONJO, "tops", beats.rope_rhythm, 114, 2, 0.56, ("driving",), 0.65, "breakwater"
    )
    yield Recipe("Rain on Tin", _LIO, "tops", beats.rain_on_tin, 112, 2, 0.56, ("night",), 0.3)
    yield Recipe(
        "Ride Out", _TIDEWATER, "tops", beats.ride_out, 114, 2, 0.54, ("bright", "driving"), 0.7, "breakwater"
    )


def _basses() -> Iterator[Recipe]:
    def bass(
        title: str,
        holder: str,
        play: Player,
        *mood: str,
        energy: float,
        bpm: int = 114,
        set: str | None = None,
    ) -> Recipe:
        return Recipe(title, holder, "bass", play, bpm, 4, 0.54, mood, energy, set, KEY)

    yield bass("Low Water", _TIDEWATER, low.low_water, "warm", energy=0.4, set="harbour")
    yield bass("Undertow", _LIO, low.undertow, "driving", energy=0.7, set="breakwater")
    yield bass("Keel", _MARIT, low.keel, "warm", "bright", energy=0.55)
    yield bass("Slow Swell", _TIDEWATER, low.slow_swell, "night", energy=0.2, bpm=112)


def _chords() -> Iterator[Recipe]:
    def chords(
        title: str, holder: str, play: Player, *mood: str, energy: float, bpm: int = 114, set: str | None = None,
        role: str = "harmony", uses: tuple[str, ...] = EVERY_USE,
        master: tuple[tuple[str, int], ...] = (), publishing: tuple[tuple[str, int], ...] = (),
    ) -> Recipe:  # fmt: skip
        return Recipe(
            title, holder, role, play, bpm, 4, 0.54, mood, energy, set, KEY, "loop", uses, master, publishing
        )

    yield chords("Window Seat", _MARIT, keys.window_seat, "warm", "night", energy=0.4, set="harbour",
                 master=((_MARIT, 60), (_LIO, 40)), publishing=((_MARIT, 70), (_LIO, 30)))  # fmt: skip
    yield chords(
        "Second Window", _MARIT, keys.second_window, "driving", "bright", energy=0.7, set="breakwater"
    )
    yield chords("Net Menders", _LIO, keys.net_menders, "warm", energy=0.45)
    yield chords(
        "Glass Ferry", _TIDEWATER, keys.glass_ferry, "night", energy=0.35, bpm=116, uses=("stream", "live")
    )
    yield chords("Fog Bank", _MARIT, pads.fog_bank, "night", "warm", energy=0.2, set="harbour", role="pads")
    yield chords(
        "Sodium Light",
        _OKONJO,
        pads.sodium_light,
        "bright",
        "driving",
        energy=0.5,
        set="breakwater",
        role="pads",
    )
    yield chords("Long Exposure", _LIO, pads.long_exposure, "night", energy=0.25, role="pads")
    yield Recipe("Breathing Water", _TIDEWATER, "pads", pads.breathing_water, 114, 6, mood=("night", "water"), energy=0.15,
                 key=KEY, shape="sustained")  # fmt: skip
    yield Recipe("Far Shore", _MARIT, "pads", pads.far_shore, 114, 5, mood=("bright", "water"), energy=0.2,
                 key="F major", shape="sustained", uses=())  # fmt: skip


def _melodies() -> Iterator[Recipe]:
    def melody(
        title: str, holder: str, play: Player, *mood: str, energy: float, bpm: int = 114, set: str | None = None,
        uses: tuple[str, ...] = EVERY_USE, publishing: tuple[tuple[str, int], ...] = (), key: str = KEY,
    ) -> Recipe:  # fmt: skip
        return Recipe(
            title, holder, "melody", play, bpm, 4, 0.54, mood, energy, set, key, "loop", uses, (), publishing
        )

    yield melody("Ferry Bell", _LIO, melodies.ferry_bell, "night", energy=0.25)
    yield melody("Mooring Line", _TIDEWATER, melodies.mooring_line, "warm", energy=0.5, set="harbour")
    yield melody("Far Lamp", _MARIT, melodies.far_lamp, "warm", "night", energy=0.45, set="harbour",
                 publishing=((_MARIT, 75), (_OKONJO, 25)))  # fmt: skip
    yield melody("Brass Buttons", _OKONJO, melodies.brass_buttons, "driving", "bright", energy=0.75, set="breakwater",
                 key="F major")  # fmt: skip
    yield melody("Night Bus", _LIO, melodies.night_bus, "bright", energy=0.6, bpm=116, key="F major")


def _hits() -> Iterator[Recipe]:
    def hit(
        title: str, holder: str, play: Player, *mood: str, role: str = "fx", key: str | None = None, energy: float = 0.5,
        uses: tuple[str, ...] = EVERY_USE,
    ) -> Recipe:  # fmt: skip
        return Recipe(title, holder, role, play, 114, 1, 0.5, mood, energy, None, key, "hit", uses)

    yield hit("Gathering", _TIDEWATER, hits.gathering, "rise", key=KEY, energy=0.7)
    yield hit("Ebb", _TIDEWATER, hits.ebb, "fall", energy=0.4)
    yield hit("Hull", _OKONJO, hits.hull, "impact", key=KEY, energy=0.8)
    yield hit("Bell Buoy", _LIO, hits.bell_buoy, "chime", key=KEY, energy=0.3)
    yield hit("Lantern", _MARIT, hits.lantern, "chime", key=KEY, energy=0.4, uses=("stream", "live"))
    yield hit("Foghorn", _TIDEWATER, hits.foghorn, "horn", key=KEY, energy=0.3)
    yield hit("Last Light", _MARIT, hits.last_light, "close", role="harmony", key=KEY, energy=0.3)
    yield hit("Tight Hat", _OKONJO, hits.tight_hat, "hat", role="tops", energy=0.6)
    yield hit("Grain", _MARIT, hits.grain, "shaker", role="tops", energy=0.4)
    yield hit("Dry Rim", _OKONJO, hits.dry_rim, "rim", role="beats", energy=0.5)
    yield hit("Small Clap", _LIO, hits.small_clap, "clap", role="beats", energy=0.6)
    yield hit("Block in D", _LIO, hits.block_in_d, "block", role="beats", key=KEY, energy=0.4)
