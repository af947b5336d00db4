"""API keys, and user and password: secrets that each request carries as they are."""

from __future__ import annotations

import base64
from typing import Literal

from connectors.authentication.contract import Fixed
from connectors.authentication.place import Place
from connectors.errors import AddressInvalid
from connectors.manifest import Name, Part, SecretReference
from connectors.outgoing import Outgoing
from connectors.secret import Secret


class ApiKey(Place):
    """A key in a header or in the query."""

    scheme: Literal["apiKey"]
    value: SecretReference


class Basic(Part):
    """User and password (RFC 7617), in UTF-8."""

    scheme: Literal["basic"]
    user: Name
    password: SecretReference

    @property
    def headers(self) -> frozenset[str]:
        """The names of the headers that it sets, in lower case."""
        return frozenset({"authorization"})


class ApiKeyAuthenticator(Fixed):
    """Puts the key where the agency looks for it."""

    def __init__(self, api_key: ApiKey) -> None:
        """Raises `AddressInvalid`."""
        self._api_key = api_key
        self._secret = Secret("auth.value", api_key.value)
        api_key.check("auth.value", self._secret.first)

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:  # noqa: ARG002  (part of `Authenticator`)
        """As in `Authenticator`."""
        return self._api_key.put(request, await self._secret.value())


class BasicAuthenticator(Fixed):
    """Sends user and password."""

    def __init__(self, basic: Basic) -> None:
        """Raises `AddressInvalid`."""
        if ":" in basic.user:
            raise AddressInvalid("auth.user", "a name without a colon")
        self._user = basic.user
        self._password = Secret("auth.password", basic.password)

    async def sign(self, request: Outgoing, deadline: float) -> Outgoing:  # noqa: ARG002  (part of `Authenticator`)
        """As in `Authenticator`."""
        return request.with_header("Authorization", basic_credentials(self._user, await self._password.value()))


def basic_credentials(user: str, password: str) -> str:
    """The header's value (RFC 7617, section 2)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
