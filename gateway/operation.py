"""An operation in this gateway's terms: which enterprises, which answers of each, which record fields of each answer.

Frozen and free of any caller, policy or company, so that it is made once per text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode

from gateway.selection import Selection
from schema.catalogue import Catalogue, RecordType

FEDERATED_ROOTS: Final = frozenset({"enterprise", "enterprises", "_entities"})
"""The root fields that run through the plan; graphql-core runs all others."""

RECORDS: Final = frozenset({"record", "records"})
"""The fields of an answer that hold its records."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerSelection:
    """One answer field of an enterprise (`penalties`), as selected under one response key.

    `fields` are the record fields selected, by name, below `record` or `records`; `links` the nested enterprises among
    them.
    """

    selection: Selection
    record: RecordType
    fields: frozenset[str]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EnterpriseSelection:
    """What is selected of an enterprise at one place. `level` is 0 at the root, one more with each link followed."""

    path: tuple[str, ...]
    level: int
    selections: tuple[Selection, ...]
    answers: tuple[AnswerSelection, ...]

    def walk(self) -> Iterator[EnterpriseSelection]:
        """This selection and all nested ones."""
        yield self
        for answer in self.answers:
            for link in answer.links:
                yield from link.enterprise.walk()


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A record field that leads to another enterprise (`Shareholder.holder`), at one place: `keys` are the response
    keys of the records and of the field in them.
    """

    field: str
    keys: tuple[str, str]
    enterprise: EnterpriseSelection


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A federated root field with what it selects of each enterprise."""

    selection: Selection
    enterprise: EnterpriseSelection


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A validated, normalised operation. `id` names its text, name and directive values; `federated` are the roots that
    the plan runs, `local` those that graphql-core runs, and `keys` all response keys in the order of the answer.
    """

    id: str
    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    keys: tuple[str, ...]
    federated: tuple[Root, ...]
    local: tuple[Selection, ...]

    def enterprises(self) -> Iterator[EnterpriseSelection]:
        """Every enterprise selection, outermost first."""
        for root in self.federated:
            yield from root.enterprise.walk()


def federated_root(selection: Selection, catalogue: Catalogue) -> Root:
    """The root field's enterprises, answers and fields."""
    by_field = {record.field: record for record in catalogue.records.values()}
    return Root(selection, _enterprise(selection.selections, (selection.key,), 0, by_field))


def _enterprise(
    selections: tuple[Selection, ...], path: tuple[str, ...], level: int, by_field: Mapping[str, RecordType]
) -> EnterpriseSelection:
    answers = tuple(
        _answer(selection, (*path, selection.key), level, by_field)
        for selection in selections
        if selection.name in by_field
    )
    return EnterpriseSelection(path, level, selections, answers)


def _answer(
    selection: Selection, path: tuple[str, ...], level: int, by_field: Mapping[str, RecordType]
) -> AnswerSelection:
    record = by_field[selection.name]
    parts = [part for part in selection.selections if part.name in RECORDS]
    selected = [(part.key, field) for part in parts for field in part.selections]
    links = tuple(
        Link(field.name, (key, field.key), _enterprise(field.selections, (*path, field.key), level + 1, by_field))
        for key, field in selected
        if field.name in record.fields and record.fields[field.name].link
    )
    fields = frozenset(field.name for _, field in selected if field.name in record.fields)
    return AnswerSelection(selection, record, fields, links)


def depth(selections: tuple[Selection, ...]) -> int:
    """How deep the selections nest; 1 for leaves alone, 0 for none."""
    return max((1 + depth(selection.selections) for selection in selections), default=0)


def aliases(selections: tuple[Selection, ...]) -> int:
    """How many response keys differ from their field's name."""
    return sum(1 for top in selections for selection in top.walk() if selection.key != selection.name)
