"""A receipt that a listener keeps catches an operator whose log says less, whatever the log's key signs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from stemloom import Log, Player, SessionReceipt, SteppedDevice, Vault, render
from stemloom.cli import main
from stemloom.engine.play.session import Session
from stemloom.ledger.entries.entries import Placement, Session as SessionEntry
from stemloom.ledger.errors import BadReceipt, VerificationFailed
from stemloom.ledger.log.session_receipt import Tally, check_session_receipt
from stemloom.ledger.tlog.hashed import HashedLog
from stemloom.ledger.verify.kept_receipt import beside_log
from stemloom.ledger.verify.session_account import verified
from stemloom.ledger.verify.verify import verify
from stemloom.script.check.check import accepted

from . import forging
from .small_home import RATE, TEXT, small_home

BLOCK = 4_800
SECONDS = 50


@dataclass(frozen=True)
class Heard:
    """A session that was listened to: its home, the log's key, and the receipts that the listener kept."""

    home: Path
    vkey: str
    running: tuple[SessionReceipt, ...]
    last: SessionReceipt

    def proved(self, receipt: SessionReceipt | None = None) -> tuple[str, ...]:
        """What the home's log says otherwise than a receipt."""
        return differences(self.home, receipt or self.last, self.vkey)


def differences(home: Path, receipt: SessionReceipt, vkey: str) -> tuple[str, ...]:
    kept = check_session_receipt(receipt.encoded(), vkey)
    return tuple(str(each) for each in beside_log(kept, verified(home)))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    home = small_home(tmp_path_factory.mktemp("receipts"))
    kept: list[SessionReceipt] = []
    with Player.from_text(home, TEXT) as player:
        player.on("receipt", kept.append)
        for number in range(1, 5):
            while player.seconds < 10 * number:
                player.read(BLOCK)
            # It is handed out once the journal has what it counts.
            while len(kept) < number:
                player.read(64)
                assert player.seconds < 10 * number + 9
        player.read(SECONDS * RATE - round(player.seconds * RATE))
    with Log.open(home) as log:
        yield Heard(home, log.vkey, tuple(kept[:-1]), kept[-1])


def test_a_receipt_comes_every_ten_seconds_and_at_the_end(heard: Heard) -> None:
    assert [each.seconds // 10 for each in heard.running[:4]] == [1, 2, 3, 4]
    assert not any(each.closed for each in heard.running)
    assert heard.last.closed
    assert heard.last.seconds == SECONDS
    for each in (*heard.running, heard.last):
        assert heard.proved(each) == ()
    assert heard.last.opening
    with Log.open(heard.home) as log:
        logged: dict[str, int] = {}
        for _, entry in log.entries():
            if isinstance(entry, Placement):
                logged[entry.stem] = logged.get(entry.stem, 0) + entry.frames
    assert heard.last.in_play() == logged


ATTACKS: dict[str, tuple[forging.Change, str]] = {
    "a placement removed": (forging.one_removed, "are not those that had ended by"),
    "the last placement removed": (forging.last_removed, "placements had ended by"),
    "ms lowered": (forging.ms_lowered, "are not those that had ended by"),
    "session dropped": (forging.session_dropped, "the log has no session x"),
    "a stem relabelled": (forging.stem_relabelled, "are not those that had ended by"),
    "a placement added": (forging.one_added, "are not those that had ended by"),
    "key exchanged": (forging.KEY_EXCHANGED, "opens with another key for its receipts"),
    "key left out": (forging.KEY_LEFT_OUT, "opens with another key for its receipts"),
    "closing left out": (forging.closing_left_out, "was closed, and the log has no entry of that"),
    "another take": (forging.opened_with(take=None), "closes with the take None"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_log_that_was_rewritten_and_signed_anew_is_caught(heard: Heard, tmp_path: Path, name: str) -> None:
    change, said = ATTACKS[name]
    false = forging.forged(heard.home, tmp_path / "false", change)
    # Without the proof of its opening, as if the log had been false from the start.
    found = differences(false, replace(heard.last, opening=b""), heard.vkey)
    assert any(said in each for each in found), found
    # With it, the log's key has moreover signed two histories.
    found = differences(false, heard.last, heard.vkey)
    assert "two histories" in found[0] or "cut back" in found[0], found
    code, text = say(heard.home, tmp_path, heard.last, "--log", str(false), "--vkey", heard.vkey)
    assert code == 5, text
    assert "NOT as logged" in text


def test_a_running_receipt_is_enough_where_the_close_never_comes(heard: Heard, tmp_path: Path) -> None:
    for name in ("a placement removed", "ms lowered", "session dropped", "a stem relabelled"):
        false = forging.forged(heard.home, tmp_path / name.replace(" ", "-"), ATTACKS[name][0])
        running = replace(heard.running[-1], opening=b"")
        assert differences(false, running, heard.vkey) != (), name


def test_counts_that_are_too_low_for_what_still_sounded_are_caught(heard: Heard, tmp_path: Path) -> None:
    """The session ends on paper just before the receipt's last mark."""

    def cut(entries: list[Any]) -> list[Any]:
        ended = check_session_receipt(heard.running[2].encoded(), heard.vkey).marks[-1].placements
        places = forging.placements(entries)
        gone = set(places[ended:])
        return [each for at, each in enumerate(entries) if at not in gone]

    false = forging.forged(heard.home, tmp_path / "false", cut)
    found = differences(false, replace(heard.running[2], opening=b""), heard.vkey)
    assert any("the receipt counts" in each for each in found), found


# What is no receipt.


def test_a_receipt_in_which_any_byte_is_changed_is_refused(heard: Heard) -> None:
    data = heard.last.encoded()
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(VerificationFailed):
            check_session_receipt(changed, heard.vkey)


def edited(receipt: SessionReceipt, **head: object) -> SessionReceipt:
    return replace(receipt, head=structs.replace(receipt.head, **head))


def test_a_receipt_that_was_edited_is_refused(heard: Heard) -> None:
    last, running = heard.last, heard.running[1]
    for false in (
        edited(last, frame=last.head.frame * 2),
        edited(running, state="closed"),
        edited(last, ms=1),
        replace(last, signature=running.signature),
        replace(last, marks=last.marks[:-1]),
        replace(last, marks=(*last.marks, last.marks[-1])),
        replace(last, marks=(last.marks[1], last.marks[0], *last.marks[2:])),
        replace(running, marks=last.marks[: len(running.marks)][::-1]),
    ):
        with pytest.raises(BadReceipt):
            check_session_receipt(false.encoded(), heard.vkey)


def invented(receipt: SessionReceipt, opening: bytes) -> SessionReceipt:
    """A receipt of the same session, with twice the time, by a key that a listener made."""
    tally = Tally(RATE)
    tally.ended("s" + "0" * 20, 90 * RATE, b"nothing")
    tally.mark(90 * RATE)
    opened = SessionEntry(
        time=receipt.head.time,
        session=receipt.session,
        state="opened",
        use="stream",
        tier="free",
        user="0" * 64,
        script="0" * 64,
        seed=0,
        vault="0" * 64,
        engine="0",
        licence=None,
        take=None,
        placements=None,
        ms=None,
    )
    return replace(tally.receipt(receipt.head.origin, opened, opened.time), opening=opening)


def test_one_that_is_signed_by_another_key_is_refused(heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(BadReceipt, match="signed by another key than the one of its session"):
        check_session_receipt(invented(heard.last, heard.last.opening).encoded(), heard.vkey)
    bare = invented(heard.last, b"")
    code, text = say(heard.home, tmp_path, bare, "--vkey", heard.vkey)
    assert code == 5
    assert "by itself it proves nothing" in text
    assert any("opens with another key" in each for each in heard.proved(bare))


def test_one_of_another_session_or_another_log_is_refused(heard: Heard, tmp_path: Path) -> None:
    home = small_home(tmp_path)
    kept = []
    for _ in range(2):
        with Player.from_text(home, TEXT) as player:
            player.read(RATE)
        kept.append(player.receipt())
    one, other = kept
    assert one.session != other.session
    with Log.open(home) as log:
        vkey = log.vkey
    assert differences(home, one, vkey) == differences(home, other, vkey) == ()
    with pytest.raises(BadReceipt, match="does not open"):
        check_session_receipt(replace(one, opening=other.opening).encoded(), vkey)
    with pytest.raises(BadReceipt, match="is of the log"):
        check_session_receipt(one.encoded(), heard.vkey)
    assert any(
        "has no session" in each for each in differences(heard.home, replace(edited(one), opening=b""), vkey)
    )


# How receipts come to be.


def test_a_player_gives_one_at_any_time(tmp_path: Path) -> None:
    home = small_home(tmp_path)
    with Player.from_text(home, TEXT) as player:
        first = player.receipt()
        assert (first.closed, first.seconds, first.in_play()) == (False, 0.0, {})
        player.read(RATE)
    last = player.receipt()
    with Log.open(home) as log:
        assert check_session_receipt(first.encoded(), log.vkey).opening is None
        assert differences(home, first, log.vkey) == differences(home, last, log.vkey) == ()
    assert last.closed
    assert sum(last.in_play().values()) == sum(each.frames for each in player.take.placements)
    assert last.head.take is not None


def test_a_device_gives_them_as_it_plays(tmp_path: Path) -> None:
    home = small_home(tmp_path)
    device = SteppedDevice()
    kept: list[SessionReceipt] = []
    with Player.from_text(home, TEXT) as player:
        player.on("receipt", kept.append)
        player.open_device(device)
        while not kept:
            device.step(RATE // 2)
            assert player.seconds < 60
        seconds = player.seconds
    with Log.open(home) as log:
        assert [each.closed for each in kept] == [False, True]
        for receipt in kept:
            assert differences(home, receipt, log.vkey) == ()
    assert 10 <= kept[0].seconds <= seconds <= kept[-1].seconds


def test_what_a_hostile_take_says_steers_no_terminal(heard: Heard, tmp_path: Path) -> None:
    path = next((heard.home / "takes").glob("*.json"))
    false = path.read_bytes().replace(b'"section": "a"', b'"section": "\\u001b[2J"')
    (tmp_path / "take.json").write_bytes(false)
    words = ["--home", str(heard.home), "ledger", "check-take", str(tmp_path / "take.json"), "--no-sound"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 5
    assert "\\x1b[2J in the take" in done.output
    assert "\x1b" not in done.output


def test_a_render_gives_its_last_one_alone(tmp_path: Path) -> None:
    home = small_home(tmp_path)
    with Vault.open(home) as vault:
        rendered = render(vault, accepted(TEXT), tmp_path / "out.wav", seconds=25)
        assert rendered.receipt.closed
        assert differences(home, rendered.receipt, vault.log.vkey) == ()
    assert len(rendered.receipt.marks) >= 3


def test_what_nobody_hears_has_none(heard: Heard) -> None:
    with Vault.open(heard.home) as vault:
        session = Session(vault, accepted(TEXT), logged=False)
        try:
            assert session.receipts is None
        finally:
            session.abandon()


def test_after_a_kill_the_running_receipts_hold(tmp_path: Path) -> None:
    home, kept = small_home(tmp_path), tmp_path / "kept"
    program = f"""
        import os, signal
        from pathlib import Path
        from stemloom import Player
        from tests.engine.small_home import TEXT
        player = Player.from_text({str(home)!r}, TEXT)
        def keep(receipt):
            Path({str(kept)!r}).write_bytes(receipt.encoded())
            if receipt.seconds >= 20:
                os.kill(os.getpid(), signal.SIGKILL)
        player.on("receipt", keep)
        while True:
            player.read(4_800)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Log.open(home, create=True) as log:
        closing = [entry for _, entry in log.entries() if isinstance(entry, SessionEntry)][-1]
        receipt = check_session_receipt(kept.read_bytes(), log.vkey)
        assert (closing.state, closing.recovered) == ("closed", "crash")
        assert receipt.head.state == "open"
        assert receipt.seconds >= 20
        assert receipt.in_play()
        assert beside_log(receipt, verified(home)) == ()
    assert verify(home).ok


# The command.


def say(home: Path, folder: Path, receipt: SessionReceipt, *words: str) -> tuple[int, str]:
    path = folder / "kept.receipt"
    path.write_bytes(receipt.encoded())
    result = CliRunner().invoke(main, ["--home", str(home), "ledger", "check-receipt", str(path), *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return getattr(result.exception, "exit_code", 70), str(result.exception)
    return result.exit_code, result.output


def test_check_receipt_takes_both_kinds(heard: Heard, tmp_path: Path) -> None:
    code, text = say(heard.home, tmp_path, heard.last, "--vkey", heard.vkey)
    assert code == 0, text
    assert f"counted: {SECONDS}.0 s of {heard.last.session}" in text
    assert "the whole session, opened by entry" in text
    code, text = say(heard.home, tmp_path, heard.last, "--vkey", heard.vkey, "--log", str(heard.home))
    assert code == 0, text
    assert "the log has the same" in text
    with Log.open(heard.home) as log:
        (tmp_path / "entry").write_bytes(log.prove(2))
    words = [
        "ledger",
        "check-receipt",
        str(tmp_path / "entry"),
        "--vkey",
        heard.vkey,
        "--log",
        str(heard.home),
    ]
    result = CliRunner().invoke(main, ["--json", *words])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) | {"index": 2, "ok": True, "differences": []} == json.loads(
        result.output
    )


def test_render_and_play_write_one(tmp_path: Path) -> None:
    script, kept = tmp_path / "piece.loom", tmp_path / "kept.receipt"
    script.write_text(TEXT)
    home = small_home(tmp_path)
    with Log.open(home) as log:
        vkey = log.vkey
    out = str(tmp_path / "out.wav")
    for words in (
        ("render", str(script), "--out", out, "--seconds", "12"),
        ("play", str(script), "--device", "silent", "--seconds", "0.5"),
    ):
        kept.unlink(missing_ok=True)
        done = CliRunner().invoke(main, ["--home", str(home), *words, "--receipt", str(kept)])
        assert done.exit_code == 0, done.output
        receipt = check_session_receipt(kept.read_bytes(), vkey)
        assert receipt.head.state == "closed"
        assert receipt.opening is not None
        assert beside_log(receipt, verified(home)) == ()
    nowhere = ["--home", str(home), *words, "--receipt", str(tmp_path / "none" / "kept")]
    assert CliRunner().invoke(main, nowhere).exit_code != 0


def test_a_receipt_whose_log_gave_another_answer_is_not_confirmed(heard: Heard) -> None:
    """What is compared is what was hashed: a log that changes after it was verified raises."""
    log: HashedLog = verified(heard.home)
    other = HashedLog(log.size, log.root, log._bundles, lambda start, stop: iter(()))
    with pytest.raises(VerificationFailed, match="others now"):
        beside_log(check_session_receipt(heard.last.encoded(), heard.vkey), other)
