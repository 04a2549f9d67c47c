"""A disk in memory that fails as disks do, by the numbers of a seed.

A file has two contents: what a reader sees (the page cache), and what a power loss leaves (the platter).
Between them lie the writes that were not synced; a power loss keeps any of them, whole or torn at a sector,
in any order. A folder has two lists of names in the same way. A sync that fails leaves what it was about
readable, and forgets that it was never written: the next sync of the same file does not write it either.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR = 512


class Died(BaseException):
    """The process dies here."""


@dataclass(eq=False)
class Inode:
    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    """What a power loss leaves at the least."""
    unsynced: list[tuple[int, bytes]] = field(default_factory=list)
    """Writes since the last sync: where, and what. A cut is (-1, length)."""
    owner: object = None
    """The process that has it locked."""


@dataclass(eq=False)
class Folder:
    seen: dict[str, Inode | Folder] = field(default_factory=dict)
    kept: dict[str, Inode | Folder] = field(default_factory=dict)
    unsynced: list[tuple[str, Inode | Folder | None]] = field(default_factory=list)


def apply(content: bytearray, write: tuple[int, bytes]) -> None:
    at, data = write
    if at < 0:
        del content[int.from_bytes(data) :]
        return
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


@dataclass
class Faults:
    """How likely each fault is at one step of the disk."""

    death: float = 0.0
    full: float = 0.0
    broken: float = 0.0
    sync: float = 0.0


class Machine:
    """The disk and the memory of a machine, and what runs on it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.root = Folder()
        self.memory: dict[str, bytearray] = {}
        self.faults = Faults()
        self.runs = 0
        self.names = 0
        self.steps = 0
        self.sealing: Callable[[Path, bytes], None] = lambda path, data: None
        """Called before a file takes the place of another."""
        self.meanwhile: Callable[[object], None] = lambda process: None
        """Called at each step of a process: others may do something then."""

    # Names.

    def folder(self, path: Path) -> Folder:
        here = self.root
        for part in path.parts[1:]:
            there = here.seen.get(part)
            if there is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            if isinstance(there, Inode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            here = there
        return here

    def find(self, path: Path) -> Inode | Folder:
        if path == Path(path.root):
            return self.root
        found = self.folder(path.parent).seen.get(path.name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return found

    def inode(self, path: Path) -> Inode:
        found = self.find(path)
        if isinstance(found, Folder):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return found

    def name(self, path: Path, what: Inode | Folder | None) -> None:
        folder = self.folder(path.parent)
        if what is None:
            del folder.seen[path.name]
        else:
            folder.seen[path.name] = what
        folder.unsynced.append((path.name, what))

    # What happens to machines.

    def kill(self, process: object) -> None:
        """A process dies: its locks go, nothing else."""
        for inode in self._inodes(self.root, set()):
            if inode.owner is process:
                inode.owner = None

    def lose_power(self) -> None:
        """Everything that was not synced is kept or lost as chance has it; memory is gone."""
        self.memory.clear()
        self.runs += 1
        self._settle(self.root, set())

    def _settle(self, folder: Folder, done: set[int]) -> None:
        if id(folder) in done:
            return
        done.add(id(folder))
        names = dict(folder.kept)
        # Of each name one of the states since the last sync; names do not wait for each other.
        history: dict[str, list[Inode | Folder | None]] = {}
        for name, what in folder.unsynced:
            history.setdefault(name, [folder.kept.get(name)]).append(what)
        for name, states in history.items():
            what = self.rng.choice(states)
            if what is None:
                names.pop(name, None)
            else:
                names[name] = what
        folder.seen, folder.kept, folder.unsynced = names, dict(names), []
        for what in names.values():
            if isinstance(what, Folder):
                self._settle(what, done)
            elif id(what) not in done:
                done.add(id(what))
                what.seen = self._left(what)
                what.kept, what.unsynced, what.owner = bytearray(what.seen), [], None

    def _left(self, inode: Inode) -> bytearray:
        content = bytearray(inode.kept)
        for at, data in inode.unsynced:
            if at < 0:
                if self.rng.random() < 0.5:
                    apply(content, (at, data))
                continue
            fate = self.rng.random()
            if fate < 0.4:
                apply(content, (at, data))
            elif fate < 0.8:
                # Some of its sectors, others are as they were, or nothing where the file was made longer.
                for first in range(0, len(data), SECTOR):
                    if self.rng.random() < 0.5:
                        apply(content, (at + first, data[first : first + SECTOR]))
        return content

    def _inodes(self, folder: Folder, done: set[int]) -> Iterator[Inode]:
        for what in folder.seen.values():
            if isinstance(what, Inode):
                yield what
            elif id(what) not in done:
                done.add(id(what))
                yield from self._inodes(what, done)

    def dump(self, to: Path, folder: Folder | None = None) -> None:
        """Write what a reader sees into a real folder."""
        folder = folder or self.root
        to.mkdir(exist_ok=True)
        for name, what in folder.seen.items():
            if isinstance(what, Folder):
                self.dump(to / name, what)
            else:
                (to / name).write_bytes(what.seen)

    def paths(self, folder: Path) -> Iterator[str]:
        """The files under a folder, relative to it."""
        for name, what in self.folder(folder).seen.items():
            if isinstance(what, Inode):
                yield name
            else:
                yield from (f"{name}/{each}" for each in self.paths(folder / name))

    def durable(self, path: Path) -> bytes | None:
        """What a file has after any power loss; None if it need not even be there."""
        here: Inode | Folder | None = self.root
        for part in path.parts[1:]:
            if not isinstance(here, Folder) or any(name == part for name, _ in here.unsynced):
                return None
            here = here.kept.get(part)
        if not isinstance(here, Inode) or here.unsynced:
            return None
        return bytes(here.kept)


class SimulatedDisk:
    """The disk as one process of a machine has it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.dead = False
        self.locks: list[str] = []

    def _step(self, path: Path, *, writes: bool = False, sync: bool = False) -> None:
        machine = self.machine
        if self.dead:
            raise Died
        machine.steps += 1
        machine.meanwhile(self)
        if self.dead or machine.rng.random() < machine.faults.death:
            self.dead = True
            raise Died
        if writes and machine.rng.random() < machine.faults.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if writes and machine.rng.random() < machine.faults.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        if sync and machine.rng.random() < machine.faults.sync:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    # Reading.

    def read(self, path: Path, largest: int | None = None) -> bytes:
        self._step(path)
        return bytes(self.machine.inode(path).seen)

    def exists(self, path: Path) -> bool:
        try:
            self.machine.find(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def files(self, folder: Path) -> list[Path]:
        try:
            found = self.machine.folder(folder).seen
        except FileNotFoundError:
            return []
        return sorted(folder / name for name, what in found.items() if isinstance(what, Inode))

    # Writing.

    def write(self, path: Path, data: bytes) -> None:
        inode = self._opened(path)
        self._put(inode, (-1, (0).to_bytes(8)))
        try:
            self._step(path, writes=True)
        except (OSError, Died):
            self._put(inode, (0, data[: self.machine.rng.randrange(len(data) + 1)]))
            raise
        self._put(inode, (0, data))

    def _opened(self, path: Path) -> Inode:
        try:
            return self.machine.inode(path)
        except FileNotFoundError:
            self._step(path, writes=True)
            inode = Inode()
            self.machine.name(path, inode)
            return inode

    def _put(self, inode: Inode, write: tuple[int, bytes]) -> None:
        apply(inode.seen, write)
        inode.unsynced.append(write)

    def write_durable(self, files: Mapping[Path, bytes]) -> None:
        for path, data in files.items():
            self.write(path, data)
        for path in files:
            self.sync(path)
        for folder in dict.fromkeys(path.parent for path in files):
            self.sync(folder)

    def sync(self, path: Path) -> None:
        what = self.machine.find(path)
        if isinstance(what, Folder):
            self._step(path, sync=True)
            what.kept, what.unsynced = dict(what.seen), []
            return
        self.sync_inode(what, path)

    def sync_inode(self, inode: Inode, path: Path) -> None:
        try:
            self._step(path, sync=True)
        except OSError:
            # Some of it may have got there. All of it counts as written from here on.
            for write in inode.unsynced:
                if self.machine.rng.random() < 0.5:
                    apply(inode.kept, write)
            inode.unsynced = []
            raise
        for write in inode.unsynced:
            apply(inode.kept, write)
        inode.unsynced = []

    def replace(self, source: Path, target: Path) -> None:
        self._step(target, writes=True)
        inode = self.machine.inode(source)
        self.machine.sealing(target, bytes(inode.seen))
        self.machine.name(target, inode)
        self.machine.name(source, None)

    def remove(self, path: Path) -> None:
        self._step(path)
        if self.exists(path):
            self.machine.name(path, None)

    def link(self, source: Path, target: Path) -> None:
        self._step(target, writes=True)
        if self.exists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        self.machine.name(target, self.machine.inode(source))

    def make_folder(self, path: Path, mode: int) -> bool:
        if self.exists(path):
            return False
        self._step(path, writes=True)
        self.machine.name(path, Folder())
        return True

    def remove_folder(self, path: Path) -> None:
        self._step(path)
        if self.machine.folder(path).seen:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
        self.machine.name(path, None)

    # Owners.

    @contextmanager
    def lock(self, path: Path, seconds: float = 0) -> Iterator[None]:
        inode = self._opened(path)
        if inode.owner not in (None, self):
            # Who waits in the simulation would wait for ever: the other one is in the middle of a step.
            raise OSError(errno.EDEADLK, os.strerror(errno.EDEADLK), str(path))
        mine = inode.owner is None
        inode.owner = self
        try:
            yield
        finally:
            if mine and not self.dead:
                inode.owner = None

    def own(self, path: Path) -> SimulatedFile | None:
        inode = self.machine.inode(path)
        if inode.owner is not None:
            return None
        inode.owner = self
        return SimulatedFile(self, inode, path)

    def create_owned(self, path: Path) -> SimulatedFile:
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        inode = self._opened(path)
        inode.owner = self
        return SimulatedFile(self, inode, path)

    # Memory.

    def share(self, path: Path, size: int) -> memoryview:
        self._step(path, writes=True)
        return memoryview(self.machine.memory.setdefault(path.name, bytearray(size)))

    def shared(self, path: Path) -> bytes | None:
        found = self.machine.memory.get(path.name)
        return None if found is None else bytes(found)

    def unshare(self, path: Path) -> None:
        self._step(path)
        self.machine.memory.pop(path.name, None)

    def boot(self) -> str:
        return f"run {self.machine.runs}"

    def fresh_name(self) -> str:
        self.machine.names += 1
        return f"{self.machine.rng.randrange(10):x}-{self.machine.names:016x}"


class SimulatedFile:
    def __init__(self, disk: SimulatedDisk, inode: Inode, path: Path) -> None:
        self._disk, self._inode, self._path = disk, inode, path

    def append(self, data: bytes) -> None:
        at = len(self._inode.seen)
        try:
            self._disk._step(self._path, writes=True)
        except (OSError, Died):
            part = data[: self._disk.machine.rng.randrange(len(data) + 1)]
            self._disk._put(self._inode, (at, part))
            raise
        self._disk._put(self._inode, (at, data))

    def sync(self) -> None:
        self._disk.sync_inode(self._inode, self._path)

    def cut(self, length: int) -> None:
        self._disk._step(self._path, writes=True)
        self._disk._put(self._inode, (-1, length.to_bytes(8)))

    def close(self) -> None:
        if self._inode.owner is self._disk and not self._disk.dead:
            self._inode.owner = None
