"""Callers that do not come to the point: each gets its time, and then its connection is ended; the others are answered
meanwhile, and there are never more connections than the settings say.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from itertools import cycle, islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio

from tests.connectors.certificates import Authority
from tests.connectors.support import CODES
from tests.faults.agency import Agency, behave, behave_after
from tests.faults.callers import ASKED, Caller, body_of, connected, gateway_over_one, head_of, request
from tests.faults.installation import COMMAND, Gateway
from tests.waiting import PATIENCE, until

SHORT: Final = {f"XINQIAO_CONNECTIONS__{name}": "1" for name in ("HEAD", "BODY", "ANSWER", "IDLE")}
FEW_FILES: Final = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (200, r.getrlimit(r.RLIMIT_NOFILE)[1]))"
WITH_FEW_FILES: Final = [sys.executable, "-c", f"{FEW_FILES}; from gateway.cli import app; app()", *COMMAND[3:]]
LONG: Final = {"XINQIAO_CONNECTIONS__HEAD": "300"}
MOST: Final = 4

HEAD_BEGUN: Final = b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: "
TOO_LATE: Final = b"HTTP/1.1 408"
SLOW_HEADS: Final = {
    "nothing": (b"", b"", b""),
    "empty lines": (b"", b"\r\n", b""),
    "half a line": (b"GET / HT", b"", TOO_LATE),
    "a field byte by byte": (HEAD_BEGUN, b"x", TOO_LATE),
    "ever more fields": (HEAD_BEGUN, b"x\r\nX-More: ", TOO_LATE),
}
"""What a caller says, what it says again and again after that, and how what it hears begins."""

MUCH: Final = f"""
query ($codes: [CreditCode!]!) {{
  enterprises(codes: $codes) {{ {" ".join(f"n{number}: __typename" for number in range(100))} }}
}}
"""
"""A small question with a large answer."""

pytestmark = pytest.mark.asyncio(loop_scope="module")

Running = tuple[Gateway, Agency]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway that waits for a second, whatever for."""
    async with gateway_over_one(tmp_path_factory.mktemp("hasty"), **SHORT) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway that waits long for a head, begun where few files may be open."""
    async with gateway_over_one(tmp_path_factory.mktemp("patient"), WITH_FEW_FILES, **LONG) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway that has few connections, and waits long for a head."""
    settings = {**LONG, "XINQIAO_CONNECTIONS__MOST": str(MOST)}
    async with gateway_over_one(tmp_path_factory.mktemp("small"), **settings) as running:
        yield running


async def is_answered(gateway: Gateway) -> bool:
    return (await gateway.ask(ASKED)).status == 200


async def test_heads_that_do_not_come_to_their_end_end_their_connections(hasty: Running) -> None:
    gateway, _ = hasty
    each = 40

    async def begun(said: bytes) -> Caller:
        caller = await connected(gateway)
        caller.say(said)
        return caller

    async def heard(caller: Caller, drips: bytes) -> bytes:
        dripping = asyncio.create_task(caller.drip(drips))
        hears = await caller.hears_the_end()
        caller.leave()
        await dripping
        return hears[: len(TOO_LATE)]

    async with asyncio.timeout(PATIENCE):
        slow = [(said, drips) for said, drips, _ in SLOW_HEADS.values() for _ in range(each)]
        callers = await asyncio.gather(*(begun(said) for said, _ in slow))
        hearing = asyncio.gather(*(heard(caller, drips) for caller, (_, drips) in zip(callers, slow, strict=True)))
        assert await is_answered(gateway)
        all_heard = iter(await hearing)
    assert {kind: set(islice(all_heard, each)) for kind in SLOW_HEADS} == {
        kind: {hears} for kind, (_, _, hears) in SLOW_HEADS.items()
    }
    assert await is_answered(gateway)


async def test_a_body_that_does_not_come_to_its_end_is_given_up_with_its_deadline_and_audited(patient: Running) -> None:
    gateway, inspectors = patient
    calls, before = inspectors.calls, len(gateway.audited())
    caller = await connected(gateway)
    caller.say(head_of(1_000_000, X_Timeout_Ms="500"))
    dripping = asyncio.create_task(caller.drip(b" "))
    async with asyncio.timeout(PATIENCE):
        heard = await caller.hears()
        assert (heard.status, heard.json["errors"][0]["extensions"]["code"]) == (408, "REQUEST_TIMEOUT")
        assert await caller.hears_the_end() == b""
    caller.leave()
    await dripping
    assert [line["code"] for line in gateway.audited()[before:]] == ["REQUEST_TIMEOUT"]
    assert inspectors.calls == calls


async def test_the_rest_of_a_request_that_was_refused_is_waited_for_no_longer_than_any_body(hasty: Running) -> None:
    gateway, _ = hasty
    caller = await connected(gateway)
    caller.say(head_of(1_000_000, Content_Type="text/plain"))
    dripping = asyncio.create_task(caller.drip(b" "))
    async with asyncio.timeout(PATIENCE):
        assert (await caller.hears()).status == 415
        assert await caller.hears_the_end() == b""
    caller.leave()
    await dripping


async def test_a_body_that_takes_longer_than_a_head_may_and_comes_within_its_deadline_is_answered(
    tmp_path: Path,
) -> None:
    async with gateway_over_one(tmp_path, **{**SHORT, "XINQIAO_CONNECTIONS__BODY": "30"}) as (gateway, _):
        caller, body = await connected(gateway), body_of()
        caller.say(head_of(len(body)))
        size = len(body) // 10 + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(0.3)
            caller.say(body[start : start + size])
        async with asyncio.timeout(PATIENCE):
            assert (await caller.hears()).status == 200
        caller.leave()


async def test_an_answer_that_is_not_taken_ends_the_connection(hasty: Running) -> None:
    gateway, _ = hasty
    where = urlsplit(gateway.url)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.settimeout(0)
        await asyncio.get_running_loop().sock_connect(deaf, (where.hostname, where.port))
        async with asyncio.timeout(PATIENCE):
            await ask_on(deaf, request([str(code) for code in CODES], MUCH))
    assert await is_answered(gateway)


async def ask_on(deaf: socket.socket, what: bytes) -> None:
    """Asks, one request after the other, until the connection is ended; reads nothing."""
    try:
        while True:
            await asyncio.get_running_loop().sock_sendall(deaf, what)
    except OSError:
        return


async def test_a_connection_on_which_nothing_more_is_asked_is_ended(hasty: Running) -> None:
    gateway, _ = hasty
    caller = await connected(gateway)
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            caller.say(request())
            assert (await caller.hears()).status == 200
        assert await caller.hears_the_end() == b""
    caller.leave()


async def test_there_are_no_more_connections_than_the_settings_say_and_those_that_wait_longest_give_way(
    small: Running,
) -> None:
    gateway, _ = small
    assert await is_answered(gateway)
    process = psutil.Process(gateway.process.pid)
    files = process.num_fds()
    idle = [await connected(gateway) for _ in range(5 * MOST)]
    async with asyncio.timeout(PATIENCE):
        for caller in idle[:-MOST]:
            assert await caller.hears_the_end() == b""
    assert process.num_fds() <= files + MOST
    # The youngest of them are there still.
    idle[-1].say(request())
    async with asyncio.timeout(PATIENCE):
        assert (await idle[-1].hears()).status == 200
    assert await is_answered(gateway)
    for caller in idle:
        caller.leave()


async def test_a_flood_of_connections_leaves_files_for_agencies_and_the_audit(patient: Running) -> None:
    gateway, _ = patient
    idle = [await connected(gateway) for _ in range(300)]
    for caller, said in zip(idle, cycle((b"", b"GET / HT", HEAD_BEGUN)), strict=False):
        caller.say(said)
    slow = idle[-20:]
    dripping = asyncio.gather(*(caller.drip(b"x", every=0.05) for caller in slow))
    assert await is_answered(gateway)
    assert not any(caller.reader.at_eof() for caller in slow)
    for caller in idle:
        caller.leave()
    await dripping


async def test_where_every_connection_is_being_answered_another_is_told_so(small: Running) -> None:
    gateway, inspectors = small
    let_go = asyncio.Event()
    inspectors.behaviour = behave_after(let_go)
    busy = [await asking(gateway, inspectors, number) for number in range(MOST)]
    late = await connected(gateway)
    late.say(request())
    async with asyncio.timeout(PATIENCE):
        heard = await late.hears()
        assert (heard.status, heard.json["errors"][0]["extensions"]["code"]) == (503, "SERVER_BUSY")
        assert (heard.fields["retry-after"], heard.fields["connection"]) == ("1", "close")
        assert await late.hears_the_end() == b""
        let_go.set()
        assert [(await caller.hears()).status for caller in busy] == [200] * MOST
    for caller in (late, *busy):
        caller.leave()
    inspectors.behaviour = behave
    assert await is_answered(gateway)


async def asking(gateway: Gateway, inspectors: Agency, number: int) -> Caller:
    """A caller whose question has reached the agency."""
    calls = inspectors.calls
    caller = await connected(gateway)
    caller.say(request([str(CODES[number])]))

    async def asked() -> bool:
        return inspectors.calls > calls

    await until(asked)
    return caller


async def test_a_head_that_is_too_large_is_not_read_to_its_end(patient: Running) -> None:
    gateway, _ = patient
    caller = await connected(gateway)
    # Not as fast as it can: what is under way when the gateway hangs up would keep its answer from coming.
    dripping = asyncio.create_task(caller.drip(b"X-More: " + b"x" * 60_000 + b"\r\n", every=0.1))
    caller.say(b"POST /graphql HTTP/1.1\r\n")
    async with asyncio.timeout(PATIENCE):
        assert (await caller.hears_the_end()).startswith(b"HTTP/1.1 431 ")
    caller.leave()
    await dripping
    assert await is_answered(gateway)


async def test_a_handshake_that_does_not_come_to_its_end_ends_the_connection(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate = str(authority.issue("127.0.0.1"))
    async with gateway_over_one(tmp_path, **SHORT, XINQIAO_TLS__CERTIFICATE=certificate) as (gateway, _):
        silent = await connected(gateway)
        async with asyncio.timeout(PATIENCE):
            assert await silent.hears_the_end() == b""
        silent.leave()
