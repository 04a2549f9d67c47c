"""Files changed at random go through the workers: each is accounted for, and no worker dies of one.

`FUZZ_SECONDS=3600 pytest -m long tests/vault/test_intake_fuzz.py -s` runs for an hour.
"""

from __future__ import annotations

import os
import random
import resource
import time
from pathlib import Path

import pytest

from stemloom import Vault
from stemloom.vault.intake.worker_process import MOST_MEMORY
from stemloom.vault.sound.declared import Declared

from .test_containers import DAMAGED, EXACT, NEAR, WHOLE, chunk
from .test_tags import HOSTILE, clicks, flac, fmt, pcm, wav

SEEDS = [
    *WHOLE.values(),
    *EXACT.values(),
    *(data for data, _ in NEAR.values()),
    *(data for data, _ in DAMAGED.values()),
    *(wav(fmt(), chunk(b"data", pcm(clicks(120, 4))), extra) for extra in HOSTILE.values()),
    flac(clicks(120, 4), BPM="120", TITLE="x"),
]
BATCH = 48
NUMBERS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0")


def mutated(draw: random.Random) -> bytes:
    """One of the seeds with bytes, numbers and parts of it changed."""
    data = bytearray(draw.choice(SEEDS))
    for _ in range(draw.choice((0, 1, 1, 2, 4, 16, 64))):
        if not data:
            break
        at = draw.randrange(min(len(data), draw.choice((64, 512, len(data)))))
        match draw.randrange(6):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at : at + 4] = draw.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0")
                )
            case 2:
                del data[at : at + draw.choice((1, 2, 4, 100, 5_000))]
            case 3:
                data[at:at] = draw.randbytes(draw.choice((1, 2, 4, 100)))
            case 4:
                del data[at:]
            case _:
                other = draw.choice(SEEDS)
                data[at:] = other[draw.randrange(len(other) or 1) :]
    return bytes(data)


def fuzz(folder: Path, seconds: float, seed: int) -> tuple[int, int]:
    """Take files in for so long; how many there were, and how many were sound."""
    draw, until, done, sounds = random.Random(seed), time.monotonic() + seconds, 0, 0
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        while time.monotonic() < until:
            offers = []
            for number in range(BATCH):
                path = folder / f"{number}.wav"
                path.write_bytes(mutated(draw))
                declared = {"accept_length": draw.random() < 0.5, "accept_silence": draw.random() < 0.5}
                offers.append(Declared(path, "Ada", draw.choice(("beats", "pads")), **declared))
            intake = vault.add(offers)
            told = [
                each.path
                for part in (intake.added, intake.held, intake.refused, intake.here)
                for each in part
            ]
            assert sorted(told) == sorted(offer.path for offer in offers)
            for each in intake.refused:
                assert "the decoder ended" not in each.reason, each
                assert "cannot be measured" not in each.reason, each
                assert each.reason.isprintable()
            done, sounds = done + BATCH, sounds + len(intake.added)
            # Of the same sound only the first is taken: the vault would grow without end.
            for added in intake.added:
                vault.remove(added.stem.stem)
    return done, sounds


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(4.0),
        pytest.param(60.0, marks=pytest.mark.slow),
        pytest.param(float(os.environ.get("FUZZ_SECONDS", "3600")), marks=pytest.mark.long),
    ],
)
def test_every_file_is_accounted_for(tmp_path: Path, seconds: float) -> None:
    seed = int(os.environ.get("STEMLOOM_SEED", "1"))
    done, sounds = fuzz(tmp_path, seconds, seed)
    print(f"{done} files, {sounds} of them sound, seed {seed}")
    assert sounds
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MOST_MEMORY
