"""The contract as graphql-core holds it, to parse, validate and introspect requests with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    StringValueNode,
    ValueNode,
    build_ast_schema,
)

from schema.credit_code import MAX_TEXT


def built(contract: DocumentNode) -> GraphQLSchema:
    """The schema of a contract's syntax tree.

    A `CreditCode` argument arrives as the text that was sent, unchecked but for its length, so that each code of many
    can be checked alone; a `Date` arrives as a `datetime.date`. There are no resolvers.
    """
    # The SDL is our own and the tests validate it; doing so again would double the time.
    whole = build_ast_schema(contract, assume_valid=True)
    schema = GraphQLSchema(whole.query_type, directives=whole.directives, assume_valid=True)
    for name in _READERS.keys() & schema.type_map.keys():
        read, scalar = _READERS[name], cast("GraphQLScalarType", schema.type_map[name])
        scalar.coerce_input_value = read
        scalar.coerce_input_literal = _literal_reader(name, read)
    return schema


def read_credit_code(value: object) -> str:
    """The text that was sent. Raises `GraphQLError` where it is not a string of at most 64 characters."""
    if not isinstance(value, str):
        raise GraphQLError("A CreditCode must be a string.")
    if len(value) > MAX_TEXT:
        raise GraphQLError(f"A CreditCode has at most {MAX_TEXT} characters as it is sent; this one has {len(value)}.")
    return value


def read_date(value: object) -> dt.date:
    """The date. Raises `GraphQLError` where it is not written as RFC 3339's `full-date` (2026-04-01)."""
    if not isinstance(value, str):
        raise GraphQLError("A Date must be a string like 2026-04-01.")
    try:
        date = dt.date.fromisoformat(value)
    except ValueError:
        date = None
    # fromisoformat also takes 20260401 and 2026-W14-3.
    if date is None or date.isoformat() != value:
        raise GraphQLError(f"A Date must be a day of the calendar, written like 2026-04-01; {value[:32]!r} is not.")
    return date


_READERS: Final[Mapping[str, Callable[[object], object]]] = {"CreditCode": read_credit_code, "Date": read_date}


def _literal_reader(name: str, read: Callable[[object], object]) -> Callable[[ValueNode], object]:
    """Reads the scalar where it stands in the query's text, and says where that is in its errors."""

    def read_literal(node: ValueNode) -> object:
        # graphql-core's own reader would take the enum value ABC for the string "ABC".
        if not isinstance(node, StringValueNode):
            raise GraphQLError(f"A {name} must be a string.", node)
        try:
            return read(node.value)
        except GraphQLError as error:
            raise GraphQLError(error.message, node) from error

    return read_literal
