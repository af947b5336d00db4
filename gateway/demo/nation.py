"""The nation itself: companies with lawful credit codes, and who holds them. What agencies know is in `records`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from gateway.demo import identifiers, vocabulary
from gateway.demo.chance import happens, stream
from gateway.demo.showcase import ROLES, Role
from gateway.demo.vocabulary import Division, Trade

COMPANIES: Final = 5_200

_DIVISIONS: Final = (vocabulary.ZHEJIANG, vocabulary.GUANGDONG, vocabulary.ELSEWHERE)
_DIVISION_WEIGHTS: Final = (45, 35, 20)

_PAIRS: Final = ("91", "93", "12", "51", "52", "A1", "N1", "N2", "Y1")
_PAIR_WEIGHTS: Final = (960, 20, 5, 5, 5, 1, 1, 2, 1)
"""Authority and category (GB 32100-2015): nearly all are companies, but each of the rarer ones is there."""

_SUFFIXES: Final = {
    "91": "有限公司",
    "93": "农民专业合作社",
    "12": "研究所",
    "51": "行业协会",
    "52": "服务中心",
    "A1": "服务社",
    "N1": "经济联合总社",
    "N2": "股份经济合作社",
    "Y1": "协会",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    name: str
    identity_number: str


@dataclass(frozen=True, slots=True)
class Company:
    """One company. `capital` is in whole units of `currency` (ISO 4217)."""

    code: str
    name: str
    division: Division
    trade: Trade
    registration_number: str
    legal_representative: Person
    established: date
    capital: int
    currency: str
    employees: int

    @property
    def organisation_code(self) -> str:
        """The 9-character organisation code that the credit code holds."""
        return self.code[8:17]

    @property
    def registered_with_business(self) -> bool:
        """Whether the market regulators registered it (authority 9), so that the business registry knows it."""
        return self.code[0] == "9"


@dataclass(frozen=True, slots=True)
class Holding:
    """A share in a company, in thousandths of its capital."""

    holder: Company | Person
    thousandths: int
    since: date


@dataclass(frozen=True, slots=True)
class Population:
    """All companies, the holders of each by its code, and the companies worth looking at by the key of their role.

    Every date was drawn relative to `today`, so that publicity periods run in whatever year it is.
    """

    seed: int
    today: date
    companies: tuple[Company, ...]
    holdings: Mapping[str, tuple[Holding, ...]]
    showcase: Mapping[str, Company]

    @property
    def ordinary(self) -> tuple[Company, ...]:
        """The companies without a role, about which agencies may know anything."""
        return self.companies[len(ROLES) :]

    @property
    def last_rated_year(self) -> int:
        """The latest year that every agency has rated: ratings come out by the end of the next June."""
        return (self.today - timedelta(days=180)).year - 1

    def cast(self, *keys: str) -> tuple[Company, ...]:
        """The companies that have these roles."""
        return tuple(self.showcase[key] for key in keys)


def populate(seed: int, today: date) -> Population:
    """The nation of this seed, the companies with a role first. The same arguments make the same nation."""
    companies = tuple(_companies(stream(seed, "companies"), today))
    showcase = {role.key: company for role, company in zip(ROLES, companies, strict=False)}
    known = [company for company in companies if company is not showcase["nobody"]]
    holdings = _holdings(stream(seed, "holdings"), known, today)
    return Population(seed, today, companies, holdings | _told_holdings(showcase), showcase)


def person(draw: Random) -> Person:
    """Another person who does not exist."""
    return Person(vocabulary.person_name(draw), identifiers.identity_number(draw))


def _companies(draw: Random, today: date) -> list[Company]:
    taken: set[str] = set()
    companies: list[Company] = []
    while len(companies) < COMPANIES:
        role = ROLES[len(companies)] if len(companies) < len(ROLES) else None
        company = _company(draw, today, len(companies), role)
        # Two of a name or an organisation code would be one company to an agency that is keyed by it.
        if taken.isdisjoint((company.name, company.organisation_code)):
            taken.update((company.name, company.organisation_code))
            companies.append(company)
    return companies


def _company(draw: Random, today: date, serial: int, role: Role | None) -> Company:
    if role is None:
        division = draw.choice(draw.choices(_DIVISIONS, _DIVISION_WEIGHTS)[0])
        pair = draw.choices(_PAIRS, _PAIR_WEIGHTS)[0]
    else:
        everywhere = (division for group in _DIVISIONS for division in group)
        division = draw.choice([division for division in everywhere if division.code.startswith(role.division)])
        pair = role.pair
    trade = draw.choice(vocabulary.TRADES)
    employees = int(draw.lognormvariate(3, 1.2)) + 1
    return Company(
        code=identifiers.credit_code(pair[0], pair[1], division.code, identifiers.organisation_code(draw)),
        name=f"{division.city[:-1]}{vocabulary.brand(draw)}{trade.word}{_SUFFIXES[pair]}",
        division=division,
        trade=trade,
        registration_number=identifiers.registration_number(division.code, serial),
        legal_representative=person(draw),
        established=today - timedelta(days=draw.randint(400, 9000)),
        capital=draw.choice((10, 50, 100, 300, 500, 1000, 3000, 5000)) * 10_000,
        currency="USD" if role is not None and role.key == "foreign_capital" else "CNY",
        employees=employees,
    )


def _holdings(draw: Random, companies: list[Company], today: date) -> dict[str, tuple[Holding, ...]]:
    holders = [company for company in companies if company.registered_with_business]
    return {
        company.code: tuple(_shares(draw, company, holders, today))
        for company in companies
        if company.registered_with_business
    }


def _shares(draw: Random, company: Company, holders: list[Company], today: date) -> list[Holding]:
    cuts = sorted(draw.sample(range(1, 1000), draw.choice((0, 1, 1, 2, 3))))
    shares: list[Holding] = []
    for thousandths in (end - start for start, end in zip([0, *cuts], [*cuts, 1000], strict=True)):
        holder = draw.choice(holders) if happens(draw, 30) else person(draw)
        since = company.established + timedelta(days=draw.randint(0, (today - company.established).days))
        if holder is not company:
            shares.append(Holding(holder, thousandths, since))
    return shares


def _told_holdings(showcase: Mapping[str, Company]) -> dict[str, tuple[Holding, ...]]:
    """The holdings that the roles speak of, all of them since the beginning."""

    def held(key: str, *holders: tuple[Company | Person, int]) -> tuple[str, tuple[Holding, ...]]:
        company = showcase[key]
        return company.code, tuple(Holding(holder, share, company.established) for holder, share in holders)

    founder = showcase["everything"].legal_representative
    return dict(
        [
            held("everything", (showcase["holder"], 600), (showcase["cross_held_a"], 250), (founder, 150)),
            held("cross_held_a", (showcase["cross_held_b"], 700), (showcase["foreign_capital"], 300)),
            held("cross_held_b", (showcase["cross_held_a"], 700), (showcase["holder"], 300)),
            held("half_known_holder", (showcase["rural_collective"], 1000)),
            held("duplicate", (showcase["clean"], 1000)),
        ]
    )
