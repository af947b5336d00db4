"""HTTP: what the kinds ask an agency, mostly in JSON, and what its answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NoReturn
from urllib.parse import quote, urlencode

import msgspec

from connectors.authentication.contract import Authenticator
from connectors.contract import Asker, FailureCode
from connectors.errors import AgencyFailure, ConnectorError
from connectors.json_body import read_json
from connectors.lane import OK, Lane, LaneAnswer, LaneError
from connectors.manifest import Forward
from connectors.misread import misread
from connectors.outgoing import Outgoing, write_json
from connectors.retry_after import seconds_until
from connectors.tracing import Carrier
from connectors.watch import Exchange, Watch

_SERVER_ERRORS: Final = range(500, 600)
_TOO_MANY: Final = 429
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OVERLOADED: Final = frozenset({_TOO_MANY, 503})

_PATH_CHARACTERS: Final = "/%:@!$&'()*+,;="
"""What stands in a path as it is, beside letters and digits (RFC 3986, section 3.3), and what is encoded already."""


class HttpRequest(msgspec.Struct, frozen=True):
    """One call.

    `place` names it in errors (`GET /companies/{key}`); `path` is appended to the client's address, unless it is
    `at_root`. A `query` that is a text is sent as it is. `asker` is forwarded as the client was told. `idempotent`
    tells whether it may be sent twice.
    """

    place: str
    method: str
    path: str
    query: Sequence[tuple[str, str]] | str = ()
    body: object | None = None
    asker: Asker | None = None
    idempotent: bool = True
    at_root: bool = False


class HttpAnswer(msgspec.Struct, frozen=True):
    """A status and its JSON. `document` is None where the status is not 200: what comes with others is not read."""

    status: int
    document: object


class HttpClient:
    """Calls to one agency's address, over the lane that was chosen for it."""

    def __init__(  # noqa: PLR0913  (what a connection's keys say, each)
        self,
        lane: Lane,
        path: str,
        body_headers: Mapping[str, str],
        authenticator: Authenticator | None = None,
        forward: Forward | None = None,
        *,
        watch: Watch | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        """`path` is that of the address, `body_headers` go with each request that has a body, `authenticator` signs
        each request, `forward` says what each tells of its asker, `watch` looks on, `carrier` gives what tells of the
        trace. Lane and authenticator are closed with the client.
        """
        self._forward = forward
        self._watch = watch
        self._carrier = carrier
        self._lane = lane
        self._authenticator = authenticator
        self._path = path.rstrip("/")
        self._body_headers = body_headers

    async def ask(self, request: HttpRequest, timeout: float, accept: Collection[int] = ()) -> HttpAnswer:  # noqa: ASYNC109  (made a deadline, which is cheaper than a scope)
        """Sends the request and reads its JSON. Statuses other than 200 and those in `accept` are failures.

        `timeout` is in seconds. Raises `AgencyFailure`.
        """
        body = b"" if request.body is None else write_json(request.body).encode()
        answer = await self.send(request, self._body_headers if body else {}, body, timeout, accept)
        if answer.status in accept:
            return HttpAnswer(answer.status, None)
        try:
            return HttpAnswer(OK, await read_json(answer.content))
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise bad_response(request.place, misread(answer.content, "json", None, error)) from None

    async def send(
        self,
        request: HttpRequest,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109  (as in `ask`)
        accept: Collection[int] = (),
    ) -> LaneAnswer:
        """Sends these bytes in place of the request's own body. Statuses other than 200 and those in `accept` are
        failures.

        `timeout` is in seconds. Raises `AgencyFailure`.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        if self._forward is not None:
            if request.asker is None:
                raise bad_response(request.place, "not asked: the manifest forwards the caller, and there is none")
            headers = {**headers, **self._forward.told(request.asker)}
        if self._carrier is not None:
            headers = {**headers, **self._carrier()}
        outgoing = Outgoing(request.method, *self._target(request), headers, body, request.idempotent)
        try:
            answer = await self._exchange(outgoing, deadline)
        except LaneError as error:
            self._tell(request, outgoing, None, str(error))
            raise AgencyFailure(error.failure, f"{request.place}: {error}", retryable=error.retryable) from None
        self._tell(request, outgoing, answer, "")
        if answer.status != OK and answer.status not in accept:
            refuse_status(request.place, answer.status, answer.retry_after)
        return answer

    def at_root(self) -> HttpClient:
        """A client of the same connections and credentials, in nobody's name, whose paths are not appended to the
        address's own.
        """
        return HttpClient(self._lane, "", self._body_headers, self._authenticator, watch=self._watch)

    async def close(self) -> None:
        """Closes the connections."""
        if self._authenticator is not None:
            await self._authenticator.close()
        await self._lane.close()

    async def _exchange(self, request: Outgoing, deadline: float) -> LaneAnswer:
        """Sends the request signed; where the agency refuses it, and another signature may help, once more."""
        authenticator = self._authenticator
        if authenticator is None:
            return await self._lane.send(request, deadline)
        signed = await _signed(authenticator, request, deadline)
        answer = await self._lane.send(signed, deadline)
        if await authenticator.is_refused(answer) and authenticator.renew(signed):
            return await self._lane.send(await _signed(authenticator, request, deadline), deadline)
        return answer

    def _tell(self, request: HttpRequest, sent: Outgoing, answer: LaneAnswer | None, failure: str) -> None:
        if self._watch is None:
            return
        status, content, location = (answer.status, answer.content, answer.location) if answer else (None, b"", "")
        self._watch.exchanged(
            Exchange(request.place, sent.method, sent.target, sent.body, status, content, failure, location)
        )

    def _target(self, request: HttpRequest) -> tuple[str, str]:
        """Path and query, percent-encoded."""
        path = request.path if request.at_root else self._path + request.path
        path = quote(path, safe=_PATH_CHARACTERS) or "/"
        query = request.query if isinstance(request.query, str) else urlencode(request.query)
        return path, query


async def _signed(authenticator: Authenticator, request: Outgoing, deadline: float) -> Outgoing:
    try:
        return await authenticator.sign(request, deadline)
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever the libraries beneath make of a key; its message may hold it)
        reason = f"not signed ({type(error).__name__})"
        raise AgencyFailure(FailureCode.AGENCY_UNAVAILABLE, reason, retryable=False) from None


def bad_response(place: str, what: str) -> AgencyFailure:
    """The failure of an answer that is not what the manifest says."""
    return AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, f"{place}: {what}", retryable=False)


def refuse_status(place: str, status: int, retry_after: str = "") -> NoReturn:
    """Raises the `AgencyFailure` that a status other than 200 means; `retry_after` is the header of that name."""
    reason = f"{place}: status {status}"
    if status in _OVERLOADED:
        raise AgencyFailure(
            FailureCode.AGENCY_OVERLOADED,
            reason,
            retryable=True,
            throttled=status == _TOO_MANY,
            retry_after=seconds_until(retry_after),
        )
    if status in _REDIRECTS:
        reason += ", which leads elsewhere and is not followed: ask there, unless it leads to a login (auth)"
    raise AgencyFailure(FailureCode.AGENCY_BAD_RESPONSE, reason, retryable=status in _SERVER_ERRORS)
