"""The sheet of rules, read and checked cell by cell."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from policies.errors import Finding, PolicyInvalid
from policies.load import PolicyFiles
from policies.located import Findings, Located, read
from policies.rule import NATION, Placed
from policies.rulebook import Vocabulary, check_together, read_rules
from policies.spreadsheet.cell import check_no_formula, read_text
from policies.spreadsheet.sheet import COLUMNS, KEYS, LISTS, RULES, RuleTexts, shown
from policies.vocabulary import near, read_organisations, read_trees
from schema.catalogue import Catalogue

_STRIDE: Final = 64
"""A place in the sheet as one number, row x 64 + column, for findings that carry a line."""


def read_rule_rows(
    sheet: Worksheet, written: Collection[tuple[str, ...]], found: list[Finding]
) -> dict[int, RuleTexts]:
    """The rules by row, their lists joined anew. `written` holds rules of the base, whose texts may begin as they
    like.
    """
    kept = {tuple(map(shown, rule)) for rule in written}
    for column, (_, heading) in enumerate(COLUMNS, 1):
        if sheet.cell(1, column).value != heading:
            where = f"{sheet.title}!{get_column_letter(column)}1"
            found.append(Finding(where, 1, "HEADING", f"the heading is not `{heading}`", "put the columns back"))
    rows: dict[int, RuleTexts] = {}
    for cells in sheet.iter_rows(min_row=2, max_col=len(KEYS)):
        texts = {key: read_text(cell, found) for key, cell in zip(KEYS, cells, strict=True)}
        if not any(texts.values()):
            continue
        if tuple(texts.values()) not in kept:
            for cell in cells:
                check_no_formula(cell, found)
        rows[cells[0].row or 1] = {
            key: ", ".join(filter(None, (part.strip() for part in re.split(r"[,\n]", text)))) if key in LISTS else text
            for key, text in texts.items()
        }
    return rows


def check_rules(
    rules: dict[int, RuleTexts], base: PolicyFiles, catalogue: Catalogue, agencies: Collection[str]
) -> None:
    """Raises `PolicyInvalid` with the mistakes in these rules, each by its cell."""
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
