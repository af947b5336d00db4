"""Answers of which only some members are read say what they say when they are read whole."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import CompanyRows, Outcome
from connectors.json_body import read_json
from connectors.paths import follow
from connectors.sparse_json import sparse_reader
from connectors.text import NOTHINGS, Nothings
from schema.credit_code import CreditCode
from tests.connectors.support import CODES, Agency, ask

WORDS = Nothings(NOTHINGS)
MEMBERS, OTHERS = ("id", "a.b", "a.c", "sum"), ("code", "data.total", "page.next")

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
WILD = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)
NAMES = st.sampled_from(["id", "a", "b", "c", "sum", "code", "data", "list", "total", "page", "next", "other"])
ROWS = st.dictionaries(NAMES, WILD | st.dictionaries(NAMES, WILD, max_size=3), max_size=5).flatmap(
    lambda row: st.sampled_from([{**row, "id": 1}, {**row, "id": "x"}, row])
)
DOCUMENTS = WILD | st.fixed_dictionaries(
    {"data": st.fixed_dictionaries({"list": st.lists(ROWS, max_size=3) | WILD, "total": WILD, "other": WILD}) | WILD},
    optional={"code": WILD, "page": st.dictionaries(NAMES, WILD, max_size=2), "other": WILD},
)


def sparsely(content: bytes, rows: str | None = "data.list", others: tuple[str, ...] = OTHERS) -> Any:
    read = sparse_reader(rows, MEMBERS, others, "id", WORDS)
    assert read is not None
    read.look([dict.fromkeys(map(str, range(100)))])
    return asyncio.run(read.read(content))


@given(DOCUMENTS)
def test_what_is_read_of_some_members_is_what_the_whole_document_has_there(document: Any) -> None:
    content = json.dumps(document).encode()
    found, whole = sparsely(content), asyncio.run(read_json(content))
    if found is None:
        return
    assert [follow(found, path) for path in OTHERS] == [follow(whole, path) for path in OTHERS]
    mine, theirs = follow(found, "data.list"), follow(whole, "data.list")
    assert isinstance(mine, list)
    assert isinstance(theirs, list)
    assert [[follow(row, path) for path in MEMBERS] for row in mine] == [
        [follow(row, path) for path in MEMBERS] for row in theirs
    ]


def test_documents_are_read_whole_until_their_rows_have_been_seen_to_be_wide() -> None:
    read = sparse_reader(None, MEMBERS, (), "id", WORDS)
    assert read is not None
    content = b'[{"id": 1, "wide": 2}]'
    read.look([{"id": 1, "wide": 2}])
    assert asyncio.run(read.read(content)) is None
    read.look([dict.fromkeys(map(str, range(100)))])
    assert asyncio.run(read.read(content)) == [{"id": 1}]


def test_members_that_nobody_reads_are_left_out_and_decimals_stay_exact() -> None:
    found = sparsely(b'{"code": 0, "note": "x", "data": {"list": [{"id": 1, "sum": 0.10, "wide": "x"}]}}')
    assert found == {"code": 0, "data": {"list": [{"id": 1, "sum": Decimal("0.10")}]}}


def test_a_document_may_be_the_list_of_rows_itself() -> None:
    assert sparsely(b'[{"id": 1, "wide": 2}]', None, ()) == [{"id": 1}]


@pytest.mark.parametrize(
    "content",
    [
        b'{"data": {"list": [{"id": null}]}}',
        b'{"data": {"list": [{"id": "\xe6\x9a\x82\xe6\x97\xa0"}]}}',
        b'{"data": {"list": [{}]}}',
        b'{"data": {"list": {"id": 1}}}',
        b'{"data": {"list": null}}',
        b'{"data": ""}',
        b'{"code": 500}',
        b"[]",
        b"no JSON",
        b"\xff",
    ],
)
def test_what_is_not_as_expected_is_left_to_be_read_whole(content: bytes) -> None:
    assert sparsely(content) is None


@pytest.mark.parametrize(
    ("rows", "members", "others"),
    [
        ("data.0", MEMBERS, ()),
        ("data", ("items.0.id",), ("data",)),
        ("data", ("^.code",), ()),
        ("data", ("columns[@name=code].#text",), ()),
        ("data.list", MEMBERS, ("data",)),
        (None, MEMBERS, ("code",)),
    ],
)
def test_paths_that_lead_through_more_than_members_have_documents_read_whole(
    rows: str | None, members: tuple[str, ...], others: tuple[str, ...]
) -> None:
    assert sparse_reader(rows, members, others, "id", WORDS) is None


MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        request: {path: '/p/{key}'}
        response: {rows: data.list, envelope: {path: code, ok: [0]}}
        fields: {recordId: id, facts: f}
"""


async def told(agency: Agency, open_one: Any, rows: list[Any]) -> CompanyRows:
    async def answer(_: Any) -> Any:
        return {"code": 0, "data": {"list": rows}}

    agency.answer = answer
    company: CreditCode = CODES[0]
    return (await ask(await open_one(MANIFEST, agency.address), [company]))[company]


async def test_rows_without_an_id_that_differ_only_in_what_nobody_reads_are_two_records(
    agency: Agency, open_one: Any
) -> None:
    wide = {f"column{number}": "x" for number in range(100)}
    rows = [{"code": CODES[0], "id": None, "f": "x", "court": name, **wide} for name in ("one", "another")]
    for _ in range(2):
        assert len((await told(agency, open_one, rows)).rows) == 2


async def test_wide_rows_are_read_by_their_ids(agency: Agency, open_one: Any) -> None:
    wide = {f"column{number}": "x" for number in range(100)}
    rows = [{"code": CODES[0], "id": number % 2, "f": f"{number}", **wide} for number in range(4)]
    for _ in range(2):
        found = await told(agency, open_one, rows)
        assert found.outcome is Outcome.ANSWERED
        assert [row["facts"] for row in found.rows] == ["0", "1"]
