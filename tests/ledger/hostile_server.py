"""A web server that answers each request with what a test gives it, byte by byte if it likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[str], Iterator[bytes]]
"""By the path that is asked for, the bytes that are sent, one piece after the other."""


class HostileServer:
    """Each connection is read up to its blank line, is answered, and is closed."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.over = threading.Event()
        """Set when the test is done: an endless answer ends then."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            read = b""
            while b"\r\n\r\n" not in read:
                more = connection.recv(65536)
                if not more:
                    return
                read += more
            path = read.split(b" ")[1].decode()
            self.asked.append(path)
            for piece in self._answer(path):
                if self.over.is_set():
                    return
                connection.sendall(piece)

    def drip(self, data: bytes, seconds: float = 0.05) -> Iterator[bytes]:
        """`data` a byte at a time, as slowly as is said."""
        for byte in data:
            self.over.wait(seconds)
            yield bytes([byte])

    def close(self) -> None:
        self.over.set()
        self._socket.close()


@contextmanager
def serving(answer: Answer) -> Iterator[HostileServer]:
    server = HostileServer(answer)
    try:
        yield server
    finally:
        server.close()


def within(seconds: float, run: Callable[[], object]) -> BaseException | object:
    """What `run` gives or raises; an AssertionError if it does not end in that time."""
    found: list[BaseException | object] = []

    def keep() -> None:
        try:
            found.append(run())
        except Exception as error:  # noqa: BLE001  the test looks at what it is
            found.append(error)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"it has not ended after {seconds} s"
    return found[0]
