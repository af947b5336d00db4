"""Stage four: authorised operation -> for each place where companies appear, one fetch a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from connectors.contract import Dataset
from gateway.arguments import Slice
from gateway.authorise import Authorised, AuthorisedAnswer
from gateway.operation import AnswerSelection, EnterpriseSelection, Operation


@dataclass(frozen=True, slots=True, eq=False)
class Fetch:
    """What one dataset is asked for at one place: `columns` to be shown, `control` beside them, for `answers` (several
    where aliases repeat an answer: they share the call).
    """

    dataset: Dataset
    columns: frozenset[str]
    control: frozenset[str]
    answers: tuple[AnswerSelection, ...]

    @property
    def all_columns(self) -> frozenset[str]:
        """Every column that leaves the agency."""
        return self.columns | self.control


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The fetches of each enterprise selection for one class of caller, sorted by dataset."""

    authorised: Authorised
    fetches: Mapping[EnterpriseSelection, tuple[Fetch, ...]]


def make_plan(operation: Operation, authorised: Authorised) -> Plan:
    """One fetch for each dataset that may be asked, at each place."""
    return Plan(
        authorised,
        {enterprise: _fetches(enterprise, authorised.answers) for enterprise in operation.enterprises()},
    )


def _fetches(enterprise: EnterpriseSelection, answers: Mapping[AnswerSelection, AuthorisedAnswer]) -> tuple[Fetch, ...]:
    by_dataset: dict[str, Fetch] = {}
    for answer in enterprise.answers:
        for supplier in answers[answer].suppliers:
            if supplier.withheld:
                continue
            made = by_dataset.get(supplier.dataset.id)
            columns = supplier.columns | (made.columns if made else frozenset())
            control = (supplier.control | (made.control if made else frozenset())) - columns
            shared = (*made.answers, answer) if made else (answer,)
            by_dataset[supplier.dataset.id] = Fetch(supplier.dataset, columns, control, shared)
    return tuple(by_dataset[key] for key in sorted(by_dataset))


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many companies a place may have, and how many calls each of its fetches makes for them at most."""

    enterprise: EnterpriseSelection
    companies: int
    calls: tuple[int, ...]


def estimate(
    plan: Plan, companies: Mapping[EnterpriseSelection, int], slices: Mapping[AnswerSelection, Slice], limit: int
) -> tuple[Estimate, ...]:
    """The plan's calls, given how many companies each root has. A link may lead from each record of a page to another
    company; all levels together have at most `limit` companies.
    """
    estimates: list[Estimate] = []

    def visit(enterprise: EnterpriseSelection, number: int) -> None:
        calls = tuple(ceil(number / fetch.dataset.batch) for fetch in plan.fetches[enterprise])
        estimates.append(Estimate(enterprise, number, calls))
        for answer in enterprise.answers:
            for link in answer.links:
                visit(link.enterprise, min(limit, number * slices[answer].first))

    for enterprise, number in companies.items():
        visit(enterprise, number)
    return tuple(estimates)
