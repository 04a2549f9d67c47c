"""The callback keeps a real clock while Python holds its lock: a ratio to a Python callback, in one run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from . import jack


@pytest.mark.slow
def test_at_most_a_twentieth_of_the_gaps_of_a_python_callback() -> None:
    with jack.server() as environ:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.xruns", "6"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["python"] > 100, "the Python callback was hardly disturbed, so there is nothing to compare"
    assert found["compiled"] <= 0.05 * found["python"]
