"""The stems of `harbour_night.loom`, around 114 bpm in D minor; their sounds lie with their instruments."""

from __future__ import annotations

from . import beats, hits, keys, low, melodies, pads
from .harmony import KEY, RELATIVE
from .recipe import LIO, MARIT, NO_EXPORT, OKONJO, TIDEWATER, Recipe

SWING = 0.54

# fmt: off
BEATS = (
    Recipe("Quay Steps", OKONJO, "beats", beats.quay_steps, "warm night", 0.45, bars=2, set="harbour"),
    Recipe("Tidal Shuffle", OKONJO, "beats", beats.tidal_shuffle, "warm", 0.55, set="harbour",
           master={OKONJO: 60, LIO: 40}, publishing={OKONJO: 50, LIO: 50}),
    Recipe("Engine Room", TIDEWATER, "beats", beats.engine_room, "driving", 0.75, 116, 2, set="breakwater"),
    Recipe("Lamplight", LIO, "beats", beats.lamplight, "night", 0.25, 112, 2),
    Recipe("Cobble Run", OKONJO, "beats", beats.cobble_run, "driving bright", 0.8, set="breakwater"),
)
TOPS = (
    Recipe("Sand and Keys", MARIT, "tops", beats.sand_and_keys, "warm", 0.4, 114, 2, 0.56, set="harbour"),
    Recipe("Rope Rhythm", OKONJO, "tops", beats.rope_rhythm, "driving", 0.65, 114, 2, 0.56, set="breakwater"),
    Recipe("Rain on Tin", LIO, "tops", beats.rain_on_tin, "night", 0.3, 112, 2, 0.56),
    Recipe("Ride Out", TIDEWATER, "tops", beats.ride_out, "bright driving", 0.7, 114, 2, SWING,
           set="breakwater"),
)
BASS = (
    Recipe("Low Water", TIDEWATER, "bass", low.low_water, "warm", 0.4, 114, 4, SWING, KEY, "harbour"),
    Recipe("Undertow", LIO, "bass", low.undertow, "driving", 0.7, 114, 4, SWING, KEY, "breakwater"),
    Recipe("Keel", MARIT, "bass", low.keel, "warm bright", 0.55, 114, 4, SWING, KEY),
    Recipe("Slow Swell", TIDEWATER, "bass", low.slow_swell, "night", 0.2, 112, 4, SWING, KEY),
)
HARMONY = (
    Recipe("Window Seat", MARIT, "harmony", keys.window_seat, "warm night", 0.4, 114, 4, SWING, KEY,
           "harbour", master={MARIT: 60, LIO: 40}, publishing={MARIT: 70, LIO: 30}),
    Recipe("Second Window", MARIT, "harmony", keys.second_window, "driving bright", 0.7, 114, 4, SWING, KEY,
           "breakwater"),
    Recipe("Net Menders", LIO, "harmony", keys.net_menders, "warm", 0.45, 114, 4, SWING, KEY),
    Recipe("Glass Ferry", TIDEWATER, "harmony", keys.glass_ferry, "night", 0.35, 116, 4, SWING, KEY,
           uses=NO_EXPORT),
)
PADS = (
    Recipe("Fog Bank", MARIT, "pads", pads.fog_bank, "night warm", 0.2, key=KEY, set="harbour"),
    Recipe("Sodium Light", OKONJO, "pads", pads.sodium_light, "bright driving", 0.5, key=KEY,
           set="breakwater"),
    Recipe("Long Exposure", LIO, "pads", pads.long_exposure, "night", 0.25, key=KEY),
    Recipe("Breathing Water", TIDEWATER, "pads", pads.breathing_water, "night water", 0.15, bars=5, key=KEY,
           shape="sustained"),
    Recipe("Far Shore", MARIT, "pads", pads.far_shore, "bright water", 0.2, key=RELATIVE, shape="sustained",
           uses=()),
)
MELODY = (
    Recipe("Ferry Bell", LIO, "melody", melodies.ferry_bell, "night", 0.25, 114, 4, SWING, KEY),
    Recipe("Mooring Line", TIDEWATER, "melody", melodies.mooring_line, "warm", 0.5, 114, 4, SWING, KEY,
           "harbour"),
    Recipe("Far Lamp", MARIT, "melody", melodies.far_lamp, "warm night", 0.45, 114, 4, SWING, KEY, "harbour",
           publishing={MARIT: 75, OKONJO: 25}),
    Recipe("Brass Buttons", OKONJO, "melody", melodies.brass_buttons, "driving bright", 0.75, 114, 4, SWING,
           RELATIVE, "breakwater"),
    Recipe("Night Bus", LIO, "melody", melodies.night_bus, "bright", 0.6, 116, 4, SWING, RELATIVE),
)
HITS = (
    Recipe("Gathering", TIDEWATER, "fx", hits.gathering, "rise", 0.7, bars=1, key=KEY, shape="hit"),
    Recipe("Groundswell", LIO, "fx", hits.gathering, "swell", 0.7, bars=4, key=KEY, shape="hit"),
    Recipe("Breaker", TIDEWATER, "fx", hits.breaker, "crash", 0.8, shape="hit"),
    Recipe("Ebb", TIDEWATER, "fx", hits.ebb, "fall", 0.4, shape="hit"),
    Recipe("Hull", OKONJO, "fx", hits.hull, "impact", 0.8, key=KEY, shape="hit"),
    Recipe("Bell Buoy", LIO, "fx", hits.bell_buoy, "chime", 0.3, key=KEY, shape="hit"),
    Recipe("Lantern", MARIT, "fx", hits.lantern, "chime", 0.4, key=KEY, shape="hit", uses=NO_EXPORT),
    Recipe("Foghorn", TIDEWATER, "fx", hits.foghorn, "horn", 0.3, key=KEY, shape="hit"),
    Recipe("Last Light", MARIT, "harmony", hits.last_light, "close", 0.3, key=KEY, shape="hit"),
    Recipe("Tight Hat", OKONJO, "tops", hits.tight_hat, "hat", 0.6, shape="hit"),
    Recipe("Grain", MARIT, "tops", hits.grain, "shaker", 0.4, shape="hit"),
    Recipe("Dry Rim", OKONJO, "beats", hits.dry_rim, "rim", 0.5, shape="hit"),
    Recipe("Small Clap", LIO, "beats", hits.small_clap, "clap", 0.6, shape="hit"),
    Recipe("High Bollard", MARIT, "beats", hits.high_bollard, "tom", 0.6, shape="hit"),
    Recipe("Middle Bollard", MARIT, "beats", hits.middle_bollard, "tom", 0.6, shape="hit"),
    Recipe("Low Bollard", MARIT, "beats", hits.low_bollard, "tom", 0.6, shape="hit"),
    Recipe("Block in D", LIO, "beats", hits.block_in_d, "block", 0.4, key=KEY, shape="hit"),
)
# fmt: on

RECIPES = (*BEATS, *TOPS, *BASS, *HARMONY, *PADS, *MELODY, *HITS)
