"""Text to tree: every statement is parsed on its own, so that a broken one spoils no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...ground.typo import nearest
from .. import words
from ..piece import Span
from ..problems import Problem, problem
from . import tree
from .lalr import SyntaxMistake, read
from .logical_lines import LogicalLine, group
from .syntax_errors import explained, stray_first_word
from .tokens import TextLine, Token, canonical, scan


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree with the mistakes of its text, in the order of their places.

    All statements are in the tree, broken ones as `Broken`. `unlisted`: mistakes beyond the first 100.
    """

    script: tree.Script
    problems: tuple[Problem, ...]
    unlisted: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A parsed text with its statements as tokens, for the formatter."""

    parsed: Parsed
    logical_lines: Sequence[LogicalLine]
    lines: Sequence[TextLine]


def parse(text: str, file: str = "script") -> Parsed:
    """The tree of `text`, and all its syntax errors.

    No text makes it raise; its time is linear in the text's length. `file` names the text for people and
    changes nothing else.
    """
    return reading(text).parsed


def too_large(size: int) -> Problem:
    """The mistake of a text of `size` bytes."""
    message = f"the script has {size / 1024:,.0f} KiB; at most {words.MOST_BYTES // 1024} KiB are allowed"
    hint = "a script names pools, never sounds: is this the right file?"
    return problem("E006", Span(1, 1, 1, 1), message, hint)


def reading(text: str) -> Reading:
    """Like `parse`, with the typed tokens of each statement."""
    nothing = tree.Script(())
    size = len(text) if len(text) > words.MOST_BYTES else len(text.encode("utf-8", "surrogatepass"))
    if size > words.MOST_BYTES:
        return Reading(Parsed(nothing, (too_large(size),)), (), ())
    scanned = scan(text, words.MOST_TOKENS)
    if not scanned.whole:
        message = f"the script has more words and signs than the {words.MOST_TOKENS:,} that are allowed"
        return Reading(Parsed(nothing, (problem("E009", Span(1, 1, 1, 1), message),)), (), ())
    logical_lines = group(scanned.lines)
    problems = list(scanned.problems)
    statements: list[tree.Statement] = []
    lines: list[tree.LineStatement | tree.RampStatement | tree.ChordsStatement | tree.Broken] = []
    section: tree.SectionStatement | None = None
    swallowed = False

    def close() -> None:
        nonlocal section
        if section is not None:
            statements.append(replace(section, lines=tuple(lines)))
        section = None
        lines.clear()

    for logical in logical_lines:
        node, fault = _statement(logical, explain=len(problems) < words.MOST_PROBLEMS)
        if fault is not None and not (swallowed and fault is logical.fault and fault.code == "E015"):
            problems.append(fault)
        if logical.in_section:
            assert isinstance(
                node, tree.LineStatement | tree.RampStatement | tree.ChordsStatement | tree.Broken
            )
            lines.append(node)
            continue
        close()
        # A broken statement of several lines may contain the head of the section whose lines come next.
        swallowed = isinstance(node, tree.Broken) and len(logical.lines) > 1
        if isinstance(node, tree.SectionStatement):
            section = node
        elif logical.opens and isinstance(node, tree.Broken) and node.word == "section":
            # Lines follow it, so it was meant to head a section.
            section = tree.SectionStatement(node.name, None, span=logical.span)
        else:
            assert not isinstance(node, tree.LineStatement | tree.RampStatement)
            statements.append(node)
            if logical.opens:
                section = tree.SectionStatement(None, None, span=logical.span)
    close()
    problems.sort(key=lambda p: (p.span.line, p.span.column))
    script, unlisted = tree.Script(tuple(statements)), max(0, len(problems) - words.MOST_PROBLEMS)
    parsed = Parsed(script, tuple(problems[: words.MOST_PROBLEMS]), unlisted)
    return Reading(parsed, logical_lines, scanned.lines)


def _statement(logical: LogicalLine, *, explain: bool) -> tuple[tree.Statement, Problem | None]:
    """The node of one statement, `Broken` with its mistake if it has one; `explain` gives hints too."""
    fault = logical.fault or _unreadable(logical) or stray_first_word(logical, explain=explain)
    if fault is not None:
        return _broken(logical, explain), fault
    node = read(logical.tokens, "line" if logical.in_section else "statement", explain=explain)
    if isinstance(node, SyntaxMistake):
        return _broken(logical, explain), explained(logical, node)
    return replace(node, text=canonical(logical.tokens)), None


def _unreadable(logical: LogicalLine) -> Problem | None:
    """Faults of a statement's tokens, which come before those of its grammar."""
    depth = 0
    signs = 0
    for index, token in enumerate(logical.tokens):
        if token.fault is not None:
            return token.fault
        if index == words.MOST_STATEMENT_TOKENS:
            message = f"this statement has more than {words.MOST_STATEMENT_TOKENS} words and signs"
            return problem("E008", token.span, message, "split it into several")
        # A number may have as many digits as its precision needs; its value is checked later.
        most = words.MOST_LETTERS if token.kind == "word" else words.MOST_QUOTED
        if len(token.text) - 2 * token.text.startswith('"') > most:
            return problem(
                "E018", token.span, f"this has more than {most:,} characters", "find a shorter one"
            )
        depth += (token.text == "(") - (token.text == ")")
        signs = signs + 1 if token.text in ("-", "not") else 0
        if depth > words.MOST_NESTING or signs > words.MOST_NESTING:
            message = f"this is nested deeper than {words.MOST_NESTING}"
            return problem("E010", token.span, message, "give parts of it to dials")
    return None


def _broken(logical: LogicalLine, explain: bool) -> tree.Broken:
    """A broken statement with the names that it seems to introduce, so that uses of them are no mistakes."""
    known = words.LINE_WORDS if logical.in_section else words.STATEMENT_WORDS
    tokens: list[Token] = [token for token in logical.tokens if token.fault is None]
    # A line whose first word was lost may have become more of the statement above it.
    first = [token for line in logical.lines for token in line.tokens[:3] if token.fault is None]
    free = [token for token in first if token.kind == "word" and token.text not in words.RESERVED]
    names = [tree.Name(token.text, span=token.span) for token in free]
    name = next((n for n in names if len(tokens) > 1 and n.span == tokens[1].span), None)
    if logical.opens and (logical.word == "section" or logical.word not in known):
        named = name is not None and name.text != "section" and tokens[0].kind == "word"
        return tree.Broken("section", name if named else None, tuple(names), span=logical.span)
    if logical.word in known:
        return tree.Broken(logical.word, name, tuple(names), span=logical.span)
    spelt = explain and logical.tokens[0].fault is None and logical.tokens[0].kind == "word"
    near = nearest(logical.word[:40], known) if spelt else None
    return tree.Broken(near, name if near else None, tuple(names), span=logical.span)
