"""Editing one line: no draw of another line changes, and no choice but those that answer to what sounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Choice
from stemloom.script.check.check import accepted

from .pieces import HEAD, NOW, snapshot, stem

ROW = [tuple(1.0 if (n + k) % 12 in (0, 4, 7) else 0.02 for n in range(12)) for k in range(12)]
STEMS = [
    *(stem(i, "beats", beats=4 * (1 + i % 4), energy=i / 10) for i in range(1, 9)),
    *(stem(i, "bass", key="D minor", chroma=(ROW[i % 5], ROW[i % 3])) for i in range(11, 19)),
    *(stem(i, "pads", "sustained", key="F major", chroma=(ROW[i % 7],)) for i in range(21, 27)),
    *(stem(i, "tops", beats=8, set=["one", None][i % 2]) for i in range(31, 36)),
    *(stem(i, "fx", "hit") for i in range(41, 45)),
]
POOLS = """dial push 0..1 = 0.6 at next bar
pool beats = loops role beats
pool tops = loops role tops
pool low = loops role bass
pool haze = loops role pads
pool sparks = hits role fx
"""
ALONE = [
    "bring one from beats",
    "bring two from beats at bar 3 chance 60%",
    "bring three from beats when push > 0.5 for 4 bars",
    'play zap from sparks "x.5.x.7."',
    "play tick from sparks euclid 3 in 8 chance 70%",
    "vary one every 2 bars",
]
"""Lines whose choices answer to nothing: their stems have no chords and no set."""
TOGETHER = [
    "bring low from low",
    "bring deep from low at bar 2",
    "bring haze from haze over 2 bars",
    "bring ride from tops at bar 3",
    "vary low every 4 bars",
    "vary haze every 2 bars",
]
EDITS = ["{} gain -2 dB", "{} at bar 4", "{} for 2 bars", "{} pan 0.3", ""]


@st.composite
def edited(draw: st.DrawFn, lines: list[str]) -> tuple[str, str, str]:
    """A script, the same after one of its lines was changed or deleted, and the part of that line."""
    chosen = draw(st.lists(st.sampled_from(lines), min_size=2, max_size=6, unique=True))
    sounding = [line for line in chosen if not line.startswith("vary")] or [lines[0]]
    old = draw(st.sampled_from(sounding))
    part = old.split()[1]
    new = draw(st.sampled_from(EDITS)).format(old.split(" at bar")[0].split(" for ")[0])
    parts = {line.split()[1] for line in sounding} - ({part} if not new else set())
    # A line that varies a part needs one that brings it.
    varying = [line for line in chosen if line.startswith("vary") and line.split()[1] in parts]
    head = HEAD.replace("seed 7", f"seed {draw(st.integers(0, 999))}") + POOLS + "section a 4..8 bars\n"

    def written(lines: list[str]) -> str:
        return head + "".join(f"    {line}\n" for line in lines if line)

    return written([*sounding, *varying]), written([new if s == old else s for s in sounding] + varying), part


def choices(text: str) -> dict[tuple[str, int], Choice]:
    """Every choice of forty bars, by part and bar."""
    piece = accepted(text)
    fixed = score(piece, snapshot(*STEMS), use="stream", at=NOW, rate=48_000)
    state = first_state(piece, {})
    found: dict[tuple[str, int], Choice] = {}
    for _ in range(40):
        bar, state = next_bar(fixed, state, why=True)
        found |= {(choice.part, choice.bar): choice for choice in bar.choices}
    return found


@settings(max_examples=60)
@given(edited(ALONE))
def test_all_other_choices_stay(case: tuple[str, str, str]) -> None:
    before, after, part = case
    first, second = choices(before), choices(after)
    assert {at: c.stem for at, c in first.items() if at[0] != part} == {
        at: c.stem for at, c in second.items() if at[0] != part
    }


@settings(max_examples=80)
@given(edited([*ALONE, *TOGETHER]))
def test_a_choice_changes_only_where_its_candidates_do(case: tuple[str, str, str]) -> None:
    """What a line hears beside it may change its weights; with the same weights the same stem is taken."""
    before, after, part = case
    first, second = choices(before), choices(after)
    assert {at for at in first if at[0] != part} == {at for at in second if at[0] != part}
    for at, choice in first.items():
        if at[0] != part and choice.candidates == second[at].candidates:
            assert choice.stem == second[at].stem
    untouched = {line.split()[1] for line in ALONE}
    for at, choice in first.items():
        if at[0] != part and at[0] in untouched:
            assert choice.stem == second[at].stem
