"""Guangdong's penalties: `POST /xzcf/cx`, a form with `xydm=A,B` (up to 100), `dqy` (page, from 1), `mys` (rows).

The same names are taken from a JSON object. Every answer is a 200; `status` says how it went: 0 well, 11 too many
companies, 12 a wrong page. It finds a company however its code was typed in, and gives the code back as it was typed.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies.http import AccessLog, json_response, serve

_MOST: Final = 100
_LARGEST_PAGE: Final = 100


def build(data: Path) -> Starlette:
    """The province's system over `xzcf.json`."""
    log = AccessLog()
    penalties: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for penalty in orjson.loads((data / "xzcf.json").read_bytes()):
        penalties[unicodedata.normalize("NFKC", penalty["xydm"]).upper()].append(penalty)

    async def search(request: Request) -> Response:
        asked = await _asked(request)
        codes = asked.get("xydm", "").split(",")
        log.note(request.url.path, codes)
        if len(codes) > _MOST:
            return _answer(11, f"一次最多查询{_MOST}户")
        page, size = _whole(asked.get("dqy", "1")), _whole(asked.get("mys", "20"))
        if page < 1 or not 1 <= size <= _LARGEST_PAGE:
            return _answer(12, "分页参数错误")
        found = [penalty for code in codes for penalty in penalties.get(code.upper(), ())]
        rows = found[(page - 1) * size : page * size]
        return _answer(0, "ok", {"zts": len(found), "dqy": page, "mys": size, "rows": rows})

    return Starlette(routes=[Route("/xzcf/cx", search, methods=["POST"]), log.route()])


async def _asked(request: Request) -> dict[str, str]:
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        return {name: str(value) for name, value in orjson.loads(body).items()}
    return dict(parse_qsl(body.decode()))


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _answer(status: int, message: str, result: object = None) -> Response:
    return json_response({"status": status, "message": message, "result": result})


if __name__ == "__main__":
    serve("Guangdong's administrative penalties.", build)
