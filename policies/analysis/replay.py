"""Recorded requests decided again, by any policy; whatever was decided then may be of another version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from policies.analysis.shapes import Shape
from policies.compile import bare_decisions
from policies.decision import CallerClass, Decision
from policies.errors import PurposeRefused
from policies.policy import Act, Policy

Cells = Mapping[str, frozenset[str]]
"""The coordinates (`Penalty`, `Penalty.amount`) that each agency supplies."""

Cell = tuple[str, Act, str]
"""An agency, an act and a coordinate."""

Decisions = Mapping[Cell, Decision]


class Hindrance(StrEnum):
    """Why a request cannot be replayed: it would be refused, or the log cannot tell which bases would hold."""

    ORGANISATION_UNKNOWN = "ORGANISATION_UNKNOWN"
    ROLE_NOT_REGISTERED = "ROLE_NOT_REGISTERED"
    PURPOSE_REFUSED = "PURPOSE_REFUSED"
    BASES_UNSURE = "BASES_UNSURE"


def refusal(policy: Policy, caller: CallerClass) -> Hindrance | None:
    """Why the policy refuses every request of such callers; None where it does not."""
    organisation = policy.organisations.get(caller.organisation)
    if organisation is None:
        return Hindrance.ORGANISATION_UNKNOWN
    if not caller.roles <= organisation.roles:
        return Hindrance.ROLE_NOT_REGISTERED
    try:
        if caller.purpose is not None:
            policy.check_purpose(caller.organisation, caller.purpose)
    except PurposeRefused:
        return Hindrance.PURPOSE_REFUSED
    return None


def asked_cells(shapes: Iterable[Shape], cells: Cells) -> dict[CallerClass, dict[str, frozenset[str]]]:
    """By class of caller, what it asked for at each agency, rows included. What is no longer supplied is left out."""
    found: dict[CallerClass, dict[str, set[str]]] = {}
    for shape in shapes:
        for asked in shape.asked:
            agencies = found.setdefault(asked.caller, {})
            for agency, coordinate in asked.coordinates:
                # What is decided on a field depends on its rows.
                agencies.setdefault(agency, set()).update((coordinate, coordinate.partition(".")[0]))
    return {
        caller: {agency: frozenset(names) & cells.get(agency, frozenset()) for agency, names in agencies.items()}
        for caller, agencies in found.items()
    }


def decide(policy: Policy, caller: CallerClass, asked: Cells) -> Decisions:
    """The policy's decision on each coordinate that this class asked for, for either act, without its reason."""
    return {
        (agency, act, coordinate): decision
        for act in Act
        for agency, decisions in bare_decisions(policy, asked, caller, act).items()
        for coordinate, decision in sorted(decisions.items())
    }
