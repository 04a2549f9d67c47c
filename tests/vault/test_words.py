"""One signs what one reads, and recordings come in with their holders' word."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import soundfile

from stemloom import Vault
from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.signing import message_of
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadRequest
from stemloom.vault.rights.reading import sentences
from stemloom.vault.rights.requests import SigningRequest, read_request
from stemloom.vault.sound.declared import Declared

from .test_signing import RATE, add, tone, vault as vault, zoe as zoe


def reread(request: SigningRequest, change: Callable[[dict[str, Any]], object]) -> SigningRequest:
    """The request as it is read after somebody has changed its file."""
    file = json.loads(request.encoded())
    change(file)
    return read_request(json.dumps(file).encode())


def remade(file: dict[str, Any], **changes: Any) -> None:
    """Change the first statement in a file, and the bytes that are asked to be signed with it."""
    asked = file["asked"][0]
    asked["entry"].update(changes)
    entry = msgspec.convert(asked["entry"], signing.Signable)
    for each in asked["signatures"]:
        each["message"] = base64.b64encode(message_of(entry, file["origin"])).decode()


@pytest.fixture
def splits(vault: Vault, zoe: PrivateKey) -> tuple[str, SigningRequest]:
    stem = add(vault, "a", "Zoe", 220, zoe)
    return stem, vault.request_splits(stem, {"Zoe": 400_000, "Ben": 600_000})


def test_a_request_says_who_what_when_and_what_was_before(
    vault: Vault, splits: tuple[str, SigningRequest]
) -> None:
    stem, request = splits
    zoe, ben = (f"{name} ({vault.holder(name).holder})" for name in ("Zoe", "Ben"))
    (said,) = sentences(request)
    assert f"'a' ({stem}) belongs from now on to: master " in said
    assert f"{zoe} 40 % (before 100 %)" in said
    assert f"{ben} 60 % (before 0 %)" in said
    assert f"publishing {zoe} 100 %;" in said
    assert "to be handed in by 20" in said


def test_a_name_is_shown_only_as_far_as_its_owner_signed_it(
    vault: Vault, splits: tuple[str, SigningRequest]
) -> None:
    _, request = splits
    ben = vault.holder("Ben").holder

    def renamed(file: dict[str, Any]) -> None:
        for party in file["parties"]:
            party["name"] = {"Ben": "Zoe's own label"}.get(party["name"], party["name"])

    (said,) = sentences(reread(request, renamed))
    assert "label" not in said
    assert f"{ben} 60 % (before 0 %)" in said

    def swapped(file: dict[str, Any]) -> None:
        one, other = file["parties"][:2]
        one["entry"], other["entry"] = other["entry"], one["entry"]

    (said,) = sentences(reread(request, swapped))
    assert "Ben (" not in said


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["asked"][0].update(says="Zoe keeps all of it"),
        lambda file: file.update(note="harmless"),
        lambda file: file["asked"][0]["entry"].update(comment="only a formality"),
        lambda file: file["asked"][0]["entry"].update(title="Another"),
        lambda file: file["asked"][0]["signatures"][0].update(message="AAAA"),
        lambda file: file.update(stemloom="request v1"),
    ],
)
def test_what_the_bytes_do_not_say_refuses_the_request(
    splits: tuple[str, SigningRequest], change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(BadRequest):
        reread(splits[1], change)


def test_shares_of_before_that_the_bytes_do_not_name_refuse_it(
    vault: Vault, splits: tuple[str, SigningRequest]
) -> None:
    """The file shows that Zoe had 10 % and gains, where she has all of it and loses."""

    def lied(file: dict[str, Any]) -> None:
        holder = file["shares"][0]["holder"]
        file["shares"][0]["master"] = [{"holder": holder, "ppm": 1_000_000}]
        file["shares"][0]["title"] = "a little"

    for change in (lied, lambda file: file.update(shares=[])):
        with pytest.raises(BadRequest, match="shares of"):
            sentences(reread(splits[1], change))


def test_a_title_that_is_not_the_stems_is_not_taken(vault: Vault, zoe: PrivateKey) -> None:
    """The bytes say what is shown; so a false title in them is found when they come in, and by the audit."""
    stem = add(vault, "a", "Zoe", 220, zoe)
    request = vault.request_consent([stem], ["stream"], "grant")
    other = reread(request, lambda file: remade(file, title="Somebody else's"))
    assert "'Somebody else's'" in sentences(other)[0]
    with pytest.raises(BadRequest, match="is 'a' now"):
        vault.submit(other.signed(zoe))
    nameless = reread(request, lambda file: (file["asked"][0]["entry"].pop("title"), remade(file)))
    with pytest.raises(BadRequest, match="does not name its title"):
        sentences(nameless)


def test_splits_that_were_taken_once_are_not_taken_again(vault: Vault, zoe: PrivateKey) -> None:
    """Ben gives his half back and buys in again; Zoe hands in the statement by which he gave it back."""
    stem = add(vault, "a", "Zoe", 220, zoe)
    half, whole = {"Zoe": 500_000, "Ben": 500_000}, {"Zoe": 1_000_000}

    def said(shares: dict[str, int]) -> SigningRequest:
        return vault._statements.signed_here(vault.request_splits(stem, shares).signed(zoe))

    vault.submit(said(half))
    back = said(whole)
    vault.submit(back)
    vault.submit(said(half))
    with pytest.raises(BadRequest, match="counts once"):
        vault.submit(back)
    assert set(vault.shares(stem)["master"].values()) == {500_000}
    kept = said(whole)
    vault.submit(said({"Zoe": 400_000, "Ben": 600_000}))
    with pytest.raises(BadRequest, match="stale"):
        vault.submit(kept)


def test_a_holder_who_keeps_their_key_signs_the_whole_list(
    vault: Vault, zoe: PrivateKey, tmp_path: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    for number, hertz in enumerate((220, 330, 440)):
        soundfile.write(tmp_path / f"{number}.wav", tone(hertz).T, RATE, subtype="FLOAT")
    key, brings = tmp_path / "zoe.key", tmp_path / "brings.json"
    zoe.save(key)
    home = f"--home {shlex.quote(str(vault.home))} --json"
    files = " ".join(shlex.quote(str(tmp_path / f"{number}.wav")) for number in range(3))
    bringing = f"{home} vault add {files} --holder Zoe --role fx --shape hit"
    code, out, _ = command(bringing)
    assert code == 1
    assert all("keeps their own key" in each["reason"] for each in json.loads(out)["refused"])
    assert command(f"{bringing} --request {brings}")[0] == 0
    assert command(f"{bringing} --signed {brings}")[0] == 1
    assert vault.stems() == ()
    code, out, err = command(f"--home {vault.home} vault sign {brings} --show")
    assert code == 0, err
    assert "brings 3 recordings" in out
    assert out.count("sound ") == 3
    assert command(f"{home} vault sign {brings} --key {key}")[0] == 0
    # A file that is not in the list, and one that would come in otherwise.
    soundfile.write(tmp_path / "3.wav", tone(550).T, RATE, subtype="FLOAT")
    code, out, _ = command(f"{bringing} {tmp_path / '3.wav'} --signed {brings} --isrc QZABC2600001")
    assert code == 2
    code, out, _ = command(f"{bringing} {tmp_path / '3.wav'} --signed {brings}")
    assert len(json.loads(out)["added"]) == 3
    assert "not in the list" in json.loads(out)["refused"][0]["reason"]
    entry = next(e for _, e in vault.log.entries() if isinstance(e, entries.Stem))
    assert entry.signed
    assert entry.signed.count == 3
    report = verify(vault.home)
    assert report.ok
    assert report.weaker == ()


def test_a_list_of_another_key_ledger_or_time_is_refused(
    vault: Vault, zoe: PrivateKey, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(220).T, RATE, subtype="FLOAT")
    offers = [Declared(tmp_path / "a.wav", "Zoe", "fx", shape="hit")]
    request, _ = vault.request_recordings(offers)
    good = request.signed(zoe)

    def changed(**fields: Any) -> SigningRequest:
        asked = good.asked[0]
        entry = msgspec.structs.replace(asked.entry, **fields)
        return msgspec.structs.replace(good, asked=(msgspec.structs.replace(asked, entry=entry),))

    for wrong, why in (
        (request, "missing"),
        (msgspec.structs.replace(good, origin="stemloom/another"), "for the ledger"),
        (changed(expires="2026-01-01T00:00:00.000Z"), "expired"),
        (changed(expires="2099-01-01T00:00:00.000Z"), "signature"),
        (vault.request_consent([add(vault, "b", "Ada", 330)], ["live"], "grant"), "other statements"),
    ):
        with pytest.raises(Exception, match=why):
            vault.add(offers, signed=wrong)
    with pytest.raises(BadRequest, match="--signed"):
        vault.submit(good)
    assert vault.add(offers, signed=good).added
