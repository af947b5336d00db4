"""JSON Web Tokens that we sign ourselves (RFC 7519): sent to the agency as they are, or for a token of its own."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from typing import Final, Literal

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from pydantic import Field

from connectors.authentication.contract import UNAUTHORISED
from connectors.authentication.place import BEARER, Place
from connectors.errors import AddressInvalid
from connectors.lane import LaneAnswer
from connectors.manifest import Name, Part, SecretReference
from connectors.outgoing import Outgoing
from connectors.secret import Secret

_log = structlog.get_logger(__name__)

_KEY_TYPES: Final[Mapping[str, Literal["EC", "RSA", "OKP"]]] = {"ES": "EC", "RS": "RSA", "PS": "RSA", "Ed": "OKP"}
"""The type of key by how the algorithm's name begins (RFC 7518, section 3.1; RFC 9864)."""


class Assertion(Part):
    """What we sign, and with which key."""

    key: SecretReference = Field(description="The private key, in PEM or as a JWK.")
    algorithm: Literal["ES256", "ES384", "ES512", "Ed25519", "PS256", "RS256"]
    key_id: Name | None = Field(default=None, alias="keyId")
    claims: dict[str, str] = Field(default_factory=dict, description="iss, sub, aud and others; iat, exp, jti are set.")
    seconds: int = Field(default=300, ge=10, le=3600, description="How long it is good for.")


class Jwt(Assertion):
    """A token of our own, which each request carries."""

    scheme: Literal["jwt"]
    sent: Place = BEARER

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return self.sent.headers


class Signer:
    """Signs claims with the key. A new key that cannot be used leaves the old one in force."""

    def __init__(self, key: str, assertion: Assertion) -> None:
        """`key` is the place of the key in the connection. Raises `AddressInvalid`."""
        self._assertion = assertion
        self._secret = Secret(key, assertion.key)
        self._text = self._secret.first
        try:
            self._key = self._imported(self._text)
        except (JoseError, ValueError, TypeError):
            raise AddressInvalid(key, f"a private key for {assertion.algorithm}, in PEM or as a JWK") from None

    async def signed(self, claims: Mapping[str, str]) -> str:
        """A new token with these claims and the manifest's, which win."""
        text = await self._secret.value()
        if text != self._text:
            self._text = text
            try:
                self._key = self._imported(text)
            except (JoseError, ValueError, TypeError) as error:
                _log.warning("signing key cannot be used", reason=type(error).__name__)
        return self._encoded(self._key, {**claims, **self._assertion.claims})

    def _imported(self, text: str) -> Key:
        data = json.loads(text) if text.lstrip().startswith("{") else text
        key = import_key(data, _KEY_TYPES[self._assertion.algorithm[:2]])
        self._encoded(key, {})  # a public key, or one of another curve, cannot sign
        return key

    def _encoded(self, key: Key, claims: Mapping[str, str]) -> str:
        assertion, now = self._assertion, int(time.time())
        header = {"alg": assertion.algorithm} | ({"kid": assertion.key_id} if assertion.key_id else {})
        times = {"iat": now, "exp": now + assertion.seconds, "jti": str(uuid.uuid4())}
        return jwt.encode(header, {**claims, **times}, key, algorithms=[assertion.algorithm])


class JwtAuthenticator:
    """Sends a token of our own, for half of its life: signing takes a millisecond with some keys."""

    def __init__(self, settings: Jwt) -> None:
        """Raises `AddressInvalid`."""
        self._settings = settings
        settings.sent.check("auth.sent")
        self._signer = Signer("auth.key", settings)
        self._token = ""
        self._good_until = float("-inf")

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:  # noqa: ARG002  (part of `Authenticator`)
        """As in `Authenticator`."""
        now = asyncio.get_running_loop().time()
        if self._good_until <= now:
            self._token = await self._signer.signed({})
            self._good_until = now + self._settings.seconds / 2
        return self._settings.sent.put(request, self._token)

    async def is_refused(self, answer: LaneAnswer) -> bool:
        """As in `Authenticator`."""
        return answer.status == UNAUTHORISED

    def renew(self, refused: Outgoing) -> bool:
        """Gives up the token, unless another call has done so: some agencies take each one once."""
        if self._settings.sent.holds(refused, self._token):
            self._good_until = float("-inf")
        return True

    async def close(self) -> None:
        """There is nothing to give back."""
