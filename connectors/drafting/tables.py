"""The columns of a database's table, and a few of its rows, as the kind `sql` reads them: without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy import Select, column, literal_column, select, table, text
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.expression import ColumnClause

from connectors.contract import FailureCode
from connectors.drafting.sample import Form, Sample, SampleUnreadable
from connectors.environment import resolve
from connectors.kinds.sql import SqlManifest
from connectors.kinds.sql.addresses import open_at
from connectors.kinds.sql.database import Database
from connectors.kinds.sql.failures import failure_of
from connectors.settings import SupplySettings

ROWS: Final = 200
"""Rows of a table that are looked at."""

_TIMEOUT: Final = 30.0


async def read_table(variable: str, name: str, settings: SupplySettings) -> Sample:
    """The table in the database whose address is the variable's.

    Raises `SampleUnreadable`, `ConnectionNotConfigured`, `ConnectionUnusable`.
    """
    (manifest,) = resolve([_manifest(variable, name)], settings.environment)
    dialect, database = open_at(cast("SqlManifest", manifest), settings.reach)
    try:
        names = await _columns(database, name)
        rows = await database.rows(_rows(name, names), names) if names else []
    except Exception as error:  # noqa: BLE001  (a driver's error while it connects is none of SQLAlchemy's)
        failure = failure_of(error, f"table {name}", dialect)
        away = " (is it there?)" if failure.failure is FailureCode.AGENCY_UNAVAILABLE else ""
        raise SampleUnreadable(f"the database cannot be asked{away}: {failure}") from None
    finally:
        await database.close()
    if not names:
        raise SampleUnreadable("there is no such table, or it has no columns that this account may see")
    return Sample(Form.TABLE, rows, columns=names)


async def _columns(database: Database, name: str) -> list[str]:
    """The table's columns, in their order, from wherever this database tells of them."""
    schema, _, alone = name.rpartition(".")
    failures: list[Exception] = []
    catalogues = _catalogues(schema, alone)
    for statement in catalogues:
        try:
            rows = await database.rows(statement, ["name"])
        except Exception as error:  # noqa: BLE001  (another database's catalogue: not there)
            failures.append(error)
            continue
        if rows:
            return [str(row["name"]) for row in rows]
    if len(failures) == len(catalogues):
        raise failures[0]
    return []


def _catalogues(schema: str, name: str) -> list[Select[Any]]:
    """A statement for each way in which databases tell a table's columns."""

    def ask(expression: str, source: str, conditions: Sequence[str], order: str) -> Select[Any]:
        used = {key: value for key, value in bound.items() if any(f":{key}" in part for part in (source, *conditions))}
        chosen: Select[Any] = select(literal_column(expression).label("name")).select_from(text(source))
        return chosen.where(*map(text, conditions)).order_by(text(order)).params(used)

    def ask_standard(*conditions: str) -> Select[Any]:
        named = ("table_name = :table", *conditions)
        return ask("column_name", "information_schema.columns", named, "ordinal_position")

    bound = {"table": name, "schema": schema}
    owned = ("owner = :schema",) if schema else ()
    return [
        *([ask_standard("table_schema = :schema")] if schema else []),
        ask_standard("table_schema = ANY (current_schemas(false))"),  # PostgreSQL
        ask_standard("table_schema = DATABASE()"),  # MariaDB, MySQL
        ask_standard("table_schema = SCHEMA_NAME()"),  # SQL Server
        ask("name", "pragma_table_info(:table)", (), "cid"),  # SQLite
        ask("column_name", "all_tab_columns", ("table_name = :table", *owned), "column_id"),  # Oracle
    ]


def _rows(name: str, names: list[str]) -> Select[Any]:
    schema, _, alone = name.rpartition(".")
    columns: list[ColumnClause[Any]] = [column(quoted_name(one, quote=True)) for one in names]
    source = table(quoted_name(alone, quote=True), *columns, schema=quoted_name(schema, quote=True) if schema else None)
    return select(*(source.c[one] for one in names)).limit(ROWS)


def _manifest(variable: str, name: str) -> SqlManifest:
    """A manifest by which the database is opened as for any other."""
    dataset = {"record": "Any", "table": name, "key": "any", "missingMeans": "none", "fields": {"any": "any"}}
    return SqlManifest.model_validate(
        {
            "agency": "draft",
            "name": {"en": "draft", "zh": "draft"},
            "kind": "sql",
            "connection": {"url": f"${{{variable}}}"},
            "timeout": _TIMEOUT,
            "datasets": [dataset],
        }
    )
