"""How a drop is written, and what tells one state of a file from another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class DropUnusable(ValueError):
    """The file is not (yet) what it should be: half-written, of other columns, or changed while it was read.

    The message holds no value.
    """


class FileFormat(StrEnum):
    """What an agency writes its rows as."""

    DELIMITED = "delimited"
    JSON_LINES = "jsonLines"
    JSON = "json"
    XML = "xml"
    XLSX = "xlsx"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class DropForm:
    """How the drops are written.

    `key` is the column of the company's code (a path with `nested`, of JSON and XML), which has one of
    `key_lengths`; `columns` are those that must be there. Delimited: `delimiter`, whether quotation marks mean
    anything, and whether the last line may have no end. Delimited and workbooks: the columns' names where no row tells
    them, and how many lines or rows to skip before. `rows` is the path to the rows of a document (None: it
    is the list of them). `sheet` is that of a workbook (None: the first), `member` the name
    or pattern of the file in an archive (None: the only one).
    """

    key: str
    columns: frozenset[str]
    key_lengths: tuple[int, ...] = (9, 18)
    format: FileFormat = FileFormat.DELIMITED
    nested: bool = False
    encoding: str = "utf-8"
    delimiter: str = ","
    quotes: bool = True
    unended: bool = False
    header: tuple[str, ...] = ()
    skip: int = 0
    rows: str | None = None
    sheet: str | None = None
    member: str | None = None

    def check_header(self, header: tuple[str, ...]) -> None:
        """Raises `DropUnusable` where a column is missing, or where one that is read is there twice."""
        for name in (self.key, *sorted(self.columns)):
            if header.count(name) != 1:
                reason = "has a column twice" if name in header else "lacks a column"
                raise DropUnusable(f"its header {reason} which the manifest reads: {name!r}")


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
