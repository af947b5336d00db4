"""SQL Server, by pymssql, in threads.

It has no read-only transaction: a transaction is never committed, so that whatever a statement did is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Final

from sqlalchemy import VARCHAR, BindParameter, ColumnElement, bindparam, cast, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.types import TypeDecorator

from connectors.contract import FailureCode
from connectors.kinds.sql.database import ThreadedDatabase
from connectors.kinds.sql.dialect import Dialect, coded, milliseconds, number_of, pool_arguments
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.reaching import check_address, hold_to
from connectors.kinds.sql.statement import KEYS
from connectors.reach import Reach

_FAILURES: Final = coded(
    {
        FailureCode.AGENCY_TIMEOUT: "-2 20003",
        FailureCode.AGENCY_OVERLOADED: "701 802 1204 1205 1222 8645 8651 10928 10929 17809 40501",
        FailureCode.AGENCY_UNAVAILABLE: (
            "233 4060 4064 6005 10053 10054 17142 18452 18456 18470 18486 18487 18488 20002 20004 20006 20009 20012 "
            "20014 20017 20047 40197 40613"
        ),
    }
)
"""By number: the server's (SQL Server documentation, "Database Engine events and errors"), and from 20000 on those of
FreeTDS (sybdb.h)."""


class _Narrow(TypeDecorator[str]):
    """Text as VARCHAR. The driver writes NVARCHAR, and a VARCHAR column compared with that is converted row by row."""

    impl = VARCHAR
    cache_ok = True

    def bind_expression(self, bindvalue: BindParameter[str]) -> ColumnElement[str]:
        """The value, converted instead of the column."""
        return cast(bindvalue, VARCHAR(64))


def open_database(url: URL, manifest: SqlManifest, reach: Reach) -> ThreadedDatabase:
    """No transaction is committed, and statements end in time, also where they wait for a lock. Nothing is connected
    yet. Raises `AddressInvalid`.
    """
    check_address(url, reach, encrypted=False)
    engine = create_engine(
        url.set(drivername="mssql+pymssql"),
        connect_args={
            "timeout": ceil(manifest.timeout),
            "login_timeout": ceil(manifest.timeout),
            "appname": "xinqiao",
        },
        **pool_arguments(manifest),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  (a driver's connection)
        cursor = connection.cursor()
        cursor.execute(f"SET LOCK_TIMEOUT {milliseconds(manifest.timeout)}")
        cursor.close()

    hold_to(reach, engine)
    return ThreadedDatabase(engine, manifest.concurrency)


def failure(error: BaseException) -> FailureCode | None:
    """By its number."""
    return _FAILURES.get(number_of(error))


def bind_narrow(keys: Sequence[str]) -> BindParameter[Any]:
    """The keys as a list of VARCHAR."""
    return bindparam(KEYS, list(keys), _Narrow, expanding=True)


def among_narrow(held: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the keys, so that an index serves whether it is VARCHAR or NVARCHAR."""
    return held.in_(bind_narrow(keys))


SQLSERVER: Final = Dialect(open_database, failure, among=among_narrow, bind_keys=bind_narrow, extra="sqlserver")
