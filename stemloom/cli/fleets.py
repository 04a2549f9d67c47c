"""`stemloom royalty settle --fleet`: a period's income divided over the logs of many players."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, table

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ..ledger.royalties.engines import Engine


def settle_fleet(
    console: Console, manifest: Path, period: str, amount: str, currency: str, engine: Engine | None
) -> None:
    """Print each log's part of the income. Nothing is written."""
    import msgspec

    from ..ledger.division.money import decimal_text, money_text, parse_amount
    from ..ledger.division.periods import Period
    from ..ledger.royalties.display_text import duration_text
    from ..ledger.royalties.fleet import divide_over_fleet

    if engine == "python":
        raise click.UsageError("a fleet is added up from Parquet: --engine is duckdb or spark")
    of, micro, code = Period.parse(period), parse_amount(amount), currency.upper()
    with console.progress() as progress:
        tasks: dict[str, TaskID] = {}

        def tell(log: str, done: int, total: int) -> None:
            if log not in tasks:
                tasks[log] = progress.add_task(f"hashing {log}", total=total)
            progress.update(tasks[log], completed=done)

        parts = divide_over_fleet(manifest, of, micro, code, engine or "duckdb", tell)
    whole = sum(each.ms for each in parts)
    rows = [(each.origin, each.size, duration_text(each.ms), decimal_text(each.amount, 6)) for each in parts]
    console.emit(
        {
            "period": of.text,
            "currency": code,
            "amount": micro,
            "total_ms": whole,
            "logs": [msgspec.to_builtins(each) for each in parts],
        },
        f"{money_text(micro, code)} for {of.text}, divided by {duration_text(whole)} heard in {len(parts)} "
        f"logs; nothing is written\n\n{table(('log', 'entries', 'heard', code), rows, right=(1, 2, 3))}\n\n"
        "record each part in its own log: 'stemloom royalty income AMOUNT'",
    )
