from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils import get_column_letter

from policies.compile import compile_table
from policies.decision import Basis, CallerClass, Effect
from policies.errors import Finding, PolicyInvalid
from policies.load import PolicyFiles, load_policy
from policies.spreadsheet import from_workbook, to_workbook
from policies.spreadsheet.sheet import RULES
from schema.catalogue import Catalogue, Tier
from tests.policies.conftest import policy_files

LONG = "inspection.of-companies-in-the-first-"
TREES = f"""\
roles:
  bank: any
  bank.officer: bank
  inspector: any
purposes:
  credit: any
  credit.underwriting: credit
  {LONG}quarter: any
  {LONG}year: any
agencies:
  nation: any
  tax: nation
  market: nation
  registry: market
  zhejiang: market
"""
ORGANISATIONS = f"""\
organisations:
  everybody:
    name: Everybody
    name_zh: 所有人
    roles: [bank, bank.officer, inspector]
    purposes: [credit, {LONG}quarter, {LONG}year]
"""
RULES_FILE = """\
rules:
  # Everybody.
  - id: public
    allow: PUBLIC
    of: any
    to: any
    for: any
    given: any
    note: Public.
  - id: bank-payments
    allow: AUTHORISED
    of: tax
    to: bank
    for: credit
    given: consent
    note: Given consent.
  - id: bank-payments-before-a-loan
    allow: TaxPayment
    of: tax
    to: bank
    for: credit.underwriting
    given: any
    note: That there are payments.
  - id: bank-officers
    allow: TaxPayment.officer
    of: tax
    to: bank
    for: credit
    given: jurisdiction
    masked: partial
    note: Shown only where the payments are.
"""
WHOLE = frozenset(map(str, Tier))
Edits = Mapping[tuple[str, str, str], Any]
"""By sheet, coordinate and column, what is written into a cell."""

Decided = Mapping[tuple[str | None, str, str, str], str]
"""By purpose, role, basis and coordinate, the word of the decision; empty where it is withheld."""


@dataclass(frozen=True)
class Small:
    """A small policy, exported."""

    files: PolicyFiles
    catalogue: Catalogue
    cells: Mapping[str, frozenset[str]]
    exported: bytes

    @cached_property
    def book(self) -> Workbook:
        """To be read, not changed."""
        return load_workbook(BytesIO(self.exported))

    def changed(self, change: Callable[[Workbook], object]) -> PolicyFiles:
        book = load_workbook(BytesIO(self.exported))
        change(book)
        saved = BytesIO()
        book.save(saved)
        return from_workbook(saved.getvalue(), self.files, self.catalogue, self.cells)

    def edited(self, edits: Edits) -> PolicyFiles:
        return self.changed(lambda book: write(book, edits))

    def refused(self, change: Callable[[Workbook], object] | Edits) -> tuple[Finding, ...]:
        with pytest.raises(PolicyInvalid) as caught:
            self.changed(change) if callable(change) else self.edited(change)
        return tuple(caught.value.findings)

    def then(self, files: PolicyFiles) -> Small:
        return Small(files, self.catalogue, self.cells, to_workbook(files, self.catalogue, self.cells))

    def decided(self, files: PolicyFiles) -> Decided:
        """What a caller of each role, on each basis, for each purpose sees of each coordinate."""
        policy = load_policy(files, self.catalogue, self.cells)
        found = {}
        for purpose, role, basis in product((None, *policy.purposes), policy.roles, (None, *Basis)):
            bases = frozenset({basis} if basis else ())
            table = compile_table(
                policy, self.cells, CallerClass(frozenset({role}), "everybody", purpose, bases, WHOLE)
            )
            for agency, coordinate in ((agency, name) for agency, names in self.cells.items() for name in names):
                decision = table.at(agency, coordinate)
                word = {Effect.CLEAR: "clear", Effect.MASKED: f"masked {decision.mask}"}.get(decision.effect, "")
                found[purpose, role, basis or "none", coordinate] = word
        return found


def cell_at(book: Workbook, sheet: str, coordinate: str, column: str) -> Cell | MergedCell:
    row = next(cell.row for cell in book[sheet]["B"] if cell.value == coordinate)
    return next(book[sheet].cell(row, cell.column) for cell in book[sheet][1] if cell.value == column)


def write(book: Workbook, edits: Edits) -> None:
    for place, value in edits.items():
        cell_at(book, *place).value = value


@pytest.fixture(scope="module")
def small(catalogue: Catalogue, cells: Mapping[str, frozenset[str]]) -> Small:
    files = policy_files(RULES_FILE, trees=TREES, organisations=ORGANISATIONS)
    return Small(files, catalogue, cells, to_workbook(files, catalogue, cells))


def where(small: Small, *place: str) -> str:
    return f"{place[0]}!{cell_at(small.book, *place).coordinate}"


@pytest.fixture(scope="module")
def before(small: Small) -> Decided:
    return small.decided(small.files)


PERSON_ID = ("For credit", "Penalty.personId", "inspector")


def test_without_edits_an_import_gives_the_same_bytes(small: Small) -> None:
    assert from_workbook(small.exported, small.files, small.catalogue, small.cells) == small.files
    assert small.changed(lambda _: None) == small.files
    assert small.edited({("For credit", "Penalty.amount", "bank"): " clear "}) == small.files


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("clear", "allow: Penalty.personId\n{0}"),
        ("masked last4", "allow: Penalty.personId\n{0}    masked: last4\n"),
        ("withheld", "deny: Penalty.personId\n{0}"),
    ],
)
def test_an_edited_decision_becomes_a_rule_in_the_agencys_own_file(small: Small, word: str, said: str) -> None:
    files = small.edited({PERSON_ID: word})
    columns = "    of: zhejiang\n    to: inspector\n    for: credit\n    given: any\n"
    rule = f"  - id: sheet-inspector-penalty-personid\n    {said.format(columns)}"
    note = f'    note: "From the matrix: {where(small, *PERSON_ID)}."\n'
    assert files["rules/zhejiang.yaml"].decode() == f"rules:\n\n{rule}{note}"
    assert {name: files[name] for name in small.files} == small.files


@pytest.mark.parametrize("word", ["withheld", None])
def test_what_was_shown_is_denied(small: Small, before: Decided, word: str | None) -> None:
    files = small.edited({("For credit", "Penalty.amount", "inspector"): word})
    assert "    deny: Penalty.amount\n" in files["rules/zhejiang.yaml"].decode()
    after = small.decided(files)
    changed = {place for place in before if before[place] != after[place]}
    assert {place[:2] for place in changed} == {("credit", "inspector"), ("credit.underwriting", "inspector")}
    assert {after[place] for place in changed} == {""}


def test_several_cells_of_one_kind_become_one_rule(small: Small) -> None:
    titles = [title for title in small.book.sheetnames if "~" in title]
    places = product(titles, ("Penalty.person", "Penalty.personId"), ("bank.officer", "inspector"))
    text = small.edited(dict.fromkeys(places, "clear"))["rules/zhejiang.yaml"].decode()
    assert text.count("- id:") == 2  # the officer has columns of its own for consent and jurisdiction
    assert text.count("    allow: [Penalty.person, Penalty.personId]\n") == 2
    assert text.count(f"    for: [{LONG}quarter, {LONG}year]\n") == 2
    assert "    given: [none, self]\n" in text


def test_an_edit_like_that_of_the_role_or_purpose_above_needs_no_rule_of_its_own(small: Small) -> None:
    places = product(("For credit", "For credit.underwriting"), ("Penalty.personId",), ("bank", "bank.officer"))
    text = small.edited(dict.fromkeys(places, "clear"))["rules/zhejiang.yaml"].decode()
    assert "    to: bank\n    for: credit\n" in text
    assert text.count("- id:") == 1


def test_one_rule_for_data_of_two_agencies_stands_in_the_file_of_the_agency_above_them(small: Small) -> None:
    both = Small(small.files, small.catalogue, {**small.cells, "registry": small.cells["zhejiang"]}, b"")

    def change(book: Workbook) -> None:
        for row in (row for row in book["For credit"].iter_rows() if row[1].value == PERSON_ID[1]):
            row[-2].value = "clear"

    files = both.then(both.files).changed(change)
    assert "    of: [registry, zhejiang]\n    to: inspector\n" in files["rules/market.yaml"].decode()
    assert {name: files[name] for name in small.files} == small.files


def test_what_a_rule_shows_clearly_is_not_masked_by_an_edit(small: Small) -> None:
    place = ("For credit", "Penalty.amount", "bank")
    (found,) = small.refused({place: "masked bucket"})
    assert (found.file, found.code) == (where(small, *place), "NOT_REACHED")
    assert "`clear` by `public`" in found.message
    assert found.hint == f"change or remove `public` in the sheet `{RULES}`"


def test_a_field_opens_only_with_its_records(small: Small) -> None:
    field, rows = ("For credit", "TaxPayment.paid", "inspector"), ("For credit", "TaxPayment", "inspector")
    (found,) = small.refused({field: "clear"})
    assert (found.file, found.code) == (where(small, *field), "ROWS_CLOSED")
    assert "the cell of `TaxPayment` itself" in str(found.hint)
    files = small.edited({field: "clear", rows: "clear"})
    text = files["rules/tax.yaml"].decode()
    assert [line for line in text.splitlines() if "allow" in line] == [
        "    allow: TaxPayment",
        "    allow: TaxPayment.paid",
    ]


def test_a_whole_record_is_withheld_with_its_fields(small: Small) -> None:
    names = small.cells["zhejiang"]
    files = small.edited({("For credit", name, "bank"): "withheld" for name in names})
    assert "    deny: Penalty\n" in files["rules/zhejiang.yaml"].decode()
    assert files["rules/zhejiang.yaml"].decode().count("- id:") == 1


def test_a_field_of_records_of_which_no_rule_speaks_is_not_withheld_alone(small: Small) -> None:
    (found,) = small.refused({("For credit", "TaxPayment.paid", "inspector"): "withheld"})
    assert found.code == "ROWS_CLOSED"
    assert found.hint == "put the cell back, or make that of `TaxPayment` itself `withheld` as well"


def test_what_is_decided_for_a_role_and_purpose_holds_below_them_and_nowhere_else(
    small: Small, before: Decided
) -> None:
    after = small.decided(small.edited({("For credit", "Penalty.personId", "bank"): "clear"}))
    changed = {place for place in before if before[place] != after[place]}
    expected = product(("credit", "credit.underwriting"), ("bank", "bank.officer"), ("none", "self"))
    assert changed == {(*place, "Penalty.personId") for place in expected}


def test_what_would_change_besides_is_refused_by_its_cell(small: Small) -> None:
    rows = ("For credit", "TaxPayment", "bank + jurisdiction")
    (found,) = small.refused({rows: "clear"})
    officer = ("For credit", "TaxPayment.officer", "bank + jurisdiction")
    assert (found.file, found.code) == (where(small, *officer), "ALSO_CHANGED")
    assert "from empty to `masked partial`, by `bank-officers`" in found.message
    assert small.edited({rows: "clear", officer: "masked partial"}) != small.files


def test_edits_that_hinder_each_other_are_refused_by_their_cells(small: Small) -> None:
    above, below = (("For credit", "Penalty.personId", role) for role in ("bank", "bank.officer"))
    (found,) = small.refused({above: "clear", below: "masked last4"})
    assert (found.file, found.code) == (where(small, *below), "NOT_REACHED")
    assert f"the edit of {where(small, *above)}" in found.message
    assert found.hint == "put one of these cells back"


def test_the_dispute_mark_follows_its_record(small: Small) -> None:
    (found,) = small.refused({("For credit", "Penalty.objection", "bank"): "withheld"})
    assert found.code == "FOLLOWS_RECORD"


@pytest.mark.parametrize(
    ("word", "code", "hint"),
    [
        ("ｃｌｅａｒ", "UNKNOWN_DECISION", "did you mean `clear`?"),
        ("Clear", "UNKNOWN_DECISION", "did you mean `clear`?"),
        ("claer", "UNKNOWN_DECISION", "did you mean `clear`?"),
        ("cl\u200bear", "UNKNOWN_DECISION", "did you mean `clear`?"),
        ("mask last4", "UNKNOWN_DECISION", "did you mean `masked last4`?"),
        ("yes", "UNKNOWN_DECISION", "choose one of: clear, withheld, masked redact"),
        ("=1+1", "FORMULA", "write its value as text"),
        ("@SUM(A1)", "FORMULA", "begin it with a letter"),
        ("\tclear", "FORMULA", "begin it with a letter"),
        (True, "NOT_A_TEXT", "write it as text"),
        (4, "NOT_A_TEXT", "write it as text"),
    ],
)
def test_a_cell_that_holds_no_decision_is_refused(small: Small, word: object, code: str, hint: str) -> None:
    (found,) = small.refused({PERSON_ID: word})
    assert (found.file, found.code) == (where(small, *PERSON_ID), code)
    assert hint in str(found.hint)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("A3", "NOT_EDITABLE"),
        ("B3", "NOT_EDITABLE"),
        ("E3", "NOT_EDITABLE"),
        ("G1", "NOT_EDITABLE"),
        ("{last}3", "NOT_EDITABLE"),
        ("Z3", "NOT_EDITABLE"),
        ("B99", "NOT_EDITABLE"),
        ("{last}1", "NOT_AS_EXPORTED"),
    ],
)
def test_all_but_decisions_is_refused_by_its_cell(small: Small, cell: str, code: str) -> None:
    last = get_column_letter(small.book["For credit"].max_column)
    place = cell.format(last=last)

    def change(book: Workbook) -> None:
        book["For credit"][place] = "other"

    (found,) = small.refused(change)
    assert (found.file, found.code) == (f"For credit!{place}", code)


def test_moved_rows_and_foreign_sheets_of_decisions_are_refused(small: Small) -> None:
    assert {found.code for found in small.refused(lambda book: book["For credit"].delete_rows(3))} == {"NOT_EDITABLE"}
    assert [found.code for found in small.refused(lambda book: book.copy_worksheet(book["For credit"]))] == [
        "UNKNOWN_SHEET"
    ]


def test_edits_of_rules_and_of_decisions_go_together(small: Small) -> None:
    def change(book: Workbook) -> None:
        book[RULES]["H3"] = "credit.underwriting"
        write(book, {PERSON_ID: "masked last4"})

    files = small.changed(change)
    before = small.files["rules/nation.yaml"].decode()
    assert files["rules/nation.yaml"].decode() == before.replace("for: credit\n", "for: credit.underwriting\n", 1)
    assert "    masked: last4\n" in files["rules/zhejiang.yaml"].decode()


def test_a_cell_that_an_edited_rule_changes_otherwise_is_refused(small: Small) -> None:
    place = ("For credit", "TaxPayment.year", "bank + consent")

    def change(book: Workbook) -> None:
        book[RULES].delete_rows(3)
        write(book, {place: "withheld"})

    (found,) = small.refused(change)
    assert (found.file, found.code) == (where(small, *place), "AMBIGUOUS")


def test_ids_stay_unique_from_import_to_import(small: Small) -> None:
    second = small.then(small.edited({PERSON_ID: "masked last4"}))
    text = second.edited({PERSON_ID: "clear"})["rules/zhejiang.yaml"].decode()
    assert "- id: sheet-inspector-penalty-personid\n" in text
    assert "- id: sheet-inspector-penalty-personid-2\n" in text


def test_purposes_whose_names_begin_alike_have_sheets_of_their_own(small: Small) -> None:
    titles = [title for title in small.book.sheetnames if "~" in title]
    assert {title.partition("~")[0] for title in titles} == {f"For {LONG}"[:29]}
    for title, purpose in zip(titles, (f"{LONG}quarter", f"{LONG}year"), strict=True):
        files = small.edited({(title, "Penalty.personId", "bank"): "clear"})
        assert f"    for: {purpose}\n" in files["rules/zhejiang.yaml"].decode()


def test_only_decisions_are_unlocked(small: Small) -> None:
    sheet = small.book["For credit"]
    unlocked = {cell.coordinate for row in sheet for cell in row if not cell.protection.locked}
    assert sheet.protection.sheet
    assert unlocked == {cell.coordinate for row in sheet.iter_rows(2, None, 7, sheet.max_column - 1) for cell in row}


@pytest.mark.parametrize(
    ("coordinate", "choices"),
    [
        ("Penalty", "clear,withheld"),
        ("Penalty.objection", "clear,withheld"),
        ("Penalty.amount", "clear,withheld,masked redact,masked bucket"),
        ("Penalty.person", "clear,withheld,masked redact,masked partial,masked last4,masked hmac,masked district"),
    ],
)
def test_a_cell_offers_what_fits_its_field(small: Small, coordinate: str, choices: str) -> None:
    cell = cell_at(small.book, "For credit", coordinate, "bank")
    offered = [
        rule.formula1
        for rule in small.book["For credit"].data_validations.dataValidation
        if cell.coordinate in rule.sqref
    ]
    assert offered == [f'"{choices}"']


PURPOSES = {"For any": None, "For credit": "credit", "For credit.underwriting": "credit.underwriting"}
OPEN_PAID = {
    ("For credit", "TaxPayment", "bank"): "clear",
    ("For credit", "TaxPayment.paid", "bank"): "clear",
    ("For credit.underwriting", "TaxPayment.paid", "bank.officer"): "withheld",
}
SOME_CELLS = st.tuples(
    st.sampled_from(sorted(PURPOSES)),
    st.sampled_from(["Penalty", "Penalty.amount", "Penalty.personId", "TaxPayment", "TaxPayment.paid"]),
    st.sampled_from(["bank", "bank + consent", "bank.officer", "inspector"]),
)
SOME_WORDS = st.sampled_from([None, "clear", "withheld", "masked redact", "masked last4", "masked bucket"])


@example(edits=OPEN_PAID)
@example(edits={("For any", "Penalty.personId", "bank"): "masked last4", ("For credit", "Penalty", "inspector"): None})
@given(edits=st.dictionaries(SOME_CELLS, SOME_WORDS, min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_an_import_is_refused_or_changes_what_was_edited_and_what_lies_below_it(
    small: Small, before: Decided, edits: Edits
) -> None:
    try:
        files = small.edited(edits)
    except PolicyInvalid as refusal:
        files = None
        findings = refusal.findings
    if files is None:
        assert edits != OPEN_PAID
        assert all(found.file.startswith("For ") for found in findings)
        return
    after = small.decided(files)
    roles = load_policy(files, small.catalogue, small.cells).roles
    for place, word in after.items():
        purpose, role, basis, coordinate = place
        edited = {
            name: value
            for (sheet, name, column), value in edits.items()
            if column.partition(" + ")[0] in roles.lineage(role)
            and PURPOSES[sheet] in {None, purpose, (purpose or "").rpartition(".")[0]}
            and (column.endswith("+ consent")) <= (basis == "consent")
        }
        own, of_record = coordinate in edited, coordinate.partition(".")[0] in edited
        if word != before[place]:
            assert own or of_record
        if word and not before[place]:
            assert own or (of_record and coordinate.endswith(".objection"))
    for (sheet, name, column), value in edits.items():
        role, _, basis = column.partition(" + ")
        shown = after[PURPOSES[sheet], role, basis or "none", name]
        assert shown == ("" if value in {None, "withheld"} else value)
