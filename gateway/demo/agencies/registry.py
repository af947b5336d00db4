"""The business registry: a database, by default the SQLite file `registry.db`, or a PostgreSQL database by its URL.

Beside its tables it keeps views for other agencies (`v_alter`, `v_inv`, `v_abnormal`), in which each row has the credit
code. The URL is read from `REGISTRY_DATABASE_URL`, since everybody on the machine can see command lines. What it made
it removes when it ends; a PostgreSQL database that already has tables of these names it refuses.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.demo.agencies import process

_DETAILS: Final = ("e_alter", "e_inv", "e_abnormal")
_TABLES: Final = ("e_baseinfo", *_DETAILS, "e_spotcheck")
_WITH_CODE: Final = "JOIN e_baseinfo b ON b.pripid = t.pripid"


def _header(data: Path, table: str) -> list[str]:
    with (data / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def _statements(data: Path) -> list[str]:
    """What makes the tables. Every column is text: the registry took over whatever was typed in."""
    return [f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in _header(data, table))})" for table in _TABLES]


def _afterwards() -> list[str]:
    """Indexes and views, for once the rows are there."""
    return [
        "CREATE INDEX i_uniscid ON e_baseinfo (uniscid)",
        "CREATE INDEX i_pripid ON e_baseinfo (pripid)",
        "CREATE INDEX i_regno ON e_baseinfo (regno)",
        "CREATE INDEX i_e_spotcheck ON e_spotcheck (regno)",
        *(
            statement
            for table in _DETAILS
            for statement in (
                f"CREATE INDEX i_{table} ON {table} (pripid)",
                f"CREATE VIEW v_{table[2:]} AS SELECT b.uniscid, b.s_ext_timestamp, t.* FROM {table} t {_WITH_CODE}",  # noqa: S608 - our own names
            )
        ),
    ]


def _rows(data: Path, table: str) -> list[list[str | None]]:
    with (data / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [[value or None for value in row] for row in rows]


def make_sqlite(data: Path) -> Path:
    """Makes the SQLite file and gives its path."""
    path = data / "registry.db"
    database = sqlite3.connect(path)
    with database:
        for statement in _statements(data):
            database.execute(statement)
        for table in _TABLES:
            places = ", ".join("?" * len(_header(data, table)))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", _rows(data, table))  # noqa: S608 - names are ours
        for statement in _afterwards():
            database.execute(statement)
    database.close()
    return path


async def _run_sqlite(data: Path) -> None:
    end = process.end_of_process()
    path = make_sqlite(data)
    process.announce(f"sqlite:///{path.resolve()}")
    await end.wait()
    path.unlink()


async def _run_postgres(data: Path, url: str) -> None:
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import, and seldom needed

    end = process.end_of_process()
    database = await asyncpg.connect(url, timeout=10)
    async with database.transaction():
        for statement in _statements(data):
            await database.execute(statement)
        for table in _TABLES:
            await database.copy_to_table(table, source=data / f"{table}.csv", format="csv", header=True)
        for statement in _afterwards():
            await database.execute(statement)
    parts = urlsplit(url)
    process.announce(f"postgresql://{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}")
    await end.wait()
    await database.execute(f"DROP TABLE {', '.join(_TABLES)} CASCADE")
    await database.close()


def main() -> None:
    """Runs the registry until it is told to end."""
    data = process.arguments("The business registry's database.").data
    url = os.environ.get("REGISTRY_DATABASE_URL")
    asyncio.run(_run_postgres(data, url) if url else _run_sqlite(data))


if __name__ == "__main__":
    main()
