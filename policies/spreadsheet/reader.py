"""A workbook read back into a draft's files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable
from datetime import date, datetime, time
from io import BytesIO
from typing import Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from policies.errors import Finding, PolicyInvalid
from policies.load import PolicyFiles, load_policy
from policies.located import Findings, Located, read
from policies.rulebook import NATION, Placed, Vocabulary, check_together, read_rules
from policies.spreadsheet.edit import edited
from policies.spreadsheet.sheet import (
    BASE_CELL,
    COLUMNS,
    GUIDE,
    KEYS,
    LISTS,
    MATRIX_PREFIX,
    RULES,
    RuleTexts,
    row_digest,
    rule_files,
    shown,
)
from policies.store.model import digest_of
from policies.vocabulary import near, read_organisations, read_trees
from schema.catalogue import Catalogue

_MOST_BYTES: Final = 10_000_000
_MOST_UNPACKED: Final = 100_000_000
_MOST_ROWS: Final = 20_000
_MOST_COLUMNS: Final = 500
_MOST_PARTS: Final = 1_000
_STRIDE: Final = 64
"""A place in the sheet as one number, row x 64 + column, for findings that carry a line."""

_FORMULA_START: Final = ("=", "+", "-", "@", "\t", "\r")


def from_workbook(content: bytes, base: PolicyFiles, catalogue: Catalogue, agencies: Collection[str]) -> PolicyFiles:
    """The files of a draft: `base`, the policy that was exported, with the rules as the workbook has them.

    Only changed rules are written anew. Raises `PolicyInvalid`; each finding's `file` is the sheet and cell. Blocks.
    """
    book = _opened(content)
    found: list[Finding] = []
    _check_book(book, digest_of(base), found)
    if found:
        raise PolicyInvalid(found)
    before = rule_files(base)
    rows = _rows(
        book[RULES], {tuple(rule[key] for key in KEYS) for rules in before.values() for _, rule in rules}, found
    )
    if found:
        raise PolicyInvalid(found)
    known = {
        (stem, *(shown(rule[key]) for key in KEYS[1:])): rule for stem, rules in before.items() for _, rule in rules
    }
    after = {row: known.get(tuple(texts[key] for key in KEYS), texts) for row, texts in rows.items()}
    if [*after.values()] != [rule for rules in before.values() for _, rule in rules]:
        _check_rules(after, base, catalogue, agencies)
    return _drafted(base, before, after.values(), catalogue, agencies)


def _drafted(
    base: PolicyFiles,
    before: dict[str, tuple[tuple[int, RuleTexts], ...]],
    after: Iterable[RuleTexts],
    catalogue: Catalogue,
    agencies: Collection[str],
) -> PolicyFiles:
    wanted: dict[str, list[RuleTexts]] = {stem: [] for stem in before}
    for rule in after:
        wanted.setdefault(rule["file"], []).append(rule)
    files = dict(base)
    for stem, rules in wanted.items():
        name, old = f"rules/{stem}.yaml", [rule for _, rule in before.get(stem, ())]
        if {rule["id"]: rule for rule in rules} != {rule["id"]: rule for rule in old}:
            files[name] = edited(base.get(name, b"rules:\n"), old, rules)
    load_policy(files, catalogue, agencies)
    for stem, placed in rule_files(files).items():
        if {rule["id"]: rule for _, rule in placed} != {rule["id"]: rule for rule in wanted.get(stem, [])}:
            message = f"the layout of rules/{stem}.yaml does not allow its rules to be changed one by one"
            raise PolicyInvalid([Finding(f"rules/{stem}.yaml", 1, "LAYOUT", message, "change that file as text")])
    return files


def _opened(content: bytes) -> Workbook:
    """The workbook, inside its bounds. openpyxl refuses entities in XML where defusedxml is installed."""
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


def _check_book(book: Workbook, digest: str, found: list[Finding]) -> None:
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
    for sheet in book.worksheets:
        if sheet.title.startswith(MATRIX_PREFIX):
            _check_matrix(sheet, found)


def _check_matrix(sheet: Worksheet, found: list[Finding]) -> None:
    width = sheet.max_column
    for row in sheet.iter_rows():
        texts = [str(cell.value or "") for cell in row]
        if any(texts) and row_digest(texts[: width - 1]) != texts[-1]:
            number = row[0].row or 1
            message = "this row of decisions was changed; decisions follow from the rules"
            found.append(
                Finding(f"{sheet.title}!A{number}", number, "DECISION_CHANGED", message, f"edit the sheet `{RULES}`")
            )


def _rows(sheet: Worksheet, written: Collection[tuple[str, ...]], found: list[Finding]) -> dict[int, RuleTexts]:
    """The rules by row. `written` holds rules of the base, whose texts may begin as they like."""
    kept = {tuple(map(shown, rule)) for rule in written}
    for column, (_, heading) in enumerate(COLUMNS, 1):
        if sheet.cell(1, column).value != heading:
            where = f"{sheet.title}!{get_column_letter(column)}1"
            found.append(Finding(where, 1, "HEADING", f"the heading is not `{heading}`", "put the columns back"))
    rows: dict[int, RuleTexts] = {}
    for cells in sheet.iter_rows(min_row=2, max_col=len(KEYS)):
        texts = {key: _text(cell, found) for key, cell in zip(KEYS, cells, strict=True)}
        if not any(texts.values()):
            continue
        if tuple(texts.values()) not in kept:
            for cell, text in zip(cells, texts.values(), strict=True):
                if text.startswith(_FORMULA_START) or str(cell.value).startswith(_FORMULA_START):
                    _note(cell, "FORMULA", "the text begins as a formula does", "begin it with a letter", found)
        rows[cells[0].row or 1] = {
            key: ", ".join(filter(None, (part.strip() for part in re.split(r"[,\n]", text)))) if key in LISTS else text
            for key, text in texts.items()
        }
    return rows


def _note(cell: Cell | MergedCell, code: str, message: str, hint: str, found: list[Finding]) -> None:
    found.append(Finding(f"{RULES}!{cell.coordinate}", cell.row or 1, code, message, hint))


def _text(cell: Cell | MergedCell, found: list[Finding]) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if cell.data_type == "f":
        _note(cell, "FORMULA", "the cell holds a formula", "write its value as text", found)
    elif isinstance(value, str) and cell.data_type == "s":
        return shown(value)
    else:
        _note(cell, "NOT_A_TEXT", "the cell holds neither a text nor a day", "write it as text", found)
    return ""


def _check_rules(
    rules: dict[int, RuleTexts], base: PolicyFiles, catalogue: Catalogue, agencies: Collection[str]
) -> None:
    trees = read_trees(_document(base, "trees.yaml"), agencies, Findings(""))
    _, organisations = read_organisations(_document(base, "organisations.yaml"), trees, Findings(""))
    vocabulary = Vocabulary(catalogue, trees, frozenset(organisations))
    findings = Findings(RULES)
    placed: list[Placed] = []
    for row, rule in rules.items():
        stem = rule["file"]
        if stem != NATION and stem not in trees.agencies:
            hint = near(stem, (NATION, *trees.agencies))
            findings.add(row * _STRIDE + 1, "UNKNOWN_AGENCY", f"no agency has the rule file `{stem}`", hint)
            continue
        document = Located({"rules": Located((_located(row, rule),), row * _STRIDE)}, row * _STRIDE)
        placed.extend(read_rules(document, stem, vocabulary, findings))
    found = findings.found + check_together(placed, vocabulary)
    if found:
        raise PolicyInvalid([_placed(finding) for finding in found])


def _document(files: PolicyFiles, name: str) -> Located:
    return read(files.get(name), Findings(name)) or Located({}, 1)


def _located(row: int, rule: RuleTexts) -> Located:
    entries = {}
    for column, key in enumerate(KEYS, 1):
        text, place = rule[key], row * _STRIDE + column
        if text and key not in {"file", "effect"}:
            items = tuple(Located(part, place) for part in text.split(", ")) if key in LISTS else text
            entries[rule["effect"] if key == "things" else key] = Located(items, place)
    return Located(entries, row * _STRIDE)


def _placed(finding: Finding) -> Finding:
    """The finding with its sheet and cell for its file."""
    message = re.sub(rf"{re.escape(RULES)}:(\d+)", lambda match: _where(int(match[1])), finding.message)
    return Finding(_where(finding.line), finding.line // _STRIDE, finding.code, message, finding.hint)


def _where(place: int) -> str:
    row, column = divmod(place, _STRIDE)
    return f"{RULES}!{get_column_letter(column or 1)}{row}"
