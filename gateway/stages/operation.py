"""An operation in this gateway's terms: which enterprises, which answers of each, which record fields of each answer.

Frozen and free of any caller, policy or company, so that it is made once per text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableNode,
)
from graphql.execution.values import get_argument_values

from gateway.stages.selection import Selection
from schema.catalogue import Catalogue, RecordType
from schema.questions import QUESTIONS, REGISTRATION, VERIFICATION

BY_LEGACY_ID: Final = "enterpriseByLegacyId"
FIND: Final = "findEnterprises"
VERIFY: Final = "verifyEnterprise"

FEDERATED_ROOTS: Final = frozenset({"enterprise", "enterprises", "_entities", BY_LEGACY_ID, FIND, VERIFY})
"""The root fields that run through the plan."""

AGENCIES: Final = "agencies"
"""The root field that tells of agencies; graphql-core runs all others."""

RECORDS: Final = frozenset({"record", "records"})
"""The fields of an answer that hold its records."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerSelection:
    """One answer field of an enterprise (`penalties`), as selected under one response key.

    `fields` are the record fields selected, by name, below `record` or `records`; `links` the nested enterprises among
    them. `arguments` are the field's coerced arguments, defaults filled in, where no variable is among them, else None.
    `record` has the coordinates that decide who may have it, `supplied_as` is the record type of the datasets that are
    asked: these differ where the answer is a verification.
    """

    selection: Selection
    arguments: Mapping[str, Any] | None
    record: RecordType
    supplied_as: RecordType
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
    """A federated root field with what it selects of each enterprise: once, but for matches, which may have their
    enterprise under several response keys.
    """

    selection: Selection
    enterprises: tuple[EnterpriseSelection, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A validated, normalised operation. `id` names its text, name and directive values; `federated` are the roots that
    the plan runs, `agencies` those that tell of agencies, `local` those that graphql-core runs, and `keys` all response
    keys in the order of the answer.
    """

    id: str
    schema: GraphQLSchema
    document: DocumentNode
    definition: OperationDefinitionNode
    keys: tuple[str, ...]
    federated: tuple[Root, ...]
    agencies: tuple[Selection, ...]
    local: tuple[Selection, ...]

    def enterprises(self) -> Iterator[EnterpriseSelection]:
        """Every enterprise selection, outermost first."""
        for root in self.federated:
            for enterprise in root.enterprises:
                yield from enterprise.walk()


def federated_root(selection: Selection, schema: GraphQLSchema, catalogue: Catalogue) -> Root:
    """The root field's enterprises, answers and fields."""
    made_of = _Made(schema, {record.field: record for record in catalogue.of_companies()})
    return Root(selection, tuple(_root_enterprises(selection, made_of, catalogue)))


def _root_enterprises(selection: Selection, made_of: _Made, catalogue: Catalogue) -> Iterator[EnterpriseSelection]:
    if selection.name == FIND:
        for part in selection.selections:
            if part.name == "enterprise":
                yield _enterprise(part.selections, (selection.key, part.key), 0, made_of)
    elif selection.name == VERIFY:
        yield EnterpriseSelection((selection.key,), 0, (), (_verification(selection, made_of, catalogue),))
    else:
        yield _enterprise(selection.selections, (selection.key,), 0, made_of)


@dataclass(frozen=True, slots=True)
class _Made:
    """What selections are read by: the schema, and the record types by their field on an enterprise."""

    schema: GraphQLSchema
    by_field: Mapping[str, RecordType]


def _enterprise(
    selections: tuple[Selection, ...], path: tuple[str, ...], level: int, made_of: _Made
) -> EnterpriseSelection:
    answers = tuple(
        _answer(selection, (*path, selection.key), level, made_of)
        for selection in selections
        if selection.name in made_of.by_field
    )
    return EnterpriseSelection(path, level, selections, answers)


def _answer(selection: Selection, path: tuple[str, ...], level: int, made_of: _Made) -> AnswerSelection:
    record = made_of.by_field[selection.name]
    parts = [part for part in selection.selections if part.name in RECORDS]
    selected = [(part.key, field) for part in parts for field in part.selections]
    links = tuple(
        Link(field.name, (key, field.key), _enterprise(field.selections, (*path, field.key), level + 1, made_of))
        for key, field in selected
        if field.name in record.fields and record.fields[field.name].link
    )
    fields = frozenset(field.name for _, field in selected if field.name in record.fields)
    return AnswerSelection(selection, _constant_arguments(selection, made_of.schema), record, record, fields, links)


def _verification(selection: Selection, made_of: _Made, catalogue: Catalogue) -> AnswerSelection:
    """A verification is an answer about one company: of those elements that are selected, and that there is something
    given for.
    """
    record = QUESTIONS[VERIFICATION]
    given = {argument.name.value for argument in selection.nodes[0].arguments or ()}
    fields = record.fields.keys() & given & {part.name for part in selection.selections}
    arguments = _constant_arguments(selection, made_of.schema)
    return AnswerSelection(selection, arguments, record, catalogue.records[REGISTRATION], frozenset(fields), ())


def _constant_arguments(selection: Selection, schema: GraphQLSchema) -> Mapping[str, Any] | None:
    """The field's coerced arguments, where they are plain values; None where a variable is, or could be, among them."""
    node, parent = selection.nodes[0], schema.get_type(selection.parent)
    composed = (VariableNode, ListValueNode, ObjectValueNode)
    if any(isinstance(argument.value, composed) for argument in node.arguments or ()):
        return None
    field = parent.fields[selection.name]  # type: ignore[union-attr]  # validated: the parent has fields
    try:
        return get_argument_values(field, node)
    except GraphQLError:
        # Read again, and refused, with the request that it comes in.
        return None


def depth(selections: tuple[Selection, ...]) -> int:
    """How deep the selections nest; 1 for leaves alone, 0 for none."""
    return max((1 + depth(selection.selections) for selection in selections), default=0)


def aliases(selections: tuple[Selection, ...]) -> int:
    """How many response keys differ from their field's name."""
    return sum(1 for top in selections for selection in top.walk() if selection.key != selection.name)
