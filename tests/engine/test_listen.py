"""A mix made wrong on purpose is told of, with the line and by how much; a good one is let be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.engine.errors import NoEnd, UseRefused
from stemloom.engine.listen import spectra
from stemloom.engine.listen.alike import Stretch, differences, stretches
from stemloom.engine.listen.desk import Overheard
from stemloom.engine.listen.figures import part_figures, section_figures
from stemloom.engine.listen.findings import Finding, findings, scenes_of
from stemloom.engine.listen.heard import Heard
from stemloom.engine.listen.listen import listen
from stemloom.engine.plan import Bar
from stemloom.engine.play.render import render
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.loudness import integrated_lufs

RATE = 48_000
BARS, BEAT = 4, RATE // 2
T = np.arange(BARS * 4 * BEAT) / RATE
HEAD = """piece "Wrong on purpose" for stream
tempo 120
key D minor
seed 4
loudness {loudness}
pool drums = loops role beats
pool lows = loops role bass, key fits
pool chords = loops role harmony, mood plain, key fits
pool same = loops role pads, mood same, key fits
pool sides = loops role pads, mood sides, key fits
pool muddy = loops role harmony, mood muddy, key fits
pool tunes = loops role melody, key fits
section a {bars} bars
"""
GOOD = """    bring beats from drums
    bring low from lows
    bring keys from chords
    bring tune from tunes
"""


def tones(*hertz: float, amplitude: float = 0.1) -> np.ndarray:
    return sum((amplitude * np.sin(2 * np.pi * f * T) for f in hertz), np.zeros(len(T)))


def by_bar(*bars: tuple[float, ...]) -> np.ndarray:
    """Each bar its own tones, with a swell, so that no two bars are alike."""
    bar = np.arange(len(T)) // (4 * BEAT)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * T / 2.0)
    return swell * sum((tones(*hertz) * (bar == place) for place, hertz in enumerate(bars)), np.zeros(len(T)))


def beats() -> np.ndarray:
    """Kicks and noise, each bar in another pattern."""
    sound, random = np.zeros(len(T)), np.random.default_rng(1)
    length = np.arange(6000)
    kick = np.sin(2 * np.pi * 55 * length / RATE) * np.exp(-length / 2500)
    hat = random.standard_normal(6000) * np.exp(-length / 1200) * 0.5
    for place, hit in enumerate("k.h.k.h.kk..h.hhk...h.k.k.hhhkhh"):
        at = place * len(T) // 32
        if hit != ".":
            sound[at : at + 6000] += (kick if hit == "k" else hat)[: len(T) - at]
    return sound * 0.5


CHORDS = by_bar((294, 349), (262, 330), (349, 440), (392, 466))
SIDES = np.array([[1.0], [-1.0]])
SOUNDS = {
    "drums": ("beats", None, (), beats()),
    "low": ("bass", "D minor", (), by_bar((73, 147), (65, 131), (87, 175), (98, 196))),
    "plain": ("harmony", "D minor", ("plain",), CHORDS),
    "same": ("pads", "D minor", ("same",), CHORDS * (1 + 0.3 * np.sin(2 * np.pi * T / 3.2))),
    "sides": ("pads", "D minor", ("sides",), SIDES * by_bar((587,), (523,), (698,), (784,))),
    "muddy": ("harmony", "D minor", ("muddy",), by_bar((62, 440), (93, 392), (110, 523), (82, 440))),
    "tune": ("melody", "D minor", (), by_bar((1175, 2349), (1397, 2794), (1047, 3136), (1760, 3520))),
}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("listen")
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for name, (role, key, mood, sound) in SOUNDS.items():
            path = folder / f"{name}.wav"
            stereo = np.broadcast_to(sound, (2, len(T))).T.astype(np.float32)
            soundfile.write(path, stereo, RATE, subtype="FLOAT")
            offers.append(
                Declared(
                    path,
                    "Ada",
                    role,
                    bpm=Fraction(120),
                    bars=BARS,
                    key=key,
                    mood=mood,
                    accept_tempo=True,
                    accept_silence=True,
                )
            )
        assert len(vault.add(offers).added) == len(SOUNDS)
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
        yield vault


def script(lines: str, loudness: str = "off", bars: int = 4) -> str:
    return HEAD.format(loudness=loudness, bars=bars) + lines + "move a -> silence at end\n"


def heard(vault: Vault, lines: str, loudness: str = "off", bars: int = 4) -> Heard:
    return listen(vault, accepted(script(lines, loudness, bars), vault.snapshot()))


def found(heard: Heard) -> tuple[Finding, ...]:
    sections = [section_figures(heard, section) for section in heard.sections]
    parts = [part for section in heard.sections for part in part_figures(heard, section)]
    return findings(heard, scenes_of(heard, sections, parts))


def test_nothing_is_said_where_nothing_is_wrong(vault: Vault) -> None:
    assert found(heard(vault, GOOD)) == ()


@pytest.mark.parametrize(
    ("lines", "kind", "part", "text", "measured", "change"),
    [
        (
            GOOD.replace("from lows", "from lows gain -12 dB"),
            "level",
            "low",
            "bring low from lows gain -12 dB",
            "low (bass) lies 10.9 LU under melody: 11.9 LU less",
            "gain 0 dB in place of -12 dB",
        ),
        (
            GOOD + "    bring pad from same gain -12 dB\n",
            "hidden",
            "pad",
            "bring pad from same gain -12 dB",
            "mostly under keys",
            "dB in place of -12 dB leaves 40% hidden",
        ),
        (
            GOOD + "    bring wide from sides # of one side alone\n",
            "mono",
            "wide",
            "bring wide from sides",
            "wide loses all where it is heard in mono",
            "no width gives it a middle",
        ),
        (
            GOOD + "    bring mud from muddy gain 3 dB\n",
            "low end",
            "mud",
            "bring mud from muddy gain 3 dB",
            "below 120 Hz mud lies",
            "highpass 120 Hz takes up to",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    vault: Vault, lines: str, kind: str, part: str, text: str, measured: str, change: str
) -> None:
    (told,) = found(heard(vault, lines))
    assert (told.kind, told.part, told.text) == (kind, part, text)
    assert measured in told.measured
    assert change in told.change
    assert script(lines).split("\n")[told.line - 1].split("#")[0].strip() == text


def test_the_gain_that_is_named_mends_it(vault: Vault) -> None:
    wrong = GOOD.replace("from lows", "from lows gain -12 dB")
    (told,) = found(heard(vault, wrong))
    mended = told.change.split(" in place")[0]
    assert found(heard(vault, wrong.replace("gain -12 dB", mended))) == ()
    assert abs(float(mended.split()[1])) <= 3, "what it had without a gain, about"


def test_a_part_that_is_brought_out_is_hidden_no_more(vault: Vault) -> None:
    wrong = GOOD + "    bring pad from same gain -12 dB\n"
    before = heard(vault, wrong)
    mended = found(before)[0].change.split(" in place")[0]
    after = heard(vault, wrong.replace("gain -12 dB", mended))
    (share,) = [each.hidden.share for each in part_figures(after, "a") if each.part == "pad"]
    assert share <= 0.42


def test_a_pressed_limiter_is_told_with_the_loudness_that_it_could_have(vault: Vault) -> None:
    told = {each.kind: each for each in found(heard(vault, GOOD, "-6 LUFS"))}["limiter"]
    assert told.text == "loudness -6 LUFS"
    assert told.change.startswith("loudness -")
    loudness = told.change.split(",")[0].removeprefix("loudness ")
    assert "limiter" not in {each.kind for each in found(heard(vault, GOOD, loudness))}


def test_eight_equal_bars_are_told(vault: Vault) -> None:
    text = script(GOOD, bars=12)
    (told,) = found(listen(vault, accepted(text, vault.snapshot())))
    assert told.kind == "repeats"
    assert told.measured.startswith("bars 5 to 12 differ by")
    assert told.measured.endswith("from those 4 before them; from -6 dB down bars are alike")
    assert told.change.startswith("vary ")
    varied = text.replace("bring tune", "vary beats every 4 bars\n    bring tune")
    assert "vary beats" not in found(listen(vault, accepted(varied, vault.snapshot())))[0].change


def test_bars_are_alike_as_their_sounds_are(vault: Vault) -> None:
    told = differences(heard(vault, GOOD, bars=8))
    assert told.shape == (8, 8)
    np.testing.assert_allclose(told, told.T)
    assert all(told[place, place + 4] < -10 for place in range(4)), "the same bar of the same loops"
    assert min(told[place, place + 1] for place in range(7)) > -6, "other notes"


@pytest.mark.parametrize(
    ("bars", "told"),
    [
        ("aaaaaaaa", [Stretch(0, 7, 1, -40.0)]),
        ("aaaaaaab", []),
        ("abababab", [Stretch(0, 7, 2, -40.0)]),
        ("cabababab", [Stretch(1, 8, 2, -40.0)]),
        ("abcdabcd", []),
        ("abcdabcdabcd", [Stretch(4, 11, 4, -40.0)]),
        ("abcdefghabcdefgh", [Stretch(8, 15, 8, -40.0)]),
        ("aaaa|aaaa", []),
        ("aaaaaaaa|aaaaaaaa", [Stretch(0, 7, 1, -40.0), Stretch(8, 15, 1, -40.0)]),
        ("aaaaaaaabcdefghi", [Stretch(0, 7, 1, -40.0)]),
        ("", []),
    ],
)
def test_stretches_of_eight_bars_within_one_visit(bars: str, told: list[Stretch]) -> None:
    """Bars of one letter are alike; `|` begins the section anew."""
    made, place = [], 0
    for letter in bars:
        place = 0 if letter == "|" else place
        if letter != "|":
            made.append(Bar(len(made), "a", place, 0, 0, (), (), (), False))
            place += 1
    letters = np.array(list(bars.replace("|", "")))
    assert stretches(made, np.where(letters[:, None] == letters, -40.0, 0.0)) == told


def test_the_parts_add_up_to_the_mix_before_its_limiter(vault: Vault) -> None:
    text = script(
        GOOD.replace(
            "from chords", "from chords to hall 30% duck 9 dB under beats pan -40% -> 40% over 4 bars"
        )
    )
    text = text.replace("section a", "bus hall = reverb 2 s\nsection a", 1)
    session = Overheard(vault, accepted(text, vault.snapshot()), logged=False, gain_db=-6.0)
    session.prepare()
    frames = 0
    for mix, before, parts in session.heard():
        assert before.shape == mix.shape
        # Each of them rings out below -60 dBFS by itself.
        np.testing.assert_allclose(sum(parts.values()), before, atol=2e-3)
        np.testing.assert_allclose(mix, before, atol=1e-6)
        frames += mix.shape[1]
    assert frames == session.frame
    session.abandon()


def test_it_hears_what_a_render_gives_and_logs_nothing(vault: Vault, tmp_path: Path) -> None:
    size, takes = vault.log.size, sorted((vault.home / "takes").glob("*.json"))
    listened = heard(vault, GOOD, "-20 LUFS")
    assert vault.log.size == size
    assert sorted((vault.home / "takes").glob("*.json")) == takes
    rendered = render(vault, accepted(script(GOOD, "-20 LUFS"), vault.snapshot()), tmp_path / "a.wav")
    assert (listened.frames, listened.gain_db, listened.lufs) == (
        rendered.frames,
        rendered.gain_db,
        rendered.lufs,
    )
    assert spectra.loudness(listened.mix) == pytest.approx(rendered.lufs, abs=0.2)


def test_an_interrupt_leaves_nothing(vault: Vault) -> None:
    def interrupt(step: str, done: int, all: int) -> None:
        raise KeyboardInterrupt

    size = vault.log.size
    with pytest.raises(KeyboardInterrupt):
        listen(vault, accepted(script(GOOD), vault.snapshot()), progress=interrupt)
    assert vault.log.size == size
    assert not list((vault.home / "takes").glob(".*"))


def test_what_cannot_be_listened_to_is_refused(vault: Vault) -> None:
    endless = accepted(script(GOOD).replace("-> silence", "-> a"), vault.snapshot())
    with pytest.raises(NoEnd, match="never ends: give a length with --seconds or --bars"):
        listen(vault, endless)
    with pytest.raises(NoEnd, match="an hour"):
        listen(vault, endless, seconds=3601)
    with pytest.raises(UseRefused):
        listen(vault, endless, bars=1, use="sync")
    assert listen(vault, endless, bars=1).bars[-1].bar == 0


SINE = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
NOISE = np.random.default_rng(5).standard_normal((2, 4 * RATE)) * 0.1


def powers(sound: np.ndarray, block: int = 7000) -> spectra.Powers:
    found = spectra.Spectra()
    for at in range(0, sound.shape[1], block):
        found.add(sound[:, at : at + block].astype(np.float32))
    return found.thirds


@pytest.mark.parametrize("block", [64, 4800, 100_000])
def test_the_powers_do_not_depend_on_the_blocks(block: int) -> None:
    np.testing.assert_allclose(powers(NOISE, block), powers(NOISE), rtol=1e-4)


@pytest.mark.parametrize("sound", [NOISE, np.tile(SINE * 0.2, (2, 1)), np.array([SINE, 0 * SINE])])
def test_power_and_loudness_are_those_of_the_sound(sound: np.ndarray) -> None:
    told = powers(sound)
    inner = told[2:-2].sum(axis=(1, 2)).mean()
    assert inner == pytest.approx((sound**2).sum(axis=0).mean(), rel=0.02)
    assert spectra.loudness(told) == pytest.approx(integrated_lufs(sound.astype(np.float32)), abs=0.2)


@pytest.mark.parametrize(
    ("sound", "loss"),
    [
        (np.array([SINE, SINE]), 0.0),
        (np.array([SINE, -SINE]), math.inf),
        (np.array([SINE, 0 * SINE]), 3.01),
        (NOISE, 3.01),
        (np.zeros((2, RATE)), 0.0),
    ],
)
def test_what_is_lost_in_mono(sound: np.ndarray, loss: float) -> None:
    told = spectra.mono_loss_db(powers(sound))
    assert told == pytest.approx(loss, abs=0.1) or (loss == math.inf and told > 60)


def test_a_tone_lies_in_its_band() -> None:
    inner = powers(np.tile(SINE, (2, 1)))[4:-4]
    told = inner.sum(axis=(0, 1))
    assert told.argmax() == np.abs(spectra.THIRDS - 1000).argmin()
    assert told.max() > 0.98 * told.sum()
    assert spectra.share_db(inner, spectra.LOW) < -60
