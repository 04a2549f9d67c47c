"""A small table that goes along with a SQL text, in the form that DuckDB and Spark both take in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Columns:
    """A small table that goes along with a text: the SQL types of its columns by name, and its rows."""

    types: Mapping[str, str]
    rows: Sequence[tuple[Any, ...]]
