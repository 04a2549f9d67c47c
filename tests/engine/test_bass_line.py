"""A line of notes in the ledger, in the file and in a replay: each note is in play until the next begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault, render
from stemloom.engine.play import take as takes
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Placement
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

RATE = 48_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bass note of 3.97 s that hardly decays, and four clicks."""
    home = tmp_path_factory.mktemp("bass") / "home"
    t = np.arange(int(3.97 * RATE)) / RATE
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        note = home.parent / "note.wav"
        soundfile.write(note, (0.3 * np.sin(2 * np.pi * 110 * t)).astype(np.float32), RATE, subtype="FLOAT")
        offers = [Declared(note, "Ada", "bass", shape="hit")]
        for number in range(4):
            path = home.parent / f"click{number}.wav"
            noise = np.random.default_rng(number).standard_normal(RATE // 4) * np.exp(-t[: RATE // 4] * 30)
            soundfile.write(path, (0.2 * noise).astype(np.float32), RATE, subtype="FLOAT")
            offers.append(Declared(path, "Ada", "tops", shape="hit"))
        assert len(vault.add(offers).added) == 5
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return home


def script(bass: str, more: str = "") -> str:
    return f"""piece "Bass" for stream
tempo 120
seed 3
pool notes = hits role bass, key any
pool clicks = hits role tops
section a 2 bars
    play low from notes {bass}
{more}section b 1 bar
    play low from notes {bass}
move b -> silence
"""


@pytest.mark.parametrize("words", ["", " swing 70%", " humanise 30 ms late 20 ms length 1/2 note"])
def test_the_milliseconds_of_a_bass_line_are_its_time_in_play(home: Path, tmp_path: Path, words: str) -> None:
    with Vault.open(home) as vault:
        first = vault.log.size
        steps = '"xx"' if "swing" in words else '"x."'
        render(vault, accepted(script(steps + words)), tmp_path / "out.wav")
        entries = [entry for _, entry in vault.log.entries(first)]
    notes = [entry for entry in entries if isinstance(entry, Placement)]
    begun = [note.start_frame for note in notes]
    assert begun == sorted(begun)
    assert len(notes) == (48 if "swing" in words else 24)
    for note, after in zip(notes, begun[1:], strict=False):
        assert note.ms == pytest.approx((after - note.start_frame) / 48, abs=1)
    whole = (notes[-1].start_frame - begun[0]) / 48
    assert sum(note.ms for note in notes[:-1]) == pytest.approx(whole, abs=len(notes))


def test_one_note_is_heard_at_a_time_and_without_a_step(home: Path, tmp_path: Path) -> None:
    with Vault.open(home) as vault:
        out = tmp_path / "out.wav"
        render(vault, accepted(script('"X."')), out)
    sound, _ = soundfile.read(out, always_2d=True)
    tone = np.abs(sound[RATE : 3 * RATE, 0])
    per_beat = tone.reshape(-1, RATE // 8).max(axis=1)
    # Eight notes at once would be up to eight times as loud; one that begins swings a little about its level.
    assert per_beat.max() < 1.2 * np.median(per_beat)


def test_a_take_of_all_that_is_new_plays_again_bit_for_bit(home: Path) -> None:
    more = (
        '    play hat from clicks "xoxxxoxx" steps 24 loose 3 dB humanise 20 ms each hit new choke hat\n'
        "    play open from clicks euclid 3 in 8 pan random -1..1 choke hat\n"
        "    play rise from notes ending at bar 2 beat 3\n"
    )
    with Vault.open(home) as vault:
        session = Session(vault, accepted(script('"x.x" humanise 50 ms', more)), use="stream")
        blocks = []
        while not session.ended:
            blocks.append(session.read(4_800))
        session.close()
        again: list[np.ndarray] = []
        second, replayed = replay(vault, takes.load(session.take_path), again.append)
        second.seal()
    assert replayed.same
    assert np.array_equal(np.concatenate(blocks, axis=1), np.concatenate(again, axis=1))
