"""`python -m benchmarks [NAME...]`: run all or the named benchmarks; `--readme` puts them into the README.

`python -m benchmarks render-latency` is `stemloom benchmark`: times of blocks for CI, beside those of before.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from .harness import write, write_readme

NAMES = ("compose", "latency", "ledger", "mixer", "render", "royalties", "script", "start", "vault")


def main() -> None:
    """Run what the command line names."""
    if sys.argv[1:2] == ["render-latency"]:
        from stemloom.cli import run

        sys.argv[1] = "benchmark"
        run()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        figures = []
        for figure in import_module(f".{name}", __package__).figures():
            figures.append(figure)
            ratio = f" ({figure.ratio:.1f} times {figure.against})" if figure.ratio else ""
            print(f"{figure.name}: {figure.note}{ratio}")
        print(f"written to {write(name, figures)}")
    if arguments.readme:
        write_readme()


if __name__ == "__main__":
    main()
