"""How an operation of a WSDL is had: off the event loop, and from the agency where there is no copy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import structlog

from connectors.errors import AgencyFailure, ConnectorError
from connectors.http import HttpClient, HttpRequest, bad_response
from connectors.wsdl import AgencyDocuments, Documents, NotYetRead, Values, Wanted, WsdlInvalid

if TYPE_CHECKING:
    from connectors.soap_envelope import SoapOperation

RETRY_SECONDS: Final = 10.0
"""How long a WSDL that could not be had is not asked for again."""

_log = structlog.get_logger(__name__)


class ReadOperation:
    """An operation of a WSDL that was read."""

    def __init__(self, operation: SoapOperation) -> None:
        self._operation = operation

    async def get(self) -> SoapOperation:
        """The operation."""
        return self._operation

    async def close(self) -> None:
        """There is nothing to give back."""


class LateOperation:
    """An operation whose WSDL the agency has to give: it is read from now on, and again where that failed."""

    def __init__(self, read: Callable[[], Awaitable[SoapOperation]], place: str) -> None:
        """`read` raises `AgencyFailure` or `WsdlInvalid`; `place` names the operation in what is logged."""
        self._read = read
        self._place = place
        self._again = 0.0
        self._reading = self._start()

    async def get(self) -> SoapOperation:
        """The operation. Raises `AgencyFailure` where there is none yet."""
        reading = self._reading
        if reading.done() and reading.exception() and asyncio.get_running_loop().time() >= self._again:
            reading = self._reading = self._start()
        try:
            # Whoever stops waiting does not stop the reading, which serves the others.
            return await asyncio.shield(reading)
        except AgencyFailure as error:
            raise AgencyFailure(error.failure, str(error), retryable=error.retryable) from None
        except WsdlInvalid as error:
            raise bad_response("WSDL", str(error)) from None

    async def close(self) -> None:
        """Stops the reading."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _start(self) -> asyncio.Future[SoapOperation]:
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(self._ended)
        return reading

    def _ended(self, reading: asyncio.Future[SoapOperation]) -> None:
        if reading.cancelled() or (error := reading.exception()) is None:
            return
        self._again = asyncio.get_running_loop().time() + RETRY_SECONDS
        reason = str(error) if isinstance(error, ConnectorError) else type(error).__name__
        _log.warning("no WSDL", dataset=self._place, reason=reason)


def read_checked(documents: Documents, wanted: Wanted, samples: Sequence[Values]) -> SoapOperation:
    """The operation that is wanted, once it takes each of these inputs. Blocks. Raises `WsdlInvalid`."""
    from connectors.soap_envelope import read_operation  # noqa: PLC0415  (zeep takes a quarter of a second to import)

    operation = read_operation(documents, wanted)
    for sample in samples:
        operation.check(sample)
    return operation


async def read_at_agency(
    documents: AgencyDocuments,
    wanted: Wanted,
    samples: Sequence[Values],
    client: HttpClient,
    timeout: float,  # noqa: ASYNC109  (of each document)
) -> SoapOperation:
    """As `read_checked`, of documents that the agency gives one by one; `timeout` is in seconds, for each of them.

    Raises `AgencyFailure`, too.
    """
    while True:
        try:
            return await asyncio.to_thread(read_checked, documents, wanted, samples)
        except NotYetRead as missing:
            path, _, query = missing.target.partition("?")
            answer = await client.send(HttpRequest("WSDL", "GET", path, query), {}, b"", timeout)
            documents.known[missing.target] = answer.content
        except WsdlInvalid as error:
            raise WsdlInvalid(str(error).replace(documents.address, "")) from None  # addresses are not for the log
