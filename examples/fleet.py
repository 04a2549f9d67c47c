"""Divide a period's income over the logs of many players, by the milliseconds that each has heard.

    python examples/fleet.py 2026-10 100000.00 EUR exports/player-1 exports/player-2 ...

Each folder is what `stemloom ledger export --parquet FOLDER` wrote of one log that had been verified. What is
printed for each log is the income to record there. See docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from stemloom.ledger.division.divide import largest_remainder
from stemloom.ledger.division.money import decimal_text, parse_amount
from stemloom.ledger.division.periods import Period
from stemloom.ledger.division.windows import PlacementWindow
from stemloom.ledger.royalties.sql_usage import sql_usage
from stemloom.ledger.tlog.checkpoint import open_checkpoint
from stemloom.ledger.tlog.note import parse_vkey


def heard(folder: Path, period: Period, engine: str) -> tuple[str, int]:
    """A log's verifier key and its ms in the period, by an export whose checkpoint its key has signed."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    log = parse_vkey(manifest["vkey"])
    checkpoint = open_checkpoint(manifest["checkpoint"].encode(), log)
    if (checkpoint.size, checkpoint.root.hex()) != (manifest["size"], manifest["root"]):
        raise SystemExit(f"{folder}: the manifest is not of the checkpoint in it")
    files = [folder / each["name"] for each in manifest["files"]]
    with sql_usage(engine, files) as usage:
        (lines,) = usage.time_in_play([[PlacementWindow(period, -1, checkpoint.size - 1)]])
    return log.vkey, sum(each.ms for each in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("period")
    parser.add_argument("amount")
    parser.add_argument("currency")
    parser.add_argument("exports", nargs="+", type=Path)
    parser.add_argument("--engine", choices=["duckdb", "spark"], default="duckdb")
    arguments = parser.parse_args()
    period, amount = Period.parse(arguments.period), parse_amount(arguments.amount)
    found = dict(heard(folder, period, arguments.engine) for folder in arguments.exports)
    if len(found) < len(arguments.exports):
        raise SystemExit("a log is there twice")
    if not any(found.values()):
        raise SystemExit(f"nothing was heard in {period.text}")
    logs = sorted(found)
    for log, part in zip(logs, largest_remainder(amount, [found[log] for log in logs], logs), strict=True):
        print(f"{decimal_text(part).replace(chr(160), '')} {arguments.currency}  {found[log]} ms  {log}")


if __name__ == "__main__":
    main()
