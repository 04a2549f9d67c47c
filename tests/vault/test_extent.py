"""What a grant allows to be done to the sound: to stretch it, to cut it up, to play it at notes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from stemloom.cli import main
from stemloom.ledger.entries.canonical import decode, encode
from stemloom.ledger.entries.entries import Consent
from stemloom.ledger.entries.signing import message_of
from stemloom.ledger.errors import BadEntry
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.verify import verify
from stemloom.vault.catalogue.schema import MIGRATIONS, migrate
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.vault import Vault

from ..ledger import making
from .conftest import Write, add_one, tone

KEY = PrivateKey.from_seed(bytes(32))
STEM = "s" + "0" * 20


def allowed(vault: Vault, stem: str, use: str = "stream") -> list[str]:
    return sorted(vault.stem(stem).clearances[use].allows)


@pytest.fixture
def stem(vault: Vault, write: Write) -> str:
    return add_one(vault, write("tide.wav", tone(1.0)), role="fx", shape="hit").stem


def test_a_grant_allows_what_it_says_and_to_stretch_if_it_says_nothing(vault: Vault, stem: str) -> None:
    for allow, found in (
        (None, ["stretch"]),
        (["pitch", "chop", "pitch"], ["chop", "pitch"]),
        ([], []),
        (["stretch", "chop", "pitch"], ["chop", "pitch", "stretch"]),
    ):
        (said,) = vault.grant([stem], ["stream"], allow=allow)
        assert (sorted(said.allows), allowed(vault, stem)) == (found, found)
        assert vault.snapshot().stem(stem).clearances["stream"].allows == set(found)
        assert vault.log.entry(said.index).allows == tuple(found)
    (gone,) = vault.withdraw([stem], ["stream"])
    assert gone.allows == ()
    assert vault.log.entry(gone.index).allows is msgspec.UNSET
    assert verify(vault.home).ok


def test_each_use_has_the_extent_of_its_own_grant(vault: Vault, stem: str) -> None:
    vault.grant([stem], ["stream", "live"], allow=["chop"])
    vault.grant([stem], ["live"])
    assert (allowed(vault, stem), allowed(vault, stem, "live")) == (["chop"], ["stretch"])
    stems = vault.snapshot().stems
    assert [stems.allowing(use, "chop").tolist() for use in ("stream", "live", "sync")] == [
        [True],
        [False],
        [False],
    ]
    assert stems.allowing("live", "stretch").tolist() == [True]


def test_a_word_that_is_none_and_a_withdrawal_that_allows_are_refused(vault: Vault, stem: str) -> None:
    size = vault.log.size
    with pytest.raises(BadDeclaration, match="'melt' cannot be allowed; there are chop, pitch, stretch"):
        vault.grant([stem], ["stream"], allow=["melt"])
    with pytest.raises(BadDeclaration, match="a withdrawal allows nothing"):
        vault.request_consent([stem], ["stream"], "withdraw", allow=["chop"])
    assert vault.log.size == size


def test_a_standing_consent_gives_what_it_allows_to_stems_to_come(vault: Vault, write: Write) -> None:
    stands = vault.stand("Ada", ["stream"], allow=["chop"])
    assert stands["stream"].allows == {"chop"}
    stem = add_one(vault, write("dawn.wav", tone(1.2)), role="fx", shape="hit").stem
    assert allowed(vault, stem) == ["chop"]
    assert verify(vault.home).ok


def test_a_holder_is_shown_what_they_sign(vault: Vault, stem: str) -> None:
    says = [
        vault.request_consent([stem], ["stream"], "grant", allow=allow).asked[0].says
        for allow in (None, ["chop", "stretch"], [])
    ]
    assert says == [
        "Ada grants 'tide' for stream, allowing stretch",
        "Ada grants 'tide' for stream, allowing chop, stretch",
        "Ada grants 'tide' for stream, allowing nothing but to play it as it is",
    ]
    assert (
        vault.request_consent([stem], ["stream"], "withdraw").asked[0].says
        == "Ada withdraws 'tide' for stream"
    )


OLDER = (
    b'{"kind":"consent","v":1,"time":"2026-11-21T06:16:00.250Z","origin":"o","holder":"%s","stem":"%s",'
    b'"uses":["stream"],"action":"grant","until":null,"previous":null,"signature":"%s"}'
)


def test_older_grants_keep_their_bytes_and_allow_to_stretch() -> None:
    made = making.consent(KEY, "o", STEM, ("stream",), time="2026-11-21T06:16:00.250Z")
    written = OLDER % (made.holder.encode(), STEM.encode(), made.signature.encode())
    assert encode(made) == written
    read = decode(written)
    assert isinstance(read, Consent)
    assert read.extent == ("stretch",)
    assert message_of(read, "o").endswith(b'"until":null,"time":"2026-11-21T06:16:00.250Z","previous":null}')
    assert msgspec.structs.replace(read, action="withdraw").extent == ()


@pytest.mark.parametrize("allows", [b'["melt"]', b'"chop"', b"null", b"[1]"])
def test_a_ledger_refuses_what_nobody_can_allow(allows: bytes) -> None:
    made = encode(making.consent(KEY, "o", STEM, allows=("chop",)))
    assert decode(made)
    with pytest.raises(BadEntry):
        decode(made.replace(b'["chop"]', allows))


def test_an_older_catalogue_says_that_its_grants_allow_to_stretch() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    before = next(n for n, step in enumerate(MIGRATIONS) if any("ADD COLUMN allows" in each for each in step))
    for step in MIGRATIONS[:before]:
        for each in step:
            db.execute(each)
    db.execute(f"PRAGMA user_version = {before}")
    for action in ("grant", "withdraw"):
        db.execute("INSERT INTO statement VALUES (NULL, 's', 'h', 'live', ?, NULL, '')", (action,))
        db.execute("INSERT INTO standing VALUES (NULL, 'h', 'live', ?, NULL, '')", (action,))
    db.execute("INSERT INTO clearance VALUES ('s', 'live', 1, '', NULL)")
    db.execute("INSERT INTO stands VALUES ('h', 'live', 1, '', NULL)")
    migrate(db)
    for table, found in (
        ("statement", ["stretch", ""]),
        ("standing", ["stretch", ""]),
        ("clearance", ["stretch"]),
        ("stands", ["stretch"]),
    ):
        assert [allows for (allows,) in db.execute(f"SELECT allows FROM {table}")] == found


def test_the_hash_of_a_vault_changes_only_with_what_its_grants_allow(vault: Vault, stem: str) -> None:
    vault.grant([stem], ["stream"])
    plain = vault.snapshot()
    (silent,) = (entry for _, entry in vault.log.entries() if isinstance(entry, Consent))
    older = msgspec.structs.replace(silent, allows=msgspec.UNSET)
    index = plain.stem(stem).clearances["stream"].index
    assert plain.at_size(index, plain.time).after([(index, older)], plain.size).state_hash == plain.state_hash
    more = msgspec.structs.replace(silent, allows=("chop", "stretch"))
    assert plain.at_size(index, plain.time).after([(index, more)], plain.size).state_hash != plain.state_hash


def test_on_the_command_line(vault: Vault, stem: str, tmp_path: Path) -> None:
    def say(line: str) -> str:
        told = CliRunner().invoke(main, ["--home", str(vault.home), *line.split()])
        assert told.exit_code == 0, told.output
        return told.output

    assert "chop, stretch" in say("vault consent grant tide --use stream --allow stretch,chop")
    assert "allowing chop, stretch" in say("vault show tide")
    assert '"allows": ["chop", "stretch"]' in say("--json vault show tide")
    assert "allowing nothing but" in say("vault consent standing Ada --use live --allow nothing")
    assert '"allows": []' in say("--json vault consent standing Ada")
    said = say(f"vault consent request tide --use sync --allow pitch --out {tmp_path / 'asked'}")
    assert "allowing pitch" in said
    assert "allowing chop, stretch" in say("ledger show")
    told = CliRunner().invoke(
        main,
        [
            "--home",
            str(vault.home),
            "vault",
            "consent",
            "grant",
            "tide",
            "--use",
            "live",
            "--allow",
            "nothing,chop",
        ],
    )
    assert told.exit_code == 2
    assert "stands alone" in told.output
