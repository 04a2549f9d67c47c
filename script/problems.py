"""The mistakes and doubts in a script: their stable codes, one record for each, and how they are shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from ..ground.typo import nearest
from ..ground.visible import is_seen, visible
from .piece import Span

CODES = {
    "E001": "a control character",
    "E002": "a pasted typographic character",
    "E003": "a character that the language does not use",
    "E004": "a quote that is not closed",
    "E005": "a number without digits on both sides of its dot",
    "E006": "a text of more than 256 KiB",
    "E007": "a file that is not UTF-8 text",
    "E008": "a statement of more than 500 words and signs",
    "E009": "a script of more than 100 000 words and signs",
    "E010": "nesting deeper than 16",
    "E011": "a word that does not fit where it stands",
    "E012": "a statement that ends too early",
    "E013": "a first word that begins no statement",
    "E014": "indentation that does not line up",
    "E015": "a statement in the wrong place",
    "E017": "more than 1 000 sections",
    "E018": "a name of more than 60 characters, or a quoted text of more than 1 000",
    "E020": "no piece",
    "E021": "a piece that does not say what it is for",
    "E022": "no section",
    "E023": "a name that is used twice",
    "E024": "a statement that appears twice",
    "E025": "an unknown use",
    "E026": "a use that the piece is not for",
    "E027": "a range whose ends are reversed",
    "E028": "a value out of bounds",
    "E029": "a wrong or missing unit",
    "E030": "an unknown pool",
    "E031": "an unknown part",
    "E032": "an unknown section",
    "E033": "an unknown dial",
    "E034": "a bar or beat outside its section or bar",
    "E035": "an unknown key",
    "E036": "a wrong step string",
    "E037": "loops where hits are needed, or hits where loops are",
    "E038": "a modifier that appears twice",
    "E039": "a modifier that does not fit its line",
    "E040": "a dial that takes effect now, in a condition",
    "E041": "a number where a condition is needed, or a condition where a number is",
    "E042": "a range that contains no possible length",
    "E043": "a fraction where a whole number is needed",
    "E044": "an unknown bus",
    "E045": "an unknown sting",
    "E046": "an empty name",
    "E047": "a section that has more in a bar than can be composed",
    "E048": "more statements of a kind, or weights in a pool, than are allowed",
    "E049": "a division by zero",
    "E063": "sections that are as each other in a circle",
    "E064": "a repetition without a length, or without a pause",
    "E070": "a `slow to` that is not slower, or a `push to` that is not faster",
    "E071": "a change of tempo that does not fit into its section",
    "E072": "two changes of tempo at the same time",
    "E073": "a change of tempo without its length",
    "E074": "a `key up` or `key down` in a piece without a key",
    "E077": "swing over steps whose pairs are no eighths",
    "E078": "a play with neither a pattern nor an ending, or with both",
    "E095": "a curve that does not suit its number",
    "E096": "a sound that goes wholly through two buses, or to one a second time",
    "E097": "a number that cannot glide",
    "E098": "more at one time of a line than is separated by commas, or than is allowed",
    "E100": "two songs in one pool",
    "E101": "a bar of the song, without a pool of one",
    "E102": "a modifier that takes a song out of step",
    "E103": "a song that is left out",
    "E084": "a wrong degree",
    "E085": "a degree out of reach",
    "E086": "notes of chords, without chords",
    "E087": "degrees without a key",
    "E088": "an unknown chord",
    "W001": "an unknown role",
    "W002": "a section that nothing leads to",
    "W003": "an empty pool",
    "W004": "a line that is not reached when its section is drawn short",
    "W005": "an unknown holder",
    "W006": "a line that its section cuts short",
    "W007": "a share cap that cannot be met",
    "W008": "words that change nothing",
    "W009": "a name that nothing uses",
    "W010": "something that can never happen",
    "W011": "a division by a value that may be zero",
    "W012": "a name with letters of several alphabets",
    "W020": "a pool whose stems all fail the tempo or the key",
    "W021": "a line that rests, as the dry run finds",
    "W022": "a section in which nothing sounds, as the dry run finds",
    "W023": "more sounds at once than the engine plays, as the dry run finds",
    "W024": "a vary that changes nothing, as the dry run finds",
    "W030": "a loudness for which the limiter has to work hard, as the dry run finds",
    "W033": "a drop that leaves nothing that sounds",
    "W037": "stems that cannot follow the tempo of a section, as the dry run finds",
    "W038": "a pool whose stems all fail the tempo or the key of a section",
    "W045": "loops that all clash with the chords, as the dry run finds",
    "W046": "hits without a known root, which play no notes, as the dry run finds",
    "W047": "hits that holders do not let play notes, as the dry run finds",
    "W048": "a pool that leaves stems out, as their grants do not allow what it does",
    "W049": "an unknown recording",
    "W050": "a slice that some stems do not have",
    "W051": "a time that moves a whole line, where a part of it may be meant",
    "W052": "a fade-in that stands like a part of `duck`",
    "W053": "a trigger under which nothing ducks",
    "W057": "loops that are all in another meter, as the dry run finds",
    "W054": "unknown song",
    "W055": "a section that starts past the end of its song",
}
"""Every code and its meaning. A code never changes its meaning."""

_MOST_COMPARED = 500

_LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅοναΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɡ",
    "aeopcyxijshdqwlABEKMHOPCTYXIJSovaABEZHIKMNOPTYXig",
)
"""Letters of other alphabets, mapped to the Latin ones that they look like."""

_WIDEST = 120
"""Characters of a source line that are shown; of a longer one, those around the caret."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake (`error`: the script is refused) or doubt (`warning`), with its place."""

    code: str
    severity: Literal["error", "warning"]
    span: Span
    message: str
    hint: str | None = None


def problem(code: str, span: Span, message: str, hint: str | None = None) -> Problem:
    """A `Problem` whose severity follows from its code."""
    assert code in CODES, code
    return Problem(code, "error" if code[0] == "E" else "warning", span, message, hint)


class ScriptRejected(Exception):
    """A script with mistakes, all of them in `problems`; `str` shows them as `render` does."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], text: str = "", file: str = "script") -> None:
        self.problems = tuple(problems)
        self.text = text
        self.file = file
        said = f"{visible(file)} is refused: {summary(self.problems)}\n"
        super().__init__((said + render(self.problems, text, file)).rstrip())


def did_you_mean(word: str, known: Iterable[str], quote: str = '"', *, least: float = 0.6) -> str | None:
    """A hint with the known word that is most like `word`, or `None` without one. `least`: see `nearest`."""
    if len(word) > 40:
        return None
    plain = word if word.isascii() else unicodedata.normalize("NFKC", word).translate(_LOOKALIKES)
    if plain != word:
        known = list(known)
        if plain in known:
            return f"{quote}{word}{quote} only looks like {quote}{plain}{quote}: retype it"
    # Names of a very different length are never near. The limit is so that no script makes this slow.
    near_in_length = (name for name in known if abs(len(name) - len(word)) <= 3)
    near = nearest(word, islice(near_in_length, _MOST_COMPARED), least=least)
    return f"did you mean {quote}{near}{quote}?" if near else None


def short(name: str) -> str:
    """A name for a message, cut if it is very long."""
    return name if len(name) <= 40 else name[:39] + "…"


def counted(number: float, noun: str) -> str:
    """A number with its noun, such as `1 bar` and `1,024 bars`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def summary(problems: Sequence[Problem]) -> str:
    """The count in words: `2 mistakes, 1 warning`."""
    errors = sum(p.severity == "error" for p in problems)
    warnings = len(problems) - errors
    words = [counted(count, word) for count, word in ((errors, "mistake"), (warnings, "warning")) if count]
    return ", ".join(words) or "no mistakes"


def render(problems: Sequence[Problem], text: str, file: str) -> str:
    """The problems as text: for each its place, code, message, source line, caret and hint."""
    lines = text.split("\n") if text else []
    return "\n\n".join(_show(p, lines, file) for p in problems)


def _show(problem: Problem, lines: Sequence[str], file: str) -> str:
    span = problem.span
    place = f"{visible(file)}:{span.line}:{span.column}"
    head = f"{place}: {problem.severity} {problem.code}: {printable(problem.message)}"
    shown = [head]
    if span.line <= len(lines):
        source = lines[span.line - 1].removesuffix("\r")
        start = span.column - 1
        end = span.end_column - 1 if span.end_line == span.line else len(source)
        first = 0 if len(source) <= _WIDEST else max(0, min(start - _WIDEST // 3, len(source) - _WIDEST))
        last = first + _WIDEST
        before, marked = source[first:start], source[start : min(end, last)]
        number = str(span.line)
        gutter = " " * len(number)
        shown.append(f"  {number} | {printable(source[first:last])}".rstrip())
        shown.append(f"  {gutter} | {_pad(before)}{'^' * max(1, sum(map(_width, marked)))}")
        if problem.hint:
            shown.append(f"  {gutter} = {printable(problem.hint)}")
    elif problem.hint:
        shown.append(f"  = {printable(problem.hint)}")
    return "\n".join(shown)


def printable(text: str) -> str:
    """The text with control characters made visible, so that a source line cannot steer a terminal."""
    # A no-break space is what may be wrong with a line, and looks like one that breaks.
    return "".join(
        c if c == "\t" or (is_seen(c) and c.isprintable()) else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _pad(text: str) -> str:
    """Blank of the same width: tabs stay tabs, so the caret lines up whatever their width."""
    return "".join("\t" if c == "\t" else " " * _width(c) for c in text)


def _width(character: str) -> int:
    """Columns that a character takes on a terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
