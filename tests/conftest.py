"""What all tests share: properties are not timed, for the machines they run on are busy with other things."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("stemloom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stemloom")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings, or a skip."""
    named = os.environ.get("STEMLOOM_TEST_AUDIO")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "audio"
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings in {folder}")
    return folder
