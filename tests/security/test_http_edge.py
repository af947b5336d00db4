"""Whatever bytes come over a connection: no answer is a fault of ours, none is waited for in vain, and the gateway goes
on answering.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.security.running import PATIENCE, Attacked

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
BODY = b'{"query": "{ me { subject } }"}'
MEGABYTE = 1024 * 1024

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

tokens = st.text("abcXYZ-0189", min_size=1, max_size=12).map(str.encode)
odd = st.binary(max_size=60) | st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b":", b" ", b"\t", b"\xff" * 9, b"9" * 99]
)
names = st.sampled_from(
    [
        b"Accept",
        b"Authorization",
        b"Client-Cert",
        b"Connection",
        b"Content-Encoding",
        b"Content-Length",
        b"Content-Type",
        b"Expect",
        b"Host",
        b"Sec-Fetch-Site",
        b"Transfer-Encoding",
        b"Upgrade",
        b"X-API-Key",
        b"X-Consent",
        b"X-Forwarded-For",
        b"X-Purpose",
        b"X-Receipt",
        b"X-Request-Id",
        b"X-Timeout-Ms",
        b"traceparent",
        b"tracestate",
    ]
)
values = odd | st.sampled_from(
    [
        b"*/*;q=",
        b"application/json;charset=utf-16",
        b"Bearer a.b.c",
        b"xq_abcd_" + b"a" * 43,
        b"chunked",
        b"gzip",
        b"100-continue",
        b"h2c",
        b"websocket",
        b"-1",
        b"0x10",
        b"1e400",
        "１２".encode(),
        b"00-" + b"f" * 32 + b"-" + b"f" * 16 + b"-ff",
    ]
)


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in STATUS.findall(received)]


def no_fault(received: bytes) -> bool:
    """Whether all that came back is the answer to something well-formed, or says that it was not."""
    return all(status < 500 or status == 503 for status in statuses(received)) and b"Traceback" not in received


@many
@given(st.lists(st.binary(max_size=300), max_size=4))
@example([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])  # TLS
@example([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
@example([b"GET /graphql HTTP/0.9\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\n\r\n"])
@example([b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"])
@example([b"GET http://x/graphql?query={me{subject}} HTTP/1.1\r\nHost: x\r\n\r\n"])
@example([b"GET /%ff%00/../graphql HTTP/1.1\r\nHost: x\r\n\r\n"])
@example([b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
@example([b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}"])
@example([b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"])
@example([b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"])
def test_random_bytes(gateway: Attacked, pieces: list[bytes]) -> None:
    received = gateway.send(*pieces, quiet=0.05)
    assert no_fault(received), received
    assert gateway.lives()


@many
@given(
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"TRACE", b"M-SEARCH"]) | tokens,
    path=st.sampled_from([b"/graphql", b"/admin", b"/", b"/healthz", b"/readyz", b"/.well-known/jwks.json"])
    | st.builds(b"/graphql?".__add__, st.binary(max_size=40))
    | st.binary(max_size=40).map(b"/".__add__),
    headers=st.lists(st.tuples(names | tokens, values), max_size=6),
    body=st.sampled_from([BODY, b"", b"{", b"[]"]) | st.binary(max_size=60),
    framed=st.booleans(),
)
def test_requests_with_random_parts(  # noqa: PLR0913
    gateway: Attacked, method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes, *, framed: bool
) -> None:
    lines = [
        method + b" " + path + b" HTTP/1.1",
        b"Host: gateway",
        b"Connection: close",
        *(name + b": " + value for name, value in headers),
    ]
    if framed:
        lines += [b"Content-Type: application/json", b"Content-Length: " + str(len(body)).encode()]
    received = gateway.send(b"\r\n".join(lines) + b"\r\n\r\n" + body, quiet=0.1)
    assert no_fault(received), received


def test_all_that_was_sent_left_the_gateway_whole(gateway: Attacked) -> None:
    answer = gateway.ask("{ me { subject } }")
    assert answer.json()["data"] == {"me": {"subject": "anonymous"}}
    assert b"unexpected exception" not in gateway.log.read_bytes()


def post(*lines: bytes) -> bytes:
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return head + b"".join(line + b"\r\n" for line in lines)


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a header": (post() + b"X-A: ", b"a" * MEGABYTE),
    "headers": (post(), b"X-A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n" * (MEGABYTE // 31)),
    "an address": (b"GET /graphql?query=", b"a" * MEGABYTE),
    "a chunk's extension": (post(b"Transfer-Encoding: chunked") + b"\r\n1;", b"a" * MEGABYTE),
    "trailers": (
        post(b"Transfer-Encoding: chunked") + b"\r\n1\r\n{\r\n0\r\n",
        b"X-A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n" * (MEGABYTE // 31),
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_not_kept_but_hung_up_on(gateway: Attacked, what: str) -> None:
    begun, more = ENDLESS[what]
    where = urlsplit(gateway.url)
    taken = 0
    with socket.create_connection((where.hostname, where.port), PATIENCE) as caller, suppress(ConnectionError):
        caller.sendall(begun)
        while taken < 100:
            caller.sendall(more)
            taken += 1
    # Some are on their way while it hangs up.
    assert taken < 50
    assert gateway.lives()


def test_a_head_within_the_bound_is_read(gateway: Attacked) -> None:
    """As large as a query string may be, and as headers may be beside it."""
    head = b"GET /graphql?query={me{subject}}%23" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nX-A: " + b"b" * 60_000
    assert statuses(gateway.send(head + b"\r\nConnection: close\r\n\r\n")) == [200]


def test_many_requests_on_one_connection_are_counted_one_by_one(gateway: Attacked) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 50_000 + b"\r\n"
    assert statuses(gateway.send((one + b"\r\n") * 30, one + b"Connection: close\r\n\r\n")) == [200] * 31


@pytest.mark.parametrize("name", ["Content-Type", "Authorization", "X-API-Key", "X-Purpose", "X-Timeout-Ms"])
def test_a_header_that_comes_twice_is_refused_not_chosen_from(gateway: Attacked, name: str) -> None:
    pair = f"{name}: application/json\r\n{name}: application/json\r\n".encode()
    typed = b"" if name == "Content-Type" else b"Content-Type: application/json\r\n"
    length = f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    received = gateway.send(head + typed + pair + length + BODY)
    assert statuses(received) == [400], received


def test_a_body_may_not_be_framed_in_two_ways(gateway: Attacked) -> None:
    """Who stands before the gateway could take the second request for the first one's body."""
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    received = gateway.send(post(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"\r\n" + smuggled)
    assert statuses(received) == [400]


UPGRADE = (
    b"Connection: close, Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQB",
)
"""What Java's client asks for with its first request to an address without TLS."""


@pytest.mark.parametrize("parts", [1, 2])
def test_a_wish_for_another_protocol_is_passed_over_and_the_request_answered(gateway: Attacked, parts: int) -> None:
    head = post(b"Content-Length: " + str(len(BODY)).encode(), *UPGRADE) + b"\r\n"
    received = gateway.send(*((head + BODY,) if parts == 1 else (head, BODY)))
    assert statuses(received) == [200], received
    assert b'"subject":"anonymous"' in received


def test_a_wish_for_another_protocol_makes_no_second_request_of_a_body(gateway: Attacked) -> None:
    """Who stands before the gateway and passes the wish on would take it for the first one's body."""
    smuggled, next_one = (
        b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path for path in (b"/healthz", b"/nowhere")
    )
    upgrade = (b"Connection: Upgrade", b"Upgrade: websocket")
    head = post(b"Content-Length: " + str(len(smuggled)).encode(), *upgrade) + b"\r\n"
    assert statuses(gateway.send(head, smuggled, next_one)) == [400, 404]
    chunked = post(b"Transfer-Encoding: chunked", *upgrade) + b"\r\n"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    assert statuses(gateway.send(chunked, body, next_one)) == [400, 404]


def test_requests_after_a_wish_for_another_protocol_are_answered_in_their_order(gateway: Attacked) -> None:
    wishing = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(gateway.send(wishing + wishing + last)) == [200, 200, 404]


@pytest.fixture(autouse=True)
def nothing_unexpected_is_logged(gateway: Attacked) -> Any:
    size = gateway.log.stat().st_size
    yield
    logged = gateway.log.read_bytes()[size:]
    assert b"unexpected exception" not in logged
    assert b'"fault"' not in logged
    assert b"Traceback" not in logged
