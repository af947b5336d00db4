"""The tax bureau: one taxpayer a call, by organisation code with its hyphen: `GET /sjjk/xydj?nsrdm=12345678-9`.

`xydj` are credit ratings, `qs` arrears, `jk` payments. Every answer is a 200 with an envelope, whose `rtnCode` says how
it went: 0 well, 1404 no such taxpayer, 9001 not an organisation code, 9500 the taxpayer's file is being moved.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.agencies.http import AccessLog, json_response, serve

_ORGANISATION_CODE: Final = re.compile(r"([0-9A-Z]{8})-([0-9X])")


def build(data: Path) -> Starlette:
    """The bureau's system over `nsr.json`."""
    bureau = orjson.loads((data / "nsr.json").read_bytes())
    log = AccessLog()

    async def query(request: Request) -> Response:
        key = request.query_params.get("nsrdm", "")
        log.note(request.url.path, [key])
        code, message, rows = _look_up(bureau, request.path_params["table"].upper(), key)
        head = {"rtnCode": code, "rtnMsg": message, "sjsj": bureau["SJSJ"]}
        return json_response({"head": head, "body": None if rows is None else {"nsrdm": key, "list": rows}})

    return Starlette(routes=[Route("/sjjk/{table}", query), log.route()])


def _look_up(bureau: dict[str, dict[str, dict[str, object]]], table: str, key: str) -> tuple[str, str, object]:
    written = _ORGANISATION_CODE.fullmatch(key)
    if written is None:
        return "9001", "组织机构代码格式错误", None
    code = "".join(written.groups())
    if code in bureau["QYZ"]:
        return "9500", "该户档案迁移中，请稍后再试", None
    if code not in bureau["NSR"]:
        return "1404", "无此纳税人", None
    file = bureau["NSR"][code]
    return ("0", "成功", file[table]) if table in file else ("9002", "无此接口", None)


if __name__ == "__main__":
    serve("The tax bureau's query interface.", build)
