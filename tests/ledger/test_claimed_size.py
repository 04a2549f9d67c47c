"""A signed checkpoint states more entries than there are: nothing is bounded by what it claims."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.errors import LogUnreachable, VerificationFailed
from stemloom.ledger.log.export import export_parquet
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.pending import Pending
from stemloom.ledger.places import Places
from stemloom.ledger.tlog import web
from stemloom.ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from stemloom.ledger.tlog.consistency import check_continues
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.source import WebSource
from stemloom.ledger.tlog.tiles import TILE, count_of_files, files_of
from stemloom.ledger.tlog.witness import Witness, prover
from stemloom.ledger.verify.verify import verify

from .hostile_server import serving, within

SIZES = (2**60, 2**60 + 1, 2**63 - 1, 10**9)
SECONDS = 20.0


@pytest.fixture
def key(home: Path, log: Log) -> PrivateKey:
    return PrivateKey.load(Places(home).key)


@pytest.fixture(params=SIZES)
def kept(request: pytest.FixtureRequest, home: Path, log: Log, key: PrivateKey, story: Any) -> bytes:
    """The checkpoint of before; the one that is published claims far more."""
    log.append(story.whole(600))
    before = log.checkpoint()
    claimed = sign_checkpoint(Checkpoint(log.origin, request.param, bytes(32)), key)
    (home / "ledger" / "log" / "checkpoint").write_bytes(claimed)
    return before


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    folder = str(home / "ledger" / "log")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_verify_ends_and_says_so(home: Path, log: Log, kept: bytes) -> None:
    for place in (home, home / "ledger" / "log"):
        report: Any = within(SECONDS, lambda place=place: verify(place, vkey=log.vkey))
        assert not report.ok
        assert len(report.problems) < 2100
        assert any("claims" in each.detail for each in report.problems)


def test_verify_over_the_web_ends_and_says_so(url: str, log: Log, kept: bytes) -> None:
    report: Any = within(SECONDS, lambda: verify(url, vkey=log.vkey))
    assert not report.ok
    assert any("is missing" in each.detail for each in report.problems)
    assert any("was not read" in each.detail for each in report.problems)


def test_a_witness_an_export_and_a_proof_end(home: Path, log: Log, kept: bytes, tmp_path: Path) -> None:
    folder = home / "ledger" / "log"
    claimed, verifier, tiles = (folder / "checkpoint").read_bytes(), parse_vkey(log.vkey), TileReader(folder)
    witness = Witness.open(tmp_path / "w", name="w.example.com")
    witness.cosign(kept, verifier, prover(tiles, lambda: kept, verifier))
    cosigned = within(
        SECONDS, lambda: witness.cosign(claimed, verifier, prover(tiles, lambda: claimed, verifier))
    )
    assert isinstance(cosigned, VerificationFailed)
    assert isinstance(
        within(SECONDS, lambda: check_continues(kept, claimed, verifier, tiles)), VerificationFailed
    )
    exported = within(SECONDS, lambda: export_parquet(tiles, claimed, verifier, tmp_path / "parquet"))
    assert isinstance(exported, VerificationFailed)


def test_a_noted_append_that_claims_much(home: Path, log: Log, story: Any) -> None:
    log.append(story.whole(600))
    Places(home).pending.write_bytes(Pending(600, 2**60, None, ()).encode())
    report: Any = within(SECONDS, lambda: verify(home))
    assert report.size == 600


def test_a_server_that_makes_every_file_up(log: Log, key: PrivateKey) -> None:
    claimed = sign_checkpoint(Checkpoint(log.origin, 2**60, bytes(32)), key)

    def answer(path: str) -> Iterator[bytes]:
        data = claimed
        if path.startswith("/tile/entries"):
            data = (b"\0\3abc") * TILE
        elif path.startswith("/tile/"):
            data = os.urandom(32 * (int(path.split(".p/")[1]) if ".p/" in path else TILE))
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data

    with serving(answer) as server:
        report: Any = within(SECONDS, lambda: verify(server.url, vkey=log.vkey))
    assert not report.ok


def test_a_server_that_is_slow_file_after_file() -> None:
    """Each answer comes in time, and never a file: together they are too slow."""
    bounds = web.Bounds(silence=1.0, total=4.0, grace=0.5, patience=1.0)
    with serving(lambda path: server.drip(b"HTTP/1.1 404 No\r\n\r\n", 0.01)) as server:
        files = web.WebFiles(bounds)

        def all_of_them() -> None:
            for number in range(1000):
                try:
                    files.get(f"{server.url}/{number}", 8192)
                except FileNotFoundError:
                    continue

        found = within(SECONDS, all_of_them)
    assert isinstance(found, LogUnreachable)
    assert "file after file" in str(found)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65535, 65536, 65537, 70_000])
@pytest.mark.parametrize("since", [0, 1, 256, 300])
def test_the_number_of_files_is_that_of_the_files(size: int, since: int) -> None:
    since = min(since, size)
    assert count_of_files(size, since) == len(list(files_of(size, since)))
    assert WebSource("http://x/").url == "http://x"


def test_of_very_many_wrong_entries_the_first_are_listed(home: Path, log: Log, story: Any) -> None:
    log.append([story.joins(), *(story.session_entry("closed", 1, 1) for _ in range(1500))])
    report: Any = within(SECONDS, lambda: verify(home))
    assert 1000 < len(report.problems) < 1300
    assert report.problems[0].index == 1
    assert "was not read" in report.problems[-1].detail
