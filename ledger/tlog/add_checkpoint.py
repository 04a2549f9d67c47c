"""The request `add-checkpoint` to a witness (C2SP tlog-witness), and its answer.

POST <prefix>/add-checkpoint

old <size of the checkpoint that the witness cosigned last, 0 for none>
<hash, base64>            the consistency proof from there, at most 63 lines
<empty line>
<the signed checkpoint>

200   the witness's cosignature lines
400   this is no such request, or the old size is above the checkpoint's
403   no signature of the log
404   a log that the witness does not know
409   another size than that which it cosigned last, which is the body; or another root of that size
422   the proof does not show that the one extends the other
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadNote, LockHeld, OtherTree, VerificationFailed
from .note import Verifier, decode_base64
from .witness import Witness

LARGEST_REQUEST = 1 << 17
"""Bytes: 63 hashes, and a checkpoint with the signatures of a hundred witnesses."""
MOST_HASHES = 63
_TEXT = "text/plain; charset=utf-8"
_SIZE = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of HTTP."""

    status: int
    body: str
    kind: str = _TEXT


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the checkpoint, and the proof that it extends that of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @property
    def origin(self) -> str:
        """The log's name, as the unverified checkpoint has it."""
        return self.note.partition(b"\n")[0].decode("utf-8", "replace")

    def encode(self) -> bytes:
        """The body of the request."""
        lines = [f"old {self.old}", *(base64.b64encode(each).decode() for each in self.proof), "", ""]
        return "\n".join(lines).encode() + self.note


def read_request(body: bytes) -> AddCheckpoint:
    """The inverse of `encode`. Raises ValueError with a sentence."""
    head, blank, note = body.partition(b"\n\n")
    if not blank:
        raise ValueError("there is no empty line, below which the checkpoint is")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ValueError("there are other characters than ASCII above the empty line") from None
    old = re.fullmatch(r"old (0|[1-9][0-9]{0,18})", lines[0])
    if old is None:
        raise ValueError("the first line is not 'old' and a size")
    if len(lines) - 1 > MOST_HASHES:
        raise ValueError(f"the proof has more than {MOST_HASHES} hashes")
    proof = tuple(decode_base64(line) for line in lines[1:])
    if any(len(each) != 32 for each in proof):
        raise ValueError("a hash of the proof is not a SHA-256")
    return AddCheckpoint(int(old[1]), proof, note)


def answered(body: bytes, witness: Witness, logs: Mapping[str, Verifier]) -> Answer:
    """The answer of a witness that knows `logs`, by their names; what it cosigned is durable.

    Raises OSError and the errors of a damaged witness, which are no fault of who asks.
    """
    if len(body) > LARGEST_REQUEST:
        return Answer(413, f"a request has at most {LARGEST_REQUEST} bytes\n")
    try:
        request = read_request(body)
    except ValueError as error:
        return Answer(400, f"this is no request to add a checkpoint: {error}\n")
    log = logs.get(request.origin)
    if log is None:
        return Answer(404, "this witness does not know that log\n")

    def prove(old: int, new: int) -> Sequence[bytes]:
        return request.proof

    try:
        cosigned = witness.cosign(request.note, log, prove, claimed=(request.old, len(request.proof)))
    except OtherTree as error:
        return Answer(409, f"{error.size}\n", _SIZE)
    except BadNote as error:
        return Answer(403, f"{error}\n")
    except LockHeld as error:
        return Answer(503, f"{error}\n")
    except VerificationFailed as error:
        return Answer(422, f"{error}\n")
    except ValueError as error:
        return Answer(400, f"{error}\n")
    return Answer(200, f"{cosigned.line}\n")
