from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.drops import index, worker
from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply, open_supply
from tests.connectors.certificates import Authority
from tests.connectors.soap_support import WSDL
from tests.connectors.support import LOOPBACK, SHAPES, Agency


@asynccontextmanager
async def served(tls: ssl.SSLContext | None = None) -> AsyncIterator[Agency]:
    """An agency that listens on this machine."""
    agency = Agency()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await agency.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    agency.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield agency
    server.close()
    for task in tuple(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def agency() -> AsyncIterator[Agency]:
    async with served() as agency:
        yield agency


@pytest.fixture
async def agency_with_tls(tmp_path: Path) -> AsyncIterator[tuple[Agency, Path]]:
    """An agency that speaks TLS, and the certificate of the authority that vouches for it."""
    authority = Authority(tmp_path, "authority")
    async with served(authority.server("127.0.0.1")) as agency:
        yield agency, authority.file


Open = Callable[..., Awaitable[AgencySupply]]


@pytest.fixture
async def open_one(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a supply of one manifest, written as YAML, whose `${ADDRESS}` is the second argument."""
    async with AsyncExitStack() as stack:

        async def opened(manifest: str, address: str, **settings: Any) -> AgencySupply:
            path = tmp_path / "manifest.yaml"
            path.write_text(dedent(manifest), encoding="utf-8")
            environment = {"ADDRESS": address, "SECRET": "a-secret", "REDIS_PASSWORD": "p@ss/word"}
            environment |= settings.pop("environment", {})
            chosen = SupplySettings(environment=environment, **{"reach": LOOPBACK, **settings})
            supply = await open_supply([load_manifest(path, SHAPES)], SHAPES, chosen)
            stack.push_async_callback(supply.close)
            return supply

        yield opened


@pytest.fixture
def indexed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drops are indexed by this process: starting one of its own takes ten times as long as reading a small drop. What
    is left out so is held by `test_drop_worker`.
    """

    async def work_here(told: bytes, _descriptor: int) -> bytes:
        working = asyncio.create_task(asyncio.to_thread(worker.work, told))
        try:
            return await asyncio.shield(working)
        finally:
            await working  # a thread cannot be ended

    monkeypatch.setattr(index, "work_apart", work_here)


@pytest.fixture
def open_soap(agency: Agency, open_one: Open, tmp_path: Path) -> Open:
    """Opens a supply of one manifest, with the WSDLs beside it."""
    agency.read = ET.fromstring
    shutil.copytree(WSDL, tmp_path, dirs_exist_ok=True)

    async def opened(manifest: str, **settings: Any) -> AgencySupply:
        return await open_one(manifest, agency.address, **settings)

    return opened


@pytest.fixture(scope="session")
def postgres(make_database: Callable[[str], str]) -> str:
    """The address of a real PostgreSQL."""
    return make_database("connectors")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def sql_database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of an empty database, and a function that runs statements in it."""
    if request.param == "sqlite":
        address = f"sqlite+aiosqlite:///{tmp_path / 'with space?.db'}".replace("?", "%3F")
    elif request.param == "mariadb":
        address = f"{request.getfixturevalue('mariadb').address}/test".replace("mysql:", "mysql+asyncmy:")
    else:
        address = request.getfixturevalue("postgres").replace("postgresql://", "postgresql+asyncpg://")
    options: dict[str, Any] = {}
    if request.param == "mariadb":
        await make_mariadb(address)
        options["connect_args"] = {"sql_mode": "ANSI_QUOTES"}
    engine = create_async_engine(address, **options)

    async def run(*statements: str, rows: Any = None) -> None:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement), rows)

    if request.param != "sqlite":
        await run("DROP TABLE IF EXISTS t_reg", "DROP TABLE IF EXISTS t_penalty")
    yield address, run
    await engine.dispose()


async def make_mariadb(address: str) -> None:
    """The database of the address, which keeps texts as GBK."""
    engine = create_async_engine(make_url(address).set(database="mysql"))
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE IF NOT EXISTS test CHARACTER SET gbk"))
    await engine.dispose()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, each time the first that is left of several."""
    known: dict[str, list[str]] = {}
    resolve = socket.getaddrinfo

    def found(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        listed = known.get(host.decode() if isinstance(host, bytes) else host)
        if listed is None:
            return resolve(host, port, *rest, **more)
        one = listed.pop(0) if len(listed) > 1 else listed[0]
        return [answer for address in one.split() for answer in resolve(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return known
