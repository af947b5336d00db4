"""A policy as a workbook."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from policies.decision import Basis
from policies.load import PolicyFiles, load_policy
from policies.masks import MASKS
from policies.policy import NO_BASIS, Policy, RuleEffect
from policies.spreadsheet.cell import write_row
from policies.spreadsheet.decisions import decision_sheets, write_decisions
from policies.spreadsheet.matrix import Matrix
from policies.spreadsheet.sheet import BASE_CELL, COLUMNS, GUIDE, KEYS, LISTS_SHEET, RULES, rule_files, shown
from policies.store.model import digest_of
from policies.tree import ROOT
from schema.catalogue import Catalogue

_GUIDE: Final = (
    ("Edit the sheet of rules, or decisions in the sheets named `For ...`.", "可修改“规则”表，或各“For …”表中的决定。"),
    ("Sheet of rules: one rule a row. A new row is a new rule.", "规则表：每行一条规则，新增一行即新增规则。"),
    ("A removed row removes its rule.", "删除一行即删除该规则。"),
    ("Where several are meant, separate them by commas: tax, court.", "多项之间用半角逗号分隔：tax, court。"),
    ("`any` means all. Nothing is allowed that no rule allows.", "any 表示全部。没有规则允许的一律不允许。"),
    ("A deny beats every allow.", "禁止优先于一切允许。"),
    (
        "Sheets of decisions: choose in a cell what the role of the column sees.",
        "决定表：在单元格中选择该列角色可见的程度。",
    ),
    ("Empty: no rule shows it. `withheld`: denied.", "空白：没有规则予以提供。withheld：禁止提供。"),
    ("`clear`: as it is. `masked ...`: only through that mask.", "clear：原样提供。masked …：仅以该脱敏方式提供。"),
    ("What is decided for a role or a purpose holds for those below it.", "对某角色或目的的决定，对其下级同样有效。"),
    (
        "A column without a basis stands for every basis that has no column of its own.",
        "未注明依据的列，代表所有没有单独成列的依据。",
    ),
    (
        "Each edit becomes a rule. What a rule cannot do is refused, by its cell.",
        "每处修改都会成为规则；规则无法做到的，按单元格退回。",
    ),
    ("To show less than a rule shows, change that rule.", "若要比某条规则提供得更少，请修改该规则。"),
    ("Rules at one organisation only are not in them.", "其中不含只针对个别使用单位的规则。"),
)
_SPARE_ROWS: Final = 500


def to_workbook(files: PolicyFiles, catalogue: Catalogue, cells: Mapping[str, frozenset[str]]) -> bytes:
    """The workbook (xlsx) of a policy. `cells` holds the coordinates that each agency supplies. Raises `PolicyInvalid`.

    Blocks, for some seconds where rules are many: not for an event loop.
    """
    policy = load_policy(files, catalogue, cells)
    sheets = decision_sheets(Matrix(policy, cells), catalogue, cells)
    book = Workbook()
    book.remove(book.worksheets[0])
    _write_guide(book.create_sheet(GUIDE), digest_of(files), sheets.titles)
    _write_rules(book.create_sheet(RULES), files)
    _offer(book[RULES], book.create_sheet(LISTS_SHEET), policy)
    for purpose, title in sheets.titles.items():
        write_decisions(book.create_sheet(title), sheets, purpose)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _write_guide(sheet: Worksheet, digest: str, titles: Mapping[str | None, str]) -> None:
    purposes = [(title, purpose or "no purpose given 未说明目的") for purpose, title in titles.items()]
    lines = (("Exported policy 导出的政策", digest), *_GUIDE, ("Sheet 表", "Purpose 目的"), *purposes)
    for number, texts in enumerate(lines, 1):
        write_row(sheet, number, texts)
    sheet[BASE_CELL].font = Font(name="Courier New")
    sheet.column_dimensions["A"].width = sheet.column_dimensions["B"].width = 70
    sheet.protection.enable()


def _write_rules(sheet: Worksheet, files: PolicyFiles) -> None:
    write_row(sheet, 1, (heading for _, heading in COLUMNS))
    placed = (rule for rules in rule_files(files).values() for _, rule in rules)
    for number, rule in enumerate(placed, 2):
        write_row(sheet, number, (shown(rule[key]) for key in KEYS))
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
