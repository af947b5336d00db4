"""What the lint of a draft says, for rules written as their authors write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import policies
from policies.analysis.lint import lint
from policies.errors import Finding, Severity
from policies.load import read_directory
from policies.located import Findings, read
from schema.catalogue import Catalogue
from schema.records import catalogue as shipped_catalogue

Cells = Mapping[str, frozenset[str]]
Lint = Callable[..., tuple[Finding, ...]]

AGENCIES = ("tax", "registry", "zhejiang")
BASES = ("none", "consent", "jurisdiction", "self")
PENALTY = ("Penalty.facts", "Penalty.amount", "Penalty.person", "Penalty.personId", "Penalty.informant")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PUBLICITY = "{from: 2026-04-01, source: x, ended_by: [], periods: []}\n"
PUBLIC = "  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}\n"
ROWS = "  - {id: rows, allow: TaxPayment, of: any, to: any, for: any, given: any, note: x}\n"


def rule(id_: str, what: str, *, effect: str = "allow", **columns: str) -> str:
    """A rule in YAML, one line long; columns are `any` unless said."""
    written = {"of": "any", "to": "any", "for": "any", "given": "any"} | {
        key.rstrip("_"): value for key, value in columns.items()
    }
    entries = "".join(f", {key}: {value}" for key, value in written.items())
    return f"  - {{id: {id_}, {effect}: {what}{entries}, note: x}}\n"


@pytest.fixture
def check(write_policy: Callable[..., Path], catalogue: Catalogue, cells: Cells) -> Lint:
    def found(rules: str, **files: str) -> tuple[Finding, ...]:
        written = {"publicity__2026-04-01": PUBLICITY} | files
        policy_files = dict(read_directory(write_policy("rules:\n" + rules, **written)))
        del policy_files["version.yaml"]
        return lint(policy_files, catalogue, AGENCIES, cells, now=NOW)

    return found


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def test_the_shipped_rules_give_no_finding() -> None:
    files = read_directory(Path(policies.__file__).parent)
    shipped = shipped_catalogue()
    everything = frozenset(name for name, _ in shipped.tiers())
    agencies = ("registry", "court", "tax", "customs", "environment", "zhejiang-penalties", "guangdong-penalties")
    assert lint(files, shipped, agencies, dict.fromkeys(agencies, everything)) == ()


def test_the_shipped_list_of_reviewed_fields_is_complete() -> None:
    listed = read(read_directory(Path(policies.__file__).parent)["fields.yaml"], Findings("fields.yaml"))
    assert listed
    assert isinstance(listed.value, dict)
    names = {record: [field.value for field in fields.value or ()] for record, fields in listed.value.items()}
    assert names == {record.name: list(record.fields) for record in shipped_catalogue().records.values()}


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_mistakes_of_rules_and_of_publicity_are_errors_and_told_together(check: Lint) -> None:
    findings = check(
        rule("a", "Penalty.ammount"), publicity__x="{from: 2026-01-01, source: x, ended_by: [gone], periods: []}"
    )
    assert [(one.file, one.line, one.code, one.severity) for one in findings] == [
        ("publicity/x.yaml", 1, "UNKNOWN_FIELD", Severity.ERROR),
        ("rules/nation.yaml", 2, "UNKNOWN_FIELD", Severity.ERROR),
    ]
    assert "`amount`" in (findings[1].hint or "")


def test_a_draft_needs_no_version_yet(check: Lint) -> None:
    assert check(PUBLIC) == ()


# --- Rules that never decide ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        # In one band the first by id decides.
        (rule("b", "Penalty.amount", to="bank") + rule("a", "Penalty.amount"), ["`a` (rules/nation.yaml:4)"]),
        (rule("b", "PUBLIC", given="consent", to="bank"), ["`a-public`"]),
        (rule("b", "Penalty.*", of="zhejiang") + rule("a", "any"), ["`a`"]),
        # A mask beside a clear grant hides nothing, though the mask names the field.
        (rule("b", "Penalty.amount", masked="bucket", to="bank"), ["`a-public`"]),
        # Several together leave nothing.
        (
            rule("x", "Penalty.person", masked="redact")
            + "".join(rule(f"f-{basis}", "Penalty.person", given=basis) for basis in BASES),
            ["`f-none`", "`f-consent`", "`f-jurisdiction`", "`f-self`"],
        ),
        # A deny that names the field is told before one on all fields of its type.
        (
            rule("x", "Penalty.*", effect="deny", of="zhejiang")
            + rule("f", f"[{', '.join(PENALTY)}]", effect="deny"),
            ["`f`"],
        ),
    ],
)  # fmt: skip
def test_a_rule_before_which_others_always_decide_is_shadowed_by_name(
    check: Lint, rules: str, names: list[str]
) -> None:
    findings = check(PUBLIC.replace("public,", "a-public,", 1) + rules)
    (first,) = [one for one in findings if one.line == 3]
    assert (first.file, first.code, first.severity) == ("rules/nation.yaml", "SHADOWED", Severity.WARNING)
    assert all(name in first.message for name in names)


@pytest.mark.parametrize(
    "rules",
    [
        rule("b", "Penalty.amount", to="bank") + rule("a", "Penalty.amount", to="clerk"),
        rule("b", "Penalty.amount") + rule("a", "Penalty.amount", given="consent"),
        rule("b", "Penalty.person"),
        rule("b", "Penalty.person", masked="redact") + rule("a", "PUBLIC", to="bank"),
        rule("b", "Penalty.amount") + rule("a", "Penalty.amount", until="2026-12-31"),
        rule("b", "Penalty.amount") + rule("a", "Penalty.amount", from_="2026-12-31"),
        rule("b", "[Penalty, Penalty.amount]", act="any") + rule("a", "Penalty.amount"),
        # A consent may name the field and not the records, which are then decided without it.
        rule("b", "Penalty.personId", given="consent") + rule("a", "Penalty", effect="deny", given="consent"),
        # Who is a clerk as well sees the records as one.
        rule("b", "TaxPayment.year", to="bank")
        + rule("c", "TaxPayment", to="clerk")
        + rule("d", "TaxPayment", to="bank", at="bureau"),
        rule("b", "Penalty.facts", effect="deny", to="bank") + rule("c", "Penalty.*", effect="deny", to="bank"),
    ],
)
def test_a_rule_that_decides_something_is_not_called_idle(check: Lint, rules: str) -> None:
    assert [one for one in check(PUBLIC + rules) if one.line == 3] == []


def test_a_rule_that_begins_when_another_is_over_is_not_shadowed_by_it(check: Lint) -> None:
    rules = PUBLIC + rule("b", "Penalty.amount", from_="2027-01-01", until="2027-12-31")
    assert check(rules + rule("a", "Penalty.amount", until="2027-06-30")) == ()
    # The lint looks at what holds from today on: that `a` begins earlier than `b` is enough.
    assert codes(check(rules + rule("a", "Penalty.amount", from_="2026-12-01"))) == ["SHADOWED"]


@pytest.mark.parametrize(
    ("rules", "because"),
    [
        (rule("x", "Penalty.amount", to="bank.agent"), "`bank.agent`"),
        (rule("x", "Penalty.amount", at="banks", to="inspector"), "no organisation has both"),
        (rule("x", "Penalty.amount", at="empty"), "nobody asks from `empty`"),
        (rule("x", "Penalty.amount", for_="audit"), "registered for `audit`"),
        (rule("x", "Penalty.amount", to="bank", for_="supervision"), "no organisation has both"),
        (rule("x", "Penalty.amount", of="registry"), "supplies"),
        (rule("x", "Penalty.amount", of="tax"), "supplies"),
        (
            rule("x", "TaxPayment.year", to="bank") + rule("y", "TaxPayment", to="bank", at="bureau"),
            "the records themselves",
        ),
        (rule("x", "Penalty.amount", to="bank") + rule("no", "Penalty.*", effect="deny", to="bank"), "denied by `no`"),
        (rule("x", "Penalty.amount", to="bank") + rule("no", "Penalty", effect="deny"), "denied by `no`"),
        (rule("x", "PUBLIC", to="bank") + rule("no", "any", effect="deny", to="[bank, clerk]"), "denied by `no`"),
    ],
)  # fmt: skip
def test_a_rule_that_never_decides_is_told_with_the_reason(check: Lint, rules: str, because: str) -> None:
    trees = "roles: {bank: any, bank.officer: bank, bank.agent: bank, inspector: any, clerk: any}\n"
    trees += "purposes: {credit: any, credit.underwriting: credit, supervision: any, audit: any}\n"
    trees += "agencies: {nation: any, tax: nation, registry: nation, market: nation, zhejiang: market}\n"
    organisations = """\
organisations:
  banks: {name: x, name_zh: x, roles: [], purposes: []}
  empty: {name: x, name_zh: x, roles: [], purposes: [credit]}
  first-bank: {name: x, name_zh: x, parent: banks, roles: [bank.officer, clerk], purposes: [credit]}
  bureau: {name: x, name_zh: x, division: "33", roles: [inspector], purposes: [supervision]}
"""
    findings = check(rule("z-rows", "Penalty") + rules, trees=trees, organisations=organisations)
    (first,) = [one for one in findings if one.line == 3]
    assert (first.file, first.code, first.severity) == ("rules/nation.yaml", "NEVER_DECIDES", Severity.WARNING)
    assert because in first.message


# --- What one rule says alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (rule("x", "Penalty.personId"), "`Penalty.personId`"),
        (rule("x", "Penalty.personId", given="[consent, none]"), "`Penalty.personId`"),
        (rule("x", "Penalty.informant", to="clerk"), "`Penalty.informant`"),
        (rule("x", "Penalty.personId", given="consent"), None),
        (rule("x", "Penalty.personId", masked="last4"), None),
        (rule("x", "Penalty.personId", effect="deny"), None),
        (rule("x", "RESTRICTED"), None),
        (rule("x", "TaxPayment.year"), None),
    ],
)
def test_what_is_closely_kept_and_shown_clear_without_a_basis_is_told(
    check: Lint, rules: str, named: str | None
) -> None:
    found = [one for one in check(PUBLIC + ROWS + rules) if one.code == "CLEAR_RESTRICTED_WITHOUT_BASIS"]
    assert [one.line for one in found] == ([4] if named else [])
    assert all(named in one.message for one in found if named)


def test_a_wide_rule_is_told_of_closely_kept_fields_without_a_default_mask(
    write_policy: Callable[..., Path], catalogue: Catalogue, cells: Cells
) -> None:
    payment = catalogue.records["TaxPayment"]
    fields = {**payment.fields, "officer": replace(payment.fields["officer"], mask=None)}
    bare = Catalogue({**catalogue.records, "TaxPayment": replace(payment, fields=fields)})
    files = read_directory(write_policy("rules:\n" + ROWS + rule("x", "RESTRICTED"), publicity__x=PUBLICITY))
    (found,) = lint(files, bare, AGENCIES, cells, now=NOW)
    assert found.code == "CLEAR_RESTRICTED_WITHOUT_BASIS"
    assert "shows `TaxPayment.officer` clear" in found.message


@pytest.mark.parametrize(("day", "found"), [("2026-11-23", ["EXPIRED"]), ("2026-11-24", []), ("2026-11-25", [])])
def test_a_rule_whose_last_day_is_past_is_told_and_nothing_else_of_it(check: Lint, day: str, found: list[str]) -> None:
    assert codes(check(PUBLIC + rule("x", "Penalty.person", to="clerk", until=day))) == found


# --- Fields that nobody has reviewed --------------------------------------------------------------------------------

FIELDS = """\
Penalty: [facts, amount, person, personId, informant, objection]
TaxPayment: [year, revenue, paid, officer, objection]
"""


def test_without_a_list_of_reviewed_fields_nothing_is_new(check: Lint) -> None:
    assert check(PUBLIC) == ()
    assert check(PUBLIC, fields=FIELDS) == ()


@pytest.mark.parametrize("what", ["PUBLIC", "any", "Penalty.*"])
def test_a_wide_rule_that_reaches_a_field_not_reviewed_is_told(check: Lint, what: str) -> None:
    rules = rule("rows", "Penalty") + rule("x", what)
    findings = check(rules, fields=FIELDS.replace("amount, ", ""))
    (found,) = [one for one in findings if one.code == "WILDCARD_REACHES_NEW_FIELD"]
    assert (found.file, found.line, found.severity) == ("rules/nation.yaml", 3, Severity.WARNING)
    assert "`Penalty.amount`" in found.message


@pytest.mark.parametrize(
    "new", ["informant, ", ", objection", "personId, "], ids=["sealed", "the dispute mark", "of another tier"]
)
def test_a_field_that_the_wide_rule_does_not_show_is_not_told(check: Lint, new: str) -> None:
    text = FIELDS.replace(new, "", 1)
    assert text != FIELDS
    assert check(PUBLIC, fields=text) == ()


def test_a_new_record_type_is_told_by_its_rows_and_fields(check: Lint) -> None:
    text = FIELDS.splitlines()[1]
    (found,) = check(PUBLIC, fields=text)
    assert "`Penalty`, `Penalty.amount`, `Penalty.facts` and 1 more" in found.message


@pytest.mark.parametrize(
    ("text", "line", "code", "hint"),
    [
        (FIELDS + "Penaltie: [facts]\n", 3, "UNKNOWN_TYPE", "`Penalty`"),
        (FIELDS.replace("revenue", "revenu, revenue"), 2, "UNKNOWN_FIELD", "`revenue`"),
        ("]", 1, "NOT_YAML", ""),
    ],
)
def test_a_list_that_names_what_there_is_not_is_told(check: Lint, text: str, line: int, code: str, hint: str) -> None:
    (found,) = check(PUBLIC, fields=text)
    assert (found.file, found.line, found.code, found.severity) == ("fields.yaml", line, code, Severity.WARNING)
    assert hint in (found.hint or "")
