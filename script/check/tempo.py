"""The tempo, metre and key that a section has for itself, and the lines that move its tempo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..piece import Key, Length, Section, TempoRamp
from ..problems import short
from ..text import tree
from ..words import MOST_NESTING, MOST_RAMP_BARS
from .header import TEMPO, Header, key_of, meter_of
from .scope import Scope
from .songs import starting_bar
from .units import Slot, ends, length, number, written

_UP = Slot("key up", ("st",), (1, 11), "1 to 11 st", whole=True)
_AT_BAR = Slot("at bar", (), (1, 10_000), "bars count from 1", plain=True, whole=True)
_BEAT = Slot("beat", plain=True)
_SHOWN = {"slow": "slow to", "push": "push to"}
_SAMPLE = "such as: slow to 70 over 4 bars at bar 5"


@dataclass(slots=True)
class Own:
    """What a section has for itself. `tempo_bpm`: the least and the greatest with which it may begin.

    `meter`: the section's or the head's; `beats`: of a bar, None where they are not known.
    """

    tempo_bpm: tuple[Fraction, Fraction]
    meter: tuple[int, int]
    beats: int | None
    keys: tuple[Key, ...]
    names_tempo: bool = False
    names_meter: bool = False
    key: Key | None = None
    key_up_st: int = 0
    fresh: bool = False
    as_section: str | None = None
    song_bar: int | None = None

    def given_to(self, section: Section, ramps: tuple[TempoRamp, ...]) -> Section:
        """The section with its tempo, metre, key and ramps."""
        return replace(
            section,
            tempo_bpm=self.tempo_bpm[0] if self.names_tempo else None,
            meter=self.meter if self.names_meter else None,
            key=self.key,
            key_up_st=self.key_up_st,
            ramps=ramps,
            fresh=self.fresh,
            as_section=self.as_section,
            song_bar=self.song_bar,
        )


def own_of(scope: Scope, statement: tree.SectionStatement, header: Header) -> Own:
    """What the head of a section says for it; a mistake, once noted, is left out."""
    own = Own(header.tempo_bpm, header.meter, header.beats, header.keys)
    seen: set[str] = set()
    for modifier in statement.modifiers:
        if modifier.word in seen:
            message = f"`{modifier.word}` appears twice in this section"
            scope.say("E038", modifier.span, message, "keep one of them")
            continue
        seen.add(modifier.word)
        match modifier:
            case tree.OwnTempo():
                _own_tempo(scope, modifier, own)
            case tree.OwnMeter():
                meter = meter_of(scope, modifier)
                own.meter, own.beats = meter or own.meter, meter[0] if meter else None
                own.names_meter = meter is not None
            case tree.OwnKey():
                own.key = key_of(scope, modifier.key)
            case tree.KeyMove():
                _key_move(scope, modifier, own)
            case tree.NameClause():
                own.as_section = modifier.name.text if scope.known("section", modifier.name) else None
            case tree.AmountClause():
                own.song_bar = starting_bar(scope, modifier)
            case tree.Flag():
                own.fresh = True
    _as_of_another(scope, own)
    return own


def _as_of_another(scope: Scope, own: Own) -> None:
    """Let what the section does not say be as in the one that it is `as`, whose mistakes are noted there."""
    quiet, name = replace(scope, problems=[]), own.as_section
    tempo, meter = own.names_tempo, own.names_meter
    for _ in range(MOST_NESTING):
        other = None if name is None else scope.sections.get(name)
        if other is None or (tempo and meter):
            return
        name = None
        for modifier in other.modifiers:
            match modifier:
                case tree.OwnTempo() if not tempo:
                    own.tempo_bpm, tempo = ends(quiet, modifier.range, TEMPO) or own.tempo_bpm, True
                case tree.OwnMeter() if not meter:
                    own.meter, meter = meter_of(quiet, modifier) or own.meter, True
                    own.beats = own.meter[0]
                case tree.NameClause():
                    name = modifier.name.text
                case _:
                    pass


def _own_tempo(scope: Scope, said: tree.OwnTempo, own: Own) -> None:
    found = ends(scope, said.range, TEMPO)
    if found is None:
        return
    if found[0] != found[1]:
        message = "a section has one tempo: a range is for the head of the piece"
        scope.say(
            "E039", said.range.span, message, f"write one number, such as: tempo {written(said.range.lo)}"
        )
        return
    own.tempo_bpm, own.names_tempo = found, True


def _key_move(scope: Scope, said: tree.KeyMove, own: Own) -> None:
    by = number(scope, said.amount, replace(_UP, words=f"key {said.way}"))
    if by is None:
        return
    if not own.keys:
        message = f"`key {said.way}` counts from the piece's key, and the piece names none"
        scope.say("E074", said.span, message, "name one in its head, such as: key D minor")
        return
    own.key_up_st = int(by) if said.way == "up" else -int(by)


def ramps_of(
    scope: Scope, statements: Sequence[tree.RampStatement], section: Section, own: Own
) -> tuple[TempoRamp, ...]:
    """The changes of tempo of a section, in the order of their places; one with a mistake is left out."""
    found = [each for each in (_ramp(scope, said) for said in statements) if each is not None]
    found.sort(key=lambda each: each.beats(own.beats or own.meter[0]))
    kept: list[TempoRamp] = []
    lo, hi = own.tempo_bpm
    for ramp in found:
        if _fits(scope, ramp, kept, section, own) and _leads(scope, ramp, (lo, hi)):
            kept.append(ramp)
            lo = hi = ramp.tempo_bpm
    return tuple(kept)


def _ramp(scope: Scope, said: tree.RampStatement) -> TempoRamp | None:
    """The change of tempo that a line describes, or `None` with a mistake noted."""
    words = _SHOWN[said.word]
    tempo = number(scope, said.tempo, replace(TEMPO, words=words))
    over: Length | None = None
    bar, beat = Fraction(1), Fraction(1)
    right, seen = tempo is not None, set[str]()
    for modifier in said.modifiers:
        word = modifier.kind.text if isinstance(modifier, tree.FilterClause) else modifier.word
        if word not in ("at", "over"):
            message = f"`{word}` does not fit `{words}`: it moves the tempo of the whole section"
            scope.say("E039", modifier.span, message)
            right = False
        elif word in seen:
            scope.say("E038", modifier.span, f"`{word}` appears twice in this line", "keep one of them")
            right = False
        elif isinstance(modifier, tree.At):
            given = number(scope, modifier.bar, _AT_BAR)
            on = Fraction(1) if modifier.beat is None else number(scope, modifier.beat, _BEAT)
            right = right and given is not None and on is not None
            bar, beat = given or bar, on or beat
        elif isinstance(modifier, tree.AmountClause):
            over = _over(scope, modifier.amount)
            right = right and over is not None
        seen.add(word)
    if "over" not in seen:
        message = f"`{words} {written(said.tempo)}` does not say over how many bars"
        scope.say("E073", said.span, message, _SAMPLE)
        return None
    if not right or tempo is None or over is None:
        return None
    return TempoRamp(int(bar), beat, over, tempo, said.text, said.span)


def _over(scope: Scope, quantity: tree.Quantity) -> Length | None:
    """A length in whole bars or beats, not so long that its loops would fill the disk."""
    most = MOST_RAMP_BARS if quantity.unit in ("bar", "bars") else 4 * MOST_RAMP_BARS
    unit = "bars" if quantity.unit in ("bar", "bars") else "beats"
    slot = Slot("over", ("bars", "beats"), (1, most), f"1 to {most} {unit}", whole=True)
    return None if number(scope, quantity, slot) is None else length(scope, quantity, "over")


def _fits(scope: Scope, ramp: TempoRamp, before: Sequence[TempoRamp], section: Section, own: Own) -> bool:
    """Whether a ramp lies within its section and after the others; a mistake is noted if not."""
    beats, name = own.beats or own.meter[0], f"section {short(section.name)}"
    first, last = ramp.beats(beats)
    if not 1 <= ramp.at_beat < beats + 1:
        message = f"beat {float(ramp.at_beat):g} is outside the bar ({beats} beats)"
        scope.say("E034", ramp.span, message)
        return False
    if last > section.lengths[-1] * beats:
        noun = "bar" if section.lengths[-1] == 1 else "bars"
        message = f"{name} ends before this change of tempo does (it has {section.lengths[-1]} {noun})"
        scope.say("E071", ramp.span, message, "begin sooner, or let it last shorter")
        return False
    if before and before[-1].beats(beats)[1] > first:
        message = f"the tempo is still on its way by line {before[-1].span.line} when this begins"
        scope.say("E072", ramp.span, message, "let one end where the next begins")
        return False
    if last > section.lengths[0] * beats:
        message = f"this ends in time only when {name} is drawn long enough"
        scope.say("W004", ramp.span, f"{message} (it may have {section.lengths[0]} bars)")
    return True


def _leads(scope: Scope, ramp: TempoRamp, now: tuple[Fraction, Fraction]) -> bool:
    """Whether a ramp goes where its word says; a mistake is noted if not."""
    slows = ramp.text.startswith("slow")
    if ramp.tempo_bpm < now[0] if slows else ramp.tempo_bpm > now[1]:
        return True
    words, other = ("slow to", "push to") if slows else ("push to", "slow to")
    tempo = " to ".join(dict.fromkeys(f"{float(each):g}" for each in now))
    be, is_no = "may be" if now[0] != now[1] else "is", "slower" if slows else "faster"
    message = f"`{words} {float(ramp.tempo_bpm):g}` is not {is_no}: the tempo here {be} {tempo} bpm"
    hint = f"write `{other}`" if now[0] == now[1] != ramp.tempo_bpm else None
    if now[0] != now[1]:
        hint = "give the piece or the section one tempo, such as: tempo 120"
    scope.say("E070", ramp.span, message, hint)
    return False
