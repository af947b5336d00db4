"""Texts in cells: written so that none is taken for a formula, and read so that nothing else passes for a text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Final

from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils.cell import coordinate_from_string
from openpyxl.worksheet.worksheet import Worksheet

from policies.errors import Finding
from policies.spreadsheet.sheet import shown

FORMULA_START: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a text must not begin with: spreadsheets take it for a formula when it is edited."""


def write_row(sheet: Worksheet, row: int, texts: Iterable[str]) -> None:
    """Writes plain texts into a row, from its first cell on; empty ones leave their cell empty."""
    for column, text in enumerate(texts, 1):
        if text:
            cell = sheet.cell(row, column, text)
            cell.data_type = "s"
            if text.startswith(FORMULA_START):
                cell.quotePrefix = True


def finding_at(where: str, code: str, message: str, hint: str | None) -> Finding:
    """What is wrong in a cell (`For credit!H12`), which stands for the file; the row for its line."""
    _, row = coordinate_from_string(where.rpartition("!")[2])
    return Finding(where, row, code, message, hint)


def note(cell: Cell | MergedCell, code: str, message: str, hint: str | None, found: list[Finding]) -> None:
    """Notes a mistake in a cell."""
    found.append(finding_at(f"{cell.parent.title}!{cell.coordinate}", code, message, hint))


def read_raw(cell: Cell | MergedCell, found: list[Finding]) -> str:
    """The text as it stands in the cell, a day as `2026-04-01`. Anything else is a finding."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if cell.data_type == "f":
        note(cell, "FORMULA", "the cell holds a formula", "write its value as text", found)
    elif isinstance(value, str) and cell.data_type == "s":
        return value
    else:
        note(cell, "NOT_A_TEXT", "the cell holds neither a text nor a day", "write it as text", found)
    return ""


def read_text(cell: Cell | MergedCell, found: list[Finding]) -> str:
    """The text without blanks at its ends."""
    return shown(read_raw(cell, found))


def check_no_formula(cell: Cell | MergedCell, found: list[Finding]) -> None:
    """Notes a text that begins as a formula does (what is a formula is noted when it is read)."""
    text = str(cell.value or "")
    if cell.data_type == "f":
        return
    if text.startswith(FORMULA_START) or shown(text).startswith(FORMULA_START):
        note(cell, "FORMULA", "the text begins as a formula does", "begin it with a letter", found)
