"""Workbooks and Parquet files, written anew as JSON lines of the columns that are read: these can be looked up by
place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

import openpyxl
from msgspec.json import Encoder

from connectors.drops.form import DropForm, DropUnusable, FileFormat
from connectors.drops.unpacking import largest

_BATCH: Final = 1000
_encode: Final = Encoder(decimal_format="number").encode


def can_read_parquet() -> bool:
    """Whether the library is installed: it is an extra of this package."""
    return find_spec("pyarrow") is not None


def is_table(form: DropForm) -> bool:
    """Whether such a file is written anew."""
    return form.format in _READERS


def write_lines(file: BinaryIO, form: DropForm, target: Path) -> tuple[BinaryIO, DropForm]:
    """The table's rows as lines, written to `target`, and the form of these. Raises `DropUnusable`, `OSError`."""
    with ExitStack() as stack:
        written = stack.enter_context(target.open("w+b"))
        try:
            for row in _READERS[form.format](file, form):
                written.write(_encode(row) + b"\n")
        except (DropUnusable, OSError):
            raise
        except Exception as error:  # noqa: BLE001  (for a damaged file the libraries raise anything)
            raise DropUnusable(f"no {form.format} that can be read ({type(error).__name__})") from None
        written.seek(0)
        stack.pop_all()
    return written, replace(form, format=FileFormat.JSON_LINES, encoding="utf-8")


def _workbook_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    _check_size(file)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    if form.sheet is not None and form.sheet not in book.sheetnames:
        raise DropUnusable(f"it has no sheet {form.sheet!r}")
    sheet: Any = book[form.sheet] if form.sheet is not None else book.worksheets[0]
    # What a workbook says of its size need not be so.
    sheet.reset_dimensions()
    rows: Iterator[Sequence[object]] = sheet.iter_rows(values_only=True)
    header = tuple("" if name is None else str(name).strip() for name in next(rows, ()))
    form.check_header(header)
    places = [(name, header.index(name)) for name in sorted({form.key, *form.columns})]
    for row in rows:
        if any(value is not None for value in row):
            yield {name: _number(row[place]) if place < len(row) else None for name, place in places}


def _number(value: object) -> object:
    """A cell's value. All its numbers are binary; 15 digits of them are meant, as a workbook shows no more."""
    return float(f"{value:.15g}") if isinstance(value, float) else value


def _check_size(file: BinaryIO) -> None:
    """Raises `DropUnusable` for a workbook, which is an archive, that would unpack to more than may be."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > largest(size):
            raise DropUnusable("its workbook unpacks to more than may be")
    file.seek(0)


def _parquet_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415  (an extra, which may not be installed)

    table = ParquetFile(file)
    form.check_header(tuple(table.schema_arrow.names))
    columns = sorted({form.key, *form.columns})
    for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
        for row in batch.to_pylist():
            yield {name: _text(row[name], name) for name in columns}


def _text(value: object, column: str) -> object:
    """A value of a Parquet file. Its texts may be written without being said to be texts."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DropUnusable(f"its column {column!r} holds bytes that are no text") from None


_READERS: Final[Mapping[FileFormat, Callable[[BinaryIO, DropForm], Iterable[Mapping[str, object]]]]] = {
    FileFormat.XLSX: _workbook_rows,
    FileFormat.PARQUET: _parquet_rows,
}
