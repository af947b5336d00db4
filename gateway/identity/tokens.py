"""Callers' tokens: JWTs (RFC 7519) signed by configured issuers, checked as RFC 8725 advises.

Keys come from where the operator says alone: `jku`, `x5u` and `jwk` in a token's header are ignored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
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
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from connectors.reach import Reach
from gateway.errors import (
    IssuerKeysMissingError,
    IssuerUnknownError,
    TokenAlgorithmError,
    TokenAudienceError,
    TokenBoundError,
    TokenExpiredError,
    TokenKeyUnknownError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenSignatureError,
)
from gateway.identity.claims import principal_of
from gateway.identity.key_sets import IssuerKeys, open_keys
from gateway.messages import Principal
from gateway.settings import IssuerSettings

MAX_TOKEN_CHARACTERS: Final = 8_192
"""No token of ours comes near; a longer one is not worth decoding."""

TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What `typ` may say (RFC 9068, section 2.1): no other kind of JWT passes for a caller's token (RFC 8725, 3.11)."""

_THUMBPRINT: Final = "x5t#S256"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of callers' tokens: what the operator says of it, and its keys. `audience` is what its tokens carry."""

    settings: IssuerSettings
    audience: str
    keys: IssuerKeys


def load_issuer(settings: IssuerSettings, audience: str, reach: Reach) -> Issuer:
    """The issuer, with those of its keys that need not be fetched; `audience` is this gateway's name, `reach` where
    published keys may be fetched from. Raises `SettingsInvalidError`, `AddressInvalid`.
    """
    return Issuer(settings, settings.audience or audience, open_keys(settings, reach))


@dataclass(frozen=True, slots=True)
class _Verified:
    """`keys` are those of the issuer by which the token was checked, `bound` the thumbprint of the certificate without
    which it does not count.
    """

    principal: Principal
    until: float
    issuer: Issuer
    keys: KeySet
    bound: str | None


class TokenVerifier:
    """Checks tokens. `clock` gives seconds since the epoch; `cache_entries` bounds how many checked tokens are kept (by
    digest, until they expire or the keys of their issuer change), for a signature costs about 0.1 ms.
    """

    def __init__(
        self, issuers: Iterable[Issuer], clock: Callable[[], float] = time.time, cache_entries: int = 10_000
    ) -> None:
        self._issuers = {issuer.settings.id: issuer for issuer in issuers}
        self._clock = clock
        self._verified: LRUCache[bytes, _Verified] = LRUCache(cache_entries)

    @property
    def keys(self) -> Sequence[IssuerKeys]:
        """The keys of every issuer."""
        return [issuer.keys for issuer in self._issuers.values()]

    async def verify(self, token: str, thumbprint: str | None = None) -> Principal:
        """The caller that the token names. `thumbprint` is that of the certificate which the caller presented: the
        SHA-256 of its DER, in base64url without padding.

        Raises a subclass of `AuthenticationFailedError`, or `IssuerKeysMissingError`.
        """
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None or known.until <= self._clock() or known.keys is not known.issuer.keys.current:
            known = self._verified[digest] = await self._check(token)
        if known.bound is not None and known.bound != thumbprint:
            raise TokenBoundError("The token is bound to a certificate (cnf), which must come with it.")
        return known.principal

    async def _check(self, token: str) -> _Verified:
        signature, claims = _decode(token)
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise IssuerUnknownError(
                "The token's issuer (iss) is not configured here. Use a token of a configured issuer."
            )
        keys = await _keys(signature.headers(), issuer)
        _check_signature(signature, keys, issuer.settings)
        registry = JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=issuer.settings.leeway,
            exp={"essential": True},
            aud={"essential": True, "value": issuer.audience},
        )
        _check_times_and_audience(registry, claims)
        principal = principal_of(claims, issuer.settings)
        return _Verified(principal, claims["exp"] + issuer.settings.leeway, issuer, keys, _bound(claims))


async def _keys(header: Mapping[str, Any], issuer: Issuer) -> KeySet:
    """The issuer's keys, read again where the token names one that is not known."""
    kid = header.get("kid")
    if header.get("alg") in issuer.settings.algorithms and isinstance(kid, str):
        await issuer.keys.seek(kid)
    keys = issuer.keys.current
    if keys is None:
        raise IssuerKeysMissingError
    return keys


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


def _check_signature(signature: jws.CompactSignature, keys: KeySet, issuer: IssuerSettings) -> None:
    try:
        genuine = jws.validate_compact(signature, keys, issuer.algorithms)
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


def _bound(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the certificate that the token is bound to (RFC 8705, section 3.1).

    A token that is bound to anything else cannot be checked here, and to take it for a bearer's would undo that.
    """
    confirmation = claims.get("cnf")
    if confirmation is None:
        return None
    thumbprint = confirmation.get(_THUMBPRINT) if isinstance(confirmation, dict) else None
    if not isinstance(thumbprint, str) or len(confirmation) > 1:
        raise TokenBoundError("The token is bound (cnf) to something other than a certificate, which is not served.")
    return thumbprint
