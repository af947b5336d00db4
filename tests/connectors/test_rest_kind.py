from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import FailureCode, Outcome
from schema.values import Code, Money
from tests.connectors.support import CODES, Agency, Asked, ask, http_reply

HEAD = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection:
      url: ${ADDRESS}
      headers: {X-Key: "${SECRET}"}
    timeout: 10
    concurrency: 3
    datasets:
      - record: Penalty
"""
FIELDS = "        fields: {recordId: id, documentNumber: wsh, amount: {path: je, unit: 万元}}\n"
BATCH = (
    HEAD
    + """
        key: code
        batch: 10
        missingMeans: none
        request: {method: POST, path: /search, keys: {in: body, name: q.codes, style: list}, body: {size: 5}}
        response: {rows: data.list}
        asOf: {path: data.asOf}
"""
    + FIELDS
)
SINGLE = (
    HEAD
    + """
        key: {kind: organisationCode, spellings: [hyphenated]}
        request: {path: "/companies/{key}/penalties"}
        response: {rows: items, unknown: {status: [404]}}
"""
    + FIELDS
)


def penalty(code: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"code": code, "id": f"{code}-{number}", "wsh": f"浙罚{number}", "je": "1.5", **more}


async def court(asked: Asked) -> dict[str, Any]:
    """Answers each code with one penalty, in lower case, but for the second of all codes, of which it has none."""
    rows = [penalty(code.lower()) for code in asked.body["q"]["codes"] if code != CODES[1]]
    return {"data": {"asOf": "2026-11-01 08:00:00", "list": rows}}


async def test_a_batch_goes_out_as_one_call_and_comes_back_joined_by_credit_code(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(BATCH, agency.address)
    answers = await ask(supply, CODES[:10])
    assert [asked.body for asked in agency.asked] == [{"size": 5, "q": {"codes": list(CODES[:10])}}]
    assert agency.asked[0].headers["x-key"] == "a-secret"
    first, second = answers[CODES[0]], answers[CODES[1]]
    assert first.outcome is Outcome.ANSWERED
    assert first.rows[0]["amount"] == Money(Decimal(15_000))
    assert first.as_of == datetime(2026, 11, 1, tzinfo=UTC)
    assert (second.outcome, second.rows) == (Outcome.ANSWERED, ())


async def test_batches_singles_and_another_order_give_the_same_answers(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(BATCH, agency.address)
    together = await ask(supply, CODES[:25])
    assert sorted(len(asked.body["q"]["codes"]) for asked in agency.asked) == [5, 10, 10]
    reverse = await ask(supply, CODES[24::-1] + CODES[:25])
    assert len(agency.asked) == 6
    apart = {code: (await ask(supply, [code]))[code] for code in CODES[:25]}
    for code in CODES[:25]:
        assert together[code].rows == reverse[code].rows == apart[code].rows
        assert together[code].outcome is reverse[code].outcome is apart[code].outcome


async def test_a_failed_chunk_fails_only_its_own_companies(agency: Agency, open_one: Any) -> None:
    async def answer(asked: Asked) -> Any:
        return (500, {}) if CODES[3] in asked.body["q"]["codes"] else await court(asked)

    agency.answer = answer
    answers = await ask(await open_one(BATCH, agency.address), CODES[:20])
    assert {answers[code].outcome for code in CODES[:10]} == {Outcome.FAILED}
    assert {answers[code].failure for code in CODES[:10]} == {FailureCode.AGENCY_BAD_RESPONSE}
    assert {answers[code].outcome for code in CODES[10:20]} == {Outcome.ANSWERED}


async def test_one_company_a_call_asks_by_its_own_spelling_and_hears_404_as_unknown(
    agency: Agency, open_one: Any
) -> None:
    organisation = CODES[0].organisation_code
    path = f"/companies/{organisation[:8]}-{organisation[8]}/penalties"

    async def answer(asked: Asked) -> Any:
        return (404, {}) if asked.path == path else {"items": [{"id": 1, "wsh": "x", "je": None}]}

    agency.answer = answer
    answers = await ask(await open_one(SINGLE, agency.address), CODES[:8])
    assert path in {asked.path for asked in agency.asked}
    assert answers[CODES[0]].outcome is Outcome.UNKNOWN_COMPANY
    assert answers[CODES[1]].rows[0]["recordId"] == "1"
    assert agency.most_under_way <= 3


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("repeat", [("code", CODES[0]), ("code", CODES[1])]),
        ("comma", [("code", f"{CODES[0]},{CODES[1]}")]),
    ],
)
async def test_keys_go_into_the_query_as_the_manifest_says(
    agency: Agency, open_one: Any, style: str, expected: list[tuple[str, str]]
) -> None:
    async def answer(_: Asked) -> Any:
        return [penalty(code) for code in CODES[:2]]

    agency.answer = answer
    manifest = f"""{HEAD}
        key: code
        batch: 5
        missingMeans: error
        filters: {{decidedFrom: {{name: from, format: "%Y%m%d"}}}}
        request: {{path: /p, keys: {{in: query, name: code, style: {style}}}, query: {{format: json}}}}
{FIELDS}"""
    supply = await open_one(manifest, agency.address)
    answers = await ask(supply, CODES[:2], filters={"decidedFrom": date(2026, 4, 1)})
    assert agency.asked[0].query == [("format", "json"), *expected, ("from", "20260401")]
    assert {answer.outcome for answer in answers.values()} == {Outcome.ANSWERED}


PAGED = (
    HEAD
    + """
        key: code
        batch: 10
        missingMeans: none
        request:
          path: /p
          keys: {in: query, name: codes, style: comma}
          paging: {page: no, size: size, items: 2, total: total, pages: 3}
        response: {rows: rows}
"""
    + FIELDS
)


@pytest.mark.parametrize(
    ("there", "said", "pages", "outcome", "failure"),
    [
        (3, 3, 2, Outcome.ANSWERED, None),
        (4, 4, 2, Outcome.ANSWERED, None),
        (0, 0, 1, Outcome.ANSWERED, None),
        (9, 9, 3, Outcome.INCOMPLETE, FailureCode.LIMIT),
        (2, 4, 2, Outcome.INCOMPLETE, FailureCode.LIMIT),
    ],
    ids=["rest-on-the-last", "full-last", "none", "too-many-pages", "fewer-than-it-says"],
)
async def test_pages_are_read_to_the_end_or_the_answer_says_that_they_were_not(  # noqa: PLR0913, PLR0917
    agency: Agency, open_one: Any, there: int, said: int, pages: int, outcome: Outcome, failure: FailureCode | None
) -> None:
    rows = [penalty(CODES[0], number) for number in range(there)]

    async def answer(asked: Asked) -> Any:
        page = int(dict(asked.query)["no"]) - 1
        return {"total": said, "rows": rows[page * 2 : page * 2 + 2]}

    agency.answer = answer
    answers = await ask(await open_one(PAGED, agency.address), CODES[:1])
    assert len(agency.asked) == pages
    assert (answers[CODES[0]].outcome, answers[CODES[0]].failure) == (outcome, failure)
    assert len(answers[CODES[0]].rows) == min(there, 6)


ENVELOPE = (
    HEAD
    + """
        request: {path: /p, keys: {in: query, name: code}}
        response: {rows: data, envelope: {path: code, ok: ["0"], busy: ["9"]}, unknown: {codes: ["4"]}}
"""
    + FIELDS
)


@pytest.mark.parametrize(
    ("code", "outcome", "failure"),
    [
        (0, Outcome.ANSWERED, None),
        (4, Outcome.UNKNOWN_COMPANY, None),
        (9, Outcome.FAILED, FailureCode.AGENCY_OVERLOADED),
        (7, Outcome.FAILED, FailureCode.AGENCY_BAD_RESPONSE),
    ],
)
async def test_an_agencys_own_code_inside_a_200_is_believed(
    agency: Agency, open_one: Any, code: int, outcome: Outcome, failure: FailureCode | None
) -> None:
    async def answer(_: Asked) -> Any:
        return {"code": code, "data": []}

    agency.answer = answer
    answers = await ask(await open_one(ENVELOPE, agency.address), CODES[:1])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].failure) == (outcome, failure)


async def test_rows_nested_in_their_company_are_joined_by_the_key_around_them(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        found = [{"uscc": CODES[0], "list": [penalty("x"), penalty("x", 2)]}, {"uscc": CODES[1], "list": []}]
        return {"data": found, "notFound": [CODES[3].lower()]}

    agency.answer = answer
    manifest = f"""{HEAD}
        key: ^.uscc
        batch: 5
        missingMeans: error
        request: {{path: /p, keys: {{in: query, name: code, style: repeat}}}}
        response: {{rows: data, within: list, unknown: {{keys: notFound}}}}
{FIELDS}"""
    answers = await ask(await open_one(manifest, agency.address), CODES[:4])
    assert len(answers[CODES[0]].rows) == 2
    assert [answers[code].outcome for code in CODES[:4]] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.FAILED,
        Outcome.UNKNOWN_COMPANY,
    ]


async def test_dirty_rows_are_joined_freed_of_duplicates_or_counted(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        twice = penalty(CODES[0])
        return {"data": {"list": [twice, twice, penalty(CODES[1].organisation_code), penalty(CODES[30])]}}

    agency.answer = answer
    supply = await open_one(BATCH, agency.address)
    answers = await ask(supply, CODES[:2])
    assert [len(answers[code].rows) for code in CODES[:2]] == [1, 1]
    assert {answers[code].outcome for code in CODES[:2]} == {Outcome.ANSWERED}

    async def garbled(_: Asked) -> Any:
        wrong_check = CODES[0][:-1] + ("0" if CODES[0][-1] != "0" else "1")
        return {"data": {"list": [penalty(wrong_check), penalty(CODES[0], je="viel")]}}

    agency.answer = garbled
    answers = await ask(supply, CODES[:2])
    assert [answers[code].outcome for code in CODES[:2]] == [Outcome.INCOMPLETE, Outcome.INCOMPLETE]
    assert [answers[code].unmapped for code in CODES[:2]] == [2, 1]
    assert answers[CODES[0]].rows[0]["amount"] is None


FAULTS = {
    "reset": (b"", FailureCode.AGENCY_BAD_RESPONSE),
    "garbage": (b"what is this\r\n\r\n", FailureCode.AGENCY_BAD_RESPONSE),
    "half a body": (http_reply({"items": []})[:-4], FailureCode.AGENCY_BAD_RESPONSE),
    "not JSON": (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", FailureCode.AGENCY_BAD_RESPONSE),
    "NaN": (b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"items":NaN}', FailureCode.AGENCY_BAD_RESPONSE),
    "no list": ({"wrong": []}, FailureCode.AGENCY_BAD_RESPONSE),
    "list of numbers": ({"items": [1]}, FailureCode.AGENCY_BAD_RESPONSE),
    "redirect": (b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n", FailureCode.AGENCY_BAD_RESPONSE),
    "oversize": ({"items": ["x" * 3000]}, FailureCode.LIMIT),
    "deep": (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"[" * 2000, FailureCode.AGENCY_BAD_RESPONSE),
    "400": ((400, {}), FailureCode.AGENCY_BAD_RESPONSE),
    "429": ((429, {}), FailureCode.AGENCY_OVERLOADED),
    "503": ((503, {}), FailureCode.AGENCY_OVERLOADED),
    "502": ((502, {}), FailureCode.AGENCY_BAD_RESPONSE),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_of_an_agency_is_an_entry_with_its_own_code(
    agency: Agency, open_one: Any, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reply, failure = FAULTS[fault]

    async def answer(_: Asked) -> Any:
        return reply

    agency.answer = answer
    answers = await ask(await open_one(SINGLE, agency.address, largest_answer=2048), CODES[:1])
    assert (answers[CODES[0]].outcome, answers[CODES[0]].failure) == (Outcome.FAILED, failure)
    assert answers[CODES[0]].rows == ()
    said = capsys.readouterr()
    assert CODES[0].organisation_code[:8] not in said.out + said.err
    assert "/companies/{key}/penalties" in said.out + said.err


async def test_an_agency_that_is_down_is_unavailable(open_one: Any, unused_tcp_port: int) -> None:
    supply = await open_one(SINGLE, f"http://127.0.0.1:{unused_tcp_port}")
    answers = await ask(supply, CODES[:1])
    assert answers[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    assert answers[CODES[0]].retryable


async def test_a_silent_agency_costs_no_more_than_the_deadline_and_waiting_counts(
    agency: Agency, open_one: Any
) -> None:
    silence = asyncio.Event()

    async def answer(_: Asked) -> Any:
        await silence.wait()
        return {}

    agency.answer = answer
    supply = await open_one(SINGLE.replace("timeout: 10", "timeout: 60"), agency.address)
    loop = asyncio.get_running_loop()
    started = loop.time()
    answers = await ask(supply, CODES[:8], seconds=0.5)
    assert loop.time() - started < 30
    assert {rows.outcome for rows in answers.values()} == {Outcome.FAILED}
    assert {rows.failure for rows in answers.values()} <= {FailureCode.AGENCY_TIMEOUT, FailureCode.AGENCY_OVERLOADED}
    assert len(agency.asked) == 3
    silence.set()


async def test_a_trickling_answer_is_cut_off_at_the_agencys_timeout(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"

    agency.answer = answer
    agency.hold = asyncio.Event()
    supply = await open_one(SINGLE.replace("timeout: 10", "timeout: 0.2"), agency.address)
    answers = await ask(supply, CODES[:1])
    assert answers[CODES[0]].failure is FailureCode.AGENCY_TIMEOUT
    agency.hold.set()


async def test_cancelling_a_question_cancels_its_calls_and_frees_their_places(agency: Agency, open_one: Any) -> None:
    called, silence = asyncio.Event(), asyncio.Event()

    async def answer(_: Asked) -> Any:
        called.set()
        await silence.wait()
        return {"items": []}

    agency.answer = answer
    supply = await open_one(SINGLE, agency.address)
    before = asyncio.all_tasks()
    question = asyncio.create_task(ask(supply, CODES[:8]))
    await called.wait()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    left = {task for task in asyncio.all_tasks() - before if "Agency" not in repr(task) and "serve" not in repr(task)}
    assert left == set()
    silence.set()
    answers = await ask(supply, CODES[:8])
    assert {rows.outcome for rows in answers.values()} == {Outcome.ANSWERED}


async def test_codes_of_an_unlisted_value_keep_their_row(agency: Agency, open_one: Any) -> None:
    async def answer(_: Asked) -> Any:
        return {"items": [{"k": "01"}, {"k": "07"}]}

    agency.answer = answer
    manifest = SINGLE.replace(FIELDS, '        fields: {kind: {path: k, codes: {"01": {code: fine, label: 罚款}}}}\n')
    rows = (await ask(await open_one(manifest, agency.address), CODES[:1]))[CODES[0]]
    assert [row["kind"] for row in rows.rows] == [Code("fine", "罚款"), None]
    assert (rows.outcome, rows.unmapped) == (Outcome.INCOMPLETE, 1)


async def test_a_connection_that_breaks_before_an_answer_begins_is_tried_once_more(
    agency: Agency, open_one: Any
) -> None:
    async def answer(_: Asked) -> Any:
        return b"" if len(agency.asked) == 1 else {"items": []}

    agency.answer = answer
    answers = await ask(await open_one(SINGLE, agency.address), CODES[:1])
    assert answers[CODES[0]].outcome is Outcome.ANSWERED
    assert len(agency.asked) == 2
