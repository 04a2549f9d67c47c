"""A holder's word on recordings that come in: one signature over a list of them, and each carries its place.

The list is a Merkle tree (RFC 6962, section 2.1). Its leaves are stem entries as they will stand in the log,
but for `time`, which is not known yet, and `signed`. The holder signs the root, so that each stem can be
checked alone.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import UNSET

from ..errors import BadStatement
from ..tlog import keys, merkle
from ..tlog.keys import PrivateKey
from ..tlog.note import decode_base64
from .canonical import dumps
from .entries import Signed, Stem

FIRST_LINE = "stemloom recordings v1"


_holds = lru_cache(1 << 12)(keys.verify)
"""Of a list each stem has the same signature."""


def statement_of(stem: Stem) -> bytes:
    """What a holder says of a recording: its entry in canonical JSON, without kind, v, time and `signed`."""
    said = {name: getattr(stem, name) for name in stem.__struct_fields__}
    return dumps(
        {name: value for name, value in said.items() if name not in _LEFT_OUT and value is not UNSET}
    )


_LEFT_OUT = {"v", "time", "signed"}


def list_message(origin: str, holder: str, count: int, root: str, time: str, expires: str) -> bytes:
    """The bytes that are signed for a list of recordings. `root`: in hex."""
    said = {
        "origin": origin,
        "holder": holder,
        "count": count,
        "root": root,
        "time": time,
        "expires": expires,
    }
    return f"{FIRST_LINE}\n".encode() + dumps(said)


def message_of_stem(stem: Stem, origin: str) -> bytes:
    """The signed bytes of the list of which a stem says to be. The stem has `signed`."""
    word = stem.signed
    assert not isinstance(word, msgspec.UnsetType)
    return list_message(origin, stem.holder, word.count, word.root, word.time, word.expires)


def root_of(stems: Sequence[Stem]) -> str:
    """The root of a list of recordings, in hex."""
    return merkle.root_from_leaves(merkle.leaf_hashes(map(statement_of, stems))).hex()


def with_word(stems: Sequence[Stem], time: str, expires: str, signature: str) -> list[Stem]:
    """The stems of a list with the signature over its root, each with its place and its path."""
    leaves = merkle.leaf_hashes(map(statement_of, stems))
    root = merkle.root_from_leaves(leaves).hex()

    def read(level: int, place: int) -> bytes:
        return merkle.root_from_leaves(leaves[place << level : (place + 1) << level])

    made = []
    for index, stem in enumerate(stems):
        path = tuple(each.hex() for each in merkle.inclusion_proof(read, index, len(stems)))
        word = Signed(
            time=time,
            expires=expires,
            count=len(stems),
            index=index,
            root=root,
            path=path,
            signature=signature,
        )
        made.append(msgspec.structs.replace(stem, signed=word))
    return made


def signed_by(stems: Sequence[Stem], key: PrivateKey, origin: str, time: str, expires: str) -> list[Stem]:
    """The stems of one holder as a list that is signed with their key."""
    message = list_message(origin, stems[0].holder, len(stems), root_of(stems), time, expires)
    return with_word(stems, time, expires, base64.b64encode(key.sign(message)).decode())


def check_stem(stem: Stem, origin: str, public: bytes) -> None:
    """Raise BadStatement unless a stem is in the list that its holder signed with the key of `public`."""
    word = stem.signed
    assert not isinstance(word, msgspec.UnsetType)
    path, root = [bytes.fromhex(each) for each in word.path], bytes.fromhex(word.root)
    leaf = merkle.leaf_hash(statement_of(stem))
    if not word.index < word.count or not merkle.check_inclusion(path, word.index, word.count, leaf, root):
        raise BadStatement(f"{stem.stem} is not in the list of recordings that {stem.holder} signed")
    try:
        signature = decode_base64(word.signature)
    except ValueError:
        signature = b""
    if not _holds(public, message_of_stem(stem, origin), signature):
        raise BadStatement(f"the signature of {stem.holder} under the list with {stem.stem} fails")
