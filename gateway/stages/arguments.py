"""The values of an operation's arguments in one request: which companies, and which slice of each answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from graphql import GraphQLError
from graphql.execution.values import VariableValues, get_argument_values

from gateway.limits import Limits
from gateway.stages import cursor
from gateway.stages.cursor import Position
from gateway.stages.operation import AnswerSelection, Operation
from gateway.stages.refusals import ArgumentInvalid
from gateway.stages.selection import Selection


class Slice(msgspec.Struct, frozen=True):
    """Which records of a list answer are asked for: the `first` ones after the position `after`, that pass `filters`
    (argument name -> bound; only those that were given).
    """

    first: int
    after: Position | None
    filters: Mapping[str, dt.date]


WHOLE = Slice(first=1, after=None, filters={})
"""The slice of an answer with a single record, which takes no arguments."""


def argument_values(operation: Operation, selection: Selection, variables: VariableValues) -> dict[str, Any]:
    """The field's coerced arguments, defaults filled in. Raises `ArgumentInvalid`."""
    parent = operation.schema.get_type(selection.parent)
    field = parent.fields[selection.name]  # type: ignore[union-attr]  # validated: the parent has fields
    try:
        return get_argument_values(field, selection.nodes[0], variables)
    except GraphQLError as error:
        raise ArgumentInvalid(error) from None


def slices(operation: Operation, variables: VariableValues, limits: Limits) -> Mapping[AnswerSelection, Slice]:
    """The slice of each answer in the operation. Raises `ArgumentInvalid`."""
    return {
        answer: _slice(answer, _arguments(operation, answer, variables), limits)
        for enterprise in operation.enterprises()
        for answer in enterprise.answers
    }


def _arguments(operation: Operation, answer: AnswerSelection, variables: VariableValues) -> Mapping[str, Any]:
    return argument_values(operation, answer.selection, variables) if answer.arguments is None else answer.arguments


def _slice(answer: AnswerSelection, values: Mapping[str, Any], limits: Limits) -> Slice:
    if answer.record.single:
        return WHOLE
    first = values.get("first")
    if first is None or not 1 <= first <= limits.page:
        raise _invalid(answer, "first", f"must be between 1 and {limits.page}")
    after = values.get("after")
    try:
        position = None if after is None else cursor.decode(after)
    except cursor.CursorInvalid:
        raise _invalid(answer, "after", "is not a cursor of this gateway; pass an endCursor as it came") from None
    filters = {name: values[name] for name in answer.record.filters if values.get(name) is not None}
    if not filters:
        return Slice(first, position, {})
    lower = [
        filters[name] for name, (_, operator) in answer.record.filters.items() if operator == ">=" and name in filters
    ]
    for name, (_, operator) in answer.record.filters.items():
        if operator == "<=" and name in filters and lower and filters[name] < max(lower):
            raise _invalid(answer, name, "is before the date from which records are asked for; nothing lies between")
    return Slice(first, position, filters)


def _invalid(answer: AnswerSelection, argument: str, problem: str) -> ArgumentInvalid:
    node = answer.selection.nodes[0]
    return ArgumentInvalid(GraphQLError(f"Argument '{argument}' of {answer.record.field} {problem}.", node))
