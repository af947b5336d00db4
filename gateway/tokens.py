"""Callers' tokens: JWTs (RFC 7519) signed by configured issuers, checked as RFC 8725 advises.

Keys come from the operator's settings alone: `jku`, `x5u` and `jwk` in a token's header are ignored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    KeyParameterError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet, OctKey
from joserfc.jwt import JWTClaimsRegistry

from gateway.errors import (
    IssuerUnknownError,
    OrganisationUnknownError,
    SettingsInvalidError,
    TokenAlgorithmError,
    TokenAudienceError,
    TokenExpiredError,
    TokenKeyUnknownError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenSignatureError,
)
from gateway.messages import Login, Principal
from gateway.settings import IssuerSettings, SignerSettings

LEEWAY: Final = 30
"""Seconds by which an issuer's clock may differ from ours."""

MAX_TOKEN_CHARACTERS: Final = 8_192
"""No token of ours comes near; a longer one is not worth decoding."""

TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What `typ` may say (RFC 9068, section 2.1): no other kind of JWT passes for a caller's token (RFC 8725, 3.11)."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of callers' tokens. `organisations` are those that it may speak for; empty: any."""

    id: str
    audience: str
    keys: KeySet
    algorithms: frozenset[str]
    organisations: frozenset[str]


def load_issuer(settings: IssuerSettings, audience: str) -> Issuer:
    """The issuer with its keys; `audience` is this gateway's name. Raises `SettingsInvalidError`."""
    algorithms, organisations = frozenset(settings.algorithms), frozenset(settings.organisations)
    return Issuer(settings.id, audience, load_key_set(settings), algorithms, organisations)


def load_key_set(signer: SignerSettings) -> KeySet:
    """The signer's public keys, from its file or the settings. Raises `SettingsInvalidError`, which holds no key."""
    source = signer.jwks
    place = f"The key set of {signer.id}" + (f" ({source})" if isinstance(source, Path) else "")
    try:
        content: Any = orjson.loads(source.read_bytes()) if isinstance(source, Path) else source
        keys = KeySet.import_key_set(content)
    except OSError as error:
        raise SettingsInvalidError(f"{place} cannot be read: {error.strerror}") from error
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise SettingsInvalidError(f"{place} is not a JWKS (RFC 7517): {type(error).__name__}") from None
    if any(isinstance(key, OctKey) or key.is_private for key in keys):
        raise SettingsInvalidError(f"{place} must hold public keys only")
    return keys


@dataclass(frozen=True, slots=True)
class _Verified:
    principal: Principal
    until: float


class TokenVerifier:
    """Checks tokens. `clock` gives seconds since the epoch; `cache_entries` bounds how many checked tokens are kept (by
    digest, until they expire), for a signature costs about 0.1 ms.
    """

    def __init__(
        self, issuers: Iterable[Issuer], clock: Callable[[], float] = time.time, cache_entries: int = 10_000
    ) -> None:
        self._issuers = {issuer.id: issuer for issuer in issuers}
        self._clock = clock
        self._verified: LRUCache[bytes, _Verified] = LRUCache(cache_entries)

    def verify(self, token: str) -> Principal:
        """The caller that the token names. Raises a subclass of `AuthenticationFailedError`."""
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None or known.until <= self._clock():
            known = self._verified[digest] = self._check(token)
        return known.principal

    def _check(self, token: str) -> _Verified:
        signature, claims = _decode(token)
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise IssuerUnknownError(
                "The token's issuer (iss) is not configured here. Use a token of a configured issuer."
            )
        _check_signature(signature, issuer)
        registry = JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY,
            exp={"essential": True},
            aud={"essential": True, "value": issuer.audience},
        )
        _check_times_and_audience(registry, claims)
        principal = _principal(claims)
        if issuer.organisations and principal.organisation not in issuer.organisations:
            raise OrganisationUnknownError("The token's issuer may not speak for the organisation (org) that it names.")
        return _Verified(principal, claims["exp"] + LEEWAY)


def _decode(token: str) -> tuple[jws.CompactSignature, Mapping[str, Any]]:
    """The token's parts, nothing of them believed yet."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise TokenMalformedError(f"The token is longer than {MAX_TOKEN_CHARACTERS} characters.")
    try:
        signature = jws.extract_compact(token.encode())
        claims = orjson.loads(signature.payload)
    except (JoseError, TypeError, ValueError):
        raise TokenMalformedError("The token is not a signed JWT in compact form (RFC 7519).") from None
    header: object = signature.headers()
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TokenMalformedError("The token's header and its claims must be JSON objects (RFC 7519).")
    if str(header.get("typ", "JWT")).lower() not in TOKEN_TYPES:
        raise TokenMalformedError("The token's type (typ) must be JWT or at+jwt.")
    return signature, claims


def _check_signature(signature: jws.CompactSignature, issuer: Issuer) -> None:
    try:
        genuine = jws.validate_compact(signature, issuer.keys, issuer.algorithms)
    except UnsupportedAlgorithmError:
        allowed = ", ".join(sorted(issuer.algorithms))
        raise TokenAlgorithmError(
            f"The token's algorithm (alg) is not one that its issuer may use: {allowed}."
        ) from None
    except (InvalidKeyIdError, KeyParameterError):
        raise TokenKeyUnknownError(
            "No key of the token's issuer fits the token's key id (kid) and algorithm."
        ) from None
    except (JoseError, TypeError, ValueError):
        raise TokenMalformedError("The token's header is not that of a signed JWT (RFC 7515, section 4).") from None
    if not genuine:
        raise TokenSignatureError("The token's signature is not its issuer's. Get a new token.")


def _check_times_and_audience(registry: JWTClaimsRegistry, claims: Mapping[str, Any]) -> None:
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise TokenExpiredError("The token has expired (exp). Get a new one.") from None
    except MissingClaimError as error:
        raise TokenMalformedError(f"The token lacks a claim that it must have: {error.description}.") from None
    except InvalidClaimError as error:
        if error.claim == "aud":
            raise TokenAudienceError("The token is not meant for this gateway (aud).") from None
        if error.claim in {"nbf", "iat"}:
            raise TokenNotYetValidError(
                f"The token is not valid yet ({error.claim}). Check the issuer's clock."
            ) from None
        raise TokenMalformedError(
            f"The token's claim {error.claim} is not of the type that RFC 7519 gives it."
        ) from None


def _principal(claims: Mapping[str, Any]) -> Principal:
    company = claims.get("company")
    if company is not None and not isinstance(company, str):
        raise TokenMalformedError("The token's claim company must be a credit code.")
    return Principal(_text(claims, "sub"), _text(claims, "org"), _roles(claims), company, _login(claims))


def _login(claims: Mapping[str, Any]) -> Login | None:
    """How the caller logged in, where the token says when: `auth_time`, or `iat` if that is missing."""
    at = claims.get("auth_time", claims.get("iat"))
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    methods, level = claims.get("amr"), claims.get("acr")
    told = [method for method in methods if isinstance(method, str)] if isinstance(methods, list) else []
    return Login(at, frozenset(told), level if isinstance(level, str) else None)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TokenMalformedError(f"The token's claim {name} must be a text that is not empty.")
    return value


def _roles(claims: Mapping[str, Any]) -> frozenset[str]:
    roles = claims.get("roles")
    if not isinstance(roles, list) or not roles or not all(isinstance(role, str) for role in roles):
        raise TokenMalformedError("The token's claim roles must be a list of texts that is not empty.")
    return frozenset(roles)
