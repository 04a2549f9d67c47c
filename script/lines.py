"""Sections: their lengths, and the lines that say what sounds in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .measure import amount, bars, condition, ends, length, number, written
from .piece import Bring, Expression, Length, Line, Number, Play, Rest, Section, Span, Step, Vary, Window
from .scope import Scope
from .tree import At, Lasting, LineStatement, Mix, Name, Odds, Range, SectionStatement, Unsounded
from .words import MOST_BARS

_TIMING = frozenset(("at", "for", "when", "chance", "one in"))
_FITTING = {
    "bring": _TIMING | {"over", "out over", "gain", "pan"},
    "play": _TIMING | {"gain", "pan"},
    "rest": _TIMING,
    "vary": _TIMING,
}
_WHY_NOT = {
    "play": "hits ring as they are",
    "rest": "a part rests at once",
    "vary": "it only draws another stem",
}
_MOST_STEPS = 1024
_ONE = Fraction(1)
_NONE = Number(0.0)


@dataclass(slots=True)
class _Modifiers:
    """What the modifiers of one line say."""

    at_bar: int = 1
    at_beat: Fraction = _ONE
    for_bars: int | None = None
    when: Expression | None = None
    chance: float | None = None
    one_in: int | None = None
    over: Length | None = None
    out_over: Length | None = None
    gain: Expression = _NONE
    pan: Expression = _NONE

    def window(self) -> Window:
        return Window(self.at_bar, self.at_beat, self.for_bars, self.when, self.chance, self.one_in)


def section_of(scope: Scope, statement: SectionStatement, beats: int | None) -> Section | None:
    """The section that a statement describes, or null if its head has a mistake.

    `beats`: in a bar; null if that is not known.
    """
    lengths: tuple[int, ...] | None = None
    if statement.length is not None:
        lengths = _lengths(scope, statement.length, statement.name)
    lines: list[Line] = []
    for line in statement.lines:
        if isinstance(line, LineStatement):
            made = _line(scope, line, statement.name, lengths, beats)
            if made is not None:
                lines.append(made)
    if statement.name is None or lengths is None:
        return None
    return Section(statement.name.text, lengths, tuple(lines), statement.span)


def _lengths(scope: Scope, range_: Range, name: Name | None) -> tuple[int, ...] | None:
    """What is drawn from: multiples of 4 bars in the range, of 2 if it begins below 4."""
    found = ends(
        scope,
        range_,
        f"section {name.text}" if name else "section",
        ("bars",),
        bounds=(1, MOST_BARS),
        shown=f"1 to {MOST_BARS:,} bars",
        whole=True,
    )
    if found is None:
        return None
    lo, hi = int(found[0]), int(found[1])
    if lo == hi:
        return (lo,)
    unit = 2 if lo < 4 else 4
    lengths = tuple(range(-(-lo // unit) * unit, hi + 1, unit))
    if not lengths:
        scope.say(
            "E042",
            range_.span,
            f"no length lies in {lo}..{hi} bars: a range is drawn in multiples of {unit} bars",
            f"give one length, such as {lo} bars, or a wider range",
        )
        return None
    return lengths


def _line(
    scope: Scope, line: LineStatement, section: Name | None, lengths: Sequence[int] | None, beats: int | None
) -> Line | None:
    """The line that a statement describes, or null if it names something unknown or is not sounded yet."""
    if line.word in ("hold", "solo", "drop"):
        scope.unsounded(line)
        _known_part(scope, line.part)
        return None
    said = _modifiers(scope, line, section, lengths, beats)
    match line.word:
        case "bring" | "play":
            assert line.pool is not None
            steps = _steps(scope, line.pattern)
            if not _known_pool(scope, line.pool, line.word):
                return None
            if line.word == "play":
                return Play(
                    line.part.text,
                    line.pool.text,
                    steps,
                    said.window(),
                    said.gain,
                    said.pan,
                    line.text,
                    line.span,
                )
            return Bring(
                line.part.text,
                line.pool.text,
                said.window(),
                said.over,
                said.out_over,
                said.gain,
                said.pan,
                line.text,
                line.span,
            )
        case "vary":
            assert line.every is not None
            every = bars(scope, line.every, "every")
            if not _known_part(scope, line.part) or every is None:
                return None
            return Vary(line.part.text, every, said.window(), line.text, line.span)
        case _:
            if not _known_part(scope, line.part):
                return None
            return Rest(line.part.text, said.window(), line.text, line.span)


def _known_part(scope: Scope, part: Name) -> bool:
    if part.text in scope.parts:
        return True
    hint = None
    if part.text in scope.pools:
        hint = f'"{part.text}" is a pool; a part is the name after `bring` or `play`'
    scope.unknown("E031", "part", part, scope.parts, hint)
    return False


def _known_pool(scope: Scope, name: Name, word: str) -> bool:
    if name.text not in scope.pools:
        scope.unknown("E030", "pool", name, scope.pools)
        return False
    pool = scope.pools[name.text]
    wanted = "hits" if word == "play" else "loops"
    if pool is None or pool.shape == wanted:
        return True
    scope.say(
        "E037",
        name.span,
        f"`{word}` takes {wanted}, and pool {name.text} holds {pool.shape}",
        f"use `{'bring' if word == 'play' else 'play'}`, or a pool of {wanted}",
    )
    return False


def _steps(scope: Scope, pattern: Name | Unsounded | None) -> tuple[Step, ...]:
    if pattern is None:
        return ()
    if isinstance(pattern, Unsounded):
        scope.unsounded(pattern)
        return ()
    steps: list[Step] = []
    for index, character in enumerate(pattern.text):
        if character == " ":
            continue
        if character in "xX":
            steps.append(Step(1.0, character == "X"))
        elif character == ".":
            steps.append(Step(0.0, False))
        elif character in "123456789":
            steps.append(Step(int(character) / 10, False))
        else:
            column = pattern.span.column + 1 + index
            line = pattern.span.line
            scope.say(
                "E036",
                Span(line, column, line, column + 1),
                f"`{character}` is no step",
                "steps are x (hit), X (accent), . (rest) and 1 to 9 (chance in tenths)",
            )
            return ()
    if not steps:
        scope.say("E036", pattern.span, "this pattern has no steps", 'such as: "x... x.x."')
    elif len(steps) > _MOST_STEPS:
        scope.say(
            "E036",
            pattern.span,
            f"this pattern has {len(steps):,} steps; at most {_MOST_STEPS:,} are taken",
        )
    return tuple(steps)


def _modifiers(
    scope: Scope, line: LineStatement, section: Name | None, lengths: Sequence[int] | None, beats: int | None
) -> _Modifiers:
    said = _Modifiers()
    seen: set[str] = set()
    for modifier in line.modifiers:
        if isinstance(modifier, Unsounded):
            scope.unsounded(modifier)
            continue
        word = "at" if isinstance(modifier, At) else modifier.word
        if word not in _FITTING[line.word]:
            scope.say("E039", modifier.span, f"`{word}` does not fit `{line.word}`: {_WHY_NOT[line.word]}")
            continue
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` stands twice in this line", "keep one of them")
            continue
        seen.add(word)
        match modifier:
            case At():
                _at(scope, modifier, said, section, lengths, beats)
            case Lasting(word="for"):
                said.for_bars = bars(scope, modifier.length, "for")
            case Lasting(word="over"):
                said.over = length(scope, modifier.length, "over")
            case Lasting():
                said.out_over = length(scope, modifier.length, "out over")
            case Mix(word="when"):
                said.when = condition(scope, modifier.term, "when")
            case Mix(word="gain"):
                said.gain = amount(scope, modifier.term, "gain", "dB", (-96, 24), plain=False) or said.gain
            case Mix():
                said.pan = amount(scope, modifier.term, "pan", "", (-1, 1), plain=True) or said.pan
            case Odds(word="chance"):
                chance = number(scope, modifier.amount, "chance", ("",), bounds=(0, 1), shown="0% to 100%")
                said.chance = None if chance is None else float(chance)
            case Odds():
                one_in = number(scope, modifier.amount, "one in", plain=True, bounds=(1, 10_000), whole=True)
                said.one_in = None if one_in is None else int(one_in)
    return said


def _at(
    scope: Scope,
    at: At,
    said: _Modifiers,
    section: Name | None,
    lengths: Sequence[int] | None,
    beats: int | None,
) -> None:
    if at.beat is not None:
        beat = number(scope, at.beat, "beat", plain=True)
        if beat is not None and (beat < 1 or (beats is not None and beat >= beats + 1)):
            scope.say(
                "E034", at.beat.span, f"beat {written(at.beat)} is outside the bar ({beats or 4} beats)"
            )
        elif beat is not None:
            said.at_beat = beat
    bar = number(scope, at.bar, "at bar", plain=True, whole=True)
    if bar is None:
        return
    where = f"section {section.text}" if section else "its section"
    if bar < 1:
        scope.say("E034", at.bar.span, f"bar {bar} is outside {where}: bars count from 1")
        return
    said.at_bar = int(bar)
    if lengths is None:
        return
    if bar > lengths[-1]:
        shown = f"{lengths[0]}..{lengths[-1]}" if len(lengths) > 1 else str(lengths[0])
        scope.say(
            "E034", at.bar.span, f"bar {bar} is outside {where} ({shown} bar{'s' if shown != '1' else ''})"
        )
    elif bar > lengths[0]:
        scope.say(
            "W004",
            at.bar.span,
            f"bar {bar} is reached only when {where} is drawn long enough (it may have {lengths[0]} bars)",
        )
