"""Editing one line, by each modifier: no draw changes, and no choice but those that answer to what sounds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Choice
from stemloom.script.check.check import accepted

from .pieces import HEAD, NOW, snapshot, stem
from .test_pitch import REPITCHED

ROW = [tuple(1.0 if (n + k) % 12 in (0, 4, 7) else 0.02 for n in range(12)) for k in range(12)]
STEMS = [
    *(stem(i, "beats", beats=4 * (1 + i % 4), energy=i / 10) for i in range(1, 9)),
    *(stem(i, "bass", key="D minor", chroma=(ROW[i % 5], ROW[i % 3])) for i in range(11, 19)),
    *(stem(i, "pads", "sustained", key="F major", chroma=(ROW[i % 7],)) for i in range(21, 27)),
    *(stem(i, "tops", beats=8, set=["one", None][i % 2]) for i in range(31, 36)),
    *(stem(i, "fx", "hit", key="D minor", clearances=REPITCHED) for i in range(41, 45)),
    *(replace(stem(i, beats=48, song="Low Water"), shape="song", frames=1_200_000) for i in range(51, 54)),
]
POOLS = """chords Dm, none, Bb/D each 3 beats
dial push 0..1 = 0.6 at next bar
pool beats = loops role beats
pool tops = loops role tops
pool low = loops role bass
pool haze = loops role pads
pool sparks = hits role fx
pool kit = loops song "Low Water"
bus room = reverb 1 s
"""
ALONE = [
    "bring one from beats",
    "bring two from beats at bar 3 chance 60%",
    "bring three from beats when push > 0.5 for 4 bars",
    "bring four from kit at bar 2",
    'play zap from sparks "x.5.x.7."',
    'play shot from sparks "xo.X" each hit new',
    "play rise from sparks ending at bar 3",
    "play tick from sparks euclid 3 in 8 chance 70%",
    "vary one every 2 bars",
    "vary two every visit",
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
MIX = [
    "{} gain -2 dB",
    "{} gain random -6..0 dB",
    "{} pan 0.3",
    "{} to room 30%",
    "{} duck 6 dB under anchor",
    "{} lowpass 400 Hz",
    "{} highpass 300 Hz",
    "{} bandpass 1 kHz",
    "{} lowpass 400 Hz -> 9 kHz over 2 bars smooth",
    "{} reverse",
    "{} gain -12 dB -> random -6..0 dB over 2 bars",
    "{} pan -0.5 -> 0.5 over 1 bars smooth",
    "{} to room 0% -> 50% over 2 bars",
    "{} via room",
    "{} duck 9 dB under anchor and beep back 90 ms",
    "{} at bar 2: lowpass random 400..800 Hz -> 4 kHz over 1 bars, gain -6 dB",
]
"""Edits of how a line sounds."""
MIX_OF = {
    "bring": ["{} over 2 bars", "{} out over 1 bar"],
    "play": [
        "{} swing 60%",
        "{} humanise 5 ms",
        "{} late 5 ms",
        "{} loose 3 dB",
        "{} cut",
        "{} choke anchor",
        "{} length 1/8 note",
        '{} notes "1 . b7 5,"',
        "{} notes root",
        "{} notes chord",
    ],
}
WHETHER = ["{} chance 50%", "{} one in 2", "{} when push > 0.5", "{} when random 0..1 > 0.5"]
"""Edits of whether a line sounds."""
STRUCTURE = ["{} at bar 4", "{} for 2 bars", "{} at bar 2 beat 3", ""]
STRUCTURE += ["{} for 6 beats", "{} at bar 2 for 3 beats every 2 bars"]
SPEED = ["{} half time", "{} double time"]
"""Edits of a loop that move its chords, to which others answer."""
FORMS = ["", "section b 4 bars\n    {}\nmove b -> a\n"]
FORMS += ["section b 11 bars as a\n    rest {}\nmove b -> a\n", "section b 3 bars as a fresh\nmove b -> a\n"]
"""What comes after the section that is edited."""
ANCHOR = 'bring anchor from beats\n    trigger beep "x..."'


def bare(line: str) -> str:
    """A line without its modifiers."""
    words = line.split()
    end = next((i for i, word in enumerate(words) if word in ("at", "for", "when", "chance", "over")), None)
    return " ".join(words[:end])


@st.composite
def edited(draw: st.DrawFn, lines: list[str], kinds: Collection[str]) -> tuple[str, str, str]:
    """A script, the same after one of its lines was changed or deleted, and the part of that line."""
    chosen = draw(st.lists(st.sampled_from(lines), min_size=2, max_size=6, unique=True))
    sounding = [line for line in chosen if not line.startswith("vary")]
    # What ends somewhere takes few modifiers: it stands beside what is edited.
    if not any("ending" not in line for line in sounding):
        sounding.append(lines[0])
    old = draw(st.sampled_from([line for line in sounding if "ending" not in line]))
    part = old.split()[1]
    edits = {
        "mix": [edit for edit in MIX + MIX_OF[old.split()[0]] if "reverse" not in edit or " kit" not in old],
        "whether": WHETHER,
        "structure": STRUCTURE + SPEED * (old.startswith("bring") and " kit" not in old),
    }
    new = draw(st.sampled_from([edit for kind in kinds for edit in edits[kind]])).format(bare(old))
    parts = {line.split()[1] for line in sounding} - ({part} if not new else set())
    # A line that varies a part needs one that brings it.
    varying = [line for line in chosen if line.startswith("vary") and line.split()[1] in parts]
    head = HEAD.replace("seed 7", f"seed {draw(st.integers(0, 999))}") + POOLS
    fresh = draw(st.sampled_from(["", " fresh"]))
    again = (
        draw(st.sampled_from(FORMS))
        .format(ANCHOR)
        .replace(f"rest {ANCHOR}", "rest anchor at bar 2 for 1 bar")
    )

    def written(lines: list[str]) -> str:
        body = "".join(f"    {line}\n" for line in [ANCHOR, *lines] if line)
        return f"{head}section a 4..8 bars{fresh}\n{body}{again}"

    first = [bare(s) if s == old and new else s for s in sounding]
    return written([*first, *varying]), written([new if s == old else s for s in sounding] + varying), part


def choices(text: str) -> dict[tuple[str, int], Choice]:
    """Every choice of thirty bars, by part and bar."""
    piece = accepted(text)
    fixed = score(piece, snapshot(*STEMS), use="stream", at=NOW, rate=48_000)
    state = first_state(piece, {})
    found: dict[tuple[str, int], Choice] = {}
    for _ in range(30):
        bar, state = next_bar(fixed, state, why=True)
        found |= {(choice.part, choice.bar): choice for choice in bar.choices}
    return found


def stems(found: dict[tuple[str, int], Choice]) -> dict[tuple[str, int], str | None]:
    return {at: choice.stem for at, choice in found.items()}


@settings(max_examples=50)
@given(edited([*ALONE, *TOGETHER], ["mix"]))
def test_no_choice_answers_to_how_a_line_sounds(case: tuple[str, str, str]) -> None:
    before, after, _ = case
    assert stems(choices(before)) == stems(choices(after))


@settings(max_examples=40)
@given(edited(ALONE, ["whether", "structure"]))
def test_all_other_choices_stay(case: tuple[str, str, str]) -> None:
    before, after, part = case
    first, second = stems(choices(before)), stems(choices(after))
    assert {at: stem for at, stem in first.items() if at[0] != part} == {
        at: stem for at, stem in second.items() if at[0] != part
    }


@settings(max_examples=60)
@given(edited([*ALONE, *TOGETHER], ["whether", "structure"]))
def test_a_choice_changes_only_where_its_candidates_do(case: tuple[str, str, str]) -> None:
    """What a line hears beside it may change its weights; with the same weights the same stem is taken."""
    before, after, part = case
    first, second = choices(before), choices(after)
    for at, choice in first.items():
        if not choice.again and at in second and choice.candidates == second[at].candidates:
            assert choice.stem == second[at].stem
    untouched = {line.split()[1] for line in ALONE}
    for at, choice in first.items():
        if at[0] != part and at[0] in untouched:
            assert choice.stem == second[at].stem


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([*ALONE, *TOGETHER]), min_size=2, max_size=6, unique=True),
    st.sampled_from(
        ["tempo 118", "key up 2 st", "key G minor", "meter 7/8", "chords Gm, C", "slow to 112", "fresh"]
    ),
    st.integers(0, 999),
)
def test_a_section_that_moves_leaves_the_one_before_alone(lines: list[str], word: str, seed: int) -> None:
    """Its tempo, key, metre, chords or ramp change nothing of what is chosen before it."""
    sounding = [line for line in lines if not line.startswith("vary")] or ["bring one from beats"]
    parts = {line.split()[1] for line in sounding}
    lines = [*sounding, *(line for line in lines if line.startswith("vary") and line.split()[1] in parts)]
    body = "".join(f"    {line}\n" for line in [ANCHOR, *lines])
    head = HEAD.replace("seed 7", f"seed {seed}") + POOLS + f"section a 8 bars\n{body}section b 8 bars"
    line = word.startswith(("chords", "slow"))
    moved = f"\n    {word}{' over 2 bars' if word.startswith('slow') else ''}" if line else f" {word}"
    plain, after = choices(f"{head}\n{body}"), choices(f"{head}{moved}\n{body}")
    assert any(at[1] < 8 for at in plain)
    for at, choice in plain.items():
        if at[1] < 8:
            assert choice == after[at]
