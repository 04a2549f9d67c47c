"""`stemloom replay`: plays a take once more, and says whether it sounds and is logged the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ground.visible import visible
from ..script.problems import counted
from .evidence import difference_lines, held_against, read_log, sound_line, sound_of
from .options import PATH
from .output import Console

if TYPE_CHECKING:
    from ..engine.play.earlier import KeptTake
    from ..engine.play.take import Take


@click.command()
@click.argument("take", type=PATH)
@click.option("--out", type=PATH, help="The audio file, .wav or .flac; it is logged.")
@click.option("--check", is_flag=True, help="Only compare: nobody hears it, and nothing is written.")
@click.pass_obj
def replay(console: Console, take: Path, out: Path | None, check: bool) -> None:
    """Play TAKE again, to a file or for a comparison, and say whether sound and placements are the same.

    --check compares it with the ledger of this home as well, plays stems that were withdrawn since as they
    did then, and names the engine that replays a take of another one.
    """
    from ..engine.errors import TakeRefused
    from ..engine.play.earlier import EarlierTake, kept_take

    if check == (out is not None):
        raise click.UsageError("say where to with --out, or --check to only compare")
    kept = kept_take(take)
    if out is None:
        _check(console, kept)
    elif isinstance(kept.take, EarlierTake):
        raise TakeRefused(
            f"{str(take)!r} is played again by {kept.take.engine_that_replays}, not by this one"
        )
    else:
        _replay(console, kept.take, out)


def _replay(console: Console, recorded: Take, out: Path) -> None:
    """Replay a take to a file; exits 5 if it came out otherwise."""
    from ..engine.made_by import told_apart
    from ..engine.play.render import replay_to

    with console.vault() as vault, console.telling("mixing") as tell:
        replayed = replay_to(vault, recorded, out, tell)
    same = {True: "the same sound", False: "ANOTHER SOUND", None: "a sound without a hash to compare"}
    entries = "the same placements"
    if replayed.differences:
        entries = f"{counted(len(replayed.differences), 'placement')} that differ"
    record = {
        "ok": replayed.same,
        "engine": recorded.engine,
        "this_engine": replayed.take.engine,
        "pcm_sha256": replayed.take.pcm_sha256,
        "expected_pcm_sha256": recorded.pcm_sha256,
        "entries_equal": not replayed.differences,
        "differences": list(replayed.differences),
        "audio": str(out),
        "session": replayed.take.session,
    }
    session = replayed.take.session
    console.emit(record, f"{out}: {same[replayed.same_sound]}, {entries}; logged as session {session}")
    if apart := told_apart(recorded.engine, replayed.take.engine):
        console.note(f"{apart}{'' if replayed.same else ', which may be why it differs'}")
    if not replayed.same:
        raise SystemExit(5)


def _check(console: Console, kept: KeptTake) -> None:
    """Compare a take with its sound and with the ledger; exits 5 if they differ."""
    from ..engine.made_by import engine, told_apart
    from ..engine.play.earlier import EarlierTake

    recorded = kept.take
    earlier = isinstance(recorded, EarlierTake)
    log = read_log(console, None, None)
    account, differences = held_against(kept, log)
    known = account.opening is not None
    sound = sound_of(console, kept, account, log)
    # A take of another ledger may be compared by its sound alone, if there is one to compare.
    ok = sound.same and not (differences if known else earlier)
    entries = "the same placements"
    if sound.differences:
        entries = f"{counted(len(sound.differences), 'placement')} that differ"
    placed = counted(len(recorded.placements), "placement")
    lines = [sound_line(sound) if sound.same_sound is None else f"{sound_line(sound)}, {entries}"]
    if not known:
        lines.append(f"the ledger of this home does not have its session {visible(recorded.session)}")
    elif differences:
        lines += ["the ledger says something else:", *difference_lines(differences)]
    else:
        lines.append(f"{placed}, as the ledger has them")
    record: dict[str, Any] = {
        "ok": ok,
        "engine": recorded.engine,
        "this_engine": engine(),
        "session": recorded.session,
        "replayed": sound.pcm_sha256 is not None,
        "pcm_sha256": sound.pcm_sha256,
        "expected_pcm_sha256": recorded.pcm_sha256,
        "entries_equal": not sound.differences,
        "differences": list(sound.differences),
        "deleted": list(sound.deleted),
        "ledger": {"known": known, "differences": differences if known else ()},
    }
    console.emit(record, "\n".join(lines))
    if sound.why is None and (apart := told_apart(recorded.engine, engine())):
        console.note(visible(apart))
    if not ok:
        raise SystemExit(5)
