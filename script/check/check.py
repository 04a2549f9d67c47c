"""Text to checked piece: the meaning of a script, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ..catalogue import Catalogue
from ..piece import Bus, Dial, Event, Move, Piece, Pool, Section, Span, Sting
from ..problems import Problem, ScriptRejected
from ..text import tree
from ..text.parse import reading
from ..words import MOST_PROBLEMS
from .effects import bus_of
from .events import event_of, sting_of
from .form import move_of, warn_of_unreachable_sections
from .header import Header, dial_of, header_of
from .hits import doubt_chokes_in_circles, refuse_odd_swing
from .limits import refuse_large_sections, refuse_many
from .lines import section_of
from .pools import pool_of, warn_if_empty, warn_if_few_holders
from .scope import Scope, scope_of
from .songs import refuse_odd_lines, warn_of_late_starts
from .taken_over import taken_over
from .unused import warn_of_unused


@dataclass(frozen=True, slots=True)
class Checked:
    """A piece and the problems of its text; no piece if any problem is an error.

    `problems`: in the order of their places. `unlisted`: the number of those beyond the first 100.
    """

    piece: Piece | None
    problems: tuple[Problem, ...]
    unlisted: int = 0

    @property
    def ok(self) -> bool:
        return self.piece is not None


def check(
    text: str, catalogue: Catalogue | None = None, *, use: str | None = None, file: str = "script"
) -> Checked:
    """The piece that `text` describes, with all mistakes and doubts; no text makes it raise.

    With a `catalogue`, empty pools and unknown holders are noted as well, for `use`, or for every use of the
    script if none is given. A `use` that the piece is not for is a mistake. `file` names the text for people.
    """
    read = reading(text)
    script = read.parsed.script
    if read.parsed.problems and not script.statements:
        return Checked(None, read.parsed.problems, read.parsed.unlisted)
    scope = scope_of(script)
    header = header_of(scope, script, use)
    found = _defined(scope, script, header, catalogue)
    found.sections[:] = taken_over(scope, found.sections, _as_clauses(script))
    piece = _draft(text, header, found)
    if not found.unread_move and "section" not in scope.unsure:
        warn_of_unreachable_sections(scope, piece)
    refuse_odd_swing(scope, piece)
    refuse_odd_lines(scope, script)
    doubt_chokes_in_circles(scope, piece)
    refuse_large_sections(scope, piece)
    refuse_many(scope, piece)
    right = not any(p.severity == "error" for p in (*read.parsed.problems, *scope.problems))
    if right:
        piece = _identified(piece, header.seed)
        warn_of_unused(scope, piece)
    if catalogue is not None:
        uses = (use,) if use in header.uses and use is not None else header.uses
        for pool in piece.pools.values():
            named = scope.pools[pool.name]
            assert named is not None
            warn_if_empty(scope, pool, named.name, catalogue, uses)
        warn_of_late_starts(scope, piece, catalogue)
        if header.share_cap_place is not None:
            warn_if_few_holders(scope, header.share_cap_place, piece, catalogue, uses)
    problems = sorted(
        (*read.parsed.problems, *scope.problems), key=lambda p: (p.span.line, p.span.column, p.code)
    )
    listed, unlisted = _listed(problems)
    return Checked(piece if right else None, listed, unlisted + read.parsed.unlisted)


def accepted(
    text: str, catalogue: Catalogue | None = None, *, use: str | None = None, file: str = "script"
) -> Piece:
    """The piece that `text` describes; raises `ScriptRejected` with all mistakes if it has any."""
    checked = check(text, catalogue, use=use, file=file)
    if checked.piece is None:
        raise ScriptRejected(checked.problems, text, file)
    return checked.piece


def _listed(problems: Sequence[Problem]) -> tuple[tuple[Problem, ...], int]:
    """At most 100, errors before warnings if not all fit, in the order of their places."""
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems), 0
    chosen = sorted(range(len(problems)), key=lambda i: (problems[i].severity != "error", i))[:MOST_PROBLEMS]
    return tuple(problems[i] for i in sorted(chosen)), len(problems) - MOST_PROBLEMS


@dataclass(slots=True)
class _Definitions:
    """The definitions that a script makes. `unread_move`: whether some move or event could not be read."""

    pools: dict[str, Pool] = field(default_factory=dict)
    dials: dict[str, Dial] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    buses: dict[str, Bus] = field(default_factory=dict)
    stings: dict[str, Sting] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    unread_move: bool = False


def _defined(scope: Scope, script: tree.Script, header: Header, catalogue: Catalogue | None) -> _Definitions:
    found = _Definitions()
    said: dict[str, Span] = {}
    for statement in script.statements:
        match statement:
            case tree.PoolStatement():
                pool = pool_of(scope, statement, catalogue)
                if scope.pools[pool.name] is statement:
                    found.pools[pool.name] = pool
            case tree.DialStatement():
                dial = dial_of(scope, statement)
                if dial is not None:
                    found.dials[dial.name] = dial
            case tree.SectionStatement():
                section = section_of(scope, statement, header)
                if section is not None:
                    found.sections.append(section)
            case tree.MoveStatement():
                _once(scope, said, statement)
                move = move_of(scope, statement)
                if move is None:
                    found.unread_move = True
                else:
                    found.moves.append(move)
            case tree.BusStatement():
                bus = bus_of(scope, statement)
                if scope.buses[bus.name] is statement:
                    found.buses[bus.name] = bus
            case tree.StingStatement():
                sting = sting_of(scope, statement)
                if sting is not None and scope.stings[sting.name] is statement:
                    found.stings[sting.name] = sting
            case tree.EventStatement():
                _once(scope, said, statement)
                event = event_of(scope, statement)
                if event is None:
                    found.unread_move = True
                else:
                    found.events.append(event)
            case tree.Broken(word="move" | "on" | "after" | "every" | None):
                found.unread_move = True
            case _:
                pass
    return found


def _as_clauses(script: tree.Script) -> dict[str, tree.NameClause]:
    """Of each section that is `as` another, the words that say so."""
    return {
        section.name.text: word
        for section in script.statements
        if isinstance(section, tree.SectionStatement) and section.name is not None
        for word in section.modifiers
        if isinstance(word, tree.NameClause)
    }


def _once(scope: Scope, said: dict[str, Span], statement: tree.MoveStatement | tree.EventStatement) -> None:
    """Note a move or an event that repeats another word for word."""
    first = said.setdefault(statement.text, statement.span)
    if first is not statement.span:
        what = "move" if isinstance(statement, tree.MoveStatement) else "event"
        hint = "keep one of them"
        scope.say(
            "E024", statement.span, f"this {what} appears twice; the first is in line {first.line}", hint
        )


def _identified(piece: Piece, seed: int | None) -> Piece:
    """The piece of a text without a mistake, with its hash, and a seed from its name if it says none."""
    named = seed is not None
    if seed is None:
        # Not from more of the text: an edit of a line would draw everything anew.
        seed = int.from_bytes(sha256(piece.name.encode()).digest()[:8], "big") >> 11
    return replace(piece, seed=seed, names_seed=named, sha256=sha256(piece.text.encode()).hexdigest())


def _draft(text: str, header: Header, found: _Definitions) -> Piece:
    """The piece as far as its text can be read, without its hash and its seed."""
    return Piece(
        name=header.name,
        uses=header.uses,
        tempo_bpm=header.tempo_bpm,
        meter=header.meter,
        keys=header.keys,
        seed=0,
        loudness_lufs=header.loudness_lufs,
        ceiling_dbtp=header.ceiling_dbtp,
        author=header.author,
        version=header.version,
        pools=found.pools,
        dials=found.dials,
        sections=tuple(found.sections),
        moves=tuple(found.moves),
        text=text,
        sha256="",
        buses=found.buses,
        stings=found.stings,
        events=tuple(found.events),
        if_withdrawn=header.if_withdrawn,
        share_cap=header.share_cap,
        credit=header.credit,
        chords=header.chords,
        loudness_span=header.loudness_span,
        rides=header.rides,
    )
