"""The customs' register of traders: Chinese headers, dates with slashes, grouped digits."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from gateway.demo import identifiers
from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Population
from gateway.demo.records.dirt import NO_END, NO_TEXT, full_width, written_code

_TRADERS: Final = (
    "everything",
    "holder",
    "clean",
    "duplicate",
    "lower_case",
    "full_width",
    "organisation_code",
    "no_dates",
    "foreign_capital",
    "cross_held_a",
    "cross_held_b",
)
_GRADES: Final = ("高级认证企业", "注册登记和备案企业", "失信企业")
_TRADE_KINDS: Final = ("进出口货物收发货人", "报关企业")


def write(population: Population, directory: Path) -> None:
    """Writes `traders.csv` (UTF-8), which the customs' own system hands out its nightly drop from."""
    draw = stream(population.seed, "customs")
    traders = [
        *population.cast(*_TRADERS),
        *(each for each in population.ordinary if each.registered_with_business and happens(draw, 25)),
    ]
    rows = [_row(population, draw, company, number) for number, company in enumerate(traders)]
    twice = population.showcase["duplicate"].code
    rows += [row for row in rows if row["统一社会信用代码"] == twice]
    with (directory / "traders.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _row(population: Population, draw: Random, company: Company, number: int) -> dict[str, str]:
    registered = population.today - timedelta(days=draw.randint(60, 4000))
    undated = company is population.showcase["no_dates"]
    declarations = f"{int(draw.lognormvariate(5, 2)):,}"
    return {
        "统一社会信用代码": written_code(population, company),
        "海关注册编码": f"{company.division.code[:4]}9{number:05d}",
        "企业中文名称": company.name,
        "信用等级": draw.choices(_GRADES, (15, 80, 5))[0],
        "经营类别": draw.choices(_TRADE_KINDS, (90, 10))[0],
        "注册日期": "1900/1/1" if undated else f"{registered.year}/{registered.month}/{registered.day}",
        "有效期至": NO_END if undated or happens(draw, 90) else f"{registered.year + 20}/12/31",
        "注册海关": f"{company.division.city[:-1]}海关（演示）",
        "上年报关单量": full_width(declarations) if company is population.showcase["full_width"] else declarations,
        "联系电话": NO_TEXT if undated else identifiers.telephone(draw, company.division.area),
    }
