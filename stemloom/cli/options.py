"""Options that commands share: times, dials, the use and tier of a session, engines of settlement."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..ground.uses import COMMAND_TIER, TIERS, USES


class _Seconds(click.ParamType):  # type: ignore[type-arg]
    """A length of time: `90`, `12.5` or `1:30.500`."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        minutes, _, seconds = str(value).rpartition(":")
        try:
            length = 60 * int(minutes or 0) + float(seconds)
        except ValueError:
            length = math.nan
        if not math.isfinite(length):
            self.fail(f"{value!r} is not a length of time, such as 90, 12.5 or 1:30", param, ctx)
        return length


class FiniteRange(click.FloatRange):
    """A number in a range, which NaN and the infinities are not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


SECONDS = _Seconds()
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
"""A file that is there."""

LOG = click.option(
    "--log",
    "copy",
    metavar="LOG",
    help="A published copy of the log: a folder, or a web address (http://...).",
)
VKEY = click.option("--vkey", metavar="K", help="The verifier key to trust, instead of the one kept here.")

_SEED = click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Instead of the script's seed.")
_USE = click.option("--use", type=click.Choice(USES), help="Default: the script's first.")
_TIER = click.option("--tier", type=click.Choice(TIERS), default=COMMAND_TIER, show_default=True)
_USER = click.option("--user", default="", help="A pseudonym; only a salted commitment to it is logged.")
_DIALS = click.option(
    "--dial", "dials", multiple=True, metavar="NAME=VALUE", help="The position of a dial. May repeat."
)


def composing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --seed, --use and --dial, with which a piece is composed."""
    return _SEED(_USE(_DIALS(command)))


def session(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `composing`, and --tier and --user, for a session that is heard."""
    return _SEED(_USE(_TIER(_USER(_DIALS(command)))))


def dial_value(text: str, option: str = "--dial") -> tuple[str, float]:
    """`energy=0.8` as a name and a number."""
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not equals or not name or math.isnan(number):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as energy=0.8", param_hint=option)
    return name, number


class AmountCommand(click.Command):
    """A command with an amount: a negative one is refused as such, and not as an unknown option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        what = "income" if self.name == "income" else "a payout"
        valued = {
            name
            for each in self.get_params(ctx)
            if isinstance(each, click.Option) and not each.is_flag
            for name in each.opts
        }
        for before, word in zip(["", *args], args, strict=False):
            if before not in valued and re.match(r"-[0-9.]", word):
                raise click.UsageError(f"{what} must be more than 0, and {word!r} is less", ctx)
        return super().parse_args(ctx, args)


currency = click.option("--currency", metavar="CODE", help="ISO 4217, such as EUR.")

engine = click.option(
    "--engine",
    type=click.Choice(["python", "duckdb", "spark"]),
    help="The engine that adds up milliseconds; by default python, or duckdb for a large ledger.",
)
