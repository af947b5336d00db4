"""The kind `sql`: a table or view of a database, read only, through SQLAlchemy's asyncio engines."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import quote

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Date, Select, String, bindparam, column, literal, make_url, select, table
from sqlalchemy.engine import URL, CursorResult
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.expression import ColumnClause, TableClause

from connectors.contract import FailureCode, RawRow, RecordShape, SourceAnswer, SourceCall
from connectors.errors import AddressInvalid, AgencyFailure
from connectors.manifest import DatasetManifest, Manifest, MissingMeans, Part, Reference
from connectors.settings import SupplySettings

MOST_PARAMETERS: Final = 30_000
"""What one statement may carry: SQLite allows 32,766 (sqlite.org/limits.html, section 9), asyncpg 32,767."""

_STEPS: Final = 10_000
"""How many instructions SQLite runs between two looks at whether to stop: well under a millisecond."""

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_TABLE: Final = r'^[^\x00-\x1f"`\[\].]{1,63}(\.[^\x00-\x1f"`\[\].]{1,63})?$'

_POSTGRES_FAILURES: Final = {
    "08": FailureCode.AGENCY_UNAVAILABLE,
    "28": FailureCode.AGENCY_UNAVAILABLE,
    "53": FailureCode.AGENCY_OVERLOADED,
    "57014": FailureCode.AGENCY_TIMEOUT,
    "57": FailureCode.AGENCY_UNAVAILABLE,
}
"""By SQLSTATE or its class (PostgreSQL documentation, appendix A): connection, authorisation, resources, cancelled by
the statement timeout, shutdown. Any other is a bad response."""

_SQLITE_FAILURES: Final = {
    sqlite3.SQLITE_CANTOPEN: FailureCode.AGENCY_UNAVAILABLE,
    sqlite3.SQLITE_IOERR: FailureCode.AGENCY_UNAVAILABLE,
    sqlite3.SQLITE_BUSY: FailureCode.AGENCY_OVERLOADED,
    sqlite3.SQLITE_LOCKED: FailureCode.AGENCY_OVERLOADED,
    sqlite3.SQLITE_INTERRUPT: FailureCode.AGENCY_TIMEOUT,
}
"""By primary result code (sqlite.org/rescode.html). Any other is a bad response."""


class SqlConnection(Part):
    """The database."""

    url: Reference = Field(description="sqlite or postgresql address, by reference: ${NAME}.")


class SqlDataset(DatasetManifest):
    """A dataset in a table or view."""

    table: Annotated[str, StringConstraints(pattern=_TABLE)] = Field(description="Table or view, also schema.table.")
    batch: int = Field(default=500, ge=1, le=10_000, description="Most companies a call may carry.")
    missing_means: MissingMeans = Field(
        alias="missingMeans", description="What it means that a company has no row in the table."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.key.path is None:
            raise ValueError("key: name the column that holds the company's code")
        if self.as_of is not None and self.as_of.path is not None:
            raise ValueError("asOf.path: a table has columns: use asOf.column")
        if self.batch * len(self.key.spellings) > MOST_PARAMETERS:
            raise ValueError(f"batch: with its spellings a call would carry more than {MOST_PARAMETERS} keys")
        return self

    @property
    def nested(self) -> bool:
        """A path is one column's name."""
        return False


class SqlManifest(Manifest):
    """An agency that is asked by SQL."""

    kind: Literal["sql"]
    connection: SqlConnection
    datasets: tuple[SqlDataset, ...] = Field(min_length=1)


class SqlSource:
    """One dataset in a table or view."""

    def __init__(self, dataset: SqlDataset, operators: Mapping[str, str], engine: AsyncEngine) -> None:
        """`operators` gives ">=" or "<=" for each of the dataset's filters."""
        self._dataset = dataset
        self._operators = operators
        self._engine = engine

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, with the columns asked for. Raises `AgencyFailure`."""
        try:
            async with self._engine.connect() as connection:
                rows = await _run(connection, self._statement(call))
        except (SQLAlchemyError, OSError, ValueError) as error:
            raise failure_of(error, f"table {self._dataset.table}") from None
        limit = self._dataset.row_limit
        return SourceAnswer(rows=rows[:limit], truncated=len(rows) > limit)

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._engine.dispose()

    def _statement(self, call: SourceCall) -> Select[Any]:
        dataset = self._dataset
        key = dataset.key.path or ""
        source = _table(dataset.table, {key, *call.columns, *(wanted.name for wanted in dataset.filters.values())})
        statement = select(*(source.c[name] for name in sorted(call.columns)))
        for name, day in call.filters.items():
            wanted = dataset.filters[name]
            bound = literal(wanted.write(day), String) if wanted.format else literal(day, Date)
            held = source.c[wanted.name]
            statement = statement.where(held >= bound if self._operators[name] == ">=" else held <= bound)
        keys = bindparam("keys", list(call.keys), String, expanding=True)
        return statement.where(source.c[key].in_(keys)).limit(dataset.row_limit + 1)


async def open_sources(
    manifest: SqlManifest, shapes: Mapping[str, RecordShape], _settings: SupplySettings
) -> dict[str, SqlSource]:
    """A source for each dataset, by record type, on one pool of connections. Raises `AddressInvalid`."""
    engine = _open_engine(manifest)
    return {
        dataset.record: SqlSource(
            dataset,
            {name: shapes[dataset.record].filters[name][1] for name in dataset.filters},
            engine,
        )
        for dataset in manifest.datasets
    }


def failure_of(error: Exception, place: str) -> AgencyFailure:
    """What an error of the database means. Its own message is left out: it holds the statement and its values."""
    code = _failure_code(error)
    kind = type(error.orig).__name__ if isinstance(error, DBAPIError) else type(error).__name__
    return AgencyFailure(code, f"{place}: {kind}", retryable=code is not FailureCode.AGENCY_BAD_RESPONSE)


def _failure_code(error: Exception) -> FailureCode:
    if isinstance(error, PoolTimeout):
        return FailureCode.AGENCY_OVERLOADED
    if isinstance(error, TimeoutError):
        return FailureCode.AGENCY_TIMEOUT
    if isinstance(error, OSError):
        return FailureCode.AGENCY_UNAVAILABLE
    original = getattr(error, "orig", None)
    result = getattr(original, "sqlite_errorcode", None)
    if result is not None:
        return _SQLITE_FAILURES.get(result & 0xFF, FailureCode.AGENCY_BAD_RESPONSE)
    state = str(getattr(original, "sqlstate", None) or "")
    for known in (state, state[:2]):
        if known in _POSTGRES_FAILURES:
            return _POSTGRES_FAILURES[known]
    lost = isinstance(error, InterfaceError) or (isinstance(error, DBAPIError) and error.connection_invalidated)
    return FailureCode.AGENCY_UNAVAILABLE if lost else FailureCode.AGENCY_BAD_RESPONSE


async def _run(connection: AsyncConnection, statement: Select[Any]) -> list[RawRow]:
    if connection.dialect.name == "sqlite":
        result = await _run_in_thread(connection, statement)
    else:
        result = await connection.execute(statement)
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


async def _run_in_thread(connection: AsyncConnection, statement: Select[Any]) -> CursorResult[Any]:
    """SQLite runs in a thread, which a cancelled await would leave running: it is told to stop, and waited for."""
    stop = threading.Event()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_progress_handler(stop.is_set, _STEPS)
    running = asyncio.create_task(connection.execute(statement))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({running})
        running.exception()  # seen: the statement was interrupted
        stop.clear()
        raise


def _open_engine(manifest: SqlManifest) -> AsyncEngine:
    try:
        url = make_url(manifest.connection.url)
        driver = _DRIVERS[url.drivername]
    except (ArgumentError, KeyError):
        raise AddressInvalid("url", "a sqlite or postgresql address") from None
    url = url.set(drivername=driver)
    arguments: dict[str, Any] = {}
    if driver.startswith("sqlite"):
        url = _read_only_file(url)
    else:
        arguments["timeout"] = manifest.timeout
        arguments["server_settings"] = {
            "application_name": "xinqiao",
            "default_transaction_read_only": "on",
            "statement_timeout": str(round(manifest.timeout * 1000)),
        }
    common: dict[str, Any] = {"connect_args": arguments, "hide_parameters": True, "isolation_level": "AUTOCOMMIT"}
    if driver.startswith("sqlite"):
        # A file opened for each call: one that took its name meanwhile is seen, and one that is gone is missed.
        return create_async_engine(url, poolclass=NullPool, **common)
    return create_async_engine(
        url,
        **common,
        max_overflow=0,
        pool_pre_ping=True,
        pool_size=manifest.concurrency,
        pool_timeout=manifest.timeout,
    )


def _read_only_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise AddressInvalid("url", "a SQLite file")
    return url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "uri": "true"})


def _table(name: str, columns: Iterable[str]) -> TableClause:
    """The table with its columns, every name quoted.

    Columns are written with their table: SQLite takes a quoted name alone, where there is no such column, for a text.
    They have no types: those would have their own ways with what agencies write.
    """
    schema, _, table_name = name.rpartition(".")
    quoted: list[ColumnClause[Any]] = [column(quoted_name(column_name, quote=True)) for column_name in columns]
    return table(
        quoted_name(table_name, quote=True), *quoted, schema=quoted_name(schema, quote=True) if schema else None
    )
