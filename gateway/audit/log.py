"""The audit log: records, chained, each durable before `append` returns.

Records that wait while the sink is busy are written together (group commit), so that durability costs one sync for many
requests. A log that cannot be written closes the door: nobody gets an answer until it can be again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Self

import orjson
import structlog

from connectors.histogram import Histogram
from gateway.activity import BOUNDS
from gateway.audit.chain import Head, chained
from gateway.audit.sink import Sink
from gateway.errors import AuditSinkError, AuditUnavailableError

LATE_SECONDS: Final = 1.0
"""How long a caller may wait for the record of a request that is over: refused, given up or past its deadline."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class AuditCounts:
    """Since the process began: records that were made durable, how often that failed, and how long it took each time,
    for all records that were written together.
    """

    records: int = 0
    failures: int = 0
    commits: Histogram = field(default_factory=lambda: Histogram(BOUNDS))


class AuditLog:
    """One chain of records, kept by a sink. Use it as an async context manager."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._head: Head | None = None
        self._waiting: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False
        self._under_way = 0
        self.counts = AuditCounts()

    async def __aenter__(self) -> Self:
        """Opens the sink. Raises `AuditUnavailableError`."""
        await self._commit(b"")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Writes what waits, then closes the sink."""
        self._closed = True
        if self._writer is not None:
            await self._writer
        await self._sink.close()

    @property
    def number(self) -> int:
        """The number of the last durable record, as far as is known."""
        return self._head.number if self._head else 0

    @property
    def waiting(self) -> int:
        """How many records wait to be durable."""
        return self._under_way + sum(1 for record, _ in self._waiting if record)

    async def append(self, record: Mapping[str, object], seconds: float | None = None) -> None:
        """Returns when the record is durable. Raises `AuditUnavailableError` where it cannot be made so, or is not
        within so many seconds: it is written all the same, if it can be.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._commit(orjson.dumps(record))
        except TimeoutError:
            raise AuditUnavailableError from None

    async def check(self) -> str | None:
        """Whether the sink can be opened and works, as a `gateway.edge.health.Check`."""
        try:
            await self._commit(b"")
        except AuditUnavailableError:
            return "cannot be written"
        return "could not be written last time" if self._failing else None

    async def _commit(self, record: bytes) -> None:
        if self._closed:
            raise AuditUnavailableError
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((record, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="audit writer")
        if not await durable:
            raise AuditUnavailableError

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            records = [record for record, _ in batch if record]
            self._under_way = len(records)
            written = await self._write(records)
            self._under_way = 0
            for _, durable in batch:
                if not durable.done():  # done: whoever waited was cancelled
                    durable.set_result(written)
        self._writer = None

    async def _write(self, records: Sequence[bytes]) -> bool:
        """Whether the records are durable."""
        began = perf_counter()
        try:
            before = self._head or await self._sink.open()
            head, lines = chained(before, records)
            await self._sink.write(before.number + 1, lines)
        except AuditSinkError as error:
            # What became of the lines is not known: where the chain ends is read again.
            self._head = None
            self._failing = True
            self.counts.failures += 1
            await self._sink.close()
            _log.error("audit log cannot be written", reason=str(error))
            return False
        self._head = head
        if records:
            self._failing = False
            self.counts.records += len(records)
            self.counts.commits.add(perf_counter() - began)
        return True
