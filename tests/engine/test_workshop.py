"""Sounds and workers that the sessions of a process share, and what one session cannot do to another."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import soundfile

from stemloom import Player, Vault
from stemloom.engine.clock import BarClock
from stemloom.engine.compose.tempo_and_key import variant_of
from stemloom.engine.errors import ConformFailed, EngineError
from stemloom.engine.plan import Variant
from stemloom.engine.play import conform, workshop
from stemloom.engine.play.conform import Conformer
from stemloom.ground.processes import cores
from stemloom.vault.records import Stem
from stemloom.vault.sound.declared import Declared

from ..conftest import copied

RATE = 48_000


@pytest.fixture(scope="module")
def four_loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with four stems."""
    folder = tmp_path_factory.mktemp("four-loops")
    with Vault.open(folder / "home", create=True) as vault:
        vault.add_holder("Ada")
        offers = []
        for number in range(4):
            path = folder / f"loop{number}.wav"
            soundfile.write(path, np.random.default_rng(number).standard_normal((RATE, 2)) * 0.1, RATE)
            offers.append(Declared(path, "Ada", "beats", bpm=Fraction(120), beats=2))
        assert len(vault.add(offers).added) == 4
    return folder / "home"


@pytest.fixture
def home(four_loops: Path, tmp_path: Path) -> Path:
    return copied(four_loops, tmp_path / "home")


@pytest.fixture
def vault(home: Path) -> Iterator[Vault]:
    with Vault.open(home) as vault:
        yield vault


def wanted(vault: Vault, tempo: int = 125) -> list[tuple[Stem, Variant]]:
    clock = BarClock(Fraction(tempo), (4, 4), RATE)
    return [(stem, variant_of(stem, clock)) for stem in vault.stems()]


@dataclass
class Making:
    """Every variant that is made: it waits until it may."""

    may: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    stems: list[str] = field(default_factory=list)


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Iterator[Making]:
    making, make = Making(), Conformer._make

    def wait(self: Conformer, stem: Stem, *rest: Any) -> None:
        making.stems.append(stem.stem)
        making.began.set()
        assert making.may.wait(20)
        make(self, stem, *rest)

    monkeypatch.setattr(Conformer, "_make", wait)
    yield making
    making.may.set()


def test_players_of_one_process_hold_each_sound_once(demo_home: Callable[[], Path]) -> None:
    home, script = demo_home(), Path(__file__).parents[2] / "examples" / "harbour_night.loom"
    with Player(home, script, seed=1) as one, Player(home, script, seed=1) as other:
        first, second = (player._performance.session.conductor.conformer._sounds for player in (one, other))
        assert first.keys() == second.keys() != set()
        assert all(np.shares_memory(first[variant], second[variant]) for variant in first)
        assert not any(sound.flags.writeable for sound in first.values())


def test_a_sound_is_shared_whatever_the_way_to_its_home_and_goes_with_the_last(
    home: Path, vault: Vault, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(home)
    stem, variant = wanted(vault)[0]
    with Vault.open(tmp_path / "link") as other, Conformer(vault) as one, Conformer(other) as two:
        assert np.shares_memory(one.sound(stem, variant), two.sound(stem, variant))
        shop = one._workshop
        assert shop is two._workshop
        assert shop.held() == one.sound(stem, variant).nbytes
    assert shop.held() == 0


def test_a_sound_backwards_is_shared_as_well(vault: Vault) -> None:
    stem, variant = wanted(vault, 120)[0]
    turned = Variant(stem.stem, variant.frames, None, 1.0, reverse=True)
    with Conformer(vault) as one, Conformer(vault) as two:
        backwards = one.sound(stem, turned)
        assert np.shares_memory(backwards, two.sound(stem, turned))
        np.testing.assert_array_equal(backwards, one.sound(stem, variant)[:, ::-1])


def test_sessions_share_workers_which_end_with_the_last(vault: Vault) -> None:
    with Conformer(vault) as one:
        with Conformer(vault) as two:
            one.prepare(wanted(vault, 125))
            two.prepare(wanted(vault, 126))
            workers = [each._process for each in two._workshop._crew._idle]
            assert 1 <= len(workers) <= cores()
        assert all(worker.returncode is None for worker in workers)
    assert all(worker.returncode is not None for worker in workers)


def test_what_is_made_for_one_is_not_made_again_for_another(vault: Vault, making: Making) -> None:
    stem, variant = wanted(vault)[0]
    with Conformer(vault) as one, Conformer(vault) as two:
        one.soon([(stem, variant)])
        two.soon([(stem, variant)])
        assert two.lacking([(stem, variant)]) == [(stem, variant)]
        making.may.set()
        assert np.shares_memory(one.sound(stem, variant), two.sound(stem, variant))
        assert two.ready(variant)
        assert two.lacking([(stem, variant)]) == []
    assert making.stems == [stem.stem]


def test_what_is_made_ahead_comes_in_order_and_behind_what_is_waited_for(
    vault: Vault, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "cores", lambda: 1)
    a, b, c, d = wanted(vault)
    with Conformer(vault) as conformer, ThreadPoolExecutor(1) as pool:
        conformer.soon([a, b, c])
        assert making.began.wait(20)
        # b lapses; a is begun.
        conformer.soon([c, d])
        waited = pool.submit(conformer.sound, *d)
        making.may.set()
        waited.result()
        conformer.prepare([c])
    assert making.stems[0] == a[0].stem
    assert set(making.stems[1:]) == {c[0].stem, d[0].stem}
    assert b[0].stem not in making.stems


def test_the_close_of_one_session_leaves_another_its_sound(home: Path, making: Making) -> None:
    """Also where the one that closes, with its vault, is the one for which it is made."""
    vault, other = Vault.open(home), Vault.open(home)
    stem, variant = wanted(other)[0]
    one, two = Conformer(vault), Conformer(other)
    one.soon([(stem, variant)])
    assert making.began.wait(20)
    two.soon([(stem, variant)])
    one.close()
    vault.close()
    other.conformed_path(stem.stem)
    making.may.set()
    assert two.sound(stem, variant).shape == (2, variant.frames)
    two.close()
    other.close()


def test_whoever_waits_at_the_close_is_told(vault: Vault, making: Making) -> None:
    conformer = Conformer(vault)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(conformer.prepare, wanted(vault)[:1])
        assert making.began.wait(20)
        conformer.close()
        with pytest.raises(EngineError, match="the session is closed"):
            waits.result()
    with pytest.raises(EngineError, match="the session is closed"):
        conformer.prepare(wanted(vault)[:1])


def test_errors_of_what_nobody_waits_for_are_told_once(vault: Vault) -> None:
    (stem, variant), good, *_ = wanted(vault)
    (path := vault.conformed_path(stem.stem)).unlink()
    np.save(path, np.full((2, stem.frames), np.nan, np.float32))
    with Conformer(vault) as conformer:
        for _ in range(2):
            conformer.soon([(stem, variant), good])
            with pytest.raises(ConformFailed):
                conformer.sound(stem, variant)
        (told,) = conformer.trouble()
        assert f'"{stem.title}" could not be brought' in str(told)
        assert conformer.trouble() == []
        assert conformer.sound(*good).shape == (2, good[1].frames)


def test_above_the_memory_allowed_only_what_is_wanted_next_is_kept(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conform, "MOST_BYTES", 0)
    first, second = wanted(vault)[:2], wanted(vault)[2:]
    with Conformer(vault) as conformer:
        conformer.prepare(first)
        assert all(conformer.ready(variant) for _, variant in first)
        conformer.prepare(second)
        assert conformer.lacking([*first, *second]) == first
        assert conformer._workshop.held() == sum(conformer.sound(*each).nbytes for each in second)


def test_an_interrupt_while_preparing_leaves_the_workshop_sound(vault: Vault, making: Making) -> None:
    made = wanted(vault)

    def interrupt() -> None:
        assert making.began.wait(20)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with Conformer(vault) as conformer, ThreadPoolExecutor(1) as pool:
        pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            conformer.prepare(made)
        making.may.set()
        conformer.prepare(made)
    assert sorted(making.stems) == sorted(stem.stem for stem, _ in made)


def test_an_interrupt_at_any_line_leaves_the_workshop_sound(vault: Vault) -> None:
    """At every line that the caller's thread runs, from the opening of a session to its close."""
    stem, variant = wanted(vault)[0]
    files = {conform.__file__, workshop.__file__}

    def session() -> None:
        with Conformer(vault) as conformer:
            conformer.soon([(stem, variant)])
            conformer.sound(stem, variant)

    def interrupted(at: int) -> bool:
        lines = count()

        def trace(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_code.co_filename not in files:
                return None
            # Where a lock is taken and released a tracer can break in, but a signal cannot.
            with_lock = getline(frame.f_code.co_filename, frame.f_lineno).strip() == "with _turn:"
            if event == "line" and not with_lock and next(lines) == at:
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            session()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    with Conformer(vault) as keeper:
        keeper.prepare([(stem, variant)])
        at = 0
        while interrupted(at):
            at += 1
            with Conformer(vault) as another:
                assert np.shares_memory(another.sound(stem, variant), keeper.sound(stem, variant))
        assert at > 50
        gc.collect()
        assert set(keeper._workshop._clients) == {keeper}
        worker = keeper._workshop._crew._idle[0]._process
    assert worker.returncode is not None


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_child_of_a_fork_cannot_use_a_conformer_and_can_open_its_own(home: Path, vault: Vault) -> None:
    made = wanted(vault)
    with Conformer(vault) as conformer:
        conformer.prepare(made[:1])
        child = os.fork()
        if child == 0:
            code = 1
            try:
                conformer.prepare(made)
            except EngineError as error:
                code = 2 if "belongs to the process that opened it" in str(error) else 3
            conformer.close()
            if code == 2:
                with Vault.open(home) as own, Conformer(own) as mine:
                    mine.prepare(made[:2])
                    code = 0
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        conformer.prepare(made)


def test_a_conformer_that_was_dropped_ends_the_workers(vault: Vault) -> None:
    conformer = Conformer(vault)
    conformer.prepare(wanted(vault))
    shop = conformer._workshop
    worker = shop._crew._idle[0]._process
    del conformer
    gc.collect()
    shop._thread.join(20)
    assert worker.returncode is not None
