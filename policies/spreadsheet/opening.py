"""A workbook that somebody sent: opened inside bounds, and nothing hidden in it."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Final

from openpyxl import Workbook, load_workbook

from policies.errors import Finding, PolicyInvalid
from policies.spreadsheet.sheet import BASE_CELL, GUIDE, RULES
from policies.vocabulary import near

_MOST_BYTES: Final = 10_000_000
_MOST_UNPACKED: Final = 100_000_000
_MOST_ROWS: Final = 20_000
_MOST_COLUMNS: Final = 500
_MOST_PARTS: Final = 1_000


def opened(content: bytes) -> Workbook:
    """The workbook, inside its bounds; `PolicyInvalid` where it is none, or too large. openpyxl refuses entities in XML
    where defusedxml is installed.
    """
    try:
        fits = _fits(content)
        book = load_workbook(BytesIO(content)) if fits else None
    except Exception as error:
        message = f"the file cannot be read as a workbook ({type(error).__name__})"
        raise PolicyInvalid([Finding("workbook", 1, "UNREADABLE", message, "save it as .xlsx")]) from error
    if book is None:
        raise PolicyInvalid([Finding("workbook", 1, "TOO_LARGE", "the workbook is too large", "export it anew")])
    return book


def _fits(content: bytes) -> bool:
    if len(content) > _MOST_BYTES:
        return False
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
    return len(parts) <= _MOST_PARTS and sum(part.file_size for part in parts) <= _MOST_UNPACKED


def check_book(book: Workbook, digest: str, found: list[Finding]) -> None:
    """Notes what may not be in a workbook, and one that is not of the policy with this digest."""
    for name in (GUIDE, RULES):
        if name not in book.sheetnames:
            hint = near(name, book.sheetnames)
            found.append(Finding(name, 1, "MISSING_SHEET", f"the workbook lacks the sheet `{name}`", hint))
    for sheet in book.worksheets:
        where = f"{sheet.title}!A1"
        if sheet.sheet_state != "visible":
            found.append(Finding(where, 1, "HIDDEN_SHEET", "the sheet is hidden", "show it, or remove it"))
        if sheet.max_row > _MOST_ROWS or sheet.max_column > _MOST_COLUMNS:
            message = f"the sheet has more than {_MOST_ROWS} rows or {_MOST_COLUMNS} columns"
            found.append(Finding(where, 1, "TOO_LARGE", message, "remove what is not a rule"))
        found.extend(
            Finding(f"{sheet.title}!{merged.coord}", merged.min_row, "MERGED", "cells are merged", "unmerge them")
            for merged in sheet.merged_cells.ranges
        )
    if found:
        return
    if book[GUIDE][BASE_CELL].value != digest:
        message = "the workbook was exported from another version of the policy"
        found.append(Finding(f"{GUIDE}!{BASE_CELL}", 1, "OTHER_BASE", message, "export it anew, and edit that"))
