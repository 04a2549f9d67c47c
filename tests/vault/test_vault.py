from __future__ import annotations

import os
import random
import shutil
import stat
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom.ground.uses import USES
from stemloom.ledger.entries import entries
from stemloom.vault.catalogue.snapshot import Condition
from stemloom.vault.errors import (
    AudioLost,
    BadDeclaration,
    KeyNotHere,
    NoVault,
    UnknownHolder,
    UnknownStem,
)
from stemloom.vault.sound.declared import Declared
from stemloom.vault.vault import Vault

from .conftest import Write, add_one, clicks, tone


def test_a_file_becomes_a_stem(vault: Vault, write: Write) -> None:
    path = write("dusk.wav", clicks(2.0, 4, rate=44_100), 44_100)
    stem = add_one(vault, path, bpm=Fraction(120), key="Dm", mood=("warm",), energy=0.7, set="one")
    assert (stem.title, stem.role, stem.shape, stem.frames) == ("dusk", "beats", "loop", 96_000)
    assert (stem.bpm, stem.beats, stem.key, stem.mood, stem.energy) == (120, 4, "D minor", ("warm",), 0.7)
    assert stem.stem == "s" + stem.pcm_sha256[:20]
    assert len(stem.chroma) == 1
    assert stem.sounding_frames == stem.frames
    assert stem.peak_frame is not None
    assert 960 <= stem.peak_frame % 24_000 <= 2_400
    assert dict(stem.clearances) == {}
    assert vault.original(stem.stem).read_bytes() == path.read_bytes()
    assert vault.stem("DUSK") == vault.stem(stem.stem[:6]) == stem
    entry = next(e for _, e in vault.log.entries() if isinstance(e, entries.Stem))
    assert (entry.stem, entry.pcm_sha256, entry.bpm_milli, entry.beats) == (
        stem.stem,
        stem.pcm_sha256,
        120_000,
        4,
    )
    assert vault.shares(stem.stem) == {"master": {stem.holder: 10**6}, "publishing": {stem.holder: 10**6}}


def test_samples_are_mapped_ready_for_the_mixer(vault: Vault, write: Write) -> None:
    sound = tone(1.5, channels=2)
    samples = vault.samples(add_one(vault, write("pad.wav", sound)).stem)
    np.testing.assert_array_equal(samples, sound.T)
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        samples[0, 0] = 1.0


@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "other"])
def test_the_cache_is_made_again_from_the_original(vault: Vault, write: Write, damage: str) -> None:
    stem = add_one(vault, write("a.wav", clicks(2.004, 4, rate=44_100), 44_100), bpm=Fraction(120))
    before = vault.samples(stem.stem).copy()
    (cached,) = (vault.home / "vault" / "conformed").iterdir()
    match damage:
        case "gone":
            cached.unlink()
        case "cut":
            cached.write_bytes(cached.read_bytes()[:-4])
        case "empty":
            cached.write_bytes(b"")
        case "other":
            np.save(cached, np.zeros((2, 5)))
    np.testing.assert_array_equal(vault.samples(stem.stem), before)


def test_a_lost_or_changed_original_is_said_to_be_so(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0)))
    original = vault.original(stem.stem)
    shutil.rmtree(vault.home / "vault" / "conformed")
    (vault.home / "vault" / "conformed").mkdir()
    soundfile.write(original, tone(1.0, hertz=221), 48_000, format="WAV")
    with pytest.raises(AudioLost, match="another sound"):
        vault.samples(stem.stem)
    original.write_bytes(b"no audio")
    with pytest.raises(AudioLost, match="is damaged"):
        vault.samples(stem.stem)
    original.unlink()
    with pytest.raises(AudioLost, match="is missing"):
        vault.samples(stem.stem)


def test_a_batch_goes_on_past_bad_files(vault: Vault, write: Write, tmp_path: Path) -> None:
    good, again = write("good.wav", tone(1.3)), write("again.flac", tone(1.3), format="WAV")
    (tmp_path / "noise.wav").write_bytes(b"\0" * 100)
    sparse = np.concatenate([tone(0.5), np.zeros((72_000, 1), dtype=np.float32)])
    loop = write("sparse.wav", sparse)
    other = write("other.wav", tone(0.5, hertz=300))
    offers = [
        Declared(tmp_path / "missing.wav", "ada", "beats"),
        Declared(good, "ada", "pads"),
        Declared(tmp_path / "noise.wav", "ada", "beats"),
        Declared(again, "BEN", "pads"),
        Declared(loop, "ada", "beats", bpm=Fraction(120)),
        Declared(other, "Ben", "fx"),
        Declared(other, "Ben", "fx", key="H"),
    ]
    seen: list[tuple[int, int]] = []
    intake = vault.add(offers, lambda done, of: seen.append((done, of)))
    assert [a.path for a in intake.added] == [good, other]
    assert [a.stem.shape for a in intake.added] == ["sustained", "hit"]
    assert [h.path for h in intake.held] == [loop]
    assert "from 0.50 s on it is silent (below -60 dBFS) for 0.8 bars" in intake.held[0].reason
    assert {r.path.name: r.reason for r in intake.refused}.keys() == {
        "missing.wav", "noise.wav", "other.wav", "again.flac"
    }  # fmt: skip
    assert seen == [(n, 7) for n in range(1, 8)]
    again_refused = next(r for r in intake.refused if r.path == again)
    assert (
        again_refused.reason
        == f"the same sound is in the vault already as {intake.added[0].stem.stem} 'good' of Ada; "
        "a sound is one stem, of which Ada can give a share with 'stemloom vault split'"
    )
    own = vault.add([Declared(good, "Ada", "bass")]).refused[0]
    assert own.reason.endswith(" --role bass")
    assert [each.path for each in vault.add([Declared(good, "Ada", intake.added[0].stem.role)]).here] == [
        good
    ]
    word = vault.add([Declared(loop, "ada", "beats", bpm=Fraction(120), accept_silence=True)]).added[0]
    assert word.notes == (
        "from 0.50 s on it is silent (below -60 dBFS) for 0.8 bars, taken at its holder's word",
    )
    assert {s.stem for s in vault.stems()} == {a.stem.stem for a in (*intake.added, word)}
    assert not list((vault.home / "vault" / "incoming").iterdir())
    audio = (vault.home / "vault" / "audio").iterdir()
    assert len([path for path in audio if path.suffix != ".name"]) == 3


def test_a_sound_that_was_made_goes_the_way_of_a_file(vault: Vault, write: Write) -> None:
    sound = tone(1.3, channels=2)
    made = Declared(Path("made"), "Ada", "pads")
    intake = vault.add_sounds([(made, np.ascontiguousarray(sound.T))])
    stem = intake.added[0].stem
    np.testing.assert_array_equal(vault.samples(stem.stem), sound.T)
    refused = vault.add([Declared(write("same.wav", sound), "Ada", "pads")]).refused
    assert "already" in refused[0].reason
    assert vault.add_sounds([(made, np.full((1, 9_600), np.nan, dtype=np.float32))]).refused


def test_two_vaults_that_make_the_same_sound_keep_the_same_file(tmp_path: Path) -> None:
    names = set()
    for home in ("one", "two"):
        with Vault.open(tmp_path / home, create=True) as vault:
            vault.add_holder("Ada")
            sound = np.ascontiguousarray(tone(1.3).T)
            stem = vault.add_sounds([(Declared(Path("made"), "Ada", "pads"), sound)]).added[0].stem
            names.add((stem.stem, vault.original(stem.stem).name))
    assert len(names) == 1


def test_consent_is_granted_and_withdrawn_use_by_use(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    (grant,) = vault.grant([stem, "a", stem[:8]], ["stream", "export", "stream"])
    assert grant.uses == ("export", "stream")
    assert set(vault.stem(stem).clearances) == {"export", "stream"}
    assert vault.stem(stem).clearances["stream"].index == grant.index
    (withdrawal,) = vault.withdraw([stem], ["stream"])
    assert set(vault.stem(stem).clearances) == {"export"}
    (again,) = vault.grant([stem], ["stream"], "2999-01-01T00:00:00.000Z")
    assert vault.stem(stem).clearances["stream"].until == "2999-01-01T00:00:00.000Z"
    logged = [vault.log.entry(s.index) for s in (grant, withdrawal, again)]
    assert [e.previous for e in logged] == [None, grant.index, withdrawal.index]
    assert [e.action for e in logged] == ["grant", "withdraw", "grant"]
    assert vault.consents(stem) == (grant, withdrawal, again)


@pytest.mark.parametrize(
    ("uses", "until", "reason"),
    [
        (["radio"], None, "'radio' is not a use"),
        ([], None, "at least one use"),
        (["live"], "2020-01-01T00:00:00.000Z", "over before it began"),
    ],
)
def test_a_grant_that_cannot_be_meant(vault: Vault, write: Write, uses, until, reason) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    size = vault.log.size
    with pytest.raises(BadDeclaration, match=reason):
        vault.grant([stem], uses, until)
    assert vault.log.size == size


def test_one_unknown_stem_grants_nothing_to_any(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("lantern.wav", tone(1.0))).stem
    with pytest.raises(UnknownStem, match="there is no stem 'lanter' in the vault; did you mean 'lantern'"):
        vault.grant([stem, "lanter"], ["live"])
    assert not vault.consents()


def test_a_snapshot_shows_what_another_vault_changed(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    vault.grant([stem], ["stream"])
    before = vault.snapshot()
    assert not vault.changed()
    with Vault.open(vault.home) as other:
        other.withdraw([stem], ["stream"])
    assert vault.changed()
    assert vault.changed(before.size)
    after = vault.snapshot()
    assert (before.count([], "stream"), after.count([], "stream")) == (1, 0)
    assert before.state_hash != after.state_hash
    assert after.size == vault.log.size
    assert not vault.changed()
    assert vault.changed(before.size)


def test_a_snapshot_that_follows_is_the_one_that_is_read_anew(vault: Vault, write: Write) -> None:
    rng = random.Random(5)
    for number in range(4):
        add_one(vault, write(f"{number}.wav", tone(1.0, hertz=200 + 90 * number)))
    ids = [stem.stem for stem in vault.stems()]
    kept = []
    said = vault.snapshot()
    for step in range(40):
        some, uses = rng.sample(ids, rng.randint(1, 3)), rng.sample(USES, rng.randint(1, 3))
        until = rng.choice([None, "2031-01-01T00:00:00.000Z", "2032-01-01T00:00:00.000Z"])
        if rng.random() < 0.1:
            vault.remove(ids.pop())
            ids.append(add_one(vault, write(f"new{step}.wav", tone(1.0, hertz=700 + step))).stem)
            said = vault.snapshot()
        elif rng.random() < 0.5:
            vault.withdraw(some, uses)
        else:
            vault.grant(some, uses, until)
        ids.sort()
        # Not always, or every step would follow on one change; and with its columns made or not.
        if rng.random() < 0.6:
            follows = vault.snapshot()
            with Vault.open(vault.home) as other:
                anew = other.snapshot()
            at = rng.choice(["2026-12-01T00:00:00.000Z", "2031-06-01T00:00:00.000Z"])
            for use in rng.sample(USES, 2):
                assert follows.match([], use, at).tolist() == anew.match([], use, at).tolist()
            assert follows.state_hash == anew.state_hash
            assert follows.stems == anew.stems
            # The statements alone lead to the same; one that is in it already changes nothing.
            stated = vault.log.entries(max(said.size - 2, 0))
            said = said.after(
                [(n, each) for n, each in stated if isinstance(each, entries.Consent)], vault.log.size
            )
            assert (said.size, said.state_hash) == (anew.size, anew.state_hash)
            kept.append((follows, follows.state_hash, tuple(follows.stems)))
    assert len(kept) > 10
    # What was handed out does not change under its reader.
    assert all(each.state_hash == hash and tuple(each.stems) == stems for each, hash, stems in kept)


def test_a_change_of_consent_costs_no_new_columns(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    before = vault.snapshot()
    vault.grant([stem], ["stream"])
    after = vault.snapshot()
    assert after.stems.facts is before.stems.facts
    assert after.stem(stem).cleared("stream", after.time)
    assert not before.stem(stem).clearances
    vault.remove(stem)
    assert len(vault.snapshot()) == 0


def test_an_own_change_makes_an_own_snapshot_old(vault: Vault) -> None:
    vault.snapshot()
    vault.add_holder("Cleo")
    assert vault.changed()


def test_splits_are_signed_by_the_stems_holder(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    ada, ben = (vault.holder(name).holder for name in ("Ada", "Ben"))
    assert vault.split(stem, master={"ada": 600_000, "BEN": 400_000}) == {
        "master": {ada: 600_000, ben: 400_000},
        "publishing": {ada: 1_000_000},
    }
    assert vault.split("a", publishing={ben: 1_000_000})["publishing"] == {ben: 1_000_000}
    logged = [e for _, e in vault.log.entries() if isinstance(e, entries.Splits)]
    assert len(logged) == 2
    assert {e.holder for e in logged} == {ada}


@pytest.mark.parametrize(
    ("master", "error", "reason"),
    [
        ({"Ada": 600_000, "Ben": 300_000}, BadDeclaration, "sum to 90 %"),
        ({"Ada": 600_000, "Cleo": 400_000}, UnknownHolder, "no holder 'Cleo'"),
        ({"Ada": 1_000_001}, BadDeclaration, r"sum to 100\.0001 %"),
        ({"Ada": 1_000_000, "Ben": 0}, BadDeclaration, "above 0 %"),
        ({"Ada": 500_000, "ada": 500_000}, BadDeclaration, "named twice"),
        ({"Ada": 800_000, "Ben": 200_000}, BadDeclaration, "the share of Ben would fall"),
    ],
)
def test_splits_that_cannot_be(vault: Vault, write: Write, master, error, reason) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    vault.split(stem, master={"Ada": 600_000, "Ben": 400_000})
    before = vault.shares(stem), vault.log.size
    with pytest.raises(error, match=reason):
        vault.split(stem, master=master)
    assert (vault.shares(stem), vault.log.size) == before


def test_search_asks_by_the_columns_of_pools(vault: Vault, write: Write) -> None:
    one = add_one(vault, write("Dusk.wav", clicks(2.0, 4)), bpm=Fraction(120), key="Dm",
                  mood=("warm", "night"),
                  energy=0.2, set="One")  # fmt: skip
    two = add_one(vault, write("dawn 100%.wav", tone(1.3)), "Ben", "pads", energy=0.8)
    vault.grant([one.stem], ["live"])
    one = vault.stem(one.stem)
    for clauses, use, title, found in (
        ({}, None, None, [one, two]),
        ({"role": ("beats", "bass")}, None, None, [one]),
        ({"shape": ("sustained",)}, None, None, [two]),
        ({"mood": ("night", "x")}, None, None, [one]),
        ({"key": ("D minor",)}, None, None, [one]),
        ({"holder": ("ben",)}, None, None, [two]),
        ({"set": ("one",)}, None, None, [one]),
        ({"energy": ((0.2, 0.7),)}, None, None, [one]),
        ({"tempo": ((119, 120),)}, None, None, [one]),
        ({"tempo": ((121, 130),)}, None, None, []),
        ({}, "live", None, [one]),
        ({}, "sync", None, []),
        ({}, None, "%", [two]),
        ({}, None, "DUSK", [one]),
        ({}, None, "'; DROP TABLE stem; --", []),
        ({"role": ("beats",), "mood": ("warm",)}, "live", None, [one]),
    ):
        conditions = [Condition(column, values) for column, values in clauses.items()]
        stems = vault.stems(conditions, use, title)
        assert sorted(stems, key=lambda s: s.energy) == found, (clauses, use, title)
    with pytest.raises(UnknownHolder, match="no holder 'Bem'; did you mean 'Ben'"):
        vault.stems([Condition("holder", ("Bem",))])


def test_a_holder_is_found_by_name_or_id(vault: Vault) -> None:
    ada = vault.holder("ada")
    assert vault.holder(ada.holder) == vault.holder(ada.holder[:6]) == vault.holder("  ADA ") == ada
    assert ada.custody == "operator"
    with pytest.raises(UnknownHolder, match="no holder 'Adda'; did you mean 'Ada'"):
        vault.holder("Adda")
    with pytest.raises(BadDeclaration, match="there is a holder 'Ada' already"):
        vault.add_holder(" aDA")


def test_a_title_of_several_stems_asks_which(vault: Vault, write: Write) -> None:
    for hertz in (220, 330):
        add_one(vault, write(f"{hertz}.wav", tone(1.0, hertz=hertz)), title="Twin")
    with pytest.raises(UnknownStem, match=r"'twin' names 2 stems: s[0-9a-f]{20}, s"):
        vault.stem("twin")


def test_everything_is_for_the_owners_eyes(vault: Vault, write: Write) -> None:
    add_one(vault, write("a.wav", tone(1.0)))
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (vault.home, *(vault.home / "vault").rglob("*"))
    }
    assert modes[vault.home] == 0o700
    assert modes[vault.home / "vault" / "catalogue.db"] == 0o600
    keys = list((vault.home / "keys").glob("h*.key"))
    assert len(keys) == 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE((vault.home / "vault").stat().st_mode) == 0o700


def test_a_name_is_not_in_the_ledger(tmp_path: Path) -> None:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Zebulon Quux")
    for path in (tmp_path / "home" / "ledger").rglob("*"):
        assert not path.is_file() or b"Zebulon" not in path.read_bytes()


def test_without_a_vault_there_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(NoVault, match=r"no vault in .*; name another .*, or begin one with 'stemloom vault"):
        Vault.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_holder_without_a_key_here_cannot_sign(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0)), "Ben").stem
    (vault.home / "keys" / f"{vault.holder('Ben').holder}.key").unlink()
    with pytest.raises(KeyNotHere, match="the key of Ben is not kept here"):
        vault.grant([stem], ["live"])


def test_a_home_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="file"):
            Vault.open(tmp_path / "file", create=True)
    else:
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError):
            Vault.open(tmp_path / "home", create=True)


def test_entries_that_change_no_stem_cost_no_new_columns(vault: Vault, write: Write) -> None:
    add_one(vault, write("a.wav", tone(1.0)))
    before = vault.snapshot()
    vault.log.append(
        [
            entries.Income(
                time="2026-11-21T12:00:00.000Z",
                source="sync",
                currency="EUR",
                amount=1,
                period="2026",
                reference="r",
            )
        ]
    )
    assert vault.changed()
    after = vault.snapshot()
    assert after.stems is before.stems
    assert after.size == before.size + 1
    assert not vault.changed()
    vault.withdraw(["a"], ["live"])
    assert vault.snapshot().stems is not before.stems


def test_the_engine_finds_the_conformed_file_and_a_place_for_its_variants(vault: Vault, write: Write) -> None:
    stem = add_one(vault, write("a.wav", tone(1.0))).stem
    path = vault.conformed_path(stem)
    np.testing.assert_array_equal(np.load(path), vault.samples(stem))
    path.unlink()
    assert vault.conformed_path(stem) == path
    assert path.exists()
    variant = vault.variant_path(stem, "96000")
    assert variant.name == "96000.npy"
    assert variant.is_relative_to(vault.home / "vault" / "conformed")
