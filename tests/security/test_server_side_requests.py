"""Whoever writes a manifest or speaks for an agency, an issuer or its key set, makes the gateway call no address but
those that the operator allows: each way is tried against a trap that counts who connects to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectorError
from connectors.lane import LaneError
from connectors.published import Publications
from connectors.reach import Reach
from tests.connectors.support import CODES, Agency, ask

CODE = CODES[0]
ELSEWHERE = "127.0.0.3"
"""Where the trap is: this machine, and no part of what may be reached."""

ONLY_THE_AGENCY = Reach(plain=(ip_network("127.0.0.1/32"),))

REST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", lane: {lane}{more}}}
    datasets:
      - {{record: Penalty, request: {{path: "/{{key}}"}}, response: {{rows: rows}}, fields: {{facts: f}}}}
"""
TOKEN = ', auth: {scheme: oauth2, tokenUrl: "${TOKENS}", clientId: a, clientSecret: "${SECRET}"}'


@dataclass
class Trap:
    """Where nobody may call. `callers` counts those who did."""

    callers: int = 0
    port: int = 0
    _server: Any = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"http://{ELSEWHERE}:{self.port}"


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    caught = Trap()

    async def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caught.callers += 1
        body = b'{"rows": [{"f": "SECRET"}], "access_token": "t", "token_type": "Bearer", "keys": []}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(called, ELSEWHERE, 0)
    caught.port = server.sockets[0].getsockname()[1]
    yield caught
    server.close()
    assert caught.callers == 0


def http(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


REDIRECTS = ("301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect")


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize("status", [*REDIRECTS, "300 Multiple Choices", "201 Created"])
async def test_no_redirect_of_an_agency_is_followed(
    agency: Agency, open_one: Any, trap: Trap, lane: str, status: str
) -> None:
    async def answer(_: Any) -> bytes:
        return http(status, f"Location: {trap.address}/", f"Refresh: 0; url={trap.address}", f"Link: <{trap.address}>")

    agency.answer = answer
    supply = await open_one(REST.format(lane=lane, more=""), agency.address, reach=ONLY_THE_AGENCY)
    rows = (await ask(supply, [CODE]))[CODE]
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert len(agency.asked) == 1


@pytest.mark.parametrize("header", ["Alt-Svc", "Location", "Content-Location", "Link", "Refresh", "Proxy-Authenticate"])
async def test_no_header_of_a_good_answer_leads_elsewhere(
    agency: Agency, open_one: Any, trap: Trap, header: str
) -> None:
    async def answer(_: Any) -> bytes:
        value = f'h1="{ELSEWHERE}:{trap.port}"' if header == "Alt-Svc" else f'<{trap.address}>; rel="next"'
        return http("200 OK", f"{header}: {value}", body=b'{"rows": [{"f": "x"}]}')

    agency.answer = answer
    supply = await open_one(REST.format(lane="fast", more=""), agency.address, reach=ONLY_THE_AGENCY)
    for _ in range(2):
        assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.ANSWERED


@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_redirect_of_a_token_address_is_followed(
    agency: Agency, open_one: Any, trap: Trap, status: str
) -> None:
    async def answer(_: Any) -> bytes:
        return http(status, f"Location: {trap.address}/")

    agency.answer, agency.read = answer, bytes
    supply = await open_one(
        REST.format(lane="fast", more=TOKEN),
        agency.address,
        reach=ONLY_THE_AGENCY,
        environment={"TOKENS": f"{agency.address}/token"},
    )
    assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.FAILED
    assert {asked.path for asked in agency.asked} == {"/token"}


async def test_no_member_of_a_token_answer_leads_elsewhere(agency: Agency, open_one: Any, trap: Trap) -> None:
    async def answer(asked: Any) -> Any:
        if asked.path == "/token":
            places = dict.fromkeys(["instance_url", "resource", "token_endpoint", "refresh_uri"], trap.address)
            return {"access_token": "t", "token_type": "Bearer", "expires_in": 60, **places}
        return {"rows": [{"f": "x"}]}

    agency.answer = answer
    environment = {"TOKENS": f"{agency.address}/token"}
    manifest = REST.format(lane="fast", more=TOKEN)
    agency.read = bytes
    supply = await open_one(manifest, agency.address, reach=ONLY_THE_AGENCY, environment=environment)
    assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.ANSWERED


@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_redirect_of_published_keys_is_followed(agency: Agency, trap: Trap, status: str) -> None:
    async def answer(_: Any) -> bytes:
        return http(status, f"Location: {trap.address}/")

    agency.answer = answer
    with pytest.raises(LaneError):
        await Publications(ONLY_THE_AGENCY).read(f"{agency.address}/keys")


WRITTEN: dict[str, Callable[[Trap], str]] = {
    "digits": lambda trap: f"{ELSEWHERE}:{trap.port}",
    "one number": lambda trap: f"2130706435:{trap.port}",
    "one number in hexadecimal": lambda trap: f"0x7f000003:{trap.port}",
    "octal digits": lambda trap: f"0177.0.0.03:{trap.port}",
    "hexadecimal digits": lambda trap: f"0x7f.0x0.0x0.0x3:{trap.port}",
    "two parts": lambda trap: f"127.3:{trap.port}",
    "three parts": lambda trap: f"127.0.3:{trap.port}",
    "a point at the end": lambda trap: f"{ELSEWHERE}.:{trap.port}",
    "mapped into IPv6": lambda trap: f"[::ffff:{ELSEWHERE}]:{trap.port}",
    "mapped into IPv6 in hexadecimal": lambda trap: f"[::ffff:7f00:3]:{trap.port}",
    "full width": lambda trap: f"１２７.０.０.３:{trap.port}",
    "full-width points": lambda trap: f"127。0。0。3:{trap.port}",
    "letters in circles": lambda trap: f"①②⑦.⓪.⓪.③:{trap.port}",
    "a user before it": lambda trap: f"127.0.0.1@{ELSEWHERE}:{trap.port}",
    "a user with the agency's name": lambda trap: f"127.0.0.1%2F@{ELSEWHERE}:{trap.port}",
    "a backslash before it": lambda trap: f"127.0.0.1\\@{ELSEWHERE}:{trap.port}",
    "percent-encoded": lambda trap: f"%31%32%37.0.0.3:{trap.port}",
    "a name": lambda trap: f"trap.example:{trap.port}",
    "a name in capitals": lambda trap: f"TRAP.example:{trap.port}",
}


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize("how", WRITTEN)
async def test_however_an_address_is_written_it_is_judged_by_where_it_leads(
    open_one: Any, names: Any, trap: Trap, lane: str, how: str
) -> None:
    """The start is refused, or each call."""
    names["trap.example"] = names["TRAP.example"] = [ELSEWHERE]
    address = f"http://{WRITTEN[how](trap)}"
    with suppress(ConnectorError):
        supply = await open_one(REST.format(lane=lane, more=""), address, reach=ONLY_THE_AGENCY)
        assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.FAILED


@pytest.mark.parametrize("how", WRITTEN)
async def test_nor_are_keys_fetched_from_there(names: Any, trap: Trap, how: str) -> None:
    names["trap.example"] = names["TRAP.example"] = [ELSEWHERE]
    with pytest.raises((LaneError, ConnectorError)):
        await Publications(ONLY_THE_AGENCY).read(f"http://{WRITTEN[how](trap)}/keys")


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_a_name_that_is_the_agencys_when_it_is_checked_and_anothers_when_it_is_called(
    open_one: Any, names: Any, trap: Trap, lane: str
) -> None:
    """Each time it is asked for, the name leads elsewhere; only addresses that were checked are called."""
    names["rebinding.example"] = ["127.0.0.1", ELSEWHERE, "127.0.0.1", ELSEWHERE]
    address = f"http://rebinding.example:{trap.port}"
    supply = await open_one(REST.format(lane=lane, more=""), address, reach=ONLY_THE_AGENCY)
    for _ in range(4):
        assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.FAILED


async def test_of_several_addresses_those_that_may_not_be_reached_are_left_out(
    agency: Agency, open_one: Any, names: Any, trap: Trap
) -> None:
    names["both.example"] = [f"{ELSEWHERE} 127.0.0.9"]
    supply = await open_one(
        REST.format(lane="fast", more=""), f"http://both.example:{trap.port}", reach=ONLY_THE_AGENCY
    )
    assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.FAILED
    assert agency.asked == []


async def test_a_proxy_of_the_environment_is_not_used(
    agency: Agency, open_one: Any, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, trap.address)

    async def answer(_: Any) -> Any:
        return {"rows": [{"f": "x"}]}

    agency.answer = answer
    for lane in ("fast", "httpx"):
        supply = await open_one(REST.format(lane=lane, more=""), agency.address, reach=ONLY_THE_AGENCY)
        assert (await ask(supply, [CODE]))[CODE].outcome is Outcome.ANSWERED
