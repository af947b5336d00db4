"""Who is asked about: a class of caller by names that a person types, and whether a policy knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.compile import WHOLE_SCOPE
from policies.decision import Basis, CallerClass
from policies.errors import CallerUnknown
from policies.policy import Policy
from policies.vocabulary import near
from schema.catalogue import Tier

_FEW: Final = 8
"""How many names a message lists."""


def named_caller(
    policy: Policy, who: str, purpose: str | None, bases: Iterable[Basis], scope: frozenset[str] | None = None
) -> CallerClass:
    """The class that `role` or `role@organisation` names; several roles are joined by `+`. Without an organisation it
    is the first that is registered for all of the roles; without a scope, a consent is to all that is not SEALED.

    Raises `CallerUnknown` and `PurposeRefused`, which name what is meant or what there is.
    """
    named, _, organisation = who.partition("@")
    roles, held = frozenset(named.split("+")), frozenset(bases)
    if scope is None:
        scope = WHOLE_SCOPE - {Tier.SEALED} if Basis.CONSENT in held else frozenset()
    caller = CallerClass(roles, organisation or _first_holder(policy, roles), purpose, held, scope)
    check_caller(policy, caller)
    return caller


def check_caller(policy: Policy, caller: CallerClass) -> None:
    """Raises `CallerUnknown` where the policy does not know a role or the organisation, or does not let the one hold
    the other; `PurposeRefused` where the organisation may not ask for the purpose.
    """
    _check_roles(policy, caller.roles)
    known = policy.organisations.get(caller.organisation)
    if known is None:
        hint = near(caller.organisation, policy.organisations) or f"organisations: {_listed(policy.organisations)}"
        raise CallerUnknown(f"unknown organisation `{caller.organisation}`; {hint}")
    if missing := caller.roles - known.roles:
        raise CallerUnknown(
            f"the organisation `{known.id}` is not registered for {_listed(missing)}; "
            f"it is for {_listed(known.roles)}, and for those are: {_listed(_holders(policy, caller.roles))}"
        )
    if caller.purpose is not None:
        policy.check_purpose(caller.organisation, caller.purpose)


def _check_roles(policy: Policy, roles: Iterable[str]) -> None:
    for role in sorted(roles):
        if role not in policy.roles:
            hint = near(role, policy.roles) or f"roles: {_listed(policy.roles)}"
            raise CallerUnknown(f"unknown role `{role}`; {hint}")


def _first_holder(policy: Policy, roles: frozenset[str]) -> str:
    _check_roles(policy, roles)
    holders = _holders(policy, roles)
    if not holders:
        held = frozenset(role for one in policy.organisations.values() for role in one.roles)
        raise CallerUnknown(
            f"no organisation is registered for {' and '.join(f'`{role}`' for role in sorted(roles))}; "
            f"some are for: {_listed(held)}"
        )
    return holders[0]


def _holders(policy: Policy, roles: frozenset[str]) -> list[str]:
    return [one.id for one in policy.organisations.values() if roles <= one.roles]


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return (", ".join(f"`{name}`" for name in found[:_FEW]) or "none") + (" ..." if len(found) > _FEW else "")
