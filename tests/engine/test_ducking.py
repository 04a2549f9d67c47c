"""Ducking: it comes in time, by as much as it says, is back in time, and pumps under a loop and a trigger."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, sosfiltfilt

from stemloom import Vault
from stemloom.engine.effects import PlacedDuck, PlacedEffects
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.plan import Fade, Onset
from stemloom.engine.play.keying import of_hit, of_loop
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.struck import struck
from stemloom.ledger.log.session_page import HeardFrames
from stemloom.script.check.check import accepted
from stemloom.script.effects.duck import GAIN, weight
from stemloom.vault.sound.declared import Declared

from .test_mixer import SOUND, placement
from .test_session import RATE, read_all

BEAT = RATE // 2
HEAD = """piece "Pump" for stream
tempo 120
loudness -24 LUFS
pool drums = loops role beats
pool pads = loops role pads
pool kicks = hits role fx
section a 4 bars
"""
END = "move a -> silence at end\n"


def ducked(mixer: Mixer, depth_db: float, *under: str, back: float = 0.18) -> int:
    """The row of a placement that makes room."""
    effects = PlacedEffects(duck=PlacedDuck(depth_db, under, back))
    mixer.place(replace(placement(1, 0, 1 << 30), effects=effects, role="pads"), SOUND, at=0)
    return mixer._rows[1]


def gains(mixer: Mixer, row: int, quanta: int) -> np.ndarray:
    """The ducked gain at the end of each quantum, in dB."""
    found = []
    for _ in range(quanta):
        mixer.advance(1)
        found.append(mixer.rack.ducks_of[row, GAIN])
    return 20 * np.log10(np.array(found))


def test_it_is_down_at_the_onset_and_nine_tenths_back_in_time() -> None:
    mixer = Mixer(-14, -1, (), ["kick"])
    row = ducked(mixer, 9.0, "kick")
    for beat in (1, 2):
        mixer.press(Onset("kick", beat * BEAT, beat * BEAT, 1.0), 0)
    heard = gains(mixer, row, 2 * BEAT // 64)
    on, back = BEAT // 64, (BEAT + int(0.18 * RATE)) // 64
    assert heard[on - 6] == 0, "not before its time"
    assert heard[on] == pytest.approx(-9, abs=0.01)
    assert heard[on - 2] == pytest.approx(-9 * (240 - 64) / 240, abs=0.01), "a straight line in dB"
    assert heard[back] == pytest.approx(-0.9, abs=0.05)
    assert heard[-6] > -0.05


def test_the_deepest_of_several_parts_counts_and_an_onset_by_its_weight() -> None:
    mixer = Mixer(-14, -1, (), ["kick", "snare"])
    row = ducked(mixer, 12.0, "kick", "snare")
    mixer.press(Onset("kick", 6400, 6400, 0.5), 0)
    mixer.press(Onset("snare", 6464, 6464, 0.25), 0)
    mixer.press(Onset("other", 6400, 6400, 1.0), 0)
    assert gains(mixer, row, 110).min() == pytest.approx(-6, abs=0.01)
    levels = (0.0, -3.0, -10.5, -18.0, -60.0)
    assert [weight(level) for level in levels] == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_what_sounds_on_holds_down_until_its_end_or_its_stop() -> None:
    mixer = Mixer(-14, -1, (), ["voice"])
    row = ducked(mixer, 6.0, "voice")
    mixer.place(replace(placement(2, 0, 1 << 30), part="voice", role="voice"), SOUND, at=0)
    mixer.press(Onset("voice", 0, 96_000, 1.0, 2, "voice"), 0)
    mixer.advance(100)
    assert gains(mixer, row, 1)[0] == pytest.approx(-6, abs=0.01)
    mixer.stop(2, mixer.frame + 1000, Fade(1000), at=mixer.frame)
    assert gains(mixer, row, 300)[-1] > -0.1, "nobody ducks under what is stopped"


def test_a_part_whose_role_is_turned_down_makes_no_room() -> None:
    mixer = Mixer(-14, -1, (), ["kick"])
    row = ducked(mixer, 12.0, "kick")
    mixer.set_fader("beats", 0.0, 0, at=0)
    mixer.press(Onset("kick", 6400, 6400, 1.0, 7, "beats"), 0)
    assert gains(mixer, row, 110).min() == pytest.approx(0, abs=0.01)


def test_more_onsets_than_there_is_room_for_are_left_out() -> None:
    mixer = Mixer(-14, -1, (), ["kick"])
    row = ducked(mixer, 6.0, "kick")
    for number in range(1500):
        mixer.press(Onset("kick", 6400 + number, 6400 + number, 1.0), 0)
    heard = gains(mixer, row, 400)
    assert heard.min() == pytest.approx(-6, abs=0.01)
    assert heard[-1] > -0.2
    assert mixer.rack.onset_counts[0] == 0


def test_what_is_ducked_to_nothing_is_not_in_play() -> None:
    mixer = Mixer(-14, -1, (), ["kick"])
    ducked(mixer, 60.0, "kick")
    mixer.press(Onset("kick", 0, 64_000, 1.0), 0)
    mixer.stop(1, 64_000, Fade(), at=0)
    mixer.advance(1001)
    heard = [each.frames for each in mixer.reports() if isinstance(each, HeardFrames)]
    # Four quanta to come down.
    assert heard[0] == pytest.approx(4 * 64, abs=64)


def kick_loop(bars: int, *, ghosts: bool = False) -> np.ndarray:
    """Four to the floor at 120 bpm, (2, frames), with soft hits between if so."""
    sound = np.zeros(bars * 4 * BEAT)
    t = np.arange(BEAT) / RATE
    hit = np.sin(2 * np.pi * 55 * t) * np.exp(-t * 18) * np.minimum(t / 0.002, 1)
    for beat in range(4 * bars):
        sound[beat * BEAT : (beat + 1) * BEAT] += 0.5 * hit
        if ghosts:
            sound[beat * BEAT + BEAT // 2 : (beat + 1) * BEAT] += 0.04 * hit[: BEAT // 2]
    return np.stack([sound, sound]).astype(np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with a loop of four to the floor, a steady high pad and a kick."""
    home = tmp_path_factory.mktemp("pump") / "home"
    pad = np.sin(2 * np.pi * 5000 * np.arange(4 * 4 * BEAT) / RATE) * 0.1
    sounds = {
        "floor": (kick_loop(2), "beats", {"bpm": Fraction(120), "bars": 2}),
        "steady": (np.stack([pad, pad]), "pads", {"bpm": Fraction(120), "bars": 4, "key": "C major"}),
        "kick": (kick_loop(1)[:, :9600], "fx", {"shape": "hit"}),
    }
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        for name, (sound, role, said) in sounds.items():
            path = home.parent / f"{name}.wav"
            soundfile.write(path, sound.T, RATE, subtype="FLOAT")
            assert vault.add([Declared(path, "Ada", role, **said)]).added
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return home


def swings(sound: np.ndarray, beats: range) -> list[tuple[float, float]]:
    """Of each beat, by how much the pad goes down, and how far it is from before after 180 ms, in dB."""
    high = sosfiltfilt(butter(4, 3000, "high", fs=RATE, output="sos"), sound[0].astype(float))
    level = 10 * np.log10(np.convolve(high**2, np.ones(96) / 96, "same") + 1e-12)
    found = []
    for beat in beats:
        at = beat * BEAT
        before = level[at - 1440 : at - 480].mean()
        found.append((before - level[at : at + 480].min(), level[at + 8640] - before))
    return found


@pytest.mark.parametrize(
    "lines",
    [
        "    bring drums from drums\n    bring haze from pads duck 12 dB under drums back 180 ms\n",
        '    trigger pulse "x..."\n    bring haze from pads duck 12 dB under pulse\n',
        '    play kick from kicks "X..."\n    bring haze from pads duck 12 dB under kick\n',
    ],
    ids=["loop", "trigger", "hits"],
)
def test_a_pad_pumps_with_each_beat(home: Path, lines: str) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(HEAD + lines + END))
        sound = read_all(session, [4096])
        take = session.close()
    found = swings(sound, range(1, 16))
    assert min(down for down, _ in found) >= 8, found
    assert min(back for _, back in found) >= -1.5, found
    assert {p.part for p in take.placements} == set(lines.split()) & {"drums", "haze", "kick"}


def test_it_is_the_same_however_it_is_read_and_again_from_its_take(home: Path) -> None:
    lines = (
        '    bring drums from drums gain -20 dB -> 0 dB over 2 bars\n    trigger pulse "..x." humanise 5 ms\n'
        "    bring haze from pads duck 9 dB under drums and pulse back 90 ms\n"
    )
    sounds = []
    with Vault.open(home) as vault:
        for sizes in ([1 << 20], [1, 777, 4096], [64]):
            session = Session(vault, accepted(HEAD + lines + END))
            sounds.append(read_all(session, sizes))
            take = session.close()
        again: list[np.ndarray] = []
        session, replayed = replay(vault, take, again.append, logged=False)
        session.abandon()
    for other in (*sounds[1:], np.concatenate(again, axis=1)):
        np.testing.assert_array_equal(sounds[0], other)
    assert replayed.same


def test_onsets_weigh_by_how_loud_they_begin() -> None:
    found = struck(kick_loop(1, ghosts=True))
    at = found.frames % BEAT
    assert (np.minimum(at, BEAT - at) < 300).all(), "a hit of -22 dB makes nothing duck"
    assert len(found.frames) == 4
    assert (found.levels_db > -0.5).all()
    assert not len(struck(np.full((2, BEAT), 0.1, np.float32)).frames)


def test_a_loops_onsets_are_where_it_sounds() -> None:
    loop = placement(3, 1000, 1000 + 6 * BEAT)
    variant = replace(loop.variant, frames=4 * BEAT)
    loop = replace(loop, variant=variant, offset_frames=BEAT // 2)
    sound = struck(kick_loop(1))
    first = int(sound.frames[0])
    found = [each.frame for each in of_loop(loop, sound, 0, 1 << 40)]
    assert found[0] == 1000 + (first - BEAT // 2) % BEAT
    assert len(found) == 6
    some = [each.frame for each in of_loop(loop, sound, found[2], found[4])]
    assert some == found[2:4]
    (held,) = of_loop(loop, None, 2000, 5000)
    assert (held.frame, held.until) == (2000, 4999)
    entering = replace(loop, fade_in=Fade(6 * BEAT, equal_power=True))
    weights = [each.weight for each in of_loop(entering, sound, 0, 1 << 40)]
    assert weights == sorted(weights)
    assert weights[0] < weights[-1] == pytest.approx(1)
    assert of_hit(replace(loop, hit=True, gain_db=-60.0)).weight == 0
