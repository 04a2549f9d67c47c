from __future__ import annotations

import pytest

from stemloom.ground.pitch import TONICS
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.sound.tonality import canonical_key


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("C", "C major"),
        ("c", "C major"),
        ("A#m", "A# minor"),
        ("Bb minor", "A# minor"),
        ("bb min", "A# minor"),
        ("B", "B major"),
        ("b", "B major"),
        ("Cb", "B major"),
        ("B#m", "C minor"),
        ("F♯ major", "F# major"),
        ("E♭m", "D# minor"),
        ("D  minor", "D minor"),
        ("Dmaj", "D major"),
        ("DM", "D major"),
        ("D MINOR", "D minor"),
        ("G Major", "G major"),
    ],
)
def test_each_way_of_writing_a_key(written: str, meant: str) -> None:
    assert canonical_key(written) == meant


def test_a_canonical_key_is_its_own_canonical_form() -> None:
    for tonic in TONICS:
        for mode in ("major", "minor"):
            assert canonical_key(f"{tonic} {mode}") == f"{tonic} {mode}"


@pytest.mark.parametrize("written", ["", "H", "8A", "D dorian", "A##", "minor", "A # minor x"])
def test_what_is_no_key_is_said_to_be_none(written: str) -> None:
    with pytest.raises(BadDeclaration, match="is not a key"):
        canonical_key(written)
