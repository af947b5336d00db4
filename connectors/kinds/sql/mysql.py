"""MariaDB and MySQL, by asyncmy."""

from __future__ import annotations

import logging
from typing import Any, Final

from asyncmy.constants import FIELD_TYPE
from asyncmy.converters import conversions
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.contract import FailureCode
from connectors.kinds.sql.database import AsyncDatabase
from connectors.kinds.sql.dialect import Dialect, coded, milliseconds, number_of, pool_arguments
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.reaching import check_address, hold_to
from connectors.reach import Reach

_FAILURES: Final = coded(
    {
        FailureCode.AGENCY_TIMEOUT: "1317 1969 3024",
        FailureCode.AGENCY_OVERLOADED: "1037 1038 1040 1041 1203 1205 1213 1226",
        FailureCode.AGENCY_UNAVAILABLE: (
            "1042 1043 1044 1045 1053 1077 1079 1129 1130 1152 1158 1159 1160 1161 1184 1251 1698 1862 "
            "1927 2002 2003 2005 2006 2012 2013 2014 2026 2055 3118 4031 4151"
        ),
    }
)
"""By error number (MariaDB documentation, "MariaDB Error Code Reference"; MySQL 8 Error Message Reference).

The time limit, and a statement that was killed; memory, connections, locks and quotas; host, login, shutdown and
network.
"""

_CONVERSIONS: Final = {**conversions, FIELD_TYPE.BIT: lambda written: int.from_bytes(written, "big")}
"""How the driver reads values: its own way, but for BIT, which it leaves as bytes, and in which flags are kept."""

# The driver logs the server's warnings, which quote values.
logging.getLogger("asyncmy").setLevel(logging.ERROR)


def open_database(url: URL, manifest: SqlManifest, reach: Reach) -> AsyncDatabase:
    """Every session is read only, and its statements end in time. Nothing is connected yet.

    The conversation is in utf8mb4, the driver's default, where the address names no other (`?charset=gbk`).
    Raises `AddressInvalid`.
    """
    check_address(url, reach, encrypted=False)
    limit = milliseconds(manifest.timeout)
    # MariaDB has the first, in seconds; MySQL since 5.7.8 the second.
    limits = {"max_statement_time": limit / 1000, "max_execution_time": limit}
    engine = create_async_engine(
        url.set(drivername="mysql+asyncmy"),
        connect_args={"connect_timeout": manifest.timeout, "conv": _CONVERSIONS},
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        **pool_arguments(manifest),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  (a driver's connection, as SQLAlchemy adapts it)
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("SHOW VARIABLES WHERE Variable_name IN ('max_statement_time', 'max_execution_time')")
        for name, _ in cursor.fetchall():
            cursor.execute(f"SET SESSION {name} = {limits[name]}")
        cursor.close()

    hold_to(reach, engine.sync_engine)
    return AsyncDatabase(engine)


def failure(error: BaseException) -> FailureCode | None:
    """By its number."""
    return _FAILURES.get(number_of(error))


MYSQL: Final = Dialect(open_database, failure)
