"""The roles of stems, and what follows from a role alone."""

from __future__ import annotations

ROLES = ("beats", "bass", "harmony", "pads", "tops", "melody", "voice", "fx")
"""The roles that the engine knows how to balance. The set is open: others are allowed, with a warning."""

UNPITCHED_ROLES = frozenset(("beats", "tops"))
"""Roles without a pitch, whose attacks carry the time.

Their sounds are never shifted in pitch and are stretched between their attacks; they begin at full level and
never overlap.
"""

KEYLESS_ROLES = UNPITCHED_ROLES | {"fx"}
"""Roles whose sounds fit any key when their own is unknown."""

TONAL_ROLES = frozenset(ROLES) - KEYLESS_ROLES
"""Roles whose stems are chosen by how their harmonies agree; their pools say `key fits` by default."""
