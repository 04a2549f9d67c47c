"""Session receipts: what a session counted, signed by a key of its own, for whoever listens to it.

    stemloom session receipt v1
    {"origin":...,"session":...,"key":...,"state":"open",...}     the head
    <signature of the two lines above by the session's key, base64>
    [480000,2,"<ended>",[["s...",470000],...]]                    a mark for every ten seconds
    ...
    <empty line>
    the receipt of the session's opening entry (`inclusion_receipt.py`), once it is under a checkpoint

A mark says, for a frame of the output: how many placements had ended; the SHA-256 over the leaf hashes of
their entries, in the order of their numbers; and for each stem whose count has changed since the mark before,
its frames in play since the session's beginning. The head names the number of the marks and their chain: the
empty chain is the SHA-256 of the first line, and each mark's is the SHA-256 of the one before and its line.

The session's opening entry names the key. The private half is in memory alone, and gone when the session is
closed. What still sounds at a mark counts with `MARGIN_SECONDS` less than was heard, so that a log which a
crash has cut short never has less than a receipt says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from ..entries.canonical import dumps
from ..entries.entries import Count, Digest, Id, Positive, Session, Time, Word, ms_of
from ..errors import BadReceipt
from ..tlog import keys
from ..tlog.keys import PrivateKey
from ..tlog.merkle import leaf_hash
from ..tlog.note import decode_base64, parse_vkey
from ..tlog.policy import Policy
from .inclusion_receipt import VerifiedReceipt, check_receipt

HEAD = "stemloom session receipt v1"
"""How the file begins."""
MARK_SECONDS = 10
MARGIN_SECONDS = 1
LARGEST_RECEIPT = 1 << 28
"""Bytes: some weeks of a session."""
_NO_MARKS = hashlib.sha256(f"{HEAD}\n".encode()).digest()
_PublicKey = Annotated[str, Meta(min_length=44, max_length=44)]
_Line = TypeVar("_Line", "Head", "Mark")


class InPlay(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A stem's frames in play since the session's beginning."""

    stem: Id
    frames: Count


class Mark(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The counts at a frame of the output, as the module's text says."""

    frame: Count
    placements: Count
    ended: Digest
    stems: tuple[InPlay, ...]
    """Sorted by stem."""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the session's key signs. `take`, `placements` and `ms` are those of the closing entry."""

    origin: Word
    """Of the log."""
    session: Id
    key: _PublicKey
    state: Literal["open", "closed"]
    time: Time
    """When it was signed, by the session's clock."""
    rate: Positive
    frame: Count
    """Of the last mark."""
    marks: Count
    chain: Digest
    take: Digest | None
    placements: Count | None
    ms: Count | None


@dataclass(frozen=True, slots=True)
class SessionReceipt:
    """A receipt as it is handed out. `marks`: the line of each; `opening`: empty until it can be proved."""

    head: Head
    signature: str
    marks: tuple[bytes, ...] = field(repr=False)
    opening: bytes = field(default=b"", repr=False)

    @property
    def session(self) -> str:
        return self.head.session

    @property
    def closed(self) -> bool:
        """Whether it counts the whole session."""
        return self.head.state == "closed"

    @property
    def seconds(self) -> float:
        """How much of the output it covers."""
        return self.head.frame / self.head.rate

    def in_play(self) -> dict[str, int]:
        """By stem, the frames in play."""
        return frames_of(map(_mark, self.marks))

    def encoded(self) -> bytes:
        """The file."""
        lines = [_signed(self.head), self.signature.encode(), *self.marks, b"", b""]
        return b"\n".join(lines) + self.opening


class Tally:
    """Counts one session as it goes and signs receipts of it. For one thread but for `opening`.

    `opening`: the receipt of the session's opening entry, to be set as soon as there is one.
    """

    def __init__(self, rate: int) -> None:
        self._key: PrivateKey | None = PrivateKey.generate()
        self.public_key = base64.b64encode(self._key.public).decode()
        self.opening = b""
        self.placements = 0
        self._rate = rate
        self._ended = hashlib.sha256()
        self._in_play: dict[str, int] = {}
        """Frames of what has ended, by stem."""
        self._last: dict[str, int] = {}
        """As the last mark says."""
        self._marks: list[bytes] = []
        self._chain = _NO_MARKS
        self._frame = 0

    @property
    def next_frame(self) -> int:
        """The frame from which on the next mark is due."""
        return (self._frame // (MARK_SECONDS * self._rate) + 1) * MARK_SECONDS * self._rate

    def ended(self, stem: str, frames: int, entry: bytes) -> None:
        """Count a placement that has ended. `entry`: its canonical bytes, as they go into the log."""
        self.placements += 1
        self._ended.update(leaf_hash(entry))
        self._in_play[stem] = self._in_play.get(stem, 0) + frames

    def mark(self, frame: int, sounding: Iterable[tuple[str, int]] = ()) -> None:
        """Make a mark at `frame`. `sounding`: the stem of each sounding placement, and its frames in play."""
        now = dict(self._in_play)
        for stem, frames in sounding:
            certain = frames - MARGIN_SECONDS * self._rate
            if certain > 0:
                now[stem] = now.get(stem, 0) + certain
        changed = tuple(
            InPlay(stem, now[stem]) for stem in sorted(now) if now[stem] > self._last.get(stem, 0)
        )
        self._last |= {each.stem: each.frames for each in changed}
        line = dumps(Mark(frame, self.placements, self._ended.hexdigest(), changed))
        self._marks.append(line)
        self._chain = hashlib.sha256(self._chain + line).digest()
        self._frame = frame

    def receipt(self, origin: str, opened: Session, time: str) -> SessionReceipt:
        """The receipt of all marks so far, of a session that goes on."""
        return self._receipt(origin, opened, "open", time)

    def closed(self, origin: str, closing: Session) -> SessionReceipt:
        """The last receipt, by the closing entry; the private key is gone after it."""
        made = self._receipt(origin, closing, "closed", closing.time)
        self._key = None
        return made

    def forget(self) -> None:
        """Let go of the private key: nothing more is signed."""
        self._key = None

    def _receipt(
        self, origin: str, entry: Session, state: Literal["open", "closed"], time: str
    ) -> SessionReceipt:
        if self._key is None:
            raise BadReceipt(f"the session {entry.session} is over, and its key is gone: nothing is signed")
        head = Head(
            origin=origin,
            session=entry.session,
            key=self.public_key,
            state=state,
            time=time,
            rate=self._rate,
            frame=self._frame,
            marks=len(self._marks),
            chain=self._chain.hex(),
            take=entry.take,
            placements=entry.placements,
            ms=entry.ms,
        )
        signature = base64.b64encode(self._key.sign(_signed(head))).decode()
        return SessionReceipt(head, signature, tuple(self._marks), self.opening)


@dataclass(frozen=True, slots=True)
class VerifiedSession:
    """A session receipt that its session's key has signed. `opening`: where the log has that session.

    Without an opening nobody else can tell whose key it is: whoever was handed it knows, and a log that has
    the session shows it.
    """

    head: Head
    marks: tuple[Mark, ...]
    opening: VerifiedReceipt | None

    @property
    def seconds(self) -> float:
        return self.head.frame / self.head.rate

    def in_play(self) -> dict[str, int]:
        """By stem, the frames in play."""
        return frames_of(self.marks)

    def in_play_ms(self) -> dict[str, int]:
        """By stem, the milliseconds in play, by its frames as a whole."""
        return {stem: ms_of(frames, self.head.rate) for stem, frames in sorted(self.in_play().items())}


def is_session_receipt(data: bytes) -> bool:
    """Whether the bytes of a file begin as a session receipt does."""
    return data.startswith(HEAD.encode() + b"\n")


def check_session_receipt(data: bytes, vkey: str, policy: Policy | None = None) -> VerifiedSession:
    """Verify a session receipt of a log with the verifier key `vkey`, without the log.

    `policy`: the witnesses that must have cosigned the checkpoint under its opening. Raises BadVkey,
    BadReceipt.
    """
    verifier = parse_vkey(vkey)
    counted, blank, proof = data.partition(b"\n\n")
    lines = counted.split(b"\n")
    if not blank or len(lines) < 3 or lines[0] != HEAD.encode():
        raise BadReceipt(
            f"the receipt does not have the lines of '{HEAD}': its head, its signature, its marks and an "
            "empty line; ask for the file as it was handed out"
        )
    head = _read(lines[1], Head, "head")
    receipt = SessionReceipt(head, _text(lines[2]), tuple(lines[3:]), proof)
    if receipt.encoded() != data:
        raise BadReceipt("the receipt is not in its one form: its head was written anew by something else")
    if head.origin != verifier.name:
        raise BadReceipt(
            f"the receipt is of the log {head.origin}, and the key is of {verifier.name}: name the key of "
            "the log that the session was logged in"
        )
    _check_signature(receipt)
    marks = tuple(map(_mark, receipt.marks))
    _check_marks(head, receipt.marks, marks)
    opening = _opening(receipt, vkey, policy) if proof else None
    if opening is None and policy is not None:
        raise BadReceipt(
            "the receipt was handed out before its session's opening was under a checkpoint, so no witness "
            "can have cosigned one: take a later receipt of the session"
        )
    return VerifiedSession(head, marks, opening)


def frames_of(marks: Iterable[Mark]) -> dict[str, int]:
    """By stem, the frames in play after the last of these marks."""
    found: dict[str, int] = {}
    for mark in marks:
        found |= {each.stem: each.frames for each in mark.stems}
    return found


def with_opening(receipt: SessionReceipt, opening: bytes) -> SessionReceipt:
    """The receipt with proof that the log has its session; unchanged if there is none."""
    return replace(receipt, opening=opening) if opening else receipt


def _signed(head: Head) -> bytes:
    return f"{HEAD}\n".encode() + dumps(head)


def _check_signature(receipt: SessionReceipt) -> None:
    head = receipt.head
    try:
        public, signature = decode_base64(head.key), decode_base64(receipt.signature)
    except ValueError as error:
        raise BadReceipt(f"the receipt cannot be read: {error}") from error
    if not keys.verify(public, _signed(head), signature):
        raise BadReceipt(
            f"the receipt of {head.session} is not signed by the key that it names: it was changed, or "
            "made by somebody else"
        )


def _check_marks(head: Head, lines: tuple[bytes, ...], marks: tuple[Mark, ...]) -> None:
    """Raise BadReceipt unless the marks are those that were signed, and count upwards."""
    chain = _NO_MARKS
    for line in lines:
        chain = hashlib.sha256(chain + line).digest()
    if len(lines) != head.marks or chain.hex() != head.chain:
        raise BadReceipt(
            f"the marks of the receipt of {head.session} are not those that were signed: one was changed, "
            "added or left out"
        )
    last = marks[-1] if marks else Mark(0, 0, "0" * 64, ())
    if head.frame != last.frame or (head.state == "closed" and head.placements != last.placements):
        raise BadReceipt(f"the receipt of {head.session} covers something else than its last mark")
    for before, mark in pairwise((Mark(0, 0, "0" * 64, ()), *marks)):
        if mark.frame < before.frame or mark.placements < before.placements:
            raise BadReceipt(f"the marks of the receipt of {head.session} do not count upwards")
    said: dict[str, int] = {}
    for mark in marks:
        names = [each.stem for each in mark.stems]
        if names != sorted(set(names)) or any(e.frames <= said.get(e.stem, 0) for e in mark.stems):
            raise BadReceipt(f"the stems in a mark of the receipt of {head.session} do not count upwards")
        said |= {each.stem: each.frames for each in mark.stems}


def _opening(receipt: SessionReceipt, vkey: str, policy: Policy | None) -> VerifiedReceipt:
    """The proof that the log has the session, with the key that signed the receipt."""
    proved = check_receipt(receipt.opening, vkey, policy=policy)
    entry, head = proved.entry, receipt.head
    if not isinstance(entry, Session) or entry.state != "opened" or entry.session != head.session:
        raise BadReceipt(
            f"the receipt's proof is of entry {proved.index}, which does not open {head.session}"
        )
    if entry.receipt_key != head.key:
        raise BadReceipt(
            f"the receipt is signed by another key than the one of its session {head.session}, which "
            f"entry {proved.index} of the log names"
        )
    return proved


def _mark(line: bytes) -> Mark:
    return _read(line, Mark, "mark")


def _text(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadReceipt("the receipt's signature is not base64") from error


def _read(line: bytes, kind: type[_Line], name: str) -> _Line:
    try:
        found = msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReceipt(f"a {name} of the receipt cannot be read: {error}") from error
    if dumps(found) != line:
        raise BadReceipt(f"a {name} of the receipt is not in its one form")
    return found
