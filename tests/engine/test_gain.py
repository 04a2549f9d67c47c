"""The master's gain: decided before a piece plays, in its take, and the same for a render and a player."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Player, Vault
from stemloom.engine.compose.foretold import foresee, foretold_reduction_db
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.errors import EngineError
from stemloom.engine.play import take as takes
from stemloom.engine.play.render import render
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Session as SessionEntry
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared
from stemloom.vault.sound.loudness import integrated_lufs

RATE = 48_000
BAR = 2 * RATE
HEAD = 'piece "Gain" for stream\ntempo 120\nseed 1\n{loudness}\npool loud = loops mood loud, key any\n'
BODY = """section quiet 4 bars
    bring part from loud gain -12 dB
section loud 4 bars
    bring part from loud{effects}
"""
END = "move loud -> silence at end\n"
AROUND = "move loud -> quiet at end\n"


def text(loudness: str = "loudness -18 LUFS", end: str = END, effects: str = "") -> str:
    return HEAD.format(loudness=loudness) + BODY.format(effects=effects) + end


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gain")
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        path = folder / "noise.wav"
        noise = np.random.default_rng(1).standard_normal((4 * RATE, 2)) * 0.05
        soundfile.write(path, noise.astype(np.float32), RATE, subtype="FLOAT")
        vault.add([Declared(path, "Ada", "harmony", bpm=Fraction(120), beats=8, mood=("loud",))])
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return folder / "home"


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


def read_all(player: Player) -> np.ndarray:
    blocks = []
    while (block := player.read(10_007)).shape[0]:
        blocks.append(block)
    return np.concatenate(blocks)


def heard(vault: Vault, script: str, bars: float = 8, **options: object) -> np.ndarray:
    session = Session(vault, accepted(script), logged=False, **options)  # type: ignore[arg-type]
    out = session.read(round(bars * BAR))
    session.abandon()
    return out


def test_sections_differ_as_they_do_in_the_mix(vault: Vault) -> None:
    out = heard(vault, text())
    quiet, loud = (integrated_lufs(out[:, s]) for s in (slice(RATE, 4 * BAR - RATE), slice(5 * BAR, 8 * BAR)))
    assert loud - quiet == pytest.approx(12, abs=0.1)
    assert integrated_lufs(out) == pytest.approx(-18, abs=0.1)


def test_a_loud_section_after_a_long_quiet_one_is_no_louder_than_it_is(vault: Vault) -> None:
    """Its begin, where the gain was 10 dB too high once, is as loud as its end."""
    script = text().replace("4 bars", "15 bars")
    out = heard(vault, script, 30)
    begin, end = (integrated_lufs(out[:, at * BAR : (at + 3) * BAR]) for at in (15, 27))
    assert begin == pytest.approx(end, abs=0.2)


def test_a_render_and_a_player_at_its_gain_are_the_same(home: Path, vault: Vault, tmp_path: Path) -> None:
    # The effects are not foretold exactly.
    script = text(effects=" lowpass 6 kHz")
    rendered = render(vault, accepted(script), tmp_path / "out.wav")
    assert rendered.lufs == pytest.approx(-18, abs=0.05)
    take = takes.load(rendered.take)
    assert take.gain_db == rendered.gain_db
    foretold = Session(vault, accepted(script), logged=False)
    assert abs(foretold.gain_db - rendered.gain_db) > 0.5
    foretold.abandon()
    with Player.from_text(home, script, gain_db=take.gain_db) as player:
        read_all(player)
    assert player.take is not None
    assert player.take.pcm_sha256 == rendered.pcm_sha256
    _, again = replay(vault, take, lambda block: None, logged=False)
    assert again.same


def test_what_is_measured_before_a_render_leaves_nothing(vault: Vault, tmp_path: Path) -> None:
    vault.refresh()
    size, kept = vault.log.size, set(vault.home.joinpath("takes").glob("*"))
    steps: list[str] = []
    render(vault, accepted(text()), tmp_path / "out.wav", progress=lambda step, done, all: steps.append(step))
    entries = [entry for index, entry in vault.log.entries(size)]
    assert [e.state for e in entries if isinstance(e, SessionEntry)] == ["opened", "closed"]
    assert len(set(vault.home.joinpath("takes").glob("*")) - kept) == 1
    assert list(dict.fromkeys(steps))[-3:] == ["measure", "mix", "write"]
    assert verify(vault.home).ok


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (text(), {"bars": 8}),
        (text(), {"gain_db": -3.0}),
        (text("loudness off"), {}),
    ],
    ids=["a length", "a gain", "off"],
)
def test_a_render_is_mixed_once_where_its_loudness_is_not_asked_for(
    vault: Vault, tmp_path: Path, script: str, options: dict[str, float]
) -> None:
    steps: list[str] = []
    render(
        vault,
        accepted(script),
        tmp_path / "out.wav",
        progress=lambda step, done, all: steps.append(step),
        **options,  # type: ignore[arg-type]
    )
    assert "measure" not in steps


def test_loudness_off_leaves_the_mix_alone_under_the_ceiling(vault: Vault) -> None:
    off = heard(vault, text("loudness off"))
    np.testing.assert_allclose(heard(vault, text(), gain_db=-6.0), off * 10 ** (-6 / 20), atol=1e-6)
    loud = heard(vault, text("loudness off", effects=" gain 24 dB"))
    assert 0.5 < np.abs(loud).max() <= 10 ** (-1 / 20)


def test_a_script_that_takes_over_brings_its_gain_with_the_next_section(vault: Vault) -> None:
    script = text(end=AROUND)
    session = Session(vault, accepted(script))
    session.read(BAR)
    louder = script.replace("-18 LUFS", "-12 LUFS")
    session.gestures.swap(session.conductor.rescored(accepted(louder)))
    before = session.read(3 * BAR)
    after = session.read(2 * BAR)
    take = session.close()
    (swap,) = take.swaps
    assert swap.gain_db == pytest.approx(take.gain_db + 6, abs=1e-6)
    quiet = integrated_lufs(before)
    assert quiet == pytest.approx(integrated_lufs(before[:, -BAR:]), abs=0.1)
    assert integrated_lufs(after[:, RATE // 4 :]) - quiet == pytest.approx(12 + 6, abs=0.2)
    blocks: list[np.ndarray] = []
    _, again = replay(vault, take, blocks.append, logged=False)
    assert again.same
    assert again.take.swaps == take.swaps
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[:, BAR : 4 * BAR], before)


def test_an_undone_swap_brings_its_old_gain_back(vault: Vault) -> None:
    script = text(end=AROUND)
    session = Session(vault, accepted(script))
    session.read(BAR)
    session.gestures.swap(session.conductor.rescored(accepted(script.replace("-18 LUFS", "-12 LUFS"))))
    session.read(BAR)
    session.gestures.undo()
    session.read(2 * BAR)
    take = session.close()
    assert [swap.gain_db for swap in take.swaps] == pytest.approx([take.gain_db + 6, take.gain_db])


def test_dials_count_as_they_begin(vault: Vault) -> None:
    script = text(end=AROUND).replace("section quiet", "dial low 0..1 = 0 at next bar\nsection quiet")
    script = script.replace("gain -12 dB", "gain low * 12 dB - 12 dB")
    gains = {}
    for value in (0.0, 1.0):
        session = Session(vault, accepted(script), logged=False, dials={"low": value})
        gains[value] = session.gain_db
        session.abandon()
    assert gains[0.0] > gains[1.0] + 1


@pytest.mark.parametrize("gain_db", [61, -1e9, float("nan"), float("inf")])
def test_a_gain_out_of_bounds_is_refused(home: Path, gain_db: float) -> None:
    with pytest.raises(EngineError, match="the master's gain goes from -60 to 60 dB"):
        Player.from_text(home, text(), gain_db=gain_db)


def test_a_gain_that_is_no_number_is_refused(home: Path) -> None:
    with pytest.raises(TypeError, match="the master's gain in dB is a number"):
        Player.from_text(home, text(), gain_db="loud")  # type: ignore[arg-type]


CHANGES: dict[str, Callable[[dict[str, object]], object]] = {
    "too loud": lambda take: take.update(gain_db=1000),
    "too quiet": lambda take: take.update(gain_db=-61),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_take_with_another_gain_than_a_session_has_is_none(vault: Vault, tmp_path: Path, name: str) -> None:
    session = Session(vault, accepted(text()))
    session.read(BAR)
    session.close()
    take = json.loads(session.take_path.read_bytes())
    CHANGES[name](take)
    path = tmp_path / "take.json"
    path.write_text(json.dumps(take))
    with pytest.raises(EngineError, match="the master's gain is out of bounds"):
        takes.load(path)


def test_hard_work_of_the_limiter_is_told_with_the_loudness_that_needs_none(
    vault: Vault, tmp_path: Path
) -> None:
    loud = render(vault, accepted(text("loudness -6 LUFS")), tmp_path / "loud.wav")
    assert loud.reduction_db > 3
    assert loud.unlimited_lufs is not None
    rested = render(vault, accepted(text(f"loudness {loud.unlimited_lufs:g} LUFS")), tmp_path / "rested.wav")
    assert rested.unlimited_lufs is None
    assert rested.reduction_db <= 3


def gains_over(vault: Vault, off_db: float, rides: bool) -> np.ndarray:
    """The level of each second of a steady minute, in dB; its gain is off by so much."""
    word = " ride" if rides else ""
    script = text(f"loudness -24 LUFS{word}", AROUND).replace(" gain -12 dB", "")
    session = Session(vault, accepted(script), seed=1, logged=False)
    gain_db = session.gain_db + off_db
    session.abandon()
    out = heard(vault, script, 30, gain_db=gain_db)
    seconds = out.reshape(2, -1, RATE)
    return 10 * np.log10((seconds**2).mean(axis=(0, 2)))


@pytest.mark.parametrize("off_db", [-4.0, -0.6, 3.0])
def test_a_gain_is_ridden_slowly_and_a_little(vault: Vault, off_db: float) -> None:
    moved = gains_over(vault, off_db, rides=True) - gains_over(vault, off_db, rides=False)
    assert moved[-1] == pytest.approx(np.clip(-off_db, -1.5, 1.5), abs=0.1)
    assert np.abs(moved[10:] - moved[:-10]).max() <= 0.5 + 0.01
    assert np.abs(moved).max() <= 1.5 + 0.01


def test_a_gain_that_is_ridden_is_replayed(vault: Vault) -> None:
    session = Session(vault, accepted(text("loudness -24 LUFS ride", AROUND)), gain_db=-10.0)
    out = session.read(10 * BAR)
    session.close()
    blocks: list[np.ndarray] = []
    again, replayed = replay(vault, takes.load(session.take_path), blocks.append)
    again.abandon()
    assert replayed.same
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), out)


def test_what_the_limiter_takes_is_foretold(vault: Vault) -> None:
    """For steady noise within 1.5 dB, and nothing where it rests."""
    ask = vault.recordings.energies
    for lufs in (-6, -20):
        session = Session(vault, accepted(text(f"loudness {lufs} LUFS")), logged=False)
        foreseen, stems = foresee(session.score, {}), session.score.stems
        foretold = foretold_reduction_db(foreseen, stems, ask, session.gain_db + 1)
        session.read(8 * BAR)
        taken = session.mixer.master.reduction_db(0.01)
        session.abandon()
        assert (taken > 3) == (lufs == -6)
        assert foretold == pytest.approx(taken, abs=1.5)


def test_check_says_that_the_limiter_works_hard(vault: Vault) -> None:
    ask, at = vault.recordings.energies, "2026-01-01T00:00:00.000Z"
    (said,) = rehearse(accepted(text("loudness -8 LUFS")), vault.snapshot(), at=at, ask=ask)
    assert said.code == "W030"
    assert said.hint is not None
    loudest = said.hint.removeprefix("such as: ")
    assert rehearse(accepted(text(loudest)), vault.snapshot(), at=at, ask=ask) == ()
    assert rehearse(accepted(text("loudness off")), vault.snapshot(), at=at, ask=ask) == ()
