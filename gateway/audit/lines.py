"""Files of lines that are only ever appended to: what a crash leaves of them, and how their names are made durable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_BLOCK: Final = 65_536


def open_lines(path: Path) -> int:
    """The descriptor of a file to append to, which is made (mode 0600) where there is none. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def cut_torn_line(descriptor: int) -> None:
    """Removes a torn last line, which nobody was told is durable: it lacks its end."""
    os.ftruncate(descriptor, _line_begins(descriptor, os.fstat(descriptor).st_size))


def write_lines(descriptor: int, lines: bytes) -> None:
    """Writes all of it. Raises `OSError`."""
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def first_line(descriptor: int, most: int) -> bytes:
    """The first line without its newline, or so many bytes of it."""
    return os.pread(descriptor, most, 0).partition(b"\n")[0]


def last_line(descriptor: int) -> bytes | None:
    """The last whole line without its newline; None where there is none."""
    end = _line_begins(descriptor, os.fstat(descriptor).st_size)
    if end == 0:
        return None
    start = _line_begins(descriptor, end - 1)
    return os.pread(descriptor, end - 1 - start, start)


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, without newlines; none where there is no file. Raises `OSError`."""
    try:
        with path.open("rb") as file:
            yield from (line[:-1] for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line_begins(descriptor: int, end: int) -> int:
    """Where the line begins that `end` is in: behind the last newline before it."""
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
