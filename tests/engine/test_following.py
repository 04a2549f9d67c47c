"""Which changes of the vault a session follows, when, and to what."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stemloom import Vault
from stemloom.engine.compose.score import Score, score
from stemloom.engine.play import home_watch
from stemloom.engine.play.following import Change, Following
from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries.entries import Consent
from stemloom.script.check.check import accepted

from .watched import (
    BEATS,
    LATER,
    NOW,
    PADS,
    RATE,
    SOON,
    filled as filled,
    home as home,
    made as made,
    session_of,
    sounds,
    titles,
    vault as vault,
)

UNCONCERNED: dict[str, Callable[[Vault], object]] = {
    "withdrawn, another pool": lambda vault: vault.withdraw(["air"], ["stream"]),
    "granted, another pool": lambda vault: vault.grant(["low"], ["stream"]),
    "granted, another use": lambda vault: vault.grant(["one", "shy"], ["live", "export"]),
    "a split": lambda vault: vault.split("one", {vault.holder("Ada").holder: 1_000_000}),
    "a stem that is not cleared": lambda vault: vault.add_sounds(sounds(2, ("beats", "new"))),
    "a stem of another pool": lambda vault: vault.add_sounds(sounds(2, ("pads", "new"))),
    "removed, another pool": lambda vault: vault.remove("low"),
    "removed, and never cleared": lambda vault: vault.remove("shy"),
    "a holder": lambda vault: vault.add_holder("Ben"),
    "a standing consent": lambda vault: vault.stand("Ada", ["stream"]),
    "a key": lambda vault: vault.replace_key("Ada"),
}


@pytest.mark.parametrize("change", UNCONCERNED)
def test_what_does_not_concern_a_session_changes_nothing_in_it(vault: Vault, change: str) -> None:
    session = session_of(vault)
    before = session.score
    UNCONCERNED[change](vault)
    session.read(3 * RATE)
    assert session.score is before
    assert session.conductor.tape.changes == []
    session.close()


CONCERNED: dict[str, tuple[Callable[[Vault], object], set[str]]] = {
    "withdrawn": (lambda vault: vault.withdraw(["one"], ["stream"]), {"two"}),
    "granted": (lambda vault: vault.grant(["shy"], ["stream"]), {"one", "two", "shy"}),
    "granted anew": (lambda vault: vault.grant(["one"], ["stream"], LATER), {"one", "two"}),
    "submitted": (
        lambda vault: vault.submit(
            vault.request_consent(["one"], ["stream"], "withdraw").signed(
                vault._statements.key(vault.holder("Ada"))
            )
        ),
        {"two"},
    ),
    "removed": (lambda vault: vault.remove("one"), {"two"}),
    "entered": (
        lambda vault: (vault.stand("Ada", ["stream"]), vault.add_sounds(sounds(2, ("beats", "new")))),
        {"one", "two", "new"},
    ),
    "granted and taken back": (
        lambda vault: (vault.grant(["shy"], ["stream"]), vault.withdraw(["shy"], ["stream"])),
        {"one", "two"},
    ),
}


@pytest.mark.parametrize("change", CONCERNED)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_change_of_this_process_is_known_when_it_returns(
    home: Path, vault: Vault, change: str, elsewhere: bool
) -> None:
    """From this thread or another, by this vault or another of the same home: no look is waited for."""
    make, right = CONCERNED[change]
    session = session_of(vault)
    assert titles(session) == {"one", "two"}
    if elsewhere:
        link = home.with_name("link")
        link.symlink_to(home)
        with Vault.open(link) as other:
            thread = threading.Thread(target=make, args=[other])
            thread.start()
            thread.join()
    else:
        make(vault)
    assert titles(session) == right
    assert session.score.snapshot.state_hash == vault.snapshot().state_hash
    session.close()


def test_a_consent_that_runs_out_needs_no_watch(vault: Vault, made: list[Score]) -> None:
    clock = FixedClock(NOW)
    vault.grant(["one"], ["stream"], SOON)
    session = session_of(vault, clock=clock)
    assert titles(session) == {"one", "two"}
    clock.text = SOON
    assert titles(session) == {"two"}
    assert len(made) == 1
    assert titles(session) == {"two"}
    assert len(made) == 1
    session.close()


def test_what_runs_out_while_a_score_waits_is_left_out_of_it(vault: Vault) -> None:
    clock = FixedClock(NOW)
    vault.grant(["one"], ["stream"], SOON)
    session = session_of(vault, clock=clock)
    vault.grant(["shy"], ["stream"])
    clock.text = SOON
    assert titles(session) == {"two", "shy"}
    session.close()


def test_another_script_takes_over_on_the_vault_of_that_moment(vault: Vault) -> None:
    session = session_of(vault)
    session.read(RATE // 2)
    coming = session.conductor.rescored(accepted(PADS))
    vault.grant(["low"], ["stream"])
    session.gestures.swap(coming)
    vault.withdraw(["air"], ["stream"])
    session.read(RATE)
    assert session.score.piece.name == "Pads"
    assert {stem.title for stem in session.score.stems.values()} == {"low"}
    session.close()


def test_a_change_while_another_script_takes_over_is_not_lost(vault: Vault) -> None:
    """Neither if the watch tells before the thread that decides has the new score, nor if it tells after."""
    sessions = session_of(vault), session_of(vault, PADS)
    old, coming = (session.score for session in sessions)
    for session in sessions:
        session.close()
    vault.withdraw(["air"], ["stream"])
    change = Change(vault.snapshot(), tuple(_said(vault)[-1:]))
    following = Following(old, FixedClock(NOW))
    following.follow(change)
    assert following.ready is None
    following.go_on(coming, ())
    assert not following.take(NOW).stems
    following = Following(old, FixedClock(NOW))
    following.go_on(coming, ())
    following.follow(change)
    assert not following.take(NOW).stems


def _said(vault: Vault) -> list[Consent]:
    return [entry for _, entry in vault.log.entries() if isinstance(entry, Consent)]


def test_many_changes_lead_to_what_the_catalogue_says(home: Path, vault: Vault) -> None:
    """Sessions of several scripts and uses, which look now and then, follow whatever happens."""
    rng = random.Random(11)
    vault.grant(["one", "air"], ["live"])
    sessions = [session_of(vault, text, use=use) for text in (BEATS, PADS) for use in ("stream", "live")]
    for step in range(60):
        stems = [stem.stem for stem in vault.stems()]
        some, uses = rng.sample(stems, rng.randint(1, 2)), rng.sample(["stream", "live", "export"], 2)
        match rng.randrange(12):
            case 0:
                vault.remove(rng.choice(stems))
            case 1:
                vault.add_sounds(sounds(100 + step, (rng.choice(["beats", "pads"]), f"new{step}")))
            case 2:
                vault.stand("Ada", uses, rng.choice(["grant", "withdraw"]))
            case 3 | 4 | 5 | 6:
                vault.withdraw(some, uses)
            case _:
                vault.grant(some, uses, rng.choice([None, LATER]))
        for session in rng.sample(sessions, 2):
            session.conductor.see_changes()
            now, anew = session.score, vault.snapshot()
            right = score(
                now.piece,
                anew,
                use=now.use,
                at=anew.time,
                rate=RATE,
                must_sound=False,
                tempo_bpm=now.clock.tempo_bpm,
            )
            assert now.stems.keys() == right.stems.keys()
            assert all(
                now.stems[id].clearances[now.use] == stem.clearances[now.use]
                for id, stem in right.stems.items()
            )
    for session in sessions:
        session.close()


def test_an_interrupted_change_is_told_by_the_next_look(
    home: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the thread that changes the vault is interrupted, each session follows all the same."""
    monkeypatch.setattr(home_watch, "LOOK_SECONDS", 3600)
    sessions = [session_of(vault) for _ in range(3)]
    follow = Following.follow
    for number, title in enumerate(("one", "shy", "two")):
        calls = iter(range(3))

        def interrupted(
            self: Following, change: Change, at: int = number, calls: Iterator[int] = calls
        ) -> None:
            if next(calls) == at:
                raise KeyboardInterrupt
            follow(self, change)

        change = vault.grant if title == "shy" else vault.withdraw
        with monkeypatch.context() as patch:
            patch.setattr(Following, "follow", interrupted)
            with pytest.raises(KeyboardInterrupt):
                change([title], ["stream"])
        home_watch.look(home)
        right = ({"two"}, {"two", "shy"}, {"shy"})[number]
        assert [titles(session) for session in sessions] == [right] * 3
    for session in sessions:
        session.close()


def test_a_score_that_cannot_be_made_ready_fails_where_it_is_wanted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = session_of(vault), session_of(vault, BEATS.replace("seed 3", "seed 4"))
    with_snapshot = Score.with_snapshot

    def poor(self: Score, *given: object) -> Score:
        if self.seed == 3:
            raise MemoryError
        return with_snapshot(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Score, "with_snapshot", poor)
        vault.withdraw(["one"], ["stream"])
        assert titles(second) == {"two"}
        for _ in range(2):
            with pytest.raises(MemoryError):
                first.read(RATE)
    assert titles(first) == {"two"}
    first.close()
    second.close()
