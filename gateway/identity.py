"""Who asks: credentials -> a principal whose organisation and roles are registered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from gateway.api_keys import ApiKeys, read_api_keys
from gateway.errors import (
    CredentialsAmbiguousError,
    CredentialsRequiredError,
    OrganisationUnknownError,
    RoleNotRegisteredError,
    SchemeUnsupportedError,
)
from gateway.messages import Principal
from gateway.settings import Settings
from gateway.tokens import TokenVerifier, load_issuer

ANONYMOUS: Final = Principal("anonymous", "public", frozenset({"anonymous"}))
"""Whoever sends no credentials, where the operator lets such callers in."""


class Organisation(Protocol):
    """What identity needs to know of an organisation of the policy."""

    @property
    def roles(self) -> Collection[str]:
        """The roles that its people and systems may have."""
        ...


class Authenticator:
    """Turns credentials into principals. `organisations` gives those of the policy in force, by id; `anonymous` tells
    whether a caller without credentials is let in.
    """

    def __init__(
        self,
        tokens: TokenVerifier,
        api_keys: ApiKeys,
        organisations: Callable[[], Mapping[str, Organisation]],
        *,
        anonymous: bool,
    ) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._organisations = organisations
        self._anonymous = anonymous

    def authenticate(self, authorization: str | None, api_key: str | None) -> Principal:
        """The caller, from the values of the headers Authorization and X-API-Key (None where absent).

        Credentials that fail are refused, also where anonymous callers are let in. Raises a subclass of
        `AuthenticationFailedError`.
        """
        if authorization is not None and api_key is not None:
            raise CredentialsAmbiguousError("Send either Authorization or X-API-Key, not both.")
        if authorization is not None:
            return self._registered(self._tokens.verify(_bearer(authorization)))
        if api_key is not None:
            return self._registered(self._api_keys.verify(api_key))
        if self._anonymous:
            return ANONYMOUS
        raise CredentialsRequiredError

    def _registered(self, principal: Principal) -> Principal:
        organisation = self._organisations().get(principal.organisation)
        name = principal.organisation[:64]
        if organisation is None:
            raise OrganisationUnknownError(f"The organisation {name!r} is not registered here.")
        unregistered = sorted(principal.roles.difference(organisation.roles))
        if unregistered:
            role = unregistered[0][:64]
            raise RoleNotRegisteredError(f"The organisation {name!r} is not registered for the role {role!r}.")
        return principal


def load_authenticator(settings: Settings, organisations: Callable[[], Mapping[str, Organisation]]) -> Authenticator:
    """The authenticator that the settings describe. Raises `SettingsInvalidError`."""
    tokens = TokenVerifier(load_issuer(issuer, settings.audience) for issuer in settings.issuers)
    keys = read_api_keys(settings.api_keys_file) if settings.api_keys_file else ()
    pepper = settings.api_keys_pepper.get_secret_value() if settings.api_keys_pepper else ""
    return Authenticator(tokens, ApiKeys(keys, pepper), organisations, anonymous=settings.anonymous == "public")


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise SchemeUnsupportedError("The Authorization header must be of the scheme Bearer.")
    return token.strip()
