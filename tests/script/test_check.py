"""What a right script means: the piece that the engine composes from."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from stemloom.script.catalogue import MemoryCatalogue
from stemloom.script.check.check import accepted, check
from stemloom.script.piece import (
    Binary,
    Boundary,
    Bring,
    Clause,
    Dial,
    DialValue,
    Key,
    Length,
    LineWindow,
    Move,
    Number,
    Piece,
    Play,
    Pool,
    RandomValue,
    Rest,
    Span,
    Step,
    Unary,
    Vary,
)
from stemloom.script.problems import ScriptRejected

WHOLE = (Path(__file__).parent.parent / "scripts" / "right_whole.loom").read_text(encoding="utf-8")


def piece_of(body: str, head: str = 'piece "P" for stream\n') -> Piece:
    return accepted(head + body)


def pool_of(text: str) -> Pool:
    return piece_of(f"pool p = {text}\nsection s 8 bars\n").pools["p"]


def line_of(text: str) -> Bring | Play | Rest | Vary:
    body = f"pool p = loops\npool h = hits\ndial d 0..1 = 0.5 at next bar\nsection s 8 bars\n    {text}\n"
    return piece_of(body + "    bring other from p\n").sections[0].lines[0]


def test_the_head() -> None:
    piece = accepted(WHOLE)
    assert piece.name == "Harbour, Night"
    assert piece.uses == ("stream", "live", "export")
    assert piece.tempo_bpm == (Fraction(112), Fraction(116))
    assert piece.meter == (4, 4)
    assert piece.keys == (Key(2, "minor"), Key(5, "major"))
    assert (piece.loudness_lufs, piece.ceiling_dbtp) == (-14.0, -1.0)
    assert (piece.author, piece.version) == (None, None)
    assert piece.text == WHOLE
    assert piece.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()


def test_the_whole_head_said() -> None:
    piece = piece_of(
        'meter 7/8\nseed 7\nloudness -16.5 LUFS\nceiling -2 dBTP\nauthor "A. B"\nversion 1.5\nkey Bb minor\n'
        "tempo 90.5 bpm\nsection s 1 bar\n"
    )
    assert (piece.meter, piece.seed, piece.loudness_lufs, piece.ceiling_dbtp) == ((7, 8), 7, -16.5, -2.0)
    assert (piece.author, piece.version, piece.keys) == ("A. B", "1.5", (Key(10, "minor"),))
    assert piece.tempo_bpm == (Fraction(181, 2), Fraction(181, 2))


def test_what_holds_where_the_head_is_silent() -> None:
    piece = piece_of("section s 1 bar\n")
    assert (piece.tempo_bpm, piece.meter, piece.keys) == ((60, 180), (4, 4), ())
    assert 0 <= piece.seed < 2**53


def test_a_seed_that_is_not_said_derives_from_the_name_alone() -> None:
    whole = accepted(WHOLE)
    edited = accepted(WHOLE.replace("112..116", "112..117").replace("    bring", "  # why\n\n    bring  ", 1))
    assert edited.seed == whole.seed
    assert not whole.names_seed
    assert accepted(WHOLE.replace("Harbour", "Haven")).seed != whole.seed
    assert piece_of("seed 7\nsection s 1 bar\n").names_seed


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("loops", "fits"),
        ("loops role bass", "fits"),
        ("loops role beats or pads", "fits"),
        ("loops not role beats", "fits"),
        ("loops role beats", "any"),
        ("loops role fx or tops", "any"),
        ("hits", "any"),
        ("hits role bass", "any"),
        ("hits role fx, key fits", "fits"),
        ("loops role bass, key any", "any"),
        ("loops role bass, key Bb major or B# minor", (Key(10, "major"), Key(0, "minor"))),
    ],
)
def test_the_key_of_a_pool(text: str, key: object) -> None:
    assert pool_of(text).key == key


def test_the_clauses_of_a_pool() -> None:
    pool = pool_of(
        'loops role bass, mood warm or "very dark", not holder H, energy 0.2..80%, tempo 100..120 bpm, '
        "set one, not key Db minor, never twice in 16 bars, prefer fresh, max stretch 8%"
    )
    assert pool.clauses == (
        Clause("shape", ("loop", "sustained")),
        Clause("role", ("bass",)),
        Clause("mood", ("warm", "very dark")),
        Clause("holder", ("H",), True),
        Clause("energy", ((0.002, 0.8),)),
        Clause("tempo", ((100.0, 120.0),)),
        Clause("set", ("one",)),
        Clause("key", ("C# minor",), True),
    )
    assert (pool.key, pool.max_stretch, pool.never_twice_bars, pool.prefer_fresh) == ("fits", 0.08, 16, True)
    assert (pool.hits, pool.roles) == (False, ("bass",))
    plain = pool_of("hits")
    assert (plain.clauses, plain.max_stretch) == ((Clause("shape", ("hit",)),), 0.12)
    assert (plain.never_twice_bars, plain.prefer_fresh, plain.hits) == (None, False, True)


@pytest.mark.parametrize(
    ("text", "dial"),
    [
        ("0..1 = 0.5 now", Dial("d", 0, 1, 0.5, "now", Span(2, 1, 2, 22))),
        ("-12..12 dB = -3 at next beat", Dial("d", -12, 12, -3, "next beat", Span(2, 1, 2, 36))),
        ("0.2..2 kHz = 400 Hz at next bar", Dial("d", 200, 2000, 400, "next bar", Span(2, 1, 2, 39))),
        ("0%..100% = 50% at next section", Dial("d", 0, 1, 0.5, "next section", Span(2, 1, 2, 38))),
    ],
)
def test_dials(text: str, dial: Dial) -> None:
    assert piece_of(f"dial d {text}\nsection s 1 bar\n").dials == {"d": dial}


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("8 bars", (8,)),
        ("7 bars", (7,)),
        ("1 bar", (1,)),
        ("7..7 bars", (7,)),
        ("8..16 bars", (8, 12, 16)),
        ("4..4 bars", (4,)),
        ("5..12 bars", (8, 12)),
        ("3..6 bars", (4, 6)),
        ("1..5 bars", (2, 4)),
        ("2..2 bars", (2,)),
        ("9996..10000 bars", (9996, 10000)),
    ],
)
def test_section_lengths(text: str, lengths: tuple[int, ...]) -> None:
    assert piece_of(f"section s {text}\n").sections[0].lengths == lengths


def test_a_bring_with_all_that_it_can_say() -> None:
    line = line_of(
        "bring a from p at bar 3 beat 2.5 for 2 bars over 1.5 beats out over 250 ms "
        "gain -(d * 6 dB) pan -50% when d > random 20%..0.4 chance 30% one in 4"
    )
    assert isinstance(line, Bring)
    assert (line.part, line.pool) == ("a", "p")
    assert line.window == LineWindow(
        at_bar=3,
        at_beat=Fraction(5, 2),
        for_bars=2,
        when=Binary(">", DialValue("d"), RandomValue(0.2, 0.4)),
        chance=0.3,
        one_in=4,
    )
    assert (line.over, line.out_over) == (Length(Fraction(3, 2), "beats"), Length(Fraction(1, 4), "s"))
    assert line.gain == Unary("-", Binary("*", DialValue("d"), Number(6.0)))
    assert line.pan == Unary("-", Number(0.5))
    assert line.text.startswith(
        "bring a from p at bar 3 beat 2.5 for 2 bars over 1.5 beats out over 250 ms gain -(d"
    )
    assert line.span == Span(6, 5, 6, 150)


def test_a_plain_bring() -> None:
    line = line_of("bring a from p")
    assert isinstance(line, Bring)
    assert (line.window, line.over, line.out_over) == (LineWindow(), None, None)
    assert (line.gain, line.pan) == (Number(0.0), Number(0.0))


def test_a_pattern() -> None:
    line = line_of('play a from h "x.X 5" gain 2 dB')
    assert isinstance(line, Play)
    assert line.steps == (Step(1.0, False), Step(0.0, False), Step(1.0, True), Step(0.5, False))
    assert line.gain == Number(2.0)


def test_rest_and_vary() -> None:
    rest = line_of("rest other at bar 5 when d < 0.5")
    assert isinstance(rest, Rest)
    assert (rest.part, rest.window.at_bar) == ("other", 5)
    vary = line_of("vary other every 4 bars chance 50%")
    assert isinstance(vary, Vary)
    assert (vary.part, vary.every_bars, vary.window.chance) == ("other", 4, 0.5)


def test_moves() -> None:
    piece = piece_of(
        "dial d 0..1 = 0.5 at next bar\nsection a 8 bars\nsection b 8 bars\n"
        "move a -> b\nmove any -> silence at next bar when d > 0.5\nmove b -> a at end weight 2.5\n"
    )
    when = Binary(">", DialValue("d"), Number(0.5))
    assert [(m.origin, m.target, m.weight, m.at, m.when) for m in piece.moves] == [
        ("a", "b", 1.0, Boundary("end"), None),
        (None, None, 1.0, Boundary("bars", 1), when),
        ("b", "a", 2.5, Boundary("end"), None),
    ]
    assert isinstance(piece.moves[0], Move)
    assert piece.moves[1].text == "move any -> silence at next bar when d > 0.5"


@pytest.mark.parametrize(
    ("moves", "unreached"),
    [
        ("", []),
        ("move a -> c at end\n", ["b"]),
        ("move a -> c at end when d > 0.5\n", []),
        ("move a -> c at end when 1 > 0\n", ["b"]),
        ("move a -> c at next bar\n", []),
        ("move a -> silence\n", ["b", "c"]),
        ("move any -> a at end\n", ["b", "c"]),
        ("move any -> a at end\nmove a -> c when d > 0.5\n", ["b"]),
        ("move a -> a weight 3\nmove a -> b\n", []),
        ("move b -> c\nmove a -> silence\n", ["b", "c"]),
    ],
)
def test_sections_that_nothing_leads_to(moves: str, unreached: list[str]) -> None:
    body = "dial d 0..1 = 0.5 at next bar\nsection a 8 bars\nsection b 8 bars\nsection c 8 bars\n"
    found = [p for p in check('piece "P" for stream\n' + body + moves).problems if p.code == "W002"]
    assert [p.message for p in found] == [f"nothing leads to section {name}" for name in unreached]


STEM = {"shape": "loop", "role": "bass", "mood": ["warm"], "energy": 0.4, "holder": "Ann", "uses": ["stream"]}
VAULT = MemoryCatalogue(
    [STEM, {**STEM, "energy": 0.6}, {**STEM, "role": "pads", "key": "D minor"}, {**STEM, "role": "harp"}]
)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ("loops role bass", None),
        ("loops role bass, energy 0.5..0.9", None),
        ("loops role harp", None),
        ("loops role beats", "the vault has no beats loops"),
        ("hits", "the vault has no hits"),
        ("loops role bass, mood dark", "2 bass loops match, none with mood dark"),
        ("loops role bass, mood warm, not mood warm", "2 bass loops match, none with not mood warm"),
        (
            "loops role bass or pads, energy 0.5..1, key F major",
            "1 bass or pads loop matches, but not key F major",
        ),
        ("loops role pads, energy 0.9..1", "1 pads loop matches, but not energy 0.9..1"),
        ("loops holder Ann", None),
    ],
)
def test_what_empties_a_pool(pool: str, said: str | None) -> None:
    text = f'piece "P" for stream\npool p = {pool}\nsection s 8 bars\n'
    checked = check(text, VAULT)
    assert checked.ok, "an empty pool is a doubt, not a mistake"
    assert [(p.code, p.message) for p in checked.problems] == (
        [("W003", f"pool p is empty: {said}")] if said else []
    )


def test_pools_that_nothing_in_is_cleared_for() -> None:
    pools = "pool low = loops role bass\npool h = loops role pads\n"
    text = f'piece "P" for stream, live, export\n{pools}section s 1 bar\n'
    assert [p.message for p in check(text, VAULT).problems] == [
        "pool low is empty: 2 bass loops match, none is cleared for live or export",
        "pool h is empty: 1 pads loop matches, but is not cleared for live or export",
    ]
    assert check(text, VAULT, use="stream").problems == ()
    assert len(check(text, VAULT, use="export").problems) == 2


def test_holders_and_roles_are_known_from_the_catalogue() -> None:
    text = 'piece "P" for stream\npool p = loops holder Anm\npool q = loops role harpp\nsection s 8 bars\n'
    found = [(p.code, p.message, p.hint) for p in check(text, VAULT).problems if p.code != "W003"]
    assert found == [
        ("W005", 'unknown holder "Anm"', 'did you mean "Ann"?'),
        ("W001", 'unknown role "harpp"', 'did you mean "harp"?'),
    ]


SUNG = MemoryCatalogue(
    [
        {"shape": "song", "role": "voice", "song": "Low Water", "beats": 280, "uses": ["stream"]},
        {"shape": "loop", "role": "voice", "uses": ["stream"]},
    ]
)


@pytest.mark.parametrize(
    ("song", "start", "said"),
    [
        ("Low Water", 70, []),
        ("low water", 1, []),
        ("Low Water", 71, [("W055", 'bar 71 is past the end of "Low Water", which has 70 bars')]),
        (
            "Low Watre",
            71,
            [
                ("W003", "pool sung is empty: 1 voice song stem matches, but not song Low Watre"),
                ("W054", 'unknown song "Low Watre"'),
            ],
        ),
    ],
)
def test_songs_are_known_from_the_catalogue(song: str, start: int, said: list[tuple[str, str]]) -> None:
    text = (
        f'piece "P" for stream\npool sung = loops song "{song}", role voice\n'
        f"section s 8 bars starting at bar {start} of song\n    bring voice from sung\n"
    )
    assert [(p.code, p.message) for p in check(text, SUNG).problems] == said


def test_a_song_is_brought_by_pools_that_name_it() -> None:
    (pool,) = piece_of('pool sung = loops song "Low Water", role voice\nsection s 1 bar\n').pools.values()
    assert (pool.song, pool.key) == ("Low Water", "any")
    assert SUNG.count(pool.clauses) == 1
    assert SUNG.count(pool_of("loops role voice").clauses) == 1


def test_a_refused_script_has_no_piece() -> None:
    with pytest.raises(ScriptRejected, match="E022"):
        accepted('piece "P" for stream\n')
