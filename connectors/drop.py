"""A delimited file, indexed by company: where in the file each company's rows stand.

The index holds places, not rows: a row is read from the file when it is asked for. The file stays open, so that an
index goes on serving after another file took its name.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from weakref import finalize

from connectors.contract import RawRow
from connectors.keys import normal_key

LONGEST_RECORD: Final = 1024 * 1024
"""The most bytes of one record: a quotation mark that is never closed would swallow the file."""

_BOM: Final = b"\xef\xbb\xbf"
_KEY: Final = re.compile(r"[0-9A-Z]{9}|[0-9A-Z]{18}", re.ASCII)
"""The form of a normalised credit code or organisation code; whether it is a right one matters only when asked for."""


class DropUnusable(ValueError):
    """The file is not (yet) what it should be: half-written, of other columns, or changed while it was read.

    The message holds no value.
    """


@dataclass(frozen=True, slots=True)
class DropFormat:
    """How the drops are written. `key` is the column of the company's code, `columns` are those that must be there."""

    key: str
    columns: frozenset[str]
    encoding: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file's status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @property
    def moment(self) -> datetime:
        """When the file was modified."""
        return datetime.fromtimestamp(self.modified / 1e9, UTC)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class DropIndex:
    """`places` gives (offset, length) of each record by normalised key.

    `unreadable` counts the records that are whole but have no code for a key, or not the header's number of columns.
    """

    descriptor: int
    stamp: Stamp
    drop_format: DropFormat
    header: tuple[str, ...]
    places: Mapping[str, Sequence[tuple[int, int]]] = field(repr=False)
    unreadable: int

    def rows(self, key: str) -> list[RawRow]:
        """The rows of a normalised key. Blocks. Raises `DropUnusable` if the file was written over since, `OSError`."""
        records = [os.pread(self.descriptor, length, offset) for offset, length in self.places.get(key, ())]
        if Stamp.of(os.fstat(self.descriptor)) != self.stamp:
            raise DropUnusable("written over since it was indexed")
        return [dict(zip(self.header, _fields(record, self.drop_format), strict=True)) for record in records]


def open_drop(path: Path, drop_format: DropFormat) -> DropIndex:
    """Reads the whole file once. Blocks: call it in a thread. Raises `DropUnusable`, `OSError`.

    The file is closed when the last reference to the index goes: a look-up in another thread may still read from it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        index = _index(descriptor, drop_format)
    except BaseException:
        os.close(descriptor)
        raise
    finalize(index, os.close, descriptor)
    return index


def _index(descriptor: int, drop_format: DropFormat) -> DropIndex:
    stamp = Stamp.of(os.fstat(descriptor))
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        records = _records(file)
        _, first = next(records, (0, b""))
        header = _header(first, drop_format)
        places, unreadable = _places(records, header, drop_format)
    if Stamp.of(os.fstat(descriptor)) != stamp:
        raise DropUnusable("it changed while it was read")
    return DropIndex(descriptor, stamp, drop_format, header, places, unreadable)


def _header(record: bytes, drop_format: DropFormat) -> tuple[str, ...]:
    header = tuple(name.strip() for name in _fields(record.removeprefix(_BOM), drop_format))
    if drop_format.key not in header or len(set(header)) != len(header):
        raise DropUnusable(f"its first line has no column {drop_format.key!r}, or a column twice")
    missing = sorted(drop_format.columns.difference(header))
    if missing:
        raise DropUnusable(f"its first line has no column {missing[0]!r}, which the manifest reads")
    return header


def _places(
    records: Iterator[tuple[int, bytes]], header: Sequence[str], drop_format: DropFormat
) -> tuple[dict[str, list[tuple[int, int]]], int]:
    column = header.index(drop_format.key)
    places: dict[str, list[tuple[int, int]]] = {}
    unreadable = 0
    for offset, record in records:
        fields = _fields(record, drop_format)
        key = normal_key(fields[column]) if len(fields) == len(header) else None
        if key is None or not _KEY.fullmatch(key):
            unreadable += 1
        else:
            places.setdefault(key, []).append((offset, len(record)))
    return places, unreadable


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each record with its offset: lines, put together where a quoted field goes on over several.

    Bytes are enough to find the ends: in UTF-8 and GB 18030 no character's later byte is a quotation mark or a newline.
    """
    offset, record = 0, b""
    for line in file:
        record += line
        if record.count(b'"') % 2 and len(record) <= LONGEST_RECORD:
            continue
        if not line.endswith(b"\n") or len(record) > LONGEST_RECORD:
            break
        if record.strip():
            yield offset, record
        offset, record = offset + len(record), b""
    if record:
        raise DropUnusable("its last line has no end: half-written")


def _fields(record: bytes, drop_format: DropFormat) -> list[str]:
    """The record's fields, none where it is no delimited text."""
    try:
        return next(csv.reader([record.decode(drop_format.encoding)], delimiter=drop_format.delimiter, strict=True), [])
    except UnicodeDecodeError:
        raise DropUnusable(f"not {drop_format.encoding}") from None
    except csv.Error:
        return []
