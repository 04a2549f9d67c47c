"""Write a piece to a file from Python, as `stemloom render` does, and say who is in it for how long.

python examples/embed_file.py HOME SCRIPT OUT.wav
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stemloom import Vault, check, render


def main() -> None:
    """Half a minute of the piece."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=Path, help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", type=Path, help="such as examples/harbour_night.loom")
    parser.add_argument("out", type=Path, help="a .wav or .flac file")
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with Vault.open(arguments.home) as vault:
        checked = check(arguments.script.read_text(encoding="utf-8"), vault.snapshot())
        if checked.piece is None:
            raise SystemExit("\n".join(problem.message for problem in checked.problems))
        rendered = render(vault, checked.piece, arguments.out, seconds=arguments.seconds)
        names = {holder.holder: holder.name for holder in vault.holders()}
    print(f"{rendered.audio}: {rendered.seconds:.1f} s, {rendered.lufs:.1f} LUFS, session {rendered.session}")
    for heard in rendered.stems[:5]:
        print(f"{heard.ms / 1000:7.1f} s  {heard.title} by {names[heard.holder]}")


if __name__ == "__main__":
    main()
