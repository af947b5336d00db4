from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from connectors.contract import FailureCode, Outcome, SourceCall
from connectors.dates import CHINA_TIME
from connectors.errors import AgencyFailure, ConnectionNotConfigured
from schema.values import Code, Count, Money
from tests.connectors.support import CODES, ask

REGISTRATION = """
    agency: registry
    name: {en: Registry, zh: 登记}
    kind: sql
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Registration
        table: t_reg
        key: {path: TYSHXYDM, spellings: [upper, lower, organisationCode]}
        batch: 10
        missingMeans: unknown
        asOf: {column: GXSJ}
        fields:
          name: QYMC
          status: {path: "DJ.ZT", codes: {"1": {code: active, label: 存续}}}
          establishedOn: {path: CLRQ, none: ["1970-01-01"]}
          registeredCapital: {path: ZCZB, unit: 万元, currency: {path: BZ, codes: {"840": USD}}}
          address: {join: [SHENG, SHI], with: " "}
          employees: CYRS
"""
ROWS = [
    (CODES[0], "甲公司", "1", "2001-2-3", "1,000.5", None, "浙江", "杭州", 12, "2026-11-02"),
    (CODES[1].lower(), "乙公司", "1", "1900-1-1", "5", "840", "浙江", "暂无", None, "2026-11-03"),
    (CODES[2].organisation_code, "丙公司", "1", "9999-9-9", "暂无", None, None, None, 3, "2026-11-04"),
    (CODES[3], "丁公司", "1", "1970-1-1", "暂无", None, None, None, 3, "2026-11-04"),
    (CODES[3], "丁公司二", "1", "1970-1-1", "暂无", None, None, None, 3, "2026-11-04"),
]
TABLE = (
    'CREATE TABLE t_reg ("TYSHXYDM" VARCHAR(32), "QYMC" TEXT, "DJ.ZT" TEXT, "CLRQ" TEXT, "ZCZB" TEXT, "BZ" TEXT,'
    ' "SHENG" TEXT, "SHI" TEXT, "CYRS" INTEGER, "GXSJ" TEXT)'
)
PENALTIES = """
    agency: registry
    name: {en: Registry, zh: 登记}
    kind: sql
    connection: {url: "${ADDRESS}"}
    timeout: 5
    datasets:
      - record: Penalty
        table: t_penalty
        key: code
        missingMeans: none
        rowLimit: 3
        filters: {decidedFrom: decided, decidedTo: {name: decided, format: "%Y-%m-%d"}}
        fields: {documentNumber: number, decidedOn: decided, facts: facts}
"""


async def fill(run: Callable[..., Any]) -> None:
    await run(TABLE)
    columns = ", ".join(f":c{index}" for index in range(10))
    values = [{f"c{index}": value for index, value in enumerate(row)} for row in ROWS]
    await run(f"INSERT INTO t_reg VALUES ({columns})", rows=values)  # noqa: S608  (the test's own table)


async def test_rows_are_found_in_every_spelling_of_the_key_and_mapped(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await fill(run)
    supply = await open_one(REGISTRATION, address)
    answers = await ask(supply, CODES[:5])
    assert answers[CODES[0]].rows == (
        {
            "name": "甲公司",
            "status": Code("active", "存续"),
            "establishedOn": date(2001, 2, 3),
            "registeredCapital": Money(Decimal(10_005_000)),
            "address": "浙江 杭州",
            "employees": Count(12),
        },
    )
    assert answers[CODES[0]].as_of == datetime(2026, 11, 2, tzinfo=CHINA_TIME)
    second = answers[CODES[1]].rows[0]
    assert (second["registeredCapital"], second["establishedOn"]) == (Money(Decimal(50_000), "USD"), None)
    assert (second["address"], second["employees"]) == ("浙江", None)
    assert answers[CODES[2]].rows[0]["name"] == "丙公司"
    assert [answers[code].outcome for code in CODES[:3]] == [Outcome.ANSWERED] * 3
    assert answers[CODES[4]].outcome is Outcome.UNKNOWN_COMPANY


async def test_a_second_registration_of_one_company_is_counted_not_guessed_away(
    sql_database: Any, open_one: Any
) -> None:
    address, run = sql_database
    await fill(run)
    answer = (await ask(await open_one(REGISTRATION, address), [CODES[3]]))[CODES[3]]
    assert (answer.outcome, answer.unmapped, len(answer.rows)) == (Outcome.INCOMPLETE, 1, 1)


async def test_only_columns_asked_for_leave_the_agency_beside_the_key(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await fill(run)
    await run('ALTER TABLE t_reg DROP COLUMN "ZCZB"')
    supply = await open_one(REGISTRATION, address)
    assert (await ask(supply, CODES[:1], ["name"]))[CODES[0]].rows == ({"name": "甲公司"},)
    failed = (await ask(supply, CODES[:1], ["registeredCapital"]))[CODES[0]]
    assert (failed.outcome, failed.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


async def test_filters_run_in_the_database_and_a_cut_answer_says_so(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    day = "TEXT" if address.startswith("sqlite") else "DATE"
    await run(f"CREATE TABLE t_penalty (code VARCHAR(18), number TEXT, decided {day}, facts TEXT)")
    for year in range(2021, 2026):
        await run(
            f"INSERT INTO t_penalty VALUES ('{CODES[0]}', '{year}', '{year}-05-05', 'same')"  # noqa: S608
        )
    supply = await open_one(PENALTIES, address)
    wanted = {"decidedFrom": date(2023, 5, 5)}
    answer = (await ask(supply, CODES[:2], ["facts"], filters=wanted))[CODES[0]]
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, ({"facts": "same"},) * 3)
    answers = await ask(supply, CODES[:2])
    assert len(answers[CODES[0]].rows) == 3
    assert {(answer.outcome, answer.failure) for answer in answers.values()} == {
        (Outcome.INCOMPLETE, FailureCode.LIMIT)
    }


async def test_the_connection_cannot_write(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await fill(run)
    supply = await open_one(REGISTRATION, address)
    engine = supply._lines["registry/Registration"].source._database._engine
    with pytest.raises(DBAPIError):
        async with engine.connect() as connection:
            await connection.execute(text("DELETE FROM t_reg"))


async def test_a_statement_that_runs_too_long_is_stopped_in_the_database(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT"
    source = "n"
    if address.startswith("mysql"):  # MariaDB ends recursion after a thousand steps
        endless, source = "SELECT", "(SELECT a.seq + b.seq AS i FROM seq_1_to_900000 a, seq_1_to_900000 b) AS n"
    columns = f"'{CODES[0]}' AS code, 'x' AS number, max(i) AS decided, 'x' AS facts"
    await run("DROP VIEW IF EXISTS v_slow", f"CREATE VIEW v_slow AS {endless} {columns} FROM {source}")
    manifest = PENALTIES.replace("t_penalty", "v_slow").replace("timeout: 5", "timeout: 0.3")
    supply = await open_one(manifest, address)
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (answer.failure, answer.retryable) == (FailureCode.AGENCY_TIMEOUT, True)
    source = supply._lines["registry/Penalty"].source
    call = SourceCall([CODES[0]], frozenset({"code"}), {}, timeout=0.3)
    if not address.startswith("sqlite"):
        with pytest.raises(AgencyFailure) as caught:
            await source.fetch(call)
        assert caught.value.failure is FailureCode.AGENCY_TIMEOUT
    await run("DROP VIEW v_slow")


@pytest.fixture
async def threads_end() -> AsyncIterator[None]:
    """Waits for the threads of files that could not be opened: their driver does not, and they tell an event loop."""
    yield
    for thread in threading.enumerate():
        if "_connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 10)


@pytest.mark.usefixtures("threads_end")
async def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path, open_one: Any, unused_tcp_port: int) -> None:
    for address in (f"sqlite:///{tmp_path / 'none.db'}", f"postgresql://u:p@127.0.0.1:{unused_tcp_port}/x"):
        answers = await ask(await open_one(REGISTRATION, address), CODES[:1])
        assert answers[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE


@pytest.mark.usefixtures("threads_end")
async def test_a_file_that_is_no_database_is_a_bad_response(tmp_path: Path, open_one: Any) -> None:
    (tmp_path / "no.db").write_bytes(b"this is no database, whatever its name" * 100)
    answers = await ask(await open_one(REGISTRATION, f"sqlite:///{tmp_path / 'no.db'}"), CODES[:1])
    assert answers[CODES[0]].failure is FailureCode.AGENCY_BAD_RESPONSE


async def test_an_index_on_a_dirty_key_still_serves(tmp_path: Path, open_one: Any) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute(TABLE)
        connection.execute("CREATE INDEX i ON t_reg (TYSHXYDM)")
    connection.close()
    supply = await open_one(REGISTRATION, f"sqlite:///{path}")
    line = supply._lines["registry/Registration"]
    call = SourceCall(["a", "A"], frozenset({"QYMC"}), {}, timeout=1)
    statement = line.source._questions.select(call, ["QYMC"])
    async with line.source._database._engine.connect() as connection:
        compiled = statement.compile(connection.sync_connection, compile_kwargs={"literal_binds": True})
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))).all()
    assert "USING INDEX i" in str(plan)


@pytest.mark.parametrize("address", ["firebird://u:hidden@h/x", "sqlite://", "no address: hidden"])
async def test_an_unusable_address_is_named_without_its_value(open_one: Any, address: str) -> None:
    with pytest.raises(ConnectionNotConfigured, match=r"agency registry: connection\.url") as caught:
        await open_one(REGISTRATION, address)
    assert "hidden" not in str(caught.value)


async def test_questions_side_by_side_share_the_pool_without_failing(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await fill(run)
    supply = await open_one(REGISTRATION.replace("batch: 10", "batch: 2"), address)
    found = await asyncio.gather(*(ask(supply, CODES[:20], ["name"]) for _ in range(10)))
    assert all(answers[CODES[0]].rows == ({"name": "甲公司"},) for answers in found)


@pytest.mark.parametrize("sql_database", ["sqlite"], indirect=True)
async def test_a_text_that_is_none_costs_its_own_field_alone(sql_database: Any, open_one: Any) -> None:
    address, run = sql_database
    await run("CREATE TABLE t_penalty (code TEXT, number TEXT, decided TEXT, facts TEXT)")
    gbk = "甲".encode("gbk").hex()
    for code in CODES[:2]:
        facts = f"CAST(x'{gbk}' AS TEXT)" if code == CODES[0] else "'乙'"
        await run(f"INSERT INTO t_penalty VALUES ('{code}', 'n', '2026-01-02', {facts})")  # noqa: S608  (the test's own)
    answers = await ask(await open_one(PENALTIES, address), CODES[:2])
    broken, whole = (answers[code] for code in CODES[:2])
    assert (broken.outcome, broken.unmapped, dict(broken.unreadable)) == (Outcome.INCOMPLETE, 1, {0: {"facts"}})
    assert (broken.rows[0]["facts"], broken.rows[0]["documentNumber"]) == (None, "n")
    assert (whole.outcome, whole.rows[0]["facts"]) == (Outcome.ANSWERED, "乙")
