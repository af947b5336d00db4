"""The types of the administration's schema that tell what is wrong with a policy, and what its own tests say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import strawberry

from policies import errors
from policies.analysis import rule_tests
from policies.analysis.coverage import Coverage
from policies.decision import Decision, Effect
from policies.rule import Placed
from schema.wording import bilingual


def worded(decision: Decision) -> str:
    """A decision in the words of rule tests: clear, masked bucket, withheld."""
    mask = f" {decision.mask}" if decision.effect is Effect.MASKED else ""
    return f"{decision.effect.lower()}{mask}"


@strawberry.type(
    description=bilingual("A mistake in a policy's files, or what is worth a look.", "策略文件中的错误或提示。")
)
class Finding:
    """A finding."""

    severity: str = strawberry.field(description="error: the policy is refused; warning: somebody should look.")
    code: str = strawberry.field(description="Its stable code.")
    file: str = strawberry.field(description="The file, or the sheet and cell.")
    line: int = strawberry.field(description="The line, from 1.")
    message: str = strawberry.field(description="What is wrong.")
    hint: str | None = strawberry.field(description="The way out.")

    @classmethod
    def of(cls, finding: errors.Finding) -> Self:
        """The finding as it is told."""
        return cls(
            severity=finding.severity,
            code=finding.code,
            file=finding.file,
            line=finding.line,
            message=finding.message,
            hint=finding.hint,
        )


@strawberry.type(
    description=bilingual("One expectation of a rule test, and what came of it.", "一条规则测试及其结果。")
)
class TestOutcome:
    """An outcome."""

    file: str = strawberry.field(description="The test's file.")
    line: int = strawberry.field(description="Its line.")
    roles: list[str] = strawberry.field(description="The roles that ask.")
    organisation: str = strawberry.field(description="Their organisation.")
    purpose: str | None = strawberry.field(description="The purpose; null: none.")
    bases: list[str] = strawberry.field(description="The bases that hold.")
    agency: str = strawberry.field(description="Whose data.")
    coordinate: str = strawberry.field(description="The field, or the record type for its rows.")
    act: str = strawberry.field(description="read, or read_expired.")
    expected: str = strawberry.field(description="What is expected: clear, masked bucket, withheld.")
    got: str = strawberry.field(description="What was decided.")
    rule: str | None = strawberry.field(description="The rule that decided.")
    passed: bool = strawberry.field(description="Whether they are the same.")

    @classmethod
    def of(cls, outcome: rule_tests.Outcome) -> Self:
        """The outcome as it is told."""
        question = outcome.question
        caller = question.caller
        return cls(
            file=question.file,
            line=question.line,
            roles=sorted(caller.roles),
            organisation=caller.organisation,
            purpose=caller.purpose,
            bases=sorted(caller.bases),
            agency=question.agency,
            coordinate=question.coordinate,
            act=question.act,
            expected=worded(Decision(question.expected.effect, question.expected.mask)),
            got=worded(outcome.got),
            rule=outcome.got.rule,
            passed=outcome.passed,
        )


@strawberry.type(description=bilingual("How much of what a role could ask the tests do ask.", "测试对某一角色的覆盖。"))
class RoleCoverage:
    """The coverage of one role."""

    role: str = strawberry.field(description="The role.")
    asked: int = strawberry.field(description="The coordinates that some test asks for.")
    supplied: int = strawberry.field(description="The coordinates that agencies supply.")


@strawberry.type(description=bilingual("What a policy's own tests say.", "策略自带测试的结果。"))
class TestReport:
    """The report."""

    passed: bool = strawberry.field(description="Whether all tests could be read, and none failed.")
    outcomes: list[TestOutcome] = strawberry.field(description="Failures first.")
    findings: list[Finding] = strawberry.field(description="What is wrong with the test files.")
    tested_rules: int = strawberry.field(description="How many rules decide something that a test asks for.")
    untested_rules: list[str] = strawberry.field(description="The rules that do not.")
    outside_validity: list[str] = strawberry.field(description="The rules that are not valid today.")
    roles: list[RoleCoverage] = strawberry.field(description="The coverage by role.")

    @classmethod
    def of(cls, report: rule_tests.TestReport) -> Self:
        """The report as it is told."""
        coverage: Coverage = report.coverage
        return cls(
            passed=report.passed,
            outcomes=[TestOutcome.of(outcome) for outcome in report.outcomes],
            findings=[Finding.of(finding) for finding in report.findings],
            tested_rules=coverage.tested,
            untested_rules=_ids(coverage.untested),
            outside_validity=_ids(coverage.outside_validity),
            roles=[RoleCoverage(role=one.role, asked=one.asked, supplied=one.supplied) for one in coverage.roles],
        )


def _ids(placed: Sequence[Placed]) -> list[str]:
    return [one.rule.id for one in placed]
