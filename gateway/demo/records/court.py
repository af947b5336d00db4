"""The court's list of judgment defaulters: pinyin initials, dates in Chinese, grouped digits."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Population
from gateway.demo.records.dirt import NO_END, NO_TEXT, full_width, written_code

_LISTED: Final = (
    "everything",
    "holder",
    "lower_case",
    "full_width",
    "organisation_code",
    "no_dates",
    "cross_held_a",
    "many_penalties",
)
_CONDUCT: Final = ("有履行能力而拒不履行生效法律文书确定义务", "违反财产报告制度", "违反限制消费令")


def write(population: Population, directory: Path) -> None:
    """Writes `sxbzxr.json`: the date of the data (`sjrq`) and the list of cases (`ajlb`)."""
    draw = stream(population.seed, "court")
    listed = [*population.cast(*_LISTED), *(each for each in population.ordinary if happens(draw, 6))]
    cases = [
        _case(population, draw, company, number)
        for number, company in enumerate(each for each in listed for _ in range(draw.choice((1, 1, 1, 2))))
    ]
    undated = population.showcase["no_dates"].code
    cases = [case | {"jfje": NO_TEXT, "yjwh": NO_TEXT} if case["tyshxydm"] == undated else case for case in cases]
    register = {"sjrq": f"{population.today - timedelta(days=1):%Y-%m-%d} 23:30:00", "ajlb": cases}
    (directory / "sxbzxr.json").write_text(json.dumps(register, ensure_ascii=False), encoding="utf-8")


def _case(population: Population, draw: Random, company: Company, number: int) -> dict[str, str]:
    filed = population.today - timedelta(days=draw.randint(20, 1200))
    place = company.division
    day = f"{filed:%Y年%m月%d日}"
    return {
        "ajid": f"SX{number:07d}",
        "tyshxydm": written_code(population, company),
        "mc": company.name,
        "ah": f"({filed.year}){place.code[:4]}虚执{number:05d}号",
        "zxfy": f"{place.city}{place.county}人民法院（演示）",
        "larq": full_width(day) if company is population.showcase["full_width"] else day,
        "yjwh": f"({filed.year - 1}){place.code[:4]}虚民初{draw.randint(1, 9999):04d}号",
        "jfje": f"{draw.randint(10_000, 9_000_000):,}.{draw.randint(0, 99):02d}",
        "yw": "支付货款及逾期利息。",
        "lxqk": draw.choice("123"),
        "xwqx": draw.choice(_CONDUCT),
        "fddbr": company.legal_representative.name,
        "fddbrzjh": company.legal_representative.identity_number,
        "fbrq": f"{filed + timedelta(days=3):%Y年%m月%d日}",
        "xjrq": NO_END,
        "yy": "否",
    }
