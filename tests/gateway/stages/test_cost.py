"""What a request costs the agencies, reckoned before they are asked, and held to its budget while they are."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import KeyKind
from gateway.limits import Limits
from gateway.messages import Received
from gateway.settings import CostSettings
from gateway.stages.cost import Price, tariff
from tests.gateway.stages.conftest import BANK, HANGZHOU, NINGBO, SHENZHEN, World, dataset

PENALTIES = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { penalties { status } } }"
HOLDERS = """
query ($codes: [CreditCode!]!, $first: Int = 100) {
  enterprises(codes: $codes) {
    shareholders(first: $first) {
      status
      records { holder { creditCode penalties { status records { recordId } sources { status failure { code } } } } }
    }
  }
}
"""


def priced(world: World, **settings: Any) -> World:
    costs = tariff(CostSettings(**settings), world.supply.datasets)
    return world.provided(tariff=costs)


async def cost(world: World, query: str, **variables: Any) -> dict[str, Any]:
    answer = await priced(world, told="always").ask(query, **variables)
    told: dict[str, Any] = answer["extensions"]["cost"]
    return told


@given(st.integers(1, 5_000), st.integers(1, 500), st.floats(0, 10))
def test_a_call_costs_one_and_each_company_in_it_one_more(companies: int, batch: int, weight: float) -> None:
    assert Price(weight, batch).of(companies) == weight * (ceil(companies / batch) + companies)


async def test_the_estimate_at_the_companies_asked_for_is_what_is_asked(make_world, datasets, codes) -> None:
    of_all = {**datasets.all, "zhejiang-penalties/Penalty": dataset("zhejiang-penalties/Penalty", batch=2)}
    given_ = [codes.hangzhou, codes.ningbo, codes.shenzhen]
    told = await cost(make_world(datasets=of_all), PENALTIES, codes=given_)
    # Zhejiang: two calls and three companies; Guangdong: one call and three companies.
    assert (told["estimate"], told["actual"]) == (2 + 3 + 1 + 3, 9)


async def test_neither_aliases_nor_duplicates_cost_twice_and_filters_cost_nothing(make_world, codes) -> None:
    many = " ".join(
        f'a{n}: enterprise(code: "{codes.hangzhou}") {{ p{n}: penalties(decidedFrom: "2020-01-0{n}") {{ status }} }}'
        for n in range(1, 9)
    )
    one = f'{{ enterprise(code: "{codes.hangzhou}") {{ penalties {{ status }} }} }}'
    assert (await cost(make_world(), f"{{ {many} }}"))["actual"] == (await cost(make_world(), one))["actual"]
    twice = await cost(make_world(), PENALTIES, codes=[codes.hangzhou] * 2)
    assert twice["actual"] == (await cost(make_world(), one))["actual"]


async def test_what_is_withheld_costs_nothing(make_world, codes, principals) -> None:
    rule = "\n  - {id: guard, deny: Penalty, of: any, to: anonymous, for: any, given: any, note: Guarded.}\n"
    query = f'{{ enterprise(code: "{codes.hangzhou}") {{ penalties {{ status }} }} }}'
    answer = await priced(make_world(more_rules=rule), told="always").ask(query, principals.anybody)
    assert answer["data"]["enterprise"]["penalties"]["status"] == "WITHHELD"
    assert answer["extensions"]["cost"]["estimate"] == 0


@pytest.mark.parametrize("first", [1, 5, 100])
async def test_behind_a_link_there_may_be_as_many_companies_as_the_list_may_have_records(
    make_world, codes, first: int
) -> None:
    told = await cost(make_world(), HOLDERS, codes=[codes.hangzhou, codes.ningbo], first=first)
    shareholders, beyond = 1 + 2, Price(1, 200).of(2 * first) * 2
    assert (told["estimate"], told["actual"]) == (shareholders + beyond, shareholders)


async def test_no_more_companies_are_reckoned_than_a_request_may_have(make_world, codes) -> None:
    world = make_world(limits=Limits(companies=150))
    told = await cost(world, HOLDERS, codes=[codes.hangzhou, codes.ningbo])
    assert told["estimate"] == 3 + 2 * Price(1, 200).of(150)


async def test_what_costs_more_than_the_budget_is_refused_with_both_and_nobody_is_asked(make_world, codes) -> None:
    world = priced(make_world(), budget=100)
    answer = await world.ask(HOLDERS, codes=[codes.hangzhou])
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "COST_EXCEEDED", "cost": {"estimate": 204, "budget": 100}}
    assert "data" not in answer
    assert world.supply.requests == []
    assert [(line["outcome"], line["code"]) for line in world.audit.lines] == [("REFUSED", "COST_EXCEEDED")]
    assert "data" in await world.ask(HOLDERS, codes=[codes.hangzhou], first=10)


async def test_an_organisation_may_have_a_budget_of_its_own(make_world, codes, principals) -> None:
    world = priced(make_world(), budget=100, budgets={"first-bank": 1_000})
    assert "data" in await world.ask(HOLDERS, principals.bank, codes=[codes.hangzhou])
    assert "data" not in await world.ask(HOLDERS, principals.anybody, codes=[codes.hangzhou])


async def test_weights_are_of_datasets_or_else_of_agencies(make_world, codes) -> None:
    query = f'{{ enterprise(code: "{codes.hangzhou}") {{ penalties {{ status }} registration {{ status }} }} }}'
    weights = {"zhejiang-penalties": 3, "zhejiang-penalties/Penalty": 5, "guangdong-penalties": 7}
    answer = await priced(make_world(), told="always", weights=weights).ask(query)
    assert answer["extensions"]["cost"]["actual"] == 2 * (5 + 7 + 1)


def linked_world(make_world: Any) -> World:
    """A world in which one company leads to another, whose penalties two agencies know."""
    rows = {
        ("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "holder": NINGBO},),
        ("registry/Shareholder", SHENZHEN): ({"recordId": "s2", "holder": NINGBO},),
    }
    world: World = make_world(rows)
    return world


async def test_a_level_that_the_budget_does_not_cover_is_a_limit_and_the_answer_partial(make_world, codes) -> None:
    world = priced(linked_world(make_world), budget=100, told="always")
    bill = world.gateway.editions.current.provision.tariff.bill("first-bank")
    # More to ask behind the link than was reckoned: as if its companies had opened further datasets.
    bill.begin = lambda *_: setattr(bill, "actual", 98.0)  # type: ignore[method-assign]
    world = world.provided(tariff=FixedBill(bill))
    answer = await world.ask(HOLDERS, codes=[codes.hangzhou])
    (holder,) = answer["data"]["enterprises"][0]["shareholders"]["records"]
    penalties = holder["holder"]["penalties"]
    assert {source["failure"]["code"] for source in penalties["sources"]} == {"LIMIT"}
    assert penalties["status"] == "UNAVAILABLE"
    assert penalties["records"] is None
    assert "LIMIT" in {error["extensions"]["code"] for error in answer["errors"]}
    assert {request.dataset for request in world.supply.requests} == {"registry/Shareholder"}
    assert world.audit.lines[-1]["companies"] == [HANGZHOU]


class FixedBill:
    """A tariff that always gives the same bill."""

    told = True

    def __init__(self, bill: Any) -> None:
        self._bill = bill

    def bill(self, _organisation: str) -> Any:
        return self._bill


async def test_a_level_that_it_covers_is_asked_for(make_world, codes) -> None:
    world = priced(linked_world(make_world), budget=1_000, told="always")
    answer = await world.ask(HOLDERS, codes=[codes.hangzhou])
    (holder,) = answer["data"]["enterprises"][0]["shareholders"]["records"]
    assert holder["holder"]["penalties"]["status"] == "COMPLETE"
    assert answer["extensions"]["cost"]["actual"] == 2 + 2 * 2
    assert world.audit.lines[-1]["companies"] == sorted([HANGZHOU, NINGBO])


@pytest.mark.parametrize(
    ("asked", "told", "there"), [(False, "asked", False), (True, "asked", True), (False, "always", True)]
)
async def test_the_cost_is_told_where_asked_for_or_always(
    make_world, codes, *, asked: bool, told: str, there: bool
) -> None:
    world = priced(make_world(), told=told)
    received = Received(
        "r", PENALTIES, None, {"codes": [codes.hangzhou]}, BANK, None, (), 1e9, read_only=False, tell_cost=asked
    )
    answer = (await world.gateway.answer(received)).body
    assert (b'"cost":{"estimate":' in answer) is there


LOOKED_UP = (
    """{ enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: "330100000000011") { judgmentDefaults { status } } }"""
)


def looking(make_world, datasets, codes) -> World:
    by_number, crosswalk = "registry/CompanyByRegistrationNumber", "registry/LegacyIdentifiers"
    court, number = "court/JudgmentDefault", KeyKind.REGISTRATION_NUMBER
    return make_world(
        {
            (by_number, "330100000000011"): ({"creditCode": codes.hangzhou},),
            (crosswalk, codes.hangzhou): ({"registrationNumber": "330100000000011"},),
        },
        datasets={
            **datasets.all,
            by_number: dataset(by_number, fields=frozenset({"creditCode"}), key=number),
            crosswalk: dataset(crosswalk, fields=frozenset({"registrationNumber"})),
            court: dataset(court, key=number),
        },
    )


async def test_lookups_and_crosswalks_cost_as_all_calls_do(make_world, datasets, codes) -> None:
    world = looking(make_world, datasets, codes)
    told = await cost(world, LOOKED_UP)
    assert len(world.supply.requests) == 3
    assert (told["estimate"], told["actual"]) == (6, 6)


@pytest.mark.parametrize(("budget", "asked"), [(1, 0), (5, 1), (6, 3)])
async def test_a_lookup_that_the_budget_does_not_cover_is_not_asked_nor_what_it_leads_to(
    make_world, datasets, codes, budget: float, asked: int
) -> None:
    world = priced(looking(make_world, datasets, codes), budget=budget)
    answer = await world.ask(LOOKED_UP)
    assert len(world.supply.requests) == asked
    assert ("data" in answer) == (asked == 3)
    assert world.audit.lines[0]["outcome"] == ("ANSWERED" if asked == 3 else "ASKED")
