"""Addresses of databases: which database one is of."""

from __future__ import annotations

from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from connectors.errors import AddressInvalid, ConnectionUnusable
from connectors.kinds.sql.database import Database
from connectors.kinds.sql.dialect import Dialect
from connectors.kinds.sql.manifest import SqlManifest
from connectors.kinds.sql.mysql import MYSQL
from connectors.kinds.sql.oracle import ORACLE
from connectors.kinds.sql.postgresql import POSTGRESQL
from connectors.kinds.sql.sqlite import SQLITE
from connectors.kinds.sql.sqlserver import SQLSERVER
from connectors.reach import Reach

DIALECTS: Final = {
    "sqlite": SQLITE,
    "sqlite+aiosqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "postgresql+asyncpg": POSTGRESQL,
    "mysql": MYSQL,
    "mysql+asyncmy": MYSQL,
    "mariadb": MYSQL,
    "mariadb+asyncmy": MYSQL,
    "oracle": ORACLE,
    "oracle+oracledb": ORACLE,
    "mssql": SQLSERVER,
    "mssql+pymssql": SQLSERVER,
}
"""The database of each scheme that an address may have."""


def open_at(manifest: SqlManifest, reach: Reach) -> tuple[Dialect, Database]:
    """The manifest's database, where it may be reached. Raises `AddressInvalid` and `ConnectionUnusable`."""
    try:
        url = make_url(manifest.connection.url)
        dialect = DIALECTS[url.drivername]
    except (ArgumentError, KeyError):
        wanted = "the address of a sqlite, postgresql, mysql, mariadb, oracle or mssql database"
        raise AddressInvalid("url", wanted) from None
    if manifest.connection.mode == "thick" and dialect is not ORACLE:
        raise ConnectionUnusable("connection.mode: only Oracle has a thick mode")
    for dataset in manifest.datasets:
        if dataset.statement and dialect.longest_list and dataset.keys_a_call > dialect.longest_list:
            raise ConnectionUnusable(
                f"{dataset.record}: batch: a list of this database has at most {dialect.longest_list} keys, in every"
                " spelling"
            )
    try:
        return dialect, dialect.open_database(url, manifest, reach)
    except ModuleNotFoundError:
        raise ConnectionUnusable(f"the driver is not installed: pip install 'xinqiao[{dialect.extra}]'") from None
