"""The names of a script while it is checked, and the mistakes found so far."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..piece import Span
from ..problems import Problem, did_you_mean, problem, short
from ..text import tree
from ..words import FORMS, MOST_PROBLEMS, UNITS

_MOST_LISTED = 8
_UNKNOWN = {"pool": "E030", "part": "E031", "section": "E032", "dial": "E033", "bus": "E044", "sting": "E045"}
"""The code of an unknown name of each kind."""
_GUESSED = ("pool", "part", "dial", "bus", "sting")
_EXAMPLES = {"bus": "bus room = reverb 2 s", "sting": FORMS["sting"]}
_ALPHABETS = ("LATIN", "GREEK", "CYRILLIC")
"""Alphabets that share letters of the same look."""


@dataclass
class Scope:
    """Names by kind, with their statements; `None` for a statement that could not be read."""

    pools: dict[str, tree.PoolStatement | None] = field(default_factory=dict)
    dials: dict[str, tree.DialStatement | None] = field(default_factory=dict)
    buses: dict[str, tree.BusStatement | None] = field(default_factory=dict)
    stings: dict[str, tree.StingStatement | None] = field(default_factory=dict)
    sections: dict[str, tree.SectionStatement] = field(default_factory=dict)
    parts: dict[str, tree.LineStatement | None] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    """Names that unreadable statements may introduce, whatever their kind."""
    unsure: set[str] = field(default_factory=set)
    """Kinds with a statement whose name could not be read."""
    dial_kinds: frozenset[str] = frozenset()
    """The base units of the dials; all base units, if a dial could not be read."""
    used: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name of all that something uses."""
    problems: list[Problem] = field(default_factory=list)
    head: set[str] = field(default_factory=set)
    """Of `key` and `chords`, those that the head says, or may say where it cannot be read."""

    def say(self, code: str, span: Span, message: str, hint: str | None = None) -> None:
        self.problems.append(problem(code, span, message, hint))

    def unknown(
        self, code: str, kind: str, name: tree.Name, known: Iterable[str], hint: str | None = None
    ) -> None:
        if kind in self.unsure or name.text in self.guessed:
            return
        if hint is None and len(self.problems) < MOST_PROBLEMS:
            hint = _hint(kind, name.text, list(known))
        self.say(code, name.span, f'unknown {kind} "{short(name.text)}"', hint)

    def known(self, kind: str, name: tree.Name, *, uses: bool = True) -> bool:
        """Whether the script has a `kind` of that name, which this may use; a mistake is noted if not."""
        names = self.names[kind]
        if name.text in names:
            if uses:
                self.used.add((kind, name.text))
            return True
        hint = None
        if kind == "part" and name.text in self.pools:
            hint = f'"{name.text}" is a pool; a part is the name after `bring` or `play`'
        elif not names and kind in _EXAMPLES:
            hint = f"there is no {kind} yet; make one, such as: {_EXAMPLES[kind]}"
        self.unknown(_UNKNOWN[kind], kind, name, names, hint)
        return False

    @cached_property
    def names(self) -> Mapping[str | None, dict[str, Any]]:
        """The names of each kind."""
        return {
            "pool": self.pools,
            "part": self.parts,
            "section": self.sections,
            "dial": self.dials,
            "bus": self.buses,
            "sting": self.stings,
        }

    @cached_property
    def chokes(self) -> Mapping[str, set[str]]:
        """By the name after `choke`, the parts whose lines say it."""
        found: dict[str, set[str]] = {}
        lines = (line for section in self.sections.values() for line in section.lines)
        for line in lines:
            if isinstance(line, tree.LineStatement):
                for modifier in line.modifiers:
                    if isinstance(modifier, tree.NameClause):
                        found.setdefault(modifier.name.text, set()).add(line.part.text)
        return found

    def dial_unit(self, name: str) -> str | None:
        """The base unit of a dial, empty for a plain number; `None` if its statement could not be read."""
        dial = self.dials.get(name)
        if dial is None:
            return None
        return UNITS[dial.range.hi.unit][0] if dial.range.hi.unit else ""

    @cached_property
    def dial_ranges(self) -> Mapping[str, tuple[float, float]]:
        """The ends of each dial's range in its base unit, without the dials whose range has a mistake."""
        found = {}
        for name, dial in self.dials.items():
            if dial is None:
                continue
            lo, hi = (q.value * (UNITS[q.unit][1] if q.unit else 1) for q in (dial.range.lo, dial.range.hi))
            if lo <= hi:
                found[name] = float(lo), float(hi)
        return found


def needs_text(scope: Scope, name: tree.Name, what: str) -> None:
    """Note an empty name or text. `what`: the word before it."""
    if not name.text.strip():
        scope.say("E046", name.span, f"the name after `{what}` is empty", "write one between the quotes")


def _hint(kind: str, name: str, known: list[str]) -> str | None:
    if not known:
        return f"there is no {kind} yet"
    near = did_you_mean(name, known)
    if near is None and len(known) <= _MOST_LISTED:
        kinds = "buses" if kind == "bus" else f"{kind}s"
        return f"{kinds} are {', '.join(map(short, sorted(known)))}"
    return near


def scope_of(script: tree.Script) -> Scope:
    """The names that a script introduces; a name that it introduces twice is noted."""
    scope = Scope()
    for statement in script.statements:
        match statement:
            case tree.PoolStatement():
                _add(scope, "pool", statement.name, statement)
            case tree.DialStatement():
                _add(scope, "dial", statement.name, statement)
            case tree.BusStatement():
                _add(scope, "bus", statement.name, statement)
            case tree.StingStatement():
                _add(scope, "sting", statement.name, statement)
            case tree.KeysStatement():
                scope.head.add("key")
            case tree.ChordsStatement():
                scope.head.add("chords")
            case tree.Broken():
                scope.head |= {statement.word} if statement.word else {"key", "chords"}
                _guess(scope, statement)
            case tree.SectionStatement(name=section):
                if section is None:
                    scope.unsure.add("section")
                else:
                    _add(scope, "section", section, statement)
                for line in statement.lines:
                    match line:
                        case tree.Broken():
                            _guess(scope, line)
                        case tree.LineStatement(word="bring" | "play" | "trigger", part=part):
                            if part.text not in scope.parts:
                                _doubt_letters(scope, part)
                            scope.parts[part.text] = line
    scope.dial_kinds = _dial_kinds(scope)
    return scope


def _dial_kinds(scope: Scope) -> frozenset[str]:
    if None in scope.dials.values() or "dial" in scope.unsure or scope.guessed:
        return frozenset(kind for kind, _ in UNITS.values())
    units = {dial.range.hi.unit for dial in scope.dials.values() if dial is not None}
    return frozenset(UNITS[unit][0] for unit in units if unit)


def _guess(scope: Scope, broken: tree.Broken) -> None:
    """Assume that a broken statement defines what it seems to, so that it is one mistake and not several."""
    scope.guessed.update(name.text for name in broken.names)
    kind = "part" if broken.word in ("bring", "play", "trigger") else broken.word
    if kind in _GUESSED and broken.name is None:
        scope.unsure.add(kind)
    elif kind in _GUESSED and broken.name is not None:
        scope.names[kind].setdefault(broken.name.text, None)


def _doubt_letters(scope: Scope, name: tree.Name) -> None:
    """Note a name with letters of several alphabets, some of which may only look like the intended ones."""
    if name.text.isascii():
        return
    of = {letter: unicodedata.name(letter, "").split(" ")[0] for letter in name.text if letter.isalpha()}
    found = [alphabet for alphabet in _ALPHABETS if alphabet in of.values()]
    if len(found) > 1:
        odd = next(letter for letter, alphabet in of.items() if alphabet in found[1:])
        message = f'"{short(name.text)}" mixes {" and ".join(each.capitalize() for each in found)} letters'
        hint = f"retype it, unless the {of[odd].capitalize()} {odd} is intended"
        scope.say("W012", name.span, message, hint)


def _add(scope: Scope, kind: str, name: tree.Name, statement: tree.Statement) -> None:
    if name.text in scope.names[kind]:
        message = f'there is already a {kind} "{short(name.text)}"'
        scope.say("E023", name.span, message, "give each its own name")
        return
    _doubt_letters(scope, name)
    scope.names[kind][name.text] = statement
