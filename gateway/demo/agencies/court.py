"""The court: `POST /api/sxbzxr/cx` with `{"tyshxydm": [codes]}`, up to 200 of them; more are refused with E0413.

It finds a case by credit code however its clerks wrote the code down, and gives it back as they wrote it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies.http import AccessLog, json_response, serve

_MOST: Final = 200
_CREDIT_CODE_LENGTH: Final = 18


def build(data: Path) -> Starlette:
    """The court's system over `sxbzxr.json`."""
    register = orjson.loads((data / "sxbzxr.json").read_bytes())
    log = AccessLog()
    cases: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for case in register["ajlb"]:
        cases[unicodedata.normalize("NFKC", case["tyshxydm"]).upper()].append(case)

    async def search(request: Request) -> Response:
        codes = _codes(await request.body())
        if codes is None:
            return json_response({"code": "E0400", "msg": "请求格式错误", "data": None}, 400)
        log.note(request.url.path, codes)
        if len(codes) > _MOST:
            return json_response({"code": "E0413", "msg": f"单次查询不得超过{_MOST}个", "data": None}, 400)
        found = [case for code in codes for key in _keys(code) for case in cases.get(key, ())]
        return json_response(
            {"code": "0000", "msg": "成功", "data": {"sjrq": register["sjrq"], "zs": len(found), "lb": found}}
        )

    return Starlette(routes=[Route("/api/sxbzxr/cx", search, methods=["POST"]), log.route()])


def _codes(body: bytes) -> list[str] | None:
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    codes = asked.get("tyshxydm") if isinstance(asked, dict) else None
    return codes if isinstance(codes, list) and all(isinstance(code, str) for code in codes) else None


def _keys(code: str) -> tuple[str, ...]:
    upper = code.upper()
    return (upper, upper[8:17]) if len(upper) == _CREDIT_CODE_LENGTH else (upper,)


if __name__ == "__main__":
    serve("The court's list of judgment defaulters.", build)
