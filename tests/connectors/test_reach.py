from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectionNotConfigured
from connectors.reach import Reach
from tests.connectors.certificates import Authority
from tests.connectors.support import CODES, LOOPBACK, Agency, ask, http_reply

MANIFEST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: rest
    connection: {{url: "${{ADDRESS}}", lane: {lane}, {more}}}
    datasets:
      - {{record: Penalty, request: {{path: "/{{key}}"}}, fields: {{facts: f}}}}
"""


def manifest(lane: str = "fast", more: str = "") -> str:
    return MANIFEST.format(lane=lane, more=more)


def reach(*networks: str, plain: tuple[str, ...] = ()) -> Reach:
    return Reach(tuple(map(ip_network, networks)), tuple(map(ip_network, plain)))


EVERYWHERE = reach("0.0.0.0/0", "::/0", plain=("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%1",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",  # noqa: S104
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_some_addresses_are_never_reached(address: str, *, encrypted: bool) -> None:
    assert not EVERYWHERE.allows(address, encrypted=encrypted)


@pytest.mark.parametrize(
    ("rules", "address", "encrypted", "plain"),
    [
        (Reach(), "10.1.2.3", True, False),
        (Reach(), "203.0.113.1", True, False),
        (Reach(), "127.0.0.1", False, False),
        (Reach(), "::1", False, False),
        (Reach(), "::ffff:127.0.0.1", False, False),
        (reach("10.1.0.0/16"), "10.1.2.3", True, False),
        (reach("10.1.0.0/16"), "::ffff:10.1.2.3", True, False),
        (reach("10.1.0.0/16"), "10.2.0.1", False, False),
        (reach("10.1.0.0/16"), "2001:db8::1", False, False),
        (reach("127.0.0.0/8"), "127.0.0.1", True, False),
        (reach(plain=("10.1.0.0/16",)), "10.1.2.3", True, True),
        (reach("10.2.0.0/16", plain=("10.1.0.0/16",)), "10.1.2.3", True, True),
        (reach("10.2.0.0/16", plain=("10.1.0.0/16",)), "10.2.0.1", True, False),
    ],
)
def test_the_operator_says_what_is_reached(rules: Reach, address: str, *, encrypted: bool, plain: bool) -> None:
    assert (rules.allows(address, encrypted=True), rules.allows(address, encrypted=False)) == (encrypted, plain)


@pytest.mark.parametrize(
    ("address", "rules"),
    [
        ("http://agency.example", Reach()),
        ("http://10.0.0.1", reach("10.0.0.0/8")),
        ("https://127.0.0.1", Reach()),
        ("https://[::1]:8443", Reach()),
        ("https://169.254.169.254", EVERYWHERE),
        ("https://user:word@10.9.9.9", reach("10.1.0.0/16")),
    ],
)
@pytest.mark.parametrize("key", ["url", "auth.tokenUrl"])
async def test_an_address_in_digits_that_may_not_be_reached_stops_the_start(
    open_one: Any, address: str, rules: Reach, key: str
) -> None:
    token = 'auth: {scheme: oauth2, tokenUrl: "${TOKENS}", clientId: a, clientSecret: "${SECRET}"}'
    other = "https://agency.example"
    text, url = (manifest(), address) if key == "url" else (manifest(more=token), other)
    with pytest.raises(ConnectionNotConfigured, match=rf"connection\.{key} is not") as raised:
        await open_one(text, url, reach=rules, environment={"TOKENS": address})
    assert address not in str(raised.value)


Names = dict[str, list[str]]


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "::1"])
async def test_a_name_is_checked_by_what_it_resolves_to(
    agency: Agency, open_one: Any, names: Names, lane: str, address: str
) -> None:
    names["agency.example"] = [address]
    port = agency.address.rpartition(":")[2]
    rules = reach(plain=("10.0.0.0/8",))
    supply = await open_one(manifest(lane), f"http://agency.example:{port}", reach=rules)
    rows = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure, rows.retryable) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE, False)
    assert agency.asked == []


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_a_name_that_resolves_otherwise_later_is_not_followed(
    agency: Agency, open_one: Any, names: Names, lane: str
) -> None:
    """The first answer may be reached and refuses; the second, which nobody checked, would answer."""
    names["agency.example"] = ["127.0.0.2", "127.0.0.1"]
    port = agency.address.rpartition(":")[2]
    rules = reach(plain=("127.0.0.2/32",))
    supply = await open_one(manifest(lane), f"http://agency.example:{port}", reach=rules)
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    assert agency.asked == []


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_the_next_address_of_a_name_is_tried(agency: Agency, open_one: Any, names: Names, lane: str) -> None:
    async def answer(_: Any) -> Any:
        return []

    agency.answer = answer
    names["agency.example"] = ["169.254.169.254 127.0.0.2 127.0.0.1"]
    host = f"agency.example:{agency.address.rpartition(':')[2]}"
    supply = await open_one(manifest(lane), f"http://{host}", reach=LOOPBACK)
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.ANSWERED
    assert agency.asked[0].headers["host"] == host


@pytest.mark.parametrize("lane", ["fast", "httpx"])
async def test_a_certificate_is_checked_by_the_name(open_one: Any, names: Names, lane: str, tmp_path: Any) -> None:
    names["agency.example"] = names["other.example"] = ["127.0.0.1"]
    authority = Authority(tmp_path, "authority")
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http_reply([]))
        await writer.drain()
        writer.close()

    context = authority.server("agency.example")

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name or "")

    context.sni_callback = note  # type: ignore[assignment]
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    outcomes: Mapping[str, Outcome] = {}
    for name in ("agency.example", "other.example"):
        more = 'tls: {authority: "${CA}"}'
        supply = await open_one(
            manifest(lane, more), f"https://{name}:{port}", reach=LOOPBACK, environment={"CA": str(authority.file)}
        )
        outcomes = {**outcomes, name: (await ask(supply, CODES[:1]))[CODES[0]].outcome}
    server.close()
    assert outcomes == {"agency.example": Outcome.ANSWERED, "other.example": Outcome.FAILED}
    assert set(asked) == {"agency.example", "other.example"}
