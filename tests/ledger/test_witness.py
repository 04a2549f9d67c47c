"""Witnesses: cosignatures beside ones made by hand, k of n, no fork for any witness, whatever crashes."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.signing import Ed25519CosignatureVerifier, NoteSignature, Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from stemloom.cli import run
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.entries import Income
from stemloom.ledger.errors import (
    BadKey,
    BadNote,
    BadReceipt,
    BadVkey,
    NoWitness,
    RefusesToSign,
    VerificationFailed,
)
from stemloom.ledger.log.log import Log
from stemloom.ledger.log.receipt import check_receipt
from stemloom.ledger.tlog.cosignature import add_cosignatures, cosign, cosignatures_of, parse_witness_vkey
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import Verifier, open_note, parse_vkey, read_note
from stemloom.ledger.tlog.policy import Policy
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.witness import Cosigned, Witness, prover
from stemloom.ledger.verify.verify import verify

ROOT = Path(__file__).resolve().parents[2]
TIME = 1_795_241_760  # 2026-11-21T06:16:00Z
CLOCK = FixedClock("2026-11-21T06:16:00.250Z")
LOG = "example.com/log"
ORIGIN_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)]


# What the formats say, by hand: SHA-256, base64 and Ed25519 alone.


def key_id(name: str, type: int, key: Ed25519PrivateKey) -> bytes:
    public = key.public_key().public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + bytes([type]) + public).digest()[:4]


def vkey(name: str, type: int, key: Ed25519PrivateKey) -> str:
    coded = base64.b64encode(bytes([type]) + key.public_key().public_bytes_raw()).decode()
    return f"{name}+{key_id(name, type, key).hex()}+{coded}"


def body(size: int, root: bytes, origin: str = LOG) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed(text: str, name: str = LOG, key: Ed25519PrivateKey = ORIGIN_KEY) -> str:
    return f"{text}\n— {name} {base64.b64encode(key_id(name, 1, key) + key.sign(text.encode())).decode()}\n"


def cosigned(text: str, number: int, time: int = TIME) -> str:
    """The line of witness `number` over the note text."""
    key, name = KEYS[number], f"w{number}.example.com"
    signature = key.sign(f"cosignature/v1\ntime {time}\n".encode() + text.encode())
    payload = key_id(name, 4, key) + time.to_bytes(8, "big") + signature
    return f"— {name} {base64.b64encode(payload).decode()}\n"


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def proof_of(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*proof_of(old, leaves[:k], whole), root_of(leaves[k:])]
    return [*proof_of(old - k, leaves[k:], False), root_of(leaves[:k])]


WITNESSES = [parse_witness_vkey(vkey(f"w{n}.example.com", 4, key)) for n, key in enumerate(KEYS)]
VERIFIER = parse_vkey(vkey(LOG, 1, ORIGIN_KEY))
BODY = body(3, b"r" * 32)


# Cosignatures.


def test_a_cosignature_made_by_hand_holds() -> None:
    note = open_note((signed(BODY) + cosigned(BODY, 0)).encode(), [VERIFIER, WITNESSES[0]])
    assert note.signers == (VERIFIER, WITNESSES[0])
    assert [each.time for each in note.signatures] == [None, TIME]
    assert (note.text, note.unknown) == (BODY, 0)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**53), st.binary(min_size=32, max_size=32))
def test_ours_is_the_one_made_by_hand(time: int, size: int, root: bytes) -> None:
    text = body(size, root)
    key = PrivateKey.from_seed(bytes([1]) * 32)
    assert cosign(text, "w0.example.com", key, time) + "\n" == cosigned(text, 0, time)
    note = (signed(text) + cosigned(text, 0, time)).encode()
    assert [each.time for each in cosignatures_of(note, WITNESSES)] == [time]


def test_a_tool_that_we_did_not_write_accepts_ours() -> None:
    line = cosign(BODY, "w0.example.com", PrivateKey.from_seed(bytes([1]) * 32), TIME)
    checker = Ed25519CosignatureVerifier(Vkey.from_string(WITNESSES[0].vkey))
    checker.verify_note(NoteSignature.from_line(line), TheirCheckpoint.from_text(signed(BODY) + line + "\n"))


def test_the_verifier_keys_of_witnesses_and_logs_are_not_mixed() -> None:
    theirs = vkey("w", 4, KEYS[0])
    assert parse_witness_vkey(theirs).vkey == theirs
    with pytest.raises(BadVkey, match="of a witness, and that of a log is needed"):
        parse_vkey(theirs)
    with pytest.raises(BadVkey, match="of a log, and that of a witness is needed"):
        parse_witness_vkey(vkey("w", 1, KEYS[0]))
    with pytest.raises(BadVkey, match="not an Ed25519 verifier key"):
        parse_witness_vkey(vkey("w", 6, KEYS[0]))
    with pytest.raises(BadVkey, match="its key id is"):
        parse_witness_vkey(theirs.replace("w+", "v+"))


def coded(payload: bytes) -> str:
    return f"— w0.example.com {base64.b64encode(payload).decode()}\n"


PAYLOAD = base64.b64decode(cosigned(BODY, 0).split(" ")[2])


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (signed(BODY) + cosigned(BODY, 0).replace("w0", "w1"), None),
        (signed(BODY) + cosigned(body(4, b"r" * 32), 0), "does not fit"),
        (signed(BODY) + coded(PAYLOAD[:11] + bytes([PAYLOAD[11] ^ 1]) + PAYLOAD[12:]), "does not fit"),
        (signed(BODY) + coded(PAYLOAD[:-1] + bytes([PAYLOAD[-1] ^ 1])), "does not fit"),
        (signed(BODY) + coded(PAYLOAD[:-1]), "not a time and"),
        (signed(BODY) + coded(PAYLOAD + b"\0"), "not a time and"),
        (signed(BODY) + coded(PAYLOAD[:4] + PAYLOAD[12:]), "not a time and"),
        (signed(BODY) + cosigned(BODY, 0, 2**63), "a time that cannot be"),
        (signed(BODY) + cosigned(BODY, 0) + cosigned(BODY, 0, TIME + 1), "two signatures"),
        # A plain signature of the witness's key over the text is none of a witness.
        (signed(BODY) + coded(PAYLOAD[:12] + KEYS[0].sign(BODY.encode())), "does not fit"),
        (signed(BODY) + cosigned(BODY, 0)[:-1], "cut short"),
        # A blank line in between makes the log's line a part of the text.
        (signed(BODY) + "\n" + cosigned(BODY, 0), "does not fit"),
    ],
)
def test_what_is_no_cosignature(note: str, reason: str | None) -> None:
    policy = Policy((WITNESSES[0],), 1)
    if reason is not None:
        with pytest.raises(BadNote, match=reason):
            open_note(note.encode(), [VERIFIER, WITNESSES[0]])
    else:
        assert open_note(note.encode(), [VERIFIER, WITNESSES[0]]).unknown == 1
    with pytest.raises(BadNote):
        policy.check(note.encode())


def test_no_changed_byte_passes_a_policy() -> None:
    policy = Policy((WITNESSES[0],), 1)
    data = (signed(BODY) + cosigned(BODY, 0)).encode()
    assert policy.check(data) == ("w0.example.com",)
    first = data.rindex("—".encode())
    for place in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= flip
            # The log's own line is not the policy's matter.
            if len(BODY) < place < first:
                continue
            with pytest.raises(BadNote):
                policy.check(bytes(changed))


def test_a_cosignature_is_not_taken_for_the_logs_signature() -> None:
    text = f"cosignature/v1\ntime {TIME}\n{BODY}"
    line = base64.b64decode(signed(text, "w0.example.com", KEYS[0]).split(" ")[-1])
    note = (signed(BODY) + coded(PAYLOAD[:12] + line[4:])).encode()
    assert [each.time for each in cosignatures_of(note, WITNESSES)] == [TIME]
    with pytest.raises(BadNote, match="known here"):
        open_note(note, [Verifier("w0.example.com", WITNESSES[0].public)])


# Merging.


def lines_of(note: str) -> list[str]:
    return note[note.index("—") :].splitlines()


@pytest.mark.parametrize(
    ("kept", "added", "after"),
    [
        ([], [], []),
        ([], [(0, 1)], [(0, 1)]),
        ([(0, 1)], [(0, 1)], [(0, 1)]),
        ([], [(1, 5), (0, 1), (1, 5)], [(1, 5), (0, 1)]),
        ([(0, 1), (1, 1)], [(2, 1), (0, 2)], [(0, 2), (1, 1), (2, 1)]),
        ([(0, 2)], [(0, 1)], [(0, 2)]),
        ([], [(0, 3), (0, 1), (0, 2)], [(0, 3)]),
    ],
)
def test_adding_cosignatures(
    kept: list[tuple[int, int]], added: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    def with_lines(chosen: list[tuple[int, int]]) -> bytes:
        return (signed(BODY) + "".join(cosigned(BODY, *each) for each in chosen)).encode()

    merged = add_cosignatures(with_lines(kept), [cosigned(BODY, *each)[:-1] for each in added])
    assert merged == with_lines(after)
    assert open_note(merged, [VERIFIER, *WITNESSES]).unknown == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12))
def test_adding_again_adds_nothing(chosen: list[tuple[int, int]]) -> None:
    lines = [cosigned(BODY, *each)[:-1] for each in chosen]
    once = add_cosignatures(signed(BODY).encode(), lines)
    assert add_cosignatures(once, lines) == once
    assert add_cosignatures(once, lines[::-1]) == once
    found = cosignatures_of(once, WITNESSES)
    assert {each.witness.name: each.time for each in found} == {
        f"w{number}.example.com": max(time for n, time in chosen if n == number) for number, _ in chosen
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (lines_of(signed(BODY))[0], "alone can be added"),
        (lines_of(signed(BODY, "other"))[0], "alone can be added"),
        (cosigned(BODY, 0), "form|base64"),
        ("", "form"),
        ("— w0.example.com", "form"),
        ("— w0.example.com AAAA", "too short"),
    ],
)
def test_what_cannot_be_added(line: str, reason: str) -> None:
    with pytest.raises(BadNote, match=reason):
        add_cosignatures(signed(BODY).encode(), [line])


def test_a_note_does_not_outgrow_what_can_be_opened() -> None:
    lines = [cosigned(BODY, 0)[:-1].replace("w0", f"w0{n}") for n in range(100)]
    assert open_note(add_cosignatures(signed(BODY).encode(), lines[:99]), [VERIFIER]).unknown == 99
    with pytest.raises(BadNote, match="more than 100"):
        add_cosignatures(signed(BODY).encode(), lines)


def test_a_line_that_claims_the_logs_key_takes_no_place() -> None:
    payload = key_id(LOG, 1, ORIGIN_KEY) + bytes(72)
    line = f"— {LOG} {base64.b64encode(payload).decode()}"
    assert add_cosignatures(signed(BODY).encode(), [line]) == signed(BODY).encode()


# Policies.


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("present", [(), (0,), (1, 0), (0, 1, 2), (0, 1, 2, 3, 4)])
def test_k_of_n(count: int, present: tuple[int, ...]) -> None:
    note = (signed(BODY) + "".join(cosigned(BODY, n, TIME + n) for n in present)).encode()
    known = [n for n in present if n < count]
    for required in range(1, count + 1):
        policy = Policy(tuple(WITNESSES[:count]), required)
        if len(known) >= required:
            assert policy.check(note) == tuple(f"w{n}.example.com" for n in known)
            assert [each.time for each in policy.cosignatures(note)] == [TIME + n for n in known]
        else:
            with pytest.raises(BadNote, match=f"{len(known)} of {count} witnesses.*{required} are required"):
                policy.check(note)


def test_one_failing_witness_refuses_what_the_others_signed() -> None:
    note = (signed(BODY) + cosigned(BODY, 0) + cosigned(BODY + "x\n", 1) + cosigned(BODY, 2)).encode()
    assert Policy((WITNESSES[0], WITNESSES[2]), 2).check(note) == ("w0.example.com", "w2.example.com")
    with pytest.raises(BadNote, match=r"w1\.example\.com"):
        Policy(tuple(WITNESSES[:3]), 1).check(note)


def test_policies_that_cannot_be() -> None:
    renamed = parse_witness_vkey(vkey("other", 4, KEYS[0]))
    again = parse_witness_vkey(vkey("w0.example.com", 4, KEYS[1]))
    for other in (WITNESSES[0], renamed, again):
        with pytest.raises(BadVkey, match="are one witness"):
            Policy((WITNESSES[0], other), 1)
    with pytest.raises(BadVkey, match="of a log"):
        Policy((VERIFIER,), 1)
    for required in (-1, 0, 2):
        with pytest.raises(ValueError, match="required"):
            Policy((WITNESSES[0],), required)


# Witnesses. Logs here are lists of leaves, and their proofs are made by hand.


def ask(witness: Witness, leaves: Sequence[bytes], proved: Sequence[bytes] | None = None) -> Cosigned:
    """Have the log of `leaves` cosigned; `proved`: the leaves that the proof is made of, if not these."""
    note = signed(body(len(leaves), root_of(leaves))).encode()
    return witness.cosign(
        note, VERIFIER, lambda old, new: proof_of(old, (leaves if proved is None else proved)[:new])
    )


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.open(tmp_path / "w", name="w.example.com", clock=CLOCK)


LEAVES = [b"leaf %d" % n for n in range(70)]
FORKED = [b"fork", *LEAVES[1:]]


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
        with pytest.raises(VerificationFailed, match="no proof that the one continues the other"):
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


# Logs of ours.


def income(number: int) -> Income:
    return Income(
        time="2026-11-21T06:16:00.250Z",
        source="sync",
        currency="EUR",
        amount=number + 1,
        period="2026",
        reference=f"no {number}",
    )


def witnessed(witness: Witness, home: Path, log: Log) -> Cosigned:
    folder = home / "ledger" / "log"
    verifier = parse_vkey(log.vkey)

    def checkpoint() -> bytes:
        return (folder / "checkpoint").read_bytes()

    return witness.cosign(checkpoint(), verifier, prover(TileReader(folder), checkpoint, verifier))


def test_a_log_grows_under_its_witness(witness: Witness, log: Log, home: Path) -> None:
    size = 0
    for step in (0, 1, 254, 1, 1, 300, 0, 211):
        log.append([income(size + i) for i in range(step)])
        size += step
        done = witnessed(witness, home, log)
        assert (done.checkpoint.size, done.checkpoint.root) == (size, log.root)


def test_a_log_that_grows_while_it_is_read(witness: Witness, log: Log, home: Path) -> None:
    log.append([income(i) for i in range(5)])
    witnessed(witness, home, log)
    log.append([income(i) for i in range(5, 9)])
    note = log.checkpoint()
    log.append([income(i) for i in range(9, 300)])
    verifier = parse_vkey(log.vkey)
    prove = prover(TileReader(home / "ledger" / "log"), log.checkpoint, verifier)
    assert witness.cosign(note, verifier, prove).checkpoint.size == 9


@pytest.mark.parametrize("more", [1, 3, 5])
def test_an_operator_who_restores_everything_is_caught(
    witness: Witness, log: Log, home: Path, tmp_path: Path, more: int
) -> None:
    log.append([income(i) for i in range(3)])
    shutil.copytree(home, tmp_path / "backup")
    log.append([income(i) for i in range(3, 6)])
    witnessed(witness, home, log)
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    log = Log.open(home)
    with pytest.raises(VerificationFailed, match=r"3 entries .* 6 entries .* older"):
        witnessed(witness, home, log)
    log.append([income(100 + i) for i in range(more)])
    # Nothing that is left in the home shows it.
    assert verify(home).ok
    with pytest.raises(VerificationFailed, match=f"{3 + more} entries .* 6 entries"):
        witnessed(witness, home, log)


def test_damaged_and_missing_tiles_are_no_proof(witness: Witness, log: Log, home: Path) -> None:
    log.append([income(i) for i in range(3)])
    witnessed(witness, home, log)
    log.append([income(i) for i in range(3, 9)])
    tile = home / "ledger" / "log" / "tile" / "0" / "000.p" / "9"
    data = tile.read_bytes()
    for wrong in (b"", data[:-1], bytes(len(data))):
        tile.write_bytes(wrong)
        with pytest.raises(VerificationFailed):
            witnessed(witness, home, log)
    tile.unlink()
    with pytest.raises(VerificationFailed, match="missing"):
        witnessed(witness, home, log)
    tile.write_bytes(data)
    assert witnessed(witness, home, log).checkpoint.size == 9


# Publishing cosignatures.


def theirs(witness: Witness) -> Verifier:
    return parse_witness_vkey(witness.vkey)


def test_cosignatures_are_published(witness: Witness, log: Log, home: Path, tmp_path: Path) -> None:
    log.append([income(i) for i in range(5)])
    plain = log.checkpoint()
    second = Witness.open(tmp_path / "second", name="second", clock=FixedClock("2026-11-22T00:00:00.000Z"))
    notes = [witnessed(each, home, log).note for each in (witness, second)]
    merged = log.cosigned(notes, [theirs(witness), theirs(second)])
    assert merged == log.checkpoint() == (home / "ledger" / "log" / "checkpoint").read_bytes()
    assert merged == plain + b"".join(note.removeprefix(plain) for note in notes)
    # Again adds nothing; who is not named is left out.
    assert log.cosigned(notes, [theirs(witness), theirs(second)]) == merged
    both = Policy((theirs(witness), theirs(second)), 2)
    assert both.check(merged) == ("w.example.com", "second")
    for policy in (None, both):
        report = verify(home, policy=policy)
        assert (report.problems, report.warnings) == ((), ())
    proved = check_receipt(log.prove(3), log.vkey, policy=both)
    assert [each.time for each in proved.cosignatures] == [TIME, 1_795_305_600]
    # An open of the log, and an append of nothing, leave them; the next entry does not.
    Log.open(home, create=True).append([])
    assert log.checkpoint() == merged
    log.append([income(5)])
    assert read_note(log.checkpoint(), both.witnesses).signatures == ()
    report = verify(home, policy=both)
    assert [(each.what, each.index) for each in report.problems] == [("checkpoint", None)]
    assert "0 of 2 witnesses" in report.problems[0].detail
    with pytest.raises(BadReceipt, match="0 of 2 witnesses"):
        check_receipt(log.prove(3), log.vkey, policy=both)


def test_only_named_witnesses_are_published(witness: Witness, log: Log, home: Path, tmp_path: Path) -> None:
    second = Witness.open(tmp_path / "second", name="second")
    note = witnessed(witness, home, log).note
    both = add_cosignatures(note, [witnessed(second, home, log).line])
    assert log.cosigned([both], [theirs(witness)]) == note


def test_a_newer_cosignature_takes_the_place(witness: Witness, log: Log, home: Path, tmp_path: Path) -> None:
    old = witnessed(witness, home, log).note
    later = Witness.open(tmp_path / "w", clock=FixedClock("2026-11-23T06:16:00.250Z"))
    new = witnessed(later, home, log).note
    for notes in ([old], [new], [old]):
        log.cosigned(notes, [theirs(witness)])
    assert log.checkpoint() == new


def test_what_is_not_published(witness: Witness, log: Log, home: Path, tmp_path: Path) -> None:
    log.append([income(0)])
    older = witnessed(witness, home, log).note
    log.append([income(1)])
    plain = log.checkpoint()
    good = witnessed(witness, home, log).note
    other = Log.open(tmp_path / "other", create=True)
    wrong = good[:-40] + (b"A" if good[-40:-39] != b"A" else b"B") + good[-39:]
    for notes, error, reason in (
        ([good, older], VerificationFailed, "2 entries"),
        ([good, plain], BadNote, "no cosignature of a witness"),
        ([good, wrong], BadNote, "does not fit"),
        ([good, other.checkpoint()], VerificationFailed, "2 entries"),
        ([good, b"x"], BadNote, "cut short"),
    ):
        with pytest.raises(error, match=reason):
            log.cosigned(notes, [theirs(witness)])
        assert log.checkpoint() == plain
    assert log.cosigned([good], [theirs(witness)]) == good


def test_a_published_cosignature_that_fails_is_not_built_on(witness: Witness, log: Log, home: Path) -> None:
    log.append([income(0)])
    older = witnessed(witness, home, log)
    log.append([income(1)])
    note = witnessed(witness, home, log).note
    published = home / "ledger" / "log" / "checkpoint"
    published.write_bytes(add_cosignatures(log.checkpoint(), [older.line]))
    with pytest.raises(BadNote, match=f"{published} was changed: .*copy"):
        log.cosigned([note], [theirs(witness)])
    shutil.copy(home / "ledger" / "signed", published)
    assert log.cosigned([note], [theirs(witness)]) == note


def test_a_crash_at_every_step_of_publishing(
    witness: Witness, log: Log, home: Path, tmp_path: Path, faulty: Callable[..., Any], crash: type[Exception]
) -> None:
    log.append([income(i) for i in range(3)])
    plain, note = log.checkpoint(), witnessed(witness, home, log).note
    whole = faulty()
    shutil.copytree(home, tmp_path / "counted")
    Log.open(tmp_path / "counted", disk=whole).cosigned([note], [theirs(witness)])
    seen: set[bytes] = set()
    for after in range(len(whole.steps)):
        copy = tmp_path / f"crash{after}"
        shutil.copytree(home, copy)
        with pytest.raises(crash):
            Log.open(copy, disk=faulty(after, crash())).cosigned([note], [theirs(witness)])
        again = Log.open(copy, create=True)
        assert again.checkpoint() in (plain, note)
        seen.add(again.checkpoint())
        report = verify(copy)
        assert (report.problems, report.warnings) == ((), ()), whole.steps[after]
        assert again.cosigned([note], [theirs(witness)]) == note
        assert again.append([income(3)]) == [3]
    assert seen == {plain, note}


def test_an_older_log_publishes_no_cosignatures(
    witness: Witness, log: Log, home: Path, tmp_path: Path
) -> None:
    log.append([income(0)])
    note = witnessed(witness, home, log).note
    shutil.copytree(home / "ledger" / "log", tmp_path / "old")
    log.append([income(1)])
    shutil.rmtree(home / "ledger" / "log")
    shutil.copytree(tmp_path / "old", home / "ledger" / "log")
    with pytest.raises(RefusesToSign, match="older copy"):
        log.cosigned([note], [theirs(witness)])


# Commands.

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stemloom", "--home", str(home), "ledger", *words])
        with pytest.raises(SystemExit) as exit:
            run()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(exit.value.code or 0), out, err

    return call


def test_the_whole_way(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(9))
    folder, w = str(home / "ledger" / "log"), str(tmp_path / "w")
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--name", "w.example.com")
    key = Witness.open(tmp_path / "w").vkey
    assert code == 0
    assert out.encode().startswith(log.checkpoint())
    assert Policy((parse_witness_vkey(key),), 1).check(out.encode()) == ("w.example.com",)
    assert key in err
    assert f"sees {log.origin} for the first time" in err
    assert call("witness-key", "--dir", w) == (0, key + "\n", "")
    assert json.loads(call("witness-key", "--dir", w, "--json")[1]) == {"vkey": key, "name": "w.example.com"}
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record == {
        "origin": log.origin,
        "size": 9,
        "root": log.root.hex(),
        "time": record["time"],
        "vkey": key,
        "checkpoint": record["checkpoint"],
        "first": False,
    }
    note = tmp_path / "cosigned"
    code, out, err = call("witness", folder, "--vkey", log.vkey, "--dir", w, "--out", str(note))
    assert (code, out) == (0, "")
    assert f"is in {note}" in err

    trust = ("--witness", key)
    assert call("verify", *trust)[0] == 5
    code, out, _ = call("cosign", str(note), *trust)
    assert code == 0
    assert out.startswith("cosigned by w.example.com at 20")
    assert log.checkpoint() == note.read_bytes()
    record = json.loads(call("cosign", str(note), *trust, "--json")[1])
    assert record["checkpoint"].encode() == log.checkpoint()
    assert [each["name"] for each in record["witnesses"]] == ["w.example.com"]
    code, out, _ = call("verify", *trust)
    assert (code, out.splitlines()[-2]) == (0, "cosigned by at least 1 of 1 witnesses")
    assert out.splitlines()[-1].startswith("cosigned by w.example.com at 20")
    assert json.loads(call("verify", *trust, "--json")[1])["witnesses"] == record["witnesses"]
    assert json.loads(call("verify", "--json")[1])["witnesses"] == []
    assert call("verify", "--log", folder, "--vkey", log.vkey, *trust)[0] == 0

    receipt = tmp_path / "receipt"
    call("prove", "4", "--out", str(receipt))
    check = ("check-receipt", str(receipt), "--vkey", log.vkey)
    code, out, _ = call(*check, *trust)
    assert code == 0
    assert out.splitlines()[-1].startswith("cosigned by w.example.com at 20")
    assert json.loads(call(*check, *trust, "--json")[1])["witnesses"] == record["witnesses"]
    assert json.loads(call(*check, "--json")[1])["witnesses"] == []
    other = ("--witness", WITNESSES[0].vkey)
    assert call(*check, *trust, *other, "--require", "1")[0] == 0
    for words in ((*check, *other), (*check, *trust, *other), ("verify", *trust, *other, "--require", "2")):
        code, out, err = call(*words)
        assert code == 5
        assert "are required" in out + err


def test_a_rollback_and_a_fork_exit_5(call: Call, log: Log, home: Path, story: Any, tmp_path: Path) -> None:
    log.append(story.whole(4))
    shutil.copytree(home, tmp_path / "backup")
    log.append(story.whole(8)[4:])
    words = ("witness", str(home / "ledger" / "log"), "--vkey", log.vkey, "--dir", str(tmp_path / "w"))
    assert call(*words, "--name", "w")[0] == 0
    honest = log.root.hex()
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    code, out, err = call(*words)
    assert (code, out) == (5, "")
    assert "has 4 entries" in err
    assert f"8 entries and the root {honest}" in err
    Log.open(home).append([story.sounds(seq) for seq in range(4)])
    code, out, err = call(*words, "--out", str(tmp_path / "out"))
    assert (code, out) == (5, "")
    assert "two histories" in err
    assert not (tmp_path / "out").exists()
    assert call("verify")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("witness", "{log}", "--vkey", "{witness}", "--dir", "{dir}"), 2, "that of a log is needed here"),
        (("witness", "{log}", "--vkey", "x", "--dir", "{dir}"), 2, "is not a verifier key"),
        (
            ("witness", "{log}", "--vkey", "{other}", "--dir", "{dir}"),
            5,
            "no signature of a key that is known",
        ),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{none}"), 4, "there is no witness in {none}"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{none}", "--name", "a b"), 2, "cannot name"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{dir}", "--name", "x"), 2, "keeps its name"),
        (("witness", "{home}", "--vkey", "{vkey}", "--dir", "{dir}"), 4, "there is no checkpoint in {home}"),
        (("witness", "{none}", "--vkey", "{vkey}", "--dir", "{dir}"), 2, "'{none}' does not exist"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{log}/checkpoint"), 2, "is a file"),
        (("witness", "{log}", "--dir", "{dir}"), 2, "--vkey"),
        (("witness", "{log}", "--vkey", "{vkey}", "--dir", "{dir}", "--out", "{home}"), 2, "is a folder"),
        (("witness-key", "--dir", "{none}"), 4, "there is no witness in {none}"),
        (("cosign", "--witness", "{witness}"), 2, "FILE"),
        (("cosign", "{log}/checkpoint"), 2, "--witness"),
        (("cosign", "{log}/checkpoint", "--witness", "{vkey}"), 2, "that of a witness is needed here"),
        (("cosign", "{log}/checkpoint", "--witness", "{witness}"), 5, "no cosignature of a witness"),
        (("cosign", "{none}", "--witness", "{witness}"), 2, "'{none}' does not exist"),
        (("verify", "--require", "1"), 2, "--require needs witnesses"),
        (("verify", "--witness", "{witness}", "--require", "2"), 2, "more than the 1 witnesses"),
        (("verify", "--witness", "{witness}", "--require", "0"), 2, "--require"),
        (("verify", "--witness", "{vkey}"), 2, "that of a witness is needed here"),
        (("verify", "--witness", "{witness}", "--witness", "{witness}"), 2, "are one witness"),
        (("verify", "--witness", "{witness}"), 5, ""),
    ],
)
def test_mistakes(
    call: Call,
    log: Log,
    home: Path,
    witness: Witness,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    names = {
        "log": home / "ledger" / "log",
        "home": home,
        "vkey": log.vkey,
        "other": vkey(log.origin, 1, KEYS[0]),
        "witness": witness.vkey,
        "dir": tmp_path / "w",
        "none": tmp_path / "none",
    }
    before = log.checkpoint()
    got, _, err = call(*[word.format(**names) for word in words])
    assert got == code
    assert "".join(sentence.format(**names).split()) in "".join(err.split())
    assert log.checkpoint() == before
    assert not (tmp_path / "none").exists()
    assert witness.last(parse_vkey(log.vkey)) is None


def test_a_log_without_a_ledger_of_ours(call: Call, witness: Witness, tmp_path: Path) -> None:
    """A witness needs no home, and any log of the format will do; one that is cut short will not."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_text(signed(body(3, root_of(LEAVES[:3]))))
    words = ("witness", str(tmp_path / "log"), "--vkey", VERIFIER.vkey, "--dir", str(tmp_path / "w"), "-q")
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert out.startswith(LOG)
    (tmp_path / "log" / "checkpoint").write_text(signed(body(4, root_of(LEAVES[:4]))))
    code, out, err = call(*words)
    assert (code, out) == (5, "")
    assert "is missing from the log" in err


def test_the_page_holds(tmp_path: Path) -> None:
    """The commands of docs/witness.md run as they stand, in one shell."""
    page = (ROOT / "docs" / "witness.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    launcher = tmp_path / "bin" / "stemloom"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stemloom "$@"\n')
    launcher.chmod(0o755)
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        ["bash", "-euc", "".join(blocks)],
        cwd=tmp_path / "work",
        env={
            **os.environ,
            "PATH": f"{launcher.parent}{os.pathsep}{os.environ['PATH']}",
            "STEMLOOM_HOME": str(tmp_path / "home"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cosigned by" in done.stdout
