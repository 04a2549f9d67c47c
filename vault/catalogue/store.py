"""The folder of the vault: its layout, and how files in it become durable.

    HOME/vault/            0700
      catalogue.db         see catalogue.py
      landmarks.db         the fingerprints of recordings; a cache
      names/<holder>.json  a holder's name and the salt of its commitment, which the ledger does not have
      lock                 held by the process that changes holders, stems, splits or consents
      audio/<sha256>       the holder's original bytes, never altered
      audio/<sha256>.name  the name that the file had
      conformed/<stem>.<v>.npy   float32 (channels, frames) at 48 kHz; a cache, made again when it is missing
      conformed/<stem>.<v>/*.npy the same at other lengths, as the engine needs them; a cache as well
      conformed/<stem>.<v>.<grid>...  both, for a grid that was declared after the stem had come
      incoming/<random>/   files on their way in; the folder is locked while its process lives

A file enters by a rename from `incoming`, after its catalogue row is durable and before its ledger entry is.
If we crash in between, the row without a stem names the files that the next intake clears away.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...ledger.tlog.locks import locked
from ..home import check_home, keep_out_of_git
from ..records import AS_ENTERED

CONFORM_VERSION = 1
"""Part of the names of cached files: raise it when `engine_format.py` gives other samples."""


class Store:
    """The files of one vault."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "vault"
        self.catalogue = self.folder / "catalogue.db"
        self.landmarks = self.folder / "landmarks.db"
        self._audio = self.folder / "audio"
        self._conformed = self.folder / "conformed"
        self._incoming = self.folder / "incoming"
        self._names = self.folder / "names"

    def create(self) -> None:
        """Make the folders; HOME too, open to its owner only.

        Raises `NotAHome`, before anything is written, for a folder that holds other things.
        """
        home = self.folder.parent
        check_home(home)
        if not home.exists():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.catalogue.exists():
            keep_out_of_git(home)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self._audio, self._conformed, self._incoming, self._names):
            folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.folder, home, home.parent):
            sync_folder(folder)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the vault against other writers, in this process and in others. Not reentrant."""
        with locked(self.folder / "lock", 0o600):
            yield

    def keep_name(self, holder: str, name: str, salt: str) -> None:
        """Keep a name from which a lost catalogue can be made again; durable when this returns."""
        self.keep_identifiers(holder, name, salt, None, None)

    def keep_identifiers(self, holder: str, name: str, salt: str, isni: str | None, ipi: str | None) -> None:
        """Keep a name with identifiers of its holder; durable when this returns."""
        known = {"name": name, "salt": salt, "isni": isni, "ipi": ipi}
        record = {key: text for key, text in known.items() if text or key == "salt"}
        self._names.mkdir(mode=0o700, exist_ok=True)
        target = self._names / f"{holder}.json"
        partial = target.with_suffix(f".{secrets.token_hex(4)}")
        with open(partial, "xb", opener=_private) as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
        sync_folder(self._names)

    def identifiers(self, holder: str) -> tuple[str | None, str | None]:
        """ISNI and IPI of a holder."""
        path = self._names / f"{holder}.json"
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
        return kept.get("isni"), kept.get("ipi")

    def erase_name(self, holder: str) -> None:
        """Replace the kept name by the holder's id, and delete older catalogues, which still have it."""
        path = self._names / f"{holder}.json"
        if path.exists():
            # First overwrite the bytes of the file: unlinking alone leaves them on the disk.
            with open(path, "r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        self.keep_name(holder, holder, "")
        for old in self.folder.glob("catalogue.db.old*"):
            old.unlink()
        sync_folder(self.folder)

    def forget_name(self, holder: str) -> None:
        (self._names / f"{holder}.json").unlink(missing_ok=True)

    def names(self) -> dict[str, tuple[str, str]]:
        """Name and salt by holder's id."""
        found = {}
        for path in sorted(self._names.glob("h*.json")):
            kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            found[path.stem] = kept["name"], kept["salt"]
        return found

    def traces(self, stem: str, file_sha256: str) -> list[Path]:
        """The files of the vault that hold the sound of a stem."""
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.is_file() and (path.stem == file_sha256 or stem in str(path.relative_to(self.folder)))
        )

    def original(self, file_sha256: str) -> Path:
        """The path of the original with that digest."""
        return self._audio / file_sha256

    def conformed(self, stem: str, grid: str = AS_ENTERED) -> Path:
        """The path of a stem's samples as they are conformed to a grid."""
        return self._conformed / f"{_conformed_name(stem, grid)}.npy"

    def variant(self, stem: str, name: str, grid: str = AS_ENTERED) -> Path:
        """The path of a variant of a stem's samples."""
        return self._conformed / _conformed_name(stem, grid) / f"{name}.npy"

    def original_name(self, file_sha256: str) -> str | None:
        """The name that an original had, without folders; None if it had none, or came before it was kept."""
        try:
            return os.fsdecode(self._name_file(file_sha256).read_bytes())
        except FileNotFoundError:
            return None

    def _name_file(self, file_sha256: str) -> Path:
        return self._audio / f"{file_sha256}.name"

    def keep_original_name(self, file_sha256: str, name: str) -> None:
        """Keep the name of an original; durable after the next `take_in`. A name that is kept stays."""
        with suppress(FileExistsError), open(self._name_file(file_sha256), "xb", opener=_private) as file:
            file.write(os.fsencode(name))
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for this process alone, deleted at the end."""
        folder = self._incoming / secrets.token_hex(8)
        with ExitStack() as stack:
            # Under the lock, or another process could take the new folder for an abandoned one.
            with self.lock():
                folder.mkdir(mode=0o700)
                stack.enter_context(locked(folder))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            yield folder

    def clear_abandoned(self) -> None:
        """Remove the incoming folders of processes that died. Call it under `lock`."""
        for folder in self._incoming.iterdir():
            # One that is not found belonged to a process that has just ended, and cleared it itself.
            with suppress(FileNotFoundError, BlockingIOError), locked(folder, wait=False):
                shutil.rmtree(folder, ignore_errors=True)

    def take_in(self, moves: Iterable[tuple[Path, Path]]) -> None:
        """Rename files, durable already, into the store; durable when this returns."""
        for source, target in moves:
            os.replace(source, target)
        sync_folder(self._audio)
        sync_folder(self._conformed)

    def forget(self, file_sha256: str | None, stem: str) -> None:
        """Delete the files of a stem. `file_sha256` of `None`: the original stays."""
        if file_sha256 is not None:
            self.original(file_sha256).unlink(missing_ok=True)
            self._name_file(file_sha256).unlink(missing_ok=True)
        for path in self._conformed.glob(f"{_conformed_name(stem, AS_ENTERED)}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def forget_conformed(self, stem: str, grid: str) -> None:
        """Delete what was made from a stem for a grid."""
        self.conformed(stem, grid).unlink(missing_ok=True)
        variants = self.variant(stem, "", grid).parent
        if variants.exists():
            shutil.rmtree(variants)

    def write_conformed(self, samples: NDArray[np.float32], target: Path) -> None:
        """Write samples to be mapped; the file is complete and durable when it has its name."""
        if target.parent == self._conformed:
            # The folder is a cache: somebody may have deleted it.
            target.parent.mkdir(mode=0o700, exist_ok=True)
        _write_array(np.ascontiguousarray(samples, dtype="<f4"), target)

    def write_marks(self, marks: Sequence[int], target: Path) -> None:
        """Write frames of a sound beside its variants: the whole file, or none."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_array(np.array(marks, "<i8"), target)

    def map_conformed(
        self, stem: str, channels: int, frames: int, grid: str = AS_ENTERED
    ) -> NDArray[np.float32] | None:
        """The stem's samples mapped read-only, or `None` if the cache does not hold all of them."""
        try:
            samples = np.load(self.conformed(stem, grid), mmap_mode="r", allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):
            # Missing or cut short: the caller makes the cached file again from the original.
            return None
        if samples.shape != (channels, frames) or samples.dtype != np.dtype("<f4"):
            return None
        return np.asarray(samples)


def _conformed_name(stem: str, grid: str) -> str:
    # With the version: what was conformed in an older way must not be found.
    return f"{stem}.{CONFORM_VERSION}{'.' * bool(grid)}{grid}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def sync_folder(folder: Path) -> None:
    """Make the directory entries of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_array(array: NDArray[Any], target: Path) -> None:
    """Write a C-contiguous array as an `.npy` file, complete and durable when it has its name."""
    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    try:
        with open(partial, "xb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            # Not np.save: on a full disk it raises an OSError without a number.
            file.write(array.data.cast("B"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
