"""Real PortAudio without a sound card: an ALSA device that takes blocks as fast as it can and keeps them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CONFIG = """
pcm.nowhere {{ type null }}
pcm.kept {{
  type file
  slave.pcm "nowhere"
  file "{file}"
  format "raw"
}}
pcm.!default {{ type plug slave {{ pcm "kept" format FLOAT_LE }} }}
"""
CLOCKLESS = "pcm.!default {{ type null }}"
"""A device that takes blocks as fast as it can, and keeps nothing."""
PROBE = "import sounddevice; sounddevice.query_devices(None, 'output')"


def environment(folder: Path, text: str = CONFIG) -> dict[str, str]:
    """For a process whose default device writes what it is given to `folder`/out.raw, or as `text` has it."""
    config = folder / "asound.conf"
    config.write_text(text.format(file=folder / "out.raw"))
    environ = {**os.environ, "ALSA_CONFIG_PATH": str(config)}
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], env=environ, capture_output=True, text=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"PortAudio with ALSA is not here: {probe.stderr.strip().splitlines()[-1]}")
    return environ


def captured(folder: Path) -> np.ndarray:
    """What the device was given, float32 (2, frames)."""
    return np.fromfile(folder / "out.raw", "<f4").reshape(-1, 2).T
