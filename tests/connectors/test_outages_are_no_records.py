"""Errors that come as if all were well: what stands where rows should be is neither a record nor none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.contract import CompanyRows, FailureCode, Outcome
from tests.connectors.support import CODES, Agency, Asked, ask

FIRST, SECOND, THIRD = CODES[:3]
BAD = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)
DOWN = {"code": -1, "msg": "db down", "data": ""}
HEAD = """
    agency: honours
    name: {en: Honours Office, zh: 表彰办公室}
    kind: rest
    connection: {url: "${ADDRESS}"}
    none: [未知]
    datasets:
      - record: Penalty
"""
SMALLEST = HEAD + '        request: {path: "/companies/{key}/penalties"}\n'
KEYED = f"{HEAD}        key: uscc\n        request: {{path: '/companies/{{key}}'}}\n"
BATCH = f"""{HEAD}
        batch: 3
        missingMeans: none
        request: {{path: /p, keys: {{in: query, name: c, style: comma}}}}
"""
FIELDS = "        fields: {facts: title, decidedOn: awarded.on}\n"


async def told(agency: Agency, open_one: Any, manifest: str, reply: Any, codes: int = 1) -> list[CompanyRows]:
    """What is made of a 200 with this document, or these bytes, for each company."""

    async def answer(_: Asked) -> Any:
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content

    agency.answer = answer
    found = await ask(await open_one(manifest, agency.address), CODES[:codes])
    return [found[code] for code in CODES[:codes]]


ERRORS = [
    DOWN,
    {},
    {"error": {"title": "db down"}},
    {"status": 500, "title": None, "awarded": None},
    {"status": 500, "title": " ", "awarded": {"on": "暂无"}},
    {"status": 500, "title": "未知"},
    {"status": 500, "awarded": "today"},
    [DOWN],
    [DOWN, DOWN],
    [{}],
    [{"title": ""}],
    None,
]


@pytest.mark.parametrize("reply", ERRORS, ids=json.dumps)
async def test_the_smallest_manifest_takes_no_error_for_a_record(agency: Agency, open_one: Any, reply: Any) -> None:
    (found,) = await told(agency, open_one, SMALLEST + FIELDS, reply)
    assert ((found.outcome, found.failure), found.rows) == (BAD, ())


@pytest.mark.parametrize(
    ("reply", "facts"),
    [
        ({"title": "a"}, ["a"]),
        ({"awarded": {"on": "2026-01-02"}}, [None]),
        ([{"title": "a", "awarded": None}, {"title": None, "awarded": {"on": "2026-01-02"}}], ["a", None]),
        ([], []),
    ],
    ids=json.dumps,
)
async def test_whatever_says_something_is_a_record(agency: Agency, open_one: Any, reply: Any, facts: Any) -> None:
    (found,) = await told(agency, open_one, SMALLEST + FIELDS, reply)
    assert (found.outcome, [row["facts"] for row in found.rows]) == (Outcome.ANSWERED, facts)


@pytest.mark.parametrize("reply", [[{"title": "a"}, DOWN], [{"title": "a"}, {"title": "", "awarded": None}]])
async def test_an_error_among_rows_makes_them_incomplete(agency: Agency, open_one: Any, reply: Any) -> None:
    (found,) = await told(agency, open_one, SMALLEST + FIELDS, reply)
    assert (found.outcome, len(found.rows), found.unmapped) == (Outcome.INCOMPLETE, 1, 1)


@pytest.mark.parametrize("reply", [*ERRORS, {**DOWN, "uscc": FIRST}, {"uscc": FIRST}, {"uscc": FIRST, "title": None}])
async def test_a_key_that_is_missing_or_repeated_makes_no_record_of_an_error(
    agency: Agency, open_one: Any, reply: Any
) -> None:
    (found,) = await told(agency, open_one, KEYED + FIELDS, reply)
    assert ((found.outcome, found.failure), found.rows) == (BAD, ())


async def test_a_row_of_a_list_that_says_whose_it_is_is_one_however_empty(agency: Agency, open_one: Any) -> None:
    (found,) = await told(agency, open_one, KEYED + FIELDS, [{"uscc": FIRST, "title": ""}])
    assert (found.outcome, len(found.rows)) == (Outcome.ANSWERED, 1)
    (found,) = await told(agency, open_one, KEYED + FIELDS, [{"uscc": FIRST, "title": ""}, DOWN])
    assert (found.outcome, len(found.rows)) == (Outcome.INCOMPLETE, 1)


@pytest.mark.parametrize("more", [[], [{"uscc": SECOND.lower(), "title": "b"}]])
async def test_an_error_that_says_whose_it_is_is_that_companys(agency: Agency, open_one: Any, more: Any) -> None:
    rows = [{"uscc": FIRST, "title": "a"}, {"uscc": SECOND, "error": "timeout"}, *more]
    found = await told(agency, open_one, f"{BATCH}        key: uscc\n{FIELDS}", rows, 3)
    assert [((one.outcome, one.failure), len(one.rows)) for one in found] == [
        ((Outcome.ANSWERED, None), 1),
        (BAD, 0),
        ((Outcome.ANSWERED, None), 0),
    ]


async def test_columns_that_are_elements_with_a_name_make_a_row(agency: Agency, open_one: Any) -> None:
    manifest = f"""{BATCH}        key: code
        response: {{format: xml, rows: row}}
        fields: {{facts: "col[@n=f].#text"}}
"""
    row = f"<row><code>{FIRST}</code><col n='f'>a</col></row><row><code>{SECOND}</code><e>down</e></row>"
    found = await told(agency, open_one, manifest, f"<a>{row}</a>".encode(), 2)
    assert [(one.outcome, len(one.rows)) for one in found] == [(Outcome.ANSWERED, 1), (Outcome.FAILED, 0)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"0": {"uscc": FIRST, "title": "a"}, "7": {"uscc": SECOND, "title": "b"}}, (Outcome.ANSWERED, 1)),
        ([{"uscc": FIRST, "title": "a"}, {"uscc": SECOND, "title": "b"}], (Outcome.ANSWERED, 1)),
        ([], (Outcome.ANSWERED, 0)),
        ({}, (Outcome.ANSWERED, 0)),
        ({"code": -1, "msg": "down"}, (Outcome.FAILED, 0)),
        ({"0": {"code": -1, "msg": "down"}}, (Outcome.FAILED, 0)),
        (None, (Outcome.FAILED, 0)),
    ],
)
async def test_rows_may_be_the_members_of_an_object(agency: Agency, open_one: Any, data: Any, expected: Any) -> None:
    manifest = f"{BATCH}        key: uscc\n        response: {{rows: data, layout: members}}\n{FIELDS}"
    found = await told(agency, open_one, manifest, {"data": data}, 2)
    assert [(one.outcome, len(one.rows)) for one in found] == [expected] * 2


async def test_a_row_that_says_something_of_nobody_makes_all_incomplete(agency: Agency, open_one: Any) -> None:
    (found,) = await told(agency, open_one, KEYED + FIELDS, {"title": "a"})
    assert (found.outcome, found.rows) == (Outcome.INCOMPLETE, ())


ENVELOPE = "        response: {optional: true, envelope: {path: code, ok: ['', '0']}}\n"


@pytest.mark.parametrize("reply", [{}, [], None, "", False])
async def test_nothing_at_all_is_no_record_where_an_envelope_tells_it_from_an_error(
    agency: Agency, open_one: Any, reply: Any
) -> None:
    (found,) = await told(agency, open_one, SMALLEST + ENVELOPE + FIELDS, reply)
    assert (found.outcome, found.rows) == (Outcome.ANSWERED, ())


async def test_an_envelope_says_nothing_of_what_says_nothing(agency: Agency, open_one: Any) -> None:
    (found,) = await told(agency, open_one, SMALLEST + ENVELOPE + FIELDS, {"code": 0, "data": "?"})
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize("fields", ["{kind: {const: fine}}", "{kind: {const: fine}, facts: title}"])
async def test_constants_make_a_record_of_any_row_only_where_there_is_nothing_else(
    agency: Agency, open_one: Any, fields: str
) -> None:
    (found,) = await told(agency, open_one, f"{SMALLEST}        fields: {fields}\n", {"anything": 1})
    assert (found.outcome is Outcome.ANSWERED) == ("title" not in fields)


ROWS = "        response: {rows: data}\n"


@pytest.mark.parametrize("reply", [{"code": -1, "data": None}, {"code": -1}, DOWN, {"code": -1, "data": {"m": "down"}}])
async def test_null_in_the_place_of_rows_is_no_list_without_an_envelope(
    agency: Agency, open_one: Any, reply: Any
) -> None:
    (found,) = await told(agency, open_one, SMALLEST + ROWS + FIELDS, reply)
    assert (found.outcome, found.failure) == BAD
    envelope = "        response: {rows: data, envelope: {path: code, ok: ['0']}}\n"
    (found,) = await told(agency, open_one, SMALLEST + envelope + FIELDS, {"code": 0, "data": None})
    assert (found.outcome, found.rows) == (Outcome.ANSWERED, ())


@pytest.mark.parametrize("null", [{"title": None}, {"title": "", "more": 1}, [{"title": None}]])
async def test_a_manifest_can_say_that_a_row_without_a_value_does_not_count(
    agency: Agency, open_one: Any, null: Any
) -> None:
    manifest = f"{SMALLEST}        except: {{title: ''}}\n{FIELDS}"
    (found,) = await told(agency, open_one, manifest, null)
    assert (found.outcome, found.rows) == (Outcome.ANSWERED, ())
    (found,) = await told(agency, open_one, manifest, DOWN)
    assert (found.outcome, found.failure) == BAD


XML = "        response: {format: xml, %s}\n"


@pytest.mark.parametrize(
    ("rows", "reply", "expected"),
    [
        ("rows: row", b"<a><error>db down</error></a>", BAD),
        ("rows: row", b"<a error='1'/>", BAD),
        ("rows: row", b"<a>db down</a>", BAD),
        ("rows: row", b"<a><row><error>db down</error></row></a>", BAD),
        ("rows: rows.row", b"<a><code>-1</code><rows><error/></rows></a>", BAD),
        ("rows: rows.row", b"<a><code>-1</code></a>", BAD),
        ("encoding: utf-8", b"<a><error>db down</error></a>", BAD),
        ("encoding: utf-8", b"<a/>", BAD),
        ("rows: row", b"<a/>", (Outcome.ANSWERED, None)),
        ("rows: rows.row", b"<a><code>0</code><rows/></a>", (Outcome.ANSWERED, None)),
        ("rows: row, envelope: {path: error, ok: ['']}", b"<a><total>0</total></a>", (Outcome.ANSWERED, None)),
    ],
)
async def test_an_error_in_xml_is_neither_a_record_nor_none(
    agency: Agency, open_one: Any, rows: str, reply: bytes, expected: Any
) -> None:
    (found,) = await told(agency, open_one, SMALLEST + XML % rows + FIELDS, reply)
    assert ((found.outcome, found.failure), found.rows) == (expected, ())


@pytest.mark.parametrize(
    "reply", [DOWN, {"exception": "db down"}, {"error": {"title": None}}, {"error": {"title": "db down"}}]
)
@pytest.mark.parametrize("fields", ["{facts: title}", "{facts: value}"])
async def test_a_map_without_any_company_is_an_error(agency: Agency, open_one: Any, fields: str, reply: Any) -> None:
    manifest = f"{BATCH}        response: {{layout: map}}\n        fields: {fields}\n"
    assert [(one.outcome, one.failure) for one in await told(agency, open_one, manifest, reply, 2)] == [BAD, BAD]


@pytest.mark.parametrize(
    ("layout", "reply"),
    [
        ("map", {FIRST: {"title": "a"}, SECOND: {"code": 500}, THIRD: []}),
        ("map", {FIRST: [{"title": "a"}], SECOND: [{"title": "b"}, {"code": 500}], THIRD: []}),
        ("order", [{"title": "a"}, {"code": 500, "title": None}, []]),
        ("order", [{"title": "a"}, "db down", []]),
    ],
)
async def test_an_error_in_a_companys_place_is_that_companys(
    agency: Agency, open_one: Any, layout: str, reply: Any
) -> None:
    manifest = f"{BATCH}        response: {{layout: {layout}}}\n        fields: {{facts: title}}\n"
    found = await told(agency, open_one, manifest, reply, 3)
    assert [((one.outcome, one.failure), len(one.rows)) for one in found] == [
        ((Outcome.ANSWERED, None), 1),
        (BAD, 0),
        ((Outcome.ANSWERED, None), 0),
    ]


async def test_columns_beside_each_other_are_rows_of_their_companies(agency: Agency, open_one: Any) -> None:
    manifest = f"{BATCH}        key: uscc\n        response: {{layout: columns}}\n{FIELDS}"
    found = await told(agency, open_one, manifest, {"uscc": [FIRST, SECOND], "title": ["a", None]}, 2)
    assert [(one.outcome, len(one.rows)) for one in found] == [(Outcome.ANSWERED, 1)] * 2


@pytest.mark.parametrize("reply", [{"code": -1, "errors": []}, {"code": -1, "errors": ["db down"]}])
async def test_columns_of_something_else_are_an_error(agency: Agency, open_one: Any, reply: Any) -> None:
    manifest = f"{SMALLEST}        response: {{layout: columns}}\n{FIELDS}"
    (found,) = await told(agency, open_one, manifest, reply)
    assert (found.outcome, found.failure) == BAD


LOOKUP = f"""{HEAD}
        lookup: {{request: {{path: /c, keys: {{in: query, name: code}}}}, id: data}}
        request: {{path: "/companies/{{key}}"}}
{FIELDS}"""


@pytest.mark.parametrize("reply", [DOWN, {"code": -1, "data": None}])
async def test_an_error_where_a_number_should_be_is_no_unknown_company(
    agency: Agency, open_one: Any, reply: Any
) -> None:
    (found,) = await told(agency, open_one, LOOKUP, reply)
    assert (found.outcome, found.failure) == BAD
    told_apart = LOOKUP.replace("id: data", "id: data, response: {envelope: {path: code, ok: ['0']}}")
    (found,) = await told(agency, open_one, told_apart, {"code": 0, "data": reply["data"]})
    assert found.outcome is Outcome.UNKNOWN_COMPANY


INCOMPLETE, ANSWERED = (Outcome.INCOMPLETE, None), (Outcome.ANSWERED, None)
ENVELOPED = "envelope: {path: code, ok: ['', '0']}"


@pytest.mark.parametrize(
    ("reply", "plain", "enveloped"),
    [
        ([None], BAD, ANSWERED),
        ([None, None], BAD, ANSWERED),
        ([{"title": "a"}, None], INCOMPLETE, INCOMPLETE),
        ([{"title": "a"}, None, {}], INCOMPLETE, INCOMPLETE),
    ],
)
async def test_nulls_among_rows_are_counted_and_alone_are_no_empty_list(
    agency: Agency, open_one: Any, reply: Any, plain: Any, enveloped: Any
) -> None:
    for response, expected in (("", plain), (f", {ENVELOPED}", enveloped)):
        manifest = f"{SMALLEST}        response: {{layout: objects{response}}}\n{FIELDS}"
        (found,) = await told(agency, open_one, manifest, reply)
        assert (found.outcome, found.failure) == expected


@pytest.mark.parametrize(
    ("second", "plain", "enveloped"),
    [
        ({"uscc": SECOND, "list": None}, [ANSWERED, BAD, ANSWERED], [ANSWERED] * 3),
        ({"uscc": SECOND, "list": [None]}, [ANSWERED, BAD, ANSWERED], [ANSWERED] * 3),
        ({"uscc": SECOND, "list": [{"title": "b"}, None]}, [INCOMPLETE] * 3, [INCOMPLETE] * 3),
        ({"list": None, "error": "down"}, [INCOMPLETE] * 3, [ANSWERED] * 3),
        ({"uscc": SECOND}, [BAD] * 3, [BAD] * 3),
    ],
)
async def test_a_null_in_the_place_of_a_companys_rows_is_that_companys_failure(
    agency: Agency, open_one: Any, second: Any, plain: Any, enveloped: Any
) -> None:
    reply = [{"uscc": FIRST, "list": [{"title": "a"}]}, second]
    for response, expected in (("", plain), (f", {ENVELOPED}", enveloped)):
        manifest = f"{BATCH}        key: ^.uscc\n        response: {{within: list{response}}}\n{FIELDS}"
        found = await told(agency, open_one, manifest, reply, 3)
        assert [(one.outcome, one.failure) for one in found] == expected


async def test_a_null_far_within_is_the_failure_of_whose_it_is(agency: Agency, open_one: Any) -> None:
    reply = [{"uscc": FIRST, "cases": [{"list": [{"title": "a"}]}, {"list": None}]}, {"uscc": SECOND, "cases": None}]
    manifest = f"{BATCH}        key: ^.^.uscc\n        response: {{within: [cases, list]}}\n{FIELDS}"
    found = await told(agency, open_one, manifest, reply, 3)
    assert [(one.outcome, one.failure) for one in found] == [BAD, BAD, ANSWERED]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([None], [ANSWERED, BAD]),
        ([{"title": "b"}, None], [INCOMPLETE, INCOMPLETE]),
        (None, [ANSWERED, ANSWERED]),
    ],
)
@pytest.mark.parametrize("layout", ["map", "order"])
async def test_nulls_in_a_companys_list_are_not_left_out(
    agency: Agency, open_one: Any, layout: str, second: Any, expected: Any
) -> None:
    first = [{"title": "a"}]
    reply: Any = {FIRST: first, SECOND: second} if layout == "map" else [first, second]
    manifest = f"{BATCH}        response: {{layout: {layout}}}\n        fields: {{facts: title}}\n"
    found = await told(agency, open_one, manifest, reply, 2)
    assert [(one.outcome, one.failure) for one in found] == expected


async def test_nulls_in_a_companys_list_are_none_where_an_envelope_tells_them_from_an_error(
    agency: Agency, open_one: Any
) -> None:
    manifest = f"{BATCH}        response: {{layout: map, rows: data, {ENVELOPED}}}\n        fields: {{facts: title}}\n"
    found = await told(agency, open_one, manifest, {"data": {FIRST: [{"title": "a"}], SECOND: [None]}}, 2)
    assert [(one.outcome, one.failure) for one in found] == [ANSWERED, ANSWERED]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("<row x:nil='true'/><row><title>a</title></row>", INCOMPLETE),
        ("<row x:nil='true'/><row x:nil='true'/>", BAD),
    ],
)
async def test_elements_that_are_nil_are_counted(agency: Agency, open_one: Any, rows: str, expected: Any) -> None:
    xml = f'<a xmlns:x="http://www.w3.org/2001/XMLSchema-instance">{rows}</a>'
    (found,) = await told(agency, open_one, SMALLEST + XML % "rows: row" + FIELDS, xml.encode())
    assert (found.outcome, found.failure) == expected
