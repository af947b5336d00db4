"""What each database is asked: the statements themselves, also of those of which no server can be had for a test."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CHAR, create_engine, select, table
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql
from sqlalchemy.dialects.oracle import oracledb
from sqlalchemy.engine.interfaces import Dialect as Compiler

from connectors.contract import SourceCall
from connectors.errors import ConnectionNotConfigured
from connectors.kinds.sql.database import ThreadedDatabase
from connectors.kinds.sql.dialect import Dialect, milliseconds
from connectors.kinds.sql.manifest import SqlDataset
from connectors.kinds.sql.mysql import MYSQL
from connectors.kinds.sql.oracle import ORACLE
from connectors.kinds.sql.postgresql import POSTGRESQL
from connectors.kinds.sql.question import Questions
from connectors.kinds.sql.sqlserver import SQLSERVER
from tests.connectors.support import CODES, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: sql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        table: t
        key: {path: CODE, spellings: [upper, lower, organisationCode]}
        batch: 10
        missingMeans: none
        fields: {documentNumber: N}
"""
TABLE = {"record": "Penalty", "table": "s.t", "key": "CODE", "missingMeans": "none", "fields": {"documentNumber": "N"}}
STATEMENT = TABLE | {
    "table": None,
    "statement": "SELECT CODE, N FROM t WHERE CODE IN (:keys) AND D >= :since",
    "filters": {"decidedFrom": "since"},
}
MSSQL = mssql.pymssql.dialect(paramstyle="pyformat")
OLD_ORACLE = oracledb.dialect()
OLD_ORACLE.server_version_info = (11, 2)
OLD_ORACLE._supports_offset_fetch = False


def written(manifest: dict[str, Any], dialect: Dialect, compiler: Compiler, keys: Sequence[str]) -> str:
    dataset = SqlDataset.model_validate(manifest)
    call = SourceCall(keys, frozenset({"CODE", "N"}), dict.fromkeys(dataset.filters, date(2024, 5, 5)), timeout=5)
    chosen = Questions(dataset, dict.fromkeys(dataset.filters, ">="), dialect).select(call, ["CODE", "N"])
    compiled = chosen.compile(dialect=compiler, compile_kwargs={"render_postcompile": True})
    return re.sub(r"\s+", " ", str(compiled))


def test_postgresql_has_one_statement_for_any_number_of_keys() -> None:
    compiler = postgresql.asyncpg.dialect()
    found = {written(TABLE, POSTGRESQL, compiler, ["k"] * count) for count in (1, 2, 40)}
    assert found == {
        'SELECT "s"."t"."CODE", "s"."t"."N" FROM "s"."t" WHERE "s"."t"."CODE" = ANY ($1) LIMIT $2::INTEGER'
    }
    assert "WHERE CODE = ANY ($1) AND D >= $2::DATE ) AS asked" in written(STATEMENT, POSTGRESQL, compiler, ["k"])


def test_mysql_quotes_names_in_its_own_way() -> None:
    compiler = mysql.asyncmy.dialect()
    assert written(TABLE, MYSQL, compiler, ["k", "l"]) == (
        "SELECT `s`.`t`.`CODE`, `s`.`t`.`N` FROM `s`.`t` WHERE `s`.`t`.`CODE` IN (%s, %s) LIMIT %s"
    )


def test_oracle_gets_no_list_of_more_than_a_thousand_keys() -> None:
    keys = [f"k{number}" for number in range(2_001)]
    found = written(TABLE, ORACLE, oracledb.dialect(), keys)
    lists = re.findall(r'"CODE" IN \(([^)]*)\)', found)
    assert [text.count(":") for text in lists] == [1000, 1000, 1]
    assert len(set(re.findall(r":keys_\w+", found))) == len(keys)
    assert found.count(" OR ") == 2
    assert "FETCH FIRST" in found


def test_an_old_oracle_is_limited_by_row_numbers() -> None:
    found = written(TABLE, ORACLE, OLD_ORACLE, ["k"])
    assert "FETCH" not in found
    assert "WHERE ROWNUM <=" in found


@pytest.mark.parametrize("manifest", [TABLE, STATEMENT])
def test_oracle_compares_keys_as_padded_text(manifest: dict[str, Any]) -> None:
    dataset = SqlDataset.model_validate(manifest)
    call = SourceCall(["k"], frozenset({"N"}), {}, timeout=5)
    chosen = Questions(dataset, {"decidedFrom": ">="}, ORACLE).select(call, ["N"])
    binds = chosen.compile(dialect=oracle.dialect()).binds
    assert [type(bound.type) for name, bound in binds.items() if name.startswith("keys")] == [CHAR]


def test_oracle_has_no_word_between_a_statement_and_its_name() -> None:
    found = written(STATEMENT, ORACLE, oracledb.dialect(), ["k", "l"])
    assert 'SELECT asked."CODE", asked."N" FROM (SELECT CODE, N FROM t WHERE CODE IN (:keys_1, :keys_2)' in found
    assert "AND D >= :filter_since ) asked" in found


def test_sql_server_converts_keys_and_not_the_column() -> None:
    found = written(TABLE, SQLSERVER, MSSQL, ["k", "l"])
    assert found == (
        "SELECT TOP 10001 [s].[t].[CODE], [s].[t].[N] FROM [s].[t] WHERE [s].[t].[CODE] IN"
        " (CAST(%(keys_1)s AS VARCHAR(64)), CAST(%(keys_2)s AS VARCHAR(64)))"
    )
    by_statement = written(STATEMENT, SQLSERVER, MSSQL, ["k"])
    assert "CODE IN (CAST(%(keys_1)s AS VARCHAR(64))) AND D >= %(filter_since)s ) AS asked" in by_statement


async def test_a_database_in_threads_commits_nothing(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    database = ThreadedDatabase(engine, 2, "INSERT INTO t VALUES (1)")
    chosen = select(1).select_from(table("t"))
    assert await database.rows(chosen, ["one"]) == [{"one": 1}]
    assert await database.rows(chosen, ["one"]) == [{"one": 1}]  # nothing was left of the first
    await database.close()


OTHERS = [
    ("oracle://u:hidden@h/?service_name=x", "oracledb", r"xinqiao\[oracle\]"),
    ("mssql://u:hidden@h/x", "pymssql", r"xinqiao\[sqlserver\]"),
]


@pytest.mark.parametrize(("address", "driver", "advice"), OTHERS)
async def test_a_driver_that_is_not_installed_is_named_by_its_extra(
    open_one: Any, monkeypatch: pytest.MonkeyPatch, address: str, driver: str, advice: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConnectionNotConfigured, match=advice) as caught:
        await open_one(MANIFEST, address)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("address", [address for address, _, _ in OTHERS])
async def test_an_agency_that_is_down_is_opened_and_unavailable(
    open_one: Any, unused_tcp_port: int, address: str
) -> None:
    supply = await open_one(MANIFEST, address.replace("@h/", f"@127.0.0.1:{unused_tcp_port}/"))
    assert str((await ask(supply, CODES[:1]))[CODES[0]].failure) == "AGENCY_UNAVAILABLE"


async def test_thick_mode_without_its_libraries_is_a_reason(open_one: Any) -> None:
    thick = MANIFEST.replace('{url: "${ADDRESS}"}', '{url: "${ADDRESS}", mode: thick}')
    with pytest.raises(ConnectionNotConfigured, match="client libraries cannot be loaded: DatabaseError"):
        await open_one(thick, "oracle://u:hidden@h/?service_name=x")
    with pytest.raises(ConnectionNotConfigured, match="only Oracle has a thick mode"):
        await open_one(thick, "postgresql://u:hidden@h/x")


async def test_a_statement_s_list_is_no_longer_than_oracle_bears(open_one: Any) -> None:
    statement = MANIFEST.replace("table: t", 'statement: "SELECT * FROM t WHERE CODE IN (:keys)"')
    with pytest.raises(ConnectionNotConfigured, match="at most 1000 keys"):
        await open_one(statement.replace("batch: 10", "batch: 334"), "oracle://u:p@h/?service_name=x")


@pytest.mark.parametrize(("seconds", "expected"), [(5, 5000), (0.3, 300), (0.0001, 1)])
def test_no_time_limit_is_written_as_zero_which_means_none(seconds: float, expected: int) -> None:
    assert milliseconds(seconds) == expected
