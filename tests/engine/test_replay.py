"""A take plays again as it was: the same samples and the same placements, whatever came between."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom import Vault
from stemloom.engine.errors import EngineError, NothingToUndo, SwapRefused, TakeRefused, UnknownCue
from stemloom.engine.play import take as takes
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.engine.play.take import Gesture
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.script.problems import ScriptRejected

from .test_gestures import REACTING, home as home, script

OTHER = (
    script(REACTING).replace("section a", "section other").replace("move a", "move other")
    + "bus far = reverb 1 s, delay 1 beats\n"
)
GESTURES = st.sampled_from(
    [
        Gesture(0, "like", None),
        Gesture(0, "dislike", None),
        Gesture(0, "dislike", "one"),
        Gesture(0, "cue", "go"),
        Gesture(0, "fade", "beats", 0.25, 9600),
        Gesture(0, "mute", "beats", 1.0),
        Gesture(0, "mute", "beats", 0.0),
        Gesture(0, "solo", "fx", 1.0),
        Gesture(0, "panic", None),
        Gesture(0, "undo", None),
        Gesture(0, "script", OTHER),
        Gesture(0, "script", script(REACTING)),
    ]
)
STEPS = st.lists(st.tuples(st.integers(1, 40_000), st.one_of(st.none(), GESTURES)), min_size=1, max_size=12)


def played_again(vault: Vault, take: takes.Take) -> tuple[np.ndarray, takes.Take, bool]:
    blocks: list[np.ndarray] = []
    session, replayed = replay(vault, take, blocks.append)
    session.seal()
    return np.concatenate(blocks, axis=1), replayed.take, replayed.same


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_random_reads_and_gestures_replay_bit_for_bit(home: Path, steps: list) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(script(REACTING)), use="stream")
        blocks = []
        for frames, gesture in steps:
            blocks.append(session.read(frames))
            if gesture is not None:
                with suppress(NothingToUndo, UnknownCue, SwapRefused):
                    session.gestures.perform(gesture)
        take = session.close()
        sound, again, same = played_again(vault, takes.load(session.take_path))
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), sound)
    assert same
    assert again.placements == take.placements
    assert again.gestures == take.gestures
    assert again.pcm_sha256 == take.pcm_sha256


def test_a_withdrawal_is_in_the_take_and_the_stem_is_not_played_again(home: Path) -> None:
    with Vault.open(home) as vault, Vault.open(home) as other:
        session = Session(vault, accepted(script(REACTING)), use="stream")
        session.read(30_000)
        stem = next(p.stem for p in session.playing)
        other.withdraw([stem], ["stream"])
        session.read(300_001)
        take = session.close()
        with pytest.raises(TakeRefused, match="has no consent for stream any more"):
            replay(vault, take, lambda block: None)
        other.grant([stem], ["stream"])
        _, again, same = played_again(vault, take)
    assert len(take.changes) == 1
    assert same
    assert again.changes == take.changes
    assert verify(home).ok


@pytest.mark.parametrize(
    ("text", "said"), [("", "is not a take"), ("{}", "is not a take"), ('{"version": 1}', "of version 1")]
)
def test_what_is_no_take_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "take.json"
    path.write_text(text)
    with pytest.raises(TakeRefused, match=said):
        takes.load(path)
    with pytest.raises(TakeRefused, match="cannot be read"):
        takes.load(tmp_path / "none.json")


def test_what_was_not_ready_is_done_without_and_replays(home: Path) -> None:
    """As beside a device: one loop is conformed, the others are not waited for."""
    text = script(REACTING).replace("tempo 120", "tempo 121.5")
    with Vault.open(home) as vault:
        session = Session(vault, accepted(text), use="stream")
        conductor = session.conductor
        wanted, _ = conductor.wanted(1)
        loops = [(stem, variant) for stem, variant in wanted if variant.loop_start is not None]
        conductor.conformer.prepare(loops[:1])
        conductor.waits_for_stems = False
        blocks = [session.read(200_000)]
        take = session.close()
        sound, again, same = played_again(vault, take)
    assert take.unready
    left_out = {stem for each in take.unready for stem in each.stems}
    heard = {placement.stem for placement in take.placements}
    assert heard == {loops[0][0].stem}
    assert not heard & left_out
    np.testing.assert_array_equal(blocks[0], sound)
    assert same
    assert again.unready == take.unready


BROKEN = [
    ({"tempo_bpm": "0"}, "its tempo is 0 bpm"),
    ({"tempo_bpm": "1/0"}, "its tempo is '1/0'"),
    ({"tempo_bpm": "fast"}, "its tempo is 'fast'"),
    ({"rate": 44_100}, "its rate is 44100 Hz"),
    ({"frames": 1 << 60}, "frames of"),
    ({"mixed": 63}, "frames of"),
    ({"limit_frames": -1}, "its limit"),
    ({"gestures": [{"frame": 7, "kind": "panic", "name": None}]}, "its gestures"),
    ({"gestures": [{"frame": -64, "kind": "panic", "name": None}]}, "its gestures"),
    ({"changes": [{"frame": 1, "moment": 0, "vault": "", "candidates": []}]}, "its changes"),
    ({"key": "H major"}, "which is not a key of"),
    ({"script": "piece"}, "expected"),
    ({"use": "sync"}, "no consent for sync"),
    ({"tier": "king"}, "is not a tier"),
    ({"candidates": []}, "nothing to play"),
    ({"dials": {"no": 1}}, "no dial"),
    ({"gestures": [{"frame": 64, "kind": "dial", "name": "no", "value": 1}]}, "no dial"),
    ({"gestures": [{"frame": 64, "kind": "fade", "name": "no", "value": 1}]}, "no role"),
]


@pytest.mark.parametrize(("changed", "said"), BROKEN, ids=[f"{c}"[:40] for c, _ in BROKEN])
def test_a_hostile_take_ends_in_a_sentence(home: Path, tmp_path: Path, changed: dict, said: str) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(script(REACTING)), use="stream")
        session.read(20_000)
        take = json.loads(session.close().encoded())
        path = tmp_path / "take.json"
        path.write_text(json.dumps({**take, **changed}))
        with pytest.raises((EngineError, ScriptRejected)) as raised:
            replay(vault, takes.load(path), lambda block: None, logged=False)
    assert said in str(raised.value)


def test_a_full_disk_leaves_the_placements_of_a_take_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = takes.Spool(tmp_path / "takes")
    heard = [takes.TakePlacement(n, "s", "beats", "p", "a", 1, 64 * n, 64, 1) for n in range(6)]
    real = takes.os.pwrite
    for number, each in enumerate(heard):
        with monkeypatch.context() as patch:
            if number == 2:
                patch.setattr(takes.os, "pwrite", lambda file, line, at: real(file, line[:5], at))
            if number == 4:
                patch.setattr(takes.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
            spool.add(each)
    assert spool.all() == tuple(heard)
    assert list((tmp_path / "takes").iterdir()) == []
