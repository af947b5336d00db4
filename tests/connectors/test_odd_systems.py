"""Invented agencies with odd habits, each asked over HTTP by a manifest alone: what their answers become, and what they
must never pass for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import CompanyRows, FailureCode, Outcome
from schema.credit_code import CreditCode
from schema.values import Code, Count, DateSpan, Money
from tests.connectors.support import CODES, Agency, Asked, ask

FIRST, SECOND, THIRD = CODES[:3]
HEAD = """
    agency: odd
    name: {en: Odd, zh: 怪}
    kind: rest
    connection: {url: "${ADDRESS}"}
    retries: {most: 0}
    datasets:
"""


def reply(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content


async def told(
    agency: Agency, open_one: Any, dataset: str, *answers: Any, codes: int = 1
) -> Mapping[CreditCode, CompanyRows]:
    """What a dataset says of the first companies, where the agency gives these answers in their order."""
    left = list(answers)
    agency.read = bytes

    async def answer(_: Asked) -> Any:
        return left.pop(0)

    agency.answer = answer
    supply = await open_one(HEAD + dataset, agency.address)
    answered = await ask(supply, CODES[:codes])
    assert not left
    return answered


async def test_a_bus_of_services_that_writes_columns_as_elements_with_a_name(agency: Agency, open_one: Any) -> None:
    """XML both ways, GBK, a header with a serial number and a moment, an envelope in each of two parts."""
    dataset = """
      - record: Penalty
        request:
          method: POST
          path: /esb
          encoding: gbk
          xml: >-
            <ROOT><HEAD><SEQ>{SEQ}</SEQ><TIME>{TIME}</TIME></HEAD><BODY><TYSHXYDM>{DM}</TYSHXYDM></BODY></ROOT>
          keys: {in: body, name: DM}
          fresh: {SEQ: nonce, TIME: "%Y%m%d%H%M%S"}
        response:
          format: xml
          rows: BODY.ROWS.ROW
          envelope: [{path: HEAD.RET, ok: ["0000"], busy: ["9001"]}, {path: BODY.CODE, ok: ["", "1"]}]
          none: {codes: ["0404"]}
        fields:
          documentNumber: COL[@NAME=WSH].#text
          decidedOn: COL[@NAME=CFRQ].#text
          amount: {first: ["COL[@NAME=FKJE].#text", "COL[@NAME=MSJE].#text"]}
          facts: {join: ["COL[@NAME=SY].#text", "COL[@NAME=YJ].#text"], with: ；}
    """
    rows = """
        <ROW><COL NAME="CFRQ">二〇二一年三月五日</COL><COL NAME="WSH">甲罚〔2021〕1号</COL>
          <COL NAME="FKJE">人民币壹万贰仟元整</COL><COL NAME="SY">超标</COL><COL NAME="YJ">无</COL></ROW>
        <ROW><COL NAME="WSH">甲罚〔2021〕2号</COL><COL NAME="FKJE"/><COL NAME="MSJE">3.5万元</COL><COL NAME="SY">a</COL>
          <COL NAME="YJ">b</COL></ROW>
    """
    answer = (
        f"<?xml version='1.0' encoding='GBK'?><ROOT><HEAD><RET>0000</RET></HEAD><BODY><ROWS>{rows}</ROWS></BODY></ROOT>"
    )
    found = (await told(agency, open_one, dataset, reply(answer.encode("gbk"))))[FIRST]
    assert found.outcome is Outcome.ANSWERED
    assert found.rows == (
        {
            "documentNumber": "甲罚〔2021〕1号",
            "decidedOn": date(2021, 3, 5),
            "amount": Money(Decimal(12_000)),
            "facts": "超标",
        },
        {
            "documentNumber": "甲罚〔2021〕2号",
            "decidedOn": None,
            "amount": Money(Decimal(35_000)),
            "facts": "a；b",
        },
    )
    sent = agency.asked[0].body.decode("gbk")
    serial = sent.partition("<SEQ>")[2].partition("</SEQ>")[0]
    assert len(bytes.fromhex(serial)) == 16
    moment = sent.partition("<TIME>")[2].partition("</TIME>")[0]
    assert (len(moment), moment[:2]) == (14, "20")
    nothing = "<ROOT><HEAD><RET>0404</RET></HEAD></ROOT>"
    found = (await told(agency, open_one, dataset, reply(nothing.encode())))[FIRST]
    assert (found.outcome, found.rows) == (Outcome.ANSWERED, ())


async def test_a_platform_that_puts_json_into_a_field_of_a_form_and_answers_with_json_in_a_text(
    agency: Agency, open_one: Any
) -> None:
    dataset = """
      - record: TaxCredit
        key: nsrsbh
        batch: 3
        missingMeans: unknown
        request:
          method: POST
          path: /gateway.do
          format: form
          field: params
          keys: {in: body, name: nsrsbhList, style: list, each: {nsrsbh: "{key}"}}
          paging: {page: pageIndex, size: pageSize, items: 2, total: returnData.totalCount}
        response:
          text: returnData
          rows: returnData.rows
          optional: true
          envelope: {path: returnCode, ok: ["00"]}
        fields:
          year: pjnd
          grade: {path: xydj, codes: {"11": A, "12": {code: B, label: 乙级}}}
          ratedOn: {path: pjrq, formats: [epochMilliseconds], none: ["1970-01-01"]}
    """

    def page(total: int, *rows: Any) -> Any:
        return {"returnCode": "00", "returnData": json.dumps({"totalCount": str(total), "rows": rows or None})}

    first = {"nsrsbh": FIRST.lower(), "pjnd": "2021年度", "xydj": 11, "pjrq": "/Date(1614902400000+0800)/"}
    second = {"nsrsbh": f" {SECOND}", "pjnd": "２０２０", "xydj": "12", "pjrq": 0}
    answers = await told(
        agency, open_one, dataset, page(3, first, second), page(3, {**second, "pjnd": "2019"}), codes=3
    )
    assert answers[FIRST].rows == ({"year": 2021, "grade": Code("A"), "ratedOn": date(2021, 3, 5)},)
    assert [row["year"] for row in answers[SECOND].rows] == [2020, 2019]
    assert answers[SECOND].rows[0] == {"year": 2020, "grade": Code("B", "乙级"), "ratedOn": None}
    assert answers[THIRD].outcome is Outcome.UNKNOWN_COMPANY
    assert b"params=%7B%22nsrsbhList%22%3A%5B%7B%22nsrsbh%22" in agency.asked[0].body
    none = {"returnCode": "00", "returnData": ""}
    assert (await told(agency, open_one, dataset, none))[FIRST].outcome is Outcome.UNKNOWN_COMPANY


async def test_a_register_that_marks_rows_as_deleted_and_keeps_drafts(agency: Agency, open_one: Any) -> None:
    dataset = """
      - record: Penalty
        key: code
        batch: 3
        missingMeans: error
        only: {zt: ["1", 已公示], sjlx: C}
        except: {scbz: ["1", "true"]}
        request: {path: /p, keys: {in: query, name: codes, style: comma}}
        fields: {recordId: id}
    """
    kept = {"code": FIRST, "id": 1, "zt": 1, "sjlx": "Ｃ", "scbz": None}
    others = [
        {**kept, "id": 2, "scbz": "1"},
        {**kept, "id": 3, "scbz": True},
        {**kept, "id": 4, "zt": "0"},
        {**kept, "id": 5, "sjlx": None},
        {**kept, "id": 6, "code": SECOND, "scbz": 1},
    ]
    answers = await told(agency, open_one, dataset, [kept, {**kept, "id": 7, "zt": "已公示"}, *others], codes=3)
    assert [row["recordId"] for row in answers[FIRST].rows] == ["1", "7"]
    # That its only row does not count is not the same as none that came.
    assert (answers[SECOND].outcome, answers[SECOND].rows) == (Outcome.ANSWERED, ())
    assert (answers[THIRD].outcome, answers[THIRD].failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    unclear = [{**kept, "scbz": ["1"]}, kept, {**kept, "code": SECOND}]
    answers = await told(agency, open_one, dataset, unclear, codes=2)
    assert (answers[FIRST].outcome, len(answers[FIRST].rows), answers[FIRST].unmapped) == (Outcome.INCOMPLETE, 1, 1)
    assert (answers[SECOND].outcome, len(answers[SECOND].rows)) == (Outcome.ANSWERED, 1)


async def test_a_report_generator_that_answers_with_a_table(agency: Agency, open_one: Any) -> None:
    dataset = """
      - record: Registration
        key: 社会信用代码
        batch: 3
        missingMeans: unknown
        request: {path: /report, keys: {in: query, name: p_codes, style: comma, separator: ";"}, query: {fmt: json}}
        response: {layout: arrays, rows: resultset, header: [社会信用代码, 名称, 注册资金, 币种, 从业人数, 年, 月, 日]}
        fields:
          name: 名称
          registeredCapital: {path: 注册资金, unit: 千元, currency: {path: 币种, codes: {人民币: CNY, "840": USD}}}
          employees: 从业人数
          establishedOn: {join: [年, 月, 日], with: "-"}
    """
    table = [
        [FIRST, "甲（集团）有限公司", 1250.5, "840", "约120人", 2001, 3, 5],
        [SECOND, "乙公司", "８００", "人民币", "120人", "2001", "12", "31"],
    ]
    answers = await told(agency, open_one, dataset, {"resultset": table}, codes=3)
    first = answers[FIRST]
    assert (first.outcome, first.unmapped, first.rows[0]["employees"]) == (Outcome.INCOMPLETE, 1, None)
    assert first.rows[0]["registeredCapital"] == Money(Decimal(1250500), "USD")
    assert answers[SECOND].rows[0] == {
        "name": "乙公司",
        "registeredCapital": Money(Decimal(800_000)),
        "employees": Count(120),
        "establishedOn": date(2001, 12, 31),
    }
    assert answers[THIRD].outcome is Outcome.UNKNOWN_COMPANY
    assert agency.asked[0].query == [("fmt", "json"), ("p_codes", ";".join(CODES[:3]))]


async def test_a_service_written_in_php_whose_map_of_companies_is_a_list_when_empty(
    agency: Agency, open_one: Any
) -> None:
    dataset = """
      - record: Shareholder
        key: {kind: organisationCode, spellings: [hyphenated]}
        batch: 3
        missingMeans: none
        request: {method: POST, path: /holders, keys: {in: body, style: list}}
        response: {layout: map, rows: data, within: gd, envelope: {path: success, ok: [true, 1]}}
        fields:
          holder: tyshxydm
          share: {path: bl, scale: 100}
          heldSince: rq
    """
    written = f"{FIRST.organisation_code[:8]}-{FIRST.organisation_code[8]}"
    holders = {"gd": [{"tyshxydm": SECOND, "bl": "0.3505", "rq": "2020.1.2"}, {"bl": "64.95%", "rq": "1900-01-01"}]}
    found = (await told(agency, open_one, dataset, {"success": True, "data": {written: holders}}))[FIRST]
    assert found.rows == (
        {"holder": SECOND, "share": Decimal("35.0500"), "heldSince": DateSpan(date(2020, 1, 2))},
        {"holder": None, "share": Decimal("64.95"), "heldSince": None},
    )
    assert json.loads(agency.asked[0].body) == [written]
    nobody = (await told(agency, open_one, dataset, {"success": 1, "data": []}))[FIRST]
    assert (nobody.outcome, nobody.rows) == (Outcome.ANSWERED, ())


async def test_a_cloud_that_speaks_by_statuses_and_goes_on_by_links(agency: Agency, open_one: Any) -> None:
    dataset = """
      - record: Penalty
        request: {path: "/companies/{key}/penalties", paging: {link: _links.next.href, size: limit, items: 1}}
        response:
          rows: _embedded.items
          envelope: {path: error.code, ok: [""], busy: [SYSTEM_BUSY]}
          status: [400, 404, 429]
          unknown: {codes: [COMPANY_NOT_FOUND]}
          none: {status: [204]}
        fields: {recordId: id, amount: {path: fine.value, currency: {path: fine.currency}}}
    """
    pages = [
        {
            "_embedded": {"items": [{"id": 1, "fine": {"value": 12.10, "currency": "USD"}}]},
            "_links": {"next": {"href": f"/companies/{FIRST}/penalties?limit=1&after=1"}},
        },
        {"_embedded": {"items": [{"id": 2, "fine": None}]}, "_links": {}},
    ]
    found = (await told(agency, open_one, dataset, *pages))[FIRST]
    assert [row["amount"] for row in found.rows] == [Money(Decimal("12.1"), "USD"), None]
    assert agency.asked[1].query == [("limit", "1"), ("after", "1")]
    for answer, outcome, failure in (
        ((404, {"error": {"code": "COMPANY_NOT_FOUND"}}), Outcome.UNKNOWN_COMPANY, None),
        ((404, {"error": {"code": "NO_SUCH_ROUTE"}}), Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE),
        ((429, {"error": {"code": "SYSTEM_BUSY"}}), Outcome.FAILED, FailureCode.AGENCY_OVERLOADED),
        (b"HTTP/1.1 204 X\r\n\r\n", Outcome.ANSWERED, None),
    ):
        found = (await told(agency, open_one, dataset, answer))[FIRST]
        assert (found.outcome, found.failure) == (outcome, failure)


async def test_a_court_that_nests_penalties_in_cases_in_companies(agency: Agency, open_one: Any) -> None:
    dataset = """
      - record: Penalty
        key: ^.^.qyxx.tyshxydm
        batch: 3
        missingMeans: error
        request: {method: POST, path: /q, keys: {in: body, name: qyxx, style: list, each: {tyshxydm: "{key}", lx: 1}}}
        response: {rows: jg, within: [ajList, cfList], envelope: {path: cwxx, ok: ['']}}
        fields:
          documentNumber: {join: [^.ajh, xh], with: "-"}
          decidedOn: {path: rq, formats: ["%d/%m/%Y", "%Y年%m月%d日"], none: [不详]}
          amount: {path: je, unit: 分, default: 0}
          kind: {const: fine}
    """
    case = {
        "ajh": "（2021）浙01",
        "cfList": [{"xh": 1, "rq": "05/03/2021", "je": 150}, {"xh": 2, "rq": "不详", "je": ""}],
    }
    answer = {
        "jg": [
            {"qyxx": {"tyshxydm": FIRST}, "ajList": [case, {"ajh": "二", "cfList": []}]},
            {"qyxx": {"tyshxydm": SECOND}, "ajList": None},
        ]
    }
    answers = await told(agency, open_one, dataset, answer, codes=3)
    assert answers[FIRST].rows == (
        {
            "documentNumber": "（2021）浙01-1",
            "decidedOn": date(2021, 3, 5),
            "amount": Money(Decimal("1.50")),
            "kind": Code("fine"),
        },
        {"documentNumber": "（2021）浙01-2", "decidedOn": None, "amount": Money(Decimal(0)), "kind": Code("fine")},
    )
    assert (answers[SECOND].outcome, answers[SECOND].rows) == (Outcome.ANSWERED, ())
    assert answers[THIRD].outcome is Outcome.FAILED


async def test_a_warehouse_with_columns_side_by_side_and_a_cursor(agency: Agency, open_one: Any) -> None:
    dataset = """
      - record: TaxCredit
        key: uscc
        batch: 3
        missingMeans: none
        request:
          {method: POST, path: /scan, keys: {in: body, name: filter.uscc, style: list},
          paging: {cursor: scroll, next: scroll_id, size: n, items: 2}}
        response: {layout: columns, rows: columns}
        fields: {year: nd, grade: dj}
    """
    pages = [
        {"columns": {"uscc": [FIRST, SECOND], "nd": [2020, 2021], "dj": ["A", "\\N"]}, "scroll_id": "x=1"},
        {"columns": {"uscc": [FIRST], "nd": [None], "dj": ["B"]}, "scroll_id": None},
    ]
    answers = await told(agency, open_one, dataset, *pages, codes=2)
    assert answers[FIRST].rows == ({"year": 2020, "grade": Code("A")}, {"year": None, "grade": Code("B")})
    assert answers[SECOND].rows == ({"year": 2021, "grade": None},)
    assert json.loads(agency.asked[1].body) == {"filter": {"uscc": [FIRST, SECOND]}, "scroll": "x=1", "n": 2}


async def test_an_office_whose_rows_are_as_dirty_as_they_come(agency: Agency, open_one: Any) -> None:
    """What cannot be read is null and counted; rows of nobody are counted for everybody; nothing is guessed."""
    dataset = """
      - record: Penalty
        key: code
        batch: 3
        missingMeans: none
        request: {path: /p, keys: {in: query, name: c, style: repeat}}
        fields: {recordId: id, decidedOn: rq, amount: je, kind: {path: lb, codes: {"01": fine}}, facts: ss}
    """
    whole = {"code": FIRST, "id": 1, "rq": "2021.3.5", "je": "￥1,000.00", "lb": "０１", "ss": " 有　"}
    dirty = {"code": SECOND, "id": 2, "rq": "2021-02-30", "je": "一万五", "lb": "99", "ss": ["a"]}
    answers = await told(agency, open_one, dataset, [whole, dirty], codes=3)
    assert answers[FIRST].rows == (
        {
            "recordId": "1",
            "decidedOn": date(2021, 3, 5),
            "amount": Money(Decimal("1000.00")),
            "kind": Code("fine"),
            "facts": "有",
        },
    )
    assert (answers[SECOND].outcome, answers[SECOND].unmapped) == (Outcome.INCOMPLETE, 4)
    assert set(answers[SECOND].rows[0].values()) == {"2", None}
    assert answers[THIRD].outcome is Outcome.ANSWERED
    nobodys = [{**whole, "code": wrong, "id": number} for number, wrong in enumerate(("", None, "91330106", [1]))]
    answers = await told(agency, open_one, dataset, [whole, *nobodys], codes=3)
    assert {(rows.outcome, rows.unmapped) for rows in answers.values()} == {(Outcome.INCOMPLETE, 4)}
    assert len(answers[FIRST].rows) == 1


async def test_a_script_that_glues_its_json_together(agency: Agency, open_one: Any) -> None:
    """Texts with line ends as they are, numbers that are none."""
    dataset = """
      - record: Penalty
        request: {path: /p, keys: {in: query, name: c}}
        fields: {documentNumber: wsh, amount: je, facts: {path: ss, none: [NaN]}}
    """
    glued = b'[{"wsh": "A\t1", "je": 1.10, "ss": NaN}, {"wsh": NaN, "je": -Infinity, "ss": "one\r\ntwo"}]'
    found = (await told(agency, open_one, dataset, reply(glued)))[FIRST]
    assert (found.outcome, found.unmapped) == (Outcome.INCOMPLETE, 2)
    assert found.rows == (
        {"documentNumber": "A\t1", "amount": Money(Decimal("1.10")), "facts": None},
        {"documentNumber": None, "amount": None, "facts": "one\r\ntwo"},
    )


@pytest.mark.parametrize(
    ("means", "outcome", "failure"),
    [
        ("none", Outcome.ANSWERED, None),
        ("unknown", Outcome.UNKNOWN_COMPANY, None),
        ("error", Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE),
    ],
)
async def test_an_archive_that_answers_in_the_order_of_its_questions(
    agency: Agency, open_one: Any, means: str, outcome: Outcome, failure: FailureCode | None
) -> None:
    dataset = f"""
      - record: TaxCredit
        batch: 3
        missingMeans: {means}
        request: {{method: POST, path: /b, format: form, keys: {{in: body, name: id, style: repeat}}}}
        response: {{layout: order, rows: results}}
        fields: {{grade: value}}
    """
    answers = await told(agency, open_one, dataset, {"results": ["A", None, []]}, codes=3)
    assert answers[FIRST].rows == ({"grade": Code("A")},)
    assert (answers[SECOND].outcome, answers[SECOND].failure) == (outcome, failure)
    assert (answers[THIRD].outcome, answers[THIRD].rows) == (Outcome.ANSWERED, ())


LOOKUP = """
      - record: Penalty
        lookup:
          request: {path: /companies, keys: {in: query, name: code}, query: {fields: id}}
          id: data.0.id
          response:
            {envelope: {path: code, ok: ["0"]}, optional: true, status: [400], unknown: {status: [410], codes: ["4"]}}
        filters: {decidedFrom: since}
        request: {path: "/companies/{key}/penalties"}
        response: {rows: data, unknown: {status: [404]}}
        fields: {recordId: id}
"""


async def test_a_system_that_knows_companies_by_numbers_of_its_own(agency: Agency, open_one: Any) -> None:
    found = {"code": 0, "data": [{"id": 4711}]}
    answers = await told(agency, open_one, LOOKUP, found, {"data": [{"id": 1}, {"id": 2}]})
    assert [row["recordId"] for row in answers[FIRST].rows] == ["1", "2"]
    assert [(asked.path, asked.query) for asked in agency.asked] == [
        ("/companies", [("fields", "id"), ("code", FIRST)]),
        ("/companies/4711/penalties", []),
    ]
    nobody = {"code": 0, "data": [{"id": None}]}
    for replies in ([{"code": 0, "data": []}], [nobody], [(410, {})], [(400, {"code": 4})], [found, (404, {})]):
        rows = (await told(agency, open_one, LOOKUP, *replies))[FIRST]
        assert (rows.outcome, rows.rows) == (Outcome.UNKNOWN_COMPANY, ())
    assert (await told(agency, open_one, LOOKUP, found, {"data": []}))[FIRST].outcome is Outcome.ANSWERED


async def test_a_number_that_is_left_out_has_to_be_declared_so(agency: Agency, open_one: Any) -> None:
    strict = LOOKUP.replace("optional: true, ", "")
    rows = (await told(agency, open_one, strict, {"code": 0, "data": []}))[FIRST]
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 1},
        {"data": []},
        (500, {}),
        {"code": 0, "data": [{"id": True}]},
        {"code": 0, "data": [{"id": {"a": 1}}]},
        {"code": 0, "data": [{"id": '"><'}]},
        {"code": 0, "data": [{"id": ".."}]},
    ],
)
async def test_a_number_that_cannot_be_had_is_a_failure_and_no_unknown_company(
    agency: Agency, open_one: Any, answer: Any
) -> None:
    rows = (await told(agency, open_one, LOOKUP, answer))[FIRST]
    assert (rows.outcome, rows.failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    assert len(agency.asked) == 1
