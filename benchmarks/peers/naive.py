"""What a good newcomer writes first: Strawberry, a DataLoader an agency, casbin at every field, httpx and aiocache.

It is the one peer that authorises: each field is asked for at each record. It believes the header that says who asks,
keeps no audit, and decides alike for every company. `UPSTREAM` is where the agencies are.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import casbin
import httpx
import strawberry
from aiocache import SimpleMemoryCache
from graphql import build_schema, is_object_type
from records import Context, Query, Row, by_company
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import SchemaExtension

MODEL: Final = """
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
"""
RULES: Final = 1_000
KEPT: Final = 60
"""How long a row is kept, in seconds."""


def enforcer() -> casbin.Enforcer:
    """A thousand rules: those of the bank officers first, so that they are found soonest."""
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    made = casbin.Enforcer(model)
    types = build_schema(schema.as_str()).type_map.values()
    fields = [f"{kind.name}.{name}" for kind in types if is_object_type(kind) for name in kind.fields]
    made.add_policies([["bank_officer", field, "read"] for field in fields])
    made.add_policies([[f"role_{i % 9}", f"Other{i // 20}.field{i}", "read"] for i in range(RULES - len(fields))])
    made.add_grouping_policy("officer", "bank_officer")
    return made


class MayRead(SchemaExtension):
    """Asks casbin before every field."""

    def resolve(self, _next: Callable[..., Any], root: Any, info: Any, *args: Any, **kwargs: Any) -> Any:
        """The field's value. Raises `PermissionError` where it is withheld."""
        if not permissions.enforce(info.context.user, f"{info.parent_type.name}.{info.field_name}", "read"):
            raise PermissionError(f"{info.field_name} may not be read")
        return _next(root, info, *args, **kwargs)


class Gateway(GraphQL[Context, None]):
    """The endpoint, with loaders of its own for each request."""

    async def get_context(self, request: Request, response: Response) -> Context:
        """Who asks, and the loaders."""
        return Context(request.headers["x-user"], load)


async def load(agency: str, codes: list[str]) -> list[list[Row]]:
    """The rows of each company: those that are kept, and for the others one call."""
    kept = await cache.multi_get([f"{agency}:{code}" for code in codes])
    missing = [code for code, rows in zip(codes, kept, strict=True) if rows is None]
    if not missing:
        return kept
    answer = await client.post(f"/{agency}", json={"dm": missing})
    answer.raise_for_status()
    found = dict(zip(missing, by_company(answer.json()["lb"], missing), strict=True))
    await cache.multi_set([(f"{agency}:{code}", rows) for code, rows in found.items()], ttl=KEPT)
    return [found[code] if rows is None else rows for code, rows in zip(codes, kept, strict=True)]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Closes the client at the end."""
    async with client:
        yield


client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], timeout=10)
cache = SimpleMemoryCache()
schema = strawberry.Schema(Query, extensions=[MayRead])
permissions = enforcer()
app = Starlette(routes=[Route("/graphql", Gateway(schema))], lifespan=lifespan)
