"""A session end to end on a real vault: one sound however it is read, and a ledger of what was heard."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from stemloom import Player, Vault, render
from stemloom.engine.errors import (
    EngineError,
    NoEnd,
    NothingCleared,
    NotSealed,
    OutputRefused,
    UnknownDial,
    UseRefused,
)
from stemloom.engine.plan import Variant
from stemloom.engine.play.pcm24 import to_pcm24
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Placement, Session as SessionEntry, ms_of
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted
from stemloom.vault.records import Stem
from stemloom.vault.sound.declared import Declared

RATE = 48_000
SCRIPT = """piece "Test" for stream, export
tempo 120
seed 3
pool beats = loops role beats
pool pads = loops role pads
pool ticks = hits role tops
dial energy 0..1 = 0.5 at next bar
dial level 0..1 = 1 now
section a 2 bars
    bring beats from beats
    bring pads from pads over 1 bars gain level * 6 dB - 6 dB
    play tick from ticks "x... x... X... x.5."
section b 2 bars
    bring beats from beats when energy > 0.2
    play tick from ticks "x.x."
move a -> b at end
move b -> silence at end
"""


def loop(seed: int, seconds: float) -> np.ndarray:
    """Noise bursts on the beat over a quiet tone."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    t = np.arange(frames)
    beat = np.exp(-(t % (RATE // 2)) / 2000)
    burst = rng.standard_normal((2, frames)) * beat * 0.2
    return (burst + 0.05 * np.sin(2 * np.pi * 220 * t / RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault of two holders: beats at 120 and 123 bpm, a texture, a hit; one more beat is not cleared."""
    home = tmp_path_factory.mktemp("session") / "home"
    files = home.parent
    sounds = {
        "straight": (loop(1, 4), "beats", {"bpm": Fraction(120), "bars": 2}),
        "faster": (loop(2, 4 * 120 / 123), "beats", {"bpm": Fraction(123), "bars": 2}),
        "air": (loop(3, 3), "pads", {"shape": "sustained", "key": "C major"}),
        "tick": (loop(4, 0.2), "tops", {"shape": "hit"}),
        "shy": (loop(5, 4), "beats", {"bpm": Fraction(120), "bars": 2}),
        "gong": (loop(6, 2), "fx", {"shape": "hit"}),
    }
    with Vault.open(home, create=True) as vault:
        for name in ("Ada", "Ben"):
            vault.add_holder(name)
        offers = []
        for number, (name, (sound, role, said)) in enumerate(sounds.items()):
            soundfile.write(files / f"{name}.wav", sound.T, RATE, subtype="FLOAT")
            offers.append(Declared(files / f"{name}.wav", ("Ada", "Ben")[number % 2], role, **said))
        assert len(vault.add(offers).added) == len(sounds)
        cleared = [stem.stem for stem in vault.stems() if stem.title != "shy"]
        vault.grant(cleared, ["stream", "export"])
    return home


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


def read_all(session: Session, sizes: list[int]) -> np.ndarray:
    blocks, number = [], 0
    while not session.ended:
        blocks.append(session.read(sizes[number % len(sizes)]))
        number += 1
    return np.concatenate(blocks, axis=1)


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(1, 4096), min_size=1, max_size=5))
def test_the_sound_does_not_depend_on_how_it_is_read(home: Path, sizes: list[int]) -> None:
    sizes = [*sizes, 1 + max(sizes)]
    with Vault.open(home) as vault:
        piece = accepted(SCRIPT)
        takes, sounds = [], []
        for each in ([1 << 20], sizes):
            session = Session(vault, piece, use="stream")
            sounds.append(read_all(session, each))
            takes.append(session.close())
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert takes[0].pcm_sha256 == takes[1].pcm_sha256
    assert takes[0].placements == takes[1].placements


def test_render_player_and_session_are_one(home: Path, vault: Vault, tmp_path: Path) -> None:
    out = tmp_path / "out.flac"
    rendered = render(vault, accepted(SCRIPT), out, use="stream")
    with Player.from_text(home, SCRIPT, use="stream", gain_db=rendered.gain_db) as player:
        blocks = []
        while len(block := player.read(777)):
            assert block.dtype == np.float32
            blocks.append(block)
        assert player.ended
    sound = np.concatenate(blocks)
    assert sound.shape == (rendered.frames, 2)
    assert player.take is not None
    assert player.take.pcm_sha256 == rendered.pcm_sha256
    ints, rate = soundfile.read(out, dtype="int32")
    assert rate == RATE
    np.testing.assert_array_equal(
        ints >> 8, np.frombuffer(_widened(to_pcm24(sound.T)), "<i4").reshape(-1, 2) >> 8
    )
    assert rendered.true_peak_dbtp <= -1.0


def _widened(pcm24: bytes) -> bytes:
    three = np.frombuffer(pcm24, np.uint8).reshape(-1, 3)
    return np.concatenate([np.zeros((len(three), 1), np.uint8), three], axis=1).tobytes()


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_stranger_can_check_the_hash(vault: Vault, tmp_path: Path, suffix: str) -> None:
    import hashlib
    import shutil

    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    out = tmp_path / f"out.{suffix}"
    rendered = render(vault, accepted(SCRIPT), out, seconds=2)
    pcm = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(out), "-f", "s24le", "-"], capture_output=True, check=True
    ).stdout
    assert hashlib.sha256(pcm).hexdigest() == rendered.pcm_sha256
    assert len(pcm) == 2 * RATE * 6


def test_the_ledger_says_what_was_heard(vault: Vault, tmp_path: Path) -> None:
    first = vault.log.size
    rendered = render(
        vault, accepted(SCRIPT), tmp_path / "out.wav", use="export", tier="enterprise", user="me"
    )
    entries = [entry for _, entry in vault.log.entries(first)]
    assert isinstance(entries[0], SessionEntry)
    assert isinstance(entries[-1], SessionEntry)
    placements = [entry for entry in entries if isinstance(entry, Placement)]
    assert [entry.seq for entry in placements] == list(range(len(placements)))
    assert {(p.use, p.tier, p.session) for p in placements} == {("export", "enterprise", rendered.session)}
    assert all(p.ms == ms_of(p.frames, p.rate) for p in placements)
    assert entries[-1].placements == len(placements) == len(rendered.sounded)
    assert entries[-1].ms == sum(p.ms for p in placements) == sum(stem.ms for stem in rendered.stems)
    take = json.loads(rendered.take.read_text())
    assert [p["frames"] for p in take["placements"]] == [p.frames for p in placements]
    # A loop is in play for all its frames but the last of its fade-out, which lies at -60 dB; where it goes
    # on as another placement, it has none.
    loops = [p for p in placements if p.role == "beats"]
    assert [p.frames for p in loops] == [4 * RATE, 4 * RATE - 1]
    shy = next(stem.stem for stem in vault.stems() if stem.title == "shy")
    assert shy not in {p.stem for p in placements}


def test_a_length_fades_out_and_cuts_exactly(vault: Vault, tmp_path: Path) -> None:
    rendered = render(vault, accepted(SCRIPT), tmp_path / "out.wav", seconds=3.5)
    sound, _ = soundfile.read(tmp_path / "out.wav")
    assert len(sound) == rendered.frames == int(3.5 * RATE)
    assert np.abs(sound[-480:]).max() < 0.001
    assert not rendered.ended
    assert all(s.placement.start_frame + s.frames <= rendered.frames for s in rendered.sounded)


def test_a_now_dial_is_heard_at_once_and_a_structural_one_at_its_bar(vault: Vault) -> None:
    piece = accepted(SCRIPT)

    def played(turns: dict[int, tuple[str, float]]) -> tuple[np.ndarray, Session]:
        session = Session(vault, piece)
        blocks = []
        while not session.ended:
            if session.frame in turns:
                session.gestures.set(*turns[session.frame])
            blocks.append(session.read(6400))
        session.close()
        return np.concatenate(blocks, axis=1), session

    plain, _ = played({})
    quiet, _ = played({64_000: ("level", 0.0)})
    changed = np.flatnonzero(np.abs(plain - quiet).max(axis=0) > 0)
    assert 64_000 <= changed[0] < 64_000 + 1024
    without, session = played({6_400 * 10: ("energy", 0.0)})
    assert [bar.bar for bar in session.bars if any(p.part == "beats" for p in bar.starts)] == [0]
    assert not np.array_equal(plain, without)


def test_withdrawal_by_another_reaches_a_running_session(home: Path) -> None:
    text = SCRIPT.replace("section a 2 bars", "section a 12 bars")
    with Vault.open(home) as mine, Vault.open(home) as other:
        session = Session(mine, accepted(text))
        session.read(RATE)
        stem = next(p.stem for p in session.playing if p.part == "beats")
        index = other.log.size
        other.withdraw([stem], ["stream"])
        session.read(4 * RATE)
        assert stem not in {p.stem for p in session.playing}
        session.read(12 * RATE)
        take = session.close()
        heard = [p for p in take.placements if p.stem == stem]
        # It fades within 100 ms of the next bar line, and does not come back.
        assert len(heard) == 1
        assert heard[0].frames <= 2 * RATE + 4800
        assert len(take.changes) == 1
        assert mine.log.size > index
        other.grant([stem], ["stream"])


def test_a_withdrawal_while_a_stem_is_conformed_keeps_it_silent(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consent is looked at in the last moment: no slow conform carries a stem past its withdrawal."""
    with Vault.open(home) as mine, Vault.open(home) as other:
        session = Session(mine, accepted(SCRIPT))
        slow, gone = session.conductor.conformer.sound, []

        def sound(stem: Stem, variant: Variant) -> np.ndarray:
            if stem.role == "beats" and not gone:
                gone.append(stem.stem)
                other.withdraw([stem.stem], ["stream"])
            return slow(stem, variant)

        monkeypatch.setattr(session.conductor.conformer, "sound", sound)
        session.read(8 * RATE)
        take = session.close()
        other.grant(gone, ["stream"])
    assert gone
    assert gone[0] not in {p.stem for p in take.placements}
    assert verify(home).ok


def test_a_stalled_player_starts_nothing_that_was_withdrawn_meanwhile(home: Path) -> None:
    with Vault.open(home) as mine, Vault.open(home) as other:
        session = Session(mine, accepted(SCRIPT))
        session.read(4 * RATE - 3000)  # the second section is composed, and its loop waits
        (waiting,) = (p for bar in session.bars[2:3] for p in bar.starts if p.part == "beats")
        other.withdraw([waiting.stem], ["stream"])
        session.read(8 * RATE)
        take = session.close()
        other.grant([waiting.stem], ["stream"])
    assert all(p.start_frame < waiting.start_frame for p in take.placements if p.stem == waiting.stem)


def test_a_close_that_fails_can_be_tried_again(home: Path) -> None:
    with Vault.open(home) as vault:
        session = Session(vault, accepted(SCRIPT))
        session.read(3 * RATE)
        takes = home / "takes"
        takes.rename(home / "aside")
        takes.write_text("in the way")
        size = vault.log.size
        for _ in range(2):
            with pytest.raises(OSError, match="takes"):
                session.close()
        assert vault.log.size == size
        takes.unlink()
        (home / "aside").rename(takes)
        take = session.close()
        assert take.placements
        assert session.close() is take
        kinds = [type(entry) for _, entry in vault.log.entries(size)]
        assert kinds == [SessionEntry, *[Placement] * len(take.placements), SessionEntry]


def test_a_log_that_cannot_be_sealed_keeps_the_render_and_its_entries(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, out = vault.log.size, tmp_path / "out.wav"

    def full(self: Session) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Session, "seal", full)
        with pytest.raises(NotSealed, match=r"is whole, .* could not be sealed"):
            render(vault, accepted(SCRIPT), out)
    assert out.exists()
    gc.collect()
    assert vault.log.size == size


def test_more_than_256_sounds_are_reported_and_go_on(vault: Vault, tmp_path: Path) -> None:
    lines = "".join(f'    play t{number} from hits "xxxxxxxxxxxxxxxx"\n' for number in range(32))
    text = 'piece "Full" for stream\ntempo 240\nseed 1\npool hits = hits role tops\n'
    text += f"section a 2 bars\n{lines}move a -> silence at end\n"
    rendered = render(vault, accepted(text), tmp_path / "out.wav")
    assert rendered.crowded == 0
    slow = render(vault, accepted(text.replace("role tops", "role fx")), tmp_path / "slow.wav")
    assert slow.crowded > 0
    assert slow.true_peak_dbtp <= -1


MISTAKES = [
    ({"use": "sync"}, UseRefused, "for stream, export, not for sync"),
    ({"dials": {"energie": 1}}, UnknownDial, 'no dial "energie"; its dials: energy, level'),
    ({"dials": {"energy": 2}}, UnknownDial, "from 0 to 1; 2 is outside"),
    ({"tier": "king"}, EngineError, '"king" is not a tier'),
    ({"seconds": 0}, NoEnd, "--seconds goes from 0.1"),
    ({"bars": -1}, NoEnd, "--bars goes from 1"),
]


@pytest.mark.parametrize(("options", "error", "said"), MISTAKES, ids=[str(m[0]) for m in MISTAKES])
def test_mistakes_write_nothing(vault: Vault, tmp_path: Path, options: dict, error: type, said: str) -> None:
    size = vault.log.size
    with pytest.raises(error, match=said):
        render(vault, accepted(SCRIPT), tmp_path / "out.wav", **options)
    assert vault.log.size == size
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("out.wma", "must end in .aif, .aiff, .flac, .mp3, .ogg, .opus or .wav"),
        ("out", "must end in"),
        ("no/out.wav", "there is no folder"),
        ("d.wav", "is a folder"),
    ],
)
def test_output_names_that_will_not_do(vault: Vault, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "d.wav").mkdir()
    with pytest.raises(OutputRefused, match=said):
        render(vault, accepted(SCRIPT), tmp_path / name)


def test_a_piece_without_an_end_needs_a_length(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(NoEnd, match="never ends: give a length"):
        render(vault, accepted(SCRIPT.replace("move b -> silence at end\n", "")), tmp_path / "out.wav")


def test_nothing_cleared_is_said(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(NothingCleared, match="every pool is empty for sync"):
        render(vault, accepted(SCRIPT.replace("for stream, export", "for sync")), tmp_path / "out.wav")


def test_a_render_that_fails_leaves_no_file_and_no_placement(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = vault.log.size

    def broken(step: str, done: int, all: int) -> None:
        if step == "mix":
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        render(vault, accepted(SCRIPT), tmp_path / "out.wav", progress=broken)
    assert list(tmp_path.iterdir()) == []
    entries = [entry for _, entry in vault.log.entries(size)]
    assert [type(entry) for entry in entries] == [SessionEntry, SessionEntry]
    assert entries[1].placements == 0


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(
    home: Path, tmp_path: Path, suffix: str
) -> None:
    """In a process of its own, whose files may grow to 200 kB, as on a full disk."""
    code = f"""
import resource, signal, sys
from pathlib import Path
from stemloom import Vault, render, check
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
text = {SCRIPT!r}
with Vault.open({str(home)!r}) as vault:
    render(vault, check(text).piece, Path({str(tmp_path / "warm.wav")!r}), seconds=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        render(vault, check(text).piece, Path({str(tmp_path / ("out." + suffix))!r}))
    except Exception as error:
        print(type(error).__name__, error.exit_code, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OutputFailed 1 ")
    assert "could not be written" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["warm.wav"]
    assert verify(home).ok


def test_a_closed_session_says_so(vault: Vault) -> None:
    session = Session(vault, accepted(SCRIPT))
    session.read(100)
    assert session.close() == session.close()
    with pytest.raises(EngineError, match="closed"):
        session.read(1)
