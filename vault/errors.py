"""The errors of the vault.

    VaultError                  1  anything below
      BadDeclaration            2  a bpm, key, role, split or use that is not valid
      NotAHome                  2  a new home was asked for in a folder of other things
      Refused                   1  a recording that the vault does not take
      NotInVault                4
        NoVault                    HOME holds no vault yet
        UnknownHolder              no holder of that id or name
        UnknownStem                no stem of that id or title
      CatalogueTrouble          1  the catalogue is missing, damaged or of another time than the ledger
      BadRequest                1  a signed statement that came back and is not accepted
      KeyNotHere                1  a holder's private key is not kept in this home
      AudioLost                 1  a stem's original recording is gone or changed

`str(error)` is a whole sentence for the user; `exit_code` is what the command line ends with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self


class VaultError(Exception):
    """A fault of the vault that a caller can act on."""

    exit_code = 1


class BadDeclaration(VaultError):
    """A declaration of a recording, a split or a consent is not valid."""

    exit_code = 2


class NotAHome(VaultError):
    """A new home was asked for in a folder that holds other things."""

    exit_code = 2


class Refused(VaultError):
    """A recording that the vault does not take; the sentence says why."""


class NotInVault(VaultError):
    """Something that was asked for does not exist."""

    exit_code = 4


class NoVault(NotInVault):
    """HOME holds no vault."""

    @classmethod
    def at(cls, home: Path) -> Self:
        """With what to do about it."""
        name = str(home) if str(home).isprintable() else ascii(str(home))
        return cls(
            f"there is no vault in {name}; name another home with --home or STEMLOOM_HOME, "
            "or begin one with 'stemloom vault holder add NAME'"
        )


class UnknownHolder(NotInVault):
    """No holder has that id or name, or several have."""


class UnknownStem(NotInVault):
    """No stem has that id or title, or several have."""


class CatalogueTrouble(VaultError):
    """The catalogue is missing, damaged, or does not belong to the ledger beside it."""


class BadRequest(VaultError):
    """A request for signatures, or a signature, that is not accepted."""


class KeyNotHere(VaultError):
    """A statement is to be signed and the holder's private key is not in this home."""


class AudioLost(VaultError):
    """A stem's original recording is missing from the store, or is not the one that was added."""
