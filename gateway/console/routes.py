"""The console's page and assets over HTTP. `source/` holds what they are built from, and how."""

from __future__ import annotations

import gzip
import html
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

# The build writes these addresses into the assets (`base` in source/vite.config.js).
PAGE_PATH: Final = "/graphiql"
ASSETS_PATH: Final = "/graphiql/assets"

_ASSETS: Final = files("gateway.console") / "assets"
_PAGE: Final = "index.html"

# Written out, because the standard library's table takes in the machine's own.
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff2": "font/woff2",
}

# Monaco, GraphiQL's editor, places its lines with style attributes and adds style elements: without 'unsafe-inline' for
# styles it shows nothing. Its style sheet has images as data: URLs. The rest is this server's own or forbidden, an
# image that an agency's data names included.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "worker-src 'self'; "
    "connect-src 'self'; "
    "font-src 'self'; "
    "img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
)

# The assets have them too: a worker is ruled by the policy that came with its own script.
_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS: Final = _SECURITY_HEADERS | {"Cache-Control": "no-cache"}
# An asset's name has a hash of its content in it.
_ASSET_HEADERS: Final = _SECURITY_HEADERS | {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
}

_WEIGHT_ZERO: Final = re.compile(r"\s*q=0(\.0{0,3})?\s*")


@dataclass(frozen=True, slots=True)
class _Asset:
    media_type: str
    compressed: bytes


def console_routes(endpoint: str = "/graphql") -> list[BaseRoute]:
    """The routes of the console, `/graphiql` and its assets, for the root of the application that also answers
    `endpoint`, the path to which the page posts its queries. Everything is read here, and nothing when a request comes.
    """
    page = _read_page(endpoint)
    assets = _read_assets()

    async def show_page(_request: Request) -> Response:
        return Response(page, media_type="text/html", headers=_PAGE_HEADERS)

    async def show_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        if _accepts_gzip(",".join(request.headers.getlist("Accept-Encoding"))):
            headers = _ASSET_HEADERS | {"Content-Encoding": "gzip"}
            return Response(asset.compressed, media_type=asset.media_type, headers=headers)
        body = await run_in_threadpool(gzip.decompress, asset.compressed)
        return Response(body, media_type=asset.media_type, headers=_ASSET_HEADERS)

    return [Route(PAGE_PATH, show_page), Route(f"{ASSETS_PATH}/{{name}}", show_asset)]


def _read_page(endpoint: str) -> str:
    return (_ASSETS / _PAGE).read_text(encoding="utf-8").replace("{{endpoint}}", html.escape(endpoint))


def _read_assets() -> dict[str, _Asset]:
    assets = {}
    for file in _ASSETS.iterdir():
        if file.name != _PAGE:
            name = file.name.removesuffix(".gz")
            assets[name] = _Asset(_MEDIA_TYPES[PurePath(name).suffix], file.read_bytes())
    return assets


def _accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding field lets the answer be gzip (RFC 9110, section 12.5.3)."""
    codings = {}
    for item in accepted.lower().split(","):
        coding, _, weight = item.partition(";")
        codings[coding.strip()] = not _WEIGHT_ZERO.fullmatch(weight)
    return codings.get("gzip", codings.get("*", False))
