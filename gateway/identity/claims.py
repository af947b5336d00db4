"""A token's claims -> the caller that they name, by the mapping that the operator declares for their issuer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import OrganisationUnknownError, RoleNotRegisteredError, TokenMalformedError
from gateway.messages import Login, Principal
from gateway.settings import IssuerSettings

_SCOPE: Final = "scope"
"""The one claim whose values may stand in one text, with spaces between them (RFC 8693, section 4.2)."""


def principal_of(claims: Mapping[str, Any], issuer: IssuerSettings) -> Principal:
    """The caller. Raises `TokenMalformedError`, `OrganisationUnknownError` and `RoleNotRegisteredError`, which hold
    names of claims and none of their values.
    """
    names = issuer.claims
    company = _at(claims, names.company)
    if company is not None and not isinstance(company, str):
        raise TokenMalformedError(f"The token's claim {names.company} must be a credit code.")
    return Principal(
        _text(claims, names.subject), _organisation(claims, issuer), _roles(claims, issuer), company, _login(claims)
    )


def _organisation(claims: Mapping[str, Any], issuer: IssuerSettings) -> str:
    names = issuer.claims
    organisation = issuer.organisation or _text(claims, names.organisation)
    if issuer.organisation is None and names.organisation_values:
        if organisation not in names.organisation_values:
            raise OrganisationUnknownError(f"The token's claim {names.organisation} names no organisation known here.")
        organisation = names.organisation_values[organisation]
    if issuer.organisations and organisation not in issuer.organisations:
        raise OrganisationUnknownError("The token's issuer may not speak for the organisation (org) that it names.")
    return organisation


def _roles(claims: Mapping[str, Any], issuer: IssuerSettings) -> frozenset[str]:
    names = issuer.claims
    found = _at(claims, names.roles)
    if names.roles == _SCOPE and isinstance(found, str):
        found = found.split()
    if not isinstance(found, list) or not found or not all(isinstance(role, str) and role for role in found):
        raise TokenMalformedError(f"The token's claim {names.roles} must be a list of texts that is not empty.")
    if not names.role_values:
        return frozenset(found)
    roles = frozenset(role for value in found for role in names.role_values.get(value, ()))
    if not roles:
        raise RoleNotRegisteredError(f"The token's claim {names.roles} has no value that stands for a role here.")
    return roles


def _login(claims: Mapping[str, Any]) -> Login | None:
    """How the caller logged in, where the token says when: `auth_time`, or `iat` if that is missing."""
    at = claims.get("auth_time", claims.get("iat"))
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    methods, level = claims.get("amr"), claims.get("acr")
    told = [method for method in methods if isinstance(method, str)] if isinstance(methods, list) else []
    return Login(at, frozenset(told), level if isinstance(level, str) else None)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = _at(claims, name)
    if not isinstance(value, str) or not value:
        raise TokenMalformedError(f"The token's claim {name} must be a text that is not empty.")
    return value


def _at(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON
    """The claim of this name, or at this JSON pointer (RFC 6901); None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: Any = claims
    for step in name[1:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step.replace("~1", "/").replace("~0", "~"))
    return value
