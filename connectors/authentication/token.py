"""Tokens that an agency gives: one for all calls, fetched by one of them at a time, and replaced before its end, or as
soon as it is refused.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.authentication.contract import UNAUTHORISED
from connectors.authentication.place import Place
from connectors.contract import FailureCode
from connectors.envelope import Code, code_at
from connectors.errors import AgencyFailure
from connectors.http import bad_response
from connectors.json_body import read_json
from connectors.lane import Lane, LaneAnswer, LaneError, can_be_header
from connectors.manifest import Name, Part
from connectors.outgoing import Outgoing

MARGIN: Final = 30.0
"""Seconds before its end at which a token is replaced, or a tenth of its life where that is less: calls take time."""

LONGEST_REFUSAL: Final = 4096
"""Most bytes of an answer that may say that a token is not good any more: it holds a code and a sentence."""

_UNREADABLE: Final = (ValueError, ArithmeticError, RecursionError)


class Refusal(Part):
    """How the agency says that it does not take a token (any more)."""

    status: tuple[Annotated[int, Field(ge=300, le=499)], ...] = Field(
        default=(UNAUTHORISED,), description="By these statuses: 302, say, where it leads to a page for logging in."
    )
    path: Name | None = Field(default=None, description="Path to a code of its own, in an answer in JSON.")
    codes: tuple[Code, ...] = Field(default=(), description="Those that say so at the path.")

    async def is_in(self, answer: LaneAnswer) -> bool:
        """Whether the answer says so."""
        if answer.status in self.status:
            return True
        if self.path is None or not answer.content or len(answer.content) > LONGEST_REFUSAL:
            return False
        try:
            return code_at(await read_json(answer.content), self.path) in self.codes
        except _UNREADABLE:
            return False


@dataclass(frozen=True, slots=True)
class Token:
    """`good_until` is in seconds of the event loop's clock."""

    value: str = field(repr=False)
    good_until: float


class TokenAuthenticator(ABC):
    """Puts the token into requests. Whoever made it closes it."""

    def __init__(self, lane: Lane, sent: Place, refused: Refusal, timeout: float) -> None:
        """`lane` is that of the token's address, `timeout` the seconds that getting a token may take.

        Raises `AddressInvalid`.
        """
        sent.check("auth.sent")
        self._lane = lane
        self._sent = sent
        self._refused = refused
        self._timeout = timeout
        self._token: Token | None = None
        self._flight: asyncio.Task[Token] | None = None

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:
        """As in `Authenticator`."""
        token = self._token
        if token is None or token.good_until <= asyncio.get_running_loop().time():
            token = await self._fresh(deadline)
        return self._sent.put(request, token.value)

    async def is_refused(self, answer: LaneAnswer) -> bool:
        """As in `Authenticator`."""
        return await self._refused.is_in(answer)

    def renew(self, refused: Outgoing) -> bool:
        """Gives up the token, unless another call has replaced it already: either way there is a new one to try."""
        if self._token is not None and self._sent.holds(refused, self._token.value):
            self._token = None
        return True

    async def close(self) -> None:
        """Ends getting a token, and closes the connection for it."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)
        await self._lane.close()

    @abstractmethod
    async def request(self) -> Outgoing:
        """What is asked for a token."""

    @abstractmethod
    async def token_in(self, answer: LaneAnswer) -> tuple[object, object]:
        """The token in what came of it, and the seconds for which it is good. Raises `AgencyFailure`."""

    async def _fresh(self, deadline: float) -> Token:
        """A new token: whoever comes while one is on its way waits for that, no longer than its own deadline."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._obtain(), name="token")
            self._flight.add_done_callback(self._landed)
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(self._flight)
        except TimeoutError:
            raise AgencyFailure(FailureCode.AGENCY_TIMEOUT, "token: not there in time", retryable=True) from None

    def _landed(self, flight: asyncio.Task[Token]) -> None:
        self._flight = None
        if not flight.cancelled() and flight.exception() is None:  # asked for: nobody may be waiting any more
            self._token = flight.result()

    async def _obtain(self) -> Token:
        now = asyncio.get_running_loop().time()
        try:
            answer = await self._lane.send(await self.request(), now + self._timeout)
        except LaneError as error:
            raise AgencyFailure(error.failure, f"token: {error}", retryable=error.retryable) from None
        value, seconds = await self.token_in(answer)
        if not isinstance(value, str) or not value or not can_be_header("Authorization", value):
            raise bad_response("token", "there is none in the answer, or none that can be sent")
        life = _seconds(seconds)
        return Token(value, now + life - min(MARGIN, life / 10) if life < math.inf else math.inf)


async def token_document(answer: LaneAnswer) -> Any:  # noqa: ANN401  (JSON)
    """The JSON that came of asking for a token. Raises `AgencyFailure`."""
    try:
        return await read_json(answer.content)
    except _UNREADABLE as error:
        raise bad_response("token", f"not JSON ({type(error).__name__})") from None


def _seconds(value: object) -> float:
    """How long a token is good for; without a number, until it is refused."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.inf
    except ValueError:
        return math.inf
    return max(seconds, 0.0) if not math.isnan(seconds) else math.inf
