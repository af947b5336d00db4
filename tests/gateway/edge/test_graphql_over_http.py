from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from gateway.edge.receive import MAX_CONSENTS, receive
from gateway.edge.request import HttpRequest
from gateway.edge.respond import MediaType, negotiate
from gateway.errors import HttpError, NotAcceptableError, UriTooLongError
from gateway.identity.identity import ANONYMOUS
from gateway.messages import Answered, Received
from gateway.settings import Settings

GRAPHQL_RESPONSE = "application/graphql-response+json"
QUERY = {"query": "{ __typename }"}


def error(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message, after the shape that every refusal has was checked."""
    content = response.json()
    (shown,) = content["errors"]
    assert "data" not in content
    assert shown["extensions"]["requestId"] == response.headers["X-Request-Id"] == content["extensions"]["requestId"]
    return response.status_code, shown["extensions"]["code"], shown["message"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ([], MediaType.JSON),
        ([""], MediaType.JSON),
        (["*/*"], MediaType.JSON),
        (["application/*"], MediaType.JSON),
        ([GRAPHQL_RESPONSE], MediaType.GRAPHQL_RESPONSE),
        ([f"{GRAPHQL_RESPONSE}; charset=utf-8, application/json; charset=utf-8"], MediaType.GRAPHQL_RESPONSE),
        (["application/json", GRAPHQL_RESPONSE], MediaType.GRAPHQL_RESPONSE),
        ([f"{GRAPHQL_RESPONSE};q=0.5, application/json"], MediaType.JSON),
        ([f"{GRAPHQL_RESPONSE}, application/json;q=0.9"], MediaType.GRAPHQL_RESPONSE),
        ([f"{GRAPHQL_RESPONSE}, */*"], MediaType.GRAPHQL_RESPONSE),
        (["application/json, */*"], MediaType.JSON),
        (["text/html, */*;q=0.1"], MediaType.JSON),
        (["application/json;q=0, */*"], MediaType.GRAPHQL_RESPONSE),
        (["APPLICATION/JSON"], MediaType.JSON),
    ],
)
def test_the_answer_is_in_the_media_type_that_the_caller_prefers(accept: list[str], expected: MediaType) -> None:
    assert negotiate(accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;charset=gb18030", "*/*;q=x"])
def test_a_caller_that_accepts_nothing_of_ours_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match=r"graphql-response\+json and application/json"):
        negotiate([accept])


@given(st.lists(st.text()))
def test_no_accept_header_breaks_the_negotiation(accept: list[str]) -> None:
    with contextlib.suppress(NotAcceptableError):
        assert negotiate(accept) in MediaType


async def test_a_request_error_is_400_in_the_graphql_media_type_and_200_in_json(client: httpx.AsyncClient) -> None:
    statuses = [
        (await client.post("/graphql", json={"query": "{"}, headers={"Accept": accept})).status_code
        for accept in (GRAPHQL_RESPONSE, "application/json")
    ]
    assert statuses == [400, 200]


@pytest.mark.parametrize("accept", [GRAPHQL_RESPONSE, "application/json"])
async def test_an_answer_names_its_type_and_is_kept_by_no_cache(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.post("/graphql", json=QUERY, headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_a_post_passes_on_all_four_parameters(client: httpx.AsyncClient, echo: Any) -> None:
    extensions = {"purpose": "credit.underwriting", "consents": ["a", "b"]}
    request = {
        "query": "query A { a }",
        "operationName": "A",
        "variables": {"x": [1]},
        "extensions": extensions,
        "z": 1,
    }
    await client.post("/graphql", json=request)
    (received,) = echo.received
    assert (received.query, received.operation_name, received.variables) == ("query A { a }", "A", {"x": [1]})
    assert (received.purpose, received.consents) == ("credit.underwriting", ("a", "b"))
    assert not received.read_only


async def test_a_get_passes_on_all_four_parameters_and_may_only_read(client: httpx.AsyncClient, echo: Any) -> None:
    parameters = {
        "query": "{ 名称 }",
        "operationName": "A",
        "variables": '{"x":1}',
        "extensions": '{"purpose":"credit"}',
    }
    response = await client.get("/graphql", params=parameters)
    assert response.status_code == 200
    (received,) = echo.received
    assert (received.query, received.operation_name, received.variables) == ("{ 名称 }", "A", {"x": 1})
    assert (received.purpose, received.read_only) == ("credit", True)


async def test_empty_and_null_optional_parameters_count_as_absent(client: httpx.AsyncClient, echo: Any) -> None:
    await client.get("/graphql?query={a}&operationName=&variables=&extensions=")
    await client.get("/graphql?query={a}&variables=null")
    await client.post("/graphql", json={"query": "{a}", "operationName": None, "variables": None, "extensions": None})
    assert [(r.operation_name, r.variables) for r in echo.received] == [(None, {})] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"query": ', "The body is not JSON: line 1, column 11."),
        (b"", "The body is empty; it must be JSON."),
        (b'{"query": "\xff"}', "The body is not JSON"),
        (b"[" * 5_000, "The body is not JSON"),
        (b'[{"query": "{a}"}]', "batches (lists) are not served"),
        (b'"{a}"', "must be a JSON object"),
        (b'{"qeury": "{a}"}', 'The parameter "query" is missing'),
        (b'{"query": 7}', '"query" must be a text, and is a number.'),
        (b'{"query": "{a}", "variables": [1]}', '"variables" must be an object, and is a list.'),
        (b'{"query": "{a}", "operationName": {}}', '"operationName" must be a text, and is an object.'),
        (b'{"query": "{a}", "extensions": true}', '"extensions" must be an object, and is a boolean.'),
        (b'{"query": "{a}", "extensions": {"purpose": 1.5}}', '"purpose" must be a text, and is a number.'),
        (b'{"query": "{a}", "extensions": {"consents": "x"}}', '"consents" must be a list, and is a text.'),
        (b'{"query": "{a}", "extensions": {"consents": [1]}}', "extensions.consents must be a list of texts."),
    ],
)
async def test_a_malformed_post_is_refused_by_name(client: httpx.AsyncClient, body: bytes, message: str) -> None:
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    status, code, shown = error(response)
    assert (status, code) == (400, "REQUEST_MALFORMED")
    assert message in shown


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("", 'The parameter "query" is missing'),
        ("query=", 'The parameter "query" is missing'),
        ("query={a}&query={b}", "The parameter 'query' came more than once"),
        ("query={a}&variables=x", 'The parameter "variables" is not JSON'),
        ("query={a}&variables=[]", '"variables" must be an object, and is a list.'),
        ("query=%ff", "not URL-encoded UTF-8"),
    ],
)
async def test_a_malformed_get_is_refused_by_name(client: httpx.AsyncClient, query_string: str, message: str) -> None:
    status, code, shown = error(await client.get(f"/graphql?{query_string}"))
    assert (status, code) == (400, "REQUEST_MALFORMED")
    assert message in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["query", "operationName", "variables"]), inner),
)


@given(st.binary() | JSON.map(json.dumps).map(str.encode))
async def test_no_body_whatever_is_answered_with_anything_but_200_or_400(body: bytes) -> None:
    request = HttpRequest(
        {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}, whole(body)
    )
    try:
        received = await receive(request, "id", ANONYMOUS, Settings(), asyncio.get_running_loop().time() + 5)
    except HttpError as refused:
        assert refused.status == 400  # noqa: PT017 - most bodies are refused, some are not
    else:
        assert isinstance(received.query, str)


def whole(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """An ASGI `receive` that gives the body at once."""

    async def give() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return give


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=gb18030"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_plain_json_in_utf_8_is_415(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/graphql", content=orjson.dumps(QUERY), headers=headers)
    assert error(response)[:2] == (415, "MEDIA_TYPE_UNSUPPORTED")


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"'])
async def test_utf_8_may_be_named_in_any_way(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/graphql", content=orjson.dumps(QUERY), headers={"Content-Type": content_type})
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_told_which_there_are(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert error(response)[:2] == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "GET, HEAD, POST"


async def test_too_long_a_query_string_is_414_and_names_the_limit() -> None:
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b"query=" + b"x" * 1_048_576}
    with pytest.raises(UriTooLongError, match="1048576 bytes"):
        await receive(HttpRequest(scope, whole(b"")), "id", ANONYMOUS, Settings(), 0)


async def test_purpose_and_consents_may_come_as_headers(client: httpx.AsyncClient, echo: Any) -> None:
    headers = [("X-Purpose", "credit"), ("X-Consent", "a.b.c"), ("X-Consent", "d.e.f, g.h.i")]
    extensions = {"purpose": "credit", "consents": ["g.h.i", "j.k.l"]}
    await client.post("/graphql", json={**QUERY, "extensions": extensions}, headers=headers)
    assert echo.received[0].purpose == "credit"
    assert echo.received[0].consents == ("g.h.i", "j.k.l", "a.b.c", "d.e.f")


@pytest.mark.parametrize(
    ("headers", "extensions", "wanted"),
    [
        ({}, {}, None),
        ({"X-Receipt": "1"}, {}, "header..signature"),
        ({"X-Receipt": "0"}, {"receipt": True}, "header..signature"),
        ({"X-Receipt": "0"}, {"receipt": False}, None),
    ],
)
async def test_a_receipt_is_asked_for_by_header_or_extension_and_comes_in_a_header(
    application: Callable[..., Starlette], headers: dict[str, str], extensions: dict[str, Any], wanted: str | None
) -> None:
    class Signs:
        async def answer(self, received: Received) -> Answered:
            return Answered(b'{"data":{}}', executed=True, receipt="header..signature" if received.receipt else None)

    transport = httpx.ASGITransport(application(Signs()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.post("/graphql", json={**QUERY, "extensions": extensions}, headers=headers)
    assert response.headers.get("Xinqiao-Receipt") == wanted


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([("X-Purpose", "supervision")], "X-Purpose and extensions.purpose differ"),
        ([("X-Purpose", "credit"), ("X-Purpose", "credit")], "X-Purpose came 2 times"),
        ([("X-Consent", str(number)) for number in range(MAX_CONSENTS + 1)], "21 consents came"),
        ([("X-Receipt", "yes")], "X-Receipt must be 1 or 0"),
        ([("X-Timeout-Ms", "soon")], "X-Timeout-Ms must be a whole number"),
        ([("X-Timeout-Ms", "0")], "X-Timeout-Ms must be a whole number"),
        ([("X-Timeout-Ms", "-5")], "X-Timeout-Ms must be a whole number"),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], "Authorization came 2 times"),
    ],
)
async def test_a_header_that_cannot_be_followed_is_refused_by_name(
    client: httpx.AsyncClient, headers: list[tuple[str, str]], message: str
) -> None:
    request = {**QUERY, "extensions": {"purpose": "credit"}}
    status, code, shown = error(await client.post("/graphql", json=request, headers=headers))
    assert (status, code) == (400, "REQUEST_MALFORMED")
    assert message in shown
