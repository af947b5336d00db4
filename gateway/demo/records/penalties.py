"""The penalties that a province's market regulators imposed, before either province writes them down its own way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Final

from gateway.demo.chance import happens, stream
from gateway.demo.nation import Company, Person, Population, person
from gateway.demo.vocabulary import Division

PUBLICITY_DAYS: Final = {"minor": 90, "general": 365, "serious": 3 * 365}
"""How long agencies publish a penalty, from its decision: the longest that the rules of 2026-04-01 allow."""

_KINDS: Final = ("warning", "fine", "confiscation", "suspension")
_FACTS: Final = (
    ("生产的样品经抽检不合格。", "《中华人民共和国产品质量法》第四十九条"),
    ("未按规定公示年度报告。", "《企业信息公示暂行条例》第十七条"),
    ("发布的广告含有虚假内容。", "《中华人民共和国广告法》第五十五条"),
    ("销售的食品超过保质期。", "《中华人民共和国食品安全法》第一百二十四条"),
    ("特种设备未经检验即投入使用。", "《中华人民共和国特种设备安全法》第八十四条"),
)


@dataclass(frozen=True, slots=True)
class Penalty:
    """One decision. Money is in yuan; `kind` and `severity` are ours, each province has its own codes for them."""

    number: int
    company: Company
    decided: date
    office: Division
    severity: str
    kind: str
    facts: str
    legal_basis: str
    amount: int
    confiscated: int
    responsible: Person
    informant: Person
    repaired: date | None = None
    disputed: bool = False

    @property
    def published_until(self) -> date:
        """The last day of its publicity period."""
        return self.decided + timedelta(days=PUBLICITY_DAYS[self.severity])

    @property
    def authority(self) -> str:
        """The office that decided."""
        return f"{self.office.city}{self.office.county}市场监督管理局（演示）"

    @property
    def document_number(self) -> str:
        """The number of the written decision."""
        return f"{self.office.city[0]}市监虚罚〔{self.decided.year}〕{self.number:05d}号"


@dataclass(frozen=True, slots=True)
class Told:
    """A penalty that a role speaks of: how many days ago it was decided, and what else is certain of it."""

    role: str
    days_ago: int
    severity: str
    repaired_after: int | None = None
    disputed: bool = False


def impose(
    population: Population, province: str, offices: tuple[Division, ...], told: Iterable[Told], start: int
) -> list[Penalty]:
    """A province's penalties: first those told, then others by chance, mostly on companies of its own.

    `province` is the first two digits of its division code, `start` the number of its first decision.
    """
    draw = stream(population.seed, f"penalties/{province}")
    numbers = count(start)
    certain = [_as_told(population, draw, offices, next(numbers), each) for each in told]
    by_chance = (
        _penalty(draw, offices, next(numbers), company, population.today - timedelta(days=draw.randint(5, 1500)))
        for company in population.ordinary
        for _ in range(_how_many(draw, own=company.division.code.startswith(province)))
    )
    return certain + [_perhaps_repaired(draw, population.today, penalty) for penalty in by_chance]


def _how_many(draw: Random, *, own: bool) -> int:
    return draw.choice((1, 1, 1, 2, 3)) if happens(draw, 25 if own else 3) else 0


def _penalty(draw: Random, offices: tuple[Division, ...], number: int, company: Company, decided: date) -> Penalty:
    facts, legal_basis = draw.choice(_FACTS)
    kind = draw.choices(_KINDS, (20, 60, 15, 5))[0]
    return Penalty(
        number=number,
        company=company,
        decided=decided,
        office=company.division if company.division in offices else draw.choice(offices),
        severity=draw.choices(tuple(PUBLICITY_DAYS), (30, 50, 20))[0],
        kind=kind,
        facts=facts,
        legal_basis=legal_basis,
        amount=draw.choice((1, 2, 5, 10, 25)) * draw.choice((1_000, 5_000, 20_000)) if kind == "fine" else 0,
        confiscated=draw.randint(1, 900) * 100 if kind == "confiscation" else 0,
        responsible=company.legal_representative if happens(draw, 50) else person(draw),
        informant=person(draw),
    )


def _as_told(population: Population, draw: Random, offices: tuple[Division, ...], number: int, told: Told) -> Penalty:
    decided = population.today - timedelta(days=told.days_ago)
    penalty = _penalty(draw, offices, number, population.showcase[told.role], decided)
    repaired = None if told.repaired_after is None else decided + timedelta(days=told.repaired_after)
    return replace(
        penalty,
        severity=told.severity,
        kind="fine",
        amount=20_000,
        confiscated=0,
        repaired=repaired,
        disputed=told.disputed,
    )


def _perhaps_repaired(draw: Random, today: date, penalty: Penalty) -> Penalty:
    repaired = penalty.decided + timedelta(days=draw.randint(60, 900))
    return replace(penalty, repaired=repaired) if happens(draw, 10) and repaired < today else penalty
