"""JSON over HTTP: the one module that knows the HTTP client, and what each of its errors means for an answer."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

import httpx

from connectors.contract import FailureCode
from connectors.errors import AgencyFailure

OK: Final = 200
KEEP_ALIVE_SECONDS: Final = 2.0
"""How long an idle connection is kept: less than servers do (uvicorn 5 s), so that they rarely close it first."""

_BROKEN: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What comes of a connection that the agency closed while it was idle."""

_SERVER_ERRORS: Final = range(500, 600)
_OVERLOADED: Final = frozenset({429, 503})

# The client logs whole addresses at INFO, and headers at DEBUG: companies and keys are in them.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One call. `place` names it in errors (`GET /companies/{key}`); `path` is appended to the client's address."""

    place: str
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: object | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status and its JSON. `document` is None where the status is not 200: what comes with others is not read."""

    status: int
    document: object


class HttpClient:
    """Connections to one agency's address: no redirects, no proxies from the environment, answers of bounded size."""

    def __init__(self, address: str, headers: Mapping[str, str], *, connections: int, largest: int) -> None:
        """`connections` is the most that are open at once, `largest` the most bytes of an answer."""
        self._address = address.rstrip("/")
        self._largest = largest
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", **headers},
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def ask(self, request: HttpRequest, timeout: float, accept: Collection[int] = ()) -> HttpAnswer:  # noqa: ASYNC109  (each phase's; the caller bounds the whole)
        """Sends the request and reads its JSON. Statuses other than 200 and those in `accept` are failures.

        `timeout` is in seconds, for each of connecting, writing and reading. Raises `AgencyFailure`.
        """
        try:
            async with self._response(request, timeout) as response:
                if response.status_code in accept:
                    return HttpAnswer(response.status_code, None)
                if response.status_code != OK:
                    _refuse_status(request.place, response.status_code)
                content = await self._read(request.place, response)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
            raise failure_of(error, request.place) from None
        return HttpAnswer(OK, _parse(request.place, content))

    @asynccontextmanager
    async def _response(self, request: HttpRequest, timeout: float) -> AsyncIterator[httpx.Response]:  # noqa: ASYNC109
        """The response, its body unread. Asked once more where the connection breaks before it begins: it may have been
        a stale one, and asking changes nothing at the agency.
        """
        sent = self._client.build_request(
            request.method,
            self._address + request.path,
            params=list(request.query) or None,
            json=request.body,
            timeout=timeout,
        )
        try:
            response = await self._client.send(sent, stream=True)
        except _BROKEN:
            response = await self._client.send(sent, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _read(self, place: str, response: httpx.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > self._largest:
                reason = f"{place}: answer larger than {self._largest} bytes"
                raise AgencyFailure(FailureCode.LIMIT, reason, retryable=False)
        return bytes(content)


def failure_of(error: Exception, place: str) -> AgencyFailure:
    """What an error of the HTTP client means. The client's own message is left out: it may hold values."""
    reason = f"{place}: {type(error).__name__}"
    match error:
        case httpx.TimeoutException():
            return AgencyFailure(FailureCode.AGENCY_TIMEOUT, reason, retryable=True)
        case httpx.NetworkError() | httpx.ProxyError():
            return AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=True)
        case httpx.RemoteProtocolError():
            return AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=True)
        case _:
            return AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=False)


def bad_response(place: str, what: str) -> AgencyFailure:
    """The failure of an answer that is not what the manifest says."""
    return AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, f"{place}: {what}", retryable=False)


def _refuse_status(place: str, status: int) -> NoReturn:
    reason = f"{place}: status {status}"
    if status in _OVERLOADED:
        raise AgencyFailure(FailureCode.AGENCY_OVERLOADED, reason, retryable=True)
    raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=status in _SERVER_ERRORS)


def _parse(place: str, content: bytes) -> Any:  # noqa: ANN401  (JSON)
    """JSON with exact decimals: a binary float would lose the cents of large sums."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise bad_response(place, f"not JSON ({type(error).__name__})") from None


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError
