"""As in a container: root installs and compiles, and a user without a name or a home plays."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "examples" / "Dockerfile").read_text()
USER = 12_345
"""A number that no name belongs to."""

TALLYING = """
import atexit, sys
from stemloom.cli import run
from stemloom.engine.compiled import tally
atexit.register(lambda: print("compiled", tally.compiled, "loaded", tally.loaded, file=sys.stderr))
run()
"""

READ_ONLY = """
mount --make-rprivate / && mount --bind "$VOLUME" "$VOLUME" || exit 125
mount --bind / / 2>&-; mount -o remount,bind,ro / || exit 125
for place in /tmp /var/tmp /dev/shm; do mount -o remount,bind,ro $place 2>&-; done
cd "$VOLUME" && exec setpriv --reuid "$USER" --regid "$USER" --clear-groups \
    --inh-caps +dac_read_search --ambient-caps +dac_read_search "$@"
"""
"""Runs a command as a user who can read everything, as Python may lie in root's home, and write to VOLUME."""


@dataclass(frozen=True)
class Image:
    """A wheel in a virtual environment of root's, and a folder that the user may write to."""

    python: Path
    volume: Path

    def run(self, *words: object, root: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python with nothing in its environment; as the user unless `root`."""
        environ = {"PATH": os.defpath, "VOLUME": str(self.volume), "USER": str(USER), **environ}
        within = [] if root else ["unshare", "-m", "sh", "-c", READ_ONLY, "sh"]
        command = [*within, self.python, *map(str, words)]
        return subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, check=False)

    def forget(self) -> None:
        for path in self.python.parents[1].rglob("*.kernel"):
            path.unlink()


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or not (shutil.which("unshare") and shutil.which("setpriv"))
    ):
        pytest.skip("only root can be another user, and only Linux has mounts of a process's own")
    # Not pytest's folder, which only its owner can enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        source = folder / "source"
        for each in ("stemloom", "engine", "script", "vault", "ledger"):
            shutil.copytree(
                ROOT / each, source / each, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        for each in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / each, source)
        pip = [sys.executable, "-m", "pip", "--quiet"]
        built = subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, source], capture_output=True)
        if built.returncode != 0:
            pytest.skip(f"no wheel can be built here: {built.stderr.decode()[-300:]}")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        [site] = (folder / "venv" / "lib").glob("python*/site-packages")
        wheel = next(folder.glob("*.whl"))
        subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
        (site / "needs.pth").write_text(sysconfig.get_path("purelib"))
        volume = folder / "volume"
        volume.mkdir()
        os.chown(volume, USER, USER)
        made = Image(folder / "venv" / "bin" / "python", volume)
        tried = made.run("-c", "open('/in-the-image', 'w')")
        if "Read-only file system" not in tried.stderr:
            pytest.skip(f"this machine cannot be made read-only for a process: {tried.stderr.strip()}")
        yield made


@pytest.mark.slow
def test_what_root_compiled_is_run_by_a_user_who_can_write_nothing(
    image: Image, demo_home: Callable[[], Path]
) -> None:
    doctor = image.run("-m", "stemloom", "--json", "doctor", root=True)
    kernels = json.loads(doctor.stdout)["kernels"]
    assert kernels["compiled"] >= 9, doctor.stderr
    assert kernels["folder"].endswith("__pycache__")
    home = shutil.copytree(demo_home(), image.volume / "home")
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    script = ROOT / "examples" / "harbour_night.loom"
    render = ("-c", TALLYING, "--home", "home", "render", script, "--out", "out.wav", "--seconds", 4)
    done = image.run(*render)
    assert done.returncode == 0, done.stderr
    assert (image.volume / "out.wav").stat().st_uid == USER
    assert re.findall(r"compiled 0 loaded [4-9]", done.stderr), done.stderr
    assert image.run(*render, HOME="/root").stderr == done.stderr  # and root's home is not asked

    # Nothing was compiled while the image was built, and nothing can be kept.
    image.forget()
    done = image.run(*render)
    assert done.returncode == 0, done.stderr
    [said] = [line for line in done.stderr.splitlines() if "cannot be kept" in line]
    assert "Read-only file system" in said
    assert "name a folder that can be written with STEMLOOM_KERNELS" in said
    assert "loaded 0" in done.stderr
    # Until a folder is named.
    image.run(*render, STEMLOOM_KERNELS="kernels")
    done = image.run(*render, STEMLOOM_KERNELS="kernels")
    assert "compiled 0" in done.stderr, done.stderr
    assert {path.stat().st_uid for path in image.volume.glob("kernels/*")} == {USER}
    # Code of another user is compiled again, though it lies where this user has named.
    for path in image.volume.rglob("*.kernel"):
        os.chown(path, 65534, 65534)
    assert "loaded 0" in image.run(*render, STEMLOOM_KERNELS="kernels").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("vault list", 2, "this user has no home folder: name a folder with --home or STEMLOOM_HOME"),
        ("vault holder add Ada", 2, "this user has no home folder"),
        ("vault holder add Ada in ~/home", 2, "this user has no home folder"),
        ("ledger verify", 2, "this user has no home folder"),
        ("--home /new vault holder add Ada", 1, "no permission to use '/new'"),
        ("--home new vault holder add Ada", 0, ""),
        ("--help", 0, ""),
    ],
)
def test_a_user_without_a_home_is_asked_for_a_folder(image: Image, words: str, code: int, said: str) -> None:
    words, _, home = words.partition(" in ")
    done = image.run("-m", "stemloom", *words.split(), STEMLOOM_HOME=home)
    assert said in done.stderr
    assert done.returncode == code
    assert not (image.volume / "~").exists()


def test_the_image_is_compiled_before_its_user_comes() -> None:
    steps = re.findall(r"^(FROM \S+|RUN stemloom doctor|USER \S+|VOLUME \S+)$", DOCKERFILE, re.MULTILINE)
    assert steps == ["FROM python:3.12-slim", "RUN stemloom doctor", "USER stemloom", "VOLUME /data"]
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {"stemloom", *(path.name for path in (ROOT / "stemloom").iterdir() if path.is_symlink())}
