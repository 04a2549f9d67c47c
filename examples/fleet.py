"""Divide a period's income over the logs of many players, by the milliseconds that each has heard.

    python examples/fleet.py 2026-10 100000.00 EUR --log EXPORT CHECKPOINT VKEY --log ...

EXPORT is the folder that `stemloom ledger export --parquet` wrote of a log, CHECKPOINT a file with the signed
checkpoint that it is of, VKEY the log's key as you know it, not as the export says. This writes the manifest
of the fleet, `fleet.json`, and divides with `stemloom royalty settle --fleet`. What is printed for each log
is the income to record there. See docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("period")
    parser.add_argument("amount")
    parser.add_argument("currency")
    parser.add_argument(
        "--log", nargs=3, action="append", required=True, metavar=("EXPORT", "CHECKPOINT", "VKEY")
    )
    parser.add_argument("--engine", choices=["duckdb", "spark"], default="duckdb")
    parser.add_argument("--manifest", type=Path, default=Path("fleet.json"))
    arguments = parser.parse_args()
    logs = [
        {"parquet": str(Path(export).resolve()), "vkey": vkey, "checkpoint": str(Path(checkpoint).resolve())}
        for export, checkpoint, vkey in arguments.log
    ]
    arguments.manifest.write_text(json.dumps({"version": 1, "logs": logs}, indent=1), "utf-8")
    words = [sys.executable, "-m", "stemloom", "royalty", "settle", arguments.period]
    words += ["--fleet", str(arguments.manifest), "--amount", arguments.amount]
    words += ["--currency", arguments.currency, "--engine", arguments.engine]
    sys.exit(subprocess.run(words, check=False).returncode)


if __name__ == "__main__":
    main()
