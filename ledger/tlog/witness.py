"""A witness: cosigns checkpoints of logs, never two of one log of which neither extends the other.

    DIR/witness.key        its private key
    DIR/witness.vkey       its verifier key, with its name
    DIR/lock               held while the two above are made
    DIR/logs/<H>           the last checkpoint it cosigned of a log, with that log's signature
    DIR/logs/<H>.lock      held while a checkpoint of that log is checked

H is the SHA-256 of the log's origin. The folder is the witness's memory. One that is restored from a backup
has forgotten the checkpoints that it cosigned since: make a new witness instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clock import Clock, SystemClock, milliseconds_of
from ..errors import BadKey, BadNote, BadVkey, NoWitness, VerificationFailed
from . import merkle
from .checkpoint import Checkpoint, open_checkpoint
from .cosignature import add_cosignatures, cosign, cosignatures_of, parse_witness_vkey, witness_key
from .disk import Disk, RealDisk, replace_durably
from .keys import PrivateKey
from .locks import locked
from .note import Verifier, may_be_name, open_note
from .reader import TileReader

Prove = Callable[[int, int], Sequence[bytes]]
"""Gives the consistency proof (RFC 6962) between two sizes of a log, the older above 0. Nobody trusts it."""


def prover(tiles: TileReader, checkpoint: Callable[[], bytes], log: Verifier) -> Prove:
    """Proofs from a log's tiles, wherever they are read from.

    `checkpoint`: reads the published checkpoint as of now; the log may grow meanwhile.
    """

    def latest() -> int:
        return open_checkpoint(checkpoint(), log).size

    return lambda old, new: tiles.consistency(old, new, latest)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that the witness has cosigned."""

    checkpoint: Checkpoint
    before: Checkpoint | None
    """The one that it extends; None for the first of its log, of which only the signature was checked."""
    time: int
    """Unix seconds."""
    line: str
    """The witness's line."""
    note: bytes
    """The note as received, with that line."""


class Witness:
    """A witness in a folder of its own. Any number of processes may have the same one open.

    Nothing is held open between calls.
    """

    def __init__(self, folder: Path, name: str, key: PrivateKey, clock: Clock, disk: Disk) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self._disk = disk
        self._verifier = witness_key(name, key.public)

    @classmethod
    def open(
        cls, folder: Path, *, name: str | None = None, clock: Clock | None = None, disk: Disk | None = None
    ) -> Witness:
        """The witness in `folder`. `name`: make one of that name, with a new key, if there is none.

        Raises NoWitness; BadVkey for an invalid name, or one that is not this witness's; BadKey if its key is
        missing or does not belong to its verifier key; OSError.
        """
        disk = disk or RealDisk()
        if name is not None:
            if not may_be_name(name):
                raise BadVkey(f"{name!r} cannot name a witness: it is empty, or has a space or a plus in it")
            _make(folder, name, disk)
        path = folder / "witness.vkey"
        try:
            verifier = parse_witness_vkey(disk.read(path).decode().removesuffix("\n"))
        except (FileNotFoundError, NotADirectoryError):
            raise NoWitness(f"there is no witness in {folder}; --name NAME makes one there") from None
        except (UnicodeDecodeError, BadVkey) as error:
            raise BadKey(f"{path} is damaged; put it back from a copy of it") from error
        private = folder / "witness.key"
        if not private.exists():
            raise BadKey(f"the witness's key {private} is missing; put it back, or make a new witness")
        if not (folder / "logs").is_dir():
            raise BadKey(
                f"{folder / 'logs'}, all that {verifier.name} remembers, is gone; make a new witness"
            )
        key = PrivateKey.load(private)
        if key.public != verifier.public:
            raise BadKey(f"{private} is not the key of {path}; put back the two that belong together")
        if name is not None and name != verifier.name:
            raise BadVkey(
                f"the witness in {folder} is {verifier.name}, not {name}: one keeps its name for ever"
            )
        return cls(folder, verifier.name, key, clock or SystemClock(), disk)

    @property
    def name(self) -> str:
        return self._verifier.name

    @property
    def vkey(self) -> str:
        """The verifier key that others check its cosignatures with."""
        return self._verifier.vkey

    def cosign(self, note: bytes, log: Verifier, prove: Prove) -> Cosigned:
        """Cosign the checkpoint in `note` of the log whose key is `log`, if it extends the last one.

        The checkpoint is durable before it is cosigned. Raises BadNote if the log did not sign it,
        VerificationFailed if it is older than the last one or forks from it, the errors of `prove`, OSError.
        """
        opened = open_note(note, [log])
        new = open_checkpoint(note, log)
        # A cosignature of this witness that is already in the note must be valid as well.
        cosignatures_of(note, [self._verifier])
        if new.size == 0 and new.root != merkle.EMPTY_ROOT:
            raise VerificationFailed(
                f"the checkpoint of {new.origin} has no entries, and not the root of none"
            )
        with locked(self._path(new.origin).with_suffix(".lock"), 0o600):
            last = self.last(log)
            if last is not None:
                self._continues(last, new, prove)
            # Also where it is the last one: a crash may have left it in the page cache alone.
            kept = f"{opened.text}\n{opened.signatures[0].line}\n"
            path = self._path(new.origin)
            replace_durably(self._disk, path, kept.encode(), path.with_suffix(".new"))
            # A crash here leaves a checkpoint that is kept and was not cosigned. In the other order, a crash
            # would let another one of its size be cosigned. The lock is still held, so that no larger one is
            # cosigned at an earlier time.
            time = milliseconds_of(self._clock.now()) // 1000
            line = cosign(opened.text, self.name, self._key, time)
        return Cosigned(new, last, time, line, add_cosignatures(note, [line]))

    def last(self, log: Verifier) -> Checkpoint | None:
        """The last checkpoint of a log that it cosigned; None if there is none. Raises BadNote, OSError."""
        path = self._path(log.name)
        try:
            data = self._disk.read(path)
        except FileNotFoundError:
            return None
        try:
            return open_checkpoint(data, log)
        except BadNote as error:
            raise BadNote(
                f"{path}, the checkpoint of {log.name} that {self.name} cosigned last, is damaged or was "
                f"signed with another key than this one: {error}"
            ) from error

    def _continues(self, last: Checkpoint, new: Checkpoint, prove: Prove) -> None:
        """Raise VerificationFailed unless `new` extends `last`."""
        both = (
            f"the checkpoint of {new.origin} has {_tree(new)}, and the one that {self.name} cosigned last "
            f"has {_tree(last)}"
        )
        if new.size < last.size:
            raise VerificationFailed(f"{both}: an older log is not cosigned; ask its operator for the newest")
        kept = f"keep this checkpoint, and {self._path(new.origin)}"
        if new.size == last.size:
            if new.root != last.root:
                raise VerificationFailed(
                    f"{both}: the log has signed two histories; {kept}: together they prove it"
                )
            return
        proof = prove(last.size, new.size) if last.size else ()
        if not merkle.check_consistency(proof, last.size, new.size, last.root, new.root):
            raise VerificationFailed(
                f"{both}, and there is no proof that the one extends the other: the log was rewritten, or "
                f"this copy of it is damaged; {kept}"
            )

    def _path(self, origin: str) -> Path:
        # An origin may contain characters that a file's name may not.
        return self._folder / "logs" / hashlib.sha256(origin.encode()).hexdigest()


def _make(folder: Path, name: str, disk: Disk) -> None:
    """Make a witness of that name, if there is none."""
    if not folder.parent.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
    disk.make_folder(folder, 0o700)
    with locked(folder / "lock", 0o600):
        path, private, logs = folder / "witness.vkey", folder / "witness.key", folder / "logs"
        if path.exists():
            return
        if not disk.make_folder(logs, 0o700) and any(logs.iterdir()):
            raise BadKey(f"{path} is missing, though the witness has cosigned; put it back from a copy of it")
        if not private.exists():
            PrivateKey.generate().save(private, disk)
        # A crash here leaves a key whose verifier key nobody has seen; the next call gives it its name.
        public = PrivateKey.load(private).public
        vkey = f"{witness_key(name, public).vkey}\n"
        replace_durably(disk, path, vkey.encode(), path.with_suffix(".new"))
        disk.sync(folder.parent)


def _tree(checkpoint: Checkpoint) -> str:
    entries = "1 entry" if checkpoint.size == 1 else f"{checkpoint.size} entries"
    return f"{entries} and the root {checkpoint.root.hex()}"
