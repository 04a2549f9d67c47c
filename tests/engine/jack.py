"""A JACK server without a sound card, but with a real clock; PortAudio finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 128
START_SECONDS = 15


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """The environment in which PortAudio's JACK devices are this server's. Skips where there is none."""
    if shutil.which("jackd") is None or shutil.which("jack_wait") is None:
        pytest.skip("jackd is not installed")
    _forget_the_killed()
    name = f"stemloom{os.getpid()}"
    environ = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1"}
    for realtime in (["-R", "-P", "60"], ["--no-realtime"]):
        process = subprocess.Popen(
            [
                "jackd",
                *realtime,
                "-n",
                name,
                "--port-max",
                "64",
                "-d",
                "dummy",
                "-r",
                "48000",
                "-p",
                str(BLOCK),
            ],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        try:
            if _up(process, environ):
                yield environ
                return
        finally:
            process.terminate()
            process.wait()
    pytest.skip("the JACK server does not start here")


def living() -> dict[int, list[str]]:
    """The command lines of the JACK servers that run on this machine."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].endswith("jackd"):
            found[int(folder.name)] = words
    return found


def _forget_the_killed() -> None:
    """A server that is killed stays in JACK's register, which has room for eight."""
    if not living():
        for left in (*Path("/dev/shm").glob("jack-*"), *Path("/dev/shm").glob("jack_*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _up(process: subprocess.Popen[bytes], environ: dict[str, str]) -> bool:
    """Wait until clients can connect."""
    done = subprocess.run(
        ["jack_wait", "-w", "-t", str(START_SECONDS)], env=environ, capture_output=True, check=False
    )
    return done.returncode == 0 and process.poll() is None
