"""What is declared of a stem can be corrected: by its holder, from then on, and everything else follows."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings, strategies as st

from stemloom import Vault
from stemloom.cli import main
from stemloom.ledger.entries import entries
from stemloom.ledger.entries.signing import signature_of
from stemloom.ledger.tlog.keys import PrivateKey
from stemloom.ledger.verify.audit import Audit
from stemloom.ledger.verify.verify import verify
from stemloom.vault.errors import BadDeclaration, BadRequest, KeyNotHere
from stemloom.vault.intake.corrections import Correction
from stemloom.vault.sound.declared import Declared

from ..ledger import making
from .conftest import Write, add_one, clicks, tone
from .test_signing import public

COMMON: dict[str, Any] = {"bpm": Fraction(120), "beats": 8}
"""Of the loop in these tests: eight clicks in four seconds."""


@pytest.fixture
def loop(vault: Vault, write: Write) -> str:
    found = add_one(
        vault, write("my loop.wav", clicks(4.0, 8), 48_000), bpm=Fraction(120), key="Am", mood=("dry",)
    )
    vault.grant([found.stem], ["stream"])
    return found.stem


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        (Correction(title="Other", isrc="QZABC2600001"), {"title": "Other"}),
        (Correction(key="F# major"), {"key": "F# major"}),
        (Correction(key=""), {"key": None}),
        (Correction(mood=("night", "warm", "night")), {"mood": ("night", "warm")}),
        (Correction(mood=()), {"mood": ()}),
        (Correction(role="tops"), {"role": "tops"}),
        (Correction(role="betas", new_role=True), {"role": "betas"}),
        (Correction(bpm=Fraction(60)), {"bpm": 60, "beats": 4, "frames": 192_000}),
        (Correction(bars=4), {"bpm": 240, "beats": 16}),
        (Correction(bpm=Fraction(90), meter="3/4"), {"bpm": 90, "beats": 6, "meter": (3, 4)}),
        (Correction(meter="2/4"), {"bpm": 120, "beats": 8, "meter": (2, 4)}),
        (Correction(shape="hit"), {"shape": "hit", "bpm": None, "beats": None}),
        (Correction(shape="sustained", role="fx"), {"shape": "sustained", "bpm": None, "role": "fx"}),
    ],
    ids=lambda each: "",
)  # fmt: skip
def test_what_is_named_changes_and_all_else_stays(
    vault: Vault, loop: str, said: Correction, holds: dict[str, Any]
) -> None:
    before = vault.stem(loop)
    after = vault.declare(loop, replace(said, accept_tempo=True))
    assert {name: getattr(after, name) for name in holds} == holds
    timed = {"bpm", "beats", "meter", "shape"} & holds.keys()
    derived = {"frames", "chroma", "lufs", "true_peak_dbtp", "sounding_frames", "peak_frame", "grid"}
    derived |= {"bpm", "beats"}
    names = [name for name in type(before).__slots__ if name not in holds and not (timed and name in derived)]
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
    assert vault.samples(loop).shape == (after.channels, after.frames)
    assert verify(vault.home).ok


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Correction(title="my loop"), "declared already"),
        (Correction(bpm=Fraction(120)), "declared already"),
        (Correction(bpm=Fraction(113)), "bpm"),
        (Correction(beats=6), "its onsets are those of 120 bpm"),
        (Correction(role="baets"), "did you mean"),
        (Correction(key="H flat"), "key"),
        (Correction(isrc="123"), "ISRC"),
        (Correction(title="\x1b[2J"), "print"),
        (Correction(shape="hit", bpm=Fraction(120)), "no tempo"),
        (Correction(bars=0), "beats"),
        (Correction(meter="4/5"), "meter"),
        (Correction(tail="keep"), "tail"),
    ],
    ids=lambda each: "",
)
def test_what_does_not_hold_is_refused_and_nothing_changes(
    vault: Vault, loop: str, said: Correction, why: str
) -> None:
    before, size = vault.stem(loop), vault.log.size
    with pytest.raises(BadDeclaration, match=why):
        vault.declare(loop, said)
    assert vault.stem(loop) == before
    assert vault.log.size == size


def test_a_hit_with_a_tempo_becomes_a_loop(vault: Vault, write: Write) -> None:
    found = add_one(vault, write("beat.wav", clicks(2.0, 4), 48_000), shape="hit")
    made = vault.declare(found.stem, Correction(bpm=Fraction(120)))
    assert (made.shape, made.bpm, made.beats, made.frames) == ("loop", 120, 4, 96_000)


def test_only_whoever_has_the_holders_key_declares(vault: Vault, loop: str) -> None:
    key = PrivateKey.generate()
    vault.submit(vault.request_holder("Zoe", public(key)).signed(key))
    ada = vault.holder("Ada")
    vault.submit(vault.request_key("Ada", public(key)).signed(key))
    with pytest.raises(KeyNotHere):
        vault.declare(loop, Correction(title="Hers"))
    request = vault.request_declaration(loop, Correction(title="Hers", bpm=Fraction(60)))
    assert "'my loop'" in request.asked[0].says
    assert "title 'Hers'" in request.asked[0].says
    with pytest.raises(BadRequest, match="signature"):
        vault.submit(request)
    stale = vault.request_declaration(loop, Correction(title="Never")).signed(key)
    vault.submit(request.signed(key))
    assert (vault.stem(loop).title, vault.stem(loop).bpm) == ("Hers", 60)
    for again in (request.signed(key), stale):
        with pytest.raises(BadRequest, match="stale"):
            vault.submit(again)
    assert [entry.title for _, entry in vault.declarations(loop)] == ["my loop", "Hers"]
    assert vault.stem(loop).holder == ada.holder
    assert verify(vault.home).ok


def test_a_signed_declaration_that_its_sound_denies_is_refused(vault: Vault, loop: str) -> None:
    key = PrivateKey.generate()
    vault.submit(vault.request_key("Ada", public(key)).signed(key))
    request = vault.request_declaration(loop, Correction(title="Odd"))
    odd = msgspec.structs.replace(request.asked[0].entry, bpm_milli=113_000, beats=8)
    asked = msgspec.structs.replace(request.asked[0], entry=odd)
    forged = msgspec.structs.replace(request, asked=(asked,)).signed(key)
    size = vault.log.size
    with pytest.raises(BadRequest, match=loop):
        vault.submit(forged)
    assert vault.log.size == size


def attack_on(
    entry: entries.Declaration, key: PrivateKey, origin: str, **changes: Any
) -> entries.Declaration:
    made = msgspec.structs.replace(entry, **changes)
    return msgspec.structs.replace(made, signature=signature_of(key, made, origin))


def test_the_audit_takes_a_declaration_once_and_from_its_holder_alone() -> None:
    origin = "stemloom/declarations"
    ada, ben = (PrivateKey.from_seed(bytes([number] * 32)) for number in (1, 2))
    holders = [making.holder(key, origin, name=name) for key, name in ((ada, "Ada"), (ben, "Ben"))]
    stem = making.stem("tide", holders[0].holder)
    same = ("time", "stem", "holder", "role", "shape", "bpm_milli", "beats", "key", "mood", "isrc")
    plain = entries.Declaration(
        **{name: getattr(stem, name) for name in same},
        title="Tide",
        previous=2,
        signature=making.NOT_SIGNED,
    )
    first = attack_on(plain, ada, origin)
    log: list[entries.Entry] = [*holders, stem, first]
    removal = entries.Removal(time=stem.time, stem=stem.stem, file_sha256=stem.file_sha256)
    second = attack_on(plain, ada, origin, previous=3, title="Flood")

    def faults(*more: entries.Entry) -> list[str]:
        audit, said = Audit(origin), []
        for index, entry in enumerate([*log, *more]):
            said += [(index, fault) for fault in audit.take(index, entry)]
        assert all(index >= len(log) for index, _ in said)
        return [fault for _, fault in said]

    assert faults(second) == []
    wrong: list[tuple[str, list[entries.Entry]]] = [
        ("what holds of it", [first]),
        ("what holds of it", [second, first]),
        ("signature", [attack_on(second, ben, origin)]),
        ("signature", [msgspec.structs.replace(second, title="Ebb")]),
        ("not its holder", [attack_on(second, ben, origin, holder=holders[1].holder)]),
        ("signature", [attack_on(second, ada, "another/log")]),
        ("with a tempo", [attack_on(second, ada, origin, shape="hit")]),
        ("without a tempo", [attack_on(second, ada, origin, beats=None)]),
        ("does not have both", [removal, second]),
        # A stem that comes back is declared by its new entry; what was signed before says nothing of it.
        ("what holds of it", [removal, stem, second]),
        ("what holds of it", [removal, stem, first]),
    ]
    for why, more in wrong:
        (fault,) = faults(*more)
        assert why in fault, (why, fault)


def test_sessions_and_takes_keep_what_was_declared_when_they_opened(vault: Vault, write: Write) -> None:
    from stemloom.engine.play.replay import replay
    from stemloom.engine.play.session import Session
    from stemloom.script.check.check import accepted

    piece = accepted(
        'piece "x" for stream\ntempo 100\npool p = loops role pads, max stretch 40%\nsection a 4 bars\n'
        "    bring it from p\n"
    )
    loop = add_one(vault, write("drone.wav", tone(4.0)), role="pads", bpm=Fraction(120), key="A minor").stem
    vault.grant([loop], ["stream"])

    def played(session: Session, frames: int) -> np.ndarray:
        return np.concatenate([session.read(frames // 2), session.read(frames - frames // 2)], axis=1)

    first = Session(vault, piece, use="stream", seed=3)
    begin = first.read(48_000)
    vault.declare(loop, Correction(beats=6, mood=("night",), title="new", accept_tempo=True))
    rest = first.read(96_000)
    take = first.close()
    assert take.declared == 0
    second = Session(vault, piece, use="stream", seed=3)
    anew = played(second, 144_000)
    later = second.close()
    assert later.declared == vault.snapshot().declared > 0
    assert not np.array_equal(anew, np.concatenate([begin, rest], axis=1))
    old, new = (vault.snapshot(each.declared).stem(loop) for each in (take, later))
    assert ((old.bpm, old.title), (new.bpm, new.title)) == ((120, "drone"), (90, "new"))

    def check(vault: Vault) -> None:
        for of, sound in ((take, np.concatenate([begin, rest], axis=1)), (later, anew)):
            blocks: list[np.ndarray] = []
            _, again = replay(vault, of, blocks.append, logged=False)
            np.testing.assert_array_equal(np.concatenate(blocks, axis=1), sound)
            assert again.same

    check(vault)
    home = vault.home
    vault.close()
    assert Vault.rebuild(home) == (1, ())
    with Vault.open(home) as opened:
        check(opened)
        assert opened.stem(loop).bpm == 90
    assert verify(home).ok


STATED = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["a", "b", "c"]),
        "role": st.sampled_from(["bass", "pads"]),
        "key": st.sampled_from(["C major", "A minor", ""]),
        "mood": st.sampled_from([(), ("dry",), ("night", "warm")]),
        "bpm": st.sampled_from([Fraction(60), Fraction(120), Fraction(240)]),
        "isrc": st.sampled_from(["", "QZABC2600001"]),
        "shape": st.sampled_from(["hit", "loop"]),
    },
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(STATED, st.just("remove")), min_size=1, max_size=5))
def test_the_catalogue_says_what_the_log_says_and_a_rebuild_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    home = tmp_path_factory.mktemp("declared") / "home"
    sound = (
        clicks(4.0, 8).T,
        Declared(Path("x"), "Ada", "beats", title="x", bpm=Fraction(120), accept_tempo=True),
    )
    with Vault.open(home, create=True) as vault:
        vault.add_holder("Ada")
        for step in steps:
            if not vault.stems():
                vault.add_sounds([(sound[1], sound[0])])
            (stem,) = vault.stems()
            if step == "remove":
                vault.remove(stem.stem)
                continue
            try:
                vault.declare(stem.stem, Correction(**step, accept_tempo=True))
            except BadDeclaration:
                continue
        said: dict[str, Any] = {}
        for _, entry in vault.log.entries():
            if isinstance(entry, entries.Stem | entries.Declaration):
                said = {
                    name: getattr(entry, name) for name in ("title", "role", "shape", "beats", "key", "mood")
                }
            elif isinstance(entry, entries.Removal):
                said = {}
        here = [{name: getattr(stem, name) for name in said} for stem in vault.snapshot().stems]
        assert here == ([said] if said else [])
        before = vault.snapshot().stems
    Vault.rebuild(home)
    with Vault.open(home) as vault:
        assert vault.snapshot().stems == before
        for stem in vault.stems():
            assert vault.samples(stem.stem).shape == (stem.channels, stem.frames)
    assert verify(home).ok


KILLED = """
import os, sys
from fractions import Fraction
from stemloom import Vault
from stemloom.ledger.log.log import Log
from stemloom.vault.catalogue.catalogue import Catalogue
from stemloom.vault.catalogue.store import Store
from stemloom.vault.intake.corrections import Correction
owner, name = {"Log": Log, "Catalogue": Catalogue, "Store": Store}[sys.argv[3]], sys.argv[4]
real = getattr(owner, name)
def dying(self, *words, **more):
    if name == "append" and not words[0]:
        return real(self, *words, **more)
    if sys.argv[5] == "after":
        real(self, *words, **more)
    os._exit(9)
setattr(owner, name, dying)
with Vault.open(sys.argv[1]) as vault:
    vault.declare(sys.argv[2], Correction(title="new", bpm=Fraction(60)))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "place", [("Catalogue", "keep_measured"), ("Store", "take_in"), ("Log", "append"), ("Catalogue", "apply")]
)
def test_killed_at_any_step_it_is_declared_wholly_or_not_at_all(
    vault: Vault, loop: str, place: tuple[str, str], when: str
) -> None:
    home = vault.home
    vault.close()
    words = [sys.executable, "-c", KILLED, str(home), loop, *place, when]
    assert subprocess.run(words, check=False, capture_output=True).returncode == 9
    with Vault.open(home) as opened:
        opened.add_holder("Cleo")
        found = opened.stem(loop)
        assert (found.title, found.bpm) in (("my loop", 120), ("new", 60))
        written = (place == ("Log", "append") and when == "after") or place == ("Catalogue", "apply")
        assert (found.title == "new") == written
        assert opened.samples(loop).shape == (1, found.frames)
        grids = {found.grid, ""}
    with closing(sqlite3.connect(home / "vault" / "catalogue.db")) as db:
        assert {row[0] for row in db.execute("SELECT grid FROM measured WHERE stem = ?", (loop,))} == grids
    copies = {path.name for path in (home / "vault" / "conformed").glob(f"{loop}*.npy")}
    assert len(copies) == len(grids)
    assert verify(home).ok


def test_two_who_declare_at_once_are_both_heard_or_one_is_told(vault: Vault, loop: str) -> None:
    with Vault.open(vault.home) as other:
        stem = vault.stem(loop)
        with vault._correcting.corrected(stem, Correction(title="mine", bpm=Fraction(60))) as (entry, keep):
            other.declare(loop, Correction(title="theirs"))
            with vault._changes.alone():
                keep()
                request = vault._asking.declaration(stem, entry)
                with pytest.raises(BadRequest, match="stale"):
                    vault._statements.sign_and_enter(request)
        vault.add_holder("Cleo")
        assert vault.stem(loop).title == "theirs"
        assert vault.stem(loop).grid == ""
    with closing(sqlite3.connect(vault.home / "vault" / "catalogue.db")) as db:
        assert db.execute("SELECT count(*) FROM measured WHERE stem = ?", (loop,)).fetchone() == (1,)


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(vault: Vault, command: Callable[[str], tuple[int, str, str]]) -> Run:
    def ran(*words: str) -> tuple[int, str]:
        code, out, err = command(shlex.join(["--home", str(vault.home), *words]))
        return code, out + err

    return ran


def test_the_command_tells_what_is_declared_now_and_was_before(vault: Vault, loop: str, run: Run) -> None:
    assert run("vault", "declare", loop)[0] == 2
    code, said = run(
        "vault", "declare", loop, "--bpm", "60", "--accept-tempo", "--title", "Slow", "--mood", ""
    )
    assert code == 0, said
    assert "60 bpm, 4 beats of 4/4" in said
    code, said = run("vault", "show", loop)
    assert code == 0
    assert "was 'my loop.wav'" in said
    assert said.count("declared:") == 2
    shown = json.loads(run("--json", "vault", "show", loop)[1])
    assert [each["title"] for each in shown["declarations"]] == ["my loop", "Slow"]
    assert (shown["title"], shown["bpm"], shown["original_name"]) == ("Slow", 60.0, "my loop.wav")
    code, said = run("ledger", "show")
    assert "is declared 'Slow'" in said
    assert run("vault", "declare", loop, "--title", "Slow")[0] == 2


def test_the_same_file_again_names_the_way_to_correct_it(
    vault: Vault, loop: str, run: Run, tmp_path: Path
) -> None:
    again = ("vault", "add", str(tmp_path / "my loop.wav"), "--holder", "Ada", "--role", "beats")
    code, said = run("--json", *again, "--bpm", "60", "--accept-tempo", "--title", "Slow one")
    (refused,) = json.loads(said)["refused"]
    assert code == 1
    command = shlex.split(refused["reason"].partition("of it: ")[2])
    assert command[:4] == ["stemloom", "vault", "declare", loop]
    assert run(*command[1:], "--accept-tempo")[0] == 0
    assert (vault.stem(loop).bpm, vault.stem(loop).title) == (60, "Slow one")
    # The list with which it came is as good as the correction: neither brings it a second time.
    for words in ([*again, "--bpm", "120", "--key", "Am"], [*again, "--bpm", "60", "--title", "Slow one"]):
        code, said = run("--json", *words)
        assert code == 0, said
        assert len(json.loads(said)["here"]) == 1


def test_an_original_comes_back_under_its_own_name(
    vault: Vault, write: Write, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("-Käse \x1b[1m.flac", tone(0.5), 44_100, format="FLAC", subtype="PCM_16")
    stem = add_one(vault, path, role="fx", shape="hit", title="cheese").stem
    out = tmp_path / "out"
    out.mkdir()
    code, said = run("vault", "original", stem, "--out", str(out))
    assert code == 0
    assert "\x1b" not in said
    assert (out / path.name).read_bytes() == path.read_bytes()
    monkeypatch.chdir(out)
    code, said = run("vault", "original", stem)
    assert code == 2
    assert "\x1b" not in said
    vault.close()
    Vault.rebuild(vault.home)
    with Vault.open(vault.home) as opened:
        assert opened.original_name(stem) == path.name
        opened.remove(stem)
    assert list((vault.home / "vault" / "audio").iterdir()) == []


def test_a_statement_keeps_its_titles_and_the_next_one_has_the_new(demo_folder: Callable[[], Path]) -> None:
    home = demo_folder() / "stemloom-demo" / "home"
    words = ["--home", str(home), "--json"]
    with Vault.open(home) as vault:
        stem = next(each for each in vault.stems() if each.shape == "loop")
        holder = vault.holder(stem.holder).name
        period = next(e.period for _, e in vault.log.entries() if isinstance(e, entries.Settlement))
    statement = CliRunner().invoke(main, [*words, "royalty", "statement", holder, period])
    assert statement.exit_code == 0, statement.output
    before = home.parent / "before.json"
    before.write_text(statement.output)
    with Vault.open(home) as vault:
        vault.declare(stem.stem, Correction(title="A better title"))
    after = CliRunner().invoke(main, [*words, "royalty", "statement", holder, period])
    assert "A better title" in after.output
    again = CliRunner().invoke(main, ["royalty", "recompute", str(before), "--log", str(home)])
    assert again.exit_code == 0, again.output
    assert stem.title in before.read_text()
