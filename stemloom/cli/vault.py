"""`stemloom vault`: stems, holders, splits and consent."""

from __future__ import annotations

import click

from . import adding, signing, stems
from .consent import consent
from .holders import holder
from .splits import split


@click.group()
def vault() -> None:
    """Stems, holders, consent and splits."""


for command in (*adding.COMMANDS, *stems.COMMANDS, split, holder, consent):
    vault.add_command(command)
signing.register(vault, holder, consent)
