from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
import uvloop

from connectors.errors import ConnectionNotConfigured
from connectors.fast_lane import FastLane
from connectors.lane import Bodies, LaneAnswer, OutOfTime
from connectors.outgoing import Outgoing
from tests.connectors.certificates import Authority
from tests.connectors.support import CODES, LOOPBACK, Agency, Asked, ask

MANIFEST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", {more}}}
    datasets:
      - record: Penalty
        request: {{method: {method}, path: /p, keys: {{in: {place}, name: code}}}}
        fields: {{facts: f}}
"""


def manifest(more: str = "", method: str = "GET", place: str = "query") -> str:
    return MANIFEST.format(more=more, method=method, place=place)


async def nothing(_: Asked) -> Any:
    return []


@pytest.mark.parametrize(
    ("more", "user", "lane"),
    [("", "", "fast"), ("lane: httpx", "", "httpx"), ("", "user:a-secret@", "httpx")],
    ids=["everyday", "as the manifest says", "a user in the address"],
)
async def test_the_lane_is_chosen_when_a_connection_is_opened(
    agency: Agency, open_one: Any, more: str, user: str, lane: str
) -> None:
    agency.answer = nothing
    await ask(await open_one(manifest(more), agency.address.replace("//", f"//{user}")), CODES[:1])
    headers = agency.asked[0].headers
    assert headers["user-agent"] == "xinqiao"
    assert headers["accept"] == "application/json"
    assert (headers["accept-encoding"] == "identity") == (lane == "fast")
    assert ("authorization" in headers) == bool(user)


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_headers_of_the_manifest_stand_in_for_ours(agency: Agency, open_one: Any, lane: str) -> None:
    agency.answer = nothing
    more = f'lane: {lane}, headers: {{content-type: "${{SECRET}}", ACCEPT: "${{SECRET}}", user-agent: "${{SECRET}}"}}'
    await ask(await open_one(manifest(more, "POST", "body"), agency.address), CODES[:1])
    headers = agency.asked[0].headers
    assert [headers[name] for name in ("content-type", "accept", "user-agent")] == ["a-secret"] * 3
    assert agency.asked[0].body == {"code": CODES[0]}


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", '"X: y\\r\\nZ"', '"X "'])
async def test_a_header_that_is_not_the_manifests_to_set_stops_the_start(open_one: Any, name: str) -> None:
    with pytest.raises(ConnectionNotConfigured) as raised:
        await open_one(manifest(f'headers: {{{name}: "${{SECRET}}"}}'), "http://127.0.0.1:1")
    assert "a-secret" not in str(raised.value)


@pytest.mark.parametrize("address", ["http://a b/", "ftp://a", "http://a:0", "http://a:x", "http://", "http://a?b"])
async def test_an_address_that_cannot_be_asked_stops_the_start(open_one: Any, address: str) -> None:
    with pytest.raises(ConnectionNotConfigured) as raised:
        await open_one(manifest(), address)
    assert address not in str(raised.value)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
def test_the_fast_lane_works_on_the_loop_that_serves(tmp_path: Any, *, encrypted: bool) -> None:
    authority = Authority(tmp_path, "authority")
    server = authority.server("127.0.0.1") if encrypted else None
    client = authority.client() if encrypted else None
    assert uvloop.run(_over_uvloop(server, client)) == [LaneAnswer(200, b"/0"), "late", LaneAnswer(200, b"/2")]


async def _over_uvloop(server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None) -> list[object]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if target != b"/1":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + target)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_tls)
    scheme = "http" if server_tls is None else "https"
    address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    lane = FastLane(address, {}, connections=1, bodies=Bodies(10), tls=client_tls, reach=LOOPBACK)
    answers: list[object] = []
    for number, seconds in enumerate((20.0, 0.2, 20.0)):
        try:
            answers.append(
                await lane.send(Outgoing("GET", f"/{number}", "", {}, b""), asyncio.get_running_loop().time() + seconds)
            )
        except OutOfTime:
            answers.append("late")
    await lane.close()
    server.close()
    await server.wait_closed()
    return answers
