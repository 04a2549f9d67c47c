"""A small table beside a SQL text, in a form for both DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SqlTable:
    """The SQL types of the columns of a table, by name, and its rows."""

    types: Mapping[str, str]
    rows: Sequence[tuple[Any, ...]]
