"""What sound may be used for, and by whom: the words of consents, scripts and sessions."""

from __future__ import annotations

from typing import Final, Literal, get_args

Use = Literal["stream", "live", "export", "sync"]
"""What the sound is for."""
USES: Final[tuple[Use, ...]] = get_args(Use)
Tier = Literal["free", "subscriber", "developer", "enterprise"]
"""Who is using it."""
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)

HOST_TIER: Final[Tier] = "developer"
"""The tier of a session that a host opens from Python without naming one."""
COMMAND_TIER: Final[Tier] = "free"
"""The tier of a session on the command line that names none."""
