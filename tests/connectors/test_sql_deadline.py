"""A database that is silent keeps nobody longer than the call's time."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import pytest
from sqlalchemy import select, text

from connectors.kinds.sql.database import AsyncDatabase


class SilentEngine:
    """Connections that answer nothing, and are closed only once the server lets them go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.closed = 0

    def connect(self) -> SilentEngine:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.let_go.wait()
        self.closed += 1

    async def execute(self, _: Any) -> None:
        self.asked.set()
        await asyncio.Event().wait()

    async def dispose(self) -> None:
        assert self.closed == 1


async def test_whoever_stops_waiting_does_not_wait_for_the_connection_to_be_closed() -> None:
    engine: Any = SilentEngine()
    database = AsyncDatabase(engine)
    waiting = asyncio.create_task(database.rows(select(text("1")), ["1"]))
    await engine.asked.wait()
    waiting.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert engine.closed == 0
    engine.let_go.set()
    await database.close()
