"""A sample of an agency's data: what it is written as, and its rows."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, ClassVar, Final

from openpyxl import load_workbook

from connectors.drafting.envelopes import is_around, statuses
from connectors.drafting.names import has_code, is_heading, is_name
from connectors.errors import ConnectorError
from connectors.json_body import read_json
from connectors.paths import AROUND, MISSING, follow, rows_at
from connectors.xml_body import XmlRefused, read_xml

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a sample."""

_TOO_LARGE: Final = f"it is larger than {LARGEST >> 20} MB: a few rows are enough"

MOST_ROWS: Final = 2000
"""Rows that are looked at."""

_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS: Final = ",\t|;"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP: Final = b"\x1f\x8b"
_WORKBOOK: Final = "[Content_Types].xml"
"""What a workbook, which is an archive, has, and other archives have not (ECMA-376, part 2)."""

_OTHERS: Final = {
    b"PAR1": "a Parquet file: name its table's columns in a small CSV file",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel 97-2003 (.xls): save it as .xlsx or CSV",
    b"7z\xbc\xaf": "packed by 7z: unpack it",
    b"Rar!": "packed as RAR: unpack it",
    b"BZh": "packed by bzip2: unpack it, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz: unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it, or pack it by gzip",
    b"%PDF": "a PDF file: take what the system answers, or a drop",
}
"""How other files begin that are given as samples, and what to do with them."""
_DEEPEST: Final = 8

Document = Mapping[str, Any]


class SampleUnreadable(ConnectorError):
    """A sample that cannot be read, or that has no rows. The message holds none of it."""

    code: ClassVar[str] = "SAMPLE_UNREADABLE"


class Form(StrEnum):
    """What a sample is written as."""

    JSON = "json"
    XML = "xml"
    SOAP = "soap"
    DELIMITED = "delimited"
    JSON_LINES = "jsonLines"
    XLSX = "xlsx"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows, and how they are found.

    `rows_path` and `within` are as in a manifest. `statuses` are the paths to what says how the answer went, and what
    it says. `is_connection` tells that the rows are a page as Relay's connections have it. `columns` are those of the
    first line (with `header`, or made up where there is none) or of the table.
    """

    form: Form
    rows: Sequence[Document] = field(repr=False)
    rows_path: str | None = None
    within: str | None = None
    statuses: Sequence[tuple[str, str]] = ()
    is_connection: bool = False
    columns: Sequence[str] = ()
    header: bool = True
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def nested(self) -> bool:
        """Whether paths lead into objects."""
        return self.form in {Form.JSON, Form.XML, Form.SOAP, Form.JSON_LINES}


async def read_sample(content: bytes) -> Sample:
    """The sample, recognised by what it holds; packed by gzip or zip as well. Raises `SampleUnreadable`."""
    if len(content) > LARGEST:
        raise SampleUnreadable(_TOO_LARGE)
    if content.startswith(_GZIP):
        content = _ungzipped(content)
    if content.startswith(_ZIP):
        member = _member(content)
        if member is None:
            return _workbook(content)
        content = member
    for mark, what in _OTHERS.items():
        if content.startswith(mark):
            raise SampleUnreadable(f"it is {what}")
    text, encoding = _decoded(content)
    beginning = text.lstrip()[:1]
    if beginning == "<":
        return await _xml(content)
    if beginning in {"{", "["}:
        try:
            return _found(Form.JSON, await read_json(text.encode()), encoding)
        except (ValueError, ArithmeticError, RecursionError):
            return await _json_lines(text, encoding)
    return _delimited(text, encoding)


def leaves(row: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The dotted paths of a row and what is there. Objects that are keyed by values (codes, dates) are left out."""
    if isinstance(row, Mapping):
        for name, inner in row.items():
            if name == AROUND:
                yield from ((f"{AROUND}.{place}", value) for place, value in leaves(inner) if place)
            elif is_name(name):
                yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(row, list):
        if row and not isinstance(row[0], Mapping | list):
            yield f"{path}.0", row[0]
    elif path:
        yield path, row


def _ungzipped(content: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = unpacking.decompress(content, LARGEST + 1)
    except zlib.error:
        raise SampleUnreadable("it is packed by gzip, and damaged") from None
    if len(found) > LARGEST:
        raise SampleUnreadable(_TOO_LARGE)
    if not unpacking.eof:
        raise SampleUnreadable("it is packed by gzip, and cut off")
    return found


def _member(content: bytes) -> bytes | None:
    """The one file in an archive; None where that is a workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content), metadata_encoding="gb18030") as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if any(entry.filename == _WORKBOOK for entry in entries):
                return None
            if len(entries) != 1:
                raise SampleUnreadable(f"its archive has {len(entries)} files: give the one that is meant, unpacked")
            with archive.open(entries[0]) as file:
                found = file.read(LARGEST + 1)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SampleUnreadable(f"it is an archive that cannot be unpacked ({type(error).__name__})") from None
    if len(found) > LARGEST:
        raise SampleUnreadable(_TOO_LARGE)
    return found


def _decoded(content: bytes) -> tuple[str, str]:
    marked = _MARKS.get(content[:2])
    for encoding in (marked,) if marked else _ENCODINGS:
        try:
            return content.decode(encoding), "utf-8" if encoding == "utf-8-sig" else encoding
        except UnicodeDecodeError:
            continue
    raise SampleUnreadable("it is neither UTF-8 nor GB18030, nor UTF-16 with a mark")


async def _xml(content: bytes) -> Sample:
    try:
        document = await read_xml(content, None)
    except XmlRefused as error:
        raise SampleUnreadable(f"XML that is not read: {error}") from None
    ((root, inner),) = document.items() if len(document) == 1 else (("", document),)
    if root == "Envelope" and isinstance(inner, Mapping):
        body = inner.get("Body")
        answer = (
            next((value for value in body.values() if isinstance(value, Mapping)), {})
            if isinstance(body, Mapping)
            else {}
        )
        return _found(Form.SOAP, answer, "utf-8")
    return _found(Form.XML, inner, "utf-8")


async def _json_lines(text: str, encoding: str) -> Sample:
    try:
        rows = [await read_json(line.encode()) for line in islice(filter(str.strip, text.splitlines()), MOST_ROWS)]
    except (ValueError, ArithmeticError, RecursionError):
        raise SampleUnreadable("neither JSON nor JSON lines") from None
    return Sample(Form.JSON_LINES, [row for row in rows if isinstance(row, Mapping)], encoding=encoding)


def _delimited(text: str, encoding: str) -> Sample:
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(_DELIMITERS, key=first.count)
    lines = [line for line in islice(csv.reader(io.StringIO(text), delimiter=delimiter), MOST_ROWS + 1) if any(line)]
    return _table(Form.DELIMITED, lines, encoding, delimiter)


def _workbook(content: bytes) -> Sample:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        lines = [
            ["" if cell is None else cell for cell in line]
            for line in islice(sheet.iter_rows(values_only=True), MOST_ROWS + 1)
        ]
    except Exception as error:  # noqa: BLE001  (the library raises what it meets)
        raise SampleUnreadable(f"no workbook ({type(error).__name__})") from None
    return _table(Form.XLSX, [line for line in lines if any(cell != "" for cell in line)], "utf-8", ",")


def _table(form: Form, lines: Sequence[Sequence[Any]], encoding: str, delimiter: str) -> Sample:
    if not lines:
        raise SampleUnreadable("it is empty")
    names = [str(cell).strip() for cell in lines[0]]
    while names and not names[-1]:
        names.pop()
    header = all(map(is_heading, names)) and len(set(names)) == len(names)
    columns = names if header else [f"column{number}" for number in range(1, len(names) + 1)]
    rows = [dict(zip(columns, line, strict=False)) for line in lines[header:]]
    return Sample(form, rows, columns=columns, header=header, encoding=encoding, delimiter=delimiter)


def _found(form: Form, document: object, encoding: str) -> Sample:
    """The sample with the rows that are likeliest meant: the list with most columns, and a company's code about."""
    candidates = list(_listings(document, None))
    if not candidates:
        raise SampleUnreadable("there are no rows in it: take an answer about a company that has some")

    def worth(candidate: tuple[str | None, str | None, Sequence[Document]]) -> tuple[bool, int, int, bool]:
        _, nested, rows = candidate
        found = [(path, value) for row in rows[:20] for path, value in leaves(row)]
        own = {path for path, _ in found if not path.startswith(f"{AROUND}.")}
        return any(has_code(value) for _, value in found), len(own), len(rows), nested is None

    rows_path, within, rows = max(candidates, key=worth)
    told = statuses(document, rows_path)
    paged = rows_path is not None and within is None and _is_connection(follow(document, rows_path.rpartition(".")[0]))
    return Sample(form, rows[:MOST_ROWS], rows_path, within, told, is_connection=paged, encoding=encoding)


def _is_connection(around: object) -> bool:
    """Whether what is around rows says how to go on (Relay's Cursor Connections Specification, "PageInfo")."""
    return all(follow(around, f"pageInfo.{name}") is not MISSING for name in ("hasNextPage", "endCursor"))


def _listings(
    document: object, path: str | None, depth: int = 0
) -> Iterator[tuple[str | None, str | None, Sequence[Document]]]:
    """Every list of objects in a document, and within the objects of one; an object counts as a list of it, unless it
    is only around others.
    """
    rows = [] if isinstance(document, Mapping) and is_around(document) else rows_at(document, None) or []
    if rows and any(True for _ in leaves(rows[0])):
        yield path, None, rows
    for row in rows[:1]:
        for name in row:
            inner = [(around, rows_at(around, name)) for around in rows]
            nested = [{**one, AROUND: around} for around, found in inner for one in found or ()]
            if is_name(name) and nested and (isinstance(document, list) or isinstance(row[name], list)):
                yield path, name, nested
    if isinstance(document, Mapping) and depth < _DEEPEST:
        for name, inner_document in document.items():
            if is_name(name) and isinstance(inner_document, Mapping | list):
                yield from _listings(inner_document, f"{path}.{name}" if path else name, depth + 1)
