"""Statements of a manifest's own, in real databases."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from connectors.contract import FailureCode, Outcome, SourceCall
from connectors.errors import AgencyFailure
from tests.connectors.support import CODES, ask

MANIFEST = """
    agency: court
    name: {{en: Court, zh: 法院}}
    kind: sql
    connection: {{url: "${{ADDRESS}}"}}
    datasets:
      - record: Penalty
        statement: |
          {statement}
        key: code
        batch: 10
        missingMeans: none
        filters: {filters}
        fields: {{documentNumber: number, decidedOn: decided, facts: facts}}
"""
JOINED = """
          SELECT q.code, c.number, c.decided, ':no; parameter' AS facts
          FROM t_case AS c JOIN t_company AS q ON q.id = c.company
          WHERE q.code IN (:keys) AND (:since IS NULL OR c.decided >= :since)
"""


@pytest.fixture
async def cases(sql_database: Any) -> str:
    address, run = sql_database
    await run(
        "DROP TABLE IF EXISTS t_company",
        "DROP TABLE IF EXISTS t_case",
        "CREATE TABLE t_company (id INTEGER, code CHAR(20))",
        "CREATE TABLE t_case (company INTEGER, number VARCHAR(20), decided DATE)",
        f"INSERT INTO t_company VALUES (1, '{CODES[0]}'), (2, '{CODES[1]}'), (3, '{CODES[2]}')",  # noqa: S608
        "INSERT INTO t_case VALUES (1, '一', '2021-05-05'), (1, '二', '2024-05-05'), (2, '三', '2020-01-01'),"
        " (3, 'another', '2024-01-01')",
    )
    return str(address)


def manifest(statement: str = JOINED, filters: str = "{decidedFrom: since}") -> str:
    return MANIFEST.format(statement=statement.strip(), filters=filters)


async def test_a_statement_gives_the_rows_of_its_companies(cases: str, open_one: Any) -> None:
    answers = await ask(await open_one(manifest(), cases), CODES[:2])
    assert sorted(row["documentNumber"] for row in answers[CODES[0]].rows) == ["一", "二"]
    assert answers[CODES[1]].rows == (
        {"documentNumber": "三", "decidedOn": date(2020, 1, 1), "facts": ":no; parameter"},
    )


SINGLE = "SELECT :key AS code, f.number, f.decided, 'x' AS facts FROM f_cases(:key) AS f"


async def test_a_function_is_asked_for_one_company_a_call(postgres: str, open_one: Any) -> None:
    engine = create_async_engine(postgres.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION f_cases(code text) RETURNS TABLE (number text, decided date) LANGUAGE sql"
                f" STABLE AS $$ SELECT '一', date '2021-05-05' WHERE code = '{CODES[0]}' $$"
            )
        )
    await engine.dispose()
    supply = await open_one(manifest(SINGLE, "{}").replace("batch: 10", "batch: 1"), postgres)
    answers = await ask(supply, CODES[:2])
    assert answers[CODES[0]].rows == ({"documentNumber": "一", "decidedOn": date(2021, 5, 5), "facts": "x"},)
    assert (answers[CODES[1]].outcome, answers[CODES[1]].rows) == (Outcome.ANSWERED, ())


async def test_one_key_is_bound_in_any_database(cases: str, open_one: Any) -> None:
    statement = JOINED.replace("q.code IN (:keys)", "q.code = :key")
    answers = await ask(await open_one(manifest(statement).replace("batch: 10", "batch: 1"), cases), CODES[:2])
    assert [len(answers[code].rows) for code in CODES[:2]] == [2, 1]


async def test_a_statement_of_one_company_takes_no_batch(open_one: Any) -> None:
    with pytest.raises(Exception, match="set batch: 1"):
        await open_one(manifest(SINGLE, "{}"), "sqlite:///x")


async def test_a_filter_is_a_parameter_of_the_statement(cases: str, open_one: Any) -> None:
    supply = await open_one(manifest(), cases)
    answers = await ask(supply, CODES[:2], ["documentNumber"], filters={"decidedFrom": date(2024, 5, 5)})
    assert answers[CODES[0]].rows == ({"documentNumber": "二"},)
    assert (answers[CODES[1]].outcome, answers[CODES[1]].rows) == (Outcome.ANSWERED, ())


async def test_columns_that_nobody_asked_for_are_not_taken_from_it(cases: str, open_one: Any) -> None:
    supply = await open_one(manifest(JOINED.replace("c.number,", "")), cases)
    assert len((await ask(supply, CODES[:1], ["decidedOn"]))[CODES[0]].rows) == 2
    missing = (await ask(supply, CODES[:1], ["documentNumber"]))[CODES[0]]
    assert missing.failure is FailureCode.AGENCY_BAD_RESPONSE


async def test_no_statement_writes_even_by_a_function(postgres: str, open_one: Any) -> None:
    engine = create_async_engine(postgres.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SEQUENCE IF NOT EXISTS q"))
    statement = "SELECT nextval('q') AS number, code, code AS decided, code AS facts FROM (SELECT '1' AS code) AS x"
    supply = await open_one(manifest(f"{statement} WHERE code IN (:keys)", "{}"), postgres)
    call = SourceCall(["1"], frozenset({"code", "number"}), {}, timeout=5)
    with pytest.raises(AgencyFailure, match="statement of Penalty"):
        await supply._lines["court/Penalty"].source.fetch(call)
    async with engine.begin() as connection:
        assert await connection.scalar(text("SELECT is_called FROM q")) is False
    await engine.dispose()


@pytest.mark.parametrize(
    ("statement", "filters"),
    [
        (JOINED, "{}"),
        (JOINED, "{decidedFrom: since, decidedTo: until}"),
        (JOINED, "{decidedFrom: since, decidedTo: since}"),
        ("SELECT code FROM t WHERE code IN (:keys)", "{decidedFrom: since}"),
    ],
)
async def test_parameters_and_filters_that_do_not_match_are_a_mistake(
    open_one: Any, statement: str, filters: str
) -> None:
    with pytest.raises(Exception, match="one filter's name for each other parameter"):
        await open_one(manifest(statement, filters), "sqlite:///x")
