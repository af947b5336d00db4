"""What the tests beside the rules reach: which rules decided what they ask for, and what they ask for by role."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from policies.analysis.rule_test_files import Question
from policies.errors import Finding, Severity
from policies.policy import Policy
from policies.rule import Placed


@dataclass(frozen=True, slots=True)
class RoleCoverage:
    """Of the `supplied` coordinates (`Penalty`, `Penalty.amount`), how many some test asks for in this role."""

    role: str
    asked: int
    supplied: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """`untested` are the rules in force that decided nothing that a test asks for; `tested` counts the others. Rules
    outside their validity today can decide nothing: they are in `outside_validity` alone. `roles` holds each role
    that some organisation may hold.
    """

    tested: int
    untested: tuple[Placed, ...]
    outside_validity: tuple[Placed, ...]
    roles: tuple[RoleCoverage, ...]

    def findings(self) -> tuple[Finding, ...]:
        """A warning for each untested rule."""
        return tuple(
            Finding(
                one.file,
                one.line,
                "NO_TEST",
                f"no test asks for anything that the rule `{one.rule.id}` decides",
                f"add one to {one.file.replace('rules/', 'tests/', 1)}",
                Severity.WARNING,
            )
            for one in self.untested
        )


def covered(
    policy: Policy,
    placed: Iterable[Placed],
    cells: Mapping[str, Collection[str]],
    decided: Collection[str],
    questions: Iterable[Question],
) -> Coverage:
    """The coverage by these questions, which were decided by the rules with the ids in `decided`."""
    in_force = {row.rule for row in policy.rows}
    rules = tuple(placed)
    active = [one for one in rules if one.rule.id in in_force]
    untested = tuple(one for one in active if one.rule.id not in decided)
    outside = tuple(one for one in rules if one.rule.id not in in_force)
    return Coverage(len(active) - len(untested), untested, outside, _by_role(policy, cells, questions))


def _by_role(
    policy: Policy, cells: Mapping[str, Collection[str]], questions: Iterable[Question]
) -> tuple[RoleCoverage, ...]:
    supplied = {coordinate for coordinates in cells.values() for coordinate in coordinates} & policy.tiers.keys()
    held = {role for organisation in policy.organisations.values() for role in organisation.roles}
    asked: dict[str, set[str]] = {role: set() for role in sorted(held)}
    for question in questions:
        for role in question.caller.roles:
            asked[role].add(question.coordinate)
    return tuple(RoleCoverage(role, len(names), len(supplied)) for role, names in asked.items())
