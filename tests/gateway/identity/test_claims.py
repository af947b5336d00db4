"""What an issuer's tokens say, mapped as the operator declares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    AuthenticationFailedError,
    OrganisationUnknownError,
    RoleNotRegisteredError,
    TokenMalformedError,
)
from gateway.identity.claims import principal_of
from gateway.messages import Principal
from gateway.settings import IssuerSettings

CLAIMS = {"sub": "u-1", "org": "first-bank", "roles": ["bank.officer"]}


def issuer(claims: dict[str, Any] | None = None, **settings: Any) -> IssuerSettings:
    return IssuerSettings.model_validate({"id": "https://id.example", "claims": claims or {}, **settings})


def test_without_a_mapping_claims_mean_what_they_say() -> None:
    assert principal_of(CLAIMS, issuer()) == Principal("u-1", "first-bank", frozenset({"bank.officer"}))


def test_claims_are_found_by_their_names_or_by_pointers_into_others() -> None:
    names = {
        "subject": "preferred_username",
        "organisation": "https://bank.example/tenant",
        "roles": "/realm_access/roles",
        "company": "/a~1b/c~0d",
    }
    claims = {
        "sub": "0001",
        "preferred_username": "wang",
        "https://bank.example/tenant": "first-bank",
        "realm_access": {"roles": ["bank.officer", "bank.reviewer"]},
        "a/b": {"c~d": "91330106589876543T"},
    }
    assert principal_of(claims, issuer(names)) == Principal(
        "wang", "first-bank", frozenset({"bank.officer", "bank.reviewer"}), "91330106589876543T"
    )


def test_an_organisations_value_stands_for_what_the_operator_says_and_others_for_nothing() -> None:
    mapped = issuer({"organisation_values": {"tenant-7": "first-bank"}})
    assert principal_of({**CLAIMS, "org": "tenant-7"}, mapped).organisation == "first-bank"
    for value in ("first-bank", "tenant-8"):
        with pytest.raises(OrganisationUnknownError):
            principal_of({**CLAIMS, "org": value}, mapped)


def test_an_issuer_of_one_organisation_names_no_other() -> None:
    one = issuer(organisation="first-bank")
    assert principal_of({**CLAIMS, "org": "second-bank"}, one).organisation == "first-bank"
    assert principal_of({"sub": "u", "roles": ["x"]}, one).organisation == "first-bank"


def test_the_organisations_that_an_issuer_may_speak_for_are_those_after_the_mapping() -> None:
    names = {"organisation_values": {"a": "first-bank", "b": "second-bank"}}
    limited = issuer(names, organisations=["first-bank"])
    assert principal_of({**CLAIMS, "org": "a"}, limited).organisation == "first-bank"
    with pytest.raises(OrganisationUnknownError):
        principal_of({**CLAIMS, "org": "b"}, limited)


def test_roles_stand_for_what_the_operator_says_and_others_for_nothing() -> None:
    mapped = issuer({"role_values": {"officers": ["bank.officer"], "leads": ["bank.officer", "bank.reviewer"]}})
    claims = {**CLAIMS, "roles": ["officers", "policy.admin", "leads"]}
    assert principal_of(claims, mapped).roles == {"bank.officer", "bank.reviewer"}
    with pytest.raises(RoleNotRegisteredError):
        principal_of({**CLAIMS, "roles": ["policy.admin", "bank.officer"]}, mapped)


def test_a_scope_may_be_one_text_and_roles_may_not() -> None:
    claims = {**CLAIMS, "scope": "bank.officer bank.reviewer", "groups": "bank.officer"}
    assert principal_of(claims, issuer({"roles": "scope"})).roles == {"bank.officer", "bank.reviewer"}
    with pytest.raises(TokenMalformedError):
        principal_of(claims, issuer({"roles": "groups"}))


NAMES = st.sampled_from(["sub", "org", "roles", "company", "scope", "a", "/a/b", "/", "/a/0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "sub", "org", "roles"]), inner)
    ),
)


@given(
    st.dictionaries(st.sampled_from(["sub", "org", "roles", "company", "scope", "a", "auth_time", "amr"]), JSON),
    st.fixed_dictionaries({"subject": NAMES, "organisation": NAMES, "roles": NAMES, "company": NAMES}),
)
def test_whatever_a_token_claims_a_caller_has_texts_alone_or_is_refused(
    claims: dict[str, Any], names: dict[str, str]
) -> None:
    try:
        principal = principal_of(claims, issuer(names))
    except AuthenticationFailedError:
        return
    texts = [principal.subject, principal.organisation, *principal.roles]
    assert all(isinstance(text, str) and text for text in texts)
    assert principal.roles
    assert principal.company is None or isinstance(principal.company, str)
