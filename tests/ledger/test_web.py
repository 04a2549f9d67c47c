"""A log that a plain web server publishes is verified as a folder is, and a bad server gets a sentence."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.errors import BadVkey, LogUnreachable, NoLedger
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.source import FolderSource, WebSource, source_of
from stemloom.ledger.tlog.tiles import ENTRIES, File
from stemloom.ledger.verify.verify import verify


class Handler(http.server.SimpleHTTPRequestHandler):
    """The standard library's static server; `before` may do something to each answer."""

    before: Callable[[Handler], bool]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not type(self).before(self):
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server:
    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[Handler], bool] = lambda handler: False
        made = type("Made", (Handler,), {"before": lambda handler: self._before(handler)})
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(made, directory=str(folder))
        )
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _before(self, handler: Handler) -> bool:
        self.asked.append(handler.path)
        return self.answer(handler)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(home: Path, log: Log) -> Iterator[Server]:
    made = Server(home / "ledger" / "log")
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700])
def test_a_server_is_as_good_as_a_folder(server: Server, log: Log, home: Path, story: Any, size: int) -> None:
    log.append(story.whole(size))
    report = verify(server.url, vkey=log.vkey)
    assert report == verify(home / "ledger" / "log", vkey=log.vkey)
    assert (report.ok, report.size) == (True, size)
    assert verify(server.url + "/", vkey=log.vkey).ok


def test_what_is_wrong_is_found_and_named(server: Server, log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(700))
    folder = home / "ledger" / "log"
    path = folder / "tile/entries/001"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    report = verify(server.url, vkey=log.vkey)
    assert report == verify(folder, vkey=log.vkey)
    assert {each.what for each in report.problems} == {"tile/entries/001"}
    path.write_bytes(whole)
    for name in ("tile/entries/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"):
        (folder / name).rename(home / "away")
        report = verify(server.url, vkey=log.vkey)
        assert [(each.what, each.detail) for each in report.problems if each.what == name] == [
            (name, f"{name} is missing")
        ]
        (home / "away").rename(folder / name)
    path.write_bytes(whole + bytes(1 << 25))
    assert "more than the" in verify(server.url, vkey=log.vkey).problems[0].detail
    path.write_bytes(whole)
    assert verify(server.url, vkey=log.vkey).ok


def test_a_log_that_grows_meanwhile(server: Server, log: Log, story: Any) -> None:
    entries = story.whole(900)
    log.append(entries[:300])

    def grow(handler: Handler) -> bool:
        if handler.path.endswith("001.p/44") and log.size == 300:
            log.append(entries[300:])
        return False

    server.answer = grow
    report = verify(server.url, vkey=log.vkey)
    assert (report.ok, report.size) == (True, 900)
    # The checkpoint of before has no partial files any more, so it was asked for again.
    assert server.asked.count("/checkpoint") == 2


@pytest.mark.parametrize("status", [500, 503, 301])
def test_a_server_that_fails_is_no_verdict(server: Server, log: Log, story: Any, status: int) -> None:
    log.append(story.whole(300))

    def fail(handler: Handler) -> bool:
        if "entries" not in handler.path:
            return False
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        if status == 301:
            handler.send_header("Location", handler.path)
        handler.end_headers()
        return True

    server.answer = fail
    with pytest.raises(LogUnreachable, match="entries"):
        verify(server.url, vkey=log.vkey)


def test_a_server_that_cuts_short(server: Server, log: Log, story: Any) -> None:
    log.append(story.whole(300))

    def cut(handler: Handler) -> bool:
        if not handler.path.endswith("entries/000"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b"0" * 10)
        handler.close_connection = True
        return True

    server.answer = cut
    with pytest.raises(LogUnreachable, match="entries/000"):
        verify(server.url, vkey=log.vkey)


def test_a_place_without_a_log(server: Server, log: Log, home: Path) -> None:
    with pytest.raises(NoLedger, match="no checkpoint"):
        verify(server.url + "/tile", vkey=log.vkey)
    with pytest.raises(BadVkey, match="--vkey"):
        verify(server.url)
    with pytest.raises(NoLedger):
        source_of(home / "none")


def test_sources_read_the_same(server: Server, log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(300))
    web, folder = source_of(server.url), source_of(home / "ledger" / "log")
    assert isinstance(web, WebSource)
    assert isinstance(folder, FolderSource)
    assert web.checkpoint() == folder.checkpoint() == log.checkpoint()
    for file in (File(ENTRIES, 0), File(0, 0), File(ENTRIES, 1, 44), File(1, 0, 1)):
        assert web.read(file) == folder.read(file)
    for source in (web, folder):
        with pytest.raises(FileNotFoundError):
            source.read(File(ENTRIES, 7))


def test_processes_find_what_one_finds(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(70_000))
    seen: list[int] = []
    report = verify(home, workers=2, progress=lambda done, total: seen.append(done))
    assert (report.ok, report.size, report.root) == (True, 70_000, log.root.hex())
    assert seen == sorted(set(seen))
    assert seen[-1] == 70_000
    path = home / "ledger" / "log" / "tile" / "entries" / "200"
    whole = path.read_bytes()
    path.write_bytes(whole[:900] + bytes([whole[900] ^ 2]) + whole[901:])
    found = verify(home, workers=2)
    assert found == verify(home)
    assert [each.what for each in found.problems] == ["tile/entries/200"]


# From a checkpoint on.


def test_from_a_checkpoint_only_what_is_new_is_judged(log: Log, home: Path, story: Any) -> None:
    entries = story.whole(600)
    log.append(entries[:300])
    kept = log.checkpoint()
    # A second session whose sums are wrong: the rules find it, hashes do not.
    log.append([*entries[300:], story.session_entry("closed", 7, 7)])
    problem = "entry 600: the session x00000000000000000000 is closed, but it is not open"
    for since in (None, kept):
        assert [each.detail for each in verify(home, since=since).problems] == [problem]
    assert verify(home, since=log.checkpoint()).ok


def test_a_log_that_does_not_go_on_from_the_checkpoint(
    log: Log, home: Path, story: Any, tmp_path: Path
) -> None:
    entries = story.whole(400)
    log.append(entries[:100])
    shutil.copytree(home, tmp_path / "fork")
    log.append(entries[100:200])
    kept = log.checkpoint()
    other = Log.open(tmp_path / "fork")
    report = verify(tmp_path / "fork", since=kept)
    assert [each.detail for each in report.problems] == [
        "the log has 100 entries, fewer than the 200 of the trusted checkpoint"
    ]
    other.append([*entries[100:150], *entries[150:300][::-1]])
    report = verify(tmp_path / "fork", since=kept)
    assert "the log does not continue the trusted checkpoint: its first 200 entries have another root" in [
        each.detail for each in report.problems
    ]
