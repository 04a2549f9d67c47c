"""Receipts of sessions: what is counted is signed and read again, and old sessions stay as they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from msgspec import structs

from stemloom.ledger.entries.canonical import decode, encode
from stemloom.ledger.errors import BadReceipt
from stemloom.ledger.log.session_receipt import MARGIN_SECONDS, Mark, Tally, check_session_receipt
from stemloom.ledger.tlog.checkpoint import origin_of
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.tlog.merkle import leaf_hash
from stemloom.ledger.tlog.note import Verifier

from . import making

RATE = 48_000
PUBLIC = PrivateKey.from_seed(bytes(32)).public
ORIGIN, VKEY = origin_of(PUBLIC), Verifier(origin_of(PUBLIC), PUBLIC).vkey
STEMS = st.sampled_from(["s" + letter * 20 for letter in "abc"])
FRAMES = st.integers(1, 5 * RATE)
ENDED = st.tuples(STEMS, FRAMES, st.binary(min_size=1, max_size=20))
SPANS = st.lists(
    st.tuples(st.lists(ENDED, max_size=4), st.lists(st.tuples(STEMS, FRAMES), max_size=3)), max_size=6
)


@given(spans=SPANS)
def test_what_is_counted_is_what_is_read_again(
    spans: list[tuple[list[tuple[str, int, bytes]], list[tuple[str, int]]]],
) -> None:
    tally, opened = Tally(RATE), making.session("opened")
    in_play: dict[str, int] = {}
    most: dict[str, int] = {}
    digest = hashlib.sha256()
    for number, (ended, sounding) in enumerate(spans, start=1):
        for stem, frames, entry in ended:
            tally.ended(stem, frames, entry)
            in_play[stem] = in_play.get(stem, 0) + frames
            digest.update(leaf_hash(entry))
        assert tally.next_frame == number * 10 * RATE
        tally.mark(number * 10 * RATE, sounding)
        now = dict(in_play)
        for stem, frames in sounding:
            now[stem] = now.get(stem, 0) + max(frames - MARGIN_SECONDS * RATE, 0)
        most = {stem: max(most.get(stem, 0), now.get(stem, 0)) for stem in {*most, *now}}
    receipt = tally.receipt(ORIGIN, opened, making.TIME)
    kept = check_session_receipt(receipt.encoded(), VKEY)
    assert (kept.opening, kept.seconds) == (None, 10.0 * len(spans))
    assert kept.in_play() == receipt.in_play() == {stem: frames for stem, frames in most.items() if frames}
    if spans:
        assert kept.marks[-1].ended == digest.hexdigest()
        assert kept.marks[-1].placements == sum(len(ended) for ended, _ in spans)


def test_nothing_is_signed_after_the_close() -> None:
    tally = Tally(RATE)
    tally.mark(RATE)
    closing = making.session("closed", 0, 0)
    last = tally.closed(ORIGIN, closing)
    assert check_session_receipt(last.encoded(), VKEY).head.state == "closed"
    with pytest.raises(BadReceipt, match="its key is gone"):
        tally.receipt(ORIGIN, closing, making.TIME)
    other = Tally(RATE)
    other.forget()
    with pytest.raises(BadReceipt, match="its key is gone"):
        other.receipt(ORIGIN, closing, making.TIME)


def test_counts_that_go_down_are_refused_though_they_are_signed() -> None:
    """The operator has the key while it plays: what contradicts itself proves nothing."""
    for marks in (
        [Mark(RATE, 2, "0" * 64, ()), Mark(2 * RATE, 1, "0" * 64, ())],
        [Mark(2 * RATE, 1, "0" * 64, ()), Mark(RATE, 1, "0" * 64, ())],
    ):
        tally = Tally(RATE)
        for mark in marks:
            tally.placements = mark.placements
            tally.mark(mark.frame)
        with pytest.raises(BadReceipt, match="do not count upwards"):
            check_session_receipt(
                tally.receipt(ORIGIN, making.session("opened"), making.TIME).encoded(), VKEY
            )


@pytest.mark.parametrize(
    "data", [b"", b"stemloom session receipt v1\n", b"stemloom session receipt v1\n{}\n\n\n"]
)
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(BadReceipt):
        check_session_receipt(data, VKEY)


def test_a_closed_one_counts_its_last_mark() -> None:
    tally = Tally(RATE)
    tally.mark(RATE)
    last = tally.closed(ORIGIN, making.session("closed", 3, 9))
    with pytest.raises(BadReceipt, match="something else than its last mark"):
        check_session_receipt(last.encoded(), VKEY)
    with pytest.raises(BadReceipt, match="not signed by the key"):
        check_session_receipt(replace(last, head=structs.replace(last.head, placements=0)).encoded(), VKEY)


def test_a_session_of_before_has_no_key_in_its_bytes() -> None:
    before = making.session("opened")
    assert b"receipt_key" not in encode(before)
    now = structs.replace(before, receipt_key=Tally(RATE).public_key)
    assert decode(encode(now)) == now
    assert encode(now).startswith(encode(before)[:-1])
