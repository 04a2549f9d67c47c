"""The names of holders, for commands about money: from the vault, if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..ledger.royalties.statement_schema import Named
    from ..vault.records import Holder
    from ..vault.vault import Vault
    from .output import Console


def names_in(vault: Vault) -> dict[str, str]:
    """The names of holders by id."""
    return {each.holder: each.name for each in vault.holders()}


def shares_record(shares: Mapping[str, Mapping[str, int]], names: Mapping[str, str]) -> dict[str, object]:
    """The shares of a stem for JSON, by side."""
    return {
        side: [{"holder": holder, "name": names[holder], "ppm": ppm} for holder, ppm in parts.items()]
        for side, parts in shares.items()
    }


def people_of(console: Console) -> tuple[Holder, ...]:
    """The holders in the vault's catalogue; none if there is a ledger without a vault."""
    if not (console.folder / "vault").exists():
        return ()
    with console.vault() as vault:
        return tuple(vault.holders())


def holder_of(people: tuple[Holder, ...], text: str) -> str:
    """The id of the holder `text`. Without a vault there are no names, and `text` must be the id."""
    from ..vault.catalogue.find_by_name import find_holder

    return find_holder(people, text).holder if people else text


def named(console: Console, people: tuple[Holder, ...]) -> dict[str, Named]:
    """Names with their salts and identifiers, except for names that were erased."""
    from ..ledger.royalties.statement_schema import Named

    if not people:
        return {}
    with console.vault() as vault:
        known = {each.holder: vault.identifiers(each.holder) for each in people}
    return {
        each.holder: Named(each.name, each.name_salt, known[each.holder].isni, known[each.holder].ipi)
        for each in people
        if each.name_salt
    }
