from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import Coverage, FailureCode, Outcome
from gateway.limits import Limits
from schema.values import Code, Money

PENALTIES = """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode penalties {
    status hasMore sources { agency { id } status failure { code retryable } asOf }
    records { recordId decidedOn authority responsiblePerson responsiblePersonId source { agency { id } asOf } }
    access { coordinate decision mask agency { id } reason } } } }"""


def penalty(id_: str, decided: str, **fields: object) -> dict[str, object]:
    return {
        "recordId": id_,
        "decidedOn": dt.date.fromisoformat(decided),
        "severity": Code("serious"),
        "objection": False,
        "authority": f"Authority of {id_}",
        "responsiblePerson": "甲乙丙",
        "responsiblePersonId": "999999199902301234",
        "informant": "丁戊己",
        **fields,
    }


RECENT = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)).isoformat()
OLDER = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=60)).isoformat()


async def test_records_of_several_suppliers_come_newest_first_and_name_their_source(make_world, codes) -> None:
    world = make_world(
        {
            ("zhejiang-penalties/Penalty", codes.hangzhou): (penalty("z1", OLDER),),
            ("guangdong-penalties/Penalty", codes.hangzhou): (penalty("g1", RECENT),),
        }
    )
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou])
    penalties = answer["data"]["enterprises"][0]["penalties"]
    assert penalties["status"] == "COMPLETE"
    assert [(r["recordId"], r["source"]["agency"]["id"]) for r in penalties["records"]] == [
        ("g1", "guangdong-penalties"),
        ("z1", "zhejiang-penalties"),
    ]
    assert "errors" not in answer


async def test_no_records_is_an_empty_list_only_when_everyone_who_could_know_has_answered(make_world, codes) -> None:
    whole = await make_world().ask(PENALTIES, codes=[codes.hangzhou])
    assert whole["data"]["enterprises"][0]["penalties"]["records"] == []
    world = make_world(failing={"zhejiang-penalties/Penalty": FailureCode.AGENCY_TIMEOUT})
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou])
    penalties = answer["data"]["enterprises"][0]["penalties"]
    assert (penalties["status"], penalties["records"], penalties["hasMore"]) == ("PARTIAL", None, None)


async def test_a_dead_agency_leaves_null_and_one_error_for_all_companies(make_world, codes) -> None:
    world = make_world(
        failing=dict.fromkeys(
            ["zhejiang-penalties/Penalty", "guangdong-penalties/Penalty"], FailureCode.AGENCY_UNAVAILABLE
        )
    )
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou, codes.shenzhen])
    for enterprise in answer["data"]["enterprises"]:
        assert enterprise["penalties"]["status"] == "UNAVAILABLE"
        assert enterprise["penalties"]["records"] is None
        assert enterprise["penalties"]["sources"][0]["failure"] == {"code": "AGENCY_UNAVAILABLE", "retryable": True}
    assert [error["extensions"] for error in answer["errors"]] == [
        {
            "code": "AGENCY_UNAVAILABLE",
            "agency": agency,
            "dataset": f"{agency}/Penalty",
            "companies": 2,
        }
        for agency in ("guangdong-penalties", "zhejiang-penalties")
    ]


async def test_where_another_supplier_answered_the_failure_is_in_the_sources_and_no_error(make_world, codes) -> None:
    world = make_world(
        {("guangdong-penalties/Penalty", codes.hangzhou): (penalty("g1", RECENT),)},
        failing={"zhejiang-penalties/Penalty": FailureCode.AGENCY_OVERLOADED},
    )
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou])
    penalties = answer["data"]["enterprises"][0]["penalties"]
    assert penalties["status"] == "PARTIAL"
    assert [record["recordId"] for record in penalties["records"]] == ["g1"]
    assert [source["status"] for source in penalties["sources"]] == ["ANSWERED", "FAILED"]
    assert "errors" not in answer


@pytest.mark.parametrize("outcome", [Outcome.INCOMPLETE, Outcome.UNKNOWN_COMPANY, Outcome.STALE])
async def test_an_agency_that_did_not_answer_whole_makes_the_answer_partial(make_world, codes, outcome) -> None:
    world = make_world(
        outcomes={
            (f"{agency}/Penalty", codes.hangzhou): outcome for agency in ("zhejiang-penalties", "guangdong-penalties")
        }
    )
    penalties = (await world.ask(PENALTIES, codes=[codes.hangzhou]))["data"]["enterprises"][0]["penalties"]
    assert (penalties["status"], penalties["records"]) == ("PARTIAL", None)
    assert {source["status"] for source in penalties["sources"]} == {outcome.value}


async def test_one_bad_code_among_good_ones_is_null_with_its_mistake_and_its_place(make_world, codes) -> None:
    answer = await make_world().ask(
        "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode } }",
        codes=[codes.hangzhou, "91330100TEXT00025X", codes.shenzhen.lower(), codes.hangzhou],
    )
    found = [item and item["creditCode"] for item in answer["data"]["enterprises"]]
    assert found == [codes.hangzhou, None, codes.shenzhen, codes.hangzhou]
    (error,) = answer["errors"]
    assert error["path"] == ["enterprises", 1]
    assert error["extensions"]["code"] == "CODE_INVALID"
    assert "check character" in error["message"].lower()


async def test_a_company_asked_for_twice_is_fetched_once(make_world, codes) -> None:
    world = make_world()
    await world.ask(
        """query ($a: CreditCode!, $b: [CreditCode!]!) {
             one: enterprise(code: $a) { penalties { records { recordId } } }
             enterprises(codes: $b) { penalties { records { recordId } } again: penalties { records { facts } } } }""",
        a=codes.hangzhou,
        b=[codes.hangzhou, codes.shenzhen, codes.hangzhou],
    )
    asked = [request for request in world.supply.requests if request.dataset == "zhejiang-penalties/Penalty"]
    assert sorted(code for request in asked for code in request.codes) == sorted([codes.hangzhou, codes.shenzhen])


async def test_a_withheld_field_is_never_asked_of_the_agency_whatever_the_route(make_world, codes, principals) -> None:
    world = make_world({("zhejiang-penalties/Penalty", codes.shenzhen): (penalty("z1", RECENT),)})
    answer = await world.ask(
        """query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { penalties { ...A ...on Answer { ...A } } } }
           fragment A on PenaltyAnswer { records { x: responsiblePersonId ...B } }
           fragment B on Penalty { responsiblePersonId } """,
        principals.anybody,
        codes=[codes.shenzhen],
    )
    assert answer["data"]["enterprises"][0]["penalties"]["records"] == [{"x": None, "responsiblePersonId": None}]
    assert "responsiblePersonId" not in world.supply.columns("zhejiang-penalties/Penalty")
    assert "errors" not in answer


async def test_what_policy_did_to_a_field_is_told_in_access_and_never_as_an_error(
    make_world, codes, principals
) -> None:
    answer = await make_world().ask(PENALTIES, principals.anybody, codes=[codes.shenzhen])
    access = answer["data"]["enterprises"][0]["penalties"]["access"]
    told = {(entry["coordinate"], entry["decision"], entry["mask"]) for entry in access}
    assert ("Penalty.responsiblePersonId", "WITHHELD", None) in told
    assert ("Penalty.responsiblePerson", "MASKED", "partial") in told
    assert "errors" not in answer


async def test_a_sealed_field_does_not_exist_for_those_to_whom_it_can_never_open(make_world, codes) -> None:
    world = make_world()
    answer = await world.ask(
        "query ($c: CreditCode!) { enterprise(code: $c) { penalties { records { informant } } } }", c=codes.hangzhou
    )
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "OPERATION_INVALID"
    introspected = await world.ask('{ __type(name: "Penalty") { fields { name } } }')
    assert "informant" not in {field["name"] for field in introspected["data"]["__type"]["fields"]}
    service = await world.ask("{ _service { sdl } }")
    assert "informant" not in service["data"]["_service"]["sdl"]


async def test_companies_of_one_query_get_each_the_decisions_of_its_own_basis(make_world, codes, principals) -> None:
    rows = {("zhejiang-penalties/Penalty", code): (penalty("z1", RECENT),) for code in (codes.hangzhou, codes.shenzhen)}
    world = make_world(rows)
    answer = await world.ask(
        PENALTIES, principals.regulator, purpose="supervision.inspection", codes=[codes.hangzhou, codes.shenzhen]
    )
    own, other = (enterprise["penalties"]["records"][0] for enterprise in answer["data"]["enterprises"])
    assert own["responsiblePerson"] == "甲乙丙"
    assert other["responsiblePerson"] == "甲**"
    assert own["responsiblePersonId"] == "999999199902301234"
    assert other["responsiblePersonId"] in {None, "****1234"}
    asked = {
        code: "responsiblePersonId" in request.columns
        for request in world.supply.requests
        if request.dataset == "zhejiang-penalties/Penalty"
        for code in request.codes
    }
    assert asked[codes.hangzhou]
    assert asked[codes.shenzhen] == (other["responsiblePersonId"] is not None)


async def test_a_record_past_its_publicity_period_is_neither_shown_nor_counted(make_world, codes) -> None:
    over = dt.date.fromisoformat(OLDER)
    world = make_world(
        {
            ("zhejiang-penalties/Penalty", codes.hangzhou): (
                penalty("kept", RECENT),
                penalty("over", OLDER, publishedUntil=over),
                penalty("repaired", OLDER, repairedOn=over),
            )
        }
    )
    penalties = (await world.ask(PENALTIES, codes=[codes.hangzhou]))["data"]["enterprises"][0]["penalties"]
    assert (penalties["status"], penalties["hasMore"]) == ("COMPLETE", False)
    assert [record["recordId"] for record in penalties["records"]] == ["kept"]


READ_EXPIRED = """
  - {id: expired-rows, allow: [Penalty, Penalty.recordId, Penalty.decidedOn], of: any, to: bank,
     for: credit.underwriting, given: any, act: read_expired, note: A bank may look back.}
"""


async def test_a_rule_on_expired_records_shows_them_to_whom_it_names_and_only_what_it_names(
    make_world, codes, principals
) -> None:
    row = penalty("over", OLDER, publishedUntil=dt.date.fromisoformat(OLDER))
    world = make_world({("zhejiang-penalties/Penalty", codes.hangzhou): (row,)}, more_rules=READ_EXPIRED)
    seen = await world.ask(PENALTIES, principals.bank, purpose="credit.underwriting", codes=[codes.hangzhou])
    (record,) = seen["data"]["enterprises"][0]["penalties"]["records"]
    assert (record["recordId"], record["decidedOn"]) == ("over", OLDER)
    assert (record["authority"], record["responsiblePerson"], record["responsiblePersonId"]) == (None, None, None)
    for other, purpose in ((principals.bank, "credit.monitoring"), (principals.anybody, None)):
        answer = await world.ask(PENALTIES, other, purpose=purpose, codes=[codes.hangzhou])
        assert answer["data"]["enterprises"][0]["penalties"]["records"] == []


async def test_a_record_whose_publicity_date_cannot_be_read_is_not_shown_and_makes_its_source_incomplete(
    make_world, codes
) -> None:
    world = make_world(
        {("zhejiang-penalties/Penalty", codes.hangzhou): ({**penalty("z1", RECENT), "decidedOn": None},)}
    )
    penalties = (await world.ask(PENALTIES, codes=[codes.hangzhou]))["data"]["enterprises"][0]["penalties"]
    assert (penalties["status"], penalties["records"]) == ("PARTIAL", None)
    assert [source["status"] for source in penalties["sources"]] == ["ANSWERED", "INCOMPLETE"]


PAGE = """query ($c: CreditCode!, $after: String, $first: Int) { enterprise(code: $c) {
    penalties(first: $first, after: $after) { records { recordId } hasMore endCursor } } }"""


async def test_pages_joined_together_are_the_whole_list_and_hold_nothing_twice(make_world, codes) -> None:
    today = dt.datetime.now(dt.UTC).date()
    days = [(today - dt.timedelta(days=10 + index // 3)).isoformat() for index in range(8)]
    rows = tuple(penalty(f"z{index}", day) for index, day in enumerate(days))
    world = make_world({("zhejiang-penalties/Penalty", codes.hangzhou): rows})
    whole = await world.ask(PAGE, c=codes.hangzhou, first=100)
    expected = [record["recordId"] for record in whole["data"]["enterprise"]["penalties"]["records"]]
    seen, after, more = [], None, True
    while more:
        page = (await world.ask(PAGE, c=codes.hangzhou, first=3, after=after))["data"]["enterprise"]["penalties"]
        seen += [record["recordId"] for record in page["records"]]
        after, more = page["endCursor"], page["hasMore"]
    assert seen == expected
    assert sorted(seen) == sorted(f"z{index}" for index in range(8))


@pytest.mark.parametrize("arguments", ["first: 0", "first: 1001", "first: null", 'after: "nonsense"', 'after: "W10="'])
async def test_an_argument_out_of_bounds_is_refused_by_name(make_world, codes, arguments: str) -> None:
    answer = await make_world().ask(
        f'{{ enterprise(code: "{codes.hangzhou}") {{ penalties({arguments}) {{ status }} }} }}'
    )
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "ARGUMENT_INVALID"
    assert arguments.split(":", maxsplit=1)[0] in answer["errors"][0]["message"]


FILTERED = """query ($c: CreditCode!, $from: Date, $to: Date) { enterprise(code: $c) {
    penalties(decidedFrom: $from, decidedTo: $to) { status records { recordId } } } }"""


async def test_a_filter_keeps_the_records_within_its_bounds(make_world, codes) -> None:
    world = make_world(
        {("zhejiang-penalties/Penalty", codes.hangzhou): (penalty("older", OLDER), penalty("recent", RECENT))}
    )

    async def ids(**bounds: str) -> list[str]:
        answer = await world.ask(FILTERED, c=codes.hangzhou, **bounds)
        return [record["recordId"] for record in answer["data"]["enterprise"]["penalties"]["records"]]

    assert await ids(**{"from": RECENT}) == ["recent"]
    assert await ids(to=OLDER) == ["older"]
    assert await ids(**{"from": OLDER, "to": RECENT}) == ["recent", "older"]


async def test_a_link_is_followed_with_the_decisions_for_the_company_it_leads_to(make_world, codes, principals) -> None:
    world = make_world(
        {
            ("registry/Shareholder", codes.hangzhou): (
                {"recordId": "s1", "name": "Holder", "holder": codes.shenzhen, "share": Decimal("60.5")},
                {"recordId": "s2", "name": "A person", "holder": None, "share": Decimal("39.5")},
            ),
            ("zhejiang-penalties/Penalty", codes.shenzhen): (penalty("z1", RECENT),),
        }
    )
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { shareholders { records { share holder { creditCode
             identity { division organisationCode authority { code } }
             penalties { records { recordId responsiblePerson } } } } } } }""",
        principals.regulator,
        purpose="supervision.inspection",
        c=codes.hangzhou,
    )
    records = answer["data"]["enterprise"]["shareholders"]["records"]
    by_share = {record["share"]: record["holder"] for record in records}
    assert by_share["39.5"] is None
    assert by_share["60.5"] == {
        "creditCode": codes.shenzhen,
        "identity": {"division": "440300", "organisationCode": codes.shenzhen[8:17], "authority": {"code": "9"}},
        "penalties": {"records": [{"recordId": "z1", "responsiblePerson": "甲**"}]},
    }


async def test_companies_beyond_the_limit_of_a_request_are_marked_and_not_asked_about(make_world, codes) -> None:
    holders = tuple(
        {"recordId": f"s{index}", "holder": holder}
        for index, holder in enumerate([codes.ningbo, codes.shenzhen, codes.guangzhou])
    )
    world = make_world({("registry/Shareholder", codes.hangzhou): holders}, limits=Limits(companies=3))
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { shareholders { records { holder {
             taxCredits { status sources { failure { code } } } } } } } }""",
        c=codes.hangzhou,
    )
    holders_answers = [
        record["holder"]["taxCredits"] for record in answer["data"]["enterprise"]["shareholders"]["records"]
    ]
    assert sorted(answer["status"] for answer in holders_answers) == ["COMPLETE", "COMPLETE", "UNAVAILABLE"]
    (limited,) = [answer for answer in holders_answers if answer["status"] == "UNAVAILABLE"]
    assert limited["sources"][0]["failure"] == {"code": "LIMIT"}
    asked = {code for request in world.supply.requests if request.dataset == "tax/TaxCredit" for code in request.codes}
    assert len(asked) == 2


async def test_a_request_for_too_many_companies_is_refused(make_world, codes) -> None:
    world = make_world(limits=Limits(companies=1))
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou, codes.shenzhen])
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "2 companies" in answer["errors"][0]["message"]
    assert world.supply.requests == []


async def test_a_supplier_that_cannot_know_the_company_is_not_asked(make_world, codes, datasets) -> None:
    only_zhejiang = {
        **datasets.all,
        "zhejiang-penalties/Penalty": datasets.one(
            "zhejiang-penalties/Penalty", coverage=Coverage(registered=True, divisions=frozenset({"33"}))
        ),
    }
    world = make_world(datasets=only_zhejiang)
    answer = await world.ask(PENALTIES, codes=[codes.hangzhou, codes.shenzhen])
    statuses = [
        {source["agency"]["id"]: source["status"] for source in enterprise["penalties"]["sources"]}
        for enterprise in answer["data"]["enterprises"]
    ]
    assert [status["zhejiang-penalties"] for status in statuses] == ["ANSWERED", "NOT_ASKED"]
    assert [enterprise["penalties"]["status"] for enterprise in answer["data"]["enterprises"]] == ["COMPLETE"] * 2
    asked = [r for r in world.supply.requests if r.dataset == "zhejiang-penalties/Penalty"]
    assert [code for request in asked for code in request.codes] == [codes.hangzhou]


async def test_a_record_type_that_nobody_supplies_is_unavailable_and_not_empty(make_world, codes) -> None:
    answer = await make_world().ask(
        f'{{ enterprise(code: "{codes.hangzhou}") {{ honours {{ status records {{ title }} }} }} }}'
    )
    assert answer["data"]["enterprise"]["honours"] == {"status": "UNAVAILABLE", "records": None}


@pytest.mark.parametrize(
    ("purpose", "message"),
    [("credit.underwritting", "did you mean `credit.underwriting`"), ("supervision.tax", "not registered")],
)
async def test_a_purpose_that_does_not_hold_is_refused(make_world, codes, purpose: str, message: str) -> None:
    answer = await make_world().ask(PENALTIES, purpose=purpose, codes=[codes.hangzhou])
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"
    assert message in answer["errors"][0]["message"]


async def test_a_consent_that_does_not_count_is_told_of_and_the_rest_is_answered(make_world, codes) -> None:
    answer = await make_world().ask(
        PENALTIES, purpose="credit.underwriting", consents=("not.a.consent",), codes=[codes.hangzhou]
    )
    assert answer["data"]["enterprises"][0]["penalties"]["status"] == "COMPLETE"
    (notice,) = answer["extensions"]["consents"]
    assert notice["index"] == 0
    assert notice["code"].startswith("CONSENT_")


async def test_the_subgraph_answers_entities_and_gives_null_for_keys_that_are_none(make_world, codes) -> None:
    answer = await make_world().ask(
        """query ($r: [_Any!]!) { _entities(representations: $r) { __typename ...on Enterprise { creditCode
             penalties { __typename status } } } }""",
        r=[
            {"__typename": "Enterprise", "creditCode": codes.hangzhou},
            {"__typename": "Enterprise", "creditCode": "nonsense"},
            {"__typename": "Person", "id": 1},
        ],
    )
    assert answer["data"]["_entities"] == [
        {
            "__typename": "Enterprise",
            "creditCode": codes.hangzhou,
            "penalties": {"__typename": "PenaltyAnswer", "status": "COMPLETE"},
        },
        None,
        None,
    ]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["CODE_INVALID", "REPRESENTATION_INVALID"]


async def test_local_and_federated_roots_are_answered_in_the_order_asked(make_world, codes) -> None:
    answer = await make_world().ask(
        """query ($c: CreditCode!) { me { organisation roles purposes } enterprise(code: $c) { creditCode }
             agencies { id } }""",
        c=codes.hangzhou,
    )
    assert list(answer["data"]) == ["me", "enterprise", "agencies"]
    assert answer["data"]["me"]["organisation"] == "first-bank"
    assert "credit.underwriting" in answer["data"]["me"]["purposes"]
    assert {"id": "court"} in answer["data"]["agencies"]


async def test_the_audit_names_companies_decisions_rules_and_outcomes_and_holds_no_value(
    make_world, codes, principals
) -> None:
    world = make_world({("zhejiang-penalties/Penalty", codes.hangzhou): (penalty("z1", RECENT),)})
    await world.ask(PENALTIES, principals.bank, purpose="credit.underwriting", codes=[codes.hangzhou])
    (line,) = world.audit.lines
    assert line["organisation"] == "first-bank"
    assert line["purpose"] == "credit.underwriting"
    assert line["companies"] == [codes.hangzhou]
    assert line["policy"] == world.gateway.editions.current.policy.version
    assert {agency["dataset"]: agency["status"] for agency in line["agencies"]} == {
        "guangdong-penalties/Penalty": "ANSWERED",
        "zhejiang-penalties/Penalty": "ANSWERED",
    }
    (of_class,) = line["classes"]
    assert (of_class["bases"], of_class["companies"]) == ([], 1)
    names = [d for d in of_class["decisions"] if d["coordinate"] == "Penalty.responsiblePerson"]
    assert {(d["agency"], d["decision"], d["mask"]) for d in names} == {
        ("zhejiang-penalties", "MASKED", "partial"),
        ("guangdong-penalties", "MASKED", "partial"),
    }
    assert all(d["rule"] for d in names)
    assert not any(value in str(line) for value in ("甲乙丙", "Authority of z1", "999999199902301234"))


async def test_a_refused_request_is_in_the_audit_too(make_world) -> None:
    world = make_world()
    await world.ask("{ nonsense }")
    (line,) = world.audit.lines
    assert (line["outcome"], line["code"], line["organisation"]) == ("REFUSED", "OPERATION_INVALID", "first-bank")


async def test_money_dates_and_codes_are_written_as_the_contract_says(make_world, codes) -> None:
    row = penalty("z1", RECENT, amount=Money(Decimal("1E+5")), kind=Code("fine", "罚款"))
    world = make_world({("zhejiang-penalties/Penalty", codes.hangzhou): (row,)})
    answer = await world.ask(
        f"""{{ enterprise(code: "{codes.hangzhou}") {{ penalties {{ records {{ decidedOn
              amount {{ amount from to currency __typename }} kind {{ code label }} }} }} }} }}"""
    )
    assert answer["data"]["enterprise"]["penalties"]["records"] == [
        {
            "decidedOn": RECENT,
            "amount": {"amount": "100000", "from": None, "to": None, "currency": "CNY", "__typename": "Money"},
            "kind": {"code": "fine", "label": "罚款"},
        }
    ]


async def test_introspection_shows_only_what_could_be_opened_to_the_caller_and_the_rest_still_validates(
    make_world, codes, principals
) -> None:
    world = make_world()
    introspection = '{ __schema { types { name } } __type(name: "Enterprise") { fields { name } } }'
    for principal, sees in ((principals.company, True), (principals.anybody, False)):
        shown = (await world.ask(introspection, principal))["data"]
        assert ("taxPayments" in {field["name"] for field in shown["__type"]["fields"]}) is sees
        assert ("TaxPayment" in {type_["name"] for type_ in shown["__schema"]["types"]}) is sees
    asked = await world.ask(
        "query ($c: CreditCode!) { enterprise(code: $c) { taxPayments { status records { year } } } }",
        principals.anybody,
        c=codes.hangzhou,
    )
    assert "errors" not in asked


async def test_suggestions_in_errors_name_only_what_could_be_opened_to_the_caller(make_world, principals) -> None:
    world = make_world()
    misspelt = '{ enterprise(code: "x") { taxPaymets { status } } }'
    known = await world.ask(misspelt, principals.company)
    assert "Did you mean 'taxPayments'" in known["errors"][0]["message"]
    unknown = await world.ask(misspelt, principals.anybody)
    assert "taxPayments" not in unknown["errors"][0]["message"]


async def test_me_tells_what_one_may_see_for_a_purpose_and_what_the_rest_would_need(make_world) -> None:
    query = """{ me { access(purpose: "credit.underwriting") { coordinate agency { id } decision mask reason }
                      none: access { coordinate reason } } }"""
    me = (await make_world().ask(query))["data"]["me"]
    told = {(entry["agency"]["id"], entry["coordinate"]): entry for entry in me["access"]}
    assert told["tax", "TaxArrears.balance"]["mask"] == "bucket"
    assert told["tax", "TaxArrears.balance"]["reason"] == "NEEDS_CONSENT"
    assert told["registry", "Registration.name"]["decision"] == "CLEAR"
    assert told["registry", "Registration.name"]["reason"] is None
    assert {entry["coordinate"]: entry["reason"] for entry in me["none"]}["TaxArrears.balance"] == "NEEDS_PURPOSE"
    assert "informant" not in str(me)


async def test_me_says_that_a_purpose_is_none(make_world) -> None:
    answer = await make_world().ask('{ me { access(purpose: "credit.underwritting") { coordinate } } }')
    assert answer["errors"][0]["extensions"]["code"] == "PURPOSE_INVALID"


async def test_a_request_that_is_cancelled_withdraws_its_questions_to_all_agencies_and_is_in_the_audit(
    make_world, codes
) -> None:
    world = make_world()
    under_way: list[asyncio.Future[Any]] = []

    def fetch(_request: Any) -> asyncio.Future[Any]:
        under_way.append(asyncio.get_running_loop().create_future())
        return under_way[-1]

    world.supply.fetch = fetch
    query = "query ($c: CreditCode!) { enterprise(code: $c) { penalties { status } registration { status } } }"
    asking = asyncio.create_task(world.ask(query, c=codes.hangzhou))
    for _ in range(1_000):
        if under_way:
            break
        await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.sleep(0)
    assert [question.cancelled() for question in under_way] == [True] * 3
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.audit.lines[-1]["outcome"] == "ASKED"
