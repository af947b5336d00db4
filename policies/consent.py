"""Consents: a company's signed word that an organisation may read about it. JWS (RFC 7515) with JWT claims (RFC 7519).

Claims: `iss`, `aud`, `jti`, `iat`, `exp`, optional `nbf`, and ours: `company` (credit code), `organisation` (to whom),
`purposes` (each covers those below it) and `scope` (tiers, `Type`, `Type.field`, `Type.*`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from cachetools import LRUCache
from joserfc.jwk import KeySet

from policies.claims import Claims
from policies.errors import (
    ConsentBeyondIssuer,
    ConsentExpired,
    ConsentForged,
    ConsentForOtherPurpose,
    ConsentIssuerUnknown,
    ConsentMalformed,
    ConsentNotYetValid,
    ConsentOfOtherOrganisation,
    ConsentRevocationUnknown,
    ConsentRevoked,
    ConsentWrongAudience,
)
from policies.revocation import NEVER_REVOKES, RevocationList
from policies.signature import SigningKey, decode, sign
from policies.tree import Tree
from schema.credit_code import CreditCode, CreditCodeError

ANY_COMPANY: Final = "any"

MAX_CHARACTERS: Final = 8_192
"""A consent is about one kilobyte; a longer text is not worth decoding."""

CACHED: Final = 10_000
"""How many consents are kept whose signature was checked: one check costs about 0.1 ms, and a request may bring 20."""


@dataclass(frozen=True, slots=True)
class ConsentIssuer:
    """Somebody whose signature counts. `companies` are those that it may sign for: credit codes, divisions (GB/T 2260
    prefixes of 2, 4 or 6 digits) or `any`. `revocations` is None where the issuer revokes and its list is not there.
    """

    id: str
    keys: KeySet
    companies: frozenset[str]
    revocations: RevocationList | None = NEVER_REVOKES

    def may_sign_for(self, company: CreditCode) -> bool:
        """Whether the issuer may sign for this company; by division only where the division is known."""
        if ANY_COMPANY in self.companies or company in self.companies:
            return True
        prefixes = (company.division[:2], company.division[:4], company.division)
        return company.division_known and any(prefix in self.companies for prefix in prefixes)

    def check_revocation(self, consent: str, now: float) -> None:
        """Raises `ConsentRevoked`, or `ConsentRevocationUnknown` where nobody here can tell."""
        if self.revocations is not None and consent in self.revocations.revoked:
            raise ConsentRevoked("the consent was revoked")
        if self.revocations is None or not self.revocations.is_fresh(now):
            raise ConsentRevocationUnknown(
                "whether the consent was revoked cannot be known: its issuer's revocation list is missing or too old"
            )


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


@dataclass(frozen=True, slots=True)
class _Genuine:
    """A consent that its issuer signed with one of these keys; whether it counts depends on when and who asks."""

    consent: Consent
    keys: KeySet
    company: CreditCode
    audiences: frozenset[str]
    begins: float


@dataclass(frozen=True, slots=True)
class ConsentVerifier:
    """Checks consents. `audience` is this gateway's name, `purposes` the policy's tree. `genuine` keeps the consents
    whose signature was checked, by their digest, for as long as their issuer has the same keys.
    """

    issuers: Mapping[str, ConsentIssuer]
    audience: str
    purposes: Tree
    genuine: LRUCache[bytes, _Genuine] = field(default_factory=lambda: LRUCache(CACHED), repr=False, compare=False)

    def verify(self, token: str, organisation: str, purpose: str | None, now: datetime) -> Consent:
        """The consent in a token, if it lets `organisation` ask for `purpose` at `now`. Raises the subclass of
        `ConsentRefused` that says why it does not count.
        """
        genuine = self._genuine(token)
        consent, issuer = genuine.consent, self.issuers[genuine.consent.issuer]
        if self.audience not in genuine.audiences:
            raise ConsentWrongAudience("the consent was given for another gateway")
        if now.timestamp() >= consent.expires:
            raise ConsentExpired("the consent has expired")
        if now.timestamp() < genuine.begins:
            raise ConsentNotYetValid("the consent does not hold yet")
        if consent.organisation != organisation:
            raise ConsentOfOtherOrganisation("the consent was given to another organisation")
        if purpose is None or not any(self.purposes.covers(given, purpose) for given in consent.purposes):
            raise ConsentForOtherPurpose("the consent was not given for the purpose of this request")
        if not issuer.may_sign_for(genuine.company):
            raise ConsentBeyondIssuer("the consent's issuer may not sign for this company")
        issuer.check_revocation(consent.id, now.timestamp())
        return consent

    def _genuine(self, token: str) -> _Genuine:
        content = _content(token)
        digest = sha256(content).digest()
        known = self.genuine.get(digest)
        if known is not None:
            issuer = self.issuers.get(known.consent.issuer)
            if issuer is not None and issuer.keys is known.keys:
                return known
        found = self.genuine[digest] = self._checked(content)
        return found

    def _checked(self, content: bytes) -> _Genuine:
        signed = decode(content)
        if signed is None:
            raise ConsentMalformed("the consent is no JWS in compact form (RFC 7515)")
        claims = Claims(signed.claims, "consent", ConsentMalformed)
        issuer = self.issuers.get(claims.text("iss"))
        if issuer is None:
            raise ConsentIssuerUnknown("the consent's issuer is not known here")
        if not signed.is_by(issuer.keys):
            raise ConsentForged("the consent's signature is not by a key of its issuer")
        company = _company(claims)
        return _Genuine(
            _consent(claims, company),
            issuer.keys,
            company,
            claims.some_texts("aud"),
            max(claims.moment("iat"), claims.moment("nbf", default=0)),
        )


def _content(token: str) -> bytes:
    if len(token) > MAX_CHARACTERS:
        raise ConsentMalformed(f"the consent is longer than {MAX_CHARACTERS} characters")
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise ConsentMalformed("the consent is no JWS in compact form (RFC 7515): it is not plain ASCII") from None


def _company(claims: Claims) -> CreditCode:
    try:
        return CreditCode.parse(claims.text("company"))
    except CreditCodeError:
        raise ConsentMalformed("the consent's claim `company` is no credit code") from None


def _consent(claims: Claims, company: CreditCode) -> Consent:
    return Consent(
        id=claims.text("jti"),
        issuer=claims.text("iss"),
        company=company,
        organisation=claims.text("organisation"),
        purposes=claims.some_texts("purposes"),
        scope=claims.some_texts("scope"),
        expires=claims.moment("exp"),
    )


def issue_consent(  # noqa: PLR0913  # one argument a claim
    key: SigningKey,
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
    """A signed consent, for issuers, tests and the demonstration. `key` is private."""
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
    return sign(key, "JWT", claims)
