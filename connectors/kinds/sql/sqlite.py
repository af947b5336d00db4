"""SQLite, by aiosqlite."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Select
from sqlalchemy.engine import URL, CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from connectors.contract import FailureCode, RawRow
from connectors.errors import AddressInvalid
from connectors.kinds.sql.database import named
from connectors.kinds.sql.dialect import Dialect
from connectors.kinds.sql.manifest import SqlManifest
from connectors.reach import Reach

_STEPS: Final = 10_000
"""How many instructions SQLite runs between two looks at whether to stop: well under a millisecond."""

_FAILURES: Final = {
    sqlite3.SQLITE_CANTOPEN: FailureCode.AGENCY_UNAVAILABLE,
    sqlite3.SQLITE_IOERR: FailureCode.AGENCY_UNAVAILABLE,
    sqlite3.SQLITE_BUSY: FailureCode.AGENCY_OVERLOADED,
    sqlite3.SQLITE_LOCKED: FailureCode.AGENCY_OVERLOADED,
    sqlite3.SQLITE_INTERRUPT: FailureCode.AGENCY_TIMEOUT,
}
"""By primary result code (sqlite.org/rescode.html)."""


class SqliteDatabase:
    """A file, which SQLite reads in a thread."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        """As in `Database`."""
        async with self._engine.connect() as connection:
            return named(names, (await _run(connection, statement)).all())

    async def close(self) -> None:
        """As in `Database`."""
        await self._engine.dispose()


def open_database(url: URL, _manifest: SqlManifest, _reach: Reach) -> SqliteDatabase:
    """A file, opened read only for each call: one that took its name meanwhile is seen, and one that is gone is missed.

    Raises `AddressInvalid` for an address without a file.
    """
    if not url.database or url.database == ":memory:":
        raise AddressInvalid("url", "a SQLite file")
    address = url.set(
        drivername="sqlite+aiosqlite",
        database=f"file:{quote(url.database)}",
        query={"mode": "ro", "uri": "true"},
    )
    return SqliteDatabase(
        create_async_engine(address, poolclass=NullPool, hide_parameters=True, isolation_level="AUTOCOMMIT")
    )


def failure(error: BaseException) -> FailureCode | None:
    """By its result code."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _FAILURES.get(code & 0xFF)


async def _run(connection: AsyncConnection, statement: Select[Any]) -> CursorResult[Any]:
    """A cancelled await would leave the thread running: it is told to stop, and waited for."""
    stop = threading.Event()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_progress_handler(stop.is_set, _STEPS)
    driver.text_factory = _read_text
    running = asyncio.create_task(connection.execute(statement))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({running})
        running.exception()  # seen: the statement was interrupted
        stop.clear()
        raise


def _read_text(written: bytes) -> str | bytes:
    """A text, which SQLite keeps as whatever bytes a program gave it: those that are no UTF-8 stay bytes, which cost no
    more than their own field.
    """
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written


SQLITE: Final = Dialect(open_database, failure)
