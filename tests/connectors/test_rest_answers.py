"""What the kind `rest` reads: formats, encodings, layouts, and what agencies say of how it went."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from msgspec import structs

from connectors.contract import CompanyRows, FailureCode, Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from schema.credit_code import CreditCode
from tests.connectors.soap_support import LAUGHS
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
"""
SINGLE = HEAD + "        request: {path: '/p/{key}'}\n        fields: {recordId: id, facts: f}\n"
BATCH = (
    HEAD
    + """
        batch: 10
        missingMeans: error
        request: {path: /p, keys: {in: query, name: c, style: comma}}
        fields: {recordId: id, facts: f}
"""
)
KEYED = f"{BATCH}        key: code\n"
FIRST, SECOND, THIRD, FOURTH = CODES[:4]
Answers = Mapping[CreditCode, CompanyRows]


def reply(content: bytes, kind: str = "application/json; charset=utf-8", status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def told(agency: Agency, open_one: Any, manifest: str, answer: Any, number: int = 4) -> Answers:
    """What is made of an answer: JSON, (status, JSON), or bytes."""

    async def replying(_: Asked) -> Any:
        return answer

    agency.answer = replying
    return await ask(await open_one(manifest, agency.address), CODES[:number])


async def told_of_one(agency: Agency, open_one: Any, response: str, answer: Any) -> CompanyRows:
    return (await told(agency, open_one, f"{SINGLE}        response: {response}\n", answer, 1))[FIRST]


def facts(rows: CompanyRows) -> list[Any]:
    return [row["facts"] for row in rows.rows]


BAD = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


@pytest.mark.parametrize("claims", ["application/json; charset=utf-8", "text/html; charset=ISO-8859-1", "x"])
@pytest.mark.parametrize(("encoding", "text"), [("gb18030", "罚款𠮷元"), ("gbk", "罚款"), ("big5", "罰款")])
async def test_an_answer_is_in_the_encoding_of_its_manifest_whatever_its_headers_claim(
    agency: Agency, open_one: Any, encoding: str, text: str, claims: str
) -> None:
    content = json.dumps([{"id": 1, "f": text}], ensure_ascii=False).encode(encoding)
    found = await told_of_one(agency, open_one, f"{{encoding: {encoding}}}", reply(content, claims))
    assert facts(found) == [text]


async def test_a_large_answer_in_gb18030_is_whole(agency: Agency, open_one: Any) -> None:
    """Characters of two and four bytes lie across the pieces in which it is decoded."""
    text = "𠮷罚a" * 50_000
    content = json.dumps([{"id": 1, "f": text}], ensure_ascii=False).encode("gb18030")
    assert facts(await told_of_one(agency, open_one, "{encoding: gb18030}", reply(content))) == [text]


@pytest.mark.parametrize(
    ("response", "content"),
    [
        ("{}", '[{"id": 1, "f": "罚款"}]'.encode("gb18030")),
        ("{encoding: gb18030}", b'[{"id": 1, "f": "\xff\xff"}]'),
        ("{encoding: gb18030}", b'[{"id": 1, "f": "\x81"}]'),
        ("{encoding: gb18030}", b'[{"id": 1, "f": "a"}]\x81'),
        ("{format: xml, encoding: gb18030, rows: r}", b"<a><r>\xff\xff</r></a>"),
    ],
)
async def test_bytes_that_are_not_in_the_encoding_are_no_answer(
    agency: Agency, open_one: Any, response: str, content: bytes
) -> None:
    found = await told_of_one(agency, open_one, response, reply(content))
    assert (found.outcome, found.failure) == BAD


XML = """<?xml version="1.0" encoding="{encoding}"?>
<响应 xmlns="urn:x"><代码>0</代码><列表>{rows}</列表></响应>"""
ROW = '<处罚 id="{id}"><f>罚款{id}</f></处罚>'
READ_XML = """{format: xml, rows: 列表.处罚, envelope: {path: 代码, ok: ["0"]}}
        fields: {recordId: "@id", facts: f}"""


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "gb2312", "GB18030"])
async def test_xml_is_mapped_as_json_is(agency: Agency, open_one: Any, encoding: str, number: int) -> None:
    rows = "".join(ROW.format(id=index) for index in range(number))
    content = XML.format(encoding=encoding, rows=rows).encode(encoding)
    manifest = SINGLE.replace("        fields: {recordId: id, facts: f}\n", f"        response: {READ_XML}\n")
    found = (await told(agency, open_one, manifest, reply(content, "text/xml; charset=latin-1"), 1))[FIRST]
    assert (found.outcome, facts(found)) == (Outcome.ANSWERED, [f"罚款{index}" for index in range(number)])
    assert agency.asked[0].headers["accept"] == "application/xml, text/xml"


@pytest.mark.parametrize("content", ["<a><r><f>x</f></r>", f"{LAUGHS}<a><r>&x9;</r></a>", "{}", "", "<a/><b/>"])
async def test_what_is_no_xml_is_no_answer(agency: Agency, open_one: Any, content: str) -> None:
    found = await told_of_one(agency, open_one, "{format: xml, rows: r}", reply(content.encode()))
    assert (found.outcome, found.failure) == BAD


def encoded(text: str) -> str:
    """The text in base64, on several lines."""
    return base64.encodebytes(text.encode()).decode()


DESCRIBED = "{layout: arrays, rows: rows, header: table.columns.name}"


async def test_columns_may_be_described_by_objects(agency: Agency, open_one: Any) -> None:
    table = {"columns": [{"name": "n", "type": "int"}, {"name": "f", "type": "text"}]}
    found = await told_of_one(agency, open_one, DESCRIBED, {"table": table, "rows": [[1, "罚款"]]})
    assert facts(found) == ["罚款"]


@pytest.mark.parametrize("columns", [[{"name": "n"}, {"type": "text"}], {"name": "n"}, None, [["n", "f"]]])
async def test_columns_without_names_are_no_answer(agency: Agency, open_one: Any, columns: Any) -> None:
    found = await told_of_one(agency, open_one, DESCRIBED, {"table": {"columns": columns}, "rows": [[1, "罚款"]]})
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize(
    ("response", "document"),
    [
        ("{text: data, rows: data.list}", {"data": json.dumps({"list": [{"f": "罚款"}]})}),
        ("{text: data, rows: data}", {"data": json.dumps([{"f": "罚款"}])}),
        ("{text: {path: a.b, format: xml}, rows: a.b.row}", {"a": {"b": "<x><row><f>罚款</f></row></x>"}}),
        ("{text: data, rows: data.list}", {"data": {"list": [{"f": "罚款"}]}}),
        ("{text: d.0.t, rows: d.0.t}", {"d": [{"t": json.dumps([{"f": "罚款"}])}, {"t": "["}]}),
        ("{text: data, rows: data.list}", {"data": json.dumps(json.dumps({"list": [{"f": "罚款"}]}))}),
        ("{text: {path: data, encoded: base64}, rows: data}", {"data": encoded('[{"f": "罚款"}]')}),
        ("{text: {path: d, encoded: base64, format: xml}, rows: d.r}", {"d": encoded("<x><r><f>罚款</f></r></x>")}),
    ],
)
async def test_a_document_in_a_text_is_read_as_if_it_stood_there(
    agency: Agency, open_one: Any, response: str, document: Any
) -> None:
    assert facts(await told_of_one(agency, open_one, response, document)) == ["罚款"]


@pytest.mark.parametrize("text", ["data", "{path: data, encoded: base64}"])
@pytest.mark.parametrize("data", ["{'list': []}", "bm8=", "5", '"no"'])
async def test_a_text_that_holds_no_document_is_no_answer(agency: Agency, open_one: Any, text: str, data: str) -> None:
    found = await told_of_one(agency, open_one, f"{{text: {text}, rows: data.list}}", {"data": data})
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (
            "{layout: map, rows: data}",
            {"data": {FIRST: [{"id": 1, "f": "a"}, {"id": 2, "f": "b"}], SECOND.lower(): []}},
        ),
        (
            "{layout: map, rows: data, within: list}",
            {"data": {FIRST: {"list": [{"id": 1, "f": "a"}, {"id": 2, "f": "b"}]}, SECOND: {"list": []}, THIRD: None}},
        ),
        ("{layout: order}", [[{"id": 1, "f": "a"}, {"id": 2, "f": "b"}], [], None, None]),
        (
            "{layout: order, within: list}",
            [{"list": [{"id": 1, "f": "a"}, {"id": 2, "f": "b"}]}, {"list": []}, None, None],
        ),
    ],
)
async def test_rows_may_be_keyed_by_their_place(agency: Agency, open_one: Any, response: str, answer: Any) -> None:
    answers = await told(agency, open_one, f"{BATCH}        response: {response}\n", answer)
    assert [answers[code].outcome for code in CODES[:4]] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.FAILED,
        Outcome.FAILED,
    ]
    assert [facts(answers[code]) for code in CODES[:2]] == [["a", "b"], []]


@pytest.mark.parametrize("value", ["A", ["A"], {"value": "A"}])
async def test_a_bare_value_in_a_map_is_a_row(agency: Agency, open_one: Any, value: Any) -> None:
    manifest = BATCH.replace("{recordId: id, facts: f}", "{facts: value}") + "        response: {layout: map}\n"
    assert facts((await told(agency, open_one, manifest, {FIRST: value}, 1))[FIRST]) == ["A"]


@pytest.mark.parametrize("empty", [{}, []])
async def test_an_empty_map_knows_nobody(agency: Agency, open_one: Any, empty: Any) -> None:
    answers = await told(agency, open_one, f"{BATCH}        response: {{layout: map}}\n", empty, 2)
    assert {rows.outcome for rows in answers.values()} == {Outcome.FAILED}


TABLED = [[FIRST, 1, "a"], [SECOND, 2, "b"]]
TABLES = [
    ("{layout: arrays, rows: rows, header: head}", {"head": ["code", "id", "f"], "rows": TABLED}),
    ("{layout: arrays, rows: rows, header: [code, id, f]}", {"rows": TABLED}),
    ("{layout: columns, rows: d}", {"d": {"n": 2, "code": [FIRST, SECOND], "id": [1, 2], "f": ["a", "b"]}}),
]


@pytest.mark.parametrize(("response", "answer"), TABLES)
async def test_rows_may_come_as_a_table(agency: Agency, open_one: Any, response: str, answer: Any) -> None:
    answers = await told(agency, open_one, f"{KEYED}        response: {response}\n", answer, 2)
    assert [(answers[code].outcome, facts(answers[code])) for code in CODES[:2]] == [
        (Outcome.ANSWERED, ["a"]),
        (Outcome.ANSWERED, ["b"]),
    ]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("{layout: arrays, rows: rows, header: head}", {"head": ["code", "id"], "rows": [[FIRST, 1, "a"]]}),
        ("{layout: arrays, rows: rows, header: head}", {"head": None, "rows": [[FIRST, 1]]}),
        ("{layout: arrays, rows: rows, header: head}", {"head": ["code"], "rows": {}}),
        ("{layout: arrays, rows: rows, header: head}", {"head": ["code"], "rows": [FIRST]}),
        ("{layout: columns}", {"code": [FIRST, SECOND], "f": ["a"]}),
        ("{layout: columns}", {"code": FIRST}),
        ("{layout: columns}", [FIRST]),
    ],
)
async def test_a_table_that_does_not_fit_is_no_answer(
    agency: Agency, open_one: Any, response: str, answer: Any
) -> None:
    found = (await told(agency, open_one, f"{KEYED}        response: {response}\n", answer, 1))[FIRST]
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("{layout: map}", [{"f": "a"}]),
        ("{layout: map, within: l}", {FIRST: {"l": 7}}),
        ("{layout: order}", [[{"f": "a"}]]),
        ("{layout: order}", {"0": []}),
    ],
)
async def test_places_that_do_not_fit_are_no_answer(agency: Agency, open_one: Any, response: str, answer: Any) -> None:
    answers = await told(agency, open_one, f"{BATCH}        response: {response}\n", answer, 2)
    assert {(rows.outcome, rows.failure) for rows in answers.values()} == {BAD}


async def test_rows_may_be_nested_more_than_once(agency: Agency, open_one: Any) -> None:
    """Companies have cases, and these penalties: what is around either can be read, and who has none is named."""
    answer = [
        {"co": {"code": FIRST}, "cases": [{"no": "甲", "p": [{"id": 1}, {"id": 2}]}, {"no": "乙", "p": []}]},
        {"co": {"code": SECOND}, "cases": []},
        {"co": {"code": THIRD}, "cases": [{"no": "丙", "p": []}]},
    ]
    manifest = f"""{BATCH.replace("facts: f", "facts: ^.no, documentNumber: ^.^.co.code")}
        key: ^.^.co.code
        response: {{within: [cases, p]}}
"""
    answers = await told(agency, open_one, manifest, answer)
    assert [row["recordId"] for row in answers[FIRST].rows] == ["1", "2"]
    assert answers[FIRST].rows[0]["facts"] == "甲"
    assert answers[FIRST].rows[0]["documentNumber"] == FIRST
    assert [answers[code].outcome for code in CODES[:4]] == [*[Outcome.ANSWERED] * 3, Outcome.FAILED]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"c": "0", "d": {"a": [{"code": FIRST, "f": "a"}], "b": [{"code": FIRST, "f": "b"}]}}, ["a", "b"]),
        ({"c": "0", "d": {"a": None, "b": [{"code": FIRST, "f": "b"}]}}, ["b"]),
        ({"c": "0", "d": {"b": [{"code": FIRST, "f": "b"}]}}, ["b"]),
        ({"c": "0", "d": {"a": 7, "b": []}}, None),
    ],
)
async def test_rows_of_several_lists_are_one_datasets(
    agency: Agency, open_one: Any, answer: Any, expected: list[str] | None
) -> None:
    response = "        response: {rows: [d.a, d.b], optional: true, envelope: {path: c, ok: ['0']}}\n"
    found = (await told(agency, open_one, KEYED + response, answer, 1))[FIRST]
    assert (facts(found) if expected else (found.outcome, found.failure)) == (expected or BAD)


ENVELOPES = """{rows: body.list, optional: true,
          envelope: [{path: ok, ok: [true]}, {path: body.code, ok: ["", "00"], busy: ["77"]}],
          status: [400, 404, 500], unknown: {codes: [E1], status: [410]}, none: {codes: [E2], status: [204, 422]}}"""


@pytest.mark.parametrize(
    ("answer", "outcome", "failure"),
    [
        ({"ok": True, "body": {"code": "00", "list": [{"id": 1}]}}, Outcome.ANSWERED, None),
        ({"ok": True, "body": {"list": []}}, Outcome.ANSWERED, None),
        ({"ok": True, "body": None}, Outcome.ANSWERED, None),
        ({"ok": True}, Outcome.ANSWERED, None),
        ({"ok": True, "body": []}, Outcome.ANSWERED, None),
        ({"ok": True, "body": ""}, Outcome.ANSWERED, None),
        ({"ok": "true", "body": {"code": " 00 "}}, Outcome.ANSWERED, None),
        ({"ok": True, "body": {"code": "00", "list": 7}}, *BAD),
        ({"ok": True, "body": [1]}, *BAD),
        ({"ok": False, "body": {"code": "00", "list": []}}, *BAD),
        ({"ok": True, "body": {"code": 0, "list": []}}, *BAD),
        ({"ok": True, "body": {"code": "77"}}, Outcome.FAILED, FailureCode.AGENCY_OVERLOADED),
        ({"ok": True, "body": {"code": "E1"}}, Outcome.UNKNOWN_COMPANY, None),
        ({"ok": True, "body": {"code": "E2"}}, Outcome.ANSWERED, None),
        ((404, {"ok": True, "body": {"code": "E1"}}), Outcome.UNKNOWN_COMPANY, None),
        ((404, {"ok": True, "body": {"code": "E2"}}), Outcome.ANSWERED, None),
        ((404, {"ok": True, "body": {"code": "00", "list": []}}), *BAD),
        ((404, {"ok": False}), *BAD),
        ((400, {"ok": True, "body": {"code": "77"}}), Outcome.FAILED, FailureCode.AGENCY_OVERLOADED),
        ((403, {"ok": True, "body": {"code": "E2"}}), *BAD),
        (reply(b"<html>", status=404), *BAD),
        ((410, {}), Outcome.UNKNOWN_COMPANY, None),
        ((422, {}), Outcome.ANSWERED, None),
        (b"HTTP/1.1 204 X\r\n\r\n", Outcome.ANSWERED, None),
    ],
)
async def test_an_agency_says_how_it_went_in_its_own_ways(
    agency: Agency, open_one: Any, answer: Any, outcome: Outcome, failure: FailureCode | None
) -> None:
    found = await told_of_one(agency, open_one, ENVELOPES, answer)
    assert (found.outcome, found.failure) == (outcome, failure)


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (500, True)])
async def test_a_status_without_an_envelope_means_what_it_means(
    agency: Agency, open_one: Any, status: int, *, retryable: bool
) -> None:
    found = await told_of_one(agency, open_one, ENVELOPES, reply(b"<html>", status=status))
    assert ((found.outcome, found.failure), found.retryable) == (BAD, retryable)


async def test_nothing_found_means_that_none_of_a_batch_has_records(agency: Agency, open_one: Any) -> None:
    response = "        response: {envelope: {path: code, ok: ['0']}, none: {codes: ['404']}, rows: rows}\n"
    answers = await told(agency, open_one, KEYED + response, {"code": 404, "rows": None})
    assert {(rows.outcome, rows.rows) for rows in answers.values()} == {(Outcome.ANSWERED, ())}


async def test_nothing_found_beyond_the_last_page_says_nothing_of_those_before(agency: Agency, open_one: Any) -> None:
    async def answer(asked: Asked) -> Any:
        page = dict(asked.query)["no"]
        return {"code": 0, "rows": [{"code": FIRST, "id": page}]} if page == "1" else {"code": 404}

    agency.answer = answer
    manifest = KEYED.replace("style: comma}", "style: comma}, paging: {page: no, items: 1}")
    response = "        response: {envelope: {path: code, ok: ['0']}, none: {codes: ['404']}, rows: rows}\n"
    answers = await ask(await open_one(manifest + response, agency.address), CODES[:2])
    assert [answers[code].outcome for code in CODES[:2]] == [Outcome.ANSWERED, Outcome.FAILED]


async def test_the_companies_that_any_page_does_not_know_are_unknown(agency: Agency, open_one: Any) -> None:
    async def answer(asked: Asked) -> Any:
        return (
            {"rows": [], "no": [FIRST.lower()], "more": 1} if dict(asked.query)["p"] == "1" else {"rows": [], "more": 0}
        )

    agency.answer = answer
    manifest = KEYED.replace("style: comma}", "style: comma}, paging: {page: p, more: more}")
    answers = await ask(
        await open_one(f"{manifest}        response: {{rows: rows, unknown: {{keys: no}}}}\n", agency.address),
        CODES[:2],
    )
    assert [answers[code].outcome for code in CODES[:2]] == [Outcome.UNKNOWN_COMPANY, Outcome.FAILED]


@pytest.mark.parametrize(
    ("manifest", "response", "mistake"),
    [
        (SINGLE, "{unknown: {codes: [a]}}", "envelope"),
        (SINGLE, "{none: {codes: [a]}}", "envelope"),
        (SINGLE, "{status: [400]}", "envelope"),
        (SINGLE, "{optional: true, rows: a}", "envelope"),
        (SINGLE, "{layout: arrays}", "header"),
        (SINGLE, "{header: a}", "header"),
        (SINGLE, "{layout: columns, within: a}", "within"),
        (SINGLE, "{layout: columns, rows: [a, b]}", "several"),
        (SINGLE, "{layout: order, unknown: {keys: a}}", "order"),
        (SINGLE, "{envelope: {path: a, ok: [b]}, unknown: {codes: [c]}, none: {codes: [c]}}", "share"),
        (SINGLE, "{unknown: {status: [404]}, none: {status: [404]}}", "share"),
        (KEYED, "{layout: map}", "key"),
        (f"{KEYED}        lookup: {{request: {{path: '/{{key}}'}}, id: a}}\n", "{}", "one company"),
        (f"{SINGLE}        lookup: {{request: {{path: '/{{key}}'}}, id: a}}\n", "{layout: map}", "one company"),
        (f"{SINGLE}        lookup: {{request: {{path: '/{{key}}'}}, id: a}}\n", "{unknown: {keys: a}}", "one company"),
        (
            f"{SINGLE}        lookup: {{request: {{path: '/{{key}}', paging: {{page: b}}}}, id: a}}\n",
            "{}",
            "one answer",
        ),
        (BATCH, "{}", "key"),
        (BATCH.replace("comma}", "comma}, paging: {page: no}"), "{layout: order}", "order"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_in_the_manifest(
    tmp_path: Path, manifest: str, response: str, mistake: str
) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(dedent(f"{manifest}        response: {response}\n"), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=mistake):
        load_manifest(file, SHAPES)


async def test_what_was_not_asked_for_shows_in_nothing_that_is_told_though_the_agency_gives_it(
    agency: Agency, open_one: Any
) -> None:
    """Nor in a second call: whether a value that a caller may not see can be read is itself not for that caller."""
    rows = [{"id": "1", "f": "facts", "d": "2026-01-02", "a": "1.00"}]
    broken = [{"id": "1", "f": "facts", "d": "no date", "a": ["no sum"]}]
    manifest = f"{SINGLE.rstrip().removesuffix('}')}, decidedOn: d, amount: {{path: a}}}}\n"
    said = []
    for given in (rows, broken):
        agency.asked.clear()

        async def replying(_: Asked, given: Any = given) -> Any:
            return given

        agency.answer = replying
        source = await open_one(manifest, agency.address)
        told = (await ask(source, [FIRST], ["facts"]))[FIRST]
        said.append((structs.replace(told, not_older_than=None), len(agency.asked)))
    assert said == [(CompanyRows(Outcome.ANSWERED, ({"facts": "facts"},)), 1)] * 2
    whole = await ask(source, [FIRST], ["facts", "decidedOn", "amount"])
    assert whole[FIRST].outcome is Outcome.INCOMPLETE
