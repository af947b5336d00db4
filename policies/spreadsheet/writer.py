"""A policy as a workbook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from policies.compile import compile_table
from policies.decision import Basis, CallerClass, Decision, Effect
from policies.load import PolicyFiles, load_policy
from policies.masks import MASKS
from policies.policy import NO_BASIS, Organisation, Policy, RuleEffect
from policies.spreadsheet.sheet import (
    BASE_CELL,
    COLUMNS,
    GUIDE,
    KEYS,
    MATRIX_PREFIX,
    RULES,
    row_digest,
    rule_files,
    shown,
)
from policies.store.model import digest_of
from policies.tree import ROOT
from schema.catalogue import Catalogue, Tier

_GUIDE: Final = (
    ("Edit only the sheet of rules: one rule a row.", "只修改“规则”表：每行一条规则。"),
    ("A new row is a new rule; a removed row removes its rule.", "新增一行即新增规则；删除一行即删除规则。"),
    ("Where several are meant, separate them by commas: tax, court.", "多项之间用半角逗号分隔：tax, court。"),
    ("`any` means all. Nothing is allowed that no rule allows.", "any 表示全部。没有规则允许的一律不允许。"),
    ("A deny beats every allow.", "禁止优先于一切允许。"),
    ("The other sheets show what the rules decide, and are not edited.", "其他各表显示规则的结果，请勿修改。"),
    ("Rules at one organisation only are not in them.", "其中不含只针对个别使用单位的规则。"),
    ("An empty cell: no rule. `withheld`: denied.", "空白：没有规则。withheld：不予提供。"),
)
_SPARE_ROWS: Final = 500
_WORDS: Final = {Effect.CLEAR: "clear", Effect.WITHHELD: "withheld"}
_FORBIDDEN_START: Final = ("=", "+", "-", "@", "\t", "\r")


def to_workbook(files: PolicyFiles, catalogue: Catalogue, cells: Mapping[str, frozenset[str]]) -> bytes:
    """The workbook (xlsx) of a policy. `cells` holds the coordinates that each agency supplies. Raises `PolicyInvalid`.

    Blocks, for some seconds where rules are many: not for an event loop.
    """
    policy = load_policy(files, catalogue, cells)
    book = Workbook()
    book.remove(book.worksheets[0])
    _write_guide(book.create_sheet(GUIDE), digest_of(files))
    _write_rules(book.create_sheet(RULES), files)
    _offer(book[RULES], book.create_sheet("Lists 选项"), policy)
    for purpose in (None, *policy.purposes):
        sheet = book.create_sheet(f"{MATRIX_PREFIX}{purpose or ROOT}"[:31])
        for row in _matrix(policy, catalogue, cells, purpose):
            _append(sheet, row)
        sheet.protection.enable()
        sheet.freeze_panes = "G2"
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _append(sheet: Worksheet, texts: Sequence[str]) -> None:
    """Writes a row of plain texts: none of them is taken for a formula, now or when it is edited."""
    row = sheet.max_row + 1 if sheet.max_row > 1 or sheet["A1"].value is not None else 1
    for column, text in enumerate(texts, 1):
        if text:
            cell = sheet.cell(row, column, text)
            cell.data_type = "s"
            if text.startswith(_FORBIDDEN_START):
                cell.quotePrefix = True


def _write_guide(sheet: Worksheet, digest: str) -> None:
    _append(sheet, ("Exported policy 导出的政策", digest))
    for texts in _GUIDE:
        _append(sheet, texts)
    sheet[BASE_CELL].font = Font(name="Courier New")
    sheet.column_dimensions["A"].width = sheet.column_dimensions["B"].width = 70
    sheet.protection.enable()


def _write_rules(sheet: Worksheet, files: PolicyFiles) -> None:
    _append(sheet, [heading for _, heading in COLUMNS])
    for rules in rule_files(files).values():
        for _, rule in rules:
            _append(sheet, [shown(rule[key]) for key in KEYS])
    for column, cell in enumerate(sheet[1], 1):
        cell.font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = 24
    sheet.freeze_panes = "C2"
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")


def _offer(sheet: Worksheet, lists: Worksheet, policy: Policy) -> None:
    """Lists to choose from. Those of columns that may hold several names warn and do not refuse."""
    options = {
        "effect": tuple(RuleEffect),
        "masked": tuple(MASKS),
        "given": (ROOT, NO_BASIS, *Basis),
        "to": (ROOT, *policy.roles),
        "for": (ROOT, *policy.purposes),
    }
    for column, (key, names) in enumerate(options.items(), 1):
        for row, name in enumerate((key, *names), 1):
            lists.cell(row, column, str(name))
        letter = get_column_letter(column)
        validation = DataValidation(
            "list", formula1=f"'{lists.title}'!${letter}$2:${letter}${len(names) + 1}", allow_blank=True
        )
        validation.showErrorMessage = True
        validation.errorStyle = "stop" if key in {"effect", "masked"} else "warning"
        target = get_column_letter(KEYS.index(key) + 1)
        validation.add(f"{target}2:{target}{sheet.max_row + _SPARE_ROWS}")
        sheet.add_data_validation(validation)
    lists.protection.enable()


def _matrix(
    policy: Policy, catalogue: Catalogue, cells: Mapping[str, frozenset[str]], purpose: str | None
) -> Iterator[tuple[str, ...]]:
    """The rows of one purpose: agency, coordinate, tier, default mask, both descriptions, the decisions, a digest."""
    # Nobody's organisation: it holds every role, and no rule at one organisation reaches it.
    anybody = Organisation(ROOT, "", "", ROOT, None, frozenset(policy.roles), frozenset())
    asked = replace(policy, organisations={ROOT: anybody})
    columns = [(role, basis) for role in policy.roles for basis in _bases(policy, role)]
    tables = [
        compile_table(
            asked, cells, CallerClass(frozenset({role}), ROOT, purpose, frozenset(basis), frozenset(map(str, Tier)))
        )
        for role, basis in columns
    ]
    heads = [f"{role} + {basis[0]}" if basis else role for role, basis in columns]
    yield _signed(("agency", "data", "tier", "mask", "description", "说明", *heads))
    for agency in sorted(cells):
        for coordinate, tier in catalogue.tiers():
            if coordinate in cells[agency]:
                decisions = (_word(table.at(agency, coordinate)) for table in tables)
                yield _signed((agency, coordinate, tier, *_described(catalogue, coordinate), *decisions))


def _signed(texts: tuple[str, ...]) -> tuple[str, ...]:
    held = tuple(map(shown, texts))
    return (*held, row_digest(held))


def _bases(policy: Policy, role: str) -> tuple[tuple[Basis, ...], ...]:
    """No basis, and each that some rule for this role names."""
    lineage = policy.roles.lineage(role)
    named = {row.basis for row in policy.rows if row.role in lineage}
    return ((), *((basis,) for basis in Basis if basis in named))


def _described(catalogue: Catalogue, coordinate: str) -> tuple[str, str, str]:
    field = catalogue.field(coordinate)
    if field:
        return field.mask or "", field.description, field.description_zh
    record = catalogue.records[coordinate]
    return "", record.description, record.description_zh


def _word(decision: Decision) -> str:
    if decision.effect is Effect.WITHHELD and decision.rule is None:
        return ""
    return _WORDS.get(decision.effect) or f"masked {decision.mask}"
