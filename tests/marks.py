"""Marks of one value of a table."""

from __future__ import annotations

import pytest


def slow(*values: object) -> object:
    """A row of `parametrize` that is left out of the default run."""
    return pytest.param(*values, marks=pytest.mark.slow)
