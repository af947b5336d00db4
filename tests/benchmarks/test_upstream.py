from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from benchmarks.load import companies
from benchmarks.upstream import Answer, Upstream, compiled, rendered, serving
from benchmarks.workload import AGENCIES, CODE_COLUMN, rest_answers

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

CODES = companies(first=5, count=300)
NARROW = Answer("/graph", '{"narrow":[', '"<code>"', "]}", needles=("_entities", "__typename"))
WIDE = Answer("/graph", '{"wide":[', '["<number 7 100 3 6>","<pick 9 a|b|c>"]', "]}")
XML = Answer("/xml", "<list>", '<row id="<number 7 100 3 6>"><code/><c><code></c></row>', "</list>")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with compiled() as program, serving(program, [*rest_answers(), NARROW, WIDE, XML], core=0) as running:
        yield running


def post(upstream: Upstream, path: str, body: object, *, chunked: bool = False) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(upstream.address).netloc, timeout=10)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if chunked:
        middle = len(content) // 2
        connection.request("POST", path, iter([content[:middle], content[middle:]]), encode_chunked=True)
    else:
        connection.request("POST", path, content)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("agency", AGENCIES, ids=lambda agency: agency.id)
def test_an_agency_answers_as_its_rule_says_for_each_company_in_order(upstream: Upstream, agency) -> None:
    status, content = post(upstream, f"/{agency.id}", {CODE_COLUMN: CODES})
    columns = {field.name: field.column for field in agency.fields}
    expected = [
        {CODE_COLUMN: code, **{columns[name]: value for name, value in row.items()}}
        for code in CODES
        for row in agency.company(code)
    ]
    assert status == 200
    assert json.loads(content)["lb"] == expected


@pytest.mark.parametrize("agency", AGENCIES, ids=lambda agency: agency.id)
def test_no_two_companies_have_the_same_rows(agency) -> None:
    assert len({json.dumps(agency.company(code)) for code in CODES}) == len(CODES)


def test_tags_that_are_no_placeholders_stand_for_themselves(upstream: Upstream) -> None:
    _, content = post(upstream, "/xml", {"codes": CODES[:2]})
    assert content.decode() == f"<list>{','.join(rendered(XML.each, code) for code in CODES[:2])}</list>"
    assert f"<code/><c>{CODES[0]}</c>" in content.decode()


def test_the_first_answer_whose_needles_stand_in_the_body_is_given(upstream: Upstream) -> None:
    text = f"query {{ _entities {{ __typename }} }} {CODES[0]}"
    assert post(upstream, "/graph", text) == (200, f'{{"narrow":["{CODES[0]}"]}}'.encode())
    _, other = post(upstream, "/graph", f"_entities {CODES[0]}")
    assert other == f'{{"wide":[{rendered(WIDE.each, CODES[0])}]}}'.encode()


def test_a_chunked_request_is_read_whole(upstream: Upstream) -> None:
    _, content = post(upstream, "/graph", {"codes": CODES}, chunked=True)
    assert len(json.loads(content)["wide"]) == len(CODES)


def test_only_eighteen_characters_are_a_code(upstream: Upstream) -> None:
    _, content = post(upstream, "/graph", f"{CODES[0]}X {CODES[0][:17]} ({CODES[1]})")
    assert json.loads(content)["wide"] == json.loads(f"[{rendered(WIDE.each, CODES[1])}]")


def test_an_unknown_path_is_not_found(upstream: Upstream) -> None:
    assert post(upstream, "/nowhere", b"{}")[0] == 404


def test_a_line_end_in_an_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="/a"):
        Answer("/a", "{\n", "", "}").line()
