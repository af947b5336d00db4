"""The schemes, and the authenticator that serves each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from connectors.authentication.assertion import Jwt, JwtAuthenticator
from connectors.authentication.contract import Authenticator
from connectors.authentication.login import Login, LoginAuthenticator
from connectors.authentication.oauth2 import OAuth2, OAuth2Authenticator
from connectors.authentication.password import ApiKey, ApiKeyAuthenticator, Basic, BasicAuthenticator
from connectors.authentication.signature import Signature, SignatureAuthenticator
from connectors.lane import Lane

Scheme = Annotated[ApiKey | Basic | OAuth2 | Login | Jwt | Signature, Field(discriminator="scheme")]
"""How requests are authenticated, as a manifest says it."""

OpenLane = Callable[[str, str], tuple[Lane, str]]
"""Opens a lane to an address, given its place in the connection and the address; gives the address's path as well."""


def open_authenticator(scheme: Scheme, open_lane: OpenLane, timeout: float) -> Authenticator:
    """The authenticator of a scheme whose references were resolved.

    `timeout` is in seconds, for what it asks of others. Raises `AddressInvalid`.
    """
    match scheme:
        case ApiKey():
            return ApiKeyAuthenticator(scheme)
        case Basic():
            return BasicAuthenticator(scheme)
        case Jwt():
            return JwtAuthenticator(scheme)
        case Signature():
            return SignatureAuthenticator(scheme)
        case OAuth2():
            return OAuth2Authenticator(scheme, *open_lane("auth.tokenUrl", scheme.token_url), timeout)
        case Login():
            return LoginAuthenticator(scheme, *open_lane("auth.url", scheme.url), timeout)
