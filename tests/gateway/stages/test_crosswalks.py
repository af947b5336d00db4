"""Agencies that know companies by registration or tax numbers, which crosswalks tell."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest
from stdnum.iso7064 import mod_11_10

from connectors.contract import Coverage, FailureCode, FetchRequest, KeyKind, Outcome

CROSSWALK, OLD, TAX = "registry/LegacyIdentifiers", "court/JudgmentDefault", "tax/TaxCredit"
JUDGMENTS = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { judgmentDefaults {
    status sources { status failure { code } asOf notOlderThan } records { recordId } } } }"""
RECENT = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)


def number(serial: int) -> str:
    body = f"3301000000{serial:04d}"
    return body + mod_11_10.calc_check_digit(body)


def judgment(id_: str) -> dict[str, Any]:
    return {"recordId": id_, "publishedFrom": RECENT, "objection": False}


@pytest.fixture
def old_world(make_world, datasets, codes):
    """A court that knows companies by registration number; Hangzhou's is 1, Ningbo's 2, Shenzhen has none."""

    def make(
        told: dict[str, tuple[str, ...]] | None = None, *, crosswalk: Coverage | None = None, **supply: Any
    ) -> Any:
        told = {codes.hangzhou: (number(1),), codes.ningbo: (number(2),)} if told is None else told
        rows = {
            (CROSSWALK, code): tuple({"registrationNumber": each} for each in numbers) for code, numbers in told.items()
        }
        rows |= {(OLD, number(serial)): (judgment(f"j{serial}"),) for serial in (1, 2, 3)}
        known = {
            **datasets.all,
            CROSSWALK: datasets.one(CROSSWALK, fields=frozenset({"registrationNumber"}), coverage=crosswalk),
            OLD: datasets.one(OLD, key=KeyKind.REGISTRATION_NUMBER),
        }
        return make_world(rows, datasets=known, **supply)

    return make


def told(answer: dict[str, Any]) -> list[tuple[str, list[str] | None]]:
    """Each company's status and records."""
    found = [one["judgmentDefaults"] for one in answer["data"]["enterprises"]]
    return [(one["status"], one["records"] and [record["recordId"] for record in one["records"]]) for one in found]


async def test_the_crosswalk_is_asked_once_for_all_and_the_dataset_by_what_it_told(old_world, codes) -> None:
    world = old_world()
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou, codes.ningbo, codes.hangzhou])
    assert told(answer) == [("COMPLETE", ["j1"]), ("COMPLETE", ["j2"]), ("COMPLETE", ["j1"])]
    assert [(request.dataset, request.codes) for request in world.supply.requests] == [
        (CROSSWALK, (codes.hangzhou, codes.ningbo)),
        (OLD, (number(1), number(2))),
    ]
    assert world.supply.columns(CROSSWALK) == {"registrationNumber"}


async def test_datasets_that_know_credit_codes_do_not_wait_for_the_crosswalk(old_world, codes) -> None:
    world, asked = old_world(), asyncio.Event()
    fetch = world.supply.fetch

    async def held(request: FetchRequest) -> Any:
        if request.dataset == CROSSWALK:
            await asked.wait()
        if request.dataset == "zhejiang-penalties/Penalty":
            asked.set()
        return await fetch(request)

    world.supply.fetch = held
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { judgmentDefaults { status }"
    async with asyncio.timeout(10):
        answer = await world.ask(f"{query} penalties {{ status }} }} }}", codes=[codes.hangzhou])
    assert answer["data"]["enterprises"][0]["judgmentDefaults"]["status"] == "COMPLETE"


async def test_a_company_without_a_number_is_unknown_to_the_agency_which_is_not_asked(old_world, codes) -> None:
    world = old_world()
    answer = await world.ask(JUDGMENTS, codes=[codes.shenzhen])
    assert told(answer) == [("PARTIAL", None)]
    assert answer["data"]["enterprises"][0]["judgmentDefaults"]["sources"][0]["status"] == "UNKNOWN_COMPANY"
    assert [request.dataset for request in world.supply.requests] == [CROSSWALK]


async def test_where_the_crosswalk_fails_so_does_the_dataset(old_world, codes) -> None:
    world = old_world(failing={CROSSWALK: FailureCode.AGENCY_TIMEOUT})
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou])
    assert told(answer) == [("UNAVAILABLE", None)]
    source = answer["data"]["enterprises"][0]["judgmentDefaults"]["sources"][0]
    assert (source["status"], source["failure"]) == ("FAILED", {"code": "AGENCY_TIMEOUT"})
    (error,) = answer["errors"]
    assert (error["extensions"]["dataset"], error["extensions"]["code"]) == (OLD, "AGENCY_TIMEOUT")
    assert [request.dataset for request in world.supply.requests] == [CROSSWALK]


async def test_a_number_that_two_companies_have_is_dropped_from_both(old_world, codes) -> None:
    world = old_world({codes.hangzhou: (number(1),), codes.ningbo: (number(1),), codes.shenzhen: (number(3),)})
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou, codes.ningbo, codes.shenzhen])
    assert told(answer) == [("PARTIAL", None), ("PARTIAL", None), ("COMPLETE", ["j3"])]
    assert {one["judgmentDefaults"]["sources"][0]["status"] for one in answer["data"]["enterprises"][:2]} == {
        "INCOMPLETE"
    }
    assert world.supply.requests[-1].codes == (number(3),)


async def test_two_companies_with_one_number_are_told_apart_wherever_they_stand_in_the_query(old_world, codes) -> None:
    world = old_world({codes.hangzhou: (number(1),), codes.ningbo: (number(1),)})
    answer = await world.ask(
        """query ($a: CreditCode!, $b: CreditCode!) {
            a: enterprise(code: $a) { judgmentDefaults { records { recordId } } }
            b: enterprise(code: $b) { judgmentDefaults { records { recordId recordUrl } } } }""",
        a=codes.hangzhou,
        b=codes.ningbo,
    )
    assert [answer["data"][key]["judgmentDefaults"]["records"] for key in "ab"] == [None, None]


@pytest.mark.parametrize("wrong", ["330100000000000", "12", "91330100TEXT00025M"])
async def test_a_number_that_cannot_be_right_is_never_asked_for_and_makes_the_answer_incomplete(
    old_world, codes, wrong: str
) -> None:
    world = old_world({codes.hangzhou: (wrong, number(1)), codes.ningbo: (wrong,)})
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou, codes.ningbo])
    assert told(answer) == [("PARTIAL", ["j1"]), ("PARTIAL", None)]
    assert world.supply.requests[-1].codes == (number(1),)


async def test_a_company_that_changed_its_number_has_the_records_of_both(old_world, codes) -> None:
    world = old_world({codes.hangzhou: (number(1), number(3))})
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou])
    assert [(status, set(records)) for status, records in told(answer)] == [("COMPLETE", {"j1", "j3"})]


async def test_a_crosswalk_that_is_not_whole_leaves_the_answer_incomplete(old_world, codes) -> None:
    outcomes = {(CROSSWALK, codes.hangzhou): Outcome.INCOMPLETE, (CROSSWALK, codes.shenzhen): Outcome.INCOMPLETE}
    world = old_world(outcomes=outcomes)
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou, codes.shenzhen])
    assert told(answer) == [("PARTIAL", ["j1"]), ("PARTIAL", None)]


async def test_a_company_that_no_crosswalk_covers_is_never_taken_for_unknown(old_world, codes) -> None:
    world = old_world(crosswalk=Coverage(registered=True, divisions=frozenset({"33"})))
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou, codes.shenzhen])
    assert told(answer) == [("COMPLETE", ["j1"]), ("PARTIAL", None)]
    assert answer["data"]["enterprises"][1]["judgmentDefaults"]["sources"][0]["status"] == "INCOMPLETE"
    assert world.supply.requests[0].codes == (codes.hangzhou,)


async def test_what_may_not_be_seen_is_not_looked_up_either(old_world, codes) -> None:
    world = old_world(
        more_rules="""
  - {id: closed, deny: [JudgmentDefault, JudgmentDefault.*], of: any, to: any, for: any, given: any, note: Closed.}
"""
    )
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou])
    assert told(answer) == [("WITHHELD", None)]
    assert world.supply.requests == []


async def test_an_answer_is_as_old_as_the_crosswalk_that_led_to_it(old_world, codes) -> None:
    world = old_world()
    said, moment = world.supply.said, dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    def older(dataset: str, code: str) -> Any:
        rows = said(dataset, code)
        return type(rows)(rows.outcome, rows.rows, rows.as_of, moment) if dataset == CROSSWALK else rows

    world.supply.said = older
    answer = await world.ask(JUDGMENTS, codes=[codes.hangzhou])
    source = answer["data"]["enterprises"][0]["judgmentDefaults"]["sources"][0]
    assert (source["asOf"], source["notOlderThan"]) == ("2026-11-01T08:00:00+00:00", "2020-01-01T00:00:00+00:00")


async def test_registration_and_tax_numbers_come_from_one_question_to_one_crosswalk(
    make_world, datasets, codes
) -> None:
    tax_number = "330100MA0000018"
    world = make_world(
        {
            (CROSSWALK, codes.hangzhou): ({"registrationNumber": number(1), "taxNumber": tax_number},),
            (OLD, number(1)): (judgment("j1"),),
            (TAX, tax_number): ({"recordId": "t1", "year": 2025},),
        },
        datasets={
            **datasets.all,
            CROSSWALK: datasets.one(CROSSWALK, fields=frozenset({"registrationNumber", "taxNumber"})),
            OLD: datasets.one(OLD, key=KeyKind.REGISTRATION_NUMBER),
            TAX: datasets.one(TAX, key=KeyKind.TAX_NUMBER),
        },
    )
    answer = await world.ask(
        """query ($code: CreditCode!) { enterprise(code: $code) {
            judgmentDefaults { records { recordId } } taxCredits { records { recordId } } } }""",
        code=codes.hangzhou,
    )
    company = answer["data"]["enterprise"]
    assert [company[key]["records"][0]["recordId"] for key in ("judgmentDefaults", "taxCredits")] == ["j1", "t1"]
    assert [(one.dataset, one.codes) for one in world.supply.requests] == [
        (CROSSWALK, (codes.hangzhou,)),
        (OLD, (number(1),)),
        (TAX, (tax_number,)),
    ]
