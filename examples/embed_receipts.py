"""A host that keeps its listeners' receipts: proof, for them, of what was heard, whatever the log says later.

    python examples/embed_receipts.py HOME SCRIPT --seconds 30 --keep receipts

Here they go into a folder. A service sends each to its listener, who keeps the last one that came and checks
it against the published log: `stemloom ledger check-receipt FILE --vkey K --log https://...`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stemloom import Player, SessionReceipt


def main() -> None:
    """Read so many seconds, and keep what the session signs meanwhile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", help="folder of a vault, such as stemloom-demo/home")
    parser.add_argument("script", help="such as examples/harbour_night.loom")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keep", type=Path, default=Path("receipts"), help="folder of the receipts")
    arguments = parser.parse_args()
    keep: Path = arguments.keep
    keep.mkdir(exist_ok=True)

    def kept(receipt: SessionReceipt) -> None:
        # Whole or not at all: the one of ten seconds before stays until this one is there.
        part = keep / f".{receipt.session}.part"
        part.write_bytes(receipt.encoded())
        part.replace(keep / f"{receipt.session}.receipt")
        print(f"{receipt.seconds:.1f} s of {receipt.session}{', the whole' if receipt.closed else ''}")

    with Player(arguments.home, arguments.script) as player:
        player.on("receipt", kept)
        while player.seconds < arguments.seconds and player.read(4_800).shape[0]:
            pass  # here a host sends the block


if __name__ == "__main__":
    main()
