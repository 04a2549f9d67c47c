"""Whatever texts a vault, a ledger, a take, a request or a file's name holds: no command lets them steer.

The home has a holder, a stem, a session and income whose every free text has escape sequences, an override of
direction, letters without a width, line ends and a formula in it. Each command reads it, as text and as JSON.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import click
import numpy as np
import pytest
import soundfile

from stemloom import Vault, cli
from stemloom.cli import main
from stemloom.engine.listen import picture
from stemloom.engine.play.timeline import timeline
from stemloom.ground.visible import is_seen
from stemloom.ledger.entries import canonical, entries
from stemloom.ledger.royalties.accounting_formats import csv_text
from stemloom.ledger.tlog.witness import Witness
from stemloom.ledger.verify import sweep, verify
from stemloom.vault.sound import declared

from ..ledger import making

EVIL = (
    "=evil\x1b[31m\x1b]52;c;QUFB\x07\x1b]8;;http://x\x07\u202egpj\u200b\u2066\x9b2J\x7f\r\t\u2028\u3164"
    "\nFORGED [bold red]m[/] <script>alert(1)</script> &amp;"
)
NAME = EVIL.replace("/", "").replace("'", "")[:80]
MARK = "FORGED"
COMMANDS = {
    "demo": "--out {evil}",
    "check": "{script}",
    "format": "{script}",
    "plan": "{script}",
    "play": "{script}",
    "replay": "{take} --check",
    "render": "{script} --out {evil}.wav",
    "mix": "{script}",
    "vault add": "{sound} --holder {holder} --role {evil}",
    "vault consent grant": "{stem} --use stream",
    "vault consent list": "{stem}",
    "vault consent receipt": "3",
    "vault consent request": "{stem} --use stream --out {out}",
    "vault consent standing": "{holder} --use stream",
    "vault consent submit": "{request}",
    "vault consent withdraw": "{stem} --use stream",
    "vault declare": "{stem} --title {evil}",
    "vault distinct": "{income} --asked {evil} --reason {evil}",
    "vault fits": "{stem}",
    "vault holder add": "{evil}",
    "vault holder erase": "{evil}",
    "vault holder identify": "{holder}",
    "vault holder key": "{holder}",
    "vault holder list": "",
    "vault holder request": "{evil} --public-key {key} --out {out}",
    "vault holder submit": "{request}",
    "vault identify": "{sound}",
    "vault keygen": "{out}.pem",
    "vault list": "",
    "vault original": "{evil} --out {out}",
    "vault rebuild": "",
    "vault remove": "{evil}",
    "vault search": "FORGED",
    "vault show": "{stem}",
    "vault sign": "{request} --key {evil}",
    "vault split": "{stem}",
    "vault submit": "{request}",
    "user disclose": "{session}",
    "user erase": "{evil} --yes",
    "user list": "",
    "user sessions": "{evil}",
    "ledger check-receipt": "{receipt} --vkey {vkey}",
    "ledger check-take": "{take}",
    "ledger checkpoint": "",
    "ledger consistency": "{checkpoint}",
    "ledger cosign": "{checkpoint} --witness {witness}",
    "ledger export": "--parquet {evil}",
    "ledger key": "",
    "ledger prove": "3",
    "ledger reconcile": "",
    "ledger show": "",
    "ledger verify": "",
    "ledger witness": "{evil} --vkey {vkey} --dir {out}",
    "ledger witness-key": "--dir {evil}",
    "why": "{session} --at 0.5",
    "doctor": "",
    "benchmark": "--compare {evil}",
    "royalty balance": "",
    "royalty beancount": "--out {out}.beancount",
    "royalty correct": "{income} --to 1 --reason {evil}",
    "royalty fairness": "{period} --html {out}.html",
    "royalty income": "10 --currency EUR --source sync --period {period} --reference {evil}",
    "royalty pay": "{holder} 1 --currency EUR --reference {evil}",
    "royalty recompute": "{statement}",
    "royalty settle": "{period} --early",
    "royalty simulate": "{period}",
    "royalty statement": "{holder} {period} --html {out}.html --csv {out}.csv",
    "royalty statements": "{period} --out {out}",
    "royalty terms set": "--from {evil}",
    "royalty terms show": "",
}


def all_commands(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from all_commands(found, (*names, name))
    else:
        yield " ".join(names)


def test_every_command_is_walked() -> None:
    assert sorted(all_commands(main)) == sorted(COMMANDS)


def unchecked(patch: pytest.MonkeyPatch) -> None:
    """Have entries written and verified as before texts were checked: old ledgers hold such."""
    patch.setattr(canonical, "check_printing", lambda data: None)
    patch.setattr(verify, "check_printing", lambda data: None)
    patch.setattr(sweep, "check_printing", lambda data: None)
    patch.setattr(declared, "word", lambda what, text: text)


def filled(home: Path, text: str = EVIL) -> dict[str, str]:
    """Put a text into every place of a home, past the checks of commands; the ids that they have."""
    with pytest.MonkeyPatch.context() as patch:
        unchecked(patch)
        return _filled(home, text)


def _filled(home: Path, text: str) -> dict[str, str]:
    sound = home.parent / "evil.wav"
    soundfile.write(sound, np.random.default_rng(1).normal(0, 0.1, 4 * 24_000), 48_000, subtype="PCM_24")
    with Vault.open(home, create=True) as vault:
        holder = vault.add_holder(text).holder
    words = ["--role", text, "--new-role", "--title", text, "--mood", text, "--set", text]
    words += ["--bpm", "120", "--bars", "1", "--accept-tempo"]
    added = ["--home", str(home), "-q", "vault", "add", str(sound), "--holder", holder, *words]
    main.main(added, prog_name="stemloom", standalone_mode=False)
    with Vault.open(home) as vault:
        stem = next(each for each in vault.stems() if each.holder == holder).stem
        vault.grant([stem], ["stream"])
        grant = vault.log.size - 1
        now = vault.log.clock.now()
        state: dict[str, Any] = {"session": "xe0000000000", "time": now, "engine": text, "licence": text}
        sounds: dict[str, Any] = dict.fromkeys(("role", "part", "section"), text)
        sounds |= {"session": "xe0000000000", "start": now}
        vault.log.append(
            [
                making.session("opened", **state),
                making.placement(0, stem, grant, **sounds),
                making.session("closed", 1, 1000, **state | {"take": "4" * 64}),
                making.income(9_999_999, period=now[:7], reference=text, time=now),
            ]
        )
        income = vault.log.size - 1
        corrected: dict[str, Any] = {"time": now, "corrects": income, "amount": -1, "reason": text}
        vault.log.append([entries.Correction(**corrected)])
    ids = {"holder": holder, "stem": stem, "session": "xe0000000000", "income": str(income)}
    return ids | {"period": now[:7]}


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A home full of such texts, and files beside it."""
    beside = tmp_path_factory.mktemp("beside")
    home = beside / "home"
    words = filled(home)
    folder = beside / NAME
    folder.mkdir()
    script = folder / f"{NAME}.loom"
    said = EVIL.replace("\t", "")  # Of a line of a script, tabs are shown as tabs.
    script.write_text(f'piece "{said}" for stream\ntempo 114\nsection {said}\n', encoding="utf-8")
    (folder / "take").write_text(json.dumps({"version": EVIL}))
    (folder / "request").write_text(
        json.dumps({"stemloom": "request v1", "origin": EVIL, "asked": [], "name": EVIL})
    )
    shutil.copy(home / "ledger" / "log" / "checkpoint", folder / "checkpoint")
    (folder / "statement").write_text(json.dumps({"v": EVIL}))
    with Vault.open(home) as vault:
        (folder / "receipt").write_bytes(vault.log.prove(vault.log.size - 1))
        words |= {"vkey": vault.log.vkey}
    words |= {
        "witness": Witness.open(beside / "w", name="w.example.com").vkey,
        "key": "A" * 43 + "=",
        "evil": EVIL,
    }
    files = {name: str(folder / name) for name in ("take", "request", "checkpoint", "statement", "receipt")}
    return SimpleNamespace(
        home=home,
        beside=beside,
        words=words | files | {"script": str(script), "sound": str(folder / "no.wav")},
    )


def harmless(text: str) -> None:
    assert [f"{c!r} in {text!r}" for c in text if c != "\n" and not is_seen(c)][:1] == []
    assert [line for line in text.split("\n") if line.lstrip().startswith(MARK)] == []


@pytest.mark.parametrize("form", ["text", "json", "verbose"])
@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_prints_nothing_that_steers(
    evil: SimpleNamespace,
    tmp_path: Path,
    command: Any,
    words: str,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    home = shutil.copytree(evil.home, tmp_path / "home")
    values = {name: shlex.quote(value) for name, value in evil.words.items()}
    values["out"] = shlex.quote(str(tmp_path / NAME))
    (tmp_path / NAME).mkdir()
    flags = {"text": "", "json": "--json ", "verbose": "-v "}[form]
    _, out, err = command(f"{flags}--home {home} {words} " + COMMANDS[words].format(**values))
    harmless(out)
    harmless(err)
    if form == "json":
        for line in out.splitlines():
            json.loads(line)


# Files that are made of such texts.


def test_an_attack_is_seen_by_the_test() -> None:
    for text in ("\x1b[31m", "\u202e", "\u200b", "\t", "\x9b", f"a\n{MARK}", f"a\n  {MARK}"):
        with pytest.raises(AssertionError):
            harmless(text)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "\x00=1",
        "＝1",
        "＠a",
    ],
)
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    data = csv_text(["a"], [[text], ["fine"], [-5]])
    rows = list(csv.reader(io.StringIO(data, newline="")))
    assert rows[1][0].startswith("'")
    assert rows[2:] == [["fine"], ["-5"]]


def test_a_drawing_holds_text_and_nothing_else() -> None:
    drawn = timeline(EVIL, EVIL, [], [], 48_000, 48_000, {})
    root = ElementTree.fromstring(drawn)
    assert [each for each in root.iter() if each.tag.endswith("script")] == []
    assert [c for c in drawn + picture._text(0, 0, EVIL) if c != "\n" and not c.isprintable()] == []


def test_a_page_holds_text_and_nothing_else(
    evil: SimpleNamespace, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchecked(monkeypatch)
    home = shutil.copytree(evil.home, tmp_path / "home")
    page, sheet, holder = tmp_path / "page.html", tmp_path / "sheet.csv", evil.words["holder"]
    period = evil.words["period"]
    assert command(f"--home {home} royalty settle {period} --early")[0] == 0
    made = f"royalty statement {holder} {period} --html {page} --csv {sheet}"
    assert command(f"--home {home} {made}")[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert [c for c in text if c not in "\n\u00a0" and not c.isprintable()] == []
    for row in csv.reader(io.StringIO(sheet.read_text(encoding="utf-8"), newline="")):
        assert [cell for cell in row if cell.startswith(("=", "+", "-", "@"))] == []
    page = tmp_path / "fairness.html"
    assert command(f"--home {home} royalty fairness {period} --html {page}")[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert [c for c in text if c not in "\n\u00a0" and not c.isprintable()] == []
    books = tmp_path / "books.beancount"
    assert command(f"--home {home} royalty beancount --out {books}")[0] == 0
    assert [c for c in books.read_text(encoding="utf-8") if c != "\n" and not c.isprintable()] == []


def test_commands_print_through_one_place() -> None:
    """What is printed past it would not be made visible."""
    folder = Path(cli.__file__).parent
    printing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write")
    }
    assert printing == {"console.py"}
