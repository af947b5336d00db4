from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from policies.store.contract import Store
from policies.store.open import open_store

_DATABASES = count()


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
def postgres_address(make_database: Callable[[str], str]) -> str:
    """A fresh database of the real PostgreSQL."""
    return make_database(f"store{next(_DATABASES)}").replace("postgresql://", "postgresql+asyncpg://")


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
