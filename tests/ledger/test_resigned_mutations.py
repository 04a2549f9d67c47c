"""Logs with one field changed, made to fit and signed again with their own key: what verifies, who finds it.

An operator has that key, so hashes and signatures of the log stop nobody. What passes verification changes
nobody's money, or somebody who kept something finds it: `FOUND` says with what, and each row is shown.
`MUTATIONS=10000 pytest -m long` runs more; `SEED` draws others.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.division.errors import NotAsStated
from stemloom.ledger.errors import LedgerError
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.royalties.recompute import recompute
from stemloom.ledger.tlog.checkpoint import open_checkpoint
from stemloom.ledger.tlog.note import parse_vkey
from stemloom.ledger.tlog.reader import TileReader
from stemloom.ledger.tlog.witness import Witness, prover
from stemloom.ledger.verify.verify import verify

from .resigned import Mutation, Original, heard_of, money, mutated, rewritten

SEED = int(os.environ.get("SEED", "1"))
MANY = int(os.environ.get("MUTATIONS", "10000"))
FEW = 200

ALWAYS = ("a kept checkpoint", "a witness", "a kept receipt")
"""These find whatever was changed before they were made."""
FOUND: dict[tuple[str, str], tuple[str, ...]] = {
    ("placement", "frames"): (*ALWAYS, "a take"),
    ("placement", "start"): ALWAYS,
    ("stem", "master"): (*ALWAYS, "a statement"),
    ("stem", "publishing"): (*ALWAYS, "a statement"),
    ("terms", "pool_ppm"): (*ALWAYS, "a statement"),
    ("terms", "master_ppm"): (*ALWAYS, "a statement"),
    ("terms", "threshold"): (*ALWAYS, "a statement"),
    ("terms", "effective"): (*ALWAYS, "a statement"),
    ("income", "amount"): ALWAYS,
    ("income", "source"): ALWAYS,
    ("income", "period"): ALWAYS,
    ("income", "currency"): ALWAYS,
    ("payout", "amount"): (*ALWAYS, "a statement"),
    ("payout", "holder"): (*ALWAYS, "a statement"),
    ("payout", "currency"): (*ALWAYS, "a statement"),
    ("correction", "amount"): ALWAYS,
    ("correction", "corrects"): ALWAYS,
    ("settlement", "period"): (*ALWAYS, "a statement"),
    ("settlement", "last"): (*ALWAYS, "a statement"),
}
"""By kind and field, with what that others kept a change of money is found that verifies by itself."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("original")
    witness = Witness.open(folder / "w", name="w.example.com", clock=FixedClock("2025-05-06T13:00:00.000Z"))
    made = Original(folder, witness)
    _cosign(made, Path(made.home.path) / "ledger" / "log")
    return made


def test_the_original_holds(original: Original) -> None:
    report = verify(original.home.path)
    assert (report.problems, len(report.gaps)) == ((), 1)
    for path in original.statements:
        recompute(path, original.home.path, vkey=original.vkey)


def test_a_change_that_verifies_changes_no_money_or_is_found(original: Original, tmp_path: Path) -> None:
    run(original, tmp_path, FEW)


@pytest.mark.long
def test_ten_thousand_changes(original: Original, tmp_path: Path) -> None:
    run(original, tmp_path, MANY)


def run(original: Original, folder: Path, count: int) -> None:
    """Draw, write and verify so many changes, and count those that pass."""
    tried: Counter[tuple[str, str]] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    paying: Counter[tuple[str, str]] = Counter()
    unknown: list[str] = []
    for change in changes(original, count):
        row = change.kind, change.field
        tried[row] += 1
        if not passes(original, change, folder):
            continue
        passed[row] += 1
        if money(change.entries) != original.paid:
            paying[row] += 1
            if row not in FOUND:
                unknown.append(f"entry {change.index}, {change.kind}.{change.field}")
    print(f"\n{sum(tried.values())} changes, {sum(passed.values())} verify, {sum(paying.values())} of money")
    for row, number in sorted(passed.items()):
        print(f"{'.'.join(row):30} {tried[row]:6} tried {number:6} verify {paying[row]:6} change money")
    assert unknown == []


@pytest.mark.parametrize("row", FOUND, ids=".".join)
def test_who_keeps_what_finds_it(original: Original, tmp_path: Path, row: tuple[str, str]) -> None:
    """Changes of that field that verify and change money, and each of the things that find them."""
    random, found = Random(SEED), 0
    for change in changes(original, 2000, random, row):
        if not passes(original, change, tmp_path) or money(change.entries) == original.paid:
            continue
        for evidence in FOUND[row]:
            assert EVIDENCE[evidence](original, change, tmp_path / "log"), evidence
        found += 1
        if found == 2:
            return
    assert found, "no such change verifies: the row is not needed any more"


def changes(
    original: Original, count: int, random: Random | None = None, row: tuple[str, str] | None = None
) -> Iterator[Mutation]:
    random, given = random or Random(SEED), 0
    for _ in range(20 * count):
        change = mutated(original, random, row)
        if change is not None:
            yield change
            given += 1
            if given == count:
                return


def passes(original: Original, change: Mutation, folder: Path) -> bool:
    log = rewritten(change.entries, original.key, original.home.log.origin, folder / "log")
    return verify(log, vkey=original.vkey).ok


def by_checkpoint(original: Original, change: Mutation, log: Path) -> bool:
    return not verify(log, vkey=original.vkey, since=original.checkpoint).ok


def by_statement(original: Original, change: Mutation, log: Path) -> bool:
    """Whether every holder's statement tells, whatever the change was about."""
    for path in original.statements:
        try:
            recompute(path, log, vkey=original.vkey)
        except (NotAsStated, LedgerError):
            continue
        return False
    return True


def by_receipt(original: Original, change: Mutation, log: Path) -> bool:
    """A kept receipt of an entry proves it under a root that the log does not continue."""
    proved = check_receipt(original.receipts[change.index], original.vkey)
    now = open_checkpoint((log / "checkpoint").read_bytes(), parse_vkey(original.vkey))
    return proved.size == now.size and proved.root != now.root


def by_witness(original: Original, change: Mutation, log: Path) -> bool:
    try:
        _cosign(original, log)
    except LedgerError:
        return True
    return False


def by_take(original: Original, change: Mutation, log: Path) -> bool:
    return heard_of(change.entries) != original.heard


EVIDENCE: dict[str, Callable[[Original, Mutation, Path], bool]] = {
    "a kept checkpoint": by_checkpoint,
    "a statement": by_statement,
    "a kept receipt": by_receipt,
    "a witness": by_witness,
    "a take": by_take,
}


def _cosign(original: Original, log: Path) -> None:
    def checkpoint() -> bytes:
        return (log / "checkpoint").read_bytes()

    verifier = parse_vkey(original.vkey)
    original.witness.cosign(checkpoint(), verifier, prover(TileReader(log), checkpoint, verifier))
