"""Workbooks, Parquet files and documents (JSON, XML), written anew as JSON lines of what is read: these can be looked
up by place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from typing import BinaryIO, Final, get_args

from msgspec.json import Encoder

from connectors.documents import Encoding, Format, read_document
from connectors.drops.form import DropForm, DropUnusable, FileFormat
from connectors.paths import follow

_AS_DECLARED: Final = "utf-8"
"""The encoding by which a document is read as it declares, or shows by how it begins: the default."""

_BATCH: Final = 1000
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
    from connectors.drops.workbooks import workbook_rows  # noqa: PLC0415  (openpyxl takes a tenth of a second to import)

    yield from workbook_rows(file, form)


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
