"""One file after the other from a web server that nobody trusts: bounded in size, in time and in its host.

All of one fetch counts against its time: the name's answer, the connection, redirects, tries and the body.
What is sent compressed is refused, so that nothing is larger here than it was under way. A redirect is
followed on the host that was named; another host would be somebody else, whom nobody named.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin, urlsplit

from ..errors import LogUnreachable, VerificationFailed
from .timed_reading import timed_reader


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is granted to a server for one file; seconds, and bytes a second."""

    silence: float = 20.0
    """To begin an answer, and between two pieces of it."""
    total: float = 120.0
    """For everything, each try and redirect included."""
    least_speed: int = 1024
    """On average since the answer began, once `grace` is over."""
    grace: float = 10.0
    patience: float = 120.0
    """For all files together before `least_speed` holds for them as well: slow ones may be many."""
    wait: float = 5.0
    """The most that is waited before another try, whatever the server asks for."""
    tries: int = 4
    redirects: int = 5


BOUNDS = Bounds()
_LATER = (429, 502, 503, 504)
_ELSEWHERE = (301, 302, 303, 307, 308)
_MISSING = (403, 404, 410)
_CHUNK = 1 << 16


class _TryAgain(Exception):
    """The server asks to come again after `seconds`, or has gone away."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class WebFiles:
    """Fetches files of one server, over one connection for as long as that lasts. One thread at a time."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or BOUNDS
        self._connection: http.client.HTTPConnection | None = None
        self._to: tuple[str, str | None, int | None] | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._bytes, self._seconds = 0, 0.0

    def __del__(self) -> None:
        self.close()

    def get(self, address: str, largest: int) -> bytes:
        """The bytes of the file at `address`.

        Raises FileNotFoundError where the server does not have it or keeps it back, VerificationFailed where
        it is larger than `largest` bytes, LogUnreachable for everything else.
        """
        begun, data = time.monotonic(), b""
        try:
            data = self._got(address, _Fetch(address, largest, self._bounds))
            return data
        finally:
            self._seconds += time.monotonic() - begun
            self._bytes += len(data)

    def _got(self, address: str, fetch: _Fetch) -> bytes:
        fetch.refuse_slow(self._bytes, self._seconds, self._bounds.patience, ", file after file")
        place, redirects, tries = address, 0, 0
        try:
            while True:
                try:
                    answer = self._asked(place, fetch)
                    if answer.status in _ELSEWHERE:
                        redirects += 1
                        place = fetch.redirected(place, answer, redirects)
                        self.close()
                        continue
                    data = fetch.body(answer)
                    # Where its length was said, nothing has told the library that it was read to its end.
                    answer.close()
                    return data
                except _TryAgain as error:
                    self.close()
                    tries += 1
                    if tries > self._bounds.tries:
                        raise fetch.unreachable(str(error)) from error
                    fetch.wait(error, tries)
        except BaseException:
            # The rest of an answer may still be under way.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(self, place: str, fetch: _Fetch) -> http.client.HTTPResponse:
        used = self._connection is not None
        try:
            parts = urlsplit(place)
            to = (parts.scheme, parts.hostname, parts.port)
            if self._connection is None or to != self._to:
                self.close()
                used = False
                self._connection, self._to = _connection(parts.scheme, parts.hostname, parts.port), to
            # The class of the answer is given here, so that each of its reads has the time that is left.
            self._connection.response_class = fetch.answer_class()
            self._connection.timeout = fetch.left()
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            self._connection.request("GET", path, headers={"Accept-Encoding": "identity"})
            self._answer = self._connection.getresponse()
            return self._answer
        except (http.client.InvalidURL, ValueError) as error:
            raise fetch.unreachable(f"it is not a web address: {error}") from error
        except (ssl.SSLError, socket.gaierror) as error:
            raise fetch.unreachable(str(error)) from error
        except TimeoutError as error:
            raise fetch.silent() from error
        except OSError as error:
            # A connection that was kept may have been closed meanwhile, which is no fault.
            raise _TryAgain(str(error) or type(error).__name__, 0.0 if used else None) from error
        except http.client.HTTPException as error:
            raise fetch.unreachable(f"this is no answer of a web server ({type(error).__name__})") from error


def _connection(scheme: str, host: str | None, port: int | None) -> http.client.HTTPConnection:
    if not host:
        raise ValueError("it names no host")
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port)


class _Fetch:
    """The fetch of one file: what it may still take."""

    def __init__(self, address: str, largest: int, bounds: Bounds) -> None:
        self._address, self._largest, self._bounds = address, largest, bounds
        self._end = time.monotonic() + bounds.total

    def left(self) -> float:
        """The seconds that the next step may take. Raises LogUnreachable where none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.slow()
        return min(left, self._bounds.silence)

    def unreachable(self, reason: str) -> LogUnreachable:
        return LogUnreachable(f"{self._address} cannot be read: {reason}")

    def slow(self) -> LogUnreachable:
        return self.unreachable(
            f"it is not there after {self._bounds.total:g} s; the server is too slow, or wants to be"
        )

    def silent(self) -> LogUnreachable:
        """The error of a read that took all of the time that `left` gave it."""
        if time.monotonic() >= self._end:
            return self.slow()
        return self.unreachable(f"the server is silent for {self._bounds.silence:g} s")

    def wait(self, asked: _TryAgain, tries: int) -> None:
        """Wait before another try: as long as the server asks for, within the bounds."""
        seconds = 0.1 * 2**tries if asked.seconds is None else asked.seconds
        time.sleep(min(seconds, self._bounds.wait, self.left()))

    def answer_class(self) -> type[http.client.HTTPResponse]:
        def made(sock: socket.socket, *args: object, **words: object) -> http.client.HTTPResponse:
            timed = cast(socket.socket, _TimedSocket(sock, self.left))
            return http.client.HTTPResponse(timed, *args, **words)  # type: ignore[arg-type]

        return cast("type[http.client.HTTPResponse]", made)

    def redirected(self, place: str, answer: http.client.HTTPResponse, redirects: int) -> str:
        """Where an answer sends us on the same host. Raises LogUnreachable for any other place."""
        said = answer.getheader("Location") or ""
        to = urljoin(place, said)
        try:
            same = _host(to) == _host(place)
        except ValueError:
            same = False
        if not same:
            raise self.unreachable(
                f"the server sends us to {to}, which is elsewhere and was not asked; name that place "
                "yourself if you trust it"
            )
        if redirects > self._bounds.redirects:
            raise self.unreachable(f"the server redirects more than {self._bounds.redirects} times")
        return to

    def body(self, answer: http.client.HTTPResponse) -> bytes:
        """The whole body of an answer, if it is one."""
        self._refuse(answer)
        begun, data = time.monotonic(), b""
        try:
            while len(data) <= self._largest:
                more = answer.read1(min(_CHUNK, self._largest + 1 - len(data)))
                if not more:
                    break
                data += more
                self.refuse_slow(len(data), time.monotonic() - begun, self._bounds.grace)
        except TimeoutError as error:
            raise self.silent() from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise _TryAgain(str(error) or type(error).__name__) from error
        if len(data) > self._largest:
            raise self._too_large()
        if answer.length:
            raise self.unreachable(
                f"the answer is cut short: {answer.length} of {answer.length + len(data)} bytes are missing"
            )
        return data

    def _refuse(self, answer: http.client.HTTPResponse) -> None:
        """Raise for an answer whose body is not read."""
        status = answer.status
        if status in _MISSING:
            raise FileNotFoundError(self._address)
        if status in _LATER:
            raise _TryAgain(f"the server answers {status}", _seconds(answer.getheader("Retry-After")))
        if status != 200:
            raise self.unreachable(f"the server answers {status}")
        coded = answer.getheader("Content-Encoding", "identity")
        if coded.lower() != "identity":
            raise self.unreachable(f"the server sends it as {coded!r}, and it was asked for as it is")
        if answer.length is not None and answer.length > self._largest:
            raise self._too_large()

    def refuse_slow(self, size: int, seconds: float, grace: float, how: str = "") -> None:
        """Raise LogUnreachable where `size` bytes are too few for that time."""
        if seconds > grace and size < self._bounds.least_speed * seconds:
            raise self.unreachable(
                f"the server sends fewer than {self._bounds.least_speed} bytes a second{how}: {size} in "
                f"{seconds:.0f} s"
            )

    def _too_large(self) -> VerificationFailed:
        return VerificationFailed(f"{self._address} has more than the {self._largest} bytes that it can have")


def _host(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{address} is not a web address")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _seconds(said: str | None) -> float | None:
    """What a server asks to be waited for; None where it is no number of seconds."""
    return float(said) if said is not None and re.fullmatch(r"[0-9]{1,12}", said) else None


class _TimedSocket:
    """What `http.client` needs of a socket, which is to read from it; each read has the time that is left."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left

    def makefile(self, mode: str) -> io.BufferedReader:
        return timed_reader(self._sock, self._left, _CHUNK)
