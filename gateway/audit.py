"""The audit log: JSON lines, each durable before `append` returns.

Records that wait while the disk is busy are written and synced together (group commit), so that durability costs one
sync for many requests. A log that cannot be written closes the door: nobody gets an answer until it can be again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import orjson
import structlog

from gateway.errors import AuditUnavailableError

_BLOCK: Final = 65_536
_log = structlog.stdlib.get_logger(__name__)


class AuditLog:
    """The audit log in one file, which it creates (mode 0600) and which no other process may write meanwhile.

    Use it as an async context manager. `sync` makes a file descriptor's data durable.
    """

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = path
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._descriptor: int | None = None
        self._waiting: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False

    async def __aenter__(self) -> Self:
        """Opens the file. Raises `AuditUnavailableError`."""
        await self._commit(b"")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Writes what waits, then closes the file."""
        self._closed = True
        if self._writer is not None:
            await self._writer
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def append(self, record: Mapping[str, object]) -> None:
        """Returns when the record is durable. Raises `AuditUnavailableError` where it cannot be made so."""
        await self._commit(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    async def check(self) -> str | None:
        """Whether the file can be opened and synced, as a `gateway.health.Check`."""
        try:
            await self._commit(b"")
        except AuditUnavailableError:
            return "cannot be written"
        return "could not be written last time" if self._failing else None

    async def _commit(self, line: bytes) -> None:
        if self._closed:
            raise AuditUnavailableError
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((line, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="audit writer")
        if not await durable:
            raise AuditUnavailableError

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            lines = b"".join(line for line, _ in batch)
            written = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, lines)
            for _, durable in batch:
                if not durable.done():  # done: whoever waited was cancelled
                    durable.set_result(written)
        self._writer = None

    def _write(self, lines: bytes) -> bool:
        """Runs in the log's thread, as all that touches the file does."""
        try:
            if self._descriptor is not None and not _names(self._path, self._descriptor):
                _log.error("audit log was moved or removed; a new one is begun", path=str(self._path))
                self._close()
            if self._descriptor is None:
                self._descriptor = _open(self._path)
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._sync(self._descriptor)
        except OSError as error:
            # After a failed sync the kernel may call the lost pages clean, so this descriptor is not believed again.
            self._close()
            self._failing = True
            _log.error("audit log cannot be written", path=str(self._path), error=error.strerror)
            return False
        if lines:
            self._failing = False
        return True

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def worker_file(path: Path, number: int) -> Path:
    """The file of one of several workers beside each other, which count from 1: `audit-1.jsonl` of `audit.jsonl`."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _open(path: Path) -> int:
    """The file's descriptor, locked against other processes, its last line whole, its name durable."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        os.ftruncate(descriptor, _whole_lines(descriptor))
        _sync_directory(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        found, opened = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another process is writing it") from None


def _whole_lines(descriptor: int) -> int:
    """The length of the file without a torn last line, which nobody was told is durable: it lacks its end."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
