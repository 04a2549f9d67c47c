"""Every construct of the language as a small script, with its plan, and a wrong one with what is said of it.

A file of `constructs/` holds cases, each after a line `=== what it shows`:

    a script; without a head of its own it gets HEAD and the POOLS
    --- plan [BARS] [GESTURE at BAR, ...]
    what its first bars play
    --- wrong
    a script with a mistake
    --- said
    exactly what the checker says of it

`python tests/engine/constructs.py` writes what follows each `plan` and `said` anew; then read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from stemloom.engine.compose.compose import next_bar
from stemloom.engine.compose.events import Input
from stemloom.engine.compose.score import score
from stemloom.engine.compose.state import first_state
from stemloom.engine.plan import Bar, Onset, Placement
from stemloom.script.check.check import accepted, check
from stemloom.script.problems import render
from stemloom.vault.catalogue.snapshot import Snapshot
from stemloom.vault.records import Clearance, Holder
from stemloom.vault.rights.statements import EXTENTS

from .pieces import NOW, stem

FOLDER = Path(__file__).parent / "constructs"
HEAD = 'piece "P" for stream\ntempo 120\nkey D minor\nseed 7\n'
POOLS = """pool beats = loops role beats, energy 0..0.6
pool low = loops role bass
pool haze = loops role pads
pool keys = loops role harmony
pool spark = hits role fx
"""
BARS = 8


def chord(*tones: int) -> tuple[float, ...]:
    return tuple((1.0 if tone in tones else 0.02) / (0.18 + len(tones)) for tone in range(12))


D_MINOR, G_MINOR, A_MAJOR = chord(2, 5, 9), chord(7, 10, 2), chord(9, 1, 4)
HOLDERS = [Holder(f"h{i:020x}", name, "", "", "self") for i, name in enumerate(("Ann", "Ben Okafor", "Cem"))]
ANYTHING = {"stream": Clearance(12, "2026-01-01T00:00:00.000Z", None, frozenset(EXTENTS))}
STEMS = [
    stem(1, title="Brush", mood=("warm", "night"), energy=0.2, set="harbour"),
    stem(2, title="Stomp", mood=("driving",), energy=0.5),
    stem(3, title="Rush", mood=("driving",), energy=0.9, bpm=Fraction(126)),
    stem(4, "bass", title="Keel", key="D minor", beats=16, chroma=(D_MINOR, D_MINOR, G_MINOR, A_MAJOR)),
    stem(5, "bass", title="Tide", key="E minor", set="harbour"),
    stem(6, "bass", title="Sprint", key="D minor", bpm=Fraction(150)),
    stem(7, "pads", "sustained", title="Fog", key="F major", mood=("night",)),
    stem(8, "pads", "sustained", title="Glow", key="D minor", mood=("warm",)),
    stem(9, "harmony", title="Window", key="D minor", beats=16, chroma=(D_MINOR, D_MINOR, G_MINOR, A_MAJOR)),
    stem(10, "harmony", title="Door", key="D minor", beats=12, chroma=(G_MINOR, A_MAJOR, D_MINOR)),
    stem(11, "fx", "hit", title="Zap"),
    stem(12, "fx", "hit", title="Bell", key="D# minor", mood=("chime",), clearances=ANYTHING),
    stem(13, "tops", title="Ride", energy=0.7),
    *(
        stem(
            number,
            "voice",
            title=title,
            clearances={"stream": Clearance(number, NOW, None, frozenset(allows))},
        )
        for number, title, allows in (
            (14, "Hum", ("chop",)),
            (15, "Call", ("chop", "stretch")),
            (16, "Sigh", ()),
        )
    ),
    *(
        replace(
            stem(number, role, beats=48, title=title, key="E minor", song="Low Water"),
            shape="song",
            frames=12 * 96_000 + 48_000,
        )
        for number, role, title in ((17, "voice", "Lead"), (18, "beats", "Kit"))
    ),
]


@dataclass(frozen=True)
class Case:
    name: str
    script: str
    asked: str
    """What stands after `--- plan`: bars and gestures."""
    plan: str
    wrong: str
    said: str

    @property
    def text(self) -> str:
        return whole(self.script)


def whole(script: str) -> str:
    """A script with the head and the pools that it leaves out."""
    pools = "" if re.search(r"^pool ", script, re.M) else POOLS
    return script + pools if re.search(r"^piece ", script, re.M) else HEAD + pools + script


def cases(path: Path) -> Iterator[Case]:
    for block in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        name, rest = block.split("\n", 1)
        script, asked, plan, wrong, said = re.fullmatch(
            r"(.*?)--- plan ?(.*?)\n(.*?)--- wrong\n(.*?)--- said\n(.*)", rest, re.S
        ).groups()  # type: ignore[union-attr]
        yield Case(name, script, asked, plan, wrong, said)


def planned(case: Case) -> str:
    """What the script of a case plays."""
    piece = accepted(case.text)
    vault = Snapshot(STEMS, HOLDERS, 1000, NOW, listen=lambda *_: (96, 24_000, 48_000, 60_000))
    fixed = score(piece, vault, use="stream", at=NOW, rate=48_000, must_sound=False)
    state = first_state(piece, {})
    count, gestures = asked(case.asked)
    bars: list[Bar] = []
    while len(bars) < count and not state.ended:
        given = []
        for word, name in gestures.get(state.bar + 1, ()):
            if "=" in name:
                dial, value = name.split("=")
                state.dials[dial] = float(value)
            else:
                given.append(Input(word, name=name) if word == "cue" else Input(word, name or None))  # type: ignore[arg-type]
        bar, state = next_bar(fixed, state, tuple(given))
        bars.append(bar)
    form = ", ".join(f"{name or 'ends'} {len(list(of))}" for name, of in groupby(bar.section for bar in bars))
    key = f" in {fixed.key.name}" if fixed.key else ""
    lines = [f"{float(fixed.clock.tempo_bpm):g} bpm{key}: {form.replace('ends 1', 'ends')}"]
    stops = {stop.id: stop.end_frame for bar in bars for stop in bar.stops}
    for bar in bars:
        lines += [shown(fixed.clock.bar_frame(1), bar, p, stops.get(p.id)) for p in bar.starts]
        lines += [f"{bar.bar + 1:2} {onset_shown(bar, each)}" for each in bar.onsets]
        lines += [f"{bar.bar + 1:2}       {rest.part} rests: {rest.reason}" for rest in bar.rested]
    return "\n".join(lines) + "\n"


def onset_shown(bar: Bar, onset: Onset) -> str:
    """A trigger's beat and part, and how much it weighs."""
    beat = (onset.frame - bar.start_frame) * bar.meter[0] / (bar.end_frame - bar.start_frame) + 1
    return f"{beat:<5.4g} {onset.part} unheard: {onset.weight:.0%}"


def shown(bar: int, of: Bar, p: Placement, stop: int | None) -> str:
    """Bar and beat, part, stem, its length, how it sounds. `bar`: the frames of one by the head."""
    end = p.end_frame if stop is None else stop
    length = "" if p.hit else f" {round((end - p.start_frame) / bar, 1):g} bars"
    bars, frames = divmod(p.start_frame - of.start_frame, of.end_frame - of.start_frame)
    beat = Fraction(frames * of.meter[0], of.end_frame - of.start_frame) + 1
    beat = beat if p.hit else p.beat * Fraction(of.meter[1], 4) + 1
    how = [f"{p.gain_db:g} dB"] if p.gain_db and not p.hit else []
    how += ["ghost" if p.gain_db <= -12 else "plain"] if p.hit and p.gain_db <= -4 else []
    shortened = p.hit and end - p.start_frame + p.offset_frames < p.variant.frames
    how += [f"lasts {float(Fraction((end - p.start_frame) * 4, bar)):.4g} beats"] if shortened else []
    how += [f"pan {p.pan:g}"] if p.pan else []
    how += [f"from {p.offset_frames / bar:g} bars in"] if p.offset_frames else []
    how += [f"stretched {p.variant.stretch:.3f}"] if p.variant.stretch != 1 else []
    how += [f"{p.variant.semitones:+d} st"] if p.variant.semitones else []
    how += ["reverse"] if p.variant.reverse else []
    how += [f"fade in {p.fade_in.frames / bar:.2g} bars"] if p.fade_in.frames >= bar / 4 else []
    how += [f"fade out {p.fade_out.frames / bar:.2g} bars"] if p.fade_out.frames >= bar / 4 else []
    how += [f"to {s.bus} {s.amount:.0%}" for s in p.effects.sends]
    if p.effects.duck:
        how.append(f"duck {p.effects.duck.depth_db:g} dB under {' and '.join(p.effects.duck.under)}")
    how += [f"via {p.effects.via}"] if p.effects.via else []
    for g in p.effects.glides:
        to = f" -> {g.to:g} over {g.frames / bar:g} bars {g.curve}" if g.frames else ""
        how.append(f"{g.what} {g.value:g}{to} from {g.start / bar + 1:g}")
    for f in p.effects.filters:
        glide = f" -> {f.to_hz:g} Hz over {f.frames / bar:g} bars {f.curve}" if f.frames else ""
        how.append(f"{f.kind} waits" if f.waits else f"{f.kind} {f.hz:g} Hz{glide}")
    how += [f"along {len(p.variant.ramp)} places of the grid"] if p.variant.ramp else []
    where = f"{of.bar + bars + 1:2} {float(beat):<5.4g}"
    return f"{where} {p.part} {p.title}{length}" + (f": {', '.join(how)}" if how else "")


def asked(words: str) -> tuple[int, dict[int, list[tuple[str, str]]]]:
    """The bars of a plan, and its gestures by the bar before which they come: kind and name or value."""
    count, gestures = BARS, dict[int, list[tuple[str, str]]]()
    for part in filter(None, map(str.strip, words.split(","))):
        if part.isdecimal():
            count = int(part)
            continue
        gesture, bar = part.split(" at ")
        kind, _, name = gesture.partition(" ")
        gestures.setdefault(int(bar), []).append((kind, name))
    return count, gestures


def said_of(case: Case) -> str:
    """What the checker says of the wrong script of a case."""
    text = whole(case.wrong)
    return render(check(text, file="wrong.loom").problems, text, "wrong.loom") + "\n"


def written(path: Path) -> str:
    """The file with plans and diagnostics as they are now."""
    made = []
    for case in cases(path):
        now = replace(case, plan=planned(case), said=said_of(case))
        asked = f" {now.asked}" if now.asked else ""
        made.append(f"=== {now.name}\n{now.script}--- plan{asked}\n{now.plan}")
        made[-1] += f"--- wrong\n{now.wrong}--- said\n{now.said}"
    return "\n".join(made)


if __name__ == "__main__":
    for each in sorted(FOLDER.glob("*.txt")):
        each.write_text(written(each), encoding="utf-8")
