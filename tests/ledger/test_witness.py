"""A witness: what it signs, no fork cosigned, whatever crashes, and the folder that is its memory."""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings, strategies as st

from stemloom.ledger.errors import (
    BadKey,
    BadNote,
    BadVkey,
    NoWitness,
    VerificationFailed,
)
from stemloom.ledger.tlog.cosignature import cosign, cosignatures_of, parse_witness_vkey
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.witness import Cosigned, Witness

from .by_hand import (
    CLOCK,
    FORKED,
    KEYS,
    LEAVES,
    LOG,
    ORIGIN_KEY,
    TIME,
    VERIFIER,
    ask,
    body,
    cosigned,
    proof_of,
    root_of,
    signed,
    vkey,
)


def test_what_a_witness_signs(witness: Witness, tmp_path: Path) -> None:
    first = ask(witness, LEAVES[:3])
    assert first.before is None
    then = ask(witness, LEAVES[:7])
    assert then.before == first.checkpoint
    assert (then.time, then.checkpoint.size, then.checkpoint.root) == (TIME, 7, root_of(LEAVES[:7]))
    text = body(7, root_of(LEAVES[:7]))
    assert then.note == f"{signed(text)}{then.line}\n".encode()
    key = PrivateKey.load(tmp_path / "w" / "witness.key")
    assert then.line == cosign(text, "w.example.com", key, TIME)
    found = cosignatures_of(then.note, [parse_witness_vkey(witness.vkey)])
    assert [each.time for each in found] == [TIME]
    assert Witness.open(tmp_path / "w").vkey == witness.vkey
    assert Witness.open(tmp_path / "w", name="w.example.com").last(VERIFIER) == then.checkpoint


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(LEAVES)), min_size=1, max_size=6), st.data())
def test_only_what_continues_is_cosigned(sizes: list[int], data: st.DataObject) -> None:
    """Growing sizes are cosigned, smaller ones are not; and no other tree of any size but an empty one."""
    with TemporaryDirectory() as folder:
        witness = Witness.open(Path(folder) / "w", name="w")
        last: int | None = None
        for size in sizes:
            if last is not None and size < last:
                with pytest.raises(VerificationFailed, match=f"{size} entr.* {last} entr.*older"):
                    ask(witness, LEAVES[:size])
                continue
            assert ask(witness, LEAVES[:size]).checkpoint.size == size
            last = size
        assert last is not None
        if last:
            other = list(LEAVES)
            other[data.draw(st.integers(0, last - 1))] = b"other"
            size = data.draw(st.integers(last, len(LEAVES)))
            for proved in (LEAVES, other):
                with pytest.raises(VerificationFailed) as caught:
                    ask(witness, other[:size], proved)
                for each in (root_of(other[:size]).hex(), root_of(LEAVES[:last]).hex()):
                    assert each in str(caught.value)
            assert ask(witness, LEAVES[:size]).checkpoint.size == size


def test_no_changed_proof_passes(witness: Witness) -> None:
    ask(witness, LEAVES[:6])
    note = signed(body(13, root_of(LEAVES[:13]))).encode()
    proof = proof_of(6, LEAVES[:13])
    for wrong in (
        proof[:-1],
        proof[1:],
        [],
        [*proof, bytes(32)],
        *([*proof[:n], bytes(32), *proof[n + 1 :]] for n in range(len(proof))),
    ):
        with pytest.raises(VerificationFailed, match="no proof that the one extends the other"):
            witness.cosign(note, VERIFIER, lambda old, new, wrong=wrong: wrong)  # type: ignore[misc]
    assert witness.cosign(note, VERIFIER, lambda old, new: proof).checkpoint.size == 13


def test_a_log_that_is_not_the_one(witness: Witness, tmp_path: Path) -> None:
    ask(witness, LEAVES[:3])
    note = signed(body(4, root_of(LEAVES[:4]))).encode()
    other = parse_vkey(vkey(LOG, 1, KEYS[0]))
    with pytest.raises(BadNote, match="known here"):
        witness.cosign(note, other, lambda old, new: [])
    with pytest.raises(BadNote, match="is of the log elsewhere"):
        witness.cosign(signed(body(4, bytes(32), "elsewhere")).encode(), VERIFIER, lambda old, new: [])
    # The same name with another key is not the log that was cosigned.
    theirs = signed(body(4, root_of(LEAVES[:4])), key=KEYS[0]).encode()
    with pytest.raises(BadNote, match="signed with another key"):
        witness.cosign(theirs, other, lambda old, new: proof_of(old, LEAVES[:new]))
    with pytest.raises(VerificationFailed, match="not the root of none"):
        witness.cosign(
            signed(body(0, bytes(32), "e"), "e").encode(),
            parse_vkey(vkey("e", 1, ORIGIN_KEY)),
            lambda old, new: [],
        )


def test_logs_are_kept_apart(witness: Witness) -> None:
    ask(witness, LEAVES[:9])
    other = parse_vkey(vkey("other", 1, ORIGIN_KEY))
    note = signed(body(2, root_of(FORKED[:2]), "other"), "other").encode()
    assert witness.cosign(note, other, lambda old, new: []).before is None
    assert ask(witness, LEAVES[:10]).before is not None


def test_what_a_note_brings_with_it(witness: Witness) -> None:
    """Cosignatures of others stay; one in this witness's name must hold."""
    text = body(3, root_of(LEAVES[:3]))
    note = signed(text) + cosigned(text, 0) + cosigned(text, 1)
    done = witness.cosign(note.encode(), VERIFIER, lambda old, new: [])
    assert done.note == f"{note}{done.line}\n".encode()
    assert witness.cosign(done.note, VERIFIER, lambda old, new: []).note == done.note
    wrong = done.note.decode().replace(done.line, ask(witness, LEAVES[:4]).line)
    with pytest.raises(BadNote, match=r"w\.example\.com does not fit"):
        witness.cosign(wrong.encode(), VERIFIER, lambda old, new: [])


def test_every_changed_byte_of_its_memory_is_refused(witness: Witness, tmp_path: Path) -> None:
    ask(witness, LEAVES[:3])
    (memory,) = (path for path in (tmp_path / "w" / "logs").iterdir() if not path.suffix)
    data = memory.read_bytes()
    assert data == signed(body(3, root_of(LEAVES[:3]))).encode()
    for place in range(len(data)):
        memory.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(BadNote, match=re.escape(str(memory))):
            ask(witness, LEAVES[:4])
    memory.write_bytes(data)
    assert ask(witness, LEAVES[:4]).before is not None


def test_folders_that_hold_no_witness(witness: Witness, tmp_path: Path) -> None:
    with pytest.raises(NoWitness, match="--name"):
        Witness.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    for name in ("", "a b", "a+b", "a\n", "a\x01"):
        with pytest.raises(BadVkey, match="cannot name"):
            Witness.open(tmp_path / "none", name=name)
    with pytest.raises(BadVkey, match="keeps its name"):
        Witness.open(tmp_path / "w", name="other")
    ask(witness, LEAVES[:3])
    for lost, reason in (("witness.key", "is missing"), ("witness.vkey", "is missing"), ("logs", "is gone")):
        (tmp_path / "w" / lost).rename(tmp_path / "away")
        with pytest.raises(BadKey, match=reason):
            Witness.open(tmp_path / "w", name="w.example.com")
        (tmp_path / "away").rename(tmp_path / "w" / lost)
    other = Witness.open(tmp_path / "other", name="w.example.com")
    shutil.copy(tmp_path / "other" / "witness.key", tmp_path / "w" / "witness.key")
    assert other.vkey != witness.vkey
    with pytest.raises(BadKey, match="is not the key of"):
        Witness.open(tmp_path / "w")
    (tmp_path / "w" / "witness.vkey").write_bytes(b"\xff")
    with pytest.raises(BadKey, match="damaged"):
        Witness.open(tmp_path / "w")


def test_who_may_read_what(witness: Witness, tmp_path: Path) -> None:
    assert (tmp_path / "w").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600


# Crashes. The steps are counted first, then each one fails in turn.


@pytest.mark.parametrize("before", [0, 3, 8])
@pytest.mark.parametrize("full", [False, True])
def test_a_crash_at_every_step(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException], before: int, full: bool
) -> None:
    """Whatever is done of one of two histories, the other one of that size is not cosigned as well."""
    start = tmp_path / "start"
    ask(Witness.open(start, name="w"), LEAVES[:before])
    honest, forked = LEAVES[:8], [*LEAVES[:before], b"fork", *LEAVES[before + 1 : 8]]
    whole = faulty()
    shutil.copytree(start, tmp_path / "counted")
    ask(Witness.open(tmp_path / "counted", disk=whole), honest)
    assert len(whole.steps) == 4
    answers: list[int] = []
    for after in range(len(whole.steps) + 1):
        folder = tmp_path / f"crash{after}"
        shutil.copytree(start, folder)
        roots: set[bytes] = set()
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else crash()
        try:
            ask(Witness.open(folder, disk=faulty(after, error)), honest)
        except (OSError, crash):
            pass
        else:
            roots.add(root_of(honest))
        answers.append(len(roots))
        for leaves in (forked, honest, forked) if before < 8 else (honest,):
            roots |= answered(folder, leaves)
        assert len(roots) == 1, whole.steps[: after + 1]
        # What nobody was told was still not forgotten once it was in place.
        if after > whole.steps.index(next(step for step in whole.steps if step.startswith("replace"))):
            assert roots == {root_of(honest)}
    assert answers == [0, 0, 0, 0, 1]


def answered(folder: Path, leaves: Sequence[bytes]) -> set[bytes]:
    """The root that is cosigned when the log of `leaves` asks; none if it is refused."""
    try:
        return {ask(Witness.open(folder), leaves).checkpoint.root}
    except VerificationFailed:
        return set()


def test_nothing_is_signed_before_it_is_durable(witness: Witness, tmp_path: Path, faulty: Any) -> None:
    disk = faulty()

    class Heard(PrivateKey):
        def sign(self, message: bytes) -> bytes:
            disk.steps.append("sign")
            return super().sign(message)

    key = Heard(Ed25519PrivateKey.from_private_bytes(b"h" * 32))
    for size in (3, 3, 5):
        disk.steps.clear()
        ask(Witness(tmp_path / "w", "w.example.com", key, CLOCK, disk), LEAVES[:size])
        assert [step.split()[0] for step in disk.steps] == ["write", "sync", "replace", "sync", "sign"]
        assert disk.steps[3] == "sync logs"


def test_a_crash_at_every_step_of_its_making(
    tmp_path: Path, faulty: Callable[..., Any], crash: type[BaseException]
) -> None:
    whole = faulty()
    Witness.open(tmp_path / "counted", name="w", disk=whole)
    assert len(whole.steps) > 5
    for after in range(len(whole.steps)):
        folder = tmp_path / f"crash{after}"
        with pytest.raises(crash):
            Witness.open(folder, name="w", disk=faulty(after, crash()))
        made = Witness.open(folder, name="w")
        assert Witness.open(folder).vkey == made.vkey
        assert ask(made, LEAVES[:3]).checkpoint.size == 3


def test_one_of_many_forks_is_cosigned(witness: Witness) -> None:
    """Threads that ask at the same moment, each with a history of its own."""
    ask(witness, LEAVES[:4])
    done: list[Cosigned] = []
    refused: list[VerificationFailed] = []
    start = threading.Barrier(4)

    def push(number: int) -> None:
        leaves = [*LEAVES[:4], b"history %d" % number]
        start.wait()
        try:
            done.append(ask(witness, leaves))
        except VerificationFailed as error:
            refused.append(error)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(refused)) == (1, 3)
