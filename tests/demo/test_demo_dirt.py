"""Every kind of dirt that the demonstration promises is there, where its showcase company says."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.nation import Population
from gateway.demo.records.dirt import full_width


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def zhejiang(records: Path) -> list[dict[str, Any]]:
    return list(json.loads((records / "zhejiang-penalties" / "penalties.json").read_bytes()))


@pytest.fixture
def guangdong(records: Path) -> list[dict[str, Any]]:
    return list(json.loads((records / "guangdong-penalties" / "xzcf.json").read_bytes()))


def test_a_penalty_is_given_out_though_its_publicity_period_is_over(
    population: Population, zhejiang: list[dict[str, Any]]
) -> None:
    (penalty,) = [row for row in zhejiang if row["creditCode"] == population.showcase["over_age"].code]

    assert date.fromisoformat(penalty["publicityEnd"]) < population.today


def test_a_penalty_within_its_period_has_been_repaired(population: Population, guangdong: list[dict[str, Any]]) -> None:
    (penalty,) = [row for row in guangdong if row["xydm"] == population.showcase["repaired"].code]

    assert penalty["xfrq"] < f"{population.today:%Y%m%d}" < penalty["gsjzrq"]


def test_a_guangdong_company_is_fined_by_zhejiang_alone(
    population: Population, zhejiang: list[dict[str, Any]], guangdong: list[dict[str, Any]]
) -> None:
    code = population.showcase["fined_elsewhere"].code

    assert code.startswith("9144")
    assert [row["creditCode"] for row in zhejiang].count(code) == 1
    assert code not in {row["xydm"] for row in guangdong}


def test_the_same_penalty_and_the_same_trader_are_there_twice(
    population: Population, zhejiang: list[dict[str, Any]], records: Path
) -> None:
    code = population.showcase["duplicate"].code
    penalties = [row for row in zhejiang if row["creditCode"] == code]
    traders = [row for row in rows_of(records / "customs" / "traders.csv") if row["统一社会信用代码"] == code]

    assert len(penalties) == len(traders) == 2
    assert penalties[0] == penalties[1]
    assert traders[0] == traders[1]


def test_codes_are_in_lower_case_in_full_width_and_cut_to_the_organisation_code(
    population: Population, guangdong: list[dict[str, Any]], records: Path
) -> None:
    lower = population.showcase["lower_case"].code.lower()
    wide = full_width(population.showcase["full_width"].code)
    short = population.showcase["organisation_code"].organisation_code
    in_court = {case["tyshxydm"] for case in json.loads((records / "court" / "sxbzxr.json").read_bytes())["ajlb"]}

    assert {lower, wide, short} <= in_court
    assert {lower, wide, short} <= {row["统一社会信用代码"] for row in rows_of(records / "customs" / "traders.csv")}
    assert {lower, wide} <= {row["xydm"] for row in guangdong}


def test_the_registry_writes_none_in_every_way(population: Population, records: Path) -> None:
    base = rows_of(records / "registry" / "e_baseinfo.csv")
    (undated,) = [row for row in base if row["uniscid"] == population.showcase["no_dates"].code]
    lower = population.showcase["lower_case"].code

    assert (undated["estdate"], undated["opto"], undated["tel"]) == ("1900-1-1", "9999-9-9", "暂无")
    assert lower.lower() in {row["uniscid"] for row in base}
    assert lower not in {row["uniscid"] for row in base}


def test_sums_are_in_yuan_in_ten_thousands_and_in_fen(
    population: Population, zhejiang: list[dict[str, Any]], guangdong: list[dict[str, Any]], records: Path
) -> None:
    code = population.showcase["everything"].code
    file = json.loads((records / "tax" / "nsr.json").read_bytes())["NSR"][code[8:17]]

    assert {row["fineYuan"] for row in zhejiang if row["creditCode"] == code} == {20000}
    assert {row["fkje"] for row in guangdong if row["xydm"] == code} == {"2"}
    assert all(row["QSYE_F"] >= 500_000 for row in file["QS"])


def test_one_decision_date_is_no_date(population: Population, guangdong: list[dict[str, Any]]) -> None:
    dates = [row["cfjdrq"] for row in guangdong if row["xydm"] == population.showcase["unreadable"].code]

    assert len(dates) == 2
    assert dates[0] == "20251399"


def test_a_name_needs_four_bytes_in_the_customs_encoding(records: Path) -> None:
    text = (records / "customs" / "traders.csv").read_text(encoding="utf-8")

    with pytest.raises(UnicodeEncodeError):
        text.encode("gbk")
    assert text.encode("gb18030").decode("gb18030") == text


def test_no_agency_has_heard_of_nobody(population: Population, records: Path) -> None:
    nobody = population.showcase["nobody"]

    files = [path for path in records.rglob("*") if path.is_file()]
    assert len(files) >= 7
    assert all(nobody.organisation_code.encode() not in path.read_bytes() for path in files)
