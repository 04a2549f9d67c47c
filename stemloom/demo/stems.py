"""The stems of the demo, those of one script after the other."""

from __future__ import annotations

from . import back_stairs, harbour_night, last_train, slow_weather
from .recipe import Recipe

RECIPES: tuple[Recipe, ...] = (
    *harbour_night.RECIPES,
    *back_stairs.RECIPES,
    *last_train.RECIPES,
    *slow_weather.RECIPES,
)
