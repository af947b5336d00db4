"""How an agency is spared, over real sockets: what the manifest says arrives at its system."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.contract import FailureCode, FetchRequest, Outcome
from connectors.kindness.breaker import BreakerState
from connectors.kindness.share import Share
from connectors.kinds.memory import MemoryDataset
from connectors.manifest import DatasetManifest
from tests.connectors.memory import MemoryAgency, fetch, supply_of
from tests.connectors.redis_server import RedisServer
from tests.connectors.support import CODES, Agency, Asked, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        request: {path: "/companies/{key}"}
        fields: {documentNumber: number}
"""
POST = MANIFEST.replace('{path: "/companies/{key}"}', "{method: POST, path: /search, keys: {in: body, name: code}}")
DECLARED = POST.replace("record: Penalty", "record: Penalty\n        idempotent: true")
NOT_AT_ALL = MANIFEST.replace("record: Penalty", "record: Penalty\n        idempotent: false")
ROWS = [{"number": "1"}]


def answering(*replies: Any) -> Any:
    """Gives these one after the other, and then rows."""
    left = list(replies)

    async def answer(_: Asked) -> Any:
        return left.pop(0) if left else ROWS

    return answer


async def fared(supply: Any, code: Any = CODES[0]) -> Outcome | FailureCode:
    rows = (await ask(supply, [code]))[code]
    return rows.failure or rows.outcome


@pytest.mark.parametrize(("manifest", "calls"), [(MANIFEST, 2), (POST, 1), (DECLARED, 2), (NOT_AT_ALL, 1)])
@pytest.mark.parametrize("reply", [(500, {}), (503, {}), b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["])
async def test_only_what_may_be_made_twice_is_repeated(
    agency: Agency, open_one: Any, manifest: str, calls: int, reply: Any
) -> None:
    agency.answer = answering(reply)
    supply = await open_one(manifest, agency.address)
    assert (await fared(supply) is Outcome.ANSWERED) == (calls == 2)
    assert len(agency.asked) == calls


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
async def test_what_the_agency_refuses_is_not_repeated(agency: Agency, open_one: Any, status: int) -> None:
    agency.answer = answering((status, {}))
    supply = await open_one(MANIFEST, agency.address)
    assert await fared(supply) is FailureCode.AGENCY_BAD_RESPONSE
    assert len(agency.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_kept_to_by_all_calls(agency: Agency, open_one: Any, status: int) -> None:
    agency.answer = answering(f"HTTP/1.1 {status} X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n".encode())
    supply = await open_one(MANIFEST, agency.address)
    assert [await fared(supply, code) for code in CODES[:3]] == [FailureCode.AGENCY_OVERLOADED] * 3
    assert len(agency.asked) == 1
    assert supply.agencies["court"].counts.refused.pause == 2


async def test_an_agency_that_keeps_failing_is_left_alone(agency: Agency, open_one: Any) -> None:
    agency.answer = answering(*[(500, {})] * 20)
    supply = await open_one(MANIFEST + "\n    retries: {most: 0}\n    breaker: {failures: 3}\n", agency.address)
    outcomes = [await fared(supply, code) for code in CODES[:6]]
    assert outcomes == [FailureCode.AGENCY_BAD_RESPONSE] * 3 + [FailureCode.AGENCY_UNAVAILABLE] * 3
    assert len(agency.asked) == 3
    court = supply.agencies["court"]
    assert court.breaker.state(asyncio.get_running_loop().time()) is BreakerState.OPEN
    assert (court.counts.calls, court.counts.failures, court.counts.refused.breaker) == (3, 3, 3)


async def test_refusals_and_rows_that_cannot_be_mapped_leave_it_in_use(agency: Agency, open_one: Any) -> None:
    agency.answer = answering(*[(404, {}), {"no": "list"}] * 10)
    supply = await open_one(MANIFEST + "\n    breaker: {failures: 3}\n", agency.address)
    for code in CODES[:20]:
        await fared(supply, code)
    assert len(agency.asked) == 20


async def test_all_datasets_of_an_agency_share_its_bounds(agency: Agency, open_one: Any) -> None:
    second = """
      - record: TaxCredit
        request: {path: "/credits/{key}"}
        fields: {grade: grade}
"""
    agency.answer = answering((500, {}))
    supply = await open_one(
        MANIFEST + second + "\n    retries: {most: 0}\n    breaker: {failures: 1}\n", agency.address
    )
    assert await fared(supply) is FailureCode.AGENCY_BAD_RESPONSE
    deadline = asyncio.get_running_loop().time() + 20
    request = FetchRequest("court/TaxCredit", CODES[:1], frozenset({"grade"}), {}, "", deadline)
    assert (await supply.fetch(request))[CODES[0]].failure is FailureCode.AGENCY_UNAVAILABLE
    assert len(agency.asked) == 1


@pytest.mark.parametrize(("processes", "shares"), [(1, [4]), (3, [2, 1, 1]), (4, [1, 1, 1, 1])])
async def test_processes_divide_what_an_agency_bears(
    agency: Agency, open_one: Any, processes: int, shares: list[int]
) -> None:
    bears = MANIFEST + "\n    concurrency: 4\n    rate: {second: 4}\n"
    supplies = [
        await open_one(bears, agency.address, share=Share(number, processes)) for number in range(1, processes + 1)
    ]
    assert [supply.agencies["court"].concurrency for supply in supplies] == shares


async def test_each_page_counts(agency: Agency, open_one: Any) -> None:
    paged = MANIFEST.replace('{key}"}', '{key}", paging: {page: p, items: 1, pages: 3}}')
    agency.answer = answering()
    supply = await open_one(paged + "\n    rate: {day: 1000000000}\n", agency.address)
    await fared(supply)
    day = supply.agencies["court"].day
    assert len(agency.asked) == 3
    left = day.left
    await fared(supply)
    assert left - day.left == 3


async def test_rows_beyond_the_limit_are_cut_off_whatever_kind_brought_them() -> None:
    supply = supply_of(MemoryAgency(), rowLimit=2)
    answers = await fetch(supply, CODES[:4])
    assert sum(len(rows.rows) for rows in answers.values()) == 2
    assert {(rows.outcome, rows.failure) for rows in answers.values()} == {(Outcome.INCOMPLETE, FailureCode.LIMIT)}


@pytest.mark.parametrize(("manifest", "calls"), [(POST, 2), (DECLARED, 3)])
async def test_what_must_not_be_made_twice_is_not_sent_again_where_a_kept_connection_broke(
    agency: Agency, open_one: Any, manifest: str, calls: int
) -> None:
    agency.answer = answering(ROWS, b"")
    supply = await open_one(manifest + "\n    retries: {most: 0}\n", agency.address)
    assert await fared(supply, CODES[0]) is Outcome.ANSWERED
    assert (await fared(supply, CODES[1]) is Outcome.ANSWERED) == (calls == 3)
    assert len(agency.asked) == calls


async def test_a_status_503_is_a_failure_of_the_agency_and_no_pause(agency: Agency, open_one: Any) -> None:
    agency.answer = answering(*[(503, {})] * 20)
    supply = await open_one(MANIFEST + "\n    retries: {most: 0}\n    breaker: {failures: 3}\n", agency.address)
    outcomes = [await fared(supply, code) for code in CODES[:4]]
    assert outcomes == [FailureCode.AGENCY_OVERLOADED] * 3 + [FailureCode.AGENCY_UNAVAILABLE]


async def test_calls_that_are_not_sent_do_not_flood_the_log() -> None:
    treatment = {"maintenance": [{"from": "00:00", "to": "00:00"}]}
    with capture_logs() as entries:
        await fetch(supply_of(MemoryAgency(), treatment=treatment), CODES[:1])
    assert [entry["log_level"] for entry in entries] == ["debug"]


@pytest.mark.parametrize(("kind", "nature"), [(DatasetManifest, False), (MemoryDataset, True)])
def test_a_call_may_be_made_twice_where_the_manifest_says_so_or_else_by_its_nature(
    kind: type[DatasetManifest], *, nature: bool
) -> None:
    form = {"record": "Penalty", "fields": {"facts": "f"}, "key": "code", "missingMeans": "none", "rows": []}
    given = {name: value for name, value in form.items() if kind is MemoryDataset or name != "rows"}
    natures = [kind.model_validate({**given, "idempotent": declared}).is_idempotent for declared in (None, True, False)]
    assert natures == [nature, True, False]


async def test_a_store_that_was_emptied_gives_the_days_calls_no_second_time(
    agency: Agency, open_one: Any, redis: RedisServer
) -> None:
    agency.answer = answering()
    bears = MANIFEST + "\n    rate: {day: 5}\n"
    supply = await open_one(bears, agency.address, share=Share(1, 2), second_level=redis.level())
    assert [await fared(supply, code) for code in CODES[:3]] == [Outcome.ANSWERED] * 3
    await redis.command("FLUSHALL")
    outcomes = [await fared(supply, code) for code in CODES[:4]]
    assert outcomes == [Outcome.ANSWERED] * 2 + [FailureCode.AGENCY_OVERLOADED] * 2


async def test_processes_count_the_days_calls_together_in_the_store_they_share(
    agency: Agency, open_one: Any, redis: RedisServer
) -> None:
    agency.answer = answering()
    bears = MANIFEST + "\n    rate: {day: 5}\n"
    supplies = [
        await open_one(bears, agency.address, share=Share(number, 2), second_level=redis.level()) for number in (1, 2)
    ]
    outcomes = [await fared(supply, code) for supply in supplies for code in CODES[:4]]
    assert outcomes == [Outcome.ANSWERED] * 5 + [FailureCode.AGENCY_OVERLOADED] * 3
    assert len(agency.asked) == 5
    redis.kill()
    assert await fared(supplies[0]) is FailureCode.AGENCY_OVERLOADED
