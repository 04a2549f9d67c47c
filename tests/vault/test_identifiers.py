"""Identifiers of the field: real ones are taken in every way of writing, and one mistyped digit is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from stemloom import Vault
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.sound.standard_codes import ipi, isni, isrc, iswc

REAL = [
    (isrc, "GB-A1B-24-00001", "GBA1B2400001"),
    (isrc, "ISRC US-RC1-76-07839", "USRC17607839"),
    (iswc, "T-034.524.680-1", "T0345246801"),
    (iswc, "iswc t0345246801", "T0345246801"),
    (isni, "0000 0001 2103 2683", "0000000121032683"),
    (isni, "ISNI: 0000 0000 8045 6315", "0000000080456315"),
    (isni, "0000 0001 2281 955X", "000000012281955X"),
    (ipi, "00014107338", "00014107338"),
    (ipi, "052210040", "00052210040"),
    (ipi, "IPI 00052210040", "00052210040"),
    (ipi, "I-000000229-7", "I0000002297"),
    (ipi, "I-001068130-6", "I0010681306"),
]


@pytest.mark.parametrize(("check", "text", "kept"), REAL)
def test_real_ones_are_taken(check, text, kept) -> None:  # type: ignore[no-untyped-def]
    assert check(text) == kept
    assert check(kept) == kept


# The digits by their places, as of ISWC and IPI base numbers, find not every slip.
SURE = [each for each in REAL if each[0] is isni or (each[0] is ipi and each[2].isdigit())]


@given(st.sampled_from(SURE), st.data())
def test_one_mistyped_digit_is_found(real, data) -> None:  # type: ignore[no-untyped-def]
    check, _, kept = real
    at = data.draw(st.sampled_from([place for place, sign in enumerate(kept) if sign.isdigit()]))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != kept[at]))
    with pytest.raises(BadDeclaration, match="is not an I"):
        check(kept[:at] + other + kept[at + 1 :])


@pytest.mark.parametrize("check", [isrc, iswc, isni, ipi])
@pytest.mark.parametrize(
    "text", ["", " ", "x", "0" * 40, "T-034.524.68\u0660-1", "0000 0001 2103 268\n\x00", "<b>", "-" * 10_000]
)
def test_what_is_none(check, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadDeclaration, match="is not an I"):
        check(text)


def test_a_check_digit_is_told() -> None:
    with pytest.raises(BadDeclaration, match="ends in 2, and its digits give 1"):
        iswc("T-034.524.680-2")
    with pytest.raises(BadDeclaration, match="ends in 41, and its digits give 40"):
        ipi("00052210041")


def test_they_are_kept_beside_the_name_and_never_in_the_ledger(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def stemloom(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stemloom", "--home", str(home), "vault", "holder", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert stemloom("add", "Ada", "--isni", "0000 0001 2103 2684").returncode == 2
    assert not (home / "vault").exists()
    assert stemloom("add", "Ada", "--isni", "0000 0001 2103 2683").returncode == 0
    assert stemloom("identify", "Ada").returncode == 2
    wrong = stemloom("identify", "Ada", "--ipi", "00052210041")
    assert (wrong.returncode, "its digits give 40" in wrong.stderr) == (2, True)
    assert stemloom("identify", "Ada", "--ipi", "00052210040").returncode == 0
    with Vault.open(home) as vault:
        (ada,) = vault.holders()
        known = vault.identifiers(ada.holder)
        assert (known.isni, known.ipi) == ("0000000121032683", "00052210040")
    for path in (home / "ledger").rglob("*"):
        if path.is_file():
            assert b"121032683" not in path.read_bytes()
    assert stemloom("identify", "Ada", "--isni", "").returncode == 0
    with Vault.open(home) as vault:
        assert vault.identifiers(ada.holder).isni is None
        vault.erase_name(ada.holder)
        assert vault.identifiers(ada.holder).ipi is None
        with pytest.raises(BadDeclaration, match="was erased"):
            vault.keep_identifiers(ada.holder, ipi="00052210040")
    for path in (home / "vault").rglob("*"):
        if path.is_file():
            assert b"00052210040" not in path.read_bytes()
