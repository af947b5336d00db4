"""Consents: a company's signed word that an organisation may read about it. JWS (RFC 7515) with JWT claims (RFC 7519).

Claims: `iss`, `aud`, `jti`, `iat`, `exp`, optional `nbf`, and ours: `company` (credit code), `organisation` (to whom),
`purposes` (each covers those below it) and `scope` (tiers, `Type`, `Type.field`, `Type.*`). Keys come from the
issuer's configured key set alone: `jku`, `x5u` and `jwk` in a token's header are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from policies.errors import (
    ConsentBeyondIssuer,
    ConsentExpired,
    ConsentForged,
    ConsentForOtherPurpose,
    ConsentIssuerUnknown,
    ConsentMalformed,
    ConsentNotYetValid,
    ConsentOfOtherOrganisation,
    ConsentWrongAudience,
)
from policies.tree import Tree
from schema.credit_code import CreditCode, CreditCodeError

ANY_COMPANY: Final = "any"
ALGORITHMS: Final = frozenset({"ES256", "EdDSA", "Ed25519", "RS256", "PS256"})
"""Signatures with a public key only: with a shared secret whoever verifies could sign."""

MAX_CHARACTERS: Final = 8_192
"""A consent is about one kilobyte; a longer text is not worth decoding."""

_ALGORITHM_OF_KEY: Final = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}
_NOT_A_JWS: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class ConsentIssuer:
    """Somebody whose signature counts. `companies` are those that it may sign for: credit codes, divisions (GB/T 2260
    prefixes of 2, 4 or 6 digits) or `any`.
    """

    id: str
    keys: KeySet
    companies: frozenset[str]

    def may_sign_for(self, company: CreditCode) -> bool:
        """Whether the issuer may sign for this company; by division only where the division is known."""
        if ANY_COMPANY in self.companies or company.text in self.companies:
            return True
        prefixes = (company.division[:2], company.division[:4], company.division)
        return company.division_known and any(prefix in self.companies for prefix in prefixes)


@dataclass(frozen=True, slots=True)
class Consent:
    """A verified consent. `expires` is in seconds since the epoch."""

    id: str
    issuer: str
    company: str
    organisation: str
    purposes: frozenset[str]
    scope: frozenset[str]
    expires: float


class _Registry(JWSRegistry):
    """joserfc's checks with our list of algorithms. Longer headers than its 512 bytes are read, for a token may carry
    the key in `jwk`, though nothing looks at it.
    """

    max_header_length: ClassVar[int] = 4_096  # type: ignore[misc]  # the library declares it without ClassVar

    def get_alg(self, name: str) -> jws.JWSAlgModel:  # type: ignore[name-defined]  # exported without __all__
        """The algorithm; without the library's warning that `EdDSA` is now spelt `Ed25519` (RFC 9864)."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("the algorithm is not allowed")
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class ConsentVerifier:
    """Checks consents. `audience` is this gateway's name, `purposes` the policy's tree."""

    issuers: Mapping[str, ConsentIssuer]
    audience: str
    purposes: Tree

    def verify(self, token: str, organisation: str, purpose: str | None, now: datetime) -> Consent:
        """The consent in a token, if it lets `organisation` ask for `purpose` at `now`. Raises the subclass of
        `ConsentRefused` that says why it does not count.
        """
        claims = _Claims(_payload(token))
        issuer = self.issuers.get(claims.text("iss"))
        if issuer is None:
            raise ConsentIssuerUnknown("the consent's issuer is not known here")
        _check_signature(token, issuer.keys)
        consent = claims.consent()
        if self.audience not in claims.texts("aud"):
            raise ConsentWrongAudience("the consent was given for another gateway")
        self._check_time(claims, now.timestamp())
        if consent.organisation != organisation:
            raise ConsentOfOtherOrganisation("the consent was given to another organisation")
        if purpose is None or not any(self.purposes.covers(given, purpose) for given in consent.purposes):
            raise ConsentForOtherPurpose("the consent was not given for the purpose of this request")
        if not issuer.may_sign_for(claims.company()):
            raise ConsentBeyondIssuer("the consent's issuer may not sign for this company")
        return consent

    @staticmethod
    def _check_time(claims: _Claims, now: float) -> None:
        if now >= claims.moment("exp"):
            raise ConsentExpired("the consent has expired")
        if now < max(claims.moment("iat"), claims.moment("nbf", default=0)):
            raise ConsentNotYetValid("the consent does not hold yet")


def _payload(token: str) -> object:
    """The claims before anybody has checked the signature: only `iss` may be believed, to find the keys."""
    if len(token) > MAX_CHARACTERS:
        raise ConsentMalformed(f"the consent is longer than {MAX_CHARACTERS} characters")
    try:
        return json.loads(jws.extract_compact(token.encode("ascii"), registry=_Registry()).payload)
    except _NOT_A_JWS:
        raise ConsentMalformed("the consent is no JWS in compact form (RFC 7515)") from None


def _check_signature(token: str, keys: KeySet) -> None:
    try:
        jws.deserialize_compact(token, keys, registry=_Registry(algorithms=ALGORITHMS, strict_check_header=False))
    except _NOT_A_JWS:
        raise ConsentForged("the consent's signature is not by a key of its issuer") from None


class _Claims:
    """The claims, read by type. Each method raises `ConsentMalformed`."""

    def __init__(self, claims: object) -> None:
        if not isinstance(claims, dict):
            raise ConsentMalformed("the consent's payload is no JSON object")
        self._claims = claims

    def text(self, name: str) -> str:
        value = self._claims.get(name)
        if not isinstance(value, str) or not value:
            raise ConsentMalformed(f"the consent's claim `{name}` must be a text")
        return value

    def texts(self, name: str) -> frozenset[str]:
        """A text or a list of texts, at least one."""
        value = self._claims.get(name)
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise ConsentMalformed(f"the consent's claim `{name}` must be a list of texts")
        return frozenset(texts)

    def moment(self, name: str, default: float | None = None) -> float:
        """A NumericDate (RFC 7519, section 2): seconds since the epoch."""
        value = self._claims.get(name, default)
        # NaN, which Python's JSON takes, would compare as neither past nor future.
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConsentMalformed(f"the consent's claim `{name}` must be a number of seconds")
        return value

    def company(self) -> CreditCode:
        try:
            return CreditCode.parse(self.text("company"))
        except CreditCodeError:
            raise ConsentMalformed("the consent's claim `company` is no credit code") from None

    def consent(self) -> Consent:
        return Consent(
            id=self.text("jti"),
            issuer=self.text("iss"),
            company=self.company().text,
            organisation=self.text("organisation"),
            purposes=self.texts("purposes"),
            scope=self.texts("scope"),
            expires=self.moment("exp"),
        )


def issue_consent(  # noqa: PLR0913  # one argument a claim
    key: ECKey | OKPKey | RSAKey,
    *,
    id: str,  # noqa: A002  # the claim's word
    issuer: str,
    audience: str,
    company: str,
    organisation: str,
    purposes: Collection[str],
    scope: Collection[str],
    issued: datetime,
    expires: datetime,
) -> str:
    """A signed consent, for issuers, tests and the demonstration. `key` is private; it decides the algorithm (EC:
    ES256, OKP: Ed25519, RSA: PS256).
    """
    claims = {
        "jti": id,
        "iss": issuer,
        "aud": audience,
        "company": company,
        "organisation": organisation,
        "purposes": sorted(purposes),
        "scope": sorted(scope),
        "iat": int(issued.timestamp()),
        "exp": int(expires.timestamp()),
    }
    header = {"alg": _ALGORITHM_OF_KEY[key.key_type], "typ": "JWT"} | ({"kid": key.kid} if key.kid else {})
    return jws.serialize_compact(header, json.dumps(claims), key, registry=_Registry())
