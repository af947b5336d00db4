"""Stage three: operation x decision table -> for each answer, who may be asked for what.

A new tree is made, nothing is pruned in place; the planner, the shaper and the audit read only this one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.contract import Dataset
from gateway.operation import AnswerSelection, Operation
from policies.decision import Decision, DecisionTable, Effect
from policies.publicity import Publicity
from schema.catalogue import RecordType, Tier

IDENTITY: Final = "recordId"
"""The control column by which a record is told from another."""

MARK: Final = "objection"
"""The control column that always travels with its record."""


@dataclass(frozen=True, slots=True, eq=False)
class Supplier:
    """One dataset's part in an answer, for one class of caller.

    `rows` is the decision on whether records may be known to exist. `withheld` is true where the dataset may not be
    asked, because of that or of a filter. `decisions` are those on the selected fields that the dataset supplies.
    `columns` may be shaped (CLEAR or MASKED); `control` are fetched beside them and never shown. `ordered_by` is the
    decision on the date that sorts the records, None where the dataset has none or the caller may not see it.
    """

    dataset: Dataset
    rows: Decision
    withheld: bool
    decisions: Mapping[str, Decision]
    columns: frozenset[str]
    control: frozenset[str]
    ordered_by: Decision | None

    def coordinates(self) -> Iterator[tuple[str, Decision]]:
        """The decision on the rows and on each selected field, by coordinate."""
        yield self.dataset.record, self.rows
        for field, decision in self.decisions.items():
            yield f"{self.dataset.record}.{field}", decision


@dataclass(frozen=True, slots=True)
class Access:
    """A selected coordinate that is not simply CLEAR, at one agency."""

    coordinate: str
    agency: str
    decision: Decision


@dataclass(frozen=True, slots=True, eq=False)
class AuthorisedAnswer:
    """An answer selection as one class of caller may have it."""

    answer: AnswerSelection
    suppliers: tuple[Supplier, ...]
    access: tuple[Access, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Authorised:
    """An operation as one class of caller may have it, under one policy version."""

    version: str
    answers: Mapping[AnswerSelection, AuthorisedAnswer]


Filtered = Mapping[AnswerSelection, frozenset[str]]
"""The arguments by which each answer is filtered in a request (only those that were given)."""


def authorise(
    operation: Operation,
    filtered: Filtered,
    table: DecisionTable,
    datasets: Collection[Dataset],
    publicity: Publicity,
) -> Authorised:
    """The operation cut to what the table allows."""
    answers = {}
    for enterprise in operation.enterprises():
        for answer in enterprise.answers:
            suppliers = tuple(
                _supplier(answer, filtered.get(answer, frozenset()), table, dataset, publicity)
                for dataset in datasets
                if dataset.record == answer.record.name
            )
            access = tuple(entry for supplier in suppliers for entry in _access(answer.record, supplier))
            answers[answer] = AuthorisedAnswer(answer, suppliers, access)
    return Authorised(table.version, answers)


def _supplier(
    answer: AnswerSelection, filtered: frozenset[str], table: DecisionTable, dataset: Dataset, publicity: Publicity
) -> Supplier:
    record = answer.record

    def decide(field: str) -> Decision:
        return table.at(dataset.agency, f"{record.name}.{field}")

    rows = table.at(dataset.agency, record.name)
    needed = {record.filters[argument][0] for argument in filtered}
    decisions = {field: decide(field) for field in sorted((answer.fields | needed) & dataset.fields)}
    withheld = rows.effect is Effect.WITHHELD or any(
        field in decisions and decisions[field].effect is not Effect.CLEAR for field in needed
    )
    if withheld:
        return Supplier(dataset, rows, withheld, decisions, frozenset(), frozenset(), None)
    columns = frozenset(field for field, decision in decisions.items() if decision.effect is not Effect.WITHHELD)
    order = decide(record.ordered_by) if record.ordered_by in dataset.fields else None
    if order and order.effect is Effect.WITHHELD:
        order = None
    control = frozenset({IDENTITY, MARK}) | publicity.control_columns(record)
    if order and record.ordered_by:
        control |= {record.ordered_by}
    return Supplier(dataset, rows, withheld, decisions, columns, control & dataset.fields - columns, order)


def _access(record: RecordType, supplier: Supplier) -> list[Access]:
    agency = supplier.dataset.agency
    if supplier.rows.effect is Effect.WITHHELD:
        return [Access(record.name, agency, supplier.rows)]
    return [
        Access(f"{record.name}.{field}", agency, decision)
        for field, decision in supplier.decisions.items()
        if decision.effect is not Effect.CLEAR and not _sealed(record, field, decision)
    ]


def _sealed(record: RecordType, field: str, decision: Decision) -> bool:
    """Whether nothing may be told of the decision: a SEALED field is as if it were absent."""
    return record.fields[field].tier is Tier.SEALED and decision.effect is Effect.WITHHELD
