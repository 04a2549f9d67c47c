"""What all tests share: properties are not timed, for the machines they run on are busy with other things."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("stemloom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stemloom")
