"""The audit of a take's sound: mixed once more from what was cleared then, for nobody to hear.

A stem that was withdrawn since is played all the same. One whose recording was deleted cannot be: it is
named, and the sound is not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...ledger.entries.canonical import PLACEMENT, decode
from ...ledger.entries.rights import Rights
from ...ledger.tlog.hashed import HashedLog
from ...ledger.verify.session_account import SessionAccount
from ...script.problems import ScriptRejected
from ...vault.catalogue.snapshot import Snapshot
from ...vault.errors import AudioLost
from ...vault.records import Clearance
from ...vault.vault import Vault
from ..errors import EngineError
from ..made_by import engine, told_apart
from .earlier import EarlierTake
from .replay import replay
from .take import Take


@dataclass(frozen=True, slots=True)
class SoundAudit:
    """The outcome. `same_sound`: None where the sound was not compared, and `why` says why.

    `differences`: the numbers of placements that came out otherwise. `deleted`: stems of the take that the
    vault does not have any more.
    """

    same_sound: bool | None
    why: str | None
    differences: tuple[int, ...] = ()
    deleted: tuple[str, ...] = ()
    pcm_sha256: str | None = None

    @property
    def same(self) -> bool:
        """Whether nothing speaks against the take."""
        return self.same_sound is not False and not self.differences


def audit_sound(
    vault: Vault,
    take: Take | EarlierTake,
    account: SessionAccount,
    log: HashedLog,
    progress: Callable[[int, int], None] | None = None,
) -> SoundAudit:
    """Mix a take again as its session could, by the rights that the log has for it, and compare.

    What another engine has made may sound otherwise here: that is no difference, and `why` names the engine.
    """
    if isinstance(take, EarlierTake):
        return SoundAudit(None, f"{take.engine_that_replays} replays it")
    apart = told_apart(take.engine, engine())
    then = _as_then(vault, take, account, log)
    there = then.stems.facts.place
    deleted = tuple(sorted(stem for stem in _candidates(take) if stem not in there))
    if gone := sorted({each.stem for each in take.placements} & set(deleted)):
        why = f"the recordings of {', '.join(gone)} are not in the vault any more"
        return SoundAudit(None, why, deleted=deleted)
    try:
        _, again = replay(vault, take, lambda block: None, logged=False, progress=progress, then=then)
    except AudioLost as error:
        return SoundAudit(None, str(error), deleted=deleted)
    except (EngineError, ScriptRejected) as error:
        if apart is None:
            raise
        return SoundAudit(None, f"{apart}, and it refuses it: {error}", deleted=deleted)
    sha256 = again.take.pcm_sha256
    if again.same:
        unknown = "the take has no hash of its sound" if again.same_sound is None else None
        return SoundAudit(again.same_sound, unknown, deleted=deleted, pcm_sha256=sha256)
    if apart is not None:
        return SoundAudit(None, f"{apart}: that one replays it", deleted=deleted, pcm_sha256=sha256)
    if deleted:
        why = f"{', '.join(deleted)}, which it could have chosen, are not in the vault any more"
        return SoundAudit(None, why, deleted=deleted, pcm_sha256=sha256)
    return SoundAudit(again.same_sound, None, again.differences, deleted, sha256)


def _candidates(take: Take) -> set[str]:
    """All stems that a take could choose or did."""
    changed = [each.candidates for each in take.changes] + [each.candidates for each in take.swaps]
    placed = (each.stem for each in take.placements)
    return {*take.candidates, *placed, *(stem for stems in changed for stem in stems)}


def _as_then(vault: Vault, take: Take, account: SessionAccount, log: HashedLog) -> Snapshot:
    """The vault with the grants that the session's stems had when it opened, or at least before its end."""
    now = vault.snapshot(take.declared)
    if account.opening is None or account.last is None:
        return now
    rights = Rights()
    for index, data in log.entries(0, account.last):
        if not data.startswith(PLACEMENT):
            rights.take(index, decode(data))
    changed: dict[str, dict[str, Clearance]] = {}
    for stem in _candidates(take):
        if stem not in now.stems.facts.place:
            continue
        for last in (account.opening[0], account.last):
            grant = rights.cleared(stem, last).get(take.use)
            if grant is not None:
                # The take itself says when it ran out or was withdrawn.
                cleared = Clearance(grant.index, grant.since, None, frozenset(grant.grant.extent))
                changed[stem] = {**now.stem(stem).clearances, take.use: cleared}
                break
    return now.with_clearances(changed, vault.holders(), now.size, now.time)
