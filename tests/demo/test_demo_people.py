"""The demonstration's callers: their tokens and the consent are believed by the gateway's own checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from joserfc.jwk import KeySet

from connectors.reach import Reach
from gateway.demo import people
from gateway.errors import TokenExpiredError, TokenSignatureError
from gateway.identity.tokens import TokenVerifier, load_issuer
from gateway.settings import IssuerSettings
from policies.consent import ConsentIssuer, ConsentVerifier
from policies.errors import ConsentOfOtherOrganisation
from policies.tree import Tree

NOW: Final = datetime(2026, 11, 24, 9, tzinfo=UTC)
COMPANY: Final = "91330402XQBXD9U289"
PURPOSES: Final = Tree({"credit.underwriting": "credit"})


def token_verifier(keys: Any, at: datetime = NOW) -> TokenVerifier:
    issuer = load_issuer(IssuerSettings(id=people.ISSUER, jwks=keys), people.AUDIENCE, Reach())
    return TokenVerifier([issuer], clock=at.timestamp)


@pytest.mark.parametrize(
    ("key", "organisation", "role", "company"),
    [
        ("bank", "first-bank", "bank.officer", None),
        ("tax_inspector", "tax-bureau-zhejiang", "tax.inspector", None),
        ("regulator", "zhejiang-regulator", "regulator.provincial", None),
        ("policy_admin", "policy-office", "policy.admin", None),
        ("company", "company", "company", COMPANY),
    ],
)
async def test_each_caller_is_who_the_demonstration_says(
    key: str, organisation: str, role: str, company: str | None
) -> None:
    signing = people.new_key()
    principal = await token_verifier(people.key_set(signing)).verify(people.tokens(signing, COMPANY, NOW)[key])

    assert (principal.organisation, principal.roles, principal.company) == (organisation, frozenset({role}), company)


async def test_tokens_hold_for_a_day_and_only_with_the_key_that_signed_them() -> None:
    signing = people.new_key()
    token = people.tokens(signing, COMPANY, NOW)["bank"]
    other: Any = people.key_set(people.new_key())
    other["keys"] = [{**key, "kid": signing.kid} for key in other["keys"]]

    with pytest.raises(TokenExpiredError):
        await token_verifier(people.key_set(signing), NOW + timedelta(hours=25)).verify(token)
    with pytest.raises(TokenSignatureError):
        await token_verifier(other).verify(token)


def test_the_key_set_holds_no_private_key() -> None:
    published: Any = people.key_set(people.new_key())
    (key,) = published["keys"]

    assert "d" not in key
    assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")


def test_the_company_consents_to_first_bank_and_to_no_other() -> None:
    key = people.new_key()
    published: Any = people.key_set(key)
    issuer = ConsentIssuer(people.CONSENT_ISSUER, KeySet.import_key_set(published), frozenset({COMPANY}))
    verifier = ConsentVerifier({issuer.id: issuer}, people.AUDIENCE, PURPOSES)
    token = people.consent(key, COMPANY, NOW)

    assert verifier.verify(token, "first-bank", "credit.underwriting", NOW).company == COMPANY
    with pytest.raises(ConsentOfOtherOrganisation):
        verifier.verify(token, "second-bank", "credit.underwriting", NOW)
