"""The agencies whose data a change opens wider."""

from __future__ import annotations

from collections.abc import Mapping

from policies.policy import Policy


def widens(before: Policy, after: Policy, cells: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Every agency, unless nothing changed."""
    return frozenset() if before.rows == after.rows else frozenset(cells)
