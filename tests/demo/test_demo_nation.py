"""The invented country: lawful, repeatable, related, and like nobody."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from gateway.demo.nation import Company, Person, Population, populate
from gateway.demo.showcase import ROLES
from gateway.demo.supervisor import _AGENCIES
from schema.credit_code import CreditCode
from schema.legacy_id import is_registration_number


def written(population: Population, directory: Path, *only: str) -> dict[str, bytes]:
    """What the agencies know, by file: all of them, or only these."""
    for agency in (agency for agency in _AGENCIES if not only or agency.id in only):
        (directory / agency.id).mkdir(parents=True)
        agency.write(population, directory / agency.id)
    return contents(directory)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def people(population: Population) -> set[Person]:
    holders = {holding.holder for holdings in population.holdings.values() for holding in holdings}
    return {company.legal_representative for company in population.companies} | {
        holder for holder in holders if isinstance(holder, Person)
    }


def test_the_nation_has_at_least_five_thousand_companies_and_every_code_is_lawful(population: Population) -> None:
    codes = {CreditCode.parse(company.code) for company in population.companies}

    assert len(codes) == len(population.companies) >= 5000
    assert all(code.check_digit_valid and code.division_known for code in codes)
    assert {code.division[:2] for code in codes} >= {"33", "44", "11", "31", "51"}
    assert {code.authority for code in codes} >= {"9", "A", "N", "Y"}


def test_most_companies_are_in_zhejiang_and_guangdong(population: Population) -> None:
    provinces = [company.code[2:4] for company in population.companies]

    assert provinces.count("33") > provinces.count("44") > len(provinces) * 0.3


def test_registration_numbers_are_lawful_and_no_two_companies_share_an_identifier(population: Population) -> None:
    numbers = {company.registration_number for company in population.companies}

    assert all(map(is_registration_number, numbers))
    assert (
        len(numbers)
        == len({company.organisation_code for company in population.companies})
        == len(population.companies)
    )


def test_the_same_seed_and_day_make_the_same_bytes_and_another_seed_others(
    population: Population, tmp_path: Path
) -> None:
    first = written(population, tmp_path / "first")
    other = populate(population.seed + 1, population.today)

    assert first == written(populate(population.seed, population.today), tmp_path / "again")
    assert all(first[name] != content for name, content in written(other, tmp_path / "other").items())


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2027, 1, 1), date(2027, 7, 1), date(2031, 12, 31)])
def test_nothing_has_happened_after_today(tmp_path: Path, day: date) -> None:
    rated = f"{day.year + 1}-04"
    files = written(populate(3, day), tmp_path, "tax", "zhejiang-penalties", "environment")

    assert rated.encode() not in files["tax/nsr.json"]
    assert (
        max(re.findall(rb'"penaltyDate": "([0-9-]+)"', files["zhejiang-penalties/penalties.json"])) <= str(day).encode()
    )
    assert max(re.findall(rb'"PJRQ": "([0-8][0-9-]+)', files["tax/nsr.json"])) <= str(day).encode()
    assert max(re.findall(rb'"evaluatedAt": "([0-9-]+)', files["environment/evaluations.json"])) <= str(day).encode()


def test_shares_add_up_and_companies_hold_one_another(population: Population) -> None:
    holdings = population.holdings
    by_company = [holding for shares in holdings.values() for holding in shares if isinstance(holding.holder, Company)]

    assert all(sum(holding.thousandths for holding in shares) <= 1000 for shares in holdings.values())
    assert len(by_company) > 1000
    assert all(holding.holder.code != population.showcase["nobody"].code for holding in by_company)


def test_no_person_could_exist(population: Population) -> None:
    assert all(re.fullmatch(r"999999\d{4}0230\d{4}", person.identity_number) for person in people(population))
    assert all(re.match(r"子虚|乌有|亡是|无是|莫须", person.name) for person in people(population))


def test_company_names_say_that_they_are_invented(population: Population) -> None:
    assert all("虚构" in company.name for company in population.companies)


def test_every_role_has_its_company_in_the_division_that_it_names(population: Population) -> None:
    assert {role.key for role in ROLES} == population.showcase.keys()
    assert all(population.showcase[role.key].division.code.startswith(role.division) for role in ROLES)


def test_telephone_numbers_are_of_a_range_that_no_one_has(records: Path) -> None:
    files = contents(records)
    numbers = re.findall(rb"\b0\d{2,3}-\d+", files["registry/e_baseinfo.csv"] + files["customs/traders.csv"])

    assert len(numbers) > 5000
    assert all(re.fullmatch(rb"0\d{2,3}-0\d{7}", number) for number in numbers)
