"""Tests beside the rules, as a policy admin writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.analysis.rule_tests import TestReport, run_tests
from policies.decision import Effect
from policies.load import load_policy, read_directory
from schema.catalogue import Catalogue

Cells = Mapping[str, frozenset[str]]
Run = Callable[..., TestReport]

AGENCIES = ("tax", "registry", "zhejiang")
RULES = """\
rules:
  - {id: public, allow: PUBLIC, of: any, to: any, for: any, given: any, note: x}
  - {id: consented, allow: AUTHORISED, of: any, to: bank, for: credit, given: consent, note: x}
  - {id: never-facts, deny: Penalty.facts, of: any, to: clerk, for: any, given: any, note: x}
  - {id: over, allow: Penalty.personId, of: any, to: bank, for: any, given: any, until: 2026-01-01, note: x}
  - {id: inspected, allow: TaxPayment, of: any, to: inspector, for: any, given: jurisdiction, note: x}
"""
TEST = {
    "as": "bank.officer",
    "at": "first-bank",
    "for": "credit",
    "given": "consent",
    "of": "tax",
    "sees": "{TaxPayment.revenue: masked bucket}",
}


def written(*changes: dict[str, str | None]) -> str:
    """Tests in YAML: each the test above, on lines 2 to 7, with changes; None takes a line away."""
    text = "tests:\n"
    for change in changes:
        lines = [f"{key}: {value}" for key, value in (TEST | change).items() if value is not None]
        text += "  - " + "\n    ".join(lines) + "\n"
    return text


@pytest.fixture
def run(write_policy: Callable[..., Path], catalogue: Catalogue, cells: Cells) -> Run:
    def report(nation: str, **files: str) -> TestReport:
        policy_files = read_directory(write_policy(RULES, tests__nation=nation, **files))
        policy = load_policy(policy_files, catalogue, AGENCIES, now=datetime(2026, 11, 24, tzinfo=UTC))
        return run_tests(policy, policy_files, cells, catalogue)

    return report


def test_what_is_as_expected_passes_and_names_the_deciding_rule(run: Run) -> None:
    report = run(written({}))
    (outcome,) = report.outcomes
    assert report.passed
    assert (outcome.question.file, outcome.question.line) == ("tests/nation.yaml", 7)
    assert outcome.got.rule == "consented"


def test_what_is_not_as_expected_fails_with_what_was_got_and_comes_first(run: Run) -> None:
    sees = "\n      TaxPayment.year: clear\n      TaxPayment.revenue: clear\n      TaxPayment.paid: withheld"
    report = run(written({"sees": sees}))
    assert not report.passed
    assert [(one.question.coordinate, one.passed) for one in report.outcomes] == [
        ("TaxPayment.revenue", False),
        ("TaxPayment.year", True),
        ("TaxPayment.paid", True),
    ]
    first = report.outcomes[0]
    assert (first.question.line, first.got.effect, first.got.mask) == (9, Effect.MASKED, "bucket")


@pytest.mark.parametrize(
    "change",
    [
        {"given": "none", "sees": "{TaxPayment: withheld}"},
        {"for": "none", "sees": "{TaxPayment: withheld}"},
        {"scope": "TaxPayment.year", "sees": "{TaxPayment.year: clear, TaxPayment.revenue: withheld}"},
        {"scope": "any"},
        {"of": "zhejiang", "sees": "{Penalty.informant: withheld, Penalty.person: masked  partial}"},
        {"of": "zhejiang", "as": "[bank.officer, clerk]", "sees": "{Penalty.facts: withheld, Penalty.amount: clear}"},
        {"of": "zhejiang", "act": "read_expired", "sees": "{Penalty: withheld}"},
        {"as": "inspector", "at": "bureau", "for": "none", "given": "jurisdiction", "sees": "{TaxPayment: clear}"},
        {"given": "[consent, self]", "note": "any text, as it comes"},
    ],
)
def test_each_part_of_a_test_says_what_is_asked(run: Run, change: dict[str, str | None]) -> None:
    assert run(written(change)).passed


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ({"as": "bank.oficer"}, "UNKNOWN_ROLE", "`bank.officer`"),
        ({"at": "frist-bank"}, "UNKNOWN_ORGANISATION", "`first-bank`"),
        ({"for": "credits"}, "UNKNOWN_PURPOSE", "`credit`"),
        ({"given": "concent"}, "UNKNOWN_BASIS", "`consent`"),
        ({"given": "[none, consent]"}, "UNKNOWN_BASIS", None),
        ({"of": "taxx"}, "UNKNOWN_AGENCY", "`tax`"),
        ({"sees": "{TaxPayment.revenu: clear}"}, "UNKNOWN_FIELD", "`revenue`"),
        ({"sees": "{TaxPaiment: clear}"}, "UNKNOWN_TYPE", "`TaxPayment`"),
        ({"sees": "{TaxPayment.revenue: masked buckets}"}, "UNKNOWN_DECISION", "`masked bucket`"),
        ({"sees": "{TaxPayment.revenue: cleer}"}, "UNKNOWN_DECISION", "`clear`"),
        ({"sees": "{TaxPayment．revenue: clear}"}, "ODD_CHARACTER", "`TaxPayment.revenue`"),
        ({"sees": "{TaxPayment.*: clear}"}, "WIDE", None),
        ({"sees": "{Penalty.amount: clear}"}, "NOT_SUPPLIED", None),
        ({"sees": "{}"}, "EMPTY", None),
        ({"sees": None}, "MISSING_KEY", None),
        ({"see": "x"}, "UNKNOWN_KEY", "`sees`"),
        ({"act": "reed"}, "UNKNOWN_ACT", "`read`"),
        ({"scope": "[TaxPaiment]"}, "UNKNOWN_TYPE", "`TaxPayment`"),
        ({"scope": "PUBLIC", "given": "none"}, "SCOPE_OF_NOTHING", None),
        ({"as": "inspector"}, "NOT_HELD", "bank.officer, clerk"),
        ({"for": "supervision"}, "NOT_REGISTERED", "credit.underwriting"),
        ({"given": "jurisdiction"}, "NO_JURISDICTION", None),
    ],
)
def test_a_mistake_in_a_test_is_a_failure_with_its_line_and_the_likely_name(
    run: Run, change: dict[str, str | None], code: str, hint: str | None
) -> None:
    report = run(written({}, change))
    (found,) = report.findings
    assert (found.file, found.code) == ("tests/nation.yaml", code)
    assert 8 <= found.line <= 14
    assert (hint or "") in (found.hint or "")
    assert not report.passed
    assert len(report.outcomes) == 1


@pytest.mark.parametrize("text", ["tests: [", "\ufefftests: []\n", "test: []\n", "tests: {}\n", "tests: &a []\n"])
def test_a_test_file_that_cannot_be_read_is_a_failure(run: Run, text: str) -> None:
    assert not run(text).passed


def test_an_agencys_file_holds_tests_on_its_own_data_and_on_that_of_those_below(run: Run) -> None:
    below = written({"of": "zhejiang", "sees": "{Penalty: clear}"})
    assert run("tests: []\n", tests__market=below).passed
    report = run("tests: []\n", tests__registry=written({}), tests__taxx=written({}))
    assert [(one.file, one.line, one.code) for one in report.findings] == [
        ("tests/registry.yaml", 6, "FOREIGN_AGENCY"),
        ("tests/taxx.yaml", 1, "UNKNOWN_AGENCY"),
    ]


def test_coverage_names_the_rules_that_decided_nothing_by_file_and_line(run: Run) -> None:
    deny = {"of": "zhejiang", "as": "clerk", "given": "none", "sees": "{Penalty.facts: withheld, Penalty: clear}"}
    coverage = run(written({}, deny)).coverage
    assert coverage.tested == 3
    (untested,) = coverage.findings()
    assert (untested.file, untested.line, untested.code) == ("rules/nation.yaml", 6, "NO_TEST")
    assert "`inspected`" in untested.message
    assert "tests/nation.yaml" in (untested.hint or "")


def test_a_rule_outside_its_validity_is_not_called_untested(run: Run) -> None:
    coverage = run("tests: []\n").coverage
    assert [one.rule.id for one in coverage.outside_validity] == ["over"]
    assert {one.rule.id for one in coverage.untested} == {"public", "consented", "never-facts", "inspected"}


def test_coverage_counts_for_each_role_what_was_asked_of_what_is_supplied(run: Run) -> None:
    both = {"as": "[bank.officer, clerk]", "sees": "{TaxPayment.year: clear, TaxPayment.revenue: masked bucket}"}
    roles = {one.role: (one.asked, one.supplied) for one in run(written({}, both)).coverage.roles}
    assert roles == {"bank.officer": (2, 13), "clerk": (2, 13), "inspector": (0, 13)}


def test_a_broken_test_keeps_no_policy_from_being_loaded(
    write_policy: Callable[..., Path], catalogue: Catalogue
) -> None:
    files = read_directory(write_policy(RULES, tests__nation="tests: [", fields="{"))
    assert {"tests/nation.yaml", "fields.yaml"} < files.keys()
    assert load_policy(files, catalogue, AGENCIES).rows
