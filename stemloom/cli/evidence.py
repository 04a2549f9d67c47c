"""`stemloom ledger check-take` and `check-receipt`: what somebody kept, against what was logged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..ground.visible import visible
from ..script.problems import counted
from .entry_lines import entries_in_words, summary, time_of
from .options import FILE, LOG, PATH, VKEY
from .output import Console, picked
from .witness import cosigned_lines, cosigners, policy_of, witnessing

if TYPE_CHECKING:
    from ..engine.play.earlier import KeptTake
    from ..engine.play.sound_audit import SoundAudit
    from ..ledger.log.session_receipt import VerifiedSession
    from ..ledger.tlog.hashed import HashedLog
    from ..ledger.tlog.policy import Policy
    from ..ledger.verify.session_account import Difference, SessionAccount

MOST_SHOWN = 20
"""Differences that are printed; `--json` has all."""


def read_log(console: Console, copy: str | None, vkey: str | None, policy: Policy | None = None) -> HashedLog:
    """The home's log or a copy of one, verified as a whole. Raises as `verified`."""
    from ..ground.processes import cores
    from ..ledger.verify.session_account import verified

    with console.telling("verifying the log") as tell:
        place = copy if copy is not None else console.folder
        return verified(place, vkey=vkey, policy=policy, workers=cores(), progress=tell)


def held_against(kept: KeptTake, log: HashedLog) -> tuple[SessionAccount, tuple[Difference, ...]]:
    """What a verified log has of a take's session, and what it says otherwise."""
    from ..engine.play.beside_ledger import beside_ledger
    from ..ledger.verify.session_account import account_of

    account = account_of(kept.take.session, log)
    return account, beside_ledger(kept, account)


def sound_of(console: Console, kept: KeptTake, account: SessionAccount, log: HashedLog) -> SoundAudit:
    """The sound of a take, mixed once more from the home's vault by the rights that a log has for it."""
    from ..engine.play.sound_audit import audit_sound

    with console.vault() as vault, console.telling("mixing") as tell:
        return audit_sound(vault, kept.take, account, log, tell)


def difference_lines(differences: Sequence[Difference]) -> list[str]:
    """The first differences, a line each; nothing in a text of others steers a terminal."""
    lines = [visible(str(each)) for each in differences[:MOST_SHOWN]]
    if more := len(differences) - len(lines):
        lines.append(f"and {more} more; --json has all")
    return lines


def sound_line(sound: SoundAudit | None) -> str:
    """What is to be said of the sound of a take."""
    if sound is None:
        return "its sound is not compared: there is no vault here, and the log alone was asked"
    also = f"; not in the vault any more: {', '.join(sound.deleted)}" if sound.deleted else ""
    if sound.differences:
        return (
            f"{counted(len(sound.differences), 'placement')} came out otherwise when it was mixed again{also}"
        )
    if sound.same_sound is None:
        return visible(f"its sound is not compared: {sound.why}{also}")
    return f"{'the same sound' if sound.same_sound else 'ANOTHER SOUND than its hash says'}{also}"


@click.command("check-take")
@click.argument("take", type=PATH)
@LOG
@VKEY
@click.option("--no-sound", "silent", is_flag=True, help="Do not mix it again, though there is a vault.")
@witnessing
@click.pass_obj
def check_take(
    console: Console,
    take: Path,
    copy: str | None,
    vkey: str | None,
    silent: bool,
    witnesses: tuple[str, ...],
    require: int | None,
) -> None:
    """Hold TAKE against the ledger and, with the vault at hand, against its sound.

    Exits 5 on any difference. Nobody hears it and nothing is written: stems that were withdrawn since play as
    they did then, and deleted ones are named.
    """
    from ..engine.play.earlier import kept_take

    kept = kept_take(take)
    log = read_log(console, copy, vkey, policy_of(witnesses, require))
    account, differences = held_against(kept, log)
    sound = None
    if account.opening is not None and not silent and (console.folder / "vault").exists():
        sound = sound_of(console, kept, account, log)
    ok = not differences and (sound is None or sound.same)
    session = kept.take.session
    lines = difference_lines(differences)
    if not differences:
        placed = counted(len(kept.take.placements), "placement")
        lines.append(
            f"{visible(take)}: session {session}, {placed}, as the log of {log.size} entries has them"
        )
    if account.opening is not None:
        lines.append(
            "its sound is not compared: --no-sound" if silent and sound is None else sound_line(sound)
        )
    if not ok:
        lines.append(f"NOT as logged: {visible(take)}")
    record = {
        "ok": ok,
        "session": session,
        "sha256": kept.sha256,
        "engine": kept.take.engine,
        "placements": len(kept.take.placements),
        "size": log.size,
        "root": log.root.hex(),
        "differences": differences,
        "sound": sound,
    }
    console.emit(record, "\n".join(lines))
    if not ok:
        raise SystemExit(5)


@click.command("check-receipt")
@click.argument("file", type=FILE)
@click.option("--vkey", metavar="K", required=True, help="The verifier key of the ledger it comes from.")
@click.option(
    "--log",
    "copy",
    metavar="LOG",
    help="Hold it against that log as well: a home, a published copy of a log, or a web address.",
)
@witnessing
@click.pass_obj
def check_receipt(
    console: Console,
    file: Path,
    vkey: str,
    copy: str | None,
    witnesses: tuple[str, ...],
    require: int | None,
) -> None:
    """Check a receipt: of an entry, or of a session that somebody listened to.

    No ledger is needed; with --log it is held against one. Exits 5 if it proves nothing, or if the log says
    something else.
    """
    from ..ledger.log.session_receipt import LARGEST_RECEIPT, is_session_receipt
    from ..ledger.tlog.given_file import read_given

    policy = policy_of(witnesses, require)
    data = read_given(file, LARGEST_RECEIPT)
    if is_session_receipt(data):
        record, lines, differences = _session_receipt(console, data, vkey, copy, policy)
    else:
        record, lines, differences = _entry_receipt(console, data, vkey, copy, policy)
    lines += difference_lines(differences)
    if copy is not None:
        record |= {"differences": differences}
        lines.append("NOT as logged" if differences else "the log has the same")
    console.emit({"ok": not differences} | record, "\n".join(lines))
    if differences:
        raise SystemExit(5)


def _entry_receipt(
    console: Console, data: bytes, vkey: str, copy: str | None, policy: Policy | None
) -> tuple[dict[str, Any], list[str], Sequence[Difference]]:
    from ..ledger.log.inclusion_receipt import check_receipt as check
    from ..ledger.verify.kept_receipt import entry_in_log

    proved = check(data, vkey, policy=policy)
    cosigned = cosigners(proved.cosignatures)
    differences: Sequence[Difference] = ()
    if copy is not None:
        differences = tuple(entry_in_log(proved, read_log(console, copy, vkey)))
    record = picked(proved, "index origin size")
    record |= {"root": proved.root.hex(), "entry": proved.entry, "witnesses": cosigned}
    lines = [
        f"proved: entry {proved.index} of {proved.origin}, which had {entries_in_words(proved.size)}:",
        f"{time_of(proved.entry)}  {proved.entry.__struct_config__.tag}  {visible(summary(proved.entry))}",
        *cosigned_lines(cosigned),
    ]
    return record, lines, differences


def _session_receipt(
    console: Console, data: bytes, vkey: str, copy: str | None, policy: Policy | None
) -> tuple[dict[str, Any], list[str], Sequence[Difference]]:
    from ..ledger.errors import BadReceipt
    from ..ledger.log.session_receipt import check_session_receipt
    from ..ledger.verify.kept_receipt import beside_log

    kept = check_session_receipt(data, vkey, policy)
    if copy is None and kept.opening is None:
        raise BadReceipt(
            f"the receipt was handed out before the opening of {kept.head.session} was under a checkpoint: "
            "by itself it proves nothing; hold it against the log with --log"
        )
    differences: Sequence[Difference] = ()
    if copy is not None:
        differences = beside_log(kept, read_log(console, copy, vkey))
    cosigned = cosigners(() if kept.opening is None else kept.opening.cosignatures)
    record = {
        "session": kept.head.session,
        "state": kept.head.state,
        "origin": kept.head.origin,
        "seconds": kept.seconds,
        "marks": len(kept.marks),
        "opening": None if kept.opening is None else kept.opening.index,
        "in_play_ms": kept.in_play_ms(),
        **picked(kept.head, "take placements ms"),
        "witnesses": cosigned,
    }
    return record, [*_counted(kept), *cosigned_lines(cosigned)], differences


def _counted(kept: VerifiedSession) -> list[str]:
    """What a session's receipt says, in words."""
    head, opening = kept.head, kept.opening
    how = "the whole session" if head.state == "closed" else "a session that went on"
    where = "not known to be in the log" if opening is None else f"opened by entry {opening.index}"
    return [
        f"counted: {kept.seconds:.1f} s of {head.session} in {head.origin}, {how}, {where}",
        *(f"{ms:>12} ms  {stem}" for stem, ms in kept.in_play_ms().items()),
    ]
