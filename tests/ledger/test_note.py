"""Signed notes, verifier keys and checkpoints: the published vector, and strict parsing."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from stemloom.ledger.errors import BadNote, BadVkey
from stemloom.ledger.tlog.checkpoint import Checkpoint, open_checkpoint, origin_of, read_body, sign_checkpoint
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.note import Verifier, open_note, parse_vkey, sign_note

VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = "This is an example message.\n"
SIGNATURE = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
NOTE = f"{TEXT}\n— example.com/foo {SIGNATURE}\n"
KEY = PrivateKey.from_seed(b"k" * 32)
OURS = Verifier("stemloom/test", KEY.public)


def test_the_published_vector() -> None:
    verifier = parse_vkey(VKEY)
    assert verifier.vkey == VKEY
    note = open_note(NOTE.encode(), [verifier])
    assert (note.text, note.unknown) == (TEXT, 0)
    assert [each.signer for each in note.signatures] == [verifier]


def test_every_changed_byte_is_refused() -> None:
    verifier = parse_vkey(VKEY)
    data = NOTE.encode()
    for place in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= flip
            with pytest.raises(BadNote):
                open_note(bytes(changed), [verifier])
        with pytest.raises(BadNote):
            open_note(data[:place], [verifier])
        with pytest.raises(BadNote):
            open_note(data[:place] + b"\n" + data[place:], [verifier])


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("", "cut short"),
        (TEXT, "cut short"),
        (NOTE[:-1], "cut short"),
        (NOTE + "\n", "cut short"),
        (NOTE.replace("\n", "\r\n"), "control character"),
        (NOTE.replace("This", "Th\tis"), "control character"),
        (NOTE.replace("—", "-"), "form"),
        (NOTE.replace("— ", "—  "), "form"),
        (NOTE.replace("foo ", "fo+o "), "form"),
        (NOTE.replace("foo ", "foo\u00a0o "), "form"),
        (NOTE.replace("aQM=", "aQN="), "base64"),
        (NOTE.replace("aQM=", "aQM"), "base64"),
        (f"{TEXT}\n— example.com/foo AAAA\n", "too short"),
        (NOTE.replace("message", "massage"), "does not fit"),
        (NOTE + NOTE.splitlines()[-1] + "\n", "two signatures"),
        (NOTE.replace("example.com/foo", "example.com/bar"), "known here"),
    ],
)
def test_what_is_not_a_note(note: str, reason: str) -> None:
    with pytest.raises(BadNote, match=reason):
        open_note(note.encode(), [parse_vkey(VKEY)])


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(BadNote, match="UTF-8"):
        open_note(b"\xff" + NOTE.encode(), [parse_vkey(VKEY)])
    with pytest.raises(BadNote, match="too large"):
        open_note(b"x" * 1_000_001, [])


def test_unknown_signatures_are_passed_over_and_a_failing_known_one_is_not() -> None:
    ours = sign_note(TEXT, OURS.name, KEY).decode()
    both = ours + NOTE.splitlines()[-1] + "\n"
    assert open_note(both.encode(), [OURS]).unknown == 1
    assert len(open_note(both.encode(), [OURS, parse_vkey(VKEY)]).signatures) == 2
    wrong = both.replace("Uw2QOkn8", "Uw2QOkn9")
    assert open_note(wrong.encode(), [OURS]).unknown == 1
    with pytest.raises(BadNote, match=r"example\.com/foo"):
        open_note(wrong.encode(), [OURS, parse_vkey(VKEY)])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "x",
        "example.com/foo+530d903a",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("example.com/foo", "example.com/fop"),
        VKEY.replace("example.com/foo", ""),
        VKEY.replace("example.com/foo", "a b"),
        VKEY[:-1],
        VKEY + "\n",
        VKEY.replace("+Aek", "+Bek"),
    ],
)
def test_what_is_not_a_verifier_key(vkey: str) -> None:
    with pytest.raises(BadVkey, match="verifier key"):
        parse_vkey(vkey)


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60).map(lambda text: text + "\n"),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1).filter(lambda n: "+" not in n),
)
def test_opening_gives_back_what_was_signed(text: str, name: str) -> None:
    verifier = Verifier(name, KEY.public)
    assert parse_vkey(verifier.vkey) == verifier
    assert open_note(sign_note(text, name, KEY), [verifier]).text == text


@pytest.mark.parametrize(
    ("text", "name"), [("no newline", "n"), ("tab\t\n", "n"), ("x\n", "a b"), ("x\n", "")]
)
def test_what_cannot_be_signed(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"note|name"):
        sign_note(text, name, KEY)


@given(st.integers(0, 2**53), st.binary(min_size=32, max_size=32))
def test_checkpoints_come_back(size: int, root: bytes) -> None:
    made = Checkpoint(OURS.name, size, root)
    assert open_checkpoint(sign_checkpoint(made, KEY), OURS) == made


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("o\n1\n", "three lines"),
        ("\n1\nAAAA\n", "three lines"),
        ("o\n01\nAAAA\n", "decimal"),
        ("o\n-1\nAAAA\n", "decimal"),
        ("o\n١\nAAAA\n", "decimal"),
        ("o\n1\nAAAA\n", "SHA-256"),
        ("o\n1\nA\n", "base64"),
    ],
)
def test_what_is_not_a_checkpoint(body: str, reason: str) -> None:
    with pytest.raises(BadNote, match=reason):
        read_body(body)


def test_a_checkpoint_of_another_origin() -> None:
    data = sign_note(Checkpoint("elsewhere", 0, bytes(32)).body, OURS.name, KEY)
    with pytest.raises(BadNote, match="elsewhere"):
        open_checkpoint(data, OURS)


def test_extension_lines_are_passed_over() -> None:
    data = sign_note(Checkpoint(OURS.name, 3, bytes(32)).body + "extension\n", OURS.name, KEY)
    assert open_checkpoint(data, OURS).size == 3


def test_an_origin_follows_from_its_key() -> None:
    assert origin_of(KEY.public) != origin_of(PrivateKey.from_seed(b"l" * 32).public)
    assert origin_of(KEY.public).startswith("stemloom/")
