"""Links back to companies: nested, one call a level, bounded, and each company decided about for itself."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contract import KeyKind
from gateway.limits import Limits

SHAREHOLDERS, REGISTRATION, PENALTIES = "registry/Shareholder", "registry/Registration", "zhejiang-penalties/Penalty"
CLOSED = """
  - {id: closed, deny: Shareholder.holder, of: any, to: any, for: any, given: any, note: Closed.}
"""


def held_by(*codes: str) -> tuple[dict[str, Any], ...]:
    return tuple({"recordId": f"s{index}", "holder": code} for index, code in enumerate(codes))


def asked(world: Any, dataset: str) -> list[tuple[str, ...]]:
    return [tuple(sorted(request.codes)) for request in world.supply.requests if request.dataset == dataset]


async def test_each_level_is_one_call_a_dataset_over_all_parents_of_all_roots(make_world, codes) -> None:
    world = make_world(
        {
            (SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo, codes.shenzhen),
            (SHAREHOLDERS, codes.beijing): held_by(codes.shenzhen, codes.guangzhou),
            (SHAREHOLDERS, codes.shenzhen): held_by(codes.beijing),
        }
    )
    below = """shareholders { records { holder { creditCode
        shareholders { records { holder { penalties { status } } } } } } }"""
    answer = await world.ask(
        f"query ($a: CreditCode!, $b: CreditCode!) {{ a: enterprise(code: $a) {{ {below} }} b: enterprise(code: $b)"
        f" {{ {below} }} }}",
        a=codes.hangzhou,
        b=codes.beijing,
    )
    held = [record["holder"] for record in answer["data"]["a"]["shareholders"]["records"]]
    assert sorted(holder["creditCode"] for holder in held) == sorted([codes.ningbo, codes.shenzhen])
    (shenzhen,) = [holder for holder in held if holder["creditCode"] == codes.shenzhen]
    assert shenzhen["shareholders"]["records"] == [{"holder": {"penalties": {"status": "COMPLETE"}}}]
    assert asked(world, SHAREHOLDERS) == [
        tuple(sorted([codes.hangzhou, codes.beijing])),
        tuple(sorted([codes.ningbo, codes.shenzhen, codes.guangzhou])),
    ]
    assert asked(world, PENALTIES) == [(codes.beijing,)]


async def test_only_the_holders_on_the_page_are_followed(make_world, codes) -> None:
    world = make_world({(SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo, codes.shenzhen, codes.guangzhou)})
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) {
            shareholders(first: 2) { hasMore records { holder { creditCode penalties { status } } } } } }""",
        c=codes.hangzhou,
    )
    page = answer["data"]["enterprise"]["shareholders"]
    shown = sorted(record["holder"]["creditCode"] for record in page["records"])
    assert (len(shown), page["hasMore"]) == (2, True)
    assert asked(world, PENALTIES) == [tuple(shown)]


async def test_how_deep_links_are_followed_is_bounded_before_anybody_is_asked(make_world, codes) -> None:
    below = "creditCode"
    for _ in range(4):
        below = f"shareholders {{ records {{ holder {{ {below} }} }} }}"
    world = make_world(limits=Limits(depth=12))
    answer = await world.ask(f"query ($c: CreditCode!) {{ enterprise(code: $c) {{ {below} }} }}", c=codes.hangzhou)
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert world.supply.requests == []


async def test_companies_that_hold_each_other_are_followed_as_deep_as_was_asked_and_asked_about_once_a_level(
    make_world, codes
) -> None:
    world = make_world(
        {
            (SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo),
            (SHAREHOLDERS, codes.ningbo): held_by(codes.hangzhou),
        }
    )
    below = "creditCode"
    for _ in range(3):
        below = f"shareholders {{ records {{ holder {{ {below} }} }} }}"
    answer = await world.ask(f"query ($c: CreditCode!) {{ enterprise(code: $c) {{ {below} }} }}", c=codes.hangzhou)
    found = answer["data"]["enterprise"]
    for _ in range(3):
        (record,) = found["shareholders"]["records"]
        found = record["holder"]
    assert found == {"creditCode": codes.ningbo}
    assert asked(world, SHAREHOLDERS) == [(codes.hangzhou,), (codes.ningbo,), (codes.hangzhou,)]


async def test_holders_are_split_by_the_basis_that_holds_for_each_when_their_codes_arrive(
    make_world, codes, principals
) -> None:
    world = make_world(
        {
            (SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo, codes.shenzhen),
            **{(REGISTRATION, code): ({"telephone": "010-00000000"},) for code in (codes.ningbo, codes.shenzhen)},
        }
    )
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { shareholders { records { holder { creditCode
            registration { record { telephone } access { coordinate reason } } } } } } }""",
        principals.regulator,
        purpose="supervision.inspection",
        c=codes.hangzhou,
    )
    holders = [record["holder"] for record in answer["data"]["enterprise"]["shareholders"]["records"]]
    found = {holder["creditCode"]: holder["registration"] for holder in holders}
    # One is in the regulator's own province, the other is not.
    assert found[codes.ningbo] == {"record": {"telephone": "010-00000000"}, "access": []}
    assert found[codes.shenzhen] == {
        "record": {"telephone": None},
        "access": [{"coordinate": "Registration.telephone", "reason": "NEEDS_JURISDICTION"}],
    }
    columns = {request.codes: request.columns for request in world.supply.requests if request.dataset == REGISTRATION}
    assert "telephone" in columns[codes.ningbo,]
    assert "telephone" not in columns[codes.shenzhen,]


async def test_a_link_that_may_not_be_followed_leads_nowhere(make_world, codes) -> None:
    world = make_world({(SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo)}, more_rules=CLOSED)
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { shareholders { records { recordId holder {
            penalties { status } } } } } }""",
        c=codes.hangzhou,
    )
    assert answer["data"]["enterprise"]["shareholders"]["records"] == [{"recordId": "s0", "holder": None}]
    assert asked(world, PENALTIES) == []
    assert "holder" not in world.supply.columns(SHAREHOLDERS)


@pytest.mark.parametrize("kind", [KeyKind.CREDIT_CODE, KeyKind.REGISTRATION_NUMBER])
async def test_holders_are_asked_about_by_their_own_numbers_where_an_agency_knows_these(
    make_world, datasets, codes, kind: KeyKind
) -> None:
    number = "330100000000011"
    key = number if kind is KeyKind.REGISTRATION_NUMBER else codes.ningbo
    crosswalk, court = "registry/LegacyIdentifiers", "court/JudgmentDefault"
    world = make_world(
        {
            (SHAREHOLDERS, codes.hangzhou): held_by(codes.ningbo),
            (crosswalk, codes.ningbo): ({"registrationNumber": number},),
            (court, key): ({"recordId": "j1", "caseNumber": "7"},),
        },
        datasets={
            **datasets.all,
            crosswalk: datasets.one(crosswalk, fields=frozenset({"registrationNumber"})),
            court: datasets.one(court, key=kind),
        },
    )
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { shareholders { records { holder {
            judgmentDefaults { records { caseNumber } } } } } } }""",
        c=codes.hangzhou,
    )
    (record,) = answer["data"]["enterprise"]["shareholders"]["records"]
    assert record["holder"]["judgmentDefaults"]["records"] == [{"caseNumber": "7"}]
    assert asked(world, crosswalk) == ([(codes.ningbo,)] if kind is KeyKind.REGISTRATION_NUMBER else [])
