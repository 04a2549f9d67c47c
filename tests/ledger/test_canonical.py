"""Canonical entries: encode and decode are inverse, and nothing else decodes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec import UNSET

from stemloom.ledger.entries.canonical import LARGEST_ENTRY, decode, digest, dumps, encode
from stemloom.ledger.entries.entries import (
    Consent,
    Entry,
    Income,
    Placement,
    Session,
    SettledStem,
    Share,
    Stem,
    Terms,
    ms_of,
)
from stemloom.ledger.errors import BadEntry

COUNT = st.integers(0, 2**53 - 1)
POSITIVE = st.integers(1, 2**53 - 1)
PPM = st.integers(0, 1_000_000)
WORD = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
DIGEST = st.binary(min_size=32, max_size=32).map(bytes.hex)
ID = st.binary(min_size=10, max_size=10).map(lambda data: "s" + data.hex())
TIME = st.datetimes().map(lambda t: f"{t.year:04d}-{t:%m-%dT%H:%M:%S}.{t.microsecond // 1000:03d}Z")
USE = st.sampled_from(("stream", "live", "export", "sync"))
TIER = st.sampled_from(("free", "subscriber", "developer", "enterprise"))
SHARES = st.lists(st.builds(Share, holder=ID, ppm=PPM), max_size=3).map(tuple)
SIGNATURE = st.just("A" * 86 + "==")

ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        Placement, session=ID, seq=COUNT, stem=ID, use=USE, tier=TIER, role=WORD, part=WORD, section=WORD,
        line=POSITIVE, start_frame=COUNT, frames=COUNT, rate=POSITIVE, start=TIME, ms=COUNT, consent=COUNT,
    ),
    st.builds(
        Consent, time=TIME, origin=WORD, holder=ID, stem=ID, uses=st.lists(USE).map(tuple),
        action=st.sampled_from(("grant", "withdraw")), until=st.none() | TIME, previous=st.none() | COUNT,
        signature=SIGNATURE,
        allows=st.just(UNSET) | st.lists(st.sampled_from(("chop", "stretch")), max_size=3).map(tuple),
    ),
    st.builds(
        Session, time=TIME, session=ID, state=st.sampled_from(("opened", "closed")), use=USE, tier=TIER,
        user=DIGEST, script=DIGEST, seed=COUNT, vault=DIGEST, engine=WORD, licence=st.none() | WORD,
        take=st.none() | DIGEST, placements=st.none() | COUNT, ms=st.none() | COUNT,
    ),
    st.builds(
        Stem, time=TIME, stem=ID, holder=ID, pcm_sha256=DIGEST, file_sha256=DIGEST, title=WORD, role=WORD,
        shape=st.sampled_from(("loop", "sustained", "hit")), bpm_milli=st.none() | POSITIVE,
        beats=st.none() | POSITIVE, key=st.none() | WORD, mood=st.lists(WORD, max_size=3).map(tuple),
        energy_milli=st.integers(0, 1000), set=st.none() | WORD, isrc=st.none() | WORD, master=SHARES,
        publishing=SHARES,
    ),
    st.builds(
        Terms, time=TIME, effective=TIME, pool_ppm=st.just((("subscription", 5), ("sync", 7))),
        master_ppm=PPM, threshold=COUNT,
    ),
    st.builds(
        Income, time=TIME, source=st.just("sync"), currency=st.just("EUR"), amount=POSITIVE, period=WORD,
        reference=WORD,
    ),
)  # fmt: skip

PLAIN = Income(
    time="2026-11-21T06:16:00.250Z", source="sync", currency="EUR", amount=5, period="2026", reference="né\n"
)


@settings(max_examples=300)
@given(ENTRIES)
def test_decode_is_the_inverse_of_encode(entry: Entry) -> None:
    data = encode(entry)
    assert decode(data) == entry
    assert encode(decode(data)) == data


@given(ENTRIES, st.data())
def test_what_decodes_is_canonical(entry: Entry, data: st.DataObject) -> None:
    changed = bytearray(encode(entry))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    try:
        read = decode(bytes(changed))
    except BadEntry:
        return
    assert encode(read) == bytes(changed)


def _text(**changes: Any) -> str:
    fields = json.loads(encode(PLAIN))
    fields.update(changes)
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        _text() + " ",
        _text() + "\n",
        " " + _text(),
        _text().replace(":5", ": 5"),
        _text().replace(":5", ":5.0"),
        _text().replace(":5", ":5e0"),
        _text().replace(":5", ":05"),
        _text().replace(":5", ":-5"),
        _text().replace(":5", ":0"),
        _text().replace(":5", f":{2**53}"),
        _text().replace("é", "\\u00e9"),
        _text().replace("sync", "s\\u0079nc"),
        _text().replace("\\n", "\\u000a"),
        _text(v=2),
        _text(v=True),
        _text(kind="unheard"),
        _text(more=1),
        _text(reference=None),
        _text(reference=""),
        _text(currency="eur"),
        _text(currency="EUR\n"),
        _text(time="2026-02-30T06:16:00.250Z"),
        _text(time="2026-11-21T24:16:00.250Z"),
        _text(time="2026-11-21T06:16:60.250Z"),
        _text(time="2026-11-21 06:16:00.250Z"),
        _text(time="2026-11-21T06:16:00.25Z"),
        _text(time="2026-11-21T06:16:00.250z"),
        _text(time="٢026-11-21T06:16:00.250Z"),
        _text()[:-1] + ',"amount":5}',
        _text().replace('"v":1,', "").replace("}", ',"v":1}'),
        "[" * 100_000,
    ],
)
def test_what_is_not_canonical(text: str) -> None:
    with pytest.raises(BadEntry):
        decode(text.encode())


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(BadEntry):
        decode(_text().encode().replace("é".encode(), b"\xe9"))
    with pytest.raises(BadEntry, match="65535"):
        decode(b" " * (LARGEST_ENTRY + 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": -1},
        {"amount": 2**53},
        {"amount": 2**70},
        {"amount": 1.5},
        {"currency": "euro"},
        {"time": "now"},
        {"time": "2026-02-30T06:16:00.250Z"},
        {"reference": "\ud800"},
        {"reference": object()},
        {"source": "theft"},
    ],
)
def test_a_record_that_holds_what_it_may_not(changes: dict[str, Any]) -> None:
    with pytest.raises(BadEntry):
        encode(msgspec.structs.replace(PLAIN, **changes))


def test_an_id_ends_where_it_ends() -> None:
    placed = ('{"holder":"habc\\n","ppm":1}', '{"holder":"habc","ppm":1}')
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(placed[0], type=Share)
    assert msgspec.json.decode(placed[1], type=Share).holder == "habc"


def test_digest_is_over_the_canonical_bytes() -> None:
    row = SettledStem(stem="sab", ms=5, amount=7)
    assert dumps([row]) == b'[{"stem":"sab","ms":5,"amount":7}]'
    assert digest([row]) == hashlib.sha256(dumps([row])).hexdigest()


@given(st.integers(0, 10**9), st.integers(1, 200_000))
def test_milliseconds_round_half_to_even(frames: int, rate: int) -> None:
    from fractions import Fraction

    assert ms_of(frames, rate) == round(Fraction(frames * 1000, rate))
