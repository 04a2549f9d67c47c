"""The songs of a batch: their tempo and bars, the same for every stem of one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..catalogue.catalogue import Catalogue
from ..errors import BadDeclaration, Refused
from ..sound.declared import (
    COMMON_METER,
    Declared,
    beats_in_bar,
    checked_beats,
    checked_bpm,
    checked_meter,
    word,
)
from ..sound.decode import Sound, copy_file
from ..sound.song import NO_TEMPO, SongExtent, bars_of_song, extent_of
from .worker_pool import WorkerPool

Made = tuple[NDArray[np.float32], int]
"""A synthesised sound, float32 (channels, frames), and its rate."""
Offer = tuple[Declared, Made | None]


class SongGrid(NamedTuple):
    """The exact tempo and the length of a song."""

    bpm: Fraction
    beats: int


def with_bars(
    offers: Sequence[Offer], owners: Sequence[str], catalogue: Catalogue, workers: WorkerPool, folder: Path
) -> Sequence[Offer]:
    """The offers, those of a song with its tempo and its beats.

    `folder`: for copies. A song that its holder has in the vault already keeps what it has there. Raises
    `BadDeclaration` for a song without a tempo, and where declarations contradict each other or the vault.
    """
    songs: dict[tuple[str, str], list[int]] = {}
    for number, ((declared, _), owner) in enumerate(zip(offers, owners, strict=True)):
        if declared.song is not None:
            songs.setdefault((owner, word("song", declared.song)), []).append(number)
    if not songs:
        return offers
    known, made = _known(catalogue), list(offers)
    for (owner, song), numbers in songs.items():
        these = [offers[number] for number in numbers]
        grid = _grid(song, these, known.get((owner, song)), workers, folder)
        for number in numbers:
            declared, sound = offers[number]
            declared = replace(
                declared, bpm=grid.bpm, bars=None, beats=grid.beats, song=song, set=declared.set or song
            )
            made[number] = declared, sound
    return made


def _known(catalogue: Catalogue) -> Mapping[tuple[str, str], SongGrid]:
    facts = catalogue.stems().facts
    columns = (facts[name] for name in ("holder", "song", "bpm", "beats"))
    return {
        (holder, song): SongGrid(bpm, beats)
        for holder, song, bpm, beats in zip(*columns, strict=True)
        if song is not None
    }


def _grid(
    song: str, offers: Sequence[Offer], known: SongGrid | None, workers: WorkerPool, folder: Path
) -> SongGrid:
    tempi = {checked_bpm(each.bpm) for each, _ in offers if each.bpm is not None}
    meters = {COMMON_METER if each.meter is None else checked_meter(each.meter) for each, _ in offers}
    meter = next(iter(meters))
    lengths = {checked_beats(each.bars, each.beats, meter) for each, _ in offers} - {None}
    if len(tempi) > 1 or len(lengths) > 1 or len(meters) > 1:
        raise BadDeclaration(f"the stems of '{song}' are declared with more than one tempo, length or meter")
    bpm, beats = next(iter(tempi), None), next(iter(lengths), None)
    if known is not None:
        if bpm not in (None, known.bpm) or beats not in (None, known.beats):
            raise BadDeclaration(
                f"'{song}' is in the vault with {known.beats} beats at {float(known.bpm):g} bpm, and all its "
                "stems have those; leave out --bpm and --bars, or give the song another name"
            )
        return known
    if bpm is None:
        raise BadDeclaration(f"'{song}': {NO_TEMPO}")
    if beats is None:
        extents = [
            each for each in workers.each(lambda offer: _extent(offer, workers, folder), offers) if each
        ]
        try:
            # Where none can be read, each is refused for what is wrong with it.
            bars = bars_of_song(extents, bpm, beats_in_bar(meter)) if extents else 1
        except Refused as error:
            raise BadDeclaration(f"'{song}': {error}") from error
        beats = beats_in_bar(meter) * bars
    return SongGrid(bpm, beats)


def _extent(offer: Offer, workers: WorkerPool, folder: Path) -> SongExtent | None:
    """How long a stem is; None for a file that cannot be read, of which its own preparation tells."""
    declared, made = offer
    if made is not None:
        samples, rate = made
        return extent_of(Sound(samples, rate, "", 0.0))
    copy = folder / f"{os.urandom(8).hex()}.extent"
    try:
        copy_file(declared.path, copy)
        return workers.song_extent(copy)
    except (Refused, OSError):
        return None
    finally:
        copy.unlink(missing_ok=True)
