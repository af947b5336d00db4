"""Companies found by legacy identifiers and by names: who is asked, what is told, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from stdnum.iso7064 import mod_11_10

from connectors.contract import FailureCode, KeyKind, Outcome

BY_NUMBER, BY_CODE = "registry/CompanyByRegistrationNumber", "registry/CompanyByOrganisationCode"
TAX_BY_NUMBER = "tax/CompanyByRegistrationNumber"
SEARCH, OTHER_SEARCH = "registry/CompanySearch", "tax/CompanySearch"
BODY = "33010000000001"
NUMBER = BODY + mod_11_10.calc_check_digit(BODY)
ONE = """query ($id: String!, $kind: LegacyIdKind = REGISTRATION_NUMBER) {
    enterpriseByLegacyId(kind: $kind, id: $id) { creditCode penalties { status } } }"""
FIND = """query ($name: String!, $division: String, $first: Int = 10) {
    findEnterprises(name: $name, division: $division, first: $first) {
        enterprise { creditCode penalties { status } } name division source { agency { id } asOf } } }"""


@pytest.fixture
def finding(make_world, datasets):
    """A world in which these datasets say this, by key."""

    def make(said: dict[str, dict[str, Any]], *, fields: frozenset[str] | None = None, **supply: Any) -> Any:
        kinds = {
            BY_NUMBER: KeyKind.REGISTRATION_NUMBER,
            TAX_BY_NUMBER: KeyKind.REGISTRATION_NUMBER,
            BY_CODE: KeyKind.ORGANISATION_CODE,
        }
        search = frozenset({"creditCode", "name", "division"})
        known = {
            id_: datasets.one(
                id_,
                key=kinds.get(id_, KeyKind.NAME),
                fields=frozenset({"creditCode"}) if id_ in kinds else fields or search,
            )
            for id_ in said
        }
        rows = {(id_, key): found for id_, by_key in said.items() for key, found in by_key.items()}
        return make_world(rows, datasets=datasets.all | known, **supply)

    return make


def row(code: str, **fields: str) -> dict[str, str]:
    return {"creditCode": code, **fields}


def looked_up(world: Any) -> list[tuple[str, tuple[str, ...], frozenset[str]]]:
    """What was asked before any company was known."""
    lookups = [request for request in world.supply.requests if "Company" in request.dataset]
    return [(request.dataset, request.codes, request.columns) for request in lookups]


# --- By legacy identifier ---------------------------------------------------------------------------------------------


async def test_a_company_is_found_by_its_number_and_answered_about_like_any_other(finding, codes) -> None:
    world = finding({BY_NUMBER: {NUMBER: (row(codes.hangzhou),)}})
    answer = await world.ask(ONE, id=f" {NUMBER[:6]} {NUMBER[6:]}")
    found = answer["data"]["enterpriseByLegacyId"]
    assert found == {"creditCode": codes.hangzhou, "penalties": {"status": "COMPLETE"}}
    assert "errors" not in answer
    assert looked_up(world) == [(BY_NUMBER, (NUMBER,), {"creditCode"})]


async def test_several_roots_ask_each_agency_once(finding, codes) -> None:
    body = "33010000000002"
    other = body + mod_11_10.calc_check_digit(body)
    world = finding({BY_NUMBER: {NUMBER: (row(codes.hangzhou),), other: (row(codes.ningbo),)}})
    answer = await world.ask(
        """query ($a: String!, $b: String!) {
            a: enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $a) { creditCode }
            b: enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $b) { creditCode }
            c: enterpriseByLegacyId(kind: REGISTRATION_NUMBER, id: $a) { creditCode } }""",
        a=NUMBER,
        b=other,
    )
    assert [answer["data"][key]["creditCode"] for key in "abc"] == [codes.hangzhou, codes.ningbo, codes.hangzhou]
    assert looked_up(world) == [(BY_NUMBER, (NUMBER, other), {"creditCode"})]


async def test_an_identifier_with_a_mistake_is_null_with_its_code_and_nobody_is_asked(finding) -> None:
    world = finding({BY_NUMBER: {}})
    answer = await world.ask(ONE, id="330100000000000")
    assert answer["data"] == {"enterpriseByLegacyId": None}
    (error,) = answer["errors"]
    assert error["path"] == ["enterpriseByLegacyId"]
    assert error["extensions"] == {"code": "ID_INVALID", "mistake": "CHECK_CHARACTER"}
    assert world.supply.requests == []


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.UNKNOWN_COMPANY])
async def test_a_number_that_nobody_has_is_null_and_no_error(finding, outcome: Outcome) -> None:
    world = finding({BY_NUMBER: {}}, outcomes={(BY_NUMBER, NUMBER): outcome})
    answer = await world.ask(ONE, id=NUMBER)
    assert answer["data"] == {"enterpriseByLegacyId": None}
    assert "errors" not in answer


async def test_null_because_the_crosswalk_cannot_be_asked_is_an_error(finding) -> None:
    world = finding({BY_NUMBER: {}}, failing={BY_NUMBER: FailureCode.AGENCY_TIMEOUT})
    answer = await world.ask(ONE, id=NUMBER)
    (error,) = answer["errors"]
    assert answer["data"] == {"enterpriseByLegacyId": None}
    assert error["path"] == ["enterpriseByLegacyId"]
    assert error["extensions"] == {"code": "AGENCY_TIMEOUT", "agency": "registry", "dataset": BY_NUMBER}


async def test_one_agency_that_knows_is_enough_though_another_fails(finding, codes) -> None:
    world = finding(
        {BY_NUMBER: {}, TAX_BY_NUMBER: {NUMBER: (row(codes.ningbo),)}},
        failing={BY_NUMBER: FailureCode.AGENCY_UNAVAILABLE},
    )
    answer = await world.ask(ONE, id=NUMBER)
    assert answer["data"]["enterpriseByLegacyId"]["creditCode"] == codes.ningbo
    assert "errors" not in answer


async def test_an_answer_that_is_not_whole_and_names_nobody_is_an_error(finding) -> None:
    world = finding({BY_NUMBER: {}}, outcomes={(BY_NUMBER, NUMBER): Outcome.INCOMPLETE})
    (error,) = (await world.ask(ONE, id=NUMBER))["errors"]
    assert error["extensions"]["code"] == "AGENCY_BAD_RESPONSE"


async def test_a_number_of_two_companies_is_neithers(finding, codes) -> None:
    world = finding({BY_NUMBER: {NUMBER: (row(codes.hangzhou),)}, TAX_BY_NUMBER: {NUMBER: (row(codes.ningbo),)}})
    answer = await world.ask(ONE, id=NUMBER)
    assert answer["data"] == {"enterpriseByLegacyId": None}
    assert answer["errors"][0]["extensions"] == {"code": "ID_AMBIGUOUS"}


async def test_a_kind_of_identifier_that_no_agency_tells_is_an_error(finding) -> None:
    answer = await finding({BY_NUMBER: {}}).ask(ONE, id="330106MA000001X", kind="TAX_NUMBER")
    assert answer["errors"][0]["extensions"] == {"code": "LOOKUP_UNSUPPORTED"}


CLOSED = """
  - {id: closed, deny: %s, of: registry, to: any, for: any, given: any, note: Closed.}
"""


@pytest.mark.parametrize("coordinate", ["EnterpriseByLegacyId", "EnterpriseByLegacyId.registrationNumber"])
async def test_whoever_may_not_look_up_a_number_is_told_so_and_nobody_is_asked(finding, codes, coordinate: str) -> None:
    world = finding(
        {BY_NUMBER: {NUMBER: (row(codes.hangzhou),)}, BY_CODE: {codes.hangzhou[8:17]: (row(codes.hangzhou),)}},
        more_rules=CLOSED % coordinate,
    )
    answer = await world.ask(ONE, id=NUMBER)
    assert answer["data"] == {"enterpriseByLegacyId": None}
    assert answer["errors"][0]["extensions"] == {
        "code": "LOOKUP_WITHHELD",
        "agency": "registry",
        "reason": "NOT_AVAILABLE",
    }
    assert world.supply.requests == []
    if "." in coordinate:
        other = await world.ask(ONE, id=codes.hangzhou[8:17], kind="ORGANISATION_CODE")
        assert other["data"]["enterpriseByLegacyId"]["creditCode"] == codes.hangzhou


async def test_the_audit_tells_by_what_kind_of_key_who_was_asked_and_never_the_key(finding, codes) -> None:
    world = finding({BY_NUMBER: {NUMBER: (row(codes.hangzhou),)}, SEARCH: {"若木": ()}})
    await world.ask(ONE, id=NUMBER)
    await world.ask(FIND, name="若木")
    first, second = world.audit.lines
    assert first["companies"] == [codes.hangzhou]
    assert first["lookups"] == [
        {"key": "registrationNumber", "agencies": [{"dataset": BY_NUMBER, "status": "ANSWERED", "failure": None}]}
    ]
    looking, about = first["classes"]
    decided = {decision["coordinate"]: decision["decision"] for decision in looking["decisions"]}
    # What was decided before the company was known is not told as if it had been decided about it.
    assert (looking["codes"], "codes" in about) == ([], False)
    assert decided == {"EnterpriseByLegacyId": "CLEAR", "EnterpriseByLegacyId.registrationNumber": "CLEAR"}
    assert second["lookups"][0]["key"] == "name"
    assert NUMBER not in str(world.audit.lines)
    assert "若木" not in str(world.audit.lines)


async def test_cached_lookups_are_kept_apart_by_organisation(finding, principals) -> None:
    world = finding({BY_NUMBER: {}})
    await world.ask(ONE, principals.bank, id=NUMBER)
    await world.ask(ONE, principals.regulator, id=NUMBER)
    assert len({request.partition for request in world.supply.requests}) == 2


# --- By name ----------------------------------------------------------------------------------------------------------


async def test_companies_are_found_with_their_grades_the_nearest_first(finding, codes) -> None:
    world = finding(
        {
            SEARCH: {
                "若木(集团)": (
                    row(codes.beijing, name="北京若木（集团）有限公司", division="110108"),
                    row(codes.guangzhou, name="广州扶桑有限公司", division="440106"),
                    row(codes.ningbo, name="若木（集团）有限公司", division="330203"),
                    row(codes.hangzhou, name="若木（集团）", division="330106"),
                    row(codes.shenzhen, name="若木(集团)", division="330100"),
                )
            }
        }
    )
    answer = await world.ask(FIND, name=" 若木(集团) ", division="3301")
    found = answer["data"]["findEnterprises"]
    assert [(one["enterprise"]["creditCode"], one["name"], one["division"]) for one in found] == [
        (codes.shenzhen, "EXACT", "PREFIX"),
        (codes.hangzhou, "NORMALISED", "PREFIX"),
        (codes.ningbo, "PREFIX", "OTHER"),
        (codes.beijing, "PARTIAL", "OTHER"),
        (codes.guangzhou, "OTHER", "OTHER"),
    ]
    assert found[0]["source"] == {"agency": {"id": "registry"}, "asOf": "2026-11-01T08:00:00+00:00"}
    assert found[0]["enterprise"]["penalties"] == {"status": "COMPLETE"}
    # What a match leads to is asked for in one call for all of them.
    assert len([one for one in world.supply.requests if one.dataset == "zhejiang-penalties/Penalty"]) == 1


async def test_no_more_are_found_than_asked_for_and_each_once_as_it_is_nearest(finding, codes) -> None:
    said = (row(codes.hangzhou, name="杭州若木"), row(codes.ningbo, name="宁波若木"))
    world = finding({SEARCH: {"若木": said}, OTHER_SEARCH: {"若木": (row(codes.ningbo, name="若木"),)}})
    found = (await world.ask(FIND, name="若木", first=2))["data"]["findEnterprises"]
    assert [(one["enterprise"]["creditCode"], one["source"]["agency"]["id"]) for one in found] == [
        (codes.ningbo, "tax"),
        (codes.hangzhou, "registry"),
    ]
    assert len((await world.ask(FIND, name="若木", first=1))["data"]["findEnterprises"]) == 1


async def test_without_a_division_of_its_own_a_company_is_in_that_of_its_code(finding, codes) -> None:
    said = {SEARCH: {"若木": (row(codes.hangzhou, name="若木"),)}}
    world = finding(said, fields=frozenset({"creditCode", "name"}))
    (found,) = (await world.ask(FIND, name="若木", division="330100"))["data"]["findEnterprises"]
    assert found["division"] == "EXACT"
    assert (await world.ask(FIND, name="若木"))["data"]["findEnterprises"][0]["division"] is None


async def test_what_may_not_be_graded_is_not_asked_for(finding, codes) -> None:
    said = {SEARCH: {"若木": (row(codes.hangzhou, name="若木", division="330106"),)}}
    world = finding(said, more_rules=CLOSED % "EnterpriseMatch.name")
    (found,) = (await world.ask(FIND, name="若木", division="33"))["data"]["findEnterprises"]
    assert (found["name"], found["division"]) == (None, "PREFIX")
    assert looked_up(world) == [(SEARCH, ("若木",), {"creditCode", "division"})]
    await world.ask(FIND, name="若木")
    assert looked_up(world)[-1] == (SEARCH, ("若木",), {"creditCode"})


@pytest.mark.parametrize(
    ("supply", "extensions"),
    [
        ({"failing": {SEARCH: FailureCode.AGENCY_TIMEOUT}}, {"code": "AGENCY_TIMEOUT", "dataset": SEARCH}),
        ({"outcomes": {(SEARCH, "若木"): Outcome.INCOMPLETE}}, {"code": "AGENCY_BAD_RESPONSE", "dataset": SEARCH}),
        ({"more_rules": CLOSED % "EnterpriseMatch"}, {"code": "LOOKUP_WITHHELD", "reason": "NOT_AVAILABLE"}),
    ],
)
async def test_an_agency_that_could_know_more_is_named_beside_what_was_found(
    finding, codes, supply: dict[str, Any], extensions: dict[str, Any]
) -> None:
    world = finding({SEARCH: {}, OTHER_SEARCH: {"若木": (row(codes.ningbo, name="若木"),)}}, **supply)
    answer = await world.ask(FIND, name="若木")
    assert [one["enterprise"]["creditCode"] for one in answer["data"]["findEnterprises"]] == [codes.ningbo]
    (error,) = answer["errors"]
    assert error["extensions"] == {"agency": "registry", **extensions}
    # With a path the list would have to be null.
    assert "path" not in error


async def test_where_nobody_can_search_an_empty_list_says_so(make_world) -> None:
    answer = await make_world().ask(FIND, name="若木")
    assert answer["data"] == {"findEnterprises": []}
    assert answer["errors"][0]["extensions"] == {"code": "LOOKUP_UNSUPPORTED"}


async def test_two_names_are_two_questions_and_keep_apart_what_they_find(finding, codes) -> None:
    world = finding({SEARCH: {"若木": (row(codes.hangzhou, name="若木"),), "扶桑": (row(codes.ningbo, name="扶桑"),)}})
    answer = await world.ask(
        """{ a: findEnterprises(name: "若木") {
                 one: enterprise { creditCode } two: enterprise { identity { division } } }
             b: findEnterprises(name: "扶桑") { __typename enterprise { creditCode } } }"""
    )
    assert answer["data"] == {
        "a": [{"one": {"creditCode": codes.hangzhou}, "two": {"identity": {"division": "330100"}}}],
        "b": [{"__typename": "EnterpriseMatch", "enterprise": {"creditCode": codes.ningbo}}],
    }
    assert [keys for _, keys, _ in looked_up(world)] == [("若木",), ("扶桑",)]


@pytest.mark.parametrize(
    "given", [{"first": 0}, {"first": 101}, {"first": None}, {"division": "3"}, {"name": "%%"}, {"name": "木"}]
)
async def test_a_search_that_would_find_everything_is_refused(finding, given: dict[str, Any]) -> None:
    world = finding({SEARCH: {}})
    answer = await world.ask(FIND, **{"name": "若木", **given})
    assert answer["errors"][0]["extensions"]["code"] == "ARGUMENT_INVALID"
    assert "data" not in answer
    assert world.supply.requests == []


async def test_what_may_be_found_counts_as_companies_of_the_request(finding, codes) -> None:
    query = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode } %s }"
    search = " ".join(f's{number}: findEnterprises(name: "若木", first: 100) {{ name }}' for number in range(10))
    answer = await finding({SEARCH: {}}).ask(query % search, codes=[codes.hangzhou])
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
