"""How the kind `rest` goes from page to page, and what it says of what it did not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import CompanyRows, FailureCode, Outcome
from connectors.kinds.rest.paging import target_within
from tests.connectors.support import CODES, Agency, Asked, ask, http_reply

HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}/api/"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        fields: {recordId: id}
        response: {rows: rows}
"""
CODE = CODES[0]
INCOMPLETE = (Outcome.INCOMPLETE, FailureCode.LIMIT)
COMPLETE = (Outcome.ANSWERED, None)
BAD = (Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE)


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"code": CODE, "id": number} for number in range(first, last)]


async def read(agency: Agency, open_one: Any, paging: str, answer: Callable[[dict[str, str]], Any]) -> CompanyRows:
    """What is read page by page of what `answer` gives for each query."""

    async def reply(asked: Asked) -> Any:
        return answer(dict(asked.query))

    agency.answer = reply
    request = f"        request: {{path: /p, keys: {{in: query, name: c, style: comma}}, paging: {{{paging}}}}}\n"
    return (await ask(await open_one(HEAD + request, agency.address), [CODE]))[CODE]


def numbered(query: dict[str, str], there: int, first: int = 1) -> list[dict[str, Any]]:
    start = (int(query["no"]) - first) * 2
    return rows(start, min(there, start + 2))


@pytest.mark.parametrize("there", range(6))
@pytest.mark.parametrize(
    ("more", "end"),
    [
        ("", lambda _page, _there: {}),
        (", total: total", lambda _page, there: {"total": str(there)}),
        (", totalPages: t.pages", lambda _page, there: {"t": {"pages": (there + 1) // 2}}),
        (", more: more", lambda page, there: {"more": page * 2 < there}),
        (", last: last", lambda page, there: {"last": "是" if page * 2 >= there else "否"}),
    ],
    ids=["short-page", "total-as-text", "total-pages", "more", "last"],
)
async def test_pages_by_number_end_as_the_agency_says(
    agency: Agency, open_one: Any, more: str, end: Any, there: int
) -> None:
    paging = f"page: no, size: n, items: 2{more}"
    found = await read(
        agency, open_one, paging, lambda query: {"rows": numbered(query, there), **end(int(query["no"]), there)}
    )
    assert ((found.outcome, found.failure), len(found.rows)) == (COMPLETE, there)
    # A page that says that it is the last spares the one that would be empty.
    assert len(agency.asked) == (there // 2 + 1 if not more else max(1, (there + 1) // 2))


@pytest.mark.parametrize("paging", ["page: no, items: 2", "offset: no, items: 2", "page: no, more: m"])
async def test_a_system_that_gives_the_same_page_again_is_not_asked_for_it_many_times(
    agency: Agency, open_one: Any, paging: str
) -> None:
    found = await read(agency, open_one, paging, lambda _: {"rows": rows(0, 2), "m": True})
    assert ((found.outcome, found.failure), len(agency.asked)) == (BAD, 2)


async def test_a_total_that_is_less_than_what_came_is_not_relied_upon(agency: Agency, open_one: Any) -> None:
    paging = "page: no, items: 2, total: t"
    found = await read(agency, open_one, paging, lambda query: {"rows": numbered(query, 5), "t": 1})
    assert ((found.outcome, found.failure), len(found.rows)) == (COMPLETE, 5)


async def test_pages_may_be_numbered_from_nought(agency: Agency, open_one: Any) -> None:
    found = await read(
        agency, open_one, "page: no, first: 0, items: 2", lambda query: {"rows": numbered(query, 3, first=0)}
    )
    assert len(found.rows) == 3
    assert [dict(asked.query)["no"] for asked in agency.asked] == ["0", "1"]


@pytest.mark.parametrize(("first", "offsets"), [("", ["0", "2", "4"]), (", first: 1", ["1", "3", "5"])])
async def test_an_offset_counts_rows(agency: Agency, open_one: Any, first: str, offsets: list[str]) -> None:
    def answer(query: dict[str, str]) -> Any:
        start = int(query["start"]) - int(offsets[0])
        return {"rows": rows(start, min(5, start + int(query["limit"])))}

    found = await read(agency, open_one, f"offset: start, size: limit, items: 2{first}", answer)
    assert (found.outcome, len(found.rows)) == (Outcome.ANSWERED, 5)
    assert [dict(asked.query)["start"] for asked in agency.asked] == offsets


@pytest.mark.parametrize("more", ["more: m", "total: t"])
async def test_pages_that_are_shorter_than_they_were_asked_to_be_lose_no_row(
    agency: Agency, open_one: Any, more: str
) -> None:
    def answer(query: dict[str, str]) -> Any:
        start = int(query["start"])
        return {"rows": rows(start, min(5, start + 2)), "m": start + 2 < 5, "t": 5}

    found = await read(agency, open_one, f"offset: start, size: limit, items: 100, {more}", answer)
    assert (found.outcome, [row["recordId"] for row in found.rows]) == (Outcome.ANSWERED, list("01234"))


async def test_a_cursor_of_nought_is_one_like_any_where_the_answer_says_that_there_is_more(
    agency: Agency, open_one: Any
) -> None:
    pages = {None: {"rows": rows(0, 1), "next": 0, "m": True}, "0": {"rows": rows(1, 2), "next": 1, "m": False}}
    found = await read(agency, open_one, "cursor: c2, next: next, more: m", lambda query: pages[query.get("c2")])
    assert ((found.outcome, found.failure), len(found.rows)) == (COMPLETE, 2)


@pytest.mark.parametrize("end", [{}, {"next": None}, {"next": ""}])
async def test_a_cursor_is_handed_back_until_there_is_none(agency: Agency, open_one: Any, end: Any) -> None:
    pages: dict[str | None, Any] = {
        None: {"rows": rows(0, 2), "next": "a&b"},
        "a&b": {"rows": [], "next": 7},
        "7": {"rows": rows(2, 3), **end},
    }
    found = await read(agency, open_one, "cursor: c2, next: next", lambda query: pages[query.get("c2")])
    assert (found.outcome, len(found.rows), len(agency.asked)) == (Outcome.ANSWERED, 3, 3)


@pytest.mark.parametrize("end", [0, "0", " 0", None, "", False, {}])
@pytest.mark.parametrize("first", ["", ", first: 0", ', first: "0"', ", first: -1", ', first: ""'])
async def test_a_cursor_of_nought_or_nothing_ends_the_pages(
    agency: Agency, open_one: Any, first: str, end: Any
) -> None:
    def answer(query: dict[str, str]) -> Any:
        second = query.get("c2") == "7"
        return {"rows": rows(2, 3) if second else rows(0, 2), **({"next": end} if second and end != {} else {})} | (
            {} if second else {"next": 7}
        )

    found = await read(agency, open_one, f"cursor: c2, next: next{first}", answer)
    assert ((found.outcome, found.failure), len(found.rows), len(agency.asked)) == (COMPLETE, 3, 2)


@pytest.mark.parametrize("end", [0, "0"])
async def test_a_cursor_of_nought_ends_a_single_page(agency: Agency, open_one: Any, end: Any) -> None:
    for first in ("", ", first: 0"):
        found = await read(
            agency, open_one, f"cursor: c2, next: next{first}", lambda _: {"rows": rows(0, 2), "next": end}
        )
        assert ((found.outcome, found.failure), len(found.rows)) == (COMPLETE, 2)
    assert len(agency.asked) == 2


async def test_where_the_first_cursor_is_no_number_nought_is_one_like_any(agency: Agency, open_one: Any) -> None:
    pages = {"*": {"rows": rows(0, 2), "next": 0}, "0": {"rows": rows(2, 3), "next": None}}
    found = await read(agency, open_one, 'cursor: c2, next: next, first: "*"', lambda query: pages[query["c2"]])
    assert ((found.outcome, found.failure), len(found.rows)) == (COMPLETE, 3)


async def test_a_cursor_that_leads_back_to_the_first_page_ends_the_pages(agency: Agency, open_one: Any) -> None:
    pages = {"s": {"rows": rows(0, 2), "next": "t"}, "t": {"rows": rows(2, 4), "next": "s"}}
    found = await read(agency, open_one, "cursor: c2, next: next, first: s", lambda query: pages[query["c2"]])
    assert ((found.outcome, found.failure), len(found.rows), len(agency.asked)) == (COMPLETE, 4, 2)


async def test_a_cursor_that_leads_back_to_another_page_is_a_failure(agency: Agency, open_one: Any) -> None:
    following = {None: "a", "a": "b", "b": "a"}
    found = await read(
        agency,
        open_one,
        "cursor: c2, next: next",
        lambda query: {"rows": rows(0, 2), "next": following[query.get("c2")]},
    )
    assert ((found.outcome, found.failure), len(agency.asked)) == (BAD, 3)


@pytest.mark.parametrize(
    ("paging", "last", "expected"),
    [
        ("", {"rows": rows(2, 3)}, BAD),
        (", size: n, items: 2", {"rows": rows(2, 3)}, COMPLETE),
        (", size: n, items: 2", {"rows": rows(2, 4)}, BAD),
        (", total: t", {"rows": rows(2, 3), "t": 3}, COMPLETE),
        (", total: t", {"rows": rows(2, 3), "t": 4}, BAD),
        (", more: m", {"rows": rows(2, 3), "m": 0}, COMPLETE),
        (", more: m", {"rows": [], "m": 1}, BAD),
    ],
)
async def test_a_cursor_that_stays_ends_the_pages_where_these_show_that_they_are_whole(
    agency: Agency, open_one: Any, paging: str, last: Any, expected: Any
) -> None:
    pages = {None: {"rows": rows(0, 2), "next": "z", "t": 3, "m": 1}, "z": {**last, "next": "z"}}
    found = await read(agency, open_one, f"cursor: c2, next: next{paging}", lambda query: pages[query.get("c2")])
    assert (found.outcome, found.failure) == expected


@pytest.mark.parametrize(("more", "yes", "no"), [("more: m", True, False), ("last: m", "N", "Y")])
async def test_a_system_may_say_beside_its_cursor_whether_there_is_more(
    agency: Agency, open_one: Any, more: str, yes: Any, no: Any
) -> None:
    pages = {None: {"rows": rows(0, 2), "next": "a", "m": yes}, "a": {"rows": rows(2, 3), "next": "b", "m": no}}
    found = await read(agency, open_one, f"cursor: c2, next: next, {more}", lambda query: pages[query.get("c2")])
    assert ((found.outcome, found.failure), len(found.rows), len(agency.asked)) == (COMPLETE, 3, 2)
    pages["a"] = {"rows": rows(2, 3), "next": None, "m": yes}
    found = await read(agency, open_one, f"cursor: c2, next: next, {more}", lambda query: pages[query.get("c2")])
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize("paging", ["cursor: page, next: next", "link: next"])
@pytest.mark.parametrize("end", [-1, "-1", " END "])
async def test_a_manifest_names_what_else_means_that_there_is_no_next_page(
    agency: Agency, open_one: Any, paging: str, end: Any
) -> None:
    def answer(query: dict[str, str]) -> Any:
        return {"rows": rows(2, 3), "next": end} if "page" in query else {"rows": rows(0, 2), "next": "?page=2"}

    found = await read(agency, open_one, f"{paging}, none: [-1, END]", answer)
    assert ((found.outcome, found.failure), len(found.rows), len(agency.asked)) == (COMPLETE, 3, 2)


async def test_a_cursor_that_stays_ends_an_empty_page_and_is_a_failure_elsewhere(agency: Agency, open_one: Any) -> None:
    pages = {"*": {"rows": rows(0, 2), "next": "z"}, "z": {"rows": [], "next": "z"}}
    paging = 'cursor: mark, next: next, first: "*"'
    found = await read(agency, open_one, paging, lambda query: pages[query["mark"]])
    assert (found.outcome, len(found.rows)) == (Outcome.ANSWERED, 2)
    pages["z"]["rows"] = rows(2, 3)
    found = await read(agency, open_one, paging, lambda query: pages[query["mark"]])
    assert (found.outcome, found.failure) == BAD


@pytest.mark.parametrize(
    "shape", ["{here}/api/p?c={code}&page=2", "/api/p?c={code}&page=2", "?c={code}&page=2", "p?page=2"]
)
async def test_links_are_followed_from_page_to_page(agency: Agency, open_one: Any, shape: str) -> None:
    link = shape.format(here=agency.address, code=CODE)

    def answer(query: dict[str, str]) -> Any:
        return {"rows": rows(2, 3), "next": None} if "page" in query else {"rows": rows(0, 2), "next": link}

    found = await read(agency, open_one, "link: next", answer)
    assert (found.outcome, len(found.rows)) == (Outcome.ANSWERED, 3)
    assert {asked.path for asked in agency.asked} == {"/api/p"}


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest",
        "http://127.0.0.2/p",
        "//elsewhere.example/p",
        "https://{host}/p",
        "http://user@{host}/p",
        "http://{host}.elsewhere.example/p",
        "file:///etc/passwd",
        "http://[",
        {"href": "/p"},
    ],
)
async def test_a_link_that_leads_elsewhere_is_never_followed(agency: Agency, open_one: Any, link: Any) -> None:
    if isinstance(link, str):
        link = link.format(host=agency.address.removeprefix("http://"))
    found = await read(agency, open_one, "link: next", lambda _: {"rows": rows(0, 2), "next": link})
    assert ((found.outcome, found.failure), len(agency.asked)) == (BAD, 1)


@pytest.mark.parametrize(("scheme", "expected", "calls"), [("https", COMPLETE, 2), ("http", BAD, 1)])
async def test_links_are_followed_over_tls_and_never_out_of_it(
    agency_with_tls: tuple[Agency, Path], open_one: Any, scheme: str, expected: Any, calls: int
) -> None:
    agency, authority = agency_with_tls
    host = agency.address.removeprefix("https://")

    async def answer(asked: Asked) -> Any:
        if dict(asked.query).get("page") == "2":
            return {"rows": rows(2, 3), "next": None}
        return {"rows": rows(0, 2), "next": f"{scheme}://{host}/api/p?page=2"}

    agency.answer = answer
    manifest = HEAD.replace('url: "${ADDRESS}/api/"', 'url: "${ADDRESS}/api/", tls: {authority: "file:${CA}"}')
    request = "        request: {path: /p, keys: {in: query, name: c, style: comma}, paging: {link: next}}\n"
    supply = await open_one(manifest + request, agency.address, environment={"CA": str(authority)})
    found = (await ask(supply, [CODE]))[CODE]
    assert ((found.outcome, found.failure), len(agency.asked)) == (expected, calls)


@pytest.mark.parametrize("lane", ["fast", "httpx"])
@pytest.mark.parametrize(
    ("header", "number", "outcome"),
    [
        ('Link: </api/p?page=1>; rel="prev", </api/p?page=2>; title="a, b"; rel="last NEXT"', 3, Outcome.ANSWERED),
        ("Link: </api/p?page=1>; rel=first\r\nlink: <?page=2>; rel=next", 3, Outcome.ANSWERED),
        ("Link: </api/p?page=2>; rel=last", 2, Outcome.ANSWERED),
        ("X-Link: </api/p?page=2>; rel=next", 2, Outcome.ANSWERED),
        ("Link: <http://127.0.0.2/p>; rel=next", 0, Outcome.FAILED),
    ],
)
async def test_links_may_stand_in_a_header(  # noqa: PLR0913, PLR0917
    agency: Agency, open_one: Any, lane: str, header: str, number: int, outcome: Outcome
) -> None:
    async def answer(asked: Asked) -> Any:
        if dict(asked.query).get("page") == "2":
            return {"rows": rows(2, 3)}
        return http_reply({"rows": rows(0, 2)}).replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode(), 1)

    agency.answer = answer
    manifest = HEAD.replace('url: "${ADDRESS}/api/"', f'url: "${{ADDRESS}}/api/", lane: {lane}')
    request = "        request: {path: /p, keys: {in: query, name: c, style: comma}, paging: {linkHeader: true}}\n"
    found = (await ask(await open_one(manifest + request, agency.address), [CODE]))[CODE]
    assert (found.outcome, len(found.rows)) == (outcome, number)


async def test_links_that_go_round_in_circles_end(agency: Agency, open_one: Any) -> None:
    found = await read(agency, open_one, "link: next", lambda _: {"rows": rows(0, 2), "next": "?a"})
    assert ((found.outcome, found.failure), len(agency.asked)) == (BAD, 2)
    found = await read(
        agency,
        open_one,
        "link: next, pages: 4",
        lambda query: {"rows": rows(0, 2), "next": "?b=1" if "a" in query else "?a=1"},
    )
    assert ((found.outcome, found.failure), len(agency.asked)) == (INCOMPLETE, 6)


@pytest.mark.parametrize(
    "paging",
    ["page: no, items: 2", "offset: no, items: 2", "cursor: no, next: next", "link: next", "page: no, more: m"],
)
async def test_what_lies_beyond_the_last_page_that_may_be_read_is_told(
    agency: Agency, open_one: Any, paging: str
) -> None:
    def answer(_: Any) -> Any:
        seen = len(agency.asked)
        return {"rows": rows(seen * 2, seen * 2 + 2), "next": f"?next={seen}", "m": 1}

    found = await read(agency, open_one, f"{paging}, pages: 3", answer)
    assert ((found.outcome, found.failure), len(found.rows), len(agency.asked)) == (INCOMPLETE, 6, 3)


@pytest.mark.parametrize(
    ("paging", "said"),
    [
        ("page: no, total: t", {}),
        ("page: no, total: t", {"t": "many"}),
        ("page: no, totalPages: t", {"t": None}),
        ("page: no, more: t", {"t": "perhaps"}),
        ("page: no, last: t", {}),
        ("cursor: c2, next: t", {"t": [1]}),
        ("cursor: c2, next: t", {"t": True}),
    ],
)
async def test_an_end_that_cannot_be_told_is_a_failure(agency: Agency, open_one: Any, paging: str, said: Any) -> None:
    found = await read(agency, open_one, paging, lambda _: {"rows": rows(0, 2), **said})
    assert (found.outcome, found.failure) == BAD


@given(st.text(max_size=60) | st.from_regex(r"[a-z]{0,6}:?//?[a-z@:/?#.]{0,30}", fullmatch=True))
def test_no_text_makes_a_link_that_leads_elsewhere(link: str) -> None:
    target = target_within("https://agency.example/api/p", link)
    assert target is None or (target.startswith("/") and "#" not in target)


@pytest.mark.parametrize("same", ["https://agency.example:443/q?a=b#c", "HTTPS://AGENCY.example/q?a=b", "/q?a=b"])
def test_the_same_place_may_be_written_in_several_ways(same: str) -> None:
    assert target_within("https://agency.example/api/p", same) == "/q?a=b"


@pytest.mark.parametrize(
    "other", ["http://agency.example/q", "https://agency.example:444/q", "https://agency.example.org/q"]
)
def test_another_scheme_port_or_host_is_another_place(other: str) -> None:
    assert target_within("https://agency.example/api/p", other) is None
