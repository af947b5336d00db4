"""The business registry's tables: market regulators' abbreviations, ten thousands of yuan, every column text.

A row is known by the registry's own identifier (`pripid`); only `e_baseinfo` has the credit code. The spot checks were
taken over from an older system, which knew companies by their registration numbers.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

from gateway.demo import identifiers
from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Holding, Person, Population, person
from gateway.demo.records.dirt import NO_END, NO_START, NO_TEXT, full_width, unpadded

_CURRENCIES: Final = {"CNY": "156", "USD": "840"}
_ENTERPRISE_TYPES: Final = ("1100", "1150", "1200", "4500")
_CHANGED_ITEMS: Final = ("01", "02", "03", "05")
_ABNORMAL_CAUSES: Final = ("1", "2", "3", "4")


def write(population: Population, directory: Path) -> None:
    """Writes one CSV file (UTF-8) a table: `e_baseinfo`, `e_alter`, `e_inv`, `e_abnormal`, `e_spotcheck`."""
    draw, checks = stream(population.seed, "registry"), stream(population.seed, "spot checks")
    nobody = population.showcase["nobody"]
    companies = [each for each in population.companies if each.registered_with_business and each is not nobody]
    tables = {
        "e_baseinfo": (_base(population, draw, company) for company in companies),
        "e_alter": (row for company in companies for row in _changes(population, draw, company)),
        "e_inv": (row for company in companies for row in _investors(population, company)),
        "e_abnormal": (row for company in companies for row in _abnormal(population, draw, company)),
        "e_spotcheck": (row for company in companies for row in _spot_checks(population, checks, company)),
    }
    for table, rows in tables.items():
        _write_table(directory / f"{table}.csv", rows)


def _write_table(path: Path, rows: Iterable[dict[str, str]]) -> None:
    first, *others = rows
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(first)
        writer.writerows(row.values() for row in (first, *others))


def _pripid(company: Company) -> str:
    return hashlib.md5(company.code.encode(), usedforsecurity=False).hexdigest()


def _base(population: Population, draw: Random, company: Company) -> dict[str, str]:
    undated = company is population.showcase["no_dates"]
    wide = full_width if company is population.showcase["full_width"] else str
    written = company.code.lower() if company is population.showcase["lower_case"] else company.code
    place = company.division
    return {
        "pripid": _pripid(company),
        "uniscid": written,
        "regno": wide(company.registration_number),
        "entname": company.name,
        "lerep": company.legal_representative.name,
        "cerno": company.legal_representative.identity_number,
        "enttype": "9100" if company.code[1] == "3" else draw.choices(_ENTERPRISE_TYPES, (60, 25, 10, 5))[0],
        "regstate": "1" if company in population.showcase.values() else draw.choices("1234", (88, 4, 6, 2))[0],
        "estdate": NO_START if undated else wide(unpadded(company.established)),
        "regcap": _ten_thousands(company.capital),
        "reccap": NO_TEXT if undated else _ten_thousands(company.capital * draw.randint(0, 10) // 10),
        "regcapcur": _CURRENCIES[company.currency],
        "dom": f"{place.place}虚构路{draw.randint(1, 999)}号",
        "tel": NO_TEXT if undated else identifiers.telephone(draw, place.area),
        "industryco": company.trade.industry,
        "opscope": company.trade.scope,
        "regorg": f"{place.city}{place.county}市场监督管理局（演示）",
        "opto": NO_END if undated or happens(draw, 60) else f"{company.established.year + 50}-12-31",
        "empnum": NO_TEXT if undated else wide(str(company.employees)),
        "s_ext_timestamp": f"{population.today - timedelta(days=1)} 22:15:00",
    }


def _changes(population: Population, draw: Random, company: Company) -> Iterator[dict[str, str]]:
    lived = (population.today - company.established).days
    least = 1 if company is population.showcase["everything"] else 0
    for number in range(max(least, draw.choice((0, 0, 1, 2, 3)))):
        item = draw.choice(_CHANGED_ITEMS)
        before, after = _before_and_after(draw, company, item)
        yield {
            "altid": f"{_pripid(company)[:16]}{number}",
            "pripid": _pripid(company),
            "altitem": item,
            "altbe": before,
            "altaf": after,
            "altdate": unpadded(company.established + timedelta(days=draw.randint(1, lived))),
        }


def _before_and_after(draw: Random, company: Company, item: str) -> tuple[str, str]:
    if item == "01":
        return f"{company.division.city[:-1]}虚构旧名{company.trade.word}有限公司", company.name
    if item == "02":
        return NO_TEXT, f"{company.division.place}虚构路{draw.randint(1, 999)}号"
    if item == "03":
        return person(draw).name, company.legal_representative.name
    return "10", _ten_thousands(company.capital)


def _investors(population: Population, company: Company) -> Iterator[dict[str, str]]:
    holdings = population.holdings[company.code]
    for number, holding in enumerate(holdings):
        yield _investor(population, company, holding, number)
    if company is population.showcase["duplicate"]:
        yield _investor(population, company, holdings[0], 0)


def _investor(population: Population, company: Company, holding: Holding, number: int) -> dict[str, str]:
    holder = holding.holder
    subscribed = company.capital * holding.thousandths // 1000
    return {
        "invid": f"{_pripid(company)[:16]}{number}",
        "pripid": _pripid(company),
        "inv": holder.name,
        "invtype": "20" if isinstance(holder, Person) else "11",
        "bcerno": holder.identity_number if isinstance(holder, Person) else NO_TEXT,
        "invuniscid": "" if isinstance(holder, Person) else _holder_code(population, company, holder),
        "subconam": _ten_thousands(subscribed),
        "acconam": _ten_thousands(subscribed // 2),
        "subcurrency": _CURRENCIES[company.currency],
        "subconprop": f"{Decimal(holding.thousandths) / 10}%",
        "condate": unpadded(holding.since),
    }


def _holder_code(population: Population, company: Company, holder: Company) -> str:
    if company is population.showcase["half_known_holder"]:
        return holder.organisation_code
    return holder.code.lower() if holder is population.showcase["lower_case"] else holder.code


def _abnormal(population: Population, draw: Random, company: Company) -> Iterator[dict[str, str]]:
    listed = population.today - timedelta(days=draw.randint(30, 1500))
    removed = listed + timedelta(days=draw.randint(20, 400))
    happened = happens(draw, 7)
    certain = company is population.showcase["everything"]
    if certain or (happened and company not in population.showcase.values()):
        still_listed = certain or removed >= population.today
        yield {
            "busexclist": f"{_pripid(company)[:16]}A",
            "pripid": _pripid(company),
            "specause": draw.choice(_ABNORMAL_CAUSES),
            "abntime": unpadded(listed),
            "decorg": f"{company.division.city}{company.division.county}市场监督管理局（演示）",
            "remdate": NO_END if still_listed else unpadded(removed),
            "remexcpres": NO_TEXT if still_listed else "已补报年度报告并公示",
        }


def _spot_checks(population: Population, draw: Random, company: Company) -> Iterator[dict[str, str]]:
    happened, result = happens(draw, 10), draw.choices("123", (85, 10, 5))[0]
    days, inspector = draw.randint(10, 700), person(draw).name
    certain = company is population.showcase["everything"]
    if certain or (happened and company not in population.showcase.values()):
        yield {
            "checkid": f"{company.registration_number}S",
            "regno": company.registration_number,
            "plan": f"{population.today.year - 1}年度虚构双随机抽查",
            "item": "登记事项检查",
            "insdate": unpadded(population.today - timedelta(days=days)),
            "insres": "1" if certain else result,
            "insauth": f"{company.division.city}{company.division.county}市场监督管理局（演示）",
            "inspector": inspector,
        }


def _ten_thousands(amount: int) -> str:
    return f"{Decimal(amount) / 10_000:.6f}"
