from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.cache import RowCache
from connectors.contract import CompanyRows, FetchRequest, Outcome
from connectors.errors import UnknownDataset
from tests.connectors.support import CODES, Agency, Asked, ask

MANIFEST = """
    agency: court
    name: {en: Court, zh: 法院}
    kind: rest
    connection: {url: "${ADDRESS}"}
    datasets:
      - record: Penalty
        key: code
        batch: 10
        missingMeans: none
        timeToLive: 60
        filters: {decidedFrom: from}
        request: {path: /p, keys: {in: query, name: codes, style: comma}}
        fields: {documentNumber: number, facts: facts, amount: je}
"""


async def court(asked: Asked) -> Any:
    codes = dict(asked.query)["codes"].split(",")
    return [{"code": code, "number": "n", "facts": "f", "je": "1"} for code in codes if code != CODES[3].text]


async def test_a_second_question_is_answered_from_memory_with_only_its_columns(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    first = await ask(supply, CODES[:4])
    again = await ask(supply, CODES[:4], ["facts"])
    assert len(agency.asked) == 1
    assert again[CODES[0]].rows == ({"facts": "f"},)
    assert (again[CODES[3]].outcome, again[CODES[3]].rows) == (Outcome.ANSWERED, ())
    assert first[CODES[3]].outcome is Outcome.ANSWERED
    await ask(supply, CODES[:6])
    assert dict(agency.asked[1].query)["codes"] == ",".join(code.text for code in CODES[4:6])


async def test_nobody_sees_whether_another_asked_before(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    for _ in range(2):
        answer = (await ask(supply, CODES[:1]))[CODES[0]]
        assert answer.not_older_than is not None
        age = datetime.now(UTC) - answer.not_older_than
        assert timedelta(seconds=60) <= age < timedelta(seconds=65)


async def test_another_filter_partition_or_wider_columns_is_asked_anew(agency: Agency, open_one: Any) -> None:
    agency.answer = court
    supply = await open_one(MANIFEST, agency.address)
    await ask(supply, CODES[:1], ["facts"])
    await ask(supply, CODES[:1], ["facts"], partition="bank")
    await ask(supply, CODES[:1], ["facts"], filters={"decidedFrom": datetime(2026, 1, 1, tzinfo=UTC).date()})
    await ask(supply, CODES[:1], ["facts", "amount"])
    assert len(agency.asked) == 4


async def test_a_failure_or_an_incomplete_answer_is_not_kept(agency: Agency, open_one: Any) -> None:
    replies: list[Any] = [(500, {}), [{"code": CODES[0].text, "je": "viel"}], [{"code": CODES[0].text, "je": "1"}]]

    async def answer(_: Asked) -> Any:
        return replies.pop(0)

    agency.answer = answer
    supply = await open_one(MANIFEST, agency.address)
    outcomes = [(await ask(supply, CODES[:1]))[CODES[0]].outcome for _ in range(4)]
    assert outcomes == [Outcome.FAILED, Outcome.INCOMPLETE, Outcome.ANSWERED, Outcome.ANSWERED]


async def test_what_no_manifest_declares_is_refused(agency: Agency, open_one: Any) -> None:
    supply = await open_one(MANIFEST, agency.address)
    with pytest.raises(UnknownDataset, match="kind"):
        await ask(supply, CODES[:1], ["kind"])
    with pytest.raises(UnknownDataset, match="decidedTo"):
        await ask(supply, CODES[:1], filters={"decidedTo": datetime(2026, 1, 1, tzinfo=UTC).date()})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def question(*columns: str) -> FetchRequest:
    return FetchRequest("a/Penalty", CODES, frozenset(columns), {}, "", asyncio.get_running_loop().time() + 1)


async def test_rows_are_forgotten_when_their_time_is_over() -> None:
    clock = Clock()
    cache = RowCache(10, clock)
    await cache.keep(question("facts"), {CODES[0]: CompanyRows(Outcome.UNKNOWN_COMPANY)}, 30)
    clock.now = 29.9
    assert (await cache.get(question("facts")))[CODES[0]].outcome is Outcome.UNKNOWN_COMPANY
    clock.now = 30
    assert await cache.get(question("facts")) == {}
    await cache.close()


async def test_the_least_recently_used_rows_go_first_and_the_bound_counts_rows() -> None:
    cache = RowCache(4)

    def kept(count: int) -> CompanyRows:
        return CompanyRows(Outcome.ANSWERED, ({"facts": "x"},) * count)

    await cache.keep(question("facts"), {CODES[0]: kept(1), CODES[1]: kept(0), CODES[2]: kept(2)}, 30)
    assert set(await cache.get(question("facts"))) == set(CODES[:3])
    single = FetchRequest("a/Penalty", CODES[:1], frozenset({"facts"}), {}, "", 0)
    await cache.get(single)
    await cache.keep(question("facts"), {CODES[3]: kept(1)}, 30)
    assert set(await cache.get(question("facts"))) == {CODES[0], CODES[2], CODES[3]}
    await cache.keep(question("facts"), {CODES[4]: kept(9)}, 30)
    assert await cache.get(question("facts")) == {}
    await cache.close()
