"""Chains and checkpoints in a database: PostgreSQL, and for checkpoints alone SQLite too."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    make_url,
    or_,
    select,
)
from sqlalchemy import text as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.audit.chain import Head, Link, genesis, read_link
from gateway.audit.ledger import Ledger
from gateway.audit.sink import Archive, Follower, Sink
from gateway.errors import AuditSinkError

DEADLINE: Final = 10.0
"""Seconds that one step may take."""

CLOSING: Final = 3.0
"""Seconds that leaving the database may take."""

LOG_DRIVERS: Final = ("postgresql+asyncpg",)
LEDGER_DRIVERS: Final = ("postgresql+asyncpg", "sqlite+aiosqlite")

_READ_RECORDS: Final = 2_000
_RECORDS: Final = MetaData()
_CHECKPOINTS: Final = MetaData()

RECORDS: Final = Table(
    "audit_records",
    _RECORDS,
    Column("chain", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("line", LargeBinary, nullable=False),
    Index("audit_records_by_time", "chain", "written_at"),
)

_CHAINS: Final = sql("""
    WITH RECURSIVE names AS (
        SELECT min(chain) AS chain FROM audit_records
        UNION ALL
        SELECT (SELECT min(chain) FROM audit_records WHERE chain > names.chain) FROM names WHERE chain IS NOT NULL
    )
    SELECT chain FROM names WHERE chain IS NOT NULL
""")
"""Each chain once, by the index: PostgreSQL's DISTINCT would read all records."""

_THIS_SESSION: Final = sql("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")

_END_SESSION: Final = sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :backend_start"
)
"""Where the way between went silent, the database knows nothing of it, and the session before holds the chain still."""

_NOTICE_ABSENCE: Final = tuple(
    sql(f"SET tcp_keepalives_{what} TO {number}") for what, number in (("idle", 10), ("interval", 5), ("count", 3))
)
"""So that the chain of a machine that has gone is given up within half a minute, not within PostgreSQL's two hours."""

CHECKPOINTS: Final = Table(
    "audit_checkpoints",
    _CHECKPOINTS,
    Column("instance", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("checkpoint", Text, nullable=False),
)


class DatabaseSink(Sink):
    """Keeps a chain in PostgreSQL, in a table that it creates. `durable` says whether a commit waits for the disk."""

    def __init__(self, url: str, chain: str, *, durable: bool) -> None:
        self._engine = _engine(url, LOG_DRIVERS)
        self._chain = chain
        self._durable = durable
        self._connection: AsyncConnection | None = None
        self._session: dict[str, object] | None = None

    async def open(self) -> Head:
        """Claims the chain, and finds its end. Raises `AuditSinkError`."""
        async with _step():
            await _create(self._engine, _RECORDS)
            self._connection = connection = await self._engine.connect()
            if self._session is not None:
                await connection.execute(_END_SESSION, self._session)
            for statement in _NOTICE_ABSENCE:
                await connection.execute(statement)
            claim = sql("SELECT pg_try_advisory_lock(hashtextextended('xinqiao audit ' || :chain, 0))")
            claimed = (await connection.execute(claim, {"chain": self._chain})).scalar_one()
            if claimed:
                self._session = dict((await connection.execute(_THIS_SESSION)).mappings().one())
            level = "on" if self._durable else "off"
            await connection.execute(sql(f"SET synchronous_commit TO {level}"))
            last = (
                select(RECORDS.c.line).where(RECORDS.c.chain == self._chain).order_by(RECORDS.c.number.desc()).limit(1)
            )
            line = (await connection.execute(last)).scalar()
            await connection.commit()
        if not claimed:
            raise AuditSinkError(f"another process is writing the chain {self._chain}")
        if line is None:
            return genesis(self._chain)
        link = read_link(line)
        if link is None:
            raise AuditSinkError(f"the last record of the chain {self._chain} cannot be read")
        return link.head

    async def write(self, first: int, lines: Sequence[bytes]) -> None:
        """Inserts the lines in one transaction. Raises `AuditSinkError`."""
        connection = self._connection
        if connection is None:
            raise AuditSinkError("it is closed")
        rows = [{"chain": self._chain, "number": first + index, "line": line} for index, line in enumerate(lines)]
        async with _step():
            if rows:
                await connection.execute(insert(RECORDS), rows)
            else:
                await connection.execute(sql("SELECT 1"))
            await connection.commit()

    async def close(self) -> None:
        """Lets go of the chain."""
        connection, self._connection = self._connection, None
        async with _leaving():
            if connection is not None:
                # Thrown away, not kept for others: it holds the lock.
                await connection.invalidate()
                await connection.close()
            await self._engine.dispose()


class DatabaseArchive(Archive):
    """The chains of an instance in PostgreSQL."""

    def __init__(self, url: str, instance: str) -> None:
        self._engine = _engine(url, LOG_DRIVERS)
        self._instance = instance

    async def chains(self) -> Sequence[str]:
        """The chains whose names are the instance's, or begin with it and a hyphen."""
        async with _step():
            await _create(self._engine, _RECORDS)
            async with self._engine.connect() as connection:
                names = (await connection.execute(_CHAINS)).scalars().all()
        return sorted(name for name in names if name == self._instance or name.startswith(f"{self._instance}-"))

    def follow(self, chain: str, after: int = 0) -> Follower:
        """Reads a chain by its numbers."""
        return DatabaseFollower(self._engine, chain, after)

    async def expired(self, chain: str, before: dt.datetime, last: int) -> Link | None:
        """The first record to keep; the newest always is."""
        mine = RECORDS.c.chain == chain
        old = select(func.max(RECORDS.c.number)).where(mine, RECORDS.c.written_at < before, RECORDS.c.number <= last)
        following = select(RECORDS.c.line).where(mine, RECORDS.c.number > old.scalar_subquery())
        async with _step(), self._engine.connect() as connection:
            line = (await connection.execute(following.order_by(RECORDS.c.number).limit(1))).scalar()
        return read_link(line) if line is not None else None

    async def last_before(self, chain: str, moment: dt.datetime) -> int:
        """The number of the last record that was written before a moment; 0 where there is none."""
        last = select(func.max(RECORDS.c.number)).where(RECORDS.c.chain == chain, RECORDS.c.written_at < moment)
        async with _step(), self._engine.connect() as connection:
            return (await connection.execute(last)).scalar() or 0

    async def mentioning(self, texts: Iterable[str], since: dt.datetime) -> Sequence[bytes]:
        """The lines written since a moment in which one of the texts stands. Raises `AuditSinkError`."""
        chains = await self.chains()
        named = or_(*(func.strpos(func.encode(RECORDS.c.line, "escape"), text) > 0 for text in texts))
        lines = select(RECORDS.c.line).where(RECORDS.c.chain.in_(chains), RECORDS.c.written_at >= since, named)
        async with _step(), self._engine.connect() as connection:
            return [bytes(line) for line in (await connection.execute(lines)).scalars()]

    async def retire(self, chain: str, first: int) -> None:
        """Deletes the records before."""
        async with _step(), self._engine.begin() as connection:
            await connection.execute(delete(RECORDS).where(RECORDS.c.chain == chain, RECORDS.c.number < first))

    async def close(self) -> None:
        """Closes every connection."""
        async with _leaving():
            await self._engine.dispose()


class DatabaseFollower(Follower):
    """Reads the records of a chain by their numbers."""

    def __init__(self, engine: AsyncEngine, chain: str, after: int) -> None:
        self._engine = engine
        self._chain = chain
        self._after = after

    async def read(self) -> Sequence[bytes]:
        """The next lines."""
        next_ = (
            select(RECORDS.c.number, RECORDS.c.line)
            .where(RECORDS.c.chain == self._chain, RECORDS.c.number > self._after)
            .order_by(RECORDS.c.number)
            .limit(_READ_RECORDS)
        )
        async with _step(), self._engine.connect() as connection:
            rows = (await connection.execute(next_)).all()
        if rows:
            self._after = rows[-1].number
        return [bytes(row.line) for row in rows]

    async def close(self) -> None:
        """Holds nothing."""


class DatabaseLedger(Ledger):
    """Checkpoints in a database, those of several instances in one table."""

    def __init__(self, url: str, instance: str) -> None:
        self._engine = _engine(url, LEDGER_DRIVERS)
        self._instance = instance

    async def append(self, number: int, text: str) -> None:
        """Inserts a row."""
        row = {"instance": self._instance, "number": number, "checkpoint": text}
        async with _step():
            await _create(self._engine, _CHECKPOINTS)
            async with self._engine.begin() as connection:
                await connection.execute(insert(CHECKPOINTS), row)

    async def last(self) -> str | None:
        """The row with the greatest number."""
        rows = select(CHECKPOINTS.c.checkpoint).where(CHECKPOINTS.c.instance == self._instance)
        async with _step():
            await _create(self._engine, _CHECKPOINTS)
            async with self._engine.connect() as connection:
                return (await connection.execute(rows.order_by(CHECKPOINTS.c.number.desc()).limit(1))).scalar()

    async def all(self, first: int = 1) -> Sequence[str]:
        """The rows from this number on."""
        rows = select(CHECKPOINTS.c.checkpoint).where(
            CHECKPOINTS.c.instance == self._instance, CHECKPOINTS.c.number >= first
        )
        async with _step():
            await _create(self._engine, _CHECKPOINTS)
            async with self._engine.connect() as connection:
                return (await connection.execute(rows.order_by(CHECKPOINTS.c.number))).scalars().all()

    async def close(self) -> None:
        """Closes every connection."""
        async with _leaving():
            await self._engine.dispose()


def _engine(address: str, drivers: Sequence[str]) -> AsyncEngine:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise AuditSinkError("the address cannot be read as one of a database") from error
    if url.drivername not in drivers:
        raise AuditSinkError(f"this cannot be kept in `{url.drivername}`: {' or '.join(drivers)}")
    return create_async_engine(url)


async def _create(engine: AsyncEngine, tables: MetaData) -> None:
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Two that create one table at once disturb each other.
            await connection.execute(sql("SELECT pg_advisory_xact_lock(hashtextextended('xinqiao audit tables', 0))"))
        await connection.run_sync(tables.create_all)


@asynccontextmanager
async def _leaving() -> AsyncIterator[None]:
    """A database that has gone silent does not answer to being left either; what is open is dropped then."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING):
            yield


@asynccontextmanager
async def _step() -> AsyncIterator[None]:
    """Work that ends in time. Raises `AuditSinkError`, which quotes no address, password or record."""
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except TimeoutError as error:
        raise AuditSinkError(f"the database did not answer within {DEADLINE:g} s") from error
    except (SQLAlchemyError, OSError) as error:
        raise AuditSinkError(f"the database cannot be used: {type(error).__name__}") from error
