"""OAuth2 client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

from typing import Final, Literal, Self
from urllib.parse import quote_plus, urlencode

from pydantic import Field, model_validator

from connectors.authentication.assertion import Assertion, Signer
from connectors.authentication.contract import FORM
from connectors.authentication.password import basic_credentials
from connectors.authentication.place import BEARER, Place
from connectors.authentication.token import Refusal, TokenAuthenticator, token_document
from connectors.http import refuse_status
from connectors.lane import OK, Lane, LaneAnswer
from connectors.manifest import Name, Part, Reference, SecretReference
from connectors.outgoing import Outgoing
from connectors.paths import follow
from connectors.secret import Secret

_URN: Final = "urn:ietf:params:oauth"


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
    refused: Refusal = Field(default=Refusal(), description="How the agency says that it does not take it any more.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.assertion is None):
            raise ValueError("needs clientSecret or assertion: one of them")
        return self

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return self.sent.headers


class OAuth2Authenticator(TokenAuthenticator):
    """Asks for the token as OAuth2 has it."""

    def __init__(self, settings: OAuth2, lane: Lane, path: str, timeout: float) -> None:
        """As in `TokenAuthenticator`; `path` is that of the token's address."""
        super().__init__(lane, settings.sent, settings.refused, timeout)
        self._settings = settings
        self._secret = Secret("auth.clientSecret", settings.client_secret) if settings.client_secret else None
        self._signer = Signer("auth.assertion.key", settings.assertion) if settings.assertion else None
        self._path = path or "/"

    async def request(self) -> Outgoing:
        """As in `TokenAuthenticator`."""
        headers, form = await self._credentials()
        return Outgoing("POST", self._path, "", headers | {"Content-Type": FORM}, urlencode(form).encode())

    async def token_in(self, answer: LaneAnswer) -> tuple[object, object]:
        """As in `TokenAuthenticator`."""
        if answer.status != OK:
            refuse_status("token", answer.status, answer.retry_after)
        document = await token_document(answer)
        return follow(document, self._settings.token), follow(document, self._settings.expires)

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
