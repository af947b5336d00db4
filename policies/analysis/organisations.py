"""Which organisations are registered otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.analysis.registration import registered_purposes
from policies.policy import Policy


class Aspect(StrEnum):
    """What of an organisation changes: whether it is there, or what it is registered for."""

    ORGANISATION = "organisation"
    ROLES = "roles"
    PURPOSES = "purposes"
    DIVISION = "division"
    PARENT = "parent"
    ADMINISTERS = "administers"


@dataclass(frozen=True, slots=True)
class OrganisationChange:
    """What an organisation gains and loses: names of roles, of purposes (children included), division,
    parent, or the agency whose rules its policy administrators keep.
    """

    organisation: str
    aspect: Aspect
    gained: frozenset[str]
    lost: frozenset[str]


def organisation_changes(before: Policy, after: Policy) -> tuple[OrganisationChange, ...]:
    """Each organisation's changes, by its id. A new one gains all that it has, one that is gone loses it."""
    ours, theirs = _aspects(before), _aspects(after)
    return tuple(
        OrganisationChange(name, aspect, now[aspect] - then[aspect], then[aspect] - now[aspect])
        for name in sorted(ours.keys() | theirs.keys())
        for then, now in ((ours.get(name, _NOTHING), theirs.get(name, _NOTHING)),)
        for aspect in Aspect
        if then[aspect] != now[aspect]
    )


_NOTHING: Final[Mapping[Aspect, frozenset[str]]] = dict.fromkeys(Aspect, frozenset())


def _aspects(policy: Policy) -> Mapping[str, Mapping[Aspect, frozenset[str]]]:
    purposes = registered_purposes(policy)
    return {
        name: {
            Aspect.ORGANISATION: frozenset({name}),
            Aspect.ROLES: known.roles,
            Aspect.PURPOSES: purposes[known.purposes],
            Aspect.DIVISION: frozenset({known.division} if known.division else ()),
            Aspect.PARENT: frozenset({known.parent}),
            Aspect.ADMINISTERS: frozenset({known.administers} if known.administers else ()),
        }
        for name, known in policy.organisations.items()
    }
