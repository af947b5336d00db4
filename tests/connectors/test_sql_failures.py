"""Every error of every driver is one of the contract's failures: those that mean no more than a bad answer, too."""

from __future__ import annotations

import inspect
import sqlite3
from types import ModuleType, SimpleNamespace
from typing import Any

import asyncmy.errors
import asyncpg
import oracledb
import pymssql
import pytest
import sqlalchemy.exc
from asyncmy.constants import CR, ER
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.contract import FailureCode, SourceCall
from connectors.errors import AgencyFailure
from connectors.kinds.sql.addresses import DIALECTS
from connectors.kinds.sql.dialect import Dialect
from connectors.kinds.sql.failures import failure_of
from connectors.kinds.sql.mysql import MYSQL
from connectors.kinds.sql.oracle import ORACLE
from connectors.kinds.sql.postgresql import POSTGRESQL
from connectors.kinds.sql.sqlite import SQLITE
from connectors.kinds.sql.sqlserver import SQLSERVER
from tests.connectors.support import CODES, ask

TIMEOUT, OVERLOADED = FailureCode.AGENCY_TIMEOUT, FailureCode.AGENCY_OVERLOADED
UNAVAILABLE, BAD = FailureCode.AGENCY_UNAVAILABLE, FailureCode.AGENCY_BAD_RESPONSE
SECRET = "91330106MA0000010A"


def errors_in(*modules: ModuleType) -> list[type[Exception]]:
    found = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception)
    }
    return sorted(found, key=lambda kind: kind.__name__)


def made(kind: type[BaseException], *arguments: Any) -> Any:
    """One of them, however its constructor is."""
    return kind.__new__(kind, *arguments)


def wrapped(error: Exception, *, lost: bool = False) -> sqlalchemy.exc.DBAPIError:
    """The error as SQLAlchemy hands it on."""
    return sqlalchemy.exc.DBAPIError(f"SELECT '{SECRET}'", {"k": SECRET}, error, connection_invalidated=lost)


def code(error: Exception, dialect: Dialect) -> FailureCode:
    """The failure's code, the same whether SQLAlchemy wrapped the error; nothing of its message is told."""
    failures = [failure_of(each, "table t", dialect) for each in (error, wrapped(error))]
    assert len({failure.failure for failure in failures}) == 1
    for failure in failures:
        assert SECRET not in str(failure)
        assert type(error).__name__ in str(failure)
        assert failure.retryable is (failure.failure is not BAD)
    return failures[0].failure


@pytest.mark.parametrize("kind", errors_in(asyncpg.exceptions, asyncpg), ids=lambda kind: kind.__name__)
def test_asyncpg_s_errors_by_their_sqlstate(kind: type[Exception]) -> None:
    state = getattr(kind, "sqlstate", None) or ""
    expected = BAD
    if state[:2] in {"08", "28", "57", "58"}:
        expected = UNAVAILABLE
    if state[:2] in {"40", "53"} or state == "55P03":
        expected = OVERLOADED
    if state == "57014":
        expected = TIMEOUT
    assert code(made(kind, SECRET), POSTGRESQL) is expected


def test_a_date_that_the_driver_cannot_hold_is_told() -> None:
    failure = failure_of(OverflowError(SECRET), "table t", POSTGRESQL)
    assert (
        str(failure)
        == "table t: OverflowError (a date is before the year 1 or after 9999: let a statement give it as a text)"
    )
    assert failure.failure is BAD


@pytest.mark.parametrize("name", sorted(name for name in dir(sqlite3) if name.startswith("SQLITE_")))
def test_sqlite_s_result_codes(name: str) -> None:
    error = sqlite3.OperationalError(SECRET)
    error.sqlite_errorcode = getattr(sqlite3, name)
    primary = error.sqlite_errorcode & 0xFF
    expected = {
        sqlite3.SQLITE_CANTOPEN: UNAVAILABLE,
        sqlite3.SQLITE_IOERR: UNAVAILABLE,
        sqlite3.SQLITE_BUSY: OVERLOADED,
        sqlite3.SQLITE_LOCKED: OVERLOADED,
        sqlite3.SQLITE_INTERRUPT: TIMEOUT,
    }.get(primary, BAD)
    assert code(error, SQLITE) is expected


ASYNCMY = {
    "UNAVAILABLE": "ACCESS_DENIED_ERROR DBACCESS_DENIED_ERROR BAD_HOST_ERROR HANDSHAKE_ERROR SERVER_SHUTDOWN"
    " NORMAL_SHUTDOWN SHUTDOWN_COMPLETE HOST_IS_BLOCKED HOST_NOT_PRIVILEGED ABORTING_CONNECTION NET_READ_ERROR"
    " NET_READ_INTERRUPTED NET_ERROR_ON_WRITE NET_WRITE_INTERRUPTED NEW_ABORTING_CONNECTION"
    " NOT_SUPPORTED_AUTH_MODE CR_CONNECTION_ERROR CR_CONN_HOST_ERROR CR_UNKNOWN_HOST CR_SERVER_GONE_ERROR"
    " CR_SERVER_HANDSHAKE_ERR CR_SERVER_LOST CR_COMMANDS_OUT_OF_SYNC CR_SSL_CONNECTION_ERROR"
    " CR_SERVER_LOST_EXTENDED",
    "OVERLOADED": "OUTOFMEMORY OUT_OF_SORTMEMORY CON_COUNT_ERROR OUT_OF_RESOURCES TOO_MANY_USER_CONNECTIONS"
    " LOCK_WAIT_TIMEOUT LOCK_DEADLOCK USER_LIMIT_REACHED",
    "TIMEOUT": "QUERY_INTERRUPTED",
}


@pytest.mark.parametrize("kind", errors_in(asyncmy.errors), ids=lambda kind: kind.__name__)
def test_asyncmy_s_errors_by_their_number(kind: type[Exception]) -> None:
    expected = {name: FailureCode[f"AGENCY_{group}"] for group, names in ASYNCMY.items() for name in names.split()}
    numbers = {name: number for module in (ER, CR) for name, number in vars(module).items() if isinstance(number, int)}
    assert expected.keys() <= numbers.keys()
    for name, number in numbers.items():
        assert code(made(kind, number, SECRET), MYSQL) is expected.get(name, BAD), name
    assert code(made(kind, SECRET), MYSQL) is BAD


@pytest.mark.parametrize(("number", "expected"), [(1969, TIMEOUT), (3024, TIMEOUT), (1927, UNAVAILABLE)])
def test_mariadb_s_and_mysql_s_own_numbers(number: int, expected: FailureCode) -> None:
    assert code(asyncmy.errors.OperationalError(number, SECRET), MYSQL) is expected


ORACLE_CODES = [
    *[(code, TIMEOUT) for code in ("ORA-01013", "DPY-4024", "DPI-1067")],
    *[(code, OVERLOADED) for code in ("ORA-00018", "ORA-00020", "ORA-12516", "ORA-12519", "ORA-04031", "ORA-01555")],
    *[(code, UNAVAILABLE) for code in ("ORA-01017", "ORA-01034", "ORA-03113", "ORA-12514", "DPY-4011", "DPY-6005")],
    *[(code, BAD) for code in ("ORA-00942", "ORA-00904", "ORA-01456", "ORA-01795", "DPY-2045", "")],
]


@pytest.mark.parametrize("kind", errors_in(oracledb), ids=lambda kind: kind.__name__)
def test_oracledb_s_errors_by_their_code(kind: type[Exception]) -> None:
    for full_code, expected in ORACLE_CODES:
        assert code(made(kind, SimpleNamespace(full_code=full_code, message=SECRET)), ORACLE) is expected
    assert code(made(kind), ORACLE) is BAD


@pytest.mark.parametrize("kind", errors_in(pymssql), ids=lambda kind: kind.__name__)
def test_pymssql_s_errors_by_their_number(kind: type[Exception]) -> None:
    for number, expected in (
        *((number, TIMEOUT) for number in (20003,)),
        *((number, OVERLOADED) for number in (701, 1205, 1222, 8645, 10928)),
        *((number, UNAVAILABLE) for number in (4060, 6005, 18456, 20002, 20004, 20006, 20009, 20017, 20047)),
        *((number, BAD) for number in (102, 207, 208, 229, 245, 3906, 8623)),
    ):
        assert code(made(kind, number, SECRET), SQLSERVER) is expected
        assert code(made(kind, (number, SECRET.encode())), SQLSERVER) is expected


@pytest.mark.parametrize("kind", errors_in(sqlalchemy.exc), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", dict.fromkeys(DIALECTS.values()), ids=lambda one: one.open_database.__module__)
def test_sqlalchemy_s_own_errors(kind: type[Exception], dialect: Dialect) -> None:
    error = made(kind, SECRET)
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        error.orig, error.connection_invalidated = None, False
    expected = BAD
    if kind is sqlalchemy.exc.TimeoutError:  # no connection of the pool is free
        expected = OVERLOADED
    if issubclass(kind, sqlalchemy.exc.InterfaceError):
        expected = UNAVAILABLE
    failure = failure_of(error, "table t", dialect)
    assert (failure.failure, SECRET in str(failure)) == (expected, False)


def test_a_lost_connection_is_unavailable_and_time_that_ran_out_a_timeout() -> None:
    assert failure_of(wrapped(Exception(), lost=True), "t", MYSQL).failure is UNAVAILABLE
    assert code(ConnectionResetError(), POSTGRESQL) is UNAVAILABLE
    assert code(TimeoutError(), POSTGRESQL) is TIMEOUT


TABLE = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    concurrency: 2
    timeout: 5
    datasets:
      - {record: Penalty, table: t, key: code, missingMeans: none, fields: {documentNumber: n}}
"""


async def failure(open_one: Any, address: str) -> FailureCode | None:
    return (await ask(await open_one(TABLE, address), CODES[:1]))[CODES[0]].failure


async def test_postgresql_that_refuses_or_ends_a_session(postgres: str, open_one: Any) -> None:
    assert await failure(open_one, postgres) is BAD  # there is no table
    assert await failure(open_one, postgres.replace("/connectors?", "/none?")) is BAD
    engine = create_async_engine(postgres.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("DROP ROLE IF EXISTS nobody"))
        await connection.execute(text("CREATE ROLE nobody LOGIN CONNECTION LIMIT 0"))
    await engine.dispose()
    assert await failure(open_one, postgres.replace("postgresql://postgres:", "postgresql://nobody:")) is OVERLOADED
    assert await failure(open_one, postgres.replace("postgresql://postgres:", "postgresql://unknown:")) is UNAVAILABLE


async def test_mariadb_that_refuses_or_has_too_much_to_do(mariadb: Any, open_one: Any) -> None:
    address = f"{mariadb.address}/mysql"
    assert await failure(open_one, address) is BAD  # there is no table
    assert await failure(open_one, f"{mariadb.address}/none") is BAD
    assert await failure(open_one, address.replace("root@", "root:wrong@")) is UNAVAILABLE
    engine = create_async_engine(address.replace("mysql:", "mysql+asyncmy:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE USER one@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1"))
        one = address.replace("root@", "one@").replace("/mysql", "/")
        held = await asyncmy.connect(host="127.0.0.1", port=mariadb.port, user="one")
        assert await failure(open_one, one) is OVERLOADED
        await held.ensure_closed()
        await connection.execute(text("DROP USER one@'127.0.0.1'"))
    await engine.dispose()


MISTAKEN = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: sql
    connection: {{url: "${{ADDRESS}}"}}
    datasets:
      - record: Penalty
        table: {table}
        key: {key}
        missingMeans: none
        fields: {{facts: {column}}}
"""


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"table": "t_nope"}, "no such table"),
        ({"column": "nope"}, "no such column"),
        ({"key": "number"}, "a column that is compared holds no texts"),
    ],
)
async def test_a_mistake_in_the_manifests_names_is_told(
    sql_database: Any, open_one: Any, names: dict[str, str], reason: str
) -> None:
    address, run = sql_database
    await run("CREATE TABLE t_penalty (code VARCHAR(20), facts VARCHAR(20), number BIGINT)")
    if "key" in names and not address.startswith("postgresql"):
        return  # other databases compare numbers with texts
    manifest = MISTAKEN.format(**{"table": "t_penalty", "key": "code", "column": "facts", **names})
    supply = await open_one(manifest, address)
    call = SourceCall(keys=[CODES[0]], columns=frozenset({names.get("column", "facts")}), filters={}, timeout=20)
    with pytest.raises(AgencyFailure, match=reason) as raised:
        await supply._lines["court/Penalty"].source.fetch(call)
    assert CODES[0] not in str(raised.value)
    assert raised.value.failure is BAD
