from __future__ import annotations

import asyncio

import pytest
from graphql import DocumentNode

from gateway.limits import Limits
from gateway.stages.document import Documents, SchemaView, parse_document
from gateway.stages.operation import Operation
from gateway.stages.refusals import (
    LimitExceeded,
    OperationInvalid,
    OperationUnknown,
    RequestRefused,
    SyntaxInvalid,
    VariablesInvalid,
)
from gateway.stages.selection import Selection
from schema.contract import national
from schema.records import catalogue

CATALOGUE = catalogue()
VIEW = SchemaView(frozenset(), national().schema(frozenset()), national().schema(frozenset()))


def read(text: str, variables: dict[str, object] | None = None, name: str | None = None, **limits: int) -> Operation:
    return read_by(Documents(CATALOGUE, Limits(**limits)), text, variables, name)


def read_by(
    documents: Documents,
    text: str,
    variables: dict[str, object] | None = None,
    name: str | None = None,
    view: SchemaView = VIEW,
) -> Operation:
    operation, _ = asyncio.run(documents.read(view, text, name, variables or {}))
    return operation


def outline(selections: tuple[Selection, ...]) -> object:
    return [(s.key, s.name, outline(s.selections)) if s.selections else (s.key, s.name) for s in selections]


def answers(operation: Operation) -> list[tuple[str, str, list[str]]]:
    return [
        (".".join(enterprise.path), answer.record.name, sorted(answer.fields))
        for enterprise in operation.enterprises()
        for answer in enterprise.answers
    ]


def test_fragments_on_the_type_and_on_its_interface_are_expanded_into_one_selection() -> None:
    operation = read(
        """
        { enterprise(code: "x") { penalties { ...Whole ...on Answer { status sources { status } } } } }
        fragment Whole on PenaltyAnswer { status records { amount { amount } ...Dates } }
        fragment Dates on Penalty { decidedOn amount { currency } }
        """
    )
    penalties = operation.federated[0].enterprises[0].answers[0].selection
    assert outline(penalties.selections) == [
        ("status", "status"),
        (
            "records",
            "records",
            [("amount", "amount", [("amount", "amount"), ("currency", "currency")]), ("decidedOn", "decidedOn")],
        ),
        ("sources", "sources", [("status", "status")]),
    ]


def test_a_fragment_on_another_type_selects_nothing() -> None:
    operation = read(
        '{ enterprise(code: "x") { penalties { hasMore ...on Answer { ...on LicenceAnswer { status } } } } }'
    )
    assert outline(operation.federated[0].enterprises[0].answers[0].selection.selections) == [("hasMore", "hasMore")]


def test_an_alias_does_not_hide_which_record_field_is_asked_for() -> None:
    operation = read('{ e: enterprise(code: "x") { p: penalties { r: records { year: decidedOn } } } }')
    assert answers(operation) == [("e", "Penalty", ["decidedOn"])]


def test_an_answer_asked_for_twice_under_two_names_is_two_answers() -> None:
    operation = read(
        '{ enterprise(code: "x") { a: penalties { records { facts } } b: penalties(first: 1) { status } } }'
    )
    assert answers(operation) == [("enterprise", "Penalty", ["facts"]), ("enterprise", "Penalty", [])]


def test_a_link_leads_to_an_enterprise_of_the_next_level() -> None:
    operation = read(
        """{ enterprise(code: "x") { shareholders { records { holder { penalties { records { facts } }
             shareholders { records { parent: holder { creditCode } } } } } } } }"""
    )
    assert [(".".join(e.path), e.level) for e in operation.enterprises()] == [
        ("enterprise", 0),
        ("enterprise.shareholders.holder", 1),
        ("enterprise.shareholders.holder.shareholders.parent", 2),
    ]
    assert answers(operation)[0] == ("enterprise", "Shareholder", ["holder"])


@pytest.mark.parametrize(("asked", "fields"), [(True, ["decidedOn", "facts"]), (False, ["facts"])])
def test_directives_with_variables_make_variants_of_one_text(*, asked: bool, fields: list[str]) -> None:
    documents = Documents(CATALOGUE, Limits())
    text = """query ($dates: Boolean!) { enterprise(code: "x") { penalties { records {
              facts decidedOn @include(if: $dates) informant @skip(if: true) } } } }"""
    read_by(documents, text, {"dates": not asked})
    operation = read_by(documents, text, {"dates": asked})
    assert answers(operation) == [("enterprise", "Penalty", fields)]


async def test_a_text_read_before_gives_the_same_operation() -> None:
    documents = Documents(CATALOGUE, Limits())
    text = "query ($code: CreditCode!) { enterprise(code: $code) { creditCode } }"
    first, _ = await documents.read(VIEW, text, None, {"code": "a"})
    second, values = await documents.read(VIEW, text, None, {"code": "b"})
    assert first is second
    assert values.coerced == {"code": "b"}


async def test_a_new_text_that_comes_twice_at_once_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []

    def parsing(text: str, tokens: int | None = None) -> DocumentNode:
        texts.append(text)
        return parse_document(text, tokens)

    monkeypatch.setattr("gateway.stages.document.parse_document", parsing)
    documents = Documents(CATALOGUE, Limits())
    text = "query ($code: CreditCode!) { enterprise(code: $code) { creditCode } }"
    (first, a), (second, b) = await asyncio.gather(
        *(documents.read(VIEW, text, None, {"code": code}) for code in ("a", "b"))
    )
    assert texts == [text]
    assert first is second
    assert (a.coerced, b.coerced) == ({"code": "a"}, {"code": "b"})


async def test_a_text_whose_first_reader_goes_away_is_read_by_the_next() -> None:
    documents = Documents(CATALOGUE, Limits())
    first, second = (asyncio.create_task(documents.read(VIEW, "{ __typename }", None, {})) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    operation, _ = await second
    assert first.cancelled()
    assert operation.keys == ("__typename",)


async def test_others_have_their_turn_between_the_steps_of_reading_a_new_text() -> None:
    documents, turns = Documents(CATALOGUE, Limits()), 0
    reading = asyncio.create_task(documents.read(VIEW, '{ enterprise(code: "x") { creditCode } }', None, {}))
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    # Parsing, validation and normalisation, then whatever comes after.
    assert turns >= 4


def test_a_field_hidden_from_a_caller_is_unknown_to_it_although_another_has_read_the_same_text() -> None:
    documents = Documents(CATALOGUE, Limits())
    text = '{ enterprise(code: "x") { penalties { records { informant } } } }'
    read_by(documents, text)
    hidden = frozenset({"Penalty.informant"})
    with pytest.raises(OperationInvalid, match="Cannot query field 'informant' on type 'Penalty'"):
        read_by(documents, text, view=SchemaView(hidden, national().schema(hidden), national().schema(hidden)))


@pytest.mark.parametrize(
    ("text", "name", "refusal", "message"),
    [
        ("{", None, SyntaxInvalid, "Syntax Error: Expected Name, found <EOF>"),
        ("{ nonsense }", None, OperationInvalid, "Cannot query field 'nonsense' on type 'Query'"),
        ("query A { __typename } query B { __typename }", None, OperationUnknown, "the document has A, B"),
        ("query A { __typename }", "C", OperationUnknown, "no operation named 'C'; it has A"),
        ("mutation { __typename }", None, RequestRefused, "mutation"),
        ("query ($c: CreditCode!) { enterprise(code: $c) { creditCode } }", None, VariablesInvalid, r"\$c"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(
    text: str, name: str | None, refusal: type[RequestRefused], message: str
) -> None:
    with pytest.raises(refusal, match=message):
        read(text, name=name)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"tokens": 5}, '{ enterprise(code: "x") { creditCode } }'),
        ({"depth": 2}, '{ enterprise(code: "x") { identity { division } } }'),
        ({"aliases": 1}, '{ a: enterprise(code: "x") { b: creditCode } }'),
        (
            {"fields": 4},
            "{ ...A ...B } fragment A on Query { agencies { id } } fragment B on Query { me { subject } __typename }",
        ),
    ],
)
def test_an_operation_beyond_a_limit_is_refused(limits: dict[str, int], text: str) -> None:
    read(text)
    with pytest.raises((LimitExceeded, SyntaxInvalid), match=r"more than|exceed|limit"):
        read(text, **limits)


def test_fragments_that_multiply_are_stopped_at_the_limit_of_fields() -> None:
    levels = 30
    bomb = "".join(
        f"fragment F{n} on Enterprise {{ a{n}: shareholders {{ records {{ holder {{ ...F{n + 1} }} }} }}"
        f" b{n}: shareholders {{ records {{ holder {{ ...F{n + 1} }} }} }} }}"
        for n in range(levels)
    )
    text = f'{{ enterprise(code: "x") {{ ...F0 }} }} {bomb} fragment F{levels} on Enterprise {{ creditCode }}'
    with pytest.raises(LimitExceeded, match="more than 1000 fields"):
        read(text, tokens=100_000)


def test_what_is_not_federated_is_left_to_graphql_core() -> None:
    operation = read('{ __typename me { subject } enterprise(code: "x") { creditCode } agencies { id } }')
    assert [selection.name for selection in operation.local] == ["__typename", "me"]
    assert [selection.name for selection in operation.agencies] == ["agencies"]
    assert operation.keys == ("__typename", "me", "enterprise", "agencies")
