"""The variables of one operation, read from a request's JSON: what is plain here, all else by graphql-core.

graphql-core asks of each value anew what its type is made of, which takes ten times as long as looking at the value.
Here that is asked once, when the operation is read for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    VariableDefinitionNode,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

from gateway.stages.refusals import LimitExceeded, VariablesInvalid

MAX_ERRORS: Final = 20
"""How many coercion errors one answer lists."""

_Read = Callable[[Any], Any]
"""Reads a JSON value as one type takes it, or raises whatever it likes."""


class VariableReader:
    """Reads the variables of one validated operation, whose definitions these are."""

    def __init__(self, schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> None:
        self._schema = schema
        self._definitions = tuple(definitions)
        self._variables = tuple(_variable(schema, definition) for definition in self._definitions)

    def read(self, values: Mapping[str, Any], longest: int) -> VariableValues:
        """The coerced variables. Raises `LimitExceeded` for a list of more than `longest` companies, before any of them
        is looked at (no other argument is a list); `VariablesInvalid` with graphql-core's errors.
        """
        for variable in self._variables:
            value = values.get(variable.signature.name)
            if isinstance(value, list) and len(value) > longest:
                raise _too_long(variable.signature.name, len(value), longest)
        plain = self._plain(values)
        return self._coerced(values) if plain is None else plain

    def _plain(self, values: Mapping[str, Any]) -> VariableValues | None:
        """The variables, where each is absent and may be, or plainly of its type."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for variable in self._variables:
            name = variable.signature.name
            if name in values:
                value = values[name]
                try:
                    coerced[name] = variable.read(value)
                except Exception:  # noqa: BLE001 - graphql-core says what is wrong with it, if anything is
                    return None
                sources[name] = VariableValueSource(variable.signature, value)
            elif variable.absent is None:
                return None
            else:
                sources |= variable.absent.sources
                coerced |= variable.absent.coerced
        return VariableValues(sources, coerced)

    def _coerced(self, values: Mapping[str, Any]) -> VariableValues:
        coerced = get_variable_values(self._schema, self._definitions, dict(values), max_errors=MAX_ERRORS)
        if isinstance(coerced, VariableValues):
            return coerced
        raise VariablesInvalid(*coerced)


@dataclass(frozen=True, slots=True)
class _Variable:
    """One variable. `absent` is what it comes to where it is not sent, None where it must be."""

    signature: GraphQLVariableSignature
    read: _Read
    absent: VariableValues | None


def _too_long(name: str, number: int, longest: int) -> LimitExceeded:
    return LimitExceeded(
        GraphQLError(f"Variable '${name}' names {number} companies; ask for at most {longest} at once.")
    )


def _variable(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Variable:
    signature = get_variable_signature(schema, definition)
    if not isinstance(signature, GraphQLVariableSignature):
        raise TypeError("the operation passed validation but has a variable of no input type")
    absent = get_variable_values(schema, (definition,), {})
    return _Variable(signature, _reader(signature.type), absent if isinstance(absent, VariableValues) else None)


def _reader(of_type: GraphQLInputType) -> _Read:
    if is_non_null_type(of_type):
        return _required(_present(of_type.of_type))
    present = _present(of_type)
    return lambda value: None if value is None else present(value)


def _required(present: _Read) -> _Read:
    def read(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if value is None:
            raise _NotPlainError
        return present(value)

    return read


def _present(of_type: GraphQLInputType) -> _Read:
    """The reader of the type's values that are not null."""
    if is_list_type(of_type):
        return _list(of_type.of_type)
    if is_leaf_type(of_type):
        return of_type.coerce_input_value
    return _not_plain


def _list(item_type: GraphQLInputType) -> _Read:
    if is_non_null_type(item_type) and is_leaf_type(item_type.of_type):
        return _leaves(item_type.of_type.coerce_input_value)
    item = _reader(item_type)

    def read(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if type(value) is not list:
            raise _NotPlainError
        return [item(one) for one in value]

    return read


def _leaves(leaf: _Read) -> _Read:
    def read(value: Any) -> Any:  # noqa: ANN401 - any JSON
        # A null is looked for in the whole list: asking each item takes longer than reading most of them.
        if type(value) is not list or None in value:
            raise _NotPlainError
        return [leaf(one) for one in value]

    return read


def _not_plain(_value: object) -> object:
    raise _NotPlainError


class _NotPlainError(Exception):
    """A value that graphql-core must look at."""
