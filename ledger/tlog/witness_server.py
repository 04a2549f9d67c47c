"""A witness on a port: answers `add-checkpoint` over HTTP, with bounds for strangers.

It is meant to stand behind a web server that speaks TLS; the protocol itself needs no secrets.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import LedgerError
from .add_checkpoint import LARGEST_REQUEST, Answer, answered
from .note import Verifier
from .timed_reading import timed_reader
from .witness import Witness

PATH = "/add-checkpoint"
_BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is granted to those who ask."""

    connections: int = 64
    """At a time; more are told to come again."""
    seconds: float = 60.0
    """For one connection, however many requests it makes."""
    silence: float = 10.0


class WitnessServer(ThreadingHTTPServer):
    """Serves until it is shut down; each connection has a thread.

    What was answered with a cosignature is durable, so the process may be ended at any time.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        witness: Witness,
        logs: Mapping[str, Verifier],
        *,
        bounds: Bounds | None = None,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`logs`: those it knows, by their names. `told`: is given a line for each answer. Raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.witness, self.logs, self.told = witness, logs, told
        self.bounds = bounds or Bounds()
        self._free = threading.BoundedSemaphore(self.bounds.connections)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            with request:
                request.settimeout(1.0)
                request.sendall(_BUSY)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who asks has gone away, or takes too long."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stemloom-witness", ""
    server: WitnessServer

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.bounds.silence)
        end = time.monotonic() + self.server.bounds.seconds

        def left() -> float:
            seconds = min(end - time.monotonic(), self.server.bounds.silence)
            if seconds <= 0:
                raise TimeoutError("the connection has had its time")
            return seconds

        self.rfile.close()
        self.rfile = timed_reader(self.connection, left, 1 << 16)

    def do_POST(self) -> None:
        self._answer(self._answered())

    def do_GET(self) -> None:
        self._answer(Answer(404, f"this is a witness: it takes POST {PATH}\n"))

    def _answered(self) -> Answer:
        said = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not (said.isascii() and said.isdigit()):
            self.close_connection = True
            return Answer(411, "a request says its length\n")
        if len(said) > 18 or int(said) > LARGEST_REQUEST:
            self.close_connection = True
            return Answer(413, f"a request has at most {LARGEST_REQUEST} bytes\n")
        body = self.rfile.read(int(said))
        if len(body) < int(said):
            self.close_connection = True
            return Answer(400, "the request is cut short\n")
        if self.path != PATH:
            return Answer(404, f"this is a witness: it takes POST {PATH}\n")
        try:
            return answered(body, self.server.witness, self.server.logs)
        except (OSError, LedgerError) as error:
            # The reason is for whoever runs the witness, and for nobody else.
            self.server.told(f"{self.client_address[0]}: not answered: {error}")
            return Answer(500, "this witness cannot cosign at present\n")

    def _answer(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.server.told(f"{self.client_address[0]}: {answer.status} {answer.body.strip()}")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `told` has a line for each answer."""
