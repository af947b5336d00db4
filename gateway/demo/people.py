"""Those who may log in to the demonstration: one caller of each kind, and a company's consent to one of them.

Keys are made at start and never stored: with the process that made them, what they signed is worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import JsonValue

from policies.consent import issue_consent

ISSUER: Final = "https://demo.xinqiao.invalid"
CONSENT_ISSUER: Final = "https://consent.demo.xinqiao.invalid"
AUDIENCE: Final = "xinqiao"
ALGORITHM: Final = "ES256"
LIFETIME: Final = timedelta(hours=24)
"""How long a token and the consent hold."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may log in. `speaks_for_company`: for the showcase company itself."""

    key: str
    subject: str
    organisation: str
    role: str
    description: str
    speaks_for_company: bool = False


CALLERS: Final = (
    Caller("bank", "bank-officer", "first-bank", "bank.officer", "a credit officer of First Bank"),
    Caller("rural_bank", "rural-officer", "rural-bank", "bank.rural", "a credit officer of a rural cooperative bank"),
    Caller(
        "tax_inspector", "tax-inspector", "tax-bureau-zhejiang", "tax.inspector", "a tax inspector of Zhejiang province"
    ),
    Caller(
        "regulator",
        "regulator",
        "zhejiang-regulator",
        "regulator.provincial",
        "a market regulator of Zhejiang province",
    ),
    Caller("policy_admin", "policy-admin", "policy-office", "policy.admin", "who keeps the policies"),
    Caller("policy_approver", "policy-approver", "policy-office", "policy.admin", "who approves what others write"),
    Caller("tax_admin", "tax-admin", "tax-data-office", "policy.admin", "who keeps the rules on the tax bureau's data"),
    Caller("company", "company", "company", "company", "the showcase company itself", speaks_for_company=True),
)


def new_key() -> ECKey:
    """A fresh signing key (P-256), with a key id."""
    return ECKey.generate_key("P-256", auto_kid=True)


def key_set(key: ECKey) -> dict[str, JsonValue]:
    """The public half as a JWK set (RFC 7517), for those who check the tokens."""
    public: dict[str, JsonValue] = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {"keys": [public | {"use": "sig", "alg": ALGORITHM}]}


def mint(key: ECKey, caller: Caller, company: str, now: datetime) -> str:
    """A caller's token. `company` is the showcase company's credit code."""
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": caller.subject,
        "org": caller.organisation,
        "roles": [caller.role],
        "amr": ["mfa"],
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    if caller.speaks_for_company:
        claims["company"] = company
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}, claims, key)


def tokens(key: ECKey, company: str, now: datetime) -> Mapping[str, str]:
    """Every caller's token, by the caller's key."""
    return {caller.key: mint(key, caller, company, now) for caller in CALLERS}


def consent(key: ECKey, company: str, now: datetime) -> str:
    """The showcase company's consent to First Bank, for underwriting credit: all that is not public, nothing sealed.

    `key` is the consent issuer's, not the one that signs callers' tokens.
    """
    return issue_consent(
        key,
        id="demonstration",
        issuer=CONSENT_ISSUER,
        audience=AUDIENCE,
        company=company,
        organisation="first-bank",
        purposes=["credit.underwriting"],
        scope=["AUTHORISED", "RESTRICTED"],
        issued=now,
        expires=now + LIFETIME,
    )
