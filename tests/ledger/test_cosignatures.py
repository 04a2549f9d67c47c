"""Cosignatures beside ones made by hand, their merging into a note, and policies of k of n witnesses."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, strategies as st
from tlog_scales.signing import Ed25519CosignatureVerifier, NoteSignature, Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from stemloom.ledger.errors import (
    BadNote,
    BadVkey,
)
from stemloom.ledger.tlog.cosignature import add_cosignatures, cosign, cosignatures_of, parse_witness_vkey
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import Verifier, open_note, parse_vkey
from stemloom.ledger.tlog.policy import Policy

from .by_hand import (
    BODY,
    KEYS,
    LOG,
    ORIGIN_KEY,
    TIME,
    VERIFIER,
    WITNESSES,
    body,
    cosigned,
    key_id,
    signed,
    vkey,
)

# Cosignatures.


def test_a_cosignature_made_by_hand_holds() -> None:
    note = open_note((signed(BODY) + cosigned(BODY, 0)).encode(), [VERIFIER, WITNESSES[0]])
    assert [each.signer for each in note.signatures] == [VERIFIER, WITNESSES[0]]
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
        (signed(BODY) + cosigned(BODY, 0, 2**63), "an invalid time"),
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
        (lines_of(signed(BODY))[0], "nothing else can be added"),
        (lines_of(signed(BODY, "other"))[0], "nothing else can be added"),
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
