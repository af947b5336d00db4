"""One organisation cannot take all that an agency bears."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.contract import Asker, CompanyRows, Dataset, FailureCode, FetchRequest, Outcome
from gateway.quotas.fair import FairSupply, Held
from schema.credit_code import CreditCode
from tests.connectors.support import CODES
from tests.gateway.stages.conftest import dataset

DATASETS = {
    "tax/TaxCredit": dataset("tax/TaxCredit", batch=5),
    "court/JudgmentDefault": dataset("court/JudgmentDefault"),
}


class Agencies:
    """Agencies whose calls end when they are told to. Counts those under way, by organisation and agency."""

    datasets: Mapping[str, Dataset] = DATASETS

    def __init__(self) -> None:
        self.under_way: Counter[tuple[str, str]] = Counter()
        self.most: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.asked: list[FetchRequest] = []
        self.go_on = asyncio.Event()

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        assert request.asker is not None
        key = (request.asker.organisation, request.dataset.partition("/")[0])
        self.asked.append(request)
        self.under_way[key] += 1
        self.most[key] = max(self.most[key], self.under_way[key])
        try:
            await self.go_on.wait()
        finally:
            self.under_way[key] -= 1
        return {code: CompanyRows(Outcome.ANSWERED) for code in request.codes}


def question(organisation: str, codes: int = 1, dataset_id: str = "tax/TaxCredit", seconds: float = 20) -> FetchRequest:
    deadline = asyncio.get_running_loop().time() + seconds
    asker = Asker(organisation, None, "r")
    return FetchRequest(dataset_id, tuple(CODES[:codes]), frozenset({"grade"}), {}, "", deadline, asker)


async def ask(supply: FairSupply, *questions: FetchRequest) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(supply.fetch(one)) for one in questions]
    for _ in range(10):
        await asyncio.sleep(0)
    return tasks


async def test_an_organisation_has_its_share_of_an_agencys_calls_and_others_go_ahead() -> None:
    agencies = Agencies()
    supply = FairSupply(agencies, {"tax": 8, "court": 8}, 0.5, Held())
    greedy = await ask(supply, *(question("greedy") for _ in range(20)))
    other = await ask(supply, question("other"), question("greedy", dataset_id="court/JudgmentDefault"))
    assert agencies.under_way == {("greedy", "tax"): 4, ("other", "tax"): 1, ("greedy", "court"): 1}
    agencies.go_on.set()
    answers = await asyncio.gather(*greedy, *other)
    assert all(rows.outcome is Outcome.ANSWERED for answer in answers for rows in answer.values())
    assert agencies.most[("greedy", "tax")] == 4


async def test_a_question_that_takes_several_calls_has_no_more_of_them_at_once() -> None:
    agencies = Agencies()
    supply = FairSupply(agencies, {"tax": 4}, 0.5, Held())
    (task,) = await ask(supply, question("greedy", codes=38))
    assert agencies.under_way == {("greedy", "tax"): 2}
    agencies.go_on.set()
    assert set(await task) == set(CODES[:38])
    assert [len(request.codes) for request in agencies.asked] == [5] * 7 + [3]
    assert agencies.most[("greedy", "tax")] == 2


async def test_calls_of_before_and_after_a_change_are_an_organisations_share_together() -> None:
    agencies = Agencies()
    held = Held()
    before = FairSupply(agencies, {"tax": 8}, 0.5, held)
    tasks = await ask(before, *(question("greedy") for _ in range(3)))
    after = FairSupply(agencies, {"tax": 4}, 0.5, held)
    tasks += await ask(after, *(question("greedy") for _ in range(3)), question("other"))
    assert agencies.under_way == {("greedy", "tax"): 3, ("other", "tax"): 1}
    agencies.go_on.set()
    await asyncio.gather(*tasks)
    agencies.go_on.clear()
    tasks = await ask(after, *(question("greedy") for _ in range(3)))
    assert agencies.under_way[("greedy", "tax")] == 2
    agencies.go_on.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(("concurrency", "share", "calls"), [(1, 0.1, 1), (3, 0.5, 1), (10, 0.25, 2), (8, 1.0, 8)])
async def test_everybody_has_one_call_whatever_the_share(concurrency: int, share: float, calls: int) -> None:
    agencies = Agencies()
    tasks = await ask(FairSupply(agencies, {"tax": concurrency}, share, Held()), *(question("a") for _ in range(20)))
    assert agencies.under_way[("a", "tax")] == calls
    agencies.go_on.set()
    await asyncio.gather(*tasks)


async def test_what_waits_until_its_deadline_is_a_failure_that_may_be_tried_again() -> None:
    agencies = Agencies()
    supply = FairSupply(agencies, {"tax": 1}, 1.0, Held())
    (first,) = await ask(supply, question("a"))
    answers = await supply.fetch(question("a", codes=3, seconds=0.01))
    assert {(rows.failure, rows.retryable) for rows in answers.values()} == {(FailureCode.AGENCY_OVERLOADED, True)}
    assert set(answers) == set(CODES[:3])
    agencies.go_on.set()
    assert (await first)[CODES[0]].outcome is Outcome.ANSWERED


@pytest.mark.parametrize("codes", [1, 20])
async def test_whoever_goes_away_gives_back_its_places_and_withdraws_its_questions(codes: int) -> None:
    agencies = Agencies()
    supply = FairSupply(agencies, {"tax": 2}, 1.0, Held())
    tasks = await ask(supply, *(question("a", codes=codes) for _ in range(3)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(agencies.under_way.values())
    agencies.go_on.set()
    async with asyncio.timeout(10):
        await supply.fetch(question("a"))


async def test_nothing_is_kept_of_organisations_that_ask_no_more() -> None:
    agencies = Agencies()
    agencies.go_on.set()
    held = Held()
    supply = FairSupply(agencies, {"tax": 2}, 1.0, held)
    for number in range(50):
        await supply.fetch(question(f"bank-{number}"))
    assert len(held) == 0
