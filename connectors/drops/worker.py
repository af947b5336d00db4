"""The process that indexes one drop: a foreign file is read where it can neither hold the event loop nor take the
gateway's memory. It is told its `Job` on its standard input, and tells its `Made` or `Refused` on its output.
"""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connectors.drops.encodings import advice
from connectors.drops.form import DropForm, DropUnusable, FileFormat
from connectors.drops.records import read_header, records, row_reader
from connectors.drops.tables import is_table, write_lines
from connectors.drops.unpacking import is_packed, transcode, unpack
from connectors.keys import normal_key
from connectors.paths import reader

PLACES: Final = "places"
"""The file of the index: the table `places`, of (key, offset, length)."""

_MEMORY: Final = 4 * 1024**3
"""The most bytes that the process may have: a workbook that unpacks to more ends it, and nothing else."""

_NICENESS: Final = 10
"""Requests come first."""

_KEY: Final = re.compile(r"[0-9A-Z]+", re.ASCII)
"""The characters of a normalised code or number; whether it is a right one matters only when asked for."""

_UNSAFE: Final = "utf-16"
"""Encodings (by how they begin) in which a newline's byte may be part of another character."""


@dataclass(frozen=True, slots=True)
class Job:
    """A drop to be indexed: its descriptor, its name, how it is written, and the directory for what is made of it."""

    descriptor: int
    name: str
    form: DropForm
    directory: str


class Made(msgspec.Struct, frozen=True, tag=True):
    """An index. `rows` is the file in the job's directory that the places are of (None: the drop itself), `form` how it
    is written.

    `unreadable` counts the records that are whole but have no code for a key, or not the header's number of columns.
    """

    rows: str | None
    form: DropForm
    header: tuple[str, ...]
    companies: int
    unreadable: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Why there is no index."""

    reason: str


def index(job: Job) -> Made:
    """Reads the whole drop, and writes its index into the job's directory. Raises `DropUnusable`, `OSError`."""
    directory = Path(job.directory)
    with ExitStack() as files:
        drop = files.enter_context(os.fdopen(job.descriptor, "rb", closefd=False))
        file, form, made = _plain(drop, job, files)
        found = records(file, form)
        header: tuple[str, ...] = ()
        if form.format is FileFormat.DELIMITED:
            found = islice(found, form.skip, None)
            header = form.header or _read_header(next(found, (0, b""))[1], form)
            form.check_header(header)
        places = _Places(found, form, header)
        companies = _write(places, directory / PLACES)
        if places.strange is not None and not places.keyed:
            hint = advice(places.strange, form, {form.key.partition(".")[0]})
            raise DropUnusable(f"none of its records has its columns and something at the key, {form.key!r}{hint}")
    return Made(made, form, header, companies, places.unreadable)


def _read_header(record: bytes, form: DropForm) -> tuple[str, ...]:
    """The columns' names. Raises `DropUnusable` where some are not there: in another encoding they may be."""
    header = read_header(record, form)
    try:
        form.check_header(header)
    except DropUnusable as error:
        raise DropUnusable(f"{error}{advice(record, form, {form.key, *form.columns})}") from None
    return header


def _plain(drop: BinaryIO, job: Job, files: ExitStack) -> tuple[BinaryIO, DropForm, str | None]:
    """The text file that the drop is or holds, how it is written, and its name in the job's directory. `files` closes
    what is made.
    """
    file, form, made = drop, job.form, None
    if is_packed(job.name):
        packed, made = file, "unpacked"
        file = _new(job, made, files)
        unpack(packed, job.name, form.member, file)
        form = replace(form, unended=True)  # half of an archive would not have been unpacked
        file.seek(0)
    if is_table(form):
        table, made = file, "lines"
        file = _new(job, made, files)
        form = write_lines(table, form, file)
    elif form.encoding.startswith(_UNSAFE):
        text, made = file, "text"
        file = _new(job, made, files)
        transcode(text, form, file)
        form = replace(form, encoding="utf-8")
    file.seek(0)
    return file, form, made


def _new(job: Job, name: str, files: ExitStack) -> BinaryIO:
    return files.enter_context((Path(job.directory) / name).open("w+b"))


class _Places:
    """The places of a file's records by key, and how many records had none. `strange` is the first in which nothing
    could stand for one, `keyed` whether there was any other.
    """

    def __init__(self, found: Iterator[tuple[int, bytes]], form: DropForm, header: tuple[str, ...]) -> None:
        self._found = found
        self._read = row_reader(form, header)
        self._key = reader(form.key, nested=form.nested)
        self._lengths = form.key_lengths
        self.unreadable = 0
        self.strange: bytes | None = None
        self.keyed = False

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        """Each record's key, offset and length."""
        for offset, record in self._found:
            row = self._read(record)
            found = None if row is None else self._key(row)
            key = None if found is None else normal_key(found)
            if found is not None:
                self.keyed = True
            elif self.strange is None:
                self.strange = record
            if key is not None and len(key) in self._lengths and _KEY.fullmatch(key):
                yield key, offset, len(record)
            else:
                self.unreadable += 1


def _write(places: _Places, target: Path) -> int:
    """Writes the index, and gives the number of companies."""
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        # Nobody reads it before it is whole: there is nothing to roll back to.
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE")
        # Sorted first, the tree is written from left to right: ten times as quick as row by row.
        database.execute("CREATE TEMP TABLE found (key TEXT, offset INTEGER, length INTEGER)")
        database.execute("BEGIN")
        database.executemany("INSERT INTO found VALUES (?, ?, ?)", places)
        database.execute("COMMIT")
        database.execute(
            "CREATE TABLE places (key TEXT, offset INTEGER, length INTEGER, PRIMARY KEY (key, offset)) WITHOUT ROWID"
        )
        database.execute("INSERT INTO places SELECT key, offset, length FROM found ORDER BY key, offset")
        return int(database.execute("SELECT count(DISTINCT key) FROM places").fetchone()[0])


def work(told: bytes) -> bytes:
    """Does the `Job` that it is told, and tells the `Made` or `Refused` that comes of it: all of them in JSON."""
    job = msgspec.json.decode(told, type=Job)
    result: Made | Refused
    try:
        result = index(job)
    except DropUnusable as error:
        result = Refused(str(error))
    except Exception as error:  # noqa: BLE001  (for a foreign file the libraries raise anything)
        result = Refused(type(error).__name__)
    return msgspec.json.encode(result)


def main() -> None:
    """Does the one job."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.stdout.buffer.write(work(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
