"""A loop that goes on over a section's end, or after 64 bars, sounds as if nothing had ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.compose import loop_writer
from stemloom.engine.compose.score import score
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.mix.rack import PLAYING
from stemloom.engine.mix.trial import endless
from stemloom.engine.plan import Fade, Placement
from stemloom.engine.play.session import Session
from stemloom.ledger.log.session_page import HeardFrames
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

from .pieces import sounding

RATE = 48_000
NOW = "2099-01-01T00:00:00.000Z"
BAR = RATE * 60 // 375
"""A bar of one beat at 375 bpm: 7680 frames, 120 quanta."""
HEAD = """piece "Seams" for stream
tempo {tempo}
meter 1/4
loudness off
pool keys = loops role pads, mood keys, key any
pool drums = loops role beats
pool haze = loops role pads, mood haze, key any
pool other = loops role pads, mood other, key any
pool sparks = hits role fx
bus room = reverb 0.5 s
dial depth 0..1 = 1 now
dial form 0..1 = 1 at next bar
"""


def noise(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, 2)) * 0.1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two loops for pads and one for beats, a texture, and a hit, all of noise."""
    home = tmp_path_factory.mktemp("seams") / "home"
    beat = {"bpm": Fraction(375)}
    sounds = {
        "keys": (4 * BAR, {"role": "pads", "mood": ("keys",), "beats": 4} | beat),
        "drums": (4 * BAR, {"role": "beats", "mood": ("drums",), "beats": 4} | beat),
        "other": (4 * BAR, {"role": "pads", "mood": ("other",), "beats": 4} | beat),
        "haze": (3 * RATE, {"role": "pads", "mood": ("haze",), "shape": "sustained"}),
        "spark": (RATE // 10, {"role": "fx", "shape": "hit"}),
    }
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for seed, (name, (frames, said)) in enumerate(sounds.items()):
            path = home.parent / f"{name}.wav"
            soundfile.write(path, noise(seed, frames), RATE, subtype="FLOAT")
            role = str(said.pop("role"))
            offers.append(Declared(path, "Ada", role, **said, accept_tempo=True))  # type: ignore[arg-type]
        assert len(vault.add(offers).added) == len(offers)
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return home


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


def heard(
    vault: Vault, text: str, bars: int, tempo: int = 375, **dials: float
) -> tuple[np.ndarray, list[Placement]]:
    """What so many bars sound like, (2, frames), and what was placed in them."""
    session = Session(vault, accepted(HEAD.format(tempo=tempo) + text), use="stream", logged=False)
    sound = session.read(round(bars * RATE * 60 / tempo))
    placed = [p for bar in session.bars for p in bar.starts if p.bar < bars]
    session.abandon()
    assert np.abs(sound).max() > 1e-3
    return sound, placed


LINES = {
    "plain": "bring x from keys",
    "beats": "bring x from drums",
    "reversed": "bring x from keys reverse",
    "half time": "bring x from keys half time",
    "filtered": "bring x from keys lowpass 300 Hz highpass 100 Hz",
    "sent to a reverb": "bring x from keys to room 50%",
    "at another gain and pan": "bring x from keys gain depth * 6 dB - 9 dB pan 0.3",
    "ducked": 'bring x from keys duck 12 dB under k\n    play k from sparks "x..."',
    "held": "bring x from keys\n    vary x every 4 bars",
}


@pytest.mark.parametrize("tempo", [375, 391])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_section_that_repeats_sounds_as_a_long_one(vault: Vault, line: str, tempo: int) -> None:
    text = "section a {} bars\n    " + line + "\n"
    short, placed = heard(vault, text.format(8), 33, tempo)
    whole, _ = heard(vault, text.format(64), 33, tempo)
    assert np.abs(short - whole).max() < 1e-6
    mine = [p for p in placed if p.part == "x"]
    assert len(mine) == 5
    assert [p.continues for p in mine] == [None, *(p.id for p in mine[:-1])]


GLIDE = "bring x from keys lowpass 300 Hz -> 3 kHz over 80 bars"
LONG = LINES | {
    "a glide": GLIDE,
    "a texture": "bring x from haze",
    "a fade": "bring x from keys over 70 bars",
}


@pytest.mark.parametrize("line", LONG.values(), ids=LONG)
def test_a_loop_goes_on_after_64_bars(vault: Vault, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "section a 136 bars\n    " + line + "\n"
    long, placed = heard(vault, text, 132)
    monkeypatch.setattr(loop_writer, "MAX_BARS", 1000)
    whole, _ = heard(vault, text, 132)
    assert np.abs(long - whole).max() < 1e-6
    assert [p.bar for p in placed if p.part == "x"] == [0, 64, 128]


def test_it_goes_on_under_another_line_and_part(vault: Vault) -> None:
    """Its gain moves there by a ramp, and nothing else."""
    text = "section a 8 bars\n    bring x from keys\nsection b 8 bars\n    bring y from keys gain -6 dB\n"
    sound, placed = heard(vault, text, 16)
    assert [p.continues for p in placed] == [None, placed[0].id]
    line = 8 * BAR
    plain, _ = heard(vault, "section a 16 bars\n    bring x from keys\n", 16)
    for first, last, gain in ((line - 64, line - 1, 1.0), (line + 700, line + 6000, 10 ** (-6 / 20))):
        # But for what the master's high-pass remembers of before.
        np.testing.assert_allclose(sound[0, first:last], gain * plain[0, first:last], atol=1e-3)
    loud = line + np.flatnonzero(np.abs(plain[0, line : line + 700]) > 0.1)
    went = sound[0, loud] / plain[0, loud]
    assert (np.abs(np.diff(went)) <= 0.001 * np.diff(loud) + 0.01).all()


def test_what_glides_anew_is_crossed_by_straight_lines(vault: Vault) -> None:
    _, placed = heard(
        vault, "section a 8 bars\n    bring x from keys lowpass 2 kHz -> 4 kHz over 8 bars\n", 16
    )
    _, second = placed
    assert second.continues is None
    assert second.fade_in.frames == 2880
    assert not second.fade_in.equal_power


def fades(vault: Vault, text: str, bars: int) -> np.ndarray:
    """The fades of all that sounds, added up in power, at each frame of so many bars."""
    fixed = score(accepted(HEAD.format(tempo=375) + text), vault.snapshot(), use="stream", at=NOW, rate=RATE)
    frames = np.arange(bars * BAR)
    power = np.zeros(len(frames))
    for p in sounding(fixed, bars):
        there = (frames >= p.start_frame) & (frames < p.end_frame)
        power[there] += (
            shape(p.fade_in, frames[there] - p.start_frame + 1)
            * shape(p.fade_out, p.end_frame - frames[there])
        ) ** 2
    return power


def shape(fade: Fade, frames: np.ndarray) -> np.ndarray:
    x = np.clip((frames + fade.done) / fade.frames, 0, 1) if fade.frames else np.ones(len(frames))
    return np.sin(np.pi / 2 * x) if fade.equal_power else x


CROSSED = {
    "as roles leave and enter": ("    bring x from other", "", 0),
    "by a move": ("    bring x from other over 4 bars", "move a -> b over 4 bars\n", 0),
    "by a move, another part": ("    bring y from other over 4 bars", "move a -> b over 4 bars\n", 0),
    "by two lines": (
        "    bring x from keys for 4 bars out over 2 bars\n    bring y from other at bar 3 over 2 bars",
        "",
        8,
    ),
}


@pytest.mark.parametrize(("line", "moved", "later"), CROSSED.values(), ids=CROSSED)
def test_two_recordings_keep_their_level_where_they_cross(
    vault: Vault, line: str, moved: str, later: int
) -> None:
    text = f"section a 8 bars\n    bring x from keys\nsection b 8 bars\n{line}\n{moved}"
    power = fades(vault, text, 16)[1572 : 16 * BAR - 3000]
    assert np.abs(10 * np.log10(power[later * BAR :])).max() < 0.01


def test_one_recording_keeps_its_level_where_it_crosses_itself(vault: Vault) -> None:
    text = "section a 8 bars\n    bring x from keys over 4 bars\nmove a -> a over 4 bars\n"
    sound, placed = heard(vault, text, 16)
    whole, _ = heard(vault, "section a 64 bars\n    bring x from keys\n", 16)
    assert len(placed) == 3
    after = slice(8 * BAR, None)
    np.testing.assert_allclose(sound[:, after], whole[:, after], atol=1e-4)


def test_a_fade_in_goes_on_where_a_line_holds_it(vault: Vault) -> None:
    text = """section a 8 bars
    bring x from keys over 16 bars
section b 16 bars
    hold x
"""
    sound, _ = heard(vault, text, 20)
    whole, _ = heard(vault, "section a 24 bars\n    bring x from keys over 16 bars\n", 20)
    assert np.abs(sound - whole).max() < 1e-6
    early = (
        text.replace("section a 8 bars", "section a 12 bars") + "move a -> b at next 8 bars when form > 0\n"
    )
    sound, _ = heard(vault, early, 20)
    assert np.abs(sound - whole).max() < 1e-6


def test_what_fades_out_before_a_section_repeats_fades_in_again(vault: Vault) -> None:
    _, placed = heard(vault, "section a 8 bars\n    bring x from keys out over 4 bars\n", 16)
    assert [p.continues for p in placed] == [None, None]
    assert placed[1].fade_in.frames > 1000


def test_a_varied_line_with_one_stem_has_no_seam(vault: Vault) -> None:
    _, placed = heard(vault, "section a 80 bars\n    bring x from keys\n    vary x every 32 bars\n", 80)
    assert [(p.bar, p.continues) for p in placed] == [(0, None), (64, 0)]


@pytest.mark.parametrize("ahead", [2000, 600, 64])
def test_what_is_stopped_just_before_it_goes_on_fades(vault: Vault, ahead: int) -> None:
    """The one that was to go on never begins, so the one before it must not be cut."""
    text = HEAD.format(tempo=375) + "section a 8 bars\n    bring x from keys\n"
    session = Session(vault, accepted(text), use="stream", logged=False)
    session.read(8 * BAR - ahead - LATENCY_FRAMES)
    assert session.conductor.state.bar == 9
    frame = session.mixer.frame
    assert 0 < 8 * BAR - frame <= ahead
    session.gestures.panic()
    session.read(64)
    voices = session.mixer.rack.voices
    (voice,) = voices[voices["phase"] == PLAYING]
    assert voice["end"] == frame + 1000
    assert voice["fade_out"] == 1000
    session.read(1000)
    assert not np.any(voices["phase"] == PLAYING)
    session.abandon()


def test_what_goes_on_takes_nobody_s_place() -> None:
    """Beside 255 others, though for a quantum both it and the one before it have a voice."""
    mixer, sound = Mixer(0, -1), np.full((2, 64), 0.001, np.float32)
    for id in range(256):
        mixer.place(endless(id, "s"), sound, 0)
    mixer.stop(0, 650, Fade(), at=64)
    mixer.place(replace(endless(256, "s"), start_frame=650, continues=0), sound, 64)
    mixer.advance(20)
    assert mixer.crowded == 0
    assert [(each.id, each.end_frame) for each in mixer.reports() if isinstance(each, HeardFrames)] == [
        (0, 650)
    ]


def test_what_was_to_go_on_from_one_that_is_gone_fades_in() -> None:
    mixer, sound = Mixer(0, -1), np.full((2, 64), 0.001, np.float32)
    mixer.place(replace(endless(1, "s"), start_frame=650, continues=0), sound, 0)
    mixer.advance(11)
    (voice,) = mixer.rack.voices[mixer.rack.voices["phase"] == PLAYING]
    assert (voice["fade_in"], voice["continues"]) == (1000, -1)
