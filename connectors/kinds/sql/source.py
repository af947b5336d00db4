"""Datasets in a database."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import literal, select

from connectors.contract import RecordShape, SourceAnswer, SourceCall
from connectors.kinds.sql.addresses import open_at
from connectors.kinds.sql.database import Database
from connectors.kinds.sql.dialect import Dialect
from connectors.kinds.sql.failures import failure_of
from connectors.kinds.sql.manifest import SqlDataset, SqlManifest
from connectors.kinds.sql.question import Questions
from connectors.settings import SupplySettings


class SqlSource:
    """One dataset in a table, in a view, or behind a statement."""

    def __init__(self, dataset: SqlDataset, operators: Mapping[str, str], dialect: Dialect, database: Database) -> None:
        """`operators` gives ">=" or "<=" for each of the dataset's filters."""
        self._place = f"table {dataset.table}" if dataset.table else f"statement of {dataset.record}"
        self._row_limit = dataset.row_limit
        self._questions = Questions(dataset, operators, dialect)
        self._dialect = dialect
        self._database = database

    async def fetch(self, call: SourceCall) -> SourceAnswer:
        """The rows of these companies, with the columns asked for. Raises `AgencyFailure`."""
        names = sorted(call.columns)
        try:
            rows = await self._database.rows(self._questions.select(call, names), names)
        except Exception as error:  # noqa: BLE001  (a driver's error while it connects is none of SQLAlchemy's)
            raise failure_of(error, self._place, self._dialect) from None
        limit = self._row_limit
        return SourceAnswer(rows=rows[:limit], truncated=len(rows) > limit)

    async def close(self) -> None:
        """Closes the agency's connections."""
        await self._database.close()


async def open_sources(
    manifest: SqlManifest, shapes: Mapping[str, RecordShape], settings: SupplySettings
) -> dict[str, SqlSource]:
    """A source for each dataset, by record type, on one pool of connections.

    Raises `AddressInvalid` and `ConnectionUnusable`.
    """
    dialect, database = open_at(manifest, settings.reach)
    return {
        dataset.record: SqlSource(
            dataset,
            {name: shapes[dataset.record].filters[name][1] for name in dataset.filters},
            dialect,
            database,
        )
        for dataset in manifest.datasets
    }


async def connect(manifest: SqlManifest, settings: SupplySettings) -> None:
    """Logs in to the database of a manifest whose references were resolved, reads no table, and leaves.

    Raises `AddressInvalid`, `ConnectionUnusable` and `AgencyFailure`.
    """
    dialect, database = open_at(manifest, settings.reach)
    try:
        await database.rows(select(literal(1)), ["one"])
    except Exception as error:  # noqa: BLE001  (as in `fetch`)
        raise failure_of(error, "login", dialect) from None
    finally:
        await database.close()
