"""The Pygments lexer: its pieces are the language's own, joined they are the text, and no text stops it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Token

from benchmarks.harness import calls
from stemloom.script.text import lalr
from stemloom.script.text.lexer import LoomLexer
from stemloom.script.text.parse import parse, reading
from stemloom.script.text.tokens import scan
from stemloom.script.words import FORMS, LINE_WORDS, RESERVED, UNITS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "tests" / "scripts").glob("*.loom"))
RIGHT = [*(path for path in SCRIPTS if path.stem.startswith("right_")), ROOT / "examples/harbour_night.loom"]
EVERY_WORD = sorted({word for word in lalr.words_of_grammar().values() if word.isalpha()})

RARE = """if withdrawn: stop
loudness off
loudness -14 LUFS ride
section s 8 bars
    bring a from b lowpass 1 kHz -> 2 kHz over 4 bars linear highpass 1 kHz -> 2 kHz over 4 bars exponential
"""
"""Words that none of the right scripts has."""

SHORT = {
    Comment.Single: "comment",
    Error: "error",
    Keyword: "key",
    Keyword.Declaration: "first",
    Keyword.Type: "unit",
    Name: "name",
    Number.Float: "float",
    Number.Integer: "int",
    Operator: "op",
    Operator.Word: "join",
    Punctuation: "mark",
    String.Delimiter: "quote",
    String.Double: "text",
    String.Escape: "accent",
    String.Symbol: "hit",
    Token.Text.Whitespace: "blank",
}


def pieces(text: str) -> list[tuple[int, object, str]]:
    return list(LoomLexer().get_tokens_unprocessed(text))


def lexed(text: str) -> str:
    """What stands in `text`, without its blanks: `first:piece text:"P"`."""
    return " ".join(f"{SHORT[kind]}:{found}" for _, kind, found in pieces(text) if SHORT[kind] != "blank")


def text_of(path: Path) -> str:
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('piece "P" for stream # go', 'first:piece text:"P" key:for name:stream comment:# go'),
        ("meter 4/4", "first:meter int:4 op:/ int:4"),
        ("key D minor or F# major", "first:key name:D key:minor join:or name:F# key:major"),
        (
            "chords F#m7, none, F/A each 2 bars",
            "first:chords name:F#m7 mark:, name:none mark:, name:F op:/ name:A key:each int:2 unit:bars",
        ),
        ("loudness -14 LUFS", "first:loudness op:- int:14 unit:LUFS"),
        (
            "pool key = loops role role, not mood loops, energy 0.5..1",
            "first:pool name:key op:= key:loops key:role name:role mark:, join:not key:mood name:loops "
            "mark:, key:energy float:0.5 op:.. int:1",
        ),
        (
            "dial bars 0..1 = 0.5 at next bar",
            "first:dial name:bars int:0 op:.. int:1 op:= float:0.5 key:at key:next unit:bar",
        ),
        (
            "bus reverb = reverb 2.4 s mix 30%",
            "first:bus name:reverb op:= key:reverb float:2.4 unit:s key:mix int:30 unit:%",
        ),
        ("section section 8 bars", "first:section name:section int:8 unit:bars"),
        (
            "section s 8 bars\n  rest rest at bar 2 beat 3 when (beat + 1) > bar",
            "first:section name:s int:8 unit:bars "
            "first:rest name:rest key:at key:bar int:2 key:beat int:3 key:when "
            "mark:( name:beat op:+ int:1 mark:) op:> name:bar",
        ),
        ("move any -> silence at end", "first:move key:any op:-> key:silence key:at key:end"),
        ("move end -> any", "first:move name:end op:-> key:any"),
        (
            "sting s from p at next 2 beat",
            "first:sting name:s key:from name:p key:at key:next int:2 unit:beat",
        ),
        (
            'on cue "x": swap that role',
            'first:on key:cue text:"x" mark:: key:swap key:that key:role',
        ),
    ],
)
def test_a_word_is_what_it_is_where_it_stands(text: str, said: str) -> None:
    assert lexed(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("play play from x", "first:play name:play key:from name:x"),
        ("    bring a from b\n    hold pads", "first:bring name:a key:from name:b first:hold name:pads"),
        ("rest a\nseed 7", "first:rest name:a first:seed int:7"),
        ("section s 8 bars\n    seed 7", "first:section name:s int:8 unit:bars first:seed int:7"),
        ("\trest a", "first:rest name:a"),
    ],
)
def test_a_piece_of_a_script_is_read_as_in_its_place(text: str, said: str) -> None:
    assert lexed(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Up to the mistake the parser says what a word is; after it, the word lists do.
        (
            "bring drop form drop over 4 bars gain bars",
            "first:bring name:drop name:form key:drop key:over int:4 unit:bars key:gain name:bars",
        ),
        ("seed loops", "first:seed key:loops"),
        ("bring a at bar 4 bars", "first:bring name:a key:at key:bar int:4 unit:bars"),
        ("oh no and 3 dB dB", "name:oh name:no join:and int:3 unit:dB name:dB"),
        ("move a → b at end", "first:move name:a error:→ name:b key:at key:end"),
        ('“piece "P"', 'error:“ key:piece text:"P"'),
        ('piece "P for stream', 'first:piece error:"P for stream'),
        ("seed " + "1" * 5_000, "first:seed int:" + "1" * 5_000),
        ("tempo .5 bpm", "first:tempo error:. int:5 unit:bpm"),
    ],
)
def test_a_broken_statement_is_coloured_as_well_as_can_be(text: str, said: str) -> None:
    assert lexed(text) == said


@pytest.mark.parametrize(
    "line", ["play h from p {}", "section s 1 bar\n  play h from p {}", "play play {} over"]
)
def test_the_steps_of_a_pattern(line: str) -> None:
    assert ' quote:" hit:xo accent:X mark:. int:59 hit:x error:z! mark:. quote:"' in lexed(
        line.format('"xoX. 59 xz!."')
    )


def test_only_a_played_text_is_a_pattern() -> None:
    assert lexed('move a -> b on cue "x.X."').endswith('text:"x.X."')
    assert lexed('play a from b "x" notes "1 5" gain 1 dB').endswith(
        'key:notes text:"1 5" key:gain int:1 unit:dB'
    )


@pytest.mark.parametrize("word", EVERY_WORD)
def test_a_word_of_the_grammar_is_a_keyword_where_it_stands_for_one(word: str) -> None:
    kinds = {
        kind for text in (*map(text_of, RIGHT), RARE) for _, kind, found in pieces(text) if found == word
    }
    assert kinds & {Keyword, Keyword.Declaration, Operator.Word}
    # And anywhere in a statement that makes no sense.
    assert pieces(f"oh {word}")[-1][1] in (Keyword, Operator.Word)


@pytest.mark.parametrize("word", sorted({*EVERY_WORD, *UNITS} - RESERVED - {"%"}))
def test_a_free_word_is_a_name_where_it_names_something(word: str) -> None:
    text = (
        f"pool {word} = loops role {word}\nsection {word} 8 bars\n    bring {word} from {word} to {word} 30% "
        f"gain {word}\nmove {word} -> {word} when {word} > 1\non 1 < {word}: set {word} to {word} + 1\n"
    )
    assert parse(text).problems == ()
    assert lexed(text).split().count(f"name:{word}") == 13


def test_the_first_word_of_each_statement_is_known() -> None:
    for word, example in FORMS.items():
        text = f"section s 8 bars\n    {example}" if word in LINE_WORDS else example
        assert f"first:{word} " in lexed(text)
        assert lexed(example).startswith(f"first:{word} "), "without its section as well"


@pytest.fixture
def grammar_with_a_new_word(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The grammar with lines that begin with `mute`."""
    grown = lalr.grammar().replace("| solo | drop", "| solo | drop | mute") + '\nmute: "mute" name\n'
    monkeypatch.setattr(lalr, "grammar", lambda: grown)
    lalr._statements.cache_clear()
    lalr.words_of_grammar.cache_clear()
    yield
    lalr._statements.cache_clear()
    lalr.words_of_grammar.cache_clear()


def test_a_word_that_the_grammar_does_not_have_is_a_name() -> None:
    assert (
        lexed("section s 8 bars\n    mute mute") == "first:section name:s int:8 unit:bars name:mute name:mute"
    )


@pytest.mark.usefixtures("grammar_with_a_new_word")
def test_a_word_that_is_added_to_the_grammar_is_a_keyword_at_once() -> None:
    assert (
        lexed("section s 8 bars\n    mute mute")
        == "first:section name:s int:8 unit:bars first:mute name:mute"
    )
    assert lexed("oh mute") == "name:oh key:mute"


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_right_script_has_the_types_that_the_parser_gives(path: Path) -> None:
    text = text_of(path)
    given = {at: kind for at, kind, _ in pieces(text)}
    names = lalr.words_of_grammar()
    for logical in reading(text).logical_lines:
        for token in logical.tokens:
            kind = given[token.start_pos]
            if token.kind == "word":
                expected = {"NAME": (Name,), "UNIT": (Keyword.Type,)}.get(token.type)
                assert kind in (expected or (Keyword, Keyword.Declaration, Operator.Word))
                assert expected or names[token.type] == token.text
    assert Error not in given.values()


def lossless(text: str) -> None:
    """The pieces follow one another without a gap; the tokens and comments of the language are among them."""
    found = pieces(text)
    at = 0
    for start, kind, piece in found:
        assert start == at
        assert piece
        assert kind in SHORT
        at += len(piece)
    assert at == len(text)
    assert "".join(piece for _, _, piece in found) == text
    lines = scan(text).lines
    assert [piece for _, kind, piece in found if kind is Comment.Single] == [
        line.comment for line in lines if line.comment is not None
    ]
    edges = {start for start, _, _ in found} | {len(text)}
    tokens = [token for line in lines for token in line.tokens]
    assert {edge for token in tokens for edge in (token.start_pos, token.end_pos)} <= edges
    assert all(piece.isspace() or piece == "\ufeff" for piece in _blanks(found))


def _blanks(found: list[tuple[int, object, str]]) -> list[str]:
    return [piece.strip("\ufeff") or "\ufeff" for _, kind, piece in found if SHORT[kind] == "blank"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_lossless(path: Path) -> None:
    lossless(text_of(path))


@given(st.text(st.characters(exclude_categories=()), max_size=80))
@settings(max_examples=300)
def test_any_text_is_lossless(text: str) -> None:
    lossless(text)


@given(
    st.lists(st.sampled_from([*EVERY_WORD, *'"#():,%.xX5', "\n", "\n  ", " ", "\r\n", "\ufeff", "é", "7"]))
)
@settings(max_examples=300)
def test_words_and_signs_in_any_order_are_lossless(words: list[str]) -> None:
    lossless("".join(words))
    lossless(" ".join(words))
    lossless('section s 8 bars\n  play a from b "x" ' + " ".join(words))


@given(st.text('ab #\n\r\t"\ufeff.x1', max_size=40))
def test_what_pygments_puts_before_a_lexer_changes_no_more_than_it_says(text: str) -> None:
    """Its default is to drop blank lines at both ends and to end with one; line ends become LF."""
    lexer = LoomLexer(stripnl=False, ensurenl=False)
    given = "".join(piece for _, piece in lexer.get_tokens(text))
    assert given == re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))


def noise(length: int) -> str:
    """`length` characters that look like nothing, the same each time."""
    value = 1
    made = []
    letters = '\n\n  ab19.."#(xX,%=>-é→\r\x00“\t'
    for _ in range(length):
        value = (value * 1_103_515_245 + 12_345) % 2**31
        made.append(letters[(value >> 16) % len(letters)])
    return "".join(made)


@pytest.mark.slow
def test_256_kib_of_noise() -> None:
    text = noise(256 * 1024)
    assert {"\r", "\0", "“"} <= set(text)
    lossless(text)


@pytest.mark.parametrize(
    "again",
    [
        "    bring a from b when e > 0.3\n",
        "    bring a form b wen e > 0.3\n",
        "(",
        "- ",
        "if 2 beat + ",
        '"',
        "# ",
        "seed seed\n",
        "x\n y\n",
        '"xx.X z5.9" ',
        "\r",
        " ",
    ],
)
def test_the_work_grows_with_the_text(again: str) -> None:
    def work(count: int) -> int:
        text = f"section s 8 bars\n    rest a when ({again * count}"
        return calls(lambda: pieces(text))

    work(10)
    assert work(1_600) < 4.5 * work(400)


def test_a_statement_is_read_no_further_than_it_may_go() -> None:
    """The parser's own step on a word with two meanings grows with the depth of what stands before it."""
    words = [kind for _, kind, found in pieces("rest a when " + "bar + " * 20_000) if found == "bar"]
    assert words.index(Keyword) == 249
    assert set(words[:249]) == {Name}
    assert set(words[249:]) == {Keyword}


@pytest.mark.parametrize(
    "find", [lambda: get_lexer_by_name("loom"), lambda: get_lexer_for_filename("a.loom")]
)
def test_pygments_finds_it(find: object) -> None:
    assert callable(find)
    assert isinstance(find(), LoomLexer)


def test_a_program_of_pygments_uses_it() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "pygments", "-l", "loom", "-f", "html"],
        input="rest beats # now\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert '<span class="kd">rest</span>' in made.stdout
    assert '<span class="n">beats</span>' in made.stdout
    assert '<span class="c1"># now</span>' in made.stdout
