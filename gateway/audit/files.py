"""Chains in files: one that is written, and before it those that were rotated away, which carry the number of their
first record: `audit.jsonl.000000000001` of `audit.jsonl`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

import structlog

from gateway.audit.chain import Head, Link, genesis, read_link
from gateway.audit.lines import cut_torn_line, first_line, last_line, open_lines, sync_directory, write_lines
from gateway.audit.sink import READ_BYTES, Archive, Follower, Sink
from gateway.errors import AuditSinkError

ROTATED: Final = re.compile(r"[.-][0-9][0-9.T-]*")
"""What a rotation appends to a file's name, ours or another's: `.000000000001`, `.1`, `-20261101`."""

PART: Final = "(-[1-9][0-9]?|-reads)?"
"""What a part of the log is called after its name: nothing, a worker's number, or what the commands write."""

_FIRST_LINE: Final = 8_192
_WRITTEN_AT: Final = re.compile(rb'"at":"([^"]+)"')
_Result = TypeVar("_Result")
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is rotated away: once it holds so many bytes, or its first record is so many seconds old."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a chain. `first` is the number of its first record."""

    path: Path
    first: int


def part_file(path: Path, part: str) -> Path:
    """The file of a part of the log: `audit-1.jsonl` of `audit.jsonl` and `-1`."""
    return path.with_name(f"{path.stem}{part}{path.suffix}")


class FileSink(Sink):
    """Keeps a chain in a file, which it creates (mode 0600) and locks. `sync` makes a descriptor's data durable."""

    def __init__(self, path: Path, chain: str, rotation: Rotation, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = path
        self._chain = chain
        self._rotation = rotation
        self._sync = sync
        self._thread: ThreadPoolExecutor | None = None
        self._descriptor: int | None = None
        self._size = 0
        self._begun = 0.0

    async def open(self) -> Head:
        """Opens the file, and finds the chain's end in it or in the last before it. Raises `AuditSinkError`."""
        return await self._run(self._open_chain)

    async def write(self, first: int, lines: Sequence[bytes]) -> None:  # noqa: ARG002 - lines say their numbers
        """Appends the lines and syncs. Raises `AuditSinkError`."""
        await self._run(lambda: self._write(lines))

    async def close(self) -> None:
        """Closes the file."""
        await self._run(self._close)
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        """The work's result, done in the sink's own thread, as all that touches the file is."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        with _telling(self._path):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open_chain(self) -> Head:
        self._open()
        for part in reversed(parts(self._path)):
            with closing(_Descriptor(part.path)) as opened:
                line = last_line(opened.number)
            if line is not None:
                link = read_link(line)
                if link is None:
                    raise OSError(errno.EILSEQ, "its last record cannot be read; move it away to begin anew")
                return link.head
        return genesis(self._chain)

    def _write(self, lines: Sequence[bytes]) -> None:
        if self._descriptor is None or not _names(self._path, self._descriptor):
            _log.error("audit log was moved or removed; it goes on in a new file", path=str(self._path))
            self._open()
        elif lines and self._is_full():
            self._rotate()
        if self._descriptor is None:
            raise OSError(errno.EBADF, "it is closed")
        if lines and self._size == 0:
            self._begun = time.time()
        content = b"\n".join([*lines, b""]) if lines else b""
        write_lines(self._descriptor, content)
        self._sync(self._descriptor)
        self._size += len(content)

    def _is_full(self) -> bool:
        old = time.time() - self._begun >= self._rotation.seconds
        return self._size > 0 and (old or self._size >= self._rotation.size)

    def _rotate(self) -> None:
        if self._descriptor is None:
            return
        link = read_link(first_line(self._descriptor, _FIRST_LINE))
        if link is None:
            raise OSError(errno.EILSEQ, "its first record cannot be read; move it away to begin anew")
        away = self._path.with_name(f"{self._path.name}.{link.number:012}")
        if away.exists():
            raise OSError(errno.EEXIST, f"{away.name} is there already")
        os.fsync(self._descriptor)
        self._path.rename(away)
        self._open()

    def _open(self) -> None:
        """Opens the file, locked against other processes, its last line whole, its name durable."""
        self._close()
        descriptor = open_lines(self._path)
        try:
            _lock(self._path, descriptor)
            cut_torn_line(descriptor)
            sync_directory(self._path.parent)
            self._size = os.fstat(descriptor).st_size
            self._begun = _written_at(first_line(descriptor, _FIRST_LINE))
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FileArchive(Archive):
    """The chains of an instance in files beside each other: `path` without a part, and those of its parts."""

    def __init__(self, path: Path, instance: str) -> None:
        self._path = path
        self._instance = instance

    async def chains(self) -> Sequence[str]:
        """The chains, by the files that there are."""
        return await _in_thread(self._path, self._chains)

    def follow(self, chain: str, after: int = 0) -> Follower:
        """Reads a chain file by file."""
        return FileFollower(self._file(chain), after)

    async def expired(self, chain: str, before: dt.datetime, last: int) -> Link | None:
        """The first record of the oldest file to keep: whole files go, and never the newest."""
        return await _in_thread(self._path, lambda: self._expired(chain, before.timestamp(), last))

    async def retire(self, chain: str, first: int) -> None:
        """Deletes the files that hold nothing from `first` on."""
        await _in_thread(self._path, lambda: self._retire(chain, first))

    async def close(self) -> None:
        """Holds nothing."""

    def _file(self, chain: str) -> Path:
        return part_file(self._path, chain.removeprefix(self._instance))

    def _chains(self) -> Sequence[str]:
        log = re.compile(rf"{re.escape(self._path.stem)}{PART}{re.escape(self._path.suffix)}({ROTATED.pattern})?")
        found = {
            named[1] or ""
            for file in self._path.parent.glob("*")
            if (named := log.fullmatch(file.name)) and file.is_file() and file.stat().st_size
        }
        return sorted(self._instance + part for part in found)

    def _expired(self, chain: str, before: float, last: int) -> Link | None:
        kept = None
        for old, following in pairwise(parts(self._file(chain))):
            if following.first > last + 1 or old.path.stat().st_mtime >= before:
                break
            kept = following
        if kept is None:
            return None
        with closing(_Descriptor(kept.path)) as opened:
            return read_link(first_line(opened.number, _FIRST_LINE))

    def _retire(self, chain: str, first: int) -> None:
        for old, following in pairwise(parts(self._file(chain))):
            if following.first <= first:
                old.path.unlink()
        sync_directory(self._path.parent)


class FileFollower(Follower):
    """Reads the files of a chain one after the other, each to its end, whatever it is called meanwhile."""

    def __init__(self, path: Path, after: int = 0) -> None:
        self._path = path
        self._after = after
        self._file: _Descriptor | None = None
        self._offset = 0

    async def read(self) -> Sequence[bytes]:
        """The next lines."""
        return await _in_thread(self._path, self._read)

    async def close(self) -> None:
        """Closes the file that it reads."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Sequence[bytes]:
        while True:
            if lines := self._lines():
                return lines
            following = self._following()
            # Nothing is written to a file any more once there is one after it, but may have been since it was read.
            if following is None or (lines := self._lines()):
                return lines
            if self._file is not None:
                self._file.close()
            self._file, self._offset = _Descriptor(following.path), 0

    def _following(self) -> Part | None:
        """The file after the one that is read; the one to begin with where none is read yet."""
        files = parts(self._path)
        if self._file is None:
            earlier = [part for part in files if part.first <= self._after + 1]
            return earlier[-1] if earlier else next(iter(files), None)
        for part, following in pairwise(files):
            if self._file.is_of(part.path):
                return following
        return None

    def _lines(self) -> Sequence[bytes]:
        """The next lines of the file that are to be read; none at its end."""
        while chunk := self._chunk():
            if lines := [line for line in chunk if not self._passed(line)]:
                return lines
        return ()

    def _chunk(self) -> Sequence[bytes]:
        if self._file is None:
            return ()
        content = b""
        while b"\n" not in content:
            more = os.pread(self._file.number, READ_BYTES, self._offset + len(content))
            if not more:
                return ()
            content += more
        whole = content[: content.rindex(b"\n")]
        # What is read here may be signed before whoever wrote it has synced it.
        os.fsync(self._file.number)
        self._offset += len(whole) + 1
        return whole.split(b"\n")

    def _passed(self, line: bytes) -> bool:
        """Whether the line is still one of those not to be read."""
        link = read_link(line) if self._after else None
        if link is not None and link.number <= self._after:
            return True
        self._after = 0
        return False


def parts(path: Path) -> list[Part]:
    """The files of a chain that hold records, oldest first. Raises `OSError`."""
    found = []
    for file in path.parent.glob(f"{path.name}*"):
        if file != path and not ROTATED.fullmatch(file.name.removeprefix(path.name)):
            continue
        with closing(_Descriptor(file)) as opened:
            line = first_line(opened.number, _FIRST_LINE)
        if line:
            link = read_link(line)
            found.append(Part(file, link.number if link else _named_number(file, path)))
    return sorted(found, key=lambda part: (part.first, part.path == path))


def _named_number(file: Path, path: Path) -> int:
    """The number in the name of a file whose first record is damaged; beyond all others for the one being written."""
    digits = file.name.removeprefix(f"{path.name}.")
    return int(digits) if digits.isdecimal() and file != path else 10**18


class _Descriptor:
    """A file that is open for reading."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def is_of(self, path: Path) -> bool:
        return _names(path, self.number)

    def close(self) -> None:
        os.close(self.number)


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        found, opened = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another process is writing it") from None
    if not _names(path, descriptor):
        raise OSError(errno.EBUSY, "another process is rotating it")


def _written_at(line: bytes) -> float:
    """When a record was written, in seconds since the epoch, as it says itself; now, where it does not."""
    found = _WRITTEN_AT.search(line)
    try:
        return dt.datetime.fromisoformat(found[1].decode()).timestamp() if found else time.time()
    except ValueError:
        return time.time()


async def _in_thread(path: Path, work: Callable[[], _Result]) -> _Result:
    with _telling(path):
        return await asyncio.to_thread(work)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AuditSinkError(f"{error.filename or path}: {error.strerror}") from error
