"""Real recordings, when they are there."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom.vault.intake.intake import Intake
from stemloom.vault.intake.manifest import Defaults, of_manifest
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.engine_format import loop_frames
from stemloom.vault.vault import Vault


@pytest.fixture(scope="module")
def taken(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Intake]:
    """The whole folder, taken in by its manifest."""
    home = tmp_path_factory.mktemp("recordings") / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        common = Defaults("Ada", "beats", Declared(Path(), "", ""))
        return home, vault.add(of_manifest(recordings / "MANIFEST.csv", recordings, common)[0])


def test_every_recording_is_added_held_or_refused_for_a_reason(taken: tuple[Path, Intake]) -> None:
    _, intake = taken
    assert {r.path.name for r in intake.refused} == {"loop_3d_printer.flac"}
    assert "the length of its beats is not" in intake.refused[0].reason
    assert not intake.held
    assert len(intake.added) == 50


def test_loops_have_the_frames_of_their_beats(taken: tuple[Path, Intake], recordings: Path) -> None:
    home, intake = taken
    with open(recordings / "MANIFEST.csv", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    with Vault.open(home) as vault:
        for added in intake.added:
            stem, row = added.stem, rows[added.path.name]
            assert {"loop": "loop", "one-shot": "hit", "texture": "sustained"}[row["kind"]] == stem.shape
            samples = vault.samples(stem.stem)
            assert samples.shape == (stem.channels, stem.frames)
            assert np.isfinite(samples).all()
            if stem.shape == "loop":
                assert stem.bpm is not None
                assert stem.beats == int(row["beats"])
                assert stem.frames == loop_frames(stem.bpm, stem.beats)
            assert stem.frames == pytest.approx(float(row["seconds"]) * 48_000, rel=0.005)
            assert sum(map(sum, stem.chroma)) == pytest.approx(len(stem.chroma), abs=1e-4)


def test_a_declared_key_is_heard_in_the_chroma(taken: tuple[Path, Intake]) -> None:
    """The tonic or the fifth is among the three strongest pitch classes of most tonal loops."""
    tonics = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    heard = []
    for added in taken[1].added:
        if added.stem.key is None or added.stem.shape != "loop":
            continue
        tonic = tonics.index(added.stem.key.split()[0])
        strongest = np.argsort(-np.array(added.stem.chroma).mean(axis=0))[:3]
        heard.append(bool({tonic, (tonic + 7) % 12} & set(strongest.tolist())))
    assert len(heard) >= 10
    assert np.mean(heard) >= 0.8


def test_onsets_of_recordings_stay_within_a_millisecond(taken: tuple[Path, Intake], recordings: Path) -> None:
    """Laid over the original, drawn out to its length, the conformed loop is off by less than 1 ms."""
    home, intake = taken
    compared = 0
    with Vault.open(home) as vault:
        for added in intake.added:
            if not added.path.name.startswith(
                ("render_techno", "render_break", "render_house", "render_trap")
            ):
                continue
            original, _ = soundfile.read(added.path, dtype="float32", always_2d=True)
            conformed = vault.samples(added.stem.stem)[0]
            place = np.arange(len(conformed)) * (len(original) / len(conformed))
            drawn = np.interp(place, np.arange(len(original)), original[:, 0])
            lags = range(-96, 97, 3)
            alike = [float(np.dot(drawn, np.roll(conformed, lag))) for lag in lags]
            assert abs(lags[int(np.argmax(alike))]) < 48, added.path.name
            assert max(alike) > 0.9 * np.linalg.norm(drawn) * np.linalg.norm(conformed)
            compared += 1
    assert compared >= 5
