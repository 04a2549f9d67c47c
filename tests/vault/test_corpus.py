"""Files as people and their enemies make them: each ends as added, held or refused, with its reason."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.intake.intake import Intake
from stemloom.vault.intake.manifest import Defaults, of_manifest
from stemloom.vault.sound.declared import Declared

RATE = 48_000
ADDED, HELD = "added", "held"
Make = Callable[[Path], None]


def tone(seconds: float = 2.0, rate: int = RATE, hertz: float = 220.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def written(sound: np.ndarray, rate: int = RATE, *, subtype: str = "FLOAT", kind: str = "WAV") -> Make:
    return lambda path: soundfile.write(path, sound, rate, format=kind, subtype=subtype)


def spoilt(value: float) -> Make:
    sound = tone(hertz=230)
    sound[1000] = value
    return written(sound)


def cut(part: float) -> Make:
    def make(path: Path) -> None:
        soundfile.write(path, tone(hertz=240), RATE, format="WAV", subtype="PCM_24")
        data = path.read_bytes()
        path.write_bytes(data[: round(len(data) * part)])

    return make


def claims_4_gb(path: Path) -> None:
    """A WAV whose header says that 4 GB of sound follow."""
    head = (
        b"RIFF"
        + struct.pack("<I", 0xFFFF_FF00)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE * 2, 2, 16)
    )
    path.write_bytes(head + b"data" + struct.pack("<I", 0x7000_0000) + bytes(20_000))


def absurd_flac(path: Path) -> None:
    """A FLAC whose stream info says that it has 2^36 samples."""
    soundfile.write(path, tone(hertz=250), RATE, format="FLAC", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)


def flac_with_a_block_too_long(path: Path) -> None:
    """A FLAC whose first metadata after the stream info says that it has 16 MB."""
    soundfile.write(path, tone(hertz=260), RATE, format="FLAC", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[42:46] = b"\x04\xff\xff\xff"
    path.write_bytes(data)


def with_id3(path: Path) -> None:
    soundfile.write(path, tone(hertz=270), RATE, format="MP3")
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x0f\x76" + os.urandom(2038) + path.read_bytes())


def unreadable(path: Path) -> None:
    soundfile.write(path, tone(hertz=280), RATE)
    path.chmod(0)


def linked(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


CORPUS: dict[str, tuple[Make, str]] = {
    "good.wav": (written(tone()), ADDED),
    "truncated.wav": (cut(0.6), "cut short"),
    "header-only.wav": (cut(0.0002), "does not decode|cut short|no sound"),
    "empty.wav": (lambda path: path.write_bytes(b""), "no sound is in it: it is empty"),
    "renamed.mp3": (written(tone(hertz=221)), ADDED),
    "wrong-extension.txt": (written(tone(hertz=222), kind="FLAC", subtype="PCM_16"), ADDED),
    "one-sample.wav": (written(tone()[:1] + 0.5), "too short"),
    "ten-ms.wav": (written(tone(0.011, hertz=1000)), ADDED),
    "under-ten-ms.wav": (written(tone(0.009)), "too short"),
    "384-khz.wav": (written(tone(1.0, 384_000), 384_000), ADDED),
    "too-fast.wav": (written(tone(1.0, 400_000), 400_000), "400000 Hz"),
    "8-bit.wav": (written(tone(hertz=223), subtype="PCM_U8"), ADDED),
    "24-bit.wav": (written(tone(hertz=224), subtype="PCM_24"), ADDED),
    "nan.wav": (spoilt(float("nan")), "not numbers"),
    "inf.wav": (spoilt(float("inf")), "not numbers"),
    "minus-inf.wav": (spoilt(-float("inf")), "not numbers"),
    "denormal.wav": (written(np.full(RATE, 1e-40, np.float32)), "silent"),
    "silence.wav": (written(np.zeros(RATE, np.float32)), "silent"),
    "square.wav": (written(np.sign(tone(hertz=225))), ADDED),
    "six-channels.wav": (written(np.stack([tone()] * 6, axis=1)), "6 channels"),
    "unscaled.wav": (written(tone() * 20_000), "not scaled"),
    "claims-4-gb.wav": (claims_4_gb, "too long|cut short"),
    "absurd.flac": (absurd_flac, "too long|cut short"),
    "block-too-long.flac": (flac_with_a_block_too_long, "does not decode"),
    "id3.mp3": (with_id3, "added|does not decode"),
    "unreadable.wav": (unreadable, "added" if os.geteuid() == 0 else "cannot be read"),
    "link.wav": (linked, "a link"),
    "device.wav": (device, "a link"),
    "folder.wav": (lambda path: path.mkdir(), "not a regular file"),
    "pipe.wav": (lambda path: os.mkfifo(path), "not a regular file"),
    "text.wav": (lambda path: path.write_text("no sound at all\n" * 100), "does not decode"),
    "missing.wav": (lambda path: None, "No such file"),
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
    return tmp_path / "home"


def outcomes(intake: Intake) -> dict[str, str]:
    found = {each.path.name: ADDED for each in intake.added}
    found |= {each.path.name: each.reason for each in intake.held}
    return found | {each.path.name: each.reason for each in intake.refused}


def test_every_file_ends_with_its_reason(home: Path, tmp_path: Path) -> None:
    import re

    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, (make, _) in CORPUS.items():
        make(folder / name)
    with Vault.open(home) as vault:
        intake = vault.add([Declared(folder / name, "Ada", "fx", shape="hit") for name in CORPUS])
        found = outcomes(intake)
        assert found.keys() == CORPUS.keys()
        for name, (_, wanted) in CORPUS.items():
            assert re.search(wanted, found[name]), (name, found[name])
        assert len(vault.stems()) == len(intake.added)
    assert verify(home).ok


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_a_file_damaged_at_each_hundredth_is_added_held_or_refused(
    home: Path, tmp_path: Path, kind: str, subtype: str
) -> None:
    """Sixteen bytes are turned at every 1 % of the file."""
    whole = tmp_path / "whole"
    soundfile.write(whole, tone(1.5, hertz=440) + tone(1.5, hertz=557), RATE, format=kind, subtype=subtype)
    data = whole.read_bytes()
    paths = []
    for part in range(100):
        damaged = bytearray(data)
        at = len(data) * part // 100
        damaged[at : at + 16] = bytes(byte ^ 0xA5 for byte in damaged[at : at + 16])
        paths.append(tmp_path / f"{part}.{kind.lower()}")
        paths[-1].write_bytes(damaged)
    with Vault.open(home) as vault:
        intake = vault.add([Declared(path, "Ada", "fx", shape="hit") for path in paths])
        found = outcomes(intake)
        assert len(found) == 100
        assert all(found.values())
        assert len(vault.stems()) == len(intake.added)
        for each in intake.added:
            assert np.isfinite(vault.samples(each.stem.stem)).all()
    assert verify(home).ok
    if kind == "FLAC":
        # Each frame has a checksum, so that damage is known for what it is.
        assert len(intake.added) < 10


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/hostname", "a/../../secret.wav", "out/secret.wav"])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path)
    manifest = folder / "list.csv"
    manifest.write_text(f"name\n{name}\n")
    with pytest.raises(BadDeclaration, match=r"line 2: .* is not within"):
        of_manifest(manifest, folder, Defaults("Ada", "fx", Declared(Path(), "", "")))
