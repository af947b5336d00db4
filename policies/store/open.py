"""Opens the store at an address."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from policies.errors import StoreUnavailable
from policies.store.contract import Store
from policies.store.files import FileStore
from policies.store.sql import SqlStore

_DRIVERS: Final = ("sqlite+aiosqlite", "postgresql+asyncpg")


async def open_store(address: str | Path, poll: float = 0.25) -> Store:
    """The store in a directory, or at `sqlite+aiosqlite:///...` or `postgresql+asyncpg://...`, migrated. `poll` is how
    often it looks for changes, in seconds.

    Raises `StoreUnavailable` (which quotes no address: it may hold a password), `StoreTooNew`.
    """
    if isinstance(address, Path) or "://" not in address:
        return FileStore(Path(address), poll)
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise StoreUnavailable("the policy store's address cannot be read as one of a database") from error
    if url.drivername not in _DRIVERS:
        raise StoreUnavailable(f"the policy store cannot be in `{url.drivername}`: {' or '.join(_DRIVERS)}")
    store = SqlStore(_engine(url), poll)
    try:
        await store.migrate()
    except BaseException:
        await store.close()
        raise
    return store


def _engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_pre_ping=True)
    if url.drivername.startswith("sqlite"):
        # Left to itself, Python's driver begins a transaction only at the first write: two reads could differ.
        event.listen(engine.sync_engine, "connect", _begin_nothing)
        event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin_nothing(connection: DBAPIConnection, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
