"""Another script takes over at a bar line, whole or not at all; and gestures can be taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemloom import Player, Vault
from stemloom.engine.errors import NothingToUndo, SwapRefused, UseRefused
from stemloom.engine.mix.mixer import Mixer
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.script.problems import ScriptRejected

from .test_gestures import BAR, BEAT, RATE, home as home, script, vault as vault

ONE = script("dial level -12..6 dB = 0 dB now\nsection a 8 bars\n    bring one from beats\n")
TWO = script(
    "dial level -12..6 dB = 0 dB now\nsection a 8 bars\n    bring one from beats\n    bring two from beats\n"
)
ELSEWHERE = script("section z 4 bars\n    bring three from beats gain -6 dB\n")
SPARKS = script('section a 8 bars\n    play tick from sparks "X... X... X... X..."\n')


def session_of(vault: Vault, text: str) -> Session:
    return Session(vault, accepted(text), use="stream")


def swap(session: Session, text: str) -> None:
    session.gestures.swap(session.conductor.rescored(accepted(text)))


def test_what_stands_in_both_scripts_goes_on_and_the_rest_comes_at_the_bar_line(vault: Vault) -> None:
    plain, swapped = session_of(vault, ONE), session_of(vault, ONE)
    for session in (plain, swapped):
        session.read(BAR + BEAT)
    before = swapped.playing
    swap(swapped, TWO)
    np.testing.assert_array_equal(swapped.read(2 * BAR - BAR - BEAT), plain.read(2 * BAR - BAR - BEAT))
    swapped.read(BEAT)
    one, two = sorted(swapped.playing, key=lambda p: p.part)
    assert [one.id] == [p.id for p in before]
    assert (two.part, two.start_frame, two.bar) == ("two", 2 * BAR, 2)
    take = swapped.close()
    plain.close()
    assert [gesture.kind for gesture in take.gestures] == ["script"]
    assert take.script == ONE
    assert [p.part for p in take.placements] == ["one", "two"]


def test_a_part_that_is_gone_leaves_at_the_bar_line(vault: Vault) -> None:
    session = session_of(vault, TWO)
    session.read(BEAT)
    swap(session, ONE)
    session.read(2 * BAR)
    assert [p.part for p in session.playing] == ["one"]
    heard = {p.part: p.start_frame + p.frames for p in session.close().placements}
    assert BAR - RATE // 10 < heard["two"] <= BAR + RATE // 10


def test_without_the_section_the_form_begins_anew(vault: Vault) -> None:
    session = session_of(vault, ONE)
    session.read(2 * BAR + BEAT)
    swap(session, ELSEWHERE)
    session.read(BAR)
    assert [(p.part, p.section, p.start_frame) for p in session.playing] == [("three", "z", 3 * BAR)]
    assert session.bars[3].section_bar == 0


def test_a_dial_keeps_its_value_where_both_have_it(vault: Vault) -> None:
    session = session_of(vault, ONE)
    session.gestures.set("level", 3)
    swap(session, TWO)
    session.read(2 * BAR)
    assert session.conductor.state.dials == {"level": 3}
    swap(session, TWO.replace("-12..6", "-12..2"))
    session.read(BAR)
    assert session.conductor.state.dials == {"level": 0}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (("tempo 120", "tempo 124"), SwapRefused, "is for 124 bpm, and what plays is at 120"),
        (("tempo 120", "tempo 120\nmeter 3/4"), SwapRefused, "is in 3/4, and what plays is in 4/4"),
        (("for stream", "for export"), UseRefused, "is for export, not for stream"),
    ],
)
def test_what_cannot_take_over_is_refused_and_the_old_one_plays_on(
    vault: Vault, change: tuple[str, str], error: type, said: str
) -> None:
    plain, other = session_of(vault, ONE), session_of(vault, ONE)
    for session in (plain, other):
        session.read(BEAT)
    with pytest.raises(error, match=said):
        swap(other, TWO.replace(*change))
    np.testing.assert_array_equal(plain.read(3 * BAR), other.read(3 * BAR))
    assert other.close().gestures == plain.close().gestures == ()


def test_loudness_and_buses_follow_the_script_and_it_all_replays(vault: Vault) -> None:
    quiet = TWO.replace("seed 3", "seed 3\nloudness -24 LUFS\nceiling -6 dBTP")
    wet = quiet.replace("bring two from beats", "bring two from beats to room 50%") + (
        "bus room = reverb 1 s mix 0.5, delay 0.5 beats\n"
    )
    session = session_of(vault, ONE)
    blocks = [session.read(BAR)]
    for text in (quiet, wet, ELSEWHERE, wet, SPARKS):
        swap(session, text)
        blocks.append(session.read(2 * BAR + 777))
    assert session.score.piece.loudness_lufs == -14
    assert session.mixer.effect_buses.tail_frames > 0
    take = session.close()
    assert [swap.frame for swap in take.swaps] == sorted(swap.frame for swap in take.swaps)
    assert len(take.swaps) == 5
    again: list[np.ndarray] = []
    _, replayed = replay(vault, take, again.append)
    assert replayed.same
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.concatenate(again, axis=1))


def test_a_stem_of_the_script_before_is_let_go_when_its_consent_is_withdrawn(home: Path) -> None:
    with Vault.open(home) as vault, Vault.open(home) as other:
        session = session_of(vault, SPARKS)
        session.read(3 * BEAT + 1000)
        hit = session.playing[-1].stem
        swap(session, ONE)
        session.read(BAR - 2048 - session.frame)
        # Composed already, at the last hundred milliseconds: the hit of beat 4 still rings.
        assert len(session.conductor.tape.swaps) == 1
        other.withdraw([hit], ["stream"])
        session.read(BAR)
        assert hit not in session.conductor.candidates()
        take = session.close()
        other.grant([hit], ["stream"])
        _, replayed = replay(vault, take, lambda block: None)
        assert replayed.same


def test_gestures_are_taken_back_one_by_one(vault: Vault) -> None:
    session = session_of(vault, ONE)
    with pytest.raises(NothingToUndo, match="no gesture is left"):
        session.gestures.undo()
    session.read(BEAT)
    session.gestures.set("level", -6)
    session.gestures.set("level", 3)
    session.gestures.fade("beats", 0.5)
    session.gestures.mute("beats")
    session.gestures.like("one")
    swap(session, TWO)
    session.gestures.undo()
    session.read(BAR)
    assert [p.part for p in session.playing] == ["one"]
    liked = session.playing[0].stem
    assert session.conductor.state.liked == {liked: 1}
    session.gestures.undo()
    assert session.conductor.state.liked == {liked: 0}
    for stands in (0.5, 1.0):
        session.gestures.undo()
        session.read(RATE // 10)
        bus = session.mixer.rack.buses[session.mixer.bus("beats")]
        assert bus["gain"] == pytest.approx(stands)
    session.gestures.undo()
    assert session.conductor.state.dials["level"] == -6
    session.gestures.undo()
    assert session.conductor.state.dials["level"] == 0
    with pytest.raises(NothingToUndo):
        session.gestures.undo()
    take = session.close()
    _, replayed = replay(vault, take, lambda block: None)
    assert replayed.same


def test_the_player_swaps_and_says_so(home: Path) -> None:
    with Player.from_text(home, ONE) as player:
        names: list[str] = []
        player.on("script", lambda piece: names.append(piece.text))
        player.read(BEAT)
        with pytest.raises(ScriptRejected, match="unknown pool"):
            player.swap_script(ONE.replace("one from beats", "one from nothing"), "live.loom")
        player.swap_script(TWO)
        player.read(2 * BAR)
        assert [now.part for now in player.now()] == ["one", "two"]
        player.undo()
        player.read(BAR)
        assert [now.part for now in player.now()] == ["one"]
    assert names == [TWO, ONE]
    assert verify(home).ok


def test_effect_buses_have_sixteen_places_that_are_used_again_once_they_are_silent() -> None:
    from stemloom.engine.effects import PlacedBus, bus_numbers

    def bus(number: int) -> PlacedBus:
        return PlacedBus("room", bus_numbers({"reverb": 1.0 + number / 100, "reverb mix": 0.3}))

    mixer = Mixer(0, -1, [bus(0)])
    for number in range(1, 16):
        mixer.effect_buses.take([bus(number)], 64)
    with pytest.raises(SwapRefused, match="16 places"):
        mixer.effect_buses.expect([bus(16)], 64)
    mixer.effect_buses.expect([bus(15)], 64)
    mixer.effect_buses.expect([bus(16)], 200 * RATE)
    mixer.effect_buses.take([bus(16)], 200 * RATE)
    with pytest.raises(SwapRefused, match="longer than"):
        mixer.effect_buses.expect(
            [PlacedBus("far", bus_numbers({"delay": RATE, "feedback": 0.5, "delay mix": 1.0}))], 200 * RATE
        )
