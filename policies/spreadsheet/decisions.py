"""The sheets of decisions, one a purpose: what stands where, and what may be written into a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from openpyxl.styles import Font, Protection
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from policies.masks import MASKS
from policies.rulebook import OBJECTION
from policies.spreadsheet.cell import write_row
from policies.spreadsheet.matrix import CLEAR, MASKED, WITHHELD, Column, Matrix, Place
from policies.spreadsheet.sheet import decision_titles, digest, shown
from schema.catalogue import Catalogue

LABELS: Final = ("agency", "data", "tier", "mask", "description", "说明")
_LABEL_WIDTHS: Final = (20, 34, 14, 10, 30, 30)
_DECISION_WIDTH: Final = 16


@dataclass(frozen=True, slots=True)
class DecisionSheets:
    """What the sheets of decisions of one policy hold. Rows count from 1, the heading's."""

    matrix: Matrix
    catalogue: Catalogue
    cells: Mapping[str, frozenset[str]]
    columns: tuple[Column, ...]
    data: tuple[tuple[str, str], ...]
    """Agency and coordinate of each row below the heading."""

    titles: Mapping[str | None, str]

    def rows(self, purpose: str | None) -> tuple[tuple[str, ...], ...]:
        """The texts of one sheet, its heading first. In the last column stands a digest of the row as it was exported;
        the heading's covers the whole sheet.
        """
        title = self.titles[purpose]
        rows = [_signed(title, self._row(purpose, *data)) for data in self.data]
        heading = (*LABELS, *(column.heading for column in self.columns))
        return (*heading, sheet_digest(title, heading, [row[-1] for row in rows])), *rows

    def choices(self, coordinate: str) -> tuple[str, ...]:
        """What may be decided on a coordinate, apart from nothing."""
        field = self.catalogue.field(coordinate)
        if field is None or field.name == OBJECTION:
            return CLEAR, WITHHELD
        return CLEAR, WITHHELD, *(f"{MASKED}{mask.name}" for mask in MASKS.values() if field.kind in mask.kinds)

    def where(self, place: Place) -> str:
        """The sheet and the cell in which a decision is."""
        row = self.data.index((place.agency, place.coordinate)) + 2
        column = next(i for i, c in enumerate(self.columns, 1) if c.role == place.role and place.basis in c.bases)
        return f"{self.titles[place.purpose]}!{get_column_letter(len(LABELS) + column)}{row}"

    def _row(self, purpose: str | None, agency: str, coordinate: str) -> Iterator[str]:
        described = self.catalogue.field(coordinate)
        about = described or self.catalogue.records[coordinate]
        mask = described.mask if described else None
        tier = self.matrix.policy.tiers[coordinate]
        yield from (agency, coordinate, tier, mask or "", about.description, about.description_zh)
        for column in self.columns:
            yield self.matrix.word(Place(purpose, agency, coordinate, column.role, column.bases[0]))


def decision_sheets(matrix: Matrix, catalogue: Catalogue, cells: Mapping[str, frozenset[str]]) -> DecisionSheets:
    """The sheets for the coordinates that each agency supplies."""
    data = tuple(
        (agency, coordinate)
        for agency in sorted(cells)
        for coordinate, _ in catalogue.tiers()
        if coordinate in cells[agency]
    )
    titles = decision_titles(matrix.policy.purposes)
    return DecisionSheets(matrix, catalogue, cells, matrix.columns(), data, titles)


def row_digest(title: str, texts: tuple[str, ...]) -> str:
    """The digest of a row of the sheet of this name."""
    return digest((title, *texts))


def sheet_digest(title: str, heading: tuple[str, ...], rows: list[str]) -> str:
    """The digest of a whole sheet, from the digests of its rows."""
    return digest((title, *heading, *rows))


def write_decisions(sheet: Worksheet, sheets: DecisionSheets, purpose: str | None) -> None:
    """Fills the sheet of one purpose: protected, but for the decisions, which offer their choices."""
    for number, texts in enumerate(sheets.rows(purpose), 1):
        write_row(sheet, number, texts)
    first, last = len(LABELS) + 1, len(LABELS) + len(sheets.columns)
    for row in sheet.iter_rows(min_row=2, max_row=len(sheets.data) + 1, min_col=first, max_col=last):
        for cell in row:
            cell.protection = Protection(locked=False)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column in range(1, last + 2):
        width = _LABEL_WIDTHS[column - 1] if column < first else _DECISION_WIDTH
        sheet.column_dimensions[get_column_letter(column)].width = width
    if sheets.columns:
        _offer(sheet, sheets, (get_column_letter(first), get_column_letter(last)))
    sheet.protection.enable()
    sheet.protection.formatColumns = False
    sheet.freeze_panes = f"{get_column_letter(first)}2"


def _offer(sheet: Worksheet, sheets: DecisionSheets, letters: tuple[str, str]) -> None:
    offers: dict[tuple[str, ...], DataValidation] = {}
    numbered = enumerate((sheets.choices(coordinate) for _, coordinate in sheets.data), 2)
    for choices, group in groupby(numbered, lambda item: item[1]):
        rows = [number for number, _ in group]
        if choices not in offers:
            offers[choices] = DataValidation("list", formula1=f'"{",".join(choices)}"', allow_blank=True)
            offers[choices].showErrorMessage = True
            sheet.add_data_validation(offers[choices])
        offers[choices].add(f"{letters[0]}{rows[0]}:{letters[1]}{rows[-1]}")


def _signed(title: str, texts: Iterator[str]) -> tuple[str, ...]:
    held = tuple(map(shown, texts))
    return (*held, row_digest(title, held))
