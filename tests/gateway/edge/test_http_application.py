from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.edge.request import CLOSED
from gateway.errors import AuditUnavailableError, ClientGoneError, HttpError
from gateway.messages import Answered, Principal, Received
from gateway.settings import DeadlineSettings, LimitSettings, Settings

QUERY = {"query": "{ __typename }"}
GRAPHQL_RESPONSE = {"Accept": "application/graphql-response+json"}


class Raises:
    """A pipeline that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def answer(self, _: Received) -> Answered:
        raise self.error


def caller(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_an_authenticated_request_reaches_the_pipeline_with_its_caller(
    client: httpx.AsyncClient, signer: Any, echo: Any
) -> None:
    await client.post("/graphql", json=QUERY, headers={"Authorization": f"Bearer {signer.token()}"})
    assert echo.received[0].principal == Principal("officer-1", "first-bank", frozenset({"bank.officer"}))


async def test_each_request_gets_an_id_of_ours_whatever_the_caller_sends(client: httpx.AsyncClient, echo: Any) -> None:
    responses = [await client.post("/graphql", json=QUERY, headers={"X-Request-Id": "mine"}) for _ in range(2)]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert ids == [received.request_id for received in echo.received]
    assert len({"mine", *ids}) == 3


async def test_bad_credentials_are_401_with_a_challenge_and_are_audited(
    client: httpx.AsyncClient, refusals: Any, echo: Any
) -> None:
    response = await client.post("/graphql", json=QUERY, headers={"Authorization": "Bearer x"} | GRAPHQL_RESPONSE)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="xinqiao", error="invalid_token"'
    assert response.json()["errors"][0]["extensions"]["code"] == "TOKEN_MALFORMED"
    assert refusals.lines == [(None, "TOKEN_MALFORMED")]
    assert not echo.received


async def test_a_refusal_after_authentication_is_audited_with_the_caller(
    client: httpx.AsyncClient, signer: Any, refusals: Any
) -> None:
    headers = {"Authorization": f"Bearer {signer.token()}", "Content-Type": "application/json"}
    await client.post("/graphql", content=b"{", headers=headers)
    ((principal, code),) = refusals.lines
    assert (principal.subject, code) == ("officer-1", "REQUEST_MALFORMED")


async def test_a_wrong_method_and_an_unacceptable_media_type_are_audited(
    client: httpx.AsyncClient, refusals: Any
) -> None:
    await client.delete("/graphql")
    response = await client.post("/graphql", json=QUERY, headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert refusals.lines == [(None, "METHOD_NOT_ALLOWED"), (None, "NOT_ACCEPTABLE")]


async def test_where_a_refusal_cannot_be_audited_it_is_503(application: Callable[..., Starlette], echo: Any) -> None:
    async def fails(*_: object) -> None:
        raise AuditUnavailableError

    async with caller(application(echo, record_refusal=fails)) as client:
        response = await client.delete("/graphql")
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == "AUDIT_UNAVAILABLE"


async def test_an_answer_that_cannot_be_audited_is_503_and_says_when_to_come_again(
    application: Callable[..., Starlette], refusals: Any
) -> None:
    async with caller(application(Raises(AuditUnavailableError()))) as client:
        response = await client.post("/graphql", json=QUERY)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert refusals.lines == []


async def test_an_unexpected_exception_shows_and_logs_its_place_and_no_value(
    application: Callable[..., Starlette], refusals: Any
) -> None:
    async with caller(application(Raises(KeyError("91330106589876543T 张三")))) as client:
        with capture_logs() as logs:
            response = await client.post("/graphql", json=QUERY, headers=GRAPHQL_RESPONSE)
    assert response.status_code == 500
    (shown,) = response.json()["errors"]
    assert shown["extensions"]["code"] == "INTERNAL"
    assert logs[0]["request_id"] == shown["extensions"]["requestId"]
    assert logs[0]["fault"][0].startswith("KeyError < ")
    assert "test_http_application.py" in logs[0]["fault"][0]
    assert "张三" not in response.text + str(logs)
    assert refusals.lines[0][1] == "INTERNAL"


async def test_the_deadline_is_the_callers_up_to_the_maximum_else_the_default(
    application: Callable[..., Starlette], echo: Any
) -> None:
    settings = Settings(anonymous="public", deadline=DeadlineSettings(default=5, maximum=10))
    async with caller(application(echo, settings=settings)) as client:
        before = asyncio.get_running_loop().time()
        for headers in ({}, {"X-Timeout-Ms": "1500"}, {"X-Timeout-Ms": "9" * 5_000}):
            await client.post("/graphql", json=QUERY, headers=headers)
        elapsed = asyncio.get_running_loop().time() - before
    allowed = [received.deadline - before for received in echo.received]
    assert [seconds <= given <= seconds + elapsed for seconds, given in zip((5, 1.5, 10), allowed, strict=True)] == [
        True
    ] * 3


async def test_the_time_that_authentication_takes_is_part_of_the_requests(
    application: Callable[..., Starlette], echo: Any
) -> None:
    loop, entered = asyncio.get_running_loop(), 0.0

    class Slow:
        async def authenticate(self, _: Any) -> Principal:
            nonlocal entered
            entered = loop.time()
            await asyncio.sleep(0.02)
            return Principal("officer", "first-bank", frozenset({"bank.officer"}))

    async with caller(application(echo, authenticator=Slow())) as client:
        await client.post("/graphql", json=QUERY, headers={"X-Timeout-Ms": "1000"})
    assert echo.received[0].deadline <= entered + 1


async def test_health_is_up_while_the_process_is(client: httpx.AsyncClient) -> None:
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "up"})


async def test_readiness_names_the_part_that_is_not_ready(application: Callable[..., Starlette], echo: Any) -> None:
    async def ready() -> None:
        return None

    async def stale() -> str:
        return "the policy is older than 60 s"

    async def broken() -> None:
        raise ConnectionError("secret")

    checks = {"audit": ready, "policy": stale, "cache": broken}
    async with caller(application(echo, readiness=checks)) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "parts": {
            "audit": "ready",
            "policy": "the policy is older than 60 s",
            "cache": "its check failed with ConnectionError",
        },
    }
    async with caller(application(echo, readiness={"audit": ready})) as client:
        assert (await client.get("/readyz")).json() == {"ready": True, "parts": {"audit": "ready"}}


async def test_a_part_that_does_not_answer_is_not_ready(
    application: Callable[..., Starlette], echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("gateway.edge.health.CHECK_SECONDS", 0.01)
    async with caller(application(echo, readiness={"policy": hangs})) as client:
        response = await client.get("/readyz")
    assert response.json()["parts"] == {"policy": "gave no answer within 0.01 s"}


async def test_an_unknown_path_is_404_in_the_form_of_all_errors(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere")
    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert set((await client.post("/healthz")).headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_an_extra_route_is_served_and_its_exceptions_stay_inside(
    application: Callable[..., Starlette], serving: Callable[..., Any], echo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("console")

    async def fails(_: Request) -> Response:
        raise ValueError("张三")

    async def breaks_off(_: Request) -> Response:
        async def content() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("张三")

        return StreamingResponse(content())

    routes = [Route("/console", page), Route("/fails", fails), Route("/breaks-off", breaks_off)]
    with capture_logs() as logs, serving(application(echo, extra_routes=routes)) as url:
        assert httpx.get(f"{url}/console").text == "console"
        assert httpx.get(f"{url}/fails").status_code == 500
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/breaks-off")
    assert len(logs) == 2
    assert "张三" not in str(logs) + caplog.text
    assert "Exception in ASGI application" not in caplog.text


def test_the_lifespan_opens_before_the_first_request_and_closes_after_the_last(
    application: Callable[..., Starlette], serving: Callable[..., Any], echo: Any
) -> None:
    events: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        events.append("open")
        yield
        events.append("close")

    with serving(application(echo, lifespan=lifespan)) as url:
        httpx.get(f"{url}/healthz")
        assert events == ["open"]
    assert events == ["open", "close"]


def test_a_body_of_10_mb_is_413_over_a_real_socket_and_the_server_goes_on(
    application: Callable[..., Starlette], serving: Callable[..., Any], echo: Any, refusals: Any
) -> None:
    body = orjson.dumps({"query": "x" * 10_000_000})
    with serving(application(echo)) as url, httpx.Client(headers={"Content-Type": "application/json"}) as client:
        response = client.post(f"{url}/graphql", content=body)
        assert response.status_code == 413
        assert "1048576 bytes" in response.json()["errors"][0]["message"]
        assert client.post(f"{url}/graphql", json=QUERY).status_code == 200
    assert refusals.lines[0][1] == "BODY_TOO_LARGE"


async def test_the_limit_counts_what_arrives_not_what_is_announced(
    application: Callable[..., Starlette], echo: Any
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 50

    settings = Settings(anonymous="public", limits=LimitSettings(request_bytes=100))
    async with caller(application(echo, settings=settings)) as client:
        response = await client.post("/graphql", content=chunks(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413


def test_a_body_that_does_not_arrive_is_408_at_the_deadline(
    application: Callable[..., Starlette], serving: Callable[..., Any], echo: Any
) -> None:
    headers = (b"Host: g", b"Content-Type: application/json", b"X-Timeout-Ms: 50", b"Content-Length: 9")
    with serving(application(echo)) as url, socket.create_connection(address(url), timeout=10) as connection:
        connection.sendall(b"\r\n".join((b"POST /graphql HTTP/1.1", *headers, b"", b"{")))
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_a_head_request_gets_the_headers_of_a_get(
    application: Callable[..., Starlette], serving: Callable[..., Any], echo: Any
) -> None:
    with serving(application(echo)) as url:
        response = httpx.head(f"{url}/graphql", params=QUERY)
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_a_caller_that_goes_away_cancels_the_work_and_is_audited(
    application: Callable[..., Starlette], serving: Callable[..., Any], refusals: Any
) -> None:
    begun, cancelled, audited = threading.Event(), threading.Event(), threading.Event()

    class Hangs:
        async def answer(self, _: Received) -> Answered:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError

    async def record(request_id: str, principal: Principal | None, error: HttpError) -> None:
        await refusals(request_id, principal, error)
        audited.set()

    with serving(application(Hangs(), record_refusal=record)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/graphql", json=QUERY, timeout=httpx.Timeout(5, read=0.2))
        assert begun.is_set()
        assert cancelled.wait(5)
        assert audited.wait(5)
    assert refusals.lines[0][1] == ClientGoneError.code


def test_a_slow_answer_is_not_mistaken_for_a_caller_that_left(
    application: Callable[..., Starlette], serving: Callable[..., Any]
) -> None:
    class Slow:
        async def answer(self, _: Received) -> Answered:
            await asyncio.sleep(0.1)
            return Answered(b'{"data":{}}', executed=True)

    with serving(application(Slow())) as url, httpx.Client() as client:
        began = time.monotonic()
        assert [client.post(f"{url}/graphql", json=QUERY).status_code for _ in range(2)] == [200, 200]
        assert time.monotonic() - began >= 0.2


async def test_a_caller_that_leaves_as_its_answer_is_ready_interrupts_nothing(
    application: Callable[..., Starlette], refusals: Any
) -> None:
    closed = asyncio.get_running_loop().create_future()
    sent: list[Any] = []

    class Closes:
        async def answer(self, _: Received) -> Answered:
            closed.set_result(None)
            return Answered(b'{"data":{}}', executed=True)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps(QUERY)}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, CLOSED: closed}
    await application(Closes())(scope, receive, send)
    assert [message.get("body") for message in sent] == [None, b'{"data":{}}']
    assert refusals.lines == []
