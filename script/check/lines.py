"""Sections: their lengths and their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from .. import piece
from ..problems import counted
from ..text import tree
from .effects import effects_of
from .events import chance_of, known_pool, one_in_of
from .pattern import steps_of
from .scope import Scope
from .units import Slot, amount, bars, bars_after, condition, ends, length, number, written

_TIMING = frozenset(("at", "for", "when", "chance", "one in"))
_MIX = frozenset(("gain", "pan", "to", "duck", "filter", "reverse"))
_FITTING = {
    "bring": _TIMING | _MIX | {"over", "out over", "half time", "double time"},
    "play": _TIMING | _MIX | {"swing", "humanise"},
    "rest": _TIMING,
    "drop": _TIMING,
    "solo": _TIMING,
    "hold": _TIMING,
    "vary": _TIMING,
}
_WHY_NOT = {
    "bring": "it moves the hits of a pattern; a loop has its own feel",
    "play": "hits ring as they are",
    "rest": "a part rests at once",
    "drop": "a part drops at once",
    "solo": "the other parts rest at once",
    "hold": "what is held goes on as it is",
    "vary": "it only draws another stem",
}
_SWING = Slot("swing", ("",), (Fraction(1, 2), Fraction(3, 4)), "50% (straight) to 75%")
_HUMANISE = Slot("humanise", ("s",), (0, Fraction(1, 20)), "0 to 50 ms")
_BEAT = Slot("beat", plain=True)
_AT_BAR = Slot("at bar", plain=True, whole=True)
_ONE = Fraction(1)
_NONE = piece.Number(0.0)
_DRY = piece.Effects()


@dataclass(slots=True)
class _Modifiers:
    """The values that the modifiers of one line give, with their defaults."""

    at_bar: int = 1
    at_beat: Fraction = _ONE
    for_bars: int | None = None
    when: piece.Expression | None = None
    chance: float | None = None
    one_in: int | None = None
    over: piece.Length | None = None
    out_over: piece.Length | None = None
    gain: piece.Expression = _NONE
    pan: piece.Expression = _NONE
    swing: float = 0.5
    humanise_seconds: float = 0.0
    reverse: bool = False
    time: Fraction = _ONE
    effects: piece.Effects = _DRY

    def window(self) -> piece.LineWindow:
        return piece.LineWindow(self.at_bar, self.at_beat, self.for_bars, self.when, self.chance, self.one_in)


@dataclass(frozen=True, slots=True)
class _Home:
    """The section of a line: its name in words, its lengths, and the beats of a bar, `None` if not known."""

    name: str
    lengths: Sequence[int] | None
    beats: int | None


def section_of(scope: Scope, statement: tree.SectionStatement, beats: int | None) -> piece.Section | None:
    """The section that a statement describes, or `None` if its head has a mistake.

    `beats`: of a bar; `None` if their number is not known.
    """
    lengths: tuple[int, ...] | None = None
    if statement.length is not None:
        lengths = _lengths(scope, statement.length, statement.name)
    lines: list[piece.Line] = []
    home = _Home(f"section {statement.name.text}" if statement.name else "its section", lengths, beats)
    for line in statement.lines:
        if isinstance(line, tree.LineStatement):
            made = _line(scope, line, home)
            if made is not None:
                lines.append(made)
        elif line.word is None:
            # It may have been the head of another section.
            home = replace(home, lengths=None)
    if statement.name is None or lengths is None:
        return None
    return piece.Section(statement.name.text, lengths, tuple(lines), statement.span)


def _lengths(scope: Scope, range_: tree.Range, name: tree.Name | None) -> tuple[int, ...] | None:
    """The lengths that a range allows: multiples of 4 bars, or of 2 if it begins below 4."""
    found = ends(scope, range_, bars_after(f"section {name.text}" if name else "section"))
    if found is None:
        return None
    lo, hi = int(found[0]), int(found[1])
    if lo == hi:
        return (lo,)
    unit = 2 if lo < 4 else 4
    lengths = tuple(range(-(-lo // unit) * unit, hi + 1, unit))
    if not lengths:
        message = f"no length lies in {lo}..{hi} bars: a range is drawn in multiples of {unit} bars"
        scope.say("E042", range_.span, message, f"give one length, such as {lo} bars, or a wider range")
        return None
    return lengths


def _line(scope: Scope, line: tree.LineStatement, home: _Home) -> piece.Line | None:
    """The line that a statement describes, or `None` if it names something unknown."""
    said = _modifiers(scope, line, home)
    of_part = line.part.text, said.window(), line.text, line.span
    if line.word in ("play", "bring"):
        assert line.pool is not None
        steps = steps_of(scope, line.pattern)
        if not known_pool(scope, line.pool, line.word, "hits" if line.word == "play" else "loops"):
            return None
        sounding = *of_part, line.pool.text, said.gain, said.pan, said.effects, said.reverse
        if line.word == "play":
            return piece.Play(*sounding, steps, said.swing, said.humanise_seconds)
        return piece.Bring(*sounding, said.over, said.out_over, said.time)
    every = None if line.every is None else bars(scope, line.every, "every")
    if not scope.known("part", line.part):
        return None
    if line.word == "vary":
        return None if every is None else piece.Vary(*of_part, every)
    return _PLAIN[line.word](*of_part)


_PLAIN: dict[str, type[piece.Rest | piece.Drop | piece.Solo | piece.Hold]] = {
    "rest": piece.Rest,
    "drop": piece.Drop,
    "solo": piece.Solo,
    "hold": piece.Hold,
}


def _modifiers(scope: Scope, line: tree.LineStatement, home: _Home) -> _Modifiers:
    said = _Modifiers()
    seen: set[str] = set()
    effects: list[tree.SendClause | tree.DuckClause | tree.FilterClause] = []
    for modifier in line.modifiers:
        word = modifier.word
        if word not in _FITTING[line.word]:
            shown = modifier.kind.text if isinstance(modifier, tree.FilterClause) else word
            scope.say("E039", modifier.span, f"`{shown}` does not fit `{line.word}`: {_WHY_NOT[line.word]}")
            continue
        if isinstance(modifier, tree.SendClause | tree.DuckClause | tree.FilterClause):
            effects.append(modifier)
            continue
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` appears twice in this line", "keep one of them")
            continue
        seen.add(word)
        match modifier:
            case tree.At():
                _at(scope, modifier, said, home)
            case tree.AmountClause(word="for"):
                said.for_bars = bars(scope, modifier.amount, "for")
            case tree.AmountClause(word="over"):
                said.over = length(scope, modifier.amount, "over")
            case tree.AmountClause(word="out over"):
                said.out_over = length(scope, modifier.amount, "out over")
            case tree.TermClause(word="when"):
                said.when = condition(scope, modifier.term, "when")
            case tree.TermClause(word="gain"):
                said.gain = amount(scope, modifier.term, "gain", "dB", (-96, 24), plain=False) or said.gain
            case tree.TermClause():
                said.pan = amount(scope, modifier.term, "pan", "", (-1, 1), plain=True) or said.pan
            case tree.AmountClause(word="chance"):
                said.chance = chance_of(scope, modifier)
            case tree.AmountClause(word="one in"):
                said.one_in = one_in_of(scope, modifier)
            case tree.AmountClause(word="swing"):
                said.swing = float(number(scope, modifier.amount, _SWING) or said.swing)
            case tree.AmountClause():
                said.humanise_seconds = float(number(scope, modifier.amount, _HUMANISE) or 0)
            case tree.Flag(word="reverse"):
                said.reverse = True
            case tree.Flag(word=word):
                if said.time != 1:
                    scope.say("E038", modifier.span, "a loop is in half time or in double time, not both")
                said.time = Fraction(1, 2) if word == "half time" else Fraction(2)
    said.effects = effects_of(scope, effects)
    _warn_if_cut(scope, line, said, home)
    return said


def _warn_if_cut(scope: Scope, line: tree.LineStatement, said: _Modifiers, home: _Home) -> None:
    if said.for_bars is None or home.lengths is None:
        return
    longest = home.lengths[-1]
    if said.at_bar <= longest < said.at_bar + said.for_bars - 1:
        place = next(m.span for m in line.modifiers if m.word == "for")
        since = f" from bar {said.at_bar} on" if said.at_bar > 1 else ""
        message = f"{home.name} ends before these {said.for_bars} bars{since} are over"
        hint = "shorten it, or leave `for` out: a line lasts to its section's end"
        scope.say("W006", place, f"{message} (it has at most {longest})", hint)


def _at(scope: Scope, at: tree.At, said: _Modifiers, home: _Home) -> None:
    if at.beat is not None:
        beat = number(scope, at.beat, _BEAT)
        if beat is not None and (beat < 1 or (home.beats is not None and beat >= home.beats + 1)):
            message = f"beat {written(at.beat)} is outside the bar ({home.beats or 4} beats)"
            scope.say("E034", at.beat.span, message)
        elif beat is not None:
            said.at_beat = beat
    bar, place, lengths = number(scope, at.bar, _AT_BAR), at.bar.span, home.lengths
    if bar is None:
        return
    if bar < 1:
        scope.say("E034", place, f"bar {bar} is outside {home.name}: bars count from 1")
        return
    said.at_bar = int(bar)
    if lengths is None:
        return
    if bar > lengths[-1]:
        shown = f"{lengths[0]}..{lengths[-1]}" if len(lengths) > 1 else str(lengths[0])
        noun = "bar" if shown == "1" else "bars"
        scope.say("E034", place, f"bar {bar} is outside {home.name} ({shown} {noun})")
    elif bar > lengths[0]:
        message = f"bar {bar} is reached only when {home.name} is drawn long enough"
        scope.say("W004", place, f"{message} (it may have {counted(lengths[0], 'bar')})")
