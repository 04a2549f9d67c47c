"""`stemloom royalty` over a real ledger: its commands one after another, and its sentences on mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stemloom.cli import run
from stemloom.ledger.clock import SystemClock
from stemloom.ledger.entries.entries import Placement, Session
from stemloom.ledger.royalties.record import record_income
from stemloom.ledger.royalties.settle import settle
from stemloom.vault.vault import Vault

from .settled_home import NOW, Home, flip


@pytest.fixture
def stemloom(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stemloom", "--home", str(home.path), "royalty", *words])
        with pytest.raises(SystemExit) as stopped:
            run()
        out, err = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return stopped.value.code, out, err

    return call


def test_the_commands_one_after_another(
    home: Home, stemloom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = stemloom("terms", "--json")
    assert (code, json.loads(out)["index"], json.loads(out)["master_ppm"]) == (0, None, 500_000)
    words = ("--currency", "EUR", "--source", "subscription", "--period", "2025-03", "--reference", "inv-1")
    code, out, _ = stemloom("income", "1000.00", *words, "--json")
    assert (code, json.loads(out)["amount"]) == (0, 1_000_000_000)
    words = ("terms", "set", "--from", "2025-03-01", "--pool", "subscription=70%", "--master", "33.3333%")
    code, _, err = stemloom(*words)
    assert (code, "before they are written" in err) == (2, True)
    monkeypatch.setattr(SystemClock, "now", lambda _: "2025-02-20T12:00:00.000Z")
    code, out, _ = stemloom(*words)
    assert (code, "70" in out) == (0, True)
    monkeypatch.undo()
    code, out, _ = stemloom("settle", "2025-03", "--json")
    settled = json.loads(out)
    assert code == 0
    assert list(settled)[:2] == ["period", "currency"]
    assert {"total_ms", "pool", "stems", "holders", "unallocated"} <= set(settled)
    # March had been heard when they were written, whatever the clock said.
    assert (settled["gross"], settled["pool"], settled["total_ms"]) == (10**9, 10**9, 100_001)
    shown = [
        json.loads(stemloom("terms", "show", "--period", each, "--json")[1])["index"]
        for each in ("2025-03", "2025-04")
    ]
    assert (shown[0], shown[1] is not None) == (None, True)
    page, data = tmp_path / "ada.html", tmp_path / "ada.json"
    code, out, err = stemloom(
        "statement", home.ada, "2025-03", "--html", str(page), "--out", str(data), "--json"
    )
    made = json.loads(out)
    assert code == 0
    assert made == json.loads(data.read_text())
    assert made["accrued"] == made["amount"] == made["closing"]
    assert {each["holder"]: each["amount"] for each in settled["holders"]}[home.ada] == made["amount"]
    assert page.read_text().startswith("<!doctype html>")
    assert str(page) in err
    code, out, _ = stemloom("balance", "--json")
    assert sum(each["closing"] for each in json.loads(out)["balances"]) == 10**9
    for words in (("balance",), ("statement", home.ben, "2025-03"), ("terms", "show", "--period", "2025-03")):
        code, out, err = stemloom(*words)
        assert (code, err) == (0, "")
        assert out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ada.html", "ada.json", "home"]


INCOME = ("--currency", "EUR", "--period", "2025-03", "--reference", "inv-1")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("income", "-5", *INCOME), 2, "income must be more than 0"),
        (("income", "0", *INCOME), 2, "income must be more than 0"),
        (("income", "NaN", *INCOME), 2, "'NaN' is not an amount"),
        (("income", "1e9", *INCOME), 2, "'1e9' is not an amount"),
        (("income", "99999999999", *INCOME), 2, "more than one entry can hold"),
        (("income", "5", "--currency", "EUX", *INCOME[2:]), 2, "'EUX' is not a currency of ISO 4217"),
        (("income", "5", *INCOME, "--period", "2999"), 2, "2999 has not begun"),
        (("income", "5", *INCOME, "--period", "soon"), 2, "'soon' is not a period"),
        (("settle", "2025-13"), 2, "'2025-13' is not a period"),
        (("settle", "2025-03"), 1, "there is no income for 2025-03"),
        (("settle", "2999-01"), 2, "2999-01 has not begun"),
        (("statement", "h00", "2025-03"), 4, "the ledger has no holder h00"),
        (("balance", "h00"), 4, "the ledger has no holder h00"),
        (("terms", "set", "--from", "2025-03-01"), 2, "say what to set"),
        (("terms", "set", "--from", "2025-03-01", "--master", "101%"), 2, "'101%' is not a share"),
        (
            ("terms", "set", "--from", "2025-03-01", "--pool", "gifts=5%"),
            2,
            "'gifts=5%' is not SOURCE=PERCENT",
        ),
        (
            ("terms", "set", "--from", "tomorrow", "--master", "1%"),
            2,
            "is not a time that terms can take effect",
        ),
        (("pay", "h00", "-5", "--currency", "EUR", "--reference", "r"), 2, "a payout must be more than 0"),
        (("pay", "--currency", "EUR", "--reference", "r"), 2, "name a holder, or --all"),
        (("pay", "h00", "--all", "--currency", "EUR", "--reference", "r"), 2, "name a holder, or --all"),
        (("pay", "h00", "--currency", "EUR", "--reference", "r"), 4, "no holder h00"),
        (("correct", "0", "--to", "5", "--reason", "r"), 1, "entry 0 is neither income nor a payout"),
        (("correct", "0", "--to", "1e3", "--reason", "r"), 2, "is not an amount"),
        (("simulate", "2025-03", "--rule", "floor:x"), 2, "is not a rule"),
        (("fairness", "2025-03"), 1, "there is no income for 2025-03"),
        (("statements", "2025-03", "--out", "folder"), 1, "was never settled"),
    ],
)
def test_mistakes_end_in_a_sentence_and_a_code(
    stemloom: Any, words: tuple[str, ...], code: int, message: str
) -> None:
    ended, out, err = stemloom(*words)
    assert (ended, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_the_running_month_is_settled_early_or_not_at_all(home: Home, stemloom: Any) -> None:
    month = SystemClock().now()[:7]
    # Wide enough that it has begun and is not over, whenever this runs.
    period = f"{month}-01..9998-12-31"
    assert stemloom("income", "5", "--currency", "EUR", "--period", period, "--reference", "r")[0] == 0
    code, out, err = stemloom("settle", period)
    assert (code, out) == (2, "")
    assert f"{period} is not over: its last day is 9998-12-31" in err
    code, _, err = stemloom("settle", period, "--early", "--unallocated")
    assert code == 0
    assert "is not over: what is heard in it from now on counts in the next" in err


def test_a_period_that_overlaps_a_settled_one_is_not_simulated(home: Home, stemloom: Any) -> None:
    """Its days would count twice."""
    home.income()
    settle(home.log, "2025-03", early=True)
    for command in ("simulate", "fairness"):
        code, _, err = stemloom(command, "2025-03-01..2025-04-30", "--currency", "EUR")
        assert (code, "overlaps 2025-03, which was already settled" in err) == (1, True)
        assert stemloom(command, "2025-03-01..2025-03-31", "--currency", "EUR")[0] == 0


def test_balance_and_statement_print_what_was_heard_since(home: Home, stemloom: Any) -> None:
    home.income()
    settled = settle(home.log, "2025-03", early=True)
    for words in (("balance",), ("statement", home.ada, "2025-03")):
        assert "heard since" not in stemloom(*words)[1]
    home.log.append(
        [
            msgspec.structs.replace(entry, session="xffffffffffffffffffff")
            for _, entry in home.log.entries(0, settled.index)
            if isinstance(entry, Session | Placement)
        ]
    )
    for words in (("balance",), ("balance", home.ben), ("statement", home.ada, "2025-03")):
        code, out, _ = stemloom(*words)
        said = "1 min 40.001 s heard since; the next settlement counts it"
        assert (code, said in out.replace("\u00a0", " ")) == (0, True)
    assert json.loads(stemloom("balance", "--json")[1])["heard_since"] == [
        {"period": "2025-03", "currency": "EUR", "settlement": settled.index, "ms": 100_001}
    ]
    home.income(period="2025-02")
    assert stemloom("settle", "2025-02")[0] == 0
    out = stemloom("statement", home.ada, "2025-02")[1].replace("\u00a0", " ")
    (bass,) = (line.split() for line in out.splitlines() if line.startswith("Bass"))
    assert bass[1:3] + bass[5:6] == ["35.001", "s", "2"], "what came late is counted with its placements"


@pytest.mark.parametrize(
    "words",
    [
        ("balance",),
        ("settle", "2025-03"),
        ("statement", "h00", "2025-03"),
        ("terms",),
        ("terms", "set", "--from", "2025-05-01", "--master", "1%"),
        ("income", "5", "--currency", "EUR", "--period", "2025-03", "--reference", "r"),
    ],
)
def test_no_ledger_exits_4(home: Home, stemloom: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    home.path.rename(tmp_path / "away")
    code, out, err = stemloom(*words)
    assert (code, out) == (4, "")
    assert f"there is no ledger in {home.path}" in err


def test_a_period_never_settled(home: Home, stemloom: Any) -> None:
    ended, _, err = stemloom("statement", home.ada, "2025-03")
    assert (ended, err) == (
        1,
        "stemloom: 2025-03 was never settled; settle it with 'stemloom royalty settle 2025-03'\n",
    )


def test_settling_a_damaged_ledger_exits_5(home: Home, stemloom: Any) -> None:
    home.income()
    flip(home)
    ended, out, err = stemloom("settle", "2025-03")
    assert (ended, out) == (5, "")
    assert "nothing was settled" in err


def test_a_file_that_cannot_be_written_leaves_nothing(home: Home, stemloom: Any, tmp_path: Path) -> None:
    home.income()
    settle(home.log, "2025-03", early=True)
    ended, out, err = stemloom(
        "statement", home.ada, "2025-03", "--html", str(tmp_path / "none" / "ada.html")
    )
    assert (ended, out) == (2, "")
    assert err == f"stemloom: there is no folder '{tmp_path / 'none'}' to write 'ada.html' to\n"
    ended, out, err = stemloom("statement", home.ada, "2025-03", "--out", str(tmp_path))
    assert (ended, out) == (2, "")
    assert f"'{tmp_path}' is a folder" in err
    # Said before anything is read: here there is not even a settlement of that period.
    ended, _, err = stemloom("statement", home.ada, "2025-01", "--out", str(tmp_path / "none" / "x"))
    assert (ended, "there is no folder" in err) == (2, True)


def test_holders_go_by_their_names_in_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a vault beside the ledger, a name or the beginning of an id finds a holder, and names show."""
    path = tmp_path / "home"
    with Vault.open(path, create=True, clock=NOW) as vault:
        mira = vault.add_holder("Mira <Holm>")
        vault.add_holder("Otis")
        record_income(vault.log, 1_000_000, "EUR", "sync", "2025-03", "inv-1")

    def call(*words: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["stemloom", "--home", str(path), "royalty", *words])
        with pytest.raises(SystemExit) as stopped:
            run()
        return (stopped.value.code, *capsys.readouterr())

    code, out, err = call("settle", "2025-03")
    assert (code, out) == (1, "")
    assert "nothing was settled: if that is meant, add --unallocated" in err
    code, out, _ = call("settle", "2025-03", "--unallocated")
    assert (code, "nothing was heard in 2025-03: 1.00\u00a0EUR stays unallocated" in out) == (0, True)
    for text in ("mira <holm>", mira.holder, mira.holder[:8]):
        code, out, _ = call("statement", text, "2025-03", "--html", str(tmp_path / "mira.html"), "--json")
        made = json.loads(out)
        assert (code, made["payee"]["name"], made["unallocated"]) == (0, "Mira <Holm>", 1_000_000)
        assert "<h1>Mira &lt;Holm&gt;</h1>" in (tmp_path / "mira.html").read_text()
    code, out, err = call("statement", "Mirra", "2025-03")
    assert (code, out) == (4, "")
    assert "Mirra" in err
    code, out, _ = call("balance", "Otis", "--json")
    assert (code, [each["name"] for each in json.loads(out)["balances"]]) == (0, ["Otis"])
