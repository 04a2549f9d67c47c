"""Opens the catalogue of a vault beside its ledger."""

from __future__ import annotations

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
        raise NoVault(
            f"there is no vault in {store.folder.parent}; name another home with --home or STEMLOOM_HOME, "
            "or begin one with 'stemloom vault holder add NAME'"
        )
    if create:
        # SQLite does not wait its turn while another process turns the file to WAL.
        with store.lock():
            catalogue = Catalogue.open(store.catalogue, create=True)
    else:
        catalogue = Catalogue.open(store.catalogue)
    try:
        catalogue.follow(log.origin)
    except BaseException:
        catalogue.close()
        raise
    return catalogue
