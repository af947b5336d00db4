"""The rows of workbooks (ECMA-376)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, Final

import openpyxl
from openpyxl.cell.cell import ERROR_CODES

from connectors.drops.form import DropForm, DropUnusable
from connectors.drops.unpacking import largest

_PIECE: Final = 1024 * 1024
_FORMULA: Final = re.compile(rb"<(?:[A-Za-z0-9]{1,20}:)?f[ />]")
"""The tag of a formula (ECMA-376 part 1, 18.3.1.40), whatever the prefix."""
_LONGEST_TAG: Final = 24
_EXACT: Final = 10**15
"""Workbooks keep 15 digits of a number, and noughts for the others (ECMA-376 part 1, 18.17.5.2): from here on it may be
another one than was entered.
"""


def workbook_rows(file: BinaryIO, form: DropForm) -> Iterator[Mapping[str, object]]:
    """The rows of the sheet, of the columns that are read. Raises `DropUnusable`, and what openpyxl raises."""
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
