"""Near-copies: said at intake, of one group, contested, and never made of shared one-shots."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemloom import Vault
from stemloom.ledger.entries.entries import Distinct, Likeness
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadDeclaration
from stemloom.vault.sound.declared import Declared

from .drums import PATTERNS, drums, hit

RATE = 44_100


def write(folder: Path, name: str, sound: np.ndarray) -> Path:
    path = folder / f"{name}.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return path


def loop(pattern: str) -> np.ndarray:
    """Two bars at 120, exactly."""
    return drums(PATTERNS[pattern], 120, 2, rate=RATE)[: 4 * RATE]


def offer(path: Path, holder: str = "Ada", **said: object) -> Declared:
    return Declared(path, holder, "beats", bpm=Fraction(120), bars=2, **said)  # type: ignore[arg-type]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    with Vault.open(tmp_path / "home", create=True) as opened:
        for name in ("Ada", "Ben", "Cem"):
            opened.add_holder(name)
        yield opened  # type: ignore[misc]


def test_copies_with_one_sample_changed_are_one_group(vault: Vault, tmp_path: Path) -> None:
    house = loop("house")
    offers = []
    for number in range(6):
        copy = house.copy()
        copy[1000 + number] += 0.001
        offers.append(offer(write(tmp_path, f"copy{number}", copy)))
    added = vault.add(offers).added
    assert len(added) == 6, "a holder may bring versions of their own"
    assert not any("one sound" in note for note in added[0].notes)
    for each in added[1:]:
        assert any("is one sound with" in note for note in each.notes)
    group = {stem for pair in vault.alike.of(added[3].stem.stem) for stem in (pair.stem, pair.other)}
    assert group == {each.stem.stem for each in added}
    said = [entry for _, entry in vault.log.entries() if isinstance(entry, Likeness)]
    assert len(said) == 5
    assert all(entry.score_milli > 900 and entry.fingerprint == 2 for entry in said)
    assert verify(vault.home).ok


def test_loops_of_the_same_one_shots_are_no_group(vault: Vault, tmp_path: Path) -> None:
    offers = [
        offer(write(tmp_path, name.replace(" ", "_"), loop(name)))
        for name in ("house", "backbeat", "four on the floor")
    ]
    offers.append(
        Declared(
            write(tmp_path, "snare", hit("snare", RATE).astype(np.float32)[:, None]),
            "Ada",
            "beats",
            shape="hit",
        )
    )
    added = vault.add(offers).added
    assert len(added) == 4
    assert vault.alike.pairs() == ()


def test_a_likeness_is_contested(
    vault: Vault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[str], tuple[int, str, str]],
) -> None:
    copy = loop("house")
    copy[1000] += 0.001
    (first,) = vault.add([offer(write(tmp_path, "first", loop("house")))]).added
    (other,) = vault.add([offer(write(tmp_path, "other", copy), "Ben", accept_likeness=True)]).added
    (pair,) = vault.alike.of(first.stem.stem)
    assert {pair.stem, pair.other} == {first.stem.stem, other.stem.stem}
    with pytest.raises(BadDeclaration, match="Cem has no part"):
        vault.alike.end(pair.entry, "Cem", "no reason of mine")
    home = vault.home
    assert f"(entry {pair.entry})" in command(f"--home {home} vault show {first.stem.stem}")[1]
    code, out, _ = command(f"--home {home} vault distinct {pair.entry} --asked Ben --reason 'another take'")
    assert (code, "ends entry" in out) == (0, True)
    vault.refresh()
    assert vault.alike.pairs() == ()
    with pytest.raises(BadDeclaration, match="or it was ended"):
        vault.alike.end(pair.entry, "Ben", "again")
    assert isinstance([entry for _, entry in vault.log.entries()][-1], Distinct)
    assert verify(home).ok
