"""Validation finds what graphql-core's own finds, in the same order and words."""

from __future__ import annotations

import asyncio

import pytest
from graphql import GraphQLError, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from connectors.turns import Turn
from gateway.stages.validation import validation_errors
from schema.contract import national

SCHEMA = national().schema(frozenset())
CYCLE = "fragment F on Enterprise { shareholders { records { holder { ...F } } } }"


def both(text: str, most: int = 20) -> tuple[object, object]:
    document = parse(text)

    async def validated() -> list[GraphQLError]:
        return await validation_errors(SCHEMA, document, most, Turn())

    ours = asyncio.run(validated())
    theirs = validate(SCHEMA, document, max_errors=most, hide_suggestions=True)
    return [error.formatted for error in ours], [error.formatted for error in theirs]


def chain(length: int) -> str:
    """Fragments, each of which holds the next."""
    links = (f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(length))
    return f"{{ ...F0 }} {' '.join(links)} fragment F{length} on Query {{ __typename }}"


@pytest.mark.parametrize(
    "text",
    [
        "{ __typename }",
        "{ a b c d }",
        "{ enterprise(code: 1) { creditCode { x } penalties } }",
        "query ($a: Int, $a: Nothing, $b: Query) { enterprise(code: $a, cod: $c) { creditCode } }",
        "query A { __typename } query A { __typename } { __typename }",
        "subscription { a b } mutation { c } type T { d: Float }",
        "query @skip(if: true) { __typename @include(if: true) @include(if: 1) @other }",
        "query ($a: Int @skip(if: true)) { __typename }",
        "{ ...F } fragment F on Query { ...F @skip } fragment G on Int { __typename } fragment F on Agency { id }",
        f'{{ enterprise(code: "x") {{ ...F }} }} {CYCLE}',
        '{ a: enterprise(code: "x") { creditCode } a: enterprise(code: "y") { creditCode } }',
        f"query {{ enterprise(code: {'[' * 150}{']' * 150}) {{ creditCode }} }}",
        f"query ($a: {'[' * 90}Int{']' * 90}) {{ __typename }}",
        '"what it is for" query ("of whom" $a: CreditCode!) { enterprise(code: $a) { creditCode } }',
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        chain(20),
        chain(250),
        f"{{ {'a { ' * 180}b{' }' * 180} }}",
    ],
)
@pytest.mark.parametrize("most", [1, 20])
def test_the_errors_are_graphql_cores(text: str, most: int) -> None:
    ours, theirs = both(text, most)
    assert ours == theirs


PIECES = st.sampled_from(
    [
        "creditCode",
        "nothing",
        "x: penalties(first: $n) { status }",
        "x: licences { status }",
        'penalties(first: "x") { records { facts { a } } }',
        "...F",
        "...G",
        "... on Agency { id }",
        "... @include(if: $n) { creditCode }",
        "shareholders { records { holder { creditCode ...F } } }",
    ]
)


@given(
    st.sampled_from(["", "($n: Int)", "($n: Boolean!, $m: CreditCode = 1)"]),
    st.lists(PIECES, min_size=1, max_size=5),
    st.lists(PIECES, min_size=1, max_size=3),
)
def test_the_errors_of_whatever_is_asked_are_graphql_cores(variables: str, asked: list[str], shared: list[str]) -> None:
    text = f"""query Q{variables} {{ enterprise(code: "x") {{ {" ".join(asked)} }} }}
               fragment F on Enterprise {{ {" ".join(shared)} }}"""
    ours, theirs = both(text)
    assert ours == theirs
