"""Ledger entries that benchmarks make by hand: stems, and what comes before and in a session of one stem."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.canonical import PlacementForm
from stemloom.ledger.tlog.keys import PrivateKey

FORMS = 64
TIME = "2026-11-21T06:16:00.250Z"
SESSION = "x" + "0" * 20


def stem_entry(
    time: str, stem: str, digest: str, holder: str, owners: Sequence[str], **declared: Any
) -> entries.Stem:
    """A loop of four bars, with equal shares for its `owners`. `declared`: fields that are not as usual."""
    whole = tuple(entries.Share(holder=each, ppm=entries.WHOLE_PPM // len(owners)) for each in owners)
    fields: dict[str, Any] = {
        "time": time, "stem": stem, "holder": holder, "pcm_sha256": digest, "file_sha256": digest,
        "role": "pads", "shape": "loop", "bpm_milli": 120_000, "beats": 16, "key": None, "mood": (),
        "energy_milli": 500, "set": None, "isrc": None, "master": whole, "publishing": whole,
    }  # fmt: skip
    return entries.Stem(**fields | declared)


class Story:
    """What comes before the placements, signed with a key of its own: a holder, a stem and a consent."""

    def __init__(self, origin: str) -> None:
        key = PrivateKey.from_seed(b"b" * 32)
        self.holder = signing.holder_id(key.public)
        self.stem = "s" + "a" * 20
        joins = entries.Holder(
            time=TIME,
            holder=self.holder,
            name=signing.commitment("Ada", "00" * 16),
            public_key=base64.b64encode(key.public).decode(),
            custody="operator",
            proof=signing.UNSIGNED,
        )
        grant = entries.Consent(
            time=TIME,
            origin=origin,
            holder=self.holder,
            stem=self.stem,
            uses=("stream",),
            action="grant",
            until=None,
            previous=None,
            signature=signing.UNSIGNED,
        )
        proof, signature = (signing.signature_of(key, each, origin) for each in (joins, grant))
        self.entries: list[entries.Entry] = [
            signing.with_signature(joins, "proof", self.holder, proof),
            stem_entry(TIME, self.stem, "a" * 64, self.holder, [self.holder], title="Pad"),
            signing.with_signature(grant, "signature", self.holder, signature),
        ]

    def opened(self) -> entries.Session:
        return entries.Session(
            time=TIME,
            session=SESSION,
            state="opened",
            use="stream",
            tier="free",
            user="cd" * 32,
            script="ef" * 32,
            seed=7,
            vault="01" * 32,
            engine="0.1.0",
            licence=None,
            take=None,
            placements=None,
            ms=None,
        )

    def forms(self) -> list[PlacementForm]:
        """Of `FORMS` lines of a script."""
        return [PlacementForm(self.placement(line)) for line in range(FORMS)]

    def placement(self, id: int) -> entries.Placement:
        """The placement of that number in the session, as it is intended."""
        line = id % FORMS + 1
        return entries.Placement(
            session=SESSION,
            seq=0,
            stem=self.stem,
            use="stream",
            tier="free",
            role="pads",
            part=f"part {line}",
            section="verse",
            line=line,
            start_frame=id * 480,
            frames=48_000,
            rate=48_000,
            start=TIME,
            ms=1000,
            consent=2,
        )
