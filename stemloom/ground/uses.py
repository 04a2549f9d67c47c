"""What sound may be used for, and by whom: the words of consents, scripts and sessions."""

from __future__ import annotations

USES = ("stream", "live", "export", "sync")
TIERS = ("free", "subscriber", "developer", "enterprise")
