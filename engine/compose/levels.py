"""The loudness of a stem before its script's gain: real recordings do not balance by themselves."""

from __future__ import annotations

from ...vault.records import Stem

ROLE_LUFS = {
    "beats": -18.0,
    "bass": -20.0,
    "harmony": -22.0,
    "melody": -22.0,
    "voice": -20.0,
    "pads": -26.0,
    "tops": -26.0,
    "fx": -24.0,
}
OTHER_LUFS = -24.0
HIT_PEAK_DBTP = -11.0
"""Hits are levelled by peak: integrated loudness says little of a sound of 50 ms."""
MOST_BOOST_DB = 24.0
"""A nearly silent recording is not raised until its noise is heard."""


def level_db(stem: Stem) -> float:
    """The gain that brings `stem` to its role's loudness, or a hit to the hits' peak, in dB."""
    if stem.shape == "hit":
        wanted = HIT_PEAK_DBTP - stem.true_peak_dbtp
    else:
        wanted = ROLE_LUFS.get(stem.role, OTHER_LUFS) - stem.lufs
    return min(wanted, MOST_BOOST_DB)
