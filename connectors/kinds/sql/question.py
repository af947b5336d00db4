"""A call as one SELECT: projection, filters and keys, over a table or over the manifest's own statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Date, FromClause, Select, String, bindparam, column, literal, select, table, text
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.expression import ColumnClause

from connectors.contract import KeyKind, SourceCall
from connectors.kinds.sql.dialect import Dialect
from connectors.kinds.sql.manifest import SqlDataset
from connectors.kinds.sql.statement import KEY, ReadOnlyStatement, parameter_name, read_statement
from connectors.manifest import Filter


class Questions:
    """The statements that ask for one dataset."""

    def __init__(self, dataset: SqlDataset, operators: Mapping[str, str], dialect: Dialect) -> None:
        """`operators` gives ">=" or "<=" for each of the dataset's filters."""
        self._dataset = dataset
        self._operators = operators
        self._dialect = dialect
        self._statement = None if dataset.statement is None else read_statement(dataset.statement)

    def select(self, call: SourceCall, names: Sequence[str]) -> Select[Any]:
        """The columns of these names, of the call's companies, and one row more than the limit."""
        statement = self._statement
        chosen = self._from_table(call, names) if statement is None else self._from_statement(statement, call, names)
        return chosen.limit(self._dataset.row_limit + 1)

    def _from_table(self, call: SourceCall, names: Sequence[str]) -> Select[Any]:
        dataset = self._dataset
        key = dataset.key.path or ""
        source = _table(dataset.table or "", {key, *names, *(wanted.name for wanted in dataset.filters.values())})
        chosen = _chosen(names, source)
        for name, day in call.filters.items():
            wanted = dataset.filters[name]
            held = source.c[wanted.name]
            bound = literal(_written(wanted, day), _type(wanted))
            chosen = chosen.where(held >= bound if self._operators[name] == ">=" else held <= bound)
        if dataset.key.kind is KeyKind.NAME:
            return chosen.where(source.c[key].contains(call.keys[0], autoescape=True))
        return chosen.where(self._dialect.among(source.c[key], call.keys))

    def _from_statement(self, statement: ReadOnlyStatement, call: SourceCall, names: Sequence[str]) -> Select[Any]:
        # As a table: no column leaves that was not asked for.
        bound: list[BindParameter[Any]] = [
            bindparam(parameter_name(KEY), call.keys[0], String)
            if statement.single
            else self._dialect.bind_keys(call.keys)
        ]
        for name, wanted in self._dataset.filters.items():
            day = call.filters.get(name)
            value = None if day is None else _written(wanted, day)
            bound.append(bindparam(parameter_name(wanted.name), value, _type(wanted)))
        written = text(self._dialect.key_list.join(statement.pieces)).bindparams(*bound)
        return _chosen(names, written.columns(*map(_column, names)).subquery("asked"))


def _chosen(names: Iterable[str], source: FromClause) -> Select[Any]:
    return select(*(source.c[name] for name in names))


def _written(wanted: Filter, day: date) -> str | date:
    return wanted.write(day) if wanted.format else day


def _type(wanted: Filter) -> type[String | Date]:
    return String if wanted.format else Date


def _table(name: str, columns: Iterable[str]) -> FromClause:
    """The table with its columns, every name quoted.

    Columns are written with their table: SQLite takes a quoted name alone, where there is no such column, for a text.
    """
    schema, _, table_name = name.rpartition(".")
    return table(
        quoted_name(table_name, quote=True),
        *map(_column, columns),
        schema=quoted_name(schema, quote=True) if schema else None,
    )


def _column(name: str) -> ColumnClause[Any]:
    """A column without a type: a type would have its own ways with what agencies write."""
    return column(quoted_name(name, quote=True))
