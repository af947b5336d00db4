"""Requests held to their callers' quotas, through the whole pipeline and over HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gateway.errors import CompaniesExceededError
from gateway.messages import Answered, Principal, Received
from gateway.quotas.memory import MemoryCounters
from gateway.quotas.quotas import Admission, Quotas
from gateway.settings import QuotaSettings, Settings
from policies.publicity import CHINA
from tests.gateway.stages.conftest import (
    BANK,
    GUANGZHOU,
    HANGZHOU,
    NINGBO,
    SHENZHEN,
    World,
    build_world,
)

CODES = [HANGZHOU, NINGBO, SHENZHEN, GUANGZHOU]
COMPANIES = "query ($codes: [CreditCode!]!) { enterprises(codes: $codes) { creditCode penalties { status } } }"
HOLDERS = """
query ($codes: [CreditCode!]!) {
  enterprises(codes: $codes) {
    shareholders { records { holder { penalties { status records { recordId } sources { failure { code } } } } } }
  }
}
"""
COLLEAGUE = replace(BANK, subject="colleague")
NOON = dt.datetime(2026, 11, 27, 12, 0, tzinfo=CHINA)


@dataclass
class Clock:
    """A clock that is put forward by hand."""

    now: dt.datetime = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


def bounded(world: World, clock: Clock | None = None, **settings: Any) -> World:
    quotas = Quotas(QuotaSettings.model_validate(settings), MemoryCounters(), clock or Clock())
    return replace(world, gateway=replace(world.gateway, quotas=quotas))


async def asked(world: World, codes: list[str], caller: Principal = BANK, query: str = COMPANIES) -> Any:
    return await world.ask(query, caller, codes=codes)


async def test_an_organisation_may_ask_about_so_many_different_companies_a_day() -> None:
    world = bounded(build_world(), organisation={"companies": 2})
    await asked(world, CODES[:1])
    await asked(world, [CODES[1]] * 5)
    world.supply.requests.clear()
    with pytest.raises(CompaniesExceededError) as caught:
        await asked(world, CODES[2:3], COLLEAGUE)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, str(12 * 3_600))
    assert world.supply.requests == []
    await asked(world, CODES[:2])


async def test_one_request_cannot_ask_about_more_by_aliases_or_by_roots() -> None:
    query = " ".join(f'a{n}: enterprise(code: "{code}") {{ penalties {{ status }} }}' for n, code in enumerate(CODES))
    world = bounded(build_world(), organisation={"companies": 3})
    with pytest.raises(CompaniesExceededError):
        await world.ask(f"{{ {query} }}")
    assert world.supply.requests == []
    assert world.audit.lines == []  # the edge writes the line of a refusal by its status


async def test_a_new_day_begins_at_midnight_in_china() -> None:
    clock = Clock()
    world = bounded(build_world(), clock, user={"companies": 1})
    await asked(world, CODES[:1])
    clock.now = NOON.replace(hour=23, minute=59)
    with pytest.raises(CompaniesExceededError) as caught:
        await asked(world, CODES[1:2])
    assert caught.value.headers["Retry-After"] == "60"
    clock.now = NOON + dt.timedelta(hours=12)
    await asked(world, CODES[1:2])


async def test_a_users_companies_are_its_own_and_its_organisations() -> None:
    world = bounded(build_world(), user={"companies": 1}, organisation={"companies": 2})
    await asked(world, CODES[:1])
    with pytest.raises(CompaniesExceededError):
        await asked(world, CODES[1:2])
    await asked(world, CODES[1:2], COLLEAGUE)
    with pytest.raises(CompaniesExceededError):
        await asked(world, CODES[2:3], replace(BANK, subject="a third"))


async def test_an_organisation_may_have_a_quota_of_its_own() -> None:
    own = {"first-bank": {"companies": 4}}
    world = bounded(build_world(), organisation={"companies": 1}, organisations=own)
    await asked(world, CODES)
    with pytest.raises(CompaniesExceededError):
        await asked(world, CODES[:2], Principal("anonymous", "public", frozenset({"anonymous"})))


async def test_companies_behind_links_count_and_beyond_the_quota_are_a_limit() -> None:
    rows = {("registry/Shareholder", HANGZHOU): ({"recordId": "s1", "holder": NINGBO},)}
    for companies, failure in ((2, None), (1, "LIMIT")):
        world = bounded(build_world(rows), organisation={"companies": companies})
        answer = await asked(world, [HANGZHOU], query=HOLDERS)
        (record,) = answer["data"]["enterprises"][0]["shareholders"]["records"]
        found = {(source["failure"] or {}).get("code") for source in record["holder"]["penalties"]["sources"]}
        assert found == {failure}
        assert world.audit.lines[-1]["companies"] == sorted([HANGZHOU, NINGBO][: 2 if failure is None else 1])


async def test_what_names_no_company_uses_nothing_up() -> None:
    world = bounded(build_world(), organisation={"companies": 1})
    for _ in range(3):
        await world.ask("{ me { subject } enterprises(codes: []) { creditCode } }")
    await world.ask('{ enterprise(code: "nonsense") { creditCode } }')
    await asked(world, CODES[:1])


VERIFY = """query ($code: CreditCode!, $who: String) {
    verifyEnterprise(code: $code, legalRepresentative: $who) { creditCode legalRepresentative } }"""


async def test_a_company_that_is_verified_counts_as_one_that_is_asked_about() -> None:
    world = bounded(build_world(), organisation={"companies": 2})

    async def verify(who: str, code: str) -> Any:
        return await world.ask(VERIFY, purpose="credit", code=code, who=who)

    await verify("王伟", HANGZHOU)
    await asked(world, [NINGBO])
    with pytest.raises(CompaniesExceededError):
        await verify("王伟", SHENZHEN)
    await verify("王芳", HANGZHOU)


class Slow:
    """A pipeline that answers when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def answer(self, received: Received) -> Answered:
        self.begun.release()
        await self.go_on.wait()
        return Answered(b'{"data":null}', executed=received.query != "{")


def admitted(pipeline: Any, **settings: Any) -> Admission:
    return Admission(pipeline, Quotas(QuotaSettings.model_validate(settings), MemoryCounters()))


@pytest.fixture
def caller_of(application: Callable[..., Any], signer: Any, settings: Settings) -> Callable[..., httpx.AsyncClient]:
    def made(pipeline: Any) -> httpx.AsyncClient:
        app = application(pipeline, settings=settings)
        headers = {"Authorization": f"Bearer {signer.token()}", "Accept": "application/graphql-response+json"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=headers)

    return made


async def test_too_many_requests_at_once_are_429_and_audited_and_those_under_way_are_answered(
    caller_of, refusals
) -> None:
    slow = Slow()
    async with caller_of(admitted(slow, organisation={"concurrent": 2})) as client:
        under_way = [asyncio.create_task(client.post("/graphql", json={"query": "{ a }"})) for _ in range(2)]
        for _ in under_way:
            await slow.begun.acquire()
        refused = await client.post("/graphql", json={"query": "{ a }"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert refused.json()["errors"][0]["extensions"]["code"] == "CONCURRENCY_EXCEEDED"
        ((principal, code),) = refusals.lines
        assert (principal.organisation, code) == ("first-bank", "CONCURRENCY_EXCEEDED")
        slow.go_on.set()
        assert [response.status_code for response in await asyncio.gather(*under_way)] == [200, 200]
        assert (await client.post("/graphql", json={"query": "{ a }"})).status_code == 200


async def test_a_request_that_fails_is_under_way_no_more(caller_of) -> None:
    class Fails:
        async def answer(self, _: Received) -> Answered:
            raise ValueError

    async with caller_of(admitted(Fails(), user={"concurrent": 1})) as client:
        for _ in range(3):
            assert (await client.post("/graphql", json={"query": "{ a }"})).status_code == 500


async def test_too_many_requests_a_minute_are_429_and_say_when_to_come_again(caller_of, echo) -> None:
    async with caller_of(admitted(echo, user={"requests": 6})) as client:
        answers = [await client.post("/graphql", json={"query": "{ a }"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10


async def test_without_quotas_nobody_is_counted(caller_of, echo) -> None:
    admission = admitted(echo)
    async with caller_of(admission) as client:
        for _ in range(3):
            assert (await client.post("/graphql", json={"query": "{ a }"})).status_code == 200
    assert not admission.quotas.counters._due


def test_several_workers_must_count_together() -> None:
    with pytest.raises(ValueError, match="needs XINQIAO_QUOTAS__URL"):
        Settings(workers=2, quotas={"user": {"requests": 5}})
    Settings(workers=2, quotas={"user": {"requests": 5}, "url": "redis://h"})
    Settings(workers=2, quotas={"agency_share": 0.5})
