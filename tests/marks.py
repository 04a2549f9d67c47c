"""Marks of one value of a table."""

from __future__ import annotations

import pytest


def long(*values: object) -> object:
    """The values of a case that is tried by hand alone."""
    return pytest.param(*values, marks=pytest.mark.long)


def slow(*values: object) -> object:
    """A row of `parametrize` that is left out of the default run."""
    return pytest.param(*values, marks=pytest.mark.slow)
