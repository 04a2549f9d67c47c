"""`stemloom vault`: stems, holders, splits and consent."""

from __future__ import annotations

import click

from . import adding, signing, stems
from .consent import consent
from .declare import declare
from .fits import fits
from .holders import holder
from .splits import split


@click.group()
def vault() -> None:
    """Stems, holders, consent and splits."""


for command in (
    *(adding.add, adding.identify, stems.list_, stems.search, fits, stems.show, stems.original, stems.remove),
    *(declare, stems.rebuild, split, holder, consent, signing.keygen, signing.sign, signing.submit),
):
    vault.add_command(command)
for command in (signing.holder_request, signing.holder_key, signing.submit):
    holder.add_command(command)
for command in (signing.consent_request, signing.standing, signing.submit):
    consent.add_command(command)
