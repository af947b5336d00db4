"""What the kind `rest` sends, as an agency's server reads it."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.contract import Outcome
from connectors.errors import ManifestInvalid
from connectors.manifest_file import load_manifest
from tests.connectors.support import CODES, SHAPES, Agency, Asked, ask

HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        fields: {recordId: id}
"""
FIRST, SECOND = CODES[:2]


async def sent(agency: Agency, open_one: Any, request: str, **filters: date) -> Asked:
    """What a call about two companies sends, its body as bytes."""
    agency.read = bytes

    async def answer(_: Asked) -> Any:
        return [{"code": code, "id": "1"} for code in CODES[:2]]

    agency.answer = answer
    if filters:
        request += "\n        filters: {decidedFrom: ksrq, decidedTo: {name: jsrq, format: epochMilliseconds}}"
    answers = await ask(
        await open_one(f"{HEAD}        request: {request}\n", agency.address), CODES[:2], filters=filters
    )
    assert {rows.outcome for rows in answers.values()} == {Outcome.ANSWERED}
    return agency.asked[-1]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("name: codes, style: comma", f"codes={FIRST}%2C{SECOND}"),
        ("name: codes, style: comma, separator: ;", f"codes={FIRST}%3B{SECOND}"),
        ("name: query.code, style: repeat", f"query.code={FIRST}&query.code={SECOND}"),
        (
            """name: q, style: comma, each: '"{key}"', text: '{"codes":[{key}]}'""",
            f"q=%7B%22codes%22%3A%5B%22{FIRST}%22%2C%22{SECOND}%22%5D%7D",
        ),
    ],
)
async def test_a_form_carries_keys_and_constants(agency: Agency, open_one: Any, keys: str, expected: str) -> None:
    asked = await sent(
        agency,
        open_one,
        f"{{method: POST, path: /p, format: form, keys: {{in: body, {keys}}}, body: {{type: 处罚, n: 5}}}}",
    )
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.body.decode() == f"type=%E5%A4%84%E7%BD%9A&n=5&{expected}"


async def test_a_form_can_carry_the_whole_body_as_json_in_one_field(agency: Agency, open_one: Any) -> None:
    keys = "keys: {in: body, name: q.codes, style: list}"
    request = f"{{method: POST, path: /p, format: form, field: params, {keys}, body: {{type: 1}}}}"
    asked = await sent(agency, open_one, request, decidedFrom=date(2026, 4, 1))
    wanted = f'{{"type":1,"q":{{"codes":["{FIRST}","{SECOND}"]}},"ksrq":"2026-04-01"}}'
    assert parse_qsl(asked.body.decode()) == [("params", wanted)]


@pytest.mark.parametrize("encoded", [True, False])
async def test_a_member_or_a_field_can_carry_the_whole_body_in_base64(
    agency: Agency, open_one: Any, *, encoded: bool
) -> None:
    keys = "keys: {in: body, name: q.codes, style: list}"
    for form in ("json", "form"):
        how = f"format: {form}, field: data" + (", encoded: base64" if encoded else "")
        asked = await sent(agency, open_one, f"{{method: POST, path: /p, {how}, {keys}, body: {{lx: 处罚}}}}")
        body = json.loads(asked.body) if form == "json" else dict(parse_qsl(asked.body.decode()))
        data = body.pop("data")
        assert body == {}
        data = base64.b64decode(data).decode() if encoded else data
        assert json.loads(data) == {"lx": "处罚", "q": {"codes": [FIRST, SECOND]}}


@pytest.mark.parametrize(
    ("keys", "body", "expected"),
    [
        (
            'name: q.items, style: list, each: {uscc: "{key}", kind: {n: 1, of: ["{key}"]}}',
            "body: {q: {all: true}}",
            (
                f'{{"q":{{"all":true,"items":[{{"uscc":"{FIRST}","kind":{{"n":1,"of":["{FIRST}"]}}}},'
                f'{{"uscc":"{SECOND}","kind":{{"n":1,"of":["{SECOND}"]}}}}]}}}}'
            ),
        ),
        ("style: list", "", f'["{FIRST}","{SECOND}"]'),
        ('style: list, each: {c: "{key}"}', "", f'[{{"c":"{FIRST}"}},{{"c":"{SECOND}"}}]'),
    ],
    ids=["objects-within", "list-alone", "objects-alone"],
)
async def test_a_json_body_carries_keys_as_the_manifest_says(
    agency: Agency, open_one: Any, keys: str, body: str, expected: str
) -> None:
    asked = await sent(agency, open_one, f"{{method: POST, path: /p, keys: {{in: body, {keys}}}, {body}}}")
    assert (asked.headers["content-type"], asked.body.decode()) == ("application/json", expected)


async def test_an_xml_body_has_each_parameter_at_its_mark(agency: Agency, open_one: Any) -> None:
    request = """
          method: POST
          path: /p
          encoding: gb18030
          xml: '<?xml version="1.0" encoding="GB18030"?><请求 类="{lx}">{codes}<从>{ksrq}</从><页>{no}</页></请求>'
          keys: {in: body, name: codes, style: comma, separator: "", each: "<code>{key}</code>"}
          paging: {page: no}
    """
    asked = await sent(agency, open_one, request, decidedTo=date(2026, 4, 1))
    assert asked.headers["content-type"] == "application/xml; charset=gb18030"
    assert asked.body.decode("gb18030") == (
        '<?xml version="1.0" encoding="GB18030"?><请求 类="{lx}">'
        f"<code>{FIRST}</code><code>{SECOND}</code><从></从><页>1</页></请求>"
    )


async def test_what_an_agency_gives_back_cannot_write_xml_of_its_own(agency: Agency, open_one: Any) -> None:
    agency.read = bytes

    async def answer(_: Asked) -> Any:
        return {"rows": [{"code": FIRST, "id": len(agency.asked)}], "next": "</a>&" if len(agency.asked) == 1 else None}

    agency.answer = answer
    manifest = f"""{HEAD}
        request:
          {{method: POST, path: /p, xml: "<a>{{code}}</a><b>{{c}}</b>", keys: {{in: body, name: code, style: comma}},
          paging: {{cursor: c, next: next}}}}
        response: {{rows: rows}}
    """
    answers = await ask(await open_one(manifest, agency.address), CODES[:1])
    assert len(answers[FIRST].rows) == 2
    assert [asked.body.decode() for asked in agency.asked] == [
        f"<a>{FIRST}</a><b></b>",
        f"<a>{FIRST}</a><b>&lt;/a&gt;&amp;</b>",
    ]


async def test_a_query_is_written_in_the_agencys_encoding(agency: Agency, open_one: Any) -> None:
    keys = "keys: {in: query, name: 代码, style: comma}"
    asked = await sent(agency, open_one, f"{{path: /p, {keys}, query: {{类型: 处罚}}, encoding: gbk}}")
    query = asked.target.partition("?")[2]
    assert parse_qsl(query, encoding="gbk") == [("类型", "处罚"), ("代码", f"{FIRST},{SECOND}")]


@pytest.mark.parametrize(
    ("keys", "parameters", "in_query"),
    [
        ("style: list", "", True),
        ("style: list", "parameters: query,", True),
        ("name: c, style: list", "parameters: query,", True),
        ("name: c, style: list", "", False),
    ],
)
async def test_filters_and_pages_go_where_the_manifest_says(
    agency: Agency, open_one: Any, keys: str, parameters: str, *, in_query: bool
) -> None:
    request = f"{{method: POST, path: /p, keys: {{in: body, {keys}}}, {parameters} paging: {{page: no, size: n}}}}"
    asked = await sent(agency, open_one, request, decidedTo=date(2026, 4, 1))
    assert asked.query == ([("jsrq", "1774972800000"), ("no", "1"), ("n", "100")] if in_query else [])
    assert (b'"jsrq":"1774972800000","no":1,"n":100' in asked.body) is not in_query


async def test_the_connections_own_content_type_is_the_only_one(agency: Agency, open_one: Any) -> None:
    agency.read = bytes

    async def answer(asked: Asked) -> Any:
        return [{"code": FIRST, "id": asked.headers["content-type"]}]

    agency.answer = answer
    manifest = HEAD.replace(
        '{url: "${ADDRESS}"}', '{url: "${ADDRESS}", headers: {content-type: "text/plain;${SECRET}"}}'
    )
    request = "        request: {method: POST, path: /p, format: form, keys: {in: body, name: c, style: comma}}\n"
    answers = await ask(await open_one(manifest + request, agency.address), CODES[:1])
    assert answers[FIRST].rows[0]["recordId"] == "text/plain;a-secret"


@pytest.mark.parametrize(
    ("request_", "mistake"),
    [
        ("{path: /p, keys: {in: query, name: c, style: list}}", "style"),
        ("{method: POST, path: /p, format: form, keys: {in: body, name: c, style: list}}", "style"),
        ("{method: POST, path: /p, keys: {in: body, name: c, style: repeat}}", "style"),
        ("{method: POST, path: /p, keys: {in: body, name: c, style: list, text: '{key}'}}", "text"),
        ("{method: POST, path: /p, keys: {in: body, name: c, style: comma, each: {a: '{key}'}}}", "each"),
        ("{method: POST, path: /p, keys: {in: body, name: c, style: list, each: {a: key}}}", "each"),
        ("{method: POST, path: /p, keys: {in: body, style: comma}}", "name"),
        ("{method: POST, path: /p, keys: {in: body, style: list}, body: {a: 1}}", "name"),
        ("{method: POST, path: /p, keys: {in: body, style: list}, parameters: body}", "name"),
        ("{path: /p, field: a, keys: {in: query, name: c, style: comma}}", "field"),
        ("{method: POST, path: /p, field: a, xml: '{c}', keys: {in: body, name: c, style: comma}}", "field"),
        ("{method: POST, path: /p, encoded: base64, keys: {in: body, name: c, style: list}}", "encoded"),
        ("{method: POST, path: /p, xml: <a/>, keys: {in: body, name: c, style: comma}}", "xml"),
        ("{method: POST, path: /p, xml: '{c}', body: {a: 1}, keys: {in: body, name: c, style: comma}}", "xml"),
        ("{path: /p, xml: '{c}', keys: {in: query, name: c, style: comma}}", "POST"),
        ("{path: /p, parameters: body, keys: {in: query, name: c, style: comma}}", "POST"),
        ("{path: /p, query: {a: 𠮷}, encoding: big5, keys: {in: query, name: c, style: comma}}", "encoding"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {page: a, offset: b}}", "exactly one"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {cursor: a}}", "next"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {link: a, first: 1}}", "first"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {page: a, first: x}}", "first"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {page: a, total: b, more: c}}", "at most"),
        ("{path: /p, keys: {in: query, name: c, style: comma}, paging: {link: a, more: c}}", "more"),
        ("{method: POST, path: /p, keys: {in: body, name: c, style: list}, paging: {link: a}}", "GET"),
    ],
)
def test_what_cannot_be_sent_is_a_mistake_in_the_manifest(tmp_path: Path, request_: str, mistake: str) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(dedent(f"{HEAD}        request: {request_}\n"), encoding="utf-8")
    with pytest.raises(ManifestInvalid, match=mistake):
        load_manifest(file, SHAPES)
