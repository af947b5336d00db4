"""One organisation cannot use up what an agency bears on a day."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.contract import Asker, CompanyRows, FailureCode, FetchRequest, Outcome
from connectors.kindness.share import WHOLE, Share
from connectors.manifest import Manifest
from connectors.supply import AgencySupply
from gateway.quotas.contract import Counters
from gateway.quotas.day_share import DayShares, DaySupply, day_parts
from gateway.quotas.fair import Held
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.sharing import Sharing
from gateway.settings import QuotaSettings
from tests.connectors.conftest import Open, agency, open_one
from tests.connectors.support import CODES, Agency, Asked

__all__ = ["agency", "open_one"]

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    rate: {day: 1000000}
    datasets:
      - record: Penalty
        key: code
        batch: 2
        missingMeans: none
        fields: {recordId: id}
        request: {path: /p, keys: {in: query, name: c, style: comma}}
"""
OVER = (Outcome.FAILED, FailureCode.AGENCY_OVERLOADED, True)


@dataclass
class Clock:
    """A clock that is put forward by hand."""

    now: dt.datetime = dt.datetime(2026, 11, 27, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def answering(agency: Agency) -> Agency:
    async def rows(asked: Asked) -> Any:
        return [{"code": code, "id": 1} for code in dict(asked.query)["c"].split(",")]

    agency.answer = rows
    return agency


def manifest_of(supply: AgencySupply) -> Manifest:
    (opened,) = supply.opened
    assert opened.origin is not None
    return opened.origin.manifest


def shared(supply: AgencySupply, calls: int, counters: Counters, clock: Clock | None = None) -> DaySupply:
    """The supply, of which each organisation may have so many calls a day."""
    parts = day_parts([manifest_of(supply)], calls / 1_000_000, WHOLE)
    assert parts["court"].calls == calls
    return DaySupply(supply, parts, DayShares(counters, clock or Clock()))


async def ask(supply: Any, organisation: str, *numbers: int) -> list[CompanyRows]:
    deadline = asyncio.get_running_loop().time() + 20
    codes = tuple(CODES[number] for number in numbers)
    asker = Asker(organisation, None, "r")
    columns = frozenset({"recordId"})
    found = await supply.fetch(FetchRequest("court/Penalty", codes, columns, {}, "", deadline, asker))
    assert list(found) == list(codes)
    return list(found.values())


def statuses(found: list[CompanyRows]) -> list[Any]:
    return [rows.outcome if rows.failure is None else (rows.outcome, rows.failure, rows.retryable) for rows in found]


async def test_an_organisation_has_its_share_of_the_days_calls_and_others_have_theirs(
    answering: Agency, open_one: Open, counters: Counters
) -> None:
    clock = Clock()
    supply = shared(await open_one(MANIFEST, answering.address), 3, counters, clock)
    with capture_logs() as logs:
        greedy = [await ask(supply, "greedy", number) for number in range(6)]
    assert [statuses(found) for found in greedy] == [[Outcome.ANSWERED]] * 3 + [[OVER]] * 3
    (warning,) = [entry for entry in logs if "share" in entry["event"]]
    assert (warning["agency"], warning["organisation"]) == ("court", "greedy")
    assert statuses(await ask(supply, "other", 7)) == [Outcome.ANSWERED]
    assert len(answering.asked) == 4
    clock.now += dt.timedelta(hours=12)  # midnight where the agency is
    assert statuses(await ask(supply, "greedy", 8)) == [Outcome.ANSWERED]


async def test_each_batch_is_a_call_and_what_is_beyond_the_share_harms_none_of_the_others(
    answering: Agency, open_one: Open
) -> None:
    supply = shared(await open_one(MANIFEST, answering.address), 2, MemoryCounters())
    found = statuses(await ask(supply, "greedy", *range(6)))
    assert (found.count(Outcome.ANSWERED), found.count(OVER)) == (4, 2)
    assert len(answering.asked) == 2


async def test_what_is_kept_takes_nothing_of_the_day(answering: Agency, open_one: Open) -> None:
    kept = MANIFEST + "        timeToLive: 600\n"
    supply = shared(await open_one(kept, answering.address, cached_rows=1_000), 1, MemoryCounters())
    for _ in range(5):
        assert statuses(await ask(supply, "a", 1)) == [Outcome.ANSWERED]
    assert statuses(await ask(supply, "b", 1, 2)) == [Outcome.ANSWERED] * 2
    assert statuses(await ask(supply, "a", 2)) == [Outcome.ANSWERED]
    assert statuses(await ask(supply, "a", 1, 3)) == [Outcome.ANSWERED, OVER]


async def test_who_has_had_its_share_takes_nobodys_answer_along(answering: Agency, open_one: Open) -> None:
    """Two ask the same at once; the first, for which both would wait, may not ask."""
    kept = MANIFEST + "        timeToLive: 600\n"
    supply = shared(await open_one(kept, answering.address, cached_rows=1_000), 1, MemoryCounters())
    await ask(supply, "greedy", 1)
    greedy, other = await asyncio.gather(ask(supply, "greedy", 2), ask(supply, "other", 2))
    assert (statuses(greedy), statuses(other)) == ([OVER], [Outcome.ANSWERED])


async def test_further_pages_count_and_a_call_that_has_begun_is_finished(agency: Agency, open_one: Open) -> None:
    paged = MANIFEST.replace("style: comma}}", "style: comma}, paging: {page: no, size: n, items: 2}}")

    async def page(asked: Asked) -> Any:
        number = int(dict(asked.query)["no"])
        return [{"code": CODES[1], "id": number * 2 + more} for more in range(2 if number < 4 else 0)]

    agency.answer = page
    supply = shared(await open_one(paged, agency.address), 3, MemoryCounters())
    (found,) = await ask(supply, "greedy", 1)
    assert (found.outcome, len(found.rows), len(agency.asked)) == (Outcome.ANSWERED, 6, 4)
    assert statuses(await ask(supply, "greedy", 1)) == [OVER]
    assert len(agency.asked) == 4


async def test_what_nobody_asks_for_and_what_has_no_days_bound_is_not_counted(
    answering: Agency, open_one: Open
) -> None:
    free = await open_one(MANIFEST.replace("rate: {day: 1000000}", "rate: {second: 1000}"), answering.address)
    sharing = Sharing(QuotaSettings(agency_day_share=0.000001), WHOLE, DayShares(MemoryCounters()))
    supply = sharing.shared_out(free, [manifest_of(free)], Held())
    for _ in range(3):
        assert statuses(await ask(supply, "a", 1)) == [Outcome.ANSWERED]


@pytest.mark.parametrize(
    ("url", "concurrency", "kept"), [(None, None, [1, 1]), ("redis://h", None, [2, 2]), ("redis://h", 0.5, [2, 2])]
)
async def test_processes_divide_a_share_that_they_do_not_count_together(
    answering: Agency, open_one: Open, url: str | None, concurrency: float | None, kept: list[int]
) -> None:
    whole = await open_one(MANIFEST, answering.address)
    quotas = QuotaSettings.model_validate({"agency_day_share": 0.000002, "agency_share": concurrency, "url": url})
    answered = []
    for number in (1, 2):
        days = DayShares(MemoryCounters(), Clock())
        supply = Sharing(quotas, Share(number, 2), days).shared_out(whole, [manifest_of(whole)], Held())
        found = [statuses(await ask(supply, "a", company)) for company in range(4)]
        answered.append(found.count([Outcome.ANSWERED]))
    assert answered == kept


async def test_days_outlive_a_change_of_manifests(answering: Agency, open_one: Open) -> None:
    whole, days = await open_one(MANIFEST, answering.address), DayShares(MemoryCounters(), Clock())
    sharing = Sharing(QuotaSettings(agency_day_share=0.000001), WHOLE, days)
    before, after = (sharing.shared_out(whole, [manifest_of(whole)], Held()) for _ in range(2))
    assert statuses(await ask(before, "a", 1)) == [Outcome.ANSWERED]
    assert statuses(await ask(after, "a", 1)) == [OVER]
