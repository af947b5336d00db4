"""What both lanes do with an agency that behaves, and with one that does not: over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from connectors.fast_lane import FastLane
from connectors.http import HttpClient, HttpRequest
from connectors.httpx_lane import HttpxLane
from connectors.lane import Bodies, Garbled, Lane, LaneAnswer, LaneError, OutOfTime, TooLarge, Unreachable, Unusable
from connectors.outgoing import Outgoing
from tests.connectors.certificates import Authority
from tests.connectors.support import LOOPBACK

LARGEST = 10_000
SECRET = "s3cret-value"

Script = Callable[["Call"], Awaitable[None]]
Open = Callable[..., Lane]


@dataclass
class Call:
    """One request as the server read it; `number` counts requests, `connection` connections, both from 1."""

    head: str
    body: bytes
    number: int
    connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def target(self) -> str:
        return self.head.split(" ")[1]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, text: str = "{}") -> None:
        await self.send(whole(text.encode()))

    def hang_up(self) -> NoReturn:
        """Closes the connection, once everything was sent."""
        raise ConnectionError

    def reset(self) -> NoReturn:
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise ConnectionError

    async def gone(self) -> None:
        """Returns when the client has closed the connection."""
        with suppress(ConnectionError):
            assert await self.reader.read() == b""


@dataclass
class Server:
    """Runs a script for each request that it reads."""

    script: Script
    address: str = ""
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._converse(self.connections, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
            self.tasks.discard(task)

    async def _converse(self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length: ")]
            body = await reader.readexactly(int(lengths[0].split(" ")[1])) if lengths else b""
            call = Call(head, body, len(self.calls) + 1, connection, reader, writer)
            self.calls.append(call)
            await self.script(call)


def whole(content: bytes, status: int = 200, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    async with AsyncExitStack() as stack:

        async def served(script: Script, tls: ssl.SSLContext | None = None) -> Server:
            server = Server(script)
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
            scheme = "http" if tls is None else "https"
            server.address = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"

            async def stop() -> None:
                listening.close()
                tasks = tuple(server.tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

            stack.push_async_callback(stop)
            return server

        yield served


@pytest.fixture
async def open_fast() -> AsyncIterator[Open]:
    async with opening(FastLane) as opened:
        yield opened


@pytest.fixture(params=[FastLane, HttpxLane], ids=["fast", "httpx"])
async def open_lane(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    async with opening(request.param) as opened:
        yield opened


ORDINARY = Bodies(LARGEST)
WITH_FAULTS = Bodies(LARGEST, frozenset({200, 500}))


@asynccontextmanager
async def opening(kind: type[FastLane | HttpxLane]) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        def opened(
            address: str,
            *,
            connections: int = 4,
            bodies: Bodies = ORDINARY,
            tls: ssl.SSLContext | None = None,
            **headers: str,
        ) -> Lane:
            lane = kind(address, headers, connections=connections, bodies=bodies, tls=tls, reach=LOOPBACK)
            stack.push_async_callback(lane.close)
            return lane

        yield opened


async def get(lane: Lane, target: str = "/", seconds: float = 20, *, idempotent: bool = True) -> LaneAnswer:
    deadline = asyncio.get_running_loop().time() + seconds
    return await lane.send(Outgoing("GET", target, "", {}, b"", idempotent), deadline)


async def echo(call: Call) -> None:
    await call.answer(call.target)


async def test_requests_arrive_as_they_were_asked(serve: Any, open_lane: Open) -> None:
    server = await serve(echo)
    lane = open_lane(server.address, Accept="application/json")
    assert await get(lane, "/a/%E4%BF%A1?q=1&q=%0A") == LaneAnswer(200, b"/a/%E4%BF%A1?q=1&q=%0A")
    deadline = asyncio.get_running_loop().time() + 20
    await lane.send(Outgoing("POST", "/b", "", {"Content-Type": "application/json"}, b'{"x": 1}'), deadline)
    first, second = server.calls
    assert first.head.startswith("GET /a/%E4%BF%A1?q=1&q=%0A HTTP/1.1\r\n")
    assert f"host: {server.address.removeprefix('http://')}\r\n" in first.head.lower()
    assert "accept: application/json\r\n" in first.head.lower()
    assert (second.target, second.body) == ("/b", b'{"x": 1}')
    assert "content-type: application/json\r\n" in second.head.lower()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "of a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "in chunks": (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"{}"),
    "in chunks with trailers": (
        CHUNKED + b"2\r\n{}\r\n0\r\nDigest: x\r\nContent-Encoding: gzip\r\n\r\n",
        b"{}",
    ),
    "after information": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole(b"{}"),
        b"{}",
    ),
    "of the largest size": (whole(b"x" * LARGEST), b"x" * LARGEST),
}


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_read_to_its_end(serve: Any, open_lane: Open, body: str) -> None:
    sent, content = BODIES[body]
    server = await serve(lambda call: call.send(sent))
    lane = open_lane(server.address)
    assert [await get(lane) for _ in range(3)] == [LaneAnswer(200, content)] * 3


@pytest.mark.parametrize("body", BODIES)
async def test_the_fast_lane_asks_again_on_the_same_connection(serve: Any, open_fast: Open, body: str) -> None:
    server = await serve(lambda call: call.send(BODIES[body][0]))
    lane = open_fast(server.address)
    assert await get(lane) == await get(lane)
    assert server.connections == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_a_body_without_a_length_ends_with_its_connection(serve: Any, open_lane: Open, head: bytes) -> None:
    async def script(call: Call) -> None:
        await call.send(head + b"{}")
        call.hang_up()

    server = await serve(script)
    lane = open_lane(server.address)
    assert [await get(lane), await get(lane)] == [LaneAnswer(200, b"{}")] * 2
    assert server.connections == len(server.calls) == 2


async def test_a_connection_that_the_agency_wants_closed_is_not_used_again(serve: Any, open_lane: Open) -> None:
    server = await serve(lambda call: call.send(whole(b"{}", headers="Connection: close\r\n")))
    lane = open_lane(server.address)
    assert [await get(lane), await get(lane)] == [LaneAnswer(200, b"{}")] * 2
    assert server.connections == len(server.calls) == 2


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"HTTP/1.1 204 X\r\n\r\n", 204),
        (b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", 304),
        (whole(b"unknown", 404), 404),
        (whole(b"", 302, "Location: /elsewhere\r\n"), 302),
        (b"HTTP/1.1 503 X\r\nContent-Length: 999999999\r\n\r\nx", 503),
        (whole(b"x", 500, "Content-Encoding: gzip\r\n"), 500),
    ],
)
async def test_of_another_status_nothing_but_the_status_is_told(
    serve: Any, open_lane: Open, reply: bytes, status: int
) -> None:
    async def script(call: Call) -> None:
        await (call.send(reply) if call.number == 1 else call.answer())

    server = await serve(script)
    lane = open_lane(server.address)
    answer = await get(lane)
    assert (answer.status, answer.content) == (status, b"")
    assert await get(lane) == LaneAnswer(200, b"{}")
    assert [call.target for call in server.calls] == ["/", "/"]


FAULTS = {
    "no HTTP": (b"220 mail.example ESMTP\r\n\r\n", Garbled),
    "a wrong line in the head": (b"HTTP/1.1 200 OK\r\nthis: is\r\n not a\0 header\r\n\r\n", Garbled),
    "a negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Garbled),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", Garbled),
    "an endless head": (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000, Garbled),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", Garbled),
    "half a body": (whole(b"{}")[:-1], Garbled),
    "half of the chunks": (CHUNKED + b"2\r\n{}\r\n", Garbled),
    "a chunk of no size": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", Garbled),
    "too large, and says so": (b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10_001, TooLarge),
    "too large in chunks": (CHUNKED + b"2000\r\n" + b"x" * 8192 + b"\r\n2000\r\n" + b"x" * 8192, TooLarge),
    "too large without end": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000, TooLarge),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_that_cannot_be_read_is_an_error_without_its_words(
    serve: Any, open_lane: Open, fault: str
) -> None:
    reply, error = FAULTS[fault]

    async def script(call: Call) -> None:
        if SECRET in call.target:
            await call.send(reply)
            call.hang_up()
        await call.answer()

    server = await serve(script)
    lane = open_lane(server.address, key=SECRET)
    with pytest.raises(error) as raised:
        await get(lane, f"/{SECRET}")
    for hidden in (SECRET, "127.0.0.1", "mail.example", "header"):
        assert hidden not in str(raised.value)
    assert await get(lane) == LaneAnswer(200, b"{}")


async def test_bodies_of_the_statuses_that_are_wanted_are_read_and_no_others(serve: Any, open_lane: Open) -> None:
    server = await serve(lambda call: call.send(whole(b"why", int(call.target[1:]))))
    lane = open_lane(server.address, bodies=WITH_FAULTS)
    told = [await get(lane, f"/{status}") for status in (500, 400, 200)]
    assert told == [LaneAnswer(500, b"why"), LaneAnswer(400, b""), LaneAnswer(200, b"why")]


@pytest.mark.parametrize(
    ("sent", "error"),
    [(whole(b"why", 500)[:-1], Garbled), (whole(b"x" * (LARGEST + 1), 500), TooLarge)],
    ids=["broken off", "too large"],
)
async def test_a_body_that_is_wanted_comes_whole_whatever_its_status(
    serve: Any, open_lane: Open, sent: bytes, error: type[LaneError]
) -> None:
    async def script(call: Call) -> None:
        await call.send(sent)
        call.hang_up()

    server = await serve(script)
    with pytest.raises(error):
        await get(open_lane(server.address, bodies=WITH_FAULTS))


async def test_a_refused_connection_is_unreachable(open_lane: Open, unused_tcp_port: int) -> None:
    with pytest.raises(Unreachable) as raised:
        await get(open_lane(f"http://127.0.0.1:{unused_tcp_port}"))
    assert str(unused_tcp_port) not in str(raised.value)


async def test_a_name_that_does_not_resolve_is_unreachable(open_lane: Open) -> None:
    with pytest.raises(Unreachable) as raised:
        await get(open_lane("http://agency.invalid"))
    assert "agency" not in str(raised.value)


async def test_a_reset_amid_the_answer_is_unreachable(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        await call.send(CHUNKED + b"1\r\n{\r\n")
        call.reset()

    server = await serve(script)
    with pytest.raises(Unreachable):
        await get(open_lane(server.address))


@pytest.mark.parametrize("leave", [Call.hang_up, Call.reset])
async def test_a_connection_that_was_closed_while_idle_is_made_anew(
    serve: Any, open_fast: Open, leave: Callable[[Call], NoReturn]
) -> None:
    async def script(call: Call) -> None:
        if call.connection == 1 and call.number > 1:
            leave(call)
        await call.answer(f'"{call.connection}"')

    server = await serve(script)
    lane = open_fast(server.address)
    assert [(await get(lane)).content for _ in range(3)] == [b'"1"', b'"2"', b'"2"']
    assert len(server.calls) == 4


async def test_a_new_connection_that_breaks_is_not_followed_by_another(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        call.hang_up()

    server = await serve(script)
    with pytest.raises(Garbled):
        await get(open_lane(server.address))
    assert len(server.calls) == 1


@pytest.mark.parametrize("leave", [Call.hang_up, Call.reset])
async def test_what_must_not_be_sent_twice_is_not(
    serve: Any, open_lane: Open, leave: Callable[[Call], NoReturn]
) -> None:
    async def script(call: Call) -> None:
        if call.number == 2:
            leave(call)
        await call.answer()

    server = await serve(script)
    lane = open_lane(server.address)
    assert (await get(lane, idempotent=False)).status == 200
    with pytest.raises((Garbled, Unreachable)):
        await get(lane, idempotent=False)
    assert len(server.calls) == 2


async def test_what_must_not_be_sent_twice_takes_no_connection_that_is_being_closed(
    serve: Any, open_fast: Open
) -> None:
    async def script(call: Call) -> None:
        await call.answer()
        call.hang_up()

    server = await serve(script)
    lane = open_fast(server.address)
    assert (await get(lane, idempotent=False)).status == 200
    # Not through the event loop, which would tell the lane that the connection has ended.
    while server.calls[0].writer.transport.get_extra_info("socket").fileno() != -1:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (await get(lane, idempotent=False)).status == 200
    assert len(server.calls) == 2


async def test_where_an_answer_leads_and_what_it_sets_is_told(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        head = "Location: /b\r\nSet-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT\r\nset-cookie: b=2\r\n"
        await call.send(whole(b"", 202, head) if call.number == 1 else whole(b"{}"))

    server = await serve(script)
    lane = open_lane(server.address)
    first, second = await get(lane), await get(lane)
    assert (first.location, first.cookies) == ("/b", ("a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "b=2"))
    assert second == LaneAnswer(200, b"{}")


async def test_when_to_ask_again_is_told(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        await call.send(whole(b"", 429, "Retry-After: 7\r\n") if call.number == 1 else whole(b"{}"))

    server = await serve(script)
    lane = open_lane(server.address)
    assert [await get(lane), await get(lane)] == [LaneAnswer(429, b"", "7"), LaneAnswer(200, b"{}")]


async def test_an_answer_that_breaks_off_is_not_asked_again(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        await call.send(whole(b"{}")[:-1])
        call.hang_up()

    server = await serve(script)
    with pytest.raises(Garbled):
        await get(open_lane(server.address))
    assert len(server.calls) == 1


async def test_what_follows_an_answer_is_never_taken_for_the_next(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        await call.send(whole(f'"{call.number}"'.encode()) + whole(b'"poison"'))

    server = await serve(script)
    lane = open_lane(server.address)
    assert [(await get(lane)).content for _ in range(3)] == [b'"1"', b'"2"', b'"3"']
    assert server.connections == 3


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    serve: Any, open_fast: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.fast_lane.KEEP_ALIVE_SECONDS", -1.0)
    server = await serve(echo)
    lane = open_fast(server.address)
    await get(lane)
    await get(lane)
    assert server.connections == 2


async def test_closing_a_lane_closes_its_connections(serve: Any, open_lane: Open) -> None:
    gone = asyncio.Event()

    async def script(call: Call) -> None:
        await call.answer()
        await call.gone()
        gone.set()

    server = await serve(script)
    lane = open_lane(server.address)
    await get(lane)
    await lane.close()
    await asyncio.wait_for(gone.wait(), 20)


async def silent(call: Call) -> None:
    await call.gone()


async def dripping(call: Call) -> None:
    await call.send(CHUNKED)
    while True:
        await call.send(b"1\r\n \r\n")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("slow", [silent, dripping])
async def test_the_deadline_ends_a_call_however_the_agency_goes_on(serve: Any, open_lane: Open, slow: Script) -> None:
    async def script(call: Call) -> None:
        await (slow(call) if call.number == 1 else call.answer())

    server = await serve(script)
    lane = open_lane(server.address, connections=1)
    with pytest.raises(OutOfTime):
        await get(lane, seconds=0.5)
    assert await get(lane) == LaneAnswer(200, b"{}")
    assert server.connections == 2


async def test_waiting_for_a_connection_counts_against_the_deadline(serve: Any, open_lane: Open) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> None:
        asked.set()
        await go_on.wait()
        await call.answer(call.target)

    server = await serve(script)
    lane = open_lane(server.address, connections=1)
    first = asyncio.create_task(get(lane, "/first"))
    await asked.wait()
    with pytest.raises(OutOfTime):
        await get(lane, "/second", seconds=0.1)
    go_on.set()
    assert (await first).content == b"/first"
    assert (await get(lane, "/third")).content == b"/third"
    assert [call.target for call in server.calls] == ["/first", "/third"]


async def test_a_cancelled_call_closes_its_connection_and_leaves_nothing_to_the_next(
    serve: Any, open_lane: Open
) -> None:
    half, gone = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> None:
        if call.number == 1:
            await call.send(whole(b'"first"')[:-1])
            half.set()
            await call.gone()
            gone.set()
        await call.answer(call.target)

    server = await serve(script)
    lane = open_lane(server.address, connections=1)
    question = asyncio.create_task(get(lane, "/1"))
    await half.wait()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    await asyncio.wait_for(gone.wait(), 20)
    assert (await get(lane, "/2")).content == b"/2"


async def test_callers_who_wait_are_served_in_their_order_and_a_cancelled_one_costs_nobody_a_place(
    serve: Any, open_lane: Open
) -> None:
    server = await serve(echo)
    lane = open_lane(server.address, connections=1)
    questions = [asyncio.create_task(get(lane, f"/{number}")) for number in range(8)]
    await asyncio.sleep(0)
    questions[3].cancel()
    await asyncio.gather(*questions, return_exceptions=True)
    assert [call.target for call in server.calls] == ["/0", "/1", "/2", "/4", "/5", "/6", "/7"]
    assert server.most_open == 1


async def test_many_at_once_get_each_their_own_answer_over_no_more_connections_than_allowed(
    serve: Any, open_lane: Open
) -> None:
    server = await serve(echo)
    lane = open_lane(server.address, connections=5)
    answers = await asyncio.gather(*(get(lane, f"/{number}") for number in range(200)))
    assert [answer.content for answer in answers] == [f"/{number}".encode() for number in range(200)]
    assert server.most_open <= 5


@pytest.mark.parametrize("header", ["a\r\nInjected: yes", "a\nb", "信"])
async def test_no_header_is_sent_that_would_be_more_than_one(serve: Any, open_lane: Open, header: str) -> None:
    server = await serve(echo)
    with pytest.raises((Unusable, UnicodeError)):
        await get(open_lane(server.address, key=header))
    assert server.calls == []


async def test_no_target_is_sent_that_would_end_its_line(serve: Any, open_lane: Open) -> None:
    server = await serve(echo)
    with pytest.raises(Unusable):
        await get(open_lane(server.address), "/a\r\nInjected: yes")
    assert server.calls == []


async def test_paths_and_queries_are_encoded_before_they_are_sent(serve: Any, open_lane: Open) -> None:
    async def script(call: Call) -> None:
        await call.answer("[1.10]")

    server = await serve(script)
    client = HttpClient(open_lane(server.address), "/base/", {})
    request = HttpRequest("place", "GET", "/信 \r\nX: y%2F", (("a&b", "1 2\r\n"),))
    assert str((await client.ask(request, 20)).document) == "[Decimal('1.10')]"
    assert server.calls[0].target == "/base/%E4%BF%A1%20%0D%0AX:%20y%2F?a%26b=1+2%0D%0A"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


async def test_a_trusted_agency_is_asked_over_tls(serve: Any, open_lane: Open, authority: Authority) -> None:
    server = await serve(lambda call: call.answer("x" * LARGEST), authority.server("127.0.0.1"))
    lane = open_lane(server.address, tls=authority.client())
    assert [await get(lane), await get(lane)] == [LaneAnswer(200, b"x" * LARGEST)] * 2


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_an_agency_that_cannot_prove_itself_is_unreachable_and_hears_nothing(
    serve: Any, open_lane: Open, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    contexts = {
        "authority": lambda: Authority(tmp_path, "another").server("127.0.0.1"),
        "host": lambda: authority.server("127.0.0.2"),
    }
    server = await serve(echo, contexts[wrong]())
    with pytest.raises(Unreachable) as raised:
        await get(open_lane(server.address, tls=authority.client()))
    assert "127.0.0" not in str(raised.value)
    assert server.calls == []


async def test_an_agency_that_asks_who_calls_is_shown_a_certificate(
    serve: Any, open_lane: Open, authority: Authority
) -> None:
    server = await serve(echo, authority.server("127.0.0.1", asks_who_calls=True))
    assert (await get(open_lane(server.address, tls=authority.client("gateway")), "/1")).content == b"/1"
    with pytest.raises(LaneError):
        await get(open_lane(server.address, tls=authority.client()))
    assert len(server.calls) == 1


async def test_the_fast_lane_asks_for_plain_answers_and_httpx_reads_compressed_ones(serve: Any) -> None:
    sent = whole(gzip.compress(b"{}"), headers="Content-Encoding: gzip\r\n")
    server = await serve(lambda call: call.send(sent))
    fast = FastLane(server.address, {}, connections=1, bodies=Bodies(LARGEST), tls=None, reach=LOOPBACK)
    with pytest.raises(Unusable):
        await get(fast)
    assert "accept-encoding: identity\r\n" in server.calls[0].head.lower()
    await fast.close()
    other = HttpxLane(server.address, {}, connections=1, bodies=Bodies(LARGEST), tls=None, reach=LOOPBACK)
    assert await get(other) == LaneAnswer(200, b"{}")
    await other.close()
