"""Receipts of withdrawals: the last millisecond of each session, and what is not known yet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from stemloom import Player, Vault
from stemloom.cli import main
from stemloom.ledger.entries import entries
from stemloom.ledger.verify.audit import Audit
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.sound.declared import Declared

RATE = 48_000
SCRIPT = """piece "One" for stream
tempo 240
pool all = loops role pads, key any
section one 2 bars
    bring x from all
move one -> silence at end
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    tone = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)[None, :]
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        (added,) = vault.add_sounds([(Declared(Path("a"), "Ada", "pads", bars=1), tone)]).added
        vault.grant([added.stem.stem], ["stream"])
    return home


def test_a_receipt_names_the_last_millisecond_of_each_session(home: Path) -> None:
    for _ in range(2):
        with Player.from_text(home, SCRIPT) as player:
            player.read(10 * RATE)
    with Player.from_text(home, SCRIPT) as player:
        player.read(RATE // 2)
        with Vault.open(home) as vault:
            stem = vault.stems()[0].stem
            (gone,) = vault.withdraw([stem], ["stream"])
            _, early = vault.receipt(gone.index)
    assert len(early.open) == 1
    with Vault.open(home) as vault:
        _, made = vault.receipt(gone.index)
        placed = [entry for _, entry in vault.log.entries() if isinstance(entry, entries.Placement)]
        with pytest.raises(BadDeclaration, match="not a withdrawal"):
            vault.receipt(0)
    assert made.open == ()
    assert {use.session for use in made.sessions} == {each.session for each in placed}
    assert len(made.sessions) == 3
    for use in made.sessions:
        assert use.until > max(each.start for each in placed if each.session == use.session)
    assert verify(home).ok
    done = CliRunner().invoke(main, ["--home", str(home), "vault", "consent", "receipt", str(gone.index)])
    assert done.exit_code == 0, done.output
    assert made.sessions[0].session in done.output


def test_a_receipt_that_says_too_much_is_found(home: Path) -> None:
    with Player.from_text(home, SCRIPT) as player:
        player.read(10 * RATE)
    with Vault.open(home) as vault:
        (gone,) = vault.withdraw([vault.stems()[0].stem], ["stream"])
        _, made = vault.receipt(gone.index)
        audit = Audit(vault.log.origin)
        for index, entry in vault.log.entries():
            assert list(audit.take(index, entry)) == []
        size = vault.log.size
    later = entries.LastUse(session=made.sessions[0].session, until="2099-01-01T00:00:00.000Z")
    for wrong in ({"withdrawal": 0}, {"sessions": (later,)}):
        assert list(audit.take(size, msgspec.structs.replace(made, **wrong)))
