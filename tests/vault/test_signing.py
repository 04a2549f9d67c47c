"""Statements that are signed elsewhere: taken in when they are right, refused when they are forged or old."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from stemloom import Vault
from stemloom.cli import main
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries import entries
from stemloom.ledger.entries.signing import message_of
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadDeclaration, BadRequest, KeyNotHere, VaultError
from stemloom.vault.rights.requests import SigningRequest, read_request
from stemloom.vault.sound.declared import Declared

RATE = 48_000


def tone(hertz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)[None, :]


def add(vault: Vault, name: str, holder: str, hertz: float) -> str:
    offer = Declared(Path(name), holder, "fx", shape="hit")
    (added,) = vault.add_sounds([(offer, tone(hertz))]).added
    return added.stem.stem


def public(key: PrivateKey) -> str:
    return base64.b64encode(key.public).decode()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    with Vault.open(tmp_path / "home", create=True) as vault:
        vault.add_holder("Ada")
        vault.add_holder("Ben")
        yield vault
        assert verify(vault.home).ok


@pytest.fixture
def zoe(vault: Vault) -> PrivateKey:
    """A holder who keeps her key."""
    key = PrivateKey.generate()
    vault.submit(vault.request_holder("Zoe", public(key)).signed(key))
    return key


def test_a_holder_joins_with_a_key_of_her_own(vault: Vault, zoe: PrivateKey) -> None:
    found = vault.holder("Zoe")
    assert found.custody == "self"
    assert found.public_key == public(zoe)
    stem = add(vault, "a", "Zoe", 220)
    with pytest.raises(KeyNotHere, match="consent request"):
        vault.grant([stem], ["stream"])
    assert not list((vault.home / "keys").glob(f"{found.holder}*"))


def test_a_consent_that_is_signed_elsewhere(vault: Vault, zoe: PrivateKey) -> None:
    stem = add(vault, "a", "Zoe", 220)
    request = vault.request_consent([stem], ["stream", "export"], "grant")
    assert vault.stem(stem).clearances == {}
    (index,) = vault.submit(read_request(request.signed(zoe).encoded()))
    assert {use: c.index for use, c in vault.stem(stem).clearances.items()} == {
        "stream": index,
        "export": index,
    }
    vault.submit(vault.request_consent([stem], ["stream"], "withdraw").signed(zoe))
    assert set(vault.stem(stem).clearances) == {"export"}
    assert [(s.action, s.uses) for s in vault.consents(stem)] == [
        ("grant", ("export", "stream")),
        ("withdraw", ("stream",)),
    ]


def changed(request: SigningRequest, **fields: object) -> SigningRequest:
    """The request with its first entry changed after it was signed."""
    first = request.asked[0]
    return msgspec.structs.replace(
        request, asked=(msgspec.structs.replace(first, entry=msgspec.structs.replace(first.entry, **fields)),)
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"uses": ("export", "stream")},
        {"until": None},
        {"action": "withdraw", "until": None, "allows": msgspec.UNSET},
        {"allows": ("chop", "stretch")},
        {"allows": ()},
        {"allows": msgspec.UNSET},
        {"previous": 3},
        {"time": "2026-01-01T00:00:00.000Z"},
        {"origin": "another/log"},
    ],
)
def test_what_was_changed_after_it_was_signed_is_refused(
    vault: Vault, zoe: PrivateKey, fields: dict[str, object]
) -> None:
    stem = add(vault, "a", "Zoe", 220)
    request = vault.request_consent([stem], ["stream"], "grant", "2099-01-01T00:00:00.000Z").signed(zoe)
    size = vault.log.size
    with pytest.raises(Exception, match=r"signature|made for the log|stale"):
        vault.submit(changed(request, **fields))
    assert vault.log.size == size
    vault.submit(request)


def test_another_stem_another_key_and_another_holder_are_refused(vault: Vault, zoe: PrivateKey) -> None:
    stem, other = add(vault, "a", "Zoe", 220), add(vault, "b", "Zoe", 330)
    request = vault.request_consent([stem], ["stream"], "grant")
    with pytest.raises(Exception, match="signature"):
        vault.submit(changed(request.signed(zoe), stem=other))
    stranger = PrivateKey.generate()
    with pytest.raises(BadRequest, match="none of those"):
        request.signed(stranger)
    # A stranger who says in the file that the key is his.
    first = request.asked[0]
    claimed = msgspec.structs.replace(first.signatures[0], public_key=public(stranger))
    forged = msgspec.structs.replace(request, asked=(msgspec.structs.replace(first, signatures=(claimed,)),))
    with pytest.raises(Exception, match=r"signature of .* fails"):
        vault.submit(forged.signed(stranger))
    theirs = vault.holder("Ben").holder
    with pytest.raises(Exception, match=r"signature|only its holder"):
        vault.submit(changed(request.signed(zoe), holder=theirs))
    assert vault.stem(stem).clearances == vault.stem(other).clearances == {}


def test_an_old_statement_is_refused(vault: Vault, zoe: PrivateKey) -> None:
    """A grant after a later word, the same grant twice, and a withdrawal that is played again."""
    stem = add(vault, "a", "Zoe", 220)
    first = vault.request_consent([stem], ["stream"], "grant").signed(zoe)
    second = vault.request_consent([stem], ["export"], "grant").signed(zoe)
    vault.submit(first)
    for again in (first, second):
        with pytest.raises(BadRequest, match=r"already|stale"):
            vault.submit(again)
    gone = vault.request_consent([stem], ["stream"], "withdraw").signed(zoe)
    vault.submit(gone)
    vault.submit(vault.request_consent([stem], ["stream"], "grant").signed(zoe))
    with pytest.raises(BadRequest, match="already"):
        vault.submit(gone)
    assert set(vault.stem(stem).clearances) == {"stream"}


def test_a_withdrawal_is_never_stale(vault: Vault, zoe: PrivateKey) -> None:
    stem = add(vault, "a", "Zoe", 220)
    vault.submit(vault.request_consent([stem], ["stream"], "grant").signed(zoe))
    kept = vault.request_consent([stem], ["stream"], "withdraw").signed(zoe)
    vault.submit(vault.request_consent([stem], ["export"], "grant").signed(zoe))
    vault.submit(kept)
    assert set(vault.stem(stem).clearances) == {"export"}


def test_a_statement_holds_from_when_it_came_in(tmp_path: Path) -> None:
    clock = FixedClock("2026-11-01T00:00:00.000Z")
    key = PrivateKey.generate()
    with Vault.open(tmp_path / "home", create=True, clock=clock) as vault:
        vault.submit(vault.request_holder("Zoe", public(key)).signed(key))
        stem = add(vault, "a", "Zoe", 220)
        request = vault.request_consent([stem], ["stream"], "grant").signed(key)
        expires = vault.request_consent([stem], ["export"], "grant", "2026-11-02T00:00:00.000Z").signed(key)
        clock.text = "2026-11-03T00:00:00.000Z"
        with pytest.raises(BadRequest, match="ended at"):
            vault.submit(expires)
        vault.submit(request)
        assert vault.stem(stem).clearances["stream"].since == "2026-11-03T00:00:00.000Z"
        early = vault.request_consent([stem], ["stream"], "withdraw").signed(key)
        clock.text = "2026-11-02T23:00:00.000Z"
        with pytest.raises(BadRequest, match="in the future"):
            vault.submit(early)
    assert verify(tmp_path / "home").ok


def test_a_party_with_a_master_share_withdraws_and_nobody_else(vault: Vault) -> None:
    stem = add(vault, "a", "Ada", 220)
    vault.grant([stem], ["stream", "export"])
    with pytest.raises(BadDeclaration, match="a master share"):
        vault.withdraw([stem], ["stream"], by="Ben")
    vault.split(stem, {"Ada": 900_000, "Ben": 100_000})
    (said,) = vault.withdraw([stem], ["stream"], by="Ben")
    assert said.holder == vault.holder("Ben").holder
    assert set(vault.stem(stem).clearances) == {"export"}
    with pytest.raises(BadDeclaration, match="only its holder may grant"):
        vault.request_consent([stem], ["stream"], "grant", by="Ben")


def test_a_share_falls_only_with_its_owners_signature(vault: Vault, zoe: PrivateKey) -> None:
    stem = add(vault, "a", "Ada", 220)
    vault.split(stem, {"Ada": 500_000, "Ben": 300_000, "Zoe": 200_000})
    lower = {"Ada": 800_000, "Ben": 100_000, "Zoe": 100_000}
    with pytest.raises(BadDeclaration, match="Ben, Zoe would fall"):
        vault.split(stem, lower)
    with pytest.raises(KeyNotHere):
        vault.split(stem, lower, approved_by=("Ben", "Zoe"))
    request = vault.request_splits(stem, lower)
    assert len(request.missing) == 3
    for name in ("Ada", "Ben"):
        request = request.signed(vault._statements.key(vault.holder(name)))
    with pytest.raises(BadRequest, match="is missing"):
        vault.submit(request)
    vault.submit(request.signed(zoe))
    assert vault.shares(stem)["master"][vault.holder("Zoe").holder] == 100_000
    assert vault.split(stem, {"Ada": 900_000, "Zoe": 100_000}, approved_by=["Ben"])["master"]
    assert verify(vault.home).ok


def test_stems_to_come_are_cleared_only_while_it_stands(vault: Vault) -> None:
    before = add(vault, "a", "Ada", 220)
    assert vault.stands("Ada") == {}
    vault.stand("Ada", ["stream", "live"])
    first = add(vault, "b", "Ada", 330)
    other = add(vault, "c", "Ben", 440)
    vault.stand("Ada", ["live"], "withdraw")
    second = add(vault, "d", "Ada", 550)
    vault.withdraw([first], ["stream"])
    cleared = {stem: set(vault.stem(stem).clearances) for stem in (before, first, other, second)}
    assert cleared == {before: set(), first: {"live"}, other: set(), second: {"stream"}}


def test_what_sounds_under_a_standing_consent_verifies(vault: Vault) -> None:
    from stemloom import Player

    vault.stand("Ada", ["stream"])
    stem = add(vault, "b", "Ada", 330)
    text = 'piece "One" for stream\ntempo 120\npool all = hits role fx\n'
    text += 'section one 2 bars\n    play x from all "x..............."\nmove one -> silence at end\n'
    with Player.from_text(vault.home, text) as player:
        player.read(5 * RATE)
    vault.refresh()
    placed = [entry for _, entry in vault.log.entries() if isinstance(entry, entries.Placement)]
    assert {entry.stem for entry in placed} == {stem}
    assert verify(vault.home).ok


def test_a_key_is_replaced_by_old_and_new(vault: Vault, zoe: PrivateKey) -> None:
    stem = add(vault, "a", "Zoe", 220)
    new = PrivateKey.generate()
    request = vault.request_key("Zoe", public(new))
    with pytest.raises(BadRequest, match="missing"):
        vault.submit(request.signed(new))
    vault.submit(request.signed(new).signed(zoe))
    grant = vault.request_consent([stem], ["stream"], "grant")
    with pytest.raises(BadRequest, match="none of those"):
        grant.signed(zoe)
    vault.submit(grant.signed(new))
    with pytest.raises(Exception, match="another key than the one in force"):
        vault.submit(request.signed(new).signed(zoe))


def test_a_key_that_is_kept_here_is_replaced_and_then_kept_by_its_holder(vault: Vault) -> None:
    stem = add(vault, "a", "Ada", 220)
    before = vault.holder("Ada")
    after = vault.replace_key("Ada")
    assert after.holder == before.holder
    assert after.public_key != before.public_key
    vault.grant([stem], ["stream"])
    own = PrivateKey.generate()
    vault.submit(vault.request_key("Ada", public(own)).signed(own))
    assert vault.holder("Ada").custody == "self"
    with pytest.raises(KeyNotHere):
        vault.withdraw([stem], ["stream"])
    vault.submit(vault.request_consent([stem], ["stream"], "withdraw").signed(own))
    assert vault.stem(stem).clearances == {}


def test_a_request_is_taken_in_whole_or_not_at_all(vault: Vault, zoe: PrivateKey) -> None:
    stems = [add(vault, name, "Zoe", hertz) for name, hertz in (("a", 220), ("b", 330))]
    request = vault.request_consent(stems, ["stream"], "grant").signed(zoe)
    vault.submit(vault.request_consent(stems[1:], ["export"], "grant").signed(zoe))
    with pytest.raises(BadRequest, match="stale"):
        vault.submit(request)
    assert vault.stem(stems[0]).clearances == {}
    doubled = msgspec.structs.replace(request, asked=request.asked[:1] * 2)
    with pytest.raises(VaultError, match="two statements on one stem"):
        vault.submit(doubled)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b'{"stemloom":"request v1"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_said(data: bytes) -> None:
    with pytest.raises(BadRequest, match="not a request"):
        read_request(data)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["--home", str(tmp_path / "cli"), *words])

    return run


def test_a_stranger_signs_with_openssl(run: Callable[..., Result], tmp_path: Path) -> None:
    """The bytes in a request are all that a tool of somebody else needs."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")

    def tool(*words: str | Path) -> bytes:
        return subprocess.run([openssl, *words], check=True, capture_output=True).stdout

    key, half, wav = tmp_path / "zoe.pem", tmp_path / "zoe.pub", tmp_path / "a.wav"
    tool("genpkey", "-algorithm", "ed25519", "-out", key)
    tool("pkey", "-in", key, "-pubout", "-out", half)

    def signed_by_openssl(path: Path) -> list[str]:
        found = []
        for each in read_request(path.read_bytes()).missing:
            message = tmp_path / "message"
            message.write_bytes(base64.b64decode(each.message))
            signature = tool("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", message)
            found += ["--signature", base64.b64encode(signature).decode()]
        return found

    joins = tmp_path / "joins.json"
    assert (
        run("vault", "holder", "request", "Zoe", "--public-key", str(half), "--out", str(joins)).exit_code
        == 0
    )
    result = run("vault", "holder", "submit", str(joins), *signed_by_openssl(joins))
    assert result.exit_code == 0, result.output
    import soundfile

    soundfile.write(wav, tone(220).T, RATE)
    assert run("vault", "add", str(wav), "--holder", "Zoe", "--role", "fx").exit_code == 0
    asks = tmp_path / "asks.json"
    assert run("vault", "consent", "request", "a", "--use", "stream", "--out", str(asks)).exit_code == 0
    wrong = base64.b64encode(bytes(64)).decode()
    assert "fits none" in str(run("vault", "consent", "submit", str(asks), "--signature", wrong).exception)
    assert run("vault", "consent", "submit", str(asks), *signed_by_openssl(asks)).exit_code == 0
    assert "stream" in run("vault", "show", "a").output
    assert run("ledger", "verify").exit_code == 0


def test_keygen_sign_and_submit(run: Callable[..., Result], tmp_path: Path) -> None:
    key, joins = tmp_path / "zoe.key", tmp_path / "joins.json"
    made = run("vault", "keygen", str(key))
    assert key.stat().st_mode & 0o777 == 0o600
    assert run("vault", "keygen", str(key)).exit_code == 2
    public_key = made.output.split()[-1]
    run("vault", "holder", "request", "Zoe", "--public-key", public_key, "--out", str(joins))
    assert run("vault", "submit", str(joins)).exit_code == 1
    assert "signed by all" in run("vault", "sign", str(joins), "--key", str(key)).output
    assert "Zoe joins" in run("vault", "submit", str(joins)).output
    assert "self" in run("vault", "holder", "list").output
    assert "cleared for nothing" in run("vault", "consent", "standing", "Zoe").output
    out = str(tmp_path / "standing.json")
    assert run("vault", "consent", "standing", "Zoe", "--use", "live", "--out", out).exit_code == 0
    run("vault", "sign", out, "--key", str(key))
    assert run("vault", "consent", "submit", out).exit_code == 0
    assert "cleared for live" in run("vault", "consent", "standing", "Zoe").output


def test_the_message_is_the_entry_and_not_what_the_file_says(vault: Vault, zoe: PrivateKey) -> None:
    """A file whose text asks for less than its entry takes is signed for what it takes, and says so."""
    stem = add(vault, "a", "Zoe", 220)
    request = vault.request_consent([stem], ["stream"], "grant")
    first = request.asked[0]
    other = msgspec.structs.replace(first.signatures[0], message=base64.b64encode(b"nothing").decode())
    lying = msgspec.structs.replace(request, asked=(msgspec.structs.replace(first, signatures=(other,)),))
    (signed,) = lying.signed(zoe).asked
    assert signed.signatures[0].signature is not None
    message = message_of(first.entry, vault.log.origin)
    assert zoe.sign(message) == base64.b64decode(signed.signatures[0].signature)
