"""Runs the tests beside the rules: each thing that a test asks for, as casbin decides it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from policies.analysis.coverage import Coverage, covered
from policies.analysis.rule_test_files import Question, read_tests
from policies.compile import compile_table
from policies.decision import CallerClass, Decision, DecisionTable
from policies.errors import Finding
from policies.load import PolicyFiles, placed_rules
from policies.policy import Act, Policy
from schema.catalogue import Catalogue

Cells = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was asked, and what was got, with the deciding rule's id."""

    question: Question
    got: Decision

    @property
    def passed(self) -> bool:
        """Whether what was got is what was expected."""
        expected = self.question.expected
        return (self.got.effect, self.got.mask) == (expected.effect, expected.mask)


@dataclass(frozen=True, slots=True)
class TestReport:
    """The outcomes, failures first, else by file and line; the mistakes in test files, which are failures too; and what
    the tests reach.
    """

    __test__: ClassVar[bool] = False

    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage

    @property
    def passed(self) -> bool:
        """Whether every test could be read, and none failed."""
        return not self.findings and all(outcome.passed for outcome in self.outcomes)


def run_tests(policy: Policy, files: PolicyFiles, cells: Cells, catalogue: Catalogue) -> TestReport:
    """Runs all tests among a policy's files against the policy that was loaded from them. `cells` holds the coordinates
    that each agency supplies. Blocks: it compiles a table for each class of caller.
    """
    questions, findings = read_tests(files, policy, cells, catalogue)
    outcomes = _asked(policy, questions)
    decided = {outcome.got.rule for outcome in outcomes if outcome.got.rule}
    return TestReport(
        tuple(sorted(outcomes, key=lambda one: (one.passed, one.question.file, one.question.line))),
        findings,
        covered(policy, placed_rules(files, policy, catalogue), cells, decided, questions),
    )


def _asked(policy: Policy, questions: Iterable[Question]) -> list[Outcome]:
    by_class: defaultdict[tuple[CallerClass, Act], list[Question]] = defaultdict(list)
    for question in questions:
        by_class[question.caller, question.act].append(question)
    outcomes: list[Outcome] = []
    for (caller, act), asked in by_class.items():
        table = _table(policy, caller, act, asked)
        outcomes.extend(Outcome(question, table.at(question.agency, question.coordinate)) for question in asked)
    return outcomes


def _table(policy: Policy, caller: CallerClass, act: Act, asked: Iterable[Question]) -> DecisionTable:
    """The table of one class, with the cells that are asked for and the rows that they depend on."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for question in asked:
        wanted[question.agency] |= {question.coordinate, question.coordinate.partition(".")[0]}
    cells = {agency: frozenset(coordinates) for agency, coordinates in wanted.items()}
    return compile_table(policy, cells, caller, act=act)
