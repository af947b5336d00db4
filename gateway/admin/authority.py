"""Who may administer policies, and for which agency: a fresh, strong login, the role, and an organisation that keeps
rules.
"""

from __future__ import annotations

from gateway.errors import LoginInsufficientError, NotAdministratorError
from gateway.messages import Principal
from gateway.settings import LEEWAY, AdministrationSettings
from policies.delegation import ADMINISTRATOR, Actor
from policies.policy import Outline
from policies.tree import ROOT


def check_login(principal: Principal, settings: AdministrationSettings, now: float) -> None:
    """Raises `LoginInsufficientError` unless the caller logged in strongly enough, and not too long before `now`
    (seconds since the epoch). API keys and anonymous callers have no login.
    """
    login = principal.login
    ways = ", ".join(settings.methods)
    if login is None or not (login.methods & {*settings.methods} or login.level in {*settings.levels}):
        raise LoginInsufficientError(
            f"Administration needs a token whose login was by one of these ways (amr): {ways}. Log in again so.",
            settings.levels,
            settings.login_seconds,
        )
    if now - login.at > settings.login_seconds + LEEWAY:
        raise LoginInsufficientError(
            f"Your login is more than {settings.login_seconds:.0f} seconds ago. Log in again for a new token.",
            settings.levels,
            settings.login_seconds,
        )


def actor_of(principal: Principal, policy: Outline) -> Actor:
    """The caller as an administrator. Raises `NotAdministratorError`."""
    organisation = policy.organisations.get(principal.organisation)
    administers = organisation.administers if organisation else None
    if ADMINISTRATOR not in principal.roles or administers is None:
        raise NotAdministratorError(
            f"Administration is for the role {ADMINISTRATOR!r} at an organisation that administers an agency's rules "
            "(`administers` in organisations.yaml)."
        )
    agency = None if administers == ROOT else administers
    return Actor(principal.subject, principal.organisation, agency, principal.roles)
