"""`play --watch`: reads the script's file while it plays, and swaps in what is saved there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..script.problems import ScriptRejected
from ..script.text.load import ScriptNotFound, load

if TYPE_CHECKING:
    from ..engine.play.player import Player


class Watch:
    """Watches the script `file` of a player, and makes it play what is saved there.

    A script that cannot take over is passed to `refused` as an error, and the old script plays on.
    """

    def __init__(self, player: Player, file: Path, refused: Callable[[Exception], object]) -> None:
        self._player, self._file, self._refused = player, file, refused
        self._taken: str | Exception = player.script
        """The text that the player was given last, or the error in it."""
        self._seen: str | Exception = player.script
        """The text, or the error, at the last look."""
        self._worker = ThreadPoolExecutor(1, "stemloom watch")
        self._swap: Future[None] | None = None

    def look(self) -> None:
        """Call it repeatedly. A text that is there twice in a row is complete, and is swapped in."""
        if self._swap is not None:
            if not self._swap.done():
                return
            error, self._swap = self._swap.exception(), None
            if isinstance(error, Exception):
                self._refused(error)
        before, self._seen = self._seen, self._text()
        if not _same(before, self._seen) or _same(self._taken, self._seen):
            return
        self._taken = self._seen
        if isinstance(self._seen, str):
            self._swap = self._worker.submit(self._player.swap_script, self._seen, str(self._file))
        else:
            self._refused(self._seen)

    def close(self) -> None:
        """Let a running swap finish; start no other."""
        self._worker.shutdown()

    def _text(self) -> str | Exception:
        try:
            return load(self._file)
        except (ScriptNotFound, ScriptRejected) as error:
            return error


def _same(one: str | Exception, other: str | Exception) -> bool:
    return type(one) is type(other) and str(one) == str(other)
