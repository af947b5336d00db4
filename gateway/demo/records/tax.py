"""The tax bureau's files: pinyin in capitals, keyed by organisation code, times in dates, sums in fen or yuan."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Population
from gateway.demo.records.dirt import NO_TEXT, full_width

_IN_ARREARS: Final = ("everything", "holder", "full_width", "no_dates")
_NOT_ON_FILE: Final = ("unknown_to_tax", "tax_in_migration", "nobody")
_TAX_KINDS: Final = ("10101", "10104", "10106", "10109")


_Rows = list[dict[str, str | int]]


def write(population: Population, directory: Path) -> None:
    """Writes `nsr.json`: the data's time (`SJSJ`), files by organisation code (`NSR`), those being moved (`QYZ`)."""
    draw = stream(population.seed, "tax")
    files = {
        company.organisation_code: _file(draw, company, population, owing=key in _IN_ARREARS)
        for key, company in population.showcase.items()
        if key not in _NOT_ON_FILE
    }
    for company in population.ordinary:
        if happens(draw, 95):
            owing = happens(draw, 5)
            files[company.organisation_code] = _file(draw, company, population, owing=owing)
    _soil(population, files)
    bureau = {
        "SJSJ": f"{population.today - timedelta(days=1):%Y-%m-%d} 02:00:00",
        "NSR": files,
        "QYZ": [population.showcase["tax_in_migration"].organisation_code],
    }
    (directory / "nsr.json").write_text(json.dumps(bureau, ensure_ascii=False), encoding="utf-8")


def _file(draw: Random, company: Company, population: Population, *, owing: bool) -> dict[str, _Rows]:
    last, debts = population.last_rated_year, draw.choice((1, 2)) if owing else 0
    return {
        "XYDJ": [_rating(draw, company, last - back) for back in range(3)],
        "QS": [_arrears(draw, company, population.today, number) for number in range(debts)],
        "JK": [_payment(draw, company, last - back) for back in range(2)],
    }


def _rating(draw: Random, company: Company, year: int) -> dict[str, str | int]:
    return {
        "JLBH": f"XY{company.organisation_code}{year}",
        "PJND": str(year),
        "PJJG": draw.choices("12345", (25, 40, 20, 10, 5))[0],
        "PJRQ": f"{year + 1}-04-{draw.randint(10, 30)} 00:00:00",
        "ZGSWJG": _office(company),
        "NBFXZS": f"{draw.uniform(1, 99):.1f}",
    }


def _arrears(draw: Random, company: Company, today: date, number: int) -> dict[str, str | int]:
    due = today - timedelta(days=draw.randint(30, 600))
    return {
        "JLBH": f"QS{company.organisation_code}{number}",
        "ZSXM": _TAX_KINDS[number],
        "QSYE_F": draw.randint(500_000, 800_000_000),
        "JKQX": f"{due} 00:00:00",
        "ZGSWJG": _office(company),
        "GGRQ": f"{due + timedelta(days=30)} 00:00:00",
    }


def _payment(draw: Random, company: Company, year: int) -> dict[str, str | int]:
    revenue = company.employees * draw.randint(200_000, 900_000)
    return {
        "JLBH": f"JK{company.organisation_code}{year}",
        "SKSSND": str(year),
        "ZSXM": draw.choice(_TAX_KINDS),
        "RKJE": f"{revenue * 0.03:,.2f}",
        "YYSR": f"{revenue:,}.00",
        "SBRQ": f"{year + 1}-05-{draw.randint(10, 31)} 00:00:00",
    }


def _office(company: Company) -> str:
    return f"国家税务总局{company.division.city}{company.division.county}税务局（演示）"


def _soil(population: Population, files: dict[str, dict[str, _Rows]]) -> None:
    wide = files[population.showcase["full_width"].organisation_code]
    for rating in wide["XYDJ"]:
        rating["PJND"] = full_width(str(rating["PJND"]))
    undated = files[population.showcase["no_dates"].organisation_code]
    for row in undated["XYDJ"]:
        row.update(PJRQ="1900-01-01 00:00:00", NBFXZS=NO_TEXT)
    for row in undated["JK"]:
        row.update(SBRQ="9999-12-31 00:00:00", YYSR=NO_TEXT)
