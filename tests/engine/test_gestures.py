"""Gestures in a session: each dial at its time, likes, dislikes and cues at the bar line, all in the take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from stemloom import Player, Vault, render
from stemloom.cli import main
from stemloom.engine.errors import UnknownCue, UnknownDial, UnknownPart
from stemloom.engine.mix.limiter import LATENCY_FRAMES
from stemloom.engine.play.session import Session
from stemloom.engine.play.take import Gesture
from stemloom.script.check.check import accepted
from stemloom.vault.sound.declared import Declared

RATE = 48_000
BEAT, BAR = RATE // 2, 2 * RATE


def noise(seed: int, seconds: float) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((2, int(seconds * RATE))) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four beats and a hit, all cleared."""
    home = tmp_path_factory.mktemp("gestures") / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for number in range(5):
            path = home.parent / f"sound{number}.wav"
            hit = number == 4
            soundfile.write(path, noise(number, 0.2 if hit else 4).T, RATE, subtype="FLOAT")
            said = {"shape": "hit"} if hit else {"bpm": Fraction(120), "bars": 2}
            offers.append(Declared(path, "Ada", "fx" if hit else "beats", **said))
        assert len(vault.add(offers).added) == 5
        vault.grant([stem.stem for stem in vault.stems()], ["stream"])
    return home


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


def script(rest: str) -> str:
    return f"""piece "Test" for stream
tempo 120
seed 3
pool beats = loops role beats
pool sparks = hits role fx
{rest}"""


LATCH = {
    "now": ("now", BEAT // 2 + 256, BEAT // 2 + 256),
    "at the next beat": ("at next beat", BEAT // 2 + 256, BEAT),
    "at the beat it falls on": ("at next beat", BEAT - LATENCY_FRAMES // 64 * 64, BEAT),
    "at the next bar": ("at next bar", BEAT // 2 + 256, BAR),
    "at the next section": ("at next section", BEAT // 2 + 256, 2 * BAR),
}


def check_heard(vault: Vault, text: str, gesture: Callable[[Session], None], given: int, heard: int) -> None:
    """Beside a session without the gesture: the same until `heard`, and half as loud soon after."""
    sounds = []
    for act in (lambda _: None, gesture):
        session = Session(vault, accepted(text), use="stream")
        first = session.read(given)
        act(session)
        sounds.append(np.concatenate([first, session.read(3 * BAR - given)], axis=1)[0].astype(float))
        session.close()
    plain, turned = sounds
    differs = np.flatnonzero(plain != turned)
    # What was mixed already when the gesture came, the master's latency and the limiter's look-ahead.
    assert heard - 64 <= differs[0] <= heard + 1024
    after = slice(heard + 4800, heard + 4800 + BEAT // 2)
    drop = 10 * np.log10((turned[after] ** 2).mean() / (plain[after] ** 2).mean())
    assert drop == pytest.approx(-6, abs=0.5)


@pytest.mark.parametrize(("when", "turned", "heard"), LATCH.values(), ids=LATCH)
def test_a_dial_is_heard_at_its_time(vault: Vault, when: str, turned: int, heard: int) -> None:
    text = script(
        f"dial level 0..1 = 1 {when}\nsection a 2 bars\n    bring beats from beats gain level * 6 dB - 6 dB\n"
        "section b 2 bars\n    bring beats from beats gain level * 6 dB - 6 dB\nmove b -> silence at end\n"
    )
    check_heard(vault, text, lambda session: session.gestures.set("level", 0.0), turned, heard)


def test_a_dial_that_an_event_sets_is_heard_at_the_bar(vault: Vault) -> None:
    text = script(
        "dial level 0..1 = 1 at next bar\n"
        "section a 4 bars\n    bring beats from beats gain level * 6 dB - 6 dB\n"
        'on cue "soft": set level to 0\nmove a -> silence at end\n'
    )
    check_heard(vault, text, lambda session: session.gestures.cue("soft"), BEAT, BAR)


REACTING = """section a 8 bars
    bring one from beats
    bring two from beats at bar 2
on dislike: swap that role at next bar
on cue "spark": sting flash
sting flash from sparks at next beat
move a -> silence on cue "out" at next bar
"""


def stems_of(session: Session, part: str) -> list[tuple[int, str]]:
    return [(p.bar, p.stem) for bar in session.bars for p in bar.starts if p.part == part]


@pytest.mark.parametrize(("named", "swapped"), [("one", "one"), (None, "two")])
def test_a_dislike_swaps_the_part_it_names_or_the_last(vault: Vault, named: str | None, swapped: str) -> None:
    session = Session(vault, accepted(script(REACTING)), use="stream")
    session.read(BAR + BEAT)
    before = {p.part: p.stem for p in session.playing}
    session.gestures.dislike(named)
    session.read(2 * BAR)
    after = {p.part: p.stem for p in session.playing}
    other = {"one": "two", "two": "one"}[swapped]
    assert after[swapped] != before[swapped]
    assert after[other] == before[other]
    assert session.conductor.state.liked == {before[swapped]: -1}
    assert session.close().gestures[0].kind == "dislike"


def test_a_like_counts_for_the_stem_that_was_heard(vault: Vault) -> None:
    """Not for the one that takes its place at a bar line which is composed already."""
    text = script("section a 2 bars\n    bring beats from beats at bar 1\n    vary beats every 1 bar\n")
    session = Session(vault, accepted(text), use="stream")
    session.read(BAR - 1024)
    heard = session.playing[0].stem
    assert session.bars[-1].bar == 1
    session.gestures.like()
    session.read(2 * BAR)
    assert session.conductor.state.liked == {heard: 1}
    session.close()


STRUCK = {
    "the next beat": ("at next beat", BEAT // 2 + 256, 1, BEAT),
    "a beat of every two": ("at next 2 beats", BEAT // 2 + 256, 1, 2 * BEAT),
    "the next bar": ("at next bar", BEAT // 2 + 256, 1, BAR),
    "a bar line that is composed already": ("at next beat", BAR - 2048, 1, BAR),
    "twice": ("at next beat", BEAT // 2 + 256, 2, BEAT),
    "twice for a bar line": ("at next bar", BEAT // 2 + 256, 2, BAR),
    "twice for one that is composed already": ("at next beat", BAR - 2048, 2, BAR),
}


@pytest.mark.parametrize(("at", "given", "times", "frame"), STRUCK.values(), ids=STRUCK)
def test_a_sting_falls_on_its_beat_once(vault: Vault, at: str, given: int, times: int, frame: int) -> None:
    text = REACTING.replace("flash from sparks at next beat", f"flash from sparks {at}")
    session = Session(vault, accepted(script(text)), use="stream")
    session.read(given)
    for _ in range(times):
        session.gestures.cue("spark")
    session.read(2 * BAR)
    take = session.close()
    struck = [p.start_frame for p in take.placements if p.part == "flash"]
    assert struck == [frame]


def test_a_sting_that_two_events_fire_sounds_once(vault: Vault) -> None:
    text = REACTING + 'on cue "too": sting flash\nevery 1 bar: sting flash\n'
    session = Session(vault, accepted(script(text)), use="stream")
    session.read(BEAT // 2)
    session.gestures.cue("spark")
    session.gestures.cue("too")
    session.read(BAR)
    session.gestures.cue("too")
    session.read(BEAT)
    take = session.close()
    assert [p.start_frame for p in take.placements if p.part == "flash"] == [BEAT, BAR, BAR + BEAT]


def test_cues_move_and_sting(vault: Vault) -> None:
    session = Session(vault, accepted(script(REACTING)), use="stream")
    session.read(BEAT)
    session.gestures.cue("spark")
    session.read(BAR)
    session.gestures.cue("out")
    while not session.ended:
        session.read(RATE)
    assert session.bars[-1].ended
    assert session.bars[-1].start_frame == 2 * BAR
    take = session.close()
    assert [p.start_frame for p in take.placements if p.part == "flash"] == [2 * BEAT]
    assert [(g.kind, g.name) for g in take.gestures] == [("cue", "spark"), ("cue", "out")]


def test_a_gesture_for_nothing_is_said(home: Path) -> None:
    with Player.from_text(home, script(REACTING)) as player:
        with pytest.raises(UnknownPart, match='"Test" has no part "three"; its parts: one, two'):
            player.like("three")
        with pytest.raises(UnknownPart):
            player.dislike("three")
        with pytest.raises(UnknownCue, match='"Test" waits for no cue "in"; its cues: "out", "spark"'):
            player.cue("in")
        player.read(BEAT)
        player.like("one")
        player.dislike()
        player.cue("spark")
        frame = BEAT
    assert player.take is not None
    assert [(g.kind, g.name) for g in player.take.gestures] == [
        ("like", "one"),
        ("dislike", None),
        ("cue", "spark"),
    ]
    assert all(isinstance(g, Gesture) and 0 < g.frame <= frame + 2048 for g in player.take.gestures)


def test_a_render_with_gestures_is_the_session_with_them(vault: Vault, tmp_path: Path) -> None:
    """As if made by hand at their frames; in the take at those of the mix, which is ahead by the latency."""
    made = [
        Gesture(BAR + BEAT, "cue", "out"),
        Gesture(BEAT, "cue", "spark"),
        Gesture(BEAT, "like", "one"),
        Gesture(100 * BAR, "cue", "spark"),
    ]
    rendered = render(vault, accepted(script(REACTING)), tmp_path / "a.wav", use="stream", gestures=made)
    gain_db = rendered.gain_db
    session = Session(vault, accepted(script(REACTING)), use="stream", keep_back=True, gain_db=gain_db)
    session.read(BEAT)
    session.gestures.cue("spark")
    session.gestures.like("one")
    session.read(BAR)
    session.gestures.cue("out")
    while not session.ended:
        session.read(RATE)
    take = session.close()
    assert rendered.ended
    assert rendered.pcm_sha256 == take.pcm_sha256
    saved = json.loads(rendered.take.read_text())["gestures"]
    assert [Gesture(**each) for each in saved] == list(take.gestures)
    assert len(take.gestures) == 3


def test_a_gesture_that_cannot_be_made_is_refused_before_anything_sounds(
    vault: Vault, tmp_path: Path
) -> None:
    for gesture, error in (
        (Gesture(10 * BAR, "cue", "in"), UnknownCue),
        (Gesture(10 * BAR, "like", "three"), UnknownPart),
        (Gesture(10 * BAR, "dial", "push", 1.0), UnknownDial),
    ):
        with pytest.raises(error):
            render(vault, accepted(script(REACTING)), tmp_path / "b.wav", gestures=[gesture])
    assert list(tmp_path.iterdir()) == []


def test_the_command_gives_gestures(home: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "p.loom", tmp_path / "c.wav"
    path.write_text(script(REACTING))

    def run(*at: str) -> Result:
        words = ["render", str(path), "--out", str(out)]
        for time, gesture in zip(at[::2], at[1::2], strict=True):
            words += ["--at", time, gesture]
        return CliRunner().invoke(main, ["--home", str(home), *words])

    done = run("0:00.5", 'cue "spark"', "2.5", "cue out", "1", "dislike")
    assert done.exit_code == 0, done.output
    assert soundfile.info(out).frames >= 2 * BAR
    for wrong, said in (
        (
            ("1", "shout"),
            "'shout' is not a gesture, such as 'cue lift', 'like tune', 'dislike' or energy=0.8",
        ),
        (("1", "push=loud"), "'push=loud' is not NAME=VALUE"),
        (("x", "cue out"), "is not a length of time"),
        (("-1", "cue out"), "a gesture comes between 0 and 86400 seconds"),
    ):
        refused = run(*wrong)
        assert refused.exit_code == 2
        assert said in refused.output
    assert isinstance(run("1", "cue in").exception, UnknownCue)
