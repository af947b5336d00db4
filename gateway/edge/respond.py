"""The last stage: the bytes leave, with the status and the media type of GraphQL over HTTP.

Source: https://http-spec.graphql.org/September2026/, sections Body and Status Codes. Where that edition recommends 422
and 294, this server keeps to 400 and 200 of the drafts before it, which the audit suite of `graphql-http` and the
clients in use expect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import orjson
from starlette.responses import Response

from gateway.errors import HttpError, NotAcceptableError
from gateway.messages import Answered
from gateway.receipt import HEADER as RECEIPT_HEADER

SECURITY_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""No answer is kept by a cache on its way or taken by a browser for another type than it says."""


UTF_8: Final = frozenset({"utf-8", "utf8"})
"""How callers write the one character set that this server reads and writes."""


class MediaType(StrEnum):
    """What this server answers in, the better one first."""

    GRAPHQL_RESPONSE = "application/graphql-response+json"
    JSON = "application/json"


def negotiate(accept: Sequence[str]) -> MediaType:
    """The media type that the Accept headers prefer (RFC 9110, section 12.5.1).

    Without a header, or with `*/*` alone, it is application/json. Where both are named with the same weight it is
    application/graphql-response+json. Raises `NotAcceptableError`.
    """
    return _preferred(",".join(accept))


@lru_cache(maxsize=128)
def _preferred(accept: str) -> MediaType:
    """As `negotiate`, of the headers joined. Callers are programs: they send few different ones."""
    ranges = [_media_range(text) for text in accept.split(",") if text.strip()]
    if not ranges:
        return MediaType.JSON
    weights = {media_type: _weight(media_type, ranges) for media_type in MediaType}
    best = max(weights.values())
    if best.weight == 0:
        raise NotAcceptableError(f"This server answers in {MediaType.GRAPHQL_RESPONSE} and {MediaType.JSON}, in UTF-8.")
    tied = [media_type for media_type in MediaType if weights[media_type] == best]
    return tied[0] if best.precision == _NAMED else tied[-1]


def respond(answered: Answered, media_type: MediaType, request_id: str) -> Response:
    """The response to a well-formed request. In application/json it is 200 whatever the GraphQL result, since a client
    that asks for that type believes no other status to come from a GraphQL server.
    """
    status = 200 if answered.executed or media_type is MediaType.JSON else 400
    receipt = {RECEIPT_HEADER: answered.receipt} if answered.receipt else {}
    return _response(answered.body, status, media_type, {"X-Request-Id": request_id, **receipt})


def refuse(error: HttpError, media_type: MediaType, request_id: str) -> Response:
    """The response to a request that gets no GraphQL answer."""
    return error_response(error.code, str(error), error.status, error.headers, media_type, request_id)


def error_response(  # noqa: PLR0913, PLR0917 - the parts of a response
    code: str, message: str, status: int, headers: Mapping[str, str], media_type: MediaType, request_id: str
) -> Response:
    """An HTTP error status. Its body is a GraphQL request error result all the same, so that clients can show it."""
    shown = {"message": message, "extensions": {"code": code, "requestId": request_id}}
    body = orjson.dumps({"errors": [shown], "extensions": {"requestId": request_id}})
    return _response(body, status, media_type, {**headers, "X-Request-Id": request_id})


def json_response(content: Mapping[str, object], status: int = 200) -> Response:
    """A plain JSON response, for what is not GraphQL."""
    return _response(orjson.dumps(content), status, MediaType.JSON, {})


def _response(body: bytes, status: int, media_type: MediaType, headers: Mapping[str, str]) -> Response:
    response = Response(body, status)
    told = ((name.lower().encode(), value.encode()) for name, value in headers.items())
    response.raw_headers += (*SECURITY_HEADERS, _CONTENT_TYPES[media_type], *told)
    return response


_CONTENT_TYPES: Final = {one: (b"content-type", f"{one}; charset=utf-8".encode()) for one in MediaType}


_NAMED: Final = 2
_WILDCARDS: Final = {"*/*": 0, "application/*": 1}


class _Weight(NamedTuple):
    """What a caller thinks of a media type. Of equal weights, the more precise counts more."""

    weight: float
    precision: int


def _weight(media_type: MediaType, ranges: Iterable[tuple[str, float]]) -> _Weight:
    """The weight that the most precise of the matching ranges gives the media type."""
    matching = [(_WILDCARDS.get(name, _NAMED), weight) for name, weight in ranges if name in {media_type, *_WILDCARDS}]
    precision, weight = max(matching, default=(0, 0.0))
    return _Weight(weight, precision)


def _media_range(text: str) -> tuple[str, float]:
    """A media range and its weight: nothing where that cannot be read, or for a character set that is not ours."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            weight = float(value) if value.replace(".", "", 1).isdecimal() else 0.0
        elif key == "charset" and value.strip('"') not in UTF_8:
            return name, 0.0
    return name, weight
