"""The same gateway as far as tuning brings it without leaving Strawberry's ways.

Documents are parsed and validated once, agencies are called over aiohttp, JSON is orjson's, and a request has one
loader an agency. It does not authorise, keeps no rows and no audit. `UPSTREAM` is where the agencies are.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import orjson
import strawberry
from records import Context, Query, Row, by_company
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

DOCUMENTS: Final = 100
"""How many documents are kept."""


class Gateway(GraphQL[Context, None]):
    """The endpoint, with loaders of its own for each request."""

    async def get_context(self, request: Request, response: Response) -> Context:
        """The loaders."""
        session: aiohttp.ClientSession = request.app.state.session

        async def load(agency: str, codes: list[str]) -> list[list[Row]]:
            async with session.post(f"/{agency}", data=orjson.dumps({"dm": codes})) as answer:
                answer.raise_for_status()
                return by_company(orjson.loads(await answer.read())["lb"], codes)

        return Context("", load)

    def decode_json(self, data: str | bytes) -> object:
        """By orjson."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> bytes:
        """By orjson."""
        return orjson.dumps(data)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """One session for all calls, opened on the event loop that serves."""
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(os.environ["UPSTREAM"], headers=headers, timeout=timeout) as session:
        app.state.session = session
        yield


schema = strawberry.Schema(Query, extensions=[ParserCache(maxsize=DOCUMENTS), ValidationCache(maxsize=DOCUMENTS)])
app = Starlette(routes=[Route("/graphql", Gateway(schema))], lifespan=lifespan)
