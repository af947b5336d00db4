from __future__ import annotations

import asyncio
import json
import os
import shutil

import pytest

from benchmarks.contender import Question, Running
from benchmarks.load import Load, LoadFailedError, ask, check, companies, loaded
from schema.credit_code import CreditCode

QUESTION = Question('{"text":"query @@","codes":[', "]}")


def test_the_companies_of_a_load_are_all_different_and_have_lawful_codes() -> None:
    codes = companies(first=887_503_600, count=2_000)
    assert len(set(codes)) == len(codes)
    assert all(CreditCode.parse(code) == code for code in codes)


async def served(answer: bytes) -> tuple[asyncio.Server, list[bytes]]:
    """A server that gives the answer, and the bodies that it was sent."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                bodies.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0), bodies


async def put_under_load(answer: bytes, load: Load) -> list[bytes]:
    server, bodies = await served(answer)
    async with server:
        running = Running(os.getpid(), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql")
        await asyncio.to_thread(loaded, running, QUESTION, load, first=30, core=0)
    return bodies


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk")
async def test_wrk_asks_about_the_same_companies_as_are_expected_each_once_and_numbers_its_texts() -> None:
    asked = [json.loads(body) for body in await put_under_load(b"{}", Load(3, 1, 1))]
    codes = [code for one in asked for code in one["codes"]]
    # wrk makes one request to look at it, before those that it sends.
    assert codes == companies(30, len(codes) + 3)[3:]
    assert len({one["text"] for one in asked}) == len(asked) > 1


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk")
async def test_wrk_asks_about_a_pool_of_companies_again_and_again() -> None:
    bodies = await put_under_load(b"{}", Load(2, 1, 1, pool=4))
    codes = [code for body in bodies for code in json.loads(body)["codes"]]
    assert codes[2:10] == companies(30, 4) * 2


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk")
async def test_an_answer_with_errors_ends_the_run_though_its_status_is_200() -> None:
    with pytest.raises(LoadFailedError):
        await put_under_load(b'{"data":null,"errors":[{}]}', Load(1, 1, 1))


def test_an_answer_is_compared_without_extensions_and_records_of_one_day_in_any_order() -> None:
    check("it", {"data": {"records": [2, 1]}, "extensions": {"requestId": "x"}}, {"data": {"records": [1, 2]}})
    with pytest.raises(LoadFailedError, match=r"it: \.data\.records\[1\]"):
        check("it", {"data": {"records": [2, 1]}}, {"data": {"records": [1, 3]}})
    with pytest.raises(LoadFailedError):
        check("it", {"data": [2, 1]}, {"data": [1, 2]})


async def test_an_answer_that_is_no_json_ends_the_run() -> None:
    server, _ = await served(b"not JSON")
    async with server:
        running = Running(os.getpid(), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql")
        with pytest.raises(LoadFailedError):
            await asyncio.to_thread(ask, running, QUESTION, companies(1, 1))
