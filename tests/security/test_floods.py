"""Operations that cost their sender nothing and would cost us much: each is refused for what it is, before it is
carried out, and what is carried out does not grow beyond what was sent.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import get_introspection_query

from gateway.settings import LimitSettings
from tests.connectors.support import CODES
from tests.security.running import Attacked

CODE = str(CODES[0])
LIMITS = LimitSettings()
ONE = f'enterprise(code: "{CODE}")'
CODES_QUERY = "query ($c: [CreditCode!]!) { enterprises(codes: $c) { creditCode } }"
ENTITIES_QUERY = "query ($c: [_Any!]!) { _entities(representations: $c) { __typename } }"


def numbered(text: str, number: int) -> str:
    """The text so many times, each `#` in it the number."""
    return " ".join(text.replace("#", str(n)) for n in range(number))


def fragments(text: str, number: int, last: str) -> str:
    """Fragments that spread the next ones (`@` is the next number), the last of which selects `last`."""
    made = (f"fragment F{n} on Query {{ {text.replace('@', str(n + 1))} }}" for n in range(number))
    return " ".join([*made, f"fragment F{number} on Query {{ {last} }}"])


DOUBLING = " ".join(
    f"fragment E{n} on Enterprise {{ shareholders {{ records {{ {both} }} }} }}"
    for n, both in ((n, f"holder {{ ...E{n + 1} }} a: holder {{ ...E{n + 1} }}") for n in range(9))
)
DOUBLING += " fragment E9 on Enterprise { creditCode }"

REFUSED: dict[str, tuple[str, str]] = {
    "many characters": ("#" * (LIMITS.characters + 1) + "\n{ me { subject } }", "LIMIT_EXCEEDED"),
    "many tokens": ("{ me { " + "subject " * 2_000 + "} }", "SYNTAX_INVALID"),
    "aliases of companies": (f"{{ {numbered(f'a#: {ONE} {{ creditCode }}', 101)} }}", "LIMIT_EXCEEDED"),
    "aliases of answers": (f"{{ {ONE} {{ {numbered('a#: penalties { status }', 101)} }} }}", "LIMIT_EXCEEDED"),
    "aliases of introspection": (
        f"{{ __schema {{ types {{ fields {{ {numbered('a#: name', 6)} }} }} }} }}",
        "LIMIT_EXCEEDED",
    ),
    "aliases of lists in introspection": (
        f"{{ __schema {{ types {{ {numbered('a#: fields { name }', 6)} }} }} }}",
        "LIMIT_EXCEEDED",
    ),
    "aliases of lists in lists of introspection": (
        f"{{ __schema {{ types {{ {numbered('a#: fields { type { fields { name } } }', 3)} }} }} }}",
        "LIMIT_EXCEEDED",
    ),
    "introspection in depth": (
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "OPERATION_INVALID",
    ),
    "aliases of __type": ("{ " + numbered('a#: __type(name: "Query") { name }', 6) + " }", "LIMIT_EXCEEDED"),
    "aliases of the schema's text": (f"{{ {numbered('a#: _service { sdl }', 6)} }}", "LIMIT_EXCEEDED"),
    "aliases of the schema's text in one": (f"{{ _service {{ {numbered('a#: sdl', 6)} }} }}", "LIMIT_EXCEEDED"),
    "aliases of agencies": (f"{{ {numbered('a#: agencies { id }', 6)} }}", "LIMIT_EXCEEDED"),
    "one field many times": (f"{{ me {{ {'subject ' * 21} }} }}", "LIMIT_EXCEEDED"),
    "one directive many times": (f"{{ me {{ subject {'@include(if: true) ' * 200} }} }}", "OPERATION_INVALID"),
    "unknown directives": (f"{{ me {{ subject {numbered('@d#', 600)} }} }}", "OPERATION_INVALID"),
    "unknown arguments": (
        f'{{ enterprise(code: "x", {numbered("a#: 1", 600)}) {{ creditCode }} }}',
        "OPERATION_INVALID",
    ),
    "unknown fields": (f"{{ me {{ {numbered('f#', 900)} }} }}", "OPERATION_INVALID"),
    "unused variables": (f"query ({numbered('$v#: Int', 480)}) {{ me {{ subject }} }}", "OPERATION_INVALID"),
    "unused fragments": (
        f"{{ me {{ subject }} }} {numbered('fragment F# on Viewer { subject }', 200)}",
        "OPERATION_INVALID",
    ),
    "operations": (numbered("query Q# { me { subject } }", 200), "OPERATION_UNKNOWN"),
    "a fragment within itself": ("{ ...F } fragment F on Query { ...F me { subject } }", "OPERATION_INVALID"),
    "fragments in a circle": (
        f"{{ ...F0 }} {fragments('...F@', 90, '...F0 me { subject }')}",
        "OPERATION_INVALID",
    ),
    "fragments that double": (f"{{ {ONE} {{ ...E0 }} }} {DOUBLING}", "LIMIT_EXCEEDED"),
    "depth": (
        f"{{ {ONE} {'{ shareholders { records { holder ' * 7} {{ creditCode }} {'} } }' * 7} }}",
        "LIMIT_EXCEEDED",
    ),
    "depth of selections": ("{ a" * 600 + "}" * 600, "SYNTAX_INVALID"),
    "depth of lists": (f"{{ enterprise(code: {'[' * 900}{']' * 900}) {{ creditCode }} }}", "SYNTAX_INVALID"),
    "depth of objects": (
        f"{{ _entities(representations: {'{a: ' * 500}1{'}' * 500}) {{ __typename }} }}",
        "SYNTAX_INVALID",
    ),
    "depth of types": (f"query ($a: {'[' * 900}Int{']' * 900}) {{ me {{ subject }} }}", "SYNTAX_INVALID"),
    "depth of inline fragments": (f"{{ {'... { ' * 600} me {{ subject }} {'} ' * 600} }}", "SYNTAX_INVALID"),
    "a huge whole number": (f"{{ {ONE} {{ penalties(first: {'9' * 50_000}) {{ status }} }} }}", "OPERATION_INVALID"),
    "a huge exponent": (f"{{ {ONE} {{ penalties(first: 1e{'9' * 5_000}) {{ status }} }} }}", "OPERATION_INVALID"),
    "a huge text": (f'{{ enterprise(code: "{"x" * 60_000}") {{ creditCode }} }}', "OPERATION_INVALID"),
    "more records than a page has": (
        f"{{ {ONE} {{ penalties(first: 2147483647) {{ status }} }} }}",
        "ARGUMENT_INVALID",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_flood_is_refused_for_what_it_is(gateway: Attacked, what: str) -> None:
    query, code = REFUSED[what]
    answer = gateway.ask(query)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, code), answer.text[:300]
    assert "data" not in answer.json()
    assert len(answer.json()["errors"]) <= 21
    assert len(answer.content) < 10_000 + 2 * len(query)


def test_fragments_that_double_without_selecting_more_are_no_work(gateway: Attacked) -> None:
    answer = gateway.ask(f"{{ ...F0 }} {fragments('...F@ ...F@', 100, 'me { subject }')}")
    assert answer.json()["data"] == {"me": {"subject": "anonymous"}}


def test_introspection_as_tools_ask_for_it_is_answered(gateway: Attacked) -> None:
    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert gateway.ask(query).json()["data"]["__schema"]["queryType"]["name"] == "Query"


NESTED = "[" * 1_000 + "]" * 1_000
VARIABLES: dict[str, tuple[str, str, str]] = {
    "empty texts": (CODES_QUERY, json.dumps([""] * 200_000, separators=(",", ":")), "LIMIT_EXCEEDED"),
    "texts and a null": (CODES_QUERY, json.dumps(["x"] * 200_000 + [None], separators=(",", ":")), "LIMIT_EXCEEDED"),
    "numbers": (CODES_QUERY, json.dumps([1] * 400_000, separators=(",", ":")), "LIMIT_EXCEEDED"),
    "lists": (CODES_QUERY, json.dumps([["x"]] * 150_000, separators=(",", ":")), "LIMIT_EXCEEDED"),
    "objects": (ENTITIES_QUERY, json.dumps([{}] * 300_000, separators=(",", ":")), "LIMIT_EXCEEDED"),
    "one more than there may be": (CODES_QUERY, json.dumps([CODE] * (LIMITS.companies + 1)), "LIMIT_EXCEEDED"),
    "depth": (CODES_QUERY, NESTED, "VARIABLES_INVALID"),
    "more depth than JSON may have": (CODES_QUERY, "[" * 5_000 + "]" * 5_000, "REQUEST_MALFORMED"),
    "a huge whole number": (CODES_QUERY, f"[{'9' * 5_000}]", "REQUEST_MALFORMED"),
    "no finite number": (CODES_QUERY, "[1e400]", "REQUEST_MALFORMED"),
    "no number": (CODES_QUERY, "[NaN]", "REQUEST_MALFORMED"),
    "half a character": (CODES_QUERY, '["\\ud800"]', "REQUEST_MALFORMED"),
    "a large number": (CODES_QUERY, "[1e300]", "VARIABLES_INVALID"),
    "an object for a text": (CODES_QUERY, '[{"a": 1}]', "VARIABLES_INVALID"),
}


def post(gateway: Attacked, body: str) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    return gateway.client.post("/graphql", content=body.encode(), headers=headers)


@pytest.mark.parametrize("what", VARIABLES)
def test_a_flood_of_variables_is_refused_for_what_it_is(gateway: Attacked, what: str) -> None:
    query, value, code = VARIABLES[what]
    answer = post(gateway, f'{{"query": {json.dumps(query)}, "variables": {{"c": {value}}}}}')
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, code), answer.text[:300]
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("value", [NESTED, '{"a":' * 900 + "1" + "}" * 900, '{"__typename": "Enterprise"}'])
def test_a_representation_that_is_none_harms_no_other(gateway: Attacked, value: str) -> None:
    good = f'{{"__typename": "Enterprise", "creditCode": "{CODE}"}}'
    answer = post(gateway, f'{{"query": {json.dumps(ENTITIES_QUERY)}, "variables": {{"c": [{value}, {good}]}}}}')
    assert answer.json()["data"]["_entities"] == [None, {"__typename": "Enterprise"}]


@pytest.mark.parametrize("body", ["[]", '[{"query": "{ me { subject } }"}]', "1", '"x"', "null", "{}", '{"query": 1}'])
def test_a_batch_or_no_request_is_refused(gateway: Attacked, body: str) -> None:
    answer = post(gateway, body)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "REQUEST_MALFORMED")


def test_of_a_key_that_comes_twice_one_is_read_by_all(gateway: Attacked) -> None:
    """The last: what is decided, asked and recorded is the same."""
    first, last = "{ agencies { id } }", f"{{ {ONE} {{ penalties {{ status }} }} }}"
    body = f'{{"query": {json.dumps(first)}, "query": {json.dumps(last)}}}'
    answer = post(gateway, body).json()
    assert answer["data"] == {"enterprise": {"penalties": {"status": "COMPLETE"}}}
    recorded = json.loads(gateway.audit.read_bytes().splitlines()[-1])
    assert (recorded["requestId"], recorded["companies"]) == (answer["extensions"]["requestId"], [CODE])


def test_many_keys_are_no_work(gateway: Attacked) -> None:
    """Python's texts are hashed with a secret of the process, so that nobody can choose some that collide."""
    many = {f"k{n}": n for n in range(60_000)}
    answer = post(gateway, json.dumps({"query": "{ me { subject } }", "variables": many}, separators=(",", ":")))
    assert answer.json()["data"] == {"me": {"subject": "anonymous"}}
