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

_Saved = tuple[int, int] | None


class Watch:
    """Watches the script `file` of a player, and makes it play what is saved there.

    A script that cannot take over is passed to `refused` as an error, and the old script plays on. Saved once
    more, even unchanged, it is tried again: a consent may have come meanwhile.
    """

    def __init__(self, player: Player, file: Path, refused: Callable[[Exception], object]) -> None:
        self._player, self._file, self._refused = player, file, refused
        self._taken: str | Exception = player.script
        """The text that the player was given last, or the error in it."""
        self._given: _Saved = None
        """Which save the player was given last."""
        self._failed: _Saved = None
        """Which save it was that could not take over; None if what was given last could."""
        self._seen: tuple[str | Exception, _Saved] = player.script, None
        """The text, or the error, at the last look, and which save it is of."""
        self._worker = ThreadPoolExecutor(1, "stemloom watch")
        self._swap: Future[None] | None = None

    def look(self) -> None:
        """Call it repeatedly. A text that is there twice in a row is complete, and is swapped in."""
        if self._swap is not None:
            if not self._swap.done():
                return
            error, self._swap = self._swap.exception(), None
            if isinstance(error, Exception):
                self._failed = self._given
                self._refused(error)
        (text_before, saved_before), self._seen = self._seen, (self._text(), self._saved())
        text, saved = self._seen
        if saved != saved_before or not _same(text_before, text):
            return
        if _same(self._taken, text) and self._failed in (None, saved):
            return
        self._taken, self._given, self._failed = text, saved, None
        if isinstance(text, str):
            self._swap = self._worker.submit(self._player.swap_script, text, str(self._file))
        else:
            self._failed = saved
            self._refused(text)

    def close(self) -> None:
        """Let a running swap finish; start no other."""
        self._worker.shutdown()

    def _saved(self) -> _Saved:
        """What tells one save of the file from the next; None without a file."""
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _text(self) -> str | Exception:
        try:
            return load(self._file)
        except (ScriptNotFound, ScriptRejected) as error:
            return error


def _same(one: str | Exception, other: str | Exception) -> bool:
    return type(one) is type(other) and str(one) == str(other)
