"""Reading from a socket where each read has the time that is left for the whole."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable


def timed_reader(sock: socket.socket, left: Callable[[], float], size: int) -> io.BufferedReader:
    """A reader that asks `left`, in seconds, before each read; it raises what that raises, or TimeoutError.

    A peer that sends a byte now and then never lets a timeout of the socket itself run out.
    """
    return io.BufferedReader(_Timed(sock, left), size)


class _Timed(io.RawIOBase):
    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        # The file keeps the socket open when a connection lets go of it before all is read.
        self._sock, self._left, self._file = sock, left, sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int | None:
        self._sock.settimeout(self._left())
        return self._file.readinto(buffer)  # type: ignore[arg-type]

    def close(self) -> None:
        self._file.close()
        super().close()
