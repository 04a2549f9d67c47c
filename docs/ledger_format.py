"""Writes docs/ledger-format.md and docs/ledger-entry.schema.json. `python docs/ledger_format.py`.

The page is for whoever writes a verifier in another language. What can be made from the code is made from it:
the fields of each kind of entry, an example of each in its exact bytes, and a small log with its hashes.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import msgspec

from stemloom.ledger.clock import FixedClock
from stemloom.ledger.entries import entries, signing
from stemloom.ledger.entries.canonical import digest, encode
from stemloom.ledger.entries.entries import Entry
from stemloom.ledger.log.log import Log
from stemloom.ledger.places import Places
from stemloom.ledger.tlog import merkle
from stemloom.ledger.tlog.keys import PrivateKey

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "ledger-format.md"
SCHEMA = ROOT / "docs" / "ledger-entry.schema.json"
BASE = ROOT / "docs" / "ledger-format.in.md"
TIME = "2026-11-21T06:16:00.250Z"
LATER = "2026-11-21T06:17:00.000Z"
SALT = "00112233445566778899aabbccddeeff"
ORIGIN = "stemloom/00000000000000000000"
KEY, NEXT_KEY = PrivateKey.from_seed(bytes([1]) * 32), PrivateKey.from_seed(bytes([2]) * 32)
HOLDER, PUBLIC = signing.holder_id(KEY.public), base64.b64encode(KEY.public).decode()
WHOLE = (entries.Share(holder=HOLDER, ppm=entries.WHOLE_PPM),)
PCM = "5d" * 32
STEM, SESSION = f"s{PCM[:20]}", "x0123456789abcdef0123"

TYPES = {
    "Count": "integer, 0 to 2^53 - 1",
    "Positive": "integer, 1 to 2^53 - 1",
    "Ppm": "integer, 0 to 1 000 000",
    "Time": "time",
    "_OftenTime": "time",
    "Digest": "SHA-256, 64 lower-case hex digits",
    "Id": "id",
    "_OftenId": "id",
    "Meter": 'beats of a bar and note value of a beat, such as "3/4"',
    "Word": "text of 1 to 200 characters",
    "Use": '"stream", "live", "export" or "sync"',
    "Extent": '"chop", "pitch" or "stretch"',
    "Tier": '"free", "subscriber", "developer" or "enterprise"',
    "Currency": "ISO 4217 code, three capitals",
    "Source": '"subscription", "enterprise", "export" or "sync"',
    "Recovered": '"crash" or "power loss"',
    "GapReason": '"disk full", "disk failed", "overflow" or "damaged journal"',
    "str": "text",
    "int": "integer",
}


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")


def schema() -> str:
    """The JSON schema of an entry."""
    made = msgspec.json.schema(Entry)
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An entry of a Stemloom ledger",
        "description": "Its one byte form is in docs/ledger-format.md: this says what it may hold.",
        **made,
    }
    return json.dumps(made, indent=1, ensure_ascii=False).replace("\\\\Z", "$") + "\n"


def page() -> str:
    """The page: the text of ledger-format.in.md with what is made in its places."""
    text = BASE.read_text(encoding="utf-8")
    for name, made in (("KINDS", _kinds()), ("EXAMPLE", _example())):
        assert text.count(f"<!-- {name} -->") == 1, name
        text = text.replace(f"<!-- {name} -->", made)
    return text


# Each kind.


def _kinds() -> str:
    documented = _documented()
    examples = {str(each.__struct_config__.tag): encode(each) for each in story()}
    sections = []
    for record in get_args(Entry):
        kind = str(record.__struct_config__.tag)
        rows = ["| field | what it may be | what it says |", "|---|---|---|"]
        rows += [f"| `{name}` | {type} | {said} |" for name, type, said in documented[record.__name__]]
        doc = " ".join(inspect.cleandoc(record.__doc__ or "").split())
        sections.append(
            f"### `{kind}`\n\n{doc}\n\n" + "\n".join(rows) + f"\n\n```json\n{examples[kind].decode()}\n```\n"
        )
    nested = ["### Records within entries\n"]
    for name in ("Share", "Approval", "LastUse", "SettledStem", "SettledHolder"):
        fields = ", ".join(f"`{field}` ({type})" for field, type, _ in documented[name])
        nested.append(f"- **{name}**: {fields}")
    return "\n".join(sections) + "\n" + "\n".join(nested) + "\n"


def _documented() -> dict[str, list[tuple[str, str, str]]]:
    """By record, its fields in order: name, what it may be, and the text below it in the source."""
    tree = ast.parse(Path(entries.__file__).read_text(encoding="utf-8"))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        fields = []
        for place, item in enumerate(node.body):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                after = node.body[place + 1] if place + 1 < len(node.body) else None
                said = ""
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    said = " ".join(str(after.value.value).split())
                fields.append((item.target.id, _type(item.annotation), said))
        found[node.name] = fields
    return found


def _type(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return TYPES.get(name, f"`{name}`")
        case ast.BinOp(left=left, right=ast.Constant(value=None)):
            return f"{_type(left)}, or null"
        case ast.BinOp(left=left, right=ast.Name(id="UnsetType")):
            return f"{_type(left)}; may be left out"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inner, ast.Constant()])):
            return f"list of: {_type(inner)}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=inner)):
            return "[" + ", ".join(map(_type, inner)) + "]"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=values)):
            return " or ".join(json.dumps(ast.literal_eval(value)) for value in values)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *meta])):
            return f"{_type(inner)}, {_meta(meta)}"
    raise ValueError(ast.dump(node))


def _meta(nodes: list[ast.expr]) -> str:
    words = {word.arg: ast.unparse(word.value) for node in nodes for word in getattr(node, "keywords", [])}
    if "min_length" in words:
        same = words["min_length"] == words["max_length"]
        return f"{words['max_length']} characters" if same else f"at most {words['max_length']} characters"
    low, high = words["ge"].replace("**", "^"), words["le"].replace("**", "^")
    return f"{low} to {high}".replace("(", "").replace(")", "")


# A story with one entry of each kind.


def story() -> list[Any]:
    """One entry of each kind, in an order that a log may have."""
    return [*_holder(), *_stem(), *_consent(), *_session(), *_money()]


def _signed(entry: Any, **by: PrivateKey) -> Any:
    for slot, key in by.items():
        signature = signing.signature_of(key, entry, ORIGIN)
        entry = signing.with_signature(entry, slot, HOLDER, signature)  # type: ignore[arg-type]
    return entry


def _holder() -> list[Any]:
    return [
        _signed(
            entries.Holder(
                time=TIME,
                holder=HOLDER,
                name=signing.commitment("Ada", SALT),
                public_key=PUBLIC,
                custody="operator",
                proof=signing.UNSIGNED,
            ),
            proof=KEY,
        ),
        _signed(
            entries.Key(
                time=TIME,
                holder=HOLDER,
                public_key=base64.b64encode(NEXT_KEY.public).decode(),
                custody="self",
                replaced=PUBLIC,
                signature=signing.UNSIGNED,
                proof=signing.UNSIGNED,
            ),
            signature=KEY,
            proof=NEXT_KEY,
        ),
    ]


def _stem() -> list[Any]:
    return [
        entries.Stem(
            time=TIME,
            stem=STEM,
            holder=HOLDER,
            pcm_sha256=PCM,
            file_sha256="ab" * 32,
            title='Käse & "quotes"',
            role="pads",
            shape="loop",
            bpm_milli=120_000,
            beats=16,
            key="A# minor",
            mood=("night", "warm"),
            energy_milli=300,
            set=None,
            isrc=None,
            master=WHOLE,
            publishing=WHOLE,
        ),
        _signed(
            entries.Declaration(
                time=TIME,
                stem=STEM,
                holder=HOLDER,
                title="Käse",
                role="harmony",
                shape="loop",
                bpm_milli=60_000,
                beats=8,
                key="A# minor",
                mood=("warm",),
                isrc="QZABC2600001",
                previous=2,
                signature=signing.UNSIGNED,
            ),
            signature=NEXT_KEY,
        ),
        entries.Removal(time=LATER, stem=STEM, file_sha256="ab" * 32),
        _signed(
            entries.Splits(
                time=TIME,
                stem=STEM,
                holder=HOLDER,
                master=WHOLE,
                publishing=WHOLE,
                signature=signing.UNSIGNED,
            ),
            signature=NEXT_KEY,
        ),
    ]


def _consent() -> list[Any]:
    states: dict[str, Any] = {
        "time": TIME,
        "origin": ORIGIN,
        "holder": HOLDER,
        "action": "grant",
        "until": None,
        "previous": None,
        "signature": signing.UNSIGNED,
    }
    return [
        _signed(
            entries.Consent(stem=STEM, uses=("export", "stream"), allows=("chop", "stretch"), **states),
            signature=NEXT_KEY,
        ),
        entries.Receipt(
            time=LATER,
            withdrawal=9,
            stem=STEM,
            sessions=(entries.LastUse(session=SESSION, until=LATER),),
            open=(),
        ),
        _signed(entries.Standing(uses=("stream",), **states), signature=NEXT_KEY),
    ]


def _session() -> list[Any]:
    common: dict[str, Any] = {"use": "stream", "tier": "subscriber"}
    run: dict[str, Any] = {
        **common,
        "time": TIME,
        "session": SESSION,
        "user": signing.commitment("listener 7", SALT),
        "script": "ef" * 32,
        "seed": 7,
        "vault": "01" * 32,
        "engine": "0.1.0",
        "licence": None,
    }
    return [
        entries.Session(**run, state="opened", take=None, placements=None, ms=None),
        entries.Placement(
            **common,
            session=SESSION,
            seq=0,
            stem=STEM,
            role="pads",
            part="pads",
            section="verse",
            line=12,
            start_frame=96_000,
            frames=383_520,
            rate=48_000,
            start=LATER,
            ms=7990,
            consent=5,
        ),
        entries.Gap(time=LATER, session=SESSION, placements=3, reason="disk full"),
    ]


def _money() -> list[Any]:
    return [
        entries.Terms(
            time=TIME,
            effective=TIME,
            pool_ppm=(("subscription", 700_000), ("sync", 800_000)),
            master_ppm=500_000,
            threshold=5_000_000,
        ),
        entries.Income(
            time=TIME,
            source="subscription",
            currency="EUR",
            amount=1_000_000_000,
            period="2026-11",
            reference="no 1",
        ),
        entries.Settlement(
            time=LATER,
            period="2026-11",
            currency="EUR",
            first=0,
            last=12,
            root="77" * 32,
            gross=1_000_000_000,
            pool=700_000_000,
            total_ms=7990,
            unallocated=0,
            stems=digest([entries.SettledStem(stem=STEM, ms=7990, amount=700_000_000)]),
            holders=digest(
                [entries.SettledHolder(holder=HOLDER, master=350_000_000, publishing=350_000_000)]
            ),
        ),
        entries.Payout(time=LATER, holder=HOLDER, currency="EUR", amount=700_000_000, reference="bank 17"),
        entries.Correction(time=LATER, corrects=12, amount=-1_000_000, reason="a refund"),
    ]


# A small log, in its exact bytes.


def _example() -> str:
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder) / "home")
        PrivateKey.from_seed(bytes(32)).save(places.key)
        log = Log.open(places.home, create=True, clock=FixedClock(TIME))
        made = [
            entries.Income(
                time=TIME, source="sync", currency="EUR", amount=n, period="2026", reference=f"no {n}"
            )
            for n in (1, 2, 3)
        ]
        log.append(made)
        vkey, checkpoint, receipt = log.vkey, log.checkpoint().decode(), log.prove(1).decode()
        bundle = (places.log / "tile/entries/000.p/3").read_bytes()
        tile = (places.log / "tile/0/000.p/3").read_bytes()
    data = [encode(each) for each in made]
    leaves = merkle.leaf_hashes(data)
    left = merkle.node_hash(leaves[0], leaves[1])
    root = merkle.node_hash(left, leaves[2])
    lines = ["Three entries, each a line here:", "", "```json", *(each.decode() for each in data), "```", ""]
    lines += ["```text"]
    lines += [f"leaf {n}     {leaf.hex()}" for n, leaf in enumerate(leaves)]
    lines += [f"node 0-1   {left.hex()}", f"root       {root.hex()}", "```", ""]
    lines += [
        f"`log/tile/0/000.p/3` holds the three leaf hashes ({len(tile)} bytes), `log/tile/entries/000.p/3` "
        f"({len(bundle)} bytes) begins with `{bundle[:2].hex()}`, the length {int.from_bytes(bundle[:2])} "
        "of the first entry.",
        "",
        "The verifier key, the checkpoint, and a receipt for entry 1:",
        "",
        "```text",
        vkey,
        "```",
        "",
        "```text",
        checkpoint.rstrip("\n"),
        "```",
        "",
        "```text",
        receipt.rstrip("\n"),
        "```",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
