"""What the security tests share: every route to a record's field, and a gateway over agencies that remember what they
were asked, with the cache shared by all callers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import httpx
import orjson
from msgspec import structs

from connectors.cache import RowCache
from connectors.contract import CompanyRows, Dataset, FetchRequest, Row
from connectors.lifetimes import Lifetimes
from gateway.edge.app import create_app
from gateway.editions.views import Views
from gateway.identity.identity import load_authenticator
from gateway.limits import Limits
from gateway.messages import Principal, Received
from gateway.settings import Settings
from schema.contract import national
from schema.credit_code import CreditCode
from tests.gateway.stages.conftest import (
    ANYBODY,
    BANK,
    DATASETS,
    HANGZHOU,
    NINGBO,
    SHENZHEN,
    MemorySupply,
    World,
    build_world,
)

OWNER = NINGBO
"""A company whose shareholder is the company asked about, so that a link leads there."""


class CachingSupply(MemorySupply):
    """Datasets in memory behind the cache of rows; `requests` are those that reached an agency."""

    def __init__(self, datasets: Mapping[str, Dataset], rows: Mapping[tuple[str, str], tuple[Row, ...]]) -> None:
        super().__init__(datasets, rows)
        self.cache = RowCache(10_000)

    async def fetch(self, request: FetchRequest) -> Mapping[CreditCode, CompanyRows]:
        reach = super().fetch
        lifetimes = Lifetimes(60, 60)
        return await self.cache.through(
            request, lifetimes, lambda codes: reach(structs.replace(request, codes=tuple(codes)))
        )


@cache
def _built(more_rules: str, limits: Limits | None) -> World:
    return build_world(more_rules=more_rules, limits=limits).provided(views=VIEWS)


VIEWS = Views(national())


def guarded_world(
    rows: Mapping[tuple[str, str], tuple[Row, ...]], more_rules: str = "", limits: Limits | None = None
) -> World:
    """A gateway whose rows and cache are shared by everybody: nothing but the decisions stands between two callers."""
    whole = {key: tuple(_whole(key[0], row) for row in found) for key, found in {**rows, **OWNERSHIP}.items()}
    supply = CachingSupply(DATASETS, whole)
    return replace(_built(more_rules, limits).provided(supply=supply, shared=frozenset(DATASETS)), supply=supply)


def _whole(dataset: str, row: Row) -> Row:
    """The row with every column of its dataset, as agencies give it."""
    return {**dict.fromkeys(DATASETS[dataset].fields), **row}


OWNERSHIP = {("registry/Shareholder", OWNER): ({"recordId": "owned", "name": "Held", "holder": HANGZHOU},)}


async def ask(
    world: World, query: str, principal: Principal = ANYBODY, purpose: str | None = None, consents: tuple[str, ...] = ()
) -> bytes:
    """The answer as it leaves the gateway."""
    deadline = asyncio.get_running_loop().time() + 60
    received = Received("test", query, None, {}, principal, purpose, consents, deadline, read_only=False)
    return (await world.gateway.answer(received)).body


async def get(world: World, query: str) -> bytes:
    """The answer to a GET without credentials."""

    async def recorded(*_: object) -> None:
        """Refusals are of no interest here."""

    settings = Settings(anonymous="public")
    app = create_app(
        pipeline=world.gateway,
        authenticator=load_authenticator(settings, lambda: world.gateway.editions.current.policy.organisations),
        settings=settings,
        record_refusal=recorded,
        readiness={},
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        response = await client.get("/graphql", params={"query": query})
    return re.sub(rb'"requestId":"[^"]*"', b'"requestId":"test"', response.content)


@dataclass(frozen=True)
class Target:
    """An answer of a company and what is selected in it: fields of its records, or of the answer itself."""

    answer: str = "penalties"
    type: str = "PenaltyAnswer"
    fields: tuple[str, ...] = ("facts",)
    around: str = "status"
    arguments: str = ""
    records: str = "records"

    def selected(self, *, key: str = "") -> str:
        """The selection of the answer, each record's field under a key of its own where `key` is given."""
        fields = " ".join(
            f"{key}{n}: {field}" if key and re.match(r"\w+(?!\w*:)", field) else field
            for n, field in enumerate(self.fields)
        )
        return f"{self.around} {f'{self.records} {{ {fields} }}' if fields else ''}"

    @property
    def called(self) -> str:
        """The answer's field with its arguments."""
        return f"{self.answer}{f'({self.arguments})' if self.arguments else ''}"

    @property
    def plain(self) -> str:
        """The whole of it, as one writes it who has nothing in mind."""
        return f"{self.called} {{ {self.selected()} }}"


ONE = f'enterprise(code: "{HANGZHOU}")'

Document = Callable[[Target], str]

DOCUMENTS: Mapping[str, Document] = {
    "plainly": lambda t: f"{{ {ONE} {{ {t.plain} }} }}",
    "by alias": lambda t: f"{{ e: {ONE} {{ a: {t.called} {{ {t.selected(key='x')} }} }} }}",
    "by a fragment on the interface": lambda t: (
        f"{{ {ONE} {{ {t.called} {{ ...on Answer {{ ...F }} }} }} }} fragment F on {t.type} {{ {t.selected()} }}"
    ),
    "by a fragment on the concrete type": lambda t: (
        f"{{ {ONE} {{ ...E }} }} fragment E on Enterprise {{ {t.called} {{ ...on {t.type} {{ {t.selected()} }} }} }}"
    ),
    "by a link": lambda t: (
        f'{{ enterprise(code: "{OWNER}") {{ shareholders {{ records {{ holder {{ {t.plain} }} }} }} }} }}'
    ),
    "in a batch": lambda t: (
        f'{{ enterprises(codes: ["{SHENZHEN}", "{HANGZHOU}", "{HANGZHOU}"]) {{ creditCode {t.plain} }} }}'
    ),
    "by _entities": lambda t: (
        f'{{ _entities(representations: [{{__typename: "Enterprise", creditCode: "{HANGZHOU}"}}])'
        f" {{ ...on Enterprise {{ {t.plain} }} }} }}"
    ),
    "out of the cache": lambda t: f"{{ {ONE} {{ {t.plain} }} }}",
    "by GET": lambda t: f"{{ {ONE} {{ {t.plain} }} }}",
}
ROUTES = tuple(DOCUMENTS)


async def by_route(world: World, route: str, target: Target) -> bytes:
    """What the public gets by this route. Out of the cache: after a bank has asked the same in the same words, and the
    agencies have forgotten that.
    """
    query = DOCUMENTS[route](target)
    if route == "by GET":
        return await get(world, query)
    if route == "out of the cache":
        await ask(world, query, BANK)
        world.supply.requests.clear()
    return await ask(world, query)


def parsed(body: bytes) -> Any:
    return orjson.loads(body)
