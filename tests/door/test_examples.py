"""The example pieces: checked, planned to their ends over many seeds, and each heard out once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from stemloom import Vault, render
from stemloom.demo import PIECES
from stemloom.demo.stems import RECIPES
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.harmony import CLASH, CONSONANCE, by_bar
from stemloom.engine.compose.rehearsal import rehearse
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.state import first_state
from stemloom.engine.fades import natural_end
from stemloom.engine.plan import Bar, Placement
from stemloom.ground.roles import TONAL_ROLES
from stemloom.script.check.check import accepted, check
from stemloom.vault.catalogue.snapshot import Snapshot

from ..marks import slow

RATE = 48_000
SEEDS = range(10)
MINUTES = {
    "harbour_night": (2.0, 2.5),
    "back_stairs": (2.0, 4.0),
    "last_train": (2.0, 4.0),
    "slow_weather": (2.0, 4.0),
}
CHORDS = {recipe.title: recipe.chords for recipe in RECIPES}

each_piece = pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
_planned: dict[tuple[str, int], tuple[Score, list[Bar]]] = {}


@pytest.fixture(scope="module")
def vault(demo_home: Callable[[], Path]) -> Iterator[Vault]:
    """The demo's vault, with the same keys each time: the ids of its stems follow from them."""
    with Vault.open(demo_home()) as opened:
        yield opened


def planned(text: str, snapshot: Snapshot, seed: int) -> tuple[Score, list[Bar]]:
    """A piece composed to its end, at most ten minutes, with its choices noted; made once for all tests."""
    if (text, seed) not in _planned:
        piece = accepted(text, snapshot)
        fixed = score(piece, snapshot, use="stream", at=snapshot.time, rate=RATE, seed=seed)
        state, bars = first_state(piece, {}), []
        while not (bars and bars[-1].ended) and fixed.clock.bar_frame(state.bar) < 600 * RATE:
            bar, state = next_bar(fixed, state, why=True)
            bars.append(bar)
        _planned[text, seed] = fixed, bars
    return _planned[text, seed]


def tonal(bars: list[Bar]) -> list[tuple[Placement, int]]:
    """The tonal loops of a plan, each with the frame at which it is left."""
    sounds = {p.id: (p, natural_end(p)) for bar in bars for p in bar.starts}
    for stop in (stop for bar in bars for stop in bar.stops if stop.id in sounds):
        placement, end = sounds[stop.id]
        sounds[stop.id] = placement, min(end, stop.end_frame)
    return [each for each in sounds.values() if each[0].role in TONAL_ROLES and not each[0].hit]


def chroma_in(fixed: Score, bars: list[Bar], placement: Placement, bar: Bar) -> NDArray[np.float64]:
    """The pitch classes that a placement sounds in a bar of the piece."""
    stem, variant = fixed.snapshot.stem(placement.stem), placement.variant
    chroma = np.asarray(stem.chroma, np.float64)
    if stem.shape != "loop":
        return np.roll(by_bar(chroma, 1)[0], variant.semitones)
    heard: float = placement.offset_frames + bar.start_frame - placement.start_frame
    if variant.ramp:
        assert stem.beats is not None
        heard = float(np.interp(heard, [to for _, to in variant.ramp], [of for of, _ in variant.ramp]))
        rounds, count = heard / stem.frames, stem.beats // fixed.piece.meter[0]
    else:
        first = bars[placement.bar]
        rounds, count = heard / variant.frames, round(variant.frames / (first.end_frame - first.start_frame))
    return np.roll(by_bar(chroma, count)[round(rounds * count) % count], variant.semitones)


def agreed(fixed: Score, bars: list[Bar]) -> dict[tuple[str, str], float]:
    """How well each two tonal loops that sound together agree, over the bars that they share."""
    found: dict[tuple[str, str], float] = {}
    for (one, one_end), (two, two_end) in combinations(tonal(bars), 2):
        lo, hi = max(one.start_frame, two.start_frame), min(one_end, two_end)
        shared = [bar for bar in bars if lo - RATE // 10 <= bar.start_frame < hi - RATE]
        if shared and hi > lo:
            values = [
                chroma_in(fixed, bars, one, bar) @ CONSONANCE @ chroma_in(fixed, bars, two, bar)
                for bar in shared
            ]
            pair = f"{one.part}: {one.title}", f"{two.part}: {two.title}"
            found[pair] = min(found.get(pair, 1.0), float(np.mean(values)))
    return found


@each_piece
def test_nothing_is_to_be_said_about_it(vault: Vault, path: Path) -> None:
    """The check and the dry run, for every use that it is for."""
    snapshot = vault.snapshot()
    checked = check(path.read_text(encoding="utf-8"), snapshot)
    assert checked.problems == ()
    assert checked.piece is not None
    assert rehearse(checked.piece, snapshot, at=snapshot.time) == ()


@each_piece
def test_it_ends_by_itself_in_its_time_and_nothing_rests(vault: Vault, path: Path) -> None:
    least, most = MINUTES[path.stem]
    for seed in SEEDS:
        _, bars = planned(path.read_text(encoding="utf-8"), vault.snapshot(), seed)
        assert bars[-1].ended
        assert least <= bars[-1].start_frame / RATE / 60 <= most, seed
        assert [rest for bar in bars for rest in bar.rested] == [], seed


@each_piece
def test_every_section_and_every_pool_has_its_turn(vault: Vault, path: Path) -> None:
    plans = [planned(path.read_text(encoding="utf-8"), vault.snapshot(), seed) for seed in SEEDS]
    piece = plans[0][0].piece
    heard = Counter(
        bar.section for _, bars in plans for bar in bars if bar.section_bar == 0 and not bar.ended
    )
    assert set(heard) == {section.name for section in piece.sections}
    drawn = {choice.pool for _, bars in plans for bar in bars for choice in bar.choices if choice.stem}
    assert drawn == set(piece.pools)


@each_piece
def test_what_sounds_together_agrees(vault: Vault, path: Path) -> None:
    for seed in SEEDS:
        fixed, bars = planned(path.read_text(encoding="utf-8"), vault.snapshot(), seed)
        together = agreed(fixed, bars)
        assert len(together) >= 4
        assert {pair: value for pair, value in together.items() if value < CLASH} == {}, seed


def test_between_them_they_say_most_of_what_the_language_can() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PIECES)
    for words in (
        "hold ", "drop ", "solo ", "rest ", "vary ", "through ", "euclid ", "rotate ", " swing ",
        " humanise ", " chance ", " one in ", " random ", "weight 2", "weight 3 for", "max shift",
        "max stretch", "reverb", "prefer fresh", "never twice", "not mood", "lowpass", "highpass", " -> ",
        "delay", "duck", "half time", "reverse", "sting ", "every ", "after ", "on cue", "on like",
        "on dislike", "if withdrawn", "share cap", "credit", " now", "at next beat", "at next bar",
        "at next section", "at next 4 bars", "..12 bars", " smooth", " over 2 bars", "out over",
        "move any", " fresh\n", " as ", "key up", "slow to", "after 2 visits", " loose ", "each hit new",
        "ending at", "via ", " back ", "steps 12", "every 4 bars",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize(
    ("key", "mood", "tempo", "progressions", "beside", "least"),
    [
        ("A minor", "dusty", 92, 3, ("bass", "melody"), 0.98),
        ("F minor", "club", 126, 2, ("bass",), 0.95),
    ],
)
def test_what_is_chosen_beside_chords_has_their_progression(
    vault: Vault, key: str, mood: str, tempo: int, progressions: int, beside: tuple[str, ...], least: float
) -> None:
    """The pools name no set and no progression: the chords that sound decide. What clashes never comes."""
    roles = ("harmony", *beside)
    text = "\n".join(
        [
            f'piece "Chords" for stream\ntempo {tempo}\nkey {key}',
            *(f"pool {role} = loops role {role}, mood {mood}, key fits" for role in roles),
            "section a 4 bars",
            *(f"    bring {role} from {role}" for role in roles),
            "move a -> silence at end\n",
        ]
    )
    snapshot = vault.snapshot()
    heard: Counter[int] = Counter()
    same = 0
    for seed in range(150):
        fixed, bars = planned(text, snapshot, seed)
        assert min(agreed(fixed, bars).values()) >= CLASH
        titles = {placement.part: placement.title for placement, _ in tonal(bars)}
        heard[id(CHORDS[titles["harmony"]])] += 1
        same += sum(CHORDS[titles[role]] is CHORDS[titles["harmony"]] for role in beside)
    assert len(heard) == progressions
    assert min(heard.values()) >= 15, "each progression begins now and then"
    assert same >= least * len(beside) * 150
    pairs = [
        np.einsum("bp,pq,bq->", np.asarray(low.chroma), CONSONANCE, np.asarray(chords.chroma)) / 4
        for low in fixed.pools["bass"].stems
        for chords in fixed.pools["harmony"].stems
        if CHORDS[low.title] is not CHORDS[chords.title]
    ]
    assert sum(value < CLASH for value in pairs) >= (len(pairs) + 1) // 2, "there is something to leave out"


@pytest.mark.parametrize("path", [PIECES[1], *map(slow, PIECES[2:])], ids=lambda path: path.stem)
def test_it_is_heard_out(vault: Vault, path: Path, tmp_path: Path) -> None:
    """At its loudness, under its ceiling, never silent on the way, and gone at the end."""
    piece = accepted(path.read_text(encoding="utf-8"), vault.snapshot())
    rendered = render(vault, piece, tmp_path / "piece.wav")
    assert rendered.rested == ()
    assert rendered.crowded == 0
    assert rendered.lufs == pytest.approx(piece.loudness_lufs, abs=1.0)
    assert rendered.true_peak_dbtp <= piece.ceiling_dbtp
    sound, _ = soundfile.read(tmp_path / "piece.wav", dtype="float32")
    seconds = len(sound) // RATE
    level = np.sqrt((sound[: seconds * RATE] ** 2).reshape(seconds, -1).mean(axis=1))
    # What rings out after the last bar may take ten seconds.
    assert level[1:-12].min() > 10 ** (-40 / 20)
    assert np.sqrt((sound[-RATE // 4 :] ** 2).mean()) < 10 ** (-45 / 20)
