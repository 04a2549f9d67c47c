"""An edit changes what it says: what sounds goes on, with its new gain, pan and effects, not redrawn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stemloom import Player, Vault
from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import Score, score
from stemloom.engine.compose.state import State, first_state
from stemloom.engine.compose.swap import carried, rescored
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.script.check.check import accepted

from .pieces import NOW, snapshot, stem
from .test_gestures import BAR, BEAT, RATE, home as home, vault as vault

STEMS = [
    *(stem(i) for i in range(1, 9)),
    *(stem(i, "tops") for i in range(11, 19)),
    *(stem(i, "fx", "hit") for i in range(21, 27)),
]
HEAD = 'piece "Edits" for stream\ntempo 120\n'
BODY = """dial push 0..1 = 0.5 at next bar
pool beats = loops role beats
pool tops = loops role tops
pool sparks = hits role fx
bus room = reverb 1 s
section a 64 bars
    bring beats from beats{}
    bring ride from tops
    play tick from sparks "x.5.x.7."{}
    vary ride every 2 bars
"""


def text(loop: str = "", hit: str = "", seed: str = "seed 3\n") -> str:
    return HEAD + seed + BODY.format(loop, hit)


def begun(script: str, seed: int | None = None) -> tuple[Score, State]:
    """A score, and its state after three bars."""
    fixed = score(accepted(script), snapshot(*STEMS), use="stream", at=NOW, rate=RATE, seed=seed)
    state = first_state(fixed.piece, {})
    for _ in range(3):
        _, state = next_bar(fixed, state)
    return fixed, state


def edited(old: Score, state: State, script: str) -> tuple[Score, State]:
    """The score and the state at the next bar line with which an edited script takes over."""
    coming = rescored(old, accepted(script), old.snapshot, NOW)
    after, stops = carried(state, old, coming)
    assert not stops
    return coming, after


def heard(fixed: Score, state: State, bars: int = 12) -> dict[str, list[tuple[int, str]]]:
    """What each part starts in the next bars: bar and stem."""
    found: dict[str, list[tuple[int, str]]] = {"beats": [], "ride": [], "tick": []}
    for _ in range(bars):
        bar, state = next_bar(fixed, state)
        for p in bar.starts:
            found[p.part].append((p.bar, p.stem))
    return found


MIXED = [
    " gain -4 dB",
    " gain random -6..-2 dB",
    " pan 0.4",
    " lowpass 800 Hz",
    " to room 30%",
    " duck 6 dB under ride",
    " reverse",
]


@pytest.mark.parametrize("seed", ["seed 3\n", ""])
@pytest.mark.parametrize("words", MIXED)
def test_an_edit_of_how_a_line_sounds_redraws_nothing(words: str, seed: str) -> None:
    old, state = begun(text(seed=seed))
    plain = heard(old, state)
    for loop, hit in ((words, ""), ("", words)):
        coming, after = edited(old, state, text(loop, hit, seed=seed))
        assert after.parts["beats"].placement == state.parts["beats"].placement
        assert heard(coming, after)["ride"] == plain["ride"]
        assert {stem for _, stem in heard(coming, after)["tick"]} == {stem for _, stem in plain["tick"]}
        assert {stem for _, stem in heard(coming, after)["beats"]} <= {state.parts["beats"].placement.stem}


@pytest.mark.parametrize(
    "words",
    [" loose 3 dB", " humanise 9 ms", " late 9 ms", " cut", " choke tick", " length 1/8 note", " steps 12"],
)
def test_an_edit_of_how_hits_are_struck_redraws_nothing(words: str) -> None:
    old, state = begun(text())
    coming, after = edited(old, state, text("", words))
    plain, now = heard(old, state), heard(coming, after)
    assert now["ride"] == plain["ride"]
    assert {stem for _, stem in now["tick"]} == {stem for _, stem in plain["tick"]}


def test_hits_that_become_new_ones_change_nothing_else() -> None:
    old, state = begun(text())
    coming, after = edited(old, state, text("", " each hit new"))
    now = heard(coming, after)
    assert now["ride"] == heard(old, state)["ride"]
    assert {stem for _, stem in now["tick"]} == {each.stem for each in STEMS if each.shape == "hit"}


def test_a_line_that_is_added_before_its_like_leaves_what_sounds() -> None:
    old, state = begun(text())
    line = "    bring beats from beats\n"
    coming, after = edited(old, state, text().replace(line, "    bring beats from beats for 2 bars\n" + line))
    assert after.parts["beats"].place == 1
    assert heard(coming, after) == heard(old, state)


@pytest.mark.parametrize(
    ("given", "before", "after", "then"),
    [
        (None, "", "", None),
        (None, "seed 3\n", "seed 3\n", 3),
        (None, "seed 3\n", "", 3),
        (None, "seed 3\n", "seed 4\n", 4),
        (None, "", "seed 4\n", 4),
        (9, "", "", 9),
        (9, "seed 3\n", "seed 3\n", 9),
        (9, "seed 3\n", "", 9),
        (9, "seed 3\n", "seed 4\n", 4),
    ],
)
def test_the_seed_stays_unless_a_new_one_is_named(
    given: int | None, before: str, after: str, then: int | None
) -> None:
    old, state = begun(text(seed=before), given)
    coming, now = edited(old, state, text(" gain -4 dB", seed=after).replace("Edits", "Renamed"))
    assert coming.seed == (old.seed if then is None else then)
    assert now.parts["beats"].placement == state.parts["beats"].placement
    assert bool(now.drawn) == (coming.seed == old.seed)


def test_without_a_seed_a_piece_draws_by_its_name() -> None:
    plain, louder = (accepted(text(words, seed="")) for words in ("", " gain 2 dB"))
    assert plain.seed == louder.seed
    assert accepted(text(seed="").replace("Edits", "Others")).seed != plain.seed


def test_an_event_that_has_happened_does_not_happen_again_as_its_action_is_edited() -> None:
    event = "after 1 s: set push to 0.9 at next bar\n"
    old, state = begun(text() + event)
    assert state.dials == {"push": 0.9}
    state.dials["push"] = 0.2
    coming, after = edited(old, state, text() + event.replace("0.9", "0.8"))
    _, later = next_bar(coming, after)
    assert later.dials == {"push": 0.2}
    coming, after = edited(old, state, text() + event.replace("1 s", "7 s"))
    for _ in range(2):
        _, after = next_bar(coming, after)
    assert after.dials == {"push": 0.9}


LOOP = """piece "Edits" for stream
tempo 120
loudness off
{}pool beats = loops role beats
pool others = loops role beats, not mood none
bus room = reverb 1 s
section a 16 bars
    bring one from {}
"""


def looped(words: str = "beats", seed: str = "seed 3\n") -> str:
    return LOOP.format(seed, words)


def played(vault: Vault, first: str, second: str | None) -> tuple[np.ndarray, Session]:
    """Four bars of a script, and of another that takes over at the second's line."""
    session = Session(vault, accepted(first), use="stream")
    blocks = [session.read(BAR - BEAT)]
    if second is not None:
        session.gestures.swap(session.conductor.rescored(accepted(second)))
    blocks.append(session.read(3 * BAR + BEAT))
    return np.concatenate(blocks, axis=1).astype(float), session


@pytest.mark.parametrize("seed", ["seed 3\n", ""])
def test_a_gain_moves_at_the_bar_line_and_the_recording_stays(vault: Vault, seed: str) -> None:
    plain, _ = played(vault, looped(seed=seed), None)
    turned, session = played(vault, looped(seed=seed), looped("beats gain -6 dB", seed))
    differs = np.flatnonzero((plain != turned).any(axis=0))
    assert BAR - 64 <= differs[0] <= BAR + 1024
    after = slice(BAR + 4800, BAR + 4800 + BEAT)
    drop = 10 * np.log10((turned[:, after] ** 2).mean() / (plain[:, after] ** 2).mean())
    assert drop == pytest.approx(-6, abs=0.5)
    take = session.close()
    assert len(take.placements) == 1
    _, again = replay(vault, take, lambda block: None)
    assert again.same


HANDED_OVER = {
    "the same sound": ("beats out over 2 bars", 1e-3, 1e-3),
    "a filter": ("beats lowpass 500 Hz", 0.0, 1e-3),
    "a bus": ("beats to room 40%", 0.0, 1e-3),
    "another pool that has it too": ("others out over 2 bars", 1e-3, 1e-3),
}


@pytest.mark.parametrize("case", HANDED_OVER)
def test_what_no_ramp_can_move_is_handed_over_to_a_placement_of_its_own(vault: Vault, case: str) -> None:
    words, near, before = HANDED_OVER[case]
    plain, _ = played(vault, looped(), None)
    turned, session = played(vault, looped(), looped(words))
    np.testing.assert_allclose(turned[:, : BAR - 2048], plain[:, : BAR - 2048], atol=before)
    if near:
        np.testing.assert_allclose(turned, plain, atol=near)
    else:
        assert np.abs(turned - plain)[:, BAR + 4800 :].max() > 0.01
    one, two = session.close().placements
    assert (one.stem, one.part) == (two.stem, two.part)
    assert two.start_frame == BAR
    # Of the last frame nothing is heard: the fade is at its end.
    assert one.start_frame + one.frames == BAR + 999


def test_a_longer_section_and_a_longer_line_go_on(vault: Vault) -> None:
    short, longer = looped("beats for 2 bars"), looped("beats for 4 bars")
    plain, _ = played(vault, longer, None)
    for first, second in ((short, longer), (looped().replace("16 bars", "2 bars"), looped())):
        turned, session = played(vault, first, second)
        np.testing.assert_allclose(turned[:, : 4 * BAR - 4096], plain[:, : 4 * BAR - 4096], atol=1e-3)
        take = session.close()
        assert len({placement.stem for placement in take.placements}) == 1
        _, again = replay(vault, take, lambda block: None)
        assert again.same


def test_a_glide_goes_on_and_does_not_begin_anew(vault: Vault) -> None:
    glide = "beats lowpass 300 Hz -> 12 kHz over 8 bars"
    _, session = played(vault, looped(glide), looped(glide + " out over 2 bars"))
    assert len(session.close().placements) == 1


def test_a_bus_that_is_another_is_sent_to(vault: Vault) -> None:
    wet = looped("beats to room 60%")
    dry = wet.replace("reverb 1 s", "reverb 1 s mix 0%")
    plain, _ = played(vault, wet, None)
    turned, _ = played(vault, wet, dry)
    assert np.abs(turned - plain)[:, 2 * BAR :].max() > 0.01


def test_a_take_with_seeds_that_change_replays(vault: Vault) -> None:
    """The seed given, kept, named anew and left out; each part is varied, so that later draws show it."""
    session = Session(vault, accepted(looped() + "    vary one every 1 bar\n"), use="stream", seed=9)
    blocks = [session.read(BAR)]
    for seed in ("seed 3\n", "seed 4\n", ""):
        varied = looped("beats gain -3 dB", seed) + "    vary one every 1 bar\n"
        session.gestures.swap(session.conductor.rescored(accepted(varied)))
        blocks.append(session.read(2 * BAR))
    assert session.score.seed == 4
    for _ in range(2):
        session.gestures.undo()
    blocks.append(session.read(2 * BAR))
    assert session.score.seed == 9
    take, again = session.close(), list[np.ndarray]()
    _, replayed = replay(vault, take, again.append)
    assert replayed.same
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.concatenate(again, axis=1))


def test_a_held_loop_whose_line_is_gone_sounds_on(vault: Vault) -> None:
    """Its dial is gone too, so that its gain cannot be asked any more."""
    held = (
        looped("beats gain push")
        .replace("16 bars", "1 bar")
        .replace("bus room", "dial push -6..0 dB = -3 dB now\nbus room")
        + "section b 8 bars\n    hold one\nmove a -> b\n"
    )
    other = looped().replace("section a 16 bars", "section c 4 bars") + (
        "section b 8 bars\n    hold one\ndial wet 0..1 = 0 now\n"
    )
    session = Session(vault, accepted(held), use="stream")
    session.read(BAR + BEAT)
    (sounding,) = session.playing
    session.gestures.swap(session.conductor.rescored(accepted(other)))
    session.read(BAR)
    session.gestures.set("wet", 0.5)
    session.read(BAR)
    assert [each.id for each in session.playing] == [sounding.id]
    session.close()


def test_a_player_keeps_its_recording_through_four_edits_in_every_seed(home: Path) -> None:
    for seed in range(6):
        first = looped().replace("seed 3", f"seed {seed}")
        with Player.from_text(home, first) as player:
            player.read(BAR)
            for number in range(4):
                player.swap_script(first.replace("from beats", f"from beats gain -{number + 1} dB"))
                player.read(BAR)
        assert player.take is not None
        assert len({placement.stem for placement in player.take.placements}) == 1


FORM = """pool beats = loops role beats{}
pool tops = loops role tops
pool sparks = hits role fx
section verse 4 bars
    bring ride from tops
section chorus 8 bars
    bring beats from beats
    bring ride from tops
    play tick from sparks "x...x..."
    vary beats every 2 bars
    vary tick every 4 bars
move verse -> chorus
move chorus -> verse
"""


def form(pool: str = "", rest: str = "", seed: int = 3) -> str:
    return f"{HEAD}seed {seed}\n{FORM.format(pool)}{rest}"


def visits(
    script: str, inputs: dict[int, Callable[[State], object]] | None = None, count: int = 3
) -> list[list[tuple[str, int, str]]]:
    """Of each of the first choruses: part, section bar and stem of what starts."""
    fixed = score(accepted(script), snapshot(*STEMS), use="stream", at=NOW, rate=RATE)
    state, found = first_state(fixed.piece, {}), []
    for number in range(12 * count):
        if inputs and number in inputs:
            inputs[number](state)
        bar, state = next_bar(fixed, state)
        if bar.section == "chorus":
            if bar.section_bar == 0:
                found.append([])
            found[-1] += [(p.part, bar.section_bar, p.stem) for p in bar.starts]
    return found


def loops(visit: list[tuple[str, int, str]]) -> list[str]:
    return [stem for part, _, stem in visit if part == "beats"]


def test_a_section_that_returns_is_the_same_music() -> None:
    for seed in range(8):
        first, second, third = visits(form(seed=seed))
        assert len(set(loops(first))) > 1
        assert first == second == third


def test_the_rules_still_act_when_a_section_returns() -> None:
    for pool in (", prefer fresh", ", never twice in 20 bars"):
        first, second, _ = visits(form(pool))
        assert loops(first) != loops(second)
        rest = [[each for each in visit if each[0] != "beats"] for visit in (first, second)]
        assert rest[0] == rest[1]


def test_what_returns_is_drawn_anew_where_it_clashes_with_what_does_not() -> None:
    """The chords prefer fresh, and so are others in each visit; the bass follows them."""
    tonics = (0, 6)
    rows = [tuple(1.0 if (n - tonic) % 12 in (0, 4, 7) else 0.02 for n in range(12)) for tonic in tonics]
    stems = [
        stem(i, role, chroma=(rows[i % 2],))
        for i, role in ((2, "harmony"), (3, "harmony"), (4, "bass"), (5, "bass"))
    ]
    script = HEAD + (
        "pool chords = loops role harmony, key any, prefer fresh\npool low = loops role bass, key any\n"
        "section a 4 bars\n    bring keys from chords\n    bring low from low\n"
    )
    fixed = score(accepted(script), snapshot(*stems), use="stream", at=NOW, rate=RATE)
    state, together = first_state(fixed.piece, {}), list[dict[str, int]]()
    for _ in range(16):
        bar, state = next_bar(fixed, state)
        if bar.section_bar == 0:
            together.append({p.part: int(p.stem[1:], 16) % 2 for p in bar.starts})
    assert [each["keys"] for each in together] in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert all(each["keys"] == each["low"] for each in together)


def test_a_swap_and_a_dislike_replace_what_was_taken() -> None:
    def swap(state: State) -> None:
        state.swaps.add("beats")

    plain = visits(form())
    first, second, third = visits(form(), {5: swap})
    # In the second bar of the first chorus another takes the place of the first loop, from then on.
    kept = loops(first)[1]
    assert kept != loops(plain[0])[0]
    assert loops(second) == loops(third) == [kept, *loops(plain[0])[1:]]
    unloved = loops(plain[0])[1]
    _, second, third = visits(form(), {12: lambda state: state.liked.update({unloved: -1})})
    assert unloved not in loops(second)
    assert second == third


TWO = """pool beats = loops role beats{}
pool sparks = hits role fx{}
section a 4 bars
    bring beats from beats
    play tick from sparks "x...x..."
    vary beats every 2 bars
    vary tick every 2 bars
section b 4 bars
    bring beats from beats
    play tick from sparks "x...x..."
    vary beats every 2 bars
    vary tick every 2 bars
"""


@pytest.mark.parametrize("moves", ["move a -> b\nmove b -> a\n", "move a -> a\n"])
@pytest.mark.parametrize("pool", ["", ", prefer fresh"])
def test_nothing_that_is_varied_repeats_over_a_boundary(moves: str, pool: str) -> None:
    stems = [each for each in STEMS if int(each.stem[1:], 16) % 10 in (1, 2, 3)]
    for seed in range(20):
        script = f"{HEAD}seed {seed}\n{TWO.format(pool, pool)}{moves}"
        fixed = score(accepted(script), snapshot(*stems), use="stream", at=NOW, rate=RATE)
        state, took = first_state(fixed.piece, {}), dict[str, list[tuple[int, str]]]()
        for _ in range(24):
            bar, state = next_bar(fixed, state)
            for p in bar.starts:
                took.setdefault(p.part, []).append((p.bar // 2, p.stem))
        for part in ("beats", "tick"):
            by_span = dict(took[part])
            assert len(by_span) == 12
            assert all(by_span[n] != by_span[n + 1] for n in range(11)), (seed, part)


def test_a_pool_that_prefers_fresh_does_not_begin_with_what_just_sounded() -> None:
    """Two parts of one pool: without a `vary` too, and under another part's name."""
    sections = "section a 4 bars\n    bring one from beats\nsection b 4 bars\n    bring two from beats\n"
    stems = [stem(1), stem(2)]
    for seed in range(20):
        script = f"{HEAD}seed {seed}\npool beats = loops role beats, prefer fresh\n{sections}move b -> a\n"
        fixed = score(accepted(script), snapshot(*stems), use="stream", at=NOW, rate=RATE)
        state, took = first_state(fixed.piece, {}), list[str]()
        for _ in range(32):
            bar, state = next_bar(fixed, state)
            took += [p.stem for p in bar.starts]
        assert all(a != b for a, b in pairwise(took))


def test_a_move_more_changes_only_what_it_wins() -> None:
    sections = "".join(f"section {name} 1 bar\n    bring beats from beats\n" for name in "abcd")
    two = "move a -> b\nmove a -> c weight 2\nmove b -> a\nmove c -> a\nmove d -> a\n"
    three = "move a -> d\n" + two.replace("move a -> c", "move a -> c over 1 beats")
    paths = []
    for moves in (two, three):
        script = f"{HEAD}seed 5\npool beats = loops role beats\n{sections}{moves}"
        fixed = score(accepted(script), snapshot(*STEMS), use="stream", at=NOW, rate=RATE)
        state, path = first_state(fixed.piece, {}), ""
        for _ in range(80):
            bar, state = next_bar(fixed, state)
            path += bar.section
        paths.append(path[1::2])
    assert {"b", "c"} == set(paths[0])
    assert "d" in paths[1]
    assert all(now in (was, "d") for was, now in zip(*paths, strict=True))
