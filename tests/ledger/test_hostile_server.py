"""A web server that publishes a log and means harm: each fetch ends soon, in a sentence."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import repeat

import pytest

from stemloom.ledger.errors import LedgerError, LogUnreachable, VerificationFailed
from stemloom.ledger.tlog import web
from stemloom.ledger.tlog.source import WebSource
from stemloom.ledger.tlog.tiles import ENTRIES, File

from .hostile_server import HostileServer, serving, within

OK = b"HTTP/1.1 200 OK\r\n"
ENDS_WITHIN = 5.0
TILE = File(0, 0)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are the same as ever, in a fortieth of the time."""
    hurried = web.Bounds(silence=0.5, total=2.0, grace=0.5, wait=0.2)
    monkeypatch.setattr(web, "BOUNDS", hurried)


def answered(*pieces: bytes) -> BaseException | object:
    """What reading a tile comes to, from a server that always answers with `pieces`."""
    with serving(lambda path: iter(pieces)) as server:
        return within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))


def dripped(head: bytes, slow: bytes, seconds: float) -> BaseException | object:
    def answer(path: str) -> Iterator[bytes]:
        if head:
            yield head
        yield from server.drip(slow, seconds)

    server: HostileServer
    with serving(answer) as server:
        return within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))


def test_a_body_of_a_byte_at_a_time() -> None:
    found = dripped(OK + b"Content-Length: 8192\r\n\r\n", b"0" * 8192, 0.05)
    assert isinstance(found, LogUnreachable)
    assert "bytes a second" in str(found)


def test_a_head_of_a_byte_at_a_time() -> None:
    found = dripped(b"", OK + b"X: " + b"0" * 5000, 0.05)
    assert isinstance(found, LogUnreachable)
    assert "2 s" in str(found)


def test_a_server_that_is_silent_in_the_middle() -> None:
    found = dripped(OK + b"Content-Length: 8192\r\n\r\n" + b"0" * 8000, b"0", 60)
    assert isinstance(found, LogUnreachable)


def test_an_endless_body() -> None:
    def answer(path: str) -> Iterator[bytes]:
        yield OK + b"\r\n"
        yield from repeat(b"0" * 65536)

    with serving(answer) as server:
        found = within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))
    assert isinstance(found, VerificationFailed)
    assert "8192 bytes" in str(found)


def test_an_endless_body_in_chunks() -> None:
    def answer(path: str) -> Iterator[bytes]:
        yield OK + b"Transfer-Encoding: chunked\r\n\r\n"
        yield from repeat(b"1000\r\n" + b"0" * 4096 + b"\r\n")

    with serving(answer) as server:
        found = within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))
    assert isinstance(found, VerificationFailed)


@pytest.mark.parametrize("line", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X-More: 0\r\n"])
def test_an_endless_head(line: bytes) -> None:
    def answer(path: str) -> Iterator[bytes]:
        yield b"" if line.startswith(b"HTTP") else OK
        yield from repeat(line)

    with serving(answer) as server:
        found = within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))
    assert isinstance(found, LogUnreachable)


def test_a_length_that_no_tile_has_is_not_waited_for() -> None:
    found = dripped(OK + b"Content-Length: 9223372036854775807\r\n\r\n", b"0" * 100, 0.4)
    assert isinstance(found, VerificationFailed)
    assert "8192 bytes" in str(found)


@pytest.mark.parametrize("length", [b"8193", b"-1", b"1e9", b"99999999999999999999999999"])
def test_a_length_that_is_not_the_body_s(length: bytes) -> None:
    found = answered(OK + b"Content-Length: " + length + b"\r\n\r\n" + b"0" * 8000)
    assert isinstance(found, LedgerError | bytes)
    if isinstance(found, bytes):
        # Without a length that is one, the body is what came; its hashes are then found to be wrong.
        assert found == b"0" * 8000


def test_a_body_that_is_shorter_than_its_length() -> None:
    found = answered(OK + b"Content-Length: 8192\r\n\r\n" + b"0" * 8000)
    assert isinstance(found, LogUnreachable)
    assert "cut short" in str(found)


def test_a_redirect_that_goes_round_and_round() -> None:
    with serving(lambda path: iter([b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"])) as server:
        found = within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))
        assert len(server.asked) < 10
    assert isinstance(found, LogUnreachable)


@pytest.mark.parametrize("to", ["http://{host}/x", "//{host}/x", "https://{host}/x", "file:///etc/passwd"])
def test_a_redirect_to_elsewhere_is_said_and_not_followed(to: str) -> None:
    with serving(lambda path: iter([OK, b"\r\n", b"0"])) as other:
        to = to.format(host=other.host.replace("127.0.0.1", "localhost"))
        with serving(lambda path: iter([f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n".encode()])) as server:
            found = within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE))
        assert other.asked == []
    assert isinstance(found, LogUnreachable)
    assert to.removeprefix("//") in str(found)


def test_a_redirect_on_the_same_host_is_followed() -> None:
    def answer(path: str) -> Iterator[bytes]:
        if path == "/tile/0/000":
            yield b"HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
        else:
            yield OK + b"Content-Length: 3\r\n\r\nyes"

    with serving(answer) as server:
        assert within(ENDS_WITHIN, lambda: WebSource(server.url).read(TILE)) == b"yes"
        assert server.asked == ["/tile/0/000", "/there"]


@pytest.mark.parametrize(
    "when", [b"1000000000", b"Fri, 31 Dec 9999 23:59:59 GMT", b"nan", b"-5", b"9" * 5000]
)
def test_a_server_that_asks_to_wait_for_ever(when: bytes) -> None:
    found = answered(b"HTTP/1.1 503 Later\r\nRetry-After: " + when + b"\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(found, LogUnreachable)
    assert "503" in str(found)


@pytest.mark.parametrize("size", [100, 1 << 26])
def test_what_is_compressed_is_not_unpacked(size: int) -> None:
    bomb = gzip.compress(bytes(size))[:8000]
    found = answered(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb), bomb)
    assert isinstance(found, LogUnreachable)
    assert "gzip" in str(found)


@pytest.mark.parametrize("first", [b"", b"\0" * 100_000, b"SSH-2.0-x\r\n", b"HTTP/1.1 9999999999 x\r\n\r\n"])
def test_what_is_no_web_server(first: bytes) -> None:
    found = answered(first)
    assert isinstance(found, LogUnreachable)


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://127.0.0.1:99999", "http://a b/", "http://x:y@/"], ids=range(5)
)
def test_an_address_that_is_none(url: str) -> None:
    found = within(ENDS_WITHIN, lambda: WebSource(url).read(TILE))
    assert isinstance(found, LogUnreachable)


def test_each_kind_of_file_has_its_size() -> None:
    assert (TILE.largest, File(ENTRIES, 0).largest) == (8192, 256 * (2 + 65535))
