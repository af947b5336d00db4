"""OAuth2 client credentials (RFC 6749, section 4.4): one token for all calls, fetched by one of them at a time."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Final, Literal, Self
from urllib.parse import quote_plus, urlencode

from pydantic import Field, model_validator

from connectors.authentication.assertion import Assertion, Signer
from connectors.authentication.password import basic_credentials
from connectors.authentication.place import BEARER, Place
from connectors.contract import FailureCode
from connectors.errors import AgencyFailure
from connectors.http import bad_response, refuse_status
from connectors.json_body import read_json
from connectors.lane import OK, Lane, LaneError, can_be_header
from connectors.manifest import Name, Part, Reference, SecretReference
from connectors.outgoing import Outgoing
from connectors.paths import follow
from connectors.secret import Secret

MARGIN: Final = 30.0
"""Seconds before its end at which a token is replaced, or a tenth of its life where that is less: calls take time."""

_URN: Final = "urn:ietf:params:oauth"
_FORM: Final = "application/x-www-form-urlencoded"


class TokenAssertion(Assertion):
    """A JWT that we sign (RFC 7523). `client`: it shows who asks for a token. `grant`: a token is given for it.

    Unless `claims` say otherwise, `iss` and `sub` are the client, and `aud` is the token's address.
    """

    use: Literal["client", "grant"] = "client"


class OAuth2(Part):
    """Client credentials, for which a token is given that each request carries."""

    scheme: Literal["oauth2"]
    token_url: Reference = Field(alias="tokenUrl", description="Where tokens are given, by reference: ${NAME}.")
    client_id: Name = Field(alias="clientId")
    client_secret: SecretReference | None = Field(default=None, alias="clientSecret")
    assertion: TokenAssertion | None = Field(default=None, description="A JWT of ours, in place of a secret.")
    client_in: Literal["header", "body"] = Field(
        default="header", alias="clientIn", description="Where the token's request carries client and secret."
    )
    scope: Name | None = None
    parameters: dict[str, str] = Field(default_factory=dict, description="Further parameters of the token's request.")
    token: Name = Field(default="access_token", description="Path to the token in the answer.")
    expires: Name = Field(default="expires_in", description="Path to the seconds for which the token is good.")
    sent: Place = Field(default=BEARER, description="Where requests carry the token.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.assertion is None):
            raise ValueError("needs clientSecret or assertion: one of them")
        return self

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return self.sent.headers


@dataclass(frozen=True, slots=True)
class _Token:
    """`good_until` is in seconds of the event loop's clock."""

    value: str = field(repr=False)
    good_until: float


class OAuth2Authenticator:
    """Puts the token into requests. Whoever made it closes it."""

    def __init__(self, settings: OAuth2, lane: Lane, path: str, timeout: float) -> None:
        """`lane` and `path` are those of the token's address, `timeout` the seconds that getting a token may take.

        Raises `AddressInvalid`.
        """
        self._settings = settings
        self._secret = Secret("auth.clientSecret", settings.client_secret) if settings.client_secret else None
        self._signer = Signer("auth.assertion.key", settings.assertion) if settings.assertion else None
        settings.sent.check("auth.sent")
        self._lane = lane
        self._path = path or "/"
        self._timeout = timeout
        self._token: _Token | None = None
        self._flight: asyncio.Task[_Token] | None = None

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:
        """As in `Authenticator`."""
        token = self._token
        if token is None or token.good_until <= asyncio.get_running_loop().time():
            token = await self._fresh(deadline)
        return self._settings.sent.put(request, token.value)

    def renew(self, refused: Outgoing) -> bool:
        """Gives up the token, unless another call has replaced it already: either way there is a new one to try."""
        if self._token is not None and self._settings.sent.holds(refused, self._token.value):
            self._token = None
        return True

    async def close(self) -> None:
        """Ends getting a token, and closes the connection for it."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)
        await self._lane.close()

    async def _fresh(self, deadline: float) -> _Token:
        """A new token: whoever comes while one is on its way waits for that, no longer than its own deadline."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._obtain(), name="token")
            self._flight.add_done_callback(self._landed)
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(self._flight)
        except TimeoutError:
            raise AgencyFailure(FailureCode.AGENCY_TIMEOUT, "token: not there in time", retryable=True) from None

    def _landed(self, flight: asyncio.Task[_Token]) -> None:
        self._flight = None
        if not flight.cancelled() and flight.exception() is None:  # asked for: nobody may be waiting any more
            self._token = flight.result()

    async def _obtain(self) -> _Token:
        now = asyncio.get_running_loop().time()
        headers, form = await self._credentials()
        headers |= {"Content-Type": _FORM}
        try:
            request = Outgoing("POST", self._path, "", headers, urlencode(form).encode())
            answer = await self._lane.send(request, now + self._timeout)
        except LaneError as error:
            raise AgencyFailure(error.failure, f"token: {error}", retryable=error.retryable) from None
        if answer.status != OK:
            refuse_status("token", answer.status, answer.retry_after)
        try:
            document = await read_json(answer.content)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise bad_response("token", f"not JSON ({type(error).__name__})") from None
        value = follow(document, self._settings.token)
        if not isinstance(value, str) or not value or not can_be_header("Authorization", value):
            raise bad_response("token", f"no token at {self._settings.token}")
        life = _seconds(follow(document, self._settings.expires))
        return _Token(value, now + life - min(MARGIN, life / 10) if life < math.inf else math.inf)

    async def _credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and parameters by which the client is known (RFC 6749, section 2.3.1)."""
        settings = self._settings
        form = {"grant_type": "client_credentials"} | ({"scope": settings.scope} if settings.scope else {})
        if self._signer is not None and settings.assertion is not None:
            client = settings.client_id
            signed = await self._signer.signed({"iss": client, "sub": client, "aud": settings.token_url})
            if settings.assertion.use == "grant":
                form |= {"grant_type": f"{_URN}:grant-type:jwt-bearer", "assertion": signed}
            else:
                form |= {"client_assertion_type": f"{_URN}:client-assertion-type:jwt-bearer"}
                form |= {"client_assertion": signed, "client_id": client}
            return {}, form | settings.parameters
        secret = await self._secret.value() if self._secret else ""
        form |= settings.parameters
        if settings.client_in == "body":
            return {}, form | {"client_id": settings.client_id, "client_secret": secret}
        return {"Authorization": basic_credentials(quote_plus(settings.client_id), quote_plus(secret))}, form


def _seconds(value: object) -> float:
    """How long a token is good for; without a number, until it is refused."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.inf
    except ValueError:
        return math.inf
    return max(seconds, 0.0) if not math.isnan(seconds) else math.inf
