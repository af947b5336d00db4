"""Variables come out as graphql-core coerces them, whatever JSON is sent for whatever type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import OperationDefinitionNode, VariableDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.stages.refusals import VariablesInvalid
from gateway.stages.variables import MAX_ERRORS, VariableReader
from schema.contract import national

OURS = national().schema(frozenset())
OTHER = build_schema(
    """
    type Query { field(of: Search, at: Float, id: ID): Int }
    input Search { text: String = "x", within: [Search!] }
    enum Colour { RED GREEN }
    scalar Anything
    """
)

NAMED = {
    "ours": ["CreditCode", "Date", "String", "Int", "Boolean"],
    "other": ["Search", "Colour", "Anything", "Float", "ID"],
}
SCHEMAS = {"ours": OURS, "other": OTHER}
DEFAULTS = ["null", "1", "-2.5", '"x"', '"2026-04-01"', "RED", "true", "[]", "[null]", '["91330100TEXT00025M"]', "{}"]

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**33), 2**33)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "RED", "2026-04-01", "2026-02-30", "20260401", "91330100TEXT00025M", "1" * 65])
    | st.text("x1 企", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["text", "within", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def written_types(draw: st.DrawFn, named: list[str]) -> str:
    written = draw(st.sampled_from(named))
    for _ in range(draw(st.integers(0, 2))):
        written = f"[{written}{draw(st.sampled_from(['', '!']))}]"
    return written + draw(st.sampled_from(["", "!"]))


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, str, Mapping[str, Any]]:
    schema = draw(st.sampled_from(["ours", "other"]))
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    defaults = st.just("") | st.sampled_from(DEFAULTS).map(" = {}".format)
    definitions = ", ".join(f"${name}: {draw(written_types(NAMED[schema]))}{draw(defaults)}" for name in names)
    return schema, definitions, draw(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), json, max_size=4))


def defined(definitions: str) -> tuple[VariableDefinitionNode, ...]:
    (operation,) = parse(f"query ({definitions}) {{ x }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation.variable_definitions or ()


@given(asked())
@example(("other", "$a: [Anything!]", {"a": [1, None]}))
@example(("ours", "$a: [[CreditCode!]!]", {"a": [["x"], []]}))
@example(("ours", "$a: [CreditCode!] = [], $b: Int", {}))
@example(("ours", "$a: [Date!]!, $b: Int!", {"a": ["2026-04-01"], "b": 2.0}))
def test_variables_are_read_as_graphql_core_reads_them(asked: tuple[str, str, Mapping[str, Any]]) -> None:
    schema, definitions, values = SCHEMAS[asked[0]], defined(asked[1]), asked[2]
    theirs = get_variable_values(schema, definitions, dict(values), max_errors=MAX_ERRORS)
    reader = VariableReader(schema, definitions)
    if isinstance(theirs, VariableValues):
        assert outline(reader.read(values, 1_000)) == outline(theirs)
    else:
        with pytest.raises(VariablesInvalid) as refused:
            reader.read(values, 1_000)
        assert [error.formatted for error in refused.value.graphql_errors] == [error.formatted for error in theirs]


def outline(values: VariableValues) -> object:
    """Values that are told apart by their types (1, 1.0, true), and what they were made of."""
    sources = {
        name: (source.signature.name, str(source.signature.type), source.signature.default, repr(source.value))
        for name, source in values.sources.items()
    }
    return repr(values.coerced), sources


def test_a_list_of_codes_is_not_the_list_that_was_sent() -> None:
    sent = ["x", "y"]
    values = VariableReader(OURS, defined("$codes: [CreditCode!]!")).read({"codes": sent}, 1_000)
    assert values.coerced["codes"] == sent
    assert values.coerced["codes"] is not sent
