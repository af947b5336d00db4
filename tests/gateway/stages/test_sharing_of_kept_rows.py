"""Whose kept rows may serve whom: what the gateway tells the cache, at each of its levels, of the caller."""

from __future__ import annotations

from dataclasses import replace

from gateway.assembly import shared_datasets
from gateway.messages import Principal
from schema.records import catalogue

QUERY = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) {
  penalties { records { decidedOn } } taxArrears { records { balance { amount from to } } } } }"""


async def test_organisations_and_the_companies_themselves_share_no_kept_rows(make_world, codes, principals) -> None:
    other_bank = replace(principals.bank, organisation="second-bank")
    colleague = replace(principals.bank, subject="another officer")
    other_company = replace(principals.company, company=codes.ningbo)
    seen: dict[str, set[str]] = {}
    for name, principal in {
        "bank": principals.bank,
        "colleague": colleague,
        "other bank": other_bank,
        "inspector": principals.inspector,
        "company": principals.company,
        "other company": other_company,
    }.items():
        seen[name] = await partitions(make_world(), principal, codes)
    assert seen.pop("colleague") == seen["bank"]
    assert all(len(found) == 1 for found in seen.values())
    assert len(set().union(*seen.values())) == len(seen)


async def partitions(world, principal: Principal, codes) -> set[str]:
    await world.ask(QUERY, principal, codes=[codes.hangzhou])
    return {request.partition for request in world.supply.requests}


async def test_only_datasets_that_may_be_shared_are(make_world, codes, principals) -> None:
    world = make_world().provided(shared=frozenset({"zhejiang-penalties/Penalty"}))
    await world.ask(QUERY, principals.regulator, codes=[codes.hangzhou])
    shared = {request.dataset for request in world.supply.requests if not request.partition}
    assert shared == {"zhejiang-penalties/Penalty"}


def test_a_dataset_is_shared_where_its_manifest_says_so_or_all_of_it_is_public(datasets) -> None:
    penalties = datasets.one("zhejiang-penalties/Penalty")
    told = replace(penalties, shared=True)
    public = datasets.one("court/Penalty", fields=frozenset({"documentNumber"}))
    assert shared_datasets([penalties], catalogue()) == frozenset()
    assert shared_datasets([told, public], catalogue()) == {told.id, public.id}


async def test_each_question_says_for_whom_it_is_asked(make_world, codes, principals) -> None:
    world = make_world()
    await world.ask(QUERY, principals.bank, codes=[codes.hangzhou], purpose="credit.underwriting")
    askers = {request.asker for request in world.supply.requests}
    assert [(asker.organisation, asker.purpose) for asker in askers] == [
        (principals.bank.organisation, "credit.underwriting")
    ]
    assert all(asker.request_id for asker in askers)
