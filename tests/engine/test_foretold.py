"""The loudness that is foretold is the one that comes out, effects and limiter apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from benchmarks.script import DEAREST, dearest
from stemloom import Vault
from stemloom.engine.compose.foretold import (
    LOOP_WORK,
    MOST_WORK,
    Foreseen,
    foresee,
    foretold_lufs,
    gain_for,
    mean_squares,
)
from stemloom.engine.compose.score import Score, score
from stemloom.engine.mix.trial import endless
from stemloom.engine.plan import Fade, Placement, Variant
from stemloom.engine.play import gain as gains
from stemloom.engine.play.gain import foretold_gain_db
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.energies import Energies, energies
from stemloom.vault.sound.loudness import integrated_lufs

from .pieces import HEAD, NOW, snapshot, stem

RATE = 48_000


def sounds(number: int, seconds: float) -> np.ndarray:
    """Noise that swells and dies away in steps of its own, stereo, (frames, 2)."""
    draw = np.random.default_rng(number)
    steps = np.repeat(draw.uniform(-30, 0, round(seconds * 8)), RATE // 8)
    return (draw.standard_normal((len(steps), 2)) * 0.1 * 10 ** (steps[:, None] / 20)).astype(np.float32)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("foretold")
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for number in range(12):
            path = folder / f"{number}.wav"
            soundfile.write(path, sounds(number, 4), RATE, subtype="FLOAT")
            offers.append(Declared(path, "Ada", "pads", bpm=Fraction(120), beats=8, mood=(f"n{number}",)))
        for number in range(12, 15):
            path = folder / f"{number}.wav"
            hit = sounds(number, 0.5) * np.exp(-np.arange(RATE // 2) / 4000)[:, None].astype(np.float32)
            soundfile.write(path, hit, RATE, subtype="FLOAT")
            offers.append(Declared(path, "Ada", "fx", shape="hit", mood=(f"n{number}",)))
        assert len(vault.add(offers).added) == 15
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
        yield vault


def piece(number: int) -> str:
    """A piece of several loops and hits, at levels and times of its own."""
    draw = np.random.default_rng(number)
    loops, hits = draw.choice(12, 5, replace=False), draw.choice(range(12, 15), 2, replace=False)
    lines = [
        f"    bring l{n} from p{n} at bar {draw.integers(1, 7)} over {draw.integers(1, 6)} beats"
        f" gain {draw.uniform(-12, 6):.1f} dB"
        for n in loops
    ]
    lines[-1] += " -> -30 dB over 4 bars"
    lines += [f'    play h{n} from p{n} "X..x....x..3...." gain {draw.uniform(-6, 6):.1f} dB' for n in hits]
    pools = [f"pool p{n} = {'hits' if n > 11 else 'loops'} mood n{n}, key any\n" for n in (*loops, *hits)]
    head = f'piece "Mix" for stream\ntempo {120 if number % 2 else 114}\nseed {number}\nloudness off\n'
    body = (
        "section a 8 bars\n"
        + "\n".join(lines)
        + "\nsection b 4 bars\n"
        + lines[0].replace("at bar", "at bar 1 #")
    )
    return head + "".join(pools) + body + "\nmove b -> silence at end\n"


@pytest.mark.parametrize("number", range(6))
def test_a_mix_is_as_loud_as_foretold(vault: Vault, number: int) -> None:
    session = Session(vault, accepted(piece(number)), logged=False, gain_db=-24.0)
    session.prepare()
    out = session.read(60 * RATE)
    assert session.ended
    foretold = foretold_lufs(foresee(session.score, {}), session.score.stems, vault.recordings.energies)
    session.abandon()
    # To stretch a noise makes it a little softer, which nothing here knows.
    assert foretold - 24 == pytest.approx(integrated_lufs(out), abs=0.15 if number % 2 else 0.8)


SAMPLES = sounds(1, 4).T
KNOWN = {"s00": Energies.of(energies(SAMPLES))}
STEM = stem(1, "pads", stem="s00", frames=SAMPLES.shape[1])


def known(stems: Sequence[Stem]) -> Mapping[str, Energies]:
    return {each.stem: KNOWN[each.stem] for each in stems if each.stem in KNOWN}


def placed(start: int, end: int, **changes: object) -> Placement:
    whole = Variant("s00", SAMPLES.shape[1], 0, 1.0)
    fields = {"stem": "s00", "start_frame": start, "end_frame": end, "variant": whole, "level_db": 0.0}
    return replace(endless(1, "pads"), **(fields | changes))  # type: ignore[arg-type]


def squares(*placements: Placement, seconds: float = 8) -> np.ndarray:
    foreseen = Foreseen(placements, round(seconds * RATE), False, {})
    return mean_squares(foreseen, {"s00": STEM}, known)


def test_a_loop_comes_round_and_begins_where_it_begins() -> None:
    steps = KNOWN["s00"].plain
    np.testing.assert_allclose(squares(placed(0, 8 * RATE)), np.tile(steps, 2))
    np.testing.assert_allclose(squares(placed(RATE, 5 * RATE))[10:50], steps)
    inside = squares(placed(0, RATE, offset_frames=3 * RATE + 4800 * 5))
    np.testing.assert_allclose(inside[:10], np.concatenate([steps[35:], steps[:5]]))
    assert not inside[10:].any()


def test_nothing_is_lost_between_the_steps() -> None:
    for start in (1, 777, 4799, 30_001):
        found = squares(placed(start, start + 4 * RATE))
        assert found.sum() == pytest.approx(KNOWN["s00"].plain.sum(), rel=1e-9)
        struck = placed(start, start + 4 * RATE, hit=True, variant=Variant("s00", 4 * RATE, None, 1.0))
        assert squares(struck).sum() == pytest.approx(KNOWN["s00"].plain.sum(), rel=1e-9)


def test_the_same_sound_twice_is_twice_as_high_and_another_adds_its_power() -> None:
    one, later = placed(0, 4 * RATE), placed(4800, 4 * RATE + 4800, id=3)
    np.testing.assert_allclose(squares(one, replace(one, id=2)), 4 * squares(one))
    np.testing.assert_allclose(squares(one, later), squares(one) + squares(later))
    struck = replace(one, hit=True)
    np.testing.assert_allclose(squares(struck, replace(struck, id=2)), 4 * squares(struck))


def test_one_that_goes_on_is_no_louder_where_it_does() -> None:
    whole = squares(placed(0, 8 * RATE))
    parts = placed(0, 100_001), placed(100_001, 8 * RATE, id=2, offset_frames=100_001)
    np.testing.assert_allclose(squares(*parts), whole)


def test_gains_fades_and_direction_count() -> None:
    steps = KNOWN["s00"].plain
    np.testing.assert_allclose(
        squares(placed(0, 4 * RATE, gain_db=-6.0, level_db=12.0), seconds=4), steps * 10**0.6
    )
    backwards = placed(0, 4 * RATE, variant=Variant("s00", 4 * RATE, 0, 1.0, 0, True))
    np.testing.assert_allclose(squares(backwards, seconds=4), steps[::-1])
    faded = squares(placed(0, 4 * RATE, fade_in=Fade(4 * RATE)), seconds=4)
    np.testing.assert_allclose(faded, steps * ((np.arange(40) + 0.5) / 40) ** 2)
    slow = placed(0, 8 * RATE, variant=Variant("s00", 8 * RATE, 0, 2.0))
    np.testing.assert_allclose(squares(slow)[::2] + squares(slow)[1::2], 2 * steps)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_loop_along_a_ramp_brings_what_it_does_there(backwards: bool) -> None:
    """Its second half is played half as fast: each step of it counts twice."""
    steps = KNOWN["s00"].plain[::-1] if backwards else KNOWN["s00"].plain
    ramp = ((0, 0), (2 * RATE, 2 * RATE), (4 * RATE, 6 * RATE))
    along = Variant("s00", 6 * RATE, None, 1.0, 0, backwards, ramp)
    found = squares(placed(0, 6 * RATE, variant=along))
    np.testing.assert_allclose(found[:20], steps[:20], rtol=1e-6)
    np.testing.assert_allclose(found[20:60], np.repeat(steps[20:], 2), rtol=1e-6)
    assert not found[60:].any()


def test_silence_has_no_loudness_and_needs_no_gain() -> None:
    nothing = Foreseen((), 10 * RATE, True, {})
    assert foretold_lufs(nothing, {}, known) == -math.inf
    assert foretold_lufs(Foreseen((placed(0, 100),), 100, False, {}), {"s00": STEM}, known) == -math.inf
    assert gain_for(-14.0, -math.inf) == 0
    assert gain_for(None, -30.0) == 0
    assert (gain_for(-14.0, -60.0), gain_for(-14.0, 20.0), gain_for(-14.0, -16.5)) == (20.0, -20.0, 2.5)


def score_of(text: str, *stems: Stem) -> Score:
    return score(accepted(text), snapshot(*stems), use="stream", at=NOW, rate=RATE)


def test_a_piece_is_looked_at_to_its_end_or_for_256_bars() -> None:
    loop = HEAD + "pool b = loops role beats\nsection s 4 bars\n    bring b from b\n"
    ends = foresee(score_of(loop + "move s -> silence at end\n", stem(1)), {})
    assert (ends.whole, ends.frames, len(ends.placements)) == (True, 4 * 96_000, 1)
    goes_on = foresee(score_of(loop + "move s -> s at end\n", stem(1)), {})
    assert (goes_on.whole, goes_on.frames) == (False, 256 * 96_000)


@pytest.mark.parametrize("name", DEAREST)
def test_the_work_is_bounded(name: str) -> None:
    """Whatever a script asks for: it is looked at until so much has been composed, and a bar more."""
    stems = [stem(n, ("beats", "pads", "tops")[n % 3]) for n in range(30)]
    stems += [stem(n, "fx", "hit") for n in range(30, 40)]
    found = foresee(score_of(dearest(*DEAREST[name]), *stems), {})
    bars = math.ceil(found.frames / 96_000)
    work = sum(1 if each.hit else LOOP_WORK for each in found.placements)
    assert bars == 256 or MOST_WORK < work < MOST_WORK * (1 + 2 / (bars - 1))


def test_it_is_foretold_once(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        gains, "foresee", lambda score, dials: asked.append(score.piece.name) or foresee(score, dials)
    )
    text = piece(7).replace("loudness off", "loudness -18 LUFS")
    session = Session(vault, accepted(text), logged=False)
    first, of_session = foretold_gain_db(vault, session.score, {}), session.gain_db
    session.abandon()
    assert first == of_session
    assert len(asked) == 1
    other = Session(vault, accepted(text), logged=False, seed=8)
    other.abandon()
    assert len(asked) == 2
