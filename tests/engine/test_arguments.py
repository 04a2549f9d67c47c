"""What a host hands in is a value of its type, or a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from stemloom.engine import arguments
from stemloom.engine.errors import EngineError, UnknownRole, UseRefused
from stemloom.engine.play import faders
from stemloom.engine.play.options import Options, known
from stemloom.engine.play.take import Gesture

NAN = float("nan")


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_numbers_of_all_kinds_are_numbers(value: float) -> None:
    found = arguments.number(value, "it")
    assert found == 0.5
    assert type(found) is float


def test_a_number_that_is_too_great_is_an_infinity() -> None:
    assert arguments.number(10**400, "it") == math.inf
    assert arguments.number(-(10**5000), "it") == -math.inf
    assert type(arguments.number(np.int64(3), "it")) is float
    assert type(arguments.whole(np.uint8(3), "it")) is int
    assert type(arguments.switch(np.True_, "it")) is bool


NO_NUMBER = [True, np.True_, None, "0.5", b"x", 1 + 2j, [], {}, np.array([0.5]), Decimal("0.5"), float]


@pytest.mark.parametrize("value", NO_NUMBER, ids=repr)
def test_what_is_no_number_is_said(value: object) -> None:
    for read in (arguments.number, arguments.whole):
        with pytest.raises(TypeError, match=r"it is a (whole )?number; .* is none"):
            read(value, "it")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "value", ["x" * 10**6, "\ud800\0\n", Mute(), 10**5000, np.zeros(10**6), "Кино"], ids=type
)
def test_any_value_can_be_shown(value: object) -> None:
    for show in (arguments.shown, arguments.quoted):
        text = show(value)
        assert len(text) < 70
        assert text.encode()
        assert text.isprintable()


def test_a_name_is_shown_in_its_own_letters() -> None:
    assert arguments.quoted("Кино") == '"Кино"'


ROLES = "the roles are beats, bass, harmony, pads, tops, melody, voice, fx"
REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "role unknown": (lambda: faders.fade("Beats", 1, 0), UnknownRole, f'there is no role "Beats"; {ROLES}'),
    "role empty": (lambda: faders.muted("", True), UnknownRole, "there is no role"),
    "role none": (lambda: faders.alone(None, True), TypeError, "the name of a role is a text; None is none"),
    "role unhashable": (lambda: faders.fade([], 1, 0), TypeError, "the name of a role is a text"),
    "gain nan": (lambda: faders.fade("beats", NAN, 0), UnknownRole, "from 0 to 1; nan is outside"),
    "gain huge": (lambda: faders.fade("beats", 10**400, 0), UnknownRole, "from 0 to 1; inf is outside"),
    "gain switch": (lambda: faders.fade("beats", True, 0), TypeError, "a fader's gain is a number"),
    "time nan": (lambda: faders.fade("beats", 1, NAN), UnknownRole, "3600 seconds; nan is outside"),
    "time text": (lambda: faders.fade("beats", 1, "2"), TypeError, "a fader's time is a number"),
    "mute by a number": (lambda: faders.muted("beats", 2), TypeError, "is True or False; 2 is neither"),
    "mute by nan": (lambda: faders.muted("beats", NAN), TypeError, "is True or False; nan is neither"),
    "solo by a text": (lambda: faders.alone("beats", "x"), TypeError, "is True or False; 'x' is neither"),
    "solo by a list": (lambda: faders.alone("beats", []), TypeError, r"is True or False; \[\] is neither"),
    "mute of a take": (
        lambda: faders.Faders().moved(Gesture(0, "mute", "beats", 0.5)),
        UnknownRole,
        "0.5 is neither",
    ),
    "use": (
        lambda: known({"use": "radio"}),
        UseRefused,
        '"radio" is not a use of sound; the uses are',
    ),
    "use list": (lambda: known({"use": []}), TypeError, "the name of a use is a text"),
    "tier": (lambda: known({"tier": "gold"}), EngineError, '"gold" is not a tier; the tiers are free'),
    "tier none": (lambda: known({"tier": None}), TypeError, "the name of a tier is a text; None is none"),
    "user": (lambda: known({"user": 5}), TypeError, "the name of a user is a text"),
    "user surrogate": (lambda: known({"user": "\ud800"}), EngineError, r'"\\ud800" is none'),
    "user long": (lambda: known({"user": "x" * 10**6}), EngineError, "at most 1000 characters"),
    "seed huge": (lambda: known({"seed": 10**5000}), EngineError, "a seed is a whole number from 0"),
    "seed text": (lambda: known({"seed": "7"}), TypeError, "a seed is a whole number; '7' is none"),
    "dials list": (lambda: known({"dials": [1]}), TypeError, "a mapping of names to numbers"),
    "dials text": (lambda: known({"dials": {"a": "x"}}), TypeError, "the value of a dial is a number"),
    "an option": (lambda: known({"volume": 1}), TypeError, "a session takes no volume here"),
}


@pytest.mark.parametrize(("act", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_will_not_do_is_refused(act: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        act()
    assert type(raised.value) is error
    assert len(str(raised.value)) < 250


def test_options_come_out_in_plain_types() -> None:
    given = Options(use=None, tier="free", user="", seed=np.int64(3), dials={"a": np.float32(0.5)})  # type: ignore[typeddict-item]
    assert known(given) == {"tier": "free", "user": "", "seed": 3, "dials": {"a": 0.5}}
