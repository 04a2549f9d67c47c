"""The loudness of a stem before its script's gain: real recordings do not balance by themselves.

What the figures rest on is told in `docs/decisions/0038-a-slowed-hit-rings-on.md`.
"""

from __future__ import annotations

from ...vault.records import Stem

ROLE_LUFS = {
    "beats": -19.0,
    "bass": -19.0,
    "harmony": -22.0,
    "melody": -20.0,
    "voice": -19.0,
    "pads": -24.0,
    "tops": -25.0,
    "fx": -24.0,
}
OTHER_LUFS = -24.0
HIT_PEAK_DBTP = {
    "beats": -6.0,
    "bass": -9.0,
    "harmony": -9.0,
    "melody": -9.0,
    "voice": -9.0,
    "tops": -9.0,
}
"""Hits are levelled by peak, as integrated loudness says little of a sound of 50 ms: an accented one is as
high as those in a loop of its role."""
OTHER_HIT_PEAK_DBTP = -11.0
MOST_BOOST_DB = 24.0
"""A nearly silent recording is not raised until its noise is heard."""


def level_db(stem: Stem) -> float:
    """The gain that brings `stem` to its role's loudness, or a hit to its role's peak, in dB."""
    if stem.shape == "hit":
        wanted = HIT_PEAK_DBTP.get(stem.role, OTHER_HIT_PEAK_DBTP) - stem.true_peak_dbtp
    else:
        wanted = ROLE_LUFS.get(stem.role, OTHER_LUFS) - stem.lufs
    return min(wanted, MOST_BOOST_DB)
