"""Where checkpoints are kept: beside the log, and at anchors outside, without which a cut end cannot be seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gateway.audit.lines import cut_torn_line, last_line, open_lines, read_lines, sync_directory, write_lines
from gateway.errors import AuditSinkError


class Ledger(Protocol):
    """The checkpoints of an instance, one after the other. Every method raises `AuditSinkError`."""

    async def append(self, number: int, text: str) -> None:
        """Keeps the checkpoint of this number; it is durable when this returns."""

    async def last(self) -> str | None:
        """The last checkpoint; None where there is none."""

    async def all(self, first: int = 1) -> Sequence[str]:
        """The checkpoints from this place on, the oldest first."""

    async def close(self) -> None:
        """Lets go of what it holds."""


class FileLedger(Ledger):
    """Checkpoints in a file, one a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, number: int, text: str) -> None:  # noqa: ARG002 - the line's place is its number
        """Appends a line and syncs it."""
        with _telling(self._path):
            await asyncio.to_thread(self._append, text)

    async def last(self) -> str | None:
        """The last whole line."""
        with _telling(self._path):
            return await asyncio.to_thread(self._last)

    async def all(self, first: int = 1) -> Sequence[str]:
        """The whole lines from this one on."""
        with _telling(self._path):
            lines = await asyncio.to_thread(lambda: list(read_lines(self._path)))
        return [line.decode(errors="replace") for line in lines[first - 1 :]]

    async def close(self) -> None:
        """Holds nothing."""

    def _append(self, text: str) -> None:
        descriptor = open_lines(self._path)
        try:
            cut_torn_line(descriptor)
            write_lines(descriptor, f"{text}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self._path.parent)

    def _last(self) -> str | None:
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            line = last_line(file.fileno())
        return line.decode(errors="replace") if line is not None else None


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AuditSinkError(f"{path}: {error.strerror}") from error
