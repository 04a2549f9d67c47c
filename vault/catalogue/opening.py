"""Opens the catalogue of a vault beside its ledger."""

from __future__ import annotations

from contextlib import ExitStack

from ...ledger.entries import entries
from ...ledger.log.log import Log
from ..errors import CatalogueTrouble, NoVault
from .catalogue import Catalogue
from .store import Store


def open_catalogue(store: Store, log: Log, create: bool) -> Catalogue:
    """The catalogue of `store`, tied to `log`. Raises `CatalogueTrouble`, `NoVault`."""
    missing = not store.catalogue.exists()
    if missing and any(isinstance(entry, entries.Holder) for _, entry in log.entries()):
        raise CatalogueTrouble(
            f"the catalogue {store.catalogue} is missing, though the ledger names holders; put it back "
            "from a backup, or make it again with 'stemloom vault rebuild'"
        )
    if missing and not create:
        raise NoVault.at(store.folder.parent)
    if create:
        # SQLite does not wait its turn while another process turns the file to WAL.
        with store.lock():
            catalogue = Catalogue.open(store.catalogue, create=True)
    else:
        catalogue = Catalogue.open(store.catalogue)
    with ExitStack() as opened:
        opened.callback(catalogue.close)
        catalogue.follow(log.origin)
        opened.pop_all()
    return catalogue
