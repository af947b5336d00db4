"""Each manifest against its live agency: every canonical field filled, every kind of dirt read or owned up to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio

from connectors.company_rows import values
from connectors.contract import CompanyKey, CompanyRows, FailureCode, FetchRequest, Outcome, Row, Supply
from connectors.manifest import Manifest
from connectors.manifest_file import load_manifests
from connectors.settings import SupplySettings
from connectors.supply import open_supply
from gateway.assembly import record_shapes
from gateway.demo.nation import Person, Population
from gateway.demo.supervisor import Nation, running_nation
from schema.company_key import LegacyId, LegacyIdKind, SearchName
from schema.credit_code import CreditCode
from schema.records import catalogue
from schema.values import Code, Count, DateSpan, Money
from tests.connectors.redis_server import RedisServer
from tests.connectors.support import LOOPBACK

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one supply serves all tests: its connections keep to one loop

MANIFESTS: Final = Path(__file__).parents[2] / "connectors" / "agencies"
SHAPES: Final = record_shapes(catalogue())
DATASETS: Final = (
    "registry/Registration",
    "registry/RegistrationChange",
    "registry/Shareholder",
    "registry/AbnormalListing",
    "court/JudgmentDefault",
    "tax/TaxCredit",
    "tax/TaxArrears",
    "tax/TaxPayment",
    "customs/CustomsStanding",
    "environment/EnvironmentCredit",
    "zhejiang-penalties/Penalty",
    "guangdong-penalties/Penalty",
)
OTHERWISE_KEYED: Final = ("registry/SpotCheck", "registry/CompanyByRegistrationNumber", "registry/CompanySearch")
CROSSWALK: Final = "registry/LegacyIdentifiers"


@pytest.fixture(scope="session")
def manifests() -> Sequence[Manifest]:
    return tuple(load_manifests(MANIFESTS, SHAPES).values())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def supply(nation: Nation, manifests: Sequence[Manifest]) -> AsyncIterator[Supply]:
    opened = await open_supply(manifests, SHAPES, SupplySettings(nation.environment, reach=LOOPBACK))
    yield opened
    await opened.close()


async def ask(
    supply: Supply, dataset: str, *codes: str, filters: Mapping[str, date] | None = None
) -> Mapping[CompanyKey, CompanyRows]:
    return await ask_by(supply, dataset, *map(CreditCode.parse, codes), filters=filters)


async def ask_by(
    supply: Supply, dataset: str, *parsed: CompanyKey, filters: Mapping[str, date] | None = None
) -> Mapping[CompanyKey, CompanyRows]:
    deadline = asyncio.get_running_loop().time() + 20
    columns = supply.datasets[dataset].fields
    return await supply.fetch(FetchRequest(dataset, parsed, columns, filters or {}, "test", deadline))


async def ask_one(supply: Supply, dataset: str, code: str) -> CompanyRows:
    (answer,) = (await ask(supply, dataset, code)).values()
    return answer


def contents(answer: CompanyRows) -> list[Row]:
    return sorted(answer.rows, key=lambda row: str(row["recordId"]))


async def test_the_seven_manifests_supply_these_datasets(supply: Supply) -> None:
    assert {*DATASETS, *OTHERWISE_KEYED, CROSSWALK} == supply.datasets.keys()


@pytest.mark.parametrize("key", ["everything", "full_width"])
async def test_the_crosswalk_leads_to_a_companys_number_and_back(supply: Supply, nation: Nation, key: str) -> None:
    code = CreditCode.parse(nation.showcase[key])
    ((told,),) = values((await ask(supply, CROSSWALK, code))[code], ["registrationNumber"])
    number = LegacyId.parse(LegacyIdKind.REGISTRATION_NUMBER, str(told))
    back = (await ask_by(supply, "registry/CompanyByRegistrationNumber", number))[number]
    # Where the registry wrote the number in full width, it does not find it in half width.
    assert values(back, ["creditCode"]) == ([(code,)] if key == "everything" else [])
    checks = (await ask_by(supply, "registry/SpotCheck", number))[number]
    assert (checks.outcome, checks.unmapped, bool(checks.rows)) == (Outcome.ANSWERED, 0, key == "everything")


async def test_the_registry_is_searched_by_a_part_of_a_name(supply: Supply, population: Population) -> None:
    company = population.showcase["everything"]
    part = SearchName.parse(company.name[2:8])
    found = (await ask_by(supply, "registry/CompanySearch", part))[part]
    assert (company.code, company.name) in values(found, ["creditCode", "name"])
    assert all(part in str(name) for (name,) in values(found, ["name"]))


@pytest.mark.parametrize("dataset", DATASETS)
async def test_the_showcase_company_has_every_dataset_without_a_value_lost(
    supply: Supply, nation: Nation, dataset: str
) -> None:
    answer = await ask_one(supply, dataset, nation.showcase["everything"])

    assert (answer.outcome, answer.unmapped) == (Outcome.ANSWERED, 0)
    assert answer.rows
    assert all(row.keys() == supply.datasets[dataset].fields for row in answer.rows)


@pytest.mark.parametrize("dataset", [name for name in DATASETS if not name.endswith("penalties/Penalty")])
async def test_agencies_that_date_their_data_are_believed(supply: Supply, nation: Nation, dataset: str) -> None:
    answer = await ask_one(supply, dataset, nation.showcase["everything"])

    assert answer.as_of is not None
    assert answer.as_of.utcoffset() is not None


async def test_some_value_fills_every_field_of_every_dataset(supply: Supply, nation: Nation) -> None:
    for dataset in DATASETS:
        rows = [row for answer in (await ask(supply, dataset, *nation.codes[:250])).values() for row in answer.rows]
        empty = {name for name in supply.datasets[dataset].fields if all(row[name] is None for row in rows)}
        # Nobody is taken off the court's list, so it never says until when.
        assert empty == ({"publishedUntil"} if dataset == "court/JudgmentDefault" else set()), dataset


async def test_hundreds_of_companies_are_answered_but_for_those_whose_dirt_cannot_be_read(
    supply: Supply, nation: Nation
) -> None:
    role = {code: key for key, code in nation.showcase.items()}
    odd = set()
    for dataset in DATASETS:
        for code, answer in (await ask(supply, dataset, *nation.codes)).items():
            if answer.outcome is not Outcome.ANSWERED:
                odd.add((dataset, role.get(code, "ordinary"), answer.outcome))

    tax = ("tax/TaxCredit", "tax/TaxArrears", "tax/TaxPayment")
    assert {entry for entry in odd if entry[1] != "ordinary"} == {
        ("registry/Shareholder", "half_known_holder", Outcome.INCOMPLETE),
        ("registry/Registration", "rural_collective", Outcome.UNKNOWN_COMPANY),
        ("guangdong-penalties/Penalty", "unreadable", Outcome.INCOMPLETE),
        *((dataset, "unknown_to_tax", Outcome.UNKNOWN_COMPANY) for dataset in tax),
        *((dataset, "tax_in_migration", Outcome.FAILED) for dataset in tax),
    }
    assert {entry for entry in odd if entry[1] == "ordinary"} == {
        (dataset, "ordinary", Outcome.UNKNOWN_COMPANY) for dataset in tax
    }


async def test_the_registry_tells_what_the_company_is(supply: Supply, population: Population) -> None:
    company = population.showcase["everything"]
    (row,) = (await ask_one(supply, "registry/Registration", company.code)).rows

    assert row["name"] == company.name
    assert row["legalRepresentative"] == company.legal_representative.name
    assert row["legalRepresentativeId"] == company.legal_representative.identity_number
    assert row["status"] == Code("active", "存续（在营、开业、在册）")
    assert row["establishedOn"] == company.established
    assert row["registeredCapital"] == Money(Decimal(company.capital))
    assert row["industry"] == Code(company.trade.industry)
    assert row["employees"] == Count(company.employees)
    assert row["registrationNumber"] == company.registration_number


async def test_shareholders_link_to_companies_by_credit_code(supply: Supply, population: Population) -> None:
    company = population.showcase["everything"]
    answer = await ask_one(supply, "registry/Shareholder", company.code)
    expected = [
        (
            holding.holder.name,
            None if isinstance(holding.holder, Person) else holding.holder.code,
            Decimal(holding.thousandths) / 10,
            DateSpan(holding.since),
            Money(Decimal(company.capital * holding.thousandths // 1000)),
        )
        for holding in population.holdings[company.code]
    ]

    assert expected == [
        tuple(row[name] for name in ("name", "holder", "share", "heldSince", "subscribedCapital"))
        for row in sorted(answer.rows, key=lambda row: str(row["recordId"]))
    ]


async def test_money_is_the_same_sum_from_yuan_and_from_ten_thousands(supply: Supply, nation: Nation) -> None:
    code = nation.showcase["everything"]
    zhejiang = await ask_one(supply, "zhejiang-penalties/Penalty", code)
    guangdong = await ask_one(supply, "guangdong-penalties/Penalty", code)

    assert {row["amount"] for row in (*zhejiang.rows, *guangdong.rows)} == {Money(Decimal(20_000))}
    assert {row["severity"] for row in guangdong.rows} == {Code("serious", "严重")}


async def test_arrears_counted_in_fen_are_in_yuan_with_two_places(supply: Supply, nation: Nation) -> None:
    (row, *_) = (await ask_one(supply, "tax/TaxArrears", nation.showcase["everything"])).rows

    assert isinstance(row["balance"], Money)
    assert row["balance"].amount is not None
    assert 5_000 <= row["balance"].amount < 8_000_000
    assert row["taxKind"] == Code("value-added", "增值税")


@pytest.mark.parametrize("role", ["lower_case", "full_width", "organisation_code"])
@pytest.mark.parametrize("dataset", ["court/JudgmentDefault", "customs/CustomsStanding"])
async def test_a_company_is_found_however_its_code_was_typed(
    supply: Supply, nation: Nation, dataset: str, role: str
) -> None:
    answer = await ask_one(supply, dataset, nation.showcase[role])

    assert answer.outcome is Outcome.ANSWERED
    assert answer.rows


@pytest.mark.parametrize(
    ("dataset", "role"),
    [
        ("registry/Registration", "lower_case"),
        ("registry/Shareholder", "lower_case"),
        ("guangdong-penalties/Penalty", "lower_case"),
        ("guangdong-penalties/Penalty", "full_width"),
    ],
)
async def test_other_agencies_typing_is_read_too(supply: Supply, nation: Nation, dataset: str, role: str) -> None:
    assert (await ask_one(supply, dataset, nation.showcase[role])).rows


async def test_full_width_dates_and_numbers_are_read(supply: Supply, population: Population) -> None:
    company = population.showcase["full_width"]
    (registration,) = (await ask_one(supply, "registry/Registration", company.code)).rows
    credits_ = (await ask_one(supply, "tax/TaxCredit", company.code)).rows
    (penalty,) = (await ask_one(supply, "guangdong-penalties/Penalty", company.code)).rows

    assert registration["establishedOn"] == company.established
    assert registration["employees"] == Count(company.employees)
    assert {row["year"] for row in credits_} == {population.last_rated_year - back for back in range(3)}
    assert penalty["decidedOn"] == population.today - timedelta(days=80)
    assert penalty["amount"] == Money(Decimal(20_000))


@pytest.mark.parametrize(
    ("dataset", "empty"),
    [
        ("registry/Registration", {"establishedOn", "validUntil", "telephone", "paidInCapital", "employees"}),
        ("court/JudgmentDefault", {"amountDue", "basisDocument", "publishedUntil"}),
        ("tax/TaxCredit", {"ratedOn", "internalRiskScore"}),
        ("tax/TaxPayment", {"declaredOn", "revenue"}),
        ("customs/CustomsStanding", {"registeredOn", "validUntil", "contactTelephone"}),
        ("environment/EnvironmentCredit", {"ratedOn", "complaints"}),
        ("zhejiang-penalties/Penalty", {"repairedOn", "legalBasis"}),
    ],
)
async def test_words_and_dates_that_mean_none_are_none_and_lose_nothing(
    supply: Supply, nation: Nation, dataset: str, empty: set[str]
) -> None:
    answer = await ask_one(supply, dataset, nation.showcase["no_dates"])

    assert (answer.outcome, answer.unmapped) == (Outcome.ANSWERED, 0)
    assert all({name for name, value in row.items() if value is None} == empty for row in answer.rows)


@pytest.mark.parametrize("dataset", ["zhejiang-penalties/Penalty", "customs/CustomsStanding", "registry/Shareholder"])
async def test_a_row_that_is_there_twice_is_one_record(supply: Supply, nation: Nation, dataset: str) -> None:
    answer = await ask_one(supply, dataset, nation.showcase["duplicate"])

    assert (answer.outcome, len(answer.rows)) == (Outcome.ANSWERED, 1)


async def test_a_date_that_is_no_date_is_counted_not_dropped(supply: Supply, nation: Nation) -> None:
    answer = await ask_one(supply, "guangdong-penalties/Penalty", nation.showcase["unreadable"])

    assert (answer.outcome, answer.unmapped, len(answer.rows)) == (Outcome.INCOMPLETE, 1, 2)


async def test_an_organisation_code_names_no_holder(supply: Supply, nation: Nation) -> None:
    answer = await ask_one(supply, "registry/Shareholder", nation.showcase["half_known_holder"])

    assert (answer.outcome, answer.unmapped) == (Outcome.INCOMPLETE, 1)
    assert [row["holder"] for row in answer.rows] == [None]


async def test_an_error_inside_a_200_is_a_failure_and_not_an_empty_answer(supply: Supply, nation: Nation) -> None:
    answer = await ask_one(supply, "tax/TaxArrears", nation.showcase["tax_in_migration"])

    assert (answer.outcome, answer.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


async def test_capital_keeps_its_currency(supply: Supply, population: Population) -> None:
    company = population.showcase["foreign_capital"]
    (row,) = (await ask_one(supply, "registry/Registration", company.code)).rows

    assert row["registeredCapital"] == Money(Decimal(company.capital), "USD")


async def test_a_moment_in_utc_counts_on_its_day_in_china(supply: Supply, nation: Nation) -> None:
    rows = (await ask_one(supply, "environment/EnvironmentCredit", nation.showcase["everything"])).rows

    assert all(isinstance(row["ratedOn"], date) and row["ratedOn"].month == 6 for row in rows)


async def test_every_page_of_guangdong_is_read(supply: Supply, nation: Nation) -> None:
    answer = await ask_one(supply, "guangdong-penalties/Penalty", nation.showcase["many_penalties"])

    assert (answer.outcome, len(answer.rows)) == (Outcome.ANSWERED, 230)


async def test_zhejiang_narrows_by_date_itself(supply: Supply, nation: Nation) -> None:
    code = nation.showcase["over_age"]
    answers = await ask(supply, "zhejiang-penalties/Penalty", code, filters={"decidedFrom": date(2026, 1, 1)})

    assert [answer.rows for answer in answers.values()] == [()]


@pytest.mark.parametrize(
    ("role", "zhejiang", "guangdong"),
    [("fined_elsewhere", 1, 0), ("over_age", 1, 0), ("repaired", 0, 1), ("clean", 0, 0)],
)
async def test_the_companies_worth_looking_at_have_the_penalties_that_they_are_there_for(
    supply: Supply, nation: Nation, role: str, zhejiang: int, guangdong: int
) -> None:
    code = nation.showcase[role]

    assert len((await ask_one(supply, "zhejiang-penalties/Penalty", code)).rows) == zhejiang
    assert len((await ask_one(supply, "guangdong-penalties/Penalty", code)).rows) == guangdong


async def test_nobody_is_unknown_to_those_who_keep_registers_and_has_nothing_elsewhere(
    supply: Supply, nation: Nation
) -> None:
    outcomes = {dataset: await ask_one(supply, dataset, nation.showcase["nobody"]) for dataset in DATASETS}

    assert all(not answer.rows for answer in outcomes.values())
    assert {name for name, answer in outcomes.items() if answer.outcome is Outcome.UNKNOWN_COMPANY} == {
        "registry/Registration",
        "tax/TaxCredit",
        "tax/TaxArrears",
        "tax/TaxPayment",
    }


@pytest.mark.parametrize(
    ("dataset", "path", "calls"),
    [
        ("court/JudgmentDefault", "/api/sxbzxr/cx", 1),
        ("tax/TaxCredit", "/sjjk/xydj", 100),
        ("environment/EnvironmentCredit", "/graphql", 1),
        ("zhejiang-penalties/Penalty", "/openapi/v2/penalties", 2),
    ],
)
async def test_a_hundred_companies_cost_the_calls_that_the_manifest_allows(
    manifests: Sequence[Manifest], nation: Nation, dataset: str, path: str, calls: int
) -> None:
    # With nothing in its cache.
    supply = await open_supply(manifests, SHAPES, SupplySettings(nation.environment, reach=LOOPBACK))
    log_address = urljoin(nation.agencies[dataset.partition("/")[0]], "/requests")
    async with httpx.AsyncClient(trust_env=False) as client:
        before = (await client.get(log_address)).json()["counts"].get(path, 0)
        await ask(supply, dataset, *nation.codes[100:200])
        after = (await client.get(log_address)).json()["counts"][path]
    await supply.close()

    assert after - before == calls


async def test_what_every_dataset_says_is_the_same_from_the_cache_s_second_level(
    manifests: Sequence[Manifest], nation: Nation
) -> None:
    redis = RedisServer()
    redis.start()
    settings = SupplySettings(nation.environment, second_level=redis.level(), reach=LOOPBACK)
    codes = nation.codes[:60]
    said = []
    for _ in range(2):
        supply = await open_supply(manifests, SHAPES, settings)
        said.append({dataset: dict(map(undated, (await ask(supply, dataset, *codes)).items())) for dataset in DATASETS})
        outcomes = [answer[0] for answers in said[0].values() for answer in answers.values()]
        kept = sum(outcome in {Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY} for outcome in outcomes)
        await redis.holds(kept)
        level = supply._cache._second
        await supply.close()
    assert level.counts.found == kept > 6 * len(codes)
    assert said[1] == said[0]
    await redis.close()


def undated(answer: tuple[CreditCode, CompanyRows]) -> tuple[CreditCode, object]:
    """All of it but when it was asked."""
    code, rows = answer
    return code, (rows.outcome, rows.rows, rows.as_of, rows.failure, rows.unmapped, rows.unreadable)


async def test_the_registry_says_the_same_from_postgresql(
    tmp_path: Path, supply: Supply, manifests: Sequence[Manifest], population: Population, postgres_url: str
) -> None:
    (tmp_path / "nation").mkdir()
    async with running_nation(tmp_path / "nation", population.seed, postgres_url, population.today) as nation:
        other = await open_supply(manifests, SHAPES, SupplySettings(nation.environment, reach=LOOPBACK))
        for dataset in DATASETS[:4]:
            for role in ("everything", "lower_case", "no_dates", "full_width", "foreign_capital"):
                code = nation.showcase[role]
                assert contents(await ask_one(other, dataset, code)) == contents(await ask_one(supply, dataset, code))
        await other.close()
