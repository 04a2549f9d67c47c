"""The catalogue made again, and recordings taken out."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from stemloom import Player, Vault
from stemloom.cli import main
from stemloom.ledger.division.books import gather
from stemloom.ledger.entries import entries
from stemloom.ledger.royalties.statement import consents_in_force
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import AudioLost, CatalogueTrouble, KeyNotHere, UnknownStem
from stemloom.vault.sound.declared import Declared

RATE = 48_000
SCRIPT = """piece "One" for stream
tempo 60..200
pool all = loops role beats
section one 2 bars
    bring x from all
move one -> silence at end
"""


@pytest.fixture
def home(tmp_path: Path, recordings: Path) -> Path:
    home = tmp_path / "home"
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ben")
        files = ("render_house_16.flac", "loop_tabla.flac", "drum_cowbell.flac", "ambi_drone.flac")
        offers = [Declared(recordings / name, "Ada", "beats", mood=("warm", "dry")) for name in files]
        intake = vault.add([*offers, Declared(recordings / "render_lead_A_126_09.flac", "Ben", "melody")])
        assert len(intake.added) == 5, intake
        stems = [added.stem.stem for added in intake.added]
        vault.grant(stems, ["stream", "export"])
        vault.withdraw(stems[:1], ["export"])
        vault.split(stems[1], {"Ada": 400_000, "Ben": 600_000})
        vault.stand("Ben", ["live"])
    return home


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def test_a_rebuilt_catalogue_is_the_same(home: Path) -> None:
    with Vault.open(home) as vault:
        before, snapshot = dump(home / "vault" / "catalogue.db"), vault.snapshot().stems
    assert len(snapshot) == 5
    for path in (home / "vault").glob("catalogue.db*"):
        path.unlink()
    with pytest.raises(CatalogueTrouble, match="vault rebuild"):
        Vault.open(home)
    assert Vault.rebuild(home) == (5, ())
    assert dump(home / "vault" / "catalogue.db") == before
    with Vault.open(home) as vault:
        assert vault.snapshot().stems == snapshot
        vault.grant([snapshot[0].stem], ["live"])
    assert verify(home).ok


def test_a_rebuild_over_a_damaged_one_and_after_a_kill(home: Path) -> None:
    before = dump(home / "vault" / "catalogue.db")
    (home / "vault" / "catalogue.db").write_bytes(b"no database at all")
    (home / "vault" / "catalogue.db.new").write_bytes(b"of one that was killed")
    done = CliRunner().invoke(main, ["--home", str(home), "vault", "rebuild"])
    assert done.exit_code == 0, done.output
    assert "5 stems" in done.output
    assert dump(home / "vault" / "catalogue.db") == before
    assert (home / "vault" / "catalogue.db.old").exists()


def test_an_original_that_is_missing_is_named(home: Path) -> None:
    with Vault.open(home) as vault:
        stem = vault.stems()[0]
        path = vault.original(stem.stem)
    kept = path.read_bytes()
    path.unlink()
    assert Vault.rebuild(home) == (5, (path,))
    path.write_bytes(kept[:-1000])
    assert Vault.rebuild(home)[1] == (path,)
    path.write_bytes(kept)
    assert Vault.rebuild(home) == (5, ())


def test_an_open_vault_does_not_write_into_a_catalogue_that_was_replaced(home: Path) -> None:
    with Vault.open(home) as vault:
        Vault.rebuild(home)
        with pytest.raises(CatalogueTrouble, match="open the vault again"):
            vault.add_holder("Cleo")


def all_files(home: Path) -> Iterator[Path]:
    return (path for path in home.rglob("*") if path.is_file())


def test_a_stem_that_is_removed_leaves_no_sound_and_keeps_its_history(home: Path, tmp_path: Path) -> None:
    with Player.from_text(home, SCRIPT, seed=1) as player:
        player.read(20 * RATE)
        player.read(1)
    with Vault.open(home) as vault:
        heard = [entry for _, entry in vault.log.entries() if isinstance(entry, entries.Placement)]
        assert heard
        stem = heard[0].stem
        digest = vault.original(stem).name
        frames = vault.samples(stem)[0, 5000:5100].tobytes()
        assert any(stem in str(path) for path in all_files(home / "vault"))
        found, gone = vault.remove(stem)
        assert found == stem
        assert len(gone) >= 2
        for path in all_files(home / "vault"):
            assert stem not in str(path)
            assert path.name != digest
            assert frames not in path.read_bytes()
        with pytest.raises(UnknownStem):
            vault.stem(stem)
        assert stem in vault.removed()
        assert [statement.action for statement in vault.consents() if statement.stem == stem][
            -1
        ] == "withdraw"
        assert stem not in {each.stem for each in vault.snapshot().stems}
    assert verify(home).ok
    # And again: the ledger says that it is gone.
    before = dump(home / "vault" / "catalogue.db")
    assert Vault.rebuild(home) == (4, ())
    assert dump(home / "vault" / "catalogue.db") == before


def test_what_was_removed_may_come_back(home: Path, recordings: Path) -> None:
    with Vault.open(home) as vault:
        stem = next(each.stem for each in vault.stems() if each.title == "drum_cowbell")
        vault.remove(stem)
        (again,) = vault.add([Declared(recordings / "drum_cowbell.flac", "Ada", "beats")]).added
        assert again.stem.stem == stem
        assert again.stem.clearances == {}
        assert vault.removed() == {}
    assert verify(home).ok


def test_what_comes_back_has_the_shares_that_it_had(home: Path, recordings: Path) -> None:
    """Else whoever takes a stem out and in again would have others' shares, without their signatures."""
    with Vault.open(home) as vault:
        vault.add_holder("Cleo")
        stem = next(each for each in vault.stems() if each.title == "drum_cowbell")
        half = {"Ada": 500_000, "Cleo": 500_000}
        shares = vault.split(stem.stem, half, half)
        vault.remove(stem.stem)
        (again,) = vault.add([Declared(recordings / "drum_cowbell.flac", "Ada", "beats")]).added
        assert vault.shares(again.stem.stem) == shares
        assert [sorted(side.values()) for side in shares.values()] == [[500_000, 500_000]] * 2
        whole = (entries.Share(holder=stem.holder, ppm=entries.WHOLE_PPM),)
        entry = next(
            each
            for _, each in vault.log.entries()
            if isinstance(each, entries.Stem) and each.stem == stem.stem
        )
        assert verify(home).ok
        vault.log.append([msgspec.structs.replace(entry, master=whole, publishing=whole)])
    assert "enters again with other shares" in verify(home).problems[0].detail


def test_what_was_removed_comes_back_to_its_holder_alone(home: Path, recordings: Path) -> None:
    with Vault.open(home) as vault:
        vault.add_holder("Cleo")
        stem = next(each for each in vault.stems() if each.title == "drum_cowbell")
        vault.remove(stem.stem)
        made = vault.add([Declared(recordings / "drum_cowbell.flac", "Cleo", "beats")])
        assert made.added == ()
        assert "was in the vault before" in made.refused[0].reason
        assert "of Ada: it can come back as theirs alone" in made.refused[0].reason
    assert verify(home).ok


def test_what_comes_back_under_a_standing_consent_may_be_heard(home: Path, recordings: Path) -> None:
    """The withdrawal of its removal is older than its return, and newer than the consent that clears it."""
    with Vault.open(home) as vault:
        vault.stand("Ada", ["stream"])
        stem = next(each for each in vault.stems() if each.title == "loop_tabla").stem
        vault.remove(stem)
        vault.add([Declared(recordings / "loop_tabla.flac", "Ada", "beats", mood=("alone",))])
        assert list(vault.stem(stem).clearances) == ["stream"]
        last = vault.log.size - 1
        books = gather(vault.log.entries())
        assert books.rights.withdrawn(stem, last) is None
        assert books.rights.withdrawn(stem, last - 1) is not None
        assert [each.use for each in consents_in_force(books, stem, "2026-11-30", last)] == ["stream"]
    with Player.from_text(home, SCRIPT.replace("role beats", "role beats, mood alone"), seed=1) as player:
        player.read(20 * RATE)
        player.read(1)
    with Vault.open(home) as vault:
        heard = {entry.stem for _, entry in vault.log.entries() if isinstance(entry, entries.Placement)}
        assert stem in heard
    assert verify(home).ok


def test_what_is_cleared_by_a_key_that_is_not_here_is_not_removed(home: Path) -> None:
    with Vault.open(home) as vault:
        stem = vault.stems()[0]
        for path in (home / "keys").glob(f"{stem.holder}*"):
            path.unlink()
        with pytest.raises(KeyNotHere):
            vault.remove(stem.stem)
        assert vault.original(stem.stem).exists()


def test_a_removal_that_is_killed_is_finished_by_the_next_writer(home: Path) -> None:
    """Killed after the ledger has it and before anything is deleted."""
    program = """
import os, sys
from stemloom import Vault
from stemloom.vault.catalogue.store import Store
Store.forget = lambda *_: os._exit(9)
with Vault.open(sys.argv[1]) as vault:
    vault.remove(sys.argv[2])
"""
    with Vault.open(home) as vault:
        stem = vault.stems()[0].stem
        digest = vault.original(stem).name
    done = subprocess.run([sys.executable, "-c", program, str(home), stem], check=False)
    assert done.returncode == 9
    assert (home / "vault" / "audio" / digest).exists()
    with Vault.open(home) as vault:
        assert stem in vault.removed()
        vault.add_holder("Cleo")
    assert not (home / "vault" / "audio" / digest).exists()
    assert not [path for path in all_files(home / "vault") if stem in str(path)]


def test_the_original_is_given_back_byte_for_byte(home: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "back.flac"
    words = ["--home", str(home), "vault", "original", "loop_tabla", "--out", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert out.read_bytes() == (recordings / "loop_tabla.flac").read_bytes()
    assert CliRunner().invoke(main, words).exit_code == 2
    with Vault.open(home) as vault:
        vault.original("loop_tabla").unlink()
        with pytest.raises(AudioLost):
            vault.original("loop_tabla")


def test_names_and_keys_are_for_their_owner_alone(home: Path) -> None:
    for path in home.rglob("*"):
        if path.is_file() and path.parent.name in ("keys", "names") and path.name != ".gitignore":
            assert path.stat().st_mode & 0o077 == 0, path
    for folder in (home, home / "keys", home / "vault", home / "vault" / "names"):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_sounds_that_were_made_come_back_as_well(demo_home: Callable[[], Path]) -> None:
    """The demo's stems, which are float files of what was synthesised."""
    home = demo_home()
    before = dump(home / "vault" / "catalogue.db")
    count, lost = Vault.rebuild(home)
    assert count > 100
    assert lost == ()
    assert dump(home / "vault" / "catalogue.db") == before
    assert os.stat(home / "vault" / "catalogue.db").st_mode & 0o077 == 0
