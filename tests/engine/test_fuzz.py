"""Every public method of Player, called with whatever its types let through and with what they do not.

Only documented errors come out, raised by us in a sentence, and the music goes on.
"""

from __future__ import annotations

import asyncio
import inspect
import linecache
import math
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom import LedgerError, Player, ScriptNotFound, ScriptRejected, VaultError
from stemloom.engine.errors import EngineError
from stemloom.engine.play.stepped import SteppedDevice
from stemloom.ledger.verify.verify import verify

from .small_home import TEXT, small_home

RATE = 48_000
ROOT = Path(__file__).resolve().parents[2]
ROOMS = EngineError, VaultError, LedgerError
"""The bases of the rooms' errors."""
LEFT_OUT = {
    "close": "it takes nothing",
    "aclose": "it takes nothing",
    "from_text": "its options are tried below",
    "aopen": "its options are tried below",
}
"""Public methods that are not called here, and why."""

NUMBERS = [
    0, -0.0, 1, -1, 2, 0.5, 1.5, -1e-9, 1e-320, 1e9, 2**31, 2**62, -(2**63), 2**64, 10**400, -(10**5000),
    math.nan, math.inf, -math.inf, True, np.float32(0.5), np.float64(math.nan), np.int64(-7), np.uint8(255),
    Fraction(1, 3), 1 + 2j,
]  # fmt: skip
WORDS = [
    "", " ", "energy", "beats", "drums", "again", "bar", "silent", "low", "high", "nope", "Beats", "energy\0",
    "\ud800", "\x1b[31m", "{0}", "%s", "x" * 10**5, "Кино", TEXT, "piece", TEXT.replace("120", "240"),
]  # fmt: skip
OTHERS = [
    None,
    [],
    {},
    (),
    set(),
    b"x",
    np.array([0.5]),
    np.zeros((9, 2), np.float32),
    object(),
    float,
    print,
]
values = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.sampled_from(OTHERS),
    st.floats(),
    st.integers(),
    st.text(max_size=30),
)


def callable_methods() -> dict[str, inspect.Signature]:
    """The public methods by name, with their signatures, but for those that are left out."""
    found = inspect.getmembers(Player, lambda each: inspect.isfunction(each) or inspect.ismethod(each))
    names = {name: each for name, each in found if not name.startswith("_")}
    return {name: inspect.signature(each) for name, each in names.items() if name not in LEFT_OUT}


METHODS = callable_methods()
SETTABLE = sorted(
    name
    for name, each in inspect.getmembers(Player)
    if isinstance(each, property) and each.fset is not None and not name.startswith("_")
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[object], dict[str, object]]:
    """A method with arguments that Python itself lets through to it."""
    name = draw(st.sampled_from(sorted(METHODS)))
    positional: list[object] = []
    named: dict[str, object] = {}
    for parameter in list(METHODS[name].parameters.values())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += draw(st.lists(values, max_size=2))
        elif parameter.default is parameter.empty or draw(st.booleans()):
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = draw(values)
            else:
                positional.append(draw(values))
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            break
    return name, positional, named


def lasts(name: str, arguments: Sequence[object]) -> bool:
    """Whether a call may rightly last, or give more than a test can hold."""
    most = {"read": RATE, "aread": RATE, "prepare": 1}.get(name)
    first = arguments[0] if arguments else None
    return most is not None and isinstance(first, int | float | np.number) and most < first <= 3600 * RATE


def not_ours(error: BaseException) -> str | None:
    """The line that raised, where it is no `raise` of ours: then nobody has thought of that error."""
    trace, last = error.__traceback__, None
    while trace is not None:
        last, trace = trace, trace.tb_next
    assert last is not None
    path = last.tb_frame.f_code.co_filename
    line = linecache.getline(path, last.tb_lineno).strip()
    ours = Path(path).is_relative_to(ROOT) and line.startswith("raise")
    return None if ours else f"{path}:{last.tb_lineno}: {line}"


def complaint(error: Exception) -> str | None:
    """What is wrong with an error: it is not documented, or no sentence that every console prints."""
    text, kind = str(error), type(error).__name__
    if not isinstance(error, (*ROOMS, ScriptRejected, ScriptNotFound)):
        if type(error) not in (TypeError, ValueError):
            return f"raised {kind}: {text:.200}"
        if (line := not_ours(error)) is not None:
            return f"failed at {line} with {kind}: {text:.200}"
    if isinstance(error, ScriptRejected):
        return None
    if not text or len(text) > 600 or not text.isprintable():
        return f"says {text[:80]!a}, {len(text)} letters"
    return None


class Host:
    """A player that is opened anew when a call has ended it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._player: Player | None = None
        self._calls = 0

    @property
    def player(self) -> Player:
        self._calls += 1
        if self._calls % 400 == 0 or (self._player is not None and self._player.ended):
            self.close()
        if self._player is None:
            self._player = Player.from_text(self._home, TEXT, use="stream")
        return self._player

    def close(self) -> None:
        if self._player is not None:
            self._player.close()
            self._player = None

    def make(self, name: str, call: Callable[[Player], object]) -> str | None:
        """Make a call; gives what is wrong where it was refused otherwise than documented, or music stops."""
        player, wrong = self.player, None
        try:
            found = call(player)
            if inspect.isawaitable(found):
                asyncio.run(_awaited(found))
        except Exception as error:  # noqa: BLE001 - what kind it is is the question
            wrong = complaint(error)
        if name in ("stop", "open_device"):
            self.close()
        elif name == "pause":
            player.start()
        elif player.read(64).shape != (64, 2):
            wrong = "and the music stops"
        return wrong


async def _awaited(found: Awaitable[object]) -> object:
    return await found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_home(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def host(home: Path) -> Iterator[Host]:
    host = Host(home)
    yield host
    host.close()
    assert verify(home).ok


def shown(value: object) -> str:
    """A value in a report of this test."""
    big = isinstance(value, int) and abs(value) > 2**70
    return "a long number" if big else f"{value!a:.40}"


def call(host: Host, name: str, positional: Sequence[object], named: Mapping[str, object]) -> str | None:
    """Make one call; gives what is wrong with what came of it."""
    if lasts(name, positional):
        return None
    if name == "open_device" and not (positional and isinstance(positional[0], str)):
        # A machine's own device is not played on here.
        positional = [SteppedDevice(), *positional[1:]]
    wrong = host.make(name, lambda player: getattr(player, name)(*positional, **named))
    words = [*map(shown, positional), *(f"{key}={shown(value)}" for key, value in named.items())]
    return wrong and f"{name}({', '.join(words)}) {wrong}"


Made = tuple[str, list[object], dict[str, object]]


def fuzz(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with so many calls."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return lambda test: settings(max_examples=count, suppress_health_check=quiet)(given(made=calls())(test))


@fuzz(400)
def test_only_documented_errors_come_out(host: Host, made: Made) -> None:
    assert call(host, *made) is None


@pytest.mark.long
@fuzz(int(os.environ.get("STEMLOOM_CALLS", "50000")))
def test_only_documented_errors_come_out_of_many_calls(host: Host, made: Made) -> None:
    assert call(host, *made) is None


FITS: dict[str, object] = {
    "dial": "energy", "value": 0.5, "name": "again", "role": "beats", "gain": 0.5, "frames": 64, "on": True,
    "text": TEXT, "event": "bar", "call": print, "seconds": 0.0, "device": "nope", "part": "drums",
}  # fmt: skip
"""Of each argument, something that will do."""


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_or_refuses_each_value(host: Host, name: str) -> None:
    """As each argument in turn, beside others that will do."""
    parameters = list(METHODS[name].parameters.values())[1:]
    needed = [
        each for each in parameters if each.default is each.empty and each.kind is not each.VAR_POSITIONAL
    ]
    found = []
    for place, parameter in enumerate(parameters):
        for value in (*NUMBERS, *WORDS, *OTHERS):
            named: dict[str, object] = {}
            if parameter.kind is parameter.KEYWORD_ONLY:
                positional = [FITS[each.name] for each in needed]
                named[parameter.name] = value
            else:
                positional = [FITS.get(each.name) for each in parameters[:place]]
                positional += [
                    value,
                    *(FITS[each.name] for each in needed if each in parameters[place + 1 :]),
                ]
            found.append(call(host, name, positional, named))
    assert [each for each in found if each is not None] == []


def test_every_property_takes_or_refuses_each_value(host: Host) -> None:
    found = []
    for name in SETTABLE:
        for value in (*NUMBERS, *WORDS, *OTHERS):
            wrong = host.make(name, lambda player, name=name, value=value: setattr(player, name, value))  # type: ignore[misc]
            found.append(wrong and f"{name} = {shown(value)} {wrong}")
    assert [each for each in found if each is not None] == []


NO_TIME = [math.nan, -1, -math.inf, 10**400, "5", [], True, 1 + 2j, object()]


@pytest.mark.parametrize("value", NO_TIME, ids=range(len(NO_TIME)))
def test_a_wait_beside_a_device_lasts_a_time(home: Path, value: float) -> None:
    with Player.from_text(home, TEXT, use="stream") as player:
        player.open_device(SteppedDevice())
        with pytest.raises((TypeError, ValueError, EngineError)) as raised:
            player.wait(value)
        assert complaint(raised.value) is None
        assert not player.wait(0)


def test_the_rate_cannot_be_set(host: Host) -> None:
    with pytest.raises(AttributeError):
        host.player.rate = 44_100  # type: ignore[misc]
    assert host.player.rate == RATE


@pytest.mark.parametrize("which", ["home", "path"])
def test_every_place_is_refused_in_a_sentence(home: Path, tmp_path: Path, which: str) -> None:
    script = tmp_path / "fuzzed.loom"
    script.write_text(TEXT)
    found = []
    for value in (*NUMBERS, *WORDS, *OTHERS, b"fuzzed.loom", "~nobody-of-that-name/x", "/dev/null", tmp_path):
        with pytest.raises((*ROOMS, ScriptNotFound, TypeError)) as raised:
            Player(value if which == "home" else home, value if which == "path" else script)  # type: ignore[arg-type]
        wrong = complaint(raised.value)
        found.append(wrong and f"{which}={shown(value)} {wrong}")
    assert [each for each in found if each is not None] == []


@pytest.mark.parametrize("option", ["use", "tier", "user", "seed", "dials"])
def test_every_option_takes_or_refuses_each_value(home: Path, option: str) -> None:
    """What is taken plays."""
    found, taken = [], 0
    for value in (*NUMBERS, *WORDS, *OTHERS, {"energy": math.nan}, {"energy": "x"}, {1: 0.5}, {"nope": 1}):
        if taken == 3 and isinstance(value, str | int) and option in ("user", "seed"):
            continue
        try:
            with Player.from_text(home, TEXT, **{option: value}) as player:  # type: ignore[arg-type]
                assert player.read(64).shape == (64, 2)
            taken += 1
        except Exception as error:  # noqa: BLE001 - what kind it is is the question
            wrong = complaint(error)
            found.append(wrong and f"{option}={shown(value)} {wrong}")
    assert [each for each in found if each is not None] == []


def test_nothing_public_is_left_out_unsaid() -> None:
    public = {name for name in dir(Player) if not name.startswith("_") and callable(getattr(Player, name))}
    assert set(METHODS) == public - set(LEFT_OUT)
