from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from openpyxl import Workbook, load_workbook

import policies
from policies.errors import PolicyInvalid
from policies.load import PolicyFiles, load_policy, read_directory
from policies.spreadsheet import from_workbook, to_workbook
from policies.spreadsheet.sheet import GUIDE, RULES
from schema.records import catalogue

SUPPLIES = {
    "registry": ("Registration", "Shareholder"),
    "court": ("JudgmentDefault",),
    "tax": ("TaxArrears", "TaxPayment"),
    "customs": ("CustomsStanding",),
    "environment": ("EnvironmentCredit",),
    "zhejiang-penalties": ("Penalty",),
    "guangdong-penalties": ("Penalty",),
}
CATALOGUE = catalogue()
NATION = {
    agency: frozenset(name for name, _ in CATALOGUE.tiers() if name.split(".")[0] in records)
    for agency, records in SUPPLIES.items()
}
CELLS = {"tax": NATION["tax"]}
"""The sheets of decisions on one agency's data are enough where rules are edited."""

FILES: PolicyFiles = read_directory(Path(policies.__file__).parent)


@pytest.fixture(scope="module")
def exported() -> bytes:
    return to_workbook(FILES, CATALOGUE, CELLS)


def imported(content: bytes) -> PolicyFiles:
    return from_workbook(content, FILES, CATALOGUE, CELLS)


def edited(content: bytes, edit: Callable[[Workbook], object]) -> bytes:
    book = load_workbook(BytesIO(content))
    edit(book)
    saved = BytesIO()
    book.save(saved)
    return saved.getvalue()


def row_of(book: Workbook, rule: str) -> int:
    return next(cell.row for cell in book[RULES]["B"] if cell.value == rule)


def refused(exported: bytes, edit: Callable[[Workbook], object]) -> str:
    with pytest.raises(PolicyInvalid) as caught:
        imported(edited(exported, edit))
    return str(caught.value)


def setting(rule: str, column: str, value: object) -> Callable[[Workbook], object]:
    def edit(book: Workbook) -> None:
        book[RULES][f"{column}{row_of(book, rule)}"] = value

    return edit


def test_an_export_imported_without_edits_gives_the_same_bytes(exported: bytes) -> None:
    assert imported(exported) == FILES
    whole = to_workbook(FILES, CATALOGUE, NATION)
    assert from_workbook(edited(whole, lambda _: None), FILES, CATALOGUE, NATION) == FILES


def test_the_xml_of_a_workbook_is_read_defused() -> None:
    assert openpyxl.DEFUSEDXML


def test_an_edited_rule_alone_is_written_anew(exported: bytes) -> None:
    files = imported(edited(exported, setting("bank-arrears-in-buckets", "H", "credit.underwriting")))
    before, after = FILES["rules/tax.yaml"].decode(), files["rules/tax.yaml"].decode()
    assert after == before.replace("    for: credit\n", "    for: credit.underwriting\n")
    assert {name for name in files if files[name] != FILES[name]} == {"rules/tax.yaml"}


def test_a_removed_row_removes_its_rule_and_keeps_the_comments(exported: bytes) -> None:
    files = imported(edited(exported, lambda book: book[RULES].delete_rows(row_of(book, "bank-sums-with-consent"))))
    text = files["rules/nation.yaml"].decode()
    assert "bank-sums-with-consent" not in text
    assert text.count("# ---") == FILES["rules/nation.yaml"].decode().count("# ---")


def test_a_new_row_is_a_new_rule_at_the_end_of_its_file_and_a_day_may_be_a_day(exported: bytes) -> None:
    row = ("court", "new", "deny", "JudgmentDefault", "court", "bank", None, "any", "any", None, None)
    new = (*row, date(2026, 12, 1), None, "Until: the court's system is repaired.")
    files = imported(edited(exported, lambda book: book[RULES].append(new)))
    assert (
        files["rules/court.yaml"]
        .decode()
        .endswith(
            "  - id: new\n    deny: JudgmentDefault\n    of: court\n    to: bank\n    for: any\n    given: any\n"
            '    from: 2026-12-01\n    note: "Until: the court\'s system is repaired."\n'
        )
    )
    load_policy(files, CATALOGUE, SUPPLIES)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("F", "bnak", "did you mean `bank`"),
        ("D", "TaxArrears.balanse", "did you mean `balance`"),
        ("E", "tax，court", "FULLWIDTH COMMA"),
        ("F", "\ufeffbank", "ODD_CHARACTER"),
        ("N", "=1+1", "FORMULA"),
        ("N", "@SUM(A1)", "FORMULA"),
        ("N", "\tcmd", "FORMULA"),
        ("N", 12, "NOT_A_TEXT"),
        ("L", "2026-13-01", "BAD_DATE"),
        ("A", "taxx", "did you mean `tax`"),
    ],
)
def test_a_bad_cell_is_refused_by_sheet_and_cell(exported: bytes, column: str, value: object, expected: str) -> None:
    message = refused(exported, setting("bank-arrears-in-buckets", column, value))
    assert f"{RULES}!{column}" in message
    assert expected in message


def test_blanks_around_names_change_nothing(exported: bytes) -> None:
    assert imported(edited(exported, setting("bank-arrears-in-buckets", "F", " bank  "))) == FILES


def test_hidden_sheets_merged_cells_and_other_bases_are_refused(exported: bytes) -> None:
    def hide(book: Workbook) -> None:
        book["For any"].sheet_state = "hidden"

    def rebase(book: Workbook) -> None:
        book[GUIDE]["B1"] = "other"

    assert "HIDDEN_SHEET" in refused(exported, hide)
    assert "MERGED" in refused(exported, lambda book: book[RULES].merge_cells("B2:B3"))
    assert "OTHER_BASE" in refused(exported, rebase)


def test_what_is_no_workbook_or_unpacks_to_too_much_is_refused() -> None:
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/workbook.xml", "w") as part:
        for _ in range(101):
            part.write(bytes(1_000_000))
    with pytest.raises(PolicyInvalid, match="TOO_LARGE"):
        imported(bomb.getvalue())
    with pytest.raises(PolicyInvalid, match="UNREADABLE"):
        imported(b"id,allow")


def test_choices_are_offered_for_effect_mask_basis_role_and_purpose(exported: bytes) -> None:
    sheet = load_workbook(BytesIO(exported))[RULES]
    assert {str(rule.sqref)[0] for rule in sheet.data_validations.dataValidation} == {"C", "F", "H", "I", "J"}


def test_a_note_that_begins_as_a_formula_is_exported_as_text_and_comes_back() -> None:
    name = "rules/tax.yaml"
    files = {**FILES, name: FILES[name].replace(b"note: Without", b'note: "=Without').replace(b"owes.", b'owes."', 1)}
    content = to_workbook(files, CATALOGUE, CELLS)
    book = load_workbook(BytesIO(content))
    cell = book[RULES][f"N{row_of(book, 'bank-arrears-in-buckets')}"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert from_workbook(content, files, CATALOGUE, CELLS) == files
