"""The catalogue: damaged, older, newer or another's; and that it follows from the ledger."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stemloom.vault.catalogue.schema import MIGRATIONS, migrate
from stemloom.vault.errors import (
    CatalogueTrouble,
)
from stemloom.vault.vault import Vault

from .conftest import Write, add_one, tone

PROJECTED = (
    "holder",
    "stem",
    "mood",
    "statement",
    "clearance",
    "share",
    "standing",
    "stands",
    "made",
    "removed",
)
"""Tables that are made from the ledger alone."""


@pytest.mark.parametrize("create", [True, False])
def test_a_missing_catalogue_is_not_made_anew(vault: Vault, write: Write, create: bool) -> None:
    add_one(vault, write("a.wav", tone(1.0)))
    vault.close()
    for path in (vault.home / "vault").glob("catalogue.db*"):
        path.unlink()
    with pytest.raises(CatalogueTrouble, match="is missing, though the ledger names holders; put it back"):
        Vault.open(vault.home, create=create)


@pytest.mark.parametrize("damage", [b"not a database at all " * 50, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_catalogue_says_what_to_do(vault: Vault, write: Write, damage: bytes) -> None:
    add_one(vault, write("a.wav", tone(1.0)))
    vault.close()
    for path in (vault.home / "vault").glob("catalogue.db-*"):
        path.unlink()
    (vault.home / "vault" / "catalogue.db").write_bytes(damage)
    with pytest.raises(CatalogueTrouble, match=r"is damaged .*; put it back from a backup"):
        Vault.open(vault.home)


@pytest.mark.parametrize(
    "change",
    [
        *(f"DROP TABLE {table}" for table in ("ledger", "named", "measured", *PROJECTED)),
        "ALTER TABLE stem DROP COLUMN isrc",
        "DELETE FROM ledger",
        "PRAGMA user_version = 0",
    ],
)
def test_a_catalogue_with_other_tables_is_a_damaged_one(vault: Vault, write: Write, change: str) -> None:
    add_one(vault, write("a.wav", tone(1.0)))
    vault.close()
    with closing(sqlite3.connect(vault.home / "vault" / "catalogue.db", isolation_level=None)) as db:
        db.execute(change)

    def use() -> None:
        with Vault.open(vault.home) as changed:
            changed.snapshot()
            stem = changed.stems()[0].stem
            changed.shares(stem)
            changed.consents()
            add_one(changed, write("b.wav", tone(1.0, hertz=330)))
            changed.grant([stem], ["live"])
            changed.stand("Ada", ["live"])

    with pytest.raises(CatalogueTrouble, match=r"is damaged \(.*\); put it back from a backup"):
        use()


def test_an_older_catalogue_catches_up_with_the_ledger(vault: Vault, write: Write, tmp_path: Path) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    vault.close()
    shutil.copy(vault.home / "vault" / "catalogue.db", tmp_path / "backup")
    with Vault.open(vault.home) as later:
        later.grant([stem], ["live"])
        state = later.snapshot().state_hash
    shutil.copy(tmp_path / "backup", vault.home / "vault" / "catalogue.db")
    with Vault.open(vault.home) as restored:
        assert restored.snapshot().state_hash == state


def test_a_ledger_older_than_the_catalogue_is_refused(vault: Vault, tmp_path: Path) -> None:
    shutil.copytree(vault.home / "ledger", tmp_path / "backup")
    vault.add_holder("Cleo")
    vault.close()
    shutil.rmtree(vault.home / "ledger")
    shutil.copytree(tmp_path / "backup", vault.home / "ledger")
    with pytest.raises(CatalogueTrouble, match="put both back from the same backup"):
        Vault.open(vault.home)


def test_a_catalogue_of_another_ledger_is_refused(vault: Vault, tmp_path: Path) -> None:
    vault.close()
    with Vault.open(tmp_path / "other", create=True) as other:
        other.add_holder("Cleo")
    shutil.copy(tmp_path / "other" / "vault" / "catalogue.db", vault.home / "vault" / "catalogue.db")
    with pytest.raises(CatalogueTrouble, match="belongs to the ledger"):
        Vault.open(vault.home)


def test_a_stem_from_before_peaks_were_measured_has_none() -> None:
    step = next(i for i, said in enumerate(MIGRATIONS) if any("peak_frame" in each for each in said))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for statement in (each for said in MIGRATIONS[:step] for each in said):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {step}")
        db.execute("INSERT INTO measured VALUES ('s', 'f', 1, 1, -14, -1, 1, x'', '{}')")
        migrate(db)
        assert db.execute("SELECT peak_frame FROM measured").fetchall() == [(None,)]


def test_a_newer_catalogue_is_left_alone(vault: Vault) -> None:
    vault.close()
    with sqlite3.connect(vault.home / "vault" / "catalogue.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(CatalogueTrouble, match="newer Stemloom"):
        Vault.open(vault.home)


def test_the_projection_is_the_ledgers(vault: Vault, write: Write) -> None:
    """Emptied and applied again from the first entry, the catalogue is what it was."""
    first = add_one(vault, write("a.wav", tone(1.0)), mood=("warm",)).stem
    add_one(vault, write("b.wav", tone(1.4, hertz=330)), "Ben")
    vault.grant([first], ["live", "sync"])
    vault.withdraw([first], ["sync"])
    vault.split(first, master={"Ada": 1, "Ben": 999_999})
    before = vault.snapshot().state_hash, vault.holders(), vault.consents(), vault.shares(first)
    with vault._catalogue.transaction() as db:
        for table in PROJECTED:
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE ledger SET applied = 0, touched = 0, peopled = 0")
    assert vault.stems() == ()
    assert (vault.snapshot().state_hash, vault.holders(), vault.consents(), vault.shares(first)) == before
