"""Zhejiang's penalties: `GET /openapi/v2/penalties?creditCode=A&creditCode=B`, up to 50 codes.

`penaltyDateFrom` and `penaltyDateTo`, both inclusive, narrow them by date.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies.http import AccessLog, json_response, serve

_MOST: Final = 50


def build(data: Path) -> Starlette:
    """The province's system over `penalties.json`."""
    log = AccessLog()
    penalties: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for penalty in orjson.loads((data / "penalties.json").read_bytes()):
        penalties[penalty["creditCode"]].append(penalty)

    async def search(request: Request) -> Response:
        codes = request.query_params.getlist("creditCode")
        log.note(request.url.path, codes)
        if not 0 < len(codes) <= _MOST:
            return _refused("CODE_COUNT", f"Give 1 to {_MOST} credit codes.")
        try:
            since = date.fromisoformat(request.query_params.get("penaltyDateFrom", "1900-01-01"))
            until = date.fromisoformat(request.query_params.get("penaltyDateTo", "9999-12-31"))
        except ValueError:
            return _refused("BAD_DATE", "Dates are written yyyy-mm-dd.")
        items = [
            penalty
            for code in codes
            for penalty in penalties.get(code, ())
            if since <= date.fromisoformat(penalty["penaltyDate"]) <= until
        ]
        return json_response({"success": True, "total": len(items), "items": items})

    return Starlette(routes=[Route("/openapi/v2/penalties", search), log.route()])


def _refused(error: str, message: str) -> Response:
    return json_response({"success": False, "error": error, "message": message}, 400)


if __name__ == "__main__":
    serve("Zhejiang's administrative penalties.", build)
