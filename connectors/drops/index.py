"""A drop, indexed by company: where each company's rows stand.

The index holds places, not rows: a row is read from the file when it is asked for. The file stays open, so that an
index goes on serving after another file took its name. The index itself, and what was made of a drop that cannot be
looked up as it is, are files without a name, which are gone with the process.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from weakref import finalize

import msgspec

from connectors.contract import RawRow
from connectors.drops.form import DropForm, DropUnusable, Stamp
from connectors.drops.records import ReadRow, row_reader
from connectors.drops.worker import PLACES, Job, Made, Refused

LONGEST_INDEXING: Final = 3600.0
"""The most seconds that indexing may take; five million rows take about a minute."""

_decode: Final = msgspec.json.Decoder(Made | Refused).decode


@dataclass(frozen=True, slots=True, weakref_slot=True)
class DropIndex:
    """The index of one state of a drop, `stamp`. `rows_stamp` is the state of the file that the rows are read from.

    `header` has the columns' names of a delimited file. `unreadable` counts the records that are whole but of no
    company.
    """

    stamp: Stamp
    rows_stamp: Stamp
    header: tuple[str, ...]
    companies: int
    unreadable: int
    descriptor: int = field(repr=False)
    places: sqlite3.Connection = field(repr=False)
    read: ReadRow = field(repr=False)

    def rows(self, keys: Iterable[str]) -> list[RawRow]:
        """The rows of normalised keys. Blocks. Raises `DropUnusable` if the file was written over since, `OSError`."""
        query = "SELECT offset, length FROM places WHERE key = ? ORDER BY offset"
        places = [place for key in keys for place in self.places.execute(query, (key,))]
        found = [os.pread(self.descriptor, length, offset) for offset, length in places]
        if Stamp.of(os.fstat(self.descriptor)) != self.rows_stamp:
            raise DropUnusable("written over since it was indexed")
        return [row for row in map(self.read, found) if row is not None]


class _Opened:
    """A drop that is open, and a directory for what is made of it. `let_go` closes and removes them, which otherwise
    happens when the last reference goes: a thread that nobody waits for any more may still use them, or bring them.

    Blocks. Raises `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            directory = TemporaryDirectory(prefix="xinqiao-drop-")
        except BaseException:
            os.close(self.descriptor)
            raise
        self.directory = Path(directory.name)
        self.let_go = finalize(self, _let_go, self.descriptor, directory)


def _let_go(descriptor: int, directory: TemporaryDirectory[str]) -> None:
    os.close(descriptor)
    directory.cleanup()


async def open_drop(path: Path, form: DropForm) -> DropIndex:
    """The drop's index, made by another process. Raises `DropUnusable`, `OSError`, `TimeoutError`.

    The files are closed when the last reference to the index goes: a look-up in another thread may still read them.
    """
    drop = await asyncio.to_thread(_Opened, path)
    try:
        result = await _run(Job(drop.descriptor, path.name, form, str(drop.directory)))
    except BaseException:
        await asyncio.to_thread(drop.let_go)
        raise
    return await asyncio.to_thread(_open, drop, result)


async def _run(job: Job) -> tuple[Stamp, Made]:
    """What the process made of the job, and the state of the drop that it read."""
    before = Stamp.of(os.fstat(job.descriptor))
    made = _decode(await work_apart(msgspec.json.encode(job), job.descriptor))
    if isinstance(made, Refused):
        raise DropUnusable(made.reason)
    if Stamp.of(os.fstat(job.descriptor)) != before:
        raise DropUnusable("it changed while it was read")
    return before, made


async def work_apart(told: bytes, descriptor: int) -> bytes:
    """`worker.work`, by a process of its own, which has the descriptor too. Raises `DropUnusable`, `TimeoutError`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "connectors.drops.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # What libraries say of a foreign file may hold its values.
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(descriptor,),
    )
    try:
        async with asyncio.timeout(LONGEST_INDEXING):
            output, _ = await process.communicate(told)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise DropUnusable("whoever read it came to an end over it")
    return output


def _open(drop: _Opened, result: tuple[Stamp, Made]) -> DropIndex:
    """The index that was made of the drop, which is let go. Blocks. Raises `OSError`."""
    try:
        return _open_made(drop, *result)
    finally:
        drop.let_go()


def _open_made(drop: _Opened, stamp: Stamp, made: Made) -> DropIndex:
    file = drop.directory / PLACES
    places = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    # SQLite opens the file when it is first read, and its name is soon gone.
    places.execute("SELECT key FROM places LIMIT 1").fetchall()
    if made.rows is None:
        descriptor = os.dup(drop.descriptor)
    else:
        descriptor = os.open(drop.directory / made.rows, os.O_RDONLY | os.O_CLOEXEC)
    index = DropIndex(
        stamp,
        Stamp.of(os.fstat(descriptor)),
        made.header,
        made.companies,
        made.unreadable,
        descriptor,
        places,
        row_reader(made.form, made.header),
    )
    finalize(index, _close, descriptor, places)
    return index


def _close(descriptor: int, places: sqlite3.Connection) -> None:
    os.close(descriptor)
    places.close()
