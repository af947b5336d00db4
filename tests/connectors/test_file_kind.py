from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from tests.connectors.support import CODES, ask

pytestmark = pytest.mark.usefixtures("indexed_here")

MANIFEST = """
    agency: customs
    name: {en: Customs, zh: 海关}
    kind: file
    connection: {path: "${ADDRESS}"}
    datasets:
      - record: Registration
        file: customs_*.csv
        encoding: gb18030
        key: 信用代码
        batch: 100
        missingMeans: none
        unkeyedRows: ignore
        fields: {name: 名称, establishedOn: 注册日期, address: 地址}
"""
HEADER = "信用代码,名称,注册日期,地址\r\n"


def drop(directory: Path, lines: str, name: str = "customs_1.csv", *, header: str = HEADER) -> Path:
    """Writes a drop as a careful agency does: under another name first."""
    draft = directory / "draft"
    draft.write_bytes((header + lines).encode("gb18030"))
    return draft.replace(directory / name)


async def name_of(supply: Any, number: int) -> Any:
    rows = (await ask(supply, [CODES[number]], ["name"]))[CODES[number]].rows
    return rows[0]["name"] if rows else None


async def indexed(supply: Any) -> None:
    await supply._lines["customs/Registration"].source.ready()


async def test_rows_are_found_in_any_spelling_and_carry_the_files_date(tmp_path: Path, open_one: Any) -> None:
    path = drop(
        tmp_path,
        f'{CODES[0].lower()},"甲,𠮷\r\n公司",20200102,暂无\r\n{CODES[1].organisation_code},乙,1900-1-1,杭州\r\n\r\n'
        f"{CODES[2]},丙,2020/1/2,杭州\r\n暂无,丁,,\r\n{CODES[3]},short\r\n",
    )
    os.utime(path, (1_790_000_000, 1_790_000_000))
    supply = await open_one(MANIFEST, str(tmp_path))
    answers = await ask(supply, CODES[:4])
    assert answers[CODES[0]].rows[0] == {
        "name": "甲,𠮷\r\n公司",
        "establishedOn": date(2020, 1, 2),
        "address": None,
    }
    assert answers[CODES[1]].rows[0] == {"name": "乙", "establishedOn": None, "address": "杭州"}
    assert answers[CODES[0]].as_of == datetime.fromtimestamp(1_790_000_000, UTC)
    assert (answers[CODES[3]].outcome, answers[CODES[3]].rows) == (Outcome.ANSWERED, ())


async def test_a_row_that_may_be_anybodys_makes_answers_incomplete(tmp_path: Path, open_one: Any) -> None:
    drop(tmp_path, f"{CODES[0]},甲,,\r\n暂无,丁,,\r\n")
    supply = await open_one(MANIFEST.replace("unkeyedRows: ignore", "unkeyedRows: incomplete"), str(tmp_path))
    answers = await ask(supply, CODES[:2])
    assert {(answer.outcome, answer.unmapped) for answer in answers.values()} == {(Outcome.INCOMPLETE, 1)}


async def test_a_new_drop_takes_over_and_the_last_by_name_counts(tmp_path: Path, open_one: Any) -> None:
    drop(tmp_path, f"{CODES[0]},old,,\r\n")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await name_of(supply, 0) == "old"
    drop(tmp_path, f"{CODES[0]},replaced,,\r\n")
    await indexed(supply)
    assert await name_of(supply, 0) == "replaced"
    drop(tmp_path, f"{CODES[0]},newest,,\r\n", "customs_2.csv")
    drop(tmp_path, f"{CODES[0]},late,,\r\n", "customs_0.csv")
    await indexed(supply)
    assert await name_of(supply, 0) == "newest"


@pytest.mark.parametrize(
    "bad",
    [
        f"{CODES[0]},half".encode(),
        f'{CODES[0]},half,,\r\n{CODES[1]},"never closed,,\r\n'.encode(),
        b"\xff\xff\xff\r\n",
        b"",
    ],
    ids=["cut off", "open quote", "encoding", "empty"],
)
async def test_a_half_written_drop_leaves_the_one_before_in_place(tmp_path: Path, open_one: Any, bad: bytes) -> None:
    drop(tmp_path, f"{CODES[0]},whole,,\r\n")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await name_of(supply, 0) == "whole"
    (tmp_path / "customs_2.csv").write_bytes((HEADER.encode("gb18030") if bad else b"") + bad)
    await indexed(supply)
    assert await name_of(supply, 0) == "whole"
    drop(tmp_path, f"{CODES[0]},mended,,\r\n", "customs_2.csv")
    await indexed(supply)
    assert await name_of(supply, 0) == "mended"


async def test_a_drop_written_over_in_place_is_never_read_by_its_old_index(tmp_path: Path, open_one: Any) -> None:
    path = drop(tmp_path, f"{CODES[0]},first,,\r\n")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await name_of(supply, 0) == "first"
    path.write_bytes((HEADER + f"{CODES[1]},shifted,,\r\n{CODES[0]},second,,\r\n").encode("gb18030"))
    assert await name_of(supply, 0) == "second"
    path.write_bytes((HEADER + f"{CODES[1]},cut of").encode("gb18030"))
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (answer.outcome, answer.failure) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE)


async def test_without_a_drop_the_agency_is_unavailable_not_empty(tmp_path: Path, open_one: Any) -> None:
    absent = await open_one(MANIFEST, str(tmp_path / "not mounted"))
    assert (await ask(absent, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    supply = await open_one(MANIFEST, str(tmp_path))
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    drop(tmp_path, f"{CODES[0]},甲,,\r\n", header="信用代码2,名称,注册日期,地址\r\n")
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE


async def test_a_drop_counts_only_once_its_marker_lies_beside_it(tmp_path: Path, open_one: Any) -> None:
    supply = await open_one(MANIFEST.replace("key: 信用代码", "key: 信用代码\n        marker: .ok"), str(tmp_path))
    drop(tmp_path, f"{CODES[0]},甲,,\r\n")
    assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    (tmp_path / "customs_1.csv.ok").touch()
    assert await name_of(supply, 0) == "甲"


async def test_a_drop_that_is_gone_is_no_longer_answered_from(tmp_path: Path, open_one: Any) -> None:
    path = drop(tmp_path, f"{CODES[0]},there,,\r\n")
    supply = await open_one(MANIFEST, str(tmp_path))
    assert await name_of(supply, 0) == "there"
    path.unlink()
    answer = (await ask(supply, CODES[:1], ["name"]))[CODES[0]]
    assert (answer.outcome, answer.failure) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE)


async def test_a_drop_without_a_column_that_the_manifest_reads_is_refused(tmp_path: Path, open_one: Any) -> None:
    drop(tmp_path, f"{CODES[0]},甲,,\r\n", header=HEADER.replace("地址", "住址"))
    supply = await open_one(MANIFEST, str(tmp_path))
    answer = (await ask(supply, CODES[:1], ["name"]))[CODES[0]]
    assert (answer.outcome, answer.failure) == (Outcome.FAILED, FailureCode.AGENCY_UNAVAILABLE)
