"""A database, open: what runs a statement in it, and gives its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from sqlalchemy import Engine, Row, Select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import RawRow


class Database(Protocol):
    """An agency's database, which is only read."""

    async def rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        """The statement's rows; `names` are those of its columns. Raises what SQLAlchemy or the driver raises."""
        ...

    async def close(self) -> None:
        """Closes its connections."""
        ...


class AsyncDatabase:
    """A database whose driver is asynchronous.

    Whoever stops waiting for a statement does not wait for its connection to be closed: a server that is silent does
    not answer to that either, and the driver gives it some seconds.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._running: set[asyncio.Task[list[RawRow]]] = set()

    async def rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        """As in `Database`."""
        running = asyncio.create_task(self._rows(statement, names))
        self._running.add(running)
        running.add_done_callback(self._ended)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.cancel()
            raise

    async def close(self) -> None:
        """As in `Database`."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    def _ended(self, running: asyncio.Task[list[RawRow]]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # seen: whoever still waits gets it

    async def _rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        async with self._engine.connect() as connection:
            return named(names, (await connection.execute(statement)).all())


class ThreadedDatabase:
    """A database whose driver waits: each statement in one of `threads` of its own, and in a transaction that is never
    committed. `begin`, where there is one, begins it.

    A thread cannot be told to stop: the driver's own time limit ends a statement that nobody waits for any more.
    """

    def __init__(self, engine: Engine, threads: int, begin: str = "") -> None:
        self._engine = engine
        self._begin = begin
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sql")

    async def rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        """As in `Database`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._rows, statement, names)

    async def close(self) -> None:
        """As in `Database`; waits for the statements that run."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.dispose()

    def _rows(self, statement: Select[Any], names: Sequence[str]) -> list[RawRow]:
        with self._engine.connect() as connection:
            if self._begin:
                connection.execute(text(self._begin))
            return named(names, connection.execute(statement).all())


def named(names: Sequence[str], rows: Sequence[Row[Any]]) -> list[RawRow]:
    """Rows by the names that were asked for, however the database writes them."""
    return [dict(zip(names, row, strict=True)) for row in rows]
