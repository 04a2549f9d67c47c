"""A log under its witnesses: it grows, is put back from a backup, and publishes their cosignatures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.errors import (
    BadNote,
    BadReceipt,
    RefusesToSign,
    VerificationFailed,
)
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog.cosignature import add_cosignatures
from stemloom.ledger.tlog.note import parse_vkey, read_note
from stemloom.ledger.tlog.policy import Policy
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.witness import Witness, prover
from stemloom.ledger.verify.verify import verify

from .by_hand import (
    TIME,
    income,
    theirs,
    witnessed,
)

# A log that a witness looks at.


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
