"""Stage four: authorised operation -> for each place where companies appear, one fetch a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

import orjson

from connectors.contract import Dataset
from connectors.lookups import IDENTIFIERS
from gateway.stages.arguments import Slice
from gateway.stages.authorise import Authorised, AuthorisedAnswer
from gateway.stages.crosswalk import Crosswalks
from gateway.stages.operation import AnswerSelection, EnterpriseSelection, Operation


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
    """The fetches of each enterprise selection for one class of caller, sorted by dataset, and the decisions that they
    rest on, as the audit keeps them.

    `before` are the fetches from crosswalks, for the identifiers by which some of the others know companies: of control
    columns alone, whatever the caller may see.
    """

    authorised: Authorised
    before: Mapping[EnterpriseSelection, tuple[Fetch, ...]]
    fetches: Mapping[EnterpriseSelection, tuple[Fetch, ...]]
    decisions: Mapping[EnterpriseSelection, orjson.Fragment]


def make_plan(operation: Operation, authorised: Authorised, crosswalks: Crosswalks) -> Plan:
    """One fetch for each dataset that may be asked, at each place; before them, for each crosswalk that some need."""
    enterprises = tuple(operation.enterprises())
    fetches = {enterprise: _fetches(enterprise, authorised.answers) for enterprise in enterprises}
    return Plan(
        authorised,
        {enterprise: _before(fetches[enterprise], crosswalks) for enterprise in enterprises},
        fetches,
        {enterprise: _decisions(enterprise, authorised.answers) for enterprise in enterprises},
    )


def _before(fetches: Iterable[Fetch], crosswalks: Crosswalks) -> tuple[Fetch, ...]:
    columns: dict[Dataset, frozenset[str]] = {}
    for kind in sorted({fetch.dataset.key for fetch in fetches} & IDENTIFIERS.keys()):
        for crosswalk in crosswalks[kind]:
            columns[crosswalk] = columns.get(crosswalk, frozenset()) | {IDENTIFIERS[kind]}
    found = sorted(columns.items(), key=lambda item: item[0].id)
    return tuple(Fetch(crosswalk, frozenset(), control, ()) for crosswalk, control in found)


def _decisions(enterprise: EnterpriseSelection, answers: Mapping[AnswerSelection, AuthorisedAnswer]) -> orjson.Fragment:
    """Each decision at one place, in JSON: it is the same for every request of the plan."""
    suppliers = (supplier for answer in enterprise.answers for supplier in answers[answer].suppliers)
    decided = [
        {
            "agency": supplier.dataset.agency,
            "act": act,
            "coordinate": coordinate,
            "decision": decision.effect,
            "mask": decision.mask,
            "rule": decision.rule,
        }
        for supplier in suppliers
        for act, coordinate, decision in supplier.coordinates()
    ]
    return orjson.Fragment(orjson.dumps(decided))


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


def companies_at(
    roots: Mapping[EnterpriseSelection, int], slices: Mapping[AnswerSelection, Slice], limit: int
) -> Mapping[EnterpriseSelection, int]:
    """How many companies each place may have, given how many each root has: a link may lead from each record of a page
    to another company. A request has at most `limit` companies.
    """
    numbers: dict[EnterpriseSelection, int] = {}

    def visit(enterprise: EnterpriseSelection, number: int) -> None:
        numbers[enterprise] = number
        for answer in enterprise.answers:
            for link in answer.links:
                visit(link.enterprise, min(limit, number * slices[answer].first))

    for enterprise, number in roots.items():
        visit(enterprise, number)
    return numbers


def calls(fetch: Fetch, companies: int) -> int:
    """How many calls a fetch for so many companies makes at most; fewer where coverage or the cache spares some."""
    return ceil(companies / fetch.dataset.batch)
