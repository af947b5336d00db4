"""One connection, fed piece by piece: what the network may do to an answer's bytes must not matter."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.http1 import LARGEST_HEAD, Http1Connection
from connectors.lane import Bodies, Garbled, LaneAnswer, LaneError, TooLarge

LARGEST = 1000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\n\r\n[12]": LaneAnswer(200, b"[12]"),
    CHUNKED + b"2;x=y\r\n[1\r\n2\r\n2]\r\n0\r\nX: y\r\n\r\n": LaneAnswer(200, b"[12]"),
    b"HTTP/1.1 103 X\r\nContent-Encoding: y\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]": LaneAnswer(
        200, b"[]"
    ),
    b"HTTP/1.1 103 X\r\nLink: y\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 3\r\n\r\nabc": LaneAnswer(404, b""),
}


class Recorder:
    """What a connection does to its transport."""

    def __init__(self) -> None:
        self.closed = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


def connected() -> tuple[Http1Connection, Recorder]:
    connection, transport = Http1Connection(Bodies(LARGEST)), Recorder()
    connection.connection_made(cast("asyncio.Transport", transport))
    return connection, transport


@given(answer=st.sampled_from(sorted(ANSWERS)), cuts=st.sets(st.integers(1, 80)))
def test_an_answer_is_the_same_however_it_is_cut(answer: bytes, cuts: set[int]) -> None:
    async def exchange() -> None:
        connection, transport = connected()
        for _ in range(2):
            waiting = connection.ask(b"")
            within = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
            for start, end in pairwise(within):
                assert not waiting.done()
                connection.data_received(answer[start:end])
            assert waiting.result() == ANSWERS[answer]
            assert connection.reusable
            assert not transport.closed

    asyncio.run(exchange())


@given(answer=st.sampled_from(sorted(ANSWERS)), at=st.integers(0, 80), noise=st.binary(min_size=1, max_size=40))
def test_noise_in_an_answer_is_an_answer_or_an_error_and_never_more(answer: bytes, at: int, noise: bytes) -> None:
    async def exchange() -> None:
        connection, _ = connected()
        waiting = connection.ask(b"")
        connection.data_received(answer[:at] + noise + answer[at:])
        connection.connection_lost(None)
        assert waiting.done()
        assert not connection.reusable
        assert isinstance(waiting.exception(), LaneError | None)

    asyncio.run(exchange())


async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    connection, transport = connected()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert transport.closed
    assert not connection.reusable


async def test_an_answer_to_a_request_that_is_not_yet_sent_closes_the_connection() -> None:
    connection, transport = connected()
    waiting = connection.ask(b"")
    transport.unsent = 1
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert (await waiting).content == b"{}"
    assert transport.closed


async def test_closing_here_does_not_make_a_whole_of_a_body_without_a_length() -> None:
    connection, _ = connected()
    waiting = connection.ask(b"")
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n[1")
    connection.close()
    connection.connection_lost(None)
    with pytest.raises(Garbled):
        await waiting


@pytest.mark.parametrize(
    ("begin", "more", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10, Garbled),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", Garbled),
        (CHUNKED, b"1\r\n1\r\n" * 10, TooLarge),
        (CHUNKED + b"0\r\n", b"X: y\r\n" * 10, TooLarge),
    ],
    ids=["headers", "informational answers", "chunks", "trailers"],
)
async def test_nothing_goes_on_for_ever(begin: bytes, more: bytes, error: type[LaneError]) -> None:
    connection, transport = connected()
    waiting = connection.ask(b"")
    connection.data_received(begin or more)
    for _ in range(2 * LARGEST_HEAD // len(more)):
        connection.data_received(more)
        if waiting.done():
            break
    with pytest.raises(error):
        await waiting
    assert transport.closed
