"""Who asks: credentials -> a principal whose organisation and roles are registered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from connectors.reach import Reach
from gateway.beside import beside
from gateway.errors import (
    CredentialsAmbiguousError,
    CredentialsRequiredError,
    OrganisationsDifferError,
    OrganisationUnknownError,
    RoleNotRegisteredError,
    SchemeUnsupportedError,
)
from gateway.identity.api_keys import ApiKeys, load_api_keys
from gateway.identity.certificates import Certificates
from gateway.identity.credentials import Credentials
from gateway.identity.tokens import TokenVerifier, load_issuer
from gateway.messages import Principal
from gateway.settings import Settings

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
        certificates: Certificates,
        organisations: Callable[[], Mapping[str, Organisation]],
        *,
        anonymous: bool,
    ) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._certificates = certificates
        self._organisations = organisations
        self._anonymous = anonymous

    async def authenticate(self, credentials: Credentials) -> Principal:
        """The caller. Credentials that fail are refused, also where anonymous callers are let in.

        Raises a subclass of `AuthenticationFailedError`, or `IssuerKeysMissingError`.
        """
        certificate = credentials.certificate
        principal = await self._named(credentials)
        if principal is None:
            if certificate is None:
                return ANONYMOUS
            principal = self._certificates.principal(certificate)
        elif certificate is not None and self._certificates.organisation(certificate) != principal.organisation:
            raise OrganisationsDifferError("The certificate stands for another organisation than the token or key.")
        return self._registered(principal)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follows the issuers' keys and the API keys for as long as the context lasts.

        Published keys that cannot be read are no reason not to begin: they are looked for again.
        """
        issuers = self._tokens.keys
        await asyncio.gather(*(keys.look() for keys in issuers if keys.current is None))
        files = [self._api_keys.file] if self._api_keys.file else []
        work = [*(file.follow() for file in files), *(keys.follow() for keys in issuers)]
        try:
            async with beside(*work, name="credentials"):
                yield
        finally:
            await asyncio.gather(*(keys.close() for keys in issuers), return_exceptions=True)

    async def _named(self, credentials: Credentials) -> Principal | None:
        """Whom the token or key names; None where neither came, and none is needed."""
        authorization, api_key, certificate = credentials.authorization, credentials.api_key, credentials.certificate
        if authorization is not None and api_key is not None:
            raise CredentialsAmbiguousError("Send either Authorization or X-API-Key, not both.")
        if authorization is not None:
            token = _bearer(authorization)
            return await self._tokens.verify(token, certificate.thumbprint if certificate else None)
        if api_key is not None:
            return self._api_keys.verify(api_key)
        if certificate is None and not self._anonymous:
            raise CredentialsRequiredError
        return None

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
    """The authenticator that the settings describe, without the keys that issuers publish: those come with `following`.

    Raises `SettingsInvalidError`, `AddressInvalid`.
    """
    reach = Reach(settings.networks, settings.plain_networks)
    return Authenticator(
        TokenVerifier(load_issuer(issuer, settings.audience, reach) for issuer in settings.issuers),
        load_api_keys(settings),
        Certificates(settings.certificates),
        organisations,
        anonymous=settings.anonymous == "public",
    )


@asynccontextmanager
async def open_authenticator(
    settings: Settings, organisations: Callable[[], Mapping[str, Organisation]]
) -> AsyncIterator[Authenticator]:
    """The authenticator that the settings describe, following its keys for as long as the context lasts.

    Raises `SettingsInvalidError`, `AddressInvalid`.
    """
    authenticator = load_authenticator(settings, organisations)
    async with authenticator.following():
        yield authenticator


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise SchemeUnsupportedError("The Authorization header must be of the scheme Bearer.")
    return token.strip()
