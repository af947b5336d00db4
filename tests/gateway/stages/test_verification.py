"""Verifications: whether what the caller says of a company is so, and nothing else of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome

DATASET = "registry/Registration"
PURPOSE = "credit.underwriting"
VERIFY = """query ($code: CreditCode!, $name: String, $person: String) {
    verifyEnterprise(code: $code, name: $name, legalRepresentative: $person) {
        status creditCode name legalRepresentative sources { agency { id } status failure { code } }
        access { coordinate decision reason } } }"""


@pytest.fixture
def registered(make_world, codes):
    def make(*rows: dict[str, Any], **supply: Any) -> Any:
        usual = {"name": "杭州若木（集团）有限公司", "legalRepresentative": "阿依·古丽"}
        return make_world({(DATASET, codes.hangzhou): rows or (usual,)}, **supply)

    return make


def told(answer: dict[str, Any]) -> tuple[str, str, str | None, str | None]:
    found = answer["data"]["verifyEnterprise"]
    return found["status"], found["creditCode"], found["name"], found["legalRepresentative"]


async def test_each_element_is_compared_by_the_names_that_say_the_same(registered, codes) -> None:
    world = registered()
    answer = await world.ask(
        VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="杭州若木(集团)有限公司", person="阿依•古丽"
    )
    assert told(answer) == ("COMPLETE", "MATCH", "MATCH", "MATCH")
    wrong = await world.ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="杭州若木有限公司", person="阿依")
    assert told(wrong) == ("COMPLETE", "MATCH", "MISMATCH", "MISMATCH")


async def test_a_name_that_may_be_read_only_masked_is_verified_and_never_shown(registered, codes) -> None:
    world = registered()
    answer = await world.ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, person="某某")
    assert told(answer) == ("COMPLETE", "MATCH", None, "MISMATCH")
    assert "古丽" not in str(answer)
    assert answer["data"]["verifyEnterprise"]["access"] == []
    read = await world.ask(
        "query ($code: CreditCode!) { enterprise(code: $code) { registration { record { legalRepresentative } } } }",
        purpose=PURPOSE,
        code=codes.hangzhou,
    )
    assert "古丽" not in str(read)


async def test_only_what_was_given_is_asked_for(registered, codes) -> None:
    world = registered()
    query = "query ($code: CreditCode!) { verifyEnterprise(code: $code, name: %s) { name legalRepresentative } }"
    answer = await world.ask(query % '"若木"', purpose=PURPOSE, code=codes.hangzhou)
    assert answer["data"]["verifyEnterprise"] == {"name": "MISMATCH", "legalRepresentative": None}
    assert "name" in world.supply.columns(DATASET)
    assert "legalRepresentative" not in world.supply.columns(DATASET)


async def test_whoever_may_not_verify_learns_nothing_and_asks_nobody(registered, codes, principals) -> None:
    world = registered()
    answer = await world.ask(VERIFY, principals.anybody, code=codes.hangzhou, name="若木", person="某某")
    assert told(answer) == ("WITHHELD", "UNKNOWN", "UNKNOWN", "UNKNOWN")
    assert [entry["coordinate"] for entry in answer["data"]["verifyEnterprise"]["access"]] == ["Verification"]
    assert world.supply.requests == []


async def test_an_element_that_may_not_be_verified_is_unknown_and_not_asked_for(registered, codes) -> None:
    rule = """
  - {id: closed, deny: Verification.legalRepresentative, of: any, to: any, for: any, given: any, note: Closed.}
"""
    world = registered(more_rules=rule)
    answer = await world.ask(
        VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="杭州若木(集团)有限公司", person="阿依·古丽"
    )
    assert told(answer) == ("COMPLETE", "MATCH", "MATCH", "UNKNOWN")
    access = [(one["coordinate"], one["decision"]) for one in answer["data"]["verifyEnterprise"]["access"]]
    assert access == [("Verification.legalRepresentative", "WITHHELD")]
    assert "legalRepresentative" not in world.supply.columns(DATASET)


async def test_an_element_that_is_only_to_be_seen_masked_cannot_be_guessed(registered, codes, principals) -> None:
    rule = """
  - {id: rows, allow: Verification, of: any, to: tax.inspector, for: any, given: any, note: Rows.}
  - id: vague
    allow: Verification.name
    of: any
    to: tax.inspector
    for: any
    given: any
    masked: redact
    note: Vague.
"""
    answer = await registered(more_rules=rule).ask(
        VERIFY, principals.inspector, code=codes.hangzhou, name="杭州若木(集团)有限公司"
    )
    assert told(answer) == ("COMPLETE", "MATCH", "UNKNOWN", None)
    access = {one["coordinate"]: one["decision"] for one in answer["data"]["verifyEnterprise"]["access"]}
    assert access == {"Verification.name": "MASKED", "Verification.legalRepresentative": "WITHHELD"}


@pytest.mark.parametrize(
    ("supply", "expected"),
    [
        ({"failing": {DATASET: FailureCode.AGENCY_TIMEOUT}}, ("UNAVAILABLE", "UNKNOWN", "UNKNOWN", "UNKNOWN")),
        ({"outcomes": {(DATASET, "code"): Outcome.UNKNOWN_COMPANY}}, ("PARTIAL", "MISMATCH", "UNKNOWN", "UNKNOWN")),
        ({"outcomes": {(DATASET, "code"): Outcome.INCOMPLETE}}, ("PARTIAL", "UNKNOWN", "UNKNOWN", "UNKNOWN")),
        ({}, ("COMPLETE", "MISMATCH", "UNKNOWN", "UNKNOWN")),
    ],
)
async def test_an_outage_is_unknown_and_never_a_mismatch(
    make_world, codes, supply: dict[str, Any], expected: tuple[str, ...]
) -> None:
    outcomes = {(dataset, codes.shenzhen): one for (dataset, _), one in supply.get("outcomes", {}).items()}
    world = make_world(**{**supply, "outcomes": outcomes})
    answer = await world.ask(VERIFY, purpose=PURPOSE, code=codes.shenzhen, name="若木", person="某某")
    assert told(answer) == expected


async def test_what_the_registration_does_not_say_is_unknown(registered, codes) -> None:
    world = registered({"name": "若木"})
    answer = await world.ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="若木", person="某某")
    assert told(answer) == ("COMPLETE", "MATCH", "MATCH", "UNKNOWN")


async def test_a_registration_that_is_no_longer_public_is_not_compared_with(registered, codes) -> None:
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
    world = registered({"name": "若木", "publishedUntil": yesterday})
    answer = await world.ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="若木")
    assert told(answer) == ("COMPLETE", "MISMATCH", "UNKNOWN", None)


async def test_a_code_with_a_mistake_is_no_companys_and_the_error_says_why(registered) -> None:
    world = registered()
    answer = await world.ask(VERIFY, purpose=PURPOSE, code="91330100TEXT00025X", name="若木")
    assert told(answer) == ("COMPLETE", "MISMATCH", "UNKNOWN", None)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "CODE_INVALID"
    assert world.supply.requests == []


async def test_many_verifications_are_one_call_and_share_it_with_what_is_read(registered, codes) -> None:
    world = registered()
    answer = await world.ask(
        """query ($a: CreditCode!, $b: CreditCode!) {
            a: verifyEnterprise(code: $a, name: "若木") { name }
            b: verifyEnterprise(code: $b, name: "若木") { name __typename }
            enterprise(code: $a) { registration { record { name } } } }""",
        purpose=PURPOSE,
        a=codes.hangzhou,
        b=codes.ningbo,
    )
    assert answer["data"]["a"] == {"name": "MISMATCH"}
    assert answer["data"]["b"] == {"name": "UNKNOWN", "__typename": "Verification"}
    assert answer["data"]["enterprise"]["registration"]["record"] == {"name": "杭州若木（集团）有限公司"}
    assert {code for request in world.supply.requests for code in request.codes} == {codes.hangzhou, codes.ningbo}
    assert len(world.supply.requests) == len({request.columns for request in world.supply.requests})


@pytest.mark.parametrize("name", ["", "  ", "若" * 201])
async def test_what_is_no_name_is_refused(registered, codes, name: str) -> None:
    answer = await registered().ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, name=name)
    assert answer["errors"][0]["extensions"]["code"] == "ARGUMENT_INVALID"


async def test_the_audit_keeps_what_was_decided_about_the_verification(registered, codes) -> None:
    world = registered()
    await world.ask(VERIFY, purpose=PURPOSE, code=codes.hangzhou, name="若木某某", person="某某")
    (line,) = world.audit.lines
    assert line["companies"] == [codes.hangzhou]
    decided = {decision["coordinate"]: decision["rule"] for decision in line["classes"][0]["decisions"]}
    assert decided.keys() == {"Verification", "Verification.name", "Verification.legalRepresentative"}
    assert set(decided.values()) == {"bank-verification"}
    assert "若木" not in str(line)
