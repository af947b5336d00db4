"""Stage three: operation x decision table -> for each answer, who may be asked for what.

A new tree is made, nothing is pruned in place; the planner, the shaper and the audit read only this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.contract import Dataset
from gateway.stages.operation import AnswerSelection, Operation
from policies.decision import Decision, DecisionTable, Effect
from policies.policy import Act
from policies.publicity import Publicity
from schema.catalogue import RecordType, Tier

IDENTITY: Final = "recordId"
"""The control column by which a record is told from another."""

MARK: Final = "objection"
"""The control column that always travels with its record."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What a class of caller sees of one dataset's records.

    `withheld` is true where it sees none, because of the decision on the rows or on a field that filters them.
    `decisions` are those on the selected fields that the dataset supplies. `ordered_by` is the decision on the date
    that sorts the records, None where the dataset has none or the caller may not see it.
    """

    rows: Decision
    withheld: bool
    decisions: Mapping[str, Decision]
    ordered_by: Decision | None

    def coordinates(self, record: str) -> Iterator[tuple[str, Decision]]:
        """The decision on the rows and on each selected field, by coordinate."""
        yield record, self.rows
        yield from ((f"{record}.{field}", decision) for field, decision in self.decisions.items())

    @property
    def columns(self) -> frozenset[str]:
        """The selected fields that may be shown, CLEAR or MASKED."""
        if self.withheld:
            return frozenset()
        return frozenset(name for name, decision in self.decisions.items() if decision.effect is not Effect.WITHHELD)


@dataclass(frozen=True, slots=True, eq=False)
class Supplier:
    """One dataset's part in an answer, for one class of caller.

    `record` is the type whose coordinates decide. `sight` is of its records, `expired` of those past their publicity
    period. Where `sight` is withheld the dataset is not asked. `columns` may be shown; `control` are fetched beside
    them and never shown.
    """

    dataset: Dataset
    record: str
    sight: Sight
    expired: Sight
    columns: frozenset[str]
    control: frozenset[str]

    @property
    def withheld(self) -> bool:
        """Whether the dataset may not be asked."""
        return self.sight.withheld

    def coordinates(self) -> Iterator[tuple[Act, str, Decision]]:
        """The decisions on the rows and on each selected field; for records past their publicity period only where some
        of them may be shown.
        """
        yield from ((Act.READ, *decided) for decided in self.sight.coordinates(self.record))
        if not self.expired.withheld:
            yield from ((Act.READ_EXPIRED, *decided) for decided in self.expired.coordinates(self.record))


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
                if dataset.record == answer.supplied_as.name
            )
            told = tuple(
                entry
                for supplier in suppliers
                for entry in access(answer.record, supplier.dataset.agency, supplier.sight)
            )
            answers[answer] = AuthorisedAnswer(answer, suppliers, told)
    return Authorised(table.version, answers)


def _supplier(
    answer: AnswerSelection, filtered: frozenset[str], table: DecisionTable, dataset: Dataset, publicity: Publicity
) -> Supplier:
    sight = _sight(answer, filtered, dataset, table.at)
    expired = _sight(answer, filtered, dataset, table.at_expired)
    if sight.withheld:
        return Supplier(dataset, answer.record.name, sight, expired, frozenset(), frozenset())
    columns = sight.columns | expired.columns
    control = frozenset({IDENTITY, MARK}) | publicity.control_columns(answer.supplied_as)
    if answer.record.root:
        # What is verified is compared, never shown.
        columns, control = frozenset(), control | columns
    if answer.record.ordered_by and (sight.ordered_by or expired.ordered_by):
        control |= {answer.record.ordered_by}
    return Supplier(dataset, answer.record.name, sight, expired, columns, control & dataset.fields - columns)


def _sight(
    answer: AnswerSelection, filtered: frozenset[str], dataset: Dataset, decide: Callable[[str, str], Decision]
) -> Sight:
    record = answer.record
    rows = decide(dataset.agency, record.name)
    needed = {record.filters[argument][0] for argument in filtered}
    decisions = {
        field: decide(dataset.agency, f"{record.name}.{field}")
        for field in sorted((answer.fields | needed) & dataset.fields)
    }
    withheld = rows.effect is Effect.WITHHELD or any(
        decisions[field].effect is not Effect.CLEAR for field in needed & dataset.fields
    )
    order = None
    if not withheld and record.ordered_by in dataset.fields:
        order = decide(dataset.agency, f"{record.name}.{record.ordered_by}")
    return Sight(rows, withheld, decisions, order if order and order.effect is not Effect.WITHHELD else None)


def access(record: RecordType, agency: str, sight: Sight) -> Iterator[Access]:
    """What is told of the decisions that are not CLEAR."""
    if sight.rows.effect is Effect.WITHHELD:
        yield Access(record.name, agency, sight.rows)
        return
    for field, decision in sight.decisions.items():
        if decision.effect is not Effect.CLEAR and not _sealed(record, field, decision):
            yield Access(f"{record.name}.{field}", agency, decision)


def _sealed(record: RecordType, field: str, decision: Decision) -> bool:
    """Whether nothing may be told of the decision: a SEALED field is as if it were absent."""
    return record.fields[field].tier is Tier.SEALED and decision.effect is Effect.WITHHELD
