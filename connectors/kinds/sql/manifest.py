"""What a manifest of the kind `sql` may say."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from connectors.kinds.sql.statement import KEY, read_statement
from connectors.manifest import DatasetManifest, Manifest, MissingMeans, Part, Reference

MOST_PARAMETERS: Final = 30_000
"""What one statement may carry: SQLite allows 32,766 (sqlite.org/limits.html, section 9), asyncpg 32,767, Oracle
65,535. A form of the manifest for all databases.
"""

_TABLE: Final = r'^[^\x00-\x1f"`\[\].]{1,63}(\.[^\x00-\x1f"`\[\].]{1,63})?$'


def _read_only(sql: str) -> str:
    read_statement(sql)
    return sql


class SqlConnection(Part):
    """The database."""

    url: Reference = Field(
        description="Address of a sqlite, postgresql, mysql, mariadb, oracle or mssql database, by reference: ${NAME}."
    )
    mode: Literal["thin", "thick"] = Field(
        default="thin", description="Oracle: thick goes through Oracle's own client libraries, as old servers need."
    )


class SqlDataset(DatasetManifest):
    """A dataset in a table, in a view, or behind a statement."""

    idempotent_by_nature: ClassVar[bool] = True

    table: Annotated[str, StringConstraints(pattern=_TABLE)] | None = Field(
        default=None, description="Table or view, also schema.table."
    )
    statement: Annotated[str, AfterValidator(_read_only)] | None = Field(
        default=None,
        description="Instead of a table: one SELECT, with IN (:keys), or :key where a call is for one company, and a "
        "parameter for each filter.",
    )
    batch: int = Field(default=500, ge=1, le=10_000, description="Most companies a call may carry.")
    missing_means: MissingMeans = Field(
        alias="missingMeans", description="What it means that a company has no row in the table."
    )

    @property
    def nested(self) -> bool:
        """A path is one column's name."""
        return False

    @property
    def keys_a_call(self) -> int:
        """The most keys that a call may carry."""
        return self.batch * len(self.key.spellings)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.key.path is None:
            raise ValueError("key: name the column that holds the company's code")
        if self.as_of is not None and self.as_of.path is not None:
            raise ValueError("asOf.path: a table has columns: use asOf.column")
        if (self.table is None) == (self.statement is None):
            raise ValueError("needs exactly one of table and statement")
        lists = 1
        if self.statement is not None:
            statement = read_statement(self.statement)
            lists = statement.key_lists
            if statement.single and self.batch > 1:
                raise ValueError(f"batch: with :{KEY} a call is for one company: set batch: 1")
            names = sorted(wanted.name for wanted in self.filters.values())
            if names != sorted(statement.parameters):
                raise ValueError("filters: the statement needs one filter's name for each other parameter")
        if self.keys_a_call * lists > MOST_PARAMETERS:
            raise ValueError(f"batch: with its spellings a call would carry more than {MOST_PARAMETERS} keys")
        return self


class SqlManifest(Manifest):
    """An agency that is asked by SQL."""

    kind: Literal["sql"]
    connection: SqlConnection
    datasets: tuple[SqlDataset, ...] = Field(min_length=1)
