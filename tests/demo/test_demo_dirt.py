"""Every kind of dirt that the demonstration promises is there, where its showcase company says."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.nation import Population
from gateway.demo.records import court, customs, guangdong_penalties, registry, tax, zhejiang_penalties
from gateway.demo.records.dirt import full_width


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def zhejiang(population: Population, tmp_path: Path) -> list[dict[str, Any]]:
    zhejiang_penalties.write(population, tmp_path)
    return list(json.loads((tmp_path / "penalties.json").read_bytes()))


@pytest.fixture
def guangdong(population: Population, tmp_path: Path) -> list[dict[str, Any]]:
    guangdong_penalties.write(population, tmp_path)
    return list(json.loads((tmp_path / "xzcf.json").read_bytes()))


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
    population: Population, zhejiang: list[dict[str, Any]], tmp_path: Path
) -> None:
    code = population.showcase["duplicate"].code
    customs.write(population, tmp_path)
    penalties = [row for row in zhejiang if row["creditCode"] == code]
    traders = [row for row in rows_of(tmp_path / "traders.csv") if row["统一社会信用代码"] == code]

    assert len(penalties) == len(traders) == 2
    assert penalties[0] == penalties[1]
    assert traders[0] == traders[1]


def test_codes_are_in_lower_case_in_full_width_and_cut_to_the_organisation_code(
    population: Population, guangdong: list[dict[str, Any]], tmp_path: Path
) -> None:
    court.write(population, tmp_path)
    customs.write(population, tmp_path)
    lower = population.showcase["lower_case"].code.lower()
    wide = full_width(population.showcase["full_width"].code)
    short = population.showcase["organisation_code"].organisation_code
    in_court = {case["tyshxydm"] for case in json.loads((tmp_path / "sxbzxr.json").read_bytes())["ajlb"]}

    assert {lower, wide, short} <= in_court
    assert {lower, wide, short} <= {row["统一社会信用代码"] for row in rows_of(tmp_path / "traders.csv")}
    assert {lower, wide} <= {row["xydm"] for row in guangdong}


def test_the_registry_writes_none_in_every_way(population: Population, tmp_path: Path) -> None:
    registry.write(population, tmp_path)
    base = rows_of(tmp_path / "e_baseinfo.csv")
    (undated,) = [row for row in base if row["uniscid"] == population.showcase["no_dates"].code]
    lower = population.showcase["lower_case"].code

    assert (undated["estdate"], undated["opto"], undated["tel"]) == ("1900-1-1", "9999-9-9", "暂无")
    assert lower.lower() in {row["uniscid"] for row in base}
    assert lower not in {row["uniscid"] for row in base}


def test_sums_are_in_yuan_in_ten_thousands_and_in_fen(
    population: Population, zhejiang: list[dict[str, Any]], guangdong: list[dict[str, Any]], tmp_path: Path
) -> None:
    tax.write(population, tmp_path)
    code = population.showcase["everything"].code
    file = json.loads((tmp_path / "nsr.json").read_bytes())["NSR"][code[8:17]]

    assert {row["fineYuan"] for row in zhejiang if row["creditCode"] == code} == {20000}
    assert {row["fkje"] for row in guangdong if row["xydm"] == code} == {"2"}
    assert all(row["QSYE_F"] >= 500_000 for row in file["QS"])


def test_one_decision_date_is_no_date(population: Population, guangdong: list[dict[str, Any]]) -> None:
    dates = [row["cfjdrq"] for row in guangdong if row["xydm"] == population.showcase["unreadable"].code]

    assert len(dates) == 2
    assert dates[0] == "20251399"


def test_a_name_needs_four_bytes_in_the_customs_encoding(population: Population, tmp_path: Path) -> None:
    customs.write(population, tmp_path)
    text = (tmp_path / "traders.csv").read_text(encoding="utf-8")

    with pytest.raises(UnicodeEncodeError):
        text.encode("gbk")
    assert text.encode("gb18030").decode("gb18030") == text


def test_no_agency_has_heard_of_nobody(population: Population, tmp_path: Path) -> None:
    registry.write(population, tmp_path)
    tax.write(population, tmp_path)
    nobody = population.showcase["nobody"]

    assert all(nobody.organisation_code not in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
