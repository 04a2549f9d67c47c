"""A witness on a port, by the text of C2SP tlog-witness; requests and answers are made by hand."""

from __future__ import annotations

import base64
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path

import pytest

from stemloom.ledger.errors import BadNote
from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.add_checkpoint import LARGEST_REQUEST, AddCheckpoint, read_request
from stemloom.ledger.tlog.cosignature import cosignatures_of, parse_witness_vkey
from stemloom.ledger.tlog.policy import Policy
from stemloom.ledger.tlog.witness import Witness
from stemloom.ledger.tlog.witness_server import Bounds, WitnessServer
from stemloom.ledger.tlog.witnessed import Witnessed, earliest_with, latest_before, witnessed_size

from .by_hand import LEAVES, LOG, TIME, VERIFIER, WITNESSES, body, cosigned, proof_of, root_of, signed
from .hostile_server import within

Ask = Callable[..., tuple[int, str, str]]


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    return proof_of(old, leaves[:new]) if old else []


def note(size: int, leaves: list[bytes] = LEAVES, origin: str = LOG) -> str:
    return signed(body(size, root_of(leaves[:size]), origin), origin)


def request(old: int, size: int, hashes: list[bytes] | None = None, text: str | None = None) -> bytes:
    lines = [base64.b64encode(each).decode() for each in (proof(old, size) if hashes is None else hashes)]
    return "\n".join([f"old {old}", *lines, "", ""]).encode() + (text or note(size)).encode()


@pytest.fixture
def server(witness: Witness) -> Iterator[WitnessServer]:
    with WitnessServer(("127.0.0.1", 0), witness, {LOG: VERIFIER}) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def ask(server: WitnessServer) -> Ask:
    """Posts a request: the status, the kind of the answer and its body."""

    def ask(data: bytes, path: str = "/add-checkpoint", port: int | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port or server.server_address[1], timeout=20)
        with closing(connection):
            connection.request("POST", path, data)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()

    return ask


def test_the_whole_way(ask: Ask, witness: Witness) -> None:
    for old, size in ((0, 3), (3, 3), (3, 4), (4, 8)):
        status, _, line = ask(request(old, size))
        assert status == 200, line
        assert line.startswith("— w.example.com ")
        assert line.endswith("\n")
        whole = note(size) + line
        found = cosignatures_of(whole.encode(), [parse_witness_vkey(witness.vkey)])
        assert len(found) == 1
        last = witness.last(VERIFIER)
        assert last is not None
        assert last.size == size


OTHER = [b"another", *LEAVES[1:]]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (request(0, 3, text=note(3, origin="example.com/else")), 404, ""),
        (request(3, 4, text=note(4).replace("— example", "— else.example")), 403, "no signature"),
        (
            request(3, 4, text=note(4, OTHER).partition("\n\n")[0] + "\n\n" + note(4).partition("\n\n")[2]),
            403,
            "",
        ),
        (request(5, 4, []), 400, "above"),
        (request(0, 4), 409, "3\n"),
        (request(2, 4), 409, "3\n"),
        (request(4, 4, []), 409, "3\n"),
        (request(3, 3, text=note(3, OTHER)), 409, "3\n"),
        (request(3, 4, []), 422, ""),
        (request(3, 4, proof(3, 4)[::-1]), 422, ""),
        (request(3, 4, [*proof(3, 4), bytes(32)]), 422, ""),
        (request(3, 3, [bytes(32)]), 422, ""),
        (request(3, 4, proof(3, 4, OTHER), note(4, OTHER)), 422, ""),
        (request(3, 4, [bytes(32)] * 64), 400, "63"),
        (request(3, 4, [bytes(31)]), 400, ""),
        (request(3, 4).replace(b"old 3", b"old 03"), 400, ""),
        (request(3, 4).replace(b"old 3", b"old -3"), 400, ""),
        (request(3, 4).replace(b"old 3", b"old  3"), 400, ""),
        (request(3, 4).replace(b"old 3", b"old 9223372036854775808" * 9), 400, ""),
        (request(3, 4).replace(b"old 3\n", b""), 400, ""),
        (request(3, 4).replace(b"\n", b"\r\n"), 400, ""),
        (b"", 400, ""),
        (b"old 0\n\n", 404, ""),
        (b"\xff" * 1000, 400, ""),
        (b"0" * (LARGEST_REQUEST + 1), 413, ""),
    ],
    ids=range(25),
)
def test_what_is_refused_moves_nothing(
    ask: Ask, witness: Witness, data: bytes, status: int, said: str
) -> None:
    assert ask(request(0, 3))[0] == 200
    found, kind, text = ask(data)
    assert (found, said in text) == (status, True), text
    assert kind == ("text/x.tlog.size" if status == 409 else "text/plain; charset=utf-8")
    last = witness.last(VERIFIER)
    assert last is not None
    assert (last.size, last.root) == (3, root_of(LEAVES[:3]))
    assert ask(request(3, 4))[0] == 200


def test_an_empty_log(ask: Ask) -> None:
    assert ask(request(0, 0, text=signed(body(0, bytes(32)))))[0] == 422
    assert ask(request(0, 0))[0] == 200
    assert ask(request(0, 5))[0] == 200


def test_other_paths_and_methods(server: WitnessServer, ask: Ask) -> None:
    assert ask(request(0, 3), "/")[0] == 404
    assert ask(request(0, 3), "/add-checkpoint/../add-checkpoint")[0] == 404
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    with closing(connection):
        for method, status in (("GET", 404), ("DELETE", 501)):
            connection.request(method, "/add-checkpoint")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        # One connection, several requests.
        for old, size in ((0, 3), (3, 5)):
            connection.request("POST", "/add-checkpoint", request(old, size))
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:3]) == (200, "—".encode())


def test_the_request_is_read_as_it_is_written() -> None:
    for old, size in ((0, 3), (3, 8)):
        made = AddCheckpoint(old, tuple(proof(old, size)), note(size).encode())
        assert made.encode() == request(old, size)
        assert read_request(made.encode()) == made
        assert made.origin == LOG
    assert merkle.check_consistency(proof(3, 8), 3, 8, root_of(LEAVES[:3]), root_of(LEAVES[:8]))


# Several at a time, and the end at any moment.


def test_of_requests_at_once_one_goes_on_and_the_others_are_told(ask: Ask, witness: Witness) -> None:
    assert ask(request(0, 3))[0] == 200
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda size: (size, *ask(request(3, size))), [4, 5, 6, 7, 8, 4, 5, 6]))
    done = [each for each in found if each[1] == 200]
    assert len({each[0] for each in done}) == 1
    last = witness.last(VERIFIER)
    assert last is not None
    assert last.size == done[0][0]
    assert {(each[1], each[3]) for each in found if each[1] != 200} <= {(409, f"{last.size}\n")}


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A witness of the command line on a port of its own; it is killed in the end."""
    command = [sys.executable, "-m", "stemloom", "ledger", "witness", "--serve", "127.0.0.1:0"]
    command += ["--vkey", VERIFIER.vkey, "--dir", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "answers on http://127.0.0.1:" in line
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        try:
            yield process, int(line.partition("http://127.0.0.1:")[2].partition("/")[0])
        finally:
            process.kill()
            reader.join()


def test_two_processes_and_the_death_of_one(ask: Ask, witness: Witness, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    with started(folder) as (one, first), started(folder) as (two, second):
        assert ask(request(0, 3), port=first)[0] == 200
        assert ask(request(0, 3), port=second)[::2] == (409, "3\n")
        assert ask(request(3, 4), port=second)[0] == 200
        one.send_signal(signal.SIGKILL)
        one.wait()
        assert ask(request(3, 5), port=second)[::2] == (409, "4\n")
        assert ask(request(4, 5), port=second)[0] == 200
        two.send_signal(signal.SIGINT)
        assert two.wait(20) == 130
    last = witness.last(VERIFIER)
    assert last is not None
    assert last.size == 5


def test_what_was_answered_is_kept_by_a_process_that_is_killed(
    witness: Witness, ask: Ask, tmp_path: Path
) -> None:
    """Two histories are offered in turn to processes that are killed while they answer: one gets all."""
    answered: set[tuple[int, bool]] = set()
    for attempt in range(6):
        with started(tmp_path / "w") as (process, port):
            killer = threading.Timer(0.02 * attempt, process.kill)
            killer.start()
            for size, other in product(range(1, 9), (False, True)):
                leaves = OTHER if other else LEAVES
                last = witness.last(VERIFIER)
                old = 0 if last is None else last.size
                try:
                    data = request(
                        old, max(size, old), proof(old, max(size, old), leaves), note(max(size, old), leaves)
                    )
                    if ask(data, port=port)[0] == 200:
                        answered.add((max(size, old), other))
                except (OSError, http.client.HTTPException):
                    continue
            killer.join()
    last = witness.last(VERIFIER)
    assert len({other for _, other in answered}) <= 1
    if answered:
        assert last is not None
        assert last.size == max(size for size, _ in answered)


# Strangers.


@pytest.fixture
def hurried(witness: Witness) -> Iterator[WitnessServer]:
    bounds = Bounds(connections=3, seconds=1.5, silence=0.5)
    with WitnessServer(("127.0.0.1", 0), witness, {LOG: VERIFIER}, bounds=bounds) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


POST = b"POST /add-checkpoint HTTP/1.1\r\n"


@pytest.mark.parametrize("start", [b"", POST, POST + b"Content-Length: 5000\r\n\r\n"], ids=range(3))
@pytest.mark.parametrize("drip", [True, False])
def test_who_is_slow_is_let_go(hurried: WitnessServer, start: bytes, drip: bool) -> None:
    with socket.create_connection(hurried.server_address[:2], timeout=10) as stranger:
        stranger.sendall(start)
        begun = time.monotonic()
        try:
            while drip and time.monotonic() < begun + 8:
                stranger.sendall(b"X")
                threading.Event().wait(0.1)
            while stranger.recv(1000):
                continue
        except ConnectionError:
            assert drip
        assert time.monotonic() < begun + 5


def test_who_are_many_leave_room(hurried: WitnessServer, ask: Ask) -> None:
    address = hurried.server_address[:2]
    held = [socket.create_connection(address, timeout=10) for _ in range(20)]
    try:
        said = [each.recv(100) for each in held]
        assert sum(each.startswith(b"HTTP/1.1 503") for each in said) >= 17
    finally:
        for each in held:
            each.close()
    port = hurried.server_address[1]
    found = within(10, lambda: _until_answered(ask, port))
    assert found == 200


def _until_answered(ask: Ask, port: int) -> int:
    while True:
        try:
            status = ask(request(0, 3), port=port)[0]
        except OSError:
            continue
        if status != 503:
            return status


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"Transfer-Encoding: chunked\r\n", "Content-Length: ٣\r\n".encode()),
        *(b"Content-Length: %s\r\n" % each for each in (b"-1", b"1e5", b"9" * 20, b"131073")),
    ],
)
def test_a_length_that_is_none_is_refused_unread(hurried: WitnessServer, head: bytes) -> None:
    with socket.create_connection(hurried.server_address[:2], timeout=10) as stranger:
        stranger.sendall(POST + head + b"\r\n")
        answer = b""
        while more := stranger.recv(1000):
            answer += more
    assert answer.split(b" ")[1] in (b"411", b"413")


# What times say.


def test_a_time_bounds_an_entry_from_both_sides() -> None:
    seen = [Witnessed(100, 5), Witnessed(300, 9), Witnessed(200, 9), Witnessed(400, 20), Witnessed(50, 7)]
    assert latest_before(9, seen) == Witnessed(300, 9)
    assert latest_before(8, seen) == Witnessed(100, 5)
    assert latest_before(4, seen) is None
    assert latest_before(1000, seen) == Witnessed(400, 20)
    assert earliest_with(8, seen) == Witnessed(200, 9)
    assert earliest_with(20, seen) is None
    assert latest_before(1, []) is earliest_with(1, []) is None


def test_of_k_that_are_required_one_is_honest() -> None:
    """Two of three say so: neither one that is far ahead nor one that is far behind decides."""
    text = body(3, root_of(LEAVES[:3]))
    whole = signed(text) + "".join(cosigned(text, n, t) for n, t in ((0, TIME), (1, TIME + 10**9), (2, 5)))
    for required, time_of in ((1, TIME + 10**9), (2, TIME), (3, 5)):
        found = witnessed_size(whole.encode(), VERIFIER, Policy(tuple(WITNESSES[:3]), required))
        assert found == Witnessed(time_of, 3)
    with pytest.raises(BadNote):
        witnessed_size(signed(text).encode(), VERIFIER, Policy(tuple(WITNESSES[:3]), 1))


# Another's client.


def test_a_client_of_others(server: WitnessServer, witness: Witness) -> None:
    """`aics-witness` (PyPI) submits checkpoints, finds the old size by a 409, and checks the cosignature."""
    feeder = pytest.importorskip("aics_witness.feeder")
    fixed = {"max_age_seconds": None, "max_future_seconds": None, "sleep": lambda seconds: None}
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def prove(old: int, new: int) -> list[bytes]:
        return proof(old, new)

    with feeder.WitnessClient(url, witness.vkey, **fixed) as client:
        for size in (3, 3, 8, 70):
            line = client.submit(note(size), prove)
            merged = feeder.merge_cosignatures(note(size), line)
            assert Policy((parse_witness_vkey(witness.vkey),), 1).check(merged) == ("w.example.com",)
    with feeder.WitnessClient(url, witness.vkey, **fixed) as forgetful:
        assert forgetful.submit(note(70), prove).startswith("— w.example.com ")
        with pytest.raises(feeder.WitnessAhead):
            forgetful.submit(note(8), prove)
    with feeder.WitnessClient(url, witness.vkey, **fixed) as cheating, pytest.raises(feeder.FeederError):
        cheating.submit(note(70, OTHER), lambda old, new: proof(old, new, OTHER))
