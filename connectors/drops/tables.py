"""Workbooks, Parquet files and documents (JSON, XML), written anew as JSON lines of what is read: these can be looked
up by place.
"""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice
from typing import Any, BinaryIO, Final, get_args

import openpyxl
from msgspec.json import Encoder
from openpyxl.cell.cell import ERROR_CODES

from connectors.documents import Encoding, Format, read_document
from connectors.drops.form import DropForm, DropUnusable, FileFormat
from connectors.drops.unpacking import largest
from connectors.paths import follow

_AS_DECLARED: Final = "utf-8"
"""The encoding by which a document is read as it declares, or shows by how it begins: the default."""

_BATCH: Final = 1000
_PIECE: Final = 1024 * 1024
_FORMULA: Final = re.compile(rb"<(?:[A-Za-z0-9]{1,20}:)?f[ />]")
"""The tag of a formula (ECMA-376 part 1, 18.3.1.40), whatever the prefix."""
_LONGEST_TAG: Final = 24
_EXACT: Final = 10**15
"""Workbooks keep 15 digits of a number, and noughts for the others (ECMA-376 part 1, 18.17.5.2): from here on it may be
another one than was entered.
"""
_encode: Final = Encoder(decimal_format="number").encode


def can_read_parquet() -> bool:
    """Whether the library is installed: it is an extra of this package."""
    return find_spec("pyarrow") is not None


def is_table(form: DropForm) -> bool:
    """Whether such a file is written anew."""
    return form.format in _READERS


def write_lines(file: BinaryIO, form: DropForm, target: BinaryIO) -> DropForm:
    """Writes the table's rows to `target` as lines, and gives the form of these. Raises `DropUnusable`, `OSError`."""
    try:
        target.writelines(_encode(row) + b"\n" for row in _READERS[form.format](file, form))
    except (DropUnusable, OSError):
        raise
    except Exception as error:  # noqa: BLE001  (for a damaged file the libraries raise anything)
        raise DropUnusable(f"no {form.format} that can be read ({type(error).__name__})") from None
    return replace(form, format=FileFormat.JSON_LINES, encoding="utf-8")


def _workbook_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    _check_size(file)
    rows = islice(_sheet_rows(file, form), form.skip, None)
    header = form.header or tuple("" if name is None else str(name).strip() for name in next(rows, ()))
    form.check_header(header)
    places = [(name, header.index(name)) for name in sorted({form.key, *form.columns})]
    for row in rows:
        if any(value is not None for value in row):
            yield {name: _cell(row[place]) if place < len(row) else None for name, place in places}


def _sheet_rows(file: BinaryIO, form: DropForm) -> Iterator[Sequence[object]]:
    """The rows of the sheet, with the last values of formulas. Where there is none, as a program wrote the workbook
    that does not calculate, there is a list: no field can hold it, so that it is counted.
    """
    rows = _read_sheet(file, form, values=True)
    if not _has_formulas(file):
        yield from rows
        return
    for row, written in zip(rows, _read_sheet(file, form, values=False), strict=False):
        yield [[] if value is None and cell is not None else value for value, cell in zip(row, written, strict=False)]


def _read_sheet(file: BinaryIO, form: DropForm, *, values: bool) -> Iterator[Sequence[object]]:
    """The rows of the sheet: the values of formulas, or formulas as they are written."""
    book = openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
    if form.sheet is not None and form.sheet not in book.sheetnames:
        raise DropUnusable(f"it has no sheet {form.sheet!r}")
    sheet: Any = book[form.sheet] if form.sheet is not None else book.worksheets[0]
    # What a workbook says of its size need not be so.
    sheet.reset_dimensions()
    rows: Iterator[Sequence[object]] = sheet.iter_rows(values_only=True)
    return rows


def _has_formulas(file: BinaryIO) -> bool:
    """Whether there may be a formula in the workbook."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            end = b""
            with archive.open(name) as sheet:
                while piece := sheet.read(_PIECE):
                    if _FORMULA.search(end + piece):
                        return True
                    end = piece[-_LONGEST_TAG:]
    return False


def _cell(value: object) -> object:
    """A cell's value. All its numbers are binary; 15 digits of them are meant, as a workbook shows no more.

    An error (#N/A) is no text, and a longer number (a code that was not entered as a text) is no more what it was: they
    become a list, which no field can hold, so that they are counted.
    """
    if isinstance(value, str) and value in ERROR_CODES:
        return []
    if isinstance(value, int | float) and abs(value) >= _EXACT:
        return []
    return float(f"{value:.15g}") if isinstance(value, float) else value


def _check_size(file: BinaryIO) -> None:
    """Raises `DropUnusable` for a workbook, which is an archive, that would unpack to more than may be."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > largest(size):
            raise DropUnusable("its workbook unpacks to more than may be")
    file.seek(0)


def _document_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    """The rows of a whole document. What is no object among them has no key, and is counted."""
    kind: Format = "xml" if form.format is FileFormat.XML else "json"
    encoding = next((known for known in get_args(Encoding) if known == form.encoding != _AS_DECLARED), None)
    document = asyncio.run(read_document(file.read(), kind, encoding))
    found = document if form.rows is None else follow(document, form.rows)
    rows = [found] if isinstance(found, Mapping) else found
    if not isinstance(rows, list):
        raise DropUnusable(f"no list at {form.rows or 'its top'}")
    places = {form.key, *form.columns}
    tops = {path.partition(".")[0] for path in places}
    for row in rows:
        yield {name: _writable(row[name]) for name in tops if name in row} if isinstance(row, Mapping) else {}


def _writable(value: object) -> object:
    """A value of a document. A number that is none (NaN) becomes a list, as an error in a workbook does."""
    match value:
        case Decimal() if not value.is_finite():
            return []
        case list():
            return [_writable(inner) for inner in value]
        case dict():
            return {name: _writable(inner) for name, inner in value.items()}
    return value


def _parquet_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    import pyarrow as pa  # noqa: PLC0415  (an extra, which may not be installed)
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    table = ParquetFile(file)
    form.check_header(tuple(table.schema_arrow.names))
    columns = sorted({form.key, *form.columns})
    single = {field.name for field in table.schema_arrow if field.type in {pa.float16(), pa.float32()}}
    for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
        # As texts, for a double has other digits: 0.10000000149011612 for 0.1.
        written = {name: batch[name].cast(pa.string()) if name in single else batch[name] for name in columns}
        for row in pa.table(written).to_pylist():
            yield {name: _value(row[name], name, single) for name in columns}


def _value(value: object, column: str, single: Collection[str]) -> object:
    """A value of a Parquet file. Its texts may be written without being said to be texts."""
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise DropUnusable(f"its column {column!r} holds bytes that are no text") from None
        case "nan" if column in single:
            return None
        case list() | tuple():
            return [_value(inner, column, ()) for inner in value]
        case dict():
            return {name: _value(inner, column, ()) for name, inner in value.items()}
    return value


_READERS: Final[Mapping[FileFormat, Callable[[BinaryIO, DropForm], Iterable[Mapping[str, object]]]]] = {
    FileFormat.XLSX: _workbook_rows,
    FileFormat.PARQUET: _parquet_rows,
    FileFormat.JSON: _document_rows,
    FileFormat.XML: _document_rows,
}
