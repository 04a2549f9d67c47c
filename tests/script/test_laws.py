"""Laws of parsing and formatting, over scripts that Hypothesis writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lark
from hypothesis import given, settings, strategies as st
from lark.indenter import Indenter

from stemloom.script.text import lalr
from stemloom.script.text.format import format_text
from stemloom.script.text.parse import parse
from stemloom.script.text.tokens import scan
from stemloom.script.text.tree import LineStatement, SectionStatement

Words = list[str]
Statement = list[str]
"""A statement as the texts of its tokens."""

names = st.sampled_from(
    ["low", "haze", "beats", "bars", "room", "énergie", "x_1", "at1", "s", "Hz", "key", "A"]
)
texts = st.text("abc .,#'-é", max_size=6).map(lambda text: f'"{text}"')
numbers = st.sampled_from(["0", "1", "4", "12", "0.5", "400", "16.25"])
units = st.sampled_from(["bars", "beat", "s", "ms", "minutes", "dB", "Hz", "kHz", "%", "st", "LUFS", "bpm"])


def joined(*parts: st.SearchStrategy[Any] | str) -> st.SearchStrategy[Words]:
    """The parts one after the other: words as they stand, strategies of one token or of several."""
    made = [st.just(part.split()) if isinstance(part, str) else part.map(_tokens) for part in parts]
    return st.tuples(*made).map(lambda found: [word for words in found for word in words])


def _tokens(part: str | Words) -> Words:
    return [part] if isinstance(part, str) else part


def several(part: st.SearchStrategy[Words], between: str, most: int = 3) -> st.SearchStrategy[Words]:
    def join(found: list[Words]) -> Words:
        return [word for index, words in enumerate(found) for word in ([between] * (index > 0) + words)]

    return st.lists(part, min_size=1, max_size=most).map(join)


def optional(part: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    return st.just([]) | part


one_name = joined(names)
value = joined(names | texts)
amount = joined(numbers) | joined(numbers, units)
signed = amount | joined("-", amount)
span = signed | joined(signed, "..", signed)
chord = joined(st.sampled_from(["C", "F#m7b5", "Bb/D", "none", "H"])).map(
    lambda found: [word for part in found for word in part.replace("/", " / ").split()]
)
chords = joined("chords", several(chord, ","), optional(joined("each", amount)))
key_name = joined(st.sampled_from(["C", "A#", "Bb", "H"]), st.sampled_from(["major", "minor"]))

operators = st.sampled_from(["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
expression: st.SearchStrategy[Words] = st.recursive(
    amount | one_name | joined("random", signed, "..", signed),
    lambda inner: st.one_of(
        joined("(", inner, operators, inner, ")"),
        joined("(", "-", inner, ")"),
        joined("(", "not", inner, ")"),
        joined("-", "-", inner),
    ),
    max_leaves=5,
)

attribute = st.one_of(
    joined(st.sampled_from(["role", "mood", "holder", "set"]), several(value, "or")),
    joined(st.sampled_from(["energy", "tempo"]), several(span, "or", 2)),
    st.sampled_from([["key", "fits"], ["key", "any"]]),
    joined("key", several(key_name, "or", 2)),
)
clause = st.one_of(
    attribute,
    joined("not", attribute),
    joined("never twice in", amount),
    st.just(["prefer", "fresh"]),
    joined("max stretch", amount),
    joined("max shift", amount),
    joined("weight", numbers, "for", attribute, optional(joined("when", expression))),
)


def gliding(*first: st.SearchStrategy[Any] | str) -> st.SearchStrategy[Words]:
    """A number that may glide, behind these words."""
    curves = optional(joined(st.sampled_from(["linear", "smooth", "exponential"])))
    return joined(*first, expression, optional(joined("->", expression, "over", amount, curves)))


filtering = gliding(st.sampled_from(["lowpass", "highpass", "bandpass"]))
modifier = st.one_of(
    joined("at bar", numbers, optional(joined("beat", numbers))),
    joined(
        st.sampled_from(["for", "over", "chance", "swing", "humanise", "late", "loose", "length"]), amount
    ),
    joined("length", numbers, "/", numbers, "note"),
    joined("steps", numbers),
    joined("choke", names),
    joined("ending at bar", numbers, optional(joined("beat", numbers))),
    joined("out over", amount),
    joined("when", expression),
    joined("one in", numbers),
    gliding("to", names),
    gliding("gain"),
    gliding("pan"),
    joined("via", names),
    joined("duck", expression, "under", several(one_name, "and"), optional(joined("back", expression))),
    joined(
        "at bar",
        numbers,
        optional(joined("beat", numbers)),
        ":",
        several(st.one_of(gliding("gain"), gliding("pan"), gliding("to", names), filtering), ","),
    ),
    filtering,
    st.sampled_from([["reverse"], ["half", "time"], ["double", "time"], ["cut"], ["each", "hit", "new"]]),
    joined("notes", st.one_of(texts, st.sampled_from(["root", "chord"]))),
)
modifiers = st.lists(modifier, max_size=3).map(lambda found: [word for words in found for word in words])
line = st.one_of(
    joined("bring", names, "from", names, modifiers),
    joined("play", names, "from", names, optional(texts), modifiers),
    joined(
        "play",
        names,
        "from",
        names,
        "euclid",
        numbers,
        "in",
        numbers,
        optional(joined("rotate", numbers)),
        modifiers,
    ),
    joined("trigger", names, texts, modifiers),
    joined(st.sampled_from(["rest", "hold", "solo", "drop"]), names, modifiers),
    joined("vary", names, "every", amount, modifiers),
    chords,
)
at_next = joined("at next", optional(joined(numbers)), st.sampled_from(["bar", "bars", "beat", "s"]))
aim = one_name | st.just(["that", "role"])
target = one_name | st.just(["silence"])
action = st.one_of(
    joined("swap", aim, optional(at_next)),
    joined("hold", aim, optional(joined("for", amount))),
    joined("sting", names),
    joined("move to", target, optional(at_next)),
    joined("set", names, "to", expression, optional(at_next)),
)
move_modifier = st.one_of(
    joined("weight", numbers),
    st.just(["at", "end"]),
    at_next,
    joined("when", expression),
    joined("over", amount),
    joined("through", names),
    joined("on cue", texts),
)
bus_effect = st.one_of(
    joined("reverb", expression, optional(joined("mix", expression))),
    joined(
        "delay", expression, optional(joined("feedback", expression)), optional(joined("mix", expression))
    ),
    joined(st.sampled_from(["mix", "gain"]), expression),
    filtering,
)
trigger = st.one_of(st.sampled_from([["like"], ["dislike"]]), joined("cue", texts), expression)
sting_modifier = st.one_of(
    at_next,
    joined(st.sampled_from(["gain", "pan"]), expression),
    joined("to", names, expression),
    joined("chance", amount),
    joined("one in", numbers),
    filtering,
)
answer = st.sampled_from([["swap"], ["rest"], ["stop"]])
dial_effect = st.sampled_from([["now"], *(["at", "next", word] for word in ("beat", "bar", "section"))])
move_modifiers = st.lists(move_modifier, max_size=3).map(lambda found: [w for words in found for w in words])
statement = st.one_of(
    joined("piece", texts, optional(joined("for", several(one_name, ",")))),
    joined("tempo", span),
    joined("meter", numbers, "/", numbers),
    joined("key", several(key_name, "or")),
    chords,
    joined("seed", numbers),
    joined(st.sampled_from(["loudness", "ceiling"]), signed),
    joined(st.sampled_from(["author", "credit"]), value),
    joined("version", value | joined(numbers)),
    joined("share cap", amount, "per holder"),
    joined("pool", names, "=", st.sampled_from(["loops", "hits"]), optional(several(clause, ","))),
    joined("dial", names, signed, "..", signed, "=", signed, dial_effect),
    joined("bus", names, "=", several(bus_effect, ",")),
    joined("move", one_name | st.just(["any"]), "->", target, move_modifiers),
    joined(
        "sting",
        names,
        "from",
        names,
        st.lists(sting_modifier, max_size=3).map(lambda found: [w for words in found for w in words]),
    ),
    joined("on", trigger, ":", action),
    joined(st.sampled_from(["after", "every"]), amount, ":", action),
    joined("if withdrawn :", answer, optional(joined(", else", answer))),
)
section = st.tuples(joined("section", names, span), st.lists(line, max_size=3))
block = st.tuples(statement, st.just([])) | section
scripts = st.lists(block, max_size=5)
"""Blocks: a statement, and the lines of a section."""

comments = st.sampled_from(["", "", "", "  # note", " #", "\t# A # b"])
blanks = st.sampled_from([" ", " ", "  ", "\t"])


def written(draw: st.DrawFn, words: Statement, indent: str, *, broken: bool) -> str:
    """A statement with the layout that is drawn; `broken`: over several lines as well."""
    text = indent
    for index, word in enumerate(words):
        if index:
            tight = word in (",", "..", ")", ":", "%") or words[index - 1] in ("(", "..")
            if broken and index > 1 and draw(st.integers(0, 9)) == 0:
                text += (
                    draw(comments)
                    + draw(st.sampled_from(["\n", "\r\n", "\n\n", "\n # c\n"]))
                    + indent
                    + "   "
                )
            elif not (tight and draw(st.booleans())):
                text += draw(blanks)
        text += word
    return text + draw(comments)


@st.composite
def laid_out(draw: st.DrawFn, *, broken: bool = True) -> str:
    """A script's text, right in form, with blanks, comments and line breaks wherever they may stand."""
    lines: list[str] = []
    for head, inner in draw(scripts):
        lines += draw(st.lists(st.sampled_from(["", "# c", "   # c"]), max_size=2))
        lines.append(written(draw, head, "", broken=broken and head[0] != "section"))
        indent = draw(st.sampled_from(["    ", " ", "\t", "  \t"]))
        for one in inner:
            lines += draw(st.lists(st.sampled_from(["", "#c", "     # c"]), max_size=1))
            lines.append(written(draw, one, indent, broken=broken))
    return draw(st.sampled_from(["", "\ufeff"])) + draw(st.sampled_from(["\n", "\r\n"])).join(lines)


@given(laid_out())
@settings(max_examples=150)
def test_formatting_keeps_the_tree_and_is_done_once(text: str) -> None:
    parsed = parse(text)
    assert parsed.problems == ()
    formatted = format_text(text)
    assert parse(formatted).script == parsed.script
    assert format_text(formatted) == formatted
    assert comments_of(formatted) == comments_of(text)


def comments_of(text: str) -> list[str]:
    return [line.comment for line in scan(text).lines if line.comment is not None]


@given(laid_out())
@settings(max_examples=60)
def test_the_text_of_a_line_does_not_depend_on_its_layout(text: str) -> None:
    formatted = format_text(text)
    assert canonical_lines(text) == canonical_lines(formatted)


def canonical_lines(text: str) -> list[str]:
    return [
        line.text
        for block in parse(text).script.statements
        if isinstance(block, SectionStatement)
        for line in block.lines
        if isinstance(line, LineStatement)
    ]


class Nesting(Indenter):
    NL_type = "_NL"
    OPEN_PAREN_types: list[str] = []  # noqa: RUF012  as Lark's own class has it
    CLOSE_PAREN_types: list[str] = []  # noqa: RUF012
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 8


class WholeFileLexer(lalr.StateLexer):
    """Gives the tokens of a whole text, and after each line its end with the indentation of the next."""

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        lines = [line for line in scan(lexer_state.text[0]).lines if line.tokens]
        following = [*(line.indent for line in lines[1:]), ""] if lines else []
        for text_line, indent in zip(lines, following, strict=True):
            for token in text_line.tokens:
                token.type = self.type_of(token, parser_state)
                yield token
            yield lark.Token("_NL", "\n" + indent)


WHOLE_FILE = lalr.parser(("script",), lexer=WholeFileLexer, postlex=Nesting())


@given(laid_out(broken=False))
@settings(max_examples=100)
def test_a_parse_of_the_whole_file_gives_the_same_tree(text: str) -> None:
    assert WHOLE_FILE.parse([text], start="script") == parse(text).script
