"""A small true ledger: holders, stems, consents and sessions, made with real keys on a real disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stemloom.cli import run
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries import signing
from stemloom.ledger.entries.entries import Consent, Entry, Holder, Placement, Session, Stem
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.disk import RealDisk
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.witness import Witness

from . import making
from .making import TIME


class Story:
    """One holder `key` with one stem, and what can be said of them, in the order of the log."""

    def __init__(self, origin: str, seed: int = 1) -> None:
        self.origin = origin
        self.key = PrivateKey.from_seed(bytes([seed]) * 32)
        self.holder = signing.holder_id(self.key.public)
        self._title = f"sound {seed}"
        self.stem = making.stem(self._title, self.holder).stem
        self.session = making.SESSION

    def joins(self) -> Holder:
        return making.holder(self.key, self.origin)

    def enters(self) -> Stem:
        sound: dict[str, Any] = {"title": 'Käse & "quotes"', "role": "beats", "mood": ("warm",)}
        return making.stem(self._title, self.holder, **sound)

    def states(
        self,
        action: str = "grant",
        previous: int | None = None,
        time: str = TIME,
        until: str | None = None,
        uses: tuple[str, ...] = ("stream",),
        origin: str | None = None,
    ) -> Consent:
        said = {"action": action, "previous": previous, "time": time, "until": until}
        return making.consent(self.key, origin or self.origin, self.stem, uses, **said)

    def session_entry(self, state: str, placements: int | None = None, ms: int | None = None) -> Session:
        return making.session(state, placements, ms, session=self.session)

    def sounds(self, seq: int, consent: int = 2, frames: int = 48_000, start: str = TIME) -> Placement:
        planned = {"session": self.session, "start_frame": seq * 48_000, "start": start}
        return making.placement(seq, self.stem, consent, frames, **planned)

    def means(self, id: int, frames: int = 48_000, consent: int = 2) -> dict[int, Placement]:
        """An intention: by its number, the entry that a placement will become."""
        placed = self.sounds(id, consent, frames)
        return {id: replace(placed, seq=0)}

    def whole(self, size: int) -> list[Entry]:
        """A true log of `size` entries: holder, stem, grant, session, placements and its closing."""
        entries: list[Entry] = [self.joins(), self.enters(), self.states(), self.session_entry("opened")]
        count = max(size - 5, 0)
        entries += [self.sounds(seq) for seq in range(count)]
        entries.append(self.session_entry("closed", count, 1000 * count))
        return entries[:size]


class Crash(BaseException):
    """The process dies here; what was done before is in the page cache, and so on the disk."""


class FaultyDisk(RealDisk):
    """A disk on which step number `after` of those that change something raises `error`.

    A write that fails leaves half of its bytes. `steps` counts, so that a test can try each one.
    """

    def __init__(self, after: int | None = None, error: BaseException | None = None) -> None:
        self.after = after
        self.error = error
        self.steps: list[str] = []

    def _step(self, name: str, path: Path) -> None:
        self.steps.append(f"{name} {path.name}")
        if self.after is not None and len(self.steps) > self.after:
            assert self.error is not None
            raise self.error

    def write(self, path: Path, data: bytes) -> None:
        try:
            self._step("write", path)
        except BaseException:
            super().write(path, data[: len(data) // 2])
            raise
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self._step("sync", path)
        super().sync(path)

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace", target)
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step("remove", path)
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        self._step("remove folder", path)
        super().remove_folder(path)

    def make_folder(self, path: Path, mode: int) -> bool:
        self._step("make folder", path)
        return super().make_folder(path, mode)


@pytest.fixture
def faulty() -> type[FaultyDisk]:
    return FaultyDisk


@pytest.fixture
def crash() -> type[Crash]:
    return Crash


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def log(home: Path) -> Log:
    return Log.open(home, create=True, clock=FixedClock(TIME))


@pytest.fixture
def story(log: Log) -> Story:
    return Story(log.origin)


@pytest.fixture(scope="session")
def tell() -> Callable[[str], Story]:
    return Story


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.open(tmp_path / "w", name="w.example.com", clock=FixedClock(TIME))


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`stemloom ledger` with these words: its exit code, output and errors."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["stemloom", "--home", str(home), "ledger", *words])
        with pytest.raises(SystemExit) as exit:
            run()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(exit.value.code or 0), out, err

    return call
