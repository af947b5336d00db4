"""The kind `soap` against a server on a socket, whose envelopes are written by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.contract import FailureCode, Outcome
from connectors.supply import AgencySupply
from schema.values import Code, Money
from tests.connectors.soap_support import (
    BATCH,
    FIELDS,
    LAUGHS,
    NO_HEADERS,
    QUERY,
    SINGLE,
    SOAP_11,
    SOAP_12,
    WSSE,
    WSU,
    answered,
    body_of,
    envelope,
    http,
    penalty,
    plain,
    replying,
)
from tests.connectors.support import CODES, Agency, Asked, ask

Open = Callable[..., Awaitable[AgencySupply]]


def unqualified(content: str) -> str:
    """An answer without namespaces."""
    return envelope(f"<QueryPenaltiesResponse>{content}</QueryPenaltiesResponse>")


async def court(asked: Asked) -> bytes:
    """Answers each code with one penalty, but for the second of all codes, of which it has none."""
    codes = [element.text or "" for element in body_of(asked).iter("code")]
    return http(answered("".join(penalty(code.lower(), fine="1.5") for code in codes if code != CODES[1])))


async def test_a_batch_is_an_envelope_as_the_wsdl_says_sent_where_the_manifest_says(
    agency: Agency, open_soap: Open
) -> None:
    agency.answer = court
    supply = await open_soap(BATCH)
    answers = await ask(supply, CODES[:3], filters={"decidedFrom": date(2026, 1, 31)})
    [asked] = agency.asked
    assert (asked.method, asked.path) == ("POST", "/services/penalty")
    assert asked.headers["content-type"] == "text/xml; charset=utf-8"
    assert asked.headers["soapaction"] == '"urn:example:penalty:query/QueryPenalties"'
    assert asked.headers["authorization"] == "Basic a-secret"
    ns = f"{{{QUERY}}}"
    assert plain(body_of(asked)) == (
        f"{ns}QueryPenalties",
        [
            (f"{ns}source", "xinqiao"),
            (f"{ns}codes", [("code", code) for code in CODES[:3]]),
            (f"{ns}period", [(f"{ns}from", "2026-01-31")]),
        ],
    )
    access = asked.body.find(f"{{{SOAP_11}}}Header")[0]
    ns = "{urn:example:access}"
    assert plain(access) == (f"{ns}AccessHeader", [(f"{ns}system", "xinqiao"), (f"{ns}secret", "a-secret")])
    first = answers[CODES[0]]
    assert first.outcome is Outcome.ANSWERED
    assert first.rows[0]["amount"] == Money(Decimal(15_000))
    assert first.rows[0]["recordId"] == f"{CODES[0].lower()}-1"
    assert first.as_of is not None
    assert first.as_of.isoformat() == "2026-11-01T08:00:00+08:00"
    assert (answers[CODES[1]].outcome, answers[CODES[1]].rows) == (Outcome.ANSWERED, ())


async def test_batches_singles_and_another_order_give_the_same_answers(agency: Agency, open_soap: Open) -> None:
    agency.answer = court
    supply = await open_soap(BATCH)
    together = await ask(supply, CODES[:25])
    assert sorted(len(list(body_of(asked).iter("code"))) for asked in agency.asked) == [5, 10, 10]
    reverse = await ask(supply, CODES[24::-1])
    apart = {code: (await ask(supply, [code]))[code] for code in CODES[:25]}
    for code in CODES[:25]:
        assert together[code].rows == reverse[code].rows == apart[code].rows
        assert together[code].outcome is reverse[code].outcome is apart[code].outcome


async def test_one_company_a_call_goes_out_to_as_many_at_once_as_the_agency_bears(
    agency: Agency, open_soap: Open
) -> None:
    async def answer(asked: Asked) -> bytes:
        await asyncio.sleep(0)
        code = body_of(asked)[0].text or ""
        return http(answered(penalty(code), around=""))

    agency.answer = answer
    answers = await ask(await open_soap(SINGLE), CODES[:8])
    assert [answers[code].rows[0]["recordId"] for code in CODES[:8]] == [f"{code}-1" for code in CODES[:8]]
    assert agency.most_under_way <= 3
    assert plain(body_of(agency.asked[0]))[1][0][0] == f"{{{QUERY}}}creditCode"


async def test_soap_1_2_is_spoken_where_the_port_does(agency: Agency, open_soap: Open) -> None:
    replying(
        agency,
        envelope(f'<p:QueryPenaltiesResponse xmlns:p="{QUERY}">{penalty("x")}</p:QueryPenaltiesResponse>', SOAP_12),
    )
    manifest = SINGLE.replace("operation: QueryOne", "operation: QueryOne, port: Penalty12, service: PenaltyService")
    answers = await ask(await open_soap(manifest), CODES[:1])
    assert answers[CODES[0]].outcome is Outcome.ANSWERED
    assert agency.asked[0].headers["content-type"] == "application/soap+xml; charset=utf-8"
    assert "soapaction" not in agency.asked[0].headers
    assert body_of(agency.asked[0], SOAP_12).tag == f"{{{QUERY}}}QueryOne"


async def test_constants_choose_among_elements_and_fill_attributes(agency: Agency, open_soap: Open) -> None:
    replying(agency, answered("", around=""))
    manifest = SINGLE.replace("name: creditCode}", "name: organisationCode}, body: {version: 2}")
    await ask(await open_soap(manifest), CODES[:1])
    assert plain(body_of(agency.asked[0]))[1] == [(f"{{{QUERY}}}organisationCode", CODES[0])]
    assert body_of(agency.asked[0]).attrib == {"version": "2"}


async def test_rpc_sends_parts_and_arrays(agency: Agency, open_soap: Open) -> None:
    replying(agency, envelope('<r:findResponse xmlns:r="urn:x"><return/></r:findResponse>'))
    manifest = f"""{NO_HEADERS}
        key: code
        batch: 5
        missingMeans: none
        request:
          wsdl: registry.wsdl
          operation: find
          keys: {{name: codes.item, style: list}}
          body: {{caller: {{system: x}}}}
        response: {{rows: return.row}}
        fields: {{facts: x}}
"""
    await ask(await open_soap(manifest), CODES[:2])
    encoded = manifest.replace("codes.item", "codes").replace("body: {caller: {system: x}}", "port: Encoded")
    await ask(await open_soap(encoded), CODES[:2])
    literal, in_encoding = map(body_of, agency.asked)
    assert plain(literal)[0] == plain(in_encoding)[0] == "{urn:example:registry:calls}find"
    items = [("item", code) for code in CODES[:2]]
    assert plain(literal)[1] == [("caller", [("system", "x"), ("remark", None)]), ("codes", items)]
    assert literal.find("caller/remark").attrib == {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}  # type: ignore[union-attr]
    assert plain(in_encoding)[1] == [("codes", items)]


WITHOUT_ROWS = {
    "an empty list": answered(""),
    "a nil list": answered("").replace(
        "<p:penalties>", '<p:penalties xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1">'
    ),
}


@pytest.mark.parametrize("reply", WITHOUT_ROWS)
async def test_an_empty_element_around_the_rows_means_that_there_are_none(
    agency: Agency, open_soap: Open, reply: str
) -> None:
    replying(agency, WITHOUT_ROWS[reply])
    answers = await ask(await open_soap(BATCH), CODES[:1])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].rows) == (Outcome.ANSWERED, ())


@pytest.mark.parametrize(
    ("tells", "expected"),
    [
        ("", (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)),
        (", faults: {}", (Outcome.ANSWERED, None)),
        (", envelope: {path: penalties.error, ok: ['']}", (Outcome.ANSWERED, None)),
    ],
    ids=["nobody says how errors are told", "errors are faults", "errors are told inside"],
)
async def test_beside_other_things_no_rows_may_be_an_error_unless_the_manifest_says_how_these_are_told(
    agency: Agency, open_soap: Open, tells: str, expected: Any
) -> None:
    replying(agency, answered("<p:count>0</p:count>"))
    supply = await open_soap(BATCH.replace("{rows: penalties.penalty}", f"{{rows: penalties.penalty{tells}}}"))
    found = (await ask(supply, CODES[:1]))[CODES[0]]
    assert ((found.outcome, found.failure), found.rows) == (expected, ())


@pytest.mark.parametrize(
    ("rows", "reply"),
    [
        ("", envelope(f'<p:QueryPenaltiesResponse xmlns:p="{QUERY}"><c>-1</c><m>down</m></p:QueryPenaltiesResponse>')),
        ("rows: penalties", answered("<p:code>-1</p:code>")),
        ("rows: penalties.penalty", answered("<p:penalty><p:error>down</p:error></p:penalty>")),
        ("rows: penalties.penalty", answered("<p:penalty><p:error>down</p:error></p:penalty>" * 2)),
    ],
)
async def test_an_error_in_the_place_of_rows_is_no_record(
    agency: Agency, open_soap: Open, rows: str, reply: str
) -> None:
    replying(agency, reply)
    manifest = SINGLE.replace("rows: penalty\n", f"{rows}\n")
    found = (await ask(await open_soap(manifest), CODES[:1]))[CODES[0]]
    assert ((found.outcome, found.failure), found.rows) == ((Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE), ())


NO_LIST = {
    "nothing around the rows": answered("", around=""),
    "an element without anything": envelope(f'<p:QueryPenaltiesResponse xmlns:p="{QUERY}"/>'),
}


@pytest.mark.parametrize("reply", NO_LIST)
async def test_an_answer_without_what_is_around_the_rows_is_one_only_where_the_manifest_says_so(
    agency: Agency, open_soap: Open, reply: str
) -> None:
    replying(agency, NO_LIST[reply])
    answers = await ask(await open_soap(BATCH), CODES[:1])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].failure) == (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
    optional = BATCH.replace("{rows: penalties.penalty}", "{rows: penalties.penalty, optional: true}")
    answers = await ask(await open_soap(optional), CODES[:1])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].rows) == (Outcome.ANSWERED, ())


async def test_repeated_elements_that_come_single_are_lists_of_one(agency: Agency, open_soap: Open) -> None:
    fields = "        fields: {recordId: id, facts: {join: [clause.0.text, clause.1.text], with: /}}\n"
    manifest = SINGLE.replace(FIELDS, fields)
    clause = "<clause><text>{}</text></clause>"

    def row(number: int, *clauses: str) -> str:
        return f"<penalty><id>{number}</id>{''.join(map(clause.format, clauses))}</penalty>"

    supply = await open_soap(manifest)
    replying(agency, unqualified(row(1, "a")))
    [single] = (await ask(supply, CODES[:1]))[CODES[0]].rows
    assert (single["recordId"], single["facts"]) == ("1", "a")
    replying(agency, unqualified(row(1, "a", "b") + row(2)))
    rows = (await ask(supply, CODES[:1]))[CODES[0]].rows
    assert [row["facts"] for row in rows] == ["a/b", None]


async def test_several_elements_where_the_manifest_takes_one_are_not_read_as_none(
    agency: Agency, open_soap: Open
) -> None:
    manifest = SINGLE.replace(FIELDS, "        fields: {documentNumber: clause.number}\n")
    clause = "<clause><number>{}</number></clause>"
    replying(
        agency,
        unqualified(f"<penalty>{clause.format(1)}</penalty><penalty>{clause.format(1) * 2}</penalty>"),
    )
    answer = (await ask(await open_soap(manifest), CODES[:1]))[CODES[0]]
    assert [row["documentNumber"] for row in answer.rows] == ["1", None]
    assert (answer.outcome, answer.unmapped) == (Outcome.INCOMPLETE, 1)


async def test_rows_nested_in_their_company_are_joined_by_the_key_around_them(agency: Agency, open_soap: Open) -> None:
    def company(code: str, *penalties: int) -> str:
        return f'<c code="{code}">{"".join(f"<penalty><n>{number}</n></penalty>" for number in penalties)}</c>'

    replying(
        agency,
        unqualified(f"{company(CODES[0], 1, 2)}{company(CODES[1], 3)}{company(CODES[2])}<no>{CODES[3]}</no>"),
    )
    manifest = BATCH.replace("key: company.code", "key: ^.@code").replace("missingMeans: none", "missingMeans: error")
    manifest = manifest.replace("{rows: penalties.penalty}", "{rows: c, within: penalty, unknown: {keys: no}}")
    manifest = manifest.replace(FIELDS, "        fields: {documentNumber: n}\n")
    answers = await ask(await open_soap(manifest), CODES[:5])
    assert [[row["documentNumber"] for row in answers[code].rows] for code in CODES[:3]] == [["1", "2"], ["3"], []]
    assert [answers[code].outcome for code in CODES[:5]] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.UNKNOWN_COMPANY,
        Outcome.FAILED,
    ]


@pytest.mark.parametrize("encoding", ["GB2312", "gb18030", None])
async def test_answers_in_chinese_encodings_are_read(agency: Agency, open_soap: Open, encoding: str | None) -> None:
    text = answered(penalty(CODES[0]).replace("浙罚", "㐀镕罚"), around="")
    declared = text.replace(' encoding="utf-8"', f' encoding="{encoding}"' if encoding else "")
    replying(agency, http(declared.encode("gb18030")))
    manifest = SINGLE if encoding else SINGLE.replace("rows: penalty", "rows: penalty\n          encoding: gb18030")
    answers = await ask(await open_soap(manifest), CODES[:1])
    assert answers[CODES[0]].rows[0]["documentNumber"] == "㐀镕罚1"


async def test_values_that_the_schema_would_not_allow_cost_one_field(agency: Agency, open_soap: Open) -> None:
    rows = penalty("a", fine="约五万").replace("2026-03-01", "暂无") + penalty("a", 2, fine="3")
    replying(agency, answered(rows, around=""))
    answer = (await ask(await open_soap(SINGLE), CODES[:1]))[CODES[0]]
    assert [(row["decidedOn"], row["amount"]) for row in answer.rows] == [
        (None, None),
        (date(2026, 3, 2), Money(Decimal(30_000))),
    ]
    assert (answer.outcome, answer.unmapped) == (Outcome.INCOMPLETE, 1)


TEXT = f"""{NO_HEADERS}
        request:
          wsdl: registry.wsdl
          operation: ask
          keys: {{name: xml, text: "<ask><code>{{key}}</code></ask>"}}
        response: {{text: return, rows: list.row, envelope: {{path: code, ok: ["0"]}}, unknown: {{codes: ["4"]}}}}
        fields: {{recordId: id, kind: {{path: k, codes: {{"01": {{code: fine, label: 罚款}}}}}}}}
"""


def told(text: str) -> str:
    return envelope(f'<r:askResponse xmlns:r="urn:x"><return><![CDATA[{text}]]></return></r:askResponse>')


async def test_documents_within_texts_are_asked_and_read(agency: Agency, open_soap: Open) -> None:
    supply = await open_soap(TEXT)
    inner = '<?xml version="1.0" encoding="GBK"?><out><code>0</code><list><row><id>一</id><k>01</k></row></list></out>'
    replying(agency, told(inner))
    answer = (await ask(supply, CODES[:1]))[CODES[0]]
    assert (answer.rows[0]["recordId"], answer.rows[0]["kind"]) == ("一", Code("fine", "罚款"))
    assert plain(body_of(agency.asked[0]))[1] == [("xml", f"<ask><code>{CODES[0]}</code></ask>")]
    replying(agency, told("<out><code>4</code></out>"))
    assert (await ask(supply, CODES[:1]))[CODES[0]].outcome is Outcome.UNKNOWN_COMPANY
    for wrong in ("<out><code>9</code></out>", "<out>", "<!DOCTYPE o><o/>", "", "<out>0</out>"):
        replying(agency, told(wrong))
        assert (await ask(supply, CODES[:1]))[CODES[0]].failure is FailureCode.AGENCY_BAD_RESPONSE
    json_supply = await open_soap(TEXT.replace("text: return", "text: {path: return, format: json}"))
    replying(agency, told('{"code": 0, "list": {"row": [{"id": 7}]}}'))
    assert (await ask(json_supply, CODES[:1]))[CODES[0]].rows[0]["recordId"] == "7"


def fault(code: str, detail: str = "") -> str:
    return envelope(
        f"<e:Fault><faultcode>{code}</faultcode><faultstring>机密</faultstring><detail>{detail}</detail></e:Fault>"
    )


def fault_12(code: str, sub: str = "", detail: str = "") -> str:
    within = f"<e:Subcode><e:Value>{sub}</e:Value></e:Subcode>" if sub else ""
    reason = '<e:Reason><e:Text xml:lang="zh">机密</e:Text></e:Reason>'
    return envelope(
        f"<e:Fault><e:Code><e:Value>{code}</e:Value>{within}</e:Code>{reason}<e:Detail>{detail}</e:Detail></e:Fault>",
        SOAP_12,
    )


NUMBER = '<q:CreditFault xmlns:q="urn:q"><q:number>77</q:number></q:CreditFault>'
FAULTS = {
    "unknown by code": (fault("e:Client.NoSuchCompany"), FailureCode.AGENCY_BAD_RESPONSE, False),
    "unknown by own code": (fault("x:NoSuchCompany"), None, None),
    "unknown by detail": (fault("e:Client", '<x:NoSuchCompany xmlns:x="urn:x"/>'), None, None),
    "unknown by subcode": (fault_12("e:Sender", "x:NoSuchCompany"), None, None),
    "busy by detail's number": (fault("e:Server", NUMBER), FailureCode.AGENCY_OVERLOADED, True),
    "busy by subcode": (fault_12("e:Receiver", "Busy"), FailureCode.AGENCY_OVERLOADED, True),
    "theirs": (fault("e:Server.Database"), FailureCode.AGENCY_BAD_RESPONSE, True),
    "theirs in 1.2": (fault_12("e:Receiver"), FailureCode.AGENCY_BAD_RESPONSE, True),
    "ours": (fault("e:Client"), FailureCode.AGENCY_BAD_RESPONSE, False),
    "empty": (envelope("<e:Fault/>"), FailureCode.AGENCY_BAD_RESPONSE, False),
}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("name", FAULTS)
async def test_faults_mean_what_the_manifest_says_or_a_failure(
    agency: Agency, open_soap: Open, name: str, status: int
) -> None:
    reply, failure, retryable = FAULTS[name]
    replying(agency, reply, status)
    with capture_logs() as logs:
        answer = (await ask(await open_soap(SINGLE), CODES[:1]))[CODES[0]]
    if failure is None:
        assert answer.outcome is Outcome.UNKNOWN_COMPANY
    else:
        assert (answer.outcome, answer.failure, answer.retryable) == (Outcome.FAILED, failure, retryable)
    assert "机密" not in str(logs)


@pytest.mark.parametrize("body", ["<x:SystemError xmlns:x='urn:x'/>", "<fault><faultcode>9</faultcode></fault>"])
async def test_an_error_of_the_agencys_own_does_not_pass_for_an_answer_without_rows(
    agency: Agency, open_soap: Open, body: str
) -> None:
    replying(agency, envelope(body))
    answer = (await ask(await open_soap(SINGLE), CODES[:1]))[CODES[0]]
    assert answer.failure is FailureCode.AGENCY_BAD_RESPONSE


async def test_an_answer_may_be_called_otherwise_than_the_wsdl_says(agency: Agency, open_soap: Open) -> None:
    replying(agency, envelope(f"<Result>{penalty(CODES[0]).replace('p:', '')}</Result>"))
    manifest = SINGLE.replace("rows: penalty\n", "rows: penalty\n          element: Result\n")
    assert [row["documentNumber"] for row in (await ask(await open_soap(manifest), CODES[:1]))[CODES[0]].rows] == [
        "浙罚1"
    ]


async def test_a_fault_can_mean_that_there_are_no_records(agency: Agency, open_soap: Open) -> None:
    replying(agency, fault("e:Client", "<None/>"), 500)
    answer = (await ask(await open_soap(SINGLE), CODES[:1]))[CODES[0]]
    assert (answer.outcome, answer.rows) == (Outcome.ANSWERED, ())


HOSTILE = {
    "entities that grow": answered(penalty("a"), around="").replace("?>", f"?>{LAUGHS}").replace("浙罚1", "&x9;"),
    "a file": answered(penalty("a"), around="")
    .replace("?>", '?><!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>')
    .replace("浙罚1", "&f;"),
    "no XML": "<html><p>机密",
    "no envelope": "<a/>",
    "an empty body": envelope(""),
    "a text": envelope("机密"),
    "deep": envelope("<a>" * 200 + "</a>" * 200),
    "nothing": "",
    "too large": unqualified(f"<penalty>{'x' * 20_000}</penalty>"),
    "texts for rows": unqualified("<penalty>机密</penalty>"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_answers_that_are_none_are_failures_that_tell_nothing_of_them(
    agency: Agency, open_soap: Open, name: str
) -> None:
    replying(agency, HOSTILE[name])
    with capture_logs() as logs:
        answer = (await ask(await open_soap(SINGLE, largest_answer=16_384), CODES[:1]))[CODES[0]]
    wanted = FailureCode.LIMIT if name == "too large" else FailureCode.AGENCY_BAD_RESPONSE
    assert (answer.outcome, answer.failure) == (Outcome.FAILED, wanted)
    assert "机密" not in str(logs)
    assert CODES[0] not in str(logs)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (500, FailureCode.AGENCY_BAD_RESPONSE),
        (503, FailureCode.AGENCY_OVERLOADED),
        (429, FailureCode.AGENCY_OVERLOADED),
        (404, FailureCode.AGENCY_BAD_RESPONSE),
        (302, FailureCode.AGENCY_BAD_RESPONSE),
    ],
)
@pytest.mark.parametrize("reply", ["<html/>", answered("", around="")])
async def test_a_status_counts_where_there_is_no_fault(
    agency: Agency, open_soap: Open, status: int, failure: FailureCode, reply: str
) -> None:
    replying(agency, reply, status)
    assert (await ask(await open_soap(SINGLE), CODES[:1]))[CODES[0]].failure is failure


async def test_a_silent_agency_costs_no_more_than_its_timeout_and_a_cancelled_question_frees_its_places(
    agency: Agency, open_soap: Open
) -> None:
    called, silence = asyncio.Event(), asyncio.Event()

    async def answer(_: Asked) -> bytes:
        called.set()
        await silence.wait()
        return http(answered("", around=""))

    agency.answer = answer
    supply = await open_soap(SINGLE)
    assert (await ask(supply, CODES[:1], seconds=0.2))[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    question = asyncio.create_task(ask(supply, CODES[:8]))
    await called.wait()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    silence.set()
    answers = await ask(supply, CODES[:8])
    assert {rows.outcome for rows in answers.values()} == {Outcome.ANSWERED}


@pytest.mark.parametrize("style", ["text", "digest"])
async def test_a_user_token_goes_into_each_envelope(agency: Agency, open_soap: Open, style: str) -> None:
    replying(agency, answered("", around=""))
    security = (
        f"      security: {{user: '${{SECRET}}-user', password: '${{SECRET}}', style: {style}}}\n    timeout: 10\n"
    )
    supply = await open_soap(SINGLE.replace("    timeout: 10\n", security))
    await ask(supply, CODES[:2])
    tokens = [asked.body.find(f"*/{WSSE}Security/{WSSE}UsernameToken") for asked in agency.asked]
    for token in tokens:
        assert token.findtext(f"{WSSE}Username") == "a-secret-user"
        password = token.find(f"{WSSE}Password")
        kind = "PasswordText" if style == "text" else "PasswordDigest"
        assert password.attrib["Type"].endswith(f"username-token-profile-1.0#{kind}")
        if style == "text":
            assert password.text == "a-secret"
        else:
            nonce = base64.b64decode(token.findtext(f"{WSSE}Nonce"))
            made = nonce + token.findtext(f"{WSU}Created").encode() + b"a-secret"
            assert password.text == base64.b64encode(hashlib.sha1(made).digest()).decode()  # noqa: S324  (the profile's)
    if style == "digest":
        assert len({token.findtext(f"{WSSE}Nonce") for token in tokens}) == 2


async def test_headers_that_the_wsdl_does_not_declare_are_written_as_they_are_named(
    agency: Agency, open_soap: Open
) -> None:
    replying(agency, answered("", around=""))
    headers = '      soapHeaders: {"{urn:x}Trace": {id: 1, by: {name: "${SECRET}"}}}\n    timeout: 10\n'
    await ask(await open_soap(SINGLE.replace("    timeout: 10\n", headers)), CODES[:1])
    header = agency.asked[0].body.find(f"{{{SOAP_11}}}Header")
    by = ("{urn:x}by", [("{urn:x}name", "a-secret")])
    assert [plain(element) for element in header] == [("{urn:x}Trace", [("{urn:x}id", "1"), by])]


ENCODED = (
    NO_HEADERS
    + """
        key: code
        batch: 5
        missingMeans: none
        request: {wsdl: registry.wsdl, operation: find, port: Encoded, keys: {name: codes, style: list}}
        response: {rows: return.item}
        fields: {facts: facts.0, documentNumber: authority.name}
"""
)
ENCODED_NAMES = f"""xmlns:e="{SOAP_11}" xmlns:n="http://schemas.xmlsoap.org/soap/encoding/"
    xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="http://www.w3.org/2001/XMLSchema" """


def with_references(*beside: str) -> str:
    first = '<item href="#id1"/><item href="#id2"/>'
    returned = f'<return i:type="n:Array" n:arrayType="x:anyType[2]">{first}</return>'
    return (
        f'<e:Envelope {ENCODED_NAMES}><e:Body><r:findResponse xmlns:r="urn:r">{returned}</r:findResponse>'
        f"{''.join(beside)}</e:Body></e:Envelope>"
    )


def row(number: int, code: str, rest: str = "") -> str:
    return f'<multiRef id="id{number}" n:root="0" i:type="x:Row"><code i:type="x:string">{code}</code>{rest}</multiRef>'


async def test_objects_that_stand_beside_the_answer_are_read_where_it_refers_to_them(
    agency: Agency, open_soap: Open
) -> None:
    authority = '<authority href="#id3"/>'
    replying(
        agency,
        with_references(
            row(1, CODES[0], f'<facts href="#id4"/>{authority}'),
            row(2, CODES[1], f"<facts>b</facts>{authority}"),
            '<multiRef id="id3"><name>市监局</name></multiRef><multiRef id="id4" i:type="x:string">a</multiRef>',
        ),
    )
    answers = await ask(await open_soap(ENCODED), CODES[:2])
    assert [answers[code].rows[0]["facts"] for code in CODES[:2]] == ["a", "b"]
    assert [answers[code].rows[0]["documentNumber"] for code in CODES[:2]] == ["市监局", "市监局"]


CHAIN = "".join(row(n, "x", f'<a href="#id{n + 1}"/>') for n in range(2, 900))
GROWING = "".join(row(n, "x", "".join(f'<a{m} href="#id{n + 1}"/>' for m in range(20))) for n in range(2, 12))


@pytest.mark.parametrize(
    "beside",
    [
        row(2, "x", '<a href="#id2"/>'),
        row(2, "x", '<a href="#id3"/>') + row(3, "x", '<a href="#id2"/>'),
        CHAIN,
        GROWING,
    ],
    ids=["itself", "a circle", "a chain", "growing"],
)
async def test_references_that_never_end_or_grow_beyond_bounds_are_refused(
    agency: Agency, open_soap: Open, beside: str
) -> None:
    replying(agency, with_references(row(1, CODES[0]), beside))
    answers = await ask(await open_soap(ENCODED), CODES[:1])
    assert answers[CODES[0]].failure is FailureCode.AGENCY_BAD_RESPONSE
