"""Whoever tries credit codes, identifiers or names one after the other learns no more than one question tells, and pays
for each try, whatever comes of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stdnum.iso7064 import mod_11_10

from connectors.contract import KeyKind, Outcome
from gateway.errors import CompaniesExceededError, VerificationsExceededError
from gateway.quotas.contract import Counters
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.quotas import Quotas
from gateway.settings import QuotaSettings
from tests.gateway.quotas.conftest import counters, redis
from tests.gateway.stages.conftest import (
    BANK,
    BEIJING,
    DATASETS,
    GUANGZHOU,
    HANGZHOU,
    NINGBO,
    REGULATOR,
    SHENZHEN,
    World,
    build_world,
    dataset,
)

__all__ = ["counters", "redis"]

BY_NUMBER, SEARCH, REGISTRATION = (
    "registry/CompanyByRegistrationNumber",
    "registry/CompanySearch",
    "registry/Registration",
)
FINDING = {
    BY_NUMBER: dataset(BY_NUMBER, key=KeyKind.REGISTRATION_NUMBER, fields=frozenset({"creditCode"})),
    SEARCH: dataset(SEARCH, key=KeyKind.NAME, fields=frozenset({"creditCode", "name", "division"})),
}
KNOWN, UNKNOWN = (body + mod_11_10.calc_check_digit(body) for body in ("33010000000001", "33010000000002"))
ROWS = {
    (BY_NUMBER, KNOWN): ({"creditCode": HANGZHOU},),
    (SEARCH, "若木"): ({"creditCode": HANGZHOU, "name": "若木有限公司", "division": "330100"},),
    (REGISTRATION, HANGZHOU): ({"recordId": "r", "name": "若木有限公司", "legalRepresentative": "阿依·古丽"},),
}
ONE = "query ($code: CreditCode!) { enterprise(code: $code) { creditCode identity { checkDigitValid } %s } }"
BY_ID = "query ($id: String!) { enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $id) { creditCode } }"
BY_NAME = "query ($name: String!) { findEnterprises(name: $name) { name } }"
VERIFY = """query ($code: CreditCode!, $person: String) {
    verifyEnterprise(code: $code, legalRepresentative: $person) { legalRepresentative } }"""
PURPOSE = "credit.underwriting"


def bounded(counters: Counters | None = None, more_rules: str = "", **settings: Any) -> World:
    outcomes = {(id_, NINGBO): Outcome.UNKNOWN_COMPANY for id_ in DATASETS}
    world = build_world(ROWS, datasets={**DATASETS, **FINDING}, outcomes=outcomes, more_rules=more_rules)
    quotas = Quotas(QuotaSettings.model_validate(settings), counters or MemoryCounters())
    return replace(world, gateway=replace(world.gateway, quotas=quotas))


async def tried(world: World, query: str, **variables: Any) -> Any:
    """The answer's data, or the error's code where the quota is used up."""
    try:
        return (await world.ask(query, purpose=PURPOSE, **variables))["data"]
    except (CompaniesExceededError, VerificationsExceededError) as error:
        return error.code
    finally:
        world.supply.requests.clear()


# --- Credit codes -----------------------------------------------------------------------------------------------------


async def test_a_code_that_nobody_has_is_answered_like_one_that_somebody_has_where_nothing_may_be_seen() -> None:
    """Whether there is such a company is told by those alone who may be asked about it."""
    rule = "\n  - {id: guard, deny: Registration, of: any, to: any, for: any, given: any, note: Guarded.}\n"
    told = set()
    for code in (HANGZHOU, NINGBO, SHENZHEN):
        world = bounded(more_rules=rule)
        answer = await world.ask(ONE % "registration { status sources { status asOf } record { name } }", code=code)
        told.add(str(answer["data"]["enterprise"]).replace(code, "CODE"))
        assert world.supply.requests == []
    assert len(told) == 1


async def test_the_answer_to_a_code_with_a_mistake_comes_from_arithmetic_alone() -> None:
    """Whether a check character is right anybody can reckon out; no agency is asked, so that nothing else is told."""
    world = bounded()
    for code in (HANGZHOU[:-1] + "A", NINGBO[:-1] + "A", BEIJING[:-1] + "0"):
        answer = await world.ask(ONE % "penalties { status }", code=code)
        assert (answer["data"]["enterprise"] is None) == ("errors" in answer)
        if "errors" in answer:
            assert answer["errors"][0]["extensions"]["code"] == "CODE_INVALID"
            assert world.supply.requests == []


async def test_codes_that_nobody_has_use_up_the_quota_like_others(counters) -> None:
    world = bounded(counters, organisation={"companies": 2})
    query = ONE % "registration { status }"
    assert [await tried(world, query, code=code) == "COMPANIES_EXCEEDED" for code in (NINGBO, SHENZHEN)] == [False] * 2
    assert [await tried(world, query, code=code) for code in (HANGZHOU, GUANGZHOU)] == ["COMPANIES_EXCEEDED"] * 2


async def test_codes_with_a_mistake_cost_no_company_and_ask_nobody() -> None:
    world = bounded(organisation={"companies": 1})
    for last in "0123456789":
        await world.ask(
            "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode } }", codes=[last * 18]
        )
    assert world.supply.requests == []
    assert await tried(world, ONE % "penalties { status }", code=HANGZHOU) != "COMPANIES_EXCEEDED"


# --- Identifiers and names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "name", "there", "not_there"),
    [(BY_ID, "id", KNOWN, UNKNOWN), (BY_NAME, "name", "若木", "建木")],
    ids=["identifiers", "names"],
)
async def test_once_the_quota_is_used_up_nobody_learns_what_exists(
    counters, query: str, name: str, there: str, not_there: str
) -> None:
    world = bounded(counters, organisation={"companies": 1})
    await tried(world, ONE % "penalties { status }", code=BEIJING)
    for value in (there, not_there):
        with pytest.raises(CompaniesExceededError):
            await world.ask(query, **{name: value})
        assert world.supply.requests == []
        assert world.audit.lines[-1]["companies"] == [BEIJING]  # the edge writes the line of a refusal by its status


async def test_identifiers_that_lead_nowhere_use_up_the_quota_and_the_same_one_once(counters) -> None:
    world = bounded(counters, organisation={"companies": 1})
    assert [await tried(world, BY_ID, id=UNKNOWN) for _ in range(3)] == [{"enterpriseByLegacyId": None}] * 3
    assert await tried(world, BY_NAME, name="建木") == "COMPANIES_EXCEEDED"


# --- Verification -----------------------------------------------------------------------------------------------------


async def test_a_name_cannot_be_found_out_by_verifying_one_after_the_other(counters) -> None:
    world = bounded(counters, verifications=3)
    guesses = ["甲", "乙", "丙", "丁", "阿依·古丽", "甲"]
    told = [await tried(world, VERIFY, code=HANGZHOU, person=guess) for guess in guesses]
    mismatch = {"verifyEnterprise": {"legalRepresentative": "MISMATCH"}}
    assert told == [mismatch] * 3 + ["VERIFICATIONS_EXCEEDED"] * 2 + [mismatch]


async def test_guesses_count_whoever_of_an_organisation_makes_them_and_however_they_come(counters) -> None:
    world = bounded(counters, verifications=3)
    aliases = " ".join(f'a{n}: verifyEnterprise(code: "{HANGZHOU}", name: "{n}") {{ name }}' for n in range(4))
    with pytest.raises(VerificationsExceededError):
        await world.ask(f"{{ {aliases} }}", purpose=PURPOSE)
    assert world.supply.requests == []
    await tried(world, VERIFY, code=HANGZHOU, person="甲")
    await world.ask(VERIFY, replace(BANK, subject="colleague"), purpose=PURPOSE, code=HANGZHOU, person="乙")
    assert (
        await tried(
            world, f'{{ verifyEnterprise(code: "{HANGZHOU}", name: "丙", legalRepresentative: "丁") {{ name }} }}'
        )
        == "VERIFICATIONS_EXCEEDED"
    )


async def test_other_companies_other_organisations_and_the_same_value_are_not_held_up() -> None:
    world = bounded(verifications=1)
    for code in (HANGZHOU, NINGBO, SHENZHEN):
        for person in ("阿依·古丽", " 阿依•古丽 "):
            assert await tried(world, VERIFY, code=code, person=person) != "VERIFICATIONS_EXCEEDED"
    answer = await world.ask(VERIFY, REGULATOR, purpose="supervision.inspection", code=HANGZHOU, person="甲")
    assert "data" in answer
