"""The decisions that were edited, read out of a workbook's sheets of decisions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

from policies.errors import Finding
from policies.spreadsheet.cell import check_no_formula, finding_at, note, read_text
from policies.spreadsheet.decisions import LABELS, DecisionSheets, row_digest, sheet_digest
from policies.spreadsheet.matrix import Column, Place
from policies.spreadsheet.sheet import GUIDE, LISTS_SHEET, MATRIX_PREFIX, RULES, decision_titles
from policies.vocabulary import near

_MOST_QUOTED: Final = 40


@dataclass(frozen=True, slots=True)
class Edit:
    """A decision that was edited. `where` is its sheet and cell, `before` and `after` are its words."""

    where: str
    purpose: str | None
    agency: str
    coordinate: str
    column: Column
    before: str
    after: str

    def places(self) -> tuple[Place, ...]:
        """Every decision that its column stands for."""
        return tuple(
            Place(self.purpose, self.agency, self.coordinate, self.column.role, basis) for basis in self.column.bases
        )

    def of_records(self) -> bool:
        """Whether it is on whether records are shown at all."""
        return "." not in self.coordinate

    def finding(self, code: str, message: str, hint: str | None) -> Finding:
        """What is wrong with it, by sheet and cell."""
        return finding_at(self.where, code, message, hint)


def read_edits(
    book: Workbook, purposes: Iterable[str], exported: Callable[[], DecisionSheets], found: list[Finding]
) -> tuple[Edit, ...]:
    """The edited decisions, every other change in these sheets being a finding. `purposes` are the policy's.

    `exported` gives what was exported; it is called only where a sheet is not as its digests say.
    """
    by_title = {title: purpose for purpose, title in decision_titles(purposes).items()}
    edits: list[Edit] = []
    for sheet in book.worksheets:
        if sheet.title not in by_title:
            _check_foreign(sheet, found)
        elif not _untouched(sheet):
            edits.extend(_edits(sheet, by_title[sheet.title], exported(), found))
    return tuple(edits)


def _check_foreign(sheet: Worksheet, found: list[Finding]) -> None:
    looks_alike = (sheet["A1"].value, sheet["B1"].value) == LABELS[:2]
    if sheet.title not in {GUIDE, RULES, LISTS_SHEET} and (looks_alike or sheet.title.startswith(MATRIX_PREFIX)):
        note(
            sheet["A1"], "UNKNOWN_SHEET", "no purpose has a sheet of decisions of this name", "name it as before", found
        )


def _untouched(sheet: Worksheet) -> bool:
    """Whether the sheet is as it was exported, by its digests."""
    heading, *rows = [_plain(row) for row in sheet.iter_rows(values_only=True)] or [()]
    width = len(heading)
    whole = sheet_digest(sheet.title, heading[:-1], [row[-1] for row in rows if row])
    return heading[-1:] == (whole,) and all(
        len(row) == width and row[-1] == row_digest(sheet.title, row[:-1]) for row in rows if row
    )


def _plain(row: tuple[object, ...]) -> tuple[str, ...]:
    """The texts of a row up to its last."""
    texts = [_text(value) for value in row]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _edits(sheet: Worksheet, purpose: str | None, exported: DecisionSheets, found: list[Finding]) -> Iterator[Edit]:
    rows = exported.rows(purpose)
    width = len(rows[0])
    if sheet.cell(1, width).value != rows[0][-1]:
        message = "these decisions are not those that were exported: rules or agencies' data have changed since"
        hint = "export it anew, and edit that; if you changed this cell, put it back"
        note(sheet.cell(1, width), "NOT_AS_EXPORTED", message, hint, found)
        return
    for number in range(1, max(sheet.max_row, len(rows)) + 1):
        texts = rows[number - 1] if number <= len(rows) else ("",) * width
        cells = [sheet.cell(number, column) for column in range(1, max(sheet.max_column, width) + 1)]
        editable = range(len(LABELS), width - 1) if 1 < number <= len(rows) else range(0)
        locked = [(cell, text) for i, (cell, text) in enumerate(_against(cells, texts)) if i not in editable]
        if not _check_locked(locked, found):
            return
        for index in editable:
            if _text(cells[index].value) != texts[index]:
                after = _decision(cells[index], exported.choices(texts[1]), found)
                if after is not None and after != texts[index]:
                    column = exported.columns[index - len(LABELS)]
                    where = f"{sheet.title}!{cells[index].coordinate}"
                    yield Edit(where, purpose, texts[0], texts[1], column, texts[index], after)


def _against(cells: list[Cell | MergedCell], texts: tuple[str, ...]) -> Iterator[tuple[Cell | MergedCell, str]]:
    """Each cell with the text that was exported in it."""
    yield from zip(cells, (*texts, *("",) * (len(cells) - len(texts))), strict=True)


def _check_locked(locked: list[tuple[Cell | MergedCell, str]], found: list[Finding]) -> bool:
    """Notes what was changed outside the decisions. Whether the row is still that of the same data: where it is not,
    rows were moved, and nothing below can be told.
    """
    changed = [(cell, text) for cell, text in locked if _text(cell.value) != text]
    for cell, text in changed:
        held = f"held `{text[:_MOST_QUOTED]}`" if text else "was empty"
        message = f"only decisions are edited here; this cell {held}"
        note(cell, "NOT_EDITABLE", message, "put it back, or export anew", found)
    return not any(cell.column in {1, 2} for cell, _ in changed)


def _decision(cell: Cell | MergedCell, choices: tuple[str, ...], found: list[Finding]) -> str | None:
    """The word in an edited cell, None (and a finding) where it is none."""
    before = len(found)
    text = read_text(cell, found)
    check_no_formula(cell, found)
    if len(found) > before:
        return None
    if text in {"", *choices}:
        return text
    folded = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isprintable()).casefold()
    plain = " ".join(folded.split())
    hint = near(plain, choices) or f"leave it empty, or choose one of: {', '.join(choices)}"
    quoted = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_MOST_QUOTED])
    note(cell, "UNKNOWN_DECISION", f"`{quoted}` is no decision on this data", hint, found)
    return None
