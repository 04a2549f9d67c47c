"""What a player promises its host: in a fork, forgotten, on a full disk, paused, under many gestures."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stemloom import EngineError, LedgerError, LedgerStopped, Player, SteppedDevice, Vault
from stemloom.engine.errors import NoRoom, NothingToUndo
from stemloom.engine.play import take as takes
from stemloom.engine.play.conform import Conformer
from stemloom.engine.play.notices import Notices
from stemloom.engine.play.replay import replay
from stemloom.engine.play.session import Session
from stemloom.ledger.verify.verify import verify

from ..marks import slow

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "harbour_night.loom"
RATE = 48_000


@pytest.fixture
def home(demo_home: Callable[[], Path]) -> Path:
    return demo_home()


def check_whole(home: Path, *players: Player) -> None:
    """The ledger verifies, and each take replays and holds as many ms as the ledger."""
    assert verify(home).ok
    with Vault.open(home) as vault:
        for player in players:
            take = takes.load(home / "takes" / f"{player.session}.json")
            assert replay(vault, take, lambda block: None, logged=False)[1].same


def in_child(work: Callable[[], object], *, leave: Callable[[int], object] = os._exit) -> int:
    """Do `work` in a forked process, which may take 20 s, and wait for its exit code."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            work()
            os._exit(0)
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001
            print(error, file=sys.stderr)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(*calls: Callable[[], object]) -> None:
    """Each of the calls is refused, in a sentence that says whose the player is."""
    for call in calls:
        with pytest.raises(EngineError, match="belongs to the process"):
            call()


@pytest.mark.parametrize("device", [None, "silent"])
def test_a_child_is_refused_and_its_exit_touches_nothing(home: Path, device: str | None) -> None:
    with Player(home, SCRIPT, use="stream", seed=1) as player:
        player.read(RATE)
        if device is not None:
            player.open_device(device)

        def work() -> None:
            refused(
                lambda: player.read(512),
                lambda: player.set("energy", 0.5),
                lambda: player.swap_script(SCRIPT.read_text()),
                lambda: player.open_device("silent"),
                lambda: player.on("bar", print),
                player.close,
                player.pause,
                player.stop,
                player.now,
            )
            player.__exit__(None, None, None)
            assert player.seconds >= 1

        assert in_child(work) == 0
        if device is None:
            player.read(2 * RATE)
    check_whole(home, player)


@pytest.mark.parametrize("forks", [6, slow(16), pytest.param(200, marks=pytest.mark.long)])
def test_forks_that_exit_return_or_are_killed(home: Path, forks: int) -> None:
    """Each in a process of its own, whose children end in every way that there is."""
    program = """
import multiprocessing, os, sys, time
from stemloom import Player
home, script, seed, live = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "live"

def worker(player):
    with player:
        player.read(48000)

with Player(home, script, use="stream", seed=seed) as player:
    if live:
        player.open_device("silent")
    else:
        player.read(48000)
    way = seed % 4
    if way == 3:
        child = multiprocessing.get_context("fork").Process(target=worker, args=(player,))
        child.start(); child.join()
    elif os.fork() == 0:
        if way == 0:
            sys.exit()
        if way == 1:
            del player
            sys.exit()
        os._exit(0)
    else:
        os.wait()
    if not live:
        player.read(96000)
frames = player.take.frames
print(player.session, frames, sum(each.ms for each in player.take.placements))
"""
    sessions = []
    for seed in range(forks):
        live = "live" if seed % 3 == 2 else "read"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(home), str(SCRIPT), str(seed), live],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        session, frames, ms = done.stdout.splitlines()[-1].split()
        sessions.append((session, int(ms)))
        if live == "read":
            assert int(frames) == 3 * RATE
    assert verify(home).ok
    with Vault.open(home) as vault:
        logged: dict[str, int] = dict.fromkeys((session for session, _ in sessions), 0)
        for _, entry in vault.log.entries():
            if (session := getattr(entry, "session", None)) in logged and hasattr(entry, "start_frame"):
                logged[session] += entry.ms
        assert logged == dict(sessions)


def test_a_player_that_is_dropped_closes_itself_and_warns(home: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        player = Player(home, SCRIPT, use="stream")
        player.read(2 * RATE)
        session = player.session
        del player
        gc.collect()
        for thread in threading.enumerate():
            if thread.name == "stemloom close":
                thread.join()
    assert [each for each in caught if issubclass(each.category, ResourceWarning)]
    assert verify(home).ok
    assert (home / "takes" / f"{session}.json").exists()


def test_what_is_open_when_the_process_ends_is_closed(home: Path) -> None:
    program = "import sys; from stemloom import Player; p = Player(*sys.argv[1:3]); p.read(96000)"
    subprocess.run([sys.executable, "-c", program, str(home), str(SCRIPT)], check=True, timeout=60)
    assert verify(home).ok
    assert not [*(home / "ledger" / "journals").iterdir()]


def held(prefix: str = "stemloom") -> tuple[int, set[str], set[str]]:
    """Descriptors, threads and pages of this process."""
    pages = {each.name for each in Path("/dev/shm").glob(f"stemloom-*{os.getpid()}-*")}
    threads = {each.name for each in threading.enumerate() if each.name.startswith(prefix)}
    return len(os.listdir("/proc/self/fd")), threads, pages


@pytest.mark.parametrize("stage", ["session", "prepare"])
def test_a_player_that_cannot_begin_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    Player(home, SCRIPT).close()
    before = held()

    def fail(*_: object, **__: object) -> None:
        raise EngineError("it will not")

    place, name = (Session, "_new_mixer") if stage == "session" else (Conformer, "prepare")
    monkeypatch.setattr(place, name, fail)
    for _ in range(10):
        with pytest.raises(EngineError, match="it will not"):
            Player(home, SCRIPT)
    gc.collect()
    after = held()
    assert after[1] == before[1]
    assert after[2] == before[2]
    assert after[0] <= before[0] + 1
    assert verify(home).ok


def test_pause_stop_and_states_of_a_pulled_player(home: Path) -> None:
    with Player(home, SCRIPT, use="stream", seed=1) as player:
        assert player.state in ("opened", "ready")
        first = player.read(RATE)
        assert player.state == "playing"
        player.pause()
        assert player.state == "paused"
        assert player.paused
        fading = player.read(4800)
        assert np.abs(fading[2048:]).max() == 0
        at = player.seconds
        assert at < 1.05
        assert not player.read(RATE).any()
        assert player.seconds == at
        player.start()
        assert player.state == "playing"
        again = player.read(RATE)
        assert again.any()
        player.stop(fade=0.5)
        rest = player.read(2 * RATE)
        assert len(rest) == RATE // 2
        assert np.abs(rest[-64:]).max() < 1e-2
        assert len(player.read(512)) == 0
        assert player.state == "ended"
        assert player.health.blocks > 5
        assert "Harbour, Night" in repr(player)
        assert player.position.bar >= 1
    assert player.state == "closed"
    with Player(home, SCRIPT, use="stream", seed=1) as plain:
        sound = plain.read(3 * RATE)
    assert np.array_equal(sound[:RATE], first)
    check_whole(home, player)


def test_read_into_a_buffer_of_the_hosts(home: Path) -> None:
    with Player(home, SCRIPT, seed=1) as one, Player(home, SCRIPT, seed=1) as other:
        out = np.zeros((1000, 2), np.float32)
        for _ in range(40):
            filled = one.read(777, out=out)
            assert np.shares_memory(filled, out)
            assert np.array_equal(filled, other.read(777))
        fixed = out.copy()
        fixed.flags.writeable = False
        for wrong in (out[:10], out.astype(float), out.T, fixed):
            with pytest.raises(ValueError, match="out"):
                one.read(777, out=wrong)


def test_what_is_read_is_what_is_logged(home: Path) -> None:
    """To the millisecond: the mixer is some frames ahead of what was given out."""
    head = 'piece "Plain" for stream\ntempo 114\npool all = loops role pads\n'
    text = head + "section one 8 bars\n    bring all from all\n"
    with Player.from_text(home, text) as player:
        player.read(96_000)
    assert player.take is not None
    assert [each.ms for each in player.take.placements] == [2000]
    check_whole(home, player)


def test_a_home_that_is_removed_leaves_nothing(home: Path) -> None:
    before = held()[2]
    player = Player(home, SCRIPT)
    player.read(RATE)
    shutil.rmtree(home)
    with pytest.raises(EngineError, match="was removed"):
        player.close()
    player.close()
    assert not home.exists()
    assert held()[2] <= before
    assert player.state == "closed"


def test_a_close_that_is_interrupted_late_ends_its_threads(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(home, SCRIPT)
    player.read(RATE)
    with monkeypatch.context() as patch:
        patch.setattr(Notices, "close", lambda self: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            player.close()
    player.close()
    assert "stemloom control" not in held()[1]


def test_what_is_over_does_not_play_again(home: Path) -> None:
    with Player(home, SCRIPT) as player:
        player.read(4800)
        player.stop()
        assert len(player.read(RATE)) < RATE
        with pytest.raises(EngineError, match="over"):
            player.open_device("silent")
        assert player.state == "ended"
    with Player(home, SCRIPT) as player:
        player.open_device("silent")
        player.stop()
        assert len(player.read(512)) == 0
    with pytest.raises(EngineError, match="closed"):
        player.wait()
    with pytest.raises(TypeError, match="open one there"):
        pickle.dumps(player)


def test_a_device_goes_on_where_reading_has_come_to(home: Path) -> None:
    """And it ends where the piece does: what was read before is not waited for."""
    lines = ["tempo 120", "pool all = loops role beats", "section one 2 bars", "    bring all from all"]
    short = "\n".join(['piece "Short" for stream', *lines, "move one -> silence at end"])
    with Player.from_text(home, short) as player:
        player.read(3 * RATE)
        device = SteppedDevice()
        player.open_device(device)
        given = 0
        while not player.wait(0):
            given += len(device.step(4800))
        assert 0.9 * RATE < given < 2 * RATE
    check_whole(home, player)


def test_turns_of_a_dial_count_once_for_each_boundary(home: Path) -> None:
    """Sixty turns a second: the take holds one for each bar, and replays; repeats are none."""
    rng = random.Random(1)
    with Player(home, SCRIPT, use="stream", seed=1) as player:
        for _ in range(60 * 20):
            player.set("energy", rng.choice([0.2, 0.9, 0.5]))
            player.read(800)
        player.set("energy", 0.4)
        player.set("energy", 0.4)
        made = 0
        while made < 20:
            try:
                player.undo()
            except NothingToUndo:
                break
            made += 1
        assert made < 15
        player.read(RATE)
    assert player.take is not None
    assert sum(each.kind == "dial" for each in player.take.gestures) < 15
    check_whole(home, player)


def test_a_gesture_waits_for_no_reader(home: Path) -> None:
    """While another thread reads ten minutes, a thousand turns are taken before it has ended."""
    with Player(home, SCRIPT.with_name("slow_weather.loom"), seed=1) as player:
        done = threading.Event()

        def read() -> None:
            player.read(600 * RATE)
            done.set()

        reader = threading.Thread(target=read)
        reader.start()
        for n in range(1000):
            player.set("weather", n / 1000)
        assert not done.is_set()
        reader.join()
    check_whole(home, player)


def test_a_close_while_another_thread_reads(home: Path) -> None:
    player = Player(home, SCRIPT, seed=1)
    ends: list[BaseException] = []

    def read() -> None:
        try:
            while True:
                player.read(60 * RATE)
        except EngineError as error:
            ends.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    while not player.seconds:
        time.sleep(0.001)
    player.close()
    reader.join()
    assert "closed" in str(ends[0])
    check_whole(home, player)


def test_eight_closes_at_once(home: Path) -> None:
    player = Player(home, SCRIPT)
    player.read(RATE)
    closers = [threading.Thread(target=player.close) for _ in range(8)]
    for each in closers:
        each.start()
    for each in closers:
        each.join()
    check_whole(home, player)


def test_asyncio(home: Path) -> None:
    async def listen(user: str) -> Player:
        async with await Player.aopen(home, SCRIPT, user=user, seed=2) as player:
            heard = [await player.aread(960) for _ in range(50)]
            reading = asyncio.ensure_future(player.aread(48_000))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            # What a cancelled read has mixed is still there.
            heard.append(await player.aread(4800))
            assert player.seconds == pytest.approx(50 * 960 / RATE + 0.1)
        with Player(home, SCRIPT, seed=2) as plain:
            assert np.array_equal(np.concatenate(heard), plain.read(50 * 960 + 4800))
        return player

    async def both() -> list[Player]:
        return list(await asyncio.gather(listen("one"), listen("two")))

    check_whole(home, *asyncio.run(both()))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, small enough to be filled."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600M", "tmpfs", str(disk)], check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("device", [None, "silent"])
def test_a_disk_that_fills_up(home: Path, small_disk: Path, rounds: int, device: str | None) -> None:
    """It is full while the player plays, and has room again before the player is closed."""
    rng = random.Random(rounds)
    copy = small_disk / "home"
    subprocess.run(["cp", "-r", str(home), str(copy)], check=True)
    players = []
    for number in range(rounds):
        player = Player(copy, SCRIPT, use="stream", seed=number)
        player.read(rng.randrange(RATE))
        if device is not None:
            player.open_device(device)
        fill = small_disk / "fill"
        with fill.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        stopped = 0
        if device is None:
            for _ in range(12):
                before = player.seconds
                try:
                    player.read(5 * RATE)
                except (LedgerStopped, NoRoom):
                    stopped += player.seconds == before
            assert stopped
        else:
            player.wait(rng.uniform(0.1, 1.5))
        early = rng.random() < 0.5
        if early:
            with pytest.raises((OSError, LedgerError), match=r"disk|space"):
                player.close()
        fill.unlink()
        if not early and device is None:
            assert len(player.read(RATE)) == RATE
        player.close()
        players.append(player)
    check_whole(copy, *players)
    assert all(player.ledger.lost == 0 for player in players)


def test_a_child_of_multiprocessing_opens_a_player_of_its_own(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    with Player(home, SCRIPT, use="stream") as player:
        player.read(RATE)
        worker = context.Process(target=_play_alone, args=(home,))
        worker.start()
        worker.join(60)
        assert worker.exitcode == 0
        player.read(RATE)
    check_whole(home, player)


def _play_alone(home: Path) -> None:
    with Player(home, SCRIPT, use="stream", seed=9) as player:
        assert len(player.read(RATE)) == RATE
    assert verify(home).ok
