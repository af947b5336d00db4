"""The first stage: HTTP -> one well-formed GraphQL request.

Source: https://http-spec.graphql.org/September2026/, section Request.

Other sites cannot make a browser ask in its user's name. There are no cookies: tokens and keys are headers that a page
of another origin may not set, and a POST must be application/json, which no form can send. A certificate, though, goes
with whatever its browser asks. Such a GET only reads, and since no CORS header is ever sent the page cannot see the
answer; but who looked is recorded, and counts. So a browser that says that another site's page asks is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
import orjson

from gateway.edge.forwarded import ForwardedCertificates
from gateway.edge.request import Headers, HttpRequest
from gateway.edge.respond import UTF_8
from gateway.errors import (
    CrossSiteError,
    MediaTypeUnsupportedError,
    MethodNotAllowedError,
    RequestMalformedError,
    UriTooLongError,
)
from gateway.identity.credentials import Credentials
from gateway.messages import Principal, Received
from gateway.settings import DeadlineSettings, Settings

METHODS: Final = ("GET", "HEAD", "POST")

_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})
"""What browsers say in Sec-Fetch-Site where a page of another origin asks (W3C, Fetch Metadata Request Headers)."""

MAX_CONSENTS: Final = 20
"""The most consents of one request; each is a signature to check."""

_Wanted = TypeVar("_Wanted", str, bool, dict[str, Any], list[Any])

_WANTED: Final = {"1": True, "0": False, None: False}
"""What X-Receipt says."""

_JSON_TYPES: Final = {
    str: "a text",
    bool: "a boolean",
    list: "a list",
    dict: "an object",
    int: "a number",
    float: "a number",
}


async def receive(
    request: HttpRequest, request_id: str, principal: Principal, settings: Settings, deadline: float
) -> Received:
    """The GraphQL request that the HTTP request holds, to be answered by the `deadline`. Raises a `HttpError`."""
    parameters = await _parameters(request, settings.limits.request_bytes)
    return Received(
        request_id=request_id,
        query=parameters.query,
        operation_name=parameters.operation_name,
        variables=parameters.variables,
        principal=principal,
        purpose=_purpose(request.headers, parameters.extensions),
        consents=_consents(request.headers, parameters.extensions),
        deadline=deadline,
        read_only=request.method != "POST",
        document=parameters.document,
        tell_cost=_member(parameters.extensions, "cost", bool) or False,
        receipt=_receipt(request.headers, parameters.extensions),
    )


def check_method(method: str) -> None:
    """Raises `MethodNotAllowedError` for a method that GraphQL is not served by."""
    if method not in METHODS:
        allow = ", ".join(METHODS)
        raise MethodNotAllowedError(f"GraphQL is served by {allow}.", allow=allow)


def credentials(request: HttpRequest, proxies: ForwardedCertificates | None) -> Credentials:
    """What the request brings to show whose it is: headers, and the certificate of its connection, or the one that a
    declared proxy forwards. From a proxy only what it forwards counts: the certificate of the connection is its own.

    Raises `RequestMalformedError`, `CrossSiteError`, `ProxyUnknownError`, `CertificateMalformedError`.
    """
    headers, certificate = request.headers, request.certificate
    authorization, key = headers.single("Authorization"), headers.single("X-API-Key")
    if authorization is None and key is None and not _OTHER_SITES.isdisjoint(headers.every("Sec-Fetch-Site")):
        raise CrossSiteError("A page of another site may not ask without a token or an API key.")
    if proxies is not None:
        value = headers.single(proxies.header)
        if value:
            certificate = proxies.certificate(request.peer, value)
        elif certificate is not None and proxies.is_proxy(request.peer):
            certificate = None
    return Credentials(authorization, key, certificate)


class _Parameters(msgspec.Struct, frozen=True):
    """The specification's four request parameters, of the right types."""

    query: str
    document: str | None
    operation_name: str | None
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any]


async def _parameters(request: HttpRequest, most: int) -> _Parameters:
    if request.method != "POST":
        return _typed(_from_query_string(request.query_string, most))
    _check_content(request.headers)
    members = _json(await request.body(most), "The body")
    if not isinstance(members, dict):
        raise RequestMalformedError("The body must be a JSON object with a query; batches (lists) are not served.")
    return _typed(members)


def _check_content(headers: Headers) -> None:
    """Raises `MediaTypeUnsupportedError` unless the body is application/json in UTF-8, not compressed."""
    if not _is_json(headers.single("Content-Type") or ""):
        raise MediaTypeUnsupportedError("Send the body as JSON in UTF-8, with Content-Type: application/json.")
    if any(coding.strip().lower() != "identity" for coding in headers.every("Content-Encoding")):
        raise MediaTypeUnsupportedError("Send the body without a Content-Encoding.")


@lru_cache(maxsize=128)
def _is_json(content_type: str) -> bool:
    """Whether it is application/json in UTF-8. Callers are programs: they send few different ones."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = {part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")}
    return name == "application/json" and charsets <= UTF_8


def _from_query_string(text: bytes, most: int) -> dict[str, Any]:
    """The parameters of a GET. An empty one counts as absent."""
    if len(text) > most:
        raise UriTooLongError(f"The query string is longer than {most} bytes. Use POST.")
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RequestMalformedError("The query string is not URL-encoded UTF-8.") from None
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise RequestMalformedError(f"The parameter {name[:64]!r} came more than once; send it once.")
        members[name] = value or None
    for name in ("variables", "extensions"):
        if members.get(name) is not None:
            members[name] = _json(members[name], f'The parameter "{name}"')
    return members


def _json(text: str | bytes, place: str) -> Any:  # noqa: ANN401 - any JSON
    if not text:
        raise RequestMalformedError(f"{place} is empty; it must be JSON.")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestMalformedError(f"{place} is not JSON: line {error.lineno}, column {error.colno}.") from None


def _typed(members: Mapping[str, Any]) -> _Parameters:
    query, extensions = _member(members, "query", str), _member(members, "extensions", dict) or {}
    document = _document(members, extensions) if query is None else None
    if query is None and document is None:
        raise RequestMalformedError('The parameter "query" is missing: the text of a GraphQL operation.')
    return _Parameters(
        query or "",
        document,
        _member(members, "operationName", str) or None,
        _member(members, "variables", dict) or {},
        extensions,
    )


def _document(members: Mapping[str, Any], extensions: Mapping[str, Any]) -> str | None:
    """The id of an operation that comes without its text: the SHA-256 of that, as the parameter `documentId` (GraphQL
    over HTTP, appendix on persisted documents), or as Apollo's clients send it.
    """
    id_ = _member(members, "documentId", str)
    if id_ is not None:
        return id_.removeprefix("sha256:")
    persisted = _member(extensions, "persistedQuery", dict)
    return None if persisted is None else _member(persisted, "sha256Hash", str)


def _member(members: Mapping[str, Any], name: str, wanted: type[_Wanted]) -> _Wanted | None:
    value = members.get(name)
    if value is None or isinstance(value, wanted):
        return value
    raise RequestMalformedError(f'"{name}" must be {_JSON_TYPES[wanted]}, and is {_JSON_TYPES[type(value)]}.')


def _purpose(headers: Headers, extensions: Mapping[str, Any]) -> str | None:
    named = {purpose for purpose in (headers.single("X-Purpose"), _member(extensions, "purpose", str)) if purpose}
    if len(named) > 1:
        raise RequestMalformedError("The header X-Purpose and extensions.purpose differ; send one of them.")
    return named.pop() if named else None


def _receipt(headers: Headers, extensions: Mapping[str, Any]) -> bool:
    """Whether a receipt is asked for, in either place."""
    wanted = _WANTED.get(headers.single("X-Receipt"))
    if wanted is None:
        raise RequestMalformedError("The header X-Receipt must be 1 or 0.")
    return wanted or _member(extensions, "receipt", bool) is True


def _consents(headers: Headers, extensions: Mapping[str, Any]) -> tuple[str, ...]:
    """From both places, each once. A proxy may join headers of one name by commas (RFC 9110, section 5.3)."""
    members = _member(extensions, "consents", list) or []
    if not all(isinstance(member, str) for member in members):
        raise RequestMalformedError("extensions.consents must be a list of texts.")
    listed = (text.strip() for value in headers.every("X-Consent") for text in value.split(","))
    consents = tuple(dict.fromkeys(text for text in (*members, *listed) if text))
    if len(consents) > MAX_CONSENTS:
        raise RequestMalformedError(f"{len(consents)} consents came with the request; {MAX_CONSENTS} are the most.")
    return consents


def deadline_of(headers: Headers, settings: DeadlineSettings) -> float:
    """Until when a request that comes now has, in seconds of the event loop's clock. Raises `RequestMalformedError`."""
    return asyncio.get_running_loop().time() + _seconds(headers, settings)


def _seconds(headers: Headers, settings: DeadlineSettings) -> float:
    """How long the request may take: what the caller says in X-Timeout-Ms, up to the maximum, else the default."""
    text = headers.single("X-Timeout-Ms")
    if text is None:
        return settings.default
    if not (text.isascii() and text.isdecimal() and float(text) > 0):
        raise RequestMalformedError("X-Timeout-Ms must be a whole number of milliseconds, more than 0.")
    return min(float(text) / 1_000, settings.maximum)
