"""A bare Starlette application: the bytes of a file, whatever is asked; what any gateway costs at the least."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_BODY = Path(os.environ["BARE_ANSWER"]).read_bytes()


async def _answer(request: Request) -> Response:
    await request.body()
    return Response(_BODY, media_type="application/json")


app = Starlette(routes=[Route("/graphql", _answer, methods=["POST"])])
