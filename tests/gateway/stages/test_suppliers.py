"""Several suppliers of one record type: who is asked, and whose record is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import Coverage, Dataset, FailureCode, Outcome
from schema.credit_code import CreditCode

REGISTRATION = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { registration {
    status record { name source { agency { id } } } sources { agency { id } status } } } }"""


@pytest.fixture
def ask(make_world, datasets, codes) -> Callable[..., Any]:
    """The registration of a company that three agencies have, each under a name of its own."""

    async def ask(
        precedences: dict[str, int], *, without: str | None = None, more_rules: str = "", **world: Any
    ) -> dict[str, Any]:
        supplied: dict[str, Dataset] = {
            f"{agency}/Registration": replace(datasets.one(f"{agency}/Registration"), precedence=precedence)
            for agency, precedence in precedences.items()
        }
        rows = {
            (id_, codes.hangzhou): ({"name": f"as {one.agency} has it"},)
            for id_, one in supplied.items()
            if one.agency != without
        }
        made = make_world(rows, supplied, more_rules=more_rules, **world)
        answer = await made.ask(REGISTRATION, codes=[codes.hangzhou])
        return answer["data"]["enterprises"][0]["registration"]

    return ask


def shown(answer: dict[str, Any]) -> str:
    return answer["record"]["source"]["agency"]["id"]


async def test_of_a_single_record_the_supplier_of_the_lowest_number_is_shown_and_all_are_told(ask) -> None:
    answer = await ask({"court": 100, "registry": 10, "tax": 20})
    assert answer["record"] == {"name": "as registry has it", "source": {"agency": {"id": "registry"}}}
    assert answer["status"] == "COMPLETE"
    assert [(one["agency"]["id"], one["status"]) for one in answer["sources"]] == [
        ("registry", "ANSWERED"),
        ("tax", "ANSWERED"),
        ("court", "ANSWERED"),
    ]


async def test_of_equal_suppliers_the_first_by_id_is_shown(ask) -> None:
    assert shown(await ask({"tax": 100, "registry": 100})) == "registry"
    assert shown(await ask({"tax": 99, "registry": 100})) == "tax"


async def test_the_next_supplier_is_shown_where_the_first_has_nothing_or_fails(ask) -> None:
    nothing = await ask({"registry": 1, "tax": 2}, without="registry")
    assert (shown(nothing), nothing["status"]) == ("tax", "COMPLETE")
    failed = await ask({"registry": 1, "tax": 2}, failing={"registry/Registration": FailureCode.AGENCY_TIMEOUT})
    assert (shown(failed), failed["status"]) == ("tax", "PARTIAL")
    assert [one["status"] for one in failed["sources"]] == ["FAILED", "ANSWERED"]


async def test_the_next_supplier_is_shown_where_the_first_may_not_be_asked(ask) -> None:
    deny = "\n  - {id: no, deny: Registration, of: registry, to: any, for: any, given: any, note: n}\n"
    answer = await ask({"registry": 1, "tax": 2}, more_rules=deny)
    assert (shown(answer), answer["status"]) == ("tax", "PARTIAL")
    assert [one["status"] for one in answer["sources"]] == ["WITHHELD", "ANSWERED"]


COMPANY = "91330100TEXT00025M"


@pytest.mark.parametrize(
    ("coverage", "known"),
    [
        (Coverage(), True),
        (Coverage(registered=True), True),
        (Coverage(registered=True, divisions=frozenset({"33"})), True),
        (Coverage(registered=True, divisions=frozenset({"44", "3301"})), True),
        (Coverage(registered=True, divisions=frozenset({"3302"})), False),
        (Coverage(registered=True, authorities=frozenset({"9"})), True),
        (Coverage(registered=True, authorities=frozenset({"1", "5"})), False),
        (Coverage(registered=True, categories=frozenset({"91"})), True),
        (Coverage(registered=True, categories=frozenset({"93", "51"})), False),
        (Coverage(registered=True, divisions=frozenset({"33"}), categories=frozenset({"93"})), False),
        (Coverage(divisions=frozenset({"44"}), authorities=frozenset({"1"}), categories=frozenset({"51"})), True),
    ],
)
async def test_only_what_is_about_companies_registered_elsewhere_is_not_asked(
    make_world, datasets, coverage: Coverage, *, known: bool
) -> None:
    assert coverage.may_know(CreditCode(COMPANY)) is known
    world = make_world(
        datasets={"registry/Registration": replace(datasets.one("registry/Registration"), coverage=coverage)},
        outcomes={("registry/Registration", COMPANY): Outcome.ANSWERED},
    )
    answer = await world.ask(REGISTRATION, codes=[COMPANY])
    (source,) = answer["data"]["enterprises"][0]["registration"]["sources"]
    assert source["status"] == ("ANSWERED" if known else "NOT_ASKED")
    assert len(world.supply.requests) == known


def test_a_company_whose_division_nobody_knows_may_be_known_to_all() -> None:
    zone = CreditCode("91440171TEXT00025M")
    assert not zone.division_known
    assert Coverage(registered=True, divisions=frozenset({"33"})).may_know(zone)
    assert not Coverage(registered=True, divisions=frozenset({"33"}), authorities=frozenset({"1"})).may_know(zone)
