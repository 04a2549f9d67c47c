"""A signed statement counts once, in time, and only after what it follows.

Each attack here was made with signatures that the holders had given; none was forged.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from stemloom.ledger.clock import milliseconds_of, text_at
from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.canonical import digest
from stemloom.ledger.entries.entries import WHOLE_PPM
from stemloom.ledger.entries.recordings import signed_by
from stemloom.ledger.entries.rights import Rights
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.audit import Audit

from . import making

ORIGIN = "stemloom/fresh"
ADA, BEN = (PrivateKey.from_seed(bytes([number] * 32)) for number in (1, 2))
A, B = (signing.holder_id(key.public) for key in (ADA, BEN))
EXPIRES = "2026-12-21T00:00:00.000Z"
JOINED = [making.holder(ADA, ORIGIN, name="Ada"), making.holder(BEN, ORIGIN, name="Ben")]
STEM = making.stem("tide", A)
WHOLE = making.shares((A, WHOLE_PPM))
HALF = making.shares(*sorted([(A, 500_000), (B, 500_000)]))


def at(second: int) -> str:
    return text_at(milliseconds_of(making.TIME) + 1000 * second)


def splits(shares: Any, before: entries.Entry | None, second: int = 1, **changes: Any) -> entries.Splits:
    """Splits of Ada's stem, signed by both; `before`: the entry that they follow, None for the old form."""
    fields: dict[str, Any] = {}
    if before is not None:
        fields = {"title": "tide", "previous": digest(before), "expires": EXPIRES}
    entry = entries.Splits(
        **{"time": at(second), "stem": STEM.stem, "holder": A, "master": shares, "publishing": WHOLE,
           "signature": making.NOT_SIGNED, **fields, **changes},
    )  # fmt: skip
    entry = making.signed(entry, ORIGIN, ADA)
    return making.signed(entry, ORIGIN, BEN, "approval", B)


def grant(action: str, second: int, previous: int | None, **changes: Any) -> entries.Consent:
    said = {"action": action, "time": at(second), "previous": previous, "title": "tide", "expires": EXPIRES}
    return making.consent(ADA, ORIGIN, STEM.stem, **said | changes)


def faults(*log: entries.Entry) -> dict[int, list[str]]:
    """What the audit says of each entry of a log of whom Ada and Ben have joined."""
    audit, found = Audit(ORIGIN), {}
    for index, entry in enumerate([*JOINED, *log]):
        if said := list(audit.take(index, entry)):
            found[index] = said
    return found


FIRST = splits(HALF, None)
BACK = splits(WHOLE, None, 2)
NEW = splits(HALF, STEM)
NEW_BACK = splits(WHOLE, NEW, 2)
GRANTED, GONE = grant("grant", 1, None), grant("withdraw", 2, 3)
BOUGHT = splits(HALF, NEW_BACK, 3)


def test_what_is_right_passes() -> None:
    assert faults(STEM, FIRST, BACK) == {}
    assert faults(STEM, NEW, NEW_BACK, BOUGHT) == {}
    assert faults(STEM, FIRST, splits(WHOLE, FIRST, 2)) == {}
    assert faults(STEM, grant("grant", 1, None), grant("withdraw", 2, 3), grant("grant", 3, 4)) == {}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        # Ben gave his half back and bought in again; the statement of then is copied from the log.
        ([STEM, FIRST, BACK, splits(HALF, None, 3), BACK], "counts once"),
        ([STEM, NEW, NEW_BACK, BOUGHT, NEW_BACK], "counts once"),
        # One that was signed and kept, while others were set.
        ([STEM, NEW, splits(WHOLE, STEM, 2)], "does not follow the shares"),
        ([STEM, NEW, NEW_BACK, BOUGHT, splits(WHOLE, NEW, 2)], "does not follow the shares"),
        ([STEM, splits(HALF, STEM, previous="0" * 64)], "does not follow the shares"),
        # The old form, which names nothing that it follows, after the new one.
        ([STEM, NEW, splits(WHOLE, None, 2)], "has no expiry"),
        ([STEM, splits(HALF, STEM, received="2027-01-01T00:00:00.000Z")], "expired"),
        ([STEM, splits(HALF, STEM, 9, received=at(3))], "before it was signed"),
        ([STEM, splits(HALF, STEM, title="Tide II")], "names it 'Tide II'"),
        # A withdrawal is copied from the log after its holder has granted again.
        ([STEM, GRANTED, GONE, grant("grant", 3, 4), GONE],
         "counts once"),
        ([STEM, GRANTED, GONE, GRANTED], "counts once"),
        ([STEM, grant("grant", 1, None, title="Tide II")], "names it 'Tide II'"),
        ([STEM, grant("grant", 1, None, received="2027-01-01T00:00:00.000Z")], "expired"),
    ],
)  # fmt: skip
def test_a_statement_that_was_signed_for_another_time_is_found(log: list[entries.Entry], why: str) -> None:
    found = faults(*log)
    assert list(found) == [len(JOINED) + len(log) - 1]
    assert any(why in each for each in found[len(JOINED) + len(log) - 1]), found


def test_another_signature_under_the_same_words_is_the_same_statement() -> None:
    """A signer can make as many signatures of one message as they like."""
    again = msgspec.structs.replace(BACK, approvals=tuple(reversed(BACK.approvals or ())))
    assert "counts once" in str(faults(STEM, FIRST, BACK, again))


def test_the_order_of_the_log_says_who_owns_it_whatever_the_clocks_say() -> None:
    late = splits(WHOLE, NEW, -3600)
    rights = Rights()
    for index, entry in enumerate([*JOINED, STEM, NEW, late]):
        rights.take(index, entry)
    assert [each.index for each in rights.owned(STEM.stem, 9)] == [2, 3, 4]
    assert rights.owned_before(STEM.stem, at(0), 9).index == 2
    assert rights.owned_before(STEM.stem, at(60), 9).index == 4
    old = Rights()
    for index, entry in enumerate([*JOINED, STEM, splits(HALF, None, 5), splits(WHOLE, None, 1)]):
        old.take(index, entry)
    # Statements of before go by their own times, as they did when they were settled.
    assert [each.index for each in old.owned(STEM.stem, 9)] == [2, 4, 3]


def words(*stems: entries.Stem, key: PrivateKey = ADA) -> list[entries.Stem]:
    return signed_by(stems, key, ORIGIN, making.TIME, EXPIRES)


def test_a_holders_word_covers_each_recording_of_a_list() -> None:
    for count in range(1, 9):
        stems = [making.stem(f"stem {number}", A, isrc="QZABC2600001") for number in range(count)]
        assert faults(*words(*stems)) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Tide II"},
        {"isrc": "QZABC2600002"},
        {"isrc": None},
        {"iswc": "T0000000010"},
        {"role": "pads"},
        {"bpm_milli": 60_000},
        {"master": HALF},
        {"publishing": HALF},
        {"energy_milli": 1},
        {"file_sha256": "0" * 64},
        {"mood": ("warm",)},
    ],
)
def test_whatever_is_changed_of_a_recording_breaks_its_holders_word(changes: dict[str, Any]) -> None:
    stems = words(making.stem("a", A, isrc="QZABC2600001"), STEM, making.stem("b", A))
    changed = msgspec.structs.replace(stems[0], **changes)
    found = faults(stems[1], changed)
    assert "not in the list of recordings" in found[3][0]


def test_a_word_counts_once_in_time_and_from_the_holder_alone() -> None:
    first, other = words(STEM, making.stem("b", A))
    word = first.signed
    assert word is not UNSET
    removal = entries.Removal(time=at(1), stem=STEM.stem, file_sha256=STEM.file_sha256)

    def changed(**fields: Any) -> entries.Stem:
        return msgspec.structs.replace(first, signed=msgspec.structs.replace(word, **fields))

    for log, why in (
        ([first, removal, first], "counts once"),
        ([msgspec.structs.replace(first, time="2027-01-01T00:00:00.000Z")], "expired"),
        ([first, making.stem("c", A)], "without its holder's word"),
        ([words(STEM, key=BEN)[0]], "signature"),
        ([changed(expires="2030-01-01T00:00:00.000Z")], "signature"),
        ([changed(index=1)], "not in the list"),
        ([changed(count=1)], "not in the list"),
        ([changed(path=())], "not in the list"),
        ([changed(root=digest(STEM))], "not in the list"),
        ([msgspec.structs.replace(making.stem("c", A), signed=other.signed)], "not in the list"),
    ):
        found = faults(*log)
        assert list(found) == [len(JOINED) + len(log) - 1]
        assert any(why in each for each in found[len(JOINED) + len(log) - 1]), (why, found)
    assert faults(first, making.stem("b's own", B)) == {}


def test_an_older_log_passes_and_what_is_weaker_in_it_is_said() -> None:
    audit = Audit(ORIGIN)
    for index, entry in enumerate([*JOINED, STEM, FIRST]):
        assert list(audit.take(index, entry)) == []
    assert audit.weaker() == (
        "1 stem came in without their holders' word on titles, identifiers and first shares",
        "3 statements without an expiry: they could have been signed long before they came in",
    )
