"""Sections: their lengths and their lines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from .. import piece
from ..pitch import Notes, Progression
from ..problems import counted, short
from ..text import tree
from ..words import MOST_BARS, UNITS
from .chords import progression_of
from .effects import Clause, effects_of
from .events import chance_of, known_pool, one_in_of
from .glides import glide_of, line_number, warn_of_mistaken_places
from .header import Header
from .hits import HIT_WORDS, Values, ending_of, pattern_or_ending, slice_fits, take_up
from .notes import notes_of
from .pattern import steps_of
from .places import Home, beat_of, reached
from .scope import Scope
from .tempo import own_of, ramps_of
from .units import Slot, bars, bars_after, condition, ends, length, number

_TIMING = frozenset(("at", "for", "every", "when", "chance", "one in"))
_MIX = frozenset(("gain", "pan", "to", "via", "duck", "filter", "later", "reverse"))
_GLIDES = frozenset(("gain", "pan", "filter", "later"))
_FITTING = {
    "bring": _TIMING | _MIX | {"over", "out over", "half time", "double time"},
    "play": _TIMING | _MIX | HIT_WORDS | {"notes"},
    "trigger": _TIMING | {"swing", "humanise", "late", "steps"},
    "rest": _TIMING,
    "drop": _TIMING,
    "solo": _TIMING,
    "hold": _TIMING | _GLIDES,
    "vary": _TIMING - {"every"},
}
_WHY_NOT = {
    "bring": "it is for hits; a loop has its own feel",
    "play": "hits ring as they are",
    "trigger": "nobody hears it",
    "rest": "a part rests at once",
    "drop": "a part drops at once",
    "solo": "the other parts rest at once",
    "hold": "what is held goes on as it is, and only its gain, its pan and its filters move",
    "vary": "it only draws another stem",
}
_WHY_NOT_THIS = {
    "slice": "it chooses among the slices that a line plays",
    "notes": "it is for the hits of a pattern",
}
_FOR_BEATS = Slot("for", ("beats",), (Fraction(1, 16), MOST_BARS), f"1/16 to {MOST_BARS:,} beats")
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
    for_beats: Fraction | None = None
    every_bars: int | None = None
    over: piece.Length | None = None
    out_over: piece.Length | None = None
    gain: piece.Expression = _NONE
    pan: piece.Expression = _NONE
    glides: list[tuple[piece.Glide, piece.Span]] = field(default_factory=list)
    reverse: bool = False
    time: Fraction = _ONE
    effects: piece.Effects = _DRY
    hits: Values = field(default_factory=dict)
    notes: Notes | None = None

    def window(self) -> piece.LineWindow:
        return piece.LineWindow(
            self.at_bar,
            self.at_beat,
            self.for_bars,
            self.when,
            self.chance,
            self.one_in,
            self.for_beats,
            self.every_bars,
        )


def section_of(scope: Scope, statement: tree.SectionStatement, header: Header) -> piece.Section | None:
    """The section that a statement describes, or `None` if its head has a mistake."""
    own = own_of(scope, statement, header)
    lengths: tuple[int, ...] | None = None
    if statement.length is not None:
        lengths = _lengths(scope, statement.length, statement.name)
    lines: list[piece.Line] = []
    name = f"section {statement.name.text}" if statement.name else "its section"
    home = Home(name, lengths, own.beats, _has_chords(scope, statement), _has_key(scope, statement))
    chords, said = None, list[tree.ChordsStatement]()
    ramps: list[tree.RampStatement] = []
    for line in statement.lines:
        if isinstance(line, tree.ChordsStatement):
            said.append(line)
            if len(said) == 1:
                chords = _chords(scope, line, home)
            else:
                message = f"`chords` appears twice here; the first is in line {said[0].span.line}"
                scope.say("E024", line.span, message, "keep one of them, or part the section")
            continue
        if isinstance(line, tree.LineStatement):
            made = _line(scope, line, home)
            if made is not None:
                lines.append(made)
        elif isinstance(line, tree.RampStatement):
            ramps.append(line)
        elif line.word is None:
            # It may have been the head of another section.
            home = replace(home, lengths=None)
    if statement.name is None or lengths is None:
        return None
    within = (replace(line, section=statement.name.text) for line in lines)
    section = piece.Section(statement.name.text, lengths, tuple(within), statement.span, chords=chords)
    return own.given_to(section, ramps_of(scope, ramps, section, own))


def _has_key(scope: Scope, statement: tree.SectionStatement) -> bool:
    """Whether the section has a key, its own, the piece's or perhaps that of the one that it is as."""
    return "key" in scope.head or any(each.word in ("key", "as") for each in statement.modifiers)


def _has_chords(scope: Scope, statement: tree.SectionStatement) -> bool:
    """Whether the section has chords or may have some, of another or where a line cannot be read."""
    taken_over = any(each.word == "as" for each in statement.modifiers)
    return (
        taken_over
        or "chords" in scope.head
        or any(
            isinstance(line, tree.ChordsStatement)
            or (isinstance(line, tree.Broken) and line.word in ("chords", None))
            for line in statement.lines
        )
    )


def _chords(scope: Scope, statement: tree.ChordsStatement, home: Home) -> Progression | None:
    """The chords of a section; a doubt is noted if it ends before the last of them."""
    found = progression_of(scope, statement)
    if found is not None and home.lengths is not None and home.beats is not None:
        each = found.each * (home.beats if found.unit == "bars" else 1)
        longest = home.lengths[-1]
        if each * (len(found.chords) - 1) >= longest * home.beats:
            message = f"{home.name} ends before the last of these chords (it has at most {longest} bars)"
            scope.say("W006", statement.span, message)
    return found


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


def _line(scope: Scope, line: tree.LineStatement, home: Home) -> piece.Line | None:
    """The line that a statement describes, or `None` if it names something unknown."""
    said = _modifiers(scope, line, home)
    of_part = line.part.text, said.window(), line.text, line.span
    if line.word in ("play", "bring"):
        assert line.pool is not None
        steps = steps_of(scope, line.pattern)
        if line.word == "play" and not pattern_or_ending(scope, line):
            return None
        if not known_pool(scope, line.pool, line.word, "hits" if line.word == "play" else "loops"):
            return None
        sounding = *of_part, line.pool.text, said.gain, said.pan, said.effects, said.reverse
        if line.word == "play":
            slice_fits(scope, line)
            return replace(piece.Play(*sounding, steps), notes=said.notes, **said.hits)
        return piece.Bring(*sounding, said.over, said.out_over, said.time)
    if line.word == "trigger":
        return replace(piece.Pulse(*of_part, steps_of(scope, line.pattern)), **said.hits)
    if line.word == "vary" and line.every is None:
        return _renew(scope, line, of_part)
    every = None if line.every is None else bars(scope, line.every, "every")
    also = _also(scope, line)
    if also is None:
        return None
    if line.word == "vary":
        return None if every is None else piece.Vary(*of_part, every, also=also)
    if line.word == "hold":
        return piece.Hold(*of_part, also=also, effects=said.effects)
    return _PLAIN[line.word](*of_part, also=also)


_OfPart = tuple[str, piece.LineWindow, str, piece.Span]


def _also(scope: Scope, line: tree.LineStatement) -> tuple[str, ...] | None:
    """The parts after the first; `None` if one of a line's parts is unknown."""
    also: list[str] = []
    known = scope.known("part", line.part)
    for name in line.more:
        if name.text in (line.part.text, *also):
            message = f"{short(name.text)} appears twice in this line"
            scope.say("E038", name.span, message, "keep one of them")
        else:
            known = scope.known("part", name) and known
            also.append(name.text)
    return tuple(also) if known else None


def _renew(scope: Scope, line: tree.LineStatement, of_part: _OfPart) -> piece.Renew | None:
    """The line of `vary PART every visit`, which holds for the whole of each visit."""
    for modifier in line.modifiers:
        if modifier.word in _FITTING["vary"]:
            message = f"`{modifier.word}` does not fit `every visit`: what is drawn lasts for the whole visit"
            scope.say("E039", modifier.span, message)
    also = _also(scope, line)
    return None if also is None else piece.Renew(*of_part, also=also)


_PLAIN: dict[str, type[piece.Rest | piece.Drop | piece.Solo]] = {
    "rest": piece.Rest,
    "drop": piece.Drop,
    "solo": piece.Solo,
}


def _modifiers(scope: Scope, line: tree.LineStatement, home: Home) -> _Modifiers:
    said = _Modifiers()
    seen: set[str] = set()
    effects: list[Clause] = []
    for modifier in line.modifiers:
        word = modifier.word
        shown = modifier.kind.text if isinstance(modifier, tree.FilterClause) else word
        if word not in _FITTING[line.word]:
            shown = "at ...:" if isinstance(modifier, tree.Later) else shown
            why = _WHY_NOT_THIS.get(word, _WHY_NOT[line.word])
            scope.say("E039", modifier.span, f"`{shown}` does not fit `{line.word}`: {why}")
            continue
        if isinstance(modifier, tree.Later):
            said.glides += _later(scope, line, modifier, home)
            continue
        if isinstance(modifier, tree.FilterClause) and line.word == "hold":
            glide = glide_of(scope, modifier)
            said.glides += [] if glide is None else [(glide, modifier.span)]
            continue
        if isinstance(modifier, tree.SendClause | tree.DuckClause | tree.FilterClause) or (
            isinstance(modifier, tree.NameClause) and word == "via"
        ):
            effects.append(modifier)
            continue
        if word in seen:
            scope.say("E038", modifier.span, f"`{word}` appears twice in this line", "keep one of them")
            continue
        seen.add(word)
        if isinstance(modifier, tree.Ending):
            said.hits["ending"] = ending_of(scope, modifier, home)
            continue
        if word in HIT_WORDS:
            take_up(scope, modifier, line.part, said.hits)
            continue
        match modifier:
            case tree.At():
                _at(scope, modifier, said, home)
            case tree.AmountClause(word="for"):
                _for(scope, modifier, said, line.word)
            case tree.AmountClause(word="every"):
                said.every_bars = bars(scope, modifier.amount, "every")
            case tree.AmountClause(word="over"):
                said.over = length(scope, modifier.amount, "over")
            case tree.AmountClause(word="out over"):
                said.out_over = length(scope, modifier.amount, "out over")
            case tree.TermClause(word="when"):
                said.when = condition(scope, modifier.term, "when")
            case tree.GlideClause():
                _mix(scope, line, modifier, said)
            case tree.AmountClause(word="chance"):
                said.chance = chance_of(scope, modifier)
            case tree.AmountClause(word="one in"):
                said.one_in = one_in_of(scope, modifier)
            case tree.NotesClause():
                said.notes = notes_of(scope, modifier, chords=home.chords, key=home.key)
            case tree.Flag(word="reverse"):
                said.reverse = True
            case tree.Flag(word=word):
                if said.time != 1:
                    scope.say("E038", modifier.span, "a loop is in half time or in double time, not both")
                said.time = Fraction(1, 2) if word == "half time" else Fraction(2)
    said.effects = effects_of(scope, effects, said.glides)
    _repeats(scope, line, said, home)
    _warn_if_cut(scope, line, said, home)
    warn_of_mistaken_places(scope, line)
    return said


def _mix(scope: Scope, line: tree.LineStatement, clause: tree.GlideClause, said: _Modifiers) -> None:
    """A `gain` or a `pan` of a line, which a line that holds only moves."""
    what, found = line_number(scope, clause)
    if found is None:
        return
    if found.to is not None or line.word == "hold":
        glide = piece.Glide(what, found.value, found.to, found.over, found.curve)
        said.glides.append((glide, clause.span))
    if what == "gain":
        said.gain = found.value
    else:
        said.pan = found.value


def _later(
    scope: Scope, line: tree.LineStatement, later: tree.Later, home: Home
) -> list[tuple[piece.Glide, piece.Span]]:
    """What a line moves at a time of its own."""
    of_hold = line.word == "hold"
    for clause in later.clauses if of_hold else ():
        if isinstance(clause, tree.SendClause):
            scope.say("E039", clause.span, f"`to` does not fit `hold`: {_WHY_NOT['hold']}")
    place = _Modifiers()
    _at(scope, later.at, place, home)
    found = [
        glide_of(scope, clause, (place.at_bar, place.at_beat))
        for clause in later.clauses
        if not (of_hold and isinstance(clause, tree.SendClause))
    ]
    return [(each, later.span) for each in found if each is not None]


def _for(scope: Scope, clause: tree.AmountClause, said: _Modifiers, word: str) -> None:
    unit = clause.amount.unit
    if word != "vary" and unit in ("beat", "beats"):
        said.for_beats = number(scope, clause.amount, _FOR_BEATS)
    elif word != "vary" and (unit is None or UNITS[unit][0] != "bars"):
        number(scope, clause.amount, Slot("for", ("bars", "beats"), (1, 0)))
    else:
        said.for_bars = bars(scope, clause.amount, "for")


def _repeats(scope: Scope, line: tree.LineStatement, said: _Modifiers, home: Home) -> None:
    """Note an `every` that cannot be, or that changes nothing."""
    every = said.every_bars
    if every is None:
        return
    clause = next(m for m in line.modifiers if m.word == "every")
    ends = [m for m in line.modifiers if m.word == "for"]
    lasts = said.window().length(home.beats or 4)
    if not ends:
        message = f"`every {counted(every, 'bar')}` needs a `for`: how long is each time?"
        scope.say("E064", clause.span, message, f"such as: for 1 bar every {max(2, every)} bars")
    elif lasts is not None and lasts >= every * (home.beats or 4):
        message = f"this never pauses: it comes again after {counted(every, 'bar')}, and lasts no less"
        scope.say("E064", clause.span, message, "let `for` be shorter than `every`, or leave both out")
    elif home.lengths is not None and said.at_bar <= home.lengths[-1] < said.at_bar + every:
        message = f"this comes once: {home.name} has at most {counted(home.lengths[-1], 'bar')}"
        scope.say("W008", clause.span, message)


def _warn_if_cut(scope: Scope, line: tree.LineStatement, said: _Modifiers, home: Home) -> None:
    if home.lengths is None:
        return
    longest = home.lengths[-1]
    lasts, whole = said.for_bars, said.for_bars or 0
    if said.for_beats is not None and home.beats is not None:
        whole = ceil((said.at_beat - 1 + said.for_beats) / home.beats)
    if said.at_bar <= longest < said.at_bar + whole - 1:
        place = next(m.span for m in line.modifiers if m.word == "for")
        since = f" from bar {said.at_bar} on" if said.at_bar > 1 else ""
        what = f"{lasts} bars" if lasts is not None else f"{float(said.for_beats or 0):g} beats"
        message = f"{home.name} ends before these {what}{since} are over"
        hint = "shorten it, or leave `for` out: a line lasts to its section's end"
        scope.say("W006", place, f"{message} (it has at most {longest})", hint)


def _at(scope: Scope, at: tree.At, said: _Modifiers, home: Home) -> None:
    said.at_beat = beat_of(scope, at.beat, home) or said.at_beat
    bar = number(scope, at.bar, _AT_BAR)
    if bar is None:
        return
    if bar < 1:
        scope.say("E034", at.bar.span, f"bar {bar} is outside {home.name}: bars count from 1")
        return
    said.at_bar = int(bar)
    reached(scope, at.bar, home, bar)
