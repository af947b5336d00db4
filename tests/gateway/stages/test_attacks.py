"""What was tried against the stages, and must not work again."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import orjson
import pytest

from connectors.contract import CompanyRows, FailureCode, FetchRequest, Outcome
from gateway.editions.compiler import Compiler
from gateway.limits import Limits
from gateway.messages import Principal
from schema.credit_code import CreditCode
from schema.values import Code

TODAY = dt.datetime.now(dt.UTC).date()
ZHEJIANG = "zhejiang-penalties/Penalty"


def penalty(id_: str | None, days: int = 30, **fields: object) -> dict[str, object]:
    return {
        "recordId": id_,
        "decidedOn": TODAY - dt.timedelta(days=days),
        "severity": Code("serious"),
        "facts": f"Facts of {id_}",
        **fields,
    }


PAGE = """query ($c: CreditCode!, $after: String, $first: Int = 100) { enterprise(code: $c) {
    penalties(first: $first, after: $after) { status hasMore endCursor records { recordId facts } } } }"""


async def test_a_page_past_the_end_is_not_an_empty_list_while_a_supplier_is_missing(make_world, codes) -> None:
    world = make_world(
        {(ZHEJIANG, codes.hangzhou): (penalty("z1"),)},
        failing={"guangdong-penalties/Penalty": FailureCode.AGENCY_TIMEOUT},
    )
    forged = base64.urlsafe_b64encode(orjson.dumps(["0001-01-01", "zz", "zz"])).decode()
    answer = await world.ask(PAGE, c=codes.hangzhou, after=forged)
    assert answer["data"]["enterprise"]["penalties"]["status"] == "PARTIAL"
    assert answer["data"]["enterprise"]["penalties"]["records"] is None


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("#" * 70_000 + "\n{ me { subject } }", "LIMIT_EXCEEDED", "65536 characters"),
        ("{ " + "me { subject } " * 100 + "}", "LIMIT_EXCEEDED", "'me' stands 100 times"),
        ("{ " + "".join(f'a{n}: __type(name: "X") {{ name }} ' for n in range(6)) + "}", "LIMIT_EXCEEDED", "__type 6"),
        ("mutation { __typename }", "OPERATION_UNSUPPORTED", "only answers queries"),
    ],
)
async def test_a_text_that_would_take_long_is_refused_before_it_does(
    make_world, text: str, code: str, message: str
) -> None:
    answer = await make_world().ask(text)
    assert answer["errors"][0]["extensions"]["code"] == code
    assert message in answer["errors"][0]["message"]


async def test_one_company_named_over_and_over_counts_each_time(make_world, codes) -> None:
    world = make_world(limits=Limits(companies=10))
    answer = await world.ask(
        "query ($c: [CreditCode!]!) { enterprises(codes: $c) { creditCode } }", c=[codes.hangzhou] * 11
    )
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_an_answer_that_multiplies_through_links_is_refused_and_its_companies_are_in_the_audit(
    make_world, codes
) -> None:
    everybody = [codes.hangzhou, codes.ningbo, codes.shenzhen, codes.guangzhou, codes.beijing]
    rows = {
        ("registry/Shareholder", code): tuple(
            {"recordId": f"s{index}", "holder": holder} for index, holder in enumerate(everybody)
        )
        for code in everybody
    }
    world = make_world(rows, limits=Limits(written=500, depth=100))
    query = "{ creditCode }"
    for _ in range(5):
        query = f"{{ shareholders {{ records {{ holder {query} }} }} }}"
    answer = await world.ask(f"query ($c: CreditCode!) {{ enterprise(code: $c) {query} }}", c=codes.hangzhou)
    assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    (line,) = world.audit.lines
    assert (line["outcome"], line["companies"]) == ("ASKED", sorted(everybody))


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_whoever_goes_away_before_the_answer_has_left_the_companies_asked_about_in_the_audit(
    make_world, codes, level: int
) -> None:
    """Those behind links too, up to the level that was reached."""
    chain = [codes.hangzhou, codes.ningbo, codes.shenzhen]
    rows = {("registry/Shareholder", code): ({"recordId": "s", "holder": holder},) for code, holder in pairwise(chain)}
    world, reached = make_world(rows), asyncio.Event()
    fetch = world.supply.fetch

    async def hanging(request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        answers = await fetch(request)
        if len(world.supply.requests) == level:
            reached.set()
            await asyncio.Event().wait()
        return answers

    world.supply.fetch = hanging
    below = "{ creditCode }"
    for _ in range(3):
        below = f"{{ shareholders {{ records {{ holder {below} }} }} }}"
    asking = asyncio.create_task(world.ask(f"query ($c: CreditCode!) {{ enterprise(code: $c) {below} }}", c=chain[0]))
    await reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (line,) = world.audit.lines
    assert (line["outcome"], line["companies"]) == ("ASKED", sorted(chain[:level]))


async def test_a_caller_to_whom_nothing_can_open_is_answered_that_it_is_withheld(make_world, codes) -> None:
    nobody = Principal("x", "public", frozenset())
    answer = await make_world().ask(
        """query ($c: CreditCode!, $n: Int = 3) { me { subject }
             enterprise(code: $c) { penalties(first: $n) { status } } }""",
        nobody,
        c=codes.hangzhou,
    )
    assert answer["data"] == {"me": {"subject": "x"}, "enterprise": {"penalties": {"status": "WITHHELD"}}}


async def test_a_rule_on_expired_records_does_not_open_those_not_yet_published(make_world, codes, principals) -> None:
    row = penalty("early", publishedFrom=TODAY + dt.timedelta(days=10))
    world = make_world({(ZHEJIANG, codes.hangzhou): (row,)})
    answer = await world.ask(PAGE, principals.regulator, purpose="supervision.inspection", c=codes.hangzhou)
    assert answer["data"]["enterprise"]["penalties"]["records"] == []


async def test_a_repair_date_that_cannot_be_read_hides_the_record(make_world, codes) -> None:
    world = make_world()

    async def fetch(request: FetchRequest) -> dict[CreditCode, CompanyRows]:
        rows = ({**penalty("z1"), "repairedOn": None},) if request.dataset == ZHEJIANG else ()
        unreadable = {0: frozenset({"repairedOn"})} if rows else {}
        outcome = Outcome.INCOMPLETE if rows else Outcome.ANSWERED
        return {code: CompanyRows(outcome, rows, unreadable=unreadable) for code in request.codes}

    world.supply.fetch = fetch
    answer = await world.ask(PAGE, c=codes.hangzhou)
    assert answer["data"]["enterprise"]["penalties"]["records"] is None


async def test_what_is_not_clear_of_an_expired_record_is_in_access_and_its_rule_in_the_audit(
    make_world, codes, principals
) -> None:
    row = penalty("old", 4_000, responsiblePerson="甲乙丙", responsiblePersonId="999999199902301234")
    world = make_world({(ZHEJIANG, codes.hangzhou): (row,)})
    answer = await world.ask(
        """query ($c: CreditCode!) { enterprise(code: $c) { penalties {
             records { responsiblePerson responsiblePersonId } access { coordinate decision agency { id } } } } }""",
        principals.regulator,
        purpose="supervision.inspection",
        c=codes.hangzhou,
    )
    penalties = answer["data"]["enterprise"]["penalties"]
    assert penalties["records"] == [{"responsiblePerson": "甲**", "responsiblePersonId": None}]
    told = {(entry["coordinate"], entry["decision"]) for entry in penalties["access"]}
    assert told == {("Penalty.responsiblePerson", "MASKED"), ("Penalty.responsiblePersonId", "WITHHELD")}
    decisions = world.audit.lines[0]["classes"][0]["decisions"]
    assert {d["rule"] for d in decisions if d["act"] == "read_expired" and d["coordinate"] == "Penalty"} != {None}


async def test_cursors_of_two_audiences_or_companies_cannot_be_compared(make_world, codes, principals) -> None:
    world = make_world({(ZHEJIANG, code): (penalty("same"),) for code in (codes.hangzhou, codes.shenzhen)})
    digests = set()
    for who in (principals.bank, principals.anybody):
        for code in (codes.hangzhou, codes.shenzhen):
            answer = await world.ask(PAGE, who, c=code)
            cursor = answer["data"]["enterprise"]["penalties"]["endCursor"]
            digests.add(orjson.loads(base64.urlsafe_b64decode(cursor))[2])
    assert len(digests) == 4


async def test_records_without_ids_are_all_paged_through_whatever_their_order(make_world, codes) -> None:
    rows = [penalty("1"), *(penalty(None, facts=text) for text in ("b", "c", "d", "d"))]
    world = make_world({(ZHEJIANG, codes.hangzhou): tuple(rows)})
    seen, after, more = [], None, True
    while more:
        world.supply.rows = {(ZHEJIANG, codes.hangzhou): tuple(reversed(world.supply.rows[ZHEJIANG, codes.hangzhou]))}
        page = (await world.ask(PAGE, c=codes.hangzhou, first=1, after=after))["data"]["enterprise"]["penalties"]
        seen += [record["facts"] for record in page["records"]]
        after, more = page["endCursor"], page["hasMore"]
    assert sorted(seen) == ["Facts of 1", "b", "c", "d", "d"]


async def test_many_aliases_with_different_filters_are_one_call(make_world, codes, datasets) -> None:
    filtering = replace(datasets.one(ZHEJIANG), filters=frozenset({"decidedFrom"}))
    world = make_world(datasets={**datasets.all, ZHEJIANG: filtering})
    aliases = "".join(
        f'a{n}: enterprise(code: $c) {{ penalties(decidedFrom: "20{n:02}-01-01") {{ status }} }} ' for n in range(10)
    )
    await world.ask(f"query ($c: CreditCode!) {{ {aliases} }}", c=codes.hangzhou)
    assert [request.filters for request in world.supply.requests if request.dataset == ZHEJIANG] == [{}]


async def test_a_purpose_that_me_does_not_know_leaves_the_rest_standing(make_world, codes) -> None:
    answer = await make_world().ask(
        """query ($c: CreditCode!) { me { subject access(purpose: "nonsense") { coordinate } }
             enterprise(code: $c) { creditCode } }""",
        c=codes.hangzhou,
    )
    assert answer["data"] == {
        "me": {"subject": "officer", "access": None},
        "enterprise": {"creditCode": codes.hangzhou},
    }


async def test_me_tells_nothing_of_what_introspection_hides(make_world, principals) -> None:
    answer = await make_world().ask("{ me { access { coordinate } } }", principals.anybody)
    told = {entry["coordinate"] for entry in answer["data"]["me"]["access"]}
    assert "Penalty.authority" in told
    assert "Penalty.responsiblePersonId" not in told


async def test_a_failure_is_an_error_only_where_records_were_asked_for_and_once_for_a_dataset(
    make_world, codes
) -> None:
    failing = dict.fromkeys(["zhejiang-penalties/Penalty", "guangdong-penalties/Penalty"], FailureCode.LIMIT)
    world = make_world(failing=failing)
    silent = await world.ask(
        "query ($c: CreditCode!) { enterprise(code: $c) { penalties { status } } }", c=codes.hangzhou
    )
    assert "errors" not in silent
    told = await world.ask(PAGE, c=codes.hangzhou)
    assert [error["message"].endswith("no records of 1 company.") for error in told["errors"]] == [True, True]


async def test_a_company_that_the_supply_forgot_is_a_failure_and_not_withheld(make_world, codes) -> None:
    world = make_world()

    async def fetch(_request: FetchRequest) -> dict[CreditCode, CompanyRows]:
        return {}

    world.supply.fetch = fetch
    answer = await world.ask(
        "query ($c: CreditCode!) { enterprise(code: $c) { penalties { status sources { status } } } }", c=codes.hangzhou
    )
    assert answer["data"]["enterprise"]["penalties"] == {
        "status": "UNAVAILABLE",
        "sources": [{"status": "FAILED"}, {"status": "FAILED"}],
    }


async def test_a_compiler_that_dies_is_replaced_once() -> None:
    async with Compiler() as compiler:
        first = await compiler.run(os.getpid)
        os.kill(first, signal.SIGKILL)
        pids = await asyncio.gather(*(compiler.run(os.getpid) for _ in range(20)))
        assert len(set(pids)) == 1
        assert pids[0] != first


async def test_a_range_of_dates_that_ends_before_it_begins_is_refused(make_world, codes) -> None:
    answer = await make_world().ask(
        """query ($c: CreditCode!) { enterprise(code: $c) {
             penalties(decidedFrom: "2026-02-03", decidedTo: "2020-01-01") { status records { facts } } } }""",
        c=codes.hangzhou,
    )
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "ARGUMENT_INVALID"
