"""Databases are reached where the operator lets manifests reach, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from connectors.errors import ConnectionNotConfigured
from connectors.reach import Reach
from tests.connectors.certificates import Authority
from tests.connectors.support import CODES, LOOPBACK, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    timeout: 10
    datasets:
      - {record: Penalty, table: t, key: c, missingMeans: none, fields: {facts: f}}
"""
DATABASES = ["postgresql", "mysql", "oracle", "mssql"]
NETWORK = ip_network("10.1.0.0/16")
PLAIN = Reach(plain=(NETWORK,))
TLS = Reach(networks=(NETWORK,))


@dataclass
class Listener:
    """A server that hangs up on whoever comes, and counts them."""

    port: int = 0
    came: int = 0


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.came += 1
        # Not reset: a driver does not close its end of that.
        writer.write_eof()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    yield listener
    server.close()


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *((f"{name}://u@10.1.0.1/d", Reach()) for name in DATABASES),
        *((f"{name}://u@10.1.0.1/d", TLS) for name in DATABASES),
        *((f"{name}://u@10.2.0.1/d", PLAIN) for name in DATABASES),
        *((f"{name}://u@127.0.0.1/d", PLAIN) for name in DATABASES),
        ("postgresql://u@10.1.0.1/d?ssl=require", TLS),
        ("postgresql://u@10.2.0.1/d?ssl=verify-full", TLS),
        ("postgresql://u@169.254.169.254/d?ssl=verify-full", Reach()),
        ("postgresql://u@/d?host=/run/postgresql", PLAIN),
        ("mysql://u@/d?unix_socket=/run/mysqld.sock", PLAIN),
    ],
)
async def test_an_address_that_may_not_be_reached_stops_the_start(open_one: Any, address: str, reach: Reach) -> None:
    with pytest.raises(ConnectionNotConfigured, match=r"connection\.url is not an address that may be reached") as told:
        await open_one(MANIFEST, address, reach=reach)
    assert "10." not in str(told.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u@10.1.0.1/d?host=10.2.0.1",
        "postgresql://u@/d?host=10.1.0.1",
        "postgresql://u@/d?host=/run/a&host=10.2.0.1",
        "postgresql://u@/d?host=/run/a&port=1",
        "postgresql://u@10.1.0.1/d?host=/run/a",
        "postgresql:///d",
        "mysql://u@10.1.0.1/d?unix_socket=/run/a",
        "oracle://u@10.1.0.1/?service_name=d&dsn=10.2.0.1/d",
        "oracle://u@10.1.0.1/?service_name=d&https_proxy=10.2.0.1",
        "mssql://u@10.1.0.1/d?server=10.2.0.1",
    ],
)
async def test_an_address_says_once_where_the_database_is(open_one: Any, address: str) -> None:
    with pytest.raises(
        ConnectionNotConfigured, match=r"connection\.url is not (an address that says|the address of a)"
    ):
        await open_one(MANIFEST, address, reach=Reach(plain=(NETWORK, ip_network("127.0.0.0/8"))))


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *((f"{name}://u@10.1.0.1/d", PLAIN) for name in DATABASES),
        ("postgresql://u@10.1.0.1/d?ssl=verify-full", TLS),
        ("postgresql://u@10.1.0.1/d?ssl=verify-ca", Reach()),
        ("postgresql://u@/d?host=/run/postgresql", LOOPBACK),
        ("mysql://u@/d?unix_socket=/run/mysqld.sock", LOOPBACK),
        ("sqlite:////tmp/x.db", Reach()),
    ],
)
async def test_an_address_that_may_be_reached_is_no_mistake(open_one: Any, address: str, reach: Reach) -> None:
    assert await open_one(MANIFEST, address, reach=reach)


@pytest.mark.parametrize("database", [*DATABASES, "postgresql with TLS"])
async def test_a_name_is_checked_by_what_it_resolves_to(  # noqa: PLR0913, PLR0917
    open_one: Any,
    names: dict[str, list[str]],
    listener: Listener,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path, "authority").file))
    scheme, _, tls = database.partition(" with ")
    names["db.example"] = ["127.0.0.1"]
    address = f"{scheme}://u:p@db.example:{listener.port}/d" + ("?ssl=verify-full" if tls else "")
    supply = await open_one(MANIFEST, address, reach=Reach(networks=(NETWORK,), plain=(NETWORK,)))
    rows = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (rows.outcome, rows.failure, rows.retryable) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE, False)
    assert listener.came == 0
    allowed = await open_one(MANIFEST, address)
    assert (await ask(allowed, CODES[:1]))[CODES[0]].outcome is Outcome.FAILED
    assert listener.came > 0


@pytest.mark.parametrize("database", DATABASES)
async def test_a_name_that_resolves_otherwise_later_is_not_followed(
    open_one: Any, names: dict[str, list[str]], listener: Listener, database: str
) -> None:
    """The first answer may be reached, and nobody listens there; at the second, which nobody checked, someone does."""
    names["db.example"] = ["127.0.0.2", "127.0.0.1"]
    supply = await open_one(
        MANIFEST, f"{database}://u:p@db.example:{listener.port}/d", reach=Reach(plain=(ip_network("127.0.0.2/32"),))
    )
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    assert listener.came == 0


@pytest.mark.parametrize("database", DATABASES)
async def test_a_name_that_nobody_knows_is_an_agency_that_is_down(open_one: Any, database: str) -> None:
    supply = await open_one(MANIFEST, f"{database}://u:p@db.invalid/d")
    rows = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (rows.failure, rows.retryable) == (FailureCode.AGENCY_UNAVAILABLE, True)
