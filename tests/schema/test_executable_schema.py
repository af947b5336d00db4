from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    graphql_sync,
    parse,
    validate,
    validate_schema,
)
from hypothesis import given
from hypothesis import strategies as st

from schema.contract import national
from schema.graphql_schema import read_credit_code, read_date

FIELD = "{ enterprise(code: %s) { creditCode } }"
VARIABLE = "query ($code: CreditCode!) { enterprise(code: $code) { creditCode } }"
DATED = 'query ($day: Date) { enterprise(code: "x") { penalties(decidedFrom: $day) { status } } }'


@pytest.fixture
def whole() -> GraphQLSchema:
    return national().schema(frozenset())


def _seen(schema: GraphQLSchema, field: str, query: str, variables: dict[str, Any] | None = None) -> object:
    """What reaches a resolver of `Type.field` as its arguments."""
    seen: list[object] = []

    def resolve(_source: object, _info: GraphQLResolveInfo[Any], **arguments: object) -> None:
        seen.append(arguments)

    name, _, key = field.partition(".")
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    type_.fields[key].resolve = resolve
    graphql_sync(schema, query, {"enterprise": {}}, variable_values=variables)
    return seen[0]


def _error(schema: GraphQLSchema, query: str, variables: dict[str, Any] | None = None) -> GraphQLError:
    result = graphql_sync(schema, query, variable_values=variables)
    assert result.data is None
    assert result.errors is not None
    return result.errors[0]


@pytest.mark.parametrize("text", ["nonsense", "９１ -x", "", "x" * 64])
def test_a_credit_code_arrives_as_it_was_sent_so_that_each_can_be_checked_alone(
    whole: GraphQLSchema, text: str
) -> None:
    assert _seen(whole, "Query.enterprise", FIELD % f'"{text}"') == {"code": text}
    assert _seen(whole, "Query.enterprise", VARIABLE, {"code": text}) == {"code": text}


def test_a_credit_code_of_more_than_64_characters_is_refused(whole: GraphQLSchema) -> None:
    message = "A CreditCode has at most 64 characters as it is sent; this one has 65."
    literal = _error(whole, FIELD % f'"{"x" * 65}"')
    assert literal.message == message
    assert literal.locations is not None
    assert message in _error(whole, VARIABLE, {"code": "x" * 65}).message


@pytest.mark.parametrize("literal", ["911100", "ABC", "true", "1.5"])
def test_a_credit_code_that_is_not_a_string_is_refused_where_it_stands(whole: GraphQLSchema, literal: str) -> None:
    error = _error(whole, FIELD % literal)
    assert error.message == "A CreditCode must be a string."
    assert error.locations is not None
    assert error.locations[0].column == 20


@pytest.mark.parametrize("value", [911100, True, ["x"], {"code": "x"}])
def test_a_variable_that_is_not_a_string_is_refused(whole: GraphQLSchema, value: object) -> None:
    assert "A CreditCode must be a string." in _error(whole, VARIABLE, {"code": value}).message


def test_a_date_arrives_as_a_date(whole: GraphQLSchema) -> None:
    literal = DATED.replace("($day: Date)", "").replace("$day", '"2024-02-29"')
    expected = {"first": 100, "decidedFrom": dt.date(2024, 2, 29)}
    assert _seen(whole, "Enterprise.penalties", literal) == expected
    assert _seen(whole, "Enterprise.penalties", DATED, {"day": "2024-02-29"}) == expected


@pytest.mark.parametrize(
    "text", ["20260401", "2026-W14-3", "2026-4-1", "2025-02-29", "1 April", "", "2026-04-01T00:00:00"]
)
def test_a_date_in_another_form_is_refused_with_the_right_one(whole: GraphQLSchema, text: str) -> None:
    assert "written like 2026-04-01" in _error(whole, DATED, {"day": text}).message


def test_a_date_that_is_not_a_string_is_refused(whole: GraphQLSchema) -> None:
    assert "A Date must be a string like 2026-04-01." in _error(whole, DATED, {"day": 20260401}).message


@given(st.dates())
def test_every_day_of_the_calendar_can_be_sent(day: dt.date) -> None:
    assert read_date(day.isoformat()) == day


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (read_date, read_credit_code):
        with contextlib.suppress(GraphQLError):
            read(text)


def test_a_representation_of_a_router_arrives_as_it_was_sent(whole: GraphQLSchema) -> None:
    representation = {"__typename": "Enterprise", "creditCode": "nonsense"}
    literal = '{ _entities(representations: [{ __typename: "Enterprise", creditCode: "nonsense" }]) { __typename } }'
    variable = "query ($all: [_Any!]!) { _entities(representations: $all) { __typename } }"
    expected = {"representations": [representation]}
    assert _seen(whole, "Query._entities", literal) == expected
    assert _seen(whole, "Query._entities", variable, {"all": [representation]}) == expected


def test_a_hidden_field_does_not_exist_and_no_other_is_missing() -> None:
    hidden = national().schema(frozenset({"Penalty.informant"}))
    query = '{ enterprise(code: "x") { penalties { records { %s } } taxCredits { records { internalRiskScore } } } }'
    assert [error.message for error in validate(hidden, parse(query % "informant"))] == [
        "Cannot query field 'informant' on type 'Penalty'."
    ]
    assert [error.message for error in validate(hidden, parse(query % "informer"))] == [
        "Cannot query field 'informer' on type 'Penalty'."
    ]
    assert validate(hidden, parse(query % "facts")) == []
    assert validate(national().schema(frozenset()), parse(query % "informant")) == []


def test_the_schema_is_valid_without_its_hidden_fields() -> None:
    assert validate_schema(national().schema(frozenset({"Penalty.informant", "TaxCredit.internalRiskScore"}))) == []


def test_building_for_one_more_view_is_quick(whole: GraphQLSchema) -> None:
    assert whole.type_map
    started = time.process_time()
    national().schema(frozenset({"Penalty.informant"}))
    assert time.process_time() - started < 0.15
