from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from connectors.manifest_file import load_manifest
from connectors.settings import SupplySettings
from connectors.supply import AgencySupply, open_supply
from tests.connectors.support import LOOPBACK, SHAPES, Agency


@pytest.fixture
async def agency() -> AsyncIterator[Agency]:
    agency = Agency()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await agency.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    agency.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield agency
    server.close()
    for task in tuple(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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


@pytest.fixture(scope="session")
def postgres(make_database: Callable[[str], str]) -> str:
    """The address of a real PostgreSQL."""
    return make_database("connectors")
