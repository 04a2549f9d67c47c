"""The demo vault and its piece: built through the public interface, and made for each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stemloom import demo
from stemloom.demo import back_stairs, last_train, slow_weather
from stemloom.demo.recipe import HOLDERS
from stemloom.demo.stems import RECIPES
from stemloom.script.check.check import accepted, check
from stemloom.script.text.format import format_text
from stemloom.vault.errors import VaultError
from stemloom.vault.vault import Vault

each_piece = pytest.mark.parametrize("piece", demo.PIECES, ids=lambda piece: piece.stem)


@pytest.fixture(scope="module")
def vault(demo_home: Callable[[], Path], demo_steps: Path) -> Iterator[Vault]:
    told = json.loads((demo_steps / "steps.json").read_text())
    assert told == sorted(told)
    assert told[-1] == [2 * len(RECIPES), 2 * len(RECIPES)]
    with Vault.open(demo_home()) as opened:
        yield opened


def test_every_stem_is_there_as_declared(vault: Vault) -> None:
    stems = {stem.title: stem for stem in vault.stems()}
    assert set(stems) == {recipe.title for recipe in RECIPES}
    assert {holder.name for holder in vault.holders()} == set(HOLDERS)
    for recipe in RECIPES:
        stem = stems[recipe.title]
        assert (stem.role, stem.shape, stem.set, stem.key) == (
            recipe.role, recipe.shape, recipe.set, recipe.key
        )  # fmt: skip
        assert set(stem.clearances) == set(recipe.uses)
        assert vault.holder(recipe.holder).holder == stem.holder


def test_a_loop_s_samples_are_kept_bit_for_bit(vault: Vault) -> None:
    recipe = RECIPES[0]
    assert (vault.samples(vault.stem(recipe.title).stem) == recipe.sound()).all()


def test_splits_are_whole_and_differ(vault: Vault) -> None:
    shares = vault.shares(vault.stem("Window Seat").stem)
    names = {holder.holder: holder.name for holder in vault.holders()}
    assert {names[h]: ppm for h, ppm in shares["master"].items()} == {
        "Marit Solheim": 600_000,
        "Lio Varga": 400_000,
    }
    assert {names[h]: ppm for h, ppm in shares["publishing"].items()} == {
        "Marit Solheim": 700_000,
        "Lio Varga": 300_000,
    }


def test_a_second_demo_in_one_vault_is_refused(vault: Vault) -> None:
    before = vault.log.size
    with pytest.raises(VaultError, match="Marit Solheim"):
        demo.build(vault)
    assert vault.log.size == before


@each_piece
@pytest.mark.parametrize("use", ["stream", "live", "export"])
def test_a_piece_has_something_to_play_in_every_pool(vault: Vault, piece: Path, use: str) -> None:
    snapshot = vault.snapshot()
    checked = check(piece.read_text(encoding="utf-8"), snapshot, use=use)
    assert checked.problems == ()
    assert checked.piece is not None
    for pool in checked.piece.pools.values():
        assert snapshot.count(pool.clauses, use=use) > 0, pool.name


@each_piece
def test_a_piece_is_in_canonical_form_and_linked_from_the_examples(piece: Path) -> None:
    text = piece.read_text(encoding="utf-8")
    assert format_text(text) == text
    link = Path(__file__).parents[2] / "examples" / piece.name
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.read_text(encoding="utf-8") == text


def test_every_stem_of_a_family_is_in_its_piece(vault: Vault) -> None:
    """Nobody's work lies about unheard: some pool asks for it."""
    snapshot, asked = vault.snapshot(), set()
    for piece in demo.PIECES:
        for pool in accepted(piece.read_text(encoding="utf-8"), snapshot).pools.values():
            asked |= {snapshot.stems[place].title for place in snapshot.match(pool.clauses)}
    for family in (back_stairs.RECIPES, last_train.RECIPES, slow_weather.RECIPES):
        assert {recipe.title for recipe in family} <= asked
