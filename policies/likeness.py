"""Organisations that no rule tells apart.

Thousands of organisations are registered alike, and few rules name one; what is decided for one of them holds for all.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.policy import Policy


def representatives(policy: Policy) -> Mapping[str, str]:
    """For each organisation the first (by id) of those for which everything is decided as it is for this one: they may
    hold the same roles, are registered for the same purposes, and the same of those that rules name are above them.
    """
    named = {row.organisation for row in policy.rows}
    first: dict[object, str] = {}
    found: dict[str, str] = {}
    for id_ in sorted(policy.organisations):
        one = policy.organisations[id_]
        above = frozenset(named.intersection(policy.organisation_tree.lineage(id_)))
        found[id_] = first.setdefault((one.roles, one.purposes, above), id_)
    return found
