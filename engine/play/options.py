"""How a session begins, and for whom: what a host may say when it opens one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from ...ground.uses import TIERS, USES, Tier, Use
from ..arguments import number, quoted, seed_number, word
from ..errors import EngineError, UseRefused

MOST_GAIN_DB = 60.0
MOST_USER = 1000
"""How many characters a pseudonym has at most."""


class Options(TypedDict, total=False):
    """How a session begins, and for whom."""

    use: Use | None
    """By default the first that the script is `for`."""
    tier: Tier
    """Who is using it, "developer" if it is left out."""
    user: str
    """A pseudonym; only a salted commitment to it is logged."""
    seed: int | None
    """By default the script's own."""
    dials: Mapping[str, float] | None
    """The values with which dials begin, by name."""
    gain_db: float | None
    """The master's, -60 to 60 dB, such as a take has; by default foretold from the script's loudness."""


def known(options: Options) -> Options:
    """The options themselves, in plain types, before anything is opened.

    Raises TypeError for an option that there is not, or of the wrong type; UseRefused for a use that there
    is not, EngineError for such a tier, seed or user. Whether the script has the use and the dials is seen
    later.
    """
    if strange := sorted(options.keys() - Options.__annotations__.keys()):
        raise TypeError(f"a session takes no {', '.join(strange)} here")
    found = Options()
    if (use := options.get("use")) is not None:
        if word(use, "the name of a use") not in USES:
            raise UseRefused(f"{quoted(use)} is not a use of sound; the uses are {', '.join(USES)}")
        found["use"] = use
    if "tier" in options:
        found["tier"] = known_tier(options["tier"])
    if "user" in options:
        found["user"] = _pseudonym(options["user"])
    if (seed := options.get("seed")) is not None:
        found["seed"] = seed_number(seed)
    if (dials := options.get("dials")) is not None:
        if not isinstance(cast(object, dials), Mapping):
            raise TypeError("the dials of a session are given as a mapping of names to numbers")
        found["dials"] = {
            word(name, "the name of a dial"): number(value, "the value of a dial")
            for name, value in dials.items()
        }
    if (gain_db := options.get("gain_db")) is not None:
        found["gain_db"] = decibels = number(gain_db, "the master's gain in dB")
        if not abs(decibels) <= MOST_GAIN_DB:
            raise EngineError(f"the master's gain goes from -{MOST_GAIN_DB:g} to {MOST_GAIN_DB:g} dB")
    return found


def known_tier(tier: object) -> Tier:
    """The tier of that name. Raises EngineError if there is none."""
    name = word(tier, "the name of a tier")
    if name not in TIERS:
        raise EngineError(f"{quoted(name)} is not a tier; the tiers are {', '.join(TIERS)}")
    return name


def _pseudonym(user: object) -> str:
    """A user that a commitment can be made to."""
    name = word(user, "the name of a user")
    if len(name) > MOST_USER or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise EngineError(f"a user is a pseudonym of at most {MOST_USER} characters; {quoted(name)} is none")
    return name
