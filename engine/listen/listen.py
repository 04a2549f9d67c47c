"""Listening: a piece is mixed as `render` mixes it, each part apart, and measured. Nothing is logged."""

from __future__ import annotations

from typing import Unpack

from ...ledger.clock import Clock
from ...script.piece import Piece
from ...vault.vault import Vault
from ..arguments import number, whole
from ..errors import NoEnd
from ..play.options import Options, known
from ..play.render import UNENDING_SECONDS, Progress, check_length, exact_gain_db
from ..play.session import Session
from ..play.whole import Broken, unbroken
from .desk import Overheard
from .heard import Heard, Sounding
from .spectra import Spectra


def listen(
    vault: Vault,
    piece: Piece,
    *,
    seconds: float | None = None,
    bars: int | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
    **options: Unpack[Options],
) -> Heard:
    """Listen to `piece` as `render` would give it, with the loudness that it would have.

    Nobody hears it: nothing goes into the ledger, and no take is kept. No more is listened to than an hour.
    Raises as `render` does.
    """
    seconds = None if seconds is None else number(seconds, "a length in seconds")
    bars = None if bars is None else whole(bars, "a length in bars")
    options = known(options)
    check_length(piece, seconds, bars)
    if seconds is not None and seconds > UNENDING_SECONDS:
        raise NoEnd(f"it is listened to for an hour at most, and {seconds:g} seconds are more")
    exact = seconds is None and bars is None and piece.loudness_lufs is not None and "gain_db" not in options
    length = UNENDING_SECONDS if seconds is None else seconds

    def run(broken: Broken) -> Heard:
        def tell(step: str, done: int, all: int) -> None:
            broken.check()
            if progress is not None:
                progress(step, done, all)

        def begin(
            gain_db: float | None = None, *, logged: bool = False, kind: type[Session] = Session
        ) -> Session:
            whose = options if gain_db is None else Options(**{**options, "gain_db": gain_db})
            return kind(
                vault, piece, seconds=length, bars=bars, keep_back=True, clock=clock, logged=False, **whose
            )

        gain_db = exact_gain_db(begin, (), tell) if exact else None
        session = begin(gain_db, kind=Overheard)
        assert isinstance(session, Overheard)
        try:
            return _heard(session, tell)
        finally:
            session.abandon()

    return unbroken(run)


def _heard(session: Overheard, tell: Progress) -> Heard:
    session.prepare(progress=lambda done, all: tell("conform", done, all))
    mix, unlimited, parts = Spectra(fine=True), Spectra(), {part: Spectra() for part in session.desk.parts}
    for whole_mix, before, apart in session.heard():
        mix.add(whole_mix)
        unlimited.add(before)
        for part, block in apart.items():
            parts[part].add(block)
        tell("mix", min(session.frame, session.planned_frames), session.planned_frames)
    frames, master = session.frame, session.mixer.master
    session.finish()
    sounded = [each for each in session.sounded if each.frames]
    heard = {each.placement.part for each in sounded}
    return Heard(
        piece=session.score.piece,
        frames=frames,
        bars=tuple(bar for bar in session.bars if not bar.ended and bar.start_frame < max(frames, 1)),
        soundings=tuple(Sounding(each.placement, each.end_frame) for each in sounded),
        mix=mix.thirds,
        unlimited=unlimited.thirds,
        parts={part: powers.thirds for part, powers in parts.items() if part in heard},
        semitones=mix.semitones,
        lufs=session.mixer.lufs,
        true_peak_dbtp=master.true_peak_dbtp,
        gain_db=session.gain_db,
        reduction_db=master.reduction_db(0.01),
    )
