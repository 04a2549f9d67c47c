"""The demo's stems, family by family."""

from __future__ import annotations

from . import families, harbour
from .recipe import Recipe

RECIPES: tuple[Recipe, ...] = (*harbour.RECIPES, *families.STAIRS, *families.TRAIN, *families.WEATHERED)
