"""What carries calls to one agency's address: its interface, and what can go wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import msgspec

from connectors.contract import FailureCode
from connectors.errors import ConnectorError
from connectors.outgoing import Outgoing

OK: Final = 200
_SUCCESSES: Final = range(200, 300)
OWN_HEADERS: Final = frozenset({"accept-encoding", "connection", "content-length", "transfer-encoding"})
"""What says how a message is carried is the lane's to say."""
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[ -~]*")
"""Narrower than RFC 9110 (sections 5.1 and 5.5) in values: nothing beside printable ASCII, and so no line's end."""


class LaneAnswer(msgspec.Struct, frozen=True):
    """A status and its body, which is empty with a status whose bodies the lane does not read, and its headers
    `Retry-After`, `Link`, `Location` and, each by itself, `Set-Cookie`, where it has them.
    """

    status: int
    content: bytes
    retry_after: str = ""
    link: str = ""
    location: str = ""
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bodies:
    """What a lane reads of answers: the bodies that come with these statuses, of at most `largest` bytes."""

    largest: int
    statuses: frozenset[int] = frozenset({OK})


class Lane(Protocol):
    """Connections to one address, with headers that go into each request.

    It reads the bodies that come with the statuses that it was told of, and leaves what comes with others.
    No lane follows redirects or takes a proxy from the environment. Where a connection that was kept breaks
    before its answer begins, it may have been a stale one: each asks once more, if that may be done twice.
    """

    async def send(self, request: Outgoing, deadline: float) -> LaneAnswer:
        """Sends one request and reads its answer. May be cancelled at any time.

        `deadline` is in seconds of the event loop's clock. Raises `LaneError`.
        """
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


class LaneError(ConnectorError):
    """A call that brought no answer: what it means for the agency's dataset, and whether asking later may help.

    The message names a fault; it never holds an address or a value.
    """

    code: ClassVar[str] = "LANE_ERROR"
    failure: ClassVar[FailureCode] = FailureCode.AGENCY_BAD_RESPONSE
    retryable: ClassVar[bool] = False


class Unreachable(LaneError):
    """No connection could be opened, or it was reset."""

    code: ClassVar[str] = "LANE_UNREACHABLE"
    failure: ClassVar[FailureCode] = FailureCode.AGENCY_UNAVAILABLE
    retryable: ClassVar[bool] = True


class Forbidden(LaneError):
    """The operator does not let this address be reached."""

    code: ClassVar[str] = "LANE_FORBIDDEN"
    failure: ClassVar[FailureCode] = FailureCode.AGENCY_UNAVAILABLE


class OutOfTime(LaneError):
    """The answer was not there in time."""

    code: ClassVar[str] = "LANE_OUT_OF_TIME"
    failure: ClassVar[FailureCode] = FailureCode.AGENCY_TIMEOUT
    retryable: ClassVar[bool] = True


class Garbled(LaneError):
    """The answer broke off, or is no HTTP."""

    code: ClassVar[str] = "LANE_GARBLED"
    retryable: ClassVar[bool] = True


class Unusable(LaneError):
    """The request cannot be sent, or the answer is HTTP that this lane does not read."""

    code: ClassVar[str] = "LANE_UNUSABLE"


class TooLarge(LaneError):
    """The answer has more bytes than are allowed."""

    code: ClassVar[str] = "LANE_TOO_LARGE"
    failure: ClassVar[FailureCode] = FailureCode.LIMIT

    def __init__(self, largest: int) -> None:
        super().__init__(f"answer larger than {largest} bytes")


def is_success(status: int) -> bool:
    """Whether a status says that the request was understood and taken (RFC 9110, section 15.3)."""
    return status in _SUCCESSES


def can_be_header(name: str, value: str) -> bool:
    """Whether a request's header can have this name and value."""
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value))


def with_defaults(headers: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """The headers, and those of the defaults that are not among them, in either case of their letters."""
    given = {name.lower() for name in headers}
    return {name: value for name, value in defaults.items() if name.lower() not in given} | dict(headers)
