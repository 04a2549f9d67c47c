"""docs/ledger-format.md says what the code does, its examples are entries, and a stranger goes by it."""

from __future__ import annotations

import base64
import json
import random
import re
import sys
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from stemloom.ledger.entries.canonical import decode, encode
from stemloom.ledger.entries.entries import Entry
from stemloom.ledger.log.inclusion_receipt import check_receipt
from stemloom.ledger.log.log import Log
from stemloom.ledger.tlog import merkle

from . import stranger

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ledger-format.md").read_text("utf-8")
SCHEMA = json.loads((ROOT / "docs" / "ledger-entry.schema.json").read_text("utf-8"))
KINDS = [str(record.__struct_config__.tag) for record in get_args(Entry)]


@pytest.fixture(scope="module")
def writer() -> Any:
    sys.path.insert(0, str(ROOT / "docs"))
    import ledger_format

    return ledger_format


def test_the_page_and_the_schema_are_current(writer: Any) -> None:
    assert writer.page() == PAGE
    assert writer.schema() == (ROOT / "docs" / "ledger-entry.schema.json").read_text("utf-8")


def example(kind: str) -> bytes:
    section = PAGE.split(f"\n### `{kind}`\n")[1].split("\n### ")[0]
    (text,) = re.findall(r"```json\n(.*?)\n```", section, re.S)
    return str(text).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_example(kind: str) -> None:
    data = example(kind)
    entry = decode(data)
    assert entry.__struct_config__.tag == kind
    assert encode(entry) == data
    jsonschema.validate(json.loads(data), SCHEMA)
    assert stranger.written(json.loads(data)).encode() == data
    for name in set(entry.__struct_fields__) - {"v"}:
        assert f"| `{name}` |" in PAGE.split(f"\n### `{kind}`\n")[1].split("\n### ")[0]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "song"},
        {"v": 2},
        {"ms": -1},
        {"ms": 2**53},
        {"ms": 1.5},
        {"start": "2026-11-21 06:16:00"},
        {"session": "0123"},
        {"tier": "gold"},
        {"recovered": "luck"},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_no_entry(change: dict[str, Any]) -> None:
    wrong = {**json.loads(example("placement")), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_the_log_of_the_page_is_what_it_says() -> None:
    section = PAGE.split("## A log of three entries")[1]
    entries = [line.encode() for line in section.split("```json\n")[1].split("\n```")[0].split("\n")]
    leaves = [bytes.fromhex(each) for each in re.findall(r"^leaf \d +([0-9a-f]{64})$", section, re.M)]
    assert [merkle.leaf_hash(entry) for entry in entries] == leaves
    (root,) = re.findall(r"^root +([0-9a-f]{64})$", section, re.M)
    assert stranger.root_of(leaves).hex() == root
    vkey, checkpoint, receipt = re.findall(r"```text\n(.*?)\n```", section, re.S)[1:4]
    assert base64.b64encode(bytes.fromhex(root)).decode() in checkpoint
    assert check_receipt(receipt.encode() + b"\n", vkey).index == 1


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 700])
def test_a_stranger_verifies_our_logs(log: Log, home: Path, story: Any, size: int) -> None:
    log.append(story.whole(size))
    assert stranger.verify(home / "ledger" / "log", log.vkey) == size


def test_a_stranger_refuses_any_changed_byte(log: Log, home: Path, story: Any) -> None:
    log.append(story.whole(300))
    root, chance = home / "ledger" / "log", random.Random(1)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for place in sorted(chance.sample(range(len(data)), min(len(data), 12))):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(stranger.Bad):
                stranger.verify(root, log.vkey)
        path.write_bytes(data)
    assert stranger.verify(root, log.vkey) == 300


@pytest.mark.parametrize("case", ["gap", "sums", "twice", "consent"])
def test_a_stranger_finds_broken_rules(log: Log, home: Path, story: Any, case: str) -> None:
    """Signed and hashed rightly, and yet not as the rules want it."""
    entries = story.whole(20)
    match case:
        case "gap":
            del entries[10]
        case "sums":
            entries[-1] = story.session_entry("closed", 15, 14_999)
        case "twice":
            entries.insert(10, entries[9])
        case "consent":
            entries[10] = story.sounds(6, consent=1)
    log.append(entries)
    with pytest.raises(stranger.Bad, match="entry"):
        stranger.verify(home / "ledger" / "log", log.vkey)
