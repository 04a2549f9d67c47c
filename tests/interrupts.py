"""Interrupts at a place that a test can count."""

from __future__ import annotations

import sys
from types import FrameType


class interrupted:
    """A block in which KeyboardInterrupt is raised at the event number `after`, from 0, of one kind.

    `event`: as of `sys.setprofile`. Nothing is raised where the block has fewer of them; `raised` tells.
    """

    def __init__(self, event: str, after: int) -> None:
        self._event, self._left = event, after + 1

    @property
    def raised(self) -> bool:
        return self._left <= 0

    def __enter__(self) -> interrupted:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, what: object) -> None:
        # Python itself drops what is raised in `__del__`.
        named = frame.f_code.co_filename, frame.f_code.co_name
        if event == self._event and named[0] != __file__ and named[1] != "__del__":
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt
