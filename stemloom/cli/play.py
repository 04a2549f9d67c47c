"""`stemloom play` and `stemloom replay`: plays a piece on a device, and a take once more."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ground.uses import Tier, Use
from ..script.problems import counted
from .options import PATH, SECONDS, dial_value, session
from .output import Console, picked, worded
from .watch import Watch

if TYPE_CHECKING:
    from ..engine.play.earlier import EarlierTake
    from ..engine.play.live import Health
    from ..engine.play.player import Player

REFRESH_SECONDS = 0.1
METER_CELLS = 10
METER_FLOOR_DB = -40.0


def device_of(value: str | None) -> int | str | None:
    """A device by its number if the text is one, else by name; `None` for the system's default."""
    return int(value) if value is not None and value.isdigit() else value


@click.command()
@click.argument("script", type=PATH)
@click.option(
    "--device", help='Number or part of the name, as `doctor` lists them; "silent" plays to nobody.'
)
@click.option(
    "--block", type=click.IntRange(0, 8192), default=0, help="Frames of a block; 0: the device's own."
)
@click.option("--seconds", type=SECONDS, help="Stop after this time; by default the piece plays to its end.")
@click.option("--watch", is_flag=True, help="When SCRIPT is saved anew, it takes over at the next bar line.")
@session
@click.pass_obj
def play(
    console: Console,
    script: Path,
    device: str | None,
    block: int,
    seconds: float | None,
    watch: bool,
    seed: int | None,
    use: Use | None,
    tier: Tier,
    user: str,
    dials: tuple[str, ...],
) -> None:
    """Play SCRIPT on an audio device. Ctrl-C ends it with a short fade; what was heard is logged.

    With --watch you may edit it meanwhile: what you save takes over at the next bar line, and lines that stay
    go on without a seam. If it has a mistake, that is reported, and the old script plays on.
    """
    from ..engine.play.player import Player

    if watch and str(script) == "-":
        raise click.UsageError("--watch needs a file: what comes from standard input is not saved anew")
    _warn_of_compiling(console)
    with (
        _interrupts(),
        Player(
            console.folder,
            script,
            use=use,
            tier=tier,
            user=user,
            seed=seed,
            dials=dict(map(dial_value, dials)),
        ) as player,
    ):
        _tell_events(console, player)
        player.open_device(device_of(device), block=block)
        health = player.health
        assert health is not None
        console.note(f"playing {script} on {health.device}")
        interrupted = _follow(console, player, seconds, script if watch else None)
        player.stop()
        health = player.health
    assert health is not None
    _tell_played(console, player, health, interrupted)


@click.command()
@click.argument("take", type=PATH)
@click.option("--out", type=PATH, help="The audio file, .wav or .flac; it is logged.")
@click.option("--check", is_flag=True, help="Only compare: nobody hears it, and nothing is written.")
@click.pass_obj
def replay(console: Console, take: Path, out: Path | None, check: bool) -> None:
    """Play TAKE again, to a file or for a comparison, and say whether sound and placements are the same.

    A take of an earlier engine is compared with the ledger, and --check names the engine that replays it.
    """
    from ..engine.made_by import told_apart
    from ..engine.play.earlier import EarlierTake, read_take
    from ..engine.play.render import replay_to
    from ..engine.play.replay import replay as play_again

    if check == (out is not None):
        raise click.UsageError("say where to with --out, or --check to only compare")
    recorded = read_take(take)
    if isinstance(recorded, EarlierTake):
        _tell_earlier(console, take, recorded, out)
        return
    with console.vault() as vault, console.telling("mixing") as tell:
        if out is not None:
            replayed = replay_to(vault, recorded, out, tell)
        else:
            _, replayed = play_again(vault, recorded, lambda block: None, logged=False, progress=tell)
    same = {True: "the same sound", False: "ANOTHER SOUND", None: "a sound without a hash to compare"}
    entries = "the same placements"
    if replayed.differences:
        entries = f"{counted(len(replayed.differences), 'placement')} that differ"
    found = f"{same[replayed.same_sound]}, {entries}"
    record = {
        "ok": replayed.same,
        "engine": recorded.engine,
        "this_engine": replayed.take.engine,
        "pcm_sha256": replayed.take.pcm_sha256,
        "expected_pcm_sha256": recorded.pcm_sha256,
        "entries_equal": not replayed.differences,
        "differences": list(replayed.differences),
    }
    if out is not None:
        record |= {"audio": str(out), "session": replayed.take.session}
        found = f"{out}: {found}; logged as session {replayed.take.session}"
    console.emit(record, found)
    if apart := told_apart(recorded.engine, replayed.take.engine):
        console.note(f"{apart}{'' if replayed.same else ', which may be why it differs'}")
    if not replayed.same:
        raise SystemExit(5)


def _tell_earlier(console: Console, path: Path, take: EarlierTake, out: Path | None) -> None:
    """Compare a take of an earlier version with the ledger; exits 5 if they differ."""
    from ..engine.errors import TakeRefused
    from ..engine.play.earlier import compared

    if out is not None:
        raise TakeRefused(f"{str(path)!r} is played again by {take.engine_that_replays}, not by this one")
    with console.vault() as vault:
        found = compared(path, take, vault.log.entries(0))
    record = {
        "ok": found.same,
        "engine": take.engine,
        "version": take.version,
        "session": take.session,
        "replayed": False,
        "entries_equal": found.known and not found.differences,
        "differences": list(found.differences),
        "file_as_logged": found.same_file,
    }
    entries = f"{counted(len(take.placements), 'placement')}, as the ledger has them"
    if not found.known:
        entries = f"the ledger of this home does not have its session {take.session}"
    elif found.differences:
        entries = f"{counted(len(found.differences), 'placement')} that differ from the ledger's"
    elif found.same_file is False:
        entries += ", in ANOTHER FILE than its session's closing entry names"
    sound = f"its sound is not compared: {take.engine_that_replays} replays it"
    console.emit(record, f"{entries}; {sound}")
    if not found.same:
        raise SystemExit(5)


def _tell_events(console: Console, player: Player) -> None:
    """Note what happens to the device, the ledger and the script while the music plays."""

    def note(text: str) -> None:
        _note(console, text)

    player.on("device", lambda error: note(str(error)))
    player.on("unready", lambda error: note(str(error)))
    player.on(
        "stopped",
        lambda seconds: note(f"the process stood still for {seconds:.1f} s, and goes on from there"),
    )
    player.on(
        "ledger",
        lambda fault: note(
            "the ledger is written again"
            if fault is None
            else f"{fault}: the music goes on, and what is heard waits in memory"
        ),
    )
    player.on("script", lambda piece: note(f'"{piece.name}" as it was saved takes over'))


def _tell_played(console: Console, player: Player, health: Health, interrupted: bool) -> None:
    """Print a summary of the session. `health`: of the device at the end."""
    take, ledger = player.take, player.ledger
    assert take is not None
    ms = sum(placement.ms for placement in take.placements)
    console.emit(
        {
            "session": take.session,
            "device": health.device,
            "seconds": take.frames / take.rate,
            "placements": len(take.placements),
            "ms": ms,
            "take": str(console.folder / "takes" / f"{take.session}.json"),
            **picked(ledger, "sealed lost"),
            "interrupted": interrupted,
            **picked(health, "xruns late"),
            "block_p50_ms": health.p50 * 1e3,
            "block_p99_ms": health.p99 * 1e3,
            "block_p999_ms": health.p999 * 1e3,
            "block_longest_ms": health.longest * 1e3,
        },
        "\n".join(
            [
                f"played {take.frames / take.rate:.1f} s on {health.device}",
                f"session {take.session}, {counted(len(take.placements), 'placement')} in the ledger",
                f"{counted(health.xruns, 'gap')}; a block took {health.p50 * 1e3:.2f} ms, "
                f"at most {health.longest * 1e3:.2f} ms",
            ]
        ),
    )


def _follow(console: Console, player: Player, seconds: float | None, watched: Path | None) -> bool:
    """Show a status line until the end; gives whether it was interrupted. `watched`: a script to watch."""
    shown = _is_shown(console)

    def refused(error: Exception) -> None:
        said, still = worded(error, verbose=console.verbose), "the old script plays on"
        _note(console, said if still in said else f"{said}\n{still}")

    watch = Watch(player, watched, refused) if watched is not None else None
    try:
        while not player.wait(REFRESH_SECONDS):
            if watch is not None:
                watch.look()
            if shown:
                width = os.get_terminal_size(sys.stderr.fileno()).columns
                click.echo(f"\r\x1b[K{status(player)[: width - 1]}", nl=False, err=True)
            if seconds is not None and player.seconds >= seconds:
                break
    except KeyboardInterrupt:
        return True
    finally:
        if watch is not None:
            watch.close()
        if shown:
            click.echo("\r\x1b[K", nl=False, err=True)
    return False


def _is_shown(console: Console) -> bool:
    """Whether there is a status line."""
    return sys.stderr.isatty() and not (console.quiet or console.json)


def _note(console: Console, text: str) -> None:
    """Print a note in the place of the status line, which is printed again below it."""
    console.note(f"\r\x1b[K{text}" if _is_shown(console) else text)


def status(player: Player) -> str:
    """The status line: the place in the piece, the level, the stems that sound, and faults."""
    bar, health = player.bar, player.health
    where = f"{bar.section} {bar.section_bar + 1}" if bar is not None else ""
    peak = player.peak()
    level = 20 * math.log10(peak) if peak > 0 else METER_FLOOR_DB
    cells = round(max(0.0, 1 - level / METER_FLOOR_DB) * METER_CELLS)
    meter = "#" * cells + "." * (METER_CELLS - cells)
    minutes, rest = divmod(player.seconds, 60)
    parts = ", ".join(dict.fromkeys(f"{now.part}: {now.title}" for now in player.now()))
    wrong = f"  {counted(health.xruns, 'gap')}" if health is not None and health.xruns else ""
    late = f"  {health.late} late" if health is not None and health.late else ""
    unwritten = "  LEDGER NOT WRITTEN" if player.ledger.fault else ""
    number = 0 if bar is None else bar.bar + 1
    return f"{int(minutes)}:{rest:04.1f}  bar {number}  {where}  [{meter}]{wrong}{late}{unwritten}  {parts}"


@contextmanager
def _interrupts() -> Iterator[None]:
    """Make SIGTERM end the music as Ctrl-C does, so that the session is sealed."""

    def interrupt(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _warn_of_compiling(console: Console) -> None:
    """Explain a long first start: the mixer is compiled for this machine, once."""
    from ..engine.compiled import chain_folder

    if chain_folder() is None:
        console.note("compiling the mixer for this machine; this is done once and takes some 15 seconds")
