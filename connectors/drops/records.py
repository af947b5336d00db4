"""The records of a text file: where each ends, and the row that it holds."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import BinaryIO, Final

from msgspec import MsgspecError
from msgspec.json import Decoder

from connectors.contract import RawRow
from connectors.drops.encodings import advice
from connectors.drops.form import DropForm, DropUnusable, FileFormat

LONGEST_RECORD: Final = 1024 * 1024
"""The most bytes of one record: a quotation mark that is never closed would swallow the file."""

_NO_END: Final = (
    "its last line has no end (half-written; where it is always so, set unended), a line is too long, or a quotation "
    "mark is never closed (with quotes: false they mean nothing)"
)

ReadRow = Callable[[bytes], RawRow | None]
"""From a record to its row, None where it holds none. Raises `DropUnusable` where it is in another encoding."""

_WRAPPED: Final = '="'
_BOM: Final = "\ufeff"
_decode_object: Final = Decoder(dict[str, object], float_hook=Decimal).decode


class _Quoted(csv.excel):
    strict = True


class _Unquoted(csv.excel):
    strict = True
    quoting = csv.QUOTE_NONE


def records(file: BinaryIO, form: DropForm) -> Iterator[tuple[int, bytes]]:
    """Each record with its offset: lines, put together where a quoted field goes on over several.

    Bytes are enough to find the ends: in UTF-8 and GB 18030 no character's later byte is a quotation mark or a newline.
    A last line without an end is a record only if it cannot have been cut off, as a JSON object cannot, or if the form
    says so. Raises `DropUnusable`.
    """
    delimited = form.format is FileFormat.DELIMITED
    goes_on, ends = delimited and form.quotes, delimited and not form.unended
    offset, record = 0, b""
    while line := file.readline(LONGEST_RECORD + 1):
        record = record + line if record else line
        if goes_on and record.count(b'"') % 2 and len(record) <= LONGEST_RECORD:
            continue
        if len(record) > LONGEST_RECORD or (ends and not line.endswith(b"\n")):
            break
        if not record.isspace():
            yield offset, record
        offset, record = offset + len(record), b""
    if record:
        raise DropUnusable(_NO_END)


def read_header(record: bytes, form: DropForm) -> tuple[str, ...]:
    """The columns' names in the first record of a delimited file. Raises `DropUnusable`."""
    return tuple(name.strip() for name in _fields(record, form))


def row_reader(form: DropForm, header: Sequence[str]) -> ReadRow:
    """How the records of such a file are read; `header` has the columns' names where the form is delimited."""
    if form.format is FileFormat.JSON_LINES:
        return lambda record: _read_object(record, form)
    width = len(header)

    def read(record: bytes) -> RawRow | None:
        fields = _fields(record, form)
        return dict(zip(header, fields, strict=True)) if len(fields) == width else None

    return read


def _fields(record: bytes, form: DropForm) -> list[str]:
    """The record's fields, none where it is no delimited text."""
    dialect: type[csv.Dialect] = _Quoted if form.quotes else _Unquoted
    text = _text(record, form)
    if len(form.delimiter) > 1:
        return text.rstrip("\r\n").split(form.delimiter)
    try:
        fields = next(csv.reader([text], dialect, delimiter=form.delimiter), [])
    except csv.Error:
        return []
    return list(map(_unwrapped, fields)) if _WRAPPED in text else fields


def _unwrapped(field: str) -> str:
    """The text in a formula that is nothing else, ="0012": so those write it who do not want it taken for a number."""
    stripped = field.strip()
    inner = stripped.removeprefix(_WRAPPED).removesuffix('"')
    wrapped = len(inner) == len(stripped) - len(_WRAPPED) - 1 and '"' not in inner
    return inner if wrapped else field


def _read_object(record: bytes, form: DropForm) -> RawRow | None:
    try:
        return _decode_object(_text(record, form))
    except (MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        if isinstance(error, DropUnusable):
            raise
        return None


def _text(record: bytes, form: DropForm) -> str:
    try:
        return record.decode(form.encoding).removeprefix(_BOM)
    except UnicodeDecodeError:
        raise DropUnusable(f"not {form.encoding}, as the manifest says{advice(record, form)}") from None
