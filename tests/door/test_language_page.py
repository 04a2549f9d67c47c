"""docs/language.md holds: its examples run, what it shows is what they give, and it leaves nothing out."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from stemloom import Vault
from stemloom.engine import plan
from stemloom.engine.compose import choose, eligible, harmony, levels, share_cap
from stemloom.engine.play import conductor
from stemloom.script import words
from stemloom.script.text.lalr import words_of_grammar
from stemloom.script.text.tokens import scan

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "examples.py")))
PAGE = EXAMPLES.LANGUAGE.read_text(encoding="utf-8")
BLOCKS = EXAMPLES.blocks(PAGE)


def test_every_example_runs_and_gives_what_is_shown(demo_home: Callable[[], Path]) -> None:
    home = demo_home()
    EXAMPLES.add_song(home)
    with Vault.open(home) as vault:
        snapshot = vault.snapshot()
    found = []
    script = ""
    for block, output in zip(BLOCKS, EXAMPLES.language(PAGE, home), strict=True):
        place = f"line {block.line}"
        if block.kind == "loom":
            script = block.text
            if block.asked == ("wrong",):
                found += [f"{place}: nothing is wrong"] * (EXAMPLES.said(script, home) == "\n")
            else:
                found += [f"{place}: {t}" for t in EXAMPLES.troubles(script, home, snapshot)]
            continue
        if not EXAMPLES.alike(block, output):
            found.append(f"{place} shows what is no longer so; run `python docs/examples.py`:\n{output}")
        if block.asked[0] != "said" and EXAMPLES.by_chance(script, block, snapshot) != block.drawn:
            found.append(f"{place}: whether a stem is drawn is said wrongly")
    assert not found, "\n".join(found)


def test_what_is_shown_is_compared() -> None:
    """A word that is changed in any text is seen, but for a title where stems are drawn."""
    shown = [block for block in BLOCKS if block.kind == "text"]
    assert len(shown) > 80
    for block in shown:
        assert EXAMPLES.alike(block, block.text)
        assert not EXAMPLES.alike(block, block.text.replace("e", "a", 1))
    drawn = next(block for block in shown if block.drawn and "Far Lamp" in block.text)
    assert EXAMPLES.alike(drawn, drawn.text.replace("Far Lamp", "Mooring Line"))


def test_every_word_of_the_grammar_is_in_an_example() -> None:
    right = [block for block in BLOCKS if block.info == ("loom",)]
    shown = {token.text for block in right for line in scan(block.text).lines for token in line.tokens}
    known = {word for word in words_of_grammar().values() if not word.startswith("_")}
    assert known - shown == set()
    assert set(words.UNITS) - set(re.findall(r"`([A-Za-z%]+)`", PAGE)) == set()


def test_every_section_has_an_example() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S), re.M)
    assert len(headings) == len(set(headings)) > 50
    assert set(headings) - {block.heading for block in BLOCKS if block.kind == "loom"} == set()


def test_the_reserved_words_are_listed() -> None:
    listed = PAGE.split("These are not:\n")[1].split("```")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == words.RESERVED


@pytest.mark.parametrize(
    "said",
    [
        f"sounds | {choose.SAME_SET:g} |",
        f"each semitone that it must be shifted | {eligible.PER_SEMITONE} |",
        f"whose agreement is below {harmony.CLASH}",
        f"e^({harmony.AGREEMENT_STEEPNESS:g}a)",
        f"`chords`, which count as one of the others | e^({harmony.CHORDS_STEEPNESS:g}a)",
        f"{levels.ROLE_LUFS['beats']:g} LUFS for beats, bass and voice, {levels.ROLE_LUFS['melody']:g} for",
        f"{levels.ROLE_LUFS['harmony']:g} for harmony, {levels.ROLE_LUFS['tops']:g} for tops",
        f"{levels.ROLE_LUFS['pads']:g} for pads and all others",
        f"a hit to a peak of {levels.HIT_PEAK_DBTP['beats']:g} dBTP in beats",
        f"{levels.HIT_PEAK_DBTP['bass']:g} in bass, harmony, melody, voice and tops",
        f"{levels.OTHER_HIT_PEAK_DBTP:g} in all others",
        f"bring its holder to {share_cap.CAP_MARGIN:.0%}".replace("%", " %"),
        f"composed {conductor.HORIZON_FRAMES // 48} ms before",
        f"ring on for {('nine', 'ten')[conductor.MOST_TAIL_SECONDS - 9]} seconds",
        f"At most {plan.MOST_SOUNDING} sounds",
        f"{words.MOST_BYTES // 1024} KiB, {words.MOST_TOKENS:,} words and signs, {words.MOST_SECTIONS:,} sec",
        f"{words.MOST_EVENTS} events, {words.MOST_MOVES:,} moves, {words.MOST_BUSES} buses",
        f"a statement | {words.MOST_STATEMENT_TOKENS} words and signs, brackets {words.MOST_NESTING} deep",
        f"{words.MOST_LETTERS} characters, {words.MOST_QUOTED:,} characters",
        f"lengths | {words.MOST_BARS:,} bars",
        f"a section | {words.MOST_LINES} lines",
        f"{words.MOST_BEGINNINGS} loops, patterns and stings that begin, {words.MOST_HITS} hits, "
        f"{words.MOST_STEPS:,} steps",
        f"with those of `any` | {words.MOST_MOVES_FROM} |",
        f"weights of a pool | {words.MOST_WEIGHTS}, and {words.MOST_WEIGHT_STEPS} steps",
        f"mistakes that are listed | {words.MOST_PROBLEMS}",
    ],
)
def test_its_figures_are_those_of_the_code(said: str) -> None:
    assert re.sub(r"(\d),(\d{3})", r"\1 \2", said) in re.sub(r"\s+", " ", PAGE)


@pytest.mark.parametrize("page", [EXAMPLES.LANGUAGE, EXAMPLES.TUTORIAL], ids=["language", "tutorial"])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    for file, _, anchor in (link.partition("#") for link in links):
        target = (page.parent / file) if file else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{file}#{anchor}"
