"""As what the people of an organisation may ask, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Registration:
    """The roles that an organisation's people may hold and the purposes that they may ask for (children included),
    before and after. `gains_ground` and `loses_ground` say whether its division comes to cover companies that it did
    not, or no longer covers some.
    """

    roles_before: frozenset[str]
    roles_after: frozenset[str]
    purposes_before: frozenset[str]
    purposes_after: frozenset[str]
    gains_ground: bool
    loses_ground: bool

    @property
    def changed(self) -> bool:
        """Whether anything is not as before."""
        return (
            self.roles_before != self.roles_after
            or self.purposes_before != self.purposes_after
            or self.gains_ground
            or self.loses_ground
        )


def registrations(before: Policy, after: Policy) -> Mapping[str, Registration]:
    """The registration of each organisation of the second policy; a new one had nothing before."""
    return dict(_registrations(before, after))


def _registrations(before: Policy, after: Policy) -> Iterator[tuple[str, Registration]]:
    purposes_before, purposes_after = registered_purposes(before), registered_purposes(after)
    nothing: frozenset[str] = frozenset()
    for name, now in after.organisations.items():
        then = before.organisations.get(name)
        yield (
            name,
            Registration(
                then.roles if then else nothing,
                now.roles,
                purposes_before[then.purposes] if then else nothing,
                purposes_after[now.purposes],
                _beyond(now.division, then.division if then else None),
                _beyond(then.division if then else None, now.division),
            ),
        )


def registered_purposes(policy: Policy) -> Mapping[frozenset[str], frozenset[str]]:
    """All purposes that a registration for some comes to. Many organisations are registered for the same."""
    one_each = {organisation.purposes: name for name, organisation in policy.organisations.items()}
    return {purposes: policy.purposes_of(name) for purposes, name in one_each.items()}


def _beyond(division: str | None, other: str | None) -> bool:
    """Whether a division covers companies that another does not."""
    return division is not None and (other is None or not division.startswith(other))
